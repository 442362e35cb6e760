//! Payloads whose end panics, and conflation keys that panic, call back or publish: whoever's thread
//! that happens on goes on, nothing is left locked, and nothing else is lost.

mod common {
    mod ends;
    pub use ends::ends;
}

use std::sync::{Arc, Once, OnceLock, mpsc};
use std::time::Duration;

use common::ends;
use stasis_bus::{
    Bus, Delivery, JoinError, Message, Overflow, PullSubscription, Settings, Stamp, Subscription,
    Topic, TryRecvError,
};

const LONG: Duration = Duration::from_secs(60);

/// One worker, so that a worker that ends is noticed. Keeps the panics that are on purpose quiet.
fn bus() -> Bus {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !panic.payload_as_str().is_some_and(|why| why.starts_with("on purpose")) {
                report(panic);
            }
        }));
    });
    Bus::new(Settings { workers: 1, max_workers: 1, ..Settings::default() }).unwrap()
}

/// Panics at its end; counted by the clones of its content.
struct Bad(#[expect(dead_code, reason = "it counts")] Arc<()>);

impl Drop for Bad {
    fn drop(&mut self) {
        panic!("on purpose: the end of a payload");
    }
}

/// Publishes a number, which a callback of the pool must get.
fn assert_alive(bus: &Bus) {
    let (send, sent) = mpsc::channel();
    let handler = move |delivery: Delivery| {
        delivery.downcast_ref::<u32>().into_iter().for_each(|number| send.send(*number).unwrap());
    };
    let topic = bus.topic("alive");
    let subscription = topic.subscribe().accept::<u32>().callback(handler).unwrap();
    assert_eq!(topic.publish(1u32), 1);
    assert_eq!(sent.recv_timeout(LONG), Ok(1));
    subscription.join().unwrap();
}

fn one_key() -> Overflow {
    Overflow::conflate(|message| message.is::<Bad>().then_some(()))
}

fn numbers(events: &mut PullSubscription) -> Vec<u32> {
    events.unsubscribe();
    events.iter().filter_map(|delivery| delivery.downcast_ref().copied()).collect()
}

/// The payloads that are alive.
fn live(bad: &Arc<()>) -> usize {
    Arc::strong_count(bad) - 1
}

#[test]
fn a_worker_that_drops_what_a_real_time_publisher_evicted_lives() {
    ends(|| {
        let (bus, bad) = (bus(), Arc::new(()));
        let topic = bus.topic("t");
        let evicting = topic.subscribe().capacity(4).overflow(Overflow::DropOldest);
        let mut events = evicting.pull().unwrap();
        (0..4).for_each(|_| assert_eq!(topic.publish(Bad(bad.clone())), 1));
        let mut publisher = bus.rt_publisher(8);
        (0..4u32).for_each(|n| assert_eq!(publisher.publish(&topic, Stamp::ZERO, n), 1));
        assert_alive(&bus);
        while live(&bad) > 0 {
            std::thread::yield_now();
        }
        assert_eq!(numbers(&mut events), [0, 1, 2, 3]);
        assert_eq!(bus.panics(), 4);
        assert_alive(&bus);
    });
}

#[test]
fn a_publisher_that_drops_what_it_evicted_goes_on_to_the_other_subscribers() {
    ends(|| {
        let (bus, bad) = (bus(), Arc::new(()));
        let topic = bus.topic("t");
        let evicting = |_| {
            let subscribe = topic.subscribe().capacity(2).overflow(Overflow::DropOldest);
            subscribe.accept::<Bad>().accept::<u32>().pull().unwrap()
        };
        let mut all: Vec<_> = (0..3).map(evicting).collect();
        (0..2).for_each(|_| assert_eq!(topic.publish(Bad(bad.clone())), 3));
        (0..2u32).for_each(|number| assert_eq!(topic.publish(number), 3));
        assert_eq!((live(&bad), bus.panics()), (0, 2));
        all.iter_mut().for_each(|events| assert_eq!(numbers(events), [0, 1]));
    });
}

#[test]
fn a_stage_that_conflates_or_overflows_is_not_poisoned() {
    ends(|| {
        for overflow in [one_key as fn() -> Overflow, || Overflow::Spill { limit: 1 }] {
            let (bus, bad) = (bus(), Arc::new(()));
            let topic = bus.topic("t");
            let staged = topic.subscribe().capacity(2).overflow(overflow());
            let mut events = staged.accept::<Bad>().accept::<u32>().pull().unwrap();
            // By the worker, and by the publisher when the ring is full.
            (0..20).for_each(|_| assert_eq!(topic.publish(Bad(bad.clone())), 1));
            assert_alive(&bus);
            assert!(live(&bad) <= 3);
            topic.publish(7u32);
            events.unsubscribe();
            let mut seen = 0;
            while let Ok(delivery) = events.recv_timeout(LONG) {
                seen += u64::from(delivery.message().is_some());
                let caught =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(delivery)));
                assert!(caught.is_ok() || live(&bad) <= 3);
            }
            let stats = events.stats();
            assert_eq!((stats.delivered, stats.pending()), (seen, 0), "{stats:?}");
            assert_eq!(stats.conflated + stats.dropped.total() + seen, 23);
            assert!(bus.panics() > 0);
            assert_alive(&bus);
        }
    });
}

#[test]
fn the_unread_rest_of_a_subscription_ends_to_the_last_message() {
    ends(|| {
        for overflow in
            [Overflow::default, || Overflow::DropOldest, one_key, || Overflow::Spill { limit: 100 }]
        {
            let (bus, bad) = (bus(), Arc::new(()));
            let topic = bus.topic("t");
            let subscribe = || topic.subscribe().capacity(8).overflow(overflow());
            let events = subscribe().accept::<Bad>().pull().unwrap();
            let callback = subscribe().accept::<Bad>().accept::<u32>();
            let callback = callback.callback(panics_at_numbers).unwrap();
            topic.publish(1u32);
            (0..8).for_each(|_| assert!(topic.publish(Bad(bad.clone())) >= 1));
            drop(events);
            assert_eq!(callback.join(), Err(JoinError::Panicked));
            assert_alive(&bus);
            while live(&bad) > 0 {
                std::thread::yield_now();
            }
            assert!(bus.panics() > 1);
        }
    });
}

/// Fails at the first number, and lets go of nothing before.
fn panics_at_numbers(delivery: Delivery) {
    if delivery.downcast_ref::<u32>().is_some() {
        std::thread::sleep(Duration::from_millis(20)); // for others to fill its ring
        panic!("on purpose: the callback");
    }
}

#[test]
fn a_payload_that_nobody_took_may_panic_on_its_publishers_thread() {
    ends(|| {
        let (bus, bad) = (bus(), Arc::new(()));
        let topic = bus.topic("t");
        let mut full =
            topic.subscribe().capacity(2).accept::<u32>().accept::<Bad>().pull().unwrap();
        (0..2u32).for_each(|number| assert_eq!(topic.publish(number), 1));
        let publish = std::panic::AssertUnwindSafe(|| topic.publish(Bad(bad.clone())));
        assert!(std::panic::catch_unwind(publish).is_err());
        assert_eq!((live(&bad), topic.published() - 1), (0, 3));
        // Everything goes on: publishing, subscribing, ending.
        assert!(matches!(full.try_recv(), Ok(Delivery::Message(_))));
        assert!(matches!(full.try_recv(), Ok(Delivery::Message(_))));
        assert_eq!(topic.publish(2u32), 1);
        assert_alive(&bus);
        assert_eq!(numbers(&mut full), [1, 2]);
        assert_eq!(full.try_recv(), Err(TryRecvError::Ended));
    });
}

/// A key whose own code panics, now and then.
#[derive(Clone)]
struct BadKey(u32);

impl std::hash::Hash for BadKey {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        assert!(self.0 % 5 != 1, "on purpose: hash");
        self.0.hash(state);
    }
}

impl PartialEq for BadKey {
    fn eq(&self, other: &Self) -> bool {
        assert!(self.0 % 5 != 2, "on purpose: eq");
        self.0 == other.0
    }
}

impl Eq for BadKey {}

impl Drop for BadKey {
    fn drop(&mut self) {
        assert!(self.0 % 5 != 3, "on purpose: drop");
    }
}

#[test]
fn whatever_a_key_panics_in_no_latest_message_is_lost() {
    ends(|| {
        let bus = bus();
        let topic = bus.topic("t");
        let key = |message: &Message| {
            let number = *message.downcast_ref::<u32>()?;
            assert!(number % 5 != 4, "on purpose: the key");
            Some(BadKey(number % 50))
        };
        let staged = topic.subscribe().accept::<u32>().capacity(4);
        let mut events = staged.overflow(Overflow::conflate(key)).pull().unwrap();
        (0..500u32).for_each(|number| assert_eq!(topic.publish(number), 1));
        let seen = numbers(&mut events);
        (450..500).for_each(|latest| assert!(seen.contains(&latest), "{latest}"));
        let stats = events.stats();
        assert_eq!(stats.conflated as usize + seen.len(), 500);
        assert_eq!((stats.dropped.total(), stats.pending()), (0, 0));
        assert!(bus.panics() >= 100);
        assert_alive(&bus);
    });
}

/// A conflating callback, with what its key is told of itself.
fn conflating(
    topic: &Topic,
    key: impl Fn(&Subscription, &Message) + Send + 'static,
) -> (Arc<OnceLock<Subscription>>, mpsc::Receiver<u32>) {
    let own = Arc::new(OnceLock::<Subscription>::new());
    let (send, sent) = mpsc::channel();
    let of_key = own.clone();
    let key = move |message: &Message| {
        let number = message.downcast_ref::<u32>().copied()?;
        key(of_key.get()?, message);
        Some(number % 2)
    };
    let subscribe = topic.subscribe().accept::<u32>().capacity(2).overflow(Overflow::conflate(key));
    let handler = move |delivery: Delivery| {
        delivery.downcast_ref::<u32>().into_iter().for_each(|number| _ = send.send(*number));
    };
    assert!(own.set(subscribe.callback(handler).unwrap()).is_ok());
    (own, sent)
}

#[test]
fn a_key_may_ask_for_statistics_and_end_its_subscription() {
    ends(|| {
        let bus = bus();
        let topic = bus.topic("t");
        let of_key = bus.topic("t");
        let (own, seen) = conflating(&topic, move |own, message| {
            assert!(own.stats().enqueued > 0);
            assert!(of_key.published() > 0);
            if message.downcast_ref() == Some(&99u32) {
                assert_eq!(own.join(), Err(JoinError::OwnCallback));
            }
        });
        (0..100u32).for_each(|number| assert_eq!(topic.publish(number), 1));
        own.get().unwrap().join().unwrap();
        let seen: Vec<_> = seen.try_iter().collect();
        assert!(seen.contains(&98) && seen.contains(&99), "the last of each key");
        assert_eq!(bus.panics(), 0);
    });
}

#[test]
fn a_key_that_publishes_to_its_own_full_topic_is_refused_and_does_not_wait() {
    ends(|| {
        let bus = bus();
        let topic = bus.topic("t");
        let of_key = topic.clone();
        let (refuse, refused) = mpsc::channel();
        let (take, taken) = mpsc::channel();
        let (own, seen) = conflating(&topic, move |own, message| {
            // Each of the first ones is answered by five that fit in two places.
            if message.downcast_ref::<u32>().is_some_and(|number| *number < 10) {
                for number in 100..105u32 {
                    match of_key.try_publish(number) {
                        Ok(one) => take.send(one).unwrap(),
                        Err(full) => {
                            assert_eq!(full.subscription, own.id());
                            refuse.send(()).unwrap();
                        }
                    }
                }
            }
        });
        (0..10u32).for_each(|number| assert_eq!(topic.publish(number), 1));
        refused.recv_timeout(LONG).unwrap();
        own.get().unwrap().join().unwrap();
        let stats = own.get().unwrap().stats();
        assert_eq!(stats.dropped.total(), stats.dropped.blocked);
        assert_eq!(stats.dropped.blocked as usize, 1 + refused.try_iter().count());
        let taken: usize = taken.try_iter().sum();
        assert_eq!((stats.delivered + stats.conflated) as usize, 10 + taken + 2);
        assert!(seen.try_iter().count() > 0);
        assert_eq!((bus.panics(), stats.pending()), (0, 0));
    });
}
