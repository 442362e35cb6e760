//! The gate: how a consumer goes to sleep without missing a wake-up, and is woken only once.
//!
//! `busy` says that the consumer is at work or on its way. A producer that has put something in
//! knocks: only the one that finds the consumer asleep and turns `busy` on has to wake it; all the
//! others pay one load. A consumer that found its ring empty turns `busy` off and looks once more.
//!
//! The two cross (each writes one thing and reads the other's), so each side has a sequentially
//! consistent fence between its write and its read: at least one of them sees the other.

use crate::sync::{AcqRel, AtomicBool, Relaxed, SeqCst, broken, fence};

/// The gate of one consumer.
pub struct Gate {
    busy: AtomicBool,
}

impl Gate {
    /// A gate whose consumer is at work.
    pub fn busy() -> Self {
        Gate { busy: AtomicBool::new(true) }
    }

    /// A gate whose consumer sleeps: the first knock wakes it.
    pub fn asleep() -> Self {
        Gate { busy: AtomicBool::new(false) }
    }

    /// The producer's fence, between what it put in and its knocks; one serves many gates.
    #[inline]
    pub fn fence() {
        fence(SeqCst); // pairs with the fence in `try_sleep`
    }

    /// Whether the caller must wake the consumer. After [`Gate::fence`].
    #[inline]
    pub fn knock(&self) -> bool {
        // Relaxed load first: the line stays shared while the consumer is busy. The swap decides
        // who wakes; AcqRel, so that the consumer's last work comes before its next.
        !self.busy.load(Relaxed) && !self.busy.swap(true, AcqRel)
    }

    /// Goes to sleep, unless there is news. `true`: asleep, and the next knock wakes. `false`:
    /// still at work.
    pub fn try_sleep(&self, has_news: impl FnOnce() -> bool) -> bool {
        // AcqRel: what this consumer did comes before what the next one does (the pool may run it
        // on another thread).
        self.busy.swap(false, AcqRel);
        fence(SeqCst); // pairs with the producers' fence
        // With news, stay awake, unless a producer has taken the wake-up already.
        broken("gate.look") || !has_news() || self.busy.swap(true, AcqRel)
    }

    /// Wakes up by oneself (a time-out).
    pub fn wake_up(&self) {
        self.busy.swap(true, AcqRel);
    }
}
