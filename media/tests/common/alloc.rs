//! An allocator that counts, for each thread, what is allocated and what is freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// Calls to the allocator. Growing or shrinking a block in place counts as one of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub allocations: u64,
    pub frees: u64,
}

pub const NONE: Counts = Counts { allocations: 0, frees: 0 };

thread_local! {
    /// Of this thread alone: the test harness, and whoever else runs, has counts of its own.
    static COUNTS: Cell<Counts> = const { Cell::new(NONE) };
}

struct Counting;

fn count(allocations: u64, frees: u64) {
    // A thread that is being torn down has no counts any more, and nothing to prove.
    let _ = COUNTS.try_with(|counts| {
        let now = counts.get();
        counts.set(Counts { allocations: now.allocations + allocations, frees: now.frees + frees });
    });
}

// SAFETY: every call goes to the system's allocator unchanged; counting never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(1, 0);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(1, 0);
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(0, 1);
        // SAFETY: the caller keeps the contract of `dealloc`; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(1, 1);
        // SAFETY: the caller keeps the contract of `realloc`; `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What `work` allocates and frees on this thread.
pub fn counts_of(work: impl FnOnce()) -> Counts {
    let before = COUNTS.get();
    work();
    let after = COUNTS.get();
    Counts {
        allocations: after.allocations - before.allocations,
        frees: after.frees - before.frees,
    }
}

#[test]
fn the_counter_counts() {
    let counts = counts_of(|| drop(std::hint::black_box(Box::new(1))));
    assert_eq!(counts, Counts { allocations: 1, frees: 1 });
}
