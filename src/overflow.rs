//! What happens when a subscription's ring is full: each subscription decides for itself.

use std::fmt;
use std::hash::Hash;

use crate::ring::Message;
use crate::staging::{ByKey, Pending};

/// What happens to a message that finds a subscription's ring full.
///
/// Real-time publishers never wait: where an ordinary publisher would, theirs is dropped. Whatever
/// is dropped is counted by cause and told to the subscriber in place.
///
/// ```
/// use stasis_bus::{Bus, Overflow, Settings};
///
/// struct Position { vehicle: u32, km: f32 }
///
/// let bus = Bus::new(Settings::default())?;
/// let positions = bus.topic("positions");
/// // Of each vehicle only the latest is worth having.
/// let latest =
///     Overflow::conflate(|message| message.downcast_ref().map(|p: &Position| p.vehicle));
/// let mut map = positions.subscribe().accept::<Position>().overflow(latest).pull()?;
/// for km in 0..1_000 {
///     positions.publish(Position { vehicle: 7, km: km as f32 });
/// }
/// map.unsubscribe();
/// let kms: Vec<f32> =
///     map.iter().filter_map(|event| event.downcast_ref().map(|p: &Position| p.km)).collect();
/// assert_eq!(kms, [999.0]);
/// assert_eq!((map.stats().conflated, map.stats().dropped.total()), (999, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub enum Overflow {
    /// The message is dropped.
    #[default]
    DropNewest,
    /// The oldest message in the ring makes room for it.
    DropOldest,
    /// Messages with one key are one: the latest, in the place of the oldest that is pending. A
    /// storm of updates to one device costs one delivery, also while a callback is slow or stuck.
    Conflate(Conflation),
    /// It waits in a queue behind the ring, which holds up to so many messages; beyond that it is
    /// dropped. Ordinary publishers lose nothing until then.
    Spill {
        /// The most messages that wait.
        limit: usize,
    },
    /// An ordinary publisher waits until there is room or the subscription has ended; from inside
    /// a callback it does not wait, since that could be for ever: see
    /// [`Topic::try_publish`](crate::Topic::try_publish).
    Block,
}

impl Overflow {
    /// [`Overflow::Conflate`] by what `key` says of a message; those without a key are kept, each
    /// in its place.
    ///
    /// `key` runs on the subscriber's side or on an ordinary publisher's thread, never on a
    /// real-time one; if it panics, which is counted, the message has no key. Up to 65,536 messages
    /// are pending, beyond that new keys are dropped.
    ///
    /// It counts as a part of the subscription's callback, and publishers may be waiting for it: it
    /// should only look at the message. It may ask for statistics, and publish; what it publishes to
    /// a full ring that waits or spills is dropped, see
    /// [`Topic::try_publish`](crate::Topic::try_publish). It must not wait for another thread that
    /// publishes here, and not answer every message by another one to its own topic: its work would
    /// have no end.
    pub fn conflate<K, F>(key: F) -> Self
    where
        K: Hash + Eq + Clone + Send + 'static,
        F: Fn(&Message) -> Option<K> + Send + 'static,
    {
        Overflow::Conflate(Conflation(Box::new(ByKey::new(key, MOST_CONFLATED))))
    }

    /// Where messages are kept behind the ring, if they are.
    pub(crate) fn into_pending(self) -> (Full, Option<Box<dyn Pending>>) {
        match self {
            Overflow::DropNewest => (Full::Drop, None),
            Overflow::DropOldest => (Full::Evict, None),
            Overflow::Block => (Full::Wait, None),
            Overflow::Conflate(Conflation(pending)) => (Full::Stage, Some(pending)),
            Overflow::Spill { limit } => {
                let no_key = |_: &Message| None::<()>;
                (Full::Stage, Some(Box::new(ByKey::new(no_key, limit))))
            }
        }
    }
}

/// Pending messages of a conflating subscription.
const MOST_CONFLATED: usize = 65_536;

/// How messages are conflated; made by [`Overflow::conflate`].
pub struct Conflation(Box<dyn Pending>);

impl fmt::Debug for Conflation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conflation").finish_non_exhaustive()
    }
}

/// What a publisher does with a ring that is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Full {
    /// Drops its message.
    Drop,
    /// Drops the oldest, if it may.
    Evict,
    /// Waits, if it may.
    Wait,
    /// Moves what is in the ring behind it, if it may.
    Stage,
    /// Runs the reader itself, if it may.
    Run,
}
