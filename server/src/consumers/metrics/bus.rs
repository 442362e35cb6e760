//! What goes on on the bus, in few figures: all subscriptions together, and the topics that are always there.

use std::collections::{BTreeMap, HashMap};

use stasis_bus::{Dropped, Statistics, SubscriptionId, SubscriptionStats};

use super::Meter;

/// What all subscriptions have got and lost, also those that are gone.
#[derive(Default)]
pub(super) struct Traffic {
    /// What each has got and lost when it was last looked at.
    seen: HashMap<SubscriptionId, Books>,
}

#[derive(Clone, Copy, Default)]
struct Books {
    delivered: u64,
    dropped: Dropped,
}

/// What waits on one topic.
#[derive(Default)]
struct Waiting {
    pending: u64,
    high_water: u64,
    dropped: u64,
}

impl Traffic {
    /// Counts what has been got and lost since the last look. What a subscription has lost after that and
    /// before its end is not seen.
    pub(super) fn look(&mut self, statistics: &Statistics, meter: &Meter) {
        let mut seen = HashMap::with_capacity(statistics.subscriptions.len());
        let mut by_topic = BTreeMap::<&str, Waiting>::new();
        let (mut pending, mut high_water) = (0, 0);
        for subscription in &statistics.subscriptions {
            let stats = &subscription.stats;
            let before = self.seen.get(&subscription.id).copied().unwrap_or_default();
            count(stats, before, meter);
            let books = Books { delivered: stats.delivered, dropped: stats.dropped };
            seen.insert(subscription.id, books);
            pending += stats.pending();
            high_water = high_water.max(stats.high_water);
            if let Some(topic) = lasting(&subscription.topic) {
                let waiting = by_topic.entry(topic).or_default();
                waiting.pending += stats.pending();
                waiting.high_water = waiting.high_water.max(stats.high_water);
                waiting.dropped += stats.dropped.total();
            }
        }
        self.seen = seen;
        meter.gauge("stasis_bus_pending_messages").set(pending as f64);
        meter.gauge("stasis_bus_high_water_messages").set(high_water as f64);
        tell_topics(statistics, &by_topic, meter);
        tell_bus(statistics, meter);
    }
}

fn count(stats: &SubscriptionStats, before: Books, meter: &Meter) {
    let delivered = stats.delivered.saturating_sub(before.delivered);
    meter.counter("stasis_bus_delivered_total", &[]).increment(delivered);
    let (now, before) = (stats.dropped, before.dropped);
    let causes = [
        ("full", now.full, before.full),
        ("evicted", now.evicted, before.evicted),
        ("blocked", now.blocked, before.blocked),
        ("contended", now.contended, before.contended),
        ("exhausted", now.exhausted, before.exhausted),
    ];
    for (cause, now, before) in causes {
        let fresh = now.saturating_sub(before);
        meter.counter("stasis_bus_dropped_total", &[("cause", cause)]).increment(fresh);
    }
}

fn tell_topics(statistics: &Statistics, by_topic: &BTreeMap<&str, Waiting>, meter: &Meter) {
    for topic in &statistics.topics {
        if let Some(name) = lasting(&topic.name) {
            let published = meter.counter("stasis_bus_topic_published_total", &[("topic", name)]);
            published.absolute(topic.published);
        }
    }
    for (topic, waiting) in by_topic {
        let label = [("topic", *topic)];
        let gauge = |name| meter.gauge_of(name, &label);
        gauge("stasis_bus_topic_pending_messages").set(waiting.pending as f64);
        gauge("stasis_bus_topic_high_water_messages").set(waiting.high_water as f64);
        let dropped = meter.counter("stasis_bus_topic_dropped_total", &label);
        dropped.absolute(waiting.dropped);
    }
}

fn tell_bus(statistics: &Statistics, meter: &Meter) {
    meter.gauge("stasis_bus_topics").set(statistics.topics.len() as f64);
    meter.gauge("stasis_bus_subscriptions").set(statistics.subscriptions.len() as f64);
    meter.gauge("stasis_bus_workers").set(statistics.workers.now as f64);
    meter.gauge("stasis_bus_workers_busy").set(statistics.workers.busy as f64);
    meter.counter("stasis_bus_panics_total", &[]).absolute(statistics.panics);
}

/// The name of a topic that is always there, as figures have it; none: it comes and goes.
fn lasting(topic: &str) -> Option<&str> {
    if topic.starts_with("consumer:") {
        return topic.split('#').next();
    }
    topic.ends_with(":all").then_some(topic)
}
