//! Calls: what becomes of who is dialed.

use std::sync::Arc;
use std::time::Duration;

use super::channels::By;
use super::{Exchange, Work};
use crate::cause::Cause;
use crate::channel::{Activity, ChannelKey, ChannelState, Position};
use crate::dialing::{Call, CallKey, Peer, Purpose, Then};
use crate::message::{Dial, DialStatus};
use crate::party::Party;
use crate::tech::Instruction;
use crate::timers::Timer;

/// What the dialplan of a caller is to have done by `Dial`.
pub(super) struct DialPlan {
    pub(super) destinations: Vec<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) goes_on: bool,
}

impl Exchange {
    /// Begins a call to channels that were made for it.
    pub(super) fn begin_call(
        &mut self,
        purpose: Purpose,
        caller: Option<ChannelKey>,
        channels: &[ChannelKey],
        timeout: Option<Duration>,
    ) -> CallKey {
        let peer =
            |&channel| Peer { channel, status: DialStatus::Begun, dialstring: String::new() };
        let peers = channels.iter().map(peer).collect();
        let call = Call { purpose, caller, peers, begun: self.now, answered: None };
        let key = self.calls.insert(call);
        for &channel in channels {
            if let Some(channel) = self.channels.get_mut(channel) {
                channel.call = Some(key);
            }
        }
        if let Some(timeout) = timeout {
            self.timers.set(self.now + timeout, Timer::Call(key));
        }
        key
    }

    /// Has a channel call its other end.
    pub(super) fn call_out(&mut self, call: CallKey, key: ChannelKey, dialstring: &str) {
        let Some(channel) = self.channels.get(key) else { return };
        let (caller, connected) = (channel.caller.clone(), channel.connected.clone());
        self.instruct(key, Instruction::Call { caller: &caller, connected: &connected });
        if let Some(peer) = self.calls.get_mut(call).and_then(|call| call.peer(key)) {
            peer.dialstring = dialstring.into();
        }
        self.tell_dial(call, key, DialStatus::Begun);
    }

    /// Whether the other half of a channel, which the dialplan is to have, has somewhere to go.
    pub(super) fn leads_somewhere(&self, keys: &[ChannelKey]) -> bool {
        let &[_, second] = keys else { return true };
        let position = self.channels.get(second).map(|channel| channel.position.clone());
        position.is_some_and(|position| self.has_step(&position.context, &position.exten))
    }

    /// Channels that were made, and lead nowhere, are gone again.
    pub(super) fn undo(&mut self, keys: &[ChannelKey]) {
        for &key in keys.iter().rev() {
            if let Some(channel) = self.channels.get_mut(key) {
                channel.call = None;
            }
            self.hang_up(key, Cause::UNKNOWN, By::Nobody);
        }
    }

    /// Publishes how a call to somebody stands.
    fn tell_dial(&mut self, call: CallKey, peer: ChannelKey, status: DialStatus) {
        let Some(call) = self.calls.get_mut(call) else { return };
        let (caller, mut dialstring) = (call.caller, String::new());
        let is_originated = matches!(call.purpose, Purpose::Originate(_));
        if let Some(peer) = call.peer(peer) {
            peer.status = status;
            // Who has dialed knows what; only who has originated is told again.
            if status == DialStatus::Begun || is_originated {
                dialstring.clone_from(&peer.dialstring);
            }
        }
        let Some(snapshot) = self.snapshot_of(peer) else { return };
        let (caller_snapshot, at) = (caller.and_then(|key| self.snapshot_of(key)), self.time());
        let dial = Dial { caller: caller_snapshot, peer: snapshot, status, dialstring, at };
        // Of two channels: once for those who have asked for both.
        let about = caller.filter(|key| self.channels.contains_key(*key)).unwrap_or(peer);
        let mut listeners = self.listeners(about);
        listeners.extend(self.listeners(peer));
        if let Some(channel) = self.channels.get(about) {
            self.tell(&channel.topic, &listeners, &dial);
        }
    }

    /// The call to a channel, as long as it has no outcome: nothing changes that.
    fn pending_call(&mut self, key: ChannelKey) -> Option<CallKey> {
        let call = self.channels.get(key)?.call?;
        let peer = self.calls.get_mut(call)?.peer(key)?;
        (!peer.status.is_final()).then_some(call)
    }

    /// The other end of a channel that is called rings.
    pub(super) fn rings(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get(key) else { return };
        if channel.state != ChannelState::Up {
            self.change(key, |channel| channel.state = ChannelState::Ringing);
        }
        let Some(call) = self.pending_call(key) else { return };
        self.tell_dial(call, key, DialStatus::Ringing);
        self.tell_caller(call, &Instruction::Ring(true));
    }

    /// There is something to hear from a channel that is called.
    pub(super) fn progresses(&mut self, key: ChannelKey) {
        let Some(call) = self.pending_call(key) else { return };
        self.tell_dial(call, key, DialStatus::Progress);
        self.tell_caller(call, &Instruction::Progress);
    }

    /// Passes on to the caller of a dialplan's call what the called one does.
    fn tell_caller(&mut self, call: CallKey, what: &Instruction<'_>) {
        let call = self.calls.get(call);
        let by_dialplan = call.filter(|call| matches!(call.purpose, Purpose::Dialplan { .. }));
        if let Some(caller) = by_dialplan.and_then(|call| call.caller)
            && self.channels.get(caller).is_some_and(|c| c.state != ChannelState::Up)
        {
            self.instruct(caller, what.clone());
        }
    }

    /// The other end of a channel has answered.
    pub(super) fn is_answered(&mut self, key: ChannelKey) {
        self.change(key, |channel| channel.state = ChannelState::Up);
        let Some(call) = self.pending_call(key) else { return };
        let Some(purpose) = self.calls.get(call).map(|call| match &call.purpose {
            Purpose::Originate(then) => Some(Some(then.clone())),
            Purpose::Command => Some(None),
            Purpose::Dialplan { .. } => None,
        }) else {
            return;
        };
        match purpose {
            None => self.dialed_party_answers(call, key),
            Some(then) => {
                self.tell_dial(call, key, DialStatus::Answer);
                self.calls.remove(call);
                self.channels[key].call = None;
                if let Some(then) = then {
                    self.go_on(key, then);
                }
            }
        }
    }

    /// A channel that was called for this has answered.
    fn go_on(&mut self, key: ChannelKey, then: Then) {
        match then {
            Then::Application(app, args) => self.enter_directly(key, &app, args),
            Then::Dialplan(position) => {
                self.channels[key].position = Arc::new(Position {
                    app_name: String::new(),
                    app_data: String::new(),
                    ..position
                });
                self.start_dialplan(key);
            }
        }
    }

    /// The other end of a channel is busy, or there is no way to it.
    pub(super) fn is_refused(&mut self, key: ChannelKey, cause: Cause) {
        let Some(call) = self.pending_call(key) else { return };
        self.tell_dial(call, key, DialStatus::of_cause(cause));
        let is_command = matches!(self.calls[call].purpose, Purpose::Command);
        if is_command {
            // The application that has made it decides; its other end will hang up.
            self.calls.remove(call);
            self.channels[key].call = None;
        } else {
            self.hang_up(key, Cause::UNKNOWN, By::Nobody);
        }
    }

    /// Nobody has answered in time.
    pub(super) fn nobody_answers(&mut self, key: CallKey) {
        let Some(call) = self.calls.get(key).filter(|call| call.answered.is_none()) else { return };
        let (pending, by) = match call.purpose {
            Purpose::Originate(_) => (call.pending().collect::<Vec<_>>(), By::Nobody),
            Purpose::Command => (call.pending().collect(), By::Command),
            Purpose::Dialplan { .. } => return self.give_up(key, DialStatus::NoAnswer),
        };
        self.calls.remove(key);
        for channel in pending {
            self.channels[channel].call = None;
            self.hang_up(channel, Cause::NO_ANSWER, by);
        }
    }

    /// A channel is hung up: so are those that it calls, and a call to it has failed.
    pub(super) fn end_calls_of(&mut self, key: ChannelKey) {
        let dialing = self.channels.get_mut(key).and_then(|channel| channel.dialing.take());
        if let Some(call) = dialing
            && self.calls.get(call).is_some_and(|call| call.answered.is_none())
        {
            self.give_up(call, DialStatus::Cancel);
        }
        let Some(call) = self.channels.get_mut(key).and_then(|channel| channel.call.take()) else {
            return;
        };
        let Some(peer) = self.calls.get_mut(call).and_then(|call| call.peer(key)) else { return };
        if !peer.status.is_final() {
            let status = DialStatus::of_cause(self.channels[key].hangup.cause);
            self.tell_dial(call, key, status);
        }
        self.look_at_call(call);
    }

    /// Whether anybody is left who could answer; if not, the call is over.
    fn look_at_call(&mut self, key: CallKey) {
        let Some(call) = self.calls.get(key) else { return };
        if call.answered.is_some() || call.pending().next().is_some() {
            return;
        }
        let outcome = call.outcome();
        let call = self.calls.remove(key).expect("it is there");
        if let (Purpose::Dialplan { .. }, Some(caller)) = (call.purpose, call.caller) {
            self.dial_has_failed(caller, outcome);
        }
    }

    /// All who are called are hung up, for this reason.
    fn give_up(&mut self, key: CallKey, status: DialStatus) {
        let Some(call) = self.calls.get(key) else { return };
        let pending: Vec<_> = call.pending().collect();
        for &channel in &pending {
            self.tell_dial(key, channel, status);
            self.channels[channel].call = None;
            self.hang_up(channel, Cause::UNKNOWN, By::Nobody);
        }
        if let Some(call) = self.calls.remove(key)
            && let (Purpose::Dialplan { .. }, Some(caller), false) =
                (call.purpose, call.caller, status == DialStatus::Cancel)
        {
            self.dial_has_failed(caller, status);
        }
    }

    /// `Dial`: calls all of these at once, for the dialplan of a channel.
    pub(super) fn dial(&mut self, caller: ChannelKey, plan: DialPlan) {
        for name in [
            "DIALSTATUS",
            "DIALEDPEERNUMBER",
            "DIALEDPEERNAME",
            "ANSWEREDTIME",
            "ANSWEREDTIME_MS",
            "DIALEDTIME",
            "DIALEDTIME_MS",
        ] {
            self.set_channel_variable(caller, name, "");
        }
        let mut made = Vec::new();
        for destination in &plan.destinations {
            if let Some(peer) = self.make_dialed(caller, destination) {
                made.push((peer, destination.split_once('/').map_or("", |(_, rest)| rest)));
            }
        }
        if made.is_empty() {
            return self.dial_has_failed(caller, DialStatus::Unavailable);
        }
        let peers: Vec<_> = made.iter().map(|(peer, _)| *peer).collect();
        let purpose = Purpose::Dialplan { goes_on: plan.goes_on };
        let call = self.begin_call(purpose, Some(caller), &peers, plan.timeout);
        self.channels[caller].dialing = Some(call);
        for (peer, dialstring) in made {
            self.call_out(call, peer, dialstring);
        }
    }

    /// Makes a channel that is dialed by another.
    fn make_dialed(&mut self, caller: ChannelKey, destination: &str) -> Option<ChannelKey> {
        let making = super::channels::Making {
            endpoint: destination,
            originator: Some(caller),
            ..Default::default()
        };
        let keys = match self.make_channels(&making) {
            Ok(keys) => keys,
            Err(refusal) => {
                tracing::warn!(%destination, %refusal, "cannot be dialed");
                return None;
            }
        };
        let &peer = keys.first()?;
        if !self.leads_somewhere(&keys) {
            self.undo(&keys);
            return None;
        }
        let from = self.channels.get(caller)?;
        let (inherited, position) = (from.variables.inherited(), from.position.clone());
        let (who, ani) = (from.caller.id.clone(), from.caller.ani.clone());
        let resource = destination.split_once('/').map_or("", |(_, rest)| rest);
        self.set_channel_variable(peer, "DIALEDPEERNUMBER", resource);
        for (name, value) in inherited {
            self.set_channel_variable(peer, &name, &value);
        }
        self.change(peer, |channel| {
            channel.activity = Activity::Outgoing;
            // Who is called is known by the number that was called; who calls is at the other end.
            let called = Party { number: position.exten.clone(), name: who.name.clone() };
            let caller = Arc::make_mut(&mut channel.caller);
            (caller.id, caller.ani) = (called, ani);
            channel.connected = Arc::new(who);
            let own = Arc::make_mut(&mut channel.position);
            (own.context, own.exten) = (position.context.clone(), position.exten.clone());
            (own.app_name, own.app_data) = ("AppDial".into(), "(Outgoing Line)".into());
        });
        Some(peer)
    }

    /// One of those who are called has answered: the others are hung up, and it is put through.
    fn dialed_party_answers(&mut self, key: CallKey, peer: ChannelKey) {
        let now = self.now;
        let Some(call) = self.calls.get_mut(key) else { return };
        let Some(caller) = call.caller else { return };
        if call.answered.is_some() {
            return self.hang_up(peer, Cause::ANSWERED_ELSEWHERE, By::Nobody);
        }
        call.answered = Some((peer, now));
        let others: Vec<_> = call.pending().filter(|other| *other != peer).collect();
        let (name, resource) = {
            let channel = &self.channels[peer];
            let dialed = channel.variables.get("DIALEDPEERNUMBER").unwrap_or_default();
            (channel.name().to_owned(), dialed.to_owned())
        };
        self.set_channel_variable(caller, "DIALSTATUS", DialStatus::Answer.name());
        self.set_channel_variable(caller, "DIALEDPEERNAME", &name);
        self.set_channel_variable(caller, "DIALEDPEERNUMBER", &resource);
        self.tell_dial(key, peer, DialStatus::Answer);
        for other in others {
            self.tell_dial(key, other, DialStatus::Cancel);
            self.channels[other].call = None;
            self.hang_up(other, Cause::ANSWERED_ELSEWHERE, By::Nobody);
        }
        self.answer_channel(caller);
        self.change(peer, |channel| {
            channel.activity = Activity::Called;
            Arc::make_mut(&mut channel.position).exten.clear();
        });
        let bridge = self.make_basic_bridge(key);
        self.join(peer, bridge);
        self.join(caller, bridge);
        self.work.push_back(Work::LeaveOut(peer));
        self.work.push_back(Work::LeaveOut(caller));
    }

    /// A call's bridge has lost one of the two: the other has nobody to talk to.
    pub(super) fn dissolve(&mut self, bridge: super::BridgeKey) {
        let bridge_of_call = self.bridges.get(bridge).filter(|bridge| bridge.call.is_some());
        if bridge_of_call.is_some_and(|bridge| bridge.members.len() <= 1) {
            self.destroy(bridge);
        }
    }

    /// The bridge of a call is gone, and so is the call: these were in it until then.
    pub(super) fn call_is_over(&mut self, call: CallKey, left: &[ChannelKey]) {
        let number = call;
        let Some(call) = self.calls.remove(number) else { return };
        let (answered, goes_on) = match call.purpose {
            Purpose::Dialplan { goes_on } => (call.answered, goes_on),
            _ => return,
        };
        for &key in left {
            let Some(channel) = self.channels.get_mut(key) else { continue };
            if channel.stay.is_some() {
                // An application has put it there, and has it still.
                continue;
            }
            // One that has dialed may be dialed itself, by an application.
            channel.call.take_if(|own| *own == number);
            if Some(key) != call.caller {
                self.hang_up(key, Cause::NORMAL, By::Nobody);
            } else {
                let up = answered.map_or(Duration::ZERO, |(_, at)| self.now.since(at));
                self.dial_is_over(key, up, self.now.since(call.begun), goes_on);
            }
        }
    }
}
