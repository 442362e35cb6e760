//! Ways to be subscribed: a thread of one's own, a stream, a filter that changes; and what is told
//! of it: statistics and congestion.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use futures_core::Stream;
use stasis_bus::{
    Bus, CONGESTION_TOPIC, Congestion, Delivery, Filter, JoinError, Settings, Stamp,
    SubscriptionChange, TopicPool,
};

fn bus() -> Bus {
    Bus::new(Settings::default()).unwrap()
}

fn number(delivery: &Delivery) -> Option<u32> {
    delivery.downcast_ref().copied()
}

#[test]
fn a_subscription_on_its_own_thread_gets_all_in_order_and_ends_like_the_others() {
    let bus = bus();
    let topic = bus.topic("t");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let kept = seen.clone();
    let subscription = topic
        .subscribe()
        .accept::<u32>()
        .on_thread("listener", move |delivery| {
            assert_eq!(thread::current().name(), Some("listener"));
            kept.lock().unwrap().push(match &delivery {
                Delivery::Message(message) if message.is::<SubscriptionChange>() => -1,
                _ => number(&delivery).map_or(-2, i64::from),
            });
        })
        .unwrap();
    for number in 0..500u32 {
        topic.publish(number);
        if number % 100 == 0 {
            thread::sleep(Duration::from_millis(1)); // it falls asleep
        }
    }
    let mut publisher = bus.rt_publisher(16);
    publisher.publish(&topic, Stamp::ZERO, 500u32);
    subscription.join().unwrap();
    let mut expected = vec![-1];
    expected.extend(0..501);
    expected.push(-1);
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_panic_on_its_own_thread_ends_a_subscription_alone() {
    let bus = bus();
    let topic = bus.topic("t");
    let bad = topic
        .subscribe()
        .on_thread("bad", |delivery| assert!(number(&delivery).is_none(), "on purpose"))
        .unwrap();
    topic.publish(1u32);
    assert_eq!(bad.join(), Err(JoinError::Panicked));
    assert_eq!(bus.panics(), 1);
    assert_eq!(topic.publish(2u32), 0);
}

#[test]
fn a_pulled_subscription_is_a_stream_that_needs_no_runtime() {
    struct Signal(mpsc::Sender<()>);
    impl std::task::Wake for Signal {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
        }
    }
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().accept::<u32>().pull().unwrap();
    let (signal, woken) = mpsc::channel();
    let waker = Waker::from(Arc::new(Signal(signal)));
    let mut context = Context::from_waker(&waker);
    let mut poll = || std::pin::Pin::new(&mut events).poll_next(&mut context);
    assert!(matches!(poll(), Poll::Ready(Some(_))), "its subscribe");
    assert_eq!(poll(), Poll::Pending);
    assert_eq!(poll(), Poll::Pending, "polled without a wake-up");
    topic.publish(1u32);
    woken.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(matches!(poll(), Poll::Ready(Some(delivery)) if number(&delivery) == Some(1)));
    assert_eq!(poll(), Poll::Pending);
    // A real-time publisher wakes it, too: by way of a worker.
    let mut publisher = bus.rt_publisher(16);
    publisher.publish(&topic, Stamp::ZERO, 2u32);
    woken.recv_timeout(Duration::from_secs(10)).unwrap();
    assert!(matches!(poll(), Poll::Ready(Some(delivery)) if number(&delivery) == Some(2)));
    drop(bus);
    assert!(matches!(poll(), Poll::Ready(Some(_))), "its unsubscribe");
    assert_eq!(poll(), Poll::Ready(None));
}

#[test]
fn a_filter_can_be_changed_while_messages_come() {
    let bus = bus();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().filter(Filter::nothing()).pull().unwrap();
    assert_eq!(topic.publish(1u32), 0);
    events.set_filter(Filter::nothing().and::<u32>());
    assert_eq!((topic.publish(2u32), topic.publish("text")), (1, 0));
    events.set_filter(Filter::everything());
    assert_eq!((topic.publish(3u32), topic.publish("text")), (1, 1));
    events.unsubscribe();
    let numbers: Vec<_> = events.iter().filter_map(|delivery| number(&delivery)).collect();
    assert_eq!(numbers, [2, 3]);
}

#[test]
fn congestion_is_told_when_it_begins_and_when_it_is_over() {
    let bus = bus();
    let topic = bus.topic("t");
    let watched = bus.topic(CONGESTION_TOPIC);
    let mut watcher = watched.subscribe().accept::<Congestion>().pull().unwrap();
    let mut slow = topic.subscribe().accept::<u32>().capacity(64).pull().unwrap();
    assert!(watcher.recv().is_some());
    (0..64u32).for_each(|number| assert_eq!(topic.publish(number), 1));
    let told = watcher.recv_timeout(Duration::from_secs(10)).unwrap();
    let told = told.downcast_ref::<Congestion>().unwrap();
    assert_eq!((told.subscription, told.congested), (slow.id(), true));
    assert!(told.pending >= 48, "{told:?}");
    (0..64).for_each(|_| assert!(slow.recv().is_some()));
    let told = watcher.recv_timeout(Duration::from_secs(10)).unwrap();
    let told = told.downcast_ref::<Congestion>().unwrap();
    assert_eq!((told.subscription, told.congested), (slow.id(), false));
    assert!(told.pending <= 16, "{told:?}");
    assert!(slow.stats().high_water >= 48);
}

#[test]
fn statistics_name_the_topics_the_subscriptions_and_who_is_slow() {
    let bus = bus();
    let (one, all) = (bus.topic("channel:1"), bus.topic("channel:all"));
    let _forward = one.forward_to(&all).unwrap();
    let slow = all
        .subscribe()
        .accept::<u32>()
        .callback(|delivery| {
            if number(&delivery) == Some(7) {
                thread::sleep(Duration::from_millis(20));
            }
        })
        .unwrap();
    let _full = one.subscribe().accept::<u32>().capacity(2).pull().unwrap();
    let _large = one.subscribe().pull().unwrap();
    (0..8u32).for_each(|number| assert!(one.publish(number) > 0));
    slow.join().unwrap();
    let statistics = bus.statistics();
    let text = statistics.to_string();
    assert_eq!(statistics.topics.len(), 2);
    assert_eq!((&*statistics.topics[0].name, statistics.topics[0].forwards), ("channel:1", 1));
    assert_eq!(statistics.topics[1].subscriptions, 0, "it has left");
    assert_eq!(statistics.subscriptions.len(), 2);
    assert_eq!(statistics.subscriptions[0].stats.dropped.full, 6);
    assert!(text.contains("everything") && text.contains("6 ring full"), "{text}");
    let slowest = slow.stats().slowest;
    assert!(slowest.took >= Duration::from_millis(20) && slowest.message_type == "u32");
}

#[test]
fn a_pool_makes_topics_on_demand_all_forwarded_to_one() {
    let bus = bus();
    let pool = TopicPool::new(&bus, "channel:all");
    let mut events = pool.all().subscribe().accept::<u32>().pull().unwrap();
    let one = pool.topic("channel:1").unwrap();
    assert_eq!(pool.topic("channel:1").unwrap().id(), one.id());
    let two = pool.topic("channel:2").unwrap();
    one.publish(1u32);
    two.publish(2u32);
    let id = one.id();
    drop(one);
    assert_ne!(pool.topic("channel:1").unwrap().id(), id, "gone with its last handle");
    assert!(pool.topic("channel:all").is_err(), "it cannot be forwarded to itself");
    events.unsubscribe();
    let numbers: Vec<_> = events.iter().filter_map(|delivery| number(&delivery)).collect();
    assert_eq!(numbers, [1, 2]);
}

#[test]
fn a_declined_type_is_never_built_queued_or_delivered() {
    let declined = vec!["noise".to_string()];
    let bus = Bus::new(Settings { declined, ..Settings::default() }).unwrap();
    bus.register::<u32>("number").unwrap();
    bus.register::<u32>("number").unwrap();
    assert!(bus.register::<u64>("number").is_err());
    bus.register::<u8>("noise").unwrap();
    let topic = bus.topic("t");
    let mut events = topic.subscribe().pull().unwrap();
    assert_eq!((topic.publish(1u8), topic.publish(1u32)), (0, 1));
    assert_eq!(topic.publish_with(|| -> u8 { unreachable!("not built") }), 0);
    let mut publisher = bus.rt_publisher(4);
    assert_eq!(publisher.publish(&topic, Stamp::ZERO, 2u8), 0);
    bus.decline("number");
    bus.allow("noise");
    assert_eq!((topic.publish(3u8), topic.publish(3u32)), (1, 0));
    assert_eq!(topic.publish_with(|| 4u8), 1);
    events.unsubscribe();
    assert_eq!(events.iter().count(), 5);
}
