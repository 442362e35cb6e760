//! What is told on the bus beside snapshots: what happens to channels, bridges and applications.
//!
//! Each message has the snapshots of those that it is about, as they were then, and what has happened,
//! which [as JSON](serde::Serialize) is an object with a `type`. What applications hear of an object is
//! published on the object's topic (and so on those that it is forwarded to: `channel:all`, …), and on the
//! topic of each application that has asked for it, once.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::application::ApplicationSnapshot;
use crate::bridge::BridgeSnapshot;
use crate::cause::Cause;
use crate::channel::ChannelSnapshot;
use crate::device::DeviceState;
use crate::endpoint::EndpointSnapshot;
use crate::id::AppName;
use crate::playback::PlaybackSnapshot;
use crate::recording::RecordingSnapshot;
use crate::time::Timestamp;

/// Something has happened to a channel. Published on the channel's topic.
#[derive(Clone, Debug, Serialize)]
pub struct ChannelEvent {
    /// To whom.
    pub channel: Arc<ChannelSnapshot>,
    /// What.
    pub event: ChannelHappening,
    /// When.
    pub at: Timestamp,
}

/// What has happened to a channel.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ChannelHappening {
    /// It is to be hung up.
    HangupRequest {
        /// Of a soft one, what asks for it: see [`SoftHangup`]; else the cause.
        cause: u16,
        /// Whether it was asked for here, rather than by the other end.
        soft: bool,
        /// The technology's own code.
        tech_cause: Option<u32>,
    },
    /// A key was pressed.
    DtmfBegin {
        /// Which.
        digit: char,
    },
    /// A key was pressed and released.
    DtmfEnd {
        /// Which.
        digit: char,
        /// For how long it was held, in milliseconds.
        duration_ms: u32,
    },
    /// The other end was put on hold.
    Hold {
        /// What it is to hear.
        music_class: Option<String>,
    },
    /// The other end is on hold no longer.
    Unhold,
    /// It hears music.
    MusicStart {
        /// Of which class.
        music_class: String,
    },
    /// It hears no music any more.
    MusicStop,
    /// The party has begun to talk.
    TalkingStarted,
    /// The party has stopped talking.
    TalkingFinished {
        /// For how long it has talked, in milliseconds.
        duration_ms: u32,
    },
    /// A tone that it was listened to for was heard.
    ToneDetected {
        /// Which.
        tone: String,
    },
    /// The pair of which it is one half was left out: the others hear each other directly.
    LocalOptimized {
        /// The other half of the pair that is left out from now on.
        other: Arc<ChannelSnapshot>,
    },
}

/// What asks for a hangup here: the numbers that clients see as the cause of a soft one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub enum SoftHangup {
    /// The dialplan has no more steps.
    DialplanEnded = 16,
    /// Somebody has asked for it.
    Explicit = 32,
}

/// A variable was set, on a channel or for all. Published on the channel's topic, or on
/// `variable:all`.
#[derive(Clone, Debug, Serialize)]
pub struct VariableSet {
    /// On which channel; none: for all.
    pub channel: Option<Arc<ChannelSnapshot>>,
    /// The name, as it was written: with `_` for those that are inherited.
    pub variable: String,
    /// The value; empty: it is not set any more.
    pub value: String,
    /// When.
    pub at: Timestamp,
}

/// Somebody is dialed. Published on the caller's topic, or without one on the peer's.
#[derive(Clone, Debug, Serialize)]
pub struct Dial {
    /// Who calls, if that is a channel.
    pub caller: Option<Arc<ChannelSnapshot>>,
    /// Who is called.
    pub peer: Arc<ChannelSnapshot>,
    /// How it stands.
    pub status: DialStatus,
    /// What was dialed; after the beginning only of a call that was originated.
    pub dialstring: String,
    /// When.
    pub at: Timestamp,
}

/// How a call to somebody stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub enum DialStatus {
    /// It begins.
    #[default]
    #[serde(rename = "")]
    Begun,
    /// The other end rings.
    #[serde(rename = "RINGING")]
    Ringing,
    /// There is something to hear.
    #[serde(rename = "PROGRESS")]
    Progress,
    /// It was answered.
    #[serde(rename = "ANSWER")]
    Answer,
    /// Busy.
    #[serde(rename = "BUSY")]
    Busy,
    /// No way there is free.
    #[serde(rename = "CONGESTION")]
    Congestion,
    /// Nobody has answered in time.
    #[serde(rename = "NOANSWER")]
    NoAnswer,
    /// The caller has given up.
    #[serde(rename = "CANCEL")]
    Cancel,
    /// There is nobody like that.
    #[serde(rename = "CHANUNAVAIL")]
    Unavailable,
}

impl DialStatus {
    /// As clients and the dialplan know it.
    pub fn name(self) -> &'static str {
        match self {
            DialStatus::Begun => "",
            DialStatus::Ringing => "RINGING",
            DialStatus::Progress => "PROGRESS",
            DialStatus::Answer => "ANSWER",
            DialStatus::Busy => "BUSY",
            DialStatus::Congestion => "CONGESTION",
            DialStatus::NoAnswer => "NOANSWER",
            DialStatus::Cancel => "CANCEL",
            DialStatus::Unavailable => "CHANUNAVAIL",
        }
    }

    /// Whether nothing follows.
    pub fn is_final(self) -> bool {
        !matches!(self, DialStatus::Begun | DialStatus::Ringing | DialStatus::Progress)
    }

    /// How it stands when the called channel was hung up with this cause before it was answered.
    pub fn of_cause(cause: Cause) -> Self {
        match cause {
            Cause::BUSY => DialStatus::Busy,
            Cause::CONGESTION => DialStatus::Congestion,
            Cause::UNALLOCATED => DialStatus::Unavailable,
            _ => DialStatus::NoAnswer,
        }
    }
}

/// Something has happened to a bridge. Published on the bridge's topic; who comes and goes also to the
/// applications that have asked for the channel.
#[derive(Clone, Debug, Serialize)]
pub struct BridgeEvent {
    /// To which, as it is after that.
    pub bridge: Arc<BridgeSnapshot>,
    /// What.
    pub event: BridgeHappening,
    /// When.
    pub at: Timestamp,
}

/// What has happened to a bridge.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum BridgeHappening {
    /// A channel has come in.
    Entered {
        /// Who.
        channel: Arc<ChannelSnapshot>,
    },
    /// A channel has left.
    Left {
        /// Who.
        channel: Arc<ChannelSnapshot>,
    },
    /// Those of another bridge have come in, and that one is gone.
    Merged {
        /// From which.
        from: Arc<BridgeSnapshot>,
    },
    /// A variable was set.
    VariableSet {
        /// The name.
        variable: String,
        /// The value; empty: it is not set any more.
        value: String,
    },
    /// One in it has put the other through to an extension, and is out of it.
    BlindTransfer(Box<BlindTransfer>),
    /// One who was in two calls has put the others together, and is out of it.
    AttendedTransfer(Box<AttendedTransfer>),
}

/// A transfer to an extension.
#[derive(Clone, Debug, Serialize)]
pub struct BlindTransfer {
    /// Who has put the other through.
    pub channel: Arc<ChannelSnapshot>,
    /// Who was put through, if that is one.
    pub transferee: Option<Arc<ChannelSnapshot>>,
    /// To where.
    pub context: String,
    /// To where.
    pub exten: String,
    /// Whether it came about: `Success`, or why not.
    pub result: TransferResult,
}

/// A transfer to somebody who was asked before.
#[derive(Clone, Debug, Serialize)]
pub struct AttendedTransfer {
    /// Who has put them together, in the first call.
    pub first_leg: Arc<ChannelSnapshot>,
    /// The same, in the second call.
    pub second_leg: Arc<ChannelSnapshot>,
    /// Where the second call was.
    pub second_bridge: Option<Arc<BridgeSnapshot>>,
    /// The others of the first call, if that is one.
    pub transferee: Option<Arc<ChannelSnapshot>>,
    /// The others of the second call, if that is one.
    pub target: Option<Arc<ChannelSnapshot>>,
    /// Whether it came about.
    pub result: TransferResult,
    /// Where they are together.
    pub destination: Option<Arc<BridgeSnapshot>>,
}

/// What became of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum TransferResult {
    /// It came about.
    Success,
    /// It cannot be: there is no such extension, or nobody to put through.
    Invalid,
    /// It is not allowed there.
    NotPermitted,
    /// It went wrong.
    Fail,
}

/// A channel has come to an application, or has left it; and what else concerns the application. Published
/// on `stasis:NAME`, and so on the application's topic.
#[derive(Clone, Debug, Serialize)]
pub struct ApplicationEvent {
    /// Whose.
    pub application: AppName,
    /// What.
    pub event: ApplicationHappening,
    /// When.
    pub at: Timestamp,
}

/// What concerns an application.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ApplicationHappening {
    /// A channel has come.
    StasisStart {
        /// Who.
        channel: Arc<ChannelSnapshot>,
        /// With these arguments.
        args: Vec<String>,
        /// Whose place it takes.
        replaces: Option<Arc<ChannelSnapshot>>,
    },
    /// A channel that has come has left.
    StasisEnd {
        /// Who.
        channel: Arc<ChannelSnapshot>,
    },
    /// A channel was to go to another application, which is not there.
    MoveFailed {
        /// Who.
        channel: Arc<ChannelSnapshot>,
        /// To which.
        destination: String,
        /// With these arguments.
        args: Vec<String>,
    },
    /// Somebody else listens from now on.
    Replaced,
    /// Somebody listens.
    Registered,
    /// Nobody listens any more, and nothing is left of it.
    Unregistered,
    /// A call is offered to several applications, and to this one.
    CallBroadcast {
        /// Who.
        channel: Arc<ChannelSnapshot>,
        /// The number of the caller.
        caller: String,
        /// The number that was called.
        called: String,
    },
    /// A call that was offered has gone to an application.
    CallClaimed {
        /// Who.
        channel: Arc<ChannelSnapshot>,
        /// To which.
        winner: AppName,
    },
}

/// An application's interests have changed, or it is gone. Published on `stasis:NAME`, and kept by the cache
/// of `stasis:all`.
#[derive(Clone, Debug)]
pub struct ApplicationUpdate {
    /// What it is; of one that is gone: what it was.
    pub new: Arc<ApplicationSnapshot>,
    /// Whether it is gone.
    pub is_gone: bool,
}

/// A playback has come to another state. Published on the topic of who hears it.
#[derive(Clone, Debug, Serialize)]
pub struct PlaybackEvent {
    /// What it is now.
    pub playback: Arc<PlaybackSnapshot>,
    /// When.
    pub at: Timestamp,
}

/// A recording has come to another state. Published on the topic of who is recorded.
#[derive(Clone, Debug, Serialize)]
pub struct RecordingEvent {
    /// What it is now.
    pub recording: Arc<RecordingSnapshot>,
    /// When.
    pub at: Timestamp,
}

/// An endpoint has changed, or is new. Published on the endpoint's topic.
#[derive(Clone, Debug)]
pub struct EndpointUpdate {
    /// What it is; of one that is gone: what it was.
    pub new: Arc<EndpointSnapshot>,
    /// Whether it is gone.
    pub is_gone: bool,
}

/// A text that somebody sends.
#[derive(Clone, Debug, Serialize)]
pub struct TextMessage {
    /// From whom, as a URI.
    pub from: String,
    /// To whom, as a URI.
    pub to: String,
    /// The text.
    pub body: String,
    /// What else there is.
    pub variables: Map<String, Value>,
    /// Of or to which endpoint.
    pub endpoint: Option<Arc<EndpointSnapshot>>,
    /// When.
    pub at: Timestamp,
}

/// Something of a user's own, about any number of objects. Published on the topic of the first channel, or
/// on the application's that it is for.
#[derive(Clone, Debug, Serialize)]
pub struct UserEvent {
    /// What the user calls it.
    pub name: String,
    /// What the user says.
    pub body: Map<String, Value>,
    /// About which channel.
    pub channel: Option<Arc<ChannelSnapshot>>,
    /// About which bridge.
    pub bridge: Option<Arc<BridgeSnapshot>>,
    /// About which endpoint.
    pub endpoint: Option<Arc<EndpointSnapshot>>,
    /// When.
    pub at: Timestamp,
}

/// A device's state, which has changed. Published on `deviceState:all`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceUpdate {
    /// Which.
    pub name: Arc<str>,
    /// What it does.
    pub state: DeviceState,
}

/// Somebody's presence, which has changed. Published on `presence:all`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PresenceUpdate {
    /// Whose: `CustomPresence:alice`.
    pub provider: Arc<str>,
    /// What they say of themselves.
    pub state: crate::device::Presence,
    /// The technology's own word.
    pub subtype: String,
    /// In their words.
    pub message: String,
}

/// The messages that wait in a mailbox, whose number has changed. Published on `mwi:all`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MailboxUpdate {
    /// Which: `1000@default`.
    pub name: Arc<str>,
    /// Messages that were heard.
    pub old_messages: i64,
    /// Messages that were not.
    pub new_messages: i64,
}
