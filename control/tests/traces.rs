//! Plays recorded scenarios again: what a live system told of each channel and bridge is what ours tells.
//!
//! The recordings are not a part of this repository. `STASIS_TRACES=FOLDER cargo test -p stasis-control
//! --test traces -- --nocapture` plays all of them and says where ours differs.

mod common;

use std::collections::BTreeMap;
use std::time::Duration;

use common::{Listener, Stage, lines};
use serde_json::Value;
use stasis_control::bridge::BridgeType;
use stasis_control::cause::Cause;
use stasis_control::channel::Position;
use stasis_control::media::{IfExists, RecordControl, RecordHow, Way};
use stasis_control::*;

/// What was told, by the object that it is about.
type Told = BTreeMap<String, Vec<String>>;

struct Player {
    stage: Stage,
    listeners: BTreeMap<String, (Listener, String)>,
    told: BTreeMap<String, Told>,
    refused: Vec<String>,
    waits: BTreeMap<String, usize>,
}

fn text(request: &Value, name: &str) -> Option<String> {
    for part in ["query", "json", "form"] {
        match request.get(part).and_then(|part| part.get(name)) {
            Some(Value::String(text)) => return Some(text.clone()),
            Some(Value::Array(list)) => {
                let list: Vec<_> = list.iter().filter_map(Value::as_str).collect();
                return Some(list.join(","));
            }
            Some(Value::Null) | None => {}
            Some(other) => return Some(other.to_string()),
        }
    }
    None
}

fn variables(request: &Value) -> Vec<(String, String)> {
    let given = request.get("json").and_then(|json| json.get("variables"));
    let Some(Value::Object(given)) = given else { return Vec::new() };
    given.iter().map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned())).collect()
}

impl Player {
    fn new() -> Self {
        let (listeners, told) = Default::default();
        Player { stage: Stage::new(), listeners, told, refused: Vec::new(), waits: BTreeMap::new() }
    }

    fn collect(&mut self) {
        for (socket, (listener, _)) in &mut self.listeners {
            let told = self.told.entry(socket.clone()).or_default();
            for line in listener.told() {
                let mut words = line.splitn(3, ' ');
                let (event, id) = (words.next().unwrap_or_default(), words.next().unwrap_or("-"));
                let rest = words.next().map(|rest| format!(" {rest}")).unwrap_or_default();
                told.entry(id.to_owned()).or_default().push(format!("{event}{rest}"));
            }
        }
    }

    fn run(&mut self, ms: u64) {
        self.stage.run(ms);
        self.collect();
    }

    fn step(&mut self, step: &Value) {
        if let Some(seconds) = step.get("pause").and_then(Value::as_f64) {
            self.run((seconds * 1_000.0) as u64);
        } else if step.get("wait").is_some() {
            self.wait(&step["wait"]);
        } else if let Some(ws) = step.get("ws") {
            self.socket(ws);
        } else if let Some(request) = step.get("request") {
            self.request(request, step["response"]["status"].as_u64().unwrap_or(0));
            self.run(20);
        }
    }

    /// Runs until something has come about an object, or in vain.
    fn wait(&mut self, wait: &Value) {
        let kind = wait["type"].as_str().unwrap_or_default().to_owned();
        let id = wait["match"].as_object().and_then(|m| {
            ["channel.id", "playback.id", "recording.name", "peer.id"]
                .iter()
                .find_map(|k| m.get(*k)?.as_str())
        });
        let id = id.map(str::to_owned);
        let word = ["dialstatus", "digit", "variable", "bridge.id"]
            .iter()
            .find_map(|k| wait["match"].get(*k)?.as_str());
        let word = word.map(str::to_owned);
        // The n-th wait of a kind is for the n-th of its kind.
        let count = self.waits.entry(wait.to_string()).or_default();
        *count += 1;
        let wanted = *count;
        let is_it = |line: &&String| {
            line.split(' ').next() == Some(&kind)
                && word
                    .as_ref()
                    .is_none_or(|word| line[kind.len()..].trim_start().starts_with(word.as_str()))
        };
        for _ in 0..500 {
            let of_id = self
                .told
                .values()
                .flatten()
                .filter(|(about, _)| id.as_ref().is_none_or(|id| id == *about));
            let come: usize = of_id.map(|(_, lines)| lines.iter().filter(is_it).count()).sum();
            let has_come = come >= wanted;
            if has_come || wait["on"] == "ami" {
                return;
            }
            self.run(20);
        }
    }

    fn socket(&mut self, ws: &Value) {
        let on = ws["on"].as_str().unwrap_or_default().to_owned();
        match ws["do"].as_str() {
            Some("open") => {
                let Some(apps) = text(ws, "app") else { return };
                for app in apps.split(',').filter(|app| !app.is_empty()) {
                    let all =
                        ws["query"].get("subscribeAll").and_then(Value::as_str) == Some("true");
                    let listener = match all {
                        true => self.stage.listen_to_all(app),
                        false => self.stage.listen(app),
                    };
                    self.listeners.insert(format!("{on}/{app}"), (listener, app.to_owned()));
                }
            }
            Some("close") => {
                self.collect();
                let gone: Vec<_> =
                    self.listeners.keys().filter(|key| key.starts_with(&on)).cloned().collect();
                for key in gone {
                    let (listener, app) = self.listeners.remove(&key).unwrap();
                    self.stage.exchange.deactivate(&common::name(&app), listener.registration);
                }
            }
            _ => {}
        }
    }

    fn request(&mut self, request: &Value, status: u64) {
        let (method, path) =
            (request["method"].as_str().unwrap_or(""), request["path"].as_str().unwrap_or(""));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        if status >= 400 || method == "GET" || method == "OPTIONS" {
            return;
        }
        let outcome = self.carry_out(method, &parts, request);
        if let Err(refusal) = outcome {
            self.refused.push(format!("{method} {path}: {refusal}"));
        }
    }

    fn carry_out(&mut self, method: &str, parts: &[&str], request: &Value) -> Result<(), Refusal> {
        let exchange = &mut self.stage.exchange;
        let get = |name: &str| text(request, name).filter(|text| !text.is_empty());
        let args = || get("appArgs").map(|args| dialplan::arguments(&args)).unwrap_or_default();
        let call = |id: Option<String>| NewCall {
            endpoint: get("endpoint").unwrap_or_default(),
            id: id.or(get("channelId")),
            other_id: get("otherChannelId"),
            originator: get("originator"),
            formats: Vec::new(),
            variables: variables(request),
        };
        let then = || match get("app") {
            Some(app) => Then::Application(app, args()),
            None => Then::Dialplan(Position::new(
                &get("context").unwrap_or_else(|| "default".into()),
                &get("extension").unwrap_or_else(|| "s".into()),
                get("priority").and_then(|p| p.parse().ok()).unwrap_or(1),
            )),
        };
        let timeout = || get("timeout").and_then(|t| t.parse().ok()).map(Duration::from_secs);
        let caller = || get("callerId").map(|id| id.parse().unwrap());
        let originate =
            |id| Originate { call: call(id), caller: caller(), timeout: timeout(), then: then() };
        let play = |id: Option<&str>| PlayHow {
            id: id.map(str::to_owned).or(get("playbackId")),
            media: get("media")
                .map(|m| m.split(',').map(str::to_owned).collect())
                .unwrap_or_default(),
            language: get("lang"),
            ..PlayHow::default()
        };
        let record = || RecordHow {
            name: get("name").unwrap_or_default(),
            format: get("format").unwrap_or_default(),
            if_exists: match get("ifExists").as_deref() {
                Some("overwrite") => IfExists::Overwrite,
                Some("append") => IfExists::Append,
                _ => IfExists::Fail,
            },
            max_duration: get("maxDurationSeconds")
                .and_then(|t| t.parse().ok())
                .map(Duration::from_secs),
            beep: get("beep").as_deref() == Some("true"),
            ..RecordHow::default()
        };
        let way = |name: &str| get(name).and_then(|way| Way::parse(&way)).unwrap_or_default();
        match (method, parts) {
            ("POST", ["channels"]) => exchange.originate(originate(None)).map(drop),
            ("POST", ["channels", "create"]) => {
                exchange.create(call(None), &get("app").unwrap_or_default(), args()).map(drop)
            }
            ("POST", ["channels", "externalMedia"]) => exchange
                .external_media(ExternalMedia {
                    id: get("channelId"),
                    app: get("app").unwrap_or_default(),
                    host: get("external_host").unwrap_or_default(),
                    format: get("format").unwrap_or_default(),
                    variables: variables(request),
                    direction: Way::Both,
                })
                .map(drop),
            ("POST", ["channels", id]) => {
                exchange.originate(originate(Some((*id).into()))).map(drop)
            }
            ("DELETE", ["channels", id]) => {
                let code = get("reason_code").and_then(|code| code.parse().ok()).map(Cause);
                let reason = get("reason").and_then(|reason| Cause::of_reason(&reason));
                exchange.hangup(id, code.or(reason).unwrap_or(Cause::NORMAL))
            }
            ("POST", ["channels", id, "dial"]) => {
                exchange.dial_channel(id, get("caller").as_deref(), timeout())
            }
            ("POST", ["channels", id, "answer"]) => exchange.answer(id),
            ("POST", ["channels", id, "ring"]) => exchange.ring(id, true),
            ("DELETE", ["channels", id, "ring"]) => exchange.ring(id, false),
            ("POST", ["channels", id, "progress"]) => exchange.progress(id),
            ("POST", ["channels", id, "hold"]) => exchange.hold(id, true),
            ("DELETE", ["channels", id, "hold"]) => exchange.hold(id, false),
            ("POST", ["channels", id, "mute"]) => exchange.mute(id, way("direction"), true),
            ("DELETE", ["channels", id, "mute"]) => exchange.mute(id, way("direction"), false),
            ("POST", ["channels", id, "moh"]) => {
                exchange.music(id, Some(&get("mohClass").unwrap_or_else(|| "default".into())))
            }
            ("DELETE", ["channels", id, "moh"]) => exchange.music(id, None),
            ("POST", ["channels", id, "redirect"]) => {
                exchange.redirect(id, &get("endpoint").unwrap_or_default())
            }
            ("POST", ["channels", id, "continue"]) => exchange.continue_in_dialplan(
                id,
                get("context").as_deref(),
                get("extension").as_deref(),
                get("priority").and_then(|p| p.parse().ok()),
                get("label").as_deref(),
            ),
            ("POST", ["channels", id, "move"]) => {
                exchange.move_to(id, &get("app").unwrap_or_default(), args())
            }
            ("POST", ["channels", id, "dtmf"]) => {
                let time = |name: &str, default| {
                    let given = get(name).and_then(|t| t.parse::<i64>().ok()).unwrap_or(default);
                    Duration::from_millis(u64::try_from(given).unwrap_or(u64::from(u32::MAX)))
                };
                exchange.send_digits(
                    id,
                    &DigitsHow {
                        digits: get("dtmf").unwrap_or_default(),
                        duration: time("duration", 100),
                        between: time("between", 100),
                        before: time("before", 0),
                        after: time("after", 0),
                    },
                )
            }
            ("POST", ["channels", id, "play"]) => exchange.play(id, play(None)).map(drop),
            ("POST", ["channels", id, "play", play_id]) => {
                exchange.play(id, play(Some(play_id))).map(drop)
            }
            ("POST", ["channels", id, "record"]) => exchange.record(id, record()).map(drop),
            ("POST", ["channels", id, "variable"]) => exchange.set_variable(
                id,
                &get("variable").unwrap_or_default(),
                &get("value").unwrap_or_default(),
                get("report_events").as_deref() == Some("true"),
            ),
            ("POST", ["channels", id, "snoop", rest @ ..]) => {
                let snoop = NewSnoop {
                    id: rest.first().map(|id| (*id).to_owned()).or(get("snoopId")),
                    spy: way("spy"),
                    whisper: way("whisper"),
                    app: get("app").unwrap_or_default(),
                    args: args(),
                };
                exchange.snoop(id, snoop).map(drop)
            }
            ("DELETE", ["playbacks", id]) => exchange.stop_playback(id),
            ("POST", ["playbacks", id, "control"]) => {
                let operation = PlaybackOperation::parse(&get("operation").unwrap_or_default());
                exchange.control_playback(id, operation.expect("a good one"))
            }
            ("POST", ["recordings", "live", name, what]) => {
                let control = match *what {
                    "stop" => RecordControl::Stop,
                    "pause" => RecordControl::Pause(true),
                    _ => RecordControl::Mute(true),
                };
                exchange.control_recording(name, control)
            }
            ("DELETE", ["recordings", "live", name, what]) => {
                let control = match *what {
                    "pause" => RecordControl::Pause(false),
                    _ => RecordControl::Mute(false),
                };
                exchange.control_recording(name, control)
            }
            ("DELETE", ["recordings", "live", name]) => {
                exchange.control_recording(name, RecordControl::Discard)
            }
            ("POST", ["bridges", rest @ ..]) if rest.len() < 2 => {
                let kind = BridgeType::parse(&get("type").unwrap_or_default())?;
                let id = rest.first().map(|id| (*id).to_owned()).or(get("bridgeId"));
                let name = get("name").unwrap_or_default();
                exchange
                    .create_bridge(NewBridge { id, name, kind, variables: Vec::new() })
                    .map(drop)
            }
            ("DELETE", ["bridges", id]) => exchange.destroy_bridge(id),
            ("POST", ["bridges", id, "addChannel"]) => {
                let channels = get("channel").unwrap_or_default();
                let channels: Vec<&str> = channels.split(',').collect();
                let options = AddOptions {
                    role: get("role"),
                    absorb_dtmf: get("absorbDTMF").as_deref() == Some("true"),
                    mute: get("mute").as_deref() == Some("true"),
                    inhibit_connected_line_updates: false,
                };
                exchange.add_channels(id, &channels, &options)
            }
            ("POST", ["bridges", id, "removeChannel"]) => {
                let channels = get("channel").unwrap_or_default();
                exchange.remove_channels(id, &channels.split(',').collect::<Vec<_>>())
            }
            ("POST", ["bridges", id, "play", rest @ ..]) => {
                exchange.play_to_bridge(id, play(rest.first().copied())).map(drop)
            }
            ("POST", ["bridges", id, "record"]) => exchange.record_bridge(id, record()).map(drop),
            ("POST", ["bridges", id, "moh"]) => exchange.bridge_music(id, Some("default")),
            ("DELETE", ["bridges", id, "moh"]) => exchange.bridge_music(id, None),
            ("POST" | "DELETE", ["applications", app, "subscription"]) => {
                let sources = get("eventSource").unwrap_or_default();
                let sources = sources.split(',').map(str::parse).collect::<Result<Vec<_>, _>>()?;
                match method {
                    "POST" => exchange.subscribe(app, &sources).map(drop),
                    _ => exchange.unsubscribe(app, &sources).map(drop),
                }
            }
            ("POST", ["events", "claim"]) => exchange
                .claim(
                    &get("channelId").unwrap_or_default(),
                    &get("application").unwrap_or_default(),
                )
                .map(drop),
            ("POST", ["events", "user", name]) => {
                let sources = get("source").unwrap_or_default();
                let sources = sources.split(',').filter(|s| !s.is_empty()).map(str::parse);
                let sources = sources.collect::<Result<Vec<_>, _>>()?;
                let app = get("application").unwrap_or_default();
                exchange.user_event(&app, name, serde_json::Map::new(), &sources)
            }
            ("PUT", ["deviceStates", name]) => {
                let state = get("deviceState").and_then(|s| device::DeviceState::parse(&s));
                exchange.set_device_state(name, state.expect("a good one"))
            }
            ("DELETE", ["deviceStates", name]) => exchange.delete_device_state(name),
            _ => Ok(()),
        }
    }
}

/// What was recorded, in the same form.
fn recorded(steps: &[Value]) -> BTreeMap<String, Told> {
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    for step in steps {
        let (Some(event), Some(on)) = (step.get("event"), step.get("on").and_then(Value::as_str))
        else {
            continue;
        };
        let Some((id, line)) = recorded_line(event) else { continue };
        let app = event["application"].as_str().unwrap_or_default();
        told.entry(format!("{on}/{app}")).or_default().entry(id).or_default().push(line);
    }
    told
}

fn recorded_line(event: &Value) -> Option<(String, String)> {
    let kind = event["type"].as_str()?;
    let s = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let channel = &event["channel"];
    let id = s(&channel["id"]);
    let party = |party: &Value| format!("\"{}\" <{}>", s(&party["name"]), s(&party["number"]));
    let rest = match kind {
        "ChannelHangupRequest" => {
            let soft = if event["soft"] == true { " soft" } else { "" };
            format!(" {}{soft}", event["cause"])
        }
        "ChannelDtmfReceived" => format!(" {} {}", s(&event["digit"]), event["duration_ms"]),
        "ChannelVarset" => format!(" {}={}", s(&event["variable"]), s(&event["value"])),
        "Dial" => {
            let line = format!("Dial {}", s(&event["dialstatus"]));
            return Some((s(&event["peer"]["id"]), line.trim_end().into()));
        }
        "ChannelEnteredBridge" | "ChannelLeftBridge" => format!(" {}", s(&event["bridge"]["id"])),
        "StasisStart" => {
            let args: Vec<_> = event["args"].as_array()?.iter().map(s).collect();
            if args.is_empty() { String::new() } else { format!(" {}", args.join(",")) }
        }
        "ChannelDestroyed" => format!(" {}", event["cause"]),
        "ChannelStateChange" | "ChannelCreated" => format!(" {}", s(&channel["state"])),
        "ChannelDialplan" => {
            format!(" {}({})", s(&event["dialplan_app"]), s(&event["dialplan_app_data"]))
        }
        "ChannelCallerId" => format!(" {}", party(&channel["caller"])),
        "ChannelConnectedLine" => format!(" {}", party(&channel["connected"])),
        "ApplicationMoveFailed" => format!(" {}", s(&event["destination"])),
        "CallBroadcast" => format!(" {}", s(&event["called"])),
        "DeviceStateChanged" => {
            let device = &event["device_state"];
            return Some((s(&device["name"]), format!("{kind} {}", s(&device["state"]))));
        }
        "BridgeCreated" | "BridgeDestroyed" => {
            return Some((s(&event["bridge"]["id"]), kind.into()));
        }
        "ChannelUserevent" => return Some((s(&event["eventname"]), kind.into())),
        _ if kind.starts_with("Playback") => {
            let playback = &event["playback"];
            let failed = if playback["state"] == "failed" { " failed" } else { "" };
            let line = format!("{kind} {}{failed}", s(&playback["media_uri"]));
            return Some((s(&playback["id"]), line));
        }
        _ if kind.starts_with("Recording") => {
            return Some((s(&event["recording"]["name"]), kind.into()));
        }
        _ => String::new(),
    };
    let id = if id.is_empty() { "-".into() } else { id };
    Some((id, format!("{kind}{rest}")))
}

#[test]
fn recorded_scenarios_are_told_as_they_were() {
    let Ok(folder) = std::env::var("STASIS_TRACES") else { return };
    let only = std::env::var("ONLY").unwrap_or_default();
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut differing = 0;
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if !name.ends_with(".json") || !name.contains(&only) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let scenario: Value = serde_json::from_str(&text).unwrap();
        let steps = scenario["steps"].as_array().unwrap();
        let mut player = Player::new();
        steps.iter().for_each(|step| player.step(step));
        player.run(200);
        let theirs = recorded(steps);
        let mut differences = player.refused.clone();
        for (socket, told) in &theirs {
            for (id, lines) in told {
                let ours = player.told.get(socket).and_then(|told| told.get(id));
                let ours = ours.cloned().unwrap_or_default();
                // Ids that were made, and names with what makes them unique, differ.
                if id.contains('<')
                    || lines.iter().zip(&ours).all(|(a, b)| a == b || a.contains('<'))
                        && lines.len() == ours.len()
                {
                    continue;
                }
                differences
                    .push(format!("{socket} {id}\n      theirs {lines:?}\n      ours   {ours:?}"));
            }
        }
        println!("{name}: {}", if differences.is_empty() { "as recorded" } else { "differs" });
        differences.iter().for_each(|difference| println!("    {difference}"));
        differing += usize::from(!differences.is_empty());
        let _ = player.stage.close();
    }
    println!("{differing} differ");
}

#[test]
fn lines_are_made_of_what_is_told() {
    let mut stage = Stage::new();
    let mut listener = stage.listen_to_all("all");
    stage
        .exchange
        .create_bridge(NewBridge { id: Some("b".into()), ..NewBridge::default() })
        .unwrap();
    let told: Vec<_> = listener.deliveries().iter().flat_map(lines).collect();
    assert_eq!(told, ["BridgeCreated b"]);
}
