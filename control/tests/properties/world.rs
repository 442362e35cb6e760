//! An exchange, an engine that is played, and somebody who listens: what commands are carried out on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stasis_bus::{Bus, Stamp};
use stasis_control::application::Source;
use stasis_control::bridge::BridgeType;
use stasis_control::cause::Cause;
use stasis_control::dialplan::Dialplan;
use stasis_control::id::AppName;
use stasis_control::media::{EndKey, RecordControl, RecordHow, Way};
use stasis_control::party::Party;
use stasis_control::tech::{Answers, PhoneSettings};
use stasis_control::time::{Epoch, Timestamp};
use stasis_control::{Census, Exchange, Registration, Settings};
use stasis_media::dtmf::Digit;

use crate::command::Pick;
use crate::engine::Engine;
use crate::look::look;
use crate::watch::Watch;
use crate::wild::{Keys, Wild};

pub const PLAN: &str = include_str!("plan.conf");
/// What can be dialed, and cannot; places of the plan come in addition.
const ENDPOINTS: [&str; 18] = [
    "Test/answers",
    "Wild/x",
    "Test/never",
    "Test/busy",
    "Test/congested",
    "Test/rejects",
    "Test/talks",
    "Test/slow",
    "Echo/echo",
    "RTP/127.0.0.1:4000",
    "UnicastRTP/localhost:4002/c(ulaw)",
    "Echo",
    "Test/nobody",
    "Nobody/x",
    "Local/",
    "Snoop/x",
    "RTP/example.com:1",
    "Wild",
];
pub const PLAYBACKS: [&str; 3] = ["p0", "p1", "p2"];
pub const RECORDINGS: [&str; 4] = ["r0", "r1", "taped", "last"];
/// So much time passes without a look at what is due meanwhile.
const AT_ONCE: Duration = Duration::from_millis(500);
/// So many timers at most.
const MOST_TURNS: usize = 50;
/// Longer than anything that is waited for.
const FOR_EVER: usize = 20_000;

pub struct World {
    pub exchange: Exchange,
    pub engine: Engine,
    pub watch: Watch,
    pub registrations: Vec<(AppName, Registration)>,
    pub keys: Keys,
    pub now: Stamp,
    extensions: Vec<String>,
    bus: Bus,
}

impl World {
    pub fn new() -> Self {
        let bus = Bus::new(stasis_bus::Settings { workers: 1, ..Default::default() }).unwrap();
        let plan = Dialplan::parse_conf(PLAN).expect("the plan is right");
        let settings = Settings {
            phones: phones(),
            channel_variables: vec!["GOLD".into()],
            answer_wait: Duration::from_millis(40),
            ..Settings::default()
        };
        let epoch = Epoch::at(Timestamp::from_micros(1_700_000_000_000_000));
        let watch = Watch::new(&bus);
        let mut exchange = Exchange::new(&bus, settings, plan, epoch).unwrap();
        let wild = Wild::default();
        let keys = wild.keys.clone();
        exchange.add_technology(Box::new(wild));
        let extensions = PLAN.lines().filter_map(|line| line.strip_prefix("exten => "));
        let extensions = extensions.filter_map(|line| line.split(',').next()).map(str::to_owned);
        let extensions = extensions.take_while(|extension| extension != "i").collect();
        let (engine, registrations, now) = (Engine::default(), Vec::new(), Stamp::ZERO);
        let mut world =
            World { exchange, engine, watch, registrations, keys, now, extensions, bus };
        world.register("one");
        world.register("two");
        world
    }

    pub fn register(&mut self, app: &str) {
        let name = AppName::new(app).unwrap();
        self.watch.application(&self.bus.topic(&format!("application:{app}")));
        let (registration, ()) = self.exchange.register(&name, |_| ());
        self.registrations.push((name, registration));
    }

    /// Everything is as it was promised to be at any time.
    pub fn look(&mut self) {
        self.engine.take_orders(&mut self.exchange);
        self.watch.look();
        look(&self.exchange.state(), &self.watch.told);
        let census = self.exchange.census();
        let told = &self.watch.told;
        assert_eq!((census.channels, census.bridges), (told.channels.len(), told.bridges.len()));
    }

    /// Time passes: a little at once, more from timer to timer, and no further than some of them, since
    /// there are calls that go on without an end.
    pub fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        let at_once = self.now + AT_ONCE;
        let mut turns = 0;
        while let Some(next) = self.exchange.next_deadline().filter(|next| *next <= until)
            && until > at_once
        {
            self.advance(next);
            self.look();
            turns += 1;
            if turns > MOST_TURNS {
                return;
            }
        }
        self.advance(until);
    }

    pub fn wait_for_timer(&mut self) -> bool {
        let next = self.exchange.next_deadline();
        next.is_some_and(|next| {
            self.advance(next);
            true
        })
    }

    fn advance(&mut self, to: Stamp) {
        self.now = self.now.max(to);
        self.exchange.advance(self.now);
        let next = self.exchange.next_deadline();
        assert!(next.is_none_or(|next| next > self.now), "{next:?} was due by {:?}", self.now);
    }

    /// Everybody hangs up, and the engine ends what it does: nothing is left.
    pub fn end(&mut self) {
        self.look();
        while let Some((id, _)) = self.watch.told.channels.last().cloned() {
            self.exchange.hangup(&id, Cause::NORMAL).unwrap();
            self.look();
            assert!(self.watch.told.last(&id).is_none(), "{id} is hung up, and there");
        }
        for (id, _) in self.watch.told.bridges.clone() {
            let _ = self.exchange.destroy_bridge(&id);
            self.look();
        }
        while let Some(event) = self.engine.last_event() {
            self.exchange.media_event(event);
            self.look();
        }
        let mut turns = 0;
        while self.wait_for_timer() {
            self.look();
            turns += 1;
            assert!(turns < FOR_EVER, "timers without an end");
        }
        self.look_at_the_end();
        self.leave();
    }

    fn look_at_the_end(&self) {
        let applications = self.exchange.census().applications;
        let nothing = Census { applications, ..Census::default() };
        assert_eq!(self.exchange.census(), nothing);
        self.engine.look_at_the_end();
        let told = &self.watch.told;
        assert!(told.playbacks.is_empty(), "never over: {:?}", told.playbacks);
        assert!(told.recordings.is_empty(), "never over: {:?}", told.recordings);
        assert!(told.stays.is_empty(), "never left: {:?}", told.stays);
        told.ledger.look_at_the_end();
        for app in self.exchange.state().applications() {
            assert!(app.channels.names.is_empty() && app.bridges.names.is_empty(), "{app:?}");
        }
        let devices = self.exchange.state().devices();
        let kept = devices.iter().find(|device| !device.name.starts_with("Stasis:"));
        assert_eq!(kept, None, "a device without channels");
    }

    /// When nobody listens, applications that have asked for nothing are gone.
    fn leave(&mut self) {
        for (name, registration) in &self.registrations {
            self.exchange.deactivate(name, *registration);
        }
        for app in self.exchange.state().applications() {
            let kinds = [&app.channels, &app.bridges, &app.endpoints, &app.devices];
            let asks = kinds.iter().any(|kind| kind.all || !kind.names.is_empty());
            assert!(asks && !app.is_active, "{app:?} is of no use");
        }
    }
}

/// What numbers stand for.
impl World {
    pub fn channel(&self, pick: Pick) -> String {
        let told = &self.watch.told;
        let alive = told.channels.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        one_of(&alive, &told.gone, pick)
    }

    pub fn bridge(&self, pick: Pick) -> String {
        let alive = self.watch.told.bridges.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>();
        one_of(&alive, &[], pick)
    }

    pub fn playback(&self, pick: Pick) -> String {
        let alive = self.watch.told.playbacks.keys().cloned().collect::<Vec<_>>();
        one_of(&alive, &["p0".into()], pick)
    }

    /// An id that is chosen; mostly none.
    pub fn id(&self, kind: char, pick: Pick) -> Option<String> {
        match pick {
            0..=2 => None,
            3..=99 => Some(format!("{kind}{}", pick % 4)),
            100..=180 => Some(format!("{kind}{};2", pick % 4)),
            181..=240 => None,
            _ => Some(["", "a\nb"][usize::from(pick % 2)].to_owned()),
        }
    }

    pub fn endpoint(&self, pick: Pick) -> String {
        let pick = usize::from(pick);
        match pick {
            0..100 => ENDPOINTS[pick % 9].to_owned(),
            100..130 => ENDPOINTS[pick % ENDPOINTS.len()].to_owned(),
            _ => {
                let keep = if pick.is_multiple_of(2) { "/n" } else { "" };
                format!("Local/{}@plan{keep}", self.extension(pick as Pick))
            }
        }
    }

    pub fn extension(&self, pick: Pick) -> &str {
        match usize::from(pick) {
            250.. => "absent",
            pick => &self.extensions[pick % self.extensions.len()],
        }
    }

    pub fn source(&self, source: Pick, of: Pick) -> Source {
        let text = match source % 16 {
            0..=4 => format!("channel:{}", self.channel(of)),
            5..=8 => format!("bridge:{}", self.bridge(of)),
            9 => "endpoint:Test/answers".into(),
            10 => "endpoint:Test".into(),
            11 => "deviceState:Test/answers".into(),
            12 => "channel:".into(),
            13 => "bridge:".into(),
            14 => "endpoint:".into(),
            _ => "deviceState:".into(),
        };
        text.parse().unwrap()
    }
}

/// One of those that are there; of large numbers one that is gone, or never was.
fn one_of(alive: &[String], gone: &[String], pick: Pick) -> String {
    let from = if pick < 240 { alive } else { gone };
    match (from.len(), pick) {
        (0, _) | (_, 252..) => "nobody".into(),
        (count, _) => from[usize::from(pick) % count].clone(),
    }
}

pub fn app(pick: Pick) -> &'static str {
    match pick {
        0..=2 => "one",
        3..=5 => "two",
        6..=200 => "three",
        _ => "four",
    }
}

pub fn way(pick: Pick) -> Way {
    [Way::Both, Way::In, Way::Out, Way::None][usize::from(pick) % 4]
}

pub fn time(pick: Pick) -> Duration {
    match pick {
        0 => Duration::ZERO,
        1 => Duration::from_millis(20),
        2 => Duration::from_millis(500),
        3 => Duration::from_secs(3),
        4 => Duration::from_secs(11),
        5 => Duration::from_secs(31),
        6..=200 => Duration::from_millis(u64::from(pick)),
        201..=250 => Duration::from_secs(600),
        _ => Duration::MAX,
    }
}

pub fn media(pick: Pick) -> Vec<String> {
    let all = ["sound:hello", "sound:..", "digits:12", "recording:r0", "nonsense", "tone:ring"];
    let of = |number: u8| all[usize::from(number) % all.len()].to_owned();
    match pick {
        0..=120 => vec![of(pick)],
        121..=200 => vec![of(pick), of(pick / 6)],
        201..=250 => vec![of(pick), of(pick / 6), of(pick / 36)],
        _ => Vec::new(),
    }
}

pub fn recording(pick: Pick) -> RecordHow {
    let end_key = [EndKey::None, EndKey::Any][usize::from(pick % 2)];
    let max_silence = pick.is_multiple_of(3).then_some(Duration::from_secs(1));
    let name = RECORDINGS[usize::from(pick) % RECORDINGS.len()].into();
    RecordHow { name, format: "wav".into(), end_key, max_silence, ..RecordHow::default() }
}

pub fn record_control(pick: Pick) -> RecordControl {
    match pick % 8 {
        0 | 1 => RecordControl::Stop,
        2 => RecordControl::Discard,
        3 | 4 => RecordControl::Pause(true),
        5 => RecordControl::Pause(false),
        6 => RecordControl::Mute(true),
        _ => RecordControl::Mute(false),
    }
}

pub fn kind(pick: Pick) -> BridgeType {
    BridgeType { holding: pick == 5 || pick > 200, ..BridgeType::default() }
}

pub fn party(pick: Pick) -> Option<Party> {
    (pick % 3 != 0).then(|| Party { name: "Gold".into(), number: pick.to_string() })
}

pub fn words(pick: Pick) -> Option<BTreeSet<String>> {
    (pick % 2 == 0).then(|| BTreeSet::from(["StasisStart".to_owned()]))
}

/// A phone of each kind.
fn phones() -> BTreeMap<String, PhoneSettings> {
    let phone = |answers| PhoneSettings { answers, ..PhoneSettings::default() };
    let after = |ms| Answers::After(Duration::from_millis(ms));
    let digit = Digit::from_char('1').unwrap();
    let talks = PhoneSettings {
        says: ["sound:hello", "tone:ring"].iter().map(|item| item.parse().unwrap()).collect(),
        repeats: true,
        presses: vec![(Duration::from_millis(100), vec![digit, digit])],
        hangs_up_after: Some(Duration::from_secs(4)),
        rings: false,
        ..phone(after(0))
    };
    let all = [
        ("answers", phone(after(0))),
        ("slow", phone(after(2_000))),
        ("never", phone(Answers::Never)),
        ("busy", phone(Answers::Busy)),
        ("congested", phone(Answers::Congestion)),
        ("rejects", phone(Answers::Rejects)),
        ("talks", talks),
    ];
    all.into_iter().map(|(name, phone)| (name.to_owned(), phone)).collect()
}
