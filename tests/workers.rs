//! Workers never wait for a subscription: whatever runs on them, all others get their turn. The pool
//! grows when callbacks are stuck, shrinks when it has nothing to do, and loses no wake-up by either.

mod common {
    mod ends;
    pub use ends::ends;
}

use std::cell::RefCell;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use common::ends;
use stasis_bus::{
    Bus, CONGESTION_TOPIC, Congestion, Delivery, JoinError, Overflow, Settings, Stamp,
    Subscription, Topic,
};

fn bus() -> Bus {
    Bus::new(Settings { workers: 1, max_workers: 1, ..Settings::default() }).unwrap()
}

/// A callback that counts numbers; it blocks its publishers and has room for two.
fn blocking(topic: &Topic) -> (Subscription, mpsc::Receiver<u32>) {
    let (seen, sees) = mpsc::channel();
    let handler = move |delivery: Delivery| {
        delivery.downcast_ref::<u32>().into_iter().for_each(|n| seen.send(*n).unwrap());
    };
    let subscribe = topic.subscribe().capacity(2).overflow(Overflow::Block);
    (subscribe.callback(handler).unwrap(), sees)
}

/// A callback that says when it got something, and then waits until it may go on; then it ends as
/// `end` has it.
fn gate(topic: &Topic, mut end: impl FnMut() + Send + 'static) -> (Subscription, impl FnOnce()) {
    let (arrive, arrived) = mpsc::channel();
    let (go, may_go) = mpsc::channel::<()>();
    let handler = move |delivery: Delivery| {
        if delivery.downcast_ref::<&str>().is_some() {
            arrive.send(()).unwrap();
            may_go.recv().unwrap();
            end();
        }
    };
    let subscription = topic.subscribe().accept::<&str>().callback(handler).unwrap();
    topic.publish("stop here");
    arrived.recv().unwrap();
    (subscription, move || go.send(()).unwrap())
}

#[test]
fn a_callback_that_panics_is_not_held_up_by_a_subscription_that_is_full() {
    ends(|| {
        let bus = bus();
        let topic = bus.topic("t");
        let (bad, go) = gate(&topic, || panic!("on purpose"));
        // The only worker is in the callback: nobody empties this one.
        let (full, seen) = blocking(&topic);
        (0..2u32).for_each(|number| assert_eq!(topic.publish(number), 1));
        // Its end is told to the full one, too, by this very worker.
        go();
        assert_eq!((seen.recv(), seen.recv()), (Ok(0), Ok(1)));
        assert_eq!(bad.join(), Err(JoinError::Panicked));
        full.join().unwrap();
        assert_eq!(full.stats().dropped.blocked, 1);
    });
}

/// Publishes when it is dropped.
struct LastWords(Topic);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.publish(2u32);
    }
}

#[test]
fn what_a_callback_owned_may_publish_in_its_drop() {
    ends(|| {
        let bus = bus();
        let (topic, other) = (bus.topic("t"), bus.topic("other"));
        let words = LastWords(topic.clone());
        let (quiet, go) = gate(&other, move || _ = &words);
        let (full, seen) = blocking(&topic);
        (0..2u32).for_each(|number| assert_eq!(topic.publish(number), 1));
        quiet.unsubscribe();
        go();
        assert_eq!((seen.recv(), seen.recv()), (Ok(0), Ok(1)));
        quiet.join().unwrap();
        assert_eq!(full.stats().dropped.blocked, 1);
        full.join().unwrap();
    });
}

#[test]
fn what_a_callback_owned_may_not_join_its_subscription_in_its_drop() {
    struct Joins(mpsc::Receiver<Subscription>, mpsc::Sender<Result<(), JoinError>>);
    impl Drop for Joins {
        fn drop(&mut self) {
            let subscription = self.0.recv().unwrap();
            self.1.send(subscription.join()).unwrap();
        }
    }
    ends(|| {
        let bus = bus();
        let (send, receive) = mpsc::channel();
        let (report, outcome) = mpsc::channel();
        let joins = Joins(receive, report);
        let subscription = bus.topic("t").subscribe().callback(move |_| _ = &joins).unwrap();
        subscription.unsubscribe();
        send.send(subscription).unwrap();
        assert_eq!(outcome.recv(), Ok(Err(JoinError::OwnCallback)));
    });
}

#[test]
fn a_message_may_publish_when_a_worker_drops_it() {
    ends(|| {
        let bus = bus();
        let (topic, other) = (bus.topic("t"), bus.topic("other"));
        let evicting = other.subscribe().capacity(2).overflow(Overflow::DropOldest);
        let _evicting = evicting.pull().unwrap();
        let (full, seen) = blocking(&topic);
        // The worker is kept until the rings are as they have to be.
        let stop = bus.topic("stop");
        let (_gate, go) = gate(&stop, || ());
        (0..2u32).for_each(|number| assert_eq!(topic.publish(number), 1));
        other.publish(LastWords(topic));
        let mut publisher = bus.rt_publisher(4);
        (0..2).for_each(|_| assert_eq!(publisher.publish(&other, Stamp::ZERO, 'x'), 1));
        go();
        publisher.ring_bell();
        assert_eq!((seen.recv(), seen.recv()), (Ok(0), Ok(1)));
        drop(full);
    });
}

/// Long enough for anything that is to happen soon; a test that waits so long has failed.
const LONG: Duration = Duration::from_secs(60);

/// A bus of so many workers, that may become so many, and that leave when they were idle for so long.
fn growing(workers: usize, max_workers: usize, idle_ms: u64) -> Bus {
    let idle_timeout = Duration::from_millis(idle_ms);
    Bus::new(Settings { workers, max_workers, idle_timeout, ..Settings::default() }).unwrap()
}

/// Waits until `done`, for as long as the test may take.
fn wait_until(what: &str, done: impl Fn() -> bool) {
    let most = LONG.as_millis();
    if !(0..most).any(|_| done() || (thread::sleep(Duration::from_millis(1)), false).1) {
        panic!("never {what}");
    }
}

/// What threads of a bus keep until they end: how many clones there are is how many have not.
fn mark_this_thread(threads: &Arc<()>) {
    thread_local!(static MARK: RefCell<Option<Arc<()>>> = const { RefCell::new(None) });
    MARK.with_borrow_mut(|mark| _ = mark.get_or_insert_with(|| threads.clone()));
}

/// Callbacks that are stuck, each in its first number, until they are let go.
struct Stuck {
    subscriptions: Vec<Subscription>,
    /// On which threads.
    names: Vec<String>,
    go: Vec<mpsc::Sender<()>>,
    /// Those who have seen their end.
    ended: mpsc::Receiver<()>,
}

impl Stuck {
    fn new(bus: &Bus, count: usize, threads: &Arc<()>) -> Stuck {
        let topic = bus.topic("stuck");
        let (arrive, arrived) = mpsc::channel();
        let (end, ended) = mpsc::channel();
        let (mut go, mut subscriptions) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (let_go, may_go) = mpsc::channel::<()>();
            let (arrive, threads) = (arrive.clone(), threads.clone());
            let at_end = AtEnd(end.clone());
            let handler = move |delivery: Delivery| {
                let _ = &at_end;
                mark_this_thread(&threads);
                if delivery.downcast_ref::<u32>().is_some() {
                    arrive.send(thread::current().name().unwrap().to_string()).unwrap();
                    let _ = may_go.recv();
                }
            };
            subscriptions.push(topic.subscribe().callback(handler).unwrap());
            go.push(let_go);
        }
        assert_eq!(topic.publish(1u32), count);
        let patience = Duration::from_secs(30); // less than the watcher's longest sleep
        let names = (0..count).map(|_| arrived.recv_timeout(patience).unwrap()).collect();
        Stuck { subscriptions, names, go, ended }
    }
}

struct AtEnd(mpsc::Sender<()>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A subscription that sends on the numbers it gets.
fn echo(topic: &Topic) -> (Subscription, mpsc::Receiver<u32>) {
    let (seen, sees) = mpsc::channel();
    let handler = move |delivery: Delivery| {
        delivery.downcast_ref::<u32>().into_iter().for_each(|number| _ = seen.send(*number));
    };
    (topic.subscribe().accept::<u32>().callback(handler).unwrap(), sees)
}

#[test]
fn callbacks_that_are_stuck_change_nothing_for_a_neighbour() {
    const STUCK: usize = 9;
    ends(|| {
        for workers in 1..4 {
            let bus = growing(workers, STUCK + 1, 10_000);
            let stuck = Stuck::new(&bus, STUCK, &Arc::default());
            let topic = bus.topic("t");
            let (neighbour, seen) = echo(&topic);
            let mut publisher = bus.rt_publisher(1_000);
            for number in 0..100u32 {
                match number % 3 {
                    0 => assert_eq!(topic.publish(number), 1),
                    // Without a bell, and with one.
                    other => {
                        assert_eq!(publisher.publish(&topic, bus.now(), number), 1);
                        if other == 1 {
                            publisher.ring_bell();
                        }
                    }
                }
                if number % 10 < 5 {
                    assert_eq!(seen.recv_timeout(LONG), Ok(number), "in step");
                } else if number % 10 == 9 {
                    (number - 4..=number)
                        .for_each(|number| assert_eq!(seen.recv_timeout(LONG), Ok(number)));
                }
            }
            let pool = bus.statistics().workers;
            assert_eq!((pool.now, pool.most, pool.failed_starts), (STUCK + 1, STUCK + 1, 0));
            assert!(pool.busy >= STUCK, "{pool:?}");
            let printed = bus.statistics().to_string();
            assert!(printed.contains("10 workers"), "{printed}");
            // Each on a thread of its own, by number.
            let names: HashSet<_> = stuck.names.iter().cloned().collect();
            assert_eq!(names.len(), STUCK);
            let numbers = names.iter().map(|name| name.strip_prefix("bus-").unwrap().parse());
            numbers.for_each(|number: Result<usize, _>| assert!(number.unwrap() <= STUCK));
            drop(stuck.go);
            neighbour.join().unwrap();
            stuck.subscriptions.iter().for_each(|stuck| stuck.join().unwrap());
        }
    });
}

#[test]
fn only_a_real_time_publisher_without_a_bell_is_enough_for_the_pool_to_grow() {
    ends(|| {
        let bus = growing(1, 8, 10_000);
        let topic = bus.topic("t");
        let mut all = Vec::new();
        let (arrive, arrived) = mpsc::channel();
        for stuck in 0..5u32 {
            let (let_go, may_go) = mpsc::channel::<()>();
            let arrive = arrive.clone();
            let handler = move |delivery: Delivery| {
                if delivery.downcast_ref() == Some(&stuck) {
                    arrive.send(stuck).unwrap();
                    let _ = may_go.recv();
                }
            };
            all.push((topic.subscribe().accept::<u32>().callback(handler).unwrap(), let_go));
        }
        let mut publisher = bus.rt_publisher(64);
        for number in 0..5u32 {
            assert_eq!(publisher.publish(&topic, Stamp::ZERO, number), 5);
            assert_eq!(arrived.recv_timeout(LONG), Ok(number));
        }
        for (subscription, let_go) in all {
            drop(let_go);
            subscription.join().unwrap();
            assert_eq!(subscription.stats().delivered, 7);
        }
    });
}

#[test]
fn the_pool_shrinks_to_what_it_began_with_and_grows_again() {
    ends(|| {
        let bus = growing(2, 20, 20);
        for _ in 0..2 {
            let threads = Arc::new(());
            let stuck = Stuck::new(&bus, 7, &threads);
            assert!(bus.statistics().workers.now >= 7);
            drop(stuck.go);
            wait_until("two are left", || bus.statistics().workers.now == 2);
            let (neighbour, seen) = echo(&bus.topic("t"));
            bus.topic("t").publish(1u32);
            assert_eq!(seen.recv_timeout(LONG), Ok(1));
            neighbour.join().unwrap();
            drop(stuck.subscriptions);
            let pool = bus.statistics().workers;
            assert!(pool.most >= 7, "{pool:?}");
        }
    });
}

#[test]
fn while_callbacks_are_stuck_as_many_workers_stay_as_there_were_at_the_start() {
    ends(|| {
        let bus = growing(1, 8, 1);
        let stuck = Stuck::new(&bus, 3, &Arc::default());
        let (neighbour, seen) = echo(&bus.topic("t"));
        for number in 0..50 {
            bus.topic("t").publish(number);
            assert_eq!(seen.recv_timeout(LONG), Ok(number));
            thread::sleep(Duration::from_millis(2)); // longer than they stay idle
        }
        wait_until("one is free", || bus.statistics().workers.now == 4);
        neighbour.join().unwrap();
        drop(stuck.go);
        wait_until("one is left", || bus.statistics().workers.now == 1);
    });
}

#[test]
fn a_pool_that_may_not_grow_does_not() {
    ends(|| {
        let bus = growing(2, 1, 1);
        let stuck = Stuck::new(&bus, 2, &Arc::default());
        let (neighbour, seen) = echo(&bus.topic("t"));
        bus.topic("t").publish(1u32);
        assert_eq!(
            seen.recv_timeout(Duration::from_millis(100)),
            Err(mpsc::RecvTimeoutError::Timeout)
        );
        assert_eq!(bus.statistics().workers.now, 2);
        drop(stuck.go);
        assert_eq!(seen.recv_timeout(LONG), Ok(1));
        neighbour.join().unwrap();
    });
}

#[test]
fn the_end_of_a_bus_waits_for_callbacks_that_are_stuck_and_leaves_no_thread() {
    ends(|| {
        let threads = Arc::new(());
        let bus = growing(2, 20, 10_000);
        let stuck = Stuck::new(&bus, 6, &threads);
        let ended = stuck.ended;
        let (end, neighbour_ended) = mpsc::channel();
        let at_end = AtEnd(end);
        let neighbour = bus.topic("t").subscribe().callback(move |_| _ = &at_end).unwrap();
        let ender = thread::spawn(move || drop(bus));
        neighbour_ended.recv_timeout(LONG).unwrap(); // those six are still stuck
        assert_eq!(ended.try_recv(), Err(mpsc::TryRecvError::Empty));
        assert!(!ender.is_finished());
        drop(stuck.go);
        ender.join().unwrap();
        assert_eq!(ended.iter().count(), 6, "each callback is gone");
        drop((neighbour, stuck.subscriptions));
        assert_eq!(Arc::strong_count(&threads), 1, "and so is each thread");
    });
}

#[test]
fn a_bus_may_end_in_a_callback_of_a_worker_that_was_added() {
    ends(|| {
        let threads = Arc::new(());
        let bus = growing(1, 8, 10_000);
        let stuck = Stuck::new(&bus, 3, &threads);
        let (give, given) = mpsc::channel::<Bus>();
        let (told, is_told) = mpsc::channel();
        let mark = threads.clone();
        let handler = move |delivery: Delivery| {
            mark_this_thread(&mark);
            if delivery.downcast_ref::<&str>().is_some() {
                drop(given.recv_timeout(LONG).unwrap());
                told.send(()).unwrap();
            }
        };
        let topic = bus.topic("t");
        let last = topic.subscribe().accept::<&str>().callback(handler).unwrap();
        topic.publish("end");
        give.send(bus).unwrap();
        is_told.recv_timeout(LONG).unwrap();
        drop(stuck.go);
        last.join().unwrap();
        stuck.subscriptions.iter().for_each(|stuck| stuck.join().unwrap());
        drop((last, stuck.subscriptions));
        wait_until("every thread has ended", || Arc::strong_count(&threads) == 1);
    });
}

#[test]
fn callbacks_may_wait_for_the_end_of_others_as_long_as_the_pool_can_grow() {
    const CHAIN: usize = 6;
    ends(|| {
        let bus = growing(1, CHAIN + 1, 10_000);
        let (done, is_done) = mpsc::channel();
        // Each joins the one before, in its callback.
        let mut before: Option<Subscription> = None;
        for place in 0..CHAIN {
            let (topic, done, joins) = (bus.topic("chain"), done.clone(), before.take());
            let handler = move |delivery: Delivery| {
                if delivery.downcast_ref::<u32>().is_some() {
                    joins.iter().for_each(|joins| joins.join().unwrap());
                    done.send(place).unwrap();
                }
            };
            before = Some(topic.subscribe().accept::<u32>().callback(handler).unwrap());
        }
        bus.topic("chain").publish(1u32);
        let all: Vec<_> = (0..CHAIN).map(|_| is_done.recv_timeout(LONG).unwrap()).collect();
        assert_eq!(all, (0..CHAIN).collect::<Vec<_>>());
    });
}

#[test]
fn a_key_or_a_payloads_end_that_is_stuck_holds_up_its_own_subscription_alone() {
    struct Slow(Arc<Mutex<()>>);
    impl Drop for Slow {
        fn drop(&mut self) {
            drop(self.0.lock());
        }
    }
    ends(|| {
        let bus = growing(1, 8, 10_000);
        let (keys, ends, topic) = (bus.topic("keys"), bus.topic("ends"), bus.topic("t"));
        let lock = Arc::new(Mutex::new(()));
        let for_key = lock.clone();
        let key = move |_: &stasis_bus::Message| for_key.lock().is_ok().then_some(());
        let _keys = keys.subscribe().overflow(Overflow::conflate(key)).callback(drop).unwrap();
        let evicting = ends.subscribe().capacity(2).overflow(Overflow::DropOldest);
        let _evicting = evicting.pull().unwrap();
        let mut publisher = bus.rt_publisher(8);
        let held = lock.lock().unwrap();
        ends.publish(Slow(lock.clone()));
        (0..2).for_each(|_| assert_eq!(publisher.publish(&ends, Stamp::ZERO, 'x'), 1));
        assert_eq!(keys.publish(1u8), 1);
        let (neighbour, seen) = echo(&topic);
        for number in 0..20 {
            topic.publish(number);
            assert_eq!(seen.recv_timeout(LONG), Ok(number));
        }
        drop(held);
        neighbour.join().unwrap();
    });
}

#[test]
fn no_wake_up_is_lost_while_the_pool_grows_and_shrinks() {
    const ECHOES: u32 = 4;
    const ROUNDS: u32 = 1_200;
    ends(|| {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        // They leave at once, and never look by themselves while the test has patience.
        let settings = Settings {
            workers: 1,
            max_workers: 6,
            idle_timeout: Duration::from_millis(1),
            look_ms: u16::MAX,
            ..Settings::default()
        };
        let bus = Bus::new(settings).unwrap();
        let mut publisher = bus.rt_publisher(64);
        let slow = bus.topic("slow");
        let sleeps = |delivery: Delivery| {
            delivery.downcast_ref::<u64>().into_iter().for_each(|ms| {
                thread::sleep(Duration::from_millis(*ms));
            });
        };
        let _slow: Vec<_> = (0..3).map(|_| slow.subscribe().callback(sleeps).unwrap()).collect();
        let echoes: Vec<_> = (0..ECHOES)
            .map(|n| (bus.topic(&format!("echo {n}")), echo(&bus.topic(&format!("echo {n}")))))
            .collect();
        for round in 0..ROUNDS {
            if rng.u8(..) < 8 {
                slow.publish(rng.u64(1..40));
            }
            for (topic, _) in &echoes {
                if rng.bool() {
                    assert_eq!(topic.publish(round), 1);
                } else {
                    assert_eq!(publisher.publish(topic, Stamp::ZERO, round), 1);
                    publisher.ring_bell();
                }
            }
            for (_, (_, seen)) in &echoes {
                let got = seen.recv_timeout(Duration::from_secs(30));
                assert_eq!(got, Ok(round), "seed {seed}, {:?}", bus.statistics().workers);
            }
            if rng.u8(..) < 8 {
                thread::sleep(Duration::from_millis(rng.u64(0..6)));
            }
        }
        println!("{:?}", bus.statistics().workers);
    });
}

#[test]
fn an_ordinary_publisher_has_congestion_told_at_once() {
    ends(|| {
        // With a real-time publisher in the house the workers sleep for a minute, if not woken.
        let bus = Bus::new(Settings { look_ms: u16::MAX, ..Settings::default() }).unwrap();
        let _publisher = bus.rt_publisher(1);
        let mut watcher =
            bus.topic(CONGESTION_TOPIC).subscribe().accept::<Congestion>().pull().unwrap();
        let topic = bus.topic("t");
        let full = topic.subscribe().accept::<u32>().capacity(64).pull().unwrap();
        assert!(watcher.recv().is_some());
        for round in 0..10 {
            thread::sleep(Duration::from_millis(round)); // they fall asleep
            let _again = topic.subscribe().accept::<u32>().capacity(64).pull().unwrap();
            (0..64u32).for_each(|number| _ = topic.publish(number));
            let told = watcher.recv_timeout(Duration::from_secs(20)).unwrap();
            assert!(told.downcast_ref::<Congestion>().unwrap().congested);
            if round == 0 {
                // The first is as full.
                let told = watcher.recv_timeout(Duration::from_secs(20)).unwrap();
                assert!(told.downcast_ref::<Congestion>().is_some());
            }
        }
        drop(full);
    });
}

#[test]
fn a_thread_of_its_own_never_waits_for_itself() {
    ends(|| {
        for panics in [false, true] {
            let bus = bus();
            let topic = bus.topic("t");
            let other = Arc::new(Mutex::new(Some(topic.subscribe().pull().unwrap())));
            let (arrive, arrived) = mpsc::channel();
            let (let_go, may_go) = mpsc::channel::<()>();
            let handler = {
                let (other, topic) = (other.clone(), topic.clone());
                move |delivery: Delivery| {
                    if delivery.downcast_ref() == Some(&0u32) {
                        arrive.send(()).unwrap();
                        may_go.recv().unwrap();
                        // The ring is full, and nobody else will empty it: an announcement, a
                        // message, its own end, and what it owned.
                        other.lock().unwrap().take();
                        topic.publish(3u32);
                        arrive.send(()).unwrap();
                        assert!(!panics, "on purpose");
                    }
                }
            };
            let subscribe = topic.subscribe().capacity(2).overflow(Overflow::Block);
            let alone = subscribe.on_thread("alone", handler).unwrap();
            topic.publish(0u32);
            arrived.recv_timeout(LONG).unwrap();
            (1..3u32).for_each(|number| assert!(topic.publish(number) >= 1));
            let_go.send(()).unwrap();
            arrived.recv_timeout(LONG).unwrap();
            let outcome = if panics { Err(JoinError::Panicked) } else { Ok(()) };
            assert_eq!(alone.join(), outcome);
            assert_eq!(alone.stats().dropped.blocked, 2);
        }
    });
}

#[test]
fn what_a_worker_takes_and_does_not_come_to_is_taken_by_another() {
    ends(|| {
        // Nobody looks by himself, and nobody is added.
        let settings =
            Settings { workers: 2, max_workers: 2, look_ms: u16::MAX, ..Settings::default() };
        let bus = Bus::new(settings).unwrap();
        let topic = bus.topic("t");
        let (let_go, may_go) = mpsc::channel::<()>();
        let stops = move |delivery: Delivery| {
            if delivery.downcast_ref::<u32>().is_some() {
                let _ = may_go.recv();
            }
        };
        let stuck = topic.subscribe().callback(stops).unwrap();
        let (neighbour, seen) = echo(&topic);
        let mut publisher = bus.rt_publisher(4);
        wait_until("both sleep", || bus.statistics().workers.busy == 0);
        // Two marks and one bell: one worker finds both.
        assert_eq!(publisher.publish(&topic, Stamp::ZERO, 1u32), 2);
        publisher.ring_bell();
        assert_eq!(seen.recv_timeout(Duration::from_secs(20)), Ok(1));
        drop(let_go);
        neighbour.join().unwrap();
        stuck.join().unwrap();
    });
}

#[test]
fn the_watcher_is_called_when_the_last_free_worker_gets_stuck_after_a_quiet_time() {
    ends(|| {
        let bus = growing(2, 8, 10_000);
        for round in 0..2 {
            thread::sleep(Duration::from_millis(300)); // it goes off duty
            let stuck = Stuck::new(&bus, 3, &Arc::default());
            let (neighbour, seen) = echo(&bus.topic("t"));
            bus.topic("t").publish(round);
            assert_eq!(seen.recv_timeout(Duration::from_secs(20)), Ok(round));
            neighbour.join().unwrap();
            drop(stuck.go);
            stuck.subscriptions.iter().for_each(|stuck| stuck.join().unwrap());
        }
    });
}
