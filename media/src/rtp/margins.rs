//! Margins: how long packets wait before they are played, and what to do about it.
//!
//! A margin is the time from a packet's arrival to its playout. Over a window of a second: when
//! even the smallest is well over the delay, the buffer is fuller than needed (the sender's clock
//! is fast, or a bad spell is over) and ticks are to be skipped; when the mean is well under it,
//! ticks are to be held back (the sender's clock is slow, the path has grown longer). Packets that
//! miss their time in three ticks of a window are too late to wait for the mean.

/// Ticks in a window.
const WINDOW: u32 = 50;
/// Packets without which a window says nothing.
const ENOUGH: i64 = 10;
/// Deviation that is left alone, in nanoseconds: packets start on a tick, so 20 ms are rounding.
const SLACK_NS: i64 = 15_000_000;
/// Ticks with late packets in one window that mean lateness is there to stay.
const LATE_TICKS: u32 = 3;
/// Ticks that an adjustment waits for a pause in the sound.
const PATIENCE: u32 = 25;
/// Ticks between two adjustments in running sound.
const SPACING: u32 = 10;

/// What playout is to do with one tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Adjust {
    /// Play nothing new: the delay grows by a tick.
    Hold,
    /// Leave one out: the delay shrinks by a tick.
    Skip,
}

/// The watch over one buffer's margins.
#[derive(Debug, Default)]
pub(crate) struct Margins {
    ticks: u32,
    count: i64,
    sum_ns: i64,
    least_ns: i64,
    late_ticks: u32,
    late_now: bool,
    pending: i64,
    waited: u32,
}

impl Margins {
    /// Notes a packet that came in time.
    pub(crate) fn on_time(&mut self, margin_ns: i64) {
        self.least_ns = if self.count == 0 { margin_ns } else { self.least_ns.min(margin_ns) };
        self.sum_ns = self.sum_ns.saturating_add(margin_ns);
        self.count += 1;
    }

    /// Notes a packet that missed its time. True when lateness is there to stay: anchor anew.
    pub(crate) fn late(&mut self) -> bool {
        if !self.late_now {
            self.late_now = true;
            self.late_ticks += 1;
        }
        self.late_ticks >= LATE_TICKS
    }

    /// Forgets all: playout was anchored anew.
    pub(crate) fn reset(&mut self) {
        *self = Margins::default();
    }

    /// One tick passes. `delay_ns` is the delay asked for, `tick_ns` the length of a tick.
    pub(crate) fn tick(&mut self, delay_ns: i64, tick_ns: i64) {
        self.late_now = false;
        self.ticks += 1;
        self.waited = self.waited.saturating_add(1);
        if self.ticks >= WINDOW {
            if self.pending == 0 && self.count >= ENOUGH {
                self.pending = self.wanted(delay_ns, tick_ns.max(1));
                self.waited = 0;
            }
            self.start_window();
        }
    }

    /// The adjustment that waits, and whether it may not wait longer for a pause in the sound.
    pub(crate) fn pending(&self) -> Option<(Adjust, bool)> {
        let adjust = match self.pending {
            0 => return None,
            1.. => Adjust::Hold,
            _ => Adjust::Skip,
        };
        Some((adjust, self.waited >= PATIENCE))
    }

    /// One tick of the adjustment was carried out.
    pub(crate) fn adjusted(&mut self) {
        self.pending -= self.pending.signum();
        self.waited = PATIENCE - SPACING;
        self.start_window();
    }

    /// Ticks to hold (positive) or to skip (negative).
    fn wanted(&self, delay_ns: i64, tick_ns: i64) -> i64 {
        let (mean, centre) = (self.sum_ns / self.count, delay_ns + tick_ns / 2);
        if self.least_ns > delay_ns + tick_ns + SLACK_NS {
            -((self.least_ns - centre) / tick_ns).max(1)
        } else if mean < delay_ns - SLACK_NS {
            ((centre - mean) / tick_ns).max(1)
        } else {
            0
        }
    }

    fn start_window(&mut self) {
        (self.ticks, self.count, self.sum_ns, self.least_ns, self.late_ticks) = (0, 0, 0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    /// A second in which packets have these margins, in turn, at a delay of 60 ms.
    fn second_of(margins_ms: &[i64]) -> Margins {
        let mut watch = Margins::default();
        for tick in 0..WINDOW as usize {
            watch.on_time(margins_ms[tick % margins_ms.len()] * MS);
            watch.tick(60 * MS, 20 * MS);
        }
        watch
    }

    #[test]
    fn margins_around_the_delay_are_left_alone() {
        for margins in [&[60][..], &[46, 50], &[94], &[40, 60, 80], &[60, 80, 100, 120, 140]] {
            assert_eq!(second_of(margins).pending, 0, "{margins:?}");
        }
    }

    #[test]
    fn a_buffer_fuller_than_needed_skips_and_one_that_runs_dry_holds() {
        assert_eq!(second_of(&[96, 120]).pending, -1);
        assert_eq!(second_of(&[360]).pending, -14);
        assert_eq!(second_of(&[30, 50]).pending, 1);
        assert_eq!(second_of(&[1]).pending, 3);
    }

    #[test]
    fn an_adjustment_waits_for_a_pause_half_a_second_and_then_no_longer() {
        let mut watch = second_of(&[360]);
        assert_eq!(watch.pending(), Some((Adjust::Skip, false)));
        (0..PATIENCE).for_each(|_| watch.tick(60 * MS, 20 * MS));
        assert_eq!(watch.pending(), Some((Adjust::Skip, true)));
        watch.adjusted();
        assert_eq!(watch.pending(), Some((Adjust::Skip, false)));
    }

    #[test]
    fn lateness_counts_by_ticks_so_one_late_burst_is_not_there_to_stay() {
        let mut watch = Margins::default();
        assert!((0..100).all(|_| !watch.late()));
        watch.tick(60 * MS, 20 * MS);
        assert!(!watch.late());
        watch.tick(60 * MS, 20 * MS);
        assert!(watch.late());
    }
}
