//! What each figure is, as Prometheus tells it.

use ::metrics::{KeyName, Recorder, SharedString, Unit};

enum Kind {
    Counter,
    Gauge,
    Histogram,
}

use Kind::{Counter, Gauge, Histogram};
use Unit::{Count, Microseconds, Seconds};

/// All figures that are counted here: kind, name, unit, what it is.
const DESCRIBED: [(Kind, &str, Unit, &str); 42] = [
    (Gauge, "process_start_time_seconds", Seconds, "When the server was started, since 1970"),
    (Gauge, "stasis_channels", Count, "Channels there are"),
    (Gauge, "stasis_bridges", Count, "Bridges there are"),
    (Gauge, "stasis_applications", Count, "Applications there are"),
    (Gauge, "stasis_endpoints", Count, "Endpoints there are"),
    (Counter, "stasis_channels_total", Count, "Channels that were made"),
    (Counter, "stasis_calls_total", Count, "Calls: channels that were called by no other"),
    (Counter, "stasis_calls_answered_total", Count, "Calls that were answered"),
    (
        Histogram,
        "stasis_call_seconds",
        Seconds,
        "How long calls were, from their first channel's beginning to its end",
    ),
    (
        Counter,
        "stasis_messages_total",
        Count,
        "Messages of the call model, by type, each counted once",
    ),
    (
        Counter,
        "stasis_messages_lost_total",
        Count,
        "Messages that were not counted, because counting could not keep up",
    ),
    (Gauge, "stasis_bus_topics", Count, "Topics on the bus"),
    (Gauge, "stasis_bus_subscriptions", Count, "Subscriptions on the bus"),
    (Gauge, "stasis_bus_pending_messages", Count, "Messages that wait for a subscriber"),
    (
        Gauge,
        "stasis_bus_high_water_messages",
        Count,
        "The most messages that have waited for one subscriber that is there",
    ),
    (Counter, "stasis_bus_delivered_total", Count, "Messages that subscribers were given"),
    (Counter, "stasis_bus_dropped_total", Count, "Messages that subscribers have lost, by cause"),
    (
        Counter,
        "stasis_bus_topic_published_total",
        Count,
        "Messages published to a topic that is always there",
    ),
    (
        Gauge,
        "stasis_bus_topic_pending_messages",
        Count,
        "Messages that wait for the subscribers of a topic",
    ),
    (
        Gauge,
        "stasis_bus_topic_high_water_messages",
        Count,
        "The most messages that have waited for a subscriber of a topic",
    ),
    (
        Counter,
        "stasis_bus_topic_dropped_total",
        Count,
        "Messages that the subscribers of a topic have lost",
    ),
    (Gauge, "stasis_bus_workers", Count, "Threads that run callbacks"),
    (Gauge, "stasis_bus_workers_busy", Count, "Threads that run a callback now"),
    (Counter, "stasis_bus_panics_total", Count, "Panics in callbacks that were caught"),
    (
        Counter,
        "stasis_records_written_total",
        Count,
        "Call records that were written, by kind and store",
    ),
    (
        Counter,
        "stasis_records_lost_total",
        Count,
        "Call records that were lost, because a store has refused for too long",
    ),
    (Counter, "stasis_records_failures_total", Count, "How often a store has refused call records"),
    (Gauge, "stasis_records_pending", Count, "Call records that wait to be written"),
    (
        Counter,
        "stasis_records_missed_messages_total",
        Count,
        "Messages that were lost before call records were made of them",
    ),
    (Counter, "stasis_media_ticks_total", Count, "Ticks that media threads have run"),
    (Counter, "stasis_media_ticks_missed_total", Count, "Ticks that began 20 ms late or later"),
    (Counter, "stasis_media_ticks_skipped_total", Count, "Ticks that were left out after a stall"),
    (
        Counter,
        "stasis_media_busy_microseconds_total",
        Microseconds,
        "Time that media threads have spent in ticks",
    ),
    (
        Counter,
        "stasis_media_send_errors_total",
        Count,
        "Datagrams that the operating system has not taken",
    ),
    (
        Gauge,
        "stasis_media_tick_lateness_seconds",
        Seconds,
        "How late ticks have begun since the start",
    ),
    (Counter, "stasis_http_requests_total", Count, "Requests that were answered, by status"),
    (
        Counter,
        "stasis_http_connections_refused_total",
        Count,
        "Connections that were refused, because there were too many",
    ),
    (Gauge, "stasis_ari_sockets", Count, "WebSockets that are open"),
    (Counter, "stasis_ari_events_total", Count, "Events that clients were told"),
    (
        Counter,
        "stasis_ari_events_missed_total",
        Count,
        "Events that clients have missed, because they were too slow",
    ),
    (
        Counter,
        "stasis_ari_sockets_overflowed_total",
        Count,
        "WebSockets that were closed, because their clients were too slow",
    ),
    (
        Counter,
        "stasis_ari_feed_lost_total",
        Count,
        "Messages that were lost before events were made of them",
    ),
];

/// Tells a recorder of all of them.
pub(super) fn describe(recorder: &impl Recorder) {
    for (kind, name, unit, help) in DESCRIBED {
        let (name, help) = (KeyName::from_const_str(name), SharedString::const_str(help));
        match kind {
            Counter => recorder.describe_counter(name, Some(unit), help),
            Gauge => recorder.describe_gauge(name, Some(unit), help),
            Histogram => recorder.describe_histogram(name, Some(unit), help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_figure_is_explained() {
        let docs = include_str!("../../../../docs/metrics.md");
        for (_, name, _, _) in DESCRIBED {
            let is_there =
                docs.contains(&format!("`{name}`")) || docs.contains(&format!("`{name}{{"));
            assert!(is_there, "docs/metrics.md does not have {name}");
        }
    }
}
