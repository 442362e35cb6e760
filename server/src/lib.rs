//! What the call model is for those outside.
//!
//! [`ari`] is the Asterisk REST Interface: the same calls, in the words that its clients know. Here is what
//! events look like; the server that takes requests and sends them stands on top of it. [`consumers`] write
//! down, count and tell what happens: call records, metrics, StatsD, a log of calls.
#![forbid(unsafe_code)]

pub mod ari;
pub mod consumers;
