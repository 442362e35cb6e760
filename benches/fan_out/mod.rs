//! What the fan-out benches have in common: the bus and its peers behind one pair of traits, and
//! the clock that runs while they publish and stands while they are drained.
//!
//! Everybody publishes the same message: 64 bytes and a time, in a place that was made beforehand
//! and is taken from a pool and filled for each publish (but for `Topic::publish`, which allocates),
//! to each subscriber's ring of 1,024. A message that is lost fails the bench.

mod ours;
mod peers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use criterion::measurement::WallTime;
use crossbeam_queue::ArrayQueue;

use peers::{Broadcast, Channel, Message, QueueEach};

/// Messages that a subscriber's ring holds.
pub const CAPACITY: usize = 1_024;
/// Publishes between two drains.
const BATCH: u64 = 512;

/// The message: 64 bytes.
#[derive(Clone, Copy)]
pub struct Event([u64; 8]);

impl Event {
    #[inline]
    fn numbered(number: u64) -> Self {
        Event([number; 8])
    }

    #[inline]
    fn number(&self) -> u64 {
        self.0[0]
    }
}

/// Who publishes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    Stasis,
    StasisRt,
    CrossbeamChannel,
    ArrayQueue,
    TokioBroadcast,
}

impl Contender {
    pub const ALL: [Contender; 5] = [
        Contender::Stasis,
        Contender::StasisRt,
        Contender::CrossbeamChannel,
        Contender::ArrayQueue,
        Contender::TokioBroadcast,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Contender::Stasis => "stasis",
            Contender::StasisRt => "stasis-rt",
            Contender::CrossbeamChannel => "crossbeam-channel",
            Contender::ArrayQueue => "array-queue",
            Contender::TokioBroadcast => "tokio-broadcast",
        }
    }

    /// With so many subscribers; the policies are the bus's.
    pub fn make(self, subscribers: usize, policies: Policies) -> FanOut {
        match self {
            Contender::Stasis => ours::ordinary(subscribers, policies),
            Contender::StasisRt => ours::real_time(subscribers, policies),
            Contender::CrossbeamChannel => QueueEach::<Channel>::fan_out(subscribers),
            Contender::ArrayQueue => QueueEach::<Arc<ArrayQueue<Message>>>::fan_out(subscribers),
            Contender::TokioBroadcast => Broadcast::fan_out(subscribers),
        }
    }
}

/// What a subscription of the bus does when its ring is full.
#[derive(Clone, Copy, PartialEq, Eq)]
#[allow(dead_code)] // each bench has one of them
pub enum Policies {
    /// One after the other, the default one first.
    Mixed,
    /// All of them have their publishers wait.
    Lossless,
}

/// One publisher and its subscribers.
pub struct FanOut {
    pub publisher: Box<dyn Publish>,
    pub readers: Box<dyn Read + Send>,
}

/// A publisher.
pub trait Publish {
    /// Publishes one message to all; says how many took it.
    fn publish(&mut self) -> usize;

    /// Publishes so many; says how many deliveries that will be.
    fn publish_times(&mut self, count: u64) -> u64 {
        (0..count).map(|_| self.publish() as u64).sum()
    }
}

/// The subscribers.
pub trait Read {
    /// Takes out what the first `readers` subscribers have; says how many messages that were.
    fn drain(&mut self, readers: usize) -> u64;
}

/// How long `count` publishes take; after each batch the first `readers` subscribers catch up,
/// which is not counted. The others stall.
#[allow(clippy::disallowed_methods, dead_code)] // a bench reads the clock; one of them in its own way
pub fn time_publishes(fan_out: &mut FanOut, count: u64, readers: usize) -> Duration {
    let (mut elapsed, mut left) = (Duration::ZERO, count);
    while left > 0 {
        let batch = left.min(BATCH);
        let start = Instant::now();
        let taken = fan_out.publisher.publish_times(batch);
        elapsed += start.elapsed();
        let read = fan_out.readers.drain(readers);
        assert_eq!(read, batch * readers as u64, "lost");
        assert!(taken >= read, "delivered and not counted as taken");
        left -= batch;
    }
    elapsed
}

pub type Group<'a> = criterion::BenchmarkGroup<'a, WallTime>;

/// A group of short measurements: there are many.
pub fn group<'a>(criterion: &'a mut Criterion, name: &str) -> Group<'a> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(30);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    group
}
