//! Which digits does a detector hear, and which does it only think it hears?
//!
//! Some 18,000 stimuli with the truth about them, and voices made to be mistaken for digits. The
//! crate's own detector is run in process, and any detector by files: the suite is written as WAVs,
//! and JSON lines of what was heard there are scored.
//!
//! ```sh
//! cargo bench --bench dtmf_suite -- --run --voices 2 --worst 20 --misses target/misses.txt
//! cargo bench --bench dtmf_suite -- --write target/dtmf-suite --voices 2
//! cargo bench --bench dtmf_suite -- --score target/dtmf-suite < heard.jsonl
//! ```
//!
//! It cannot tell how a detector fares on real lines: all but the speech of `--speech` is made here.

#[path = "../media/tests/dtmf_suite/mod.rs"]
mod dtmf_suite;
#[path = "../media/tests/dtmf_suite/files.rs"]
mod files;

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{fs, process};

use clap::Parser;
use dtmf_suite::hear::hear;
use dtmf_suite::score::{Fault, Heard, Score, score};
use dtmf_suite::table::Table;
use dtmf_suite::voices::{self, Kind};
use dtmf_suite::{Case, Class, Material, Recording};
use rayon::prelude::*;
use stasis_media::frame::SampleRate;
use stasis_media::wav::Pcm;

#[derive(Parser)]
struct Args {
    /// Run the crate's detector over all of it, in process
    #[arg(long)]
    run: bool,
    /// Write the WAVs and truth.json to this directory
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Score JSON lines from the standard input against this directory's truth.json; digits in WAV
    /// files that it does not name are false
    #[arg(long, value_name = "DIR")]
    score: Option<PathBuf>,
    /// Only categories that begin so, as in `must-accept/twist`
    #[arg(long, value_name = "PREFIX", default_value = "")]
    only: String,
    /// This much of adversarial voices, too
    #[arg(long, value_name = "HOURS", default_value_t = 0.0)]
    voices: f64,
    /// WAV files of speech: what is spoken behind digits, and in themselves without any digit
    #[arg(long, value_name = "DIR")]
    speech: Vec<PathBuf>,
    /// List all categories
    #[arg(long)]
    all: bool,
    /// List the worst categories
    #[arg(long, value_name = "N", default_value_t = 0)]
    worst: usize,
    /// Write each fault to this file
    #[arg(long, value_name = "FILE")]
    misses: Option<PathBuf>,
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    // Without a word it is run as a test: not by `cargo bench`, which says so.
    let is_test = std::env::args_os().len() == 1;
    let args = match is_test {
        true => Args::parse_from(["", "--run", "--only", "must-accept/nominal"]),
        false => Args::parse(),
    };
    if let Err(error) = work(&args) {
        eprintln!("dtmf_suite: {error}");
        process::exit(2);
    }
}

fn work(args: &Args) -> io::Result<()> {
    if let Some(dir) = &args.write {
        write(args, dir)?;
    }
    if args.run {
        tell(args, run(args)?)?;
    }
    if let Some(dir) = &args.score {
        tell(args, score_files(args, dir)?)?;
    }
    if args.write.is_none() && !args.run && args.score.is_none() {
        eprintln!("dtmf_suite: nothing to do: say --run, --write or --score");
    }
    Ok(())
}

/// What was found: the scores, and the faults as lines of text.
#[derive(Default)]
struct Findings {
    table: Table,
    faults: Vec<String>,
}

impl Findings {
    fn add(
        &mut self,
        class: Class,
        category: &str,
        file: &str,
        (score, faults): &(Score, Vec<Fault>),
    ) {
        self.table.add(class, category, score);
        for fault in faults {
            self.faults.push(match fault {
                Fault::Missed { digit, at_ms } => format!("{file} {at_ms:.1} missed {digit}"),
                Fault::Extra { digit, at_ms } => format!("{file} {at_ms:.1} extra {digit}"),
            });
        }
    }

    /// A recording without digits.
    fn add_silent(&mut self, group: &str, file: &str, hours: f64, heard: &[Heard]) {
        self.table.add_silent(group, hours, heard.len());
        for Heard { digit, start_ms, duration_ms, .. } in heard {
            self.faults.push(format!("{file} {start_ms:.1} extra {digit} of {duration_ms:.0} ms"));
        }
    }
}

fn tell(args: &Args, findings: Findings) -> io::Result<()> {
    if args.all {
        println!("{}", findings.table.by_category());
    }
    if args.worst > 0 {
        println!("{}", findings.table.worst(args.worst));
    }
    print!("{}", findings.table.summary());
    match &args.misses {
        Some(path) => fs::write(path, findings.faults.join("\n") + "\n"),
        None => Ok(()),
    }
}

fn cases(args: &Args) -> Vec<Case> {
    if !dtmf_suite::program::is_installed() {
        println!("ffmpeg is not installed: the tandem codecs but for G.711 are left out");
    }
    let mut cases = dtmf_suite::cases();
    cases.retain(|case| case.category.starts_with(&args.only));
    cases
}

fn run(args: &Args) -> io::Result<Findings> {
    let mut findings = Findings::default();
    let speech = load_speech(args)?;
    let material = material(&speech);
    let cases = cases(args);
    let scores: Vec<_> = cases
        .par_iter()
        .map(|case| {
            let Recording { hz, samples, stimuli } = case.record(&material);
            score(case.class, &stimuli, &hear(&samples, hz))
        })
        .collect();
    for (case, score) in cases.iter().zip(&scores) {
        findings.add(case.class, &case.category, &case.file(), score);
    }
    let voices: Vec<_> = voice_files(args.voices)
        .into_par_iter()
        .map(|(name, hours)| {
            let heard = hear(&voice(&name, hours), 8_000);
            (name, hours, heard)
        })
        .collect();
    for (name, hours, heard) in voices {
        findings.add_silent("voices", &name, hours, &heard);
    }
    let heard: Vec<_> = speech.par_iter().map(|file| hear(file.pcm.samples(), 8_000)).collect();
    for (file, heard) in speech.iter().zip(heard) {
        let hours = file.pcm.duration().as_secs_f64() / 3_600.0;
        findings.add_silent(&file.group, &file.path.display().to_string(), hours, &heard);
    }
    Ok(findings)
}

fn write(args: &Args, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir.join("voices"))?;
    let material = material(&load_speech(args)?);
    let cases = cases(args);
    let truth: Vec<serde_json::Value> = cases
        .par_iter()
        .map(|case| {
            let recording = case.record(&material);
            files::write_wav(&dir.join(case.file()), &recording, case.take.float)?;
            Ok(files::truth(case, &recording))
        })
        .collect::<Result<_, hound::Error>>()
        .map_err(io::Error::other)?;
    let mut out = io::BufWriter::new(fs::File::create(dir.join("truth.json"))?);
    serde_json::to_writer_pretty(&mut out, &truth)?;
    out.flush()?;
    voice_files(args.voices).into_par_iter().try_for_each(|(name, hours)| {
        let (hz, stimuli) = (8_000, Vec::new());
        let recording = Recording { hz, samples: voice(&name, hours), stimuli };
        files::write_wav(&dir.join("voices").join(&name), &recording, false)
            .map_err(io::Error::other)
    })?;
    let count: usize =
        truth.iter().map(|file| file["stimuli"].as_array().map_or(0, Vec::len)).sum();
    println!("{} files, {count} stimuli, {} h of voices", truth.len(), args.voices);
    Ok(())
}

fn score_files(args: &Args, dir: &Path) -> io::Result<Findings> {
    let mut findings = Findings::default();
    let mut heard: HashMap<PathBuf, Vec<Heard>> = HashMap::new();
    for (path, digit) in files::read_heard(io::stdin().lock())? {
        heard.entry(key(&path)).or_default().push(digit);
    }
    let truth = files::read_truth(dir)?;
    let known: HashSet<PathBuf> = truth.iter().map(|truth| key(&dir.join(&truth.file))).collect();
    for truth in &truth {
        if truth.category.starts_with(&args.only) {
            let heard = heard.get(&key(&dir.join(&truth.file))).map_or(&[][..], Vec::as_slice);
            let score = score(truth.class, &truth.stimuli, heard);
            findings.add(truth.class, &truth.category, &truth.file, &score);
        }
    }
    for root in [dir].into_iter().chain(args.speech.iter().map(PathBuf::as_path)) {
        for (path, hours) in files::wavs(root)? {
            let key = key(&path);
            if !known.contains(&key) {
                let heard = heard.get(&key).map_or(&[][..], Vec::as_slice);
                findings.add_silent(&group(root, &path), &path.display().to_string(), hours, heard);
            }
        }
    }
    Ok(findings)
}

/// What a file is known by: its whole path where it can be found, else as it is named.
fn key(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// The directory below `root` that a file is in, or `root` itself.
fn group(root: &Path, path: &Path) -> String {
    let below = path.strip_prefix(root).ok().filter(|below| below.components().count() > 1);
    let name = below.and_then(|below| below.iter().next()).or(root.file_name());
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Files of ten minutes, by name and length in hours.
fn voice_files(hours: f64) -> Vec<(String, f64)> {
    let minutes = hours * 60.0;
    let file =
        |i: usize| (format!("voices-{i:02}.wav"), (minutes - 10.0 * i as f64).min(10.0) / 60.0);
    (0..(minutes / 10.0).ceil() as usize).map(file).collect()
}

fn voice(name: &str, hours: f64) -> Vec<i16> {
    let voice = voices::speak(Kind::Adversarial, hours * 3_600.0, name);
    voice.into_iter().map(|sample| sample.round() as i16).collect()
}

struct Speech {
    group: String,
    path: PathBuf,
    pcm: Pcm,
}

fn load_speech(args: &Args) -> io::Result<Vec<Speech>> {
    let mut all = Vec::new();
    for root in &args.speech {
        for (path, _) in files::wavs(root)? {
            let pcm = Pcm::load(&path, SampleRate::Hz8000).map_err(io::Error::other)?;
            all.push(Speech { group: group(root, &path), path, pcm });
        }
    }
    Ok(all)
}

/// Up to ten minutes of the speech given, or of plain voices.
fn material(speech: &[Speech]) -> Material {
    const SAMPLES: usize = 600 * 8_000;
    let samples = speech.iter().flat_map(|file| file.pcm.samples()).take(SAMPLES);
    let speech: Vec<f32> = samples.map(|&sample| f32::from(sample)).collect();
    match speech.is_empty() {
        true => Material { speech: voices::speak(Kind::Plain, 120.0, "behind") },
        false => Material { speech },
    }
}
