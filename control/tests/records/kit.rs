//! A little switch that tells the recorders what a real one would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stasis_control::bridge::{BridgeSnapshot, BridgeTechnology, BridgeType, BridgeUpdate};
use stasis_control::cause::Cause;
use stasis_control::channel::{
    ChannelBase, ChannelSnapshot, ChannelState, ChannelUpdate, Hangup, Position,
};
use stasis_control::id::{AppName, BridgeId, ChannelId, PlaybackId};
use stasis_control::message::*;
use stasis_control::party::{Caller, Party};
use stasis_control::playback::{MediaTarget, PlaybackSnapshot, PlaybackState};
use stasis_control::records::Input;
use stasis_control::records::cdr::{CdrRecord, CdrSettings, Cdrs};
use stasis_control::records::cel::{CelRecord, CelSettings, Cels};
use stasis_control::time::Timestamp;

/// 2026-11-21 07:14:10, UTC.
pub const START: u64 = 1_795_245_250_000_000;

pub struct World {
    pub now: u64,
    pub cdrs: Cdrs,
    pub cels: Cels,
    pub cdr: Vec<CdrRecord>,
    pub cel: Vec<CelRecord>,
    pub channels: BTreeMap<String, Arc<ChannelSnapshot>>,
    pub bridges: BTreeMap<String, Arc<BridgeSnapshot>>,
}

pub fn everything() -> CdrSettings {
    CdrSettings { unanswered: true, congestion: true, ..CdrSettings::default() }
}

impl World {
    pub fn new(cdr: CdrSettings, cel: CelSettings) -> Self {
        World {
            now: START,
            cdrs: Cdrs::new(cdr),
            cels: Cels::new(cel),
            cdr: Vec::new(),
            cel: Vec::new(),
            channels: BTreeMap::new(),
            bridges: BTreeMap::new(),
        }
    }

    pub fn at(&self) -> Timestamp {
        Timestamp::from_micros(self.now)
    }

    pub fn wait(&mut self, ms: u64) {
        self.now += ms * 1_000;
    }

    pub fn feed(&mut self, input: Input<'_>) {
        self.cdr.extend(self.cdrs.take(input));
        self.cel.extend(self.cels.take(input));
        self.now += 1;
    }

    fn fresh(
        &self,
        id: &str,
        name: &str,
        linked: &str,
        state: ChannelState,
        exten: &str,
    ) -> Arc<ChannelSnapshot> {
        let base = ChannelBase {
            id: ChannelId::new(id).unwrap(),
            name: name.into(),
            protocol_id: String::new(),
            accountcode: String::new(),
            language: "en".into(),
            tenant_id: String::new(),
            linked_id: ChannelId::new(linked).unwrap(),
            created: self.at(),
        };
        Arc::new(ChannelSnapshot {
            base: Arc::new(base),
            state,
            caller: Arc::new(Caller::default()),
            connected: Arc::new(Party::default()),
            dialplan: Arc::new(Position::new("golden", exten, 1)),
            bridge: None,
            hangup: Arc::new(Hangup::default()),
            variables: Arc::new(BTreeMap::new()),
        })
    }

    /// What is told of a channel, which may not be there.
    fn shown(&self, id: &str) -> Arc<ChannelSnapshot> {
        let ghost = || self.fresh(id, &format!("Ghost/{id}"), id, ChannelState::Down, "s");
        self.channels.get(id).map_or_else(ghost, Arc::clone)
    }

    /// A channel is made, with a linked id, in an extension of the context golden.
    pub fn make(&mut self, id: &str, name: &str, linked: &str, state: ChannelState, exten: &str) {
        let new = self.fresh(id, name, linked, state, exten);
        self.channels.insert(id.into(), Arc::clone(&new));
        let update = ChannelUpdate { old: None, new, is_gone: false, at: self.at() };
        self.feed(Input::Channel(&update));
    }

    pub fn change(&mut self, id: &str, change: impl FnOnce(&mut ChannelSnapshot)) {
        let old = self.shown(id);
        let mut new = ChannelSnapshot::clone(&old);
        change(&mut new);
        let new = Arc::new(new);
        self.channels.insert(id.into(), Arc::clone(&new));
        let update = ChannelUpdate { old: Some(old), new, is_gone: false, at: self.at() };
        self.feed(Input::Channel(&update));
    }

    /// The next step of the dialplan: the application, or what AppDial shows.
    pub fn step(&mut self, id: &str, app: &str, data: &str) {
        self.change(id, |channel| {
            let place = Arc::make_mut(&mut channel.dialplan);
            place.priority += 1;
            (place.app_name, place.app_data) = (app.into(), data.into());
        });
    }

    pub fn goto(&mut self, id: &str, exten: &str) {
        self.change(id, |channel| {
            channel.dialplan = Arc::new(Position::new("golden", exten, 1));
        });
    }

    pub fn caller(&mut self, id: &str, name: &str, number: &str) {
        self.change(id, |channel| {
            let party = Party { name: name.into(), number: number.into() };
            channel.caller = Arc::new(party.into());
        });
    }

    pub fn state(&mut self, id: &str, state: ChannelState) {
        self.change(id, |channel| channel.state = state);
    }

    /// It is hung up and gone; what ran runs no longer, unless it was called.
    pub fn gone(&mut self, id: &str, cause: u16, source: &str) {
        let old = self.shown(id);
        self.channels.remove(id);
        let mut new = ChannelSnapshot::clone(&old);
        new.hangup =
            Arc::new(Hangup { cause: Cause(cause), tech_cause: None, source: source.into() });
        if !new.dialplan.app_name.starts_with("AppDial") {
            let place = Arc::make_mut(&mut new.dialplan);
            place.app_name.clear();
            place.app_data.clear();
        }
        let (new, at) = (Arc::new(new), self.at());
        let update = ChannelUpdate { old: Some(old), new, is_gone: true, at };
        self.feed(Input::Channel(&update));
    }

    pub fn dial(&mut self, caller: Option<&str>, peer: &str, status: DialStatus) {
        let dial = Dial {
            caller: caller.map(|caller| self.shown(caller)),
            peer: self.shown(peer),
            status,
            dialstring: String::new(),
            at: self.at(),
        };
        self.feed(Input::Dial(&dial));
    }

    pub fn set(&mut self, id: &str, variable: &str, value: &str) {
        let set = VariableSet {
            channel: Some(self.shown(id)),
            variable: variable.into(),
            value: value.into(),
            at: self.at(),
        };
        self.feed(Input::Variable(&set));
    }

    pub fn bridge(&mut self, id: &str) -> Arc<BridgeSnapshot> {
        let made = BridgeSnapshot {
            id: BridgeId::new(id).unwrap(),
            name: String::new(),
            creator: "Stasis",
            class: "stasis",
            kind: BridgeType::default(),
            technology: BridgeTechnology::Simple,
            channels: Arc::new(BTreeSet::new()),
            variables: Arc::new(BTreeMap::new()),
            created: self.at(),
        };
        Arc::clone(self.bridges.entry(id.into()).or_insert_with(|| Arc::new(made)))
    }

    fn members(&mut self, id: &str, change: impl FnOnce(&mut BTreeSet<ChannelId>) -> bool) {
        let mut bridge = BridgeSnapshot::clone(&self.bridge(id));
        change(Arc::make_mut(&mut bridge.channels));
        self.bridges.insert(id.into(), Arc::new(bridge));
    }

    pub fn bridge_event(&mut self, id: &str, event: BridgeHappening) {
        let event = BridgeEvent { bridge: self.bridge(id), event, at: self.at() };
        self.feed(Input::BridgeEvent(&event));
    }

    pub fn enter(&mut self, bridge: &str, id: &str) {
        let channel = self.shown(id);
        self.members(bridge, |all| all.insert(channel.id().clone()));
        self.bridge_event(bridge, BridgeHappening::Entered { channel });
    }

    pub fn leave(&mut self, bridge: &str, id: &str) {
        let channel = self.shown(id);
        self.members(bridge, |all| all.remove(channel.id()));
        self.bridge_event(bridge, BridgeHappening::Left { channel });
    }

    pub fn destroy(&mut self, id: &str) {
        let Some(new) = self.bridges.remove(id) else { return };
        let update = BridgeUpdate { old: None, new, is_gone: true, at: self.at() };
        self.feed(Input::Bridge(&update));
    }

    pub fn stasis(&mut self, id: &str, app: &str, is_start: bool) {
        let channel = self.shown(id);
        let event = match is_start {
            true => ApplicationHappening::StasisStart { channel, args: Vec::new(), replaces: None },
            false => ApplicationHappening::StasisEnd { channel },
        };
        let application = AppName::new(app).unwrap();
        let event = ApplicationEvent { application, event, at: self.at() };
        self.feed(Input::Application(&event));
    }

    pub fn happens(&mut self, id: &str, event: ChannelHappening) {
        let channel = self.shown(id);
        let event = ChannelEvent { channel, event, at: self.at() };
        self.feed(Input::ChannelEvent(&event));
    }

    pub fn plays(&mut self, id: &str, media_uri: &str, state: PlaybackState) {
        let playback = PlaybackSnapshot {
            id: PlaybackId::new("p").unwrap(),
            media_uri: media_uri.into(),
            next_media_uri: None,
            target: MediaTarget::Channel(ChannelId::new(id).unwrap()),
            language: "en".into(),
            state,
        };
        let event = PlaybackEvent { playback: Arc::new(playback), at: self.at() };
        self.feed(Input::Playback(&event));
    }

    pub fn assert_nothing_is_kept(&self) {
        assert_eq!((self.cdrs.kept(), self.cels.kept()), (0, 0));
    }

    /// Per record: src, dst, channel, dstchannel, lastapp, lastdata, duration, billsec, disposition.
    pub fn cdr_lines(&self) -> Vec<String> {
        let line = |record: &CdrRecord| {
            let values = [
                &record.clid,
                &record.dst,
                &record.channel,
                &record.dstchannel,
                &record.lastapp,
                &record.lastdata,
                &record.duration.to_string(),
                &record.billsec.to_string(),
                record.disposition.name(),
            ];
            values.join("|")
        };
        self.cdr.iter().map(line).collect()
    }

    /// Of one channel, per event: name, caller's number, exten, app, data, peer, extra.
    pub fn cel_lines(&self, id: &str) -> Vec<String> {
        let line = |record: &CelRecord| {
            let extra = record.extra.as_ref().map(ToString::to_string).unwrap_or_default();
            let values = [
                record.event.name(),
                &record.cid_num,
                &record.exten,
                &record.appname,
                &record.appdata,
                &record.peer,
                &extra,
            ];
            values.join("|")
        };
        let of_it = self.cel.iter().filter(|record| record.uniqueid == id);
        of_it.map(line).collect()
    }
}
