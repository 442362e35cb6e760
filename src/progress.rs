//! Progress: what a cache's writer says of its state to those who come to follow it.
//!
//! **The writer** stores a change, says its number, and publishes it. Now and then it sweeps away
//! entries that were cleared long ago.
//!
//! **A follower** subscribes to the changes, reads the number of the last one stored, then the state.
//! A change up to that number is in what it reads. One that is published to nobody, since the
//! follower was not there yet, is in it as well: each of the two writes one thing (the change, the
//! subscription) and then reads the other's, with a sequentially consistent fence in between. Should
//! entries be swept away meanwhile, it reads anew: it could take one for never changed whose
//! clearing it is still to be told.

use crate::sync::{AcqRel, Acquire, AtomicU64, Relaxed, Release, SeqCst};
use crate::sync::{broken, fence, order, thread};

/// The progress of one writer.
pub struct Progress {
    /// The number of the last change that was stored.
    stored: AtomicU64,
    /// Odd while entries are being swept away.
    sweeps: AtomicU64,
}

impl Progress {
    /// Of a writer that has not begun.
    pub fn new() -> Self {
        Progress { stored: AtomicU64::new(0), sweeps: AtomicU64::new(0) }
    }

    /// The change of this number is stored, and is published after this.
    pub fn has_stored(&self, version: u64) {
        // Pairs with the Acquire in `read`: the change is there.
        self.stored.store(version, order("progress.stored.release", Release));
        fence(SeqCst); // pairs with the fence in `read`: who subscribes too late for it finds it
    }

    /// Has `sweep` sweep entries away.
    pub fn sweep(&self, sweep: impl FnOnce()) {
        // Acquire: what it sweeps away stays until this is odd. Pairs with the loads in `read`.
        self.sweeps.fetch_add(1, AcqRel);
        sweep();
        self.sweeps.fetch_add(1, Release); // pairs with the first load in `read`
    }

    /// The number of the last change that was stored, and then the state by `read`, which holds it and
    /// everything before; for who has subscribed to what comes after.
    pub fn read<R>(&self, mut read: impl FnMut() -> R) -> (u64, R) {
        fence(SeqCst); // pairs with the fence in `has_stored`
        loop {
            let sweeps = self.sweeps.load(Acquire);
            // Before the state: what is stored later has a larger number.
            let mut stored = self.stored();
            let state = read();
            if broken("progress.stored.order") {
                stored = self.stored();
            }
            // The loads above come before the next one.
            fence(Acquire);
            let is_swept = !sweeps.is_multiple_of(2) || self.sweeps.load(Relaxed) != sweeps;
            if !is_swept || broken("progress.sweeps") {
                return (stored, state);
            }
            thread::yield_now();
        }
    }

    fn stored(&self) -> u64 {
        // Pairs with the Release in `has_stored`.
        self.stored.load(order("progress.stored.acquire", Acquire))
    }
}
