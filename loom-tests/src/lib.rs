//! Loom models of the lock-free parts of `stasis-bus`, run by `cargo loom`.
//!
//! Loom runs a model once for every order in which its threads can interleave, and for every value
//! that a weak memory would let them read. So a model is tiny: two or three threads, a ring of two
//! slots, one question. The code under test is the code that ships; `src/sync.rs` swaps the atomics.
//!
//! A model that never fails proves nothing. Each has broken twins: the same code with one ordering
//! weakened by name or one fence left out (`STASIS_BREAK=slot.write.release`), run in a child
//! process, which loom must make fail (`tests/broken_twins.rs`).

#[cfg(loom)]
pub mod models;
