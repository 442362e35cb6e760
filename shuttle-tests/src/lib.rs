//! The whole bus by shuttle's scheduler, run by `cargo shuttle`.
//!
//! A scenario is a small program that uses a bus from a few threads: publishers, subscribers under
//! every policy, and somebody who changes the topology meanwhile. What each does, and who goes on
//! at each step, is drawn at random. The bus is the one that ships; `src/sync.rs` swaps what it is
//! made of. So a run is sequentially consistent (loom's models are for weak memory), nothing wakes by
//! luck, and one that hangs is found: shuttle says so when nobody can go on.
//!
//! Each scenario runs `STASIS_SHUTTLE_ITERATIONS` times, one half by a scheduler that switches at
//! random, the other by one that lets threads run long and switches rarely (PCT). A failure names a seed;
//! `STASIS_SHUTTLE_SEED=… cargo shuttle NAME` plays it again, step by step.
//!
//! Scenarios that cannot fail prove nothing: `tests/broken_twins.rs` leaves out one check of the bus
//! at a time (`STASIS_BREAK=gate.look`), in a child process, and a scenario must notice.

#[cfg(shuttle)]
#[path = "../../tests/common/books.rs"]
mod books;
#[cfg(shuttle)]
pub mod play;
#[cfg(shuttle)]
mod reader;
#[cfg(shuttle)]
pub mod scenarios;
#[cfg(shuttle)]
mod watch;
