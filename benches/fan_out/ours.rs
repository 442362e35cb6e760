//! The bus: `Topic::publish` and `RtPublisher::publish`.

use std::hint::black_box;

use stasis_bus::{Bus, PullSubscription, RtPublisher, Settings, Stamp, Topic};

use super::{CAPACITY, EVENT, Event, FanOut};

/// A bus of its own, with a worker that has nothing to do.
fn quiet_bus() -> Bus {
    let settings =
        Settings { workers: 1, max_workers: 1, look_ms: u16::MAX, ..Settings::default() };
    Bus::new(settings).expect("there is room for a thread")
}

fn subscribe(topic: &Topic, subscribers: usize) -> Vec<PullSubscription> {
    let subscribe =
        || topic.subscribe().capacity(CAPACITY).accept::<Event>().pull().expect("the bus is there");
    (0..subscribers).map(|_| subscribe()).collect()
}

fn drain_subscriptions(subscriptions: &mut [PullSubscription], readers: usize) {
    for subscription in &mut subscriptions[..readers] {
        while let Ok(delivery) = subscription.try_recv() {
            black_box(delivery.downcast_ref::<Event>().map(|event| event.0[0]));
        }
    }
}

/// `Topic::publish`: a message on the heap.
pub struct Ordinary {
    topic: Topic,
    subscriptions: Vec<PullSubscription>,
    _bus: Bus,
}

impl Ordinary {
    pub fn new(subscribers: usize) -> Self {
        let bus = quiet_bus();
        let topic = bus.topic("bench");
        Ordinary { subscriptions: subscribe(&topic, subscribers), topic, _bus: bus }
    }
}

impl FanOut for Ordinary {
    fn publish(&mut self) {
        black_box(self.topic.publish(black_box(EVENT)));
    }

    fn drain(&mut self, readers: usize) {
        drain_subscriptions(&mut self.subscriptions, readers);
    }
}

/// `RtPublisher::publish`: a message in a cell of its pool, and the time as an argument.
pub struct RealTime {
    publisher: RtPublisher,
    topic: Topic,
    subscriptions: Vec<PullSubscription>,
    _bus: Bus,
}

impl RealTime {
    pub fn new(subscribers: usize) -> Self {
        let bus = quiet_bus();
        let topic = bus.topic("bench");
        RealTime {
            publisher: bus.rt_publisher(2 * CAPACITY as u32).bind(),
            subscriptions: subscribe(&topic, subscribers),
            topic,
            _bus: bus,
        }
    }
}

impl FanOut for RealTime {
    fn publish(&mut self) {
        black_box(self.publisher.publish(&self.topic, black_box(Stamp::ZERO), black_box(EVENT)));
    }

    fn drain(&mut self, readers: usize) {
        drain_subscriptions(&mut self.subscriptions, readers);
    }
}
