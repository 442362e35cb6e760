//! Caches, and who follows them.

use std::collections::HashMap;

use shuttle::thread;
use stasis_bus::{
    Bus, Cache, CacheUpdate, Clear, Delivery, EntityId, Follower, Overflow, Snapshot, Topic,
};

use crate::reader::{any_bus, bus_with, draw, once_in};

/// The state of one of a few devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Device {
    name: u8,
    state: u32,
}

impl Snapshot for Device {
    type Key = u8;

    fn key(&self) -> u8 {
        self.name
    }
}

type State = HashMap<(u8, EntityId), Device>;

/// Snapshots are published and cleared, from two nodes and in real time, while followers come: each
/// has a state and then every change of it, so at the end each knows what the cache knows.
pub fn a_follower_knows_what_the_cache_knows() {
    let bus = any_bus();
    let topic = bus.topic("devices");
    let cache = std::sync::Arc::new(Cache::<Device>::new(&bus, &topic).unwrap());
    let mut publishers: Vec<_> = (0..1 + draw(2))
        .map(|node| {
            let topic = topic.clone();
            thread::spawn(move || publish(&topic, node))
        })
        .collect();
    if once_in(3) {
        let (bus, topic) = (bus.clone(), topic.clone());
        publishers.push(thread::spawn(move || publish_in_real_time(&bus, &topic)));
    }
    let followers: Vec<_> = (0..1 + draw(2))
        .map(|_| {
            let cache = cache.clone();
            thread::spawn(move || follow(&cache))
        })
        .collect();
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    cache.flush();
    let state = cache.dump_all().into_iter().map(|(node, cached)| ((cached.name, node), *cached));
    let state: State = state.collect();
    for follower in followers {
        assert_eq!(follower.join().unwrap().at_the_end(), state);
    }
    assert_eq!(bus.panics(), 0);
}

/// A follower comes while one entry after the other is cleared, and those cleared first are swept
/// away: it does not take one for known that went behind its back.
pub fn a_follower_comes_while_entries_are_swept_away() {
    let bus = bus_with(0); // nobody else has much to do
    let topic = bus.topic("devices");
    let cache = std::sync::Arc::new(Cache::<Device>::new(&bus, &topic).unwrap());
    for name in 0..12 {
        topic.publish(Device { name, state: 0 });
    }
    let follower = {
        let cache = cache.clone();
        thread::spawn(move || follow(&cache))
    };
    for name in 0..12 {
        topic.publish(Clear::<Device>(name));
    }
    assert_eq!(follower.join().unwrap().at_the_end(), State::new());
    assert_eq!(bus.panics(), 0);
}

/// Follows, and takes what there is now.
fn follow(cache: &Cache<Device>) -> Known {
    let lossless = Overflow::Spill { limit: usize::MAX };
    let follower = cache.subscribe_with_snapshot(|with| with.capacity(2).overflow(lossless));
    let mut known = Known::begin(follower.unwrap());
    while let Ok(delivery) = known.follower.try_recv() {
        known.take(&delivery);
    }
    known
}

fn publish(topic: &Topic, node: u32) {
    let node = EntityId(u64::from(node));
    for state in 0..4 + draw(12) {
        let name = draw(4) as u8;
        if once_in(2) {
            topic.publish_from(node, Clear::<Device>(name));
        } else {
            topic.publish_from(node, Device { name, state });
        }
    }
}

fn publish_in_real_time(bus: &Bus, topic: &Topic) {
    let mut rt = bus.rt_publisher(16);
    for state in 0..2 + draw(3) {
        rt.publish(topic, bus.now(), Device { name: draw(3) as u8, state });
        rt.ring_bell();
    }
}

/// What one follower knows.
struct Known {
    follower: Follower<Device>,
    state: State,
    version: u64,
}

impl Known {
    fn begin(follower: Follower<Device>) -> Self {
        let snapshot = follower.snapshot().iter();
        let state = snapshot.map(|(node, cached)| ((cached.name, *node), **cached)).collect();
        Known { follower, state, version: 0 }
    }

    fn at_the_end(mut self) -> State {
        self.follower.unsubscribe();
        while let Some(delivery) = self.follower.recv() {
            self.take(&delivery);
        }
        self.state
    }

    fn take(&mut self, delivery: &Delivery) {
        assert!(!matches!(delivery, Delivery::Lagged(_)), "{delivery:?}");
        let Some(update) = delivery.downcast_ref::<CacheUpdate<Device>>() else { return };
        assert!(update.version > self.version, "{update:?} after {}", self.version);
        self.version = update.version;
        let place = (update.key, update.origin);
        let old = update.old.as_ref().map(|cached| **cached);
        assert_eq!(self.state.get(&place).copied(), old, "the update is of what is known");
        match &update.new {
            Some(new) => drop(self.state.insert(place, **new)),
            None => drop(self.state.remove(&place)),
        }
    }
}
