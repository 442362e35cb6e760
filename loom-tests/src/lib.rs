//! Loom models of the lock-free parts of `stasis-bus`.
