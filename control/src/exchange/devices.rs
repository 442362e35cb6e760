//! Endpoints, devices, presence and mailboxes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::Exchange;
use crate::apps::AppKey;
use crate::channel::{Channel, ChannelKey, ChannelState, device_of};
use crate::device::{DeviceState, Presence};
use crate::endpoint::{EndpointSnapshot, EndpointState};
use crate::message::{DeviceUpdate, EndpointUpdate, MailboxUpdate, PresenceUpdate, TextMessage};
use crate::refusal::Refusal;
use crate::topics::Topics;

/// What the names of devices begin with whose states are for clients to set.
const OURS: &str = "Stasis:";

/// Who can be called.
#[derive(Default)]
pub(super) struct Endpoints {
    endpoints: HashMap<Arc<str>, Arc<EndpointSnapshot>>,
    /// How many there are of each technology.
    technologies: BTreeMap<Arc<str>, usize>,
}

impl Endpoints {
    /// Whether there is this endpoint, or this technology.
    pub(super) fn has(&self, name: &str) -> bool {
        self.endpoints.contains_key(name) || self.technologies.contains_key(name)
    }
}

/// What devices do by the channels that they have.
#[derive(Default)]
pub(super) struct Devices {
    channels: HashMap<Arc<str>, BTreeMap<ChannelKey, DeviceState>>,
}

/// What a device does by one of its channels.
fn state_by(channel: &Channel) -> DeviceState {
    match channel.state {
        ChannelState::Up if channel.held => DeviceState::Onhold,
        ChannelState::Up | ChannelState::Dialing | ChannelState::OffHook => DeviceState::Inuse,
        ChannelState::Ringing => DeviceState::Ringing,
        ChannelState::Busy => DeviceState::Busy,
        _ => DeviceState::NotInuse,
    }
}

impl Exchange {
    /// Adds endpoints that can be called, as `technology/resource`.
    pub fn add_endpoints(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names {
            let Some((technology, resource)) = name.split_once('/') else { continue };
            let snapshot = Arc::new(EndpointSnapshot {
                technology: technology.into(),
                resource: resource.into(),
                state: EndpointState::Online,
                channels: BTreeSet::new(),
            });
            *self.endpoints.technologies.entry(snapshot.technology.clone()).or_default() += 1;
            self.endpoints.endpoints.insert(name.as_str().into(), snapshot.clone());
            let update = EndpointUpdate { new: snapshot, is_gone: false };
            self.tell_apps(&self.apps.of_endpoint(&name).collect(), &update);
            self.topics.all_endpoints().publish(update);
        }
    }

    /// Whether an endpoint can be reached has changed.
    ///
    /// # Errors
    /// [`Refusal::NoEndpoint`].
    pub fn set_endpoint_state(&mut self, name: &str, state: EndpointState) -> Result<(), Refusal> {
        if !self.endpoints.endpoints.contains_key(name) {
            return Err(Refusal::NoEndpoint(name.into()));
        }
        self.change_endpoint(name, |endpoint| endpoint.state = state);
        Ok(())
    }

    fn change_endpoint(&mut self, name: &str, change: impl FnOnce(&mut EndpointSnapshot)) {
        let Some(endpoint) = self.endpoints.endpoints.get_mut(name) else { return };
        let before = endpoint.clone();
        change(Arc::make_mut(endpoint));
        if before != *endpoint {
            let update = EndpointUpdate { new: endpoint.clone(), is_gone: false };
            let apps: BTreeSet<AppKey> = self.apps.of_endpoint(name).collect();
            self.tell(&self.topics.endpoint(name), &apps, &update);
        }
    }

    /// An endpoint has one channel more, or less.
    pub(super) fn note_endpoint(&mut self, key: ChannelKey, has_it: bool) {
        let Some(channel) = self.channels.get(key) else { return };
        let (Some(name), id) = (channel.endpoint.clone(), channel.id.clone()) else { return };
        self.change_endpoint(&name, |endpoint| {
            match has_it {
                true => endpoint.channels.insert(id),
                false => endpoint.channels.remove(&id),
            };
        });
    }

    /// What a channel's device does may have changed.
    pub(super) fn note_device(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get(key) else { return };
        let state = state_by(channel);
        let name: Arc<str> = device_of(channel.name()).into();
        self.devices.channels.entry(name.clone()).or_default().insert(key, state);
        self.tell_device(name);
    }

    /// A channel is gone: so is what its device has done by it.
    pub(super) fn note_device_of(&mut self, channel: &Channel) {
        let name: Arc<str> = device_of(channel.name()).into();
        let Some(channels) = self.devices.channels.get_mut(&name) else { return };
        channels.retain(|key, _| self.channels.contains_key(*key));
        let is_idle = channels.is_empty();
        self.tell_device(name.clone());
        if is_idle {
            // Nobody asks what a device does that has no calls; who did was told.
            self.devices.channels.remove(&name);
            Topics::clear::<DeviceUpdate>(self.topics.all_devices(), name);
        }
    }

    fn tell_device(&mut self, name: Arc<str>) {
        let channels = self.devices.channels.get(&name);
        let states = channels.into_iter().flat_map(|channels| channels.values().copied());
        let state = DeviceState::of_channels(states);
        self.publish_device(DeviceUpdate { name, state });
    }

    /// Publishes what a device does, if that is something else than before.
    fn publish_device(&self, update: DeviceUpdate) {
        if self.topics.state().device(&update.name) == Some(update.state) {
            return;
        }
        let apps: BTreeSet<AppKey> = self.apps.of_device(&update.name).collect();
        self.tell(self.topics.all_devices(), &apps, &update);
    }

    /// Sets what a device does, one of those that begin with `Stasis:`.
    ///
    /// # Errors
    /// [`Refusal::NotOurDevice`].
    pub fn set_device_state(&mut self, name: &str, state: DeviceState) -> Result<(), Refusal> {
        if !name.starts_with(OURS) {
            return Err(Refusal::NotOurDevice(name.into()));
        }
        self.publish_device(DeviceUpdate { name: name.into(), state });
        Ok(())
    }

    /// What a device does is not known any more, one of those that begin with `Stasis:`.
    ///
    /// # Errors
    /// [`Refusal::NotOurDevice`].
    pub fn delete_device_state(&mut self, name: &str) -> Result<(), Refusal> {
        if !name.starts_with(OURS) {
            return Err(Refusal::NotOurDevice(name.into()));
        }
        if self.topics.state().device(name).is_some() {
            Topics::clear::<DeviceUpdate>(self.topics.all_devices(), name.into());
        }
        Ok(())
    }

    /// Sets what somebody says of being there.
    pub fn set_presence(&mut self, provider: &str, state: Presence, subtype: &str, message: &str) {
        let (subtype, message) = (subtype.into(), message.into());
        let update = PresenceUpdate { provider: provider.into(), state, subtype, message };
        if self.topics.state().presence(provider).as_ref() != Some(&update) {
            self.topics.presences.publish(update);
        }
    }

    /// Sets how many messages wait in a mailbox; it is made if it is not there.
    pub fn set_mailbox(&mut self, name: &str, old_messages: i64, new_messages: i64) {
        let update = MailboxUpdate { name: name.into(), old_messages, new_messages };
        if self.topics.state().mailbox(name).as_ref() != Some(&update) {
            self.topics.mailboxes.publish(update);
        }
    }

    /// Deletes a mailbox.
    ///
    /// # Errors
    /// [`Refusal::NoMailbox`].
    pub fn delete_mailbox(&mut self, name: &str) -> Result<(), Refusal> {
        if self.topics.state().mailbox(name).is_none() {
            return Err(Refusal::NoMailbox(name.into()));
        }
        Topics::clear::<MailboxUpdate>(&self.topics.mailboxes, name.into());
        Ok(())
    }

    /// A text has come from an endpoint, or from outside to one, with `variables` beside it: the applications
    /// that have asked for it are told.
    ///
    /// # Errors
    /// [`Refusal::NoEndpoint`].
    pub fn text_message(
        &mut self,
        endpoint: &str,
        from: &str,
        to: &str,
        body: &str,
        variables: serde_json::Map<String, serde_json::Value>,
    ) -> Result<(), Refusal> {
        let absent = || Refusal::NoEndpoint(endpoint.into());
        let found = self.endpoints.endpoints.get(endpoint).ok_or_else(absent)?;
        let message = TextMessage {
            from: from.into(),
            to: to.into(),
            body: body.into(),
            variables,
            endpoint: Some(found.clone()),
            at: self.time(),
        };
        let apps: BTreeSet<AppKey> = self.apps.of_endpoint(endpoint).collect();
        self.tell(&self.topics.messages, &apps, &message);
        Ok(())
    }
}
