//! Applications: who listens, and what each has asked for.

use std::sync::Arc;

use stasis_bus::Topic;

use super::Exchange;
use crate::application::{ApplicationSnapshot, Interests, Source};
use crate::apps::{App, AppKey};
use crate::channel::ChannelKey;
use crate::dialplan::{Context, Dialplan};
use crate::endpoint::EndpointSnapshot;
use crate::id::AppName;
use crate::message::{ApplicationEvent, ApplicationHappening, ApplicationUpdate, UserEvent};
use crate::refusal::Refusal;
use crate::topics::Topics;

/// Somebody listens to an application: by this they are told from who listens after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Registration(u64);

impl Exchange {
    /// Somebody listens to an application from now on, in the place of who has before, who is told
    /// [`Replaced`](ApplicationHappening::Replaced). `subscribe` is called with the application's topic after
    /// that, and before anything else is published there.
    ///
    /// With the application comes, and goes, the context `stasis-NAME` in the dialplan, which sends every call to
    /// it.
    pub fn register<T>(
        &mut self,
        name: &AppName,
        subscribe: impl FnOnce(&Topic) -> T,
    ) -> (Registration, T) {
        let listener = self.apps.next_listener();
        let key = self.apps.find(name).unwrap_or_else(|| {
            let (topic, own) = (self.topics.application(name), self.topics.stays(name));
            let forward = own.forward_to(&topic).expect("nothing else forwards these topics");
            self.apps.insert(App {
                name: name.clone(),
                topic,
                own,
                _forward: forward,
                listener: None,
                channels: Interests::default(),
                bridges: Interests::default(),
                endpoints: Interests::default(),
                devices: Interests::default(),
                filter: Arc::default(),
                version: 0,
                stays: 0,
                has_context: false,
            })
        });
        if self.apps.get(key).is_some_and(|app| app.listener.is_some()) {
            self.tell_app(key, ApplicationHappening::Replaced);
        }
        let app = self.apps.get_mut(key).expect("it was just found or made");
        app.listener = Some(listener);
        let subscription = subscribe(&app.topic);
        self.add_context_of(key);
        self.tell_app(key, ApplicationHappening::Registered);
        self.publish_app(key);
        (Registration(listener), subscription)
    }

    /// Nobody listens any more. Who was replaced meanwhile changes nothing by that. The application stays,
    /// inactive, as long as there is something that it has asked for.
    pub fn deactivate(&mut self, name: &AppName, registration: Registration) {
        let Some(key) = self.apps.find(name) else { return };
        let app = self.apps.get_mut(key).expect("it was just found");
        if app.listener == Some(registration.0) {
            app.listener = None;
            self.publish_app(key);
        }
    }

    /// Every call to the context `stasis-NAME` goes to the application, if nobody else has made one.
    pub(super) fn add_context_of(&mut self, key: AppKey) {
        let Some(app) = self.apps.get_mut(key) else { return };
        let context = context_of(&app.name);
        if self.dialplan.contexts().all(|known| known != context) {
            self.dialplan = application_context(&self.dialplan, &context, &app.name);
            app.has_context = true;
        }
    }

    /// Publishes what an application is; one that nobody has any use for is gone.
    pub(super) fn publish_app(&mut self, key: AppKey) {
        let Some(app) = self.apps.get_mut(key) else { return };
        let (name, is_gone) = (app.name.clone(), app.is_abandoned());
        if is_gone && app.has_context {
            self.dialplan = self.dialplan.without_context(&context_of(&name));
        }
        let new = Arc::new(app.snapshot());
        app.own.publish(ApplicationUpdate { new, is_gone });
        if is_gone {
            self.tell_app(key, ApplicationHappening::Unregistered);
            Topics::clear::<ApplicationUpdate>(self.topics.all_stays(), name);
            self.apps.remove(key);
            self.channels.values_mut().for_each(|channel| {
                channel.listeners.remove(&key);
            });
            self.bridges.values_mut().for_each(|bridge| {
                bridge.listeners.remove(&key);
            });
        }
    }

    fn application_now(&mut self, key: AppKey) -> Arc<ApplicationSnapshot> {
        Arc::new(self.apps.get_mut(key).expect("it was just found").snapshot())
    }

    pub(super) fn tell_app(&self, key: AppKey, event: ApplicationHappening) {
        if let Some(app) = self.apps.get(key) {
            let (application, at) = (app.name.clone(), self.time());
            app.own.publish(ApplicationEvent { application, event, at });
        }
    }

    fn find_app(&self, name: &str) -> Result<AppKey, Refusal> {
        self.apps.find(name).ok_or_else(|| Refusal::NoApplication(name.into()))
    }

    /// An application asks for the events of these, once more each. Stops at the first that is not there;
    /// those before it are asked for.
    ///
    /// # Errors
    /// [`Refusal::NoApplication`] or [`Refusal::NoSource`].
    pub fn subscribe(
        &mut self,
        app: &str,
        sources: &[Source],
    ) -> Result<Arc<ApplicationSnapshot>, Refusal> {
        let key = self.find_app(app)?;
        let outcome = sources.iter().try_for_each(|source| self.subscribe_one(key, source));
        self.publish_app(key);
        outcome.map(|()| self.application_now(key))
    }

    fn subscribe_one(&mut self, key: AppKey, source: &Source) -> Result<(), Refusal> {
        let absent = || Refusal::NoSource(source.to_string());
        match source {
            Source::Channel(Some(id)) => {
                let channel = *self.channel_ids.get(id).ok_or_else(absent)?;
                self.listen(key, channel);
            }
            Source::Bridge(Some(id)) => {
                let bridge = *self.bridge_ids.get(id).ok_or_else(absent)?;
                self.listen_to_bridge(key, bridge);
            }
            Source::Endpoint(Some(name)) => {
                if !self.endpoints.has(name) {
                    return Err(absent());
                }
                if self.apps.get_mut(key).expect("it was found").endpoints.add(name) {
                    self.apps.endpoints.insert(name, key);
                }
            }
            Source::Device(Some(name)) => {
                if self.apps.get_mut(key).expect("it was found").devices.add(name) {
                    self.apps.devices.insert(name, key);
                }
            }
            Source::Channel(None) => {
                self.apps.get_mut(key).expect("it was found").channels.all = true;
                self.apps.all_channels.insert(key);
            }
            Source::Bridge(None) => {
                self.apps.get_mut(key).expect("it was found").bridges.all = true;
                self.apps.all_bridges.insert(key);
            }
            Source::Endpoint(None) => {
                self.apps.get_mut(key).expect("it was found").endpoints.all = true;
                self.apps.all_endpoints.insert(key);
            }
            Source::Device(None) => {
                self.apps.get_mut(key).expect("it was found").devices.all = true;
                self.apps.all_devices.insert(key);
            }
        }
        Ok(())
    }

    /// An application lets go of these, once each. Stops at the first that it has not asked for.
    ///
    /// # Errors
    /// [`Refusal::NoApplication`], [`Refusal::NotSubscribed`], or [`Refusal::AllOfAKind`] for all of a kind,
    /// but devices.
    pub fn unsubscribe(
        &mut self,
        app: &str,
        sources: &[Source],
    ) -> Result<Arc<ApplicationSnapshot>, Refusal> {
        let key = self.find_app(app)?;
        let outcome = sources.iter().try_for_each(|source| self.unsubscribe_one(key, source));
        let snapshot = self.application_now(key);
        self.publish_app(key);
        outcome.map(|()| snapshot)
    }

    fn unsubscribe_one(&mut self, key: AppKey, source: &Source) -> Result<(), Refusal> {
        let absent = || Refusal::NotSubscribed(source.to_string());
        let app = self.apps.get_mut(key).expect("it was found");
        match source {
            Source::Channel(Some(id)) => {
                if app.channels.remove(id).ok_or_else(absent)?
                    && let Some(channel) = self.channel_ids.get(id)
                {
                    self.channels[*channel].listeners.remove(&key);
                }
            }
            Source::Bridge(Some(id)) => {
                if app.bridges.remove(id).ok_or_else(absent)?
                    && let Some(bridge) = self.bridge_ids.get(id)
                {
                    self.bridges[*bridge].listeners.remove(&key);
                }
            }
            Source::Endpoint(Some(name)) => {
                if app.endpoints.remove(name).ok_or_else(absent)? {
                    self.apps.endpoints.remove(name, key);
                }
            }
            Source::Device(Some(name)) => {
                if app.devices.remove(name).ok_or_else(absent)? {
                    self.apps.devices.remove(name, key);
                }
            }
            Source::Device(None) if app.devices.all => {
                app.devices.all = false;
                self.apps.all_devices.remove(&key);
            }
            Source::Device(None) => return Err(absent()),
            Source::Channel(None) | Source::Bridge(None) | Source::Endpoint(None) => {
                return Err(Refusal::AllOfAKind);
            }
        }
        Ok(())
    }

    /// Sets which types of events an application wants to be told of; what is none stays as it is.
    ///
    /// # Errors
    /// [`Refusal::NoApplication`].
    pub fn set_filter(
        &mut self,
        app: &str,
        allowed: Option<Vec<String>>,
        disallowed: Option<Vec<String>>,
    ) -> Result<Arc<ApplicationSnapshot>, Refusal> {
        let key = self.find_app(app)?;
        let filter = &mut self.apps.get_mut(key).expect("it was just found").filter;
        let filter = Arc::make_mut(filter);
        filter.allowed = allowed.unwrap_or_else(|| std::mem::take(&mut filter.allowed));
        filter.disallowed = disallowed.unwrap_or_else(|| std::mem::take(&mut filter.disallowed));
        let snapshot = self.application_now(key);
        self.publish_app(key);
        Ok(snapshot)
    }

    /// An application asks for what happens to a channel, once more.
    pub(super) fn listen(&mut self, app: AppKey, channel: ChannelKey) {
        let Some(channel) = self.channels.get_mut(channel) else { return };
        if self.apps.get_mut(app).is_some_and(|app| app.channels.add(&channel.id)) {
            channel.listeners.insert(app);
        }
    }

    /// As [`listen`](Self::listen), for one that may not be there.
    pub(super) fn listen_to_channel(&mut self, app: &str, channel: ChannelKey) {
        if let Some(app) = self.apps.find(app) {
            self.listen(app, channel);
            self.publish_app(app);
        }
    }

    pub(super) fn listen_to_bridge(&mut self, app: AppKey, bridge: super::BridgeKey) {
        let Some(bridge) = self.bridges.get_mut(bridge) else { return };
        if self.apps.get_mut(app).is_some_and(|app| app.bridges.add(&bridge.id)) {
            bridge.listeners.insert(app);
        }
    }

    /// An application lets go of a bridge once, if it has asked for it.
    pub(super) fn unlisten_bridge(&mut self, app: AppKey, bridge: super::BridgeKey) {
        let Some(bridge) = self.bridges.get_mut(bridge) else { return };
        let removed = self.apps.get_mut(app).and_then(|app| app.bridges.remove(&bridge.id));
        if removed == Some(true) {
            bridge.listeners.remove(&app);
        }
    }

    /// Publishes something of a user's own, for an application, about these.
    ///
    /// # Errors
    /// [`Refusal::NoApplication`], or [`Refusal::NoSource`] for what is not there.
    pub fn user_event(
        &mut self,
        app: &str,
        name: &str,
        body: serde_json::Map<String, serde_json::Value>,
        sources: &[Source],
    ) -> Result<(), Refusal> {
        let key = self.find_app(app)?;
        let (mut channel, mut bridge) = (None, None);
        let mut endpoint: Option<Arc<EndpointSnapshot>> = None;
        for source in sources {
            let absent = || Refusal::NoSource(source.to_string());
            match source {
                Source::Channel(Some(id)) => {
                    let found = self.topics.state().channel(id).ok_or_else(absent)?;
                    channel.get_or_insert(found);
                }
                Source::Bridge(Some(id)) => {
                    let found = self.topics.state().bridge(id).ok_or_else(absent)?;
                    bridge.get_or_insert(found);
                }
                Source::Endpoint(Some(name)) => {
                    let found = self.topics.state().endpoint(name).ok_or_else(absent)?;
                    endpoint.get_or_insert(found);
                }
                _ => return Err(absent()),
            }
        }
        let at = self.time();
        let event = UserEvent { name: name.into(), body, channel, bridge, endpoint, at };
        let app = self.apps.get(key).expect("it was just found");
        app.own.publish(event);
        Ok(())
    }
}

/// The name of the context that is made for an application.
fn context_of(app: &AppName) -> String {
    format!("stasis-{app}")
}

/// A dialplan with one more context, in which every call goes to an application.
fn application_context(dialplan: &Dialplan, context: &str, app: &str) -> Dialplan {
    let stasis = format!("Stasis({app})");
    let made = Context::new(context).extension("_.", &[stasis.as_str()]);
    match made.and_then(|made| made.extension("h", &["NoOp()"])) {
        Ok(made) => dialplan.with_context(made),
        Err(problem) => {
            tracing::warn!(%app, %problem, "no context of its own for this application");
            dialplan.clone()
        }
    }
}
