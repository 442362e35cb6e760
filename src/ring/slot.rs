//! A slot: one place of the ring, handed back and forth between producers and the consumer.
//!
//! Its `stamp` says whose turn it is. For position `p` in a ring of `c` slots:
//! `p` = free for the producer that claims `p`; `p + 1` = written, the consumer's;
//! `p + c` = taken out, free for the producer of the next lap.

use core::mem::MaybeUninit;

use crate::sync::{Acquire, AtomicU64, Release, UnsafeCell, order};

/// What a producer leaves in a slot.
pub(super) struct Entry<T> {
    pub(super) value: T,
    /// How many values the ring had refused when this one was offered.
    pub(super) lost_before: u64,
}

pub(super) struct Slot<T> {
    stamp: AtomicU64,
    entry: UnsafeCell<MaybeUninit<Entry<T>>>,
}

// SAFETY: entries are moved from one thread to another, never shared, so `T: Send` is enough; who
// may touch the cell at what time is in the contracts below, which the stamp orders.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// The slot of `position` in the first lap.
    pub(super) fn free_for(position: u64) -> Self {
        Slot { stamp: AtomicU64::new(position), entry: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// The stamp as a producer reads it: having seen `position`, it may overwrite the slot.
    pub(super) fn stamp_for_producer(&self) -> u64 {
        // Pairs with the Release store in `take`: the consumer has moved the old entry out.
        self.stamp.load(order("slot.reuse.acquire", Acquire))
    }

    /// Whether the entry of `position` is there for the consumer.
    pub(super) fn is_written(&self, position: u64) -> bool {
        // Pairs with the Release store in `write`: the entry is whole.
        self.stamp.load(order("slot.read.acquire", Acquire)) == position + 1
    }

    /// Writes the entry of `position` and lets the consumer see it.
    ///
    /// # Safety
    /// The caller claimed `position` (its exchange on the tail succeeded) after it had read the
    /// stamp `position` from this slot, and calls this once.
    pub(super) unsafe fn write(&self, position: u64, entry: Entry<T>) {
        self.entry.with_mut(|slot| {
            // SAFETY: by contract this thread alone touches the slot until the store below, and
            // what the previous lap left has been moved out.
            unsafe { (*slot).write(entry) };
        });
        // Pairs with the Acquire load in `is_written`.
        self.stamp.store(position + 1, order("slot.write.release", Release));
    }

    /// Moves the entry of `position` out and frees the slot for the next lap.
    ///
    /// # Safety
    /// `is_written(position)` said yes, and the caller alone takes this position, once.
    pub(super) unsafe fn take(&self, position: u64, capacity: u64) -> Entry<T> {
        let entry = self.entry.with_mut(|slot| {
            // SAFETY: written, read here for the only time; producers keep away until the store.
            unsafe { slot.cast::<Entry<T>>().read() }
        });
        // Pairs with the Acquire load in `stamp_for_producer`.
        self.stamp.store(position + capacity, order("slot.take.release", Release));
        entry
    }
}
