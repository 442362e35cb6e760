//! The mailbox: what publishers and the consumer of one subscription share.

use std::fmt;

use crossbeam_utils::CachePadded;

use crate::gate::Gate;
use crate::marks::Mark;
use crate::pull::Waiter;
use crate::ring::{Message, Producer, Refused};
use crate::sync::{AtomicU64, Relaxed};

/// Names a subscription; unique within its bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub(crate) u64);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Who consumes a mailbox, and so how it is woken.
pub(crate) enum Reader {
    /// A callback, run by the bus's pool.
    Pool,
    /// A thread of the subscriber's own, which may be waiting in `recv`.
    Pull(Waiter),
}

/// What the bus gives a new subscription: a name, and a place with its mark.
pub(crate) struct Place {
    pub(crate) id: SubscriptionId,
    pub(crate) place: usize,
    pub(crate) mark: Mark,
}

pub(crate) struct Mailbox {
    pub(crate) id: SubscriptionId,
    /// Which member of the bus this is, as its mark counts them.
    pub(crate) place: usize,
    pub(crate) producer: Producer<Message>,
    pub(crate) gate: CachePadded<Gate>,
    pub(crate) mark: Mark,
    pub(crate) reader: Reader,
    contended: AtomicU64,
    exhausted: AtomicU64,
    /// 1 once the final message, which needs no place in the ring, was delivered.
    finals: AtomicU64,
}

impl Mailbox {
    pub(crate) fn new(
        Place { id, place, mark }: Place,
        producer: Producer<Message>,
        reader: Reader,
    ) -> Self {
        // A pulled subscription counts as busy until it waits; a callback's sleeps until the
        // first message.
        let gate = match reader {
            Reader::Pool => Gate::asleep(),
            Reader::Pull(_) => Gate::busy(),
        };
        Mailbox {
            id,
            place,
            producer,
            gate: CachePadded::new(gate),
            mark,
            reader,
            contended: AtomicU64::new(0),
            exhausted: AtomicU64::new(0),
            finals: AtomicU64::new(0),
        }
    }

    /// Offers one share of a message, with so many tries; a refused one comes back and is counted.
    #[inline]
    pub(crate) fn offer(&self, message: Message, tries: u32) -> Result<(), Message> {
        self.producer.offer(message, tries).map_err(|refused| {
            match &refused {
                Refused::Full(_) => self.producer.lose(),
                Refused::Contended(_) => {
                    self.contended.fetch_add(1, Relaxed);
                    self.producer.lose();
                }
                // It has unsubscribed meanwhile: not a loss.
                Refused::Closed(_) => {}
            }
            refused.into_inner()
        })
    }

    /// Counts a message that was never built because the publisher's pool was empty.
    pub(crate) fn lose_to_empty_pool(&self) {
        self.exhausted.fetch_add(1, Relaxed);
        self.producer.lose();
    }

    /// Counts the final message, which the consumer makes itself.
    pub(crate) fn count_final(&self) {
        self.finals.store(1, Relaxed);
    }

    pub(crate) fn stats(&self) -> SubscriptionStats {
        let (contended, exhausted) = (self.contended.load(Relaxed), self.exhausted.load(Relaxed));
        let (delivered, finals) = (self.producer.popped(), self.finals.load(Relaxed));
        SubscriptionStats {
            delivered: delivered + finals,
            enqueued: self.producer.pushed().max(delivered) + finals,
            dropped: Dropped {
                full: self.producer.lost().saturating_sub(contended + exhausted),
                contended,
                exhausted,
            },
        }
    }
}

/// What one subscription got and lost, from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionStats {
    /// Messages accepted for it, its own first and last included.
    pub enqueued: u64,
    /// Messages that it was given.
    pub delivered: u64,
    /// Messages lost, by cause.
    pub dropped: Dropped,
}

impl SubscriptionStats {
    /// Messages that wait in the ring.
    pub fn pending(&self) -> u64 {
        self.enqueued - self.delivered
    }
}

/// Lost messages by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The subscription's ring was full.
    pub full: u64,
    /// A real-time publisher lost every race that its deadline allows for.
    pub contended: u64,
    /// A real-time publisher's pool was empty: make the pool larger, or find who keeps messages.
    pub exhausted: u64,
}

impl Dropped {
    /// All causes together.
    pub fn total(&self) -> u64 {
        self.full + self.contended + self.exhausted
    }
}
