//! What events look like on the wire, one file for each: `STASIS_GOLDEN=write` writes them again.
//!
//! Where the recordings of a live Asterisk are (`STASIS_ARI=FOLDER`, or `../shared/ari` beside this repository) the same
//! events are checked against the models of a live Asterisk (`models.json` there): no
//! field that they need is missing, and none is there that they do not have. And against what it has sent
//! (`traces/` there): no field was sent that is not here, and none of another type.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use stasis_bus::{Bus, Message, Settings};
use stasis_control::bridge::{BridgeSnapshot, BridgeTechnology, BridgeType, BridgeUpdate};
use stasis_control::cause::Cause;
use stasis_control::channel::{
    ChannelBase, ChannelSnapshot, ChannelState, ChannelUpdate, Hangup, Position,
};
use stasis_control::device::DeviceState;
use stasis_control::endpoint::{EndpointSnapshot, EndpointState};
use stasis_control::id::{AppName, BridgeId, ChannelId, PlaybackId};
use stasis_control::message::*;
use stasis_control::party::{Caller, Party};
use stasis_control::playback::{MediaTarget, PlaybackSnapshot, PlaybackState};
use stasis_control::recording::{RecordingSnapshot, RecordingState};
use stasis_control::time::Timestamp;
use stasis_server::ari::event::{Encoded, Event};

/// 2026-11-22 13:37:00.042 UTC.
const AT: Timestamp = Timestamp::from_micros(1_795_354_620_042_999);

fn channel_id(id: &str) -> ChannelId {
    ChannelId::new(id).unwrap()
}

fn bridge_id(id: &str) -> BridgeId {
    BridgeId::new(id).unwrap()
}

/// A channel that has everything.
fn ann() -> ChannelSnapshot {
    ChannelSnapshot {
        base: Arc::new(ChannelBase {
            id: channel_id("ann;1"),
            name: "Local/ann@in-00000001;1".into(),
            protocol_id: "call-id@example.com".into(),
            accountcode: "sales".into(),
            language: "en".into(),
            tenant_id: "acme".into(),
            linked_id: channel_id("ann;1"),
            created: Timestamp::from_micros(0),
        }),
        state: ChannelState::Up,
        caller: Arc::new(Caller {
            id: Party { name: "Ann \"A\"".into(), number: "1000".into() },
            rdnis: "1999".into(),
            ..Caller::default()
        }),
        connected: Arc::new(Party { name: "Bob".into(), number: "2000".into() }),
        dialplan: Arc::new(Position {
            app_name: "Stasis".into(),
            app_data: "hello,x".into(),
            ..Position::new("in", "s", 2)
        }),
        bridge: Some(bridge_id("room")),
        hangup: Arc::new(Hangup {
            cause: Cause::BUSY,
            tech_cause: Some(486),
            source: "ann".into(),
        }),
        variables: Arc::new(BTreeMap::from([("ORDER".into(), "17".into())])),
    }
}

/// A channel that has nothing but what it must.
fn bob() -> Arc<ChannelSnapshot> {
    let ann = ann();
    let base = ChannelBase {
        id: channel_id("bob"),
        name: "Test/bob-00000002".into(),
        protocol_id: String::new(),
        accountcode: String::new(),
        tenant_id: String::new(),
        ..(*ann.base).clone()
    };
    Arc::new(ChannelSnapshot {
        base: Arc::new(base),
        state: ChannelState::Ringing,
        caller: Arc::default(),
        connected: Arc::default(),
        dialplan: Arc::default(),
        bridge: None,
        hangup: Arc::default(),
        variables: Arc::default(),
    })
}

fn room() -> Arc<BridgeSnapshot> {
    Arc::new(BridgeSnapshot {
        id: bridge_id("room"),
        name: "Room".into(),
        creator: "Stasis",
        class: "stasis",
        kind: BridgeType::default(),
        technology: BridgeTechnology::Softmix,
        channels: Arc::new(BTreeSet::from([channel_id("ann;1"), channel_id("bob")])),
        variables: Arc::new(BTreeMap::from([("TOPIC".into(), "rust".into())])),
        created: AT,
    })
}

fn hall() -> Arc<BridgeSnapshot> {
    Arc::new(BridgeSnapshot {
        id: bridge_id("hall"),
        name: String::new(),
        kind: BridgeType { holding: true, ..BridgeType::default() },
        technology: BridgeTechnology::Holding,
        channels: Arc::default(),
        variables: Arc::default(),
        ..(*room()).clone()
    })
}

fn desk() -> Arc<EndpointSnapshot> {
    Arc::new(EndpointSnapshot {
        technology: "Test".into(),
        resource: "bob".into(),
        state: EndpointState::Online,
        channels: BTreeSet::from([channel_id("bob")]),
    })
}

fn playback(state: PlaybackState) -> PlaybackEvent {
    let playback = PlaybackSnapshot {
        id: PlaybackId::new("p").unwrap(),
        media_uri: "sound:hello-world".into(),
        next_media_uri: (state != PlaybackState::Done).then(|| "tone:ring".into()),
        target: MediaTarget::Channel(channel_id("ann;1")),
        language: "en".into(),
        state,
    };
    PlaybackEvent { playback: Arc::new(playback), at: AT }
}

fn recording(state: RecordingState) -> RecordingEvent {
    let is_over = state == RecordingState::Done;
    let recording = RecordingSnapshot {
        name: "greetings/ann".into(),
        format: "wav".into(),
        state,
        target: MediaTarget::Bridge(bridge_id("room")),
        duration: is_over.then_some(12),
        talking_duration: is_over.then_some(7),
        silence_duration: is_over.then_some(5),
        cause: (state == RecordingState::Failed).then(|| "no room on the disk".into()),
    };
    RecordingEvent { recording: Arc::new(recording), at: AT }
}

fn body() -> Map<String, Value> {
    let Value::Object(body) = json!({ "order": 17, "lines": [{ "of": "it" }] }) else { panic!() };
    body
}

/// A message of each kind, as the bus delivers it.
fn messages() -> Vec<Message> {
    let bus = Bus::new(Settings::default()).unwrap();
    let topic = bus.topic("all");
    let mut all = topic.subscribe().pull().unwrap();
    let ann = Arc::new(ann());
    let channel = |event| ChannelEvent { channel: ann.clone(), event, at: AT };
    let changed = |old: Option<Arc<ChannelSnapshot>>, is_gone| ChannelUpdate {
        old,
        new: ann.clone(),
        is_gone,
        at: AT,
    };
    // Of the same channel as it was before: one update is four events.
    let before = Arc::new(ChannelSnapshot { base: ann.base.clone(), ..(*bob()).clone() });
    topic.publish(changed(None, false));
    topic.publish(changed(Some(before), false));
    topic.publish(changed(Some(ann.clone()), true));
    use ChannelHappening::*;
    topic.publish(channel(HangupRequest { cause: 32, soft: true, tech_cause: None }));
    topic.publish(channel(DtmfBegin { digit: '#' }));
    topic.publish(channel(DtmfEnd { digit: '#', duration_ms: 120 }));
    topic.publish(channel(Hold { music_class: Some("jazz".into()) }));
    topic.publish(channel(Unhold));
    topic.publish(channel(MusicStart { music_class: "jazz".into() }));
    topic.publish(channel(MusicStop));
    topic.publish(channel(TalkingStarted));
    topic.publish(channel(TalkingFinished { duration_ms: 2_340 }));
    topic.publish(channel(ToneDetected { tone: "busy".into() }));
    topic.publish(channel(LocalOptimized { other: bob() }));
    let (variable, value) = ("NAME".to_owned(), "Grüße \u{1}".to_owned());
    topic.publish(VariableSet { channel: Some(ann.clone()), variable, value, at: AT });
    let (caller, peer, dialstring) = (Some(bob()), ann.clone(), "ann@in".into());
    topic.publish(Dial { caller, peer, status: DialStatus::Ringing, dialstring, at: AT });

    let bridge = |old, is_gone| BridgeUpdate { old, new: room(), is_gone, at: AT };
    topic.publish(bridge(None, false));
    topic.publish(bridge(Some(hall()), false));
    topic.publish(bridge(Some(hall()), true));
    let bridge = |event| BridgeEvent { bridge: room(), event, at: AT };
    topic.publish(bridge(BridgeHappening::Entered { channel: ann.clone() }));
    topic.publish(bridge(BridgeHappening::Left { channel: ann.clone() }));
    topic.publish(bridge(BridgeHappening::Merged { from: hall() }));
    let (variable, value) = ("TOPIC".into(), "rust".into());
    topic.publish(bridge(BridgeHappening::VariableSet { variable, value }));
    topic.publish(bridge(BridgeHappening::BlindTransfer(Box::new(BlindTransfer {
        channel: ann.clone(),
        transferee: Some(bob()),
        context: "in".into(),
        exten: "200".into(),
        result: TransferResult::NotPermitted,
    }))));
    topic.publish(bridge(BridgeHappening::AttendedTransfer(Box::new(AttendedTransfer {
        first_leg: ann.clone(),
        second_leg: ann.clone(),
        second_bridge: Some(hall()),
        transferee: Some(bob()),
        target: Some(bob()),
        result: TransferResult::Success,
        destination: Some(hall()),
    }))));

    use ApplicationHappening as Happening;
    let hello = || AppName::new("hello").unwrap();
    let app = |event| ApplicationEvent { application: hello(), event, at: AT };
    let args = || vec!["a".to_owned(), String::new()];
    let replaces = Some(bob());
    topic.publish(app(Happening::StasisStart { channel: ann.clone(), args: args(), replaces }));
    topic.publish(app(Happening::StasisEnd { channel: ann.clone() }));
    let (channel, destination) = (ann.clone(), "nowhere".into());
    topic.publish(app(Happening::MoveFailed { channel, destination, args: args() }));
    topic.publish(app(Happening::Replaced));
    topic.publish(app(Happening::Registered));
    topic.publish(app(Happening::Unregistered));
    let (caller, called) = ("1000".into(), "s".into());
    topic.publish(app(Happening::CallBroadcast { channel: ann.clone(), caller, called }));
    topic.publish(app(Happening::CallClaimed { channel: ann.clone(), winner: hello() }));

    use PlaybackState::{Continuing, Done, Paused, Playing, Queued};
    for state in [Queued, Playing, Paused, Continuing, Done] {
        topic.publish(playback(state));
    }
    use RecordingState as State;
    for state in [State::Queued, State::Recording, State::Paused, State::Done, State::Failed] {
        topic.publish(recording(state));
    }
    topic.publish(UserEvent {
        name: "ordered".into(),
        body: body(),
        channel: Some(ann.clone()),
        bridge: Some(room()),
        endpoint: Some(desk()),
        at: AT,
    });
    topic.publish(TextMessage {
        from: "test:ann".into(),
        to: "test:bob".into(),
        body: "Hello".into(),
        variables: body(),
        endpoint: Some(desk()),
        at: AT,
    });
    topic.publish(DeviceUpdate { name: "Stasis:lamp".into(), state: DeviceState::NotInuse });
    topic.publish(EndpointUpdate { new: desk(), is_gone: false });
    // What is no event for a client.
    topic.publish(17_u32);
    let delivered = std::iter::from_fn(|| all.try_recv().ok());
    delivered.filter_map(|delivery| delivery.message().cloned()).collect()
}

/// All events of these messages, as the application is sent them.
fn sent() -> Vec<(&'static str, String)> {
    let mut sent = Vec::new();
    for message in messages() {
        let (events, at) = Event::of(&message, AT);
        for event in &events {
            let encoded = Encoded::new(event, at, "00:00:5e:00:53:01").unwrap();
            assert_eq!(encoded.name(), event.name());
            sent.push((event.name(), encoded.for_application("hello \"w\"")));
        }
    }
    sent
}

#[test]
fn every_event_is_on_the_wire_as_it_was() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let writes = std::env::var("STASIS_GOLDEN").is_ok_and(|what| what == "write");
    let mut names = BTreeSet::new();
    for (name, text) in sent() {
        assert!(names.insert(format!("{name}.json")), "{name} comes twice");
        let event: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&event["type"], &event["application"]), (&json!(name), &json!("hello \"w\"")));
        let path = folder.join(format!("{name}.json"));
        if writes {
            let pretty = serde_json::to_string_pretty(&event).unwrap();
            std::fs::write(&path, pretty + "\n").unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        let golden: Value = serde_json::from_str(&golden).unwrap_or_default();
        assert_eq!(
            event, golden,
            "{name}: if it is meant to be, run this with STASIS_GOLDEN=write"
        );
    }
    let kept = std::fs::read_dir(&folder).unwrap();
    let kept: BTreeSet<_> =
        kept.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(names, kept, "an event for each file, and a file for each event");
}

#[test]
fn a_change_in_several_ways_is_told_in_their_order() {
    let names: Vec<_> = sent().into_iter().map(|(name, _)| name).take(6).collect();
    let order = [
        "ChannelCreated",
        "ChannelStateChange",
        "ChannelDialplan",
        "ChannelCallerId",
        "ChannelConnectedLine",
        "ChannelDestroyed",
    ];
    assert_eq!(names, order);
}

#[test]
fn events_have_the_fields_of_their_models() {
    let Some(folder) = common::recordings() else { return };
    let models = std::fs::read_to_string(folder.join("models.json")).unwrap();
    let models: Value = serde_json::from_str(&models).unwrap();
    let models = models.get("models").unwrap_or(&models);
    for (name, text) in sent() {
        fits(models, name, &serde_json::from_str(&text).unwrap(), name);
    }
}

#[test]
fn what_was_recorded_has_no_field_that_is_not_here() {
    let Some(folder) = common::recordings() else { return };
    let ours = |(name, text): (&'static str, String)| {
        let mut fields = BTreeMap::new();
        add_fields(&serde_json::from_str(&text).unwrap(), String::new(), &mut fields);
        (name.to_owned(), fields)
    };
    let ours: BTreeMap<_, _> = sent().into_iter().map(ours).collect();
    let mut compared = 0;
    for file in std::fs::read_dir(folder.join("traces")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let trace: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let steps = trace["steps"].as_array().unwrap().iter();
        for event in steps.filter_map(|step| step.get("event")) {
            // The answer to a request over the WebSocket is no event of the call model; others are AMI's.
            let Some(name) = event["type"].as_str().filter(|name| *name != "RESTResponse") else {
                continue;
            };
            let ours = ours.get(name).unwrap_or_else(|| panic!("{path:?}: no {name} here"));
            let mut theirs = BTreeMap::new();
            add_fields(event, String::new(), &mut theirs);
            for (field, kind) in theirs {
                assert_eq!(ours.get(&field), Some(&kind), "{path:?}: {name}{field}");
            }
            compared += 1;
        }
    }
    assert!(compared > 1_000, "only {compared} events were there");
}

/// The fields of an object and of those in it, and what each is. What users name is not looked into.
fn add_fields(value: &Value, path: String, fields: &mut BTreeMap<String, &'static str>) {
    const NAMED_BY_USERS: [&str; 4] = [".channelvars", ".bridgevars", ".userevent", ".variables"];
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    let is_named = NAMED_BY_USERS.iter().any(|name| path.ends_with(name));
    match value {
        Value::Object(object) if !is_named => object.iter().for_each(|(name, value)| {
            add_fields(value, format!("{path}.{name}"), fields);
        }),
        Value::Array(list) => {
            list.iter().for_each(|value| add_fields(value, format!("{path}[]"), fields));
        }
        _ => {}
    }
    fields.insert(path, kind);
}

/// Panics where a value does not have the fields of its model.
fn fits(models: &Value, model: &str, value: &Value, path: &str) {
    if let Some(of) = model.strip_prefix("List[").and_then(|model| model.strip_suffix(']')) {
        let list = value.as_array().unwrap_or_else(|| panic!("{path}: no list"));
        return list.iter().for_each(|value| fits(models, of, value, path));
    }
    match model {
        "string" | "Date" => assert!(value.is_string(), "{path}: {value}"),
        "int" | "long" => assert!(value.is_i64() || value.is_u64(), "{path}: {value}"),
        "boolean" => assert!(value.is_boolean(), "{path}: {value}"),
        "object" => assert!(value.is_object(), "{path}: {value}"),
        _ => {
            let mut properties = Map::new();
            let mut model = Some(model);
            while let Some(name) = model {
                let of = models[name]["properties"].as_object();
                properties.extend(of.unwrap_or_else(|| panic!("{path}: no model {name}")).clone());
                model = models[name]["extends"].as_str();
            }
            let fields = value.as_object().unwrap_or_else(|| panic!("{path}: no object"));
            for (name, value) in fields {
                let kind = properties.get(name).unwrap_or_else(|| panic!("{path}: {name}?"));
                fits(models, kind["type"].as_str().unwrap(), value, &format!("{path}.{name}"));
            }
            for (name, property) in properties {
                let is_there = fields.contains_key(&name);
                assert!(is_there || property["required"] != true, "{path}: {name} is missing");
            }
        }
    }
}
