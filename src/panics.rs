//! Panics of the user's code that were caught: in callbacks, conflation keys, and wherever a message
//! ends whose payload's `Drop` panics.
//!
//! Code of the user's runs in the middle of ours: while a lock is held, between two subscribers of
//! one publish, on a thread that others rely on. Where an unwinding would leave something undone,
//! it runs in here.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sync::{Arc, AtomicU64, Relaxed};

/// The panics of one bus; clones count together.
#[derive(Clone, Default)]
pub(crate) struct Panics {
    caught: Arc<AtomicU64>,
}

impl Panics {
    /// How many were caught.
    pub(crate) fn caught(&self) -> u64 {
        self.caught.load(Relaxed)
    }

    /// Runs `code`; `None`, and counted, if it panics.
    pub(crate) fn catch<R>(&self, code: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(code)) {
            Ok(result) => Some(result),
            Err(payload) => {
                self.caught.fetch_add(1, Relaxed);
                // What it panicked with is the user's, too.
                if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
                    std::mem::forget(again);
                }
                None
            }
        }
    }

    /// Drops `it`.
    pub(crate) fn bury<T>(&self, it: T) {
        self.catch(|| drop(it));
    }

    /// Drops each of `all`: also the others when one panics.
    pub(crate) fn bury_all<T>(&self, all: impl IntoIterator<Item = T>) {
        all.into_iter().for_each(|it| self.bury(it));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Bad;

    impl Drop for Bad {
        fn drop(&mut self) {
            std::panic::panic_any(Worse);
        }
    }

    /// What `Bad` panics with panics, too.
    struct Worse;

    impl Drop for Worse {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }

    #[test]
    fn everything_is_dropped_whatever_panics() {
        let (panics, good) = (Panics::default(), Arc::new(()));
        let all: [(Option<Bad>, Arc<()>); 3] =
            [(Some(Bad), good.clone()), (None, good.clone()), (Some(Bad), good.clone())];
        panics.bury_all(all);
        assert_eq!((panics.caught(), Arc::strong_count(&good)), (2, 1));
    }
}
