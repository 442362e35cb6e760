//! Delivery: what is published to one topic, by several publishers, under every policy.

use std::sync::Arc;

use shuttle::thread;
use stasis_bus::{Filter, Topic};

use crate::reader::{Reader, any_bus, any_subscribe, draw, once_in, publish_ticks, publish_words};
use crate::watch::{Watch, Word};

/// Publishers of both kinds publish to subscribers that stay, while a guest comes and goes: each
/// message is delivered, conflated, or counted and told as lost; nothing twice, in the order of its
/// publisher; and every message is freed.
pub fn everything_is_delivered_or_told() {
    let bus = any_bus();
    let topic = bus.topic("talk");
    let alive = Arc::new(());
    let readers: Vec<_> = (0..1 + draw(3)).map(|_| Reader::any(&topic)).collect();
    let mut publishers: Vec<_> = (0..1 + draw(2))
        .map(|publisher| {
            let (topic, alive) = (topic.clone(), alive.clone());
            let awaited = readers[0].subscription().filter(|_| once_in(2));
            thread::spawn(move || publish_words(publisher, topic, alive, awaited))
        })
        .collect();
    if once_in(2) {
        let (bus, topic) = (bus.clone(), topic.clone());
        publishers.push(thread::spawn(move || publish_ticks(9, &bus, &topic)));
    }
    let guest = {
        let topic = topic.clone();
        thread::spawn(move || (0..draw(3)).for_each(|_| visit(&topic)))
    };
    let published: u64 = publishers.into_iter().map(|publisher| publisher.join().unwrap()).sum();
    guest.join().unwrap();
    for reader in readers {
        let stats = reader.end();
        let gone = stats.conflated + stats.dropped.total();
        assert_eq!(stats.enqueued + gone, published + 2, "{stats:?}");
    }
    assert_eq!(bus.panics(), 0);
    drop((topic, bus));
    assert_eq!(Arc::strong_count(&alive), 1, "every word is freed");
}

/// Comes, looks, and goes, with its filter changed meanwhile.
fn visit(topic: &Topic) {
    if once_in(2) {
        Reader::any(topic).end();
        return;
    }
    // Whoever does not read must not have others wait.
    let subscribe = any_subscribe(topic).overflow(stasis_bus::Overflow::DropOldest);
    let mut subscription = subscribe.pull().unwrap();
    subscription.set_filter(Filter::nothing().and::<Word>());
    let mut watch = Watch::default();
    for _ in 0..draw(3) {
        subscription.try_recv().into_iter().for_each(|delivery| watch.see(&delivery));
    }
    if once_in(2) {
        subscription.unsubscribe();
        subscription.iter().for_each(|delivery| watch.see(&delivery));
        assert!(watch.has_ended());
    }
}
