//! Those who listen on behalf of an operator: call records, StatsD, metrics, a log of calls.
//!
//! Each is a subscriber of the bus with a thread of its own, started by `start` and ended by dropping it. None
//! knows of another, and nothing in the call model knows of any: one that is left out, fails or is stuck
//! changes nothing for calls or for the others. What none of them can keep up with waits in a queue that has
//! a limit, and what is lost beyond that is counted.
//!
//! | consumer | thread | what it makes |
//! | --- | --- | --- |
//! | [`Records`] | `records` | call detail records and the event log, in a database and as CSV |
//! | [`Statsd`] | `statsd` | counts, a gauge and a timer for a StatsD server |
//! | [`Metrics`] | `metrics` | figures for Prometheus |
//! | [`CallLog`] | `call-log` | a line for each thing of note in a call |

mod call_log;
mod feed;
mod kind;
mod metrics;
mod records;
mod statsd;

pub use call_log::{CallLog, CallLogError, CallLogSettings};
pub use feed::FeedError;
pub use kind::{KINDS, kind_of};
pub use metrics::{Metrics, MetricsError, MetricsSettings};
pub use records::{
    CdrOptions, CelOptions, Choice, RecordSettings, RecordStats, Records, RecordsError, StoreStats,
};
pub use statsd::{Statsd, StatsdError, StatsdSettings};
