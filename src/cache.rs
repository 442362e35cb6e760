//! Caching topics: the last snapshot of everything, and what has changed.
//!
//! A [`Cache`] watches a topic for snapshots of one type, keeps the last one per key and origin, and
//! publishes a [`CacheUpdate`] for each change to a topic of its own. It is a subscription that an
//! ordinary publisher runs before its publish returns, so that `get` then sees what was published;
//! what real-time publishers publish is seen when the dispatcher has passed ([`Cache::flush`]).
//!
//! **Writing** happens in that one callback, never two at a time. An entry is stored before its
//! update is published, and every update has a number that is larger than all before it.
//! **Reading** takes no lock and holds up no writer: a shard's map is replaced when a key comes or
//! goes, an entry's state when it changes (arc-swap).
//!
//! **State and then every change** ([`Cache::subscribe_with_snapshot`]): subscribe to the updates,
//! read the number of the last one stored, then read the state. An update that is already in the
//! state has a number up to that, or up to the entry's own; those are skipped. What is not in the
//! state was published after subscribing, so it comes: no gap, no duplicate, no lock. For this an
//! entry that was cleared stays for a while, with the number of its clearing; when such entries are
//! swept away meanwhile, the state is read anew.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::ops::Deref;

use crate::bus::Bus;
use crate::progress::Progress;
use crate::pull::{PullSubscription, TryRecvError};
use crate::ring::Message;
use crate::subscription::{BusEnded, Delivery, Subscribe, Subscription};
use crate::sync::{Arc, ArcSwap, RandomState};
use crate::topic::{EntityId, Topic};

/// A message type of which the last one is worth keeping.
pub trait Snapshot: PartialEq + Send + Sync + 'static {
    /// What there is one of at a time: a channel's id, a device's name.
    type Key: Hash + Eq + Clone + Send + Sync + fmt::Debug + 'static;

    /// Whose snapshot this is.
    fn key(&self) -> Self::Key;
}

/// Published to the watched topic: the object is gone, as far as the message's origin is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clear<S: Snapshot>(pub S::Key);

/// A snapshot in a cache: the message that it came with, shared.
pub struct Cached<S> {
    message: Message,
    version: u64,
    _snapshot: PhantomData<fn() -> S>,
}

impl<S: Snapshot> Cached<S> {
    /// The message that it came with: its time, its origin, its topic.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// The number of the update that stored it.
    pub fn version(&self) -> u64 {
        self.version
    }
}

impl<S: Snapshot> Deref for Cached<S> {
    type Target = S;

    fn deref(&self) -> &S {
        self.message.downcast_ref().expect("only messages of this type are cached")
    }
}

impl<S> Clone for Cached<S> {
    fn clone(&self) -> Self {
        let message = self.message.clone();
        Cached { message, version: self.version, _snapshot: PhantomData }
    }
}

impl<S: Snapshot + fmt::Debug> fmt::Debug for Cached<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("snapshot", &**self).field("version", &self.version).finish()
    }
}

/// A key's snapshot has changed. Published to the cache's topic, in the order of the versions.
pub struct CacheUpdate<S: Snapshot> {
    /// Whose.
    pub key: S::Key,
    /// The node that it comes from.
    pub origin: EntityId,
    /// What it was; `None`: nothing yet.
    pub old: Option<Cached<S>>,
    /// What it is; `None`: it is gone.
    pub new: Option<Cached<S>>,
    /// Larger than that of every update before it, in the whole cache.
    pub version: u64,
}

impl<S: Snapshot + fmt::Debug> fmt::Debug for CacheUpdate<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CacheUpdate { key, origin, old, new, version } = self;
        f.debug_struct("CacheUpdate")
            .field("key", key)
            .field("origin", origin)
            .field("old", old)
            .field("new", new)
            .field("version", version)
            .finish()
    }
}

/// What is known of one key from one node.
struct Entry<S> {
    origin: EntityId,
    /// The number of the update that made it so.
    version: u64,
    /// `None`: cleared.
    cached: Option<Cached<S>>,
}

impl<S> Clone for Entry<S> {
    fn clone(&self) -> Self {
        Entry { cached: self.cached.clone(), ..*self }
    }
}

/// What is known of one key; few entries.
type State<S> = Vec<Entry<S>>;
/// Found by key; the state changes without the map.
type Shard<S> = HashMap<<S as Snapshot>::Key, Arc<ArcSwap<State<S>>>, RandomState>;

/// A new key replaces its shard's map: this keeps the maps small.
const SHARDS: usize = if cfg!(shuttle) { 2 } else { 64 };

/// Cleared entries that stay. Under shuttle few, so that they are swept away.
const CLEARED: usize = if cfg!(shuttle) { 2 } else { 1_024 };

struct Store<S: Snapshot> {
    shards: Box<[ArcSwap<Shard<S>>]>,
    hasher: RandomState,
    progress: Progress,
}

/// The last snapshot of everything that was published to a topic.
///
/// ```
/// use stasis_bus::{Bus, Cache, CacheUpdate, Clear, Settings, Snapshot};
///
/// #[derive(Clone, PartialEq, Debug)]
/// struct Device { name: String, in_use: bool }
///
/// impl Snapshot for Device {
///     type Key = String;
///
///     fn key(&self) -> String {
///         self.name.clone()
///     }
/// }
///
/// let bus = Bus::new(Settings::default())?;
/// let devices = bus.topic("devices");
/// let cache = Cache::<Device>::new(&bus, &devices)?;
/// let phone = |in_use| Device { name: "phone".into(), in_use };
/// devices.publish(phone(true));
/// assert!(cache.get(&"phone".into()).is_some_and(|device| device.in_use));
///
/// // The state, and then every change of it.
/// let mut follower = cache.subscribe_with_snapshot(|subscribe| subscribe.capacity(64))?;
/// assert_eq!(follower.snapshot().len(), 1);
/// devices.publish(phone(true)); // as it was: no update
/// devices.publish(phone(false));
/// devices.publish(Clear::<Device>("phone".into()));
/// follower.unsubscribe();
/// let mut seen = Vec::new();
/// while let Some(delivery) = follower.recv() {
///     if let Some(update) = delivery.downcast_ref::<CacheUpdate<Device>>() {
///         seen.push(update.new.as_ref().map(|device| device.in_use));
///     }
/// }
/// assert_eq!(seen, [Some(false), None]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Cache<S: Snapshot> {
    store: Arc<Store<S>>,
    updates: Topic,
    local: EntityId,
    subscription: Subscription,
}

impl<S: Snapshot> Cache<S> {
    /// A cache of what is published to `topic` from now on; its updates go to the topic of the same
    /// name with `-cached` behind it.
    ///
    /// # Errors
    /// [`BusEnded`] when the bus is gone.
    pub fn new(bus: &Bus, topic: &Topic) -> Result<Self, BusEnded> {
        let store = Arc::new(Store {
            shards: (0..SHARDS).map(|_| ArcSwap::default()).collect(),
            hasher: RandomState::default(),
            progress: Progress::new(),
        });
        let updates = bus.topic(&format!("{}-cached", topic.name()));
        let mut writer = Writer {
            store: store.clone(),
            updates: updates.clone(),
            version: 0,
            cleared: VecDeque::new(),
        };
        let subscribe = topic.subscribe().accept::<S>().accept::<Clear<S>>();
        let subscription = subscribe.inline(move |delivery| writer.take(&delivery))?;
        Ok(Cache { store, updates, local: topic.core().origin(), subscription })
    }

    /// Where its [`CacheUpdate`]s are published.
    pub fn topic(&self) -> &Topic {
        &self.updates
    }

    /// The last snapshot of `key` from this node. Takes no lock.
    pub fn get(&self, key: &S::Key) -> Option<Cached<S>> {
        self.get_from(key, self.local)
    }

    /// The last snapshot of `key` from the node `origin`.
    pub fn get_from(&self, key: &S::Key, origin: EntityId) -> Option<Cached<S>> {
        let shard = self.store.shard(key).load();
        let state = shard.get(key)?.load();
        state.iter().find(|entry| entry.origin == origin)?.cached.clone()
    }

    /// The last snapshots of `key`, one for each node that has one.
    pub fn get_all(&self, key: &S::Key) -> Vec<(EntityId, Cached<S>)> {
        let shard = self.store.shard(key).load();
        shard.get(key).map(|state| present(&state.load()).collect()).unwrap_or_default()
    }

    /// All snapshots from this node, in no order. Each is the last of its key at some time during
    /// the call; for one moment in all, see
    /// [`subscribe_with_snapshot`](Self::subscribe_with_snapshot).
    pub fn dump(&self) -> Vec<Cached<S>> {
        self.dump_from(self.local)
    }

    /// As [`dump`](Self::dump), from the node `origin`.
    pub fn dump_from(&self, origin: EntityId) -> Vec<Cached<S>> {
        let of_origin = |(from, cached)| (from == origin).then_some(cached);
        self.dump_all().into_iter().filter_map(of_origin).collect()
    }

    /// As [`dump`](Self::dump), from every node.
    pub fn dump_all(&self) -> Vec<(EntityId, Cached<S>)> {
        let mut all = Vec::new();
        self.store.visit(|_, state| all.extend(present(state)));
        all
    }

    /// What `combine` makes of the last snapshots of `key` from every node: whether a device is in
    /// use anywhere, say. `None` when no node has one.
    pub fn aggregate<R>(&self, key: &S::Key, combine: impl FnOnce(&[&S]) -> R) -> Option<R> {
        let all = self.get_all(key);
        let snapshots: Vec<&S> = all.iter().map(|(_, cached)| &**cached).collect();
        (!snapshots.is_empty()).then(|| combine(&snapshots))
    }

    /// Returns when everything that was published before is in the cache, by real-time publishers
    /// too.
    pub fn flush(&self) {
        self.subscription.core().mailbox().pass();
    }

    /// The state, and then every change of it: no gap, no duplicate. `with` says how the updates are
    /// subscribed to ([`Subscribe::capacity`], [`Subscribe::overflow`]).
    ///
    /// # Errors
    /// [`BusEnded`] when the bus is gone.
    pub fn subscribe_with_snapshot(
        &self,
        with: impl FnOnce(Subscribe<'_>) -> Subscribe<'_>,
    ) -> Result<Follower<S>, BusEnded> {
        let subscribe = with(self.updates.subscribe()).filter(crate::Filter::nothing());
        let events = subscribe.accept::<CacheUpdate<S>>().pull()?;
        let (stored, (snapshot, known)) = self.store.progress.read(|| {
            let (mut snapshot, mut known) = (Vec::new(), HashMap::new());
            self.store.visit(|key, state| {
                snapshot.extend(present(state));
                known
                    .extend(state.iter().map(|entry| ((key.clone(), entry.origin), entry.version)));
            });
            (snapshot, known)
        });
        Ok(Follower { snapshot, known, stored, events })
    }
}

/// The entries of a state that were not cleared.
fn present<S>(state: &State<S>) -> impl Iterator<Item = (EntityId, Cached<S>)> {
    state.iter().filter_map(|entry| Some((entry.origin, entry.cached.clone()?)))
}

impl<S: Snapshot> fmt::Debug for Cache<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("updates", &self.updates).finish_non_exhaustive()
    }
}

impl<S: Snapshot> Store<S> {
    fn shard(&self, key: &S::Key) -> &ArcSwap<Shard<S>> {
        &self.shards[self.hasher.hash_one(key) as usize % SHARDS]
    }

    fn state(&self, key: &S::Key) -> Option<Arc<ArcSwap<State<S>>>> {
        self.shard(key).load().get(key).cloned()
    }

    fn visit(&self, mut visit: impl FnMut(&S::Key, &State<S>)) {
        for shard in &self.shards {
            shard.load().iter().for_each(|(key, state)| visit(key, &state.load()));
        }
    }
}

/// The one who writes.
struct Writer<S: Snapshot> {
    store: Arc<Store<S>>,
    updates: Topic,
    version: u64,
    /// Entries that were cleared, oldest first, with the number of their clearing.
    cleared: VecDeque<(S::Key, EntityId, u64)>,
}

impl<S: Snapshot> Writer<S> {
    fn take(&mut self, delivery: &Delivery) {
        let Delivery::Message(message) = delivery else { return };
        if let Some(snapshot) = message.downcast_ref::<S>() {
            let key = snapshot.key();
            self.change(key, message.origin(), Some(message));
        } else if let Some(Clear(key)) = message.downcast_ref::<Clear<S>>() {
            self.change(key.clone(), message.origin(), None);
        }
    }

    /// Stores what is new and publishes it, unless nothing has changed.
    fn change(&mut self, key: S::Key, origin: EntityId, message: Option<&Message>) {
        let place = self.store.state(&key);
        let mut state = place.as_ref().map(|p| State::clone(&p.load())).unwrap_or_default();
        let index = state.iter().position(|entry| entry.origin == origin);
        let old = index.and_then(|index| state[index].cached.clone());
        let unchanged = match (&old, message) {
            (Some(old), Some(new)) => new.downcast_ref::<S>() == Some(&**old),
            (old, new) => old.is_none() && new.is_none(),
        };
        if unchanged {
            return;
        }
        self.version += 1;
        let version = self.version;
        let new = message.map(|message| Cached {
            message: message.clone(),
            version,
            _snapshot: PhantomData,
        });
        let entry = Entry { origin, version, cached: new.clone() };
        match index {
            Some(index) => state[index] = entry,
            None => state.push(entry),
        }
        match place {
            Some(place) => place.store(Arc::new(state)),
            None => self.store.replace_shard(&key, |shard| {
                shard.insert(key.clone(), Arc::new(ArcSwap::from_pointee(state)));
            }),
        }
        self.store.progress.has_stored(version);
        if new.is_none() {
            self.cleared.push_back((key.clone(), origin, version));
        }
        self.updates.publish(CacheUpdate { key, origin, old, new, version });
        if self.cleared.len() > CLEARED {
            self.sweep();
        }
    }

    /// Forgets the older half of what was cleared.
    fn sweep(&mut self) {
        let (store, cleared) = (&self.store, &mut self.cleared);
        store.progress.sweep(|| {
            for (key, origin, version) in cleared.drain(..CLEARED / 2) {
                store.forget(&key, origin, version);
            }
        });
    }
}

impl<S: Snapshot> Store<S> {
    /// Forgets an entry that was cleared by this update. It may have come back since, and gone again.
    fn forget(&self, key: &S::Key, origin: EntityId, version: u64) {
        let Some(place) = self.state(key) else { return };
        let mut state = State::clone(&place.load());
        state.retain(|entry| entry.origin != origin || entry.version != version);
        match state.is_empty() {
            true => self.replace_shard(key, |shard| drop(shard.remove(key))),
            false => place.store(Arc::new(state)),
        }
    }

    fn replace_shard(&self, key: &S::Key, change: impl FnOnce(&mut Shard<S>)) {
        let place = self.shard(key);
        let mut shard = Shard::<S>::clone(&place.load());
        change(&mut shard);
        place.store(Arc::new(shard));
    }
}

/// The state of a cache at one moment, and every change after it.
pub struct Follower<S: Snapshot> {
    snapshot: Vec<(EntityId, Cached<S>)>,
    /// The version of each entry, of cleared ones too.
    known: HashMap<(S::Key, EntityId), u64>,
    /// Every update up to this one is in the snapshot.
    stored: u64,
    events: PullSubscription,
}

impl<S: Snapshot> Follower<S> {
    /// The state, by origin.
    pub fn snapshot(&self) -> &[(EntityId, Cached<S>)] {
        &self.snapshot
    }

    /// The next change, waiting for it; as [`PullSubscription::recv`]. A
    /// [`Delivery::Lagged`] says that changes were lost: follow anew for the state.
    pub fn recv(&mut self) -> Option<Delivery> {
        loop {
            let delivery = self.events.recv()?;
            if self.is_news(&delivery) {
                return Some(delivery);
            }
        }
    }

    /// The next change, if there is one now; as [`PullSubscription::try_recv`].
    ///
    /// # Errors
    /// As there.
    pub fn try_recv(&mut self) -> Result<Delivery, TryRecvError> {
        loop {
            let delivery = self.events.try_recv()?;
            if self.is_news(&delivery) {
                return Ok(delivery);
            }
        }
    }

    /// Ends it, after what has happened until now.
    pub fn unsubscribe(&self) {
        self.events.unsubscribe();
    }

    /// Whether it is not in the snapshot already.
    fn is_news(&self, delivery: &Delivery) -> bool {
        let Some(update) = delivery.downcast_ref::<CacheUpdate<S>>() else { return true };
        let place = (update.key.clone(), update.origin);
        let known = self.known.get(&place).copied().unwrap_or(0).max(self.stored);
        update.version > known
    }
}
