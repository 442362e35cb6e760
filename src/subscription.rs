//! Subscriptions: who receives what is published to a topic, and what it is told of itself.

use std::any::Any;
use std::fmt;

use crate::bus::Member;
use crate::clock::Clock;
use crate::dispatch::{JoinError, Runner};
use crate::filter::Filter;
use crate::mailbox::{Congestion, Mailbox, Reader, SubscriptionId, SubscriptionStats};
use crate::overflow::Overflow;
use crate::pull::{PullSubscription, Waiter};
use crate::ring::{Message, Shares};
use crate::source::Source;
use crate::statistics::SubscriptionStatistics;
use crate::sync::{Arc, OnceLock, thread};
use crate::topic::Topic;

/// What a subscriber is given.
#[derive(Clone, Debug)]
pub enum Delivery {
    /// A message. Its first topic and its time are in it.
    Message(Message),
    /// So many messages were lost here, between the one before and the one after: the ring was
    /// full, or a real-time publisher could not wait. Ask whoever knows for the state.
    Lagged(u64),
}

impl PartialEq for Delivery {
    /// Messages are equal when they are the same one (not a copy of its content).
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Delivery::Message(a), Delivery::Message(b)) => a.same(b),
            (Delivery::Lagged(a), Delivery::Lagged(b)) => a == b,
            _ => false,
        }
    }
}

impl Delivery {
    /// The message, unless it is a [`Lagged`](Delivery::Lagged).
    pub fn message(&self) -> Option<&Message> {
        match self {
            Delivery::Message(message) => Some(message),
            Delivery::Lagged(_) => None,
        }
    }

    /// The payload, if this is a message of type `T`.
    pub fn downcast_ref<T: Any>(&self) -> Option<&T> {
        self.message()?.downcast_ref()
    }
}

/// A subscription came or went. Each subscription's first and last message are its own; those of
/// others reach who accepts this type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionChange {
    /// It is on the topic from here on.
    Subscribe(SubscriptionId),
    /// It has left. For itself: nothing comes after this.
    Unsubscribe(SubscriptionId),
}

/// The name of the topic that [`Congestion`] is published to.
pub const CONGESTION_TOPIC: &str = "congestion";

/// The error of subscribing to a topic whose bus has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the bus has ended: make a new one, or keep its handle until the last subscription is made"
)]
pub struct BusEnded;

/// Why a subscription did not get its thread.
#[derive(Debug, thiserror::Error)]
pub enum ThreadError {
    /// The bus is gone.
    #[error(transparent)]
    Ended(#[from] BusEnded),
    /// The operating system has no thread.
    #[error("cannot start a thread for the subscription: {0}; raise the limit, or use the pool")]
    Thread(#[from] std::io::Error),
}

/// How a subscription will be; made by [`Topic::subscribe`], finished by
/// [`callback`](Self::callback) or [`pull`](Self::pull).
pub struct Subscribe<'a> {
    topic: &'a Topic,
    capacity: usize,
    overflow: Overflow,
    filter: Option<Filter>,
}

impl<'a> Subscribe<'a> {
    pub(crate) fn new(topic: &'a Topic) -> Self {
        Subscribe { topic, capacity: 1024, overflow: Overflow::default(), filter: None }
    }

    /// How many messages its ring holds: rounded up to a power of two; 1,024 if not said. 16 bytes
    /// each; subscribing panics beyond 2^30.
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages;
        self
    }

    /// What happens when the ring is full; [`Overflow::DropNewest`] if not said.
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// Accepts messages of type `T`. Without any `accept` it accepts everything; with some, only
    /// those types and its own [`SubscriptionChange`]s: all else costs it nothing.
    pub fn accept<T: Any>(mut self) -> Self {
        self.filter.get_or_insert(Filter::nothing()).add::<T>();
        self
    }

    /// Accepts what `filter` says.
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// Has `handler` called for each delivery, by the bus's pool: in order, never two at a time,
    /// though not always by the same thread. A panic in it ends the subscription.
    ///
    /// # Errors
    /// [`BusEnded`] when the bus is gone.
    pub fn callback(
        self,
        handler: impl FnMut(Delivery) + Send + 'static,
    ) -> Result<Subscription, BusEnded> {
        self.run_by(Reader::Pool, Box::new(handler))
    }

    /// As [`callback`](Self::callback), on a thread of its own with this name: for handlers that
    /// take long or wait.
    ///
    /// # Errors
    /// [`ThreadError`] when the bus is gone, or there is no thread to be had.
    ///
    /// ```
    /// # use stasis_bus::{Bus, Delivery, Settings};
    /// # let bus = Bus::new(Settings::default())?;
    /// # let topic = bus.topic("t");
    /// let archive = topic.subscribe().accept::<String>().on_thread("archive", |delivery| {
    ///     if let Some(line) = delivery.downcast_ref::<String>() {
    ///         std::thread::sleep(std::time::Duration::from_millis(line.len() as u64)); // a slow disk
    ///     }
    /// })?;
    /// topic.publish(String::from("a line"));
    /// archive.join()?; // everything is written
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_thread(
        self,
        name: &str,
        handler: impl FnMut(Delivery) + Send + 'static,
    ) -> Result<Subscription, ThreadError> {
        let (core, source, filter) = self.make(Reader::Pull(Waiter::new()));
        core.enter(Member::Pull(core.clone()), filter)?;
        let runner = Arc::new(Runner::new(core.clone(), source, Box::new(handler)));
        let runs = runner.clone();
        let thread = thread::Builder::new().name(name.into()).spawn(move || runs.run_alone());
        thread.inspect_err(|_| {
            core.unsubscribe();
            core.ended();
        })?;
        Ok(Subscription { runner })
    }

    /// As [`callback`](Self::callback), but an ordinary publisher runs `handler` itself, before its
    /// publish returns: for state that must be up to date then. It loses nothing to ordinary
    /// publishers; after real-time ones the pool runs it.
    pub(crate) fn inline(
        self,
        handler: impl FnMut(Delivery) + Send + 'static,
    ) -> Result<Subscription, BusEnded> {
        self.run_by(Reader::Inline(OnceLock::new()), Box::new(handler))
    }

    fn run_by(
        self,
        reader: Reader,
        handler: Box<dyn FnMut(Delivery) + Send>,
    ) -> Result<Subscription, BusEnded> {
        let topic = self.topic;
        let (core, source, filter) = self.make(reader);
        let runner = Arc::new(Runner::new(core, source, handler));
        if let Reader::Inline(place) = &runner.core().mailbox().reader {
            place.get_or_init(|| Arc::downgrade(&runner));
        }
        runner.core().enter(Member::Callback(runner.clone()), filter)?;
        // Its first message waits, which nobody knocks for.
        if runner.core().mailbox().gate.knock() {
            topic.core().queue(runner.clone());
            topic.core().wake_worker();
        }
        Ok(Subscription { runner })
    }

    /// Leaves the taking to the caller.
    ///
    /// # Errors
    /// [`BusEnded`] when the bus is gone.
    pub fn pull(self) -> Result<PullSubscription, BusEnded> {
        let (core, source, filter) = self.make(Reader::Pull(Waiter::new()));
        core.enter(Member::Pull(core.clone()), filter)?;
        Ok(PullSubscription::new(core, source))
    }

    fn make(self, reader: Reader) -> (Arc<SubscriptionCore>, Source, Filter) {
        let place = self.topic.core().enroll();
        let (mailbox, rest) = Mailbox::new(place, self.capacity, self.overflow, reader);
        let core = SubscriptionCore { topic: self.topic.clone(), mailbox: Arc::new(mailbox) };
        let first = core.own_message(SubscriptionChange::Subscribe(core.mailbox.id));
        let filter = self.filter.unwrap_or(Filter::everything());
        (Arc::new(core), Source::new(first, rest), filter)
    }
}

/// A subscription with a callback. Dropping it unsubscribes (without waiting; see
/// [`join`](Self::join)).
pub struct Subscription {
    runner: Arc<Runner>,
}

impl Subscription {
    pub(crate) fn core(&self) -> &Arc<SubscriptionCore> {
        self.runner.core()
    }

    /// Ends it: what its ring has accepted is delivered, then the final
    /// [`SubscriptionChange::Unsubscribe`], then nothing. Does not wait.
    pub fn unsubscribe(&self) {
        self.core().unsubscribe();
    }

    /// Unsubscribes and waits until the final message was processed and the callback dropped.
    ///
    /// In another subscription's callback it occupies a worker of the pool while it waits for one.
    /// The pool grows for that, up to [`Settings::max_workers`](crate::Settings::max_workers); when
    /// so many callbacks wait in a `join`, no worker is left for those that they wait for, and they
    /// wait for ever. So do two callbacks that join each other's subscription.
    ///
    /// # Errors
    /// [`JoinError::OwnCallback`] from the subscription's own callback, which could only wait for
    /// ever; [`JoinError::Panicked`] when a panic in the callback has ended it early.
    pub fn join(&self) -> Result<(), JoinError> {
        self.unsubscribe();
        self.runner.join()
    }

    /// Accepts something else from now on: what is published after this has returned.
    pub fn set_filter(&self, filter: Filter) {
        self.core().set_filter_by(|| filter);
    }

    /// Its name within the bus.
    pub fn id(&self) -> SubscriptionId {
        self.core().mailbox().id
    }

    /// What it got and lost so far.
    pub fn stats(&self) -> SubscriptionStats {
        self.core().stats()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.unsubscribe();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("id", &self.id())
            .field("stats", &self.stats())
            .finish()
    }
}

/// What both kinds of subscription are made of.
pub(crate) struct SubscriptionCore {
    topic: Topic,
    mailbox: Arc<Mailbox>,
}

impl SubscriptionCore {
    pub(crate) fn mailbox(&self) -> &Mailbox {
        &self.mailbox
    }

    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(crate) fn clock(&self) -> Clock {
        self.topic.core().clock()
    }

    /// Lists the mailbox on the topic.
    fn enter(&self, member: Member, filter: Filter) -> Result<(), BusEnded> {
        // Who it is must be known before the first mark can lead to it.
        self.topic.core().admit(self.mailbox.place, member);
        self.topic.list_mailbox(&self.mailbox, filter).inspect_err(|_| self.ended())
    }

    pub(crate) fn unsubscribe(&self) {
        self.topic.unlist_mailbox(&self.mailbox);
    }

    pub(crate) fn statistics(&self) -> SubscriptionStatistics {
        let routing = self.topic.shared().routing.load();
        SubscriptionStatistics {
            id: self.mailbox.id,
            topic: self.topic.name().to_string(),
            filter: routing.filter(self.mailbox.id).cloned(),
            stats: self.stats(),
        }
    }

    pub(crate) fn stats(&self) -> SubscriptionStats {
        self.mailbox.stats(|| self.topic.published())
    }

    /// Sets the filter to what `filter` says when it is this change's turn. It must not end
    /// anything of the user's.
    pub(crate) fn set_filter_by(&self, filter: impl FnOnce() -> Filter) {
        self.topic.set_filter(&self.mailbox, filter);
    }

    /// After a delivery: tells it when the subscription is no longer congested.
    #[inline]
    pub(crate) fn look_for_relief(&self) {
        if self.mailbox.is_relieved() {
            self.tell_congestion(false);
        }
    }

    pub(crate) fn tell_congestion(&self, congested: bool) {
        // Nobody watches if there is no such topic.
        if let Some(watched) = self.topic.core().find_topic(CONGESTION_TOPIC) {
            let (subscription, topic) = (self.mailbox.id, self.topic.id());
            let pending = self.stats().pending();
            watched.publish(Congestion { subscription, topic, congested, pending });
        }
    }

    /// Wakes the thread that waits in `recv`.
    pub(crate) fn wake_waiter(&self) {
        if let Reader::Pull(waiter) = &self.mailbox.reader {
            waiter.wake();
        }
    }

    /// The consumer has seen the end: its place among the marks is free again.
    pub(crate) fn ended(&self) {
        if let Some(staged) = &self.mailbox.staged {
            staged.end();
        }
        self.topic.core().dismiss(self.mailbox.place, self.mailbox.id);
    }

    /// The last message of this subscription, made by its consumer at the closed tail.
    pub(crate) fn final_message(&self) -> Message {
        self.mailbox.count_own();
        self.own_message(SubscriptionChange::Unsubscribe(self.mailbox.id))
    }

    fn own_message(&self, change: SubscriptionChange) -> Message {
        let meta = self.topic.own_meta(self.clock().now());
        Shares::on_heap(meta, change, 1).take().expect("made with one share")
    }
}
