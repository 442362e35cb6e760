//! Recording a bridge to a WAV file: a thread that empties a tap's ring and writes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stasis_bus::Topic;

use super::media_thread::{ControlError, MediaThread, StartError};
use crate::bridge::TapReader;
use crate::id::BridgeId;
use crate::wav::{WavError, WavFormat, WavWriter};

/// What the ring holds: so long may the disk stall.
const RING_SECONDS: u32 = 8;
/// How often the ring is emptied.
const PAUSE: Duration = Duration::from_millis(100);

/// A recording has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingStarted {
    /// What is recorded.
    pub bridge: BridgeId,
    /// The file.
    pub path: PathBuf,
}

/// A recording has ended as it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingFinished {
    /// What was recorded.
    pub bridge: BridgeId,
    /// The file.
    pub path: PathBuf,
    /// Its length in samples.
    pub samples: u64,
}

/// A recording has ended early; nothing else has. What was recorded until then can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingFailed {
    /// What was recorded.
    pub bridge: BridgeId,
    /// The file.
    pub path: PathBuf,
    /// Why, how much was kept, and what to do.
    pub reason: String,
}

/// Why a recording did not begin.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] WavError),
    /// The engine did not take the order.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// There is no thread for it.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// A bridge being recorded.
pub struct Recording {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<u64, WavError>>,
}

impl Recording {
    /// Begins to record a bridge to a new file at `path`, at the rate of its taps. Its beginning and
    /// end are published to `topic`.
    ///
    /// # Errors
    /// [`RecordError`] when the file cannot be made, or there is no such bridge.
    pub fn start(
        media: &MediaThread,
        bridge: BridgeId,
        path: &Path,
        topic: &Topic,
    ) -> Result<Self, RecordError> {
        let rate = media.most_bridge_rate(bridge)?;
        let writer = WavWriter::create(path, WavFormat::Pcm16, rate)?;
        let samples = media.tap(bridge, rate, RING_SECONDS)?;
        let (path, topic) = (path.to_owned(), topic.clone());
        let stop = Arc::<AtomicBool>::default();
        let stopped = stop.clone();
        let thread = thread::Builder::new()
            .name("recorder".into())
            .spawn(move || record(bridge, path, &topic, samples, writer, &stopped))
            .map_err(StartError)?;
        Ok(Recording { stop, thread })
    }

    /// Ends it; returns when the file is complete, with its length in samples. Another recording
    /// that has taken its place goes on.
    ///
    /// # Errors
    /// [`RecordError`] when the recording has failed before; the file then holds what was recorded
    /// until then.
    pub fn finish(self, media: &MediaThread) -> Result<u64, RecordError> {
        self.stop.store(true, Relaxed);
        self.thread.thread().unpark();
        let outcome = self.thread.join().expect("the recorder does not panic");
        // The bridge lets go of a tap that nobody reads: nothing has to be ordered.
        media.reap();
        Ok(outcome?)
    }
}

fn record(
    bridge: BridgeId,
    path: PathBuf,
    topic: &Topic,
    mut samples: TapReader,
    mut writer: WavWriter<File>,
    stop: &AtomicBool,
) -> Result<u64, WavError> {
    topic.publish(RecordingStarted { bridge, path: path.clone() });
    let mut outcome = Ok(());
    while outcome.is_ok() {
        // Asked before the ring is emptied, so that nothing is left behind.
        let last = samples.end().is_some() || stop.load(Relaxed);
        outcome = write_all(&mut samples, &mut writer);
        if last {
            break;
        }
        thread::park_timeout(PAUSE);
    }
    drop(samples);
    let outcome = outcome.and_then(|()| writer.finish());
    match &outcome {
        Ok(samples) => {
            topic.publish(RecordingFinished { bridge, path, samples: *samples });
        }
        Err(error) => {
            topic.publish(RecordingFailed { bridge, path, reason: error.to_string() });
        }
    }
    outcome
}

fn write_all(samples: &mut TapReader, writer: &mut WavWriter<File>) -> Result<(), WavError> {
    let mut part = [0; 4_096];
    loop {
        match samples.read(&mut part) {
            0 => return Ok(()),
            n => writer.write(&part[..n])?,
        }
    }
}
