//! What is told of a bridge.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use stasis_bus::Snapshot;

use crate::id::{BridgeId, ChannelId};
use crate::time::Timestamp;

/// What kind of a bridge it is, for those who look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BridgeTechnology {
    /// Two parties at most.
    Simple,
    /// Any number of them.
    Softmix,
    /// They wait, and hear music or who announces something.
    Holding,
}

impl BridgeTechnology {
    /// As clients know it.
    pub fn name(self) -> &'static str {
        match self {
            BridgeTechnology::Simple => "simple_bridge",
            BridgeTechnology::Softmix => "softmix",
            BridgeTechnology::Holding => "holding_bridge",
        }
    }
}

impl fmt::Display for BridgeTechnology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for BridgeTechnology {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What a bridge is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct BridgeType {
    /// Whether those in it wait, rather than hear each other.
    pub holding: bool,
    /// Whether keys are told of there. They always are here; it is told back as it was asked for.
    pub dtmf_events: bool,
    /// Whether media is to pass through us. It always does here; told back, too.
    pub proxy_media: bool,
}

/// What a list of types has in it that is no type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no type of bridge: use mixing or holding, and dtmf_events, proxy_media")]
pub struct BridgeTypeError(pub String);

impl BridgeType {
    /// Reads a list of types, divided by commas; nothing is mixing.
    ///
    /// # Errors
    /// [`BridgeTypeError`] with what is no type. Video, which is not there, counts as mixing.
    pub fn parse(list: &str) -> Result<Self, BridgeTypeError> {
        let mut parsed = BridgeType::default();
        for word in list.split(',').map(str::trim).filter(|word| !word.is_empty()) {
            match word {
                "mixing" | "video_sfu" | "video_single" | "sdp_label" => {}
                "holding" => parsed.holding = true,
                "dtmf_events" => parsed.dtmf_events = true,
                "proxy_media" => parsed.proxy_media = true,
                other => return Err(BridgeTypeError(other.into())),
            }
        }
        Ok(parsed)
    }
}

/// A bridge as it was at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BridgeSnapshot {
    /// Its id.
    pub id: BridgeId,
    /// Its name; may be empty.
    pub name: String,
    /// Who has made it: `Stasis` for an application's.
    pub creator: &'static str,
    /// What it is there for: `stasis` for an application's, `basic` for two who were put through.
    pub class: &'static str,
    /// What it is for.
    #[serde(rename = "type")]
    pub kind: BridgeType,
    /// How it is done at the moment.
    pub technology: BridgeTechnology,
    /// Who is in it.
    pub channels: Arc<BTreeSet<ChannelId>>,
    /// Its variables that are told of with it.
    pub variables: Arc<BTreeMap<String, String>>,
    /// When it was made.
    pub created: Timestamp,
}

/// A bridge was made, has changed, or is gone. Published on the bridge's topic; kept by the cache of
/// `bridge:all`.
#[derive(Clone, Debug)]
pub struct BridgeUpdate {
    /// What it was; none: it is new.
    pub old: Option<Arc<BridgeSnapshot>>,
    /// What it is; of one that is gone: what it was at its end.
    pub new: Arc<BridgeSnapshot>,
    /// Whether it is gone.
    pub is_gone: bool,
    /// When.
    pub at: Timestamp,
}

impl PartialEq for BridgeUpdate {
    fn eq(&self, other: &Self) -> bool {
        self.is_gone == other.is_gone && self.new == other.new
    }
}

impl Snapshot for BridgeUpdate {
    type Key = BridgeId;

    fn key(&self) -> BridgeId {
        self.new.id.clone()
    }
}
