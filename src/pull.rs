//! Pulled subscriptions: the subscriber takes its messages itself, waiting, not waiting, or as a
//! stream.

use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use futures_core::Stream;

use crate::filter::Filter;
use crate::mailbox::{Mailbox, Reader, SubscriptionId, SubscriptionStats};
use crate::ring::Pop;
use crate::source::Source;
use crate::subscription::{Delivery, SubscriptionCore};
use crate::sync::thread::{self, Thread};
use crate::sync::{Arc, ArcSwapOption, thread_local};

/// Who waits for a subscription's next delivery: a thread in `recv`, or a task.
pub(crate) struct Waiter {
    waker: ArcSwapOption<Waker>,
}

impl Waiter {
    pub(crate) fn new() -> Self {
        Waiter { waker: ArcSwapOption::empty() }
    }

    /// Wakes it. After a knock on the gate was answered.
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.load() {
            waker.wake_by_ref();
        }
    }

    fn set(&self, waker: &Waker) {
        if self.waker.load().as_ref().is_none_or(|known| !known.will_wake(waker)) {
            self.waker.store(Some(Arc::new(waker.clone())));
        }
    }
}

/// Wakes a parked thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

thread_local! {
    /// What wakes this thread.
    static UNPARK: Waker = Waker::from(Arc::new(Unpark(thread::current())));
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
///
/// ```
/// use std::time::Duration;
/// use stasis_bus::{Bus, Settings, TryRecvError};
///
/// let bus = Bus::new(Settings::default())?;
/// let numbers = bus.topic("numbers");
/// let mut events = numbers.subscribe().accept::<u32>().pull()?;
/// numbers.publish(1u32);
/// let _its_own_first_message = events.recv();
/// assert_eq!(events.recv().and_then(|event| event.downcast_ref().copied()), Some(1u32));
/// assert_eq!(events.try_recv(), Err(TryRecvError::Empty));
/// assert_eq!(events.recv_timeout(Duration::from_millis(1)), Err(TryRecvError::Empty));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
            Pop::Value(message) => {
                self.core.look_for_relief();
                Ok(Delivery::Message(message))
            }
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
    fn wait(&self, park: impl FnOnce()) {
        if let Some(source) = &self.source {
            wait(source, self.core.mailbox(), park);
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

    /// Accepts something else from now on: what is published after this has returned.
    pub fn set_filter(&self, filter: Filter) {
        self.core.set_filter_by(|| filter);
    }

    /// Its name within the bus.
    pub fn id(&self) -> SubscriptionId {
        self.core.mailbox().id
    }

    /// What it got and lost so far.
    pub fn stats(&self) -> SubscriptionStats {
        self.core.stats()
    }
}

/// Has the calling thread sleep by `park`, unless there is news.
pub(crate) fn wait(source: &Source, mailbox: &Mailbox, park: impl FnOnce()) {
    if let Reader::Pull(waiter) = &mailbox.reader {
        UNPARK.with(|waker| waiter.set(waker));
    }
    if source.try_sleep(mailbox) {
        park();
        mailbox.gate.wake_up();
    }
}

impl Stream for PullSubscription {
    type Item = Delivery;

    /// The next delivery; the end of the stream comes after the final one. Needs no runtime.
    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Delivery>> {
        let this = self.get_mut();
        // It may have been asleep since the last poll.
        this.core.mailbox().gate.wake_up();
        loop {
            match this.try_recv() {
                Ok(delivery) => return Poll::Ready(Some(delivery)),
                Err(TryRecvError::Ended) => return Poll::Ready(None),
                Err(TryRecvError::Empty) => {}
            }
            let Some(source) = &this.source else { return Poll::Ready(None) };
            if let Reader::Pull(waiter) = &this.core.mailbox().reader {
                waiter.set(context.waker());
            }
            if source.try_sleep(this.core.mailbox()) {
                return Poll::Pending;
            }
        }
    }
}

impl Drop for PullSubscription {
    fn drop(&mut self) {
        self.core.unsubscribe();
        if let Some(source) = self.source.take() {
            source.end(self.core.topic().core().panics());
        }
        self.core.ended();
    }
}
