//! The bus: `Topic::publish` and `RtPublisher::publish`, with a type filter, its counters, and every
//! overflow policy at work.

use std::hint::black_box;

use stasis_bus::{Bus, Delivery, Overflow, PullSubscription, RtPublisher, Settings, Stamp, Topic};

use super::{CAPACITY, Event, FanOut, Policies, Publish, Read};

fn quiet_bus() -> Bus {
    let settings =
        Settings { workers: 1, max_workers: 1, look_ms: u16::MAX, ..Settings::default() };
    Bus::new(settings).expect("there is room for a thread")
}

fn policy(subscriber: usize, policies: Policies) -> Overflow {
    if policies == Policies::Lossless {
        return Overflow::Block;
    }
    match subscriber % 5 {
        0 => Overflow::DropNewest,
        1 => Overflow::DropOldest,
        2 => Overflow::Spill { limit: CAPACITY },
        3 => Overflow::Block,
        _ => Overflow::conflate(|message| message.downcast_ref().map(Event::number)),
    }
}

fn subscribe(topic: &Topic, subscribers: usize, policies: Policies) -> Subscribers {
    let subscribe = |subscriber| {
        let subscribe = topic.subscribe().capacity(CAPACITY).accept::<Event>();
        let mut reader =
            subscribe.overflow(policy(subscriber, policies)).pull().expect("the bus is there");
        reader.try_recv().expect("its own first message");
        reader
    };
    Subscribers((0..subscribers).map(subscribe).collect())
}

struct Subscribers(Vec<PullSubscription>);

impl Read for Subscribers {
    fn drain(&mut self, readers: usize) -> u64 {
        let mut read = 0;
        for subscription in &mut self.0[..readers] {
            while let Ok(delivery) = subscription.try_recv() {
                assert!(!matches!(delivery, Delivery::Lagged(_)), "lost");
                black_box(delivery.downcast_ref().map(Event::number));
                read += 1;
            }
        }
        read
    }
}

/// `Topic::publish`: a message on the heap, and a look at the clock.
pub fn ordinary(subscribers: usize, policies: Policies) -> FanOut {
    let bus = quiet_bus();
    let topic = bus.topic("bench");
    let readers = Box::new(subscribe(&topic, subscribers, policies));
    FanOut { publisher: Box::new(Ordinary { topic, number: 0, _bus: bus }), readers }
}

struct Ordinary {
    topic: Topic,
    number: u64,
    _bus: Bus,
}

impl Publish for Ordinary {
    fn publish(&mut self) -> usize {
        self.number += 1;
        self.topic.publish(black_box(Event::numbered(self.number)))
    }
}

/// `RtPublisher::publish`: a message in a cell of its pool, and the time as an argument.
pub fn real_time(subscribers: usize, policies: Policies) -> FanOut {
    let bus = quiet_bus();
    let topic = bus.topic("bench");
    let readers = Box::new(subscribe(&topic, subscribers, policies));
    // One that stalls keeps a ring of them, and as many behind it.
    let publisher = bus.rt_publisher(4 * CAPACITY as u32);
    let publisher = RealTime { publisher, topic, number: 0, _bus: bus };
    FanOut { publisher: Box::new(publisher), readers }
}

struct RealTime {
    publisher: RtPublisher,
    topic: Topic,
    number: u64,
    _bus: Bus,
}

impl Publish for RealTime {
    fn publish(&mut self) -> usize {
        self.number += 1;
        let (now, event) = (Stamp::from_ns(self.number), Event::numbered(self.number));
        self.publisher.publish(&self.topic, now, black_box(event))
    }
}
