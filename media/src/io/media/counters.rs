//! What the media threads have done so far.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::io::lateness::Lateness;

/// What media threads have done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Ticks that were run.
    pub ticks: u64,
    /// Ticks that began 20 ms late or later.
    pub missed: u64,
    /// Ticks that were skipped after a long stall.
    pub skipped: u64,
    /// The worst delay of a tick, in microseconds.
    pub worst_lateness_us: u64,
    /// Time spent in ticks, in microseconds: of 20,000 that each has.
    pub busy_us: u64,
    /// Datagrams that the operating system did not take.
    pub send_errors: u64,
}

impl Counters {
    /// Those of several threads together.
    pub(super) fn and(self, other: Counters) -> Counters {
        Counters {
            ticks: self.ticks + other.ticks,
            missed: self.missed + other.missed,
            skipped: self.skipped + other.skipped,
            worst_lateness_us: self.worst_lateness_us.max(other.worst_lateness_us),
            busy_us: self.busy_us + other.busy_us,
            send_errors: self.send_errors + other.send_errors,
        }
    }
}

/// The counters of one thread, which alone writes them.
#[derive(Debug, Default)]
pub(super) struct SharedCounters {
    ticks: AtomicU64,
    missed: AtomicU64,
    skipped: AtomicU64,
    pub(super) lateness: Lateness,
    busy_ns: AtomicU64,
    pub(super) send_errors: AtomicU64,
}

impl SharedCounters {
    /// A tick begins.
    pub(super) fn begin(&self, lateness: Duration, missed: bool, skipped: u32) {
        self.ticks.fetch_add(1, Relaxed);
        self.missed.fetch_add(u64::from(missed), Relaxed);
        self.skipped.fetch_add(u64::from(skipped), Relaxed);
        self.lateness.record(lateness);
    }

    /// A tick has ended, which took so long.
    pub(super) fn end(&self, took: Duration) {
        self.busy_ns.fetch_add(took.as_nanos() as u64, Relaxed);
    }

    pub(super) fn read(&self) -> Counters {
        Counters {
            ticks: self.ticks.load(Relaxed),
            missed: self.missed.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
            worst_lateness_us: self.lateness.max_us(),
            busy_us: self.busy_ns.load(Relaxed) / 1_000,
            send_errors: self.send_errors.load(Relaxed),
        }
    }
}
