//! All files: found, read piece by piece, many at a time, and handed on in the order given.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;
use std::{fs, io, thread};

use rayon::prelude::*;
use stasis_media::dtmf::{DtmfSettings, Rejections};
use stasis_media::wav::{WavError, WavStream};

use super::ear::{Ear, Heard, part};

/// Milliseconds that are read at a time.
const PIECE_MS: usize = 100;
/// How often somebody who waits for the next file is asked.
const PATIENCE: Duration = Duration::from_millis(250);

/// What was found in a file.
pub struct Found {
    pub path: PathBuf,
    /// None when it could not even be opened.
    pub shape: Option<Shape>,
    /// In time order, each with its channel.
    pub digits: Vec<(usize, Heard)>,
    /// In all channels.
    pub rejections: Rejections,
    /// Why it, or its end, could not be read.
    pub error: Option<String>,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    pub channels: usize,
    pub hz: u32,
    /// Of each channel.
    pub samples: u64,
}

impl Shape {
    pub fn seconds(&self) -> f64 {
        self.samples as f64 / f64::from(self.hz)
    }
}

/// The files that are meant, in the order given: a folder stands for all WAV files in it, sorted.
pub fn files(named: &[PathBuf]) -> Vec<Result<PathBuf, String>> {
    let mut all = Vec::new();
    for path in named {
        if !path.is_dir() {
            all.push(Ok(path.clone()));
            continue;
        }
        let (mut found, mut errors) = (Vec::new(), Vec::new());
        in_folder(path, &mut found, &mut errors);
        if found.is_empty() && errors.is_empty() {
            errors.push(format!("{} has no WAV files in it: check the path", path.display()));
        }
        found.sort();
        all.extend(found.into_iter().map(Ok));
        all.extend(errors.into_iter().map(Err));
    }
    all
}

fn in_folder(folder: &Path, found: &mut Vec<PathBuf>, errors: &mut Vec<String>) {
    let mut failed = |error: io::Error| {
        errors.push(format!("{} could not be listed: {error}", folder.display()));
    };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return failed(error),
    };
    let mut folders = Vec::new();
    for entry in entries {
        // A link to a folder is not followed: it may lead in circles.
        match entry.and_then(|entry| Ok((entry.path(), entry.file_type()?.is_dir()))) {
            Ok((path, true)) => folders.push(path),
            Ok((path, false)) if is_wav(&path) && !path.is_dir() => found.push(path),
            Ok(_) => {}
            Err(error) => failed(error),
        }
    }
    folders.iter().for_each(|folder| in_folder(folder, found, errors));
}

fn is_wav(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("wav"))
}

/// Searches all files, as many at a time as there are processors. `on` gets each as soon as it and
/// all before it are done, and can end the search; meanwhile `waiting` gets the number of files
/// that are done and the seconds of audio so far.
pub fn scan(
    files: &[Result<PathBuf, String>],
    settings: DtmfSettings,
    on: &mut dyn FnMut(Result<Found, &str>) -> io::Result<()>,
    waiting: &mut dyn FnMut(usize, f64),
) -> io::Result<()> {
    let (done, found) = mpsc::channel();
    let ms = AtomicU64::new(0);
    thread::scope(|scope| {
        let ms = &ms;
        scope.spawn(move || {
            // One by one, so that the first are done first. Nobody wants the rest when that fails.
            let all = files.iter().enumerate().par_bridge();
            let _ = all.try_for_each_with(done, |done, (number, file)| {
                let found = file.as_ref().map(|path| search(path, settings, ms));
                done.send((number, found)).map_err(drop)
            });
        });
        let mut early = BTreeMap::new();
        let mut next = 0;
        while next < files.len() {
            match found.recv_timeout(PATIENCE) {
                Ok((number, found)) => drop(early.insert(number, found)),
                Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
            }
            while let Some(found) = early.remove(&next) {
                on(found.map_err(String::as_str))?;
                next += 1;
            }
            waiting(next + early.len(), ms.load(Relaxed) as f64 / 1_000.0);
        }
        Ok(())
    })
}

fn search(path: &Path, settings: DtmfSettings, ms: &AtomicU64) -> Found {
    let mut found = Found {
        path: path.to_owned(),
        shape: None,
        digits: Vec::new(),
        rejections: Rejections::default(),
        error: None,
    };
    if let Err(error) = listen(path, settings, ms, &mut found) {
        found.error = Some(error.to_string());
    }
    found
}

fn listen(
    path: &Path,
    settings: DtmfSettings,
    ms: &AtomicU64,
    found: &mut Found,
) -> Result<(), WavError> {
    let mut stream = WavStream::open(path)?;
    let (channels, hz) = (stream.channels(), stream.hz());
    // Every rate that a stream may have can be brought to the detector's.
    let mut ears: Vec<Ear> = (0..channels).filter_map(|_| Ear::new(hz, settings)).collect();
    let mut shape = Shape { channels, hz, samples: 0 };
    let mut piece = Vec::new();
    let outcome = loop {
        match stream.read(part(hz) * PIECE_MS, &mut piece) {
            Ok(0) => break Ok(()),
            Ok(samples) => {
                ears.iter_mut().zip(&piece).for_each(|(ear, samples)| ear.listen(samples));
                shape.samples += samples as u64;
                ms.fetch_add(PIECE_MS as u64, Relaxed);
            }
            Err(error) => break Err(error),
        }
    };
    found.shape = Some(shape);
    for (channel, ear) in ears.into_iter().enumerate() {
        let (heard, rejections) = ear.finish();
        found.digits.extend(heard.into_iter().map(|heard| (channel, heard)));
        found.rejections += rejections;
    }
    found.digits.sort_by(|(_, a), (_, b)| a.start_ms.total_cmp(&b.start_ms));
    outcome
}
