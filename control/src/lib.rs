//! The call model: channels, bridges, endpoints and applications on the bus.
#![forbid(unsafe_code)]

pub mod application;
mod apps;
pub mod bridge;
pub mod cause;
pub mod channel;
pub mod device;
mod dialing;
pub mod dialplan;
pub mod endpoint;
mod exchange;
mod execute;
pub mod id;
pub mod io;
pub mod media;
pub mod message;
pub mod party;
pub mod playback;
pub mod recording;
pub mod records;
mod refusal;
pub mod tech;
pub mod time;
mod timers;
mod topics;

pub use dialing::Then;
pub use exchange::{
    AddOptions, Census, Claim, Created, DigitsHow, Exchange, ExternalMedia, NewBridge, NewCall,
    NewSnoop, Originate, PlayHow, PlaybackOperation, Registration, Settings,
};
pub use refusal::Refusal;
pub use topics::State;
