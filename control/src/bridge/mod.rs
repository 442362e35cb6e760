//! Bridges: where channels hear each other, as their owner knows them.

mod snapshot;

use std::collections::BTreeSet;
use std::sync::Arc;

use stasis_bus::Pooled;

pub use snapshot::{BridgeSnapshot, BridgeTechnology, BridgeType, BridgeTypeError, BridgeUpdate};

use crate::apps::AppKey;
use crate::channel::{ChannelKey, Operations, Variables};
use crate::dialing::CallKey;
use crate::id::{BridgeId, ChannelId};
use crate::media::Mix;
use crate::time::Timestamp;

slotmap::new_key_type! {
    /// Names a bridge within its exchange.
    pub(crate) struct BridgeKey;
}

/// A bridge, as its owner knows it.
pub(crate) struct Bridge {
    pub(crate) id: BridgeId,
    pub(crate) name: String,
    pub(crate) creator: &'static str,
    pub(crate) class: &'static str,
    pub(crate) kind: BridgeType,
    pub(crate) technology: BridgeTechnology,
    pub(crate) mix: Mix,
    /// Who is in it, in the order in which they came.
    pub(crate) members: Vec<ChannelKey>,
    /// Those whose connected line is not to follow whom they are with.
    pub(crate) inhibited: BTreeSet<ChannelKey>,
    /// All are leaving.
    pub(crate) is_closing: bool,
    pub(crate) ids: Arc<BTreeSet<ChannelId>>,
    pub(crate) snapshot: Arc<BridgeSnapshot>,
    pub(crate) topic: Arc<Pooled>,
    pub(crate) variables: Variables,
    /// Applications that have asked for what happens to it, and how often by being in it.
    pub(crate) listeners: BTreeSet<AppKey>,
    pub(crate) operations: Operations,
    /// The call that has made it, and ends with it.
    pub(crate) call: Option<CallKey>,
    pub(crate) created: Timestamp,
}

impl Bridge {
    /// What it is now.
    pub(crate) fn snapshot_now(&self) -> BridgeSnapshot {
        BridgeSnapshot {
            id: self.id.clone(),
            name: self.name.clone(),
            creator: self.creator,
            class: self.class,
            kind: self.kind,
            technology: self.technology,
            channels: self.ids.clone(),
            variables: self.variables.told(),
            created: self.created,
        }
    }

    /// How it is to be done with those who are in it now.
    pub(crate) fn suitable(&self) -> BridgeTechnology {
        match self.members.len() {
            _ if self.kind.holding => BridgeTechnology::Holding,
            0..=2 => BridgeTechnology::Simple,
            _ => BridgeTechnology::Softmix,
        }
    }
}
