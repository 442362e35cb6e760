//! Staging: messages wait behind the ring, where they can be conflated or pile up.
//!
//! A staged subscription has two gates. Publishers knock at the mailbox's; whoever answers (a
//! worker, or an ordinary publisher that finds the ring full) moves what is in the ring to the
//! pending messages, and the gate falls asleep again, also while the callback is slow or stuck. The
//! reader has a gate of its own, knocked at when something is pending.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::gate::Gate;
use crate::ring::{Consumer, Message, Pop};
use crate::sync::{AtomicU64, Mutex, MutexGuard, Relaxed};

/// Messages that wait, in the order of their delivery.
pub(crate) trait Pending: Send {
    /// Keeps `message`, if it can.
    fn keep(&mut self, message: Message) -> Kept;
    /// Notes that `missed` messages were lost here.
    fn note_loss(&mut self, missed: u64);
    /// The next one to deliver.
    fn next(&mut self) -> Option<Waiting>;
    /// How many messages wait.
    fn len(&self) -> usize;
}

/// What became of a message that was to wait.
pub(crate) enum Kept {
    /// It has a place.
    New,
    /// It has taken the place of an older one.
    InPlace,
    /// There is no room: it is lost.
    Lost,
}

/// What waits in one place.
pub(crate) enum Waiting {
    Message(Message),
    Loss(u64),
}

/// Keeps the messages of one key as one, the latest; those without a key each in its place.
pub(crate) struct ByKey<K, F> {
    key: F,
    /// Where the pending message of a key is, counted from the first place that ever was.
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

impl<K, F> Pending for ByKey<K, F>
where
    K: Hash + Eq + Clone + Send,
    F: Fn(&Message) -> Option<K> + Send,
{
    fn keep(&mut self, message: Message) -> Kept {
        let key = catch_unwind(AssertUnwindSafe(|| (self.key)(&message))).unwrap_or(None);
        if let Some(&place) = key.as_ref().and_then(|key| self.places.get(key)) {
            self.waiting[(place - self.gone) as usize].0 = Waiting::Message(message);
            return Kept::InPlace;
        }
        if self.messages >= self.limit {
            return Kept::Lost;
        }
        if let Some(key) = key.clone() {
            self.places.insert(key, self.gone + self.waiting.len() as u64);
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

    fn next(&mut self) -> Option<Waiting> {
        let (next, key) = self.waiting.pop_front()?;
        self.gone += 1;
        self.messages -= usize::from(matches!(next, Waiting::Message(_)));
        if let Some(key) = key {
            self.places.remove(&key);
        }
        Some(next)
    }

    fn len(&self) -> usize {
        self.messages
    }
}

/// The subscriber's side of a staged mailbox.
pub(crate) struct Staged {
    stage: Mutex<Stage>,
    pub(crate) reader_gate: Gate,
    /// Messages that a later one has taken the place of.
    conflated: AtomicU64,
    /// Messages that there was no room for.
    lost: AtomicU64,
    /// Messages that wait, for those who do not want the lock.
    waiting: AtomicU64,
}

struct Stage {
    consumer: Consumer<Message>,
    pending: Box<dyn Pending>,
    /// The ring is closed and empty.
    closed: bool,
}

impl Staged {
    pub(crate) fn new(consumer: Consumer<Message>, pending: Box<dyn Pending>, gate: Gate) -> Self {
        Staged {
            stage: Mutex::new(Stage { consumer, pending, closed: false }),
            reader_gate: gate,
            conflated: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
        }
    }

    /// How many messages wait behind the ring, about.
    pub(crate) fn waiting(&self) -> u64 {
        self.waiting.load(Relaxed)
    }

    /// On the subscriber's side only: publishers use [`try_intake`](Self::try_intake).
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().expect("panics of keys are caught")
    }

    /// Moves what is in the ring to the pending messages. `true`: something is there to be read.
    pub(crate) fn intake(&self) -> bool {
        let mut stage = self.stage();
        self.fill(&mut stage);
        stage.is_readable()
    }

    /// As [`intake`](Self::intake), unless somebody else is at it. Never waits.
    pub(crate) fn try_intake(&self) {
        if let Ok(mut stage) = self.stage.try_lock() {
            self.fill(&mut stage);
        }
    }

    fn fill(&self, stage: &mut Stage) {
        self.drain_ring(stage);
        self.waiting.store(stage.pending.len() as u64, Relaxed);
    }

    fn drain_ring(&self, stage: &mut Stage) {
        loop {
            match stage.consumer.pop() {
                Pop::Value(message) => match stage.pending.keep(message) {
                    Kept::New => {}
                    Kept::InPlace => drop(self.conflated.fetch_add(1, Relaxed)),
                    Kept::Lost => {
                        self.lost.fetch_add(1, Relaxed);
                        stage.pending.note_loss(1);
                    }
                },
                Pop::Lagged(missed) => stage.pending.note_loss(missed),
                Pop::Empty => return,
                Pop::Closed => return stage.closed = true,
            }
        }
    }

    /// Whether the ring has what [`intake`](Self::intake) would move.
    pub(crate) fn ring_has_news(&self) -> bool {
        let stage = self.stage();
        !stage.closed && stage.consumer.has_news()
    }

    /// The next delivery.
    pub(crate) fn pop(&self) -> Pop<Message> {
        let mut stage = self.stage();
        // First what is in the ring, or one key could be delivered from here and again from there.
        self.fill(&mut stage);
        let next = stage.pending.next();
        self.waiting.store(stage.pending.len() as u64, Relaxed);
        match next {
            Some(Waiting::Message(message)) => Pop::Value(message),
            Some(Waiting::Loss(missed)) => Pop::Lagged(missed),
            None if stage.closed => Pop::Closed,
            None => Pop::Empty,
        }
    }

    /// Whether [`pop`](Self::pop) would find something without looking into the ring.
    pub(crate) fn is_readable(&self) -> bool {
        self.stage().is_readable()
    }

    /// Messages that wait behind the ring, that were conflated, and that were lost there.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let waiting = self.stage().pending.len() as u64;
        (waiting, self.conflated.load(Relaxed), self.lost.load(Relaxed))
    }
}

impl Stage {
    fn is_readable(&self) -> bool {
        self.closed || self.pending.len() > 0
    }
}
