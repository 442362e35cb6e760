//! The call model: channels, bridges, endpoints and applications on the bus.
#![forbid(unsafe_code)]

pub mod dialplan;
