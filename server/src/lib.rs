//! The server: what the call model is for those outside.
//!
//! [`ari`] is the Asterisk REST Interface: the same calls, in the words that its clients know. [`http`] has the
//! sockets that it is asked by, and [`users`] who may ask. [`consumers`] write down, count and tell what happens:
//! call records, metrics, StatsD, a log of calls. [`config`] is what `stasis.toml` says, and [`server`] starts all that
//! in its order; [`log`] has the files that it is logged to.
//! [`sounds`] has what can be played without any file.
#![forbid(unsafe_code)]

pub mod ari;
pub mod config;
pub mod consumers;
pub mod http;
pub mod log;
pub mod server;
pub mod sounds;
pub mod users;
