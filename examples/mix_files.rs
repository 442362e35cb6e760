//! Mixes WAV files as a conference would: for each file, one with what that participant hears,
//! which is everybody but themselves (N-minus-one). No network, no sound device.
//!
//!     cargo run --release --example mix_files -- examples/assets/*.wav --out mixes
//!
//! You will see a line for each file that is written, and how many times faster than the conference
//! that was. Files may be of any rate, mono or stereo, 8 to 32 bits or float; shorter ones fall
//! silent. All of them are in memory meanwhile: 1 MB a minute each at 8 kHz. A file that cannot be
//! read is named, and nothing is mixed, since everybody would miss somebody.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use rayon::prelude::*;
use stasis_media::frame::SampleRate;
use stasis_media::mix::{add, mix_all, mix_minus};
use stasis_media::wav::{Pcm, WavError, WavFormat, WavWriter};

/// Samples that are mixed at a time.
const PART: usize = 1 << 14;

/// Mixes WAV files into N-minus-one WAV files: what each participant hears.
#[derive(Parser)]
struct Options {
    /// What each participant says.
    #[arg(required = true, value_name = "FILE.wav")]
    files: Vec<PathBuf>,
    /// Where the mixes go, named after the files: `alice.wav` becomes `alice.hears.wav`.
    #[arg(long, default_value = ".", value_name = "DIR")]
    out: PathBuf,
    /// Also everybody together.
    #[arg(long, value_name = "FILE.wav")]
    all: Option<PathBuf>,
    /// The rate of the mixes: 8000, 16000, 24000, 32000 or 48000.
    #[arg(long, default_value = "16000", value_name = "HZ", value_parser = rate)]
    rate: SampleRate,
}

fn rate(text: &str) -> Result<SampleRate, String> {
    let hz = text.parse().map_err(|_| format!("{text} is no number of hertz"))?;
    SampleRate::from_hz(hz).map_err(|error| error.to_string())
}

fn main() -> ExitCode {
    let options = Options::parse();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(errors) => {
            errors.iter().for_each(|error| eprintln!("{error}"));
            ExitCode::FAILURE
        }
    }
}

#[allow(clippy::disallowed_methods)] // how long it takes is what people want to know
fn run(options: &Options) -> Result<(), Vec<String>> {
    let begin = Instant::now();
    let names = out_names(&options.files, &options.out).map_err(|error| vec![error])?;
    let voices = load(&options.files, options.rate)?;
    let total = sum(&voices);
    let length = Duration::from_secs_f64(total.len() as f64 / f64::from(options.rate.hz()));
    eprintln!("{} files, {length:.1?}, read after {:.1?}", voices.len(), begin.elapsed());

    std::fs::create_dir_all(&options.out)
        .map_err(|error| vec![format!("cannot make {}: {error}", options.out.display())])?;
    let everybody = options.all.as_deref().map(|path| (path, None));
    let jobs: Vec<(&Path, Option<&Pcm>)> = names
        .iter()
        .zip(&voices)
        .map(|(name, own)| (&**name, Some(own)))
        .chain(everybody)
        .collect();
    collect(jobs.into_par_iter().map(|(path, own)| {
        write(path, &total, own, options.rate)?;
        println!("{}", path.display());
        Ok(())
    }))?;
    let took = begin.elapsed();
    eprintln!("{took:.1?}: {:.0} times real time", length.div_duration_f64(took));
    Ok(())
}

/// Everything that went well, or all that went wrong.
fn collect<T: Send>(
    results: impl ParallelIterator<Item = Result<T, WavError>>,
) -> Result<Vec<T>, Vec<String>> {
    let results: Vec<_> = results.collect();
    let errors = results.iter().filter_map(|result| result.as_ref().err());
    let errors: Vec<String> = errors.map(ToString::to_string).collect();
    if errors.is_empty() { Ok(results.into_iter().flatten().collect()) } else { Err(errors) }
}

/// Where each file's mix goes. The error: two of them to one place.
fn out_names(files: &[PathBuf], out: &Path) -> Result<Vec<PathBuf>, String> {
    let mut names: Vec<PathBuf> = Vec::new();
    for file in files {
        let stem = file.file_stem().unwrap_or(file.as_os_str()).to_string_lossy();
        let name = out.join(format!("{stem}.hears.wav"));
        if names.contains(&name) {
            return Err(format!("two files would be mixed to {}: rename one", name.display()));
        }
        names.push(name);
    }
    Ok(names)
}

fn load(files: &[PathBuf], rate: SampleRate) -> Result<Vec<Pcm>, Vec<String>> {
    collect(files.par_iter().map(|file| Pcm::load(file, rate)))
}

/// The exact sum of all, as long as the longest.
fn sum(voices: &[Pcm]) -> Vec<i32> {
    let longest = voices.iter().map(|voice| voice.samples().len()).max().unwrap_or(0);
    let mut total = vec![0; longest];
    total.par_chunks_mut(PART).enumerate().for_each(|(index, part)| {
        for voice in voices {
            add(part, part_of(voice.samples(), index));
        }
    });
    total
}

/// What is there of the part with this number.
fn part_of(samples: &[i16], index: usize) -> &[i16] {
    let rest = samples.get(index * PART..).unwrap_or(&[]);
    &rest[..rest.len().min(PART)]
}

/// Writes the sum less `own`, or the sum.
fn write(path: &Path, total: &[i32], own: Option<&Pcm>, rate: SampleRate) -> Result<(), WavError> {
    let mut file = WavWriter::create(path, WavFormat::Pcm16, rate)?;
    let mut out = [0; PART];
    for (index, part) in total.chunks(PART).enumerate() {
        let out = &mut out[..part.len()];
        match own {
            None => mix_all(part, out),
            Some(own) => {
                let own = part_of(own.samples(), index);
                let (together, alone) = part.split_at(own.len());
                let (before, after) = out.split_at_mut(own.len());
                mix_minus(together, own, before);
                mix_all(alone, after);
            }
        }
        file.write(out)?;
    }
    file.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A voice that says its number all the time, for so many samples.
    fn voice(path: &Path, says: i16, samples: usize) {
        let mut file = WavWriter::create(path, WavFormat::Pcm16, SampleRate::Hz8000).unwrap();
        file.write(&vec![says; samples]).unwrap();
        file.finish().unwrap();
    }

    fn in_a_folder(name: &str, test: impl FnOnce(&Path)) {
        let folder = std::env::temp_dir().join(format!("stasis-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        test(&folder);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    fn options(folder: &Path, files: &[&str]) -> Options {
        Options {
            files: files.iter().map(|file| folder.join(file)).collect(),
            out: folder.join("out"),
            all: Some(folder.join("all.wav")),
            rate: SampleRate::Hz8000,
        }
    }

    #[test]
    fn everybody_hears_the_others_exactly_also_after_some_have_ended() {
        in_a_folder("mix-files", |folder| {
            let lengths = [3 * PART + 5, PART, PART + 1];
            for (n, (name, length)) in ["a.wav", "b.wav", "c.wav"].iter().zip(lengths).enumerate() {
                voice(&folder.join(name), 10i16.pow(n as u32), length);
            }
            let options = options(folder, &["a.wav", "b.wav", "c.wav"]);
            assert_eq!(run(&options), Ok(()));
            let heard = |name: &str| Pcm::load(folder.join(name), SampleRate::Hz8000).unwrap();
            let says = |n: usize, at: usize| if at < lengths[n] { 10i16.pow(n as u32) } else { 0 };
            for (n, name) in ["a", "b", "c"].iter().enumerate() {
                let heard = heard(&format!("out/{name}.hears.wav"));
                let others = |at| (0..3).filter(|&other| other != n).map(|o| says(o, at)).sum();
                let expected: Vec<i16> = (0..lengths[0]).map(others).collect();
                assert!(heard.samples() == expected, "what {name} hears");
            }
            let expected: Vec<i16> =
                (0..lengths[0]).map(|at| (0..3).map(|n| says(n, at)).sum()).collect();
            assert!(heard("all.wav").samples() == expected, "everybody together");
        });
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_and_nothing_is_mixed() {
        in_a_folder("mix-files-bad", |folder| {
            voice(&folder.join("good.wav"), 1, 100);
            std::fs::write(folder.join("bad.wav"), "no WAV").unwrap();
            let errors = run(&options(folder, &["good.wav", "bad.wav", "gone.wav"])).unwrap_err();
            assert_eq!(errors.len(), 2);
            assert!(errors[0].contains("bad.wav") && errors[1].contains("gone.wav"), "{errors:?}");
            assert!(!folder.join("out").exists());
        });
    }

    #[test]
    fn two_files_of_one_name_are_refused() {
        let files = [PathBuf::from("one/a.wav"), PathBuf::from("other/a.wav")];
        assert!(out_names(&files, Path::new("out")).is_err());
    }
}
