//! A lease: an object that outlives its owner until everything lent has come back.
//!
//! It is a reference count split in two, so that the two sides do not fight for one cache line:
//! the lessor counts what it lends (`lent`, written by publishers), the borrowers count what they
//! return (`returned`, written by consumers). While the lessor lives nobody compares them. When it
//! goes, no more can be lent, so it settles: it subtracts all that was ever lent from `returned`,
//! which is then what is still out, negative; whoever brings it to zero frees the object. Before
//! the settlement `returned` only grows from zero, so nobody can mistake it.

use core::ops::Deref;
use core::ptr::NonNull;

use crossbeam_utils::CachePadded;

use crate::sync::{AcqRel, AtomicIsize, AtomicU64, Relaxed, order};

struct Inner<T> {
    lent: CachePadded<AtomicU64>,
    returned: CachePadded<AtomicIsize>,
    value: T,
}

/// The one owner. Share it behind an `Arc`; the last drop settles.
pub struct Lessor<T> {
    inner: NonNull<Inner<T>>,
}

// SAFETY: a lessor gives out `&T` and may drop `T` on the thread that it was sent to.
unsafe impl<T: Send + Sync> Send for Lessor<T> {}
// SAFETY: by reference it gives out `&T` and leases, and a lease may drop `T` elsewhere.
unsafe impl<T: Send + Sync> Sync for Lessor<T> {}

impl<T> Lessor<T> {
    /// Puts `value` up for lending.
    pub fn new(value: T) -> Self {
        let inner = Box::new(Inner {
            lent: CachePadded::new(AtomicU64::new(0)),
            returned: CachePadded::new(AtomicIsize::new(0)),
            value,
        });
        Lessor { inner: NonNull::from(Box::leak(inner)) }
    }

    /// Lends the object: one atomic addition on the lessor's own line.
    pub fn lend(&self) -> Lease<T> {
        // Relaxed: only the lessor's drop reads it, and dropping orders itself after every use.
        self.inner().lent.fetch_add(1, Relaxed);
        Lease { inner: self.inner }
    }

    /// As [`lend`](Self::lend), for a lessor that nobody else has: no atomic addition at all.
    pub fn lend_alone(&mut self) -> Lease<T> {
        let lent = &self.inner().lent;
        // Relaxed: as above, and the exclusive borrow makes us the only one who counts.
        lent.store(lent.load(Relaxed) + 1, Relaxed);
        Lease { inner: self.inner }
    }

    /// How often it was lent.
    pub fn lent(&self) -> u64 {
        self.inner().lent.load(Relaxed)
    }

    fn inner(&self) -> &Inner<T> {
        // SAFETY: it is freed only after the settlement in our drop.
        unsafe { self.inner.as_ref() }
    }
}

impl<T> Deref for Lessor<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T> Drop for Lessor<T> {
    fn drop(&mut self) {
        let lent = self.lent() as isize;
        // Release: our uses of the object come before its end; Acquire: so do the borrowers', if
        // they have all returned. Pairs with the addition in `Lease::drop`.
        let returned = self.inner().returned.fetch_sub(lent, order("lease.settle", AcqRel));
        if returned == lent {
            // SAFETY: everything lent is back and no more can be lent: we are the last.
            unsafe { free(self.inner) };
        }
    }
}

/// The object on loan; it is returned on drop, whoever holds it.
pub struct Lease<T> {
    inner: NonNull<Inner<T>>,
}

// SAFETY: a lease gives out `&T` and may drop `T` on the thread that it was sent to.
unsafe impl<T: Send + Sync> Send for Lease<T> {}
// SAFETY: by reference it gives out `&T` alone.
unsafe impl<T: Send + Sync> Sync for Lease<T> {}

impl<T> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the object lives until every lease, this one too, has been returned.
        &unsafe { self.inner.as_ref() }.value
    }
}

impl<T> Drop for Lease<T> {
    fn drop(&mut self) {
        let returned = {
            // SAFETY: ours is not yet returned, so the object lives.
            let inner = unsafe { self.inner.as_ref() };
            // Pairs with the settlement in `Lessor::drop` and with the other returns.
            inner.returned.fetch_add(1, order("lease.return", AcqRel))
        };
        // From here on the object may be gone, unless we are the one who frees it.
        if returned == -1 {
            // SAFETY: the settlement is done and this was the last return.
            unsafe { free(self.inner) };
        }
    }
}

/// # Safety
/// The caller is the last to know of `inner`.
unsafe fn free<T>(inner: NonNull<Inner<T>>) {
    // SAFETY: made by `Box::leak` in `Lessor::new`, and freed once.
    drop(unsafe { Box::from_raw(inner.as_ptr()) });
}
