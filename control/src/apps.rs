//! The applications that there are, and what each has asked for.
//!
//! Interest is counted: who asks three times has to let go three times. Who has asked for all of a kind
//! has asked for everything of it; asking by name changes nothing then.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use slotmap::SlotMap;
use stasis_bus::{Forward, Pooled};

use crate::application::{ApplicationSnapshot, EventFilter, Interests};
use crate::id::AppName;

slotmap::new_key_type! {
    /// Names an application within its exchange.
    pub(crate) struct AppKey;
}

/// An application, as its owner knows it.
pub(crate) struct App {
    pub(crate) name: AppName,
    /// What it is told: all that it has asked for, and what concerns it.
    pub(crate) topic: Arc<Pooled>,
    /// What concerns it: who has come and left, and what it is.
    pub(crate) own: Arc<Pooled>,
    /// From the second to the first.
    pub(crate) _forward: Forward,
    /// Who listens; none: nobody.
    pub(crate) listener: Option<u64>,
    pub(crate) channels: Interests,
    pub(crate) bridges: Interests,
    pub(crate) endpoints: Interests,
    pub(crate) devices: Interests,
    pub(crate) filter: Arc<EventFilter>,
    /// Of what was told of it last.
    pub(crate) version: u64,
    /// How many channels are in it.
    pub(crate) stays: usize,
    /// Whether the dialplan has a context that was made for it.
    pub(crate) has_context: bool,
}

impl Interests {
    /// One asks once more; `true`: for the first time.
    pub(crate) fn add(&mut self, name: &str) -> bool {
        let before = self.counts.get_key_value(name).map(|(name, count)| (name.clone(), *count));
        let is_first = before.is_none() && !self.all;
        match before {
            Some((name, count)) => self.counts.insert_mut(name, count.saturating_add(1)),
            None if !self.all => self.counts.insert_mut(name.into(), 1),
            None => {}
        }
        is_first
    }

    /// One lets go once; none: it was not asked for; `true`: nobody asks any more.
    pub(crate) fn remove(&mut self, name: &str) -> Option<bool> {
        let (name, count) =
            self.counts.get_key_value(name).map(|(name, count)| (name.clone(), *count))?;
        match count {
            0 | 1 => self.counts.remove_mut(&name),
            _ => {
                self.counts.insert_mut(name, count - 1);
                false
            }
        };
        Some(count <= 1)
    }

    /// What was asked for is gone.
    pub(crate) fn forget(&mut self, name: &str) {
        self.counts.remove_mut(name);
    }
}

impl App {
    /// Whether nobody listens, nobody is in it, and nothing is left that it has asked for.
    pub(crate) fn is_abandoned(&self) -> bool {
        let counts = [&self.channels, &self.bridges, &self.endpoints, &self.devices];
        let is_empty = self.listener.is_none() && self.stays == 0;
        is_empty && counts.into_iter().all(Interests::is_empty)
    }

    /// What it is now, which is something else than before.
    pub(crate) fn snapshot(&mut self) -> ApplicationSnapshot {
        self.version += 1;
        ApplicationSnapshot {
            version: self.version,
            name: self.name.clone(),
            is_active: self.listener.is_some(),
            channels: self.channels.clone(),
            bridges: self.bridges.clone(),
            endpoints: self.endpoints.clone(),
            devices: self.devices.clone(),
            filter: self.filter.clone(),
        }
    }
}

/// Who has asked for what, by its name. What nobody asks for has no entry.
#[derive(Debug, Default)]
pub(crate) struct Named(HashMap<Arc<str>, BTreeSet<AppKey>>);

impl Named {
    pub(crate) fn insert(&mut self, name: &Arc<str>, app: AppKey) {
        self.0.entry(name.clone()).or_default().insert(app);
    }

    pub(crate) fn remove(&mut self, name: &str, app: AppKey) {
        let Some(apps) = self.0.get_mut(name) else { return };
        apps.remove(&app);
        if apps.is_empty() {
            self.0.remove(name);
        }
    }

    /// An application is gone.
    fn remove_all(&mut self, app: AppKey) {
        self.0.retain(|_, apps| {
            apps.remove(&app);
            !apps.is_empty()
        });
    }

    fn get<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a AppKey> + use<'a> {
        self.0.get(name).into_iter().flatten()
    }
}

/// All applications.
#[derive(Default)]
pub(crate) struct Apps {
    apps: SlotMap<AppKey, App>,
    names: HashMap<AppName, AppKey>,
    /// Who has asked for all channels, bridges, endpoints, devices.
    pub(crate) all_channels: BTreeSet<AppKey>,
    pub(crate) all_bridges: BTreeSet<AppKey>,
    pub(crate) all_endpoints: BTreeSet<AppKey>,
    pub(crate) all_devices: BTreeSet<AppKey>,
    /// Who has asked for which endpoint, technology, device.
    pub(crate) endpoints: Named,
    pub(crate) devices: Named,
    last_listener: u64,
}

impl Apps {
    pub(crate) fn find(&self, name: &str) -> Option<AppKey> {
        self.names.get(name).copied()
    }

    /// The application of this name, if somebody listens.
    pub(crate) fn find_active(&self, name: &str) -> Option<AppKey> {
        self.find(name).filter(|key| self.apps[*key].listener.is_some())
    }

    pub(crate) fn get(&self, key: AppKey) -> Option<&App> {
        self.apps.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: AppKey) -> Option<&mut App> {
        self.apps.get_mut(key)
    }

    /// A number for somebody who listens from now on.
    pub(crate) fn next_listener(&mut self) -> u64 {
        self.last_listener += 1;
        self.last_listener
    }

    pub(crate) fn insert(&mut self, app: App) -> AppKey {
        let name = app.name.clone();
        let key = self.apps.insert(app);
        self.names.insert(name, key);
        key
    }

    pub(crate) fn remove(&mut self, key: AppKey) -> Option<App> {
        let app = self.apps.remove(key)?;
        self.names.remove(&app.name);
        for all in [
            &mut self.all_channels,
            &mut self.all_bridges,
            &mut self.all_endpoints,
            &mut self.all_devices,
        ] {
            all.remove(&key);
        }
        self.endpoints.remove_all(key);
        self.devices.remove_all(key);
        Some(app)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (AppKey, &App)> {
        self.apps.iter()
    }

    /// Who has asked for the endpoint of this name (`Test/alice`), its technology, or all.
    pub(crate) fn of_endpoint<'a>(&'a self, name: &str) -> impl Iterator<Item = AppKey> + 'a {
        let technology = name.split('/').next().unwrap_or_default();
        let named = [name, technology].map(|name| self.endpoints.get(name));
        named.into_iter().flatten().chain(&self.all_endpoints).copied()
    }

    /// Who has asked for the device of this name, or for all.
    pub(crate) fn of_device<'a>(&'a self, name: &str) -> impl Iterator<Item = AppKey> + 'a {
        self.devices.get(name).chain(&self.all_devices).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_asked_several_times_lets_go_as_often() {
        let mut counts = Interests::default();
        assert!(counts.add("a") && !counts.add("a"));
        assert_eq!((counts.remove("a"), counts.remove("a")), (Some(false), Some(true)));
        assert_eq!((counts.remove("a"), counts.is_empty()), (None, true));
    }

    #[test]
    fn who_has_asked_for_all_does_not_ask_by_name() {
        let mut counts = Interests::default();
        counts.add("a");
        counts.all = true;
        assert!(!counts.add("a") && !counts.add("b"));
        assert_eq!(counts.remove("b"), None);
        assert_eq!((counts.remove("a"), counts.remove("a")), (Some(false), Some(true)));
        assert!(!counts.is_empty());
    }
}
