//! What is done to a channel or a bridge one thing after the other: sounds that are played, recordings, and
//! keys that are sent.
//!
//! What comes later waits until what is before it is over, but for sounds: they are handed to the engine
//! at once, which plays one after the other without a gap. In a bridge nothing waits for anything else: whoever
//! is recorded there speaks also while something is played.

use std::collections::VecDeque;
use std::time::Duration;

use stasis_media::dtmf::Digit;

use crate::media::{Record, RecordHow};

/// One thing.
#[derive(Debug)]
pub(crate) enum Operation {
    /// A playback, by its number among all.
    Play(u64),
    /// A recording.
    Record(Record, Box<RecordHow>),
    /// Keys that are sent.
    Send(u64, Box<Sending>),
}

/// Keys that are sent to a party.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sending {
    /// None: a pause.
    pub(crate) digits: VecDeque<Option<Digit>>,
    /// How long each is held, and how long it is until the next.
    pub(crate) duration: Duration,
    pub(crate) between: Duration,
    /// How long it is silent before and after.
    pub(crate) before: Duration,
    pub(crate) after: Duration,
}

/// All that is done, or waits.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    queue: VecDeque<Operation>,
    /// How many of the first have begun.
    begun: usize,
    /// Whether nothing waits for anything else.
    is_together: bool,
}

impl Operations {
    /// Those of a bridge.
    pub(crate) fn together() -> Self {
        Operations { is_together: true, ..Operations::default() }
    }

    pub(crate) fn push(&mut self, operation: Operation) {
        self.queue.push_back(operation);
    }

    /// The next that may begin now, if there is one: the first, or a sound behind nothing but sounds.
    pub(crate) fn begin(&mut self) -> Option<&mut Operation> {
        let may_begin = match self.queue.get(self.begun)? {
            _ if self.is_together => true,
            Operation::Play(_) => self.queue.iter().take(self.begun).all(is_play),
            Operation::Record(..) | Operation::Send(..) => self.begun == 0,
        };
        if !may_begin {
            return None;
        }
        self.begun += 1;
        self.queue.get_mut(self.begun - 1)
    }

    /// Takes out what is over, or is not wanted any more.
    pub(crate) fn remove(&mut self, is_it: impl Fn(&Operation) -> bool) -> Option<Operation> {
        let at = self.queue.iter().position(is_it)?;
        self.begun -= usize::from(at < self.begun);
        self.queue.remove(at)
    }

    /// Whether it has begun.
    pub(crate) fn is_begun(&self, is_it: impl Fn(&Operation) -> bool) -> bool {
        self.queue.iter().take(self.begun).any(is_it)
    }

    /// The recordings that this key ends.
    pub(crate) fn recordings_ended_by(&self, digit: Digit) -> impl Iterator<Item = Record> + '_ {
        self.queue.iter().take(self.begun).filter_map(move |operation| match operation {
            Operation::Record(record, how) if how.end_keys.has(digit) => Some(*record),
            _ => None,
        })
    }

    /// The playbacks, by their numbers.
    pub(crate) fn plays(&self) -> impl Iterator<Item = u64> + '_ {
        self.queue.iter().filter_map(|operation| match operation {
            Operation::Play(number) => Some(*number),
            _ => None,
        })
    }

    pub(crate) fn find(&mut self, is_it: impl Fn(&Operation) -> bool) -> Option<&mut Operation> {
        self.queue.iter_mut().find(|operation| is_it(operation))
    }

    /// Takes all.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Operation> {
        self.begun = 0;
        std::mem::take(&mut self.queue).into_iter()
    }
}

fn is_play(operation: &Operation) -> bool {
    matches!(operation, Operation::Play(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u64) -> Operation {
        Operation::Record(Record(number), Box::default())
    }

    fn numbers(operations: &mut Operations) -> Vec<u64> {
        let number = |operation: &mut Operation| match operation {
            Operation::Play(number) | Operation::Record(Record(number), _) => *number,
            Operation::Send(number, _) => *number,
        };
        std::iter::from_fn(|| operations.begin().map(number)).collect()
    }

    #[test]
    fn sounds_begin_together_and_a_recording_waits_for_them() {
        let mut operations = Operations::default();
        operations.push(Operation::Play(1));
        operations.push(Operation::Play(2));
        operations.push(record(3));
        operations.push(Operation::Play(4));
        assert_eq!(numbers(&mut operations), [1, 2]);
        operations.remove(|operation| matches!(operation, Operation::Play(1)));
        assert!(numbers(&mut operations).is_empty());
        operations.remove(|operation| matches!(operation, Operation::Play(2)));
        assert_eq!(numbers(&mut operations), [3]);
        operations.remove(|operation| matches!(operation, Operation::Record(..)));
        assert_eq!(numbers(&mut operations), [4]);
    }

    #[test]
    fn in_a_bridge_nothing_waits() {
        let mut operations = Operations::together();
        operations.push(Operation::Play(1));
        operations.push(record(2));
        operations.push(Operation::Play(3));
        assert_eq!(numbers(&mut operations), [1, 2, 3]);
    }

    #[test]
    fn what_waits_can_be_taken_out() {
        let mut operations = Operations::default();
        operations.push(record(1));
        operations.push(record(2));
        operations.push(record(3));
        assert_eq!(numbers(&mut operations), [1]);
        let second = |operation: &Operation| matches!(operation, Operation::Record(Record(2), _));
        assert!(operations.remove(second).is_some() && operations.remove(second).is_none());
        operations.remove(|_| true);
        assert_eq!(numbers(&mut operations), [3]);
        assert_eq!((operations.take().count(), operations.take().count()), (1, 0));
    }
}
