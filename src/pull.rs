//! Pulled subscriptions: the subscriber takes its messages itself, waiting or not.

use std::thread::{self, Thread};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use crate::mailbox::{Reader, SubscriptionId, SubscriptionStats};
use crate::ring::Pop;
use crate::source::Source;
use crate::subscription::{Delivery, SubscriptionCore};
use crate::sync::Arc;

/// The thread that waits in `recv`, for whoever is to wake it.
pub(crate) struct Waiter {
    thread: ArcSwapOption<Thread>,
}

impl Waiter {
    pub(crate) fn new() -> Self {
        Waiter { thread: ArcSwapOption::empty() }
    }

    /// Wakes it. After a knock on the gate was answered.
    pub(crate) fn wake(&self) {
        if let Some(thread) = &*self.thread.load() {
            thread.unpark();
        }
    }

    fn set_current_thread(&self) {
        let me = thread::current();
        if self.thread.load().as_ref().is_none_or(|thread| thread.id() != me.id()) {
            self.thread.store(Some(Arc::new(me)));
        }
    }
}

/// Why [`PullSubscription::try_recv`] has nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TryRecvError {
    /// Nothing now.
    #[error("nothing to receive now")]
    Empty,
    /// The final message was received; there will be nothing more.
    #[error("the subscription has ended")]
    Ended,
}

/// A subscription whose owner takes the messages itself. Dropping it unsubscribes.
pub struct PullSubscription {
    core: Arc<SubscriptionCore>,
    /// `None` once the final message is out.
    source: Option<Source>,
}

impl PullSubscription {
    pub(crate) fn new(core: Arc<SubscriptionCore>, source: Source) -> Self {
        PullSubscription { core, source: Some(source) }
    }

    /// What there is now. Never waits.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when there is nothing now, [`TryRecvError::Ended`] when there never
    /// will be.
    pub fn try_recv(&mut self) -> Result<Delivery, TryRecvError> {
        let source = self.source.as_mut().ok_or(TryRecvError::Ended)?;
        match source.pop(self.core.mailbox()) {
            Pop::Value(message) => Ok(Delivery::Message(message)),
            Pop::Lagged(missed) => Ok(Delivery::Lagged(missed)),
            Pop::Empty => Err(TryRecvError::Empty),
            Pop::Closed => {
                self.source = None;
                self.core.ended();
                Ok(Delivery::Message(self.core.final_message()))
            }
        }
    }

    /// The next delivery, waiting for it; `None` after the final one.
    pub fn recv(&mut self) -> Option<Delivery> {
        loop {
            match self.try_recv() {
                Ok(delivery) => return Some(delivery),
                Err(TryRecvError::Ended) => return None,
                Err(TryRecvError::Empty) => self.wait(thread::park),
            }
        }
    }

    /// As [`recv`](Self::recv), for at most about `timeout`.
    ///
    /// # Errors
    /// [`TryRecvError::Empty`] when the time is over, [`TryRecvError::Ended`] at the end.
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<Delivery, TryRecvError> {
        let deadline = self.core.clock().now() + timeout;
        loop {
            let outcome = self.try_recv();
            let left = deadline.since(self.core.clock().now());
            if outcome != Err(TryRecvError::Empty) || left.is_zero() {
                return outcome;
            }
            self.wait(|| thread::park_timeout(left));
        }
    }

    /// Sleeps by `park` unless there is news.
    fn wait(&mut self, park: impl FnOnce()) {
        let Some(source) = &self.source else { return };
        let mailbox = self.core.mailbox();
        if let Reader::Pull(waiter) = &mailbox.reader {
            waiter.set_current_thread();
        }
        if source.try_sleep(mailbox) {
            park();
            mailbox.reader_gate().wake_up();
        }
    }

    /// Every delivery to the end, waiting for each.
    pub fn iter(&mut self) -> impl Iterator<Item = Delivery> + '_ {
        std::iter::from_fn(|| self.recv())
    }

    /// Ends it: what is in the ring can still be received, then the final message.
    pub fn unsubscribe(&self) {
        self.core.unsubscribe();
    }

    /// Its name within the bus.
    pub fn id(&self) -> SubscriptionId {
        self.core.mailbox().id
    }

    /// What it got and lost so far.
    pub fn stats(&self) -> SubscriptionStats {
        self.core.mailbox().stats()
    }
}

impl Drop for PullSubscription {
    fn drop(&mut self) {
        self.core.unsubscribe();
        self.core.ended();
    }
}
