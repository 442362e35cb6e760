//! Counts, for each thread, the calls to the C library's allocator: by Rust, and by C libraries that
//! are linked in. The functions here take the place of glibc's, and hand on to them.

use std::cell::Cell;
use std::ffi::c_void;

thread_local! {
    /// Without a destructor, so that touching it never allocates.
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is being torn down has nothing to prove any more.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

unsafe extern "C" {
    fn __libc_malloc(size: usize) -> *mut c_void;
    fn __libc_calloc(count: usize, size: usize) -> *mut c_void;
    fn __libc_realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn __libc_free(block: *mut c_void);
}

// SAFETY (of the name): it is glibc's malloc, which may be replaced as long as all of its kind are.
#[unsafe(no_mangle)]
unsafe extern "C" fn malloc(size: usize) -> *mut c_void {
    count();
    // SAFETY: the caller keeps the contract of `malloc`.
    unsafe { __libc_malloc(size) }
}

// SAFETY (of the name): as for `malloc`.
#[unsafe(no_mangle)]
unsafe extern "C" fn calloc(many: usize, size: usize) -> *mut c_void {
    count();
    // SAFETY: the caller keeps the contract of `calloc`.
    unsafe { __libc_calloc(many, size) }
}

// SAFETY (of the name): as for `malloc`.
#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(block: *mut c_void, size: usize) -> *mut c_void {
    count();
    // SAFETY: the caller keeps the contract of `realloc`; `block` came from glibc.
    unsafe { __libc_realloc(block, size) }
}

// SAFETY (of the name): as for `malloc`.
#[unsafe(no_mangle)]
unsafe extern "C" fn free(block: *mut c_void) {
    count();
    // SAFETY: the caller keeps the contract of `free`; `block` came from glibc.
    unsafe { __libc_free(block) }
}

/// How often `work` calls the allocator on this thread, to allocate or to free.
pub fn calls_of(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    work();
    CALLS.get() - before
}
