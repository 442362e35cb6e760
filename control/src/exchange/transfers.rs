//! Transfers: one who is in a call puts the other through, and is out of it; and pairs of channels that can
//! be left out.

use super::channels::By;
use super::{BridgeKey, Exchange};
use crate::cause::Cause;
use crate::channel::{Activity, ChannelKey, Position};
use crate::execute::Waiting;
use crate::message::{
    AttendedTransfer, BlindTransfer, BridgeHappening, ChannelHappening, TransferResult,
};
use crate::refusal::Refusal;

impl Exchange {
    /// A channel that is in a bridge with another puts that other through to an extension, and is hung up.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::NotInBridge`] when it is in none, or [`Refusal::Transfer`] when
    /// there is not exactly one other. Where there is no such extension nothing happens, and that is told.
    pub fn blind_transfer(
        &mut self,
        channel: &str,
        context: &str,
        exten: &str,
    ) -> Result<TransferResult, Refusal> {
        let key = self.find_channel(channel)?;
        let bridge = self.channels[key].bridge.ok_or(Refusal::NotInBridge)?;
        let others = self.others(bridge, key);
        let &[other] = &others[..] else {
            return Err(Refusal::Transfer("there has to be one other in the bridge"));
        };
        let result = match self.has_step(context, exten) {
            true => TransferResult::Success,
            false => TransferResult::Invalid,
        };
        let event = BlindTransfer {
            channel: self.channels[key].snapshot.clone(),
            transferee: self.snapshot_of(other),
            context: context.into(),
            exten: exten.into(),
            result,
        };
        let event = BridgeHappening::BlindTransfer(Box::new(event));
        self.tell_bridge_event(bridge, event, &[key, other]);
        if result == TransferResult::Success {
            let name = self.channels[key].name().to_owned();
            self.set_channel_variable(other, "BLINDTRANSFER", &name);
            // The call that has put them together is over, whoever has made it.
            self.bridges[bridge].call = self.release(bridge, other);
            self.part(other, true);
            self.end_stay(other, true);
            self.stop_operations(other);
            self.go_to_step(other, &Position::new(context, exten, 1));
            self.hang_up(key, Cause::NORMAL, By::Nobody);
        }
        self.settle();
        Ok(result)
    }

    /// One party who is in two calls, by a channel each, puts the others together, and is out of both.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::NotInBridge`] when one of the two is in none, or
    /// [`Refusal::Transfer`] when both are in the same.
    pub fn attended_transfer(&mut self, first: &str, second: &str) -> Result<(), Refusal> {
        let (first, second) = (self.find_channel(first)?, self.find_channel(second)?);
        let bridge_of = |key: ChannelKey| self.channels[key].bridge.ok_or(Refusal::NotInBridge);
        let (from, into) = (bridge_of(first)?, bridge_of(second)?);
        if from == into {
            return Err(Refusal::Transfer("both are in the same bridge"));
        }
        let (transferees, targets) = (self.others(from, first), self.others(into, second));
        let one = |keys: &[ChannelKey]| match keys {
            &[key] => self.snapshot_of(key),
            _ => None,
        };
        let event = AttendedTransfer {
            first_leg: self.channels[first].snapshot.clone(),
            second_leg: self.channels[second].snapshot.clone(),
            second_bridge: Some(self.bridges[into].snapshot.clone()),
            transferee: one(&transferees),
            target: one(&targets),
            result: TransferResult::Success,
            destination: Some(self.bridges[into].snapshot.clone()),
        };
        let event = BridgeHappening::AttendedTransfer(Box::new(event));
        let others = transferees.iter().chain(&targets).copied();
        let all: Vec<_> = [first, second].into_iter().chain(others).collect();
        self.tell_bridge_event(from, event, &all);
        for other in transferees {
            self.bridges[from].call = self.release(from, other);
            self.part(other, true);
            self.join_for_application(other, into);
        }
        self.hang_up(first, Cause::NORMAL, By::Nobody);
        self.hang_up(second, Cause::NORMAL, By::Nobody);
        self.settle();
        Ok(())
    }

    /// Those in a bridge but this one.
    pub(super) fn others(&self, bridge: BridgeKey, key: ChannelKey) -> Vec<ChannelKey> {
        let members = self.bridges[bridge].members.iter();
        members.copied().filter(|other| *other != key).collect()
    }

    /// A channel that leaves the bridge of a call is no part of that call any more: whoever is left there
    /// is hung up as always, and it itself goes on elsewhere.
    fn release(&mut self, bridge: BridgeKey, key: ChannelKey) -> Option<crate::dialing::CallKey> {
        let call = self.bridges[bridge].call?;
        if let Some(call) = self.calls.get_mut(call)
            && call.caller == Some(key)
        {
            call.caller = None;
        }
        let channel = &mut self.channels[key];
        channel.call.take_if(|own| *own == call);
        channel.dialing.take_if(|own| *own == call);
        if matches!(channel.activity, Activity::Called) {
            channel.activity = Activity::New;
        }
        Some(call)
    }

    /// A channel has left a bridge. One that a transfer has put there has nobody who sees to it any more: no
    /// application, no call, no step of the dialplan. It is hung up.
    pub(super) fn look_after(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get(key) else { return };
        let is_busy = channel.is_ending || channel.bridge.is_some() || channel.stay.is_some();
        let dials = channel.dialing.is_some_and(|call| self.calls.contains_key(call));
        let is_alone = match &channel.activity {
            Activity::Dialplan(run) => matches!(run.waiting, Waiting::Call) && !dials,
            Activity::New | Activity::Called => true,
            Activity::Outgoing | Activity::Application | Activity::Over => false,
        };
        if is_alone && !is_busy {
            let by = if channel.is_in_dialplan() { By::Dialplan } else { By::Nobody };
            self.hang_up(key, Cause::NORMAL, by);
        }
    }

    /// Leaves a pair of channels out, if the others can hear each other directly: both halves are in bridges
    /// of two that were made by `Dial`. Those of applications stay as they are.
    pub(super) fn leave_out(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get(key) else { return };
        let technology = self.technologies.get(channel.technology).and_then(Option::as_ref);
        let Some(other) = technology.and_then(|technology| technology.other_half(key)) else {
            return;
        };
        let Some((one, near)) = self.only_peer(key) else { return };
        let Some((another, far)) = self.only_peer(other) else { return };
        if near == far {
            return;
        }
        let other_half = self.channels[other].snapshot.clone();
        self.tell_event(key, ChannelHappening::LocalOptimized { other: other_half });
        // The one who is called there comes to the one who has called here.
        let moved = if self.is_caller(near, one) { (another, far, near) } else { (one, near, far) };
        let (who, from, into) = moved;
        self.bridges[from].call = self.release(from, who);
        self.part(who, true);
        self.channels[who].activity = Activity::Called;
        let gone = if into == near { key } else { other };
        self.bridges[into].call = self.release(into, gone);
        self.part(gone, true);
        self.join(who, into);
        if let Some(call) = self.bridges[into].call
            && let Some(call) = self.calls.get_mut(call)
        {
            let at = call.answered.map_or(self.now, |(_, at)| at);
            call.answered = Some((who, at));
        }
        self.hang_up(key, Cause::NORMAL, By::Nobody);
        self.hang_up(other, Cause::NORMAL, By::Nobody);
    }

    /// The other one in a call's bridge of two that a channel is in.
    fn only_peer(&self, key: ChannelKey) -> Option<(ChannelKey, BridgeKey)> {
        let bridge = self.channels.get(key)?.bridge?;
        self.bridges[bridge].call?;
        match &self.others(bridge, key)[..] {
            &[other] => Some((other, bridge)),
            _ => None,
        }
    }

    /// Whether a channel has made the call of a bridge.
    fn is_caller(&self, bridge: BridgeKey, key: ChannelKey) -> bool {
        let call = self.bridges[bridge].call.and_then(|call| self.calls.get(call));
        call.is_some_and(|call| call.caller == Some(key))
    }
}
