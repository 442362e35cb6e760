//! Finds DTMF digits in WAV files, as a detector on a line would hear them; or writes some.
//!
//!     cargo run --release --example dtmf -- recordings/ call.wav
//!     cargo run --release --example dtmf -- --json recordings/ > digits.jsonl
//!     cargo run --release --example dtmf -- --generate 0123456789 digits.wav --twist 4
//!
//! You will see a table for each file, in the order given, and a line with the sum: the digits in
//! all, hours of audio, and how many times faster than a call that was. Files may be of any rate
//! from 8,000 to 192,000 Hz, PCM of 8 to 32 bits, float, µ-law or A-law; each channel is heard by
//! itself. Many are read at a time, and none is in memory as a whole. One that cannot be read is
//! named on stderr, the others are done, and the exit code is 1.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use stasis_media::dtmf::{Dbm0, DtmfSettings};
use stasis_media::frame::SampleRate;

#[path = "dtmf/ear.rs"]
mod ear;
#[path = "dtmf/keys.rs"]
mod keys;
#[path = "dtmf/narrow.rs"]
mod narrow;
#[path = "dtmf/report.rs"]
mod report;
#[path = "dtmf/scan.rs"]
mod scan;

use keys::Keying;
use report::Report;

/// Before that nobody needs to be told that something goes on, in seconds.
const LONG: f64 = 1.0;

/// Finds DTMF digits in WAV files, or writes some.
#[derive(Parser)]
#[command(name = "dtmf")]
pub struct Options {
    /// Files to search; a folder stands for all .wav files in it and below, sorted
    #[arg(value_name = "FILE.wav", required_unless_present = "generate")]
    files: Vec<PathBuf>,
    /// One JSON object a line for each digit, in time order within a file. Times are in
    /// milliseconds of the file; reported_ms is when a live detector has told the digit, twist_db
    /// the low tone's level less the high one's. Files of several channels have "channel", from 0
    #[arg(long)]
    json: bool,
    /// How much is asked of a digit: strict, default or relaxed. Strict takes what the standards say
    /// must be taken, relaxed also what bad lines leave of it, and now and then a voice
    #[arg(long, default_value = "default", value_name = "PROFILE")]
    profile: DtmfSettings,
    /// Also say, for each file, how many candidates were no digits, and why
    #[arg(long)]
    explain: bool,
    /// Write DIGITS (0 to 9, *, #, A to D) to OUT.wav instead, with a pause before each and behind
    /// the last
    #[arg(long, num_args = 2, value_names = ["DIGITS", "OUT.wav"], conflicts_with_all = ["files", "json", "explain"])]
    generate: Option<Vec<String>>,
    /// For --generate: 8000, 16000, 24000, 32000 or 48000
    #[arg(long, default_value = "8000", value_name = "HZ", value_parser = rate)]
    rate: SampleRate,
    /// For --generate: the level of the low tone
    #[arg(long, default_value_t = -9.0, value_name = "DBM0", allow_negative_numbers = true)]
    level: f32,
    /// For --generate: by how much the low tone is above the high one, which has the rest
    #[arg(long, default_value_t = -2.0, value_name = "DB", allow_negative_numbers = true)]
    twist: f32,
    /// For --generate: how long each digit is
    #[arg(long, default_value_t = 100, value_name = "MS")]
    on: u32,
    /// For --generate: how long each pause is
    #[arg(long, default_value_t = 100, value_name = "MS")]
    off: u32,
}

fn rate(text: &str) -> Result<SampleRate, String> {
    let hz = text.parse().map_err(|_| format!("{text} is no number of hertz"))?;
    SampleRate::from_hz(hz).map_err(|error| error.to_string())
}

#[allow(dead_code)] // the tests have their own
fn main() -> ExitCode {
    let is_watched = io::stderr().is_terminal();
    let mut out = BufWriter::new(io::stdout());
    match run(&Options::parse(), &mut out, &mut io::stderr(), is_watched) {
        Ok(true) => ExitCode::SUCCESS,
        // Who reads no further, as `head` does, wants no more.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the result could not be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what is asked for; whether all of it went well. What was found goes to `out`, each file as
/// soon as it may, and a line to `errors` for each that could not be read; if `is_watched` also how
/// far it is.
pub fn run(
    options: &Options,
    out: &mut dyn Write,
    errors: &mut dyn Write,
    is_watched: bool,
) -> io::Result<bool> {
    match options.generate.as_deref() {
        Some([digits, path]) => match generate(options, digits, path) {
            Ok(()) => Ok(true),
            Err(error) => writeln!(errors, "{error}").map(|()| false),
        },
        _ => search(options, out, errors, is_watched),
    }
}

fn generate(options: &Options, digits: &str, path: &str) -> Result<(), String> {
    let Options { rate, level, twist, on, off, .. } = *options;
    let digits = keys::digits(digits)?;
    let (low, high) = (Dbm0(level), Dbm0(level - twist));
    let keying = Keying { rate, low, high, on_ms: on, off_ms: off };
    keys::write(path.as_ref(), &digits, &keying).map_err(|error| error.to_string())
}

#[allow(clippy::disallowed_methods)] // how long it takes is what people want to know
fn search(
    options: &Options,
    out: &mut dyn Write,
    errors: &mut dyn Write,
    is_watched: bool,
) -> io::Result<bool> {
    let begin = Instant::now();
    let files = scan::files(&options.files);
    let mut report = Report::new(options.json, options.explain);
    let mut all_well = true;
    let clear = if is_watched { "\r\x1b[K" } else { "" };
    let mut on = |found: Result<scan::Found, &str>| {
        write!(io::stderr(), "{clear}")?;
        let error = match found {
            Ok(found) => {
                report.file(&found, out)?;
                found.error
            }
            Err(error) => Some(error.to_owned()),
        };
        out.flush()?;
        if let Some(error) = error {
            all_well = false;
            writeln!(errors, "{error}")?;
        }
        Ok(())
    };
    let mut waiting = |done: usize, seconds: f64| {
        if is_watched && begin.elapsed().as_secs_f64() > LONG {
            let hours = seconds / 3_600.0;
            eprint!("{clear}{done} of {} files, {hours:.2} h", files.len());
        }
    };
    scan::scan(&files, options.profile, &mut on, &mut waiting)?;
    eprint!("{clear}");
    report.sum(begin.elapsed().as_secs_f64(), out)?;
    out.flush()?;
    Ok(all_well)
}
