//! The time of day, as an argument.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use stasis_bus::Stamp;

/// A moment: microseconds since the beginning of 1970, UTC.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// So many microseconds after the beginning of 1970, UTC.
    pub const fn from_micros(micros: u64) -> Self {
        Timestamp(micros)
    }

    /// Microseconds since the beginning of 1970, UTC.
    pub const fn micros(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the beginning of 1970, UTC.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole seconds since the beginning of 1970, UTC.
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }

    /// As a time of the calendar, in UTC. Whoever sets a clock beyond the year 9999 has the last moment of it.
    pub fn utc(self) -> jiff::Timestamp {
        let micros = i64::try_from(self.0).unwrap_or(i64::MAX);
        jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX)
    }

    /// The time from `earlier` to this moment; zero when `earlier` is the later one.
    pub const fn since(self, earlier: Timestamp) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// What time of day it was when the bus's clock began: makes moments of stamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Epoch(Timestamp);

impl Epoch {
    /// It was this time when the bus's clock showed zero.
    pub const fn at(zero: Timestamp) -> Self {
        Epoch(zero)
    }

    /// The time of day at a stamp.
    pub const fn time(self, stamp: Stamp) -> Timestamp {
        Timestamp(self.0.0.saturating_add(stamp.ns() / 1_000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_a_time_of_day() {
        let epoch = Epoch::at(Timestamp::from_micros(1_700_000_000_000_000));
        let time = epoch.time(Stamp::from_ms(1_500));
        assert_eq!((time.seconds(), time.millis()), (1_700_000_001, 1_700_000_001_500));
        assert_eq!(time.since(epoch.time(Stamp::ZERO)), Duration::from_millis(1_500));
        assert_eq!(epoch.time(Stamp::ZERO).since(time), Duration::ZERO);
    }
}
