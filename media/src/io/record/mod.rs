//! Recording legs and bridges to files: one thread for all recordings.
//!
//! The engine sends what is heard by rings ([`Tap`](crate::bridge::Tap)); the thread `recorder`
//! empties all of them every 100 ms into their files. It blocks on files, and so may every recording
//! of one [`Recorder`] when a disk is stuck: for 8 s nothing is lost by that.
//!
//! By hand there is no thread: whoever has the `ticker` has the rings emptied.
//!
//! A recording may wait for a beep first (`beep`). What of the sound is kept, and when a recording has
//! ended, is decided without a thread (`course`); `job` is one recording with its ring and its file,
//! `tracks` are the files of the legs of a bridge.

mod beep;
mod course;
mod event;
mod file;
mod job;
mod open;
mod settings;
mod ticker;
mod tracks;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};

use stasis_bus::{BusEnded, Topic};

pub use event::{
    RecordEnd, RecordFigures, RecordState, RecordingChanged, RecordingLost, RecordingTrack,
};
pub use settings::{IfExists, Keys, RecordSettings, RecordTarget};
pub use ticker::RecorderTicker;

use super::media::{ControlError, Media, StartError};
use crate::id::RecordingId;
use crate::wav::WavError;
use course::Course;
use job::{Control, Job};
use open::{open, open_tracks, play_beep, watch};

/// What a ring holds: so long may the disk stall.
const RING_SECONDS: u32 = 8;

/// Why something was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file cannot be written.
    #[error(transparent)]
    File(#[from] WavError),
    /// The engine did not take the order.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Keys, and who comes and goes, are told by a bus that has ended: start another.
    #[error(transparent)]
    Bus(#[from] BusEnded),
    /// The recording has failed on its way, for this reason, which says what to do. The file holds
    /// what was recorded until then.
    #[error("{0}")]
    Failed(String),
    /// Tracks are of a bridge.
    #[error("a leg has no tracks: record its bridge, or leave them out")]
    NoTracks,
    /// The recorder has ended: start another.
    #[error("the recorder has ended: start another")]
    Ended,
}

enum Command {
    Begin(Box<Job>),
    Control(RecordingId, Control),
    End,
}

/// The thread that records. Dropping it ends all its recordings as [`Recording::stop`] does, and
/// waits until their files are complete.
///
/// ```
/// use std::sync::Arc;
/// use stasis_bus::{Bus, Settings};
/// use stasis_media::frame::SampleRate;
/// use stasis_media::io::{MediaSettings, Media, RecordSettings, Recorder};
///
/// let bus = Bus::new(Settings::default())?;
/// let topic = bus.topic("room");
/// let media = Arc::new(Media::start(&bus, MediaSettings::default())?);
/// let bridge = media.add_bridge(SampleRate::Hz8000, &topic)?;
///
/// let recorder = Recorder::start()?;
/// let path = std::env::temp_dir().join("stasis-doc-room.wav");
/// let recording = recorder.record(&media, bridge, RecordSettings::to(&path), &topic)?;
/// recording.pause();
/// recording.resume();
/// let figures = recording.finish()?;
/// println!("{:?} of {:?}", figures.talking, figures.duration);
/// # std::fs::remove_file(path)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Recorder {
    commands: Sender<Command>,
    last_serial: AtomicU32,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`StartError`] when the operating system has no thread for it.
    pub fn start() -> Result<Self, StartError> {
        let (mut recorder, ticker) = Recorder::by_hand();
        let run = move || ticker.run();
        recorder.thread = Some(thread::Builder::new().name("recorder".into()).spawn(run)?);
        Ok(recorder)
    }

    /// A recorder without a thread, for [`Media::by_hand`]: its work is done by the [`RecorderTicker`],
    /// when it is told to. Dropping the recorder ends its recordings with the next of that work.
    pub fn by_hand() -> (Self, RecorderTicker) {
        let (commands, inbox) = mpsc::channel();
        let recorder = Recorder { commands, last_serial: AtomicU32::new(0), thread: None };
        (recorder, RecorderTicker::new(inbox))
    }

    /// Begins to record a bridge, or a leg; what becomes of it is told on `topic`, by
    /// [`RecordingChanged`] and others. Opens the file: this blocks.
    ///
    /// # Errors
    /// [`RecordError`] when the file cannot be made, or there is no such leg or bridge: nothing has
    /// begun then, and no file is left behind.
    pub fn record(
        &self,
        media: &Arc<Media>,
        what: impl Into<RecordTarget>,
        settings: RecordSettings,
        topic: &Topic,
    ) -> Result<Recording, RecordError> {
        let target = what.into();
        if settings.tracks && matches!(target, RecordTarget::Leg(..)) {
            return Err(RecordError::NoTracks);
        }
        // Asked for first, so that no key and nobody is missed.
        let watch = watch(&settings, topic)?;
        let (source, file, rate) = open(media, target, &settings)?;
        let opened = open_tracks(media, target, &settings, rate, topic);
        let (tracks, beep) =
            match opened.and_then(|tracks| play_beep(media, target, &settings, tracks)) {
                Ok(both) => both,
                Err(error) => {
                    let _ = file.discard(); // it is empty
                    return Err(error);
                }
            };
        let id = RecordingId::new(0, self.last_serial.fetch_add(1, Relaxed).wrapping_add(1));
        let (reply, outcome) = mpsc::channel();
        let job = Job {
            id,
            target,
            topic: topic.clone(),
            rate,
            course: Course::new(&settings, rate),
            source,
            file,
            watch,
            tracks,
            beep,
            lost: 0,
            reply,
        };
        self.commands.send(Command::Begin(Box::new(job))).map_err(|_| RecordError::Ended)?;
        Ok(Recording { id, commands: self.commands.clone(), outcome })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.commands.send(Command::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A recording that runs, or has ended by itself. Dropping this does not end it. What it is told when
/// it has ended already changes nothing.
pub struct Recording {
    id: RecordingId,
    commands: Sender<Command>,
    outcome: Receiver<Result<RecordFigures, RecordError>>,
}

impl Recording {
    /// Its name in events.
    pub fn id(&self) -> RecordingId {
        self.id
    }

    /// Leaves out what comes from now on.
    pub fn pause(&self) {
        self.control(Control::Pause(true));
    }

    /// Goes on after a pause, without a gap.
    pub fn resume(&self) {
        self.control(Control::Pause(false));
    }

    /// Records silence in the place of what comes from now on.
    pub fn mute(&self) {
        self.control(Control::Mute(true));
    }

    /// Records what comes again.
    pub fn unmute(&self) {
        self.control(Control::Mute(false));
    }

    /// Ends it and keeps the file; does not wait for that.
    pub fn stop(&self) {
        self.control(Control::Stop);
    }

    /// Ends it and removes the file, or what was appended to it; does not wait for that.
    pub fn discard(&self) {
        self.control(Control::Discard);
    }

    /// Waits until it has ended and the file is complete. [By hand](Recorder::by_hand), call it only when
    /// the work by which it ends was done: it waits for ever for what nobody does.
    ///
    /// # Errors
    /// [`RecordError::Failed`] when it has ended early; the file holds what was recorded until then.
    pub fn wait(self) -> Result<RecordFigures, RecordError> {
        self.outcome.recv().unwrap_or(Err(RecordError::Ended))
    }

    /// [Stops](Self::stop) it and [waits](Self::wait): not for a recording by hand.
    ///
    /// # Errors
    /// As [`wait`](Self::wait).
    pub fn finish(self) -> Result<RecordFigures, RecordError> {
        self.stop();
        self.wait()
    }

    fn control(&self, control: Control) {
        // A recorder that has ended has ended this one, too.
        let _ = self.commands.send(Command::Control(self.id, control));
    }
}
