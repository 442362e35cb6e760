//! The shells around the exchange: what carries its orders out, and the thread that runs it.
//!
//! [`Driver`] turns orders into those of the media engine, its recorder and its prompts, and turns what they
//! tell into events. [`Control`] is a thread with an exchange and a driver; others have it do things by
//! [`ControlHandle`].

mod control;
mod driver;
mod files;

pub use control::{Control, ControlEnded, ControlHandle, StartError};
pub use driver::{Driver, DriverSettings};
