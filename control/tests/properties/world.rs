//! An exchange, an engine that is played, and somebody who listens: what commands are carried out on.

use std::collections::BTreeMap;
use std::time::Duration;

use stasis_bus::{Bus, Stamp};
use stasis_control::cause::Cause;
use stasis_control::dialplan::Dialplan;
use stasis_control::id::AppName;
use stasis_control::tech::{Answers, PhoneSettings};
use stasis_control::time::{Epoch, Timestamp};
use stasis_control::{Census, Exchange, Registration, Settings};
use stasis_media::dtmf::Digit;

use crate::engine::Engine;
use crate::look::look;
use crate::watch::Watch;
use crate::wild::{Keys, Wild};

pub const PLAN: &str = include_str!("plan.conf");
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
    pub extensions: Vec<String>,
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
            most_steps: 32,
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
            assert!(app.channels.names().chain(app.bridges.names()).next().is_none(), "{app:?}");
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
            let asks = kinds.iter().any(|kind| !kind.is_empty());
            assert!(asks && !app.is_active, "{app:?} is of no use");
        }
    }
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
