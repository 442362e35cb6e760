//! What the fan-out benches have in common: the bus and its peers behind one trait, and the clock
//! that runs while they publish and stands while they are drained.
//!
//! Everybody gets one message of 64 bytes to each subscriber's ring of 1,024, from one thread that
//! drains them all itself: what is measured is the publisher's own work, without a second core that
//! takes its cache lines away, and without anybody who sleeps and must be woken.

mod ours;
mod peers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use criterion::measurement::WallTime;
use crossbeam_queue::ArrayQueue;

use ours::{Ordinary, RealTime};
use peers::{Broadcast, Channel, Locked, QueueEach};

/// Messages that a subscriber's ring holds.
pub const CAPACITY: usize = 1_024;
/// Publishes between two drains.
const BATCH: u64 = 512;

/// The message: 64 bytes.
#[derive(Clone, Copy)]
pub struct Event([u64; 8]);

const EVENT: Event = Event([7; 8]);

/// Where a message has its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Allocated at each publish: `Topic::publish`, and `Arc::new` for the peers.
    Heap,
    /// There already: `RtPublisher::publish`, and an `Arc` made beforehand for the peers.
    Ready,
}

/// Who publishes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Contender {
    Stasis,
    ArrayQueue,
    CrossbeamChannel,
    TokioBroadcast,
    MutexAndCondvar,
}

impl Contender {
    pub const ALL: [Contender; 5] = [
        Contender::Stasis,
        Contender::ArrayQueue,
        Contender::CrossbeamChannel,
        Contender::TokioBroadcast,
        Contender::MutexAndCondvar,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Contender::Stasis => "stasis",
            Contender::ArrayQueue => "ArrayQueue",
            Contender::CrossbeamChannel => "crossbeam-channel",
            Contender::TokioBroadcast => "tokio broadcast",
            Contender::MutexAndCondvar => "Mutex and Condvar",
        }
    }

    /// With so many subscribers.
    pub fn make(self, subscribers: usize, room: Room) -> Box<dyn FanOut> {
        match self {
            Contender::Stasis if room == Room::Heap => Box::new(Ordinary::new(subscribers)),
            Contender::Stasis => Box::new(RealTime::new(subscribers)),
            Contender::ArrayQueue => {
                Box::new(QueueEach::<ArrayQueue<Arc<Event>>>::new(subscribers, room))
            }
            Contender::CrossbeamChannel => Box::new(QueueEach::<Channel>::new(subscribers, room)),
            Contender::TokioBroadcast => Box::new(Broadcast::new(subscribers, room)),
            Contender::MutexAndCondvar => Box::new(QueueEach::<Locked>::new(subscribers, room)),
        }
    }
}

/// One publisher and its subscribers.
pub trait FanOut {
    /// Publishes one message to all.
    fn publish(&mut self);

    /// Publishes so many.
    fn publish_times(&mut self, count: u64) {
        (0..count).for_each(|_| self.publish());
    }

    /// Takes out everything that the first `readers` subscribers have.
    fn drain(&mut self, readers: usize);
}

/// How long `count` publishes take; after each batch the first `readers` subscribers catch up,
/// which is not counted.
#[allow(clippy::disallowed_methods)] // a bench reads the clock
pub fn time_publishes(fan_out: &mut dyn FanOut, count: u64, readers: usize) -> Duration {
    let (mut elapsed, mut left) = (Duration::ZERO, count);
    while left > 0 {
        let batch = left.min(BATCH);
        let start = Instant::now();
        fan_out.publish_times(batch);
        elapsed += start.elapsed();
        fan_out.drain(readers);
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
