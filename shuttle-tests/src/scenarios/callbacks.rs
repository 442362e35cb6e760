//! Callbacks: they publish, subscribe, leave, and wait for each other.

use std::sync::{Arc, Mutex};

use shuttle::thread;
use stasis_bus::{Delivery, JoinError, Subscription, Topic};

use crate::reader::{Reader, Watched, any_subscribe, bus_with, draw, once_in, publish_words, see};
use crate::watch::Word;

/// Callbacks answer to another topic, whose subscribers may be full; one ends itself, one joins
/// another, one subscribes and leaves. Publishers go on meanwhile; every join returns.
pub fn callbacks_change_the_topology() {
    let bus = bus_with(1 + draw(2) as usize); // one callback waits for another
    let (topic, answers) = (bus.topic("talk"), bus.topic("answers"));
    let alive = Arc::new(());
    let listener = Reader::any(&answers);
    let answering = answering(&topic, &answers, &alive);
    let quitting = quitting(&topic);
    let joining = once_in(2).then(|| joining(&topic, quitting.0.clone()));
    let visiting = once_in(2).then(|| visiting(&topic, &answers));
    let publishers: Vec<_> = (0..2)
        .map(|publisher| {
            let (topic, alive) = (topic.clone(), alive.clone());
            thread::spawn(move || publish_words(publisher, topic, alive, None))
        })
        .collect();
    publishers.into_iter().for_each(|publisher| assert!(publisher.join().unwrap() > 0));
    for (subscription, watched) in [Some(answering), joining, visiting].into_iter().flatten() {
        subscription.join().unwrap();
        let (id, stats) = (subscription.id(), subscription.stats());
        watched.lock().unwrap().check(id, &stats, "a callback that acts");
    }
    let quits = quitting.0.lock().unwrap().take();
    if let Some(subscription) = quits {
        subscription.join().unwrap();
    }
    listener.end();
    assert_eq!(bus.panics(), 0);
    drop((topic, answers, bus));
    assert!(quitting.1.lock().unwrap().has_ended());
    assert_eq!(Arc::strong_count(&alive), 1, "every word is freed");
}

type Acting = (Subscription, Watched);

/// Publishes a word to `answers` for each that it is given.
fn answering(topic: &Topic, answers: &Topic, alive: &Arc<()>) -> Acting {
    let watched = Watched::default();
    let (books, answers, alive) = (watched.clone(), answers.clone(), alive.clone());
    let mut number = 0;
    let handler = move |delivery: Delivery| {
        see(&books, &delivery);
        if delivery.downcast_ref::<Word>().is_some() {
            // It may be lost there, and is told there; never waited for.
            let _lost = answers.try_publish(Word { publisher: 7, number, _alive: alive.clone() });
            number += 1;
        }
    };
    (any_subscribe(topic).callback(handler).unwrap(), watched)
}

type Shared = Arc<Mutex<Option<Subscription>>>;

/// Drops its own handle at some word.
fn quitting(topic: &Topic) -> (Shared, Watched) {
    let (own, watched) = (Shared::default(), Watched::default());
    let (handle, books, mut left) = (own.clone(), watched.clone(), draw(4));
    let handler = move |delivery: Delivery| {
        see(&books, &delivery);
        if delivery.downcast_ref::<Word>().is_some() {
            left = left.saturating_sub(1);
            let own = (left == 0).then(|| handle.lock().unwrap().take()).flatten();
            if let Some(own) = own {
                assert_eq!(own.join(), Err(JoinError::OwnCallback));
            }
        }
    };
    let subscription = any_subscribe(topic).callback(handler).unwrap();
    *own.lock().unwrap() = Some(subscription);
    (own, watched)
}

/// Joins `other` at once, if nobody else does: a worker is away meanwhile.
fn joining(topic: &Topic, other: Shared) -> Acting {
    let watched = Watched::default();
    let books = watched.clone();
    let handler = move |delivery: Delivery| {
        see(&books, &delivery);
        let other = other.lock().unwrap().take();
        if let Some(other) = other {
            other.join().unwrap();
        }
    };
    (any_subscribe(topic).callback(handler).unwrap(), watched)
}

/// Subscribes another callback to `answers` for a moment, at each delivery.
fn visiting(topic: &Topic, answers: &Topic) -> Acting {
    let watched = Watched::default();
    let (books, answers) = (watched.clone(), answers.clone());
    let handler = move |delivery: Delivery| {
        see(&books, &delivery);
        drop(any_subscribe(&answers).callback(|_| {}).unwrap());
    };
    (any_subscribe(topic).callback(handler).unwrap(), watched)
}
