//! Routers whose routes change while they run.

use std::sync::{Arc, Mutex};

use shuttle::thread;
use stasis_bus::{Overflow, Router, SubscriptionChange};

use crate::reader::{any_bus, draw, once_in};

struct Steady(u64);
struct Flighty(u64);

/// One route stays, others come and go: the one that stays is called for each of its messages, in
/// order; the others at most once for each; the router's own end comes last.
pub fn a_route_that_stays_misses_nothing() {
    let bus = any_bus();
    let topic = bus.topic("talk");
    let (steady, flighty) = (Numbers::default(), Numbers::default());
    let ended = Arc::new(Mutex::new(false));
    let (numbers, ends) = (steady.clone(), ended.clone());
    let router = Router::new().route(move |_, Steady(number)| numbers.note(*number)).on_change(
        move |change| {
            let is_end = matches!(change, SubscriptionChange::Unsubscribe(_));
            *ends.lock().unwrap() = is_end;
        },
    );
    let lossless = match draw(2) {
        0 => Overflow::Block,
        _ => Overflow::Spill { limit: usize::MAX },
    };
    let subscribe = topic.subscribe().capacity(2).overflow(lossless);
    let router = Arc::new(router.subscribe_with(subscribe).unwrap());
    let publisher = {
        let (topic, count) = (topic.clone(), 3 + u64::from(draw(6)));
        thread::spawn(move || {
            for number in 0..count {
                topic.publish(Flighty(number));
                topic.publish(Steady(number));
            }
            count
        })
    };
    let changers: Vec<_> = (0..1 + draw(2))
        .map(|_| {
            let (router, flighty) = (router.clone(), flighty.clone());
            thread::spawn(move || {
                for _ in 0..1 + draw(3) {
                    let flighty = flighty.clone();
                    let note = move |number: &u64| flighty.note(*number);
                    router.add_route(move |_, Flighty(number)| note(number)).unwrap();
                    if once_in(2) {
                        router.set_default(|_| {}).unwrap();
                        router.clear_default();
                    }
                    router.remove_route::<Flighty>();
                }
            })
        })
        .collect();
    let count = publisher.join().unwrap();
    changers.into_iter().for_each(|changer| changer.join().unwrap());
    router.join().unwrap();
    assert!(*ended.lock().unwrap(), "its final message");
    assert_eq!(*steady.seen.lock().unwrap(), (0..count).collect::<Vec<_>>());
    assert!(flighty.seen.lock().unwrap().is_sorted_by(|a, b| a < b), "in order, none twice");
    assert_eq!(bus.panics(), 0);
}

/// What a handler was given.
#[derive(Clone, Default)]
struct Numbers {
    seen: Arc<Mutex<Vec<u64>>>,
}

impl Numbers {
    fn note(&self, number: u64) {
        thread::yield_now();
        self.seen.lock().unwrap().push(number);
    }
}
