//! The real-time publisher: its pool, its losses, its bell, and its order among other publishers.

mod common {
    pub mod alloc;
}

use std::thread;
use std::time::Duration;

use common::alloc::calls_during;
use stasis_bus::{Bus, Delivery, Settings, Stamp, TryRecvError};

fn bus() -> Bus {
    Bus::new(Settings::default()).unwrap()
}

fn numbers(deliveries: impl Iterator<Item = Delivery>) -> Vec<u32> {
    deliveries.filter_map(|delivery| delivery.downcast_ref().copied()).collect()
}

#[test]
fn messages_arrive_with_the_time_that_was_passed() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().accept::<u32>().pull().unwrap();
    let mut publisher = bus.rt_publisher(4);
    assert_eq!(publisher.publish(&topic, Stamp::from_ms(7), 1u32), 1);
    assert_eq!(publisher.publish(&topic, Stamp::from_ms(8), "nobody accepts this"), 0);
    assert!(events.recv().is_some());
    let delivery = events.recv().unwrap();
    assert_eq!(delivery.message().unwrap().stamp(), Stamp::from_ms(7));
    assert_eq!(delivery.downcast_ref::<u32>(), Some(&1));
    assert_eq!(topic.published(), 3);
}

#[test]
fn an_empty_pool_is_a_counted_loss_told_in_place_and_cells_come_back() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().accept::<u32>().capacity(64).pull().unwrap();
    let mut publisher = bus.rt_publisher(3);
    let now = Stamp::ZERO;
    let taken: Vec<_> = (0..5u32).map(|number| publisher.publish(&topic, now, number)).collect();
    assert_eq!(taken, [1, 1, 1, 0, 0]);
    assert_eq!(events.stats().dropped.exhausted, 2);
    let kept: Vec<_> = (0..4).map(|_| events.recv().unwrap()).collect();
    assert_eq!(events.recv(), Some(Delivery::Lagged(2)));
    assert_eq!(publisher.publish(&topic, now, 5u32), 0, "the messages are still held");
    drop(kept);
    assert_eq!(publisher.publish(&topic, now, 6u32), 1);
    events.unsubscribe();
    assert_eq!(events.recv(), Some(Delivery::Lagged(1)));
    assert_eq!(numbers(events.iter()), [6]);
}

#[test]
fn cells_serve_many_laps_and_several_subscribers() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut all: Vec<_> =
        (0..3).map(|_| topic.subscribe().accept::<u32>().capacity(4).pull().unwrap()).collect();
    all.iter_mut().for_each(|events| assert!(events.recv().is_some()));
    let mut publisher = bus.rt_publisher(2);
    for number in 0..1_000u32 {
        assert_eq!(publisher.publish(&topic, Stamp::ZERO, number), 3);
        for events in &mut all {
            assert_eq!(events.try_recv().unwrap().downcast_ref::<u32>(), Some(&number));
        }
    }
}

#[test]
fn a_message_outlives_its_publisher_its_topic_and_its_bus() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().accept::<u32>().pull().unwrap();
    let mut publisher = bus.rt_publisher(2);
    publisher.publish(&topic, Stamp::ZERO, 1u32);
    drop((publisher, topic, bus));
    let kept: Vec<_> = events.iter().collect();
    drop(events);
    assert_eq!(numbers(kept.into_iter()), [1]);
}

#[test]
fn a_bell_wakes_a_worker_and_without_one_the_workers_look_by_themselves() {
    for ring in [true, false] {
        let bus = bus();
        let topic = bus.topic("t");
        let (send, receive) = std::sync::mpsc::channel();
        let _subscription = topic
            .subscribe()
            .accept::<u32>()
            .callback(move |delivery| {
                if let Some(&number) = delivery.downcast_ref::<u32>() {
                    send.send(number).unwrap();
                }
            })
            .unwrap();
        let mut publisher = bus.rt_publisher(16);
        for number in 0..5u32 {
            thread::sleep(Duration::from_millis(2)); // the pool falls asleep
            publisher.publish(&topic, bus.now(), number);
            if ring {
                publisher.ring_bell();
                assert!(!publisher.wants_bell());
            }
            assert_eq!(receive.recv_timeout(Duration::from_secs(10)), Ok(number));
        }
    }
}

#[test]
fn a_waiting_recv_is_woken_through_the_workers() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().accept::<u32>().pull().unwrap();
    let mut publisher = bus.rt_publisher(16);
    let reader = thread::spawn(move || numbers(events.iter().take(6)));
    for number in 0..5u32 {
        thread::sleep(Duration::from_millis(2));
        publisher.publish(&topic, bus.now(), number);
    }
    assert_eq!(reader.join().unwrap(), [0, 1, 2, 3, 4]);
}

#[test]
fn a_publish_that_begins_after_another_returned_comes_after_it_real_time_or_not() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().accept::<u32>().capacity(1 << 14).pull().unwrap();
    let mut publisher = bus.rt_publisher(1 << 13);
    let (ask, asked) = std::sync::mpsc::sync_channel::<u32>(0);
    let (answer, answered) = std::sync::mpsc::sync_channel::<()>(0);
    thread::scope(|scope| {
        let topic = &topic;
        scope.spawn(move || {
            for number in asked {
                topic.publish(number);
                answer.send(()).unwrap();
            }
        });
        // The two take turns: even numbers here, odd ones there.
        for number in (0..4_000u32).step_by(2) {
            publisher.publish(topic, bus.now(), number);
            ask.send(number + 1).unwrap();
            answered.recv().unwrap();
        }
        drop(ask);
    });
    events.unsubscribe();
    assert_eq!(numbers(events.iter()), (0..4_000).collect::<Vec<_>>());
    assert_eq!(events.try_recv(), Err(TryRecvError::Ended));
}

#[test]
fn the_first_publish_on_a_new_thread_allocates_nothing_whether_the_type_is_declined_or_not() {
    let bus = bus();
    let (topic, all) = (bus.topic("t"), bus.topic("all"));
    let _forward = topic.forward_to(&all).unwrap();
    bus.register::<u64>("number").unwrap();
    bus.decline("number");
    let mut events = all.subscribe().accept::<u32>().accept::<u64>().pull().unwrap();
    let mut publisher = bus.rt_publisher(4);
    let published = topic.clone();
    let calls = thread::spawn(move || {
        let mut taken = (0, 0);
        let calls = calls_during(|| {
            taken.0 = publisher.publish(&published, Stamp::ZERO, 1u32);
            taken.1 = publisher.publish(&published, Stamp::ZERO, 2u64);
        });
        (calls, taken)
    });
    assert_eq!(calls.join().unwrap(), (0, (1, 0)));
    events.unsubscribe();
    assert_eq!(numbers(events.iter()), [1]);
}

#[test]
fn a_topic_of_another_bus_gets_nothing() {
    let (one, other) = (bus(), bus());
    let topic = other.topic("t");
    let events = topic.subscribe().pull().unwrap();
    let mut publisher = one.rt_publisher(4);
    assert_eq!(publisher.publish(&topic, Stamp::ZERO, 1u32), 0);
    assert_eq!(events.stats().enqueued, 0);
}
