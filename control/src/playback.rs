//! What is told of a playback.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::id::{BridgeId, ChannelId, PlaybackId};

/// Who hears it, or is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MediaTarget {
    /// A channel.
    Channel(ChannelId),
    /// All in a bridge.
    Bridge(BridgeId),
}

/// As a URI: `channel:g-a`.
impl fmt::Display for MediaTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MediaTarget::Channel(id) => write!(f, "channel:{id}"),
            MediaTarget::Bridge(id) => write!(f, "bridge:{id}"),
        }
    }
}

impl Serialize for MediaTarget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a playback does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PlaybackState {
    /// It waits.
    #[default]
    Queued,
    /// It is heard.
    Playing,
    /// It stands still.
    Paused,
    /// One of its media is over, and the next follows.
    Continuing,
    /// It is over.
    Done,
    /// What was to be heard last could not be had, or the channel was hung up.
    Failed,
}

impl PlaybackState {
    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        matches!(self, PlaybackState::Done | PlaybackState::Failed)
    }
}

/// A playback as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PlaybackSnapshot {
    /// Its id.
    pub id: PlaybackId,
    /// What is heard.
    pub media_uri: String,
    /// What is heard next; none: nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_media_uri: Option<String>,
    /// Who hears it.
    #[serde(rename = "target_uri")]
    pub target: MediaTarget,
    /// In which language.
    pub language: String,
    /// What it does.
    pub state: PlaybackState,
}
