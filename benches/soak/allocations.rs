//! Counts what the media thread allocates and frees. Libraries in C that it calls have their own
//! allocator and are not seen here; `media/tests` has a test that sees them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

/// The thread that is watched; 0: none yet.
static WATCHED: AtomicI32 = AtomicI32::new(0);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static FREES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// This thread's number, once it was asked for. Without a destructor, so that touching it never
    /// allocates.
    static THIS: Cell<i32> = const { Cell::new(0) };
}

/// Counts from here on what the thread of this number does.
pub fn watch(tid: i32) {
    // Relaxed, as all here: nothing is read because of it.
    WATCHED.store(tid, Relaxed);
}

/// Allocations and frees of the watched thread so far. Growing a block counts as one of each.
pub fn counts() -> (u64, u64) {
    (ALLOCATIONS.load(Relaxed), FREES.load(Relaxed))
}

fn count(allocations: u64, frees: u64) {
    let watched = WATCHED.load(Relaxed);
    if watched == 0 {
        return;
    }
    // A thread that is being torn down is not the one that is watched.
    let this = THIS.try_with(|this| {
        if this.get() == 0 {
            this.set(rustix::thread::gettid().as_raw_nonzero().get());
        }
        this.get()
    });
    if this == Ok(watched) {
        ALLOCATIONS.fetch_add(allocations, Relaxed);
        FREES.fetch_add(frees, Relaxed);
    }
}

struct Counting;

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

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    #[test]
    fn only_the_watched_thread_is_counted() {
        let work = || drop(std::hint::black_box(Box::new(1)));
        watch(rustix::thread::gettid().as_raw_nonzero().get());
        let before = counts();
        std::thread::scope(|scope| scope.spawn(work).join().unwrap());
        let others = counts(); // of which starting a thread is our own
        work();
        let after = counts();
        watch(0);
        assert_eq!((after.0 - others.0, after.1 - others.1), (1, 1));
        assert!(others.0 - before.0 < 50);
    }
}
