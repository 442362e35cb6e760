//! Pace: how many samples a leg plays in a time.

use crate::frame::SampleRate;

const NS_PER_MS: i64 = 1_000_000;

/// The rate of one leg's samples, for reckoning with times and timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pace {
    per_ms: i64,
}

impl Pace {
    /// That of `rate`.
    pub(crate) const fn new(rate: SampleRate) -> Self {
        Pace { per_ms: rate.hz() as i64 / 1_000 }
    }

    /// Samples in so many milliseconds.
    pub(crate) const fn ms(self, ms: i64) -> i64 {
        ms * self.per_ms
    }

    /// The time of so many samples, in nanoseconds.
    pub(crate) const fn ns(self, samples: i64) -> i64 {
        samples.saturating_mul(NS_PER_MS) / self.per_ms
    }

    /// Samples in so many nanoseconds.
    pub(crate) const fn samples_in(self, ns: i64) -> i64 {
        ns / NS_PER_MS * self.per_ms + ns % NS_PER_MS * self.per_ms / NS_PER_MS
    }

    /// Samples in so many units of a clock of `clock_hz`, which is not 0.
    pub(crate) const fn samples_of(self, units: i64, clock_hz: u32) -> i64 {
        units * self.per_ms * 1_000 / if clock_hz == 0 { 1 } else { clock_hz as i64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_is_a_tick_by_any_measure() {
        for rate in SampleRate::ALL {
            let (pace, samples) = (Pace::new(rate), i64::from(rate.hz() / 50));
            assert_eq!(pace.ms(20), samples);
            assert_eq!(pace.ns(samples), 20_000_000);
            assert_eq!(pace.samples_in(20_000_000), samples);
            for (units, clock_hz) in [(160, 8_000), (320, 16_000), (960, 48_000)] {
                assert_eq!(pace.samples_of(units, clock_hz), samples);
                assert_eq!(pace.samples_of(-units, clock_hz), -samples);
            }
        }
    }

    #[test]
    fn no_time_overflows() {
        let pace = Pace::new(SampleRate::Hz48000);
        assert_eq!(pace.samples_in(i64::MAX) / 48_000, i64::MAX / 1_000_000_000);
        assert_eq!(pace.samples_of(i64::from(i32::MIN), 0) / 48_000, i64::from(i32::MIN));
        assert!(pace.ns(i64::MAX) > 0);
    }
}
