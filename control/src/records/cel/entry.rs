//! What is kept of one channel, and how many channels have to do with each other.

use std::collections::HashMap;
use std::sync::Arc;

use crate::channel::{ChannelSnapshot, Position};
use crate::id::{AppName, ChannelId, PlaybackId};

/// A channel that is there.
pub(super) struct Entry {
    pub(super) now: Arc<ChannelSnapshot>,
    /// The step of the dialplan whose APP_END is to follow.
    pub(super) running: Option<Arc<Position>>,
    /// The application whose APP_END is to follow.
    pub(super) stay: Option<AppName>,
    /// What it hears, and whose STREAM_END is to follow.
    pub(super) hears: Option<PlaybackId>,
    /// What its last call has come to.
    pub(super) dial_status: String,
}

impl Entry {
    pub(super) fn new(now: &Arc<ChannelSnapshot>) -> Self {
        Entry {
            now: Arc::clone(now),
            running: None,
            stay: None,
            hears: None,
            dial_status: String::new(),
        }
    }
}

/// How many channels there are of each linked id.
#[derive(Default)]
pub(super) struct Linked(HashMap<ChannelId, usize>);

impl Linked {
    pub(super) fn join(&mut self, id: &ChannelId) {
        *self.0.entry(id.clone()).or_default() += 1;
    }

    /// Whether that was the last.
    pub(super) fn part(&mut self, id: &ChannelId) -> bool {
        let Some(count) = self.0.get_mut(id) else { return false };
        *count -= 1;
        let is_last = *count == 0;
        if is_last {
            self.0.remove(id);
        }
        is_last
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
