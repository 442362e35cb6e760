//! Prefetching: who is to look at thousands of objects in a row can have the next ones on their way into
//! the processor's cache while it looks at this one. It is no part of the ring, but it is unsafe to ask
//! for, and so it is here.

/// Asks the processor to bring the first `lines` cache lines (of 64 bytes) of `object` near, and goes on
/// meanwhile. Nothing is read and nothing changes but time; on processors other than x86-64 nothing
/// happens at all.
#[inline]
pub fn prefetch<T>(object: &T, lines: usize) {
    let start = core::ptr::from_ref(object).cast::<i8>();
    for line in 0..lines.min(size_of::<T>().div_ceil(64)) {
        fetch(start.wrapping_add(line * 64));
    }
}

#[cfg(target_arch = "x86_64")]
#[inline]
fn fetch(line: *const i8) {
    use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
    // SAFETY: a prefetch is a hint: it neither reads nor faults, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(line) };
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn fetch(_line: *const i8) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_changes_nothing_whatever_the_size() {
        let (small, large) = (7u8, [3u64; 1_000]);
        for lines in [0, 1, 5, usize::MAX] {
            prefetch(&small, lines);
            prefetch(&large, lines.min(500));
            prefetch(&(), lines);
        }
        assert_eq!((small, large), (7, [3; 1_000]));
    }
}
