//! The cushion of a ring between two legs that may be on different threads: one tick for the unpunctual.
//!
//! Who writes and who reads have the same ticks, but now the one is first in a tick and now the other. So
//! nothing is read before two ticks wait, and from then on there is one whoever comes first. What has
//! piled up beyond that, because the reader was late, is cut back.

/// What a ring is to hold, in ticks.
const CUSHION_TICKS: usize = 1;
/// Beyond so many ticks it is cut back.
const TOO_FULL_TICKS: usize = 4;
/// What a ring is to have room for, in ticks.
pub(crate) const RING_TICKS: usize = 16;

/// Whether what comes by a ring flows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cushion {
    flows: bool,
}

impl Cushion {
    /// How many ticks are to be thrown away before the one that is to be read, when so many wait; none
    /// when there is nothing to be read in this tick.
    pub(crate) fn next(&mut self, waiting: usize) -> Option<usize> {
        self.flows &= waiting > 0;
        self.flows |= waiting > CUSHION_TICKS;
        let too_old = match waiting {
            0..=TOO_FULL_TICKS => 0,
            waiting => waiting - CUSHION_TICKS - 1,
        };
        self.flows.then_some(too_old)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is read when so many wait, tick after tick.
    fn next(waiting: &[usize]) -> Vec<Option<usize>> {
        let mut cushion = Cushion::default();
        waiting.iter().map(|waiting| cushion.next(*waiting)).collect()
    }

    #[test]
    fn it_flows_from_two_ticks_on_until_there_is_none() {
        let all = next(&[0, 1, 1, 2, 1, 2, 4, 1, 0, 1, 2]);
        let flows: Vec<_> = all.iter().map(Option::is_some).collect();
        let expected = [false, false, false, true, true, true, true, true, false, false, true];
        assert_eq!(flows, expected);
        assert!(all.iter().flatten().all(|too_old| *too_old == 0));
    }

    #[test]
    fn beyond_four_ticks_two_are_left() {
        assert_eq!(next(&[4, 5, 6, 16]), [Some(0), Some(3), Some(4), Some(14)]);
    }
}
