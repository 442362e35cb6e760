//! Counts what the media threads allocate and free. Libraries in C that it calls have their own
//! allocator and are not seen here; `media/tests` has a test that sees them.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};

use super::args::MOST_THREADS;

/// The threads that are watched; 0: none.
static WATCHED: [AtomicI32; MOST_THREADS as usize] =
    [const { AtomicI32::new(0) }; MOST_THREADS as usize];
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static FREES: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// This thread's number, once it was asked for. Without a destructor, so that touching it never
    /// allocates.
    static THIS: Cell<i32> = const { Cell::new(0) };
}

/// Counts from here on what the threads of these numbers do; no more than there is room for.
pub fn watch(tids: &[i32]) {
    // Relaxed, as all here: nothing is read because of it.
    for (at, watched) in WATCHED.iter().enumerate() {
        watched.store(tids.get(at).copied().unwrap_or(0), Relaxed);
    }
}

/// Allocations and frees of the watched threads so far. Growing a block counts as one of each.
pub fn counts() -> (u64, u64) {
    (ALLOCATIONS.load(Relaxed), FREES.load(Relaxed))
}

fn count(allocations: u64, frees: u64) {
    if WATCHED[0].load(Relaxed) == 0 {
        return;
    }
    // A thread that is being torn down is not the one that is watched.
    let this = THIS.try_with(|this| {
        if this.get() == 0 {
            this.set(rustix::thread::gettid().as_raw_nonzero().get());
        }
        this.get()
    });
    if this.is_ok_and(|this| WATCHED.iter().any(|watched| watched.load(Relaxed) == this)) {
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
    fn only_watched_threads_are_counted() {
        let work = || drop(std::hint::black_box(Box::new(1)));
        watch(&[rustix::thread::gettid().as_raw_nonzero().get()]);
        let before = counts();
        std::thread::scope(|scope| scope.spawn(work).join().unwrap());
        let others = counts(); // of which starting a thread is our own
        work();
        let after = counts();
        watch(&[]);
        assert_eq!((after.0 - others.0, after.1 - others.1), (1, 1));
        assert!(others.0 - before.0 < 50);
    }
}
