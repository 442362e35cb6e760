//! One record of the event log.

use std::fmt;

use serde::{Serialize, Serializer};

use crate::channel::ChannelSnapshot;
use crate::records::{AmaFlags, to_microsecond};
use crate::time::Timestamp;

macro_rules! events {
    ($($(#[$doc:meta])* $event:ident = $name:literal,)*) => {
        /// What can happen.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum CelEvent {
            $($(#[$doc])* $event,)*
        }

        impl CelEvent {
            /// All there are.
            pub const ALL: &'static [CelEvent] = &[$(CelEvent::$event),*];

            /// As records have it.
            pub fn name(self) -> &'static str {
                match self {
                    $(CelEvent::$event => $name,)*
                }
            }
        }
    };
}

events! {
    /// A channel was made.
    ChanStart = "CHAN_START",
    /// A channel is gone.
    ChanEnd = "CHAN_END",
    /// A channel was hung up.
    Hangup = "HANGUP",
    /// A channel was answered.
    Answer = "ANSWER",
    /// An application that is watched begins to run.
    AppStart = "APP_START",
    /// It runs no longer.
    AppEnd = "APP_END",
    /// A channel has come into a bridge.
    BridgeEnter = "BRIDGE_ENTER",
    /// A channel has left a bridge.
    BridgeExit = "BRIDGE_EXIT",
    /// A channel was parked; never, there is no parking.
    ParkStart = "PARK_START",
    /// A parked channel was taken; never, there is no parking.
    ParkEnd = "PARK_END",
    /// Somebody has put another through to an extension.
    BlindTransfer = "BLINDTRANSFER",
    /// Somebody has put two others together.
    AttendedTransfer = "ATTENDEDTRANSFER",
    /// What a user has said.
    UserDefined = "USER_DEFINED",
    /// The last channel of those that have to do with each other is gone.
    LinkedIdEnd = "LINKEDID_END",
    /// Somebody else has taken a call; never, that is not told on the bus.
    Pickup = "PICKUP",
    /// A call goes elsewhere; never, that is not told on the bus.
    Forward = "FORWARD",
    /// A pair that is between two was left out.
    LocalOptimize = "LOCAL_OPTIMIZE",
    /// That begins; never, it is done at once.
    LocalOptimizeBegin = "LOCAL_OPTIMIZE_BEGIN",
    /// A channel hears a sound or music from now on.
    StreamBegin = "STREAM_BEGIN",
    /// It hears it no longer.
    StreamEnd = "STREAM_END",
    /// A key was pressed.
    Dtmf = "DTMF",
}

impl CelEvent {
    /// The event of this name, in capitals or not.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|event| event.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for CelEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for CelEvent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// Something that has happened. As serde has it the fields are the columns of the usual tables; the moment is
/// a text, to the microsecond.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CelRecord {
    /// What.
    #[serde(rename = "eventtype")]
    pub event: CelEvent,
    /// When.
    #[serde(rename = "eventtime", serialize_with = "to_microsecond")]
    pub time: Timestamp,
    /// The name of who calls.
    pub cid_name: String,
    /// The number of who calls.
    pub cid_num: String,
    /// The number that is billed.
    pub cid_ani: String,
    /// Who has redirected the call.
    pub cid_rdnis: String,
    /// The number that was dialed.
    pub cid_dnid: String,
    /// The extension where the channel is.
    pub exten: String,
    /// The context of that.
    pub context: String,
    /// The channel's name.
    #[serde(rename = "channame")]
    pub channel: String,
    /// The application that runs.
    pub appname: String,
    /// Its arguments.
    pub appdata: String,
    /// Whose account the channel goes to.
    pub accountcode: String,
    /// The channel's id.
    pub uniqueid: String,
    /// The id of the first of all channels that it has to do with.
    pub linkedid: String,
    /// The names of the others in the bridge, divided by commas.
    pub peer: String,
    /// Whose account the first of those goes to.
    pub peeraccount: String,
    /// What a user has written.
    pub userfield: String,
    /// How it is to be charged.
    pub amaflags: AmaFlags,
    /// What else there is to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<CelExtra>,
}

impl CelRecord {
    /// What has happened to a channel as it was then.
    pub(super) fn of(event: CelEvent, channel: &ChannelSnapshot, time: Timestamp) -> Self {
        let (base, caller, place) = (&channel.base, &channel.caller, &channel.dialplan);
        CelRecord {
            event,
            time,
            cid_name: caller.id.name.clone(),
            cid_num: caller.id.number.clone(),
            cid_ani: caller.ani.clone(),
            cid_rdnis: caller.rdnis.clone(),
            cid_dnid: caller.dnid.clone(),
            exten: place.exten.clone(),
            context: place.context.clone(),
            channel: base.name.clone(),
            appname: place.app_name.clone(),
            appdata: place.app_data.clone(),
            accountcode: base.accountcode.clone(),
            uniqueid: base.id.to_string(),
            linkedid: base.linked_id.to_string(),
            peer: String::new(),
            peeraccount: String::new(),
            userfield: String::new(),
            amaflags: AmaFlags::default(),
            extra: None,
        }
    }

    pub(super) fn with(mut self, extra: CelExtra) -> Self {
        self.extra = Some(extra);
        self
    }
}

/// What else there is to an event. Its text is the JSON object that it is as serde has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[allow(missing_docs)] // the fields are the names that clients know
pub enum CelExtra {
    /// Of HANGUP: why, who has done it, and what the last call of the channel has come to.
    Hangup { hangupcause: u16, hangupsource: String, dialstatus: String },
    /// Of BRIDGE_ENTER and BRIDGE_EXIT: which bridge.
    Bridge { bridge_id: String, bridge_technology: &'static str },
    /// Of DTMF: which key, and for how long.
    Dtmf { digit: char, duration_ms: u32 },
    /// Of STREAM_BEGIN: music of which class.
    Music { class: String },
    /// Of STREAM_BEGIN: which sound.
    Sound { sound: String, format: &'static str, language: String },
    /// Of LOCAL_OPTIMIZE: the other half of the pair.
    Optimized { local_two: String, local_two_uniqueid: String },
    /// Of BLINDTRANSFER: to where, and whom.
    BlindTransfer {
        extension: String,
        context: String,
        bridge_id: String,
        transferee_channel_name: String,
        transferee_channel_uniqueid: String,
    },
    /// Of ATTENDEDTRANSFER: the second leg of who has done it, the bridges, and who was put together.
    AttendedTransfer {
        bridge1_id: String,
        channel2_name: String,
        channel2_uniqueid: String,
        bridge2_id: String,
        transferee_channel_name: String,
        transferee_channel_uniqueid: String,
        transfer_target_channel_name: String,
        transfer_target_channel_uniqueid: String,
    },
    /// Of USER_DEFINED: what was said.
    User { extra: String },
}

impl fmt::Display for CelExtra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_by_name() {
        assert_eq!(CelEvent::ALL.len(), 21);
        for &event in CelEvent::ALL {
            assert_eq!(CelEvent::of(&event.name().to_lowercase()), Some(event));
        }
        assert_eq!(CelEvent::of("CHAN"), None);
    }

    #[test]
    fn the_extra_of_an_event_keeps_its_order() {
        let extra = CelExtra::Hangup {
            hangupcause: 16,
            hangupsource: "dialplan/builtin".into(),
            dialstatus: String::new(),
        };
        let text = r#"{"hangupcause":16,"hangupsource":"dialplan/builtin","dialstatus":""}"#;
        assert_eq!(extra.to_string(), text);
        let dtmf = CelExtra::Dtmf { digit: '#', duration_ms: 100 };
        assert_eq!(dtmf.to_string(), r##"{"digit":"#","duration_ms":100}"##);
    }
}
