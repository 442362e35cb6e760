//! What is played to channels and bridges, recorded of them, and sent to them: one thing after the other.
//!
//! `playing`, `recording` and `sending` are the three; `lines` is what the engine says of lines.

mod lines;
mod playing;
mod recording;
mod sending;

use std::collections::BTreeSet;

use super::{BridgeKey, Exchange};
use crate::apps::AppKey;
use crate::channel::{ChannelKey, Operation, Operations};
use crate::media::{Ear, MediaOrder, RecordControl, RecordHow};
use crate::playback::{MediaTarget, PlaybackState};
use crate::recording::RecordingState;
use crate::refusal::Refusal;
use crate::timers::Timer;

pub use playing::{PlayHow, PlaybackOperation};
pub use sending::DigitsHow;

pub(super) use playing::PlaybackRecord;
pub(super) use recording::RecordingRecord;
use recording::Told;

/// Who hears something, or is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Channel(ChannelKey),
    Bridge(BridgeKey),
}

impl Exchange {
    /// A channel that an application has, and that hears something.
    fn find_audible(&self, id: &str) -> Result<ChannelKey, Refusal> {
        use crate::channel::ChannelState;
        let key = self.find_in_application(id)?;
        match self.channels[key].state {
            ChannelState::Down | ChannelState::Reserved | ChannelState::Ringing => {
                Err(Refusal::InvalidState)
            }
            _ => Ok(key),
        }
    }

    fn target_of(&self, holder: Holder) -> MediaTarget {
        match holder {
            Holder::Channel(key) => MediaTarget::Channel(self.channels[key].id.clone()),
            Holder::Bridge(key) => MediaTarget::Bridge(self.bridges[key].id.clone()),
        }
    }

    fn operations(&mut self, holder: Holder) -> Option<&mut Operations> {
        match holder {
            Holder::Channel(key) => self.channels.get_mut(key).map(|c| &mut c.operations),
            Holder::Bridge(key) => self.bridges.get_mut(key).map(|b| &mut b.operations),
        }
    }

    fn ear(&self, holder: Holder) -> Option<Ear> {
        match holder {
            Holder::Channel(key) => self.channels.get(key)?.line.map(Ear::Line),
            Holder::Bridge(key) => Some(Ear::Mix(self.bridges.get(key)?.mix)),
        }
    }

    /// Begins what may begin now.
    fn begin_operations(&mut self, holder: Holder) {
        let Some(ear) = self.ear(holder) else { return };
        while let Some(operation) = self.operations(holder).and_then(Operations::begin) {
            match operation {
                &mut Operation::Play(number) => self.begin_playback(number, ear),
                Operation::Record(record, how) => {
                    let (record, how) = (*record, RecordHow::clone(how));
                    self.order(MediaOrder::Record(record, ear, how));
                    let recording = self.recordings.get_mut(&record);
                    let early = recording.map(|recording| std::mem::take(&mut recording.early));
                    for control in early.unwrap_or_default() {
                        self.order(MediaOrder::ControlRecord(record, control));
                    }
                }
                Operation::Send(number, sending) => {
                    let (number, before) = (*number, sending.before);
                    if let Holder::Channel(key) = holder {
                        self.timers.set(self.now + before, Timer::Digits(key, number));
                    }
                }
            }
        }
    }

    fn tell_holder<M: std::any::Any + Send + Sync + Clone>(&self, holder: Holder, message: &M) {
        match holder {
            Holder::Channel(key) => self.tell_channel(key, message),
            Holder::Bridge(key) => self.tell_bridge(key, message),
        }
    }

    /// A channel goes elsewhere, or is gone: nothing is played to it, recorded of it or sent to it any
    /// more.
    pub(super) fn stop_operations(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let operations: Vec<_> = channel.operations.take().collect();
        let listeners = if operations.is_empty() { BTreeSet::new() } else { self.listeners(key) };
        self.stop_all(operations, listeners);
    }

    pub(super) fn stop_bridge_operations(&mut self, key: BridgeKey) {
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        let operations: Vec<_> = bridge.operations.take().collect();
        self.stop_all(operations, self.bridge_listeners(key));
    }

    fn stop_all(&mut self, operations: Vec<Operation>, listeners: BTreeSet<AppKey>) {
        for operation in operations {
            match operation {
                Operation::Play(number) => self.finish_playback(number, PlaybackState::Failed),
                Operation::Record(record, _) => {
                    let has_begun = self.recordings.get(&record).is_some_and(|recording| {
                        recording.snapshot.state != RecordingState::Queued
                    });
                    if let Some(recording) = self.recordings.get_mut(&record) {
                        recording.listeners = listeners.clone();
                    }
                    if has_begun {
                        self.order(MediaOrder::ControlRecord(record, RecordControl::Stop));
                    } else {
                        // In its beep, maybe: then there is a file, which is not to stay.
                        self.order(MediaOrder::ControlRecord(record, RecordControl::Discard));
                        self.recorded(record, Told::canceled());
                    }
                }
                Operation::Send(..) => {}
            }
        }
    }
}
