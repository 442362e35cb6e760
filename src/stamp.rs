//! Stamps: when a message was published.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A moment on the bus's clock, in nanoseconds since the bus was made.
///
/// The clock is monotonic: it never steps, and two stamps of one bus compare. Time is an argument
/// to everything that must not read a clock (real-time publishers, sans-IO engines), so in a test
/// any stamp will do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u64);

impl Stamp {
    /// The moment at which the bus was made.
    pub const ZERO: Stamp = Stamp(0);

    /// `ns` nanoseconds after the bus was made.
    pub const fn from_ns(ns: u64) -> Self {
        Stamp(ns)
    }

    /// `ms` milliseconds after the bus was made.
    pub const fn from_ms(ms: u64) -> Self {
        Stamp(ms * 1_000_000)
    }

    /// Nanoseconds since the bus was made.
    pub const fn ns(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the bus was made.
    pub const fn ms(self) -> u64 {
        self.0 / 1_000_000
    }

    /// The time from `earlier` to this moment; zero when `earlier` is the later one.
    pub const fn since(self, earlier: Stamp) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Stamp {
    type Output = Stamp;

    fn add(self, rhs: Duration) -> Stamp {
        Stamp(self.0.saturating_add(u64::try_from(rhs.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s", self.0 as f64 / 1e9)
    }
}
