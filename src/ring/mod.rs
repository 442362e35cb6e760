//! The ring: a bounded lock-free queue from many producers to one consumer, and what travels in it.
//!
//! All `unsafe` of the bus is in this folder, behind safe interfaces:
//!
//! - [`ring`], [`Producer`], [`Consumer`]: the queue itself. Each subscription owns one; it also
//!   carries commands to a real-time thread and retired objects away from it.
//! - `lease`: an object that outlives its owner until everything lent has come back.
//! - `message`: the shared, immutable message, counted by one write a publish.
//! - `shown`: a value that the control side replaces while real-time readers read it for nothing.
//! - `pool`, `free_stack`: preallocated message cells for a publisher that may not allocate.
//! - [`prefetch()`]: a hint to the processor.
//!
//! # The ring's story
//! Every slot carries a stamp that says whose turn it is (see `slot`), and the tail word holds the
//! next position and, in its lowest bit, whether the ring is closed.
//!
//! **A producer** reads the tail, then the stamp of that slot (a [`Glance`]). If the slot is still occupied by the
//! previous lap, the ring is full and the value comes back at once: nobody waits for a consumer.
//! If it is free, it claims the position by compare-and-swap on the tail, writes, and stamps.
//! A claim that fails means that another producer got the position; it tries the next one.
//!
//! **The consumer** looks only at the slot at its head: written, or not. It never touches the line
//! that producers fight for, unless the ring looks empty.
//!
//! **Where they collide**: only in a slot, and the stamp hands it over (Release to Acquire, both
//! ways). A producer that is preempted between claim and stamp hides what was written behind it
//! from the consumer until it runs again; it hinders no other producer until the ring is full.
//!
//! **Closing** sets the bit in the tail, the very word that claims are made on: claims before it
//! will be delivered, claims after it fail. The consumer knows that it is at the end when its head
//! is the tail's position and the bit is set. No slot is needed for the end, and no grace period.
//!
//! **Eviction** (a ring made by [`evicting_ring`] only): a producer that finds the ring full may take
//! the oldest value out itself. Then the head is fought for, too: whoever moves it by
//! compare-and-swap owns the slot. The consumer sees from the positions how many were evicted.
//!
//! **Loss** has a place. A refused value adds one to `lost`; every later entry carries the count
//! that its producer saw, so the consumer finds each gap where it is and reports it there
//! ([`Pop::Lagged`]), or, if nothing came after it, at the end.

mod free_stack;
mod lease;
mod message;
mod pool;
mod prefetch;
mod shown;
mod slot;

use core::fmt;

use crossbeam_utils::CachePadded;

#[cfg(loom)]
pub use self::free_stack::FreeStack;
#[cfg(not(loom))]
pub(crate) use self::lease::Lessor;
#[cfg(loom)]
pub use self::lease::{Lease, Lessor};
pub use self::message::Message;
pub(crate) use self::message::{Meta, Shares};
pub use self::pool::CELL_PAYLOAD;
pub(crate) use self::pool::CellPool;
pub use self::prefetch::prefetch;
#[cfg(not(loom))]
pub(crate) use self::shown::{Pass, Reader, Readers, Shown};
#[cfg(loom)]
pub use self::shown::{Pass, Reader, Readers, Shown};
use self::slot::{Slot, Word, whole};
use crate::sync::{
    Acquire, Arc, AtomicU64, Relaxed, Release, SharedSlice, broken, order, spin_loop,
};

/// The bit of the tail word that says that the ring is closed.
const CLOSED: u64 = 1;
/// What a claim adds to the tail word.
const ONE: u64 = 2;
/// The bit of the count of losses that says that the consumer has seen the end: nothing is lost
/// any more.
const SETTLED: u64 = 1 << 63;

/// Makes a ring for at least `capacity` values: rounded up to a power of two, at least 2.
///
/// # Panics
/// When the capacity is beyond 2^30.
pub fn ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    make(capacity, false)
}

/// As [`ring`], but producers may [`evict`](Producer::evict) the oldest value.
///
/// # Panics
/// When the capacity is beyond 2^30.
pub fn evicting_ring<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    make(capacity, true)
}

fn make<T>(capacity: usize, evicts: bool) -> (Producer<T>, Consumer<T>) {
    assert!(capacity <= slot::MOST, "a ring holds at most {} values", slot::MOST);
    let capacity = capacity.next_power_of_two().max(2);
    let slots: Slots<T> = (0..capacity as u64).map(Slot::free_for).collect();
    let ring = Arc::new(Ring {
        tail: CachePadded::new(Tail { word: AtomicU64::new(0), lost: AtomicU64::new(0) }),
        head: CachePadded::new(AtomicU64::new(0)),
        slots: slots.clone(),
        evicts,
    });
    (
        Producer { ring: ring.clone(), slots },
        Consumer { ring, head: 0, told: 0, held: None, settled: None },
    )
}

/// Shared, so that a producer has them at hand and need not ask the ring first.
type Slots<T> = SharedSlice<Slot<T>>;

/// The slot of `position`.
#[inline]
fn slot_of<T>(slots: &[Slot<T>], position: u64) -> &Slot<T> {
    &slots[(position as usize) & (slots.len() - 1)]
}

struct Ring<T> {
    /// The producers' line.
    tail: CachePadded<Tail>,
    /// The oldest position that was not taken. Without eviction the consumer alone writes it, for
    /// statistics and `drop`; with eviction it is claimed by compare-and-swap.
    head: CachePadded<AtomicU64>,
    slots: Slots<T>,
    evicts: bool,
}

struct Tail {
    /// The next position, shifted left by one; the lowest bit is [`CLOSED`].
    word: AtomicU64,
    /// Values that did not get in; the highest bit is [`SETTLED`].
    lost: AtomicU64,
}

/// What was taken out of a slot.
struct Taken<T> {
    position: u64,
    value: T,
    /// How many had been lost before: the lower half.
    lost_before: u32,
}

impl<T> Ring<T> {
    fn slot(&self, position: u64) -> &Slot<T> {
        slot_of(&self.slots, position)
    }

    /// Takes the oldest value for whoever moves the head; `None` when it is not written yet, or
    /// another has taken it.
    fn claim_oldest(&self, head: u64) -> Option<Taken<T>> {
        let slot = self.slot(head);
        let word = slot.written(head)?;
        // Relaxed: the slot's stamp, read before, carries the data; the head only hands out
        // positions. It never goes back, so the slot cannot have been used again if this succeeds.
        if !broken("ring.evict.claim") {
            self.head.compare_exchange(head, head + 1, Relaxed, Relaxed).ok()?;
        }
        // SAFETY: written, and the position is ours alone: the head was moved past it by us.
        let value = unsafe { slot.take(head, self.slots.len() as u64) };
        Some(Taken { position: head, value, lost_before: word.lost() })
    }

    fn close(&self) {
        // Pairs with the Acquire load in `pop`: who sees the end sees what was done before it.
        self.tail.word.fetch_or(CLOSED, order("ring.close.release", Release));
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // Nobody else is left: what was written and never taken is dropped here.
        let capacity = self.slots.len() as u64;
        let mut position = self.head.load(Relaxed);
        while self.slot(position).written(position).is_some() {
            // SAFETY: exclusive access, written, and each position is visited once.
            drop(unsafe { self.slot(position).take(position, capacity) });
            position += 1;
        }
    }
}

/// Why a value was not taken; it comes back.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused<T> {
    /// Every slot is occupied.
    Full(T),
    /// Other producers won every try that [`Producer::offer`] was given.
    Contended(T),
    /// The ring is closed.
    Closed(T),
}

impl<T> Refused<T> {
    /// The value that was not taken.
    pub fn into_inner(self) -> T {
        match self {
            Refused::Full(value) | Refused::Contended(value) | Refused::Closed(value) => value,
        }
    }
}

/// The sending end of a [`ring`]; clone it for more producers.
pub struct Producer<T> {
    ring: Arc<Ring<T>>,
    slots: Slots<T>,
}

impl<T> Producer<T> {
    /// Puts `value` in, or gives it back: [`Refused::Full`] or [`Refused::Closed`]. Lock-free: it
    /// tries again only when another producer has got in.
    ///
    /// # Errors
    /// The value, and why it was not taken.
    pub fn push(&self, value: T) -> Result<(), Refused<T>> {
        self.offer(value, u32::MAX).map(drop)
    }

    /// As [`push`](Self::push), but gives up as [`Refused::Contended`] after `tries` lost races:
    /// wait-free, for a thread with a deadline. Gives the position that it got: how many were put
    /// in before.
    ///
    /// # Errors
    /// The value, and why it was not taken.
    pub fn offer(&self, value: T, tries: u32) -> Result<u64, Refused<T>> {
        let mut value = value;
        for _ in 0..tries {
            let glance = self.glance();
            if glance.tail & CLOSED != 0 && !broken("ring.close.check") {
                return Err(Refused::Closed(value));
            }
            if glance.slot.ahead_of(glance.position()) < 0 {
                return Err(Refused::Full(value));
            }
            match glance.put(value) {
                Ok(position) => return Ok(position),
                Err(refused) => value = refused,
            }
            spin_loop();
        }
        Err(Refused::Contended(value))
    }

    /// Looks where the next value would go.
    #[inline]
    pub fn glance(&self) -> Glance<'_, T> {
        let tail = self.ring.tail.word.load(Relaxed);
        // Read before the claim, so that it never counts a loss behind this entry. Relaxed: what
        // this publish must see was counted before it began.
        let lost = self.ring.tail.lost.load(Relaxed);
        let slot = slot_of(&self.slots, tail >> 1).word_for_producer();
        Glance { producer: self, tail, slot, lost }
    }

    /// Takes the oldest value out, to make room; the consumer is told. `None` when somebody else is
    /// about to, or if the ring is not an [`evicting_ring`]. One try: bounded.
    pub fn evict(&self) -> Option<T> {
        let ring = &*self.ring;
        if !ring.evicts {
            return None;
        }
        ring.claim_oldest(ring.head.load(Relaxed)).map(|oldest| oldest.value)
    }

    /// Counts one value as lost here: the consumer is told between the values around it. `false`:
    /// not counted, since the consumer has seen the end of the ring.
    pub fn lose(&self) -> bool {
        let lost = &self.ring.tail.lost;
        // Pairs with the Acquire load in `pop`: who sees the count also sees a tail at least as
        // far as the one that was full.
        let before = lost.fetch_add(1, order("ring.lose.release", Release));
        if before & SETTLED != 0 {
            lost.fetch_sub(1, Relaxed); // nobody will be told, so it does not count
        }
        before & SETTLED == 0
    }

    /// Closes the ring: what was put in before is delivered, what comes later is refused.
    pub fn close(&self) {
        self.ring.close();
    }

    /// Whether the ring is closed.
    pub fn is_closed(&self) -> bool {
        self.ring.tail.word.load(Relaxed) & CLOSED != 0
    }

    /// How many values were put in since the ring was made.
    pub fn pushed(&self) -> u64 {
        self.ring.tail.word.load(Relaxed) >> 1
    }

    /// How many values were taken out since the ring was made.
    pub fn popped(&self) -> u64 {
        self.ring.head.load(Relaxed)
    }

    /// How many values were [lost](Self::lose).
    pub fn lost(&self) -> u64 {
        self.ring.tail.lost.load(Relaxed) & !SETTLED
    }

    /// Whether every slot is occupied, as far as can be seen from here.
    pub fn is_full(&self) -> bool {
        self.pushed().saturating_sub(self.popped()) >= self.capacity() as u64
    }

    /// How many values fit.
    pub fn capacity(&self) -> usize {
        self.slots.len()
    }
}

/// What a producer saw of its ring's tail: where it may try to put something.
///
/// Who has several rings to serve glances at the next one before it puts something into this one:
/// what each put then waits for is its exchange on the tail alone.
pub struct Glance<'a, T> {
    producer: &'a Producer<T>,
    tail: u64,
    slot: Word,
    lost: u64,
}

impl<'a, T> Glance<'a, T> {
    /// Whose ring it is.
    #[inline]
    pub fn producer(&self) -> &'a Producer<T> {
        self.producer
    }

    #[inline]
    fn position(&self) -> u64 {
        self.tail >> 1
    }

    /// One try to put `value` where this has looked; gives the position. It may be old: then the
    /// exchange on the tail fails, since the tail never goes back; and a slot that was free for the
    /// tail's position stays free until somebody claims it.
    ///
    /// # Errors
    /// The value: full, closed, or another was faster. [`Producer::offer`] tells them apart.
    #[inline]
    pub fn put(self, value: T) -> Result<u64, T> {
        let Glance { producer, tail, slot, lost } = self;
        let position = self.position();
        let is_open = tail & CLOSED == 0 || broken("ring.close.check");
        let word = &producer.ring.tail.word;
        // Relaxed: the slot's stamp carries the data; the tail only hands out positions.
        if is_open
            && slot.ahead_of(position) == 0
            && word.compare_exchange(tail, tail + ONE, Relaxed, Relaxed).is_ok()
        {
            // SAFETY: the position is ours and its slot's stamp said so.
            unsafe { slot_of(&producer.slots, position).write(position, value, lost) };
            return Ok(position);
        }
        Err(value)
    }
}

impl<T> fmt::Debug for Glance<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Glance").field("position", &self.position()).finish_non_exhaustive()
    }
}

impl<T> Clone for Producer<T> {
    fn clone(&self) -> Self {
        Producer { ring: self.ring.clone(), slots: self.slots.clone() }
    }
}

impl<T> fmt::Debug for Producer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Producer")
            .field("capacity", &self.capacity())
            .field("pushed", &self.pushed())
            .field("popped", &self.popped())
            .field("lost", &self.lost())
            .finish()
    }
}

/// What [`Consumer::pop`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Pop<T> {
    /// The next value.
    Value(T),
    /// So many values were lost at this place.
    Lagged(u64),
    /// Nothing now.
    Empty,
    /// The ring is closed and everything was taken out.
    Closed,
}

/// The receiving end of a [`ring`]. Dropping it closes the ring.
pub struct Consumer<T> {
    ring: Arc<Ring<T>>,
    /// The position after the last one that was taken out here.
    head: u64,
    /// How many losses were reported, of those that `lose` has counted.
    told: u64,
    /// Taken out, but a loss before it had to be told first.
    held: Option<T>,
    /// The end is reached: so many losses there were.
    settled: Option<u64>,
}

impl<T> Consumer<T> {
    /// Takes the next value out, or says that values were lost at this place. Wait-free, unless
    /// producers evict: then it tries again when one has taken the value first.
    #[inline]
    pub fn pop(&mut self) -> Pop<T> {
        if let Some(value) = self.held.take() {
            return Pop::Value(value);
        }
        let Some(Taken { position, value, lost_before }) = self.take() else {
            return self.at_end();
        };
        let missed = self.lost_before(lost_before) + (position - self.head);
        self.head = position + 1;
        if missed == 0 {
            return Pop::Value(value);
        }
        self.held = Some(value);
        Pop::Lagged(missed)
    }

    /// How many losses are to be told before an entry with this count: the lower half of it.
    #[inline]
    fn lost_before(&mut self, low: u32) -> u64 {
        if low == self.told as u32 {
            return 0; // nearly always, and then the producers' line is left alone
        }
        // Relaxed: the entry's Acquire has made at least its own count visible.
        let lost_before = whole(low, self.ring.tail.lost.load(Relaxed) & !SETTLED);
        let lost = lost_before.saturating_sub(self.told);
        self.told += lost;
        lost
    }

    /// Takes out the oldest entry that is there, with its position.
    #[inline]
    fn take(&self) -> Option<Taken<T>> {
        let ring = &*self.ring;
        if !ring.evicts {
            let (slot, position) = (ring.slot(self.head), self.head);
            let word = slot.written(position)?;
            // SAFETY: we are the only one who takes, and our head moves on in `pop`.
            let value = unsafe { slot.take(position, ring.slots.len() as u64) };
            ring.head.store(position + 1, Relaxed); // statistics
            return Some(Taken { position, value, lost_before: word.lost() });
        }
        loop {
            let head = ring.head.load(Relaxed);
            if let Some(taken) = ring.claim_oldest(head) {
                return Some(taken);
            }
            if ring.head.load(Relaxed) == head {
                return None; // not written yet
            }
            spin_loop(); // a producer was faster: the next one
        }
    }

    /// Nothing could be taken: what is left to tell.
    fn at_end(&mut self) -> Pop<T> {
        if let Some(lost) = self.settled {
            return if lost > self.told { self.tell(lost, self.head) } else { Pop::Closed };
        }
        let ring = &*self.ring;
        // Pairs with the Release in `lose`: the losses counted here happened at a tail no further
        // than the one read next, so they belong before our head if the two are equal.
        let lost = ring.tail.lost.load(order("ring.told.acquire", Acquire));
        // Pairs with the Release in `close`.
        let tail = ring.tail.word.load(order("ring.end.acquire", Acquire));
        let head = if ring.evicts { ring.head.load(Relaxed) } else { self.head };
        if tail >> 1 != head && !broken("ring.end.check") {
            return Pop::Empty; // claimed, not yet written
        }
        if lost > self.told || head > self.head {
            return self.tell(lost, head);
        }
        if tail & CLOSED == 0 {
            return Pop::Empty;
        }
        // What was counted since is told, too; nothing is counted after this. Relaxed: the close
        // has been seen, and the bit carries nothing else.
        let settled = if broken("ring.end.losses") {
            lost
        } else if broken("ring.end.settle") {
            ring.tail.lost.load(Relaxed)
        } else {
            ring.tail.lost.fetch_or(SETTLED, Relaxed)
        };
        self.settled = Some(settled);
        self.at_end()
    }

    fn tell(&mut self, lost: u64, head: u64) -> Pop<T> {
        let missed = lost.saturating_sub(self.told) + (head - self.head);
        self.told = self.told.max(lost);
        self.head = head;
        Pop::Lagged(missed)
    }

    /// Whether the next [`pop`](Self::pop) finds more than [`Pop::Empty`].
    ///
    /// A consumer that goes to sleep says so, passes a sequentially consistent fence and asks this;
    /// a producer that has put something in passes such a fence and asks whether it sleeps.
    pub fn has_news(&self) -> bool {
        let ring = &*self.ring;
        let head = if ring.evicts { ring.head.load(Relaxed) } else { self.head };
        if self.held.is_some() || ring.slot(head).written(head).is_some() {
            return true;
        }
        if head != self.head && broken("ring.news.evicted") {
            return true;
        }
        // Evictions are told with what comes next: a producer that has claimed it and not yet written
        // it will ask whether we sleep.
        let tail = ring.tail.word.load(Relaxed);
        let is_lost = || head != self.head || ring.tail.lost.load(Relaxed) != self.told;
        tail >> 1 == head && (tail & CLOSED != 0 || is_lost())
    }
}

impl<T> Drop for Consumer<T> {
    fn drop(&mut self) {
        self.ring.close();
        // What is already there goes now, so that it does not wait for the last producer.
        while matches!(self.pop(), Pop::Value(_) | Pop::Lagged(_)) {}
    }
}

impl<T> fmt::Debug for Consumer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("head", &self.head).field("told", &self.told).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
