//! The topics of an exchange, and how others look at it: [`State`].

use std::sync::Arc;

use stasis_bus::{Bus, BusEnded, Cache, Clear, Pooled, Snapshot, Topic, TopicPool};

use crate::application::ApplicationSnapshot;
use crate::bridge::{BridgeSnapshot, BridgeUpdate};
use crate::channel::{ChannelSnapshot, ChannelUpdate};
use crate::device::DeviceState;
use crate::endpoint::EndpointSnapshot;
use crate::id::{AppName, BridgeId, ChannelId, PlaybackId};
use crate::message::{
    ApplicationUpdate, DeviceUpdate, EndpointUpdate, MailboxUpdate, PlaybackEvent, PresenceUpdate,
    RecordingEvent,
};
use crate::playback::PlaybackSnapshot;
use crate::recording::RecordingSnapshot;

impl PartialEq for EndpointUpdate {
    fn eq(&self, other: &Self) -> bool {
        self.is_gone == other.is_gone && self.new == other.new
    }
}

impl PartialEq for ApplicationUpdate {
    fn eq(&self, other: &Self) -> bool {
        self.is_gone == other.is_gone && self.new == other.new
    }
}

impl PartialEq for PlaybackEvent {
    fn eq(&self, other: &Self) -> bool {
        self.playback == other.playback
    }
}

impl PartialEq for RecordingEvent {
    fn eq(&self, other: &Self) -> bool {
        self.recording == other.recording
    }
}

/// What is kept by its name.
macro_rules! kept {
    ($message:ty, $key:ty, $of:expr) => {
        impl Snapshot for $message {
            type Key = $key;

            fn key(&self) -> $key {
                let of: fn(&Self) -> $key = $of;
                of(self)
            }
        }
    };
}

kept!(EndpointUpdate, Arc<str>, |update| update.new.name().into());
kept!(ApplicationUpdate, AppName, |update| update.new.name.clone());
kept!(DeviceUpdate, Arc<str>, |update| update.name.clone());
kept!(MailboxUpdate, Arc<str>, |update| update.name.clone());
kept!(PresenceUpdate, Arc<str>, |update| update.provider.clone());
kept!(PlaybackEvent, PlaybackId, |event| event.playback.id.clone());
kept!(RecordingEvent, Arc<str>, |event| event.recording.name.as_str().into());

/// What there is, as snapshots: a look takes no lock, and disturbs nobody. Cheap to clone.
#[derive(Clone)]
pub struct State {
    caches: Arc<Caches>,
}

struct Caches {
    channels: Cache<ChannelUpdate>,
    bridges: Cache<BridgeUpdate>,
    endpoints: Cache<EndpointUpdate>,
    applications: Cache<ApplicationUpdate>,
    devices: Cache<DeviceUpdate>,
    mailboxes: Cache<MailboxUpdate>,
    presences: Cache<PresenceUpdate>,
    playbacks: Cache<PlaybackEvent>,
    recordings: Cache<RecordingEvent>,
}

impl State {
    /// The channel of this id.
    pub fn channel(&self, id: &ChannelId) -> Option<Arc<ChannelSnapshot>> {
        self.caches.channels.get(id).filter(|c| !c.is_gone).map(|cached| cached.new.clone())
    }

    /// All channels, by their ids.
    pub fn channels(&self) -> Vec<Arc<ChannelSnapshot>> {
        let dump = self.caches.channels.dump();
        let there = dump.iter().filter(|cached| !cached.is_gone);
        let mut all: Vec<_> = there.map(|cached| cached.new.clone()).collect();
        all.sort_by(|a, b| a.id().cmp(b.id()));
        all
    }

    /// The bridge of this id.
    pub fn bridge(&self, id: &BridgeId) -> Option<Arc<BridgeSnapshot>> {
        self.caches.bridges.get(id).filter(|b| !b.is_gone).map(|cached| cached.new.clone())
    }

    /// All bridges, by their ids.
    pub fn bridges(&self) -> Vec<Arc<BridgeSnapshot>> {
        let dump = self.caches.bridges.dump();
        let there = dump.iter().filter(|cached| !cached.is_gone);
        let mut all: Vec<_> = there.map(|cached| cached.new.clone()).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// The endpoint of this name: `Test/alice`.
    pub fn endpoint(&self, name: &str) -> Option<Arc<EndpointSnapshot>> {
        self.caches.endpoints.get(&name.into()).map(|cached| cached.new.clone())
    }

    /// All endpoints, by their names.
    pub fn endpoints(&self) -> Vec<Arc<EndpointSnapshot>> {
        let dump = self.caches.endpoints.dump();
        let mut all: Vec<_> = dump.iter().map(|cached| cached.new.clone()).collect();
        all.sort_by_key(|endpoint| endpoint.name());
        all
    }

    /// The application of this name.
    pub fn application(&self, name: &AppName) -> Option<Arc<ApplicationSnapshot>> {
        let cached = self.caches.applications.get(name).filter(|cached| !cached.is_gone);
        cached.map(|cached| cached.new.clone())
    }

    /// All applications, by their names.
    pub fn applications(&self) -> Vec<Arc<ApplicationSnapshot>> {
        let dump = self.caches.applications.dump();
        let there = dump.iter().filter(|cached| !cached.is_gone);
        let mut all: Vec<_> = there.map(|cached| cached.new.clone()).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// What a device does; none: it is not known.
    pub fn device(&self, name: &str) -> Option<DeviceState> {
        self.caches.devices.get(&name.into()).map(|cached| cached.state)
    }

    /// All devices that are known, by their names.
    pub fn devices(&self) -> Vec<DeviceUpdate> {
        let dump = self.caches.devices.dump();
        let mut all: Vec<_> = dump.iter().map(|cached| DeviceUpdate::clone(cached)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// The mailbox of this name.
    pub fn mailbox(&self, name: &str) -> Option<MailboxUpdate> {
        self.caches.mailboxes.get(&name.into()).map(|cached| MailboxUpdate::clone(&cached))
    }

    /// All mailboxes, by their names.
    pub fn mailboxes(&self) -> Vec<MailboxUpdate> {
        let dump = self.caches.mailboxes.dump();
        let mut all: Vec<_> = dump.iter().map(|cached| MailboxUpdate::clone(cached)).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    /// Somebody's presence, by its provider.
    pub fn presence(&self, provider: &str) -> Option<PresenceUpdate> {
        self.caches.presences.get(&provider.into()).map(|cached| PresenceUpdate::clone(&cached))
    }

    /// The playback of this id, as long as it is not over.
    pub fn playback(&self, id: &PlaybackId) -> Option<Arc<PlaybackSnapshot>> {
        let cached = self.caches.playbacks.get(id)?;
        Some(cached.playback.clone()).filter(|playback| !playback.state.is_final())
    }

    /// The recording of this name, as long as it is not over.
    pub fn recording(&self, name: &str) -> Option<Arc<RecordingSnapshot>> {
        let cached = self.caches.recordings.get(&name.into())?;
        Some(cached.recording.clone()).filter(|recording| !recording.state.is_final())
    }
}

/// The topics. An object's own is made with it, and ends with it; those of a kind are forwarded to one that
/// has all: `channel:all`, `bridge:all`, `endpoint:all`, `application:all`, `stasis:all`.
pub(crate) struct Topics {
    pub(crate) bus: Bus,
    channels: TopicPool,
    bridges: TopicPool,
    endpoints: TopicPool,
    devices: TopicPool,
    applications: TopicPool,
    stays: TopicPool,
    pub(crate) mailboxes: Topic,
    pub(crate) presences: Topic,
    pub(crate) variables: Topic,
    pub(crate) playbacks: Topic,
    pub(crate) recordings: Topic,
    pub(crate) messages: Topic,
    state: State,
}

impl Topics {
    pub(crate) fn new(bus: &Bus) -> Result<Self, BusEnded> {
        let pool = |name| TopicPool::new(bus, name);
        let (channels, bridges) = (pool("channel:all"), pool("bridge:all"));
        let (endpoints, devices) = (pool("endpoint:all"), pool("deviceState:all"));
        let (applications, stays) = (pool("application:all"), pool("stasis:all"));
        let (mailboxes, presences) = (bus.topic("mwi:all"), bus.topic("presence:all"));
        let (playbacks, recordings) = (bus.topic("playback:all"), bus.topic("recording:all"));
        let caches = Caches {
            channels: Cache::new(bus, channels.all())?,
            bridges: Cache::new(bus, bridges.all())?,
            endpoints: Cache::new(bus, endpoints.all())?,
            applications: Cache::new(bus, stays.all())?,
            devices: Cache::new(bus, devices.all())?,
            mailboxes: Cache::new(bus, &mailboxes)?,
            presences: Cache::new(bus, &presences)?,
            playbacks: Cache::new(bus, &playbacks)?,
            recordings: Cache::new(bus, &recordings)?,
        };
        Ok(Topics {
            bus: bus.clone(),
            channels,
            bridges,
            endpoints,
            devices,
            applications,
            stays,
            mailboxes,
            presences,
            variables: bus.topic("variable:all"),
            playbacks,
            recordings,
            messages: bus.topic("message:all"),
            state: State { caches: Arc::new(caches) },
        })
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// The topic of a channel.
    pub(crate) fn channel(&self, id: &ChannelId) -> Arc<Pooled> {
        member(&self.channels, "channel", id)
    }

    /// The topic of a bridge.
    pub(crate) fn bridge(&self, id: &BridgeId) -> Arc<Pooled> {
        member(&self.bridges, "bridge", id)
    }

    /// The topic of an endpoint, for as long as somebody asks for it.
    pub(crate) fn endpoint(&self, name: &str) -> Arc<Pooled> {
        member(&self.endpoints, "endpoint", name)
    }

    pub(crate) fn all_endpoints(&self) -> &Topic {
        self.endpoints.all()
    }

    pub(crate) fn all_devices(&self) -> &Topic {
        self.devices.all()
    }

    /// The topic of an application.
    pub(crate) fn application(&self, name: &AppName) -> Arc<Pooled> {
        member(&self.applications, "application", name)
    }

    /// The topic of what concerns an application itself; all of it is forwarded to the application's.
    pub(crate) fn stays(&self, name: &AppName) -> Arc<Pooled> {
        member(&self.stays, "stasis", name)
    }

    pub(crate) fn all_stays(&self) -> &Topic {
        self.stays.all()
    }

    /// Something is gone: it is kept no longer.
    pub(crate) fn clear<S: Snapshot>(topic: &Topic, key: S::Key) {
        topic.publish(Clear::<S>(key));
    }
}

fn member(pool: &TopicPool, kind: &str, name: &str) -> Arc<Pooled> {
    // An object may be called `all`, as the pool's own topic is. No id has a control character.
    let end = if name == "all" { "\0" } else { "" };
    pool.topic(&format!("{kind}:{name}{end}")).expect("nothing else forwards these topics")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_may_be_called_all() {
        let topics = Topics::new(&Bus::new(stasis_bus::Settings::default()).unwrap()).unwrap();
        let (of_one, of_all) = (topics.channel(&ChannelId::made("all")), topics.channels.all());
        assert_ne!(of_one.id(), of_all.id());
        let application = topics.application(&AppName::made("all"));
        assert_ne!(application.id(), topics.applications.all().id());
    }
}
