//! What is told of an endpoint: somebody who can be called.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;

use crate::id::ChannelId;

/// Whether an endpoint can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EndpointState {
    /// It is not known.
    #[default]
    Unknown,
    /// It cannot.
    Offline,
    /// It can.
    Online,
}

/// An endpoint as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndpointSnapshot {
    /// The technology: `Test`.
    pub technology: Arc<str>,
    /// Its name there.
    pub resource: Arc<str>,
    /// Whether it can be reached.
    pub state: EndpointState,
    /// Its channels.
    #[serde(rename = "channel_ids")]
    pub channels: BTreeSet<ChannelId>,
}

impl EndpointSnapshot {
    /// As it is dialed: `Test/alice`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.technology, self.resource)
    }
}
