//! Topics: where messages are published, and to whom they go.
//!
//! A topic holds its routing (`routing`) in an arc-swap. A publish reads it, counts who accepts the
//! type, builds the message once with that many shares, and offers one to each ring. Subscribing,
//! unsubscribing and forwarding replace the routing, under the bus's control lock, which no publish
//! ever takes. Replaced routings are kept while somebody may be reading them: see `ring::shown`.

use std::any::{Any, TypeId};
use std::fmt;

use crossbeam_utils::CachePadded;

use crate::bus::Core;
use crate::current::{Current, Reading};
use crate::dispatch::is_running;
use crate::filter::Filter;
use crate::forward::Visits;
use crate::gate::Gate;
use crate::mailbox::{Mailbox, Reader, SubscriptionId};
use crate::means::{Means, Ordinary};
use crate::ring::{Lessor, Meta, Shares};
use crate::routing::{Route, Routing};
use crate::stamp::Stamp;
use crate::statistics::TopicStatistics;
use crate::subscription::{BusEnded, Subscribe, Subscription, SubscriptionChange};
use crate::sync::{Acquire, Arc, AtomicU64, Relaxed, Release};

/// Names the node (the process, the machine) that a message comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityId(pub u64);

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Names a topic; unique within its bus, and never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub(crate) u64);

/// A publish inside a callback would have had to wait for a subscription that blocks its
/// publishers; it did not, and that subscription has lost the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "subscription {subscription} is full, and a callback may not wait: publish from elsewhere, or give it room"
)]
pub struct WouldWait {
    /// How many subscriptions took the message.
    pub taken: usize,
    /// One that did not.
    pub subscription: SubscriptionId,
}

/// Why a synchronous publish was not seen through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    /// Called from the callback of the very subscription that it would wait for.
    #[error("a callback cannot wait for itself: publish without waiting, or from elsewhere")]
    OwnCallback,
    /// The subscription has ended before it processed the message.
    #[error("the subscription has ended")]
    Ended,
}

/// What a message says of the topic that it was first published to.
#[derive(Debug)]
pub struct TopicInfo {
    id: TopicId,
    name: Box<str>,
}

impl TopicInfo {
    /// The topic's id.
    pub fn id(&self) -> TopicId {
        self.id
    }

    /// The topic's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

pub(crate) struct TopicShared {
    core: Arc<Core>,
    info: Lessor<TopicInfo>,
    pub(crate) routing: Current<Routing>,
    pub(crate) visits: Visits,
    /// Messages that went to one subscription alone: its own first and last. Nobody published them.
    unpublished: AtomicU64,
    /// Messages that nobody accepted: they were never built.
    unheard: CachePadded<AtomicU64>,
    /// Messages that were accepted by somebody but not built, for want of a cell.
    unbuilt: AtomicU64,
    /// Messages that came by a forward.
    forwarded: CachePadded<AtomicU64>,
}

impl TopicShared {
    pub(crate) fn new(core: Arc<Core>, id: TopicId, name: &str, routing: Current<Routing>) -> Self {
        TopicShared {
            core,
            info: Lessor::new(TopicInfo { id, name: name.into() }),
            routing,
            visits: Visits::new(),
            unheard: CachePadded::new(AtomicU64::new(0)),
            unpublished: AtomicU64::new(0),
            unbuilt: AtomicU64::new(0),
            forwarded: CachePadded::new(AtomicU64::new(0)),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.info.name()
    }

    /// Calls `done` with the route of a message of this type: see [`Routing::route`].
    #[inline]
    fn route<R>(&self, id: TypeId, reading: &Reading<'_>, done: impl FnOnce(&Route<'_>) -> R) -> R {
        self.routing.read(reading, |routing| routing.route(id, reading, done))
    }

    pub(crate) fn count_forwarded(&self) {
        self.forwarded.fetch_add(1, Relaxed);
    }

    pub(crate) fn published(&self) -> u64 {
        let unpublished = self.unpublished.load(Acquire); // first: it counts only what was lent
        let built = self.info.lent() - unpublished;
        let unbuilt = self.unheard.load(Relaxed) + self.unbuilt.load(Relaxed);
        built + unbuilt + self.forwarded.load(Relaxed)
    }

    pub(crate) fn statistics(&self) -> TopicStatistics {
        let routing = self.routing.load();
        TopicStatistics {
            name: self.info.name().to_string(),
            published: self.published(),
            subscriptions: routing.len(),
            forwards: routing.forwards.len(),
        }
    }
}

impl Drop for TopicShared {
    fn drop(&mut self) {
        self.core.forget_topic(self.info.name());
        // Its readers are gone. A replaced routing that forwards keeps a topic, which keeps the
        // bus's core, which keeps the routing: after the workers' end nobody else would look.
        self.core.sweep();
    }
}

/// A topic. Cheap to clone; it lives until its last handle and its last subscription are gone.
#[derive(Clone)]
pub struct Topic {
    shared: Arc<TopicShared>,
}

impl Topic {
    pub(crate) fn new(shared: Arc<TopicShared>) -> Self {
        Topic { shared }
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.shared.core
    }

    /// Begins a subscription.
    pub fn subscribe(&self) -> Subscribe<'_> {
        Subscribe::new(self)
    }

    /// Publishes `payload` to every subscription that accepts its type, here and on the topics that
    /// this one is forwarded to, and says how many took it. Waits for nobody who has not asked for
    /// it ([`Overflow::Block`](crate::Overflow)): who has no room loses it, and is told. A
    /// [`Cache`](crate::Cache) of the topic is up to date when this returns.
    ///
    /// A publish that begins after another on the same topic has returned is delivered after it,
    /// to every subscription, from whatever threads, and through forwards.
    pub fn publish<T: Any + Send + Sync>(&self, payload: T) -> usize {
        self.try_publish(payload).unwrap_or_else(|would_wait| would_wait.taken)
    }

    /// As [`publish`](Self::publish), and says so when a subscription lost the message only because
    /// this is a callback, in which a publish does not wait ([`Overflow::Block`](crate::Overflow)).
    ///
    /// # Errors
    /// [`WouldWait`], with how many took it.
    pub fn try_publish<T: Any + Send + Sync>(&self, payload: T) -> Result<usize, WouldWait> {
        self.publish_as(self.core().origin(), || payload)
    }

    /// As [`publish`](Self::publish), for a payload that is made only if somebody accepts its type
    /// and it is not [declined](crate::Bus::decline).
    pub fn publish_with<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> usize {
        self.publish_as(self.core().origin(), make).unwrap_or_else(|would_wait| would_wait.taken)
    }

    /// As [`publish`](Self::publish), for a message that comes from another node.
    pub fn publish_from<T: Any + Send + Sync>(&self, origin: EntityId, payload: T) -> usize {
        self.publish_as(origin, || payload).unwrap_or_else(|would_wait| would_wait.taken)
    }

    fn publish_as<T: Any + Send + Sync>(
        &self,
        origin: EntityId,
        make: impl FnOnce() -> T,
    ) -> Result<usize, WouldWait> {
        let id = TypeId::of::<T>();
        let ordinary = Ordinary::new(self.core());
        self.shared.route(id, &Reading::Counted, |route| {
            let count = self.begin(route, id, &Reading::Counted);
            if count == 0 {
                return Ok(0);
            }
            let meta = Meta { origin, ..self.meta(self.core().clock().now()) };
            let shares = Shares::on_heap(meta, make(), count);
            let taken = route.hand_out(shares, &Means::Ordinary(&ordinary));
            route.wake_or_run(|mailbox| self.core().wake(mailbox));
            match ordinary.would_wait.get() {
                None => Ok(taken),
                Some(subscription) => Err(WouldWait { taken, subscription }),
            }
        })
    }

    /// Publishes for a real-time publisher: `build` makes the shares from its pool, and who has to be
    /// woken is only marked. Says how many took it, and whether something was marked.
    pub(crate) fn publish_marking<T: Any>(
        &self,
        build: impl FnOnce(u64) -> Option<Shares>,
        reading: &Reading<'_>,
        means: Means<'_>,
    ) -> (usize, bool) {
        let id = TypeId::of::<T>();
        self.shared.route(id, reading, |route| {
            let count = self.begin(route, id, reading);
            if count == 0 {
                return (0, false);
            }
            let taken = match build(count) {
                Some(shares) => route.hand_out(shares, &means),
                None => {
                    self.shared.unbuilt.fetch_add(1, Relaxed);
                    route.lose();
                    0
                }
            };
            let mut marked = false;
            route.wake(|mailbox| {
                mailbox.set_mark();
                marked = true;
            });
            (taken, marked)
        })
    }

    /// Publishes `payload` and returns when `subscription` has processed it (and everything before
    /// it); others may still be at it.
    ///
    /// ```
    /// # use stasis_bus::{Bus, Settings};
    /// # use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
    /// # let bus = Bus::new(Settings::default())?;
    /// # let topic = bus.topic("t");
    /// let sum = Arc::new(AtomicU32::new(0));
    /// let adds = sum.clone();
    /// let adder = topic.subscribe().callback(move |delivery| {
    ///     adds.fetch_add(delivery.downcast_ref().copied().unwrap_or(0), Ordering::Relaxed);
    /// })?;
    /// topic.publish(1u32);
    /// topic.publish_sync(2u32, &adder)?;
    /// assert_eq!(sum.load(Ordering::Relaxed), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SyncError::OwnCallback`] from that subscription's own callback, which could only wait for
    /// ever: nothing is published then. [`SyncError::Ended`] when the subscription has ended before.
    pub fn publish_sync<T: Any + Send + Sync>(
        &self,
        payload: T,
        subscription: &Subscription,
    ) -> Result<usize, SyncError> {
        let mailbox = subscription.core().mailbox();
        if is_running(mailbox.id) {
            return Err(SyncError::OwnCallback);
        }
        let taken = self.publish(payload);
        if mailbox.wait_handled() { Ok(taken) } else { Err(SyncError::Ended) }
    }

    /// Counts a message that is published here; says how many shares it needs.
    #[inline]
    fn begin(&self, route: &Route<'_>, id: TypeId, reading: &Reading<'_>) -> u64 {
        route.count_forwarded();
        let count = if self.core().types().declines(id, reading) { 0 } else { route.count() };
        if count == 0 {
            self.shared.unheard.fetch_add(1, Relaxed);
        }
        count
    }

    pub(crate) fn meta(&self, stamp: Stamp) -> Meta {
        Meta { stamp, origin: self.core().origin(), topic: self.shared.info.lend() }
    }

    /// As [`meta`](Self::meta), for a message that is not published.
    pub(crate) fn own_meta(&self, stamp: Stamp) -> Meta {
        let meta = self.meta(stamp);
        self.shared.unpublished.fetch_add(1, Release); // pairs with `published`
        meta
    }

    pub(crate) fn shared(&self) -> &Arc<TopicShared> {
        &self.shared
    }

    /// Adds a mailbox to the routing and tells those who were there before.
    pub(crate) fn list_mailbox(
        &self,
        mailbox: &Arc<Mailbox>,
        filter: Filter,
    ) -> Result<(), BusEnded> {
        let before = self.core().change(|control| {
            if control.is_over() {
                return Err(BusEnded);
            }
            // What it is told from here on, without its own announcement.
            mailbox.came_at(self.published() + 1);
            Ok(control
                .replace(&self.shared.routing, |routing| routing.add(mailbox.clone(), filter)))
        })?;
        self.announce(&before, SubscriptionChange::Subscribe(mailbox.id));
        Ok(())
    }

    /// Changes what a listed mailbox accepts to what `filter` says at this change's turn.
    pub(crate) fn set_filter(&self, mailbox: &Mailbox, filter: impl FnOnce() -> Filter) {
        self.core().change(|control| {
            control.replace(&self.shared.routing, |routing| routing.set_filter(mailbox.id, filter));
        });
    }

    /// Takes a mailbox off the routing, closes its ring, wakes its reader for the end and tells
    /// those who stay. The second time it does nothing.
    pub(crate) fn unlist_mailbox(&self, mailbox: &Mailbox) {
        let left = self.core().change(|control| {
            if self.shared.routing.load().filter(mailbox.id).is_none() {
                return false;
            }
            control.replace(&self.shared.routing, |routing| routing.remove(mailbox.id));
            mailbox.close();
            mailbox.left_at(self.published());
            true
        });
        if !left {
            return;
        }
        Gate::fence();
        if mailbox.gate.knock() {
            self.core().wake(mailbox);
        }
        let stay = self.shared.routing.load();
        self.announce(&stay, SubscriptionChange::Unsubscribe(mailbox.id));
    }

    fn announce(&self, routing: &Routing, change: SubscriptionChange) {
        let id = TypeId::of::<SubscriptionChange>();
        routing.route(id, &Reading::Counted, |route| {
            let count = self.begin(route, id, &Reading::Counted);
            if count > 0 {
                let meta = self.meta(self.core().clock().now());
                let means = Ordinary::new(self.core());
                let shares = Shares::on_heap(meta, change, count);
                route.hand_out(shares, &Means::Ordinary(&means));
                route.wake_or_run(|mailbox| self.core().wake(mailbox));
            }
        });
    }

    /// The topic's id.
    pub fn id(&self) -> TopicId {
        self.shared.info.id()
    }

    /// The topic's name.
    pub fn name(&self) -> &str {
        self.shared.info.name()
    }

    /// How many messages were published to it: what came by forwards and the announcements of its
    /// subscriptions included, and also what nobody accepted.
    pub fn published(&self) -> u64 {
        self.shared.published()
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name()).field("id", &self.id()).finish()
    }
}

impl Core {
    /// Has an ordinary thread wake whoever is to answer at a mailbox's gate.
    pub(crate) fn wake(&self, mailbox: &Mailbox) {
        match &mailbox.reader {
            Reader::Pull(waiter) => waiter.wake(),
            Reader::Pool | Reader::Inline(_) => {
                mailbox.set_mark();
                self.wake_worker();
            }
        }
    }
}
