//! Channels: how they are made, what is told of them, what their technologies say of them, and how they
//! end.

use std::collections::BTreeSet;
use std::sync::Arc;

use stasis_media::leg::LegSetting;

use super::{Exchange, Owner, Work, union};
use crate::apps::AppKey;
use crate::cause::Cause;
use crate::channel::{
    Activity, Channel, ChannelBase, ChannelKey, ChannelSnapshot, ChannelState, ChannelUpdate,
    Hangup, Operations, Position, Variables,
};
use crate::id::ChannelId;
use crate::media::MediaOrder;
use crate::message::{ChannelEvent, ChannelHappening, SoftHangup, VariableSet};
use crate::party::{Caller, Party};
use crate::refusal::Refusal;
use crate::tech::{Half, Instruction, Request, Signal, SnoopRequest};
use crate::topics::Topics;

/// Channels that are to be made.
#[derive(Default)]
pub(super) struct Making<'a> {
    /// As it is dialed: `Local/s@default`.
    pub(super) endpoint: &'a str,
    /// The ids that the client has chosen.
    pub(super) id: Option<&'a str>,
    pub(super) other_id: Option<&'a str>,
    pub(super) formats: &'a [String],
    pub(super) snoop: Option<SnoopRequest>,
    /// The channel that it has to do with.
    pub(super) originator: Option<ChannelKey>,
    /// Whether the call comes in.
    pub(super) is_incoming: bool,
}

/// Who asks for a hangup, which is told of in different ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// A command.
    Command,
    /// The other end.
    Remote,
    /// The dialplan has no more steps, or one that says so.
    Dialplan,
    /// Nobody: it is over, and nothing is told of a request.
    Nobody,
}

/// An endpoint's technology and resource.
pub(super) fn split_endpoint(endpoint: &str) -> Result<(&str, &str), Refusal> {
    let (technology, resource) = endpoint.split_once('/').unwrap_or((endpoint, ""));
    let is_known = !technology.is_empty() && (!resource.is_empty() || technology == "Echo");
    is_known.then_some((technology, resource)).ok_or_else(|| Refusal::Endpoint(endpoint.into()))
}

impl Exchange {
    /// Makes the channels of a call, one or two.
    pub(super) fn make_channels(
        &mut self,
        making: &Making<'_>,
    ) -> Result<Vec<ChannelKey>, Refusal> {
        let (technology, resource) = split_endpoint(making.endpoint)?;
        let formats = making.formats;
        let request = Request { technology, resource, formats, snoop: making.snoop };
        let number = self.technology(technology)?;
        let ids = [making.id, making.other_id];
        let ids = ids.map(|id| id.map(ChannelId::new).transpose());
        let [id, other_id] = ids;
        let (id, other_id) = (id?, other_id?);
        let halves = self.with_technology(number, |technology, _| technology.request(&request));
        let halves = halves.expect("technologies do not ask each other")?;
        let ids = self.choose_ids(halves.len(), id, other_id)?;
        let linked = making.originator.and_then(|key| self.channels.get(key));
        let linked =
            linked.map_or_else(|| ids[0].clone(), |channel| channel.base.linked_id.clone());
        let unique = self.ids.suffix();
        let make = |(half, id): (Half, ChannelId)| {
            let half = match making.is_incoming {
                true => Half { state: ChannelState::Ring, ..half },
                false => half,
            };
            self.make_channel(number, half, id, &linked, (resource, &unique))
        };
        let keys: Vec<ChannelKey> = halves.into_iter().zip(ids).map(make).collect();
        self.with_technology(number, |technology, context| {
            technology.begin(&keys, &request, context);
        });
        Ok(keys)
    }

    /// The technology of this name.
    pub(super) fn technology(&self, name: &str) -> Result<usize, Refusal> {
        self.technology_names.get(name).copied().ok_or_else(|| {
            let mut known: Vec<_> = self.technology_names.keys().copied().collect();
            known.sort_unstable();
            Refusal::NoTechnology(name.into(), known.join(", "))
        })
    }

    /// Ids for one channel or two: those that were chosen, or new ones.
    fn choose_ids(
        &mut self,
        count: usize,
        id: Option<ChannelId>,
        other_id: Option<ChannelId>,
    ) -> Result<Vec<ChannelId>, Refusal> {
        let seconds = self.time().seconds();
        let other = match (&id, other_id) {
            (_, Some(other)) => Some(other),
            (Some(id), None) if count > 1 => Some(ChannelId::made(&format!("{id};2"))),
            (_, None) => None,
        };
        let chosen: Vec<_> = [id, other].into_iter().take(count).collect();
        let is_taken = |id: &ChannelId| self.channel_ids.contains_key(id);
        let is_twice = matches!(&chosen[..], [Some(one), Some(other)] if one == other);
        if is_twice || chosen.iter().flatten().any(is_taken) {
            return Err(Refusal::Exists("Channel"));
        }
        let mut made = || loop {
            let id = self.ids.channel(seconds);
            if !self.channel_ids.contains_key(&id) {
                return id;
            }
        };
        Ok(chosen.into_iter().map(|id| id.unwrap_or_else(&mut made)).collect())
    }

    fn make_channel(
        &mut self,
        technology: usize,
        half: Half,
        id: ChannelId,
        linked: &ChannelId,
        (resource, unique): (&str, &str),
    ) -> ChannelKey {
        let base = Arc::new(ChannelBase {
            id: id.clone(),
            name: format!("{}-{unique}{}", half.name, half.suffix),
            protocol_id: String::new(),
            accountcode: String::new(),
            language: self.settings.language.clone(),
            tenant_id: String::new(),
            linked_id: linked.clone(),
            created: self.time(),
        });
        let position = Position::new(half.context.as_deref().unwrap_or("default"), &half.exten, 1);
        let variables = Variables::telling(&self.settings.channel_variables);
        let (caller, connected) = (Arc::<Caller>::default(), Arc::<Party>::default());
        let (position, hangup) = (Arc::new(position), Arc::<Hangup>::default());
        let snapshot = Arc::new(ChannelSnapshot {
            base: base.clone(),
            state: half.state,
            caller: caller.clone(),
            connected: connected.clone(),
            dialplan: position.clone(),
            bridge: None,
            hangup: hangup.clone(),
            variables: variables.told(),
        });
        let key = self.channels.insert(Channel {
            id: id.clone(),
            technology,
            resource: resource.into(),
            base,
            state: half.state,
            caller,
            connected,
            position,
            hangup,
            snapshot: snapshot.clone(),
            topic: self.topics.channel(&id),
            variables,
            line: None,
            activity: Activity::New,
            stay: None,
            bridge: None,
            call: None,
            dialing: None,
            is_outgoing: false,
            operations: Operations::default(),
            listeners: BTreeSet::new(),
            came_from: None,
            snoops: Vec::new(),
            overhears: None,
            endpoint: half.endpoint.map(Into::into),
            held: false,
            muted: false,
            muted_in_bridge: false,
            music: None,
            announces: false,
            absorbs_dtmf: false,
            offered: false,
            claimed: false,
            is_ending: false,
        });
        self.channel_ids.insert(id, key);
        self.note_endpoint(key, true);
        let at = self.time();
        self.tell_channel(key, &ChannelUpdate { old: None, new: snapshot, is_gone: false, at });
        key
    }

    /// The applications that have asked for what happens to a channel.
    pub(super) fn listeners(&self, key: ChannelKey) -> BTreeSet<AppKey> {
        let Some(channel) = self.channels.get(key) else { return BTreeSet::new() };
        let endpoint = channel.endpoint.as_deref();
        let of_endpoint = endpoint.into_iter().flat_map(|name| self.apps.of_endpoint(name));
        union(&channel.listeners, of_endpoint.chain(self.apps.all_channels.iter().copied()))
    }

    /// Publishes a message on a channel's topic, and for the applications that have asked for it.
    pub(super) fn tell_channel<M: std::any::Any + Send + Sync + Clone>(
        &self,
        key: ChannelKey,
        message: &M,
    ) {
        if let Some(channel) = self.channels.get(key) {
            self.tell(&channel.topic, &self.listeners(key), message);
        }
    }

    /// Publishes what a channel is now, if that is something else than before.
    pub(super) fn publish(&mut self, key: ChannelKey) {
        let at = self.time();
        let Some(channel) = self.channels.get_mut(key) else { return };
        let bridge = channel.bridge.and_then(|bridge| self.bridges.get(bridge));
        let new = channel.snapshot_now(bridge.map(|bridge| bridge.id.clone()));
        if *channel.snapshot == new {
            return;
        }
        let new = Arc::new(new);
        let old = std::mem::replace(&mut channel.snapshot, new.clone());
        let has_state_changed = old.state != new.state;
        self.tell_channel(key, &ChannelUpdate { old: Some(old), new, is_gone: false, at });
        if has_state_changed {
            self.note_device(key);
        }
    }

    /// Changes a channel, and publishes it.
    pub(super) fn change(&mut self, key: ChannelKey, change: impl FnOnce(&mut Channel)) {
        if let Some(channel) = self.channels.get_mut(key) {
            change(channel);
            self.publish(key);
        }
    }

    /// Publishes that something has happened to a channel.
    pub(super) fn tell_event(&self, key: ChannelKey, event: ChannelHappening) {
        if let Some(channel) = self.channels.get(key) {
            let at = self.time();
            self.tell_channel(key, &ChannelEvent { channel: channel.snapshot.clone(), event, at });
        }
    }

    /// Sets a variable of a channel, and tells of it.
    pub(super) fn set_channel_variable(&mut self, key: ChannelKey, name: &str, value: &str) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let told = channel.variables.told();
        channel.variables.set(name, value);
        if !Arc::ptr_eq(&told, &channel.variables.told()) {
            self.publish(key);
        }
        let channel = Some(self.channels[key].snapshot.clone());
        let (variable, value, at) = (name.to_owned(), value.to_owned(), self.time());
        self.tell_channel(key, &VariableSet { channel, variable, value, at });
    }

    /// The step of the dialplan, or the application, that a channel is at from here on.
    pub(super) fn set_application(&mut self, key: ChannelKey, name: &str, data: &str) {
        self.change(key, |channel| {
            let position = Arc::make_mut(&mut channel.position);
            (position.app_name, position.app_data) = (name.into(), data.into());
        });
    }

    /// What a technology says of a channel.
    pub(super) fn take_signal(&mut self, key: ChannelKey, signal: Signal) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        if channel.is_ending && !matches!(signal, Signal::Line(_)) {
            return;
        }
        match signal {
            Signal::Line(line) => {
                channel.line = Some(line);
                self.lines.insert(line, Owner::Channel(key));
                self.order(MediaOrder::Set(line, LegSetting::DetectTalk(None)));
            }
            // The technology's own, which nobody has set: nobody is told.
            Signal::Variable(name, value) => channel.variables.set(name, &value),
            Signal::Inherit(from) => self.inherit(from, key),
            Signal::Parties(caller, connected) => self.change(key, |channel| {
                (channel.caller, channel.connected) = (Arc::new(caller), Arc::new(connected));
            }),
            Signal::Caller(party) => self.change(key, |channel| {
                Arc::make_mut(&mut channel.caller).id = party;
            }),
            Signal::Ringing => self.rings(key),
            Signal::Progress => self.progresses(key),
            Signal::Answered => self.is_answered(key),
            Signal::Busy => self.is_refused(key, Cause::BUSY),
            Signal::Congestion => self.is_refused(key, Cause::CONGESTION),
            Signal::HungUp { cause, tech_cause } => {
                channel.set_cause(
                    if cause == Cause::UNKNOWN { channel.hangup.cause } else { cause },
                    tech_cause,
                );
                self.hang_up_with(key, cause, By::Remote, tech_cause);
            }
            Signal::Hold(held) => {
                if channel.bridge.is_some() {
                    let event = match held {
                        true => ChannelHappening::Hold { music_class: None },
                        false => ChannelHappening::Unhold,
                    };
                    self.tell_event(key, event);
                }
            }
            Signal::Start => self.start_dialplan(key),
        }
    }

    /// A channel has the variables of another, as they are written there, the latest first.
    fn inherit(&mut self, from: ChannelKey, key: ChannelKey) {
        let Some(channel) = self.channels.get(from) else { return };
        for (name, value) in channel.variables.all() {
            self.set_channel_variable(key, &name, &value);
        }
        let Some(channel) = self.channels.get(from) else { return };
        let (accountcode, language) =
            (channel.base.accountcode.clone(), channel.base.language.clone());
        self.change(key, |channel| {
            if (&channel.base.accountcode, &channel.base.language) != (&accountcode, &language) {
                let base = Arc::make_mut(&mut channel.base);
                (base.accountcode, base.language) = (accountcode, language);
            }
        });
    }

    /// Answers a channel whose call has come in; one that is up stays as it is.
    pub(super) fn answer_channel(&mut self, key: ChannelKey) {
        if self.channels.get(key).is_some_and(|channel| channel.state != ChannelState::Up) {
            self.change(key, |channel| channel.state = ChannelState::Up);
            self.instruct(key, Instruction::Answer);
        }
    }

    /// Hangs a channel up, for a reason that is known from here on.
    pub(super) fn hang_up(&mut self, key: ChannelKey, cause: Cause, by: By) {
        if let Some(channel) = self.channels.get_mut(key).filter(|channel| !channel.is_ending) {
            channel.set_cause(cause, None);
            self.hang_up_with(key, cause, by, None);
        }
    }

    fn hang_up_with(&mut self, key: ChannelKey, cause: Cause, by: By, tech_cause: Option<u32>) {
        let Some(channel) = self.channels.get_mut(key).filter(|c| !c.is_ending) else { return };
        channel.is_ending = true;
        let soft = match by {
            By::Command => Some(SoftHangup::Explicit),
            By::Dialplan => Some(SoftHangup::DialplanEnded),
            By::Remote | By::Nobody => None,
        };
        if by != By::Nobody {
            let (cause, soft) = soft.map_or((cause.0, false), |soft| (soft as u16, true));
            self.tell_event(key, ChannelHappening::HangupRequest { cause, soft, tech_cause });
        }
        if by == By::Dialplan {
            self.run_hangup_steps(key);
            self.leave_dialplan(key);
        }
        self.work.push_back(Work::End(key));
    }

    /// A channel is at its end: it leaves whatever it is in, and is gone.
    pub(super) fn end(&mut self, key: ChannelKey) {
        if !self.channels.contains_key(key) {
            return;
        }
        self.stop_operations(key);
        self.end_calls_of(key);
        self.part(key, false);
        self.end_stay(key, false);
        if self.channels[key].is_in_dialplan() {
            self.end_step(key);
            self.run_hangup_steps(key);
            let (cause, soft) = (SoftHangup::DialplanEnded as u16, true);
            self.tell_event(key, ChannelHappening::HangupRequest { cause, soft, tech_cause: None });
            self.leave_dialplan(key);
        }
        let cause = self.channels[key].hangup.cause;
        self.instruct(key, Instruction::Hangup(cause));
        for snoop in std::mem::take(&mut self.channels[key].snoops) {
            self.hang_up(snoop, Cause::NORMAL, By::Nobody);
        }
        self.forget_channel(key);
    }

    /// A channel is gone, and this is the last that is told of it.
    fn forget_channel(&mut self, key: ChannelKey) {
        self.publish(key);
        let at = self.time();
        let new = self.channels[key].snapshot.clone();
        let gone = ChannelUpdate { old: Some(new.clone()), new, is_gone: true, at };
        let topic = self.channels[key].topic.clone();
        self.tell_channel(key, &gone);
        Topics::clear::<ChannelUpdate>(&topic, self.channels[key].id.clone());
        self.note_endpoint(key, false);
        let Some(channel) = self.channels.remove(key) else { return };
        self.channel_ids.remove(&channel.id);
        if let Some(other) = channel.overhears.and_then(|other| self.channels.get_mut(other)) {
            other.snoops.retain(|snoop| *snoop != key);
        }
        self.note_device_of(&channel);
        for app in channel.listeners {
            if let Some(app) = self.apps.get_mut(app) {
                app.channels.forget(&channel.id);
            }
            self.publish_app(app);
        }
    }

    /// The snapshot of a channel that is there.
    pub(super) fn snapshot_of(&self, key: ChannelKey) -> Option<Arc<ChannelSnapshot>> {
        self.channels.get(key).map(|channel| channel.snapshot.clone())
    }
}
