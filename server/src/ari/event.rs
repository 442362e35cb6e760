//! The events of ARI: what a message of the call model is for a client.
//!
//! A message is any number of events: none when clients are not told of it, and several when a channel has
//! changed in several ways at once, which are then told in the order that clients know. Each is
//! [written](Encoded) once, whoever is told: only the name of the application differs.

use serde::Serialize;
use serde_json::{Map, Value};
use stasis_bus::Message;
use stasis_control::bridge::{BridgeSnapshot, BridgeUpdate};
use stasis_control::channel::{ChannelSnapshot, ChannelUpdate};
use stasis_control::message::{
    ApplicationEvent, ApplicationHappening, AttendedTransfer, BlindTransfer, BridgeEvent,
    BridgeHappening, ChannelEvent, ChannelHappening, DeviceUpdate, Dial, EndpointUpdate,
    PlaybackEvent, RecordingEvent, TextMessage, TransferResult, UserEvent, VariableSet,
};
use stasis_control::playback::PlaybackState;
use stasis_control::recording::RecordingState;
use stasis_control::time::Timestamp;

use utoipa::ToSchema;

use super::model::{
    Bridge, Channel, Date, DeviceState as Device, Endpoint, LiveRecording, Playback,
    TextMessage as Text,
};

/// An event, by its name; the fields are those of ARI, which says what they mean.
#[allow(missing_docs)] // the names and fields are those of ARI
#[derive(Clone, Debug, Serialize, ToSchema, strum::IntoStaticStr)]
#[serde(tag = "type")]
pub enum Event<'a> {
    ApplicationMoveFailed {
        channel: Channel<'a>,
        destination: &'a str,
        args: &'a [String],
    },
    ApplicationRegistered {},
    ApplicationReplaced {},
    ApplicationUnregistered {},
    BridgeAttendedTransfer(Box<AttendedTransferEvent<'a>>),
    BridgeBlindTransfer(Box<BlindTransferEvent<'a>>),
    BridgeCreated {
        bridge: Bridge<'a>,
    },
    BridgeDestroyed {
        bridge: Bridge<'a>,
    },
    BridgeMerged {
        bridge: Bridge<'a>,
        bridge_from: Bridge<'a>,
    },
    CallBroadcast {
        channel: Channel<'a>,
        caller: &'a str,
        called: &'a str,
    },
    CallClaimed {
        channel: Channel<'a>,
        winner_app: &'a str,
    },
    ChannelCallerId {
        caller_presentation: u8,
        caller_presentation_txt: &'static str,
        channel: Channel<'a>,
    },
    ChannelConnectedLine {
        channel: Channel<'a>,
    },
    ChannelCreated {
        channel: Channel<'a>,
    },
    ChannelDestroyed {
        cause: u16,
        cause_txt: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        tech_cause: Option<u32>,
        channel: Channel<'a>,
    },
    ChannelDialplan {
        dialplan_app: &'a str,
        dialplan_app_data: &'a str,
        channel: Channel<'a>,
    },
    ChannelDtmfReceived {
        digit: char,
        duration_ms: u32,
        channel: Channel<'a>,
    },
    ChannelEnteredBridge {
        bridge: Bridge<'a>,
        channel: Channel<'a>,
    },
    ChannelHangupRequest {
        cause: u16,
        /// Only told where it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        soft: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        tech_cause: Option<u32>,
        channel: Channel<'a>,
    },
    ChannelHold {
        #[serde(skip_serializing_if = "Option::is_none")]
        musicclass: Option<&'a str>,
        channel: Channel<'a>,
    },
    ChannelLeftBridge {
        bridge: Bridge<'a>,
        channel: Channel<'a>,
    },
    ChannelStateChange {
        channel: Channel<'a>,
    },
    ChannelTalkingFinished {
        duration: u32,
        channel: Channel<'a>,
    },
    ChannelTalkingStarted {
        channel: Channel<'a>,
    },
    ChannelToneDetected {
        channel: Channel<'a>,
    },
    ChannelUnhold {
        channel: Channel<'a>,
    },
    ChannelUserevent {
        eventname: &'a str,
        #[schema(value_type = Object)]
        userevent: NamedBody<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        channel: Option<Channel<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        bridge: Option<Bridge<'a>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        endpoint: Option<Endpoint<'a>>,
    },
    ChannelVarset {
        variable: &'a str,
        value: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        channel: Option<Channel<'a>>,
    },
    DeviceStateChanged {
        #[schema(value_type = Device)]
        device_state: Device<'a>,
    },
    Dial {
        dialstatus: &'static str,
        forward: &'static str,
        dialstring: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        caller: Option<Channel<'a>>,
        peer: Channel<'a>,
    },
    EndpointStateChange {
        endpoint: Endpoint<'a>,
    },
    PlaybackContinuing {
        playback: Playback<'a>,
    },
    PlaybackFinished {
        playback: Playback<'a>,
    },
    PlaybackStarted {
        playback: Playback<'a>,
    },
    RecordingFailed {
        recording: LiveRecording<'a>,
    },
    RecordingFinished {
        recording: LiveRecording<'a>,
    },
    RecordingStarted {
        recording: LiveRecording<'a>,
    },
    StasisEnd {
        channel: Channel<'a>,
    },
    StasisStart {
        args: &'a [String],
        channel: Channel<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        replace_channel: Option<Channel<'a>>,
    },
    TextMessageReceived {
        message: Text<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        endpoint: Option<Endpoint<'a>>,
    },
}

/// What a user says, and what the user calls it, in one object.
#[derive(Clone, Debug, Serialize)]
pub struct NamedBody<'a> {
    eventname: &'a str,
    #[serde(flatten)]
    body: &'a Map<String, Value>,
}

/// A transfer to an extension.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct BlindTransferEvent<'a> {
    channel: Channel<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transferee: Option<Channel<'a>>,
    exten: &'a str,
    context: &'a str,
    #[schema(value_type = String)]
    result: TransferResult,
    is_external: bool,
    bridge: Bridge<'a>,
}

/// A transfer to somebody who was asked before.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AttendedTransferEvent<'a> {
    transferer_first_leg: Channel<'a>,
    transferer_second_leg: Channel<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transferee: Option<Channel<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transfer_target: Option<Channel<'a>>,
    #[schema(value_type = String)]
    result: TransferResult,
    is_external: bool,
    transferer_first_leg_bridge: Bridge<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transferer_second_leg_bridge: Option<Bridge<'a>>,
    destination_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    destination_bridge: Option<&'a str>,
}

impl<'a> Event<'a> {
    /// The events that a message is, in their order, and when they have happened; `sent` is when the message
    /// was, for those that do not say.
    pub fn of(message: &'a Message, sent: Timestamp) -> (Vec<Self>, Timestamp) {
        let mut events = Vec::new();
        let at = add(message, &mut events).unwrap_or(sent);
        (events, at)
    }

    /// Its name, as clients know it.
    pub fn name(&self) -> &'static str {
        self.into()
    }
}

/// Adds the events that a message is; the time at which they have happened, if it has one.
fn add<'a>(message: &'a Message, events: &mut Vec<Event<'a>>) -> Option<Timestamp> {
    if let Some(update) = message.downcast_ref::<ChannelUpdate>() {
        of_channel_update(update, events);
        return Some(update.at);
    }
    if let Some(event) = message.downcast_ref::<ChannelEvent>() {
        events.extend(of_channel_event(event));
        return Some(event.at);
    }
    if let Some(set) = message.downcast_ref::<VariableSet>() {
        let channel = set.channel.as_deref().map(Channel::from);
        events.push(Event::ChannelVarset { variable: &set.variable, value: &set.value, channel });
        return Some(set.at);
    }
    if let Some(dial) = message.downcast_ref::<Dial>() {
        events.push(Event::Dial {
            dialstatus: dial.status.name(),
            forward: "",
            dialstring: &dial.dialstring,
            caller: dial.caller.as_deref().map(Channel::from),
            peer: (&*dial.peer).into(),
        });
        return Some(dial.at);
    }
    if let Some(update) = message.downcast_ref::<BridgeUpdate>() {
        let bridge = Bridge::from(&*update.new);
        match (&update.old, update.is_gone) {
            (_, true) => events.push(Event::BridgeDestroyed { bridge }),
            (None, _) => events.push(Event::BridgeCreated { bridge }),
            _ => {}
        }
        return Some(update.at);
    }
    if let Some(event) = message.downcast_ref::<BridgeEvent>() {
        events.extend(of_bridge_event(&event.bridge, &event.event));
        return Some(event.at);
    }
    if let Some(event) = message.downcast_ref::<ApplicationEvent>() {
        events.push(of_application(&event.event));
        return Some(event.at);
    }
    if let Some(event) = message.downcast_ref::<PlaybackEvent>() {
        let playback = Playback::from(&*event.playback);
        events.extend(match event.playback.state {
            PlaybackState::Playing => Some(Event::PlaybackStarted { playback }),
            PlaybackState::Continuing => Some(Event::PlaybackContinuing { playback }),
            PlaybackState::Done | PlaybackState::Failed => {
                Some(Event::PlaybackFinished { playback })
            }
            PlaybackState::Queued | PlaybackState::Paused => None,
        });
        return Some(event.at);
    }
    if let Some(event) = message.downcast_ref::<RecordingEvent>() {
        let recording = LiveRecording::from(&*event.recording);
        events.extend(match event.recording.state {
            RecordingState::Recording => Some(Event::RecordingStarted { recording }),
            RecordingState::Done | RecordingState::Canceled => {
                Some(Event::RecordingFinished { recording })
            }
            RecordingState::Failed => Some(Event::RecordingFailed { recording }),
            RecordingState::Queued | RecordingState::Paused => None,
        });
        return Some(event.at);
    }
    if let Some(event) = message.downcast_ref::<UserEvent>() {
        events.push(Event::ChannelUserevent {
            eventname: &event.name,
            userevent: NamedBody { eventname: &event.name, body: &event.body },
            channel: event.channel.as_deref().map(Channel::from),
            bridge: event.bridge.as_deref().map(Bridge::from),
            endpoint: event.endpoint.as_deref().map(Endpoint::from),
        });
        return Some(event.at);
    }
    if let Some(text) = message.downcast_ref::<TextMessage>() {
        let (from, to, body) = (&*text.from, &*text.to, &*text.body);
        events.push(Event::TextMessageReceived {
            message: Text { from, to, body, variables: &text.variables },
            endpoint: text.endpoint.as_deref().map(Endpoint::from),
        });
        return Some(text.at);
    }
    if let Some(DeviceUpdate { name, state }) = message.downcast_ref() {
        events
            .push(Event::DeviceStateChanged { device_state: Device { name, state: state.name() } });
    } else if let Some(update) = message.downcast_ref::<EndpointUpdate>() {
        events.push(Event::EndpointStateChange { endpoint: (&*update.new).into() });
    }
    None
}

/// What has changed of a channel: first its state, then its step, then who calls and who is called.
fn of_channel_update<'a>(update: &'a ChannelUpdate, events: &mut Vec<Event<'a>>) {
    let new = &*update.new;
    let channel = || Channel::from(new);
    if update.is_gone {
        let cause = new.hangup.cause;
        return events.push(Event::ChannelDestroyed {
            cause: cause.0,
            cause_txt: cause.text(),
            tech_cause: new.hangup.tech_cause,
            channel: channel(),
        });
    }
    let Some(old) = &update.old else {
        return events.push(Event::ChannelCreated { channel: channel() });
    };
    if old.state != new.state {
        events.push(Event::ChannelStateChange { channel: channel() });
    }
    let position = &new.dialplan;
    if !position.app_name.is_empty() && !old.dialplan.is_same_step(position) {
        events.push(Event::ChannelDialplan {
            dialplan_app: &position.app_name,
            dialplan_app_data: &position.app_data,
            channel: channel(),
        });
    }
    if old.caller.id != new.caller.id {
        events.push(Event::ChannelCallerId {
            caller_presentation: new.caller.presentation,
            caller_presentation_txt: new.caller.presentation_text(),
            channel: channel(),
        });
    }
    if old.connected != new.connected {
        events.push(Event::ChannelConnectedLine { channel: channel() });
    }
}

fn of_channel_event(event: &ChannelEvent) -> Option<Event<'_>> {
    let channel = Channel::from(&*event.channel);
    Some(match &event.event {
        ChannelHappening::HangupRequest { cause, soft, tech_cause } => {
            Event::ChannelHangupRequest {
                cause: *cause,
                soft: soft.then_some(true),
                tech_cause: *tech_cause,
                channel,
            }
        }
        ChannelHappening::DtmfEnd { digit, duration_ms } => {
            Event::ChannelDtmfReceived { digit: *digit, duration_ms: *duration_ms, channel }
        }
        ChannelHappening::Hold { music_class } => {
            Event::ChannelHold { musicclass: music_class.as_deref(), channel }
        }
        ChannelHappening::Unhold => Event::ChannelUnhold { channel },
        ChannelHappening::TalkingStarted => Event::ChannelTalkingStarted { channel },
        ChannelHappening::TalkingFinished { duration_ms } => {
            Event::ChannelTalkingFinished { duration: *duration_ms, channel }
        }
        ChannelHappening::ToneDetected { .. } => Event::ChannelToneDetected { channel },
        ChannelHappening::DtmfBegin { .. }
        | ChannelHappening::MusicStart { .. }
        | ChannelHappening::MusicStop
        | ChannelHappening::LocalOptimized { .. } => return None,
    })
}

fn of_bridge_event<'a>(
    bridge: &'a BridgeSnapshot,
    event: &'a BridgeHappening,
) -> Option<Event<'a>> {
    let bridge = Bridge::from(bridge);
    let channel = |channel: &'a ChannelSnapshot| Channel::from(channel);
    Some(match event {
        BridgeHappening::Entered { channel: who } => {
            Event::ChannelEnteredBridge { bridge, channel: channel(who) }
        }
        BridgeHappening::Left { channel: who } => {
            Event::ChannelLeftBridge { bridge, channel: channel(who) }
        }
        BridgeHappening::Merged { from } => {
            Event::BridgeMerged { bridge, bridge_from: (&**from).into() }
        }
        BridgeHappening::VariableSet { .. } => return None,
        BridgeHappening::BlindTransfer(transfer) => {
            let BlindTransfer { channel: who, transferee, context, exten, result } = &**transfer;
            Event::BridgeBlindTransfer(Box::new(BlindTransferEvent {
                channel: channel(who),
                transferee: transferee.as_deref().map(channel),
                exten,
                context,
                result: *result,
                is_external: true,
                bridge,
            }))
        }
        BridgeHappening::AttendedTransfer(transfer) => {
            let AttendedTransfer { first_leg, second_leg, second_bridge, .. } = &**transfer;
            let destination = transfer.destination.as_deref();
            Event::BridgeAttendedTransfer(Box::new(AttendedTransferEvent {
                transferer_first_leg: channel(first_leg),
                transferer_second_leg: channel(second_leg),
                transferee: transfer.transferee.as_deref().map(channel),
                transfer_target: transfer.target.as_deref().map(channel),
                result: transfer.result,
                is_external: true,
                transferer_first_leg_bridge: bridge,
                transferer_second_leg_bridge: second_bridge.as_deref().map(Bridge::from),
                destination_type: if destination.is_some() { "bridge" } else { "fail" },
                destination_bridge: destination.map(|bridge| &*bridge.id),
            }))
        }
    })
}

fn of_application(event: &ApplicationHappening) -> Event<'_> {
    match event {
        ApplicationHappening::StasisStart { channel, args, replaces } => Event::StasisStart {
            args,
            channel: (&**channel).into(),
            replace_channel: replaces.as_deref().map(Channel::from),
        },
        ApplicationHappening::StasisEnd { channel } => {
            Event::StasisEnd { channel: (&**channel).into() }
        }
        ApplicationHappening::MoveFailed { channel, destination, args } => {
            let channel = (&**channel).into();
            Event::ApplicationMoveFailed { channel, destination, args }
        }
        ApplicationHappening::Replaced => Event::ApplicationReplaced {},
        ApplicationHappening::Registered => Event::ApplicationRegistered {},
        ApplicationHappening::Unregistered => Event::ApplicationUnregistered {},
        ApplicationHappening::CallBroadcast { channel, caller, called } => {
            Event::CallBroadcast { channel: (&**channel).into(), caller, called }
        }
        ApplicationHappening::CallClaimed { channel, winner } => {
            Event::CallClaimed { channel: (&**channel).into(), winner_app: winner }
        }
    }
}

/// An event as it is sent, but for the name of the application that it is sent to.
#[derive(Clone, Debug)]
pub struct Encoded {
    name: &'static str,
    /// All of the object but its last field.
    text: String,
}

/// An event, and what all events have.
#[derive(Serialize)]
struct Envelope<'a> {
    #[serde(flatten)]
    event: &'a Event<'a>,
    timestamp: Date,
    asterisk_id: &'a str,
}

impl Encoded {
    /// Writes an event. `asterisk_id` is the id of the server that it comes from.
    ///
    /// # Errors
    /// None, but for what the writer of JSON can say.
    pub fn new(
        event: &Event<'_>,
        at: Timestamp,
        asterisk_id: &str,
    ) -> Result<Self, serde_json::Error> {
        let envelope = Envelope { event, timestamp: Date(at), asterisk_id };
        let mut text = serde_json::to_string(&envelope)?;
        text.pop(); // the closing brace
        Ok(Encoded { name: event.name(), text })
    }

    /// The event's name: what filters go by.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The whole event, for an application.
    pub fn for_application(&self, application: &str) -> String {
        let Encoded { text, .. } = self;
        format!("{text},\"application\":{}}}", Value::from(application))
    }
}
