//! Carries out commands. What is refused is refused: that may be right, and nothing has changed then.

use std::time::Duration;

use stasis_control::cause::Cause;
use stasis_control::channel::Position;
use stasis_control::device::{DeviceState, Presence};
use stasis_control::dialplan::Dialplan;
use stasis_control::endpoint::EndpointState;
use stasis_control::{
    AddOptions, DigitsHow, ExternalMedia, NewBridge, NewCall, NewSnoop, Originate, PlayHow,
    PlaybackOperation, Then,
};

use crate::command::{Command, Pick};
use crate::picks::{app, kind, media, party, record_control, recording, time, way, words};
use crate::wild::signal;
use crate::world::{PLAN, World};

impl World {
    pub fn play(&mut self, command: &Command) {
        self.carry_out(command);
        self.look();
    }

    fn carry_out(&mut self, command: &Command) {
        match *command {
            Command::Originate { endpoint, id, other, then, time } => {
                self.originate((endpoint, id, other), then, time);
            }
            Command::Create { endpoint, id, app: to } => {
                let call = self.call(endpoint, id, id / 2);
                let _ = self.exchange.create(call, app(to), vec!["x".into()]);
            }
            Command::Dial { channel, caller, time: t } => {
                let (channel, caller) = (self.guest(channel), self.channel(caller));
                let timeout = t.is_multiple_of(2).then(|| time(t));
                let _ = self.exchange.dial_channel(&channel, Some(&caller), timeout);
            }
            Command::Incoming { endpoint, id, exten } => {
                let call = self.call(endpoint, id, id / 2);
                let exten = self.extension(exten).to_owned();
                let context = if endpoint == 255 { "absent" } else { "plan" };
                let _ = self.exchange.incoming(call, party(id), context, &exten);
            }
            Command::External { id, app: to, way: direction } => {
                let host = if id > 200 { "nonsense" } else { "127.0.0.1:4004" }.into();
                let medium = ExternalMedia {
                    id: self.id('c', id),
                    app: app(to).into(),
                    host,
                    format: "ulaw".into(),
                    direction: way(direction),
                    variables: vec![("A".into(), "1".into())],
                };
                let _ = self.exchange.external_media(medium);
            }
            Command::Snoop { channel, id, app: to, way: direction } => {
                let (spy, whisper) = (way(direction), way(direction / 4));
                let (id, app) = (self.id('c', id), app(to).into());
                let snoop = NewSnoop { id, spy, whisper, app, args: Vec::new() };
                let _ = self.exchange.snoop(&self.channel(channel), snoop);
            }
            Command::Hangup { channel, cause } => {
                let _ = self.exchange.hangup(&self.channel(channel), Cause(cause.into()));
            }
            Command::Change { channel, how } => self.change(&self.guest(channel), how),
            Command::Redirect { channel, endpoint } => {
                let endpoint = self.endpoint(endpoint);
                let _ = self.exchange.redirect(&self.guest(channel), &endpoint);
            }
            Command::SendDigits { channel, digits } => self.send_digits(channel, digits),
            Command::Variable { channel, name, value } => {
                self.variable(&self.guest(channel), name, value);
            }
            Command::Continue { channel, exten, form } => {
                self.go_on(&self.guest(channel), exten, form);
            }
            Command::Move { channel, app: to } => {
                let _ = self.exchange.move_to(&self.guest(channel), app(to), vec!["m".into()]);
            }
            Command::Claim { channel, app: by } => {
                let _ = self.exchange.claim(&self.channel(channel), app(by));
            }
            Command::BlindTransfer { channel, exten } => {
                let exten = self.extension(exten).to_owned();
                let _ = self.exchange.blind_transfer(&self.member(channel), "plan", &exten);
            }
            Command::AttendedTransfer { first, second } => {
                let (first, second) = (self.member(first), self.member(second));
                let _ = self.exchange.attended_transfer(&first, &second);
            }
            Command::Register { app: name } => self.register(app(name)),
            Command::Deactivate { registration } => {
                let count = self.registrations.len();
                let (name, registration) = &self.registrations[usize::from(registration) % count];
                self.exchange.deactivate(name, *registration);
            }
            Command::Subscribe { app: by, source, of } => {
                let sources = [self.source(source, of), self.source(of, source)];
                let _ = self.exchange.subscribe(app(by), &sources[..1 + usize::from(of % 2)]);
            }
            Command::Unsubscribe { app: by, source, of } => {
                let _ = self.exchange.unsubscribe(app(by), &[self.source(source, of)]);
            }
            Command::Filter { app: of } => {
                let _ = self.exchange.set_filter(app(of), words(of), words(of / 2));
            }
            Command::UserEvent { app: by, source, of } => {
                let body = serde_json::Map::new();
                let sources = [self.source(source, of)];
                let _ = self.exchange.user_event(app(by), "Gold", body, &sources);
            }
            Command::World { what, how } => self.world(what, how),
            Command::Signal { channel, what } => {
                let keys = self.keys.lock().unwrap().clone();
                if !keys.is_empty() {
                    let key = keys[keys.len() - 1 - usize::from(channel) % keys.len()];
                    self.exchange.signal(key, signal(what));
                }
            }
            Command::Wait { time: t } => self.wait(time(t % 251)),
            Command::WaitForTimer => {
                // Not to the end of all time, where nothing can be later.
                let next = self.exchange.next_deadline();
                if next.is_some_and(|next| next.since(self.now) < time(250) * 1_000) {
                    self.wait_for_timer();
                }
            }
            Command::Engine { what, of } => {
                if let Some(event) = self.engine.event(what, of) {
                    self.exchange.media_event(event);
                }
            }
            _ => self.carry_out_media(command),
        }
    }

    /// What is played and recorded, and bridges.
    fn carry_out_media(&mut self, command: &Command) {
        match *command {
            Command::Play { channel, id, media } => {
                let how = self.play_how(id, media);
                let _ = self.exchange.play(&self.guest(channel), how);
            }
            Command::PlayToBridge { bridge, id, media } => {
                let how = self.play_how(id, media);
                let _ = self.exchange.play_to_bridge(&self.bridge(bridge), how);
            }
            Command::StopPlayback { playback } => {
                let _ = self.exchange.stop_playback(&self.playback(playback));
            }
            Command::ControlPlayback { playback, how } => {
                use PlaybackOperation::*;
                let all = [Pause, Unpause, Restart, Reverse, Forward];
                let how = all[usize::from(how) % all.len()];
                let _ = self.exchange.control_playback(&self.playback(playback), how);
            }
            Command::Record { channel, name } => {
                let _ = self.exchange.record(&self.guest(channel), recording(name));
            }
            Command::RecordBridge { bridge, name } => {
                let _ = self.exchange.record_bridge(&self.bridge(bridge), recording(name));
            }
            Command::ControlRecording { name, how } => {
                let name = recording(name).name;
                let _ = self.exchange.control_recording(&name, record_control(how));
            }
            Command::MakeBridge { id, kind: of } => {
                let variables = vec![("A".into(), "1".into())];
                let new =
                    NewBridge { id: self.id('b', id), name: "n".into(), kind: kind(of), variables };
                let _ = self.exchange.create_bridge(new);
            }
            Command::DestroyBridge { bridge } => {
                let _ = self.exchange.destroy_bridge(&self.bridge(bridge));
            }
            Command::Add { bridge, ref channels, how } => {
                let options = AddOptions {
                    role: (how & 1 != 0).then(|| "announcer".into()),
                    absorb_dtmf: how & 2 != 0,
                    mute: how & 4 != 0,
                    inhibit_connected_line_updates: how & 8 != 0,
                };
                let channels = self.channels(channels);
                let channels: Vec<_> = channels.iter().map(String::as_str).collect();
                let _ = self.exchange.add_channels(&self.bridge(bridge), &channels, &options);
            }
            Command::Remove { bridge, ref channels } => {
                let channels = self.channels(channels);
                let channels: Vec<_> = channels.iter().map(String::as_str).collect();
                let _ = self.exchange.remove_channels(&self.bridge(bridge), &channels);
            }
            Command::Merge { from, into } => {
                let (from, into) = (self.bridge(from), self.bridge(into));
                let _ = self.exchange.merge_bridges(&from, &into);
            }
            Command::ChangeBridge { bridge, how } => self.change_bridge(&self.bridge(bridge), how),
            _ => unreachable!("{command:?} is for others"),
        }
    }

    fn channels(&self, picks: &[Pick]) -> Vec<String> {
        picks.iter().map(|pick| self.guest(*pick)).collect()
    }

    fn call(&self, endpoint: Pick, id: Pick, other: Pick) -> NewCall {
        NewCall {
            endpoint: self.endpoint(endpoint),
            id: self.id('c', id),
            other_id: self.id('c', other),
            originator: id.is_multiple_of(2).then(|| self.channel(other)),
            formats: vec!["ulaw".into()],
            variables: vec![("_A".into(), "1".into()), ("CALLERID(name)".into(), "N".into())],
        }
    }

    fn originate(&mut self, (endpoint, id, other): (Pick, Pick, Pick), then: Pick, ring: Pick) {
        let then = match then % 2 {
            0 => Then::Application(app(then / 16).into(), vec!["a".into()]),
            _ => Then::Dialplan(Position::new("plan", self.extension(then), 1)),
        };
        let timeout = (ring % 2 == 1).then(|| time(ring));
        let call = self.call(endpoint, id, other);
        let _ = self.exchange.originate(Originate { call, caller: party(other), timeout, then });
    }

    fn change(&mut self, channel: &str, how: Pick) {
        let (exchange, yes) = (&mut self.exchange, how & 16 != 0);
        let _ = match how % 16 {
            0..=3 => exchange.answer(channel),
            4 | 5 => exchange.ring(channel, !yes),
            6 => exchange.progress(channel),
            7 | 8 => exchange.hold(channel, !yes),
            9 | 10 => exchange.mute(channel, way(how / 32), !yes),
            11..=13 => exchange.music(channel, (!yes).then_some("default")),
            14 => exchange.rtp_figures(channel).map(|_| ()),
            _ => exchange.variables(channel, &["A", "CHANNEL(name)"]).map(|_| ()),
        };
    }

    fn send_digits(&mut self, channel: Pick, digits: Pick) {
        let how = DigitsHow {
            digits: ["", "1", "w", "12w#", "xyz"][usize::from(digits) % 5].into(),
            duration: time(digits),
            between: time(digits.reverse_bits()),
            before: time(digits / 2),
            after: time(digits / 3),
        };
        let _ = self.exchange.send_digits(&self.guest(channel), &how);
    }

    fn variable(&mut self, channel: &str, name: Pick, value: Pick) {
        let names = [
            "A",
            "GOLD",
            "__B",
            "",
            "CALLERID(num)",
            "CALLERID(all)",
            "CONNECTEDLINE(num)",
            "CHANNEL(language)",
            "CHANNEL(accountcode)",
            "TALK_DETECT(set)",
            "CDR_PROP(disable)",
            "NOSUCH(x)",
            "BRIDGEPEER",
            "STASISSTATUS",
        ];
        let name = names[usize::from(name) % names.len()];
        let value = ["", "1", "x,y", "\"N\" <9>"][usize::from(value) % 4];
        let _ = self.exchange.set_variable(channel, name, value, value.len() == 1);
        let _ = self.exchange.variable(channel, name);
    }

    fn go_on(&mut self, channel: &str, exten: Pick, form: Pick) {
        let exten = self.extension(exten).to_owned();
        let context = (form & 1 != 0).then_some(if form & 16 != 0 { "other" } else { "plan" });
        let exten = (form & 2 != 0).then_some(exten.as_str());
        let priority = (form & 4 != 0).then_some(u32::from(form / 32));
        let label = (form & 0x18 == 0x18).then_some("absent");
        let _ = self.exchange.continue_in_dialplan(channel, context, exten, priority, label);
    }

    fn play_how(&self, id: Pick, of: Pick) -> PlayHow {
        let id = self.id('p', id).map(|id| if id == "p3" { "p0".into() } else { id });
        let (offset, skip) =
            (Duration::from_millis(of.into()), of.is_multiple_of(2).then(|| time(of)));
        PlayHow { id, media: media(of), language: None, offset, skip }
    }

    fn change_bridge(&mut self, bridge: &str, how: Pick) {
        let _ = match how % 4 {
            0 => self.exchange.bridge_music(bridge, Some("default")),
            1 => self.exchange.bridge_music(bridge, None),
            2 => self.exchange.set_bridge_variable(bridge, "A", "2", how & 16 != 0),
            _ => self.exchange.bridge_variable(bridge, "A").map(|_| ()),
        };
    }

    fn world(&mut self, what: Pick, how: Pick) {
        let exchange = &mut self.exchange;
        let device = ["Stasis:x", "Test/answers"][usize::from(how % 2)];
        let mailbox = ["1000@default", "x"][usize::from(how % 2)];
        match what % 11 {
            0 => drop(exchange.set_device_state(device, DeviceState::ALL[usize::from(how % 9)])),
            1 => drop(exchange.delete_device_state(device)),
            2 => exchange.set_presence("CustomPresence:a", Presence::Away, "", "gone"),
            3 => exchange.set_mailbox(mailbox, how.into(), 1),
            4 => drop(exchange.delete_mailbox(mailbox)),
            5 => drop(exchange.set_endpoint_state("Test/answers", EndpointState::Offline)),
            6 => drop(exchange.text_message("Test/answers", "a", "b", "hello", Default::default())),
            7 => exchange.set_global("G", "1"),
            8 => drop(exchange.global("GLOBAL(G)")),
            9 => exchange.set_dialplan(Dialplan::parse_conf(PLAN).unwrap()),
            _ => exchange.add_endpoints(["SIP/x".to_owned()]),
        }
    }
}
