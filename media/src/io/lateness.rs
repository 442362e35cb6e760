//! How late ticks begin: a histogram that the media thread writes and anybody may read.
//!
//! Its buckets are log-linear: up to 64 µs each microsecond has one, from there on each doubling is
//! cut into 32, so that a value is known to 3 %. Writing is two atomic additions and a maximum, in
//! memory made beforehand.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Buckets of one doubling.
const STEPS: u64 = 32;
const STEP_BITS: u32 = STEPS.trailing_zeros();
/// What is longer counts as this, about 67 s, but for the maximum.
const MOST_US: u64 = (1 << 26) - 1;
const BUCKETS: usize = bucket_of(MOST_US) + 1;

/// The bucket of a number of microseconds.
const fn bucket_of(us: u64) -> usize {
    let us = if us < MOST_US { us } else { MOST_US };
    if us < 2 * STEPS {
        return us as usize;
    }
    // The doubling that it is in, and the five bits below its highest.
    let shift = us.ilog2() - STEP_BITS;
    (shift as u64 * STEPS + (us >> shift)) as usize
}

/// The least number of microseconds of a bucket.
const fn floor_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < 2 * STEPS {
        return bucket;
    }
    let shift = bucket / STEPS - 1;
    (bucket - shift * STEPS) << shift
}

/// Counts how late ticks were. Never waits, whoever reads.
#[derive(Debug)]
pub struct Lateness {
    buckets: Box<[AtomicU64]>,
    max_us: AtomicU64,
}

impl Default for Lateness {
    fn default() -> Self {
        Self::new()
    }
}

impl Lateness {
    /// Nothing counted yet. Allocates all that it will ever need.
    pub fn new() -> Self {
        let buckets = (0..BUCKETS).map(|_| AtomicU64::new(0)).collect();
        Lateness { buckets, max_us: AtomicU64::new(0) }
    }

    /// Counts one tick that began so late. Never waits, never allocates.
    pub fn record(&self, lateness: Duration) {
        let us = u64::try_from(lateness.as_micros()).unwrap_or(u64::MAX);
        // Relaxed: counters that order nothing else.
        if let Some(bucket) = self.buckets.get(bucket_of(us)) {
            bucket.fetch_add(1, Relaxed);
        }
        self.max_us.fetch_max(us, Relaxed);
    }

    /// The latest so far, in microseconds.
    pub fn max_us(&self) -> u64 {
        self.max_us.load(Relaxed)
    }

    /// What was counted so far. A tick that is being counted at the moment may be in it or not.
    pub fn snapshot(&self) -> LatenessSnapshot {
        let buckets = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        LatenessSnapshot { buckets, max_us: self.max_us.load(Relaxed) }
    }
}

/// How late ticks were, up to one moment.
///
/// ```
/// use std::time::Duration;
/// use stasis_media::io::Lateness;
///
/// let lateness = Lateness::new();
/// (1..=1_000).for_each(|us| lateness.record(Duration::from_micros(us)));
/// let snapshot = lateness.snapshot();
/// assert_eq!((snapshot.count(), snapshot.max_us()), (1_000, 1_000));
/// assert!((490..=510).contains(&snapshot.percentile_us(50.0)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LatenessSnapshot {
    buckets: Vec<u64>,
    max_us: u64,
}

impl LatenessSnapshot {
    /// Ticks that were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The latest of them, in microseconds, exactly; of a [difference](Self::since), to 3 %.
    pub fn max_us(&self) -> u64 {
        self.max_us
    }

    /// So many microseconds late were `percent` of them at the most, to 3 % and never too little; 0
    /// when there are none.
    pub fn percentile_us(&self, percent: f64) -> u64 {
        let wanted = (self.count() as f64 * percent.clamp(0.0, 100.0) / 100.0).ceil().max(1.0);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen as f64 >= wanted {
                return (floor_of(bucket + 1) - 1).min(self.max_us);
            }
        }
        self.max_us
    }

    /// The buckets that are not empty, in order: from how many microseconds on, up to below how
    /// many, and the number of ticks.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let filled = self.buckets.iter().enumerate().filter(|(_, count)| **count > 0);
        filled.map(|(bucket, count)| (floor_of(bucket), floor_of(bucket + 1), *count))
    }

    /// Those of several threads together.
    pub fn and(mut self, other: &LatenessSnapshot) -> LatenessSnapshot {
        self.buckets.resize(self.buckets.len().max(other.buckets.len()), 0);
        for (own, other) in self.buckets.iter_mut().zip(&other.buckets) {
            *own += other;
        }
        self.max_us = self.max_us.max(other.max_us);
        self
    }

    /// What was counted since `before`, an earlier one of the same thread.
    pub fn since(&self, before: &LatenessSnapshot) -> LatenessSnapshot {
        let earlier = before.buckets.iter().chain(std::iter::repeat(&0));
        let buckets: Vec<u64> =
            self.buckets.iter().zip(earlier).map(|(now, then)| now.saturating_sub(*then)).collect();
        let highest = buckets.iter().rposition(|count| *count > 0);
        let max_us = highest.map_or(0, |bucket| self.max_us.min(floor_of(bucket + 1) - 1));
        LatenessSnapshot { buckets, max_us }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_follow_on_each_other_and_each_is_within_four_percent() {
        for bucket in 0..BUCKETS {
            let (floor, next) = (floor_of(bucket), floor_of(bucket + 1));
            assert_eq!((bucket_of(floor), bucket_of(next - 1)), (bucket, bucket));
            assert!(next > floor && (next - floor == 1 || 30 * (next - floor) <= floor));
        }
        assert_eq!(floor_of(BUCKETS), MOST_US + 1);
        const { assert!(MOST_US > 60_000_000) };
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn percentiles_are_those_of_the_sorted_list_to_four_percent(
            mut all in prop::collection::vec(0u64..70_000_000, 1..300), percent in 0.0f64..=100.0
        ) {
            let lateness = Lateness::new();
            all.iter().for_each(|us| lateness.record(Duration::from_micros(*us)));
            all.sort_unstable();
            let rank = (all.len() as f64 * percent / 100.0).ceil().max(1.0) as usize;
            let (exact, told) = (all[rank - 1], lateness.snapshot().percentile_us(percent));
            prop_assert!(told >= exact.min(MOST_US) && told as f64 <= exact as f64 * 1.04 + 1.0);
            prop_assert_eq!(lateness.snapshot().count(), all.len() as u64);
            prop_assert_eq!(lateness.snapshot().max_us(), all[all.len() - 1]);
        }
    }

    #[test]
    fn a_difference_knows_only_what_came_after() {
        let lateness = Lateness::new();
        lateness.record(Duration::from_secs(2));
        let before = lateness.snapshot();
        assert_eq!(before.since(&before), Lateness::new().snapshot());
        lateness.record(Duration::from_micros(40));
        let since = lateness.snapshot().since(&before);
        assert_eq!((since.count(), since.max_us()), (1, 40));
        assert_eq!(since.buckets().collect::<Vec<_>>(), [(40, 41, 1)]);
        assert_eq!(since.percentile_us(99.0), 40);
    }

    #[test]
    fn any_lateness_is_counted_and_nothing_counted_is_zero() {
        let lateness = Lateness::new();
        assert_eq!(lateness.snapshot().percentile_us(50.0), 0);
        lateness.record(Duration::MAX);
        assert_eq!(lateness.snapshot().max_us(), u64::MAX);
        assert_eq!(LatenessSnapshot::default().percentile_us(f64::NAN), 0);
    }
}
