//! Looks at the snapshots that there are: they agree with each other, and with what was told.

use std::collections::BTreeSet;
use std::sync::Arc;

use stasis_control::State;
use stasis_control::bridge::BridgeTechnology;
use stasis_control::id::PlaybackId;
use stasis_control::playback::PlaybackState;

use crate::picks::{PLAYBACKS, RECORDINGS};
use crate::watch::Told;

pub fn look(state: &State, told: &Told) {
    channels_and_bridges(state, told);
    endpoints(state, told);
    playbacks(state, told);
    recordings(state, told);
}

fn channels_and_bridges(state: &State, told: &Told) {
    let (channels, bridges) = (state.channels(), state.bridges());
    assert_eq!(channels.len(), told.channels.len(), "not those that were told");
    assert_eq!(bridges.len(), told.bridges.len(), "not those that were told");
    for (id, last) in &told.channels {
        let channel = channels.iter().find(|channel| **channel.id() == **id);
        let channel = channel.unwrap_or_else(|| panic!("{id} is not found"));
        assert!(Arc::ptr_eq(channel, last), "{id} is not what was told");
        if let Some(bridge) = &channel.bridge {
            let bridge = state.bridge(bridge).unwrap_or_else(|| panic!("{id} is in {bridge}"));
            assert!(bridge.channels.contains(channel.id()), "{id} is not in {bridge:?}");
        }
    }
    for (id, last) in &told.bridges {
        let bridge = bridges.iter().find(|bridge| *bridge.id == **id);
        let bridge = bridge.unwrap_or_else(|| panic!("{id} is not found"));
        assert!(Arc::ptr_eq(bridge, last), "{id} is not what was told");
        for channel in bridge.channels.iter() {
            let found = state.channel(channel).unwrap_or_else(|| panic!("{channel} in {id}"));
            assert_eq!(found.bridge, Some(bridge.id.clone()), "{channel} is in {id}");
        }
        let suitable = match bridge.channels.len() {
            _ if bridge.kind.holding => BridgeTechnology::Holding,
            0..=2 => BridgeTechnology::Simple,
            _ => BridgeTechnology::Softmix,
        };
        assert_eq!(bridge.technology, suitable, "{bridge:?}");
    }
}

fn endpoints(state: &State, told: &Told) {
    for endpoint in state.endpoints() {
        let name = format!("{}-", endpoint.name());
        let own = told.channels.iter().filter(|(_, channel)| channel.base.name.starts_with(&name));
        let own: BTreeSet<_> = own.map(|(_, channel)| channel.id().clone()).collect();
        assert_eq!(endpoint.channels, own, "{name}");
    }
}

fn playbacks(state: &State, told: &Told) {
    for (id, (count, last)) in &told.playbacks {
        let cached = state.playback(&PlaybackId::new(id).unwrap());
        if *count == 1 && !told.shared.contains(id) {
            assert_eq!(cached.map(|playback| playback.state), Some(*last), "{id}");
        } else if let Some(playback) = cached {
            assert!(!matches!(playback.state, PlaybackState::Done | PlaybackState::Failed));
        }
    }
    for id in PLAYBACKS {
        let cached = state.playback(&PlaybackId::new(id).unwrap());
        assert!(cached.is_none() || told.playbacks.contains_key(id), "{id}: {cached:?}");
    }
}

fn recordings(state: &State, told: &Told) {
    for (name, last) in &told.recordings {
        let cached = state.recording(name).unwrap_or_else(|| panic!("{name} is not found"));
        assert_eq!(cached.state, *last, "{name}");
    }
    for name in RECORDINGS {
        let cached = state.recording(name);
        assert_eq!(cached.is_some(), told.recordings.contains_key(name), "{name}: {cached:?}");
    }
}
