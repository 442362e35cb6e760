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
//! cargo bench --bench dtmf_suite -- --curve media/docs/dtmf-trade-off.svg --voices 10
//! ```
//!
//! The exit code is 1 when a figure is missed (`figures`), 2 when something did not work.
//!
//! It cannot tell how a detector fares on real lines: all but the speech of `--speech` is made here.

#[path = "dtmf_suite/curve.rs"]
mod curve;
#[path = "../media/tests/dtmf_suite/mod.rs"]
mod dtmf_suite;
#[path = "../media/tests/dtmf_suite/files.rs"]
mod files;
#[path = "dtmf_suite/plot.rs"]
mod plot;

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::{fs, process};

use clap::Parser;
use dtmf_suite::figures::{self, Figure};
use dtmf_suite::hear::hear;
use dtmf_suite::score::{Fault, Heard, Score, score};
use dtmf_suite::table::Table;
use dtmf_suite::voices::{self, Kind};
use dtmf_suite::{Case, Class, Material, Recording};
use rayon::prelude::*;
use stasis_media::dtmf::DtmfSettings;
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
    /// Draw what is accepted against what is falsely heard in voices (--voices), over the settings
    #[arg(long, value_name = "FILE.svg")]
    curve: Option<PathBuf>,
    /// Record all of it at this rate, but for what goes through a codec of 8 kHz
    #[arg(long, value_name = "HZ")]
    hz: Option<u32>,
    /// Write 32-bit float
    #[arg(long)]
    float: bool,
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
    match work(&args) {
        Ok(true) => {}
        Ok(false) => process::exit(1),
        Err(error) => {
            eprintln!("dtmf_suite: {error}");
            process::exit(2);
        }
    }
}

/// Does what is asked for; whether all figures are reached.
fn work(args: &Args) -> io::Result<bool> {
    let mut all_reached = true;
    if let Some(dir) = &args.write {
        write(args, dir)?;
    }
    if args.run {
        all_reached &= tell(args, run(args)?)?;
    }
    if let Some(dir) = &args.score {
        all_reached &= tell(args, score_files(args, dir)?)?;
    }
    if let Some(path) = &args.curve {
        draw(args, path)?;
    }
    if args.write.is_none() && !args.run && args.score.is_none() && args.curve.is_none() {
        eprintln!("dtmf_suite: nothing to do: say --run, --write, --score or --curve");
    }
    Ok(all_reached)
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
        (class, category, format): (Class, &str, &str),
        file: &str,
        (score, faults): &(Score, Vec<Fault>),
    ) {
        self.table.add(class, category, format, score);
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

/// Prints the tables; whether all figures are reached.
fn tell(args: &Args, findings: Findings) -> io::Result<bool> {
    if args.all {
        println!("{}", findings.table.by_category());
    }
    if args.worst > 0 {
        println!("{}", findings.table.worst(args.worst));
    }
    print!("{}", findings.table.summary());
    if let Some(path) = &args.misses {
        fs::write(path, findings.faults.join("\n") + "\n")?;
    }
    Ok(findings.table.figures().iter().all(Figure::is_reached))
}

fn cases(args: &Args) -> Vec<Case> {
    if !dtmf_suite::program::is_installed() {
        println!("ffmpeg is not installed: the tandem codecs but for G.711 are left out");
    }
    let mut cases = dtmf_suite::cases();
    cases.retain(|case| case.category.starts_with(&args.only));
    for case in &mut cases {
        case.take.float |= args.float;
        case.take.hz = args.hz.filter(|_| !case.is_coded()).unwrap_or(case.take.hz);
    }
    cases
}

fn run(args: &Args) -> io::Result<Findings> {
    let mut findings = Findings::default();
    let speech = speech_files(args)?;
    let material = material(&speech)?;
    let cases = cases(args);
    let scores: Vec<_> = cases
        .par_iter()
        .map(|case| {
            let Recording { hz, samples, stimuli } = case.record(&material);
            score(case.class, &stimuli, &hear(&samples, hz, DtmfSettings::DEFAULT))
        })
        .collect();
    for (case, score) in cases.iter().zip(&scores) {
        let kind = (case.class, case.category.as_str(), &*case.format());
        findings.add(kind, &case.file(), score);
    }
    let voices: Vec<_> = voice_files(args.voices)
        .into_par_iter()
        .map(|(name, hours)| {
            let heard = hear(&voice(&name, hours), 8_000, DtmfSettings::DEFAULT);
            (name, hours, heard)
        })
        .collect();
    for (name, hours, heard) in voices {
        findings.add_silent(figures::VOICES, &name, hours, &heard);
    }
    let heard: Vec<_> = speech
        .into_par_iter()
        .map(|(group, path)| {
            let pcm = Pcm::load(&path, SampleRate::Hz8000).map_err(io::Error::other)?;
            let hours = pcm.duration().as_secs_f64() / 3_600.0;
            let heard = hear(pcm.samples(), 8_000, DtmfSettings::DEFAULT);
            Ok((group, path, hours, heard))
        })
        .collect::<io::Result<_>>()?;
    for (group, path, hours, heard) in heard {
        findings.add_silent(&group, &path.display().to_string(), hours, &heard);
    }
    Ok(findings)
}

fn draw(args: &Args, path: &Path) -> io::Result<()> {
    let behind = material(&speech_files(args)?)?;
    let mut cases = cases(args);
    cases.retain(|case| case.class.accepts());
    let record = |case: Case| {
        let recording = case.record(&behind);
        (case, recording)
    };
    let recordings = cases.into_par_iter().map(record).collect();
    let voices = voice_files(args.voices).into_par_iter();
    let voices = voices.map(|(name, hours)| voice(&name, hours)).collect();
    let curve = curve::measure(&curve::Material { recordings, voices });
    fs::write(path, plot::draw(&curve))
}

fn write(args: &Args, dir: &Path) -> io::Result<()> {
    fs::create_dir_all(dir.join(figures::VOICES))?;
    let material = material(&speech_files(args)?)?;
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
        files::write_wav(&dir.join(figures::VOICES).join(&name), &recording, false)
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
            let kind = (truth.class, truth.category.as_str(), truth.format.as_str());
            findings.add(kind, &truth.file, &score);
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

/// The files of speech, each with its group.
fn speech_files(args: &Args) -> io::Result<Vec<(String, PathBuf)>> {
    let mut all = Vec::new();
    for root in &args.speech {
        all.extend(files::wavs(root)?.into_iter().map(|(path, _)| (group(root, &path), path)));
    }
    Ok(all)
}

/// Up to ten minutes of the speech given, or of plain voices.
fn material(speech: &[(String, PathBuf)]) -> io::Result<Material> {
    const SAMPLES: usize = 600 * 8_000;
    let mut behind: Vec<f32> = Vec::new();
    for (_, path) in speech {
        if behind.len() < SAMPLES {
            let pcm = Pcm::load(path, SampleRate::Hz8000).map_err(io::Error::other)?;
            let more = pcm.samples().iter().take(SAMPLES - behind.len());
            behind.extend(more.map(|&sample| f32::from(sample)));
        }
    }
    if behind.is_empty() {
        behind = voices::speak(Kind::Plain, 120.0, "behind");
    }
    Ok(Material { speech: behind })
}
