//! Calls: somebody is dialed, until there is an answer or it is certain that there will be none.

use stasis_bus::Stamp;

use crate::channel::{ChannelKey, Position};
use crate::message::DialStatus;

slotmap::new_key_type! {
    /// Names a call within its exchange.
    pub(crate) struct CallKey;
}

/// Somebody is dialed.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) purpose: Purpose,
    /// Who calls, if that is a channel.
    pub(crate) caller: Option<ChannelKey>,
    /// Who is called, and how that stands.
    pub(crate) peers: Vec<Peer>,
    pub(crate) begun: Stamp,
    /// Who has answered, and when.
    pub(crate) answered: Option<(ChannelKey, Stamp)>,
}

/// One who is called.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) channel: ChannelKey,
    pub(crate) status: DialStatus,
    /// What was dialed.
    pub(crate) dialstring: String,
}

/// Why somebody is dialed.
#[derive(Debug)]
pub(crate) enum Purpose {
    /// A channel was made to be called, and when it answers this becomes of it.
    Originate(Then),
    /// An application dials a channel that it has made.
    Command,
    /// The dialplan of the caller dials.
    Dialplan {
        /// Whether the dialplan goes on when the called one has hung up.
        goes_on: bool,
    },
}

/// What becomes of a channel that was called and has answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes to an application, with these arguments.
    Application(String, Vec<String>),
    /// It goes to the dialplan.
    Dialplan(Position),
}

impl Call {
    /// How it stands altogether, when nobody is left who could answer: the best reason there is.
    pub(crate) fn outcome(&self) -> DialStatus {
        let rank = |status: DialStatus| match status {
            DialStatus::Answer => 5,
            DialStatus::Busy => 4,
            DialStatus::NoAnswer | DialStatus::Cancel => 3,
            DialStatus::Congestion => 2,
            _ => 1,
        };
        let best = self.peers.iter().map(|peer| peer.status).max_by_key(|status| rank(*status));
        best.filter(|status| status.is_final()).unwrap_or(DialStatus::NoAnswer)
    }

    pub(crate) fn peer(&mut self, channel: ChannelKey) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.channel == channel)
    }

    /// Those who may still answer.
    pub(crate) fn pending(&self) -> impl Iterator<Item = ChannelKey> + '_ {
        let pending = self.peers.iter().filter(|peer| !peer.status.is_final());
        pending.map(|peer| peer.channel)
    }
}
