//! What a subscription is given, in what order, and what it is told of itself.

mod common {
    pub mod stopping;
}

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::stopping::Stopping;
use stasis_bus::{
    Bus, BusEnded, Delivery, EntityId, JoinError, Settings, SubscriptionChange, TryRecvError,
};

fn bus() -> Bus {
    Bus::new(Settings::default()).unwrap()
}

/// What a delivery is, in a word.
fn word(delivery: &Delivery) -> String {
    match delivery {
        Delivery::Lagged(missed) => format!("lagged {missed}"),
        Delivery::Message(message) => {
            if let Some(number) = message.downcast_ref::<u32>() {
                return number.to_string();
            }
            match message.downcast_ref::<SubscriptionChange>() {
                Some(SubscriptionChange::Subscribe(id)) => format!("subscribe {id}"),
                Some(SubscriptionChange::Unsubscribe(id)) => format!("unsubscribe {id}"),
                None => message.type_name().to_string(),
            }
        }
    }
}

/// A handler that keeps the words.
fn listener() -> (Arc<Mutex<Vec<String>>>, impl FnMut(Delivery) + Send + 'static) {
    let words = Arc::new(Mutex::new(Vec::new()));
    let kept = words.clone();
    (words, move |delivery: Delivery| kept.lock().unwrap().push(word(&delivery)))
}

#[test]
fn a_callback_gets_its_subscribe_first_then_the_messages_in_order_then_its_unsubscribe() {
    let bus = bus();
    let topic = bus.topic("t");
    let (words, handler) = listener();
    let subscription = topic.subscribe().callback(handler).unwrap();
    let id = subscription.id();
    for number in 0..500u32 {
        assert_eq!(topic.publish(number), 1);
    }
    subscription.join().unwrap();
    assert_eq!(topic.publish(500u32), 0, "nothing comes after the end");
    let mut expected = vec![format!("subscribe {id}")];
    expected.extend((0..500).map(|number| number.to_string()));
    expected.push(format!("unsubscribe {id}"));
    assert_eq!(*words.lock().unwrap(), expected);
}

#[test]
fn a_message_knows_its_topic_its_time_and_its_origin() {
    let bus = Bus::new(Settings { origin: EntityId(7), ..Settings::default() }).unwrap();
    let topic = bus.topic("channel:42");
    let mut events = topic.subscribe().accept::<u32>().pull().unwrap();
    let before = bus.now();
    topic.publish(1u32);
    let Some(Delivery::Message(_subscribe)) = events.recv() else { panic!("a message") };
    let Some(Delivery::Message(message)) = events.recv() else { panic!("a message") };
    assert_eq!(message.topic().name(), "channel:42");
    assert_eq!(message.topic().id(), topic.id());
    assert_eq!(message.origin(), EntityId(7));
    assert!(before <= message.stamp() && message.stamp() <= bus.now());
    drop((events, topic, bus));
    assert_eq!(message.topic().name(), "channel:42", "a kept message keeps its topic's name");
    assert_eq!(message.downcast_ref::<u32>(), Some(&1));
}

#[test]
fn what_a_subscription_does_not_accept_never_reaches_its_ring() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut numbers = topic.subscribe().accept::<u32>().capacity(4).pull().unwrap();
    for _ in 0..100 {
        assert_eq!(topic.publish("text"), 0);
    }
    assert_eq!(topic.publish(1u32), 1);
    assert_eq!(numbers.stats().enqueued, 1); // its own first message needs no place
    assert_eq!(numbers.stats().dropped.total(), 0);
    assert_eq!(topic.published(), 102);
    numbers.unsubscribe();
    let id = numbers.id();
    let words: Vec<_> = numbers.iter().map(|delivery| word(&delivery)).collect();
    assert_eq!(words, [format!("subscribe {id}"), "1".into(), format!("unsubscribe {id}")]);
}

#[test]
fn subscriptions_see_others_come_and_go_if_they_accept_that() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut watcher = topic.subscribe().accept::<SubscriptionChange>().pull().unwrap();
    let mut deaf = topic.subscribe().accept::<u32>().pull().unwrap();
    let other = topic.subscribe().pull().unwrap();
    let (me, deaf_id, other_id) = (watcher.id(), deaf.id(), other.id());
    drop(other);
    watcher.unsubscribe();
    let words: Vec<_> = watcher.iter().map(|delivery| word(&delivery)).collect();
    let expected = [
        format!("subscribe {me}"),
        format!("subscribe {deaf_id}"),
        format!("subscribe {other_id}"),
        format!("unsubscribe {other_id}"),
        format!("unsubscribe {me}"),
    ];
    assert_eq!(words, expected);
    deaf.unsubscribe();
    assert_eq!(deaf.iter().count(), 2, "its own two, not those of others");
}

#[test]
fn a_full_ring_drops_the_newest_counts_it_and_tells_the_subscriber_in_place() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut slow = topic.subscribe().accept::<u32>().capacity(4).pull().unwrap();
    let mut fast = topic.subscribe().accept::<u32>().capacity(64).pull().unwrap();
    for number in 0..8u32 {
        topic.publish(number);
    }
    assert_eq!(slow.stats().dropped.full, 4);
    // Room for two, then two more that fit.
    let mut words: Vec<_> = (0..3).map(|_| word(&slow.recv().unwrap())).collect();
    for number in 8..10u32 {
        topic.publish(number);
    }
    slow.unsubscribe();
    words.extend(slow.iter().map(|delivery| word(&delivery)));
    assert_eq!(words[1..words.len() - 1], ["0", "1", "2", "3", "lagged 4", "8", "9"]);
    assert_eq!(slow.stats().pending(), 0);
    // The neighbour has not noticed.
    assert_eq!(fast.stats().dropped.total(), 0);
    fast.unsubscribe();
    assert_eq!(fast.iter().count(), 12);
}

#[test]
fn try_recv_and_recv_timeout_say_empty_and_ended() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().pull().unwrap();
    assert!(events.try_recv().is_ok());
    assert_eq!(events.try_recv(), Err(TryRecvError::Empty));
    assert_eq!(events.recv_timeout(Duration::from_millis(5)), Err(TryRecvError::Empty));
    events.unsubscribe();
    assert!(events.try_recv().is_ok(), "the final message");
    assert_eq!(events.try_recv(), Err(TryRecvError::Ended));
    assert_eq!(events.recv_timeout(Duration::from_secs(5)), Err(TryRecvError::Ended));
    assert_eq!(events.recv(), None);
}

#[test]
fn a_waiting_recv_is_woken_by_a_publish_and_by_the_end() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().accept::<u32>().pull().unwrap();
    let waiting = thread::spawn(move || events.iter().count());
    for number in 0..100u32 {
        topic.publish(number);
        thread::sleep(Duration::from_micros(200));
    }
    drop(bus); // ends every subscription
    assert_eq!(waiting.join().unwrap(), 102);
}

#[test]
fn callbacks_of_one_subscription_never_overlap_and_keep_the_order_of_each_publisher() {
    const PUBLISHERS: u32 = 3;
    const EACH: u32 = 20_000;
    let bus = bus();
    let topic = bus.topic("t");
    let inside = Arc::new(AtomicBool::new(false));
    let seen = Arc::new(Mutex::new(vec![0u32; PUBLISHERS as usize]));
    let handler = {
        let (inside, seen) = (inside.clone(), seen.clone());
        move |delivery: Delivery| {
            assert!(!inside.swap(true, Ordering::SeqCst), "two callbacks at a time");
            if let Some(&(publisher, number)) = delivery.downcast_ref::<(u32, u32)>() {
                let next = &mut seen.lock().unwrap()[publisher as usize];
                assert_eq!(*next, number, "out of order");
                *next += 1;
            }
            inside.store(false, Ordering::SeqCst);
        }
    };
    let capacity = (PUBLISHERS * EACH) as usize + 1;
    let subscription =
        topic.subscribe().accept::<(u32, u32)>().capacity(capacity).callback(handler).unwrap();
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let topic = topic.clone();
            scope.spawn(move || {
                for number in 0..EACH {
                    topic.publish((publisher, number));
                }
            });
        }
    });
    subscription.join().unwrap();
    assert_eq!(*seen.lock().unwrap(), vec![EACH; PUBLISHERS as usize]);
    assert_eq!(subscription.stats().dropped.total(), 0);
}

#[test]
fn every_message_is_delivered_or_told_as_lost_under_a_storm() {
    const PUBLISHERS: u64 = 3;
    const EACH: u64 = 20_000;
    let bus = bus();
    let topic = bus.topic("t");
    let (got, lost) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let handler = {
        let (got, lost) = (got.clone(), lost.clone());
        move |delivery: Delivery| match delivery {
            Delivery::Message(message) if message.is::<u64>() => {
                got.fetch_add(1, Ordering::Relaxed);
            }
            Delivery::Message(_) => {}
            Delivery::Lagged(missed) => {
                lost.fetch_add(missed, Ordering::Relaxed);
            }
        }
    };
    let subscription = topic.subscribe().accept::<u64>().capacity(64).callback(handler).unwrap();
    let taken = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..PUBLISHERS {
            scope.spawn(|| {
                for number in 0..EACH {
                    taken.fetch_add(topic.publish(number) as u64, Ordering::Relaxed);
                }
            });
        }
    });
    subscription.join().unwrap();
    let stats = subscription.stats();
    assert_eq!(got.load(Ordering::Relaxed) + lost.load(Ordering::Relaxed), PUBLISHERS * EACH);
    assert_eq!(lost.load(Ordering::Relaxed), stats.dropped.total());
    assert_eq!(taken.load(Ordering::Relaxed), got.load(Ordering::Relaxed));
    assert_eq!(stats.enqueued, stats.delivered);
}

#[test]
fn joining_from_ones_own_callback_is_an_error_and_unsubscribing_there_ends_it() {
    let bus = bus();
    let topic = bus.topic("t");
    let (send, receive) = mpsc::channel::<stasis_bus::Subscription>();
    let (report, outcome) = mpsc::channel();
    let subscription = topic
        .subscribe()
        .callback(move |delivery| match delivery.downcast_ref::<u32>() {
            Some(_) => {
                let me = receive.recv().unwrap();
                report.send(format!("{:?}", me.join())).unwrap();
            }
            None => report.send(word(&delivery)).unwrap(),
        })
        .unwrap();
    let id = subscription.id();
    send.send(subscription).unwrap();
    topic.publish(1u32);
    let expected = [
        format!("subscribe {id}"),
        format!("{:?}", Err::<(), _>(JoinError::OwnCallback)),
        format!("unsubscribe {id}"),
    ];
    let seen: Vec<String> = outcome.iter().collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_panic_in_a_callback_ends_its_subscription_and_nothing_else() {
    let bus = bus();
    let topic = bus.topic("t");
    let bad = topic
        .subscribe()
        .accept::<u32>()
        .callback(|delivery| assert!(delivery.downcast_ref::<u32>().is_none(), "on purpose"))
        .unwrap();
    let (words, handler) = listener();
    let good = topic.subscribe().accept::<u32>().callback(handler).unwrap();
    topic.publish(1u32);
    assert_eq!(bad.join(), Err(JoinError::Panicked));
    assert_eq!(bus.panics(), 1);
    topic.publish(2u32);
    good.join().unwrap();
    assert_eq!(words.lock().unwrap()[1..3], ["1", "2"]);
}

#[test]
fn the_end_of_the_bus_gives_every_subscription_its_final_message() {
    let bus = bus();
    let topic = bus.topic("t");
    let (words, handler) = listener();
    let callback = topic.subscribe().callback(handler).unwrap();
    let mut pulled = topic.subscribe().accept::<u32>().pull().unwrap();
    topic.publish(1u32);
    drop(bus);
    callback.join().unwrap();
    assert_eq!(words.lock().unwrap().last(), Some(&format!("unsubscribe {}", callback.id())));
    let rest: Vec<_> = pulled.iter().map(|delivery| word(&delivery)).collect();
    assert_eq!(rest[1], "1");
    assert_eq!(rest.len(), 3);
    assert_eq!(topic.publish(2u32), 0);
    assert_eq!(topic.subscribe().pull().err(), Some(BusEnded));
}

#[test]
fn the_last_handle_of_the_bus_may_go_inside_a_callback() {
    let bus = bus();
    let topic = bus.topic("t");
    let (report, outcome) = mpsc::channel();
    let mut own = Some(bus);
    let _subscription = topic
        .subscribe()
        .callback(move |delivery| {
            if delivery.downcast_ref::<u32>().is_some() {
                drop(own.take());
            }
            report.send(word(&delivery)).unwrap();
        })
        .unwrap();
    topic.publish(1u32);
    let seen: Vec<String> = outcome.iter().collect();
    assert_eq!(seen.len(), 3, "{seen:?}");
}

#[test]
fn topics_of_one_name_are_one_topic_while_a_handle_lives() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().accept::<u32>().pull().unwrap();
    assert_eq!(bus.topic("t").publish(1u32), 1);
    let id = topic.id();
    drop(topic);
    assert_eq!(bus.topic("t").id(), id, "the subscription keeps it");
    events.unsubscribe();
    assert_eq!(events.iter().count(), 3);
    drop(events);
    assert_ne!(bus.topic("t").id(), id);
}

#[test]
fn subscriptions_come_and_go_under_load_without_hurting_the_others() {
    let bus = bus();
    let topic = bus.topic("t");
    let (words, handler) = listener();
    let steady = topic.subscribe().accept::<u32>().capacity(1 << 15).callback(handler).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let stopping = Stopping(&stop);
        scope.spawn(|| {
            for number in 0..10_000u32 {
                topic.publish(number);
            }
            drop(stopping);
        });
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let (words, handler) = listener();
                let short = topic.subscribe().accept::<u32>().capacity(16).callback(handler);
                let short = short.unwrap();
                short.join().unwrap();
                let words = words.lock().unwrap();
                assert_eq!(words.first(), Some(&format!("subscribe {}", short.id())));
                assert_eq!(words.last(), Some(&format!("unsubscribe {}", short.id())));
            }
        });
    });
    steady.join().unwrap();
    let numbers: Vec<String> = (0..10_000).map(|number| number.to_string()).collect();
    let words = words.lock().unwrap();
    assert_eq!(words[1..words.len() - 1], numbers);
}
