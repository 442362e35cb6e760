//! What several tests need.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sets its flag when it is dropped, also by a failure: threads of a scope that run until then
/// would otherwise have a failing test wait for ever.
pub struct Stopping<'a>(pub &'a AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
