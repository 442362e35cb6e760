//! The real-time publisher: publishes from a thread that may not wait.
//!
//! Its [`publish`](RtPublisher::publish) makes no allocation, no free, no lock and no system call,
//! and its work is bounded by the number of subscriptions: messages come from a pool made
//! beforehand, each ring gets [`TRIES`] tries, readers that sleep are only marked, and nothing that
//! it lets go of is the last reference to anything.

use std::any::Any;
use std::fmt;

use crate::bus::Core;
use crate::current::Reading;
use crate::means::Means;
use crate::ring::{CellPool, Message, Producer, Reader, ring};
use crate::stamp::Stamp;
use crate::sync::Arc;
use crate::topic::Topic;

/// Races for one ring that a real-time publish may lose before it drops the message there.
pub const TRIES: u32 = 8;

/// Messages that a real-time publisher may have taken out of rings before a worker drops them.
const MORGUE: usize = 1_024;

/// Publishes from a thread that may not wait; made by
/// [`Bus::rt_publisher`](crate::Bus::rt_publisher). It can be sent to that thread, into the callback
/// of a sound device, say; drop it somewhere else.
///
/// Messages are `Copy` and at most [`CELL_PAYLOAD`](crate::CELL_PAYLOAD) bytes (a larger one does
/// not compile): nothing of them has to be freed, wherever they end.
///
/// ```
/// use stasis_bus::{Bus, Settings};
///
/// #[derive(Clone, Copy)]
/// struct Peak(i16);
///
/// let bus = Bus::new(Settings::default())?;
/// let levels = bus.topic("levels");
/// let mut events = levels.subscribe().accept::<Peak>().pull()?;
/// let mut publisher = bus.rt_publisher(256);
/// let (topic, clock) = (levels.clone(), bus.clock());
/// let audio = std::thread::spawn(move || {
///     for block in [[3, -7, 2], [100, -120, 90]] {
///         let peak = block.iter().fold(0i16, |peak, sample: &i16| peak.max(sample.abs()));
///         publisher.publish(&topic, clock.now(), Peak(peak)); // never waits
///     }
/// });
/// audio.join().unwrap();
/// events.unsubscribe();
/// let peaks: Vec<i16> =
///     events.iter().filter_map(|event| event.downcast_ref().map(|Peak(peak)| *peak)).collect();
/// assert_eq!(peaks, [7, 120]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RtPublisher {
    core: Arc<Core>,
    pool: CellPool,
    /// Messages that it took out of a ring to make room, for a worker to drop.
    morgue: Producer<Message>,
    /// Reads what the control side replaces.
    reader: Reader,
    /// Somebody was marked since the last bell.
    rings: bool,
}

impl RtPublisher {
    pub(crate) fn new(core: Arc<Core>, cells: u32) -> Self {
        let (morgue, dead) = ring(MORGUE);
        let reader = core.rt_publisher_came(dead);
        RtPublisher { pool: CellPool::new(cells), core, morgue, reader, rings: false }
    }

    /// Publishes `payload` with the time `now` to every subscription of `topic` that accepts its
    /// type; says how many took it.
    ///
    /// A subscription whose ring is full, or was fought for [`TRIES`] times in vain, loses the
    /// message; if the pool has no cell, all of them do. Each loss is counted by cause and told to
    /// the subscriber in place. In order with every other publisher of the topic.
    ///
    /// A topic of another bus is not published to: 0.
    #[inline]
    pub fn publish<T>(&mut self, topic: &Topic, now: Stamp, payload: T) -> usize
    where
        T: Any + Copy + Send + Sync,
    {
        if !Arc::ptr_eq(topic.core(), &self.core) {
            return 0; // its control side would not know that we read
        }
        let RtPublisher { pool, morgue, reader, .. } = self;
        let build = |count| pool.fill(|| topic.meta(now), payload, count);
        let reading = Reading::Passing(&reader.enter());
        let means = Means::RealTime(morgue);
        let (taken, marked) = topic.publish_marking::<T>(build, &reading, means);
        self.rings |= marked;
        taken
    }

    /// Whether a reader was marked since the last [`ring_bell`](Self::ring_bell).
    pub fn wants_bell(&self) -> bool {
        self.rings
    }

    /// Wakes a worker if a reader was marked: at most one write to an eventfd (elsewhere than on
    /// Linux, one unpark). For the shell around the real-time work, once a tick; without it the
    /// workers look by themselves every few milliseconds.
    pub fn ring_bell(&mut self) {
        if std::mem::take(&mut self.rings) {
            self.core.wake_worker();
        }
    }
}

impl Drop for RtPublisher {
    fn drop(&mut self) {
        self.morgue.close();
        self.core.rt_publisher_left();
    }
}

impl fmt::Debug for RtPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RtPublisher").field("rings", &self.rings).finish_non_exhaustive()
    }
}
