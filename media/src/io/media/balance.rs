//! Who mixes what: which thread gets a new leg or bridge, and which bridge goes to another thread.

use crate::id::BridgeId;

/// A thread that has less to do than this share of its time is left alone.
const BUSY: f64 = 0.4;
/// So much more than the thread with the least to do it must have.
const UNEVEN: f64 = 0.2;
/// A move is to take away at least this share of the difference.
const WORTH: f64 = 0.25;

/// The thread with the fewest, the first of them.
pub(super) fn fewest(counts: impl Iterator<Item = (usize, usize)>) -> usize {
    counts.enumerate().min_by_key(|(_, count)| *count).map_or(0, |(thread, _)| thread)
}

/// The threads with the most and the least to do, by the shares of their time that they work, if that
/// is uneven enough to do something about it.
pub(super) fn uneven(loads: &[f64]) -> Option<(usize, usize)> {
    let by_load = |a: &(usize, &f64), b: &(usize, &f64)| a.1.total_cmp(b.1);
    let (most, &highest) = loads.iter().enumerate().max_by(by_load)?;
    let (least, &lowest) = loads.iter().enumerate().min_by(by_load)?;
    (highest >= BUSY && highest - lowest >= UNEVEN).then_some((most, least))
}

/// The bridge whose going evens out a difference in load best; none when that would not be worth it.
/// `bridges`: those of the busy thread, with the number of legs in each, of `legs` and a `load` in
/// all.
pub(super) fn best_to_move(
    bridges: impl Iterator<Item = (BridgeId, usize)>,
    (legs, load): (usize, f64),
    difference: f64,
) -> Option<BridgeId> {
    let left = |members: usize| {
        let moved = load * members as f64 / legs.max(1) as f64;
        (difference - 2.0 * moved).abs()
    };
    let occupied = bridges.filter(|(_, members)| *members > 0);
    let best = occupied.min_by(|a, b| left(a.1).total_cmp(&left(b.1)))?;
    (left(best.1) <= difference * (1.0 - WORTH)).then_some(best.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bridges(members: &[usize]) -> impl Iterator<Item = (BridgeId, usize)> {
        members.iter().enumerate().map(|(n, members)| (BridgeId::new(n as u32, n as u32), *members))
    }

    fn best(members: &[usize], load: f64, difference: f64) -> Option<u32> {
        let legs = members.iter().sum();
        best_to_move(bridges(members), (legs, load), difference).map(BridgeId::serial)
    }

    #[test]
    fn a_thread_gives_something_away_only_when_it_is_busy_and_another_is_not() {
        assert_eq!(uneven(&[0.5, 0.1]), Some((0, 1)));
        assert_eq!(uneven(&[0.3, 0.0]), None, "it has time");
        assert_eq!(uneven(&[0.7, 0.8, 0.65]), None, "they all have much to do");
        assert_eq!(uneven(&[0.9]), None);
        assert_eq!(uneven(&[]), None);
    }

    #[test]
    fn the_bridge_that_evens_out_best_goes() {
        assert_eq!(best(&[10, 30, 60], 0.6, 0.6), Some(2), "0.36 of 0.6, which leaves 0.24");
        assert_eq!(best(&[50, 50], 0.8, 0.8), Some(0));
        assert_eq!(best(&[0, 100], 0.8, 0.8), None, "all would be busy elsewhere");
        assert_eq!(best(&[1, 99], 0.8, 0.8), None, "it would hardly be noticed");
        assert_eq!(best(&[], 0.8, 0.8), None);
    }

    #[test]
    fn the_first_of_the_emptiest_threads_gets_the_next() {
        assert_eq!(fewest([(3, 1), (1, 2), (1, 1), (1, 1)].into_iter()), 2);
        assert_eq!(fewest([].into_iter()), 0);
    }
}
