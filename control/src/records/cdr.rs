//! Call detail records: how long whom spoke with whom, and what came of it.
//!
//! Each channel has a record from its beginning on. A record is finished, and yielded, when the channel
//! does something else: when the one that it has called does not answer, when it leaves a bridge, or when
//! it is gone; and another begins when it comes into a bridge again, or runs another step of the dialplan.
//! A channel that another has called is in that one's record, and has none for itself unless it goes on
//! alone. In a bridge of several there is one for each pair.

mod bridges;
mod leg;
mod record;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use self::leg::{Draft, Leg, Phase};
pub use self::record::{CdrRecord, Disposition};
use super::{Input, end_of};
use crate::channel::{ChannelSnapshot, ChannelUpdate};
use crate::id::{BridgeId, ChannelId};
use crate::message::{BridgeEvent, BridgeHappening, Dial, DialStatus};
use crate::time::Timestamp;

/// What is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CdrSettings {
    /// Also channels that have called nobody, met nobody, and were never answered.
    pub unanswered: bool,
    /// That there was no way is told as such; else as a failure.
    pub congestion: bool,
    /// A second that has begun counts as one in `billsec`.
    pub initiated_seconds: bool,
    /// Channels have records unless they say otherwise (`CDR_PROP(disable)`).
    pub channel_default_enabled: bool,
}

impl Default for CdrSettings {
    fn default() -> Self {
        CdrSettings {
            unanswered: false,
            congestion: false,
            initiated_seconds: false,
            channel_default_enabled: true,
        }
    }
}

impl CdrSettings {
    fn is_told(&self, draft: &Draft) -> bool {
        self.unanswered || draft.answer.is_some() || draft.peer.is_some()
    }

    fn seconds(&self, time: Duration) -> u64 {
        time.as_secs() + u64::from(self.initiated_seconds && time.subsec_micros() > 0)
    }
}

/// Makes the records.
pub struct Cdrs {
    settings: CdrSettings,
    legs: HashMap<ChannelId, Leg>,
    bridges: HashMap<BridgeId, Vec<ChannelId>>,
    sequence: u64,
}

type Out<'a> = &'a mut Vec<CdrRecord>;

impl Cdrs {
    /// Nothing has happened yet.
    pub fn new(settings: CdrSettings) -> Self {
        Cdrs { settings, legs: HashMap::new(), bridges: HashMap::new(), sequence: 0 }
    }

    /// Takes a message, in the order that they were published. Returns the records that are finished by
    /// it, the first begun first; most often none, which allocates nothing.
    pub fn take(&mut self, input: Input<'_>) -> Vec<CdrRecord> {
        let mut out = Vec::new();
        match input {
            Input::Channel(update) if update.is_gone => self.gone(update, &mut out),
            Input::Channel(update) => self.update(update),
            Input::Dial(dial) => self.dial(dial, &mut out),
            Input::BridgeEvent(event) => self.bridge_event(event, &mut out),
            Input::Bridge(update) if update.is_gone => {
                self.destroy(&update.new.id, update.at, &mut out);
            }
            Input::Variable(set) => {
                let channel = set.channel.as_ref().and_then(|on| self.legs.get_mut(on.id()));
                if let Some(leg) = channel {
                    leg.set(&set.variable, &set.value);
                }
            }
            _ => {}
        }
        out
    }

    /// Finishes the records of channels that are not there any more, and whose end was lost on the bus.
    /// Call it when all that was published before `is_there` was looked up has been taken: an end that comes
    /// after this is that of a channel of which nothing is known, which has its own record.
    pub fn forget_lost(
        &mut self,
        is_there: impl Fn(&ChannelId) -> bool,
        at: Timestamp,
    ) -> Vec<CdrRecord> {
        let lost = self.legs.values().filter(|leg| !is_there(leg.now.id()));
        let lost: Vec<_> = lost.map(|leg| end_of(&leg.now, at)).collect();
        lost.iter().flat_map(|gone| self.take(Input::Channel(gone))).collect()
    }

    /// How many channels and bridges are kept in mind: none when all are gone.
    pub fn kept(&self) -> usize {
        self.legs.len() + self.bridges.len()
    }

    fn update(&mut self, update: &ChannelUpdate) {
        match self.legs.get_mut(update.new.id()) {
            Some(leg) => leg.update(&update.new, update.at),
            None => self.begin(update),
        }
    }

    fn begin(&mut self, update: &ChannelUpdate) {
        let leg = Leg::new(&update.new, self.settings.channel_default_enabled, update.at);
        self.legs.insert(update.new.id().clone(), leg);
    }

    fn gone(&mut self, update: &ChannelUpdate, out: Out<'_>) {
        let who = update.new.id();
        if !self.legs.contains_key(who) {
            self.begin(update); // all that was told of it before was lost
        }
        let Some(leg) = self.legs.get_mut(who) else { return };
        leg.now = Arc::clone(&update.new);
        let bridge = leg.bridge.clone();
        leg.finish(|_| true, update.at, &self.settings, &mut self.sequence, out);
        self.legs.remove(who);
        if let Some(bridge) = bridge {
            self.leave(&bridge, who, update.at, out);
        }
    }

    fn dial(&mut self, dial: &Dial, out: Out<'_>) {
        let caller = dial.caller.as_ref().filter(|caller| self.can_tell_of_call(caller));
        match (caller, dial.status) {
            (Some(caller), DialStatus::Begun) => self.dialed(caller, dial),
            (Some(caller), status) if status.is_final() => self.answer(caller, dial, out),
            (None, status) => {
                let Some(leg) = self.legs.get_mut(dial.peer.id()) else { return };
                leg.is_dialed(status, dial.at);
            }
            _ => {}
        }
    }

    /// Whether a caller is there, and its records do not tell of a bridge anyway.
    fn can_tell_of_call(&self, caller: &ChannelSnapshot) -> bool {
        self.legs.get(caller.id()).is_some_and(|leg| leg.bridge.is_none())
    }

    fn dialed(&mut self, caller: &ChannelSnapshot, dial: &Dial) {
        if caller.id() == dial.peer.id() {
            return;
        }
        if let Some(leg) = self.legs.get_mut(caller.id()) {
            leg.dials(&dial.peer.base, dial.at);
        }
        if let Some(peer) = self.legs.get_mut(dial.peer.id()) {
            peer.is_called_by_channel();
        }
    }

    /// A call has ended, or was answered.
    fn answer(&mut self, caller: &ChannelSnapshot, dial: &Dial, out: Out<'_>) {
        let Some(leg) = self.legs.get_mut(caller.id()) else { return };
        let peer = dial.peer.id();
        let is_dialing = |draft: &Draft| draft.phase == Phase::Dial && draft.has_peer(peer);
        let Some(draft) = leg.drafts.iter_mut().find(|draft| is_dialing(draft)) else { return };
        match Disposition::of_dial(dial.status) {
            None => {
                draft.phase = Phase::DialedPending;
                draft.answered(dial.at);
            }
            Some(result) => {
                draft.result = Some(result);
                leg.finish(is_dialing, dial.at, &self.settings, &mut self.sequence, out);
            }
        }
    }

    fn bridge_event(&mut self, event: &BridgeEvent, out: Out<'_>) {
        let (bridge, at) = (&event.bridge, event.at);
        match &event.event {
            BridgeHappening::Entered { channel } => self.enter(bridge, channel.id(), at, out),
            BridgeHappening::Left { channel } => self.leave(&bridge.id, channel.id(), at, out),
            BridgeHappening::Merged { from } => {
                for who in self.bridges.get(&from.id).cloned().unwrap_or_default() {
                    self.enter(bridge, &who, at, out);
                }
            }
            _ => {}
        }
    }
}

impl Leg {
    /// It is dialed, and no channel does it.
    fn is_dialed(&mut self, status: DialStatus, at: Timestamp) {
        for draft in self.drafts.iter_mut().filter(|draft| draft.peer.is_none()) {
            match (status, draft.phase) {
                (DialStatus::Begun, Phase::Single) => draft.phase = Phase::Dial,
                (DialStatus::Answer, Phase::Dial) => draft.phase = Phase::DialedPending,
                _ => draft.result = Disposition::of_dial(status).or(draft.result),
            }
        }
        if status == DialStatus::Answer {
            self.answered(at);
        }
    }
}
