//! Staging: messages wait behind the ring, where they can be conflated or pile up.
//!
//! The reader moves what is in the ring to the pending messages before it takes one of these. While
//! it is slow or stuck, others do so: an ordinary publisher that finds the ring full, and, for
//! real-time publishers, which may not, a worker that they ask whenever an eighth of the ring was
//! written.
//!
//! The stage's lock is held while code of the user's runs: conflation keys, and the end of messages
//! that were conflated. So nothing that these may do waits for it: the counts are atomics, and a
//! publish from in there does not wait for room. Panics are caught, one piece of code at a time.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use crate::dispatch;
use crate::mailbox::SubscriptionId;
use crate::panics::Panics;
use crate::ring::{Consumer, Message, Pop};
use crate::sync::{Acquire, AtomicBool, AtomicU64, Mutex, MutexGuard, Relaxed, Release};

/// Messages that wait, in the order of their delivery.
pub(crate) trait Pending: Send {
    /// Keeps `message`, if it can.
    fn keep(&mut self, message: Message, panics: &Panics) -> Kept;
    /// Notes that `missed` messages were lost here.
    fn note_loss(&mut self, missed: u64);
    /// The next one to deliver.
    fn next(&mut self, panics: &Panics) -> Option<Waiting>;
    /// How many messages wait.
    fn len(&self) -> usize;
    /// Whether [`next`](Self::next) has nothing: no message, and no loss.
    fn is_empty(&self) -> bool;
}

/// What became of a message that was to wait.
pub(crate) enum Kept {
    /// It has a place.
    New,
    /// It has taken the place of this older one.
    InPlace(Message),
    /// There is no room: it is lost.
    Lost(Message),
}

/// What waits in one place.
pub(crate) enum Waiting {
    Message(Message),
    Loss(u64),
}

/// Keeps the messages of one key as one, the latest; those without a key each in its place.
pub(crate) struct ByKey<K, F> {
    key: F,
    /// Where the pending message of a key is, counted from the first place that ever was. If the
    /// key's own code panics, one may stay that is behind us.
    places: HashMap<K, u64>,
    waiting: VecDeque<(Waiting, Option<K>)>,
    /// Places that are behind us.
    gone: u64,
    messages: usize,
    limit: usize,
}

impl<K, F> ByKey<K, F> {
    pub(crate) fn new(key: F, limit: usize) -> Self {
        let (places, waiting) = (HashMap::new(), VecDeque::new());
        ByKey { key, places, waiting, gone: 0, messages: 0, limit }
    }
}

impl<K: Hash + Eq, F> ByKey<K, F> {
    /// Which of those that wait has this key.
    fn place_of(&self, key: &K) -> Option<usize> {
        let place = self.places.get(key)?.checked_sub(self.gone)?;
        usize::try_from(place).ok()
    }
}

impl<K, F> Pending for ByKey<K, F>
where
    K: Hash + Eq + Clone + Send,
    F: Fn(&Message) -> Option<K> + Send,
{
    fn keep(&mut self, message: Message, panics: &Panics) -> Kept {
        let key = panics.catch(|| (self.key)(&message)).flatten();
        let place = key.as_ref().and_then(|key| panics.catch(|| self.place_of(key)).flatten());
        if let Some((Waiting::Message(older), _)) = place.and_then(|at| self.waiting.get_mut(at)) {
            let older = std::mem::replace(older, message);
            panics.bury(key);
            return Kept::InPlace(older);
        }
        if self.messages >= self.limit {
            panics.bury(key);
            return Kept::Lost(message);
        }
        if let Some(key) = &key {
            let place = self.gone + self.waiting.len() as u64;
            panics.catch(|| self.places.insert(key.clone(), place));
        }
        self.messages += 1;
        self.waiting.push_back((Waiting::Message(message), key));
        Kept::New
    }

    fn note_loss(&mut self, missed: u64) {
        match self.waiting.back_mut() {
            Some((Waiting::Loss(before), _)) => *before += missed,
            _ => self.waiting.push_back((Waiting::Loss(missed), None)),
        }
    }

    fn next(&mut self, panics: &Panics) -> Option<Waiting> {
        let (next, key) = self.waiting.pop_front()?;
        self.gone += 1;
        self.messages -= usize::from(matches!(next, Waiting::Message(_)));
        if let Some(key) = key {
            panics.catch(|| self.places.remove(&key));
            panics.bury(key);
        }
        Some(next)
    }

    fn len(&self) -> usize {
        self.messages
    }

    fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

/// The subscriber's side of a staged mailbox.
pub(crate) struct Staged {
    id: SubscriptionId,
    stage: Mutex<Stage>,
    panics: Panics,
    /// Messages that a later one has taken the place of.
    conflated: AtomicU64,
    /// Messages that there was no room for.
    lost: AtomicU64,
    /// Messages that wait, for those who do not want the lock. One that is on its way from the ring
    /// to here counts from before it has left the ring.
    waiting: AtomicU64,
    /// A publisher that may not do it itself wants the ring to be emptied.
    wants_intake: AtomicBool,
}

struct Stage {
    consumer: Consumer<Message>,
    pending: Box<dyn Pending>,
    /// The ring is closed and empty.
    closed: bool,
}

impl Staged {
    pub(crate) fn new(
        id: SubscriptionId,
        consumer: Consumer<Message>,
        pending: Box<dyn Pending>,
        panics: Panics,
    ) -> Self {
        Staged {
            id,
            stage: Mutex::new(Stage { consumer, pending, closed: false }),
            panics,
            conflated: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            wants_intake: AtomicBool::new(false),
        }
    }

    /// Asks a worker for an intake; `false` when somebody has asked already. Wait-free.
    pub(crate) fn ask_for_intake(&self) -> bool {
        // Release: pairs with `intake_if_asked`, which then finds what is in the ring.
        !self.wants_intake() && !self.wants_intake.swap(true, Release)
    }

    /// Whether somebody has asked for one.
    pub(crate) fn wants_intake(&self) -> bool {
        self.wants_intake.load(Relaxed) // whoever was led here by the mark sees what was set before
    }

    /// The intake that was asked for, if one was.
    pub(crate) fn intake_if_asked(&self) {
        // Acquire: pairs with `ask_for_intake`.
        if self.wants_intake.swap(false, Acquire) {
            self.fill(&mut self.stage());
        }
    }

    /// How many messages wait behind the ring, about.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    /// On the subscriber's side only: publishers use [`try_intake`](Self::try_intake).
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().expect("panics of the user's code are caught")
    }

    /// Moves what is in the ring to the pending messages, unless somebody else is at it: then
    /// `false`. Never waits.
    pub(crate) fn try_intake(&self) -> bool {
        let Ok(mut stage) = self.stage.try_lock() else { return false };
        self.fill(&mut stage);
        true
    }

    fn fill(&self, stage: &mut Stage) {
        if !stage.has_news() {
            return;
        }
        dispatch::inside_keys_of(self.id, || {
            while stage.has_news() {
                self.waiting.store(stage.pending.len() as u64 + 1, Relaxed);
                match stage.consumer.pop() {
                    Pop::Value(message) => self.keep(stage, message),
                    Pop::Lagged(missed) => stage.pending.note_loss(missed),
                    Pop::Empty => break,
                    Pop::Closed => stage.closed = true,
                }
            }
        });
        self.waiting.store(stage.pending.len() as u64, Relaxed);
    }

    fn keep(&self, stage: &mut Stage, message: Message) {
        match stage.pending.keep(message, &self.panics) {
            Kept::New => {}
            Kept::InPlace(older) => {
                self.conflated.fetch_add(1, Relaxed);
                self.panics.bury(older);
            }
            Kept::Lost(message) => {
                self.lost.fetch_add(1, Relaxed);
                stage.pending.note_loss(1);
                self.panics.bury(message);
            }
        }
    }

    /// The next delivery.
    pub(crate) fn pop(&self) -> Pop<Message> {
        let mut stage = self.stage();
        // First what is in the ring, or one key could be delivered from here and again from there.
        self.fill(&mut stage);
        let next = stage.pending.next(&self.panics);
        self.waiting.store(stage.pending.len() as u64, Relaxed);
        match next {
            Some(Waiting::Message(message)) => Pop::Value(message),
            Some(Waiting::Loss(missed)) => Pop::Lagged(missed),
            None if stage.closed => Pop::Closed,
            None => Pop::Empty,
        }
    }

    /// Whether [`pop`](Self::pop) would find something.
    pub(crate) fn has_news(&self) -> bool {
        let stage = self.stage();
        stage.closed || !stage.pending.is_empty() || stage.has_news()
    }

    /// The reader will take no more: drops what waits, one by one, whatever panics.
    pub(crate) fn end(&self) {
        if dispatch::is_in_key() {
            return; // perhaps of this very stage: it ends with the mailbox
        }
        let mut dead = Vec::new();
        let mut stage = self.stage();
        while let Some(next) = stage.pending.next(&self.panics) {
            dead.extend(next.message());
        }
        loop {
            match stage.consumer.pop() {
                Pop::Value(message) => {
                    self.waiting.fetch_add(1, Relaxed); // it was not delivered
                    dead.push(message);
                }
                Pop::Lagged(_) => {}
                Pop::Empty | Pop::Closed => break,
            }
        }
        drop(stage);
        self.panics.bury_all(dead);
    }

    /// Messages that wait behind the ring, that were conflated, and that were lost there.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        // In this order, so that one on its way from the first to the others is not missed.
        let waiting = self.waiting();
        (waiting, self.conflated.load(Relaxed), self.lost.load(Relaxed))
    }
}

impl Waiting {
    fn message(self) -> Option<Message> {
        match self {
            Waiting::Message(message) => Some(message),
            Waiting::Loss(_) => None,
        }
    }
}

impl Stage {
    /// Whether there is something in the ring to be moved.
    fn has_news(&self) -> bool {
        !self.closed && self.consumer.has_news()
    }
}
