//! What a subscription is given, and whether it should have been.

use std::collections::HashMap;
use std::sync::Arc;

use shuttle::thread;
use stasis_bus::{Delivery, Message, SubscriptionId, SubscriptionStats};

use crate::books::Books;

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

/// Watches what a subscription is given.
#[derive(Default)]
pub struct Watch {
    books: Books,
    /// The last one of each publisher and topic.
    last: HashMap<(u32, String), u64>,
}

impl Watch {
    /// Takes a delivery down.
    pub fn see(&mut self, delivery: &Delivery) {
        let Some(message) = self.books.see(delivery) else { return };
        if let Some((publisher, number)) = origin_of(message) {
            let stream = (publisher, message.topic().name().to_string());
            let last = self.last.insert(stream, number);
            if let Some(last) = last.filter(|last| *last >= number) {
                self.books.fault(format!("{number} of {publisher} after its {last}"));
            }
        }
    }

    /// Whether it has seen its end.
    pub fn has_ended(&self) -> bool {
        self.books.has_ended()
    }

    /// After the end: its books and those of the bus, which it gives.
    pub fn check(
        &self,
        id: SubscriptionId,
        stats: impl Fn() -> SubscriptionStats,
        what: &str,
    ) -> SubscriptionStats {
        let stats = self.settled(stats);
        self.books.check(id, &stats, what);
        stats
    }

    /// The bus's books, once they agree with these; as they are, should that never come to pass.
    fn settled(&self, stats: impl Fn() -> SubscriptionStats) -> SubscriptionStats {
        for _ in 0..1_000 {
            if self.books.agree(&stats()) {
                break;
            }
            thread::yield_now();
        }
        stats()
    }
}
