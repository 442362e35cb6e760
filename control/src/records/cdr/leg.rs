//! What is known of one channel, and the records of it that are not finished.

use std::sync::Arc;

use super::CdrSettings;
use super::record::{CdrRecord, Disposition};
use crate::channel::{ChannelBase, ChannelSnapshot, ChannelState, Position};
use crate::id::{BridgeId, ChannelId};
use crate::records::AmaFlags;
use crate::time::Timestamp;

/// A channel that is there.
pub(super) struct Leg {
    pub(super) now: Arc<ChannelSnapshot>,
    /// The records that are not finished, in the order that they were begun.
    pub(super) drafts: Vec<Draft>,
    /// Whether a channel has called it: then it is in that one's record, and has none for itself.
    pub(super) is_called: bool,
    pub(super) bridge: Option<BridgeId>,
    is_answered: bool,
    is_enabled: bool,
    /// Where it was last in the dialplan, and the last application that has run there.
    last: Position,
    accountcode: Option<String>,
    userfield: String,
    amaflags: AmaFlags,
}

/// A record that is not finished.
pub(super) struct Draft {
    pub(super) phase: Phase,
    pub(super) peer: Option<Arc<ChannelBase>>,
    pub(super) start: Timestamp,
    pub(super) answer: Option<Timestamp>,
    pub(super) result: Option<Disposition>,
}

/// What the channel does in a record. When it does something else, the record is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// It is alone.
    Single,
    /// It calls, or is called without a caller.
    Dial,
    /// That was answered.
    DialedPending,
    /// It is in a bridge.
    Bridge,
}

impl Draft {
    pub(super) fn has_peer(&self, peer: &ChannelId) -> bool {
        self.peer.as_ref().is_some_and(|base| base.id == *peer)
    }

    pub(super) fn answered(&mut self, at: Timestamp) {
        self.answer.get_or_insert(at);
    }
}

impl Leg {
    /// One that is seen for the first time, with a record that begins when it was made.
    pub(super) fn new(now: &Arc<ChannelSnapshot>, is_enabled: bool, at: Timestamp) -> Self {
        let mut leg = Leg {
            now: Arc::clone(now),
            drafts: Vec::new(),
            is_called: false,
            bridge: None,
            is_answered: now.state == ChannelState::Up,
            is_enabled,
            last: Position::clone(&now.dialplan),
            accountcode: None,
            userfield: String::new(),
            amaflags: AmaFlags::default(),
        };
        leg.begin(Phase::Single, None, now.base.created.min(at));
        leg
    }

    /// Begins a record. A channel that is answered is so from the record's beginning.
    pub(super) fn begin(
        &mut self,
        phase: Phase,
        peer: Option<&Arc<ChannelBase>>,
        start: Timestamp,
    ) {
        let answer = self.is_answered.then_some(start);
        let peer = peer.map(Arc::clone);
        self.drafts.push(Draft { phase, peer, start, answer, result: None });
    }

    /// It has changed.
    pub(super) fn update(&mut self, new: &Arc<ChannelSnapshot>, at: Timestamp) {
        let old = std::mem::replace(&mut self.now, Arc::clone(new));
        if new.state == ChannelState::Up && !self.is_answered {
            self.answered(at);
        }
        if !Arc::ptr_eq(&old.dialplan, &new.dialplan) {
            self.step(&old.dialplan, &new.dialplan, at);
        }
    }

    /// It is elsewhere in the dialplan. What runs there is told unless it is nothing, or says only that the
    /// channel was called, which is no step after others.
    fn step(&mut self, old: &Position, new: &Position, at: Timestamp) {
        if !new.exten.is_empty() {
            self.last.exten.clone_from(&new.exten);
            self.last.context.clone_from(&new.context);
        }
        let is_first = self.last.app_name.is_empty() || is_outgoing(&self.last);
        if new.app_name.is_empty() || (is_outgoing(new) && !is_first) {
            return;
        }
        self.last.app_name.clone_from(&new.app_name);
        self.last.app_data.clone_from(&new.app_data);
        let is_new = !new.is_same_step(old) || new.app_name != old.app_name;
        if is_new && self.drafts.is_empty() && !is_outgoing(new) {
            self.begin(Phase::Single, None, at);
        }
    }

    /// It was answered: from now on, as far as its records go. Those whom it calls still while one of them
    /// has answered have not.
    pub(super) fn answered(&mut self, at: Timestamp) {
        self.is_answered = true;
        let has_answer = self.drafts.iter().any(|draft| draft.phase == Phase::DialedPending);
        for draft in &mut self.drafts {
            if !(has_answer && draft.phase == Phase::Dial) {
                draft.answered(at);
            }
        }
    }

    /// It calls somebody.
    pub(super) fn dials(&mut self, peer: &Arc<ChannelBase>, at: Timestamp) {
        if self.drafts.iter().any(|draft| draft.has_peer(&peer.id)) {
            return;
        }
        match self.drafts.iter_mut().find(|draft| draft.peer.is_none()) {
            Some(draft) => {
                draft.phase = Phase::Dial;
                draft.peer = Some(Arc::clone(peer));
            }
            None => self.begin(Phase::Dial, Some(peer), at),
        }
    }

    /// Somebody calls it: it is in their record, unless it was more than that before.
    pub(super) fn is_called_by_channel(&mut self) {
        self.is_called = true;
        self.drafts.retain(|draft| draft.peer.is_some() || draft.answer.is_some());
    }

    /// Finishes the records that are like that.
    pub(super) fn finish(
        &mut self,
        which: impl Fn(&Draft) -> bool,
        end: Timestamp,
        settings: &CdrSettings,
        sequence: &mut u64,
        out: &mut Vec<CdrRecord>,
    ) {
        let mut at = 0;
        while let Some(draft) = self.drafts.get(at) {
            if which(draft) {
                let draft = self.drafts.remove(at);
                if self.is_enabled && settings.is_told(&draft) {
                    out.push(self.record(draft, end, settings, *sequence));
                    *sequence += 1;
                }
            } else {
                at += 1;
            }
        }
    }

    fn record(
        &self,
        draft: Draft,
        end: Timestamp,
        settings: &CdrSettings,
        sequence: u64,
    ) -> CdrRecord {
        let (now, caller) = (&self.now, &self.now.caller.id);
        let base = &now.base;
        CdrRecord {
            accountcode: self.accountcode.clone().unwrap_or_else(|| base.accountcode.clone()),
            src: caller.number.clone(),
            dst: self.last.exten.clone(),
            dcontext: self.last.context.clone(),
            clid: caller.to_string(),
            channel: base.name.clone(),
            dstchannel: draft.peer.as_ref().map(|peer| peer.name.clone()).unwrap_or_default(),
            lastapp: self.last.app_name.clone(),
            lastdata: self.last.app_data.clone(),
            start: draft.start,
            answer: draft.answer,
            end,
            duration: end.since(draft.start).as_secs(),
            billsec: draft.answer.map_or(0, |answer| settings.seconds(end.since(answer))),
            disposition: self.disposition(&draft, settings),
            amaflags: self.amaflags,
            uniqueid: base.id.to_string(),
            linkedid: base.linked_id.to_string(),
            peeraccount: draft.peer.map(|peer| peer.accountcode.clone()).unwrap_or_default(),
            sequence,
            userfield: self.userfield.clone(),
        }
    }

    fn disposition(&self, draft: &Draft, settings: &CdrSettings) -> Disposition {
        if draft.answer.is_some() {
            return Disposition::Answered;
        }
        match draft.result.unwrap_or_else(|| Disposition::of_cause(self.now.hangup.cause)) {
            Disposition::Congestion if !settings.congestion => Disposition::Failed,
            other => other,
        }
    }

    /// A variable was set with which the dialplan writes into its records.
    pub(super) fn set(&mut self, variable: &str, value: &str) {
        match variable {
            "CDR(userfield)" => self.userfield = value.into(),
            "CDR(accountcode)" => self.accountcode = Some(value.into()),
            "CDR(amaflags)" => self.amaflags = AmaFlags::of(value).unwrap_or(self.amaflags),
            "CDR_PROP(disable)" => self.is_enabled = !is_true(value),
            _ => {}
        }
    }
}

/// Whether what runs is no step of a dialplan, but says that the channel was called.
fn is_outgoing(step: &Position) -> bool {
    matches!(step.app_name.as_str(), "AppDial" | "AppDial2")
}

fn is_true(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "1" | "yes" | "true" | "y" | "t" | "on")
}
