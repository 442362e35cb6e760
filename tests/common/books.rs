//! What every subscription must get, whatever else it gets: its own first and final message, and
//! the truth about its losses.

use stasis_bus::{Delivery, Message, SubscriptionChange, SubscriptionId, SubscriptionStats};

/// What one subscription was given, in numbers.
#[derive(Default)]
pub struct Books {
    me: Option<SubscriptionId>,
    ended: bool,
    received: u64,
    told: u64,
    fault: Option<String>,
}

impl Books {
    /// Takes a delivery down; gives its message.
    pub fn see<'a>(&mut self, delivery: &'a Delivery) -> Option<&'a Message> {
        if self.ended {
            self.fault(format!("after the end: {delivery:?}"));
        }
        let message = match delivery {
            Delivery::Lagged(missed) => {
                self.told += missed;
                return None;
            }
            Delivery::Message(message) => message,
        };
        self.received += 1;
        match (message.downcast_ref::<SubscriptionChange>(), self.me) {
            (Some(SubscriptionChange::Subscribe(id)), None) => self.me = Some(*id),
            (Some(SubscriptionChange::Unsubscribe(id)), Some(me)) if *id == me => self.ended = true,
            (_, None) => self.fault(format!("before its Subscribe: {message:?}")),
            _ => {}
        }
        Some(message)
    }

    /// Notes what is wrong.
    pub fn fault(&mut self, what: String) {
        self.fault.get_or_insert(what);
    }

    #[allow(dead_code)] // not everybody asks
    /// Messages that it was given so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    #[allow(dead_code)] // not everybody asks
    /// What is wrong so far.
    pub fn wrong(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    #[allow(dead_code)] // not everybody asks
    /// Whether it has seen its end.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether the bus's books say the same: they do once publishers that were still at it have
    /// counted what they took out to make room, or have taken back a loss that came too late.
    pub fn agree(&self, stats: &SubscriptionStats) -> bool {
        stats.delivered == self.received && stats.dropped.total() == self.told
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
