//! Listens to everything that an exchange publishes, and holds it to its promises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use stasis_bus::{
    Bus, Clear, Delivery, Forward, Message, Overflow, PullSubscription, SubscriptionChange, Topic,
};
use stasis_control::bridge::{BridgeSnapshot, BridgeUpdate};
use stasis_control::channel::{ChannelSnapshot, ChannelUpdate};
use stasis_control::message::*;
use stasis_control::playback::PlaybackState;
use stasis_control::recording::RecordingState;

use crate::ledger::Ledger;

/// More messages than any one command can be good for.
const MOST_MESSAGES: usize = 100_000;

pub struct Watch {
    everything: Topic,
    events: PullSubscription,
    forwards: Vec<Forward>,
    forwarded: BTreeSet<String>,
    pub told: Told,
}

/// What was told so far.
#[derive(Default)]
pub struct Told {
    /// Channels that are there, the oldest first, and what was told of each last.
    pub channels: Vec<(String, Arc<ChannelSnapshot>)>,
    /// The ids of those that are gone.
    pub gone: Vec<String>,
    pub bridges: Vec<(String, Arc<BridgeSnapshot>)>,
    /// Who has come into which bridge, and has not left it.
    within: BTreeSet<(String, String)>,
    /// Who is in which application.
    pub stays: BTreeMap<String, String>,
    /// Playbacks that are not over: how many of each id, and the last state.
    pub playbacks: BTreeMap<String, (usize, PlaybackState)>,
    /// Ids of playbacks that there were two of at a time.
    pub shared: BTreeSet<String>,
    pub recordings: BTreeMap<String, RecordingState>,
    /// Calls to channels that have an outcome.
    dialed: BTreeSet<String>,
    pub ledger: Ledger,
}

impl Watch {
    pub fn new(bus: &Bus) -> Self {
        let everything = bus.topic("everything");
        let overflow = Overflow::Spill { limit: 1 << 22 };
        let events = everything.subscribe().capacity(1 << 10).overflow(overflow).pull().unwrap();
        let all = ["channel:all", "bridge:all", "playback:all", "recording:all"];
        let forward = |name: &&str| bus.topic(name).forward_to(&everything).unwrap();
        let forwards = all.iter().map(forward).collect();
        let (forwarded, told) = Default::default();
        Watch { everything, events, forwards, forwarded, told }
    }

    /// Listens to an application, too, from the first time that it is registered on.
    pub fn application(&mut self, topic: &Topic) {
        if self.forwarded.insert(topic.name().into()) {
            self.forwards.push(topic.forward_to(&self.everything).unwrap());
        }
    }

    /// Looks at all that has come.
    pub fn look(&mut self) {
        let mut count = 0;
        while let Ok(delivery) = self.events.try_recv() {
            count += 1;
            assert!(count < MOST_MESSAGES, "messages without an end");
            match &delivery {
                Delivery::Message(message) => self.told.take(message),
                Delivery::Lagged(missed) => panic!("{missed} messages were lost"),
            }
        }
    }
}

impl Told {
    fn take(&mut self, message: &Message) {
        let topic = message.topic().name();
        if message.is::<SubscriptionChange>() || message.is::<Clear<ChannelUpdate>>() {
            return;
        }
        if topic.starts_with("application:") {
            // The rest is told on the objects' own topics, too.
            if let Some(event) = message.downcast_ref::<ApplicationEvent>() {
                self.application(event);
                self.ledger.take(message);
            }
            return;
        }
        if let Some(id) = topic.strip_prefix("channel:") {
            let is_new =
                message.downcast_ref().is_some_and(|new: &ChannelUpdate| new.old.is_none());
            let is_there = self.last(id).is_some();
            assert!(is_there || is_new, "{id} is not there: {:?}", self.describe(message));
            assert!(!(is_there && is_new), "{id} is there already");
        }
        if let Some(update) = message.downcast_ref::<ChannelUpdate>() {
            self.channel(update);
        } else if let Some(update) = message.downcast_ref::<BridgeUpdate>() {
            self.bridge(update);
        } else if let Some(event) = message.downcast_ref::<BridgeEvent>() {
            self.bridge_event(event);
        } else if let Some(dial) = message.downcast_ref::<Dial>() {
            self.dial(dial);
        } else if topic == "playback:all" {
            return message.downcast_ref().into_iter().for_each(|event| self.playback(event));
        } else if topic == "recording:all" {
            return message.downcast_ref().into_iter().for_each(|event| self.recording(event));
        }
        self.ledger.take(message);
    }

    fn describe(&self, message: &Message) -> String {
        let event = message.downcast_ref::<ChannelEvent>().map(|event| format!("{event:?}"));
        let set = || message.downcast_ref::<VariableSet>().map(|set| format!("{set:?}"));
        let dial = || message.downcast_ref::<Dial>().map(|dial| format!("{dial:?}"));
        event.or_else(set).or_else(dial).unwrap_or_else(|| "another message".into())
    }

    /// What was told last of a channel that is there.
    pub fn last(&self, id: &str) -> Option<&Arc<ChannelSnapshot>> {
        self.channels.iter().find(|(known, _)| known == id).map(|(_, last)| last)
    }

    fn channel(&mut self, update: &ChannelUpdate) {
        let (id, new) = (update.new.id().to_string(), update.new.clone());
        let Some(old) = &update.old else {
            assert!(!update.is_gone, "{id} is made and gone");
            assert_eq!(new.bridge, None, "{id} is made in a bridge");
            return self.channels.push((id, new));
        };
        let last = self.last(&id).unwrap();
        assert!(Arc::ptr_eq(last, old), "{id}: {old:?} does not follow {last:?}");
        if !update.is_gone {
            assert_ne!(*old, new, "{id} has not changed");
            assert_eq!(old.base.name, new.base.name);
            let mut known = self.channels.iter_mut();
            known.find(|(known, _)| *known == id).unwrap().1 = new;
            return;
        }
        assert_eq!(new.bridge, None, "{id} is gone from within a bridge");
        assert!(!self.within.iter().any(|(_, channel)| *channel == id), "{id} has not left");
        assert_eq!(self.stays.get(&id), None, "{id} is gone from within an application");
        self.dialed.remove(&id);
        self.channels.retain(|(known, _)| *known != id);
        self.gone.push(id);
    }

    fn bridge(&mut self, update: &BridgeUpdate) {
        let (id, new) = (update.new.id.to_string(), update.new.clone());
        let last = self.bridges.iter().find(|(known, _)| *known == id).map(|(_, last)| last);
        let Some(old) = &update.old else {
            assert!(last.is_none() && !update.is_gone, "bridge {id} is there already");
            return self.bridges.push((id, new));
        };
        let last = last.unwrap_or_else(|| panic!("bridge {id} is not there"));
        assert!(Arc::ptr_eq(last, old), "bridge {id}: {old:?} does not follow {last:?}");
        if !update.is_gone {
            assert_ne!(*old, new, "bridge {id} has not changed");
            let mut known = self.bridges.iter_mut();
            known.find(|(known, _)| *known == id).unwrap().1 = new;
            return;
        }
        assert!(new.channels.is_empty(), "bridge {id} is gone with {:?}", new.channels);
        assert!(!self.within.iter().any(|(bridge, _)| *bridge == id), "somebody is in {id}");
        self.bridges.retain(|(known, _)| *known != id);
    }

    fn bridge_event(&mut self, event: &BridgeEvent) {
        let bridge = event.bridge.id.to_string();
        assert!(self.bridges.iter().any(|(known, _)| *known == bridge), "{bridge} is not there");
        match &event.event {
            BridgeHappening::Entered { channel } => {
                let id = channel.id().to_string();
                assert!(self.last(&id).is_some(), "{id} enters, and is not there");
                let is_elsewhere = self.within.iter().any(|(_, channel)| *channel == id);
                assert!(!is_elsewhere, "{id} enters {bridge} out of another");
                assert_eq!(channel.bridge.as_deref(), Some(bridge.as_str()));
                assert!(event.bridge.channels.contains(channel.id()));
                self.within.insert((bridge, id));
            }
            BridgeHappening::Left { channel } => {
                let id = channel.id().to_string();
                assert_eq!(channel.bridge, None);
                assert!(!event.bridge.channels.contains(channel.id()));
                let was_within = self.within.remove(&(bridge.clone(), id.clone()));
                assert!(was_within, "{id} leaves {bridge}, which it is not in");
            }
            _ => {}
        }
    }

    /// Of who is dialed nothing is told behind the outcome, until it is dialed again.
    fn dial(&mut self, dial: &Dial) {
        let peer = dial.peer.id().to_string();
        assert!(self.last(&peer).is_some(), "{peer} is dialed, and is not there");
        if dial.status == DialStatus::Begun {
            self.dialed.remove(&peer);
        } else {
            let status = dial.status;
            assert!(!self.dialed.contains(&peer), "{peer}: {status:?} behind the outcome");
        }
        if dial.status.is_final() {
            self.dialed.insert(peer);
        }
    }

    fn application(&mut self, event: &ApplicationEvent) {
        let app = event.application.to_string();
        match &event.event {
            ApplicationHappening::StasisStart { channel, .. } => {
                let id = channel.id().to_string();
                assert!(self.last(&id).is_some(), "{id} comes to {app}, and is not there");
                let before = self.stays.insert(id.clone(), app.clone());
                assert_eq!(before, None, "{id} comes to {app}");
            }
            ApplicationHappening::StasisEnd { channel } => {
                let before = self.stays.remove(&channel.id().to_string());
                assert_eq!(before, Some(app), "{} leaves", channel.id());
            }
            _ => {}
        }
    }

    fn playback(&mut self, event: &PlaybackEvent) {
        let (id, state) = (event.playback.id.to_string(), event.playback.state);
        let is_over = matches!(state, PlaybackState::Done | PlaybackState::Failed);
        let (count, last) = self.playbacks.entry(id.clone()).or_default();
        if state == PlaybackState::Queued {
            *count += 1;
            if *count > 1 {
                self.shared.insert(id);
            } else {
                *last = state;
            }
            return;
        }
        assert!(*count > 0, "playback {id} is {state:?}, and was never queued or is over");
        *last = state;
        *count -= usize::from(is_over);
        if *count == 0 {
            self.playbacks.remove(&id);
            self.shared.remove(&id);
        }
    }

    fn recording(&mut self, event: &RecordingEvent) {
        use RecordingState::*;
        let (name, state) = (event.recording.name.clone(), event.recording.state);
        let last = self.recordings.get(&name).copied();
        let follows = match last {
            None => state == Queued,
            Some(last) => state != Queued && last != state,
        };
        assert!(follows, "recording {name} is {state:?} behind {last:?}");
        match state {
            Done | Failed | Canceled => self.recordings.remove(&name),
            _ => self.recordings.insert(name, state),
        };
    }
}
