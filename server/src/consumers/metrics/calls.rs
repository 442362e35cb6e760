//! Messages and calls, counted as they are told.
//!
//! A call begins with a channel that was called by no other: one that is the first of all that belong with
//! it. It is as long as that channel; one that was joined to an older call ends with that one.

use std::collections::HashMap;

use ::metrics::{Counter, Histogram};
use stasis_bus::Message;
use stasis_control::channel::{ChannelSnapshot, ChannelState, ChannelUpdate};

use super::Meter;
use crate::consumers::kind::kind_of;

pub(super) struct Calls {
    meter: Meter,
    messages: HashMap<&'static str, Counter>,
    lost: Counter,
    channels: Counter,
    calls: Counter,
    answered: Counter,
    seconds: Histogram,
}

impl Calls {
    pub(super) fn new(meter: &Meter) -> Self {
        Calls {
            meter: meter.clone(),
            messages: HashMap::new(),
            lost: meter.counter("stasis_messages_lost_total", &[]),
            channels: meter.counter("stasis_channels_total", &[]),
            calls: meter.counter("stasis_calls_total", &[]),
            answered: meter.counter("stasis_calls_answered_total", &[]),
            seconds: meter.histogram("stasis_call_seconds"),
        }
    }

    pub(super) fn count(&mut self, message: &Message) {
        let Some(kind) = kind_of(message) else { return };
        let meter = &self.meter;
        let counter = self.messages.entry(kind);
        counter.or_insert_with(|| of_kind(meter, kind)).increment(1);
        if let Some(update) = message.downcast_ref::<ChannelUpdate>() {
            self.channel(update);
        }
    }

    /// So many messages are missing.
    pub(super) fn lost(&self, messages: u64) {
        self.lost.increment(messages);
    }

    fn channel(&self, update: &ChannelUpdate) {
        let was = update.old.as_ref().map(|old| old.state);
        let is_first = is_first(&update.new);
        if was.is_none() {
            self.channels.increment(1);
            self.calls.increment(u64::from(is_first));
        }
        let is_answered = update.new.state == ChannelState::Up && was != Some(ChannelState::Up);
        self.answered.increment(u64::from(is_first && is_answered));
        if update.is_gone && is_first {
            self.seconds.record(update.at.since(update.new.base.created).as_secs_f64());
        }
    }
}

fn of_kind(meter: &Meter, kind: &'static str) -> Counter {
    meter.counter("stasis_messages_total", &[("type", kind)])
}

/// Whether a channel is the first of its call.
fn is_first(channel: &ChannelSnapshot) -> bool {
    channel.id() == channel.linked_id()
}
