//! What happens when a ring is full, policy by policy, and that neighbours do not notice.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use stasis_bus::{
    Bus, Delivery, Overflow, PullSubscription, Settings, Stamp, SubscriptionStats, Topic,
};

fn bus() -> Bus {
    Bus::new(Settings::default()).unwrap()
}

fn with(topic: &Topic, capacity: usize, overflow: Overflow) -> PullSubscription {
    topic.subscribe().accept::<u32>().capacity(capacity).overflow(overflow).pull().unwrap()
}

/// Numbers as they are; losses as negative numbers.
fn rest(events: &mut PullSubscription) -> Vec<i64> {
    events.unsubscribe();
    events.iter().filter_map(word).collect()
}

fn word(delivery: Delivery) -> Option<i64> {
    match delivery {
        Delivery::Lagged(missed) => Some(-(missed as i64)),
        Delivery::Message(message) => message.downcast_ref::<u32>().map(|n| i64::from(*n)),
    }
}

fn publish(topic: &Topic, numbers: std::ops::Range<u32>) {
    numbers.for_each(|number| assert!(topic.publish(number) <= 8));
}

/// By the hundreds: the key of a number.
fn by_hundreds() -> Overflow {
    Overflow::conflate(|message| message.downcast_ref::<u32>().map(|number| number / 100))
}

fn assert_balanced(stats: &SubscriptionStats, offered: u64) {
    assert_eq!(stats.enqueued, stats.delivered + stats.pending());
    assert_eq!(stats.enqueued + stats.conflated + stats.dropped.total(), offered, "{stats:?}");
}

#[test]
fn the_oldest_make_room_and_the_gap_is_told_before_the_first_that_is_left() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = with(&topic, 4, Overflow::DropOldest);
    let mut neighbour = with(&topic, 64, Overflow::DropNewest);
    publish(&topic, 0..10);
    let stats = events.stats();
    assert_eq!((stats.dropped.evicted, stats.dropped.full, stats.pending()), (6, 0, 4));
    assert_eq!(rest(&mut events), [-6, 6, 7, 8, 9]);
    assert_balanced(&events.stats(), 12);
    assert_eq!(rest(&mut neighbour), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_real_time_publisher_evicts_too_and_what_it_evicts_is_dropped_by_a_worker() {
    let bus = bus();
    let topic = bus.topic("t");
    let value = Arc::new(());
    let mut events = topic
        .subscribe()
        .accept::<u32>()
        .accept::<Arc<()>>()
        .capacity(4)
        .overflow(Overflow::DropOldest)
        .pull()
        .unwrap();
    (0..4).for_each(|_| assert_eq!(topic.publish(value.clone()), 1));
    assert_eq!(Arc::strong_count(&value), 5, "four are in the ring");
    let mut publisher = bus.rt_publisher(16);
    (0..8u32).for_each(|number| assert_eq!(publisher.publish(&topic, Stamp::ZERO, number), 1));
    publisher.ring_bell();
    let deadline = bus.now() + Duration::from_secs(10);
    while Arc::strong_count(&value) > 1 && bus.now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(Arc::strong_count(&value), 1);
    assert_eq!(rest(&mut events), [-8, 4, 5, 6, 7]);
}

#[test]
fn a_storm_of_updates_to_one_key_is_one_delivery_in_the_place_of_the_oldest() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = with(&topic, 4, by_hundreds());
    publish(&topic, 100..101);
    publish(&topic, 200..201);
    publish(&topic, 101..200);
    publish(&topic, 201..300);
    publish(&topic, 300..301);
    assert_eq!(rest(&mut events), [199, 299, 300]);
    let stats = events.stats();
    assert_eq!((stats.conflated, stats.dropped.total()), (198, 0));
    assert_balanced(&stats, 203);
    // Delivered once, a key is pending anew.
    let mut events = with(&topic, 4, by_hundreds());
    publish(&topic, 1..3);
    assert_eq!((word(events.recv().unwrap()), word(events.recv().unwrap())), (None, Some(2)));
    publish(&topic, 3..5);
    assert_eq!(rest(&mut events), [4]);
}

#[test]
fn updates_are_conflated_while_a_callback_is_stuck() {
    let bus = bus();
    let topic = bus.topic("t");
    let (stick, stuck) = mpsc::channel::<()>();
    let (arrived, arrives) = mpsc::channel();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let subscription = topic
        .subscribe()
        .accept::<u32>()
        .capacity(1_024)
        .overflow(by_hundreds())
        .callback(move |delivery| {
            if let Some(number) = word(delivery) {
                kept.lock().unwrap().push(number);
                if number == 1 {
                    arrived.send(()).unwrap();
                    stuck.recv().unwrap();
                }
            }
        })
        .unwrap();
    publish(&topic, 1..2);
    arrives.recv().unwrap();
    // Real-time publishers cannot help with the moving: a worker does, while the other is stuck.
    let mut publisher = bus.rt_publisher(1_024);
    for number in 100..1_000u32 {
        assert_eq!(publisher.publish(&topic, Stamp::ZERO, number), 1);
    }
    publisher.ring_bell();
    let deadline = bus.now() + Duration::from_secs(10);
    while subscription.stats().pending() > 9 && bus.now() < deadline {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(subscription.stats().pending(), 9, "one a key, while the callback is stuck");
    stick.send(()).unwrap();
    subscription.join().unwrap();
    assert_eq!(*seen.lock().unwrap(), [1, 199, 299, 399, 499, 599, 699, 799, 899, 999]);
    assert_eq!(subscription.stats().conflated, 891);
}

#[test]
fn what_spills_is_kept_in_order_up_to_the_limit() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut all = with(&topic, 4, Overflow::Spill { limit: 100_000 });
    let mut some = with(&topic, 4, Overflow::Spill { limit: 8 });
    publish(&topic, 0..10_000);
    assert_eq!(rest(&mut all), (0..10_000).collect::<Vec<_>>());
    let stats = some.stats();
    assert_balanced(&stats, 10_000);
    let numbers = rest(&mut some);
    let told: i64 = numbers.iter().filter(|number| **number < 0).sum();
    assert_eq!(-told as u64, some.stats().dropped.full);
    assert_eq!(numbers[..8], [0, 1, 2, 3, 4, 5, 6, 7]);
    assert!(some.stats().dropped.full > 9_900);
}

#[test]
fn a_publisher_waits_for_a_subscription_that_blocks_and_goes_on_when_it_ends() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = with(&topic, 4, Overflow::Block);
    let done = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0..1_000u32 {
                topic.publish(number);
                done.fetch_add(1, Ordering::SeqCst);
            }
        });
        let mut numbers = Vec::new();
        while numbers.len() < 500 {
            numbers.extend(word(events.recv().unwrap()));
            assert!(done.load(Ordering::SeqCst) <= numbers.len() as u64 + 4);
        }
        assert_eq!(numbers, (0..500).collect::<Vec<_>>());
        thread::sleep(Duration::from_millis(5));
        events.unsubscribe(); // wakes who waits
    });
    assert_eq!(done.load(Ordering::SeqCst), 1_000);
    assert_eq!(events.stats().dropped.total(), 0);
}

#[test]
fn inside_a_callback_a_publish_does_not_wait_but_says_so() {
    let bus = bus();
    let (topic, ask) = (bus.topic("t"), bus.topic("ask"));
    let mut events = with(&topic, 2, Overflow::Block);
    let (report, outcome) = mpsc::channel();
    let publishes = topic.clone();
    let _asks = ask
        .subscribe()
        .accept::<u32>()
        .callback(move |delivery| {
            if let Some(number) = delivery.downcast_ref::<u32>() {
                report.send(publishes.try_publish(*number)).unwrap();
            }
        })
        .unwrap();
    publish(&ask, 0..4);
    assert_eq!(outcome.recv().unwrap(), Ok(1));
    assert_eq!(outcome.recv().unwrap(), Ok(1));
    for _ in 2..4 {
        let error = outcome.recv().unwrap().unwrap_err();
        assert_eq!((error.taken, error.subscription), (0, events.id()));
    }
    assert_eq!(events.stats().dropped.blocked, 2);
    assert_eq!(rest(&mut events), [0, 1, -2]);
}

#[test]
fn a_real_time_publisher_never_waits_whatever_the_policy() {
    let bus = bus();
    let topic = bus.topic("t");
    let policies = [Overflow::Block, Overflow::Spill { limit: 100 }, by_hundreds()];
    let mut all: Vec<_> = policies.into_iter().map(|policy| with(&topic, 4, policy)).collect();
    let mut publisher = bus.rt_publisher(64);
    for number in 0..20u32 {
        publisher.publish(&topic, Stamp::ZERO, number);
    }
    for events in &mut all {
        let offered = events.stats();
        assert_balanced(&offered, 20);
        let told: i64 = rest(events).into_iter().filter(|number| *number < 0).sum();
        assert_eq!(-told as u64, offered.dropped.total());
    }
}

#[test]
fn all_policies_on_one_topic_under_a_storm_lose_nothing_uncounted_and_keep_the_order() {
    const PUBLISHERS: u32 = 3;
    const EACH: u32 = 5_000;
    let bus = bus();
    let topic = bus.topic("t");
    let policies = [
        Overflow::DropNewest,
        Overflow::DropOldest,
        Overflow::Block,
        Overflow::Spill { limit: usize::MAX },
        Overflow::Spill { limit: 100 },
        Overflow::conflate(|message| message.downcast_ref::<u32>().map(|number| number % 7)),
    ];
    let subscriptions: Vec<_> = policies
        .into_iter()
        .map(|overflow| {
            let seen = Arc::new(Mutex::new((vec![None; PUBLISHERS as usize], 0u64, 0u64)));
            let kept = seen.clone();
            let conflates = matches!(overflow, Overflow::Conflate(_));
            let handler = move |delivery: Delivery| {
                let (last, got, lost) = &mut *kept.lock().unwrap();
                match delivery {
                    Delivery::Lagged(missed) => *lost += missed,
                    Delivery::Message(message) => {
                        if let Some(number) = message.downcast_ref::<u32>() {
                            let (publisher, number) = (number % PUBLISHERS, number / PUBLISHERS);
                            let last = &mut last[publisher as usize];
                            assert!(conflates || *last < Some(number), "out of order");
                            *last = Some(number);
                            *got += 1;
                        }
                    }
                }
            };
            let subscribe = topic.subscribe().accept::<u32>().capacity(16).overflow(overflow);
            (subscribe.callback(handler).unwrap(), seen)
        })
        .collect();
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let topic = &topic;
            scope.spawn(move || {
                for number in 0..EACH {
                    topic.publish(number * PUBLISHERS + publisher);
                    topic.publish("nobody accepts this");
                }
            });
        }
    });
    let published = u64::from(PUBLISHERS * EACH);
    let others = subscriptions.len() as u64 - 1;
    for (n, (subscription, seen)) in subscriptions.into_iter().enumerate() {
        assert_eq!(subscription.join(), Ok(()), "policy {n}");
        let stats = subscription.stats();
        let (_, got, lost) = &*seen.lock().unwrap();
        assert_balanced(&stats, published + 2);
        // The texts, and that each of the others came after it or left before it.
        assert_eq!(stats.filtered, published + others, "policy {n}: {stats:?}");
        assert_eq!(*lost, stats.dropped.total(), "policy {n}: {stats:?}");
        assert_eq!(*got + 2, stats.delivered, "policy {n}: {stats:?}");
        if n == 2 || n == 3 || n == 5 {
            assert_eq!(stats.dropped.total(), 0, "policy {n} loses nothing");
        }
    }
}
