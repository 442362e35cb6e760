//! The engine under test: a media thread with its rooms, legs and subscribers.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use stasis_bus::{Bus, BusEnded, Delivery, Forward, Settings, Stamp, Subscription, Topic};
use stasis_media::codec::EncodeSettings;
use stasis_media::dtmf::{Digit, DtmfSettings};
use stasis_media::event::{DtmfReceived, ReceiveSummary, RtpReceived};
use stasis_media::io::{
    BridgeSettings, ControlError, Media, MediaSettings, RecordError, RtpLeg, sleep_until,
};
use stasis_media::leg::LegSetting;
use stasis_media::rtp::{Payloads, ReceiveSettings};
use stasis_media::{BridgeId, LegId};

use super::args::Args;
use super::join_figures::{self, JoinFigures};
use super::joins::Joins;
use super::machine;
use super::plan::{Part, digits_of, plan};
use super::record::Recordings;

/// How long a leg that left its room is outside.
const OUTSIDE: Duration = Duration::from_millis(200);
/// Messages that may wait for our own subscription.
const ROOM_FOR_EVENTS: usize = 1 << 15;
/// And for the one that never returns.
const ROOM_FOR_SLOW: usize = 1 << 10;

/// An order that may be given again in a moment.
pub trait Busy {
    fn is_busy(&self) -> bool;
}

impl Busy for ControlError {
    fn is_busy(&self) -> bool {
        matches!(self, ControlError::Busy)
    }
}

impl Busy for RecordError {
    fn is_busy(&self) -> bool {
        matches!(self, RecordError::Control(ControlError::Busy))
    }
}

/// Gives an order again while the engine has too many, for up to two seconds.
pub fn patiently<T, E: Busy>(mut order: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    for _ in 0..400 {
        match order() {
            Err(error) if error.is_busy() => thread::sleep(Duration::from_millis(5)),
            outcome => return outcome,
        }
    }
    order()
}

/// What was told of the legs.
#[derive(Default)]
struct Told {
    digits: HashMap<LegId, String>,
    received: HashMap<LegId, ReceiveSummary>,
}

/// What became of the digits.
#[derive(Clone, Copy, Debug, Default)]
pub struct DigitFigures {
    pub sent: u64,
    pub heard: u64,
    /// Legs of which something else was told than was sent, or anything though they sent none.
    pub wrong_legs: u64,
}

/// What is under test.
pub struct Engine {
    pub bus: Bus,
    pub media: Arc<Media>,
    /// Everything is told of here.
    all: Topic,
    parts: Vec<Part>,
    legs: Vec<LegId>,
    rooms: Vec<BridgeId>,
    /// The port and the SSRC of each leg.
    pub wires: Vec<(u16, u32)>,
    events: Subscription,
    told: Arc<Mutex<Told>>,
    slow: Option<Subscription>,
    recordings: Option<Recordings>,
    joins: Option<Joins>,
    /// Memory for each room in which nobody is, in bytes, if there is nothing else.
    pub idle_room_bytes: Option<f64>,
    churned: Arc<AtomicU64>,
    stop_churn: Arc<AtomicBool>,
    _forwards: Vec<Forward>,
}

impl Engine {
    /// Makes it all; legs speak with these ports in turn.
    ///
    /// # Errors
    /// What keeps it from running.
    pub fn start(args: &Args, ports: &[u16]) -> Result<Self, Box<dyn Error>> {
        let parts = plan(args);
        let bus = Bus::new(Settings::default())?;
        let all = bus.topic("all");
        let (legs, rooms) = (parts.len(), args.rooms() as usize);
        // Without legs there is hardly an event.
        let waiting = if legs == 0 { ROOM_FOR_SLOW } else { 2 * ROOM_FOR_EVENTS + ROOM_FOR_SLOW };
        let settings = MediaSettings {
            threads: args.threads as usize,
            legs: legs + join_figures::LEGS as usize,
            bridges: rooms + args.idle_rooms as usize + 1,
            cells: (waiting + 16 * legs) as u32,
            ..Default::default()
        };
        let told = Arc::<Mutex<Told>>::default();
        // All legs at once have something to tell when they go.
        let room = ROOM_FOR_EVENTS.max(8 * legs);
        let events = all.subscribe().capacity(room).callback(note(told.clone()))?;
        let before_kb = machine::rss_kb();
        let media = Arc::new(Media::start(&bus, settings)?);
        let mut engine = Engine {
            _forwards: vec![bus.topic("media").forward_to(&all)?],
            bus,
            media,
            all,
            parts,
            legs: Vec::with_capacity(legs),
            rooms: Vec::with_capacity(rooms),
            wires: Vec::with_capacity(legs),
            events,
            told,
            slow: None,
            recordings: None,
            joins: None,
            idle_room_bytes: None,
            churned: Arc::default(),
            stop_churn: Arc::default(),
        };
        engine.furnish(args, ports)?;
        if legs == 0 {
            let bytes = 1_024 * machine::rss_kb().saturating_sub(before_kb);
            engine.idle_room_bytes = Some(bytes as f64 / f64::from(args.idle_rooms));
        }
        if args.slow_subscriber {
            engine.slow = Some(engine.never_returning()?);
        }
        Ok(engine)
    }

    /// One more subscription to everything. From here on the bus cannot be dropped: that would wait for
    /// the callback.
    fn never_returning(&self) -> Result<Subscription, BusEnded> {
        let never_returns = |_: Delivery| {
            loop {
                thread::park();
            }
        };
        self.all.subscribe().capacity(ROOM_FOR_SLOW).callback(never_returns)
    }

    /// Makes rooms and legs.
    fn furnish(&mut self, args: &Args, ports: &[u16]) -> Result<(), Box<dyn Error>> {
        let payloads = Payloads::of(&[args.codec.codec()])?;
        let mut topics = Vec::new();
        for number in 0..args.rooms() + args.idle_rooms {
            let topic = self.bus.topic(&format!("room-{number}"));
            self._forwards.push(topic.forward_to(&self.all)?);
            let add = || self.media.add_bridge(BridgeSettings::default(), &topic);
            self.rooms.push(patiently(add)?);
            topics.push(topic);
        }
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        for (number, part) in self.parts.iter().enumerate() {
            let ssrc = (number as u32 + 1).wrapping_mul(0x9E37_79B1);
            let topic = &topics[part.room as usize];
            let add = || {
                let remote = Some(at(ports[number % ports.len()]));
                let receive = ReceiveSettings { remote, payloads, ..Default::default() };
                let encoding = EncodeSettings::default();
                let leg = RtpLeg { local: at(0), receive, encoding, ssrc };
                self.media.add_rtp_leg(leg, topic)
            };
            let (leg, local) = patiently(add)?;
            let detect = LegSetting::DetectDtmf(args.dtmf.then_some(DtmfSettings::DEFAULT));
            patiently(|| self.media.set(leg, detect))?;
            patiently(|| self.media.join(leg, self.rooms[part.room as usize]))?;
            self.legs.push(leg);
            self.wires.push((local.port(), ssrc));
        }
        // From here on only those in which somebody is.
        self.rooms.truncate(args.rooms() as usize);
        if args.record {
            self.recordings = Some(Recordings::start(&self.media, &self.rooms, &self.all)?);
        }
        Ok(())
    }

    /// Begins to measure how soon who joins is heard.
    ///
    /// # Errors
    /// What keeps it from running.
    pub fn measure_joins(&mut self, seconds: u64) -> Result<(), Box<dyn Error>> {
        // Nobody subscribes to it: its events are not those that are counted.
        let topic = self.bus.topic("joins");
        self.joins = Some(Joins::start(&self.media, self.bus.clock(), &topic, seconds)?);
        Ok(())
    }

    /// What came of it.
    pub fn end_joins(&mut self) -> JoinFigures {
        self.joins.take().map(Joins::finish).unwrap_or_default()
    }

    /// Begins to have legs leave and join; those that are looked at stay.
    ///
    /// # Errors
    /// When there are too few that could.
    pub fn churn(&self, per_second: u32) -> Result<(), Box<dyn Error>> {
        let movers: Vec<(LegId, BridgeId)> = self
            .parts
            .iter()
            .zip(&self.legs)
            .filter(|(part, _)| !part.sampled)
            .map(|(part, leg)| (*leg, self.rooms[part.room as usize]))
            .collect();
        if (movers.len() as u32) < 1 + per_second / 5 {
            return Err("too few legs for so much churn: ask for more legs".into());
        }
        let (media, clock) = (self.media.clone(), self.bus.clock());
        let (churned, stop) = (self.churned.clone(), self.stop_churn.clone());
        let pause = Duration::from_secs(1) / per_second;
        let mut next = clock.now();
        let churn = move || {
            let mut outside = VecDeque::<(Stamp, usize)>::new();
            for mover in (0..movers.len()).cycle() {
                next = next + pause;
                while let Some((due, mover)) = outside.front().copied()
                    && due <= next
                {
                    sleep_until(&clock, due);
                    let (leg, room) = movers[mover];
                    outside.pop_front();
                    if patiently(|| media.join(leg, room)).is_ok() {
                        churned.fetch_add(1, Relaxed);
                    }
                }
                if stop.load(Relaxed) {
                    return;
                }
                sleep_until(&clock, next);
                if patiently(|| media.leave(movers[mover].0)).is_ok() {
                    outside.push_back((next + OUTSIDE, mover));
                }
            }
        };
        thread::Builder::new().name("churn".into()).spawn(churn)?;
        Ok(())
    }

    /// Events that were published so far.
    pub fn events(&self) -> u64 {
        self.all.published()
    }

    /// Events that our own subscription lost.
    pub fn dropped(&self) -> u64 {
        self.events.stats().dropped.total()
    }

    /// And the one that never returns, if there is one.
    pub fn slow_dropped(&self) -> Option<u64> {
        self.slow.as_ref().map(|slow| slow.stats().dropped.total())
    }

    /// Legs that have left and joined again.
    pub fn churned(&self) -> u64 {
        self.churned.load(Relaxed)
    }

    /// Ends it all, after the load has ended; says how many recordings have failed.
    pub fn finish(&mut self, seconds: u64) -> u64 {
        self.stop_churn.store(true, Relaxed);
        let recordings = self.recordings.take();
        let failed = recordings.map_or(0, |recordings| recordings.finish(seconds));
        // Each leg tells of its stream when it goes. Then we have been told all.
        self.media.clear();
        self.events.unsubscribe();
        let _ = self.events.join();
        failed
    }

    /// Lets go of recordings that were not ended, and of their folder.
    pub fn discard(&mut self) {
        self.recordings = None;
    }

    /// Packets that have come to the engine too late or not at all; known at the end.
    pub fn lost(&self) -> u64 {
        let told = self.told.lock().expect("nothing panics while it is held");
        told.received.values().map(|stats| stats.lost + stats.late).sum()
    }

    /// What became of the digits; known at the end.
    pub fn digits(&self, seconds: u64) -> DigitFigures {
        let told = self.told.lock().expect("nothing panics while it is held");
        let mut figures = DigitFigures::default();
        for (part, leg) in self.parts.iter().zip(&self.legs) {
            let count = part.singer.map_or(0, |singer| digits_of(singer, seconds));
            let sent: String =
                Digit::ALL.iter().cycle().take(count as usize).map(|d| d.as_char()).collect();
            let heard = told.digits.get(leg).map_or("", String::as_str);
            figures.sent += count;
            figures.heard += heard.len() as u64;
            figures.wrong_legs += u64::from(sent != heard);
        }
        figures
    }
}

/// Keeps what is told of the legs.
fn note(told: Arc<Mutex<Told>>) -> impl FnMut(Delivery) + Send + 'static {
    move |delivery| {
        if let Some(digit) = delivery.downcast_ref::<DtmfReceived>() {
            let mut told = told.lock().expect("nothing panics while it is held");
            told.digits.entry(digit.leg).or_default().push(digit.digit.as_char());
        } else if let Some(received) = delivery.downcast_ref::<RtpReceived>() {
            let mut told = told.lock().expect("nothing panics while it is held");
            told.received.insert(received.leg, received.stats);
        }
    }
}
