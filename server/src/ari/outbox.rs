//! What waits to be sent to one client: bounded, in messages and in bytes.
//!
//! Who sends never waits. When a client does not keep up, its outbox is full: from then on nothing more is put
//! in, what is missed is counted, and the one who writes to the client ends the connection when the rest is
//! sent, and says how much was missed.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::extract::ws::Utf8Bytes;
use tokio::sync::Notify;

/// How much may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Messages.
    pub messages: usize,
    /// Bytes.
    pub bytes: usize,
}

/// What waits to be sent to one client.
#[derive(Debug)]
pub struct Outbox {
    limits: Limits,
    state: Mutex<State>,
    changed: Notify,
    /// Nobody writes any more.
    over: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Utf8Bytes>,
    /// Of those in the queue and those that are being written.
    bytes: usize,
    messages: usize,
    missed: u64,
    is_closed: bool,
}

/// What is to be written next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// These, and then [`Outbox::written`].
    Messages(Vec<Utf8Bytes>),
    /// Nothing more: the client has missed so many, and the connection is to be ended.
    Overflow(u64),
    /// Nothing more: it was closed.
    Closed,
}

/// Bytes that are written at once.
const BATCH_BYTES: usize = 256 << 10;

impl Outbox {
    /// An empty one.
    pub fn new(limits: Limits) -> Self {
        Outbox { limits, state: Mutex::default(), changed: Notify::new(), over: Notify::new() }
    }

    /// Nothing that is done while it is locked can fail.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a message in. `false`: there is no room any more, or it is closed.
    pub fn push(&self, message: Utf8Bytes) -> bool {
        let mut state = self.state();
        if state.is_closed {
            return false;
        }
        let is_full = state.messages >= self.limits.messages
            || state.bytes + message.len() > self.limits.bytes.max(message.len());
        if state.missed > 0 || is_full {
            state.missed += 1;
            if state.missed == 1 {
                self.changed.notify_one();
            }
            return false;
        }
        state.bytes += message.len();
        state.messages += 1;
        let was_empty = state.queue.is_empty();
        state.queue.push_back(message);
        drop(state);
        if was_empty {
            self.changed.notify_one();
        }
        true
    }

    /// Nothing more comes.
    pub fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_one();
    }

    /// How many were missed so far.
    pub fn missed(&self) -> u64 {
        self.state().missed
    }

    /// Whether it was closed.
    pub fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    /// So many were lost before they got here.
    pub fn lose(&self, lost: u64) {
        self.state().missed += lost;
        self.changed.notify_one();
    }

    /// Nobody writes any more.
    pub fn end(&self) {
        self.close();
        self.over.notify_one();
    }

    /// Waits until nobody writes any more.
    pub async fn ended(&self) {
        self.over.notified().await;
    }

    /// Waits until something was missed.
    pub async fn overflow(&self) {
        while self.missed() == 0 {
            self.changed.notified().await;
        }
    }

    /// What is to be written next, if there is anything.
    fn take(&self) -> Option<Next> {
        let mut state = self.state();
        if state.queue.is_empty() {
            return match (state.missed, state.is_closed) {
                (0, false) => None,
                (0, true) => Some(Next::Closed),
                (missed, _) => Some(Next::Overflow(missed)),
            };
        }
        let mut bytes = 0;
        let mut batch = Vec::with_capacity(state.queue.len().min(256));
        while bytes < BATCH_BYTES
            && let Some(message) = state.queue.pop_front()
        {
            bytes += message.len();
            batch.push(message);
        }
        Some(Next::Messages(batch))
    }

    /// What is to be written next, as soon as there is anything. For one who writes.
    pub async fn next(&self) -> Next {
        loop {
            if let Some(next) = self.take() {
                return next;
            }
            self.changed.notified().await;
        }
    }

    /// So many messages of so many bytes altogether have been written.
    pub fn written(&self, messages: usize, bytes: usize) {
        let mut state = self.state();
        state.messages = state.messages.saturating_sub(messages);
        state.bytes = state.bytes.saturating_sub(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(messages: usize, bytes: usize) -> Outbox {
        Outbox::new(Limits { messages, bytes })
    }

    #[test]
    fn it_takes_as_many_as_may_wait_and_counts_the_rest() {
        let outbox = outbox(2, 100);
        let pushed = ["a", "b", "c", "d"].map(|text| outbox.push(text.into()));
        assert_eq!((pushed, outbox.missed()), ([true, true, false, false], 2));
        let Some(Next::Messages(batch)) = outbox.take() else { panic!("two wait") };
        assert_eq!(batch, ["a", "b"]);
        outbox.written(2, 2);
        // Room again, but a gap has begun, which is told instead.
        assert!(!outbox.push("e".into()));
        assert_eq!(outbox.take(), Some(Next::Overflow(3)));
    }

    #[test]
    fn what_is_being_written_counts_as_waiting() {
        let outbox = outbox(10, 10);
        assert!(outbox.push("123456".into()) && !outbox.push("123456".into()));
        let other = super::tests::outbox(10, 10);
        assert!(other.push("123456".into()));
        assert!(matches!(other.take(), Some(Next::Messages(_))));
        assert!(!other.push("123456".into()), "the first is not written yet");
    }

    #[test]
    fn a_message_that_is_larger_than_all_that_may_wait_goes_alone() {
        let outbox = outbox(10, 4);
        assert!(outbox.push("123456".into()));
        assert!(!outbox.push("1".into()));
    }

    #[test]
    fn a_closed_one_is_emptied_first() {
        let outbox = outbox(10, 100);
        assert!(outbox.push("a".into()));
        outbox.close();
        assert!(!outbox.push("b".into()) && outbox.is_closed() && outbox.missed() == 0);
        assert!(matches!(outbox.take(), Some(Next::Messages(_))));
        assert_eq!(outbox.take(), Some(Next::Closed));
    }
}
