//! Everything at once: many threads publish, subscribe, forward and leave, under every policy.
//!
//! Rounds of a fixed number of operations, each round on a new bus, for `STASIS_STRESS_SECONDS`
//! (2 if not set) or longer by what the last round needs. What each thread does follows from the
//! round's seed alone, printed before it: `STASIS_STRESS_SEED` begins with that round again. (How
//! the threads interleave does not follow from it.)
//!
//! A round has two quarters. In the *steady* one, topics and forwards stay as they are and
//! subscriptions stay for the whole round, so what each must get is known to the message. In the
//! *wild* one everything comes and goes, also from inside callbacks, and callbacks panic.

mod common {
    pub mod alloc;
    pub mod books;
    mod ends;
    pub use ends::ends;
}

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use common::alloc::live_bytes;
use common::books::Books;
use common::ends;
use fastrand::Rng;
use stasis_bus::{
    Bus, Delivery, Forward, JoinError, Message, Overflow, PullSubscription, RtPublisher, Settings,
    Subscribe, Subscription, SubscriptionChange, SubscriptionStats, Topic,
};

const ACTORS: u32 = 4;
/// Operations of an actor in a round.
const OPERATIONS: u32 = 4_000;
const WILD: usize = 6;
/// Pulled subscriptions that an actor has at a time.
const HANDS: usize = 4;
/// Callbacks that an actor has at a time, those that end by themselves aside.
const CALLBACKS: usize = 8;
/// Forwards that an actor has at a time: few, since the paths between topics multiply.
const FORWARDS: usize = 1;
/// What panicking callbacks say.
const ON_PURPOSE: &str = "on purpose";

/// Where a message is from: publisher, its topic, and how many it had published there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Origin {
    publisher: u32,
    topic: u32,
    number: u64,
}

/// Published by ordinary publishers; counts its instances.
struct Word(Origin);

static WORDS: AtomicI64 = AtomicI64::new(0);

impl Word {
    fn new(origin: Origin) -> Self {
        WORDS.fetch_add(1, Relaxed);
        Word(origin)
    }
}

impl Drop for Word {
    fn drop(&mut self) {
        WORDS.fetch_sub(1, Relaxed);
    }
}

/// Published by real-time publishers.
#[derive(Clone, Copy)]
struct Tick(Origin);

/// Published by callbacks.
struct Echo;

/// Whether it is a tick, and where it is from.
fn origin_of(message: &Message) -> Option<(bool, Origin)> {
    let word = message.downcast_ref::<Word>().map(|word| (false, word.0));
    word.or_else(|| message.downcast_ref::<Tick>().map(|tick| (true, tick.0)))
}

/// What one of its publishers' streams was like at a subscription.
#[derive(Clone, Copy, Default)]
struct Stream {
    last: u64,
    /// How often the last one came.
    copies: u64,
    count: u64,
}

/// Watches what a subscription is given.
#[derive(Default)]
struct Watch {
    books: Books,
    /// By whether it is of ticks, publisher and topic.
    streams: HashMap<(bool, u32, u32), Stream>,
    /// So often must each word come that was published to a topic of this number: no loss, no gap.
    lossless: Option<HashMap<u32, u64>>,
}

impl Watch {
    fn see(&mut self, delivery: &Delivery) {
        if let Some((is_tick, origin)) = self.books.see(delivery).and_then(origin_of) {
            self.count(is_tick, origin);
        }
    }

    fn count(&mut self, is_tick: bool, origin: Origin) {
        let Origin { publisher, topic, number } = origin;
        let stream = self.streams.entry((is_tick, publisher, topic)).or_default();
        let before = *stream;
        let is_new = before.count == 0 || number != before.last;
        stream.copies = if is_new { 1 } else { before.copies + 1 };
        (stream.last, stream.count) = (number, before.count + 1);
        if before.count > 0 && number < before.last {
            self.books.fault(format!("{number} after {} of {publisher} at {topic}", before.last));
        }
        let copies = self.lossless.as_ref().filter(|_| !is_tick).map(|paths| paths[&topic]);
        if copies.is_some_and(|copies| number != before.count / copies) {
            self.books.fault(format!("{number} after {} that came of {publisher}", before.count));
        }
    }
}

type Watched = Arc<Mutex<Watch>>;

/// The statistics of a subscription that has ended, once they agree with what it was given; as they
/// are, should that never come to pass.
fn settled(stats: impl Fn() -> SubscriptionStats, watch: &Watch) -> SubscriptionStats {
    for _ in 0..5_000 {
        if watch.books.agree(&stats()) {
            break;
        }
        thread::sleep(Duration::from_millis(1));
    }
    stats()
}

fn by_stream() -> Overflow {
    Overflow::conflate(|message| origin_of(message).map(|(tick, o)| (tick, o.publisher, o.topic)))
}

fn any_policy(rng: &mut Rng, may_block: bool) -> Overflow {
    match rng.u8(..if may_block { 6 } else { 5 }) {
        0 => Overflow::DropNewest,
        1 => Overflow::DropOldest,
        2 => Overflow::Spill { limit: rng.usize(..64) },
        3 => Overflow::Spill { limit: usize::MAX },
        4 => by_stream(),
        _ => Overflow::Block,
    }
}

/// A random subscription. Who blocks must be emptied by somebody who does nothing else.
fn any_subscribe<'a>(topic: &'a Topic, rng: &mut Rng, may_block: bool) -> Subscribe<'a> {
    let capacity = 1 << rng.u32(..8);
    let subscribe = topic.subscribe().capacity(capacity).overflow(any_policy(rng, may_block));
    match rng.u8(..4) {
        0 => subscribe.accept::<Word>(),
        1 => subscribe.accept::<Tick>().accept::<SubscriptionChange>(),
        2 => subscribe.accept::<Word>().accept::<Tick>().accept::<Echo>(),
        _ => subscribe,
    }
}

/// The quarter that stays as it is: `0 → 1`, `0 → 2`, `1 → 3`, `2 → 3`.
struct Steady {
    topics: [Topic; 4],
    _forwards: Vec<Forward>,
    /// Words and ticks that were published to 0 and to 1.
    words: [AtomicU64; 2],
    ticks: [AtomicU64; 2],
    callbacks: Vec<(&'static str, bool, Subscription, Watched)>,
}

/// How often a message to the topic reaches topic 3.
const PATHS: [u64; 2] = [2, 1];

fn paths() -> HashMap<u32, u64> {
    (0..).zip(PATHS).collect()
}

impl Steady {
    fn new(bus: &Bus) -> Self {
        let topics = ["0", "1", "2", "3"].map(|name| bus.topic(&format!("steady:{name}")));
        let forward = |(from, to): (usize, usize)| topics[from].forward_to(&topics[to]).unwrap();
        let forwards = [(0, 1), (0, 2), (1, 3), (2, 3)].map(forward).into();
        let mut callbacks = Vec::new();
        let mut add = |what, lossless, ticks, overflow| {
            let watch = Watched::default();
            if lossless {
                watch.lock().unwrap().lossless = Some(paths());
            }
            let watched = watch.clone();
            let handler = move |delivery: Delivery| watched.lock().unwrap().see(&delivery);
            let subscribe = topics[3].subscribe().accept::<Word>().capacity(16).overflow(overflow);
            let subscribe = if ticks { subscribe.accept::<Tick>() } else { subscribe };
            callbacks.push((what, ticks, subscribe.callback(handler).unwrap(), watch));
        };
        add("spill", true, false, Overflow::Spill { limit: usize::MAX });
        add("spill with ticks", true, true, Overflow::Spill { limit: usize::MAX });
        add("block", true, false, Overflow::Block);
        add("block with ticks", true, true, Overflow::Block);
        add("drop newest", false, true, Overflow::DropNewest);
        add("drop oldest", false, true, Overflow::DropOldest);
        add("conflate", false, false, by_stream());
        Steady {
            topics,
            _forwards: forwards,
            words: Default::default(),
            ticks: Default::default(),
            callbacks,
        }
    }

    /// A pulled subscription, for a thread that empties it to the end.
    fn pulled(&self) -> PullSubscription {
        let subscribe = self.topics[3].subscribe().accept::<Word>().capacity(16);
        subscribe.overflow(Overflow::Block).pull().unwrap()
    }

    fn offered(&self, with_ticks: bool) -> u64 {
        let sum = |counts: &[AtomicU64; 2]| -> u64 {
            counts.iter().zip(PATHS).map(|(count, paths)| count.load(Relaxed) * paths).sum()
        };
        sum(&self.words) + if with_ticks { sum(&self.ticks) } else { 0 }
    }

    fn check(&self, published: &HashMap<(u32, u32), u64>) {
        for (what, ticks, subscription, watch) in &self.callbacks {
            subscription.join().unwrap();
            let (stats, watch) = (subscription.stats(), watch.lock().unwrap());
            watch.books.check(subscription.id(), &stats, what);
            let gone = stats.conflated + stats.dropped.total();
            assert_eq!(stats.enqueued + gone, self.offered(*ticks) + 2, "{what}: {stats:?}");
            if watch.lossless.is_some() {
                let dropped = stats.dropped.total();
                assert!(*ticks || dropped == 0, "{what}: {stats:?}");
                check_all_came(&watch, published, what);
            }
            if *what == "conflate" {
                assert_eq!(stats.dropped.total(), 0);
                for (&(publisher, topic), &count) in published {
                    let last = watch.streams[&(false, publisher, topic)].last;
                    assert_eq!(last + 1, count, "the latest of each is not lost");
                }
            }
        }
    }
}

fn check_all_came(watch: &Watch, published: &HashMap<(u32, u32), u64>, what: &str) {
    for (&(publisher, topic), &count) in published {
        let stream = watch.streams[&(false, publisher, topic)];
        assert_eq!(stream.count, count * PATHS[topic as usize], "{what}: of {publisher}");
    }
}

/// One thread of a round.
struct Actor {
    number: u32,
    rng: Rng,
    bus: Bus,
    steady: Arc<Steady>,
    publisher: RtPublisher,
    /// Handles of wild topics, some of the time.
    topics: Vec<Option<Topic>>,
    forwards: Vec<Forward>,
    pulled: Vec<(PullSubscription, Watch)>,
    callbacks: Vec<(Subscription, Watched)>,
    /// Callbacks that own their handle, and end themselves.
    quitters: Vec<(Watched, Arc<OnceLock<Subscription>>)>,
    /// The next number of a stream: whether of ticks, topic (steady ones first).
    numbers: HashMap<(bool, u32), u64>,
}

impl Actor {
    fn new(number: u32, seed: u64, bus: &Bus, steady: &Arc<Steady>) -> Self {
        let mut rng = Rng::with_seed(seed ^ u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let cells = 1 << rng.u32(..10);
        Actor {
            number,
            bus: bus.clone(),
            steady: steady.clone(),
            publisher: bus.rt_publisher(cells),
            rng,
            topics: vec![None; WILD],
            forwards: Vec::new(),
            pulled: Vec::new(),
            callbacks: Vec::new(),
            quitters: Vec::new(),
            numbers: HashMap::new(),
        }
    }

    fn act(&mut self) {
        match self.rng.u32(..1_000) {
            ..300 => self.publish_wild(),
            300..450 => self.publish_steady(),
            450..600 => self.tick_wild(),
            600..700 => self.tick_steady(),
            700..800 => self.receive(),
            800..830 => self.pull(),
            830..860 => self.end_pulled(),
            860..890 => self.call(),
            890..910 => self.end_callback(),
            910..935 => self.forward(),
            935..960 => self.unforward(),
            960..985 => self.forget_topic(),
            985..998 => self.publisher.ring_bell(),
            _ => self.renew_publisher(),
        }
    }

    fn wild(&mut self) -> (u32, Topic) {
        let index = self.rng.usize(..WILD);
        let bus = &self.bus;
        let topic = self.topics[index].get_or_insert_with(|| bus.topic(&format!("wild:{index}")));
        (2 + index as u32, topic.clone())
    }

    fn origin(&mut self, is_tick: bool, topic: u32) -> Origin {
        let next = self.numbers.entry((is_tick, topic)).or_default();
        *next += 1;
        Origin { publisher: self.number, topic, number: *next - 1 }
    }

    fn publish_wild(&mut self) {
        let (index, topic) = self.wild();
        for _ in 0..self.rng.u32(1..8) {
            topic.publish(Word::new(self.origin(false, index)));
        }
    }

    fn publish_steady(&mut self) {
        let index = self.rng.usize(..2);
        for _ in 0..self.rng.u32(1..8) {
            let word = Word::new(self.origin(false, index as u32));
            self.steady.words[index].fetch_add(1, Relaxed);
            self.steady.topics[index].publish(word);
        }
    }

    fn tick_wild(&mut self) {
        let (index, topic) = self.wild();
        for _ in 0..self.rng.u32(1..16) {
            let tick = Tick(self.origin(true, index));
            self.publisher.publish(&topic, self.bus.now(), tick);
        }
    }

    fn tick_steady(&mut self) {
        let index = self.rng.usize(..2);
        for _ in 0..self.rng.u32(1..8) {
            let tick = Tick(self.origin(true, index as u32));
            self.steady.ticks[index].fetch_add(1, Relaxed);
            self.publisher.publish(&self.steady.topics[index], self.bus.now(), tick);
        }
    }

    fn pull(&mut self) {
        let (_, topic) = self.wild();
        let events = any_subscribe(&topic, &mut self.rng, false).pull().unwrap();
        if self.pulled.len() < HANDS {
            self.pulled.push((events, Watch::default()));
        } // else it goes at once, undrained
    }

    fn receive(&mut self) {
        let (which, most) = (self.rng.usize(..HANDS), self.rng.u32(..64));
        let wait = self.rng.bool();
        if let Some((events, watch)) = self.pulled.get_mut(which) {
            if wait && let Ok(delivery) = events.recv_timeout(Duration::from_micros(50)) {
                watch.see(&delivery);
            }
            for _ in 0..most {
                let Ok(delivery) = events.try_recv() else { break };
                watch.see(&delivery);
            }
        }
    }

    fn end_pulled(&mut self) {
        let (which, drains) = (self.rng.usize(..HANDS), self.rng.u8(..4) > 0);
        if which < self.pulled.len() {
            let (mut events, mut watch) = self.pulled.swap_remove(which);
            if drains {
                events.unsubscribe();
                events.iter().for_each(|delivery| watch.see(&delivery));
                watch.books.check(events.id(), &settled(|| events.stats(), &watch), "pulled");
            }
        }
    }

    /// A callback that does something wild itself.
    fn call(&mut self) {
        let (_, topic) = self.wild();
        let ((_, other), (_, third)) = (self.wild(), self.wild());
        let watch = Watched::default();
        let watched = watch.clone();
        let own = Arc::new(OnceLock::<Subscription>::new());
        let me = own.clone();
        let (kind, moment) = (self.rng.u8(..6), self.rng.u64(2..200));
        let mut kept = None;
        let handler = move |delivery: Delivery| {
            let received = {
                let mut watch = watched.lock().unwrap();
                watch.see(&delivery);
                watch.books.received()
            };
            let is_ours = delivery.message().is_some_and(|message| origin_of(message).is_some());
            match kind {
                0 if is_ours => drop(other.publish(Echo)),
                1 if is_ours && received % 64 == 0 => {
                    let subscribe = other.subscribe().capacity(4).overflow(by_stream());
                    drop(kept.replace(subscribe.pull()));
                    drop(other.forward_to(&third));
                }
                2 => (0..received % 256).for_each(|n| _ = black_box(n)),
                3 if received >= moment => drop(me.get().map(Subscription::unsubscribe)),
                4 if received == moment => std::panic::panic_any(ON_PURPOSE),
                _ => {}
            }
        };
        let subscription = any_subscribe(&topic, &mut self.rng, true).callback(handler).unwrap();
        if kind == 3 {
            assert!(own.set(subscription).is_ok());
            self.quitters.push((watch, own));
        } else {
            self.callbacks.push((subscription, watch));
            if let Some(oldest) = self.callbacks.len().checked_sub(CALLBACKS + 1) {
                self.callbacks[oldest].0.unsubscribe();
            }
        }
    }

    fn end_callback(&mut self) {
        let (joins, which) = (self.rng.bool(), self.rng.usize(..CALLBACKS));
        if let Some((subscription, _)) = self.callbacks.iter().rev().nth(which) {
            match joins {
                true => drop(subscription.join()),
                false => subscription.unsubscribe(),
            }
        }
    }

    fn forward(&mut self) {
        let ((_, from), (_, to)) = (self.wild(), self.wild());
        if self.forwards.len() < FORWARDS {
            self.forwards.extend(from.forward_to(&to));
        }
    }

    fn unforward(&mut self) {
        let which = self.rng.usize(..FORWARDS);
        if which < self.forwards.len() {
            self.forwards.swap_remove(which);
        }
    }

    fn forget_topic(&mut self) {
        let which = self.rng.usize(..WILD);
        self.topics[which] = None;
    }

    fn renew_publisher(&mut self) {
        let cells = 1 << self.rng.u32(..10);
        self.publisher = self.bus.rt_publisher(cells);
    }

    /// Ends its own, and hands over what others have to end.
    fn leave(mut self) -> Left {
        while !self.pulled.is_empty() {
            let (mut events, mut watch) = self.pulled.swap_remove(0);
            events.unsubscribe();
            events.iter().for_each(|delivery| watch.see(&delivery));
            watch.books.check(events.id(), &settled(|| events.stats(), &watch), "pulled");
        }
        let words = self.numbers.into_iter().filter(|((is_tick, topic), _)| !is_tick && *topic < 2);
        Left {
            published: words.map(|((_, topic), count)| ((self.number, topic), count)).collect(),
            callbacks: self.callbacks,
            quitters: self.quitters,
            _forwards: self.forwards,
        }
    }
}

/// What is left of an actor.
struct Left {
    /// Words it has published to the steady topics, by its number and the topic's.
    published: HashMap<(u32, u32), u64>,
    callbacks: Vec<(Subscription, Watched)>,
    quitters: Vec<(Watched, Arc<OnceLock<Subscription>>)>,
    _forwards: Vec<Forward>,
}

impl Left {
    /// Ends all callbacks; how many have panicked.
    fn check(&self) -> u64 {
        let quitters = self.quitters.iter().map(|(watch, own)| (own.get().unwrap(), watch));
        let callbacks = self.callbacks.iter().map(|(subscription, watch)| (subscription, watch));
        callbacks
            .chain(quitters)
            .map(|(subscription, watch)| match subscription.join() {
                Ok(()) => {
                    let watch = watch.lock().unwrap();
                    let stats = settled(|| subscription.stats(), &watch);
                    watch.books.check(subscription.id(), &stats, "callback");
                    0
                }
                Err(JoinError::Panicked) => {
                    assert_eq!(watch.lock().unwrap().books.wrong(), None);
                    1
                }
                Err(error) => panic!("{error}"),
            })
            .sum()
    }
}

fn round(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let workers = rng.usize(1..5);
    let idle_timeout = Duration::from_millis(rng.u64(1..20));
    let bus = Bus::new(Settings { workers, idle_timeout, ..Settings::default() }).unwrap();
    let steady = Arc::new(Steady::new(&bus));
    let mut pulled = steady.pulled();
    let reader = thread::spawn(move || {
        let mut watch = Watch { lossless: Some(paths()), ..Watch::default() };
        pulled.iter().for_each(|delivery| watch.see(&delivery));
        (watch, pulled)
    });
    let actors: Vec<_> = (0..ACTORS)
        .map(|number| {
            let (bus, steady) = (bus.clone(), steady.clone());
            thread::spawn(move || {
                let mut actor = Actor::new(number, seed, &bus, &steady);
                drop((bus, steady));
                (0..OPERATIONS).for_each(|_| actor.act());
                actor.leave()
            })
        })
        .collect();
    let left: Vec<Left> = actors.into_iter().map(|actor| actor.join().unwrap()).collect();
    // Either the bus ends with everything alive, or all is ended before.
    let mut bus = Some(bus);
    if rng.bool() {
        bus = None;
    }
    let panics = left.iter().map(Left::check).sum::<u64>();
    let published = left.iter().flat_map(|left| left.published.clone()).collect();
    steady.check(&published);
    assert!(bus.is_none_or(|bus| bus.panics() == panics));
    let (watch, pulled) = reader.join().unwrap();
    watch.books.check(pulled.id(), &pulled.stats(), "pulled, steady");
    check_all_came(&watch, &published, "pulled, steady");
    assert_eq!(pulled.stats().enqueued, steady.offered(false) + 2);
    drop((left, steady, watch, pulled));
    assert_eq!(WORDS.load(Relaxed), 0, "every message is gone");
}

/// Keeps the panics that are on purpose quiet.
fn quiet_panics() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload().downcast_ref() != Some(&ON_PURPOSE) {
            report(panic);
        }
    }));
}

fn setting(name: &str) -> Option<u64> {
    let value = std::env::var(name).ok()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{name} is a whole number, not `{value}`")))
}

#[test]
fn nothing_is_lost_uncounted_reordered_or_leaked_whatever_everybody_does() {
    const ROUNDS_TO_WARM_UP: u64 = 5;
    const MOST_GROWTH: i64 = 1 << 20;
    quiet_panics();
    let seconds = setting("STASIS_STRESS_SECONDS").unwrap_or(2);
    let seed = setting("STASIS_STRESS_SEED").unwrap_or_else(|| fastrand::u64(..));
    let clock = Bus::new(Settings::default()).unwrap().clock();
    let end = clock.now() + Duration::from_secs(seconds);
    let mut warm = 0;
    for n in 0.. {
        let seed = seed.wrapping_add(n);
        println!("round {n}: STASIS_STRESS_SEED={seed}, {} KiB in use", live_bytes() / 1_024);
        ends(move || round(seed));
        let bytes = live_bytes();
        if n < ROUNDS_TO_WARM_UP {
            warm = warm.max(bytes);
        }
        assert!(bytes < warm + MOST_GROWTH, "memory grows: from {warm} to {bytes} bytes");
        if clock.now() >= end {
            break;
        }
    }
}
