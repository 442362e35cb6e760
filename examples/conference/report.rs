//! What the conference tells: a line per event, for people or as JSON, and a summary.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Mutex;

use serde_json::{Map, Value, json};
use stasis_bus::{Delivery, Message, Stamp, SubscriptionChange, SubscriptionStats};
use stasis_media::LegId;
use stasis_media::event::{
    DeviceSlipped, DtmfBegan, DtmfNotSent, DtmfReceived, DtmfSource, Joined, Left, RtpReceived,
    RtpSent, SourceLearned, TalkingStarted, TalkingStopped, TickMissed,
};
use stasis_media::io::{
    Counters, DeviceLost, DeviceRestored, DeviceTrouble, RecordState, RecordingChanged,
};

/// What is known of one participant.
#[derive(Default)]
struct Participant {
    digits: String,
    received: Option<RtpReceived>,
    sent: Option<RtpSent>,
    slipped: Option<DeviceSlipped>,
}

/// Writes events as they come, and keeps what the summary needs.
pub struct Reporter {
    json: bool,
    start: Stamp,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    names: BTreeMap<LegId, String>,
    participants: BTreeMap<LegId, Participant>,
    /// Losses that a subscription was told of.
    lagged: u64,
}

/// One line: the type, who, and the rest.
struct Line {
    kind: &'static str,
    leg: Option<LegId>,
    fields: Value,
    text: String,
}

impl Reporter {
    pub fn new(json: bool, start: Stamp) -> Self {
        Reporter { json, start, state: Mutex::default() }
    }

    /// From here on `leg` is called `name`.
    pub fn name(&self, leg: LegId, name: &str) {
        let mut state = self.state.lock().expect("no panic while it is held");
        state.names.insert(leg, name.into());
        state.participants.entry(leg).or_default();
    }

    /// A line for people; with JSON it goes to stderr.
    pub fn say(&self, text: &str) {
        if self.json {
            eprintln!("{text}");
        } else {
            println!("{text}");
        }
    }

    /// Says where one more participant may send to, and what a player needs to hear the answer.
    pub fn listening(&self, leg: LegId, address: SocketAddr, sdp: &str) {
        let state = self.state.lock().expect("no panic while it is held");
        let text = format!("may send RTP to {address}; SDP for a player:\n\n{sdp}");
        let fields = json!({ "address": address.to_string(), "sdp": sdp });
        self.write(&state, &line("listening", Some(leg), fields, text), self.start);
    }

    /// Writes what was delivered.
    pub fn deliver(&self, delivery: &Delivery) {
        let mut state = self.state.lock().expect("no panic while it is held");
        let (line, at) = match delivery {
            Delivery::Message(message) => (state.read(message), message.stamp()),
            Delivery::Lagged(missed) => {
                state.lagged += missed;
                let text = format!("({missed} events were lost here)");
                (Some(line("lagged", None, json!({ "missed": missed }), text)), self.start)
            }
        };
        if let Some(line) = line {
            self.write(&state, &line, at);
        }
    }

    fn write(&self, state: &State, line: &Line, at: Stamp) {
        let at_ms = at.since(self.start).as_millis() as u64;
        let unnamed = || line.leg.map(|leg| leg.to_string());
        let name = line.leg.and_then(|leg| state.names.get(&leg).cloned()).or_else(unnamed);
        if self.json {
            let mut object = Map::new();
            object.insert("type".into(), line.kind.into());
            object.insert("participant".into(), name.into());
            object.insert("at_ms".into(), at_ms.into());
            if let Value::Object(fields) = &line.fields {
                object.extend(fields.clone());
            }
            print(&Value::Object(object).to_string());
        } else {
            let seconds = at_ms as f64 / 1_000.0;
            print(&format!("{seconds:8.2} s  {:<6} {}", name.unwrap_or_default(), line.text));
        }
    }

    /// Writes the last line.
    pub fn summary(&self, summary: &Summary) {
        let state = self.state.lock().expect("no panic while it is held");
        let participants: Map<String, Value> = state
            .participants
            .iter()
            .map(|(leg, participant)| {
                let name = state.names.get(leg).cloned().unwrap_or_else(|| leg.to_string());
                let fields = participant.fields(summary.heard.get(name.as_str()));
                (name, fields)
            })
            .collect();
        if self.json {
            print(&summary.to_json(participants, state.lagged).to_string());
        } else {
            print(&summary.to_text(&participants, state.lagged));
        }
    }
}

/// Standard output may be a pipe whose reader has gone: that is no reason to end with a panic.
fn print(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn line(kind: &'static str, leg: Option<LegId>, fields: Value, text: String) -> Line {
    Line { kind, leg, fields, text }
}

impl State {
    /// Turns a message into a line, and notes it for the summary.
    fn read(&mut self, message: &Message) -> Option<Line> {
        if let Some(event) = message.downcast_ref::<Joined>() {
            let fields = json!({ "bridge": event.bridge.to_string() });
            return Some(line("joined", Some(event.leg), fields, "joined".into()));
        }
        if let Some(event) = message.downcast_ref::<Left>() {
            let fields = json!({ "bridge": event.bridge.to_string() });
            return Some(line("left", Some(event.leg), fields, "left".into()));
        }
        if let Some(event) = message.downcast_ref::<TalkingStarted>() {
            return Some(line("talking_started", Some(event.leg), json!({}), "talks".into()));
        }
        if let Some(TalkingStopped { leg, duration_ms }) = message.downcast_ref() {
            let text = format!("was talking for {:.1} s", f64::from(*duration_ms) / 1_000.0);
            let fields = json!({ "duration_ms": duration_ms });
            return Some(line("talking_stopped", Some(*leg), fields, text));
        }
        if let Some(DtmfBegan { leg, digit, source }) = message.downcast_ref() {
            let fields = json!({ "key": digit.as_char(), "source": word(*source) });
            return Some(line("dtmf_began", Some(*leg), fields, format!("holds {digit}")));
        }
        if let Some(DtmfReceived { leg, digit, source, duration_ms }) = message.downcast_ref() {
            self.participants.entry(*leg).or_default().digits.push(digit.as_char());
            let (digit, source) = (digit.as_char(), word(*source));
            let text = format!("pressed {digit} for {duration_ms} ms ({source})");
            let fields = json!({ "digit": digit, "source": source, "duration_ms": duration_ms });
            return Some(line("dtmf", Some(*leg), fields, text));
        }
        if let Some(SourceLearned { leg, address }) = message.downcast_ref() {
            let fields = json!({ "address": address.to_string() });
            return Some(line("source_learned", Some(*leg), fields, format!("is at {address}")));
        }
        if let Some(event) = message.downcast_ref::<RtpReceived>() {
            self.participants.entry(event.leg).or_default().received = Some(*event);
            let stats = &event.stats;
            let text = format!(
                "sent {} packets, {} lost, {} late; jitter {:.1} ms, buffer {:.0} ms",
                stats.packets, stats.lost, stats.late, stats.jitter_ms, stats.depth_ms
            );
            return Some(line("stats", Some(event.leg), received(event), text));
        }
        if let Some(event) = message.downcast_ref::<RtpSent>() {
            self.participants.entry(event.leg).or_default().sent = Some(*event);
            let text = format!("was sent {} packets", event.stats.packets);
            let fields = json!({ "packets_out": event.stats.packets });
            return Some(line("stats_sent", Some(event.leg), fields, text));
        }
        self.read_trouble(message)
            .or_else(|| read_device(message))
            .or_else(|| read_recording(message))
    }

    fn read_trouble(&mut self, message: &Message) -> Option<Line> {
        if let Some(event) = message.downcast_ref::<DeviceSlipped>() {
            self.participants.entry(event.leg).or_default().slipped = Some(*event);
            let DeviceSlipped { leg, underruns, overruns } = event;
            let text = format!("sound device: {underruns} underruns, {overruns} overruns so far");
            let fields = json!({ "underruns": underruns, "overruns": overruns });
            return Some(line("device_slipped", Some(*leg), fields, text));
        }
        if let Some(DtmfNotSent { leg, digit }) = message.downcast_ref() {
            let fields = json!({ "digit": digit.as_char() });
            return Some(line(
                "dtmf_not_sent",
                Some(*leg),
                fields,
                format!("was not sent {digit}"),
            ));
        }
        if let Some(TickMissed { lateness_us, .. }) = message.downcast_ref() {
            let text = format!("(a tick was {} ms late)", lateness_us / 1_000);
            return Some(line("tick_missed", None, json!({ "lateness_us": lateness_us }), text));
        }
        None
    }
}

fn read_device(message: &Message) -> Option<Line> {
    if let Some(DeviceLost { leg, name, reason }) = message.downcast_ref() {
        let text = format!("has lost {name} ({reason}); it is opened again when it is back");
        let fields = json!({ "name": name, "reason": reason });
        return Some(line("device_lost", Some(*leg), fields, text));
    }
    if let Some(DeviceRestored { leg, name, tries }) = message.downcast_ref() {
        let text = format!("has a sound device again: {name}");
        let fields = json!({ "name": name, "tries": tries });
        return Some(line("device_restored", Some(*leg), fields, text));
    }
    let DeviceTrouble { leg, reason } = message.downcast_ref()?;
    let text = format!("sound device: {reason}");
    Some(line("device_trouble", Some(*leg), json!({ "reason": reason }), text))
}

fn read_recording(message: &Message) -> Option<Line> {
    if let Some(RecordingChanged { path, state, figures, .. }) = message.downcast_ref() {
        let (kind, fields, text) = match state {
            RecordState::Queued | RecordState::Recording | RecordState::Paused => {
                let text = format!("(recording to {})", path.display());
                ("recording_started", json!({ "path": path }), text)
            }
            RecordState::Failed(reason) => {
                let text = format!("(the recording has ended early: {reason})");
                ("recording_failed", json!({ "path": path, "reason": reason }), text)
            }
            RecordState::Done(_) | RecordState::Canceled => {
                let samples = figures.samples;
                let text = format!("(recorded {samples} samples to {})", path.display());
                ("recording_finished", json!({ "path": path, "samples": samples }), text)
            }
        };
        return Some(line(kind, None, fields, text));
    }
    let change = message.downcast_ref::<SubscriptionChange>()?;
    let (kind, text) = match change {
        SubscriptionChange::Subscribe(_) => ("subscribed", "(subscribed)"),
        SubscriptionChange::Unsubscribe(_) => ("unsubscribed", "(unsubscribed)"),
    };
    Some(line(kind, None, json!({}), text.into()))
}

fn word(source: DtmfSource) -> &'static str {
    match source {
        DtmfSource::InBand => "in-band",
        DtmfSource::TelephoneEvent => "rfc4733",
    }
}

fn received(event: &RtpReceived) -> Value {
    let stats = &event.stats;
    json!({
        "packets_in": stats.packets,
        "lost": stats.lost,
        "late": stats.late,
        "duplicates": stats.duplicates,
        "refused": stats.refused,
        "concealed": stats.concealed,
        "jitter_ms": tenths(stats.jitter_ms),
        "depth_ms": tenths(stats.depth_ms),
    })
}

fn tenths(value: f32) -> f64 {
    (f64::from(value) * 10.0).round() / 10.0
}

impl Participant {
    fn fields(&self, heard: Option<&BTreeMap<&'static str, f64>>) -> Value {
        let stats = self.received.map(|event| event.stats).unwrap_or_default();
        let mut fields = json!({
            "packets_in": stats.packets,
            "packets_out": self.sent.map_or(0, |event| event.stats.packets),
            "lost": stats.lost,
            "late": stats.late,
            "digits": self.digits,
        });
        if let Some(slipped) = self.slipped {
            fields["underruns"] = slipped.underruns.into();
            fields["overruns"] = slipped.overruns.into();
        }
        if let Some(heard) = heard {
            // How loud each voice is in what this one heard: 1 as it was said, 0 not at all.
            fields["heard"] = json!(heard);
        }
        fields
    }
}

/// What is known in the end.
pub struct Summary {
    pub seconds: f64,
    pub counters: Counters,
    pub published: u64,
    pub subscription: SubscriptionStats,
    /// By listener and speaker, how loud the speaker was heard.
    pub heard: BTreeMap<&'static str, BTreeMap<&'static str, f64>>,
}

impl Summary {
    fn to_json(&self, participants: Map<String, Value>, lagged: u64) -> Value {
        let dropped = self.subscription.dropped;
        json!({
            "type": "summary",
            "participant": null,
            "at_ms": (self.seconds * 1_000.0) as u64,
            "participants": participants,
            "ticks": self.counters.ticks,
            "missed_ticks": self.counters.missed,
            "skipped_ticks": self.counters.skipped,
            "worst_lateness_us": self.counters.worst_lateness_us,
            "send_errors": self.counters.send_errors,
            "events": {
                "published": self.published,
                "delivered": self.subscription.delivered,
                "dropped": {
                    "full": dropped.full,
                    "contended": dropped.contended,
                    "exhausted": dropped.exhausted,
                },
                "lagged": lagged,
            },
        })
    }

    fn to_text(&self, participants: &Map<String, Value>, lagged: u64) -> String {
        let mut text = format!("\nAfter {:.1} s:\n", self.seconds);
        text += "           packets in     out    lost    late  digits  hears\n";
        for (name, fields) in participants {
            let number = |field: &str| fields[field].as_u64().unwrap_or(0);
            let mut heard = String::new();
            for (speaker, gain) in fields["heard"].as_object().into_iter().flatten() {
                let percent = gain.as_f64().unwrap_or(0.0) * 100.0;
                heard += &format!("{speaker} {percent:.0} %  ");
            }
            text += &format!(
                "  {name:<8} {:>10} {:>7} {:>7} {:>7}  {:<6}  {}\n",
                number("packets_in"),
                number("packets_out"),
                number("lost"),
                number("late"),
                fields["digits"].as_str().unwrap_or(""),
                heard.trim_end(),
            );
        }
        let Counters { ticks, missed, worst_lateness_us, send_errors, .. } = self.counters;
        let dropped = self.subscription.dropped;
        text += &format!(
            "  {ticks} ticks, {missed} missed, the latest {:.2} ms late; {send_errors} send errors\n",
            worst_lateness_us as f64 / 1_000.0
        );
        text += &format!(
            "  {} events published, {} delivered; dropped: {} ring full, {} contended, {} pool \
             empty (told: {lagged})",
            self.published,
            self.subscription.delivered,
            dropped.full,
            dropped.contended,
            dropped.exhausted
        );
        text
    }
}
