//! The objects of ARI, as clients know them, of the snapshots that the call model publishes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use stasis_control::application::ApplicationSnapshot;
use stasis_control::bridge::BridgeSnapshot;
use stasis_control::channel::ChannelSnapshot;
use stasis_control::endpoint::{EndpointSnapshot, EndpointState};
use stasis_control::id::ChannelId;
use stasis_control::media::RtpFigures;
use stasis_control::party::Party;
use stasis_control::playback::{PlaybackSnapshot, PlaybackState};
use stasis_control::recording::{RecordingSnapshot, RecordingState};
use stasis_control::time::Timestamp;
use utoipa::ToSchema;

/// A time of day: `2026-11-22T13:37:00.042+0000`. Always in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Date(pub Timestamp);

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.utc().strftime("%Y-%m-%dT%H:%M:%S.%3f+0000"))
    }
}

/// A channel.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Channel<'a> {
    /// Its id, the same for its whole life.
    #[schema(value_type = String)]
    id: &'a ChannelId,
    /// Its name: the technology, who it is there, and a number.
    name: &'a str,
    /// What it does: Down, Rsrvd, OffHook, Dialing, Ring, Ringing, Up, Busy, Dialing Offhook, Pre-ring, Mute,
    /// Unknown.
    state: &'static str,
    /// The id of the call in the protocol that it came by.
    protocol_id: &'a str,
    /// Who its party is.
    #[schema(value_type = CallerID)]
    caller: &'a Party,
    /// Whom its party speaks with.
    #[schema(value_type = CallerID)]
    connected: &'a Party,
    /// Whose account it goes to.
    accountcode: &'a str,
    /// Where it is in the dialplan.
    #[schema(value_type = DialplanCEP)]
    dialplan: DialplanCEP<'a>,
    /// When it was made.
    #[schema(value_type = String, format = "date+0000")]
    creationtime: Date,
    /// Its language.
    language: &'a str,
    /// Its variables that are told of with it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object, required = false)]
    channelvars: &'a BTreeMap<String, String>,
    /// The number that the call was redirected from.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    caller_rdnis: &'a str,
    /// Whose tenant it belongs to.
    #[serde(skip_serializing_if = "str::is_empty")]
    #[schema(required = false)]
    tenantid: &'a str,
}

/// A party's name and number.
#[derive(Clone, Debug, ToSchema)]
#[allow(dead_code)] // the schema of `Party`
pub struct CallerID {
    /// The name.
    name: String,
    /// The number.
    number: String,
}

impl<'a> From<&'a ChannelSnapshot> for Channel<'a> {
    fn from(channel: &'a ChannelSnapshot) -> Self {
        let (base, at) = (&channel.base, &channel.dialplan);
        Channel {
            id: &base.id,
            name: &base.name,
            state: channel.state.name(),
            protocol_id: &base.protocol_id,
            caller: &channel.caller.id,
            connected: &channel.connected,
            accountcode: &base.accountcode,
            dialplan: DialplanCEP {
                context: &at.context,
                exten: &at.exten,
                priority: at.priority,
                app_name: &at.app_name,
                app_data: &at.app_data,
            },
            creationtime: Date(base.created),
            language: &base.language,
            channelvars: &channel.variables,
            caller_rdnis: &channel.caller.rdnis,
            tenantid: &base.tenant_id,
        }
    }
}

/// Where a channel is in the dialplan: context, extension, priority, and what runs there.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DialplanCEP<'a> {
    /// The context.
    context: &'a str,
    /// The extension.
    exten: &'a str,
    /// The step.
    #[schema(value_type = i64)]
    priority: u32,
    /// What runs there.
    app_name: &'a str,
    /// With these arguments.
    app_data: &'a str,
}

/// A bridge.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Bridge<'a> {
    /// Its id.
    id: &'a str,
    /// How it is done at the moment.
    technology: &'static str,
    /// What it is for: mixing or holding.
    bridge_type: &'static str,
    /// What it is there for: stasis for an application's.
    bridge_class: &'static str,
    /// Who has made it.
    creator: &'static str,
    /// Its name; may be empty.
    name: &'a str,
    /// Who is in it.
    #[schema(value_type = Vec<String>)]
    channels: &'a BTreeSet<ChannelId>,
    /// When it was made.
    #[schema(value_type = String, format = "date+0000")]
    creationtime: Date,
    /// Whose picture is seen; there is no video, and this is what clients find where nobody has chosen.
    #[schema(required = false)]
    video_mode: &'static str,
    /// The channel whose picture all see.
    #[serde(skip_serializing_if = "Option::is_none")]
    video_source_id: Option<&'a str>,
    /// Its variables that are told of with it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = Object, required = false)]
    bridgevars: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a BridgeSnapshot> for Bridge<'a> {
    fn from(bridge: &'a BridgeSnapshot) -> Self {
        Bridge {
            id: &bridge.id,
            technology: bridge.technology.name(),
            bridge_type: if bridge.kind.holding { "holding" } else { "mixing" },
            bridge_class: bridge.class,
            creator: bridge.creator,
            name: &bridge.name,
            channels: &bridge.channels,
            creationtime: Date(bridge.created),
            video_mode: "talker",
            video_source_id: None,
            bridgevars: &bridge.variables,
        }
    }
}

/// An endpoint: somebody who can be called.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Endpoint<'a> {
    /// The technology.
    technology: &'a str,
    /// Its name there.
    resource: &'a str,
    /// Whether it can be reached: unknown, offline, online.
    #[schema(value_type = String, required = false)]
    state: EndpointState,
    /// Its channels.
    #[schema(value_type = Vec<String>)]
    channel_ids: &'a BTreeSet<ChannelId>,
}

impl<'a> From<&'a EndpointSnapshot> for Endpoint<'a> {
    fn from(endpoint: &'a EndpointSnapshot) -> Self {
        Endpoint {
            technology: &endpoint.technology,
            resource: &endpoint.resource,
            state: endpoint.state,
            channel_ids: &endpoint.channels,
        }
    }
}

/// A playback.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Playback<'a> {
    /// Its id.
    id: &'a str,
    /// What is heard.
    media_uri: &'a str,
    /// What is heard next.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_media_uri: Option<&'a str>,
    /// Who hears it.
    target_uri: String,
    /// In which language.
    #[schema(required = false)]
    language: &'a str,
    /// What it does: queued, playing, paused, continuing, done, failed.
    #[schema(value_type = String)]
    state: PlaybackState,
}

impl<'a> From<&'a PlaybackSnapshot> for Playback<'a> {
    fn from(playback: &'a PlaybackSnapshot) -> Self {
        Playback {
            id: &playback.id,
            media_uri: &playback.media_uri,
            next_media_uri: playback.next_media_uri.as_deref(),
            target_uri: playback.target.to_string(),
            language: &playback.language,
            state: playback.state,
        }
    }
}

/// A recording that is under way.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LiveRecording<'a> {
    /// Its name.
    name: &'a str,
    /// How it is written down.
    format: &'a str,
    /// What it does: queued, recording, paused, done (also when it was thrown away), failed.
    #[schema(value_type = String)]
    state: RecordingState,
    /// Who is recorded.
    target_uri: String,
    /// How long it is, in seconds; only when it is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i32>)]
    duration: Option<u64>,
    /// How much of that was talk, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i32>)]
    talking_duration: Option<u64>,
    /// How much of that was silence, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i32>)]
    silence_duration: Option<u64>,
    /// Why it went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Option<&'a str>,
}

impl<'a> From<&'a RecordingSnapshot> for LiveRecording<'a> {
    fn from(recording: &'a RecordingSnapshot) -> Self {
        LiveRecording {
            name: &recording.name,
            format: &recording.format,
            // As clients know it: that it was thrown away they see by its not being kept.
            state: match recording.state {
                RecordingState::Canceled => RecordingState::Done,
                state => state,
            },
            target_uri: recording.target.to_string(),
            duration: recording.duration,
            talking_duration: recording.talking_duration,
            silence_duration: recording.silence_duration,
            cause: recording.cause.as_deref(),
        }
    }
}

/// A recording that is kept.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StoredRecording<'a> {
    /// Its name.
    pub name: &'a str,
    /// How it is written down.
    pub format: &'a str,
}

/// An application, and what it has asked for.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Application<'a> {
    /// Its name.
    name: &'a str,
    /// The channels that it has asked for.
    channel_ids: Vec<&'a str>,
    /// The bridges that it has asked for.
    bridge_ids: Vec<&'a str>,
    /// The endpoints that it has asked for.
    endpoint_ids: Vec<&'a str>,
    /// The devices that it has asked for.
    device_names: Vec<&'a str>,
    /// The types of events that it wants to be told of; none: all.
    #[schema(value_type = Vec<Object>)]
    events_allowed: Vec<EventType<'a>>,
    /// The types of events that it does not want to be told of.
    #[schema(value_type = Vec<Object>)]
    events_disallowed: Vec<EventType<'a>>,
}

#[derive(Clone, Debug, Serialize)]
struct EventType<'a> {
    #[serde(rename = "type")]
    name: &'a str,
}

/// What is listed for all channels, bridges, endpoints and devices, in the place of their ids.
const ALL: [&str; 4] = [
    "__AST_CHANNEL_ALL_TOPIC",
    "__AST_BRIDGE_ALL_TOPIC",
    "__AST_ENDPOINT_ALL_TOPIC",
    "__AST_DEVICE_STATE_ALL_TOPIC",
];

impl<'a> From<&'a ApplicationSnapshot> for Application<'a> {
    fn from(app: &'a ApplicationSnapshot) -> Self {
        let ids = |interests: &'a stasis_control::application::Interests, all: &'static str| {
            interests.all.then_some(all).into_iter().chain(interests.names()).collect()
        };
        let types = |names: &'a [String]| names.iter().map(|name| EventType { name });
        Application {
            name: &app.name,
            channel_ids: ids(&app.channels, ALL[0]),
            bridge_ids: ids(&app.bridges, ALL[1]),
            endpoint_ids: ids(&app.endpoints, ALL[2]),
            device_names: ids(&app.devices, ALL[3]),
            events_allowed: types(&app.filter.allowed).collect(),
            events_disallowed: types(&app.filter.disallowed).collect(),
        }
    }
}

/// What the server is.
#[derive(Debug, Serialize, ToSchema)]
pub struct AsteriskInfo<'a> {
    /// How it was built.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<BuildInfo<'a>>,
    /// Which it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemInfo<'a>>,
    /// How it is set up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<ConfigInfo<'a>>,
    /// How it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusInfo>,
}

/// How the server was built.
#[derive(Debug, Serialize, ToSchema)]
pub struct BuildInfo<'a> {
    /// The operating system.
    pub os: &'a str,
    /// Its kernel.
    pub kernel: &'a str,
    /// Options.
    pub options: &'a str,
    /// The architecture.
    pub machine: &'a str,
    /// When.
    pub date: &'a str,
    /// By whom.
    pub user: &'a str,
}

/// Which server it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct SystemInfo<'a> {
    /// Its version.
    pub version: &'a str,
    /// Its id.
    pub entity_id: &'a str,
}

/// How the server is set up.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigInfo<'a> {
    /// Its name.
    pub name: &'a str,
    /// The language of channels that have no other.
    pub default_language: &'a str,
    /// How many channels there may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_channels: Option<i32>,
    /// How many files it may have open.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i32>)]
    pub max_open_files: Option<u64>,
    /// The load from which on it takes no calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_load: Option<f64>,
    /// Under which user it runs.
    pub setid: SetId<'a>,
}

/// Under which user the server runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct SetId<'a> {
    /// The user.
    pub user: &'a str,
    /// The group.
    pub group: &'a str,
}

/// How the server runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatusInfo {
    /// When it was started.
    #[schema(value_type = String, format = "date+0000")]
    pub startup_time: Date,
    /// When its configuration was last read.
    #[schema(value_type = String, format = "date+0000")]
    pub last_reload_time: Date,
}

/// The server is there.
#[derive(Debug, Serialize, ToSchema)]
pub struct AsteriskPing<'a> {
    /// Always `pong`.
    pub ping: &'static str,
    /// What time it is.
    #[schema(value_type = String, format = "date+0000")]
    pub timestamp: Date,
    /// The server's id.
    pub asterisk_id: &'a str,
}

/// A module. There are none.
#[derive(Debug, Serialize, ToSchema)]
pub struct Module {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
    /// How often it is used.
    pub use_count: i32,
    /// Whether it runs.
    pub status: String,
    /// Who cares for it.
    pub support_level: String,
}

/// A log channel. There are none.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogChannel {
    /// Where it writes to.
    pub channel: String,
    /// What kind of place that is.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is on.
    pub status: String,
    /// The levels.
    pub configuration: String,
}

/// An attribute of dynamic configuration. There is none.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConfigTuple {
    /// Its name.
    pub attribute: String,
    /// Its value.
    pub value: String,
}

/// A variable's value.
#[derive(Debug, Serialize, ToSchema)]
pub struct Variable<'a> {
    /// The value.
    pub value: &'a str,
}

/// Several variables' values.
#[derive(Debug, Serialize, ToSchema)]
pub struct Variables<'a> {
    /// Names and values.
    #[schema(value_type = Object)]
    pub variables: &'a BTreeMap<String, String>,
}

/// A channel is being dialed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Dialed {}

/// What an RTP stream has sent and received.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RTPstat)]
pub struct RtpStat<'a> {
    /// Packets that were sent.
    #[schema(value_type = i32)]
    txcount: u64,
    /// Packets that have come.
    #[schema(value_type = i32)]
    rxcount: u64,
    /// Interarrival jitter of what has come, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    rxjitter: Option<f64>,
    /// Packets that the other end says were lost; it is not asked, so always 0.
    txploss: i32,
    /// Packets that have not come.
    #[schema(value_type = i32)]
    rxploss: u64,
    /// Our synchronisation source.
    #[schema(value_type = i32)]
    local_ssrc: u32,
    /// That of the other end; 0: nothing has come yet.
    #[schema(value_type = i32)]
    remote_ssrc: u32,
    /// Octets of payload that were sent.
    #[schema(value_type = i32)]
    txoctetcount: u64,
    /// Octets of payload that have come.
    #[schema(value_type = i32)]
    rxoctetcount: u64,
    /// The channel.
    channel_uniqueid: &'a str,
}

impl<'a> RtpStat<'a> {
    /// Of a channel.
    pub fn of(figures: &RtpFigures, channel: &'a str) -> Self {
        RtpStat {
            txcount: figures.sent,
            rxcount: figures.received,
            rxjitter: Some(figures.jitter_s),
            txploss: 0,
            rxploss: figures.lost,
            local_ssrc: figures.local_ssrc,
            remote_ssrc: figures.remote_ssrc.unwrap_or(0),
            txoctetcount: figures.sent_octets,
            rxoctetcount: figures.received_octets,
            channel_uniqueid: channel,
        }
    }
}

/// A device, and what it does.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct DeviceState<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it does: UNKNOWN, NOT_INUSE, INUSE, BUSY, INVALID, UNAVAILABLE, RINGING, RINGINUSE, ONHOLD.
    pub state: &'static str,
}

/// A text message.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TextMessage<'a> {
    /// From whom.
    pub from: &'a str,
    /// To whom.
    pub to: &'a str,
    /// The text.
    pub body: &'a str,
    /// What else there is.
    #[serde(skip_serializing_if = "serde_json::Map::is_empty")]
    #[schema(value_type = Object, required = false)]
    pub variables: &'a serde_json::Map<String, serde_json::Value>,
}

/// How many messages wait in a mailbox.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mailbox<'a> {
    /// Its name.
    pub name: &'a str,
    /// Messages that were heard.
    #[schema(value_type = i32)]
    pub old_messages: i64,
    /// Messages that were not.
    #[schema(value_type = i32)]
    pub new_messages: i64,
}
