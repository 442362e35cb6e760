//! An allocator that counts: on this thread, and what is alive in the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

#[allow(dead_code)] // not every test looks
/// Bytes that are allocated in the whole process.
pub fn live_bytes() -> i64 {
    LIVE.load(Relaxed)
}

#[allow(dead_code)] // not every test counts calls
/// Allocations and frees of this thread while `work` runs.
pub fn calls_during(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}

fn count(bytes: i64) {
    LIVE.fetch_add(bytes, Relaxed);
    // Not there any more when the thread ends.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: everything is passed on to the system's allocator, whose contract is the same.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: the caller's promise is what the system's asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: as above, and it came from there.
        unsafe { System.dealloc(at, layout) }
    }
}
