//! Forwards: many topics seen as one, in order, in any depth, while everything changes.

mod common {
    pub mod stopping;
}

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use common::stopping::Stopping;
use stasis_bus::{
    Bus, Delivery, ForwardError, MOST_VISITS, PullSubscription, Settings, Stamp, Topic,
};

fn bus() -> Bus {
    Bus::new(Settings::default()).unwrap()
}

fn listen(topic: &Topic) -> PullSubscription {
    topic.subscribe().accept::<u32>().capacity(1 << 15).pull().unwrap()
}

fn numbers(mut events: PullSubscription) -> Vec<u32> {
    events.unsubscribe();
    let mut numbers = Vec::new();
    for delivery in events.iter() {
        assert!(!matches!(delivery, Delivery::Lagged(_)));
        numbers.extend(delivery.downcast_ref::<u32>());
    }
    numbers
}

#[test]
fn a_forward_takes_messages_along_until_it_is_dropped() {
    let bus = bus();
    let (one, all) = (bus.topic("channel:1"), bus.topic("channel:all"));
    let events = listen(&all);
    assert_eq!(one.publish(1u32), 0);
    let forward = one.forward_to(&all).unwrap();
    assert_eq!(one.publish(2u32), 1);
    assert_eq!(all.publish(3u32), 1);
    drop(forward);
    assert_eq!(one.publish(4u32), 0);
    assert_eq!(all.published(), 3, "its subscribe, one by the forward and one of its own");
    assert_eq!(numbers(events), [2, 3]);
}

#[test]
fn a_message_names_the_topic_that_it_was_first_published_to() {
    let bus = bus();
    let (one, all) = (bus.topic("channel:1"), bus.topic("channel:all"));
    let _forward = one.forward_to(&all).unwrap();
    let mut events = listen(&all);
    one.publish(1u32);
    assert!(events.recv().is_some());
    assert_eq!(events.recv().unwrap().message().unwrap().topic().name(), "channel:1");
}

#[test]
fn what_can_be_reached_by_two_paths_comes_twice() {
    let bus = bus();
    let [a, b, c, d] = ["a", "b", "c", "d"].map(|name| bus.topic(name));
    let _forwards =
        [(&a, &b), (&a, &c), (&b, &d), (&c, &d)].map(|(from, to)| from.forward_to(to).unwrap());
    let (at_d, at_b) = (listen(&d), listen(&b));
    assert_eq!(a.publish(1u32), 3);
    assert_eq!(b.publish(2u32), 2);
    assert_eq!(numbers(at_d), [1, 1, 2]);
    assert_eq!(numbers(at_b), [1, 2]);
}

#[test]
fn circles_are_refused_and_change_nothing() {
    let bus = bus();
    let [a, b, c] = ["a", "b", "c"].map(|name| bus.topic(name));
    assert!(a.forward_to(&a).is_err());
    let _ab = a.forward_to(&b).unwrap();
    let bc = b.forward_to(&c).unwrap();
    let error = c.forward_to(&a).err().unwrap();
    assert_eq!(error, ForwardError::Cycle { from: "c".into(), to: "a".into() });
    let events = listen(&a);
    c.publish(1u32);
    assert_eq!(numbers(events), []);
    drop(bc);
    assert!(c.forward_to(&a).is_ok(), "no circle any more");
}

#[test]
fn a_message_may_visit_many_topics_and_not_too_many() {
    let bus = bus();
    let most = MOST_VISITS as usize;
    let (source, before) = (bus.topic("source"), bus.topic("before"));
    let topics: Vec<_> = (0..most).map(|n| bus.topic(&n.to_string())).collect();
    let mut forwards = vec![before.forward_to(&source).unwrap()];
    // The source and who is before it are visited, too.
    forwards.extend(topics[..most - 2].iter().map(|topic| source.forward_to(topic).unwrap()));
    let error = source.forward_to(&topics[most - 2]).err().unwrap();
    let ForwardError::TooManyVisits { at, visits, .. } = &error else { panic!("{error}") };
    assert_eq!((&**at, *visits), ("before", MOST_VISITS + 1));
    let events = listen(&topics[7]);
    let mut publisher = bus.rt_publisher(8);
    assert_eq!(publisher.publish(&before, Stamp::ZERO, 1u32), 1);
    assert_eq!(before.publish(2u32), 1);
    assert_eq!(numbers(events), [1, 2]);
    // One less makes room for one more.
    forwards.pop();
    let again = source.forward_to(&topics[most - 2]).unwrap();
    assert!(source.forward_to(&topics[most - 1]).is_err());
    drop((again, forwards));
    let alone = source.forward_to(&topics[0]).unwrap();
    assert_eq!(source.publish(3u32), 0);
    drop(alone);
}

#[test]
fn paths_that_multiply_are_refused_before_they_are_too_many() {
    let bus = bus();
    let corner = |level: usize, side: &str| bus.topic(&format!("{level}{side}"));
    let mut forwards = Vec::new();
    let refused = (0..40).find_map(|level| {
        let (top, bottom) = (corner(level, ""), corner(level + 1, ""));
        ["left", "right"].iter().find_map(|side| {
            let way = corner(level, side);
            for (from, to) in [(&top, &way), (&way, &bottom)] {
                match from.forward_to(to) {
                    Ok(forward) => forwards.push(forward),
                    Err(error) => return Some((level, error)),
                }
            }
            None
        })
    });
    let (level, error) = refused.expect("2^40 paths are too many");
    assert!(matches!(error, ForwardError::TooManyVisits { .. }), "{error}");
    let events = listen(&corner(level - 1, ""));
    assert_eq!(corner(0, "").publish(1u32), 1 << (level - 1), "once by each path");
    assert_eq!(numbers(events).len(), 1 << (level - 1));
}

#[test]
fn a_topic_of_another_bus_is_refused() {
    let (one, other) = (bus(), bus());
    let error = one.topic("a").forward_to(&other.topic("b")).err().unwrap();
    assert_eq!(error, ForwardError::TwoBuses { from: "a".into(), to: "b".into() });
}

#[test]
fn a_long_chain_and_a_wide_fan_need_no_memory_but_the_stack() {
    let bus = bus();
    let topics: Vec<_> = (0..200).map(|n| bus.topic(&n.to_string())).collect();
    let _chain: Vec<_> =
        topics.windows(2).map(|pair| pair[0].forward_to(&pair[1]).unwrap()).collect();
    let (last, middle) = (listen(&topics[199]), listen(&topics[100]));
    let mut publisher = bus.rt_publisher(8);
    assert_eq!(publisher.publish(&topics[0], Stamp::ZERO, 1u32), 2);
    assert_eq!(topics[0].publish(2u32), 2);
    assert_eq!(numbers(last), [1, 2]);
    assert_eq!(numbers(middle), [1, 2]);
}

#[test]
fn a_topic_goes_with_its_last_handle_though_it_was_forwarded() {
    let bus = bus();
    let (one, all) = (bus.topic("one"), bus.topic("all"));
    let id = all.id();
    let forward = one.forward_to(&all).unwrap();
    drop(all);
    assert_eq!(bus.topic("all").id(), id, "the forward keeps it");
    drop(forward);
    assert_ne!(bus.topic("all").id(), id);
}

#[test]
fn the_order_of_a_topic_survives_forwards_and_subscriptions_that_come_and_go() {
    const MESSAGES: u32 = 10_000;
    let bus = bus();
    let [one, two, all, more] = ["one", "two", "all", "more"].map(|name| bus.topic(name));
    let _forwards = [(&one, &all), (&two, &all)].map(|(from, to)| from.forward_to(to).unwrap());
    let events = listen(&all);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let stopping = Stopping(&stop);
        let changes = scope.spawn(|| {
            let mut rounds = 0;
            while !stop.load(Ordering::Relaxed) {
                let _forward = all.forward_to(&more).unwrap();
                let short = listen(&more);
                let _forward = one.forward_to(&more).unwrap();
                let numbers = numbers(short);
                let (ones, twos): (Vec<u32>, Vec<u32>) =
                    numbers.into_iter().partition(|n| n % 2 == 0);
                // Messages of `one` may come by both paths.
                assert!(ones.is_sorted() && twos.is_sorted());
                rounds += 1;
            }
            rounds
        });
        let publishers = [(&one, 0), (&two, 1)].map(|(topic, first)| {
            scope.spawn(move || {
                for number in 0..MESSAGES {
                    topic.publish(2 * number + first);
                }
            })
        });
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        drop(stopping);
        assert!(changes.join().unwrap() > 0);
    });
    let (ones, twos): (Vec<u32>, Vec<u32>) = numbers(events).into_iter().partition(|n| n % 2 == 0);
    assert_eq!(ones, (0..MESSAGES).map(|n| 2 * n).collect::<Vec<_>>());
    assert_eq!(twos, (0..MESSAGES).map(|n| 2 * n + 1).collect::<Vec<_>>());
}
