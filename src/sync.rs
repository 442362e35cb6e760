//! The one file that names atomics, `Arc`, locks, threads, time, loom or shuttle: everything else
//! imports them from here.
//!
//! Under `--cfg loom` the same names are loom's, so that a model runs the very code that ships; under
//! `--cfg shuttle` they are shuttle's, so that the whole bus runs by its scheduler (`shuttle_arm`).
//! Orderings that matter are written as [`order`]`("site", …)`: in a build it is the ordering, in a
//! model it can be weakened by name, which gives every ordering a broken twin that loom must catch.
//! A check or an order of steps that matters asks [`broken`]`("site")` for the same purpose.

#[cfg(shuttle)]
mod shuttle_arm;

#[cfg(not(any(loom, shuttle)))]
pub(crate) use self::core_arm::*;
#[cfg(loom)]
pub(crate) use self::loom_arm::*;
#[cfg(not(loom))]
pub(crate) use self::plain_cell::UnsafeCell;
#[cfg(shuttle)]
pub(crate) use self::shuttle_arm::*;

#[cfg(not(any(loom, shuttle)))]
mod core_arm {
    pub(crate) use arc_swap::{ArcSwap, ArcSwapOption};
    pub(crate) use core::hint::spin_loop;
    pub(crate) use core::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
    pub(crate) use core::sync::atomic::{
        AtomicBool, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, Ordering, compiler_fence, fence,
    };
    pub(crate) use crossbeam_queue::SegQueue;
    pub(crate) use std::hash::RandomState;
    pub(crate) use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, Weak};
    pub(crate) use std::time::Instant;
    pub(crate) use std::{thread, thread_local};

    pub(crate) type SharedSlice<T> = Arc<[T]>;

    /// The ordering itself; `_site` names it for the models.
    #[inline(always)]
    pub(crate) const fn order(_site: &str, ordering: Ordering) -> Ordering {
        ordering
    }

    /// Whether this is the broken twin of `_site`: only ever in a model.
    #[inline(always)]
    pub(crate) const fn broken(_site: &str) -> bool {
        false
    }
}

#[cfg(not(loom))]
mod plain_cell {
    /// `core`'s cell with loom's interface: access is a closure, so that a model can watch it.
    #[derive(Debug)]
    #[repr(transparent)]
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            UnsafeCell(core::cell::UnsafeCell::new(value))
        }

        #[inline(always)]
        pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
            f(self.0.get())
        }

        #[inline(always)]
        pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
            f(self.0.get())
        }
    }
}

#[cfg(loom)]
mod loom_arm {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::Arc;
    pub(crate) use loom::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
    pub(crate) use loom::sync::atomic::{
        AtomicBool, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence as real_fence,
    };

    /// The standard library's also in a model: nothing is ordered by its count.
    pub(crate) type SharedSlice<T> = std::sync::Arc<[T]>;

    /// A retry under loom must let the others run, or the model never ends.
    pub(crate) fn spin_loop() {
        loom::thread::yield_now();
    }

    use super::broken;

    /// The ordering, or `Relaxed` when `STASIS_BREAK` names this site.
    pub(crate) fn order(site: &str, ordering: Ordering) -> Ordering {
        if broken(site) { Relaxed } else { ordering }
    }

    /// A fence, left out when `STASIS_BREAK` says `fence`.
    pub(crate) fn fence(ordering: Ordering) {
        if !broken("fence") {
            real_fence(ordering);
        }
    }
}

/// Whether the running process is the broken twin of `site`.
#[cfg(any(loom, shuttle))]
pub(crate) fn broken(site: &str) -> bool {
    static BREAK: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    BREAK.get_or_init(|| std::env::var("STASIS_BREAK").ok()).as_deref() == Some(site)
}
