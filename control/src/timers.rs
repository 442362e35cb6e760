//! What is to be done later.

use std::collections::BTreeMap;

use stasis_bus::Stamp;

use crate::channel::ChannelKey;
use crate::dialing::CallKey;

/// What is to be done at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A channel in the dialplan goes on, if it still waits for this number.
    Step(ChannelKey, u64),
    /// Nobody has answered in time.
    Call(CallKey),
    /// The next of the digits that are sent.
    Digits(ChannelKey, u64),
    /// A technology has asked for it.
    Technology(ChannelKey, u32),
}

/// Timers, by their time; those of one time in the order in which they were set.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    last: u64,
    queue: BTreeMap<(Stamp, u64), Timer>,
}

impl Timers {
    pub(crate) fn set(&mut self, at: Stamp, timer: Timer) {
        self.last += 1;
        self.queue.insert((at, self.last), timer);
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Stamp> {
        self.queue.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next that is due by now.
    pub(crate) fn take(&mut self, now: Stamp) -> Option<Timer> {
        self.queue.first_entry().filter(|entry| entry.key().0 <= now).map(|entry| entry.remove())
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_due_in_their_order() {
        let mut timers = Timers::default();
        let timer = |number| Timer::Technology(ChannelKey::default(), number);
        timers.set(Stamp::from_ms(20), timer(2));
        timers.set(Stamp::from_ms(10), timer(1));
        timers.set(Stamp::from_ms(20), timer(3));
        assert_eq!(timers.next(), Some(Stamp::from_ms(10)));
        assert_eq!(timers.take(Stamp::from_ms(9)), None);
        let due: Vec<_> = std::iter::from_fn(|| timers.take(Stamp::from_ms(20))).collect();
        assert_eq!((due, timers.len()), (vec![timer(1), timer(2), timer(3)], 0));
    }
}
