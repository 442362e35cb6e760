//! What is told of each object, in its order.

use std::collections::BTreeMap;

use serde_json::Value;

/// What was told on a socket to an application of an object.
pub type Stream = (String, String, String);

/// Events by what they are about: `(socket, application, object)`.
pub fn by_object<'a>(
    events: impl Iterator<Item = (&'a str, &'a Value)>,
) -> BTreeMap<Stream, Vec<&'a Value>> {
    let mut told: BTreeMap<Stream, Vec<&Value>> = BTreeMap::new();
    for (on, event) in events {
        let app = event["application"].as_str().unwrap_or_default();
        told.entry((on.into(), app.into(), object(event))).or_default().push(event);
    }
    told
}

/// What an event is about.
fn object(event: &Value) -> String {
    let kind = event["type"].as_str().unwrap_or_default();
    let text = |path: &str| event.pointer(path).and_then(Value::as_str).unwrap_or("-").to_owned();
    match kind {
        "Dial" => format!("channel {}", text("/peer/id")),
        "DeviceStateChanged" => format!("device {}", text("/device_state/name")),
        "BridgeCreated" | "BridgeDestroyed" | "BridgeMerged" => {
            format!("bridge {}", text("/bridge/id"))
        }
        "ChannelUserevent" => format!("user event {}", text("/eventname")),
        "RESTResponse" => format!("request {}", text("/request_id")),
        _ if kind.starts_with("Playback") => format!("playback {}", text("/playback/id")),
        _ if kind.starts_with("Recording") => format!("recording {}", text("/recording/name")),
        _ if event.get("channel").is_some() => format!("channel {}", text("/channel/id")),
        _ => "-".into(),
    }
}

/// What an event says, in a line: enough to see in which order things were told.
pub fn line(event: &Value) -> String {
    let kind = event["type"].as_str().unwrap_or_default();
    let of = |paths: &[&str]| {
        let value = |path: &&str| match event.pointer(path) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        paths.iter().map(value).collect::<Vec<_>>().join(" ")
    };
    let what = match kind {
        "ChannelHangupRequest" => of(&["/cause", "/soft"]),
        "ChannelDestroyed" => of(&["/cause"]),
        "ChannelDtmfReceived" => of(&["/digit"]),
        "ChannelVarset" => of(&["/variable", "/value"]),
        "Dial" => of(&["/dialstatus"]),
        "ChannelEnteredBridge" | "ChannelLeftBridge" => of(&["/bridge/id"]),
        "ChannelStateChange" => of(&["/channel/state"]),
        "ChannelDialplan" => of(&["/dialplan_app", "/dialplan_app_data"]),
        "ChannelCallerId" => of(&["/channel/caller/name", "/channel/caller/number"]),
        "ChannelConnectedLine" => of(&["/channel/connected/name", "/channel/connected/number"]),
        "DeviceStateChanged" => of(&["/device_state/state"]),
        "StasisStart" => of(&["/args"]),
        _ if kind.starts_with("Playback") => of(&["/playback/media_uri", "/playback/state"]),
        _ if kind.starts_with("Recording") => of(&["/recording/state"]),
        "RESTResponse" => of(&["/status_code"]),
        _ => String::new(),
    };
    format!("{kind} {what}").trim_end().to_owned()
}
