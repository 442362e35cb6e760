//! The end of the bus, while others use it.

use std::sync::Arc;

use shuttle::thread;
use stasis_bus::{Delivery, Topic};

use crate::reader::{Watched, any_bus, any_subscribe, draw, once_in, publish_words, see};
use crate::watch::{Watch, Word};

/// The last handle of the bus is dropped, by a thread or inside a callback, while publishers
/// publish and a subscriber comes: everybody who got in gets the final message, and the threads end.
pub fn the_bus_ends_amid_everything() {
    let bus = any_bus();
    let topic = bus.topic("talk");
    let alive = Arc::new(());
    let called: Vec<_> = (0..1 + draw(2)).map(|_| called(&topic)).collect();
    let pulled = {
        let mut subscription = any_subscribe(&topic).pull().unwrap();
        thread::spawn(move || {
            let mut watch = Watch::default();
            subscription.iter().for_each(|delivery| watch.see(&delivery));
            (subscription, watch)
        })
    };
    let late = {
        let topic = topic.clone();
        thread::spawn(move || {
            let watched = Watched::default();
            let books = watched.clone();
            let subscribe = any_subscribe(&topic);
            let subscription = subscribe.callback(move |delivery| see(&books, &delivery)).ok()?;
            Some((subscription, watched))
        })
    };
    let publishers: Vec<_> = (0..1 + draw(2))
        .map(|publisher| {
            let (topic, alive) = (topic.clone(), alive.clone());
            thread::spawn(move || publish_words(publisher, topic, alive, None))
        })
        .collect();
    if once_in(2) {
        // Whose callback has it ends it at the first word, or at its own end.
        let mut bus = Some(bus);
        let handler = move |delivery: Delivery| {
            if delivery.downcast_ref::<Word>().is_some() {
                drop(bus.take());
            }
        };
        let owner = topic.subscribe().callback(handler).unwrap();
        owner.join().unwrap();
    } else {
        drop(bus);
    }
    for (subscription, watched) in called.into_iter().chain(late.join().unwrap()) {
        subscription.join().unwrap();
        let (id, stats) = (subscription.id(), subscription.stats());
        watched.lock().unwrap().check(id, &stats, "a callback");
    }
    let (subscription, watch) = pulled.join().unwrap();
    watch.check(subscription.id(), &subscription.stats(), "a thread");
    publishers.into_iter().for_each(|publisher| assert!(publisher.join().unwrap() > 0));
    drop((topic, subscription));
    assert_eq!(Arc::strong_count(&alive), 1, "every word is freed");
}

fn called(topic: &Topic) -> (stasis_bus::Subscription, Watched) {
    let watched = Watched::default();
    let books = watched.clone();
    let handler = move |delivery: Delivery| see(&books, &delivery);
    (any_subscribe(topic).callback(handler).unwrap(), watched)
}
