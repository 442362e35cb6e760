//! Bridges: made, destroyed, merged; who comes in, and who leaves.

use std::collections::BTreeSet;
use std::sync::Arc;

use stasis_media::dtmf::{Absorb, Digit};
use stasis_media::leg::{LegSetting, Role};

use super::{BridgeKey, Exchange, Work, union};
use crate::apps::AppKey;
use crate::bridge::{Bridge, BridgeSnapshot, BridgeType, BridgeUpdate};
use crate::channel::{ChannelKey, ChannelState, Operations, Variables};
use crate::dialing::CallKey;
use crate::id::BridgeId;
use crate::media::{Ear, MediaOrder};
use crate::message::{BridgeEvent, BridgeHappening};
use crate::refusal::Refusal;
use crate::tech::Instruction;
use crate::topics::Topics;

/// The variable that names those whom a channel is in a bridge with.
const PEER: &str = "BRIDGEPEER";

/// Beyond so many nobody is named: each who comes would have to be named to all.
const MOST_PEERS: usize = 16;

/// A bridge that is to be made.
#[derive(Clone, Debug, Default)]
pub struct NewBridge {
    /// Its id, where the client has chosen it.
    pub id: Option<String>,
    /// Its name.
    pub name: String,
    /// What it is for.
    pub kind: BridgeType,
    /// Variables, in the order in which they are to be set.
    pub variables: Vec<(String, String)>,
}

/// How channels come into a bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddOptions {
    /// What they are there: `announcer` speaks in a holding bridge; any other word is a participant.
    pub role: Option<String>,
    /// Whether their keys are kept from the others.
    pub absorb_dtmf: bool,
    /// Whether the others do not hear them.
    pub mute: bool,
    /// Whether they are not to be told whom they are with.
    pub inhibit_connected_line_updates: bool,
}

impl Exchange {
    /// Makes a bridge for an application.
    ///
    /// # Errors
    /// [`Refusal::Exists`] or [`Refusal::Id`].
    pub fn create_bridge(&mut self, new: NewBridge) -> Result<Arc<BridgeSnapshot>, Refusal> {
        let id = new.id.as_deref().map(BridgeId::new).transpose()?;
        if id.as_ref().is_some_and(|id| self.bridge_ids.contains_key(id)) {
            return Err(Refusal::Exists("Bridge"));
        }
        let key = self.make_bridge(id, new.name, ("Stasis", "stasis"), new.kind, None);
        for (name, value) in new.variables {
            self.set_bridge_value(key, &name, &value, false);
        }
        Ok(self.bridges[key].snapshot.clone())
    }

    /// A bridge for two who were put through.
    pub(super) fn make_basic_bridge(&mut self, call: CallKey) -> BridgeKey {
        let kind = BridgeType::default();
        self.make_bridge(None, String::new(), ("", "basic"), kind, Some(call))
    }

    fn make_bridge(
        &mut self,
        id: Option<BridgeId>,
        name: String,
        (creator, class): (&'static str, &'static str),
        kind: BridgeType,
        call: Option<CallKey>,
    ) -> BridgeKey {
        let id = id.unwrap_or_else(|| BridgeId::made(&self.ids.uuid()));
        let mix = self.next_mix();
        let created = self.time();
        let technology = match kind.holding {
            true => crate::bridge::BridgeTechnology::Holding,
            false => crate::bridge::BridgeTechnology::Simple,
        };
        let variables = Variables::default();
        let snapshot = Arc::new(BridgeSnapshot {
            id: id.clone(),
            name: name.clone(),
            creator,
            class,
            kind,
            technology,
            channels: Arc::default(),
            variables: variables.told(),
            created,
        });
        let key = self.bridges.insert(Bridge {
            id: id.clone(),
            name,
            creator,
            class,
            kind,
            technology,
            mix,
            members: Vec::new(),
            inhibited: BTreeSet::new(),
            is_closing: false,
            ids: Arc::default(),
            snapshot: snapshot.clone(),
            topic: self.topics.bridge(&id),
            variables,
            listeners: BTreeSet::new(),
            operations: Operations::together(),
            call,
            created,
        });
        self.bridge_ids.insert(id, key);
        self.order(MediaOrder::OpenMix { mix, holding: kind.holding });
        let at = created;
        self.tell_bridge(key, &BridgeUpdate { old: None, new: snapshot, is_gone: false, at });
        key
    }

    /// The applications that have asked for what happens to a bridge.
    pub(super) fn bridge_listeners(&self, key: BridgeKey) -> BTreeSet<AppKey> {
        let Some(bridge) = self.bridges.get(key) else { return BTreeSet::new() };
        union(&bridge.listeners, self.apps.all_bridges.iter().copied())
    }

    pub(super) fn tell_bridge<M: std::any::Any + Send + Sync + Clone>(
        &self,
        key: BridgeKey,
        message: &M,
    ) {
        if let Some(bridge) = self.bridges.get(key) {
            self.tell(&bridge.topic, &self.bridge_listeners(key), message);
        }
    }

    /// Publishes what a bridge is now, if that is something else than before.
    pub(super) fn publish_bridge(&mut self, key: BridgeKey) {
        let at = self.time();
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        let new = bridge.snapshot_now();
        if *bridge.snapshot == new {
            return;
        }
        let new = Arc::new(new);
        let old = Some(std::mem::replace(&mut bridge.snapshot, new.clone()));
        self.tell_bridge(key, &BridgeUpdate { old, new, is_gone: false, at });
    }

    /// Publishes that something has happened to a bridge, also for those who have asked for one of these
    /// channels.
    pub(super) fn tell_bridge_event(
        &self,
        key: BridgeKey,
        event: BridgeHappening,
        channels: &[ChannelKey],
    ) {
        let Some(bridge) = self.bridges.get(key) else { return };
        let of_channels = channels.iter().flat_map(|channel| self.listeners(*channel));
        let listeners = union(&self.bridge_listeners(key), of_channels);
        let event = BridgeEvent { bridge: bridge.snapshot.clone(), event, at: self.time() };
        self.tell(&bridge.topic, &listeners, &event);
    }

    /// Puts channels that applications have into a bridge, out of the one that each may be in.
    ///
    /// # Errors
    /// [`Refusal::NoBridge`]; [`Refusal::NoChannel`], [`Refusal::NotInApplication`] or
    /// [`Refusal::InvalidState`] for any of the channels: none is put in then.
    pub fn add_channels(
        &mut self,
        bridge: &str,
        channels: &[&str],
        options: &AddOptions,
    ) -> Result<(), Refusal> {
        let bridge = self.find_bridge(bridge)?;
        let find = |id: &&str| self.find_in_application(id);
        let keys = channels.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        for key in keys {
            self.part(key, true);
            self.prepare(key, options);
            if options.inhibit_connected_line_updates {
                self.bridges[bridge].inhibited.insert(key);
            }
            self.join_for_application(key, bridge);
            self.work.push_back(Work::LeaveOut(key));
        }
        self.settle();
        Ok(())
    }

    /// Settings with which a channel comes into a bridge.
    fn prepare(&mut self, key: ChannelKey, options: &AddOptions) {
        let is_announcer = options.role.as_deref() == Some("announcer");
        let role = if is_announcer { Role::Announcer } else { Role::Participant };
        self.channels[key].announces = is_announcer;
        self.channels[key].absorbs_dtmf = options.absorb_dtmf;
        let Some(line) = self.channels[key].line else { return };
        let absorb = if options.absorb_dtmf { Absorb::Whole } else { Absorb::Off };
        self.order(MediaOrder::Set(line, LegSetting::Role(role)));
        self.order(MediaOrder::Set(line, LegSetting::AbsorbDtmf(absorb)));
        self.mute_in_bridge(key, options.mute);
    }

    /// The others of its bridge do not hear a channel, or no longer; one that is muted by command stays so.
    fn mute_in_bridge(&mut self, key: ChannelKey, muted: bool) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        channel.muted_in_bridge = muted;
        let Some(line) = channel.line else { return };
        let is_unheard = muted || channel.muted;
        let direction = stasis_media::leg::Direction::In;
        self.order(MediaOrder::Set(line, LegSetting::Mute(direction, is_unheard)));
    }

    /// Takes channels out of a bridge; they stay in their applications.
    ///
    /// # Errors
    /// [`Refusal::NoBridge`]; [`Refusal::NoChannel`] or [`Refusal::NotInBridge`] for any of the channels:
    /// none is taken out then.
    pub fn remove_channels(&mut self, bridge: &str, channels: &[&str]) -> Result<(), Refusal> {
        let bridge = self.find_bridge(bridge)?;
        let find = |id: &&str| {
            let key = self.find_in_application(id)?;
            let is_in = self.channels[key].bridge == Some(bridge);
            is_in.then_some(key).ok_or(Refusal::NotInBridge)
        };
        let keys = channels.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        keys.into_iter().for_each(|key| self.part(key, true));
        self.settle();
        Ok(())
    }

    /// Destroys a bridge; all in it leave it first.
    ///
    /// # Errors
    /// [`Refusal::NoBridge`].
    pub fn destroy_bridge(&mut self, bridge: &str) -> Result<(), Refusal> {
        let key = self.find_bridge(bridge)?;
        self.destroy(key);
        self.settle();
        Ok(())
    }

    pub(super) fn destroy(&mut self, key: BridgeKey) {
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        bridge.is_closing = true;
        let members = bridge.members.clone();
        for &member in &members {
            if self.channels[member].variables.get(PEER).is_some() {
                self.set_channel_variable(member, PEER, "");
            }
        }
        // While those who listen because of who is in it still do.
        self.stop_bridge_operations(key);
        // The last to come is the first to go.
        members.iter().rev().for_each(|member| self.part(*member, true));
        let Some(bridge) = self.bridges.get(key) else { return };
        let (id, mix, topic) = (bridge.id.clone(), bridge.mix, bridge.topic.clone());
        let (new, at) = (bridge.snapshot.clone(), self.time());
        let gone = BridgeUpdate { old: Some(new.clone()), new, is_gone: true, at };
        self.tell_bridge(key, &gone);
        Topics::clear::<BridgeUpdate>(&topic, id.clone());
        self.order(MediaOrder::CloseMix(mix));
        let Some(bridge) = self.bridges.remove(key) else { return };
        self.bridge_ids.remove(&id);
        for app in bridge.listeners {
            if let Some(app) = self.apps.get_mut(app) {
                app.bridges.forget(&id);
            }
            self.publish_app(app);
        }
        if let Some(call) = bridge.call {
            self.call_is_over(call, &members);
        }
    }

    /// A channel comes into a bridge, and the application that has it asks for what happens there.
    pub(super) fn join_for_application(&mut self, key: ChannelKey, bridge: BridgeKey) {
        if let Some(app) = self.channels[key].stay.as_ref().map(|stay| stay.app) {
            self.listen_to_bridge(app, bridge);
            self.publish_app(app);
        }
        self.join(key, bridge);
    }

    /// A channel comes into a bridge.
    pub(super) fn join(&mut self, key: ChannelKey, bridge: BridgeKey) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let (id, line) = (channel.id.clone(), channel.line);
        channel.bridge = Some(bridge);
        let room = &mut self.bridges[bridge];
        room.members.push(key);
        Arc::make_mut(&mut room.ids).insert(id);
        let mix = room.mix;
        if let Some(line) = line {
            self.order(MediaOrder::Join(line, mix));
        }
        // A call that has come in is answered by being put through.
        if self.channels[key].state == ChannelState::Ring && self.channels[key].stay.is_some() {
            self.answer_channel(key);
        }
        self.publish(key);
        self.publish_bridge(bridge);
        let snapshot = self.channels[key].snapshot.clone();
        self.tell_bridge_event(bridge, BridgeHappening::Entered { channel: snapshot }, &[key]);
        self.tell_peers(bridge);
        self.tell_connected(bridge);
        self.choose_technology(bridge);
    }

    /// A channel leaves the bridge that it is in, if it is in one. `lets_go`: its application has no use
    /// for the bridge any more.
    pub(super) fn part(&mut self, key: ChannelKey, lets_go: bool) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let Some(bridge) = channel.bridge.take() else { return };
        let (id, line) = (channel.id.clone(), channel.line);
        let had_peers = channel.variables.get(PEER).is_some();
        let app = channel.stay.as_ref().map(|stay| stay.app);
        let room = &mut self.bridges[bridge];
        room.members.retain(|member| *member != key);
        room.inhibited.remove(&key);
        Arc::make_mut(&mut room.ids).remove(&id);
        if let Some(line) = line {
            self.order(MediaOrder::Leave(line));
        }
        if self.channels[key].muted_in_bridge {
            self.mute_in_bridge(key, false);
        }
        self.publish(key);
        if had_peers {
            self.set_channel_variable(key, PEER, "");
        }
        self.publish_bridge(bridge);
        let snapshot = self.channels[key].snapshot.clone();
        self.tell_bridge_event(bridge, BridgeHappening::Left { channel: snapshot }, &[key]);
        self.tell_peers(bridge);
        self.choose_technology(bridge);
        if lets_go && let Some(app) = app {
            self.unlisten_bridge(app, bridge);
            self.publish_app(app);
        }
        if self.bridges[bridge].call.is_some() {
            self.work.push_back(Work::Dissolve(bridge));
        }
        self.work.push_back(Work::Alone(key));
    }

    /// How a bridge is done may change with who is in it.
    fn choose_technology(&mut self, key: BridgeKey) {
        let bridge = &mut self.bridges[key];
        if bridge.is_closing {
            return;
        }
        bridge.technology = bridge.suitable();
        self.publish_bridge(key);
    }

    /// Each in a bridge has a variable that names the others, the latest first.
    fn tell_peers(&mut self, key: BridgeKey) {
        let members = self.bridges[key].members.clone();
        let is_closing = self.bridges[key].is_closing;
        let count = members.len();
        if !(2..=MOST_PEERS).contains(&count) || self.bridges[key].kind.holding || is_closing {
            return;
        }
        for &member in &members {
            let others = members.iter().rev().filter(|other| **other != member);
            let names: Vec<_> = others.map(|other| self.channels[*other].name()).collect();
            let names = names.join(",");
            self.set_channel_variable(member, PEER, &names);
        }
    }

    /// Two who are together are told of each other, where that is something new.
    fn tell_connected(&mut self, bridge: BridgeKey) {
        let room = &self.bridges[bridge];
        let &[one, other] = &room.members[..] else { return };
        if room.kind.holding || room.inhibited.contains(&one) || room.inhibited.contains(&other) {
            return;
        }
        for (channel, peer) in [(one, other), (other, one)] {
            let party = self.channels[peer].caller.id.clone();
            let is_new = !party.is_unknown() && *self.channels[channel].connected != party;
            if is_new {
                self.change(channel, |channel| channel.connected = Arc::new(party.clone()));
                self.instruct(channel, Instruction::Connected(&party));
            }
        }
    }

    /// A key that came beside the audio goes to the others of a bridge in the same way.
    pub(super) fn pass_digit(&mut self, key: ChannelKey, digit: Digit, duration_ms: u32) {
        let channel = &self.channels[key];
        let Some(bridge) = channel.bridge.filter(|_| !channel.absorbs_dtmf) else { return };
        let room = &self.bridges[bridge];
        if room.kind.holding && !channel.announces {
            return;
        }
        for other in self.others(bridge, key) {
            if let Some(line) = self.channels[other].line {
                let duration = std::time::Duration::from_millis(u64::from(duration_ms));
                self.order(MediaOrder::Press(line, digit, duration));
            }
        }
    }

    /// Has all in a bridge hear music of a class, or no longer.
    ///
    /// # Errors
    /// [`Refusal::NoBridge`].
    pub fn bridge_music(&mut self, bridge: &str, class: Option<&str>) -> Result<(), Refusal> {
        let key = self.find_bridge(bridge)?;
        let mix = self.bridges[key].mix;
        self.order(MediaOrder::Music(Ear::Mix(mix), class.map(str::to_owned)));
        Ok(())
    }

    /// All of a bridge come into another, which stays; the first is gone.
    ///
    /// # Errors
    /// [`Refusal::NoBridge`], or [`Refusal::Merge`] when they are the same, one is for waiting, or one is that
    /// of a call of the dialplan.
    pub fn merge_bridges(&mut self, from: &str, into: &str) -> Result<(), Refusal> {
        let (from, into) = (self.find_bridge(from)?, self.find_bridge(into)?);
        if from == into {
            return Err(Refusal::Merge("they are one and the same"));
        }
        if self.bridges[from].kind.holding != self.bridges[into].kind.holding {
            return Err(Refusal::Merge("in one of them everybody waits"));
        }
        if [from, into].iter().any(|bridge| self.bridges[*bridge].call.is_some()) {
            return Err(Refusal::Merge("one of them is that of a call, and ends with it"));
        }
        self.merge(from, into);
        self.settle();
        Ok(())
    }

    pub(super) fn merge(&mut self, from: BridgeKey, into: BridgeKey) {
        let merged = self.bridges[from].snapshot.clone();
        let members = self.bridges[from].members.clone();
        let channels = [&members[..], &self.bridges[into].members].concat();
        self.tell_bridge_event(into, BridgeHappening::Merged { from: merged }, &channels);
        for &member in &members {
            let is_muted = self.channels[member].muted_in_bridge;
            self.part(member, true);
            self.join_for_application(member, into);
            if is_muted {
                self.mute_in_bridge(member, true);
            }
        }
        self.destroy(from);
    }
}
