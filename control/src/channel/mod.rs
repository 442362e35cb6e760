//! Channels: one party's part in a call, as its owner knows it.
//!
//! Everybody else sees [snapshots](ChannelSnapshot). The [`Exchange`](crate::Exchange) alone has the channel
//! itself, and changes it in one place at a time; what has changed is published as one snapshot.

mod operation;
mod snapshot;
mod state;
mod variables;

use std::collections::BTreeSet;
use std::sync::Arc;

use stasis_bus::Pooled;

pub use snapshot::{ChannelBase, ChannelSnapshot, ChannelUpdate, Hangup, Position};
pub use state::ChannelState;

pub(crate) use operation::{Operation, Operations, Sending};
pub(crate) use snapshot::device_of;
pub(crate) use variables::Variables;

use crate::apps::AppKey;
use crate::bridge::BridgeKey;
use crate::cause::Cause;
use crate::dialing::CallKey;
use crate::execute::Run;
use crate::id::ChannelId;
use crate::media::Line;
use crate::party::{Caller, Party};

slotmap::new_key_type! {
    /// Names a channel within its exchange, also in the technology behind it.
    pub struct ChannelKey;
}

/// What a channel is doing, beside its line.
#[derive(Debug, Default)]
pub(crate) enum Activity {
    /// It was made, and nobody has said yet what is to become of it.
    #[default]
    New,
    /// It is called, or was, and there is nobody who executes anything for it.
    Outgoing,
    /// The dialplan has it.
    Dialplan(Box<Run>),
    /// It is in an application, and was never in the dialplan.
    Application,
    /// It was called by another, which it is in a bridge with.
    Called,
    /// It has nothing left to do.
    Over,
}

/// A channel's stay in an application.
#[derive(Debug)]
pub(crate) struct Stay {
    pub(crate) app: AppKey,
}

/// A channel, as its owner knows it.
pub(crate) struct Channel {
    pub(crate) id: ChannelId,
    pub(crate) technology: usize,
    /// What was dialed there.
    pub(crate) resource: String,
    pub(crate) base: Arc<ChannelBase>,
    pub(crate) state: ChannelState,
    pub(crate) caller: Arc<Caller>,
    pub(crate) connected: Arc<Party>,
    pub(crate) position: Arc<Position>,
    pub(crate) hangup: Arc<Hangup>,
    /// What was published last.
    pub(crate) snapshot: Arc<ChannelSnapshot>,
    pub(crate) topic: Arc<Pooled>,
    pub(crate) variables: Variables,
    /// Its audio.
    pub(crate) line: Option<Line>,
    pub(crate) activity: Activity,
    pub(crate) stay: Option<Stay>,
    pub(crate) bridge: Option<BridgeKey>,
    /// The call by which it is dialed.
    pub(crate) call: Option<CallKey>,
    /// The call by which it dials others.
    pub(crate) dialing: Option<CallKey>,
    /// Whether it was made to be called by command.
    pub(crate) is_outgoing: bool,
    /// What is played to it, recorded of it, sent to it, one after the other.
    pub(crate) operations: Operations,
    /// Applications that have asked for what happens to it.
    pub(crate) listeners: BTreeSet<AppKey>,
    /// Where it was before it came to its application.
    pub(crate) came_from: Option<Arc<Position>>,
    /// Who overhears it.
    pub(crate) snoops: Vec<ChannelKey>,
    /// Whom it overhears.
    pub(crate) overhears: Option<ChannelKey>,
    pub(crate) endpoint: Option<Arc<str>>,
    pub(crate) held: bool,
    /// Whether nobody is to hear its party: by command, and for as long as it is in its bridge.
    pub(crate) muted: bool,
    pub(crate) muted_in_bridge: bool,
    /// The music that it hears outside of bridges.
    pub(crate) music: Option<String>,
    /// Whether all hear it where the others wait.
    pub(crate) announces: bool,
    /// Whether its keys are kept from the others of its bridge.
    pub(crate) absorbs_dtmf: bool,
    /// A call that is offered to applications.
    pub(crate) offered: bool,
    pub(crate) claimed: bool,
    /// It is being hung up.
    pub(crate) is_ending: bool,
}

impl Channel {
    /// What it is now.
    pub(crate) fn snapshot_now(&self, bridge: Option<crate::id::BridgeId>) -> ChannelSnapshot {
        ChannelSnapshot {
            base: self.base.clone(),
            state: self.state,
            caller: self.caller.clone(),
            connected: self.connected.clone(),
            dialplan: self.position.clone(),
            bridge,
            hangup: self.hangup.clone(),
            variables: self.variables.told(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.base.name
    }

    /// Whether the dialplan has it.
    pub(crate) fn is_in_dialplan(&self) -> bool {
        matches!(self.activity, Activity::Dialplan(_))
    }

    /// The cause is known from here on.
    pub(crate) fn set_cause(&mut self, cause: Cause, tech_cause: Option<u32>) {
        if self.hangup.cause != cause || self.hangup.tech_cause != tech_cause {
            let hangup = Arc::make_mut(&mut self.hangup);
            (hangup.cause, hangup.tech_cause) = (cause, tech_cause);
        }
    }
}
