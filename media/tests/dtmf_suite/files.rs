//! The suite as files: WAVs with `truth.json` beside them, and a detector's JSON lines.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::dtmf_suite::score::Heard;
use super::dtmf_suite::{Case, Class, Recording, Stimulus};

/// What `truth.json` says about a file.
pub struct Truth {
    pub file: String,
    pub class: Class,
    pub category: String,
    /// How the samples are kept.
    pub format: String,
    pub stimuli: Vec<Stimulus>,
}

/// Writes the WAV of a case.
pub fn write_wav(path: &Path, recording: &Recording, float: bool) -> Result<(), hound::Error> {
    let (bits_per_sample, sample_format) = match float {
        true => (32, hound::SampleFormat::Float),
        false => (16, hound::SampleFormat::Int),
    };
    let spec =
        hound::WavSpec { channels: 1, sample_rate: recording.hz, bits_per_sample, sample_format };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for &sample in &recording.samples {
        match float {
            true => writer.write_sample(f32::from(sample) / 32_768.0)?,
            false => writer.write_sample(sample)?,
        }
    }
    writer.finalize()
}

/// The entry of a case in `truth.json`.
pub fn truth(case: &Case, recording: &Recording) -> Value {
    let round = |ms: f64| (ms * 1_000.0).round() / 1_000.0;
    let stimulus = |stimulus: &Stimulus| {
        json!({
            "digit": stimulus.digit.map(String::from),
            "start_ms": round(stimulus.start_ms),
            "duration_ms": round(stimulus.duration_ms),
            "low_dbm0": stimulus.levels.map(|[low, _]| round(low)),
            "high_dbm0": stimulus.levels.map(|[_, high]| round(high)),
            "optional": stimulus.optional,
        })
    };
    json!({
        "file": case.file(),
        "class": case.class.name(),
        "category": case.category,
        "format": case.format(),
        "stimuli": recording.stimuli.iter().map(stimulus).collect::<Vec<_>>(),
    })
}

/// Reads `truth.json` in `dir`.
pub fn read_truth(dir: &Path) -> io::Result<Vec<Truth>> {
    let all: Value = serde_json::from_slice(&fs::read(dir.join("truth.json"))?)?;
    let files = all.as_array().into_iter().flatten();
    files.map(|file| truth_of(file).ok_or_else(|| malformed("truth.json", file))).collect()
}

fn truth_of(file: &Value) -> Option<Truth> {
    let class = file["class"].as_str()?;
    Some(Truth {
        file: file["file"].as_str()?.to_owned(),
        class: Class::ALL.into_iter().find(|known| known.name() == class)?,
        category: file["category"].as_str()?.to_owned(),
        format: file["format"].as_str()?.to_owned(),
        stimuli: file["stimuli"].as_array()?.iter().map(stimulus_of).collect::<Option<_>>()?,
    })
}

fn stimulus_of(stimulus: &Value) -> Option<Stimulus> {
    Some(Stimulus {
        digit: stimulus["digit"].as_str().and_then(|digit| digit.chars().next()),
        start_ms: stimulus["start_ms"].as_f64()?,
        duration_ms: stimulus["duration_ms"].as_f64()?,
        levels: None,
        optional: stimulus["optional"].as_bool()?,
    })
}

/// Reads JSON lines: the file that each digit was heard in, and the digit.
pub fn read_heard(lines: impl io::BufRead) -> io::Result<Vec<(PathBuf, Heard)>> {
    let mut all = Vec::new();
    for line in lines.lines() {
        let line = line?;
        if !line.trim().is_empty() {
            let value: Value = serde_json::from_str(&line)?;
            all.push(heard_of(&value).ok_or_else(|| malformed("the digits heard", &value))?);
        }
    }
    Ok(all)
}

fn heard_of(line: &Value) -> Option<(PathBuf, Heard)> {
    let start_ms = line["start_ms"].as_f64()?;
    let heard = Heard {
        digit: line["digit"].as_str()?.chars().next()?,
        start_ms,
        duration_ms: line["duration_ms"].as_f64().unwrap_or(0.0),
        reported_ms: line["reported_ms"].as_f64().unwrap_or(f64::NAN),
    };
    Some((PathBuf::from(line["file"].as_str()?), heard))
}

fn malformed(what: &str, value: &Value) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{what}: malformed: {value}"))
}

/// All WAV files below `dir`, with their lengths in hours.
pub fn wavs(dir: &Path) -> io::Result<Vec<(PathBuf, f64)>> {
    let mut all = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            all.extend(wavs(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "wav") {
            let wav = hound::WavReader::open(&path).map_err(io::Error::other)?;
            let hours = f64::from(wav.duration()) / f64::from(wav.spec().sample_rate) / 3_600.0;
            all.push((path, hours));
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(all)
}
