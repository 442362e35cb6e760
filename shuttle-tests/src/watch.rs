//! What a subscription is given, and whether it should have been.

use std::collections::HashMap;
use std::sync::Arc;

use stasis_bus::{Delivery, Message, SubscriptionChange, SubscriptionId, SubscriptionStats};

/// Published by ordinary publishers; keeps a count of those that live.
pub struct Word {
    /// By whom.
    pub publisher: u32,
    /// How many it had published to the same topic before.
    pub number: u64,
    /// Counts the words that live.
    pub _alive: Arc<()>,
}

/// Published by real-time publishers.
#[derive(Clone, Copy)]
pub struct Tick {
    /// By whom.
    pub publisher: u32,
    /// How many it had published to the same topic before.
    pub number: u64,
}

/// Who published what, and as which one.
pub fn origin_of(message: &Message) -> Option<(u32, u64)> {
    let word = message.downcast_ref::<Word>().map(|word| (word.publisher, word.number));
    word.or_else(|| message.downcast_ref::<Tick>().map(|tick| (tick.publisher, tick.number)))
}

/// The books of one subscription.
#[derive(Default)]
pub struct Watch {
    me: Option<SubscriptionId>,
    ended: bool,
    received: u64,
    told: u64,
    /// The last one of each publisher and topic.
    last: HashMap<(u32, String), u64>,
    fault: Option<String>,
}

impl Watch {
    /// Takes a delivery down.
    pub fn see(&mut self, delivery: &Delivery) {
        if self.ended {
            self.fault(format!("after the end: {delivery:?}"));
        }
        let message = match delivery {
            Delivery::Lagged(missed) => return self.told += missed,
            Delivery::Message(message) => message,
        };
        self.received += 1;
        match (message.downcast_ref::<SubscriptionChange>(), self.me) {
            (Some(SubscriptionChange::Subscribe(id)), None) => self.me = Some(*id),
            (Some(SubscriptionChange::Unsubscribe(id)), Some(me)) if *id == me => self.ended = true,
            (_, None) => self.fault(format!("before its Subscribe: {message:?}")),
            _ => {}
        }
        if let Some((publisher, number)) = origin_of(message) {
            let stream = (publisher, message.topic().name().to_string());
            let last = self.last.insert(stream, number);
            if let Some(last) = last.filter(|last| *last >= number) {
                self.fault(format!("{number} of {publisher} after its {last}"));
            }
        }
    }

    /// Notes what is wrong.
    pub fn fault(&mut self, what: String) {
        self.fault.get_or_insert(what);
    }

    /// Whether it has seen its end.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// After the end: its books and those of the bus.
    pub fn check(&self, id: SubscriptionId, stats: &SubscriptionStats, what: &str) {
        assert_eq!(self.fault, None, "{what}");
        assert_eq!(self.me, Some(id), "{what}: its first message");
        assert!(self.ended, "{what}: its final message");
        assert_eq!(stats.pending(), 0, "{what}: {stats:?}");
        assert_eq!(stats.delivered, self.received, "{what}: {stats:?}");
        assert_eq!(stats.dropped.total(), self.told, "{what}: {stats:?}");
    }
}
