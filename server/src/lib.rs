//! What the call model is for those outside.
//!
//! [`ari`] is the Asterisk REST Interface: the same calls, in the words that its clients know. Here is what
//! events look like; the server that takes requests and sends them stands on top of it.
#![forbid(unsafe_code)]

pub mod ari;
