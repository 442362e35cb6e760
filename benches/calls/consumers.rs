//! Four consumers of everything: call records, event logs, counts by type, and events as JSON.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::{Arc, Mutex};

use stasis_bus::{Bus, Delivery, Overflow, Subscription, Topic};
use stasis_control::bridge::BridgeUpdate;
use stasis_control::channel::ChannelUpdate;
use stasis_control::message::{ApplicationEvent, BridgeEvent, ChannelEvent, Dial, VariableSet};
use stasis_control::records::Input;
use stasis_control::records::cdr::{CdrSettings, Cdrs};
use stasis_control::records::cel::{CelSettings, Cels};

/// What they have made of it.
#[derive(Debug, Default)]
pub struct Made {
    pub call_records: u64,
    pub log_entries: u64,
    pub counted: u64,
    pub json_bytes: u64,
    pub starts: u64,
    pub ends: u64,
    /// Entries that records keep.
    pub kept: usize,
}

/// The four, and what they have made.
pub struct Consumers {
    subscriptions: Vec<Subscription>,
    pub made: Arc<Mutex<Made>>,
}

impl Consumers {
    /// All of them listen to one topic, which has everything.
    pub fn attach(bus: &Bus, app: &Topic) -> Result<Self, Box<dyn Error>> {
        let all = bus.topic("bench:all");
        for topic in ["channel:all", "bridge:all"] {
            // Until the end.
            std::mem::forget(bus.topic(topic).forward_to(&all)?);
        }
        let made = Arc::<Mutex<Made>>::default();
        let mut subscriptions = Vec::new();
        for consumer in 0..4 {
            subscriptions.push(attach(&all, work(consumer, made.clone()))?);
        }
        let counts = made.clone();
        let subscription = app
            .subscribe()
            .accept::<ApplicationEvent>()
            .overflow(Overflow::Spill { limit: 1 << 20 })
            .callback(move |delivery| count_stays(&delivery, &counts))?;
        subscriptions.push(subscription);
        Ok(Consumers { subscriptions, made })
    }

    /// Messages that any of them has lost.
    pub fn lost(&self) -> u64 {
        self.subscriptions.iter().map(|subscription| subscription.stats().dropped.total()).sum()
    }

    /// Messages that wait.
    pub fn waiting(&self) -> u64 {
        self.subscriptions.iter().map(|subscription| subscription.stats().pending()).sum()
    }
}

type Work = Box<dyn FnMut(&Delivery) + Send>;

fn attach(topic: &Topic, mut work: Work) -> Result<Subscription, Box<dyn Error>> {
    Ok(topic
        .subscribe()
        .accept::<ChannelUpdate>()
        .accept::<ChannelEvent>()
        .accept::<VariableSet>()
        .accept::<Dial>()
        .accept::<BridgeUpdate>()
        .accept::<BridgeEvent>()
        .capacity(1 << 12)
        .overflow(Overflow::Spill { limit: 1 << 20 })
        .callback(move |delivery| work(&delivery))?)
}

/// What one of them does with a message.
fn work(consumer: usize, made: Arc<Mutex<Made>>) -> Work {
    let mut cdrs = Cdrs::new(CdrSettings { unanswered: true, ..CdrSettings::default() });
    let mut cels = Cels::new(CelSettings::default());
    let mut counts = BTreeMap::<String, u64>::new();
    Box::new(move |delivery| {
        let Some(message) = delivery.message() else { return };
        match consumer {
            0 => {
                let records = Input::of(message).map_or(0, |input| cdrs.take(input).len());
                let mut made = made.lock().unwrap();
                made.call_records += records as u64;
                made.kept = cdrs.kept();
            }
            1 => {
                let entries = Input::of(message).map_or(0, |input| cels.take(input).len());
                made.lock().unwrap().log_entries += entries as u64;
            }
            2 => {
                *counts.entry(message.type_name().to_owned()).or_default() += 1;
                made.lock().unwrap().counted += 1;
            }
            _ => made.lock().unwrap().json_bytes += json(delivery).len() as u64,
        }
    })
}

/// A message as clients would be told of it.
fn json(delivery: &Delivery) -> String {
    let json = if let Some(update) = delivery.downcast_ref::<ChannelUpdate>() {
        serde_json::to_string(&*update.new)
    } else if let Some(event) = delivery.downcast_ref::<ChannelEvent>() {
        serde_json::to_string(event)
    } else if let Some(set) = delivery.downcast_ref::<VariableSet>() {
        serde_json::to_string(set)
    } else if let Some(dial) = delivery.downcast_ref::<Dial>() {
        serde_json::to_string(dial)
    } else if let Some(event) = delivery.downcast_ref::<BridgeEvent>() {
        serde_json::to_string(event)
    } else {
        return String::new();
    };
    json.unwrap_or_default()
}

fn count_stays(delivery: &Delivery, made: &Mutex<Made>) {
    use stasis_control::message::ApplicationHappening::{StasisEnd, StasisStart};
    let Some(event) = delivery.downcast_ref::<ApplicationEvent>() else { return };
    let mut made = made.lock().unwrap();
    match event.event {
        StasisStart { .. } => made.starts += 1,
        StasisEnd { .. } => made.ends += 1,
        _ => {}
    }
}
