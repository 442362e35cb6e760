//! A slot: one place of the ring, handed back and forth between producers and the consumer.
//!
//! Its word says whose turn it is, and what had been lost before its value: 32 bits each, so that a
//! slot of a message is 16 bytes and four share a cache line. The lower half is the stamp. For
//! position `p` in a ring of `c` slots: `p` = free for the producer that claims `p`; `p + 1` =
//! written, the consumer's; `p + c` = taken out, free for the producer of the next lap.
//!
//! Both halves are the lower bits of 64-bit numbers. A stamp is never compared with a position
//! that is a ring or more away from its own, and a claim is made on the whole number. A count of
//! losses is made whole again by whoever knows a later one ([`whole`]).

use core::mem::MaybeUninit;

use crate::sync::{Acquire, AtomicU64, Release, UnsafeCell, order};

/// The most slots that a ring can have.
pub(super) const MOST: usize = 1 << 30;

pub(super) struct Slot<T> {
    word: AtomicU64,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// What a slot says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word(u64);

impl Word {
    fn new(stamp: u64, lost: u64) -> Self {
        Word(stamp & u64::from(u32::MAX) | lost << 32)
    }

    /// How far the stamp is behind (negative) or ahead of `position`.
    #[inline]
    pub(super) fn ahead_of(self, position: u64) -> i32 {
        (self.0 as u32).wrapping_sub(position as u32) as i32
    }

    /// How many values the ring had refused when this one was offered: the lower half.
    #[inline]
    pub(super) fn lost(self) -> u32 {
        (self.0 >> 32) as u32
    }
}

/// The latest number that is not beyond `now` and ends in `low`.
pub(super) fn whole(low: u32, now: u64) -> u64 {
    now.saturating_sub(u64::from((now as u32).wrapping_sub(low)))
}

// SAFETY: values are moved from one thread to another, never shared, so `T: Send` is enough; who
// may touch the cell at what time is in the contracts below, which the stamp orders.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    /// The slot of `position` in the first lap.
    pub(super) fn free_for(position: u64) -> Self {
        let word = AtomicU64::new(Word::new(position, 0).0);
        Slot { word, value: UnsafeCell::new(MaybeUninit::uninit()) }
    }

    /// The word as a producer reads it: having seen its stamp at `position`, it may overwrite the
    /// slot.
    #[inline]
    pub(super) fn word_for_producer(&self) -> Word {
        // Pairs with the Release store in `take`: the consumer has moved the old value out.
        Word(self.word.load(order("slot.reuse.acquire", Acquire)))
    }

    /// What the slot says if the value of `position` is there for the consumer.
    #[inline]
    pub(super) fn written(&self, position: u64) -> Option<Word> {
        // Pairs with the Release store in `write`: the value is whole.
        let word = Word(self.word.load(order("slot.read.acquire", Acquire)));
        (word.ahead_of(position) == 1).then_some(word)
    }

    /// Writes the value of `position`, before which `lost` were lost, and lets the consumer see it.
    ///
    /// # Safety
    /// The caller claimed `position` (its exchange on the tail succeeded) after it had read the
    /// stamp `position` from this slot, and calls this once.
    #[inline]
    pub(super) unsafe fn write(&self, position: u64, value: T, lost: u64) {
        self.value.with_mut(|slot| {
            // SAFETY: by contract this thread alone touches the slot until the store below, and
            // what the previous lap left has been moved out.
            unsafe { (*slot).write(value) };
        });
        // Pairs with the Acquire load in `written`.
        let release = order("slot.write.release", Release);
        self.word.store(Word::new(position + 1, lost).0, release);
    }

    /// Moves the value of `position` out and frees the slot for the next lap.
    ///
    /// # Safety
    /// `written(position)` said yes, and the caller alone takes this position, once.
    #[inline]
    pub(super) unsafe fn take(&self, position: u64, capacity: u64) -> T {
        let value = self.value.with_mut(|slot| {
            // SAFETY: written, read here for the only time; producers keep away until the store.
            unsafe { slot.cast::<T>().read() }
        });
        // Pairs with the Acquire load in `word_for_producer`.
        let release = order("slot.take.release", Release);
        self.word.store(Word::new(position + capacity, 0).0, release);
        value
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn half_a_number_is_made_whole_by_a_later_one() {
        const LAP: u64 = 1 << 32;
        for at in [0, 1, LAP - 1, LAP, 5 * LAP + 7] {
            for later in [0, 1, 1_000, LAP - 1] {
                assert_eq!(whole(at as u32, at + later), at, "{at} seen at {}", at + later);
            }
        }
    }

    #[test]
    fn a_stamp_is_compared_across_the_end_of_its_32_bits() {
        let position = (1 << 32) - 1;
        let free = Slot::<u8>::free_for(position);
        assert_eq!(free.word_for_producer().ahead_of(position), 0);
        assert!(free.written(position).is_none());
        // SAFETY: nobody else is there.
        unsafe { free.write(position, 7, 3) };
        assert_eq!(free.written(position).map(Word::lost), Some(3));
        assert_eq!(free.word_for_producer().ahead_of(position + 4), -3, "full for the next lap");
        // SAFETY: as above, and it is written.
        assert_eq!(unsafe { free.take(position, 4) }, 7);
        assert_eq!(free.word_for_producer().ahead_of(position + 4), 0);
    }
}
