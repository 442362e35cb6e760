//! What numbers stand for: who of those that are there, and how something is done.

use std::time::Duration;

use stasis_control::application::Source;
use stasis_control::bridge::BridgeType;
use stasis_control::media::{Keys, RecordControl, RecordHow, Way};
use stasis_control::party::Party;

use crate::command::Pick;
use crate::world::World;

/// What can be dialed, and cannot; places of the plan come in addition.
const ENDPOINTS: [&str; 18] = [
    "Echo/echo",
    "Test/answers",
    "Wild/x",
    "Test/never",
    "Test/busy",
    "Test/congested",
    "Test/rejects",
    "Test/talks",
    "Test/slow",
    "RTP/127.0.0.1:4000",
    "UnicastRTP/localhost:4002/c(ulaw)",
    "Echo",
    "Test/nobody",
    "Nobody/x",
    "Local/",
    "Snoop/x",
    "RTP/example.com:1",
    "Wild",
];
pub const PLAYBACKS: [&str; 3] = ["p0", "p1", "p2"];
pub const RECORDINGS: [&str; 4] = ["r0", "r1", "taped", "last"];

/// What numbers stand for.
impl World {
    pub fn channel(&self, pick: Pick) -> String {
        let told = &self.watch.told;
        let alive = told.channels.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        one_of(&alive, &told.gone, pick)
    }

    /// Mostly one that an application has.
    pub fn guest(&self, pick: Pick) -> String {
        let guests = self.watch.told.stays.keys().cloned().collect::<Vec<_>>();
        if pick < 100 && !guests.is_empty() {
            return one_of(&guests, &[], pick);
        }
        self.channel(pick)
    }

    /// Mostly one that is in a bridge.
    pub fn member(&self, pick: Pick) -> String {
        let told = self.watch.told.channels.iter();
        let members = told.filter(|(_, channel)| channel.bridge.is_some());
        let members = members.map(|(id, _)| id.clone()).collect::<Vec<_>>();
        if pick < 100 && !members.is_empty() {
            return one_of(&members, &[], pick);
        }
        self.channel(pick)
    }

    pub fn bridge(&self, pick: Pick) -> String {
        let alive = self.watch.told.bridges.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        one_of(&alive, &[], pick)
    }

    pub fn playback(&self, pick: Pick) -> String {
        let alive = self.watch.told.playbacks.keys().cloned().collect::<Vec<_>>();
        one_of(&alive, &["p0".into()], pick)
    }

    /// An id that is chosen; mostly none.
    pub fn id(&self, kind: char, pick: Pick) -> Option<String> {
        match pick {
            0..=2 => None,
            3..=99 => Some(format!("{kind}{}", pick % 4)),
            100..=180 => Some(format!("{kind}{};2", pick % 4)),
            181..=240 => None,
            _ => Some(["", "a\nb"][usize::from(pick % 2)].to_owned()),
        }
    }

    pub fn endpoint(&self, pick: Pick) -> String {
        let pick = usize::from(pick);
        match pick {
            0..100 => ENDPOINTS[pick % 9].to_owned(),
            100..130 => ENDPOINTS[pick % ENDPOINTS.len()].to_owned(),
            _ => {
                let keep = if pick.is_multiple_of(2) { "/n" } else { "" };
                format!("Local/{}@plan{keep}", self.extension(pick as Pick))
            }
        }
    }

    pub fn extension(&self, pick: Pick) -> &str {
        match usize::from(pick) {
            250.. => "absent",
            pick => &self.extensions[pick % self.extensions.len()],
        }
    }

    pub fn source(&self, source: Pick, of: Pick) -> Source {
        let text = match source % 16 {
            0..=4 => format!("channel:{}", self.channel(of)),
            5..=8 => format!("bridge:{}", self.bridge(of)),
            9 => "endpoint:Test/answers".into(),
            10 => "endpoint:Test".into(),
            11 => "deviceState:Test/answers".into(),
            12 => "channel:".into(),
            13 => "bridge:".into(),
            14 => "endpoint:".into(),
            _ => "deviceState:".into(),
        };
        text.parse().unwrap()
    }
}

/// One of those that are there; of large numbers one that is gone, or never was.
fn one_of(alive: &[String], gone: &[String], pick: Pick) -> String {
    let from = if pick < 240 { alive } else { gone };
    match (from.len(), pick) {
        (0, _) | (_, 252..) => "nobody".into(),
        (count, _) => from[usize::from(pick) % count].clone(),
    }
}

pub fn app(pick: Pick) -> &'static str {
    match pick {
        0..=2 => "one",
        3..=5 => "two",
        6..=200 => "three",
        _ => "four",
    }
}

pub fn way(pick: Pick) -> Way {
    [Way::Both, Way::In, Way::Out, Way::None][usize::from(pick) % 4]
}

pub fn time(pick: Pick) -> Duration {
    match pick {
        0 => Duration::ZERO,
        1 => Duration::from_millis(20),
        2 => Duration::from_millis(500),
        3 => Duration::from_secs(3),
        4 => Duration::from_secs(11),
        5 => Duration::from_secs(31),
        6..=200 => Duration::from_millis(u64::from(pick)),
        201..=250 => Duration::from_secs(600),
        _ => Duration::MAX,
    }
}

pub fn media(pick: Pick) -> Vec<String> {
    let all = ["sound:hello", "sound:..", "digits:12", "recording:r0", "nonsense", "tone:ring"];
    let of = |number: u8| all[usize::from(number) % all.len()].to_owned();
    match pick {
        0..=120 => vec![of(pick)],
        121..=200 => vec![of(pick), of(pick / 6)],
        201..=250 => vec![of(pick), of(pick / 6), of(pick / 36)],
        _ => Vec::new(),
    }
}

pub fn recording(pick: Pick) -> RecordHow {
    let end_keys = [Keys::None, Keys::Any][usize::from(pick % 2)];
    let max_silence = pick.is_multiple_of(3).then_some(Duration::from_secs(1));
    let name = RECORDINGS[usize::from(pick) % RECORDINGS.len()].into();
    RecordHow { name, format: "wav".into(), end_keys, max_silence, ..RecordHow::default() }
}

pub fn record_control(pick: Pick) -> RecordControl {
    match pick % 8 {
        0 | 1 => RecordControl::Stop,
        2 => RecordControl::Discard,
        3 | 4 => RecordControl::Pause(true),
        5 => RecordControl::Pause(false),
        6 => RecordControl::Mute(true),
        _ => RecordControl::Mute(false),
    }
}

pub fn kind(pick: Pick) -> BridgeType {
    BridgeType { holding: pick == 5 || pick > 200, ..BridgeType::default() }
}

pub fn party(pick: Pick) -> Option<Party> {
    (!pick.is_multiple_of(3)).then(|| Party { name: "Gold".into(), number: pick.to_string() })
}

pub fn words(pick: Pick) -> Option<Vec<String>> {
    pick.is_multiple_of(2).then(|| vec!["StasisStart".to_owned()])
}
