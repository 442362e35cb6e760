//! Workers never wait for a subscription: whatever runs on them, all others get their turn.

mod common {
    mod ends;
    pub use ends::ends;
}

use std::sync::mpsc;

use common::ends;
use stasis_bus::{Bus, Delivery, JoinError, Overflow, Settings, Stamp, Subscription, Topic};

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
        let mut publisher = bus.rt_publisher(4).bind();
        (0..2).for_each(|_| assert_eq!(publisher.publish(&other, Stamp::ZERO, 'x'), 1));
        go();
        publisher.ring_bell();
        assert_eq!((seen.recv(), seen.recv()), (Ok(0), Ok(1)));
        drop(full);
    });
}
