//! The event log: one record for each thing that happens to a channel.
//!
//! What has changed between two snapshots of a channel is told (made, answered, another application, hung
//! up), and what the bus tells beside them (bridges, keys, transfers, …). An application or a sound that has
//! begun is told to have ended, at the latest when the channel is gone.

mod entry;
mod happening;
mod record;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use self::entry::{Entry, Linked};
use self::happening::{attended_transfer, blind_transfer, channel_event, user};
pub use self::record::{CelEvent, CelExtra, CelRecord};
use super::{Input, end_of};
use crate::bridge::BridgeSnapshot;
use crate::channel::{ChannelSnapshot, ChannelState, ChannelUpdate, Position};
use crate::id::{AppName, ChannelId};
use crate::message::{
    ApplicationEvent, ApplicationHappening, BridgeEvent, BridgeHappening, PlaybackEvent,
};
use crate::playback::{MediaTarget, PlaybackState};
use crate::time::Timestamp;

/// The dialplan's step that goes to an application.
const STASIS: &str = "Stasis";

/// What is written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CelSettings {
    /// Which events. By default all but USER_DEFINED, of which every message of an application would
    /// make one.
    pub events: BTreeSet<CelEvent>,
    /// Which applications of the dialplan have APP_START and APP_END; by default `Stasis` alone.
    pub applications: Watched,
}

/// Which applications of the dialplan are watched. Names are compared without regard to capitals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Watched {
    /// All.
    All,
    /// These; none of them: none.
    Only(Vec<String>),
}

impl Watched {
    fn has(&self, app: &str) -> bool {
        match self {
            Watched::All => true,
            Watched::Only(names) => names.iter().any(|name| name.eq_ignore_ascii_case(app)),
        }
    }
}

impl Default for CelSettings {
    fn default() -> Self {
        let events = CelEvent::ALL.iter().copied();
        CelSettings {
            events: events.filter(|event| *event != CelEvent::UserDefined).collect(),
            applications: Watched::Only(vec![STASIS.into()]),
        }
    }
}

/// Makes the records.
pub struct Cels {
    settings: CelSettings,
    channels: HashMap<ChannelId, Entry>,
    linked: Linked,
}

impl Cels {
    /// Nothing has happened yet.
    pub fn new(settings: CelSettings) -> Self {
        Cels { settings, channels: HashMap::new(), linked: Linked::default() }
    }

    /// Takes a message, in the order that they were published. Returns what it tells of, in the order that
    /// it has happened.
    pub fn take(&mut self, input: Input<'_>) -> Vec<CelRecord> {
        let mut out = Vec::new();
        match input {
            Input::Channel(update) => self.update(update, &mut out),
            Input::ChannelEvent(event) => channel_event(event, &mut out),
            Input::BridgeEvent(event) => self.bridge_event(event, &mut out),
            Input::Application(event) => self.application(event, &mut out),
            Input::Playback(event) => self.playback(event, &mut out),
            Input::User(event) => user(event, &mut out),
            Input::Variable(set) if set.variable == "DIALSTATUS" => {
                let on = set.channel.as_ref().map(|channel| channel.id());
                if let Some(entry) = on.and_then(|id| self.channels.get_mut(id)) {
                    entry.dial_status.clone_from(&set.value);
                }
            }
            _ => {}
        }
        out.retain(|record: &CelRecord| self.settings.events.contains(&record.event));
        out
    }

    /// Tells the end of channels that are not there any more, and whose end was lost on the bus. Call it
    /// when all that was published before `is_there` was looked up has been taken.
    pub fn forget_lost(
        &mut self,
        is_there: impl Fn(&ChannelId) -> bool,
        at: Timestamp,
    ) -> Vec<CelRecord> {
        let lost = self.channels.values().filter(|entry| !is_there(entry.now.id()));
        let lost: Vec<_> = lost.map(|entry| end_of(&entry.now, at)).collect();
        lost.iter().flat_map(|gone| self.take(Input::Channel(gone))).collect()
    }

    /// How many channels and linked ids are kept in mind: none when all channels are gone.
    pub fn kept(&self) -> usize {
        self.channels.len() + self.linked.len()
    }

    fn update(&mut self, update: &ChannelUpdate, out: &mut Vec<CelRecord>) {
        let (new, at) = (&update.new, update.at);
        match self.channels.get_mut(new.id()) {
            Some(entry) => {
                let old = std::mem::replace(&mut entry.now, Arc::clone(new));
                if !update.is_gone {
                    self.changed(&old, new, at, out);
                }
                self.relink(&old, new, at, out);
            }
            None => {
                self.linked.join(new.linked_id());
                self.channels.insert(new.id().clone(), Entry::new(new));
                let start = new.base.created.min(at);
                out.push(CelRecord::of(CelEvent::ChanStart, new, start));
                if !update.is_gone {
                    self.step(new, at, out);
                }
            }
        }
        if update.is_gone {
            self.gone(new, at, out);
        }
    }

    fn changed(
        &mut self,
        old: &ChannelSnapshot,
        new: &ChannelSnapshot,
        at: Timestamp,
        out: &mut Vec<CelRecord>,
    ) {
        let place = &new.dialplan;
        if !place.is_same_step(&old.dialplan) || place.app_name != old.dialplan.app_name {
            self.step(new, at, out);
        }
        if new.state == ChannelState::Up && old.state != ChannelState::Up {
            out.push(CelRecord::of(CelEvent::Answer, new, at));
        }
    }

    /// Another step of the dialplan runs, or none. Stays in applications are told of by those.
    fn step(&mut self, new: &ChannelSnapshot, at: Timestamp, out: &mut Vec<CelRecord>) {
        let Some(entry) = self.channels.get_mut(new.id()) else { return };
        if let Some(was) = entry.running.take() {
            out.push(app_record(CelEvent::AppEnd, new, &was.app_name, &was.app_data, at));
        }
        if is_step(&new.dialplan) && self.settings.applications.has(&new.dialplan.app_name) {
            entry.running = Some(Arc::clone(&new.dialplan));
            out.push(CelRecord::of(CelEvent::AppStart, new, at));
        }
    }

    /// It has to do with other channels than before.
    fn relink(
        &mut self,
        old: &ChannelSnapshot,
        new: &ChannelSnapshot,
        at: Timestamp,
        out: &mut Vec<CelRecord>,
    ) {
        if old.linked_id() == new.linked_id() {
            return;
        }
        self.linked.join(new.linked_id());
        if self.linked.part(old.linked_id()) {
            let mut record = CelRecord::of(CelEvent::LinkedIdEnd, new, at);
            record.linkedid = old.linked_id().to_string();
            out.push(record);
        }
    }

    fn gone(&mut self, last: &ChannelSnapshot, at: Timestamp, out: &mut Vec<CelRecord>) {
        let Some(entry) = self.channels.remove(last.id()) else { return };
        if entry.hears.is_some() {
            out.push(CelRecord::of(CelEvent::StreamEnd, last, at));
        }
        if let Some(app) = &entry.stay {
            out.push(app_record(CelEvent::AppEnd, last, STASIS, app, at));
        }
        if let Some(was) = &entry.running {
            out.push(app_record(CelEvent::AppEnd, last, &was.app_name, &was.app_data, at));
        }
        let why = CelExtra::Hangup {
            hangupcause: last.hangup.cause.0,
            hangupsource: last.hangup.source.clone(),
            dialstatus: entry.dial_status,
        };
        out.push(CelRecord::of(CelEvent::Hangup, last, at).with(why));
        out.push(CelRecord::of(CelEvent::ChanEnd, last, at));
        if self.linked.part(last.linked_id()) {
            out.push(CelRecord::of(CelEvent::LinkedIdEnd, last, at));
        }
    }

    fn application(&mut self, event: &ApplicationEvent, out: &mut Vec<CelRecord>) {
        if !self.settings.applications.has(STASIS) {
            return;
        }
        let (app, at) = (&event.application, event.at);
        match &event.event {
            ApplicationHappening::StasisStart { channel, .. } => {
                self.stay(channel, Some(app.clone()), at, out);
            }
            ApplicationHappening::StasisEnd { channel } => {
                let entry = self.channels.get(channel.id());
                if entry.is_some_and(|entry| entry.stay.as_ref() == Some(app)) {
                    self.stay(channel, None, at, out);
                }
            }
            _ => {}
        }
    }

    /// A channel is in an application from now on, or in none.
    fn stay(
        &mut self,
        channel: &ChannelSnapshot,
        app: Option<AppName>,
        at: Timestamp,
        out: &mut Vec<CelRecord>,
    ) {
        let Some(entry) = self.channels.get_mut(channel.id()) else { return };
        if entry.stay == app {
            return;
        }
        let mut tell = |event, app: Option<&AppName>| {
            out.extend(app.map(|app| app_record(event, channel, STASIS, app, at)));
        };
        tell(CelEvent::AppEnd, entry.stay.as_ref());
        tell(CelEvent::AppStart, app.as_ref());
        entry.stay = app;
    }

    /// A sound that a channel is played. Of what is said in several sounds (numbers, letters) only this is
    /// told: nothing.
    fn playback(&mut self, event: &PlaybackEvent, out: &mut Vec<CelRecord>) {
        let playback = &event.playback;
        let MediaTarget::Channel(id) = &playback.target else { return };
        let Some(entry) = self.channels.get_mut(id) else { return };
        let is_this = entry.hears.as_ref() == Some(&playback.id);
        match (playback.state, playback.media_uri.strip_prefix("sound:")) {
            (PlaybackState::Playing, Some(sound)) if !is_this => {
                if entry.hears.replace(playback.id.clone()).is_some() {
                    out.push(CelRecord::of(CelEvent::StreamEnd, &entry.now, event.at));
                }
                let extra = CelExtra::Sound {
                    sound: sound.into(),
                    format: "slin",
                    language: playback.language.clone(),
                };
                let begin = CelRecord::of(CelEvent::StreamBegin, &entry.now, event.at);
                out.push(begin.with(extra));
            }
            (PlaybackState::Continuing | PlaybackState::Done | PlaybackState::Failed, _)
                if is_this =>
            {
                entry.hears = None;
                out.push(CelRecord::of(CelEvent::StreamEnd, &entry.now, event.at));
            }
            _ => {}
        }
    }

    fn bridge_event(&mut self, event: &BridgeEvent, out: &mut Vec<CelRecord>) {
        let (bridge, at) = (&event.bridge, event.at);
        match &event.event {
            BridgeHappening::Entered { channel } => {
                out.push(self.bridged(CelEvent::BridgeEnter, bridge, channel, at));
            }
            BridgeHappening::Left { channel } => {
                out.push(self.bridged(CelEvent::BridgeExit, bridge, channel, at));
            }
            BridgeHappening::BlindTransfer(transfer) => {
                out.extend(blind_transfer(transfer, bridge, at));
            }
            BridgeHappening::AttendedTransfer(transfer) => {
                out.extend(attended_transfer(transfer, bridge, at));
            }
            BridgeHappening::Merged { .. } | BridgeHappening::VariableSet { .. } => {}
        }
    }

    fn bridged(
        &self,
        event: CelEvent,
        bridge: &BridgeSnapshot,
        channel: &ChannelSnapshot,
        at: Timestamp,
    ) -> CelRecord {
        let others = bridge.channels.iter().filter(|id| *id != channel.id());
        let others: Vec<_> = others.filter_map(|id| self.channels.get(id)).collect();
        let names: Vec<_> = others.iter().map(|entry| entry.now.base.name.as_str()).collect();
        let mut record = CelRecord::of(event, channel, at);
        record.peer = names.join(",");
        if let Some(first) = others.first() {
            record.peeraccount.clone_from(&first.now.base.accountcode);
        }
        record.with(CelExtra::Bridge {
            bridge_id: bridge.id.to_string(),
            bridge_technology: bridge.technology.name(),
        })
    }
}

/// Whether what runs is a step of a dialplan: not that the channel was called, and not a stay.
fn is_step(place: &Position) -> bool {
    !matches!(place.app_name.as_str(), "" | "AppDial" | "AppDial2" | STASIS)
}

fn app_record(
    event: CelEvent,
    channel: &ChannelSnapshot,
    app: &str,
    data: &str,
    at: Timestamp,
) -> CelRecord {
    let mut record = CelRecord::of(event, channel, at);
    record.appname = app.into();
    record.appdata = data.into();
    record
}
