//! The schedule of ticks: a regular grid of 20 ms, and what to do when one is late.
//!
//! A late tick is run at once, and so are those that have become due meanwhile, up to
//! [`CATCH_UP`]: that much the jitter buffers of phones absorb, and no audio is lost. Of a longer
//! stall the rest is skipped, so that nobody gets a burst.

use std::time::Duration;

use stasis_bus::Stamp;

use crate::frame::Ptime;

/// The time from one tick to the next.
pub const PERIOD: Duration = Duration::from_millis(Ptime::TICK.ms() as u64);

/// Ticks that are run one right after the other to catch up.
pub const CATCH_UP: u32 = 3;

/// Where the next tick is on the grid.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    next: Stamp,
}

/// A tick that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its place on the grid.
    pub at: Stamp,
    /// How long ago that was.
    pub lateness: Duration,
    /// Ticks before it that are skipped.
    pub skipped: u32,
}

impl Due {
    /// Whether it was missed: it begins when the next one should have.
    pub fn is_missed(&self) -> bool {
        self.lateness >= PERIOD
    }
}

impl Schedule {
    /// A grid with its first tick at `first`.
    pub fn new(first: Stamp) -> Self {
        Schedule { next: first }
    }

    /// When the next tick is due.
    pub fn next(&self) -> Stamp {
        self.next
    }

    /// The next tick, at the time `now`, which is not before [`next`](Self::next).
    pub fn take(&mut self, now: Stamp) -> Due {
        let waiting = (now.since(self.next).as_nanos() / PERIOD.as_nanos()) as u32;
        let skipped = waiting.saturating_sub(CATCH_UP);
        let at = self.next + PERIOD * skipped;
        // The lateness of the tick that was to run, before anything was skipped.
        let lateness = now.since(self.next);
        self.next = at + PERIOD;
        Due { at, lateness, skipped }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(due: Due) -> (u64, u64, u32, bool) {
        (due.at.ms(), due.lateness.as_millis() as u64, due.skipped, due.is_missed())
    }

    #[test]
    fn ticks_stay_on_the_grid_whenever_they_get_to_run() {
        let mut schedule = Schedule::new(Stamp::from_ms(100));
        assert_eq!(ms(schedule.take(Stamp::from_ms(100))), (100, 0, 0, false));
        assert_eq!(ms(schedule.take(Stamp::from_ms(139))), (120, 19, 0, false));
        assert_eq!(ms(schedule.take(Stamp::from_ms(140))), (140, 0, 0, false));
        assert_eq!(schedule.next(), Stamp::from_ms(160));
    }

    #[test]
    fn a_short_stall_is_caught_up_and_of_a_long_one_the_rest_is_skipped() {
        let mut schedule = Schedule::new(Stamp::ZERO);
        let now = Stamp::from_ms(65);
        let short: Vec<_> = (0..4).map(|_| ms(schedule.take(now))).collect();
        assert_eq!(
            short,
            [(0, 65, 0, true), (20, 45, 0, true), (40, 25, 0, true), (60, 5, 0, false)]
        );
        let mut schedule = Schedule::new(Stamp::ZERO);
        let now = Stamp::from_ms(1_005);
        assert_eq!(ms(schedule.take(now)), (940, 1_005, 47, true));
        assert_eq!(ms(schedule.take(now)), (960, 45, 0, true));
    }
}
