//! Topics: where messages are published, and to whom they go.
//!
//! A topic holds the list of its subscriptions in an arc-swap. A publish reads the list, counts who
//! accepts the type, builds the message once with that many shares, and offers one to each ring.
//! Subscribing and unsubscribing replace the list, under the bus's control lock, which no publish
//! ever takes. Replaced lists are retired, not dropped: see `retired`.

use std::any::Any;
use std::fmt;

use arc_swap::ArcSwap;
use crossbeam_utils::CachePadded;

use crate::bus::Core;
use crate::filter::TypeKey;
use crate::gate::Gate;
use crate::mailbox::{Mailbox, Reader};
use crate::ring::{Lessor, Meta, Shares};
use crate::stamp::Stamp;
use crate::subscription::{BusEnded, Subscribe, SubscriptionChange};
use crate::sync::{Arc, AtomicU64, Relaxed};

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

/// Who is subscribed to a topic at one time.
pub(crate) type List = Vec<Arc<Mailbox>>;

fn accepting(list: &List, key: TypeKey) -> impl Iterator<Item = &Arc<Mailbox>> {
    list.iter().filter(move |mailbox| mailbox.filter.accepts(key))
}

pub(crate) struct TopicShared {
    core: Arc<Core>,
    info: Lessor<TopicInfo>,
    list: ArcSwap<List>,
    /// Messages that nobody accepted: they were never built.
    unheard: CachePadded<AtomicU64>,
    /// Messages that were accepted by somebody but not built, for want of a cell.
    unbuilt: AtomicU64,
}

impl TopicShared {
    pub(crate) fn new(core: Arc<Core>, id: TopicId, name: &str) -> Self {
        TopicShared {
            core,
            info: Lessor::new(TopicInfo { id, name: name.into() }),
            list: ArcSwap::from_pointee(List::new()),
            unheard: CachePadded::new(AtomicU64::new(0)),
            unbuilt: AtomicU64::new(0),
        }
    }
}

impl Drop for TopicShared {
    fn drop(&mut self) {
        self.core.forget_topic(self.info.name());
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

    /// Publishes `payload` to every subscription that accepts its type, and says how many took it.
    /// Never waits: who has no room loses it, and is told.
    ///
    /// A publish that begins after another on the same topic has returned is delivered after it,
    /// to every subscription, from whatever threads.
    pub fn publish<T: Any + Send + Sync>(&self, payload: T) -> usize {
        let key = TypeKey::of::<T>();
        let list = self.shared.list.load();
        let accepting_now = accepting(&list, key).count() as u64;
        if accepting_now == 0 {
            self.shared.unheard.fetch_add(1, Relaxed);
            return 0;
        }
        let meta = self.meta(self.core().clock().now());
        let shares = Shares::on_heap(meta, payload, accepting_now);
        let taken = hand_out(&list, key, shares, u32::MAX);
        wake(&list, key, |mailbox| self.core().wake(mailbox));
        taken
    }

    /// Publishes for a real-time publisher: `build` makes the shares from its pool, each ring gets
    /// `tries` tries, and who has to be woken is only marked. Says how many took it, and whether
    /// something was marked.
    pub(crate) fn publish_marking<T: Any>(
        &self,
        build: impl FnOnce(u64) -> Option<Shares>,
        tries: u32,
    ) -> (usize, bool) {
        let key = TypeKey::of::<T>();
        // No free when this guard goes, even if the list was replaced meanwhile: the control side
        // keeps every replaced list until no guard is left (`retired`).
        let list = self.shared.list.load();
        let accepting_now = accepting(&list, key).count() as u64;
        if accepting_now == 0 {
            self.shared.unheard.fetch_add(1, Relaxed);
            return (0, false);
        }
        let taken = match build(accepting_now) {
            Some(shares) => hand_out(&list, key, shares, tries),
            None => {
                self.shared.unbuilt.fetch_add(1, Relaxed);
                accepting(&list, key).for_each(|mailbox| mailbox.lose_to_empty_pool());
                0
            }
        };
        let mut marked = false;
        wake(&list, key, |mailbox| {
            mailbox.mark.set();
            marked = true;
        });
        (taken, marked)
    }

    pub(crate) fn meta(&self, stamp: Stamp) -> Meta {
        Meta { stamp, origin: self.core().origin(), topic: self.shared.info.lend() }
    }

    /// Adds a mailbox to the list and tells those who were there before.
    pub(crate) fn list_mailbox(&self, mailbox: &Arc<Mailbox>) -> Result<(), BusEnded> {
        let before = self.core().join_list(&self.shared.list, mailbox).ok_or(BusEnded)?;
        // Its own first message is in the ring already.
        Gate::fence();
        if mailbox.gate.knock() {
            self.core().wake(mailbox);
        }
        self.announce(&before, SubscriptionChange::Subscribe(mailbox.id));
        Ok(())
    }

    /// Takes a mailbox off the list, closes its ring, wakes its reader for the end and tells those
    /// who stay. The second time it does nothing.
    pub(crate) fn unlist_mailbox(&self, mailbox: &Mailbox) {
        let Some(stay) = self.core().leave_list(&self.shared.list, mailbox) else { return };
        Gate::fence();
        if mailbox.gate.knock() {
            self.core().wake(mailbox);
        }
        self.announce(&stay, SubscriptionChange::Unsubscribe(mailbox.id));
    }

    fn announce(&self, list: &List, change: SubscriptionChange) {
        let key = TypeKey::of::<SubscriptionChange>();
        let count = accepting(list, key).count() as u64;
        if count > 0 {
            let meta = self.meta(self.core().clock().now());
            hand_out(list, key, Shares::on_heap(meta, change, count), u32::MAX);
            wake(list, key, |mailbox| self.core().wake(mailbox));
        }
    }

    /// The topic's id.
    pub fn id(&self) -> TopicId {
        self.shared.info.id()
    }

    /// The topic's name.
    pub fn name(&self) -> &str {
        self.shared.info.name()
    }

    /// How many messages were published to it, subscription changes included.
    pub fn published(&self) -> u64 {
        self.shared.info.lent()
            + self.shared.unheard.load(Relaxed)
            + self.shared.unbuilt.load(Relaxed)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic").field("name", &self.name()).field("id", &self.id()).finish()
    }
}

/// Offers one share to each ring that accepts; says how many took it.
#[inline]
fn hand_out(list: &List, key: TypeKey, mut shares: Shares, tries: u32) -> usize {
    let mut taken = 0;
    for mailbox in accepting(list, key) {
        let Some(message) = shares.take() else { break };
        match mailbox.offer(message, tries) {
            Ok(()) => taken += 1,
            Err(message) => shares.put_back(message),
        }
    }
    taken
}

/// Calls `wake` for each accepting mailbox whose reader sleeps.
#[inline]
fn wake(list: &List, key: TypeKey, mut wake: impl FnMut(&Mailbox)) {
    Gate::fence();
    for mailbox in accepting(list, key) {
        if mailbox.gate.knock() {
            wake(mailbox);
        }
    }
}

impl Core {
    /// Has an ordinary thread wake a mailbox's reader.
    pub(crate) fn wake(&self, mailbox: &Mailbox) {
        match &mailbox.reader {
            Reader::Pool => {
                mailbox.mark.set();
                self.wake_worker();
            }
            Reader::Pull(waiter) => waiter.wake(),
        }
    }
}
