//! What is told of prompts and music that could not be had.

use super::MusicSource;
use crate::id::{PlaybackId, Target};

/// An item of a playback could not be had. What comes before it is heard; then the playback has
/// failed, which is told by [`PlaybackChanged`](crate::event::PlaybackChanged), too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaybackFailed {
    /// Which.
    pub playback: PlaybackId,
    /// To whom it is played.
    pub target: Target,
    /// The item of this number, counted from 0.
    pub item: u32,
    /// Why, and what to do about it.
    pub reason: String,
}

/// None of the files of a class of music could be read: there is silence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MusicFailed {
    /// To whom it was to be played.
    pub target: Target,
    /// Where they should have been.
    pub source: MusicSource,
    /// Why the last one could not be read, and what to do about it.
    pub reason: String,
}
