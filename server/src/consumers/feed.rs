//! What a consumer is fed: one topic to which several are forwarded, and a thread that takes what comes.
//!
//! Several topics on one keep the order in which things were published, whatever they are about. What
//! applications are told is not among them: it is a copy of what is told there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stasis_bus::{
    Bus, BusEnded, Clock, Delivery, Filter, Forward, ForwardError, Overflow, PullSubscription,
    Stamp, Topic, TryRecvError,
};

/// Messages that its ring holds.
const CAPACITY: usize = 1 << 12;
/// Messages that wait behind that when a consumer is slow, some 100 bytes each beside what they tell of.
const MOST_WAITING: usize = 1 << 18;
/// How long a consumer sleeps that has nothing to do.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);

/// Messages that are taken before it is looked whether something is due.
const MOST_AT_ONCE: usize = 1_024;
/// So many at once are much.
const MUCH: usize = 8;
/// How long a consumer lets messages come together.
const PAUSE: Duration = Duration::from_millis(5);

/// A consumer could not be started.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The bus is gone: start consumers before it ends.
    #[error(transparent)]
    Ended(#[from] BusEnded),
    /// Topics cannot be put together, since somebody forwards a consumer's topic elsewhere.
    #[error(transparent)]
    Forward(#[from] ForwardError),
    /// The operating system has no thread for it: raise the process's limits.
    #[error("no thread for `{name}`: {source}; raise the process's limits")]
    Thread {
        /// Its name.
        name: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

/// What a consumer does, on its thread.
pub(super) trait Work: Send + 'static {
    /// The name of the consumer, and of its thread.
    const NAME: &'static str;

    /// Takes a message, or that some were lost.
    fn take(&mut self, delivery: Delivery);

    /// When it has something to do though nothing comes; none: never.
    fn due(&self) -> Option<Stamp> {
        None
    }

    /// That time has come.
    fn work(&mut self, _now: Stamp) {}

    /// All that was published before the end has been taken.
    fn finish(self);
}

/// One topic that has what is published to several.
pub(super) struct Feed {
    topic: Topic,
    clock: Clock,
    // Dropped with the consumer: nothing is forwarded to who is not there.
    _forwards: Vec<Forward>,
}

impl Feed {
    /// A topic for the consumer of this name. Each has its own number, so that two of a kind are not fed
    /// everything twice.
    pub(super) fn new(bus: &Bus, name: &str, topics: &[&str]) -> Result<Self, FeedError> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let topic = bus.topic(&format!("consumer:{name}#{number}"));
        let forwards = topics.iter().map(|from| bus.topic(from).forward_to(&topic));
        let forwards = forwards.collect::<Result<_, _>>()?;
        Ok(Feed { topic, clock: bus.clock(), _forwards: forwards })
    }

    pub(super) fn topic(&self) -> &Topic {
        &self.topic
    }
}

/// Wakes a consumer that is to end.
struct Wake;

/// A consumer on its thread. Dropping it lets it take what was published until then, and waits for its end.
pub(super) struct Consumer {
    topic: Topic,
    is_stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Consumer {
    /// Starts the thread.
    pub(super) fn start<W: Work>(feed: Feed, filter: Filter, work: W) -> Result<Self, FeedError> {
        let overflow = Overflow::Spill { limit: MOST_WAITING };
        let topic = feed.topic.clone();
        let events =
            topic.subscribe().filter(filter.and::<Wake>()).capacity(CAPACITY).overflow(overflow);
        let (events, is_stopping) = (events.pull()?, Arc::<AtomicBool>::default());
        let runner = Runner { work, events, clock: feed.clock, is_stopping: is_stopping.clone() };
        let thread = thread::Builder::new().name(W::NAME.into()).spawn(move || {
            runner.run();
            drop(feed);
        });
        let thread = thread.map_err(|source| FeedError::Thread { name: W::NAME, source })?;
        Ok(Consumer { topic, is_stopping, thread: Some(thread) })
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.is_stopping.store(true, Ordering::Release); // pairs with `Runner::run`
        self.topic.publish(Wake); // where there is no room for it, it is awake
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(consumer = self.topic.name(), "a consumer has failed before its end");
        }
    }
}

struct Runner<W> {
    work: W,
    events: PullSubscription,
    clock: Clock,
    is_stopping: Arc<AtomicBool>,
}

impl<W: Work> Runner<W> {
    /// Takes what is there. When that was much, it lets more come together: to be woken for each message
    /// costs those who publish more than the message.
    fn take(&mut self, first: Delivery) {
        self.work.take(first);
        for taken in 1..MOST_AT_ONCE {
            match self.events.try_recv() {
                Ok(delivery) => self.work.take(delivery),
                Err(_) if taken >= MUCH => return thread::sleep(PAUSE),
                Err(_) => return,
            }
        }
    }

    fn run(mut self) {
        while !self.is_stopping.load(Ordering::Acquire) {
            let due = self.work.due();
            let sleep = due.map_or(LONGEST_SLEEP, |due| due.since(self.clock.now()));
            match self.events.recv_timeout(sleep.min(LONGEST_SLEEP)) {
                Ok(delivery) => self.take(delivery),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Ended) => break,
            }
            let now = self.clock.now();
            if self.work.due().is_some_and(|due| due <= now) {
                self.work.work(now);
            }
        }
        self.events.unsubscribe();
        while let Some(delivery) = self.events.recv() {
            self.work.take(delivery);
        }
        self.work.finish();
    }
}
