//! Asymmetric fences: a pair of which one side is free, because the other pays for both.
//!
//! Two threads that each write one thing and then read the other's need a sequentially consistent
//! fence on both sides, or neither may see the other. A real-time publisher would pay for its fence
//! at each publish; the control side, which is there rarely, can pay instead: `membarrier(2)` has
//! every running thread of the process pass a fence, wherever it is just then. The publisher only
//! keeps the compiler from changing the order.
//!
//! Where there is no `membarrier` (another system, an old kernel, a sandbox that forbids it), both
//! sides pass an ordinary fence. Which it is, is decided once, before the first publisher is there.

use crate::sync::{SeqCst, fence};

/// The two sides' agreement on how to pair.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asymmetric {
    has_membarrier: bool,
}

impl Asymmetric {
    /// Asks the system.
    pub(crate) fn new() -> Self {
        Asymmetric { has_membarrier: system::register() }
    }

    /// The side that is there often. Pairs with [`heavy`](Self::heavy).
    #[inline]
    pub(crate) fn light(self) {
        if self.has_membarrier {
            system::compiler_fence();
        } else {
            fence(SeqCst);
        }
    }

    /// The side that is there rarely. `false`: the system has changed its mind and refuses, and
    /// nothing is ordered.
    #[must_use]
    pub(crate) fn heavy(self) -> bool {
        if self.has_membarrier {
            return system::barrier();
        }
        fence(SeqCst);
        true
    }
}

#[cfg(all(target_os = "linux", not(any(loom, shuttle))))]
mod system {
    use rustix::thread::{MembarrierCommand, membarrier};

    pub(super) fn register() -> bool {
        membarrier(MembarrierCommand::RegisterPrivateExpedited).is_ok()
    }

    pub(super) fn barrier() -> bool {
        membarrier(MembarrierCommand::PrivateExpedited).is_ok()
    }

    #[inline]
    pub(super) fn compiler_fence() {
        crate::sync::compiler_fence(crate::sync::SeqCst);
    }
}

#[cfg(any(not(target_os = "linux"), loom, shuttle))]
mod system {
    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn barrier() -> bool {
        unreachable!("asked only after it was registered")
    }

    pub(super) fn compiler_fence() {
        unreachable!("asked only after it was registered")
    }
}
