//! The mailbox: what publishers and the consumer of one subscription share.

use std::fmt;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::dispatch::Runner;
use crate::gate::Gate;
use crate::marks::Mark;
use crate::means::Means;
use crate::overflow::{Full, Overflow};
use crate::panics::Panics;
use crate::pull::Waiter;
use crate::ring::{Glance, Message, Producer, Refused, evicting_ring, ring};
use crate::source::Rest;
use crate::staging::Staged;
use crate::sync::{
    AcqRel, Acquire, AtomicBool, AtomicU32, AtomicU64, Condvar, Mutex, OnceLock, Relaxed, Release,
    Weak, thread,
};
use crate::topic::TopicId;

/// Names a subscription; unique within its bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub(crate) u64);

impl fmt::Display for SubscriptionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

/// Who consumes a mailbox, and so how it is woken.
pub(crate) enum Reader {
    /// A callback, run by the bus's pool.
    Pool,
    /// A thread of the subscriber's own, which may be waiting in `recv`.
    Pull(Waiter),
    /// A callback that an ordinary publisher runs itself before its publish returns (and the pool,
    /// after a real-time one).
    Inline(OnceLock<Weak<Runner>>),
}

/// What the bus gives a new subscription: a name, and a place with its mark.
pub(crate) struct Place {
    pub(crate) id: SubscriptionId,
    pub(crate) place: usize,
    pub(crate) mark: Mark,
    pub(crate) panics: Panics,
}

pub(crate) struct Mailbox {
    pub(crate) id: SubscriptionId,
    /// Which member of the bus this is, as its mark counts them.
    pub(crate) place: usize,
    pub(crate) producer: Producer<Message>,
    /// Publishers knock here.
    pub(crate) gate: CachePadded<Gate>,
    pub(crate) mark: Mark,
    pub(crate) reader: Reader,
    /// Somebody has knocked and set the mark: whoever takes the mark answers.
    knocked: AtomicBool,
    water: Water,
    slowest: Mutex<Slowest>,
    full: Full,
    /// Where messages wait behind the ring, if they do.
    pub(crate) staged: Option<Staged>,
    room: Room,
    /// How much of the ring was handled, and who waits for that.
    handled: AtomicU64,
    handling: Room,
    evicted: AtomicU64,
    blocked: AtomicU64,
    contended: AtomicU64,
    exhausted: AtomicU64,
    /// Its own first and final message that were delivered: they need no place in the ring.
    own: AtomicU64,
    /// How much had been published to its topic when it came, and when it left.
    came_at: AtomicU64,
    left_at: AtomicU64,
}

impl Mailbox {
    /// A mailbox, and what its reader reads after its first message.
    pub(crate) fn new(
        Place { id, place, mark, panics }: Place,
        capacity: usize,
        overflow: Overflow,
        reader: Reader,
    ) -> (Self, Rest) {
        // A pulled subscription counts as busy until it waits; a callback's sleeps until the
        // first message.
        let gate = match reader {
            Reader::Pool | Reader::Inline(_) => Gate::asleep(),
            Reader::Pull(_) => Gate::busy(),
        };
        let (full, pending) = match reader {
            Reader::Inline(_) => (Full::Run, None),
            Reader::Pool | Reader::Pull(_) => overflow.into_pending(),
        };
        let (producer, consumer) = match full {
            Full::Evict => evicting_ring(capacity),
            Full::Drop | Full::Wait | Full::Stage | Full::Run => ring(capacity),
        };
        let producer_capacity = producer.capacity() as u64;
        let (staged, rest) = match pending {
            None => (None, Rest::Ring(consumer)),
            Some(pending) => (Some(Staged::new(id, consumer, pending, panics)), Rest::Staged),
        };
        let mailbox = Mailbox {
            id,
            place,
            producer,
            gate: CachePadded::new(gate),
            mark,
            reader,
            knocked: AtomicBool::new(false),
            water: Water::new(producer_capacity),
            slowest: Mutex::default(),
            full,
            staged,
            room: Room::default(),
            handled: AtomicU64::new(0),
            handling: Room::default(),
            evicted: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            contended: AtomicU64::new(0),
            exhausted: AtomicU64::new(0),
            own: AtomicU64::new(0),
            came_at: AtomicU64::new(0),
            left_at: AtomicU64::new(u64::MAX),
        };
        (mailbox, rest)
    }

    /// Offers one share of a message by a publisher's means, at once if it can; a refused one comes
    /// back, counted. The glance is at this mailbox's ring.
    #[inline]
    pub(crate) fn offer(
        &self,
        glance: Glance<'_, Message>,
        message: Message,
        means: &Means<'_>,
    ) -> Result<(), Message> {
        let producer = glance.producer();
        match glance.put(message) {
            Ok(position) => {
                self.watch(producer, position, means);
                Ok(())
            }
            Err(message) => self.insist(message, means),
        }
    }

    /// Offers again as long as there is hope, and makes room if that is the policy.
    #[cold]
    fn insist(&self, message: Message, means: &Means<'_>) -> Result<(), Message> {
        let mut outcome = self.producer.offer(message, means.tries());
        let mut tries = means.tries();
        while let Err(Refused::Full(message)) = outcome {
            // Bounded for real-time publishers; the others go on while there is hope.
            tries = tries.saturating_sub(1);
            let room = if tries == 0 { Err(None) } else { self.make_room(means) };
            if let Err(cause) = room {
                self.lose(cause);
                return Err(message);
            }
            outcome = self.producer.offer(message, means.tries());
        }
        outcome.map(|position| self.watch(&self.producer, position, means)).map_err(|refused| {
            // Closed: it has unsubscribed meanwhile, which is not a loss.
            if matches!(refused, Refused::Contended(_)) {
                self.lose(Some(&self.contended));
            }
            refused.into_inner()
        })
    }

    /// Now and then, as the ring fills: does it reach its high-water mark, is it to be staged?
    #[inline]
    fn watch(&self, producer: &Producer<Message>, position: u64, means: &Means<'_>) {
        // Eight times a lap: at positions that have none of these bits.
        let between = (producer.capacity() as u64 / 8).max(1) - 1;
        if position & between == 0 {
            self.measure(position + 1, means);
        }
    }

    #[cold]
    fn measure(&self, pushed: u64, means: &Means<'_>) {
        let depth = self.depth(pushed);
        self.water.highest.fetch_max(depth, Relaxed);
        if depth >= self.water.high && !self.water.is_high.swap(true, Relaxed) {
            self.water.alarm.store(true, Release); // pairs with `take_alarm`
            self.mark.set(); // a worker tells it: now, or when it next looks
            if let Means::Ordinary(publish) = means {
                publish.wake_worker();
            }
        }
        if let (Some(staged), Means::RealTime(_)) = (&self.staged, means)
            && staged.ask_for_intake()
        {
            self.mark.set(); // its reader may be slow, and this publisher cannot make room
        }
    }

    fn depth(&self, pushed: u64) -> u64 {
        let waiting = self.staged.as_ref().map_or(0, Staged::waiting);
        pushed.saturating_sub(self.producer.popped()) + waiting
    }

    /// Whether the high-water mark was reached and nobody has told it yet.
    pub(crate) fn has_alarm(&self) -> bool {
        self.water.alarm.load(Relaxed)
    }

    /// As [`has_alarm`](Self::has_alarm); the caller tells it.
    pub(crate) fn take_alarm(&self) -> bool {
        self.has_alarm() && self.water.alarm.swap(false, Acquire)
    }

    /// The reader has gone on: whether the low-water mark was reached after the high one.
    #[inline]
    pub(crate) fn is_relieved(&self) -> bool {
        self.water.is_high.load(Relaxed)
            && self.depth(self.producer.pushed()) <= self.water.low
            && self.water.is_high.swap(false, Relaxed)
    }

    /// Sets the mark, for a knock that has to be answered. Wait-free.
    pub(crate) fn set_mark(&self) {
        self.knocked.store(true, Release); // pairs with `take_knock`
        self.mark.set();
    }

    /// Whether somebody has knocked: the caller answers.
    pub(crate) fn take_knock(&self) -> bool {
        self.knocked.swap(false, AcqRel)
    }

    /// Remembers the slowest callback.
    pub(crate) fn note_callback(&self, took: Duration, message_type: &'static str) {
        let took_ns = took.as_nanos() as u64;
        if took_ns > self.water.slowest_ns.load(Relaxed) {
            self.water.slowest_ns.store(took_ns, Relaxed);
            let mut slowest = self.slowest.lock().expect("nothing panics while it is held");
            *slowest = Slowest { took, message_type };
        }
    }

    /// Makes room in the full ring, or waits for it. The error, when that cannot be: what to count
    /// the loss as, if not as one of a full ring.
    #[cold]
    fn make_room(&self, means: &Means<'_>) -> Result<(), Option<&AtomicU64>> {
        match (self.full, means) {
            (Full::Evict, _) if means.can_discard() => {
                match self.producer.evict() {
                    Some(oldest) => {
                        self.evicted.fetch_add(1, Relaxed);
                        means.discard(oldest);
                    }
                    // The oldest is only claimed, its publisher was interrupted: let it finish.
                    None => means.yield_now(),
                }
            }
            (Full::Wait, Means::Ordinary(publish)) => {
                if publish.in_callback {
                    publish.would_wait.set(Some(self.id));
                    return Err(Some(&self.blocked));
                }
                // Its reader may be asleep, woken by us only after this publish.
                publish.wake_now(self);
                self.room.wait_until(|| !self.producer.is_full() || self.producer.is_closed());
            }
            (Full::Run, Means::Ordinary(_)) => {
                self.run_inline();
                means.yield_now();
            }
            (Full::Stage, Means::Ordinary(publish)) => {
                if let Some(staged) = &self.staged
                    && !staged.try_intake()
                    && publish.in_key
                {
                    // Whoever is at it may be waiting for this very key.
                    publish.would_wait.set(Some(self.id));
                    return Err(Some(&self.blocked));
                }
                means.yield_now();
            }
            _ => return Err(None),
        }
        Ok(())
    }

    /// Whether ordinary publishers run its callback themselves.
    #[inline]
    pub(crate) fn is_inline(&self) -> bool {
        self.full == Full::Run
    }

    /// Runs its callback here, if nobody else does.
    fn run_inline(&self) {
        let Reader::Inline(runner) = &self.reader else { return };
        let Some(runner) = runner.get().and_then(Weak::upgrade) else { return };
        if self.gate.knock() {
            while runner.run() {}
        }
    }

    /// Returns when what is in the ring now has been handled, by this thread or another one.
    pub(crate) fn pass(&self) {
        let target = self.producer.pushed();
        while self.handled() < target && !self.producer.is_closed() {
            self.run_inline();
            if crate::dispatch::is_inline() {
                return; // whoever runs it does the rest
            }
            if self.handled() < target {
                thread::yield_now();
            }
        }
    }

    /// How many messages of the ring have been handled to their end.
    pub(crate) fn handled(&self) -> u64 {
        self.handled.load(Acquire) // pairs with `note_handled`
    }

    /// Everything that was taken out of the ring has been handled.
    #[inline]
    pub(crate) fn note_handled(&self) {
        if self.staged.as_ref().is_none_or(|staged| staged.waiting() == 0) {
            self.handled.store(self.producer.popped(), Release); // pairs with `handled`
            self.handling.made();
        }
    }

    /// Waits until what is in the ring now has been handled; `false` when its reader has ended.
    pub(crate) fn wait_handled(&self) -> bool {
        let target = self.producer.pushed();
        self.handling.wait_until(|| self.handled() >= target || self.producer.is_closed());
        self.handled() >= target
    }

    /// Counts a message that was never built because the publisher's pool was empty.
    pub(crate) fn lose_to_empty_pool(&self) {
        self.lose(Some(&self.exhausted));
    }

    /// Counts a loss, and its cause if that is another than a full ring, unless the reader has seen
    /// the end.
    fn lose(&self, cause: Option<&AtomicU64>) {
        if self.producer.lose()
            && let Some(cause) = cause
        {
            cause.fetch_add(1, Relaxed);
        }
    }

    /// The reader has taken something out: a publisher may be waiting for the room.
    #[inline]
    pub(crate) fn has_read(&self) {
        if self.full == Full::Wait {
            self.room.made();
        }
    }

    /// Closes the ring; who waits for room is woken.
    pub(crate) fn close(&self) {
        self.producer.close();
        self.room.made();
        self.handling.made();
    }

    /// Counts a message of its own that is delivered.
    pub(crate) fn count_own(&self) {
        self.own.fetch_add(1, Relaxed);
    }

    /// It is listed: so much had been published to its topic before.
    pub(crate) fn came_at(&self, published: u64) {
        self.came_at.store(published, Relaxed);
    }

    /// It is listed no more: so much has been published to its topic until now.
    pub(crate) fn left_at(&self, published: u64) {
        self.left_at.store(published, Relaxed);
    }

    /// Its books; `published` says how much was published to its topic until now.
    pub(crate) fn stats(&self, published: impl FnOnce() -> u64) -> SubscriptionStats {
        let (contended, exhausted) = (self.contended.load(Relaxed), self.exhausted.load(Relaxed));
        let (evicted, blocked) = (self.evicted.load(Relaxed), self.blocked.load(Relaxed));
        let own = self.own.load(Relaxed);
        let popped = self.producer.popped(); // first, so that it never counts as delivered what waits
        let (waiting, conflated, overflowed) =
            self.staged.as_ref().map_or((0, 0, 0), Staged::counts);
        let gone = evicted + conflated + overflowed;
        let pushed = self.producer.pushed().max(popped);
        let full = self.producer.lost().saturating_sub(contended + exhausted + blocked);
        let refused = full + contended + exhausted + blocked;
        // Last, so that everything that was offered counts as published.
        let published = published().min(self.left_at.load(Relaxed));
        let since = published.saturating_sub(self.came_at.load(Relaxed));
        SubscriptionStats {
            delivered: popped.saturating_sub(waiting + gone) + own,
            enqueued: pushed.saturating_sub(gone) + own,
            filtered: since.saturating_sub(pushed + refused),
            conflated,
            dropped: Dropped { full: full + overflowed, evicted, blocked, contended, exhausted },
            capacity: self.producer.capacity() as u64,
            high_water: self.water.highest.load(Relaxed).max(self.depth(pushed)),
            slowest: *self.slowest.lock().expect("nothing panics while it is held"),
        }
    }
}

/// How full a mailbox is, was, and may be.
struct Water {
    high: u64,
    low: u64,
    highest: AtomicU64,
    /// The high mark was reached, and not yet the low one.
    is_high: AtomicBool,
    alarm: AtomicBool,
    slowest_ns: AtomicU64,
}

impl Water {
    fn new(capacity: u64) -> Self {
        Water {
            high: (capacity * 3 / 4).max(1),
            low: capacity / 4,
            highest: AtomicU64::new(0),
            is_high: AtomicBool::new(false),
            alarm: AtomicBool::new(false),
            slowest_ns: AtomicU64::new(0),
        }
    }
}

/// The slowest call of a callback.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slowest {
    /// How long it took.
    pub took: Duration,
    /// For which type of message.
    pub message_type: &'static str,
}

/// A subscription has reached its high-water mark (three quarters of its ring), or, after that, its
/// low one (a quarter). Published to the bus's topic [`CONGESTION_TOPIC`](crate::CONGESTION_TOPIC),
/// if somebody has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Congestion {
    /// Whose.
    pub subscription: SubscriptionId,
    /// On which topic it is.
    pub topic: TopicId,
    /// Whether it is congested from here on; `false`: no longer.
    pub congested: bool,
    /// Messages that wait.
    pub pending: u64,
}

/// Where publishers wait for what a reader does: for room in its ring, for its handling of a message.
#[derive(Default)]
struct Room {
    waiting: AtomicU32,
    lock: Mutex<()>,
    made: Condvar,
}

impl Room {
    /// Waits until `done`; looks by itself every few milliseconds, so that who makes it so needs no
    /// fence at each message.
    fn wait_until(&self, done: impl Fn() -> bool) {
        let mut guard = self.lock.lock().expect("nothing panics while it is held");
        self.waiting.fetch_add(1, Relaxed);
        while !done() {
            let waited = self.made.wait_timeout(guard, Duration::from_millis(2));
            guard = waited.expect("nothing panics while it is held").0;
        }
        self.waiting.fetch_sub(1, Relaxed);
    }

    /// Wakes those who wait, if there are any.
    #[inline]
    fn made(&self) {
        if self.waiting.load(Relaxed) > 0 {
            self.wake();
        }
    }

    #[cold]
    fn wake(&self) {
        drop(self.lock.lock().expect("nothing panics while it is held"));
        self.made.notify_all();
    }
}

/// What one subscription got and lost, from its beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionStats {
    /// Messages accepted for it, its own first and last included.
    pub enqueued: u64,
    /// Messages that it was given.
    pub delivered: u64,
    /// Messages that were published to its topic while it was subscribed and that it did not accept
    /// (those that just missed its end, too). With them the books balance: what was published is
    /// `enqueued` (its own first and last aside), `filtered`, `conflated` or `dropped`.
    pub filtered: u64,
    /// Messages that a later one of the same key has taken the place of: neither lost nor
    /// delivered.
    pub conflated: u64,
    /// Messages lost, by cause.
    pub dropped: Dropped,
    /// Messages that its ring holds.
    pub capacity: u64,
    /// The most that were seen waiting; looked at eight times a lap of the ring.
    pub high_water: u64,
    /// The slowest call of its callback.
    pub slowest: Slowest,
}

impl SubscriptionStats {
    /// Messages that wait.
    pub fn pending(&self) -> u64 {
        self.enqueued - self.delivered
    }
}

/// Lost messages by cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// The subscription's ring was full, or what waits behind it was at its limit.
    pub full: u64,
    /// The oldest in the ring, to make room for a newer one ([`Overflow::DropOldest`]).
    pub evicted: u64,
    /// The publisher would have had to wait, inside a callback ([`Overflow::Block`]).
    pub blocked: u64,
    /// A real-time publisher lost every race that its deadline allows for.
    pub contended: u64,
    /// A real-time publisher's pool was empty: make the pool larger, or find who keeps messages.
    pub exhausted: u64,
}

impl Dropped {
    /// All causes together.
    pub fn total(&self) -> u64 {
        self.full + self.evicted + self.blocked + self.contended + self.exhausted
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let causes = [
            (self.full, "ring full"),
            (self.evicted, "evicted"),
            (self.blocked, "would block"),
            (self.contended, "contended"),
            (self.exhausted, "pool empty"),
        ];
        let mut separator = "";
        for (count, cause) in causes.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{separator}{count} {cause}")?;
            separator = ", ";
        }
        if separator.is_empty() { f.write_str("nothing") } else { Ok(()) }
    }
}
