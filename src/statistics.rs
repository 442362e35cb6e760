//! Statistics: what goes on in a bus, for an operator to read.
//!
//! Everything is counted always; this only collects it. No publish waits for that.

use std::fmt;

use crate::bus::Bus;
use crate::filter::Filter;
use crate::mailbox::{SubscriptionId, SubscriptionStats};
use crate::pool::WorkerStatistics;

/// A bus at one time; print it.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    /// Its topics, by name.
    pub topics: Vec<TopicStatistics>,
    /// Its subscriptions, by age.
    pub subscriptions: Vec<SubscriptionStatistics>,
    /// The threads that run callbacks.
    pub workers: WorkerStatistics,
    /// Panics that were caught; see [`Bus::panics`].
    pub panics: u64,
}

/// A topic at one time.
#[derive(Clone, Debug)]
pub struct TopicStatistics {
    /// Its name.
    pub name: String,
    /// Messages published to it, by forwards too.
    pub published: u64,
    /// How many are subscribed to it.
    pub subscriptions: usize,
    /// To how many topics it is forwarded.
    pub forwards: usize,
}

/// A subscription at one time.
#[derive(Clone, Debug)]
pub struct SubscriptionStatistics {
    /// Which.
    pub id: SubscriptionId,
    /// Its topic's name.
    pub topic: String,
    /// What it accepts; `None` when it has unsubscribed and not yet read to its end.
    pub filter: Option<Filter>,
    /// What it got and lost.
    pub stats: SubscriptionStats,
}

impl Bus {
    /// What goes on now.
    ///
    /// ```
    /// # use stasis_bus::{Bus, Settings};
    /// # let bus = Bus::new(Settings::default())?;
    /// # let topic = bus.topic("t");
    /// let events = topic.subscribe().accept::<u32>().capacity(2).pull()?;
    /// for number in 0..5u32 {
    ///     topic.publish(number);
    /// }
    /// topic.publish("nobody accepts this");
    /// println!("{}", bus.statistics()); // a table
    /// let stats = bus.statistics().subscriptions[0].stats;
    /// assert_eq!((stats.pending(), stats.dropped.full, stats.filtered), (2, 3, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn statistics(&self) -> Statistics {
        let (topics, subscriptions) = self.core().everybody();
        let mut topics: Vec<_> = topics.iter().map(|topic| topic.statistics()).collect();
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        let mut subscriptions: Vec<_> =
            subscriptions.iter().map(|member| member.core().statistics()).collect();
        subscriptions.sort_by_key(|subscription| subscription.id);
        let workers = self.core().pool().statistics();
        Statistics { topics, subscriptions, workers, panics: self.panics() }
    }
}

impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<32} {:>12} {:>6} {:>6}", "topic", "published", "subs", "fwds")?;
        for topic in &self.topics {
            let TopicStatistics { name, published, subscriptions, forwards } = topic;
            writeln!(f, "{name:<32} {published:>12} {subscriptions:>6} {forwards:>6}")?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "{:<32} {:<12} {:>10} {:>10} {:>10} {:>9} {:>6}  slowest callback",
            "subscription", "accepts", "delivered", "filtered", "conflated", "pending", "high"
        )?;
        for SubscriptionStatistics { id, topic, filter, stats } in &self.subscriptions {
            let accepts = filter.as_ref().map_or("(ending)".into(), Filter::to_string);
            write!(
                f,
                "{:<32} {accepts:<12} {:>10} {:>10} {:>10} {:>9} {:>6}",
                format!("{topic} {id}"),
                stats.delivered,
                stats.filtered,
                stats.conflated,
                format!("{}/{}", stats.pending(), stats.capacity),
                stats.high_water,
            )?;
            if !stats.slowest.took.is_zero() {
                write!(f, "  {:?} for {}", stats.slowest.took, stats.slowest.message_type)?;
            }
            writeln!(f)?;
            if stats.dropped.total() > 0 {
                writeln!(f, "    dropped: {}", stats.dropped)?;
            }
        }
        let WorkerStatistics { now, most, busy, failed_starts } = self.workers;
        write!(f, "\n{now} workers, {busy} of them busy; at most there were {most}")?;
        if failed_starts > 0 {
            write!(f, "; {failed_starts} could not be started")?;
        }
        writeln!(f)?;
        if self.panics > 0 {
            writeln!(f, "{} panics of callbacks, keys or payloads were caught", self.panics)?;
        }
        Ok(())
    }
}
