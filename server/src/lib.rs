//! What the call model is for those outside.
//!
//! [`ari`] is the Asterisk REST Interface: the same calls, in the words that its clients know. Here is what
//! events look like; the server that takes requests and sends them stands on top of it.
//! [`sounds`] has what can be played without any file.
#![forbid(unsafe_code)]

pub mod ari;
pub mod sounds;
