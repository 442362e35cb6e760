//! The Asterisk REST Interface (ARI): what its clients can ask for, and what they are told.
//!
//! `operations` has what can be asked for: one table, from which requests are [routed](router) and
//! documentation is written ([`openapi`], [`swagger`]). [`model`] has the objects (a channel, a bridge, …),
//! [`event`] what is told of them; both borrow from the snapshots of the call model and are written as JSON
//! without a copy between. [`feed`] is the thread that writes each event once, for all who listen, and [`outbox`]
//! what waits for one of them.
//!
//! Nothing here knows of sockets or HTTP: a request is a method, a path and values, and its answer a value,
//! whichever way they come.

mod declared;
pub mod event;
pub mod feed;
pub mod model;
pub mod openapi;
pub mod operation;
mod operations;
pub mod outbox;
pub mod parameters;
pub mod reply;
pub mod rest;
pub mod router;
pub mod schema;
pub mod swagger;

use std::sync::Arc;

use stasis_bus::Clock;
use stasis_control::State;
use stasis_control::time::{Epoch, Timestamp};
use stasis_media::io::Prompts;

pub use operations::recordings::Recordings;

use crate::log::LogChannels;

/// What operations look at. Those that change something leave that to the exchange.
pub struct Ari {
    /// What there is.
    pub state: State,
    /// Recordings that are kept.
    pub recordings: Recordings,
    /// Sounds that can be played.
    pub prompts: Prompts,
    /// Where it is logged to.
    pub log: LogChannels,
    /// What the server is.
    pub about: About,
    /// What time it is.
    pub clock: Clock,
    /// What time it was when the clock began.
    pub epoch: Epoch,
}

/// What the server is, as clients are told.
#[derive(Clone, Debug)]
pub struct About {
    /// Its id: six bytes in hexadecimal, with colons.
    pub id: Arc<str>,
    /// Its name, as ids of channels begin with it; may be empty.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The operating system's kernel.
    pub kernel: String,
    /// The language of channels that have no other.
    pub language: String,
    /// How many files it may have open.
    pub max_open_files: Option<u64>,
    /// When it was started.
    pub started: Timestamp,
}

impl Ari {
    /// What time it is.
    pub fn now(&self) -> Timestamp {
        self.epoch.time(self.clock.now())
    }
}
