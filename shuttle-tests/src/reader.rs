//! Subscribers of every kind, publishers, and what they draw.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicBool, Ordering::SeqCst};
use shuttle::thread::{self, JoinHandle};
use stasis_bus::{
    Bus, Delivery, Overflow, PullSubscription, Settings, Subscribe, Subscription,
    SubscriptionStats, Topic, TryRecvError,
};

use crate::watch::{Tick, Watch, Word, origin_of};

/// A number below `end`.
pub fn draw(end: u32) -> u32 {
    thread_rng().gen_range(0..end)
}

/// Yes, once in `times`.
pub fn once_in(times: u32) -> bool {
    draw(times) == 0
}

/// A bus with few workers, which may become more and fewer.
pub fn any_bus() -> Bus {
    bus_with(draw(3) as usize)
}

/// A bus whose pool can grow by so many workers.
pub fn bus_with(spare: usize) -> Bus {
    let workers = 1 + draw(2) as usize;
    let max_workers = workers + spare;
    let idle_timeout = Duration::from_millis(u64::from(draw(50)));
    Bus::new(Settings { workers, max_workers, idle_timeout, ..Settings::default() }).unwrap()
}

/// Any policy.
pub fn any_policy() -> Overflow {
    let by_publisher =
        || Overflow::conflate(|message| origin_of(message).map(|(publisher, _)| publisher));
    match draw(6) {
        0 => Overflow::DropNewest,
        1 => Overflow::DropOldest,
        2 => Overflow::Spill { limit: draw(3) as usize },
        3 => Overflow::Spill { limit: usize::MAX },
        4 => by_publisher(),
        _ => Overflow::Block,
    }
}

/// A subscription to words and ticks, with a small ring and any policy.
pub fn any_subscribe(topic: &Topic) -> Subscribe<'_> {
    let subscribe = topic.subscribe().accept::<Word>().accept::<Tick>();
    subscribe.capacity(2 << draw(2)).overflow(any_policy())
}

/// The books of a callback. Its lock is never waited for: callbacks do not overlap.
pub type Watched = Arc<Mutex<Watch>>;

/// Takes down what a callback is given; others may go on meanwhile.
pub fn see(watched: &Watched, delivery: &Delivery) {
    let mut watch = watched.try_lock().expect("callbacks of one subscription overlap");
    thread::yield_now();
    watch.see(delivery);
}

/// A subscriber that stays until it is told to end.
pub enum Reader {
    /// A callback, by the pool or on a thread of its own.
    Called(Arc<Subscription>, Watched),
    /// A thread that takes what comes.
    Pulling(Arc<AtomicBool>, JoinHandle<(PullSubscription, Watch)>),
}

impl Reader {
    /// Any kind of subscriber.
    pub fn any(topic: &Topic) -> Self {
        let subscribe = any_subscribe(topic);
        match draw(3) {
            0 => Reader::pulling(subscribe.pull().unwrap()),
            kind => {
                let watched = Watched::default();
                let books = watched.clone();
                let handler = move |delivery: Delivery| see(&books, &delivery);
                let subscription = match kind {
                    1 => subscribe.callback(handler).unwrap(),
                    _ => subscribe.on_thread("reader", handler).unwrap(),
                };
                Reader::Called(Arc::new(subscription), watched)
            }
        }
    }

    fn pulling(mut subscription: PullSubscription) -> Self {
        let told_to_end = Arc::new(AtomicBool::new(false));
        let ends = told_to_end.clone();
        let waits = once_in(2);
        let thread = thread::spawn(move || {
            let mut watch = Watch::default();
            loop {
                // In `recv` it would not hear that it is to end: it waits so when it has heard it.
                let got = match (waits, ends.load(SeqCst)) {
                    (_, true) => {
                        subscription.unsubscribe();
                        subscription.recv().ok_or(TryRecvError::Ended)
                    }
                    (true, false) => subscription.recv_timeout(Duration::from_millis(1)),
                    (false, false) => subscription.try_recv(),
                };
                match got {
                    Ok(delivery) => watch.see(&delivery),
                    Err(TryRecvError::Empty) => thread::yield_now(),
                    Err(TryRecvError::Ended) => return (subscription, watch),
                }
            }
        });
        Reader::Pulling(told_to_end, thread)
    }

    /// The subscription, if it has a callback.
    pub fn subscription(&self) -> Option<Arc<Subscription>> {
        match self {
            Reader::Called(subscription, _) => Some(subscription.clone()),
            Reader::Pulling(..) => None,
        }
    }

    /// Ends it, and checks its books.
    pub fn end(self) -> SubscriptionStats {
        match self {
            Reader::Called(subscription, watched) => {
                subscription.join().unwrap();
                let (id, stats) = (subscription.id(), subscription.stats());
                watched.lock().unwrap().check(id, &stats, "a callback");
                stats
            }
            Reader::Pulling(told_to_end, thread) => {
                told_to_end.store(true, SeqCst);
                let (subscription, watch) = thread.join().unwrap();
                let stats = subscription.stats();
                watch.check(subscription.id(), &stats, "a thread");
                stats
            }
        }
    }
}

/// A publisher's thread: says how many it has published to `topic`.
pub fn publish_words(
    publisher: u32,
    topic: Topic,
    alive: Arc<()>,
    awaited: Option<Arc<Subscription>>,
) -> u64 {
    let words = 2 + u64::from(draw(6));
    for number in 0..words {
        let word = Word { publisher, number, _alive: alive.clone() };
        match &awaited {
            Some(subscription) if once_in(3) => topic.publish_sync(word, subscription).unwrap(),
            _ => topic.publish(word),
        };
    }
    words
}

/// A real-time publisher's thread: says how many it has published to `topic`.
pub fn publish_ticks(publisher: u32, bus: &Bus, topic: &Topic) -> u64 {
    let mut rt = bus.rt_publisher(1 + draw(6));
    let ticks = 2 + u64::from(draw(6));
    for number in 0..ticks {
        rt.publish(topic, bus.now(), Tick { publisher, number });
        if once_in(2) {
            rt.ring_bell();
        }
    }
    ticks
}
