//! What is told of a channel: immutable, and made of segments that snapshots share as long as they stay
//! as they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use stasis_bus::Snapshot;

use super::state::ChannelState;
use crate::cause::Cause;
use crate::id::{BridgeId, ChannelId};
use crate::party::{Caller, Party};
use crate::time::Timestamp;

/// A channel as it was at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct ChannelSnapshot {
    /// What hardly ever changes.
    #[serde(flatten)]
    pub base: Arc<ChannelBase>,
    /// What its line is doing.
    pub state: ChannelState,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// Who is at the other end.
    pub connected: Arc<Party>,
    /// Where it is in the dialplan.
    pub dialplan: Arc<Position>,
    /// The bridge that it is in.
    pub bridge: Option<BridgeId>,
    /// Why it is hung up, as far as that is known.
    pub hangup: Arc<Hangup>,
    /// The variables that are told of with it.
    pub variables: Arc<BTreeMap<String, String>>,
}

/// What of a channel hardly ever changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ChannelBase {
    /// Its id.
    pub id: ChannelId,
    /// Its name: the technology, the resource, and what makes it unique: `Local/s@default-00000007;1`.
    pub name: String,
    /// What the technology calls it (SIP: the Call-ID); may be empty.
    pub protocol_id: String,
    /// Whose account it goes to.
    pub accountcode: String,
    /// The language of what it is played.
    pub language: String,
    /// Whose it is, where there are several tenants.
    pub tenant_id: String,
    /// The id of the first of all channels that it has to do with.
    pub linked_id: ChannelId,
    /// When it was made.
    pub created: Timestamp,
}

/// Where a channel is in the dialplan, and what it does there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The context.
    pub context: String,
    /// The extension.
    pub exten: String,
    /// The priority, counted from 1.
    pub priority: u32,
    /// The application that runs; empty: none.
    pub app_name: String,
    /// Its arguments.
    pub app_data: String,
}

impl Position {
    /// Before the first step of an extension.
    pub fn new(context: &str, exten: &str, priority: u32) -> Self {
        Position { context: context.into(), exten: exten.into(), priority, ..Position::default() }
    }

    /// Goes to another step; the application that is shown stays until that runs.
    pub(crate) fn go_to(&mut self, place: &Position) {
        self.context.clone_from(&place.context);
        self.exten.clone_from(&place.exten);
        self.priority = place.priority;
    }

    /// Whether the same step runs: an application that begins where none ran is a step.
    pub fn is_same_step(&self, other: &Position) -> bool {
        self.app_name.is_empty() == other.app_name.is_empty()
            && (self.priority, &self.exten, &self.context)
                == (other.priority, &other.exten, &other.context)
    }
}

/// Why a channel is hung up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Hangup {
    /// The cause.
    pub cause: Cause,
    /// The technology's own code (SIP: the status), if there is one.
    pub tech_cause: Option<u32>,
    /// Who has hung up: the name of a channel, or of the part of the dialplan.
    pub source: String,
}

impl ChannelSnapshot {
    /// Its id.
    pub fn id(&self) -> &ChannelId {
        &self.base.id
    }

    /// The id of the first of all channels that it has to do with.
    pub fn linked_id(&self) -> &ChannelId {
        &self.base.linked_id
    }

    /// Its technology and resource: its name without what makes it unique.
    pub fn device(&self) -> &str {
        device_of(&self.base.name)
    }
}

/// A channel's name without what makes it unique.
pub(crate) fn device_of(name: &str) -> &str {
    name.rsplit_once('-').map_or(name, |(device, _)| device)
}

/// Two are equal when all that is told is; segments that are shared are not looked into.
impl PartialEq for ChannelSnapshot {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state
            && self.bridge == other.bridge
            && same(&self.base, &other.base)
            && same(&self.caller, &other.caller)
            && same(&self.connected, &other.connected)
            && same(&self.dialplan, &other.dialplan)
            && same(&self.hangup, &other.hangup)
            && same(&self.variables, &other.variables)
    }
}

fn same<T: PartialEq>(one: &Arc<T>, other: &Arc<T>) -> bool {
    Arc::ptr_eq(one, other) || one == other
}

/// A channel was made, has changed, or is gone. Published on the channel's topic; kept by the cache of
/// `channel:all`.
#[derive(Clone, Debug)]
pub struct ChannelUpdate {
    /// What it was; none: it is new.
    pub old: Option<Arc<ChannelSnapshot>>,
    /// What it is; of one that is gone: what it was at its end.
    pub new: Arc<ChannelSnapshot>,
    /// Whether it is gone.
    pub is_gone: bool,
    /// When.
    pub at: Timestamp,
}

impl PartialEq for ChannelUpdate {
    fn eq(&self, other: &Self) -> bool {
        self.is_gone == other.is_gone && same(&self.new, &other.new)
    }
}

impl Snapshot for ChannelUpdate {
    type Key = ChannelId;

    fn key(&self) -> ChannelId {
        self.new.id().clone()
    }
}
