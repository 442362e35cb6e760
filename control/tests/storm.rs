//! Whatever clients ask for, in whatever order: nothing breaks, what is told adds up, and nothing is left.
//!
//! `STORM_SEED=7 cargo test -p stasis-control --test storm` plays one storm again.

mod common;

use std::collections::BTreeMap;

use common::*;
use stasis_control::bridge::BridgeType;
use stasis_control::cause::Cause;
use stasis_control::channel::Position;
use stasis_control::device::DeviceState;
use stasis_control::media::{Keys, RecordControl, RecordHow, Way};
use stasis_control::tech::{Answers, PhoneSettings};
use stasis_control::{
    AddOptions, DigitsHow, NewBridge, NewSnoop, Originate, PlayHow, PlaybackOperation, Then,
};

const PLAN: &str = "
[in]
exten => menu,1,Answer
same => n,Read(PIN,menu,2,,1,1)
same => n,Background(hello-world)
same => n,WaitExten(1)
exten => app,1,Stasis(one,x)
same => n,Playback(goodbye)
same => n,Stasis(two)
same => n,Record(${UNIQUEID}:wav,1,2)
exten => offer,1,StasisBroadcast(1000)
same => n,Goto(app,1)
exten => dial,1,Dial(Test/talks&Test/late&Local/app@in,2,g)
same => n,Goto(menu,1)
exten => pair,1,Dial(Local/pairs@in,2)
exten => pairs,1,Dial(Local/talks@in)
exten => talks,1,Dial(Test/talks,2)
exten => echo,1,Answer
same => n,Echo
exten => busy,1,Busy(1)
exten => music,1,Answer
same => n,MusicOnHold(default,1)
same => n,SendDTMF(12w3)
same => n,Gosub(sub,1(a,b))
same => n,Hangup
exten => sub,1,Wait(0.1)
same => n,Return(done)
exten => i,1,Goto(app,1)
exten => t,1,Goto(talks,1)
exten => h,1,Set(GONE=${CHANNEL})
";

const EXTENS: [&str; 11] =
    ["menu", "app", "offer", "dial", "pair", "pairs", "talks", "echo", "busy", "music", "nowhere"];
const ENDPOINTS: [&str; 12] = [
    "Test/talks",
    "Test/late",
    "Test/never",
    "Test/busy",
    "Test/short",
    "Test/keys",
    "Local/app@in",
    "Local/menu@in/n",
    "Local/pair@in",
    "Local/nowhere@in",
    "Test/nobody",
    "Echo",
];
const MEDIA: [&str; 5] = ["sound:menu", "sound:long", "sound:nothing", "digits:12", "recording:r0"];

/// Numbers that are the same each time (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % most.max(1)
    }

    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn is(&mut self) -> bool {
        self.below(2) == 0
    }
}

struct Storm {
    stage: Stage,
    dice: Dice,
    listeners: Vec<(&'static str, Listener)>,
    log: Vec<String>,
}

impl Storm {
    fn new(seed: u64) -> Self {
        let phones = [
            ("talks", quiet().says(300.0).answers_after(100).hangs_up_after(3_000)),
            ("late", quiet().answers_after(900)),
            ("never", that(Answers::Never)),
            ("busy", that(Answers::Busy)),
            ("short", quiet().hangs_up_after(200)),
            ("keys", quiet().presses(300, "12#*")),
        ];
        let phones: BTreeMap<String, PhoneSettings> =
            phones.into_iter().map(|(name, phone)| (name.to_owned(), phone)).collect();
        let mut stage = Stage::with(PLAN, phones);
        let listeners = vec![
            ("one", stage.listen("one")),
            ("two", stage.listen("two")),
            ("all", stage.listen_to_all("all")),
        ];
        Storm { stage, dice: Dice(seed), listeners, log: Vec::new() }
    }

    /// Some channel, or none that there is.
    fn channel(&mut self) -> String {
        let channels = self.stage.exchange.state().channels();
        match self.dice.below(channels.len() + 1) {
            0 => "c0".into(),
            n => channels[n - 1].id().to_string(),
        }
    }

    fn bridge(&mut self) -> String {
        let bridges = self.stage.exchange.state().bridges();
        match self.dice.below(bridges.len() + 1) {
            0 => "b0".into(),
            n => bridges[n - 1].id.to_string(),
        }
    }

    fn name(&mut self, kind: char) -> Option<String> {
        let number = self.dice.below(8);
        (number < 6).then(|| format!("{kind}{number}"))
    }

    fn app(&mut self) -> &'static str {
        self.dice.of(&["one", "one", "two", "all", "nobody"])
    }

    fn play_how(&mut self) -> PlayHow {
        let media = (0..self.dice.below(3)).map(|_| self.dice.of(&MEDIA).to_owned()).collect();
        let (offset, skip) = (ms(self.dice.below(300) as u64), Some(ms(200)));
        PlayHow { id: self.name('p'), media, language: None, offset, skip }
    }

    fn record_how(&mut self) -> RecordHow {
        RecordHow {
            name: self.name('r').unwrap_or_else(|| "../r".into()),
            if_exists: stasis_control::media::IfExists::Overwrite,
            max_duration: self.dice.is().then(|| ms(500)),
            max_silence: self.dice.is().then(|| ms(300)),
            end_keys: if self.dice.is() { Keys::Any } else { Keys::None },
            beep: self.dice.is(),
            ..RecordHow::default()
        }
    }

    /// Somebody asks for something. What is refused is refused.
    fn step(&mut self) {
        let (a, b) = (self.channel(), self.channel());
        let (bridge, other) = (self.bridge(), self.bridge());
        let (app, exten) = (self.app(), self.dice.of(&EXTENS));
        let (endpoint, way) =
            (self.dice.of(&ENDPOINTS), self.dice.of(&[Way::None, Way::In, Way::Out, Way::Both]));
        let (on, id) = (self.dice.is(), self.name('c'));
        let call = stasis_control::NewCall { id, ..new_call(endpoint, "") };
        let timeout = Some(ms(200 + self.dice.below(1_000) as u64));
        let (play, record) = (self.play_how(), self.record_how());
        let (playback, recording) = (play.id.clone().unwrap_or_default(), record.name.clone());
        let bridge_id = self.name('b');
        let what = self.dice.below(42);
        let options = AddOptions {
            role: self.dice.is().then(|| "announcer".to_owned()),
            absorb_dtmf: self.dice.is(),
            mute: self.dice.is(),
            inhibit_connected_line_updates: self.dice.is(),
        };
        let operation = self.dice.of(&[
            PlaybackOperation::Restart,
            PlaybackOperation::Pause,
            PlaybackOperation::Unpause,
            PlaybackOperation::Reverse,
            PlaybackOperation::Forward,
        ]);
        let control = self.dice.of(&[
            RecordControl::Pause(true),
            RecordControl::Pause(false),
            RecordControl::Mute(true),
            RecordControl::Stop,
            RecordControl::Discard,
        ]);
        let it = &mut self.stage.exchange;
        let class = on.then_some("default");
        let _ = match what {
            0..=3 => it.incoming(call, None, "in", exten).map(drop),
            4 => it.incoming(call, None, "stasis-one", "1").map(drop),
            5..=6 => {
                let then = match on {
                    true => Then::Application(app.into(), vec!["y".into()]),
                    false => Then::Dialplan(Position::new("in", exten, 1)),
                };
                it.originate(Originate { call, caller: None, timeout, then }).map(drop)
            }
            7 => it.create(call, app, Vec::new()).map(drop),
            8..=9 => it.dial_channel(&a, Some(&b), timeout),
            10..=11 => it.answer(&a),
            12 => it.ring(&a, on).and(it.progress(&b)),
            13 => it.hold(&a, on),
            14 => it.mute(&a, way, on),
            15 => it.music(&a, class),
            16..=17 => it.play(&a, play).map(drop),
            18 => it.play_to_bridge(&bridge, play).map(drop),
            19 => it.record(&a, record).map(drop),
            20 => it.record_bridge(&bridge, record).map(drop),
            21 => it.control_playback(&playback, operation),
            22 => it.stop_playback(&playback),
            23 => it.control_recording(&recording, control),
            24 => it.send_digits(
                &a,
                &DigitsHow {
                    digits: "1w2".into(),
                    duration: ms(60),
                    between: ms(40),
                    before: ms(20),
                    after: ms(20),
                },
            ),
            25 => {
                let args = Vec::new();
                let snoop = NewSnoop { id: None, spy: way, whisper: way, app: app.into(), args };
                it.snoop(&a, snoop).map(drop)
            }
            26 => {
                let kind = BridgeType { holding: on, ..BridgeType::default() };
                let new = NewBridge { id: bridge_id, kind, ..NewBridge::default() };
                it.create_bridge(new).map(drop)
            }
            27..=30 => it.add_channels(&bridge, &[a.as_str(), &b][..1 + usize::from(on)], &options),
            31 => it.remove_channels(&bridge, &[&a]),
            32 => it.bridge_music(&bridge, class),
            33 => it.merge_bridges(&bridge, &other),
            34 => match on {
                true => it.destroy_bridge(&bridge),
                false => it.claim(&a, app).map(drop),
            },
            35..=36 => {
                let place = on.then_some(("in", exten));
                let (context, exten) = (place.map(|it| it.0), place.map(|it| it.1));
                it.continue_in_dialplan(&a, context, exten, None, None)
            }
            37 => it.move_to(&a, app, vec!["z".into()]),
            38 => it.blind_transfer(&a, "in", exten).map(drop),
            39 => it.attended_transfer(&a, &b),
            40 => match on {
                true => it.set_variable(&a, "TALK_DETECT(set)", "100,100", false),
                false => it.set_device_state("Stasis:x", DeviceState::Busy),
            },
            _ => it.hangup(&a, Cause::NORMAL),
        };
    }

    /// Somebody comes to listen to an application, or leaves it.
    fn listeners_change(&mut self) {
        let at = self.dice.below(2);
        let app = self.listeners[at].0;
        let (name, registration) = (name(app), self.listeners[at].1.registration);
        if self.dice.is() {
            self.stage.exchange.deactivate(&name, registration);
        }
        let told = self.listeners[at].1.told();
        self.tells(app, told);
        let listener = self.stage.listen(app);
        self.listeners[at].1 = listener;
    }

    fn tells(&mut self, app: &str, told: Vec<String>) {
        self.log.extend(told.into_iter().map(|line| format!("{app}: {line}")));
    }

    fn listen(&mut self) {
        for at in 0..self.listeners.len() {
            let (app, told) = (self.listeners[at].0, self.listeners[at].1.told());
            self.tells(app, told);
        }
    }

    /// How often something begins and ends, by what is told first and last of each.
    fn adds_up(&self, app: &str, begins: &str, ends: &str) {
        let mut there: BTreeMap<&str, i32> = BTreeMap::new();
        for line in &self.log {
            let Some(line) = line.strip_prefix(app).and_then(|line| line.strip_prefix(": ")) else {
                continue;
            };
            let mut words = line.split(' ');
            let (event, Some(id)) = (words.next().unwrap_or_default(), words.next()) else {
                continue;
            };
            let step = i32::from(event == begins) - i32::from(event == ends);
            let count = there.entry(id).or_default();
            *count += step;
            assert!((0..=1).contains(count), "{app}: {line}: {count}\n{}", self.log_of(id));
        }
        let left: Vec<_> = there.iter().filter(|(_, count)| **count != 0).collect();
        assert!(left.is_empty(), "{app}: {begins} without {ends}: {left:?}");
    }

    fn log_of(&self, id: &str) -> String {
        let about: Vec<_> = self.log.iter().filter(|line| line.contains(id)).cloned().collect();
        about.join("\n")
    }

    /// What everybody sees is what there is.
    fn is_consistent(&self) {
        let (state, census) = (self.stage.exchange.state(), self.stage.exchange.census());
        let (channels, bridges) = (state.channels(), state.bridges());
        assert_eq!((channels.len(), bridges.len()), (census.channels, census.bridges));
        for bridge in &bridges {
            for id in bridge.channels.iter() {
                let member = state.channel(id).expect("who is in a bridge is there");
                assert_eq!(member.bridge.as_ref(), Some(&bridge.id));
            }
        }
        for channel in &channels {
            if let Some(id) = &channel.bridge {
                let bridge = state.bridge(id).expect("a bridge that somebody is in is there");
                assert!(bridge.channels.contains(channel.id()));
            }
        }
    }

    fn rages(mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
            if self.dice.below(40) == 0 {
                self.listeners_change();
            }
            if self.dice.is() {
                let time = self.dice.of(&[20, 20, 60, 200, 500]);
                self.stage.run(time);
            }
            self.listen();
            self.is_consistent();
        }
        self.stage.clear();
        self.listen();
        self.is_consistent();
        for app in ["one", "two", "all"] {
            self.adds_up(app, "StasisStart", "StasisEnd");
        }
        self.adds_up("all", "ChannelCreated", "ChannelDestroyed");
        self.adds_up("all", "ChannelEnteredBridge", "ChannelLeftBridge");
        self.adds_up("all", "BridgeCreated", "BridgeDestroyed");
        assert_eq!(self.stage.close(), Leftover::default());
    }
}

#[test]
fn whatever_is_asked_for_nothing_breaks_and_nothing_is_left() {
    let seeds = match std::env::var("STORM_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        None => 0..std::env::var("STORMS").ok().and_then(|n| n.parse().ok()).unwrap_or(12),
    };
    for seed in seeds {
        println!("STORM_SEED={seed}");
        Storm::new(seed).rages(250);
    }
}
