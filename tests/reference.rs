//! The bus against a reference: a single-threaded bus that is simple enough to be believed.
//!
//! Random operations run on both. Whatever a reader takes out must be the same, at the same place,
//! and in the end so must the statistics. Everything but the workers' moving of messages behind a
//! ring happens on one thread, so it is exact. Where that moving shows (a real-time publisher finds
//! a full ring that a worker may have emptied, a spill has a limit), order and balance are compared.

use std::collections::{HashMap, VecDeque};
use std::rc::{Rc, Weak};

use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use stasis_bus::{
    Bus, Delivery, Forward, Message, Overflow, PullSubscription, RtPublisher, Settings, Stamp,
    Subscribe, SubscriptionChange, SubscriptionId, SubscriptionStats, Topic, TryRecvError,
};

const TOPICS: usize = 5;
/// Room for everything that one case can publish.
const AMPLE: usize = 1 << 14;

/// A payload of type number `N`.
#[derive(Clone, Copy, Debug)]
struct Kind<const N: usize> {
    number: u32,
    key: u8,
}

/// What the real-time publisher of a case is like.
#[derive(Clone, Copy, Debug, PartialEq)]
enum RealTime {
    None,
    Ample,
    /// Its pool has so many cells: it is often empty.
    Cells(u32),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    DropNewest,
    DropOldest,
    Spill(usize),
    Conflate,
}

#[derive(Clone, Debug)]
enum Op {
    Forward { from: usize, to: usize },
    DropForward(usize),
    Subscribe { topic: usize, policy: Policy, capacity: usize, accepts: u8 },
    Publish { topic: usize, kind: usize, key: u8, times: usize, real_time: bool },
    Receive { which: usize, most: usize },
    Unsubscribe(usize),
}

fn policies(real_time: RealTime) -> BoxedStrategy<(Policy, usize)> {
    let small = 0..9usize;
    let staged = prop_oneof![Just(Policy::Spill(AMPLE)), Just(Policy::Conflate)];
    match real_time {
        // What a real-time publisher evicts, or a conflation lets go of, comes back to its pool
        // when a worker has time: with a small pool that shows.
        RealTime::Cells(_) => prop_oneof![
            3 => small.prop_map(|capacity| (Policy::DropNewest, capacity)),
            1 => Just((Policy::Spill(AMPLE), AMPLE)),
        ]
        .boxed(),
        RealTime::Ample | RealTime::None => prop_oneof![
            3 => small.clone().prop_map(|capacity| (Policy::DropNewest, capacity)),
            3 => small.clone().prop_map(|capacity| (Policy::DropOldest, capacity)),
            2 => staged.clone().prop_map(|policy| (policy, AMPLE)),
            2 => (staged, small.clone()),
            1 => (small.clone().prop_map(Policy::Spill), small),
        ]
        .boxed(),
    }
}

fn op(real_time: RealTime) -> impl Strategy<Value = Op> {
    let topic = || 0..TOPICS;
    prop_oneof![
        2 => (topic(), topic()).prop_map(|(from, to)| Op::Forward { from, to }),
        1 => any::<usize>().prop_map(Op::DropForward),
        4 => (topic(), policies(real_time), 0..16u8).prop_map(
            |(topic, (policy, capacity), accepts)| {
                Op::Subscribe { topic, policy, capacity, accepts }
            }
        ),
        12 => (topic(), 0..3usize, 0..4u8, 1..8usize, any::<bool>()).prop_map(
            move |(topic, kind, key, times, rt)| {
                let real_time = rt && real_time != RealTime::None;
                Op::Publish { topic, kind, key, times, real_time }
            }
        ),
        10 => (any::<usize>(), 1..10usize).prop_map(|(which, most)| Op::Receive { which, most }),
        2 => any::<usize>().prop_map(Op::Unsubscribe),
    ]
}

fn case() -> impl Strategy<Value = (RealTime, Vec<Op>)> {
    let real_time = prop_oneof![
        2 => Just(RealTime::None),
        2 => Just(RealTime::Ample),
        1 => (1..12u32).prop_map(RealTime::Cells),
    ];
    real_time.prop_flat_map(|rt| (Just(rt), prop::collection::vec(op(rt), 1..100)))
}

/// What a message says, in a form that both sides can make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// Type, number, key.
    Kind(usize, u32, u8),
    Subscribe(SubscriptionId),
    Unsubscribe(SubscriptionId),
}

impl Body {
    fn of(message: &Message) -> Self {
        fn kind<const N: usize>(message: &Message) -> Option<Body> {
            message.downcast_ref::<Kind<N>>().map(|kind| Body::Kind(N, kind.number, kind.key))
        }
        let change = message.downcast_ref::<SubscriptionChange>().map(|change| match *change {
            SubscriptionChange::Subscribe(id) => Body::Subscribe(id),
            SubscriptionChange::Unsubscribe(id) => Body::Unsubscribe(id),
        });
        let kinds = || kind::<0>(message).or(kind::<1>(message)).or(kind::<2>(message));
        change.or_else(kinds).expect("nothing else is published")
    }

    /// The bit in a subscription's `accepts`.
    fn bit(self) -> u8 {
        match self {
            Body::Kind(kind, ..) => 1 << kind,
            Body::Subscribe(_) | Body::Unsubscribe(_) => 1 << 3,
        }
    }

    fn key(self) -> Option<(usize, u8)> {
        match self {
            Body::Kind(kind, _, key) => Some((kind, key)),
            Body::Subscribe(_) | Body::Unsubscribe(_) => None,
        }
    }
}

/// A message: what it says, and the topic that it was first published to.
type Letter = Rc<(Body, usize)>;

#[derive(Clone, Debug)]
enum Item {
    Letter(Letter),
    Lost(u64),
}

/// A subscription of the reference bus.
struct Subscriber {
    id: SubscriptionId,
    topic: usize,
    policy: Policy,
    capacity: usize,
    accepts: u8,
    listed: bool,
    /// What it will be given, in order; the first is its own `Subscribe`.
    items: VecDeque<Item>,
    /// It is out of the ring already, only a loss before it had to be told first.
    held: Option<Letter>,
    first: Option<Letter>,
    ended: bool,
    stats: SubscriptionStats,
    /// Set where the workers' moving shows: everything that was offered and what came of it.
    loose: Option<Loose>,
}

#[derive(Default)]
struct Loose {
    offered: Vec<Letter>,
    received: Vec<Body>,
    told: u64,
}

impl Subscriber {
    fn in_ring(&self) -> usize {
        self.items.iter().filter(|item| matches!(item, Item::Letter(_))).count()
    }

    fn accepts(&self, body: Body) -> bool {
        self.accepts == 0 || self.accepts & body.bit() != 0
    }

    /// Whether it takes the letter.
    fn offer(&mut self, letter: &Letter) -> bool {
        if let Some(loose) = &mut self.loose {
            loose.offered.push(letter.clone());
            return true;
        }
        let (policy, is_full) = (self.policy, self.in_ring() >= self.capacity);
        match policy {
            Policy::DropNewest if is_full => {
                self.stats.dropped.full += 1;
                self.lose();
                return false;
            }
            Policy::DropOldest if is_full => self.evict(),
            Policy::Conflate if self.conflate(letter) => return true,
            _ => {}
        }
        self.stats.enqueued += 1;
        self.items.push_back(Item::Letter(letter.clone()));
        true
    }

    fn lose(&mut self) {
        match self.items.back_mut() {
            Some(Item::Lost(lost)) => *lost += 1,
            _ => self.items.push_back(Item::Lost(1)),
        }
    }

    fn lose_to_empty_pool(&mut self) {
        self.stats.dropped.exhausted += 1;
        self.lose();
    }

    /// The oldest becomes a loss in its place, one with those around it.
    fn evict(&mut self) {
        self.stats.dropped.evicted += 1;
        self.stats.enqueued -= 1;
        let mut lost = 1;
        while let Item::Lost(before) = self.items.pop_front().expect("the ring is full") {
            lost += before;
        }
        if let Some(Item::Lost(after)) = self.items.front() {
            lost += after;
            self.items.pop_front();
        }
        self.items.push_front(Item::Lost(lost));
    }

    /// Whether the letter has taken the place of an older one.
    fn conflate(&mut self, letter: &Letter) -> bool {
        let key = letter.0.key();
        let pending = self.items.iter_mut().find_map(|item| match item {
            Item::Letter(old) if key.is_some() && old.0.key() == key => Some(old),
            _ => None,
        });
        match pending {
            Some(old) => {
                *old = letter.clone();
                self.stats.conflated += 1;
                true
            }
            None => false,
        }
    }

    fn receive(&mut self) -> Result<Taken, TryRecvError> {
        if self.ended {
            return Err(TryRecvError::Ended);
        }
        if let Some(letter) = self.first.take().or_else(|| self.held.take()) {
            return Ok(self.taken(&letter));
        }
        match self.items.pop_front() {
            Some(Item::Letter(letter)) => Ok(self.taken(&letter)),
            Some(Item::Lost(lost)) => {
                let in_a_ring = matches!(self.policy, Policy::DropNewest | Policy::DropOldest);
                if in_a_ring && let Some(Item::Letter(next)) = self.items.front() {
                    self.held = Some(next.clone());
                    self.items.pop_front();
                }
                Ok(Taken::Lost(lost))
            }
            None if self.listed => Err(TryRecvError::Empty),
            None => {
                self.ended = true;
                self.stats.enqueued += 1;
                self.stats.delivered += 1;
                Ok(Taken::Letter(Body::Unsubscribe(self.id), self.topic))
            }
        }
    }

    fn taken(&mut self, letter: &Letter) -> Taken {
        self.stats.delivered += 1;
        Taken::Letter(letter.0, letter.1)
    }
}

/// What a reader takes out.
#[derive(Debug, PartialEq, Eq)]
enum Taken {
    /// A message, and the topic it was first published to.
    Letter(Body, usize),
    Lost(u64),
}

impl Taken {
    fn of(delivery: &Delivery) -> Self {
        match delivery {
            Delivery::Lagged(lost) => Taken::Lost(*lost),
            Delivery::Message(message) => {
                Taken::Letter(Body::of(message), message.topic().name().parse().unwrap())
            }
        }
    }
}

/// The reference bus.
#[derive(Default)]
struct Reference {
    subscribers: Vec<Subscriber>,
    /// From, to.
    forwards: Vec<(usize, usize)>,
    published: [u64; TOPICS],
    /// Messages of the real-time publisher that are still somewhere.
    cells: Vec<Weak<(Body, usize)>>,
}

impl Reference {
    /// The topics that a message visits, each as often as there are paths.
    fn visits(&self, topic: usize) -> Vec<usize> {
        let mut visits = vec![topic];
        let mut next = 0;
        while next < visits.len() {
            let from = visits[next];
            visits.extend(self.forwards.iter().filter(|(f, _)| *f == from).map(|(_, to)| to));
            next += 1;
        }
        visits
    }

    /// Those who are offered the message, each as often as there are paths to it.
    fn audience(&self, visits: &[usize], body: Body) -> Vec<usize> {
        let at = |topic| {
            let here = move |s: &Subscriber| s.listed && s.topic == topic && s.accepts(body);
            let all = self.subscribers.iter().enumerate();
            all.filter(move |(_, subscriber)| here(subscriber)).map(|(index, _)| index)
        };
        visits.iter().flat_map(|&topic| at(topic)).collect()
    }

    /// How many take it, as far as that is certain.
    fn publish(&mut self, topic: usize, body: Body, cells: Option<u32>) -> Option<usize> {
        let visits = self.visits(topic);
        visits.iter().for_each(|&topic| self.published[topic] += 1);
        let audience = self.audience(&visits, body);
        self.filter_out(&visits, body);
        if audience.is_empty() {
            return Some(0);
        }
        let letter = Rc::new((body, topic));
        if let Some(cells) = cells {
            self.cells.retain(|cell| cell.strong_count() > 0);
            if self.cells.len() >= cells as usize {
                audience.iter().for_each(|&i| self.subscribers[i].lose_to_empty_pool());
                return Some(0);
            }
            self.cells.push(Rc::downgrade(&letter));
        }
        let mut taken = 0;
        for &index in &audience {
            taken += usize::from(self.subscribers[index].offer(&letter));
        }
        let is_certain = audience.iter().all(|&index| self.subscribers[index].loose.is_none());
        is_certain.then_some(taken)
    }

    /// Counts the message for those who do not accept it, as often as there are paths to them.
    fn filter_out(&mut self, visits: &[usize], body: Body) {
        for subscriber in self.subscribers.iter_mut().filter(|s| s.listed && !s.accepts(body)) {
            let here = visits.iter().filter(|topic| **topic == subscriber.topic);
            subscriber.stats.filtered += here.count() as u64;
        }
    }

    fn unsubscribe(&mut self, index: usize) {
        let Subscriber { id, topic, .. } = self.subscribers[index];
        if std::mem::take(&mut self.subscribers[index].listed) {
            self.publish(topic, Body::Unsubscribe(id), None);
        }
    }
}

/// The real bus beside its reference.
struct Both {
    reference: Reference,
    real_time: RealTime,
    numbers: u32,
    forwards: Vec<Forward>,
    events: Vec<PullSubscription>,
    publisher: RtPublisher,
    topics: Vec<Topic>,
    _bus: Bus,
}

impl Both {
    fn new(real_time: RealTime) -> Self {
        let bus = Bus::new(Settings { workers: 1, max_workers: 1, ..Settings::default() }).unwrap();
        let cells = match real_time {
            RealTime::Cells(cells) => cells,
            RealTime::Ample | RealTime::None => AMPLE as u32,
        };
        Both {
            reference: Reference::default(),
            real_time,
            numbers: 0,
            forwards: Vec::new(),
            events: Vec::new(),
            publisher: bus.rt_publisher(cells),
            topics: (0..TOPICS).map(|topic| bus.topic(&topic.to_string())).collect(),
            _bus: bus,
        }
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Forward { from, to } => self.forward(from, to),
            Op::DropForward(which) if !self.forwards.is_empty() => {
                let which = which % self.forwards.len();
                self.forwards.remove(which);
                self.reference.forwards.remove(which);
            }
            Op::Subscribe { topic, policy, capacity, accepts } => {
                self.subscribe(topic, policy, capacity, accepts);
            }
            Op::Publish { topic, kind, key, times, real_time } => {
                (0..times).for_each(|_| self.publish(topic, kind, key, real_time));
            }
            Op::Receive { which, most } if !self.events.is_empty() => {
                let which = which % self.events.len();
                self.receive(which, most);
            }
            Op::Unsubscribe(which) if !self.events.is_empty() => {
                let which = which % self.events.len();
                self.events[which].unsubscribe();
                self.reference.unsubscribe(which);
            }
            Op::DropForward(_) | Op::Receive { .. } | Op::Unsubscribe(_) => {}
        }
    }

    fn forward(&mut self, from: usize, to: usize) {
        let outcome = self.topics[from].forward_to(&self.topics[to]);
        let is_circle = self.reference.visits(to).contains(&from);
        assert_eq!(outcome.is_err(), is_circle, "from {from} to {to}");
        // Paths multiply; so many say no more than a few.
        let paths = |reference: &Reference| (0..TOPICS).map(|t| reference.visits(t).len()).max();
        if let Ok(forward) = outcome {
            self.reference.forwards.push((from, to));
            if paths(&self.reference) > Some(24) {
                self.reference.forwards.pop();
            } else {
                self.forwards.push(forward);
            }
        }
    }

    fn subscribe(&mut self, topic: usize, policy: Policy, capacity: usize, accepts: u8) {
        let overflow = match policy {
            Policy::DropNewest => Overflow::DropNewest,
            Policy::DropOldest => Overflow::DropOldest,
            Policy::Spill(limit) => Overflow::Spill { limit },
            Policy::Conflate => Overflow::conflate(|message| Body::of(message).key()),
        };
        let mut subscribe = self.topics[topic].subscribe().capacity(capacity).overflow(overflow);
        let types: [fn(Subscribe<'_>) -> Subscribe<'_>; 4] = [
            |s| s.accept::<Kind<0>>(),
            |s| s.accept::<Kind<1>>(),
            |s| s.accept::<Kind<2>>(),
            |s| s.accept::<SubscriptionChange>(),
        ];
        for (bit, accept) in types.iter().enumerate() {
            if accepts & (1 << bit) != 0 {
                subscribe = accept(subscribe);
            }
        }
        let events = subscribe.pull().unwrap();
        let id = events.id();
        self.events.push(events);

        self.reference.publish(topic, Body::Subscribe(id), None);
        let is_staged = matches!(policy, Policy::Spill(_) | Policy::Conflate);
        let can_overflow = matches!(policy, Policy::Spill(limit) if limit < AMPLE)
            || (self.real_time != RealTime::None && is_staged && capacity < AMPLE);
        let stats = SubscriptionStats { enqueued: 0, ..SubscriptionStats::default() };
        self.reference.subscribers.push(Subscriber {
            id,
            topic,
            policy,
            capacity: capacity.next_power_of_two().max(2),
            accepts,
            listed: true,
            items: VecDeque::new(),
            held: None,
            first: Some(Rc::new((Body::Subscribe(id), topic))),
            ended: false,
            stats,
            loose: can_overflow.then(Loose::default),
        });
    }

    fn publish(&mut self, topic: usize, kind: usize, key: u8, real_time: bool) {
        self.numbers += 1;
        let number = self.numbers;
        let to = &self.topics[topic];
        let publisher = real_time.then_some(&mut self.publisher);
        let taken = match kind {
            0 => publish(to, publisher, Kind::<0> { number, key }),
            1 => publish(to, publisher, Kind::<1> { number, key }),
            _ => publish(to, publisher, Kind::<2> { number, key }),
        };
        let cells = match self.real_time {
            RealTime::Cells(cells) if real_time => Some(cells),
            _ => None,
        };
        let expected = self.reference.publish(topic, Body::Kind(kind, number, key), cells);
        assert!(expected.is_none_or(|expected| expected == taken), "{taken} not {expected:?}");
    }

    fn receive(&mut self, which: usize, most: usize) {
        let (events, subscriber) =
            (&mut self.events[which], &mut self.reference.subscribers[which]);
        for _ in 0..most {
            let taken = events.try_recv().map(|delivery| Taken::of(&delivery));
            if subscriber.loose.is_some() {
                if !subscriber.receive_loosely(&taken) {
                    break;
                }
                continue;
            }
            let expected = subscriber.receive();
            assert_eq!(taken, expected, "subscription {which}");
            if taken.is_err() {
                break;
            }
        }
        let subscriber = &self.reference.subscribers[which];
        if matches!(subscriber.policy, Policy::DropNewest | Policy::DropOldest) {
            self.compare_stats(which);
        }
    }

    /// The statistics, where nothing waits behind a ring.
    fn compare_stats(&self, which: usize) {
        let subscriber = &self.reference.subscribers[which];
        let mut expected = subscriber.stats;
        // What is held is out of the ring; its own first message counts when it is delivered.
        expected.delivered += u64::from(subscriber.held.is_some());
        expected.enqueued += u64::from(subscriber.first.is_none());
        let stats = self.events[which].stats();
        // How full it was at most is not the reference's to know.
        let SubscriptionStats { capacity, high_water, slowest, .. } = stats;
        let most = stats.enqueued + stats.conflated + stats.dropped.total();
        assert!(high_water <= most, "subscription {which}: {stats:?}");
        let expected = SubscriptionStats { capacity, high_water, slowest, ..expected };
        assert_eq!(stats, expected, "subscription {which}");
    }

    /// Ends and empties everything, and compares the books.
    fn close(mut self) {
        for which in 0..self.events.len() {
            self.events[which].unsubscribe();
            self.reference.unsubscribe(which);
        }
        for which in 0..self.events.len() {
            self.receive(which, usize::MAX);
            let subscriber = &self.reference.subscribers[which];
            let stats = self.events[which].stats();
            assert!(subscriber.ended && stats.pending() == 0);
            match &subscriber.loose {
                None => self.compare_stats(which),
                Some(loose) => loose.check(&stats, subscriber.policy),
            }
        }
        for (topic, published) in self.topics.iter().zip(self.reference.published) {
            assert_eq!(topic.published(), published, "topic {}", topic.name());
        }
    }
}

fn publish<T: Copy + Send + Sync + 'static>(
    topic: &Topic,
    publisher: Option<&mut RtPublisher>,
    payload: T,
) -> usize {
    match publisher {
        Some(publisher) => publisher.publish(topic, Stamp::from_ms(1), payload),
        None => topic.publish(payload),
    }
}

impl Subscriber {
    /// Notes what was taken; `false` when there is nothing more now.
    fn receive_loosely(&mut self, taken: &Result<Taken, TryRecvError>) -> bool {
        let loose = self.loose.as_mut().expect("only these");
        assert!(!self.ended || *taken == Err(TryRecvError::Ended), "nothing comes after the end");
        match taken {
            Err(_) => return false,
            Ok(Taken::Lost(lost)) => loose.told += lost,
            Ok(Taken::Letter(body, _)) => {
                if self.first.take().is_some() {
                    assert_eq!(*body, Body::Subscribe(self.id));
                }
                self.ended = *body == Body::Unsubscribe(self.id);
                loose.received.push(*body);
            }
        }
        true
    }
}

impl Loose {
    /// Balance and order.
    fn check(&self, stats: &SubscriptionStats, policy: Policy) {
        let offered = self.offered.len() as u64 + 2;
        assert_eq!(stats.enqueued + stats.conflated + stats.dropped.total(), offered);
        assert_eq!(stats.delivered, self.received.len() as u64);
        assert_eq!(stats.dropped.total(), self.told);
        // Its own two aside, each was offered, and later than the one (of its key) before.
        let mut places = HashMap::new();
        for body in &self.received[1..self.received.len() - 1] {
            let by_key = policy == Policy::Conflate;
            let place = places.entry(if by_key { body.key() } else { None }).or_insert(0);
            if by_key && body.key().is_none() {
                *place = 0;
            }
            let found = self.offered[*place..].iter().position(|letter| letter.0 == *body);
            *place += found.expect("offered, and in order") + 1;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases.max(512), // or PROPTEST_CASES
        failure_persistence: Some(Box::new(FileFailurePersistence::WithSource("regressions"))),
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_bus_does_what_the_reference_does((real_time, ops) in case()) {
        let mut both = Both::new(real_time);
        for op in &ops {
            both.run(op);
        }
        both.close();
    }
}
