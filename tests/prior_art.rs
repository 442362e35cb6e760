//! What users of Asterisk's bus complain of, and that it cannot happen here.
//!
//! Each test is named by the complaint and links to it; the reports are their authors' claims.

mod common {
    pub mod alloc;
    mod ends;
    pub use ends::ends;
}

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::thread;
use std::time::Duration;

use common::alloc::{calls_during, live_bytes};
use common::ends;
use stasis_bus::{Bus, Delivery, Message, Overflow, Settings, Stamp, Subscription, Topic, ring};

/// The tests count threads and memory of the process: one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn bus(workers: usize) -> Bus {
    Bus::new(Settings { workers, ..Settings::default() }).unwrap()
}

/// Counts its instances.
struct Counted<T> {
    value: T,
    live: Arc<AtomicI64>,
}

impl<T> Counted<T> {
    fn new(value: T, live: &Arc<AtomicI64>) -> Self {
        live.fetch_add(1, Relaxed);
        Counted { value, live: live.clone() }
    }
}

impl<T> Drop for Counted<T> {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Relaxed);
    }
}

/// A burst of device states: "queue reached 500 scheduled tasks", and no limit to it.
/// <https://github.com/asterisk/asterisk/issues/1972>,
/// <https://github.com/asterisk/asterisk/issues/1961>
///
/// Here: with one key a device, a slow callback is given each device's latest state once.
#[test]
fn complaint_1_a_burst_of_device_states_fills_the_queues() {
    const DEVICES: u32 = 50;
    const UPDATES: u32 = 100_000;
    const RING: i64 = 64;
    let _alone = alone();
    ends(|| {
        let bus = bus(2);
        let topic = bus.topic("devicestate:all");
        let (deliveries, live) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicI64::new(0)));
        let latest = Arc::new(Mutex::new(HashMap::new()));
        let handler = {
            let (deliveries, latest) = (deliveries.clone(), latest.clone());
            move |delivery: Delivery| {
                if let Some(state) = delivery.downcast_ref::<Counted<(u32, u32)>>() {
                    deliveries.fetch_add(1, Relaxed);
                    let (device, number) = state.value;
                    latest.lock().unwrap().insert(device, number);
                    thread::sleep(Duration::from_millis(1));
                }
            }
        };
        let by_device = Overflow::conflate(|message: &Message| {
            message.downcast_ref::<Counted<(u32, u32)>>().map(|state| state.value.0)
        });
        let subscription = topic
            .subscribe()
            .accept::<Counted<(u32, u32)>>()
            .capacity(RING as usize)
            .overflow(by_device)
            .callback(handler)
            .unwrap();
        let mut most = 0;
        for number in 0..UPDATES {
            topic.publish(Counted::new((number % DEVICES, number), &live));
            most = most.max(live.load(Relaxed));
        }
        let during = deliveries.load(Relaxed);
        subscription.join().unwrap();
        let after = deliveries.load(Relaxed) - during;
        println!("{during} deliveries while it ran, {after} after it, {most} messages at most");
        // One a device; one may have been on its way when we counted.
        assert!(after <= u64::from(DEVICES) + 1);
        // What is pending, a ring of what is not yet conflated, and those in somebody's hands.
        assert!(most <= i64::from(DEVICES) + RING + 3, "{most} messages at a time");
        let stats = subscription.stats();
        assert_eq!(stats.dropped.total(), 0);
        assert_eq!(stats.delivered + stats.conflated, u64::from(UPDATES) + 2);
        let last = (0..DEVICES).map(|device| (device, UPDATES - DEVICES + device));
        assert_eq!(*latest.lock().unwrap(), last.collect::<HashMap<_, _>>());
        assert_eq!(live.load(Relaxed), 0);
    });
}

/// 185,000 messages queued up while one subscriber ran a slow command.
/// <https://github.com/asterisk/asterisk/issues/1215>
///
/// Here: a subscriber that stalls for good costs its ring, its neighbours get everything, and how
/// far behind it is can be read.
#[test]
fn complaint_2_the_backlog_of_a_stalled_subscriber_grows_without_limit() {
    const MESSAGES: u64 = 185_000;
    const RING: u64 = 1_024;
    let _alone = alone();
    ends(|| {
        let bus = bus(4);
        let topic = bus.topic("devicestate:all");
        let live = Arc::new(AtomicI64::new(0));
        let number = |delivery: &Delivery| {
            delivery.downcast_ref::<Counted<u64>>().map(|message| message.value)
        };
        let stall = |overflow: Overflow| {
            let (arrive, arrived) = mpsc::channel();
            let (go, may_go) = mpsc::channel::<()>();
            let handler = move |delivery: Delivery| {
                if number(&delivery) == Some(0) {
                    drop(delivery);
                    arrive.send(()).unwrap();
                    let _ = may_go.recv();
                }
            };
            let subscribe = topic.subscribe().accept::<Counted<u64>>().capacity(RING as usize);
            let subscription = subscribe.overflow(overflow).callback(handler).unwrap();
            (subscription, arrived, go)
        };
        let stalled = [
            stall(Overflow::DropNewest),
            stall(Overflow::DropOldest),
            stall(Overflow::Spill { limit: RING as usize }),
        ];
        let (heard, hears) = mpsc::channel();
        let mut next = 0;
        let neighbour = topic
            .subscribe()
            .accept::<Counted<u64>>()
            .overflow(Overflow::Spill { limit: usize::MAX })
            .callback(move |delivery| {
                if let Some(number) = number(&delivery) {
                    assert_eq!(number, next, "in order, without a gap");
                    next += 1;
                    if next % RING == 0 || next == MESSAGES {
                        heard.send(next).unwrap();
                    }
                }
            })
            .unwrap();
        topic.publish(Counted::new(0u64, &live));
        stalled.iter().for_each(|(_, arrived, _)| arrived.recv().unwrap());
        // In step with the neighbour, so that what is alive is what the stalled ones hold.
        let mut most = 0;
        for number in 1..MESSAGES {
            assert!(topic.publish(Counted::new(number, &live)) >= 1);
            most = most.max(live.load(Relaxed));
            if (number + 1) % RING == 0 || number + 1 == MESSAGES {
                assert_eq!(hears.recv(), Ok(number + 1));
            }
        }
        // Two rings' worth behind the spilling one's, one each for the others and the neighbour.
        assert!(most <= 5 * RING as i64 + 8, "{most} messages at a time");
        for (subscription, ..) in &stalled {
            let stats = subscription.stats();
            println!("{stats:?}, {} behind", stats.pending());
            assert!((RING..=2 * RING).contains(&stats.pending()));
            assert_eq!(stats.dropped.total() + stats.enqueued, MESSAGES + 1, "with its Subscribe");
        }
        neighbour.join().unwrap();
        assert_eq!(neighbour.stats().dropped.total(), 0);
        assert_eq!(neighbour.stats().delivered, MESSAGES + 2);
        drop((stalled, neighbour, topic, bus));
        assert_eq!(live.load(Relaxed), 0);
    });
}

/// Threads of this process, and those of them that are a bus's workers.
#[cfg(target_os = "linux")]
fn threads() -> (usize, usize) {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.map(|task| std::fs::read_to_string(task.path().join("comm")));
    let names: Vec<_> = names.flatten().collect();
    (names.len(), names.iter().filter(|name| name.starts_with("bus-")).count())
}

/// 53,212 task processors after a migration, one for each endpoint's topic.
/// <https://github.com/asterisk/asterisk/issues/454>
///
/// Here: no thread for a topic or a subscription, and little memory. The wish is below 1 KiB for
/// an idle topic and its subscription, beside the ring; what is asserted leaves room for growth.
#[test]
fn complaint_3_a_task_processor_for_every_endpoint() {
    const TOPICS: usize = 20_000;
    const IDLE: usize = 100_000;
    const MOST_A_TOPIC: i64 = 2_048;
    const MOST_WITH_SUBSCRIPTION: i64 = 4_096;
    let _alone = alone();
    ends(|| {
        let bus = Bus::new(Settings { workers: 2, max_workers: 4, ..Settings::default() }).unwrap();
        #[cfg(target_os = "linux")]
        let (before, _) = threads();

        let bytes = live_bytes();
        let idle: Vec<_> = (0..IDLE).map(|n| bus.topic(&format!("endpoint:{n}"))).collect();
        let a_topic = (live_bytes() - bytes) / IDLE as i64;

        let bytes = live_bytes();
        let a_ring = ring::ring::<Message>(2);
        let ring_bytes = live_bytes() - bytes;
        drop(a_ring);

        let started = Arc::new(AtomicU64::new(0));
        let bytes = live_bytes();
        let subscribed: Vec<(Topic, Subscription)> = (0..TOPICS)
            .map(|n| {
                let topic = bus.topic(&format!("channel:{n}"));
                let started = started.clone();
                let handler = move |_| {
                    started.fetch_add(1, Relaxed);
                };
                let subscription = topic.subscribe().capacity(2).callback(handler).unwrap();
                (topic, subscription)
            })
            .collect();
        while started.load(Relaxed) < TOPICS as u64 {
            thread::yield_now(); // each is given its first message
        }
        let both = (live_bytes() - bytes) / TOPICS as i64 - ring_bytes;
        println!("{a_topic} B a topic; {both} B with a subscription, and {ring_bytes} B a ring");
        assert!(a_topic < MOST_A_TOPIC);
        assert!(both < MOST_WITH_SUBSCRIPTION);

        #[cfg(target_os = "linux")]
        {
            let (after, workers) = threads();
            assert!(after <= before + 4, "{before} threads before, {after} after");
            // Two, what a slow machine has added, the watcher; one of a test before may be leaving.
            assert!(workers <= 6, "{workers} workers");
        }
        // And all of them work.
        subscribed.iter().for_each(|(topic, _)| assert_eq!(topic.publish(1u8), 1));
        subscribed.iter().for_each(|(_, subscription)| subscription.join().unwrap());
        assert_eq!(started.load(Relaxed), 3 * TOPICS as u64);
        assert_eq!(idle.len(), IDLE);
    });
}

/// Setting channel variables gets slower the more there are, since each is a message that is built
/// for nobody. <https://github.com/asterisk/asterisk/issues/1319>
///
/// Here: what nobody accepts is not built, whoever else listens.
#[test]
fn complaint_4_messages_are_built_that_nobody_wants() {
    const PUBLISHES: u32 = 1_000;
    let _alone = alone();
    ends(|| {
        for others in [0, 1, 1_000] {
            let bus = bus(1);
            let (one, all) = (bus.topic("channel:1"), bus.topic("channel:all"));
            let _forward = one.forward_to(&all).unwrap();
            let subscriptions: Vec<_> = (0..others)
                .map(|n| [&one, &all][n % 2].subscribe().accept::<u8>().capacity(2).pull().unwrap())
                .collect();
            let mut publisher = bus.rt_publisher(2);
            assert_eq!(one.publish([0u64; 7]), 0); // arc-swap prepares the thread
            let calls = calls_during(|| {
                for _ in 0..PUBLISHES {
                    assert_eq!(black_box(&one).publish([0u64; 7]), 0);
                    assert_eq!(publisher.publish(black_box(&one), Stamp::ZERO, [0u64; 7]), 0);
                }
            });
            assert_eq!(calls, 0, "with {others} that accept other types");
            let offered = subscriptions.iter().map(|events| events.stats().enqueued).sum::<u64>();
            assert_eq!(offered, 0, "it never came to their rings");
        }
    });
}

/// The manager interface's one subscription was blocked, and with it everybody behind it.
/// <https://www.asterisk.org/the-case-of-the-blocked-ami-stasis-subscription/>
///
/// Here: a callback that is stuck holds up nobody else on its topic.
#[test]
fn complaint_5_one_blocked_subscription_blocks_the_others() {
    const MESSAGES: u32 = 10_000;
    let _alone = alone();
    ends(|| {
        let bus = bus(2);
        let topic = bus.topic("ami");
        let (go, may_go) = mpsc::channel::<()>();
        let (arrive, arrived) = mpsc::channel();
        let blocked = topic
            .subscribe()
            .accept::<u32>()
            .capacity(16)
            .callback(move |delivery| {
                if delivery.downcast_ref() == Some(&0u32) {
                    arrive.send(()).unwrap();
                    may_go.recv().unwrap();
                }
            })
            .unwrap();
        topic.publish(0u32);
        arrived.recv().unwrap();
        let others: Vec<_> = (0..3)
            .map(|_| {
                let subscribe = topic.subscribe().accept::<u32>().capacity(MESSAGES as usize);
                let (seen, sees) = mpsc::channel();
                let handler = move |delivery: Delivery| {
                    delivery.downcast_ref().into_iter().for_each(|n: &u32| seen.send(*n).unwrap());
                };
                (subscribe.callback(handler).unwrap(), sees)
            })
            .collect();
        (1..=MESSAGES).for_each(|number| assert!(topic.publish(number) >= 3));
        for (subscription, sees) in others {
            subscription.join().unwrap();
            assert_eq!(sees.iter().collect::<Vec<_>>(), (1..=MESSAGES).collect::<Vec<_>>());
        }
        assert_eq!(blocked.stats().delivered, 2, "it is in there still");
        assert_eq!(blocked.stats().pending(), 16);
        go.send(()).unwrap();
        blocked.join().unwrap();
    });
}

/// A deadlock at 100 calls a minute: one thread held a channel and wanted the container of
/// channels, another the other way round. <https://github.com/asterisk/asterisk/issues/1962>
///
/// Here: no lock is held across a callback, so callbacks may do anything to each other's topics.
#[test]
fn complaint_7_callbacks_that_use_each_others_topics_deadlock() {
    const TOPICS: usize = 4;
    const THREADS: usize = 4;
    const ROUNDS: usize = 300;
    /// A message, and how many more it may set off.
    #[derive(Clone, Copy)]
    struct Touch(u8);

    let _alone = alone();
    ends(|| {
        let bus = bus(3);
        let topics: Arc<[Topic]> = (0..TOPICS).map(|n| bus.topic(&n.to_string())).collect();
        let touched = Arc::new(AtomicU64::new(0));
        let handler = |own: usize, n: usize| {
            let (topics, touched) = (topics.clone(), touched.clone());
            let mut kept = None;
            move |delivery: Delivery| {
                let Some(&Touch(more)) = delivery.downcast_ref() else { return };
                let round = touched.fetch_add(1, Relaxed) as usize;
                let other = &topics[(own + 1 + round % (TOPICS - 1)) % TOPICS];
                if more == 0 {
                    return;
                }
                match (n + round) % 4 {
                    0 => drop(other.subscribe().callback(|_| ()).unwrap()),
                    1 => kept = other.subscribe().capacity(4).callback(|_| ()).ok(),
                    2 => drop(topics[own].forward_to(other)),
                    _ => drop(kept.take()),
                }
                other.publish(Touch(more - 1));
            }
        };
        let policies = || {
            let by_number = |message: &Message| message.downcast_ref().map(|Touch(more)| *more);
            [
                Overflow::DropNewest,
                Overflow::DropOldest,
                Overflow::Block,
                Overflow::Spill { limit: 64 },
                Overflow::conflate(by_number),
            ]
        };
        let mut subscriptions = Vec::new();
        for own in 0..TOPICS {
            for (n, overflow) in policies().into_iter().enumerate() {
                let subscribe = topics[own].subscribe().capacity(8).overflow(overflow);
                subscriptions.push(subscribe.callback(handler(own, n)).unwrap());
            }
        }
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let topics = &topics;
                scope.spawn(move || {
                    for round in 0..ROUNDS {
                        let topic = &topics[(thread + round) % TOPICS];
                        topic.publish(Touch(2));
                        if round % 8 == 0 {
                            drop(topic.subscribe().callback(|_| ()).unwrap());
                            drop(topic.forward_to(&topics[thread % TOPICS]));
                        }
                    }
                });
            }
        });
        for subscription in &subscriptions {
            subscription.join().unwrap();
            let stats = subscription.stats();
            assert_eq!(stats.pending(), 0);
        }
        assert!(touched.load(Relaxed) > 0);
    });
}

/// A deadlock at start: the lock of the topic pool against that of a topic.
/// <https://github.com/asterisk/asterisk/issues/1611>
///
/// Here: topics are looked up, made, forwarded and dropped from everywhere, crosswise.
#[test]
fn complaint_9_making_topics_and_forwarding_them_deadlocks() {
    const NAMES: usize = 6;
    const THREADS: usize = 4;
    const ROUNDS: usize = 2_000;
    let _alone = alone();
    ends(|| {
        let bus = bus(2);
        let all = bus.topic("pool:all");
        let mut events = all.subscribe().accept::<usize>().capacity(64).pull().unwrap();
        let sent = AtomicU64::new(0);
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (bus, all, sent) = (&bus, &all, &sent);
                scope.spawn(move || {
                    let mut publisher = bus.rt_publisher(256);
                    for round in 0..ROUNDS {
                        // Half of them the one way, half of them the other.
                        let (one, two) = (round % NAMES, (round / NAMES + 1) % NAMES);
                        let names = if thread % 2 == 0 { (one, two) } else { (two, one) };
                        let from = bus.topic(&format!("pool:{}", names.0));
                        let to = bus.topic(&format!("pool:{}", names.1));
                        let across = from.forward_to(&to); // a circle sometimes
                        let up = from.forward_to(all).unwrap();
                        let taken =
                            from.publish(round) + publisher.publish(&to, Stamp::ZERO, round);
                        sent.fetch_add(taken as u64, Relaxed);
                        if round % 3 == 0 {
                            drop(from);
                        }
                        drop((across, to, up));
                    }
                });
            }
        });
        events.unsubscribe();
        let mut deliveries = events.iter();
        assert!(deliveries.next().is_some_and(|first| first.message().is_some()));
        assert!(deliveries.count() > 1);
        assert_eq!(events.stats().enqueued, sent.load(Relaxed) + 2);
        drop((events, all));
        let name = "pool:0";
        let id = bus.topic(name).id();
        assert_ne!(bus.topic(name).id(), id, "nothing keeps it");
    });
}
