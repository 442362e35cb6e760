//! What is told of recordings.

use std::path::PathBuf;
use std::time::Duration;

use super::RecordTarget;
use crate::dtmf::Digit;
use crate::id::{LegId, RecordingId};

/// A recording has begun, changed or ended. The last one has a state that [is the
/// end](RecordState::is_end); by then the file is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingChanged {
    /// Which.
    pub recording: RecordingId,
    /// What it records.
    pub target: RecordTarget,
    /// The file.
    pub path: PathBuf,
    /// What it does now.
    pub state: RecordState,
    /// Whether silence is recorded in the place of sound.
    pub muted: bool,
    /// What it has recorded so far.
    pub figures: RecordFigures,
}

/// What a recording does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordState {
    /// It waits until its beep is over; nothing is recorded yet.
    Queued,
    /// It records.
    Recording,
    /// It is paused: what is said meanwhile is left out.
    Paused,
    /// It has ended as it should.
    Done(RecordEnd),
    /// It has ended early, for this reason, which says what to do. What was recorded until then can
    /// be read; nothing else has ended.
    Failed(String),
    /// It was discarded, and the file is as it was before: gone, mostly.
    Canceled,
}

impl RecordState {
    /// Whether it has ended.
    pub fn is_end(&self) -> bool {
        use RecordState::{Paused, Queued, Recording};
        !matches!(self, Queued | Recording | Paused)
    }
}

/// Why a recording has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordEnd {
    /// It was told to, or its recorder has ended.
    Stopped,
    /// It was as long as it may be.
    MaxDuration,
    /// There was silence for as long as may be.
    MaxSilence,
    /// This key was pressed.
    Key(Digit),
    /// The leg or the bridge is gone.
    Gone,
}

/// What a recording has recorded, without what was in the file before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordFigures {
    /// How long it is.
    pub duration: Duration,
    /// For how long somebody talks in it.
    pub talking: Duration,
    /// For how long nobody does: the rest.
    pub silence: Duration,
    /// What was lost, because the disk was too slow: silence is in its place.
    pub lost: Duration,
    /// Its length in samples.
    pub samples: u64,
}

/// A part of a recording was lost, because the disk was too slow for longer than 8 s: silence is in
/// its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordingLost {
    /// Which.
    pub recording: RecordingId,
    /// All that it has lost so far.
    pub lost: Duration,
}

/// A recording of a bridge has a file more: what one leg says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingTrack {
    /// Which.
    pub recording: RecordingId,
    /// Who.
    pub leg: LegId,
    /// The file. It begins with the recording, not with the leg: with silence until it came.
    pub path: PathBuf,
}
