//! What is told of a recording that is under way.

use serde::Serialize;

use crate::playback::MediaTarget;

/// What a recording does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordingState {
    /// It waits.
    #[default]
    Queued,
    /// It records.
    Recording,
    /// It leaves out what is heard.
    Paused,
    /// It is over, and is there.
    Done,
    /// It went wrong.
    Failed,
    /// It is over, and was thrown away.
    Canceled,
}

impl RecordingState {
    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, RecordingState::Done | RecordingState::Failed | RecordingState::Canceled)
    }
}

/// A recording as it was at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RecordingSnapshot {
    /// Its name, without an ending; `/` divides folders.
    pub name: String,
    /// How it is written down: `wav`, `ulaw`, …
    pub format: String,
    /// What it does.
    pub state: RecordingState,
    /// Who is recorded.
    #[serde(rename = "target_uri")]
    pub target: MediaTarget,
    /// How long it is, in whole seconds; only when it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// How much of that was talk, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub talking_duration: Option<u64>,
    /// How much of that was silence, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_duration: Option<u64>,
    /// Why it went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
}
