//! Caching topics: what `get` sees and when, what is published, and following from a state on.

mod common {
    pub mod stopping;
}

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::stopping::Stopping;
use stasis_bus::{
    Bus, Cache, CacheUpdate, Clear, Delivery, EntityId, Follower, Overflow, Settings, Snapshot,
    SubscriptionChange, Topic,
};

/// The state of a device: `Copy`, so that a real-time publisher can publish it, too.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Device {
    number: u32,
    state: u32,
}

impl Snapshot for Device {
    type Key = u32;

    fn key(&self) -> u32 {
        self.number
    }
}

fn bus() -> Bus {
    Bus::new(Settings::default()).unwrap()
}

fn cached(bus: &Bus) -> (Topic, Cache<Device>) {
    let topic = bus.topic("device");
    let cache = Cache::new(bus, &topic).unwrap();
    (topic, cache)
}

fn state(cache: &Cache<Device>, number: u32) -> Option<u32> {
    cache.get(&number).map(|device| device.state)
}

#[test]
fn get_sees_what_was_published_when_the_publish_has_returned() {
    let bus = bus();
    let (topic, cache) = cached(&bus);
    assert_eq!(state(&cache, 1), None);
    thread::scope(|scope| {
        for number in 0..4 {
            let (topic, cache) = (&topic, &cache);
            scope.spawn(move || {
                for value in 0..1_000 {
                    topic.publish(Device { number, state: value });
                    assert_eq!(state(cache, number), Some(value));
                }
                topic.publish(Clear::<Device>(number));
                assert_eq!(state(cache, number), None);
            });
        }
    });
    assert!(cache.dump().is_empty());
}

#[test]
fn after_a_real_time_publish_a_flush_makes_it_seen() {
    let bus = bus();
    let (topic, cache) = cached(&bus);
    let mut publisher = bus.rt_publisher(256);
    for value in 0..1_000 {
        publisher.publish(&topic, bus.now(), Device { number: value % 7, state: value });
        cache.flush();
        assert_eq!(state(&cache, value % 7), Some(value));
    }
    assert_eq!(cache.dump().len(), 7);
}

#[test]
fn updates_carry_old_and_new_in_the_order_of_their_versions_and_nothing_unchanged() {
    let bus = bus();
    let (topic, cache) = cached(&bus);
    let mut updates = cache.topic().subscribe().accept::<CacheUpdate<Device>>().pull().unwrap();
    for value in [5, 5, 6, 6] {
        topic.publish(Device { number: 1, state: value });
    }
    topic.publish(Clear::<Device>(1));
    topic.publish(Clear::<Device>(1));
    updates.unsubscribe();
    let seen: Vec<_> = updates
        .iter()
        .filter_map(|delivery| {
            let update = delivery.downcast_ref::<CacheUpdate<Device>>()?;
            let [old, new] = [&update.old, &update.new].map(|s| s.as_ref().map(|s| s.state));
            Some((update.key, old, new, update.version))
        })
        .collect();
    let expected = [(1, None, Some(5), 1), (1, Some(5), Some(6), 2), (1, Some(6), None, 3)];
    assert_eq!(seen, expected);
    assert_eq!(cache.topic().name(), "device-cached");
}

#[test]
fn snapshots_of_other_nodes_live_beside_the_local_ones() {
    let bus = Bus::new(Settings { origin: EntityId(1), ..Settings::default() }).unwrap();
    let (topic, cache) = cached(&bus);
    topic.publish(Device { number: 1, state: 10 });
    topic.publish_from(EntityId(2), Device { number: 1, state: 20 });
    topic.publish_from(EntityId(2), Device { number: 2, state: 30 });
    assert_eq!(state(&cache, 1), Some(10));
    assert_eq!(state(&cache, 2), None);
    assert_eq!(cache.get_from(&1, EntityId(2)).map(|device| device.state), Some(20));
    assert_eq!(cache.get_all(&1).len(), 2);
    let most = cache.aggregate(&1, |all| all.iter().map(|device| device.state).max());
    assert_eq!(most, Some(Some(20)));
    assert_eq!((cache.dump().len(), cache.dump_from(EntityId(2)).len()), (1, 2));
    assert_eq!(cache.dump_all().len(), 3);
    topic.publish(Clear::<Device>(1));
    assert_eq!((state(&cache, 1), cache.get_all(&1).len()), (None, 1));
}

#[test]
fn a_dropped_cache_stops_watching() {
    let bus = bus();
    let (topic, cache) = cached(&bus);
    let one = {
        topic.publish(Device { number: 1, state: 1 });
        cache.get(&1).unwrap()
    };
    drop(cache);
    assert_eq!(topic.publish(Device { number: 1, state: 2 }), 0);
    assert_eq!((one.state, one.version(), one.message().topic().name()), (1, 1, "device"));
}

/// Plays what a follower gets on top of its snapshot, and checks each step.
fn play(follower: &mut Follower<Device>) -> HashMap<u32, (u32, u64)> {
    let entries = follower.snapshot().iter();
    let mut known: HashMap<u32, (u32, u64)> =
        entries.map(|(_, device)| (device.number, (device.state, device.version()))).collect();
    let mut last = 0;
    while let Some(delivery) = follower.recv() {
        if delivery.downcast_ref::<SubscriptionChange>().is_some() {
            continue;
        }
        assert!(!matches!(delivery, Delivery::Lagged(_)), "the ring is large enough");
        let update = delivery.downcast_ref::<CacheUpdate<Device>>().unwrap();
        assert!(update.version > last, "in order");
        last = update.version;
        // What it was is what we have: nothing is missing, and nothing comes twice.
        let old = update.old.as_ref().map(|old| (old.state, old.version()));
        assert_eq!(known.get(&update.key).copied(), old, "version {}", update.version);
        match &update.new {
            Some(new) => drop(known.insert(update.key, (new.state, new.version()))),
            None => drop(known.remove(&update.key)),
        }
    }
    known
}

#[test]
fn a_follower_gets_the_state_and_every_change_after_it_without_gap_or_duplicate() {
    for seed in 0..20u64 {
        let bus = bus();
        let (topic, cache) = cached(&bus);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let stopping = Stopping(&stop);
            for writer in 0..2u64 {
                let (topic, stop) = (&topic, &stop);
                scope.spawn(move || {
                    let mut random = fastrand::Rng::with_seed(seed * 2 + writer);
                    while !stop.load(Ordering::Relaxed) {
                        // Many keys at times, so that cleared entries are swept away meanwhile.
                        let number = random.u32(0..if seed % 2 == 0 { 20 } else { 5_000 });
                        if random.u8(0..3) == 0 {
                            topic.publish(Clear::<Device>(number));
                        } else {
                            topic.publish(Device { number, state: random.u32(0..3) });
                        }
                    }
                });
            }
            let followers: Vec<_> = (0..20)
                .map(|_| {
                    thread::yield_now();
                    cache.subscribe_with_snapshot(|with| {
                        with.overflow(Overflow::Spill { limit: usize::MAX })
                    })
                })
                .collect();
            drop(stopping);
            for follower in followers {
                let mut follower = follower.unwrap();
                // Ends after what has happened until now: the writers may still be at their last.
                follower.unsubscribe();
                play(&mut follower);
            }
        });
        let mut last = cache.subscribe_with_snapshot(|with| with).unwrap();
        last.unsubscribe();
        let known = play(&mut last);
        let dump: HashMap<_, _> =
            cache.dump().iter().map(|d| (d.number, (d.state, d.version()))).collect();
        assert_eq!(known, dump, "seed {seed}");
    }
}

#[test]
fn publish_sync_returns_when_one_subscription_has_processed_the_message() {
    use std::sync::atomic::AtomicU32;
    use std::sync::{Arc, mpsc};
    let bus = bus();
    let topic = bus.topic("t");
    let last = Arc::new(AtomicU32::new(0));
    let kept = last.clone();
    let (send, own) = mpsc::channel::<(Topic, Arc<stasis_bus::Subscription>)>();
    let (report, outcome) = mpsc::channel();
    let subscription = topic
        .subscribe()
        .accept::<u32>()
        .callback(move |delivery| {
            if let Some(number) = delivery.downcast_ref::<u32>() {
                thread::sleep(std::time::Duration::from_micros(200));
                kept.store(*number, Ordering::SeqCst);
                if *number == 101 {
                    let (topic, me) = own.recv().unwrap();
                    report.send(topic.publish_sync(102u32, &me)).unwrap();
                }
            }
        })
        .unwrap();
    let subscription = Arc::new(subscription);
    for number in 1..=100u32 {
        assert_eq!(topic.publish_sync(number, &subscription), Ok(1));
        assert_eq!(last.load(Ordering::SeqCst), number);
    }
    send.send((topic.clone(), subscription.clone())).unwrap();
    topic.publish(101u32);
    assert_eq!(outcome.recv().unwrap(), Err(stasis_bus::SyncError::OwnCallback));
    subscription.join().unwrap();
    assert_eq!(topic.publish_sync(103u32, &subscription), Ok(0), "it is not waited for any more");
}
