//! The states of devices and people, and what waits in their mailboxes.

use serde::Serialize;

/// What a device does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeviceState {
    /// It is not known.
    #[default]
    Unknown,
    /// Nothing.
    NotInuse,
    /// It is in a call.
    Inuse,
    /// It is busy.
    Busy,
    /// There is no such device.
    Invalid,
    /// It cannot be reached.
    Unavailable,
    /// It rings.
    Ringing,
    /// It is in a call, and rings for another.
    Ringinuse,
    /// It is on hold.
    Onhold,
}

impl DeviceState {
    /// All, in the order of their numbers.
    pub const ALL: [DeviceState; 9] = [
        DeviceState::Unknown,
        DeviceState::NotInuse,
        DeviceState::Inuse,
        DeviceState::Busy,
        DeviceState::Invalid,
        DeviceState::Unavailable,
        DeviceState::Ringing,
        DeviceState::Ringinuse,
        DeviceState::Onhold,
    ];

    /// As clients know it.
    pub fn name(self) -> &'static str {
        match self {
            DeviceState::Unknown => "UNKNOWN",
            DeviceState::NotInuse => "NOT_INUSE",
            DeviceState::Inuse => "INUSE",
            DeviceState::Busy => "BUSY",
            DeviceState::Invalid => "INVALID",
            DeviceState::Unavailable => "UNAVAILABLE",
            DeviceState::Ringing => "RINGING",
            DeviceState::Ringinuse => "RINGINUSE",
            DeviceState::Onhold => "ONHOLD",
        }
    }

    /// Reads a name, in capitals or not. `UNKNOWN` cannot be set, so it is not read.
    pub fn parse(name: &str) -> Option<Self> {
        let is_it = |state: &DeviceState| state.name().eq_ignore_ascii_case(name);
        DeviceState::ALL.into_iter().find(is_it).filter(|state| *state != DeviceState::Unknown)
    }

    /// What a device does that has channels which do these.
    pub fn of_channels(channels: impl Iterator<Item = DeviceState>) -> Self {
        let (mut rings, mut used, mut held, mut busy) = (false, false, false, false);
        for state in channels {
            match state {
                DeviceState::Ringing => rings = true,
                DeviceState::Inuse => used = true,
                DeviceState::Onhold => held = true,
                DeviceState::Busy => busy = true,
                _ => {}
            }
        }
        match (rings, used || held) {
            (true, true) => DeviceState::Ringinuse,
            (true, false) => DeviceState::Ringing,
            (false, true) if !used => DeviceState::Onhold,
            (false, true) => DeviceState::Inuse,
            (false, false) if busy => DeviceState::Busy,
            (false, false) => DeviceState::NotInuse,
        }
    }
}

/// What somebody says of being there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// Nothing was said.
    #[default]
    NotSet,
    /// Out of reach.
    Unavailable,
    /// There.
    Available,
    /// Away.
    Away,
    /// Away for long.
    Xa,
    /// There, and would like to talk.
    Chat,
    /// There, and not to be disturbed.
    Dnd,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_as_they_are_written() {
        for state in DeviceState::ALL {
            let json = serde_json::to_value(state).unwrap();
            assert_eq!(json, state.name());
            let read = DeviceState::parse(&state.name().to_lowercase());
            assert_eq!(read, Some(state).filter(|state| *state != DeviceState::Unknown));
        }
        assert_eq!(DeviceState::parse("NONSENSE"), None);
    }

    #[test]
    fn a_device_does_what_its_channels_do_together() {
        use DeviceState::{Busy, Inuse, NotInuse, Onhold, Ringing, Ringinuse};
        let of = |states: &[DeviceState]| DeviceState::of_channels(states.iter().copied());
        assert_eq!(of(&[]), NotInuse);
        assert_eq!(of(&[Ringing]), Ringing);
        assert_eq!(of(&[Ringing, Inuse]), Ringinuse);
        assert_eq!(of(&[Inuse, Onhold]), Inuse);
        assert_eq!(of(&[Onhold]), Onhold);
        assert_eq!(of(&[Busy, NotInuse]), Busy);
    }
}
