//! Topology: topics and forwards come and go while messages travel through them.

use std::sync::Arc;

use shuttle::thread;
use stasis_bus::Bus;

use crate::reader::{Reader, any_bus, draw, once_in};
use crate::watch::{Tick, Word};

/// Two topics are forwarded to a third, and no longer, and again, while publishers publish to all of
/// them and handles go and come back: at each subscription what one publisher has published to one
/// topic comes in order, and nothing twice, since there is one path at most.
pub fn order_holds_while_topics_come_and_go() {
    let bus = any_bus();
    let alive = Arc::new(());
    let all = bus.topic("all");
    let readers: Vec<_> = (0..1 + draw(2)).map(|_| Reader::any(&all)).collect();
    let changers = ["left", "right"].map(|name| {
        let bus = bus.clone();
        thread::spawn(move || forward_and_back(&bus, name))
    });
    let publishers: Vec<_> = (0..2)
        .map(|publisher| {
            let (bus, alive) = (bus.clone(), alive.clone());
            thread::spawn(move || publish_everywhere(&bus, publisher, &alive))
        })
        .collect();
    changers.into_iter().for_each(|changer| changer.join().unwrap());
    publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
    for reader in readers {
        reader.end();
    }
    assert_eq!(bus.panics(), 0);
    drop((all, bus));
    assert_eq!(Arc::strong_count(&alive), 1, "every word is freed");
}

/// Forwards the topic of this name to `all`, for a while, a few times; the other way it would be a
/// circle.
fn forward_and_back(bus: &Bus, name: &str) {
    for _ in 0..1 + draw(3) {
        let (topic, all) = (bus.topic(name), bus.topic("all"));
        let forward = topic.forward_to(&all).expect("there is no way back");
        if once_in(2) {
            assert!(all.forward_to(&topic).is_err(), "a circle");
        }
        if once_in(3) {
            Reader::any(&topic).end();
        }
        drop(forward);
    }
}

fn publish_everywhere(bus: &Bus, publisher: u32, alive: &Arc<()>) {
    let mut rt = once_in(3).then(|| bus.rt_publisher(1 + draw(4)));
    let mut numbers = [0; 3];
    for _ in 0..3 + draw(6) {
        let to = draw(3) as usize;
        let topic = bus.topic(["all", "left", "right"][to]);
        let number = numbers[to];
        numbers[to] += 1;
        match &mut rt {
            Some(rt) => {
                rt.publish(&topic, bus.now(), Tick { publisher, number });
                rt.ring_bell();
            }
            None => {
                topic.publish(Word { publisher, number, _alive: alive.clone() });
            }
        }
    }
}
