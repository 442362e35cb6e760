//! Keys that are sent, one after the other, with pauses.

use std::collections::VecDeque;
use std::time::Duration;

use stasis_media::dtmf::Digit;

use super::Holder;
use crate::channel::{ChannelKey, Operation, Sending};
use crate::exchange::Exchange;
use crate::media::MediaOrder;
use crate::refusal::Refusal;
use crate::timers::Timer;

/// Keys that are to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitsHow {
    /// Which: 0 to 9, A to D, `*`, `#`; `w` is a pause of half a second. Anything else is left out.
    pub digits: String,
    /// How long each is held.
    pub duration: Duration,
    /// How long it is from one to the next.
    pub between: Duration,
    /// How long it is silent before.
    pub before: Duration,
    /// How long it is silent after.
    pub after: Duration,
}

/// How long nothing is sent for a `w`.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest that a key is held.
const MOST_KEY: Duration = Duration::from_secs(60);

impl Exchange {
    /// Sends keys to a channel's party, when what was to be done before is over.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::NotInApplication`] or [`Refusal::InvalidState`].
    pub fn send_digits(&mut self, channel: &str, how: &DigitsHow) -> Result<(), Refusal> {
        let key = self.find_audible(channel)?;
        self.queue_digits(key, how);
        self.settle();
        Ok(())
    }

    pub(in crate::exchange) fn queue_digits(&mut self, key: ChannelKey, how: &DigitsHow) {
        let number = self.numbers.next();
        let digit = |c: char| match c {
            'w' | 'W' => Some(None),
            c => Digit::from_char(c).ok().map(Some),
        };
        let digits: VecDeque<_> = how.digits.chars().filter_map(digit).collect();
        let DigitsHow { duration, between, before, after, .. } = *how;
        let duration = duration.min(MOST_KEY);
        let sending = Sending { digits, duration, between, before, after };
        self.channels[key].operations.push(Operation::Send(number, Box::new(sending)));
        self.begin_operations(Holder::Channel(key));
    }

    /// It is time for the next of the keys that are sent, or for what comes after them.
    pub(in crate::exchange) fn send_next_digit(&mut self, key: ChannelKey, number: u64) {
        let is_it =
            |operation: &Operation| matches!(operation, Operation::Send(n, _) if *n == number);
        let now = self.now;
        let Some(channel) = self.channels.get_mut(key) else { return };
        let line = channel.line;
        let Some(Operation::Send(_, sending)) = channel.operations.find(is_it) else { return };
        let Some(digit) = sending.digits.pop_front() else {
            channel.operations.remove(is_it);
            self.digits_are_sent(key);
            return self.begin_operations(Holder::Channel(key));
        };
        let (duration, is_last) = (sending.duration, sending.digits.is_empty());
        let pause = if is_last { sending.after } else { sending.between };
        let step = if digit.is_some() { duration.saturating_add(pause) } else { PAUSE };
        self.timers.set(now + step, Timer::Digits(key, number));
        if let (Some(line), Some(digit)) = (line, digit) {
            self.order(MediaOrder::Press(line, digit, duration));
        }
    }
}
