//! Hours of a conference in virtual time: nothing grows, nothing drifts away, nothing is lost.
//!
//! Twelve phones, whose clocks are up to 200 ppm off, whose packets come unevenly, and some not at all,
//! join, leave and move between three bridges, mute, change their codec, press keys, hang up and call
//! again; sounds are played, taps come and go, bridges go and come again. Ten times in a run all of that
//! rests for a quarter of a minute, and what is left is counted: objects in the engine, sound in the
//! jitter buffers, memory of the process.
//!
//! Five virtual minutes by default; `make hours`, or `STASIS_VIRTUAL_HOURS=8`, for eight hours.

mod common {
    pub mod room;
}

use std::collections::{HashMap, VecDeque};
use std::ops::RangeInclusive;
use std::time::Duration;

use common::room::{Dice, Phone, Room, Tone, join};
use stasis_bus::{PullSubscription, Stamp};
use stasis_media::bridge::{Tap, TapDirection, TapReader};
use stasis_media::codec::Codec;
use stasis_media::dtmf::Digit;
use stasis_media::engine::Order;
use stasis_media::event::{ReceiveSummary, RtpReceived};
use stasis_media::frame::SampleRate;
use stasis_media::leg::{Direction, LegSetting};
use stasis_media::rtp::{Packet, Payloads, RtpSeq};
use stasis_media::schedule::PERIOD;
use stasis_media::sound::Playback;
use stasis_media::wav::{Pcm, Player, Repeat};
use stasis_media::{BridgeId, LegId, PlaybackId, Target};

const TICKS_PER_HOUR: f64 = 3_600.0 * 50.0;
const PHONES: usize = 12;
/// Of these, who never hang up: their calls last as long as the run.
const STAY: usize = 4;
/// Rests in a run, each at the end of a part.
const PARTS: u64 = 10;
/// Of each rest, in ticks: the reports of all legs come in it, and sounds and taps end.
const REST: u64 = 750;
/// Of the rest, before the jitter buffers are looked at.
const SETTLE: u64 = 400;
/// What a jitter buffer is to hold at rest: the 60 ms that it delays by, a packet more or less.
const DEPTH_MS: RangeInclusive<f32> = 40.0..=80.0;
/// What the memory may differ by.
const MOST_KB: u64 = 2_048;
const BRIDGES: [SampleRate; 3] = [SampleRate::Hz8000, SampleRate::Hz8000, SampleRate::Hz16000];

fn ticks() -> u64 {
    let hours = std::env::var("STASIS_VIRTUAL_HOURS").ok().and_then(|text| text.parse().ok());
    let hours: f64 = hours.unwrap_or(0.0);
    // Half of a part is not rest.
    ((hours * TICKS_PER_HOUR) as u64).max(PARTS * 2 * REST) / PARTS * PARTS
}

/// The memory of this process that is in RAM.
fn rss_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// What the phone in this place may speak.
fn codecs(place: usize) -> Vec<Codec> {
    match place {
        #[cfg(feature = "opus")]
        0 => vec![Codec::OPUS.at(SampleRate::Hz16000).expect("it has every rate"), Codec::PCMU],
        1..6 => vec![Codec::PCMU, Codec::PCMA],
        _ => vec![Codec::PCMA, Codec::G722, Codec::PCMU],
    }
}

/// A packet on its way to the engine.
struct OnTheWay {
    arrival: Stamp,
    bytes: [u8; 1_500],
    len: usize,
}

/// The number of the newest packet that came from the engine, and the time of its newest sound.
#[derive(Default)]
struct Numbers {
    seq: Option<RtpSeq>,
    sound: Option<(u64, u8, u32)>,
}

impl Numbers {
    /// Takes the packet of this tick: it must follow on the one before, in number and in time.
    fn take(&mut self, bytes: &[u8], tick: u64, payloads: &Payloads) {
        let header = Packet::parse(bytes).expect("the engine sends RTP").header;
        assert!(self.seq.is_none_or(|seq| seq.next() == header.seq), "a gap in tick {tick}");
        self.seq = Some(header.seq);
        let Some(codec) = payloads.codec(header.payload_type) else {
            return; // a key
        };
        let here = (tick, header.payload_type, header.timestamp);
        if let Some((then, payload_type, timestamp)) = self.sound.replace(here)
            && payload_type == header.payload_type
        {
            let units = (tick - then) * u64::from(codec.clock_hz() / 50);
            assert_eq!(header.timestamp.wrapping_sub(timestamp) as u64, units, "tick {tick}");
        }
    }
}

/// A phone and its end of the network.
struct Party {
    phone: Phone,
    /// A second of what it says.
    sound: Vec<i16>,
    talks: bool,
    /// When its own clock says that a tick is over, and how long that is.
    next: Stamp,
    tick: Duration,
    said: usize,
    way: VecDeque<OnTheWay>,
    arrival: Stamp,
    bridge: Option<usize>,
    numbers: Numbers,
    /// Packets that the network has lost, of those that it was given.
    dropped: u64,
    given: u64,
}

impl Party {
    fn call(room: &mut Room, place: usize, ppm: i64) -> Self {
        let id = LegId::new(place as u32, room.serial());
        let payloads = Payloads::of(&codecs(place)).expect("room for all");
        let phone = room.add(Phone::remembering(id, payloads, 0));
        let mut sound = vec![0; phone.rate().hz() as usize];
        Tone::new(300.0 + 50.0 * place as f64, 1_500.0).fill(&mut sound, phone.rate());
        Party {
            phone,
            sound,
            talks: true,
            next: room.now,
            tick: Duration::from_nanos((20_000_000 + 20 * ppm) as u64),
            said: 0,
            way: VecDeque::with_capacity(8),
            arrival: room.now,
            bridge: None,
            numbers: Numbers::default(),
            dropped: 0,
            given: 0,
        }
    }

    /// Says what its clock has it say until now; the network does what it does, unless it rests.
    fn speak(&mut self, room: &mut Room, dice: &mut Dice, rests: bool) {
        while self.next <= room.now {
            let length = self.sound.len() / 50;
            let silence = [0; 960];
            let said = &self.sound[self.said * length..][..length];
            self.said = (self.said + 1) % 50;
            let way = &mut self.way;
            let due = self.next + Duration::from_micros(dice.throw(8_000));
            // What was sent first comes first.
            self.arrival = self.arrival.max(due);
            let arrival = self.arrival;
            let loses = !rests && dice.throw(200) == 0;
            self.phone.sender.tick(if self.talks { said } else { &silence[..length] }, |packet| {
                self.given += 1;
                self.dropped += u64::from(loses);
                if !loses {
                    let mut bytes = [0; 1_500];
                    bytes[..packet.len()].copy_from_slice(packet);
                    way.push_back(OnTheWay { arrival, bytes, len: packet.len() });
                }
            });
            self.next = self.next + self.tick;
        }
        while self.way.front().is_some_and(|packet| packet.arrival <= room.now)
            && let Some(packet) = self.way.pop_front()
        {
            let (id, from, bytes) =
                (self.phone.id, self.phone.address, &packet.bytes[..packet.len]);
            room.engine.receive(id, bytes, from, packet.arrival, &mut room.publisher);
        }
    }
}

/// The conference.
struct Conference {
    room: Room,
    dice: Dice,
    parties: Vec<Party>,
    bridges: Vec<BridgeId>,
    /// Where these are.
    slots: [u32; 3],
    taps: VecDeque<(u64, TapReader)>,
    events: PullSubscription,
    told: HashMap<LegId, ReceiveSummary>,
    playbacks: u32,
    /// Objects that were given to the engine, and that came back.
    given: u64,
    returned: u64,
    /// Calls that have ended; packets of theirs lost on the way, and those the engine said were.
    ended: u64,
    dropped: u64,
    lost: u64,
    /// What has come to pass, to be told.
    happened: u64,
}

impl Conference {
    fn new(seed: u64) -> Self {
        let mut room = Room::of(PHONES);
        let events = room.topic.subscribe().capacity(1 << 10).accept::<RtpReceived>().pull();
        let bridges: Vec<_> =
            (0..3).zip(BRIDGES).map(|(slot, rate)| room.add_bridge(slot, rate)).collect();
        let mut dice = Dice(seed);
        let parties = (0..PHONES)
            .map(|place| {
                let ppm = dice.throw(401) as i64 - 200;
                Party::call(&mut room, place, ppm)
            })
            .collect();
        Conference {
            given: (PHONES + bridges.len()) as u64,
            room,
            dice,
            parties,
            bridges,
            slots: [0, 1, 2],
            taps: VecDeque::new(),
            events: events.expect("the bus lives"),
            told: HashMap::new(),
            playbacks: 0,
            returned: 0,
            ended: 0,
            dropped: 0,
            lost: 0,
            happened: 0,
        }
    }

    fn give(&mut self, order: Order) {
        self.given += 1;
        self.room.order(order);
    }

    fn tick(&mut self, tick: u64, rests: bool) {
        if !rests {
            self.happen(tick);
        }
        for party in &mut self.parties {
            party.speak(&mut self.room, &mut self.dice, rests);
        }
        let room = &mut self.room;
        room.engine.tick(room.now, &mut room.publisher, &mut room.wire);
        room.now = room.now + PERIOD;
        for sent in room.wire.sent.drain(..) {
            // A leg's place is that of its phone.
            let party = self.parties.iter_mut().find(|party| party.phone.id == sent.leg);
            let Some(party) = party else { continue };
            party.numbers.take(sent.bytes(), tick, &party.phone.payloads);
        }
        self.returned += room.wire.retired.drain(..).count() as u64;
        self.read();
        let mut pcm = [0; 960];
        for (_, tap) in &mut self.taps {
            while tap.read(&mut pcm) > 0 {}
        }
        while self.taps.front().is_some_and(|(until, _)| *until <= tick) {
            self.taps.pop_front();
        }
    }

    /// Reads what was told of the legs.
    fn read(&mut self) {
        while let Ok(delivery) = self.events.try_recv() {
            if let Some(received) = delivery.downcast_ref::<RtpReceived>() {
                self.told.insert(received.leg, received.stats);
            }
        }
    }

    /// What people do: each now and then.
    fn happen(&mut self, tick: u64) {
        let who = self.dice.throw(PHONES as u64) as usize;
        let bridge = self.dice.throw(3) as usize;
        let on = self.dice.throw(2) == 0;
        let leg = self.parties[who].phone.id;
        let act = self.dice.throw(3_000);
        self.happened += u64::from(act < 338);
        match act {
            0..120 => self.put(who, bridge),
            120..150 => {
                self.parties[who].bridge = None;
                self.room.order(Order::Leave(leg));
            }
            150..190 => {
                let direction = if on { Direction::In } else { Direction::Out };
                let muted = self.dice.throw(3) == 0;
                self.room.set(leg, LegSetting::Mute(direction, muted));
            }
            190..220 => self.parties[who].talks = on,
            220..250 => {
                let codecs = codecs(who);
                let next = codecs[self.dice.throw(codecs.len() as u64) as usize];
                self.parties[who].phone.sender.set_codec(next);
            }
            250..280 if on => self.play(leg.into(), self.parties[who].phone.rate()),
            250..280 => self.play(self.bridges[bridge].into(), BRIDGES[bridge]),
            280..310 => self.tap(tick, who, bridge),
            310..330 => {
                let digit = Digit::ALL[self.dice.throw(16) as usize];
                self.room.order(Order::Press(leg, digit, Duration::from_millis(100)));
            }
            330..336 if who >= STAY => self.hang_up(who),
            336..338 => self.replace(bridge),
            _ => {}
        }
    }

    fn put(&mut self, who: usize, bridge: usize) {
        let party = &mut self.parties[who];
        party.bridge = Some(bridge);
        let order = join(party.phone.id, party.phone.rate(), self.bridges[bridge], BRIDGES[bridge]);
        self.give(order);
    }

    fn play(&mut self, target: Target, rate: SampleRate) {
        self.playbacks += 1;
        let samples = 4_000 + self.dice.throw(12_000) as usize;
        let sound = Pcm::new(SampleRate::Hz8000, vec![500; samples]);
        let id = PlaybackId::new(0, self.playbacks);
        let playback = Playback::at(id, Player::new(sound, Repeat::Once), rate);
        self.give(Order::Play(target, Box::new(playback)));
    }

    fn tap(&mut self, tick: u64, who: usize, bridge: usize) {
        let phone = &self.parties[who].phone;
        let (leg, of_leg) = (phone.id, self.dice.throw(2) == 0);
        let source = if of_leg { phone.rate() } else { BRIDGES[bridge] };
        let (tap, reader) = Tap::at(SampleRate::Hz8000, 1, source);
        let tap = Box::new(tap);
        self.give(match of_leg {
            true => Order::TapLeg(leg, TapDirection::Both, tap),
            false => Order::TapBridge(self.bridges[bridge], tap),
        });
        self.taps.push_back((tick + 100, reader));
    }

    /// Hangs up, and calls again with another clock.
    fn hang_up(&mut self, who: usize) {
        let leg = self.parties[who].phone.id;
        self.room.order(Order::RemoveLeg(leg));
        self.read();
        let told = self.told.remove(&leg).unwrap_or_default();
        let ppm = self.dice.throw(401) as i64 - 200;
        let party = Party::call(&mut self.room, who, ppm);
        self.given += 1;
        let before = std::mem::replace(&mut self.parties[who], party);
        self.settle(&before, told);
    }

    /// Compares what was lost of a call with what was told of it.
    fn settle(&mut self, party: &Party, told: ReceiveSummary) {
        self.ended += 1;
        self.dropped += party.dropped;
        self.lost += told.lost;
        assert_eq!((told.refused, told.duplicates), (0, 0), "{told:?}");
        // What was lost at the beginning or the end nobody can know of; what lies behind a gap and
        // comes after the end has not come.
        assert!(told.lost <= party.dropped && told.lost + 8 >= party.dropped, "{told:?}");
        let came = party.given - party.dropped;
        assert!(told.packets <= came && told.packets + 8 >= came, "{came}: {told:?}");
    }

    /// A bridge goes, with everybody in it, and another comes.
    fn replace(&mut self, bridge: usize) {
        self.room.order(Order::RemoveBridge(self.bridges[bridge]));
        for party in &mut self.parties {
            party.bridge = party.bridge.filter(|b| *b != bridge);
        }
        // Its slot is free once it has faded out; until then there is another.
        self.slots[bridge] = (self.slots[bridge] + 3) % 6;
        self.bridges[bridge] = self.room.add_bridge(self.slots[bridge], BRIDGES[bridge]);
        self.given += 1;
    }

    /// What the jitter buffers hold, in milliseconds: the least, the mean, the most.
    fn depths(&self) -> (f32, f32, f32) {
        let depths = || self.parties.iter().map(|party| self.told[&party.phone.id].depth_ms);
        let (least, most) = depths().fold((f32::MAX, 0.0f32), |(a, b), d| (a.min(d), b.max(d)));
        (least, depths().sum::<f32>() / PHONES as f32, most)
    }

    /// Objects that are to be in the engine when nothing goes on: legs, bridges, and the converters
    /// of who is in one.
    fn at_rest(&self) -> u64 {
        let joined = self.parties.iter().filter(|party| party.bridge.is_some()).count();
        (PHONES + self.bridges.len() + joined) as u64
    }
}

#[test]
fn hours_of_coming_and_going_leave_nothing_behind() {
    let (ticks, seed) = (ticks(), 0x5EED);
    let mut conference = Conference::new(seed);
    let mut first_kb = 0;
    for part in 0..PARTS {
        let from = part * (ticks / PARTS);
        let end = from + ticks / PARTS;
        for tick in from..end {
            if tick == end - REST {
                let parties = conference.parties.iter_mut().enumerate();
                parties.for_each(|(place, party)| party.talks = place % 2 == 0);
            }
            if tick == end - REST + SETTLE {
                conference.told.clear();
            }
            conference.tick(tick, tick >= end - REST);
        }
        let (least, mean, most) = conference.depths();
        let here = conference.given - conference.returned;
        let kb = rss_kb();
        println!(
            "{:>6.2} h: {kb} kB, {here} objects, depth {least:.0} / {mean:.0} / {most:.0} ms, \
             {} calls ended ({} packets lost, told of {}), {} acts",
            end as f64 / TICKS_PER_HOUR,
            conference.ended,
            conference.dropped,
            conference.lost,
            conference.happened,
        );
        assert!(DEPTH_MS.contains(&least) && DEPTH_MS.contains(&most), "{least} {most} ms");
        assert_eq!(here, conference.at_rest(), "objects, part {part}");
        assert_eq!(conference.events.stats().dropped.total(), 0);
        first_kb = if part == 0 { kb } else { first_kb };
        assert!(kb.abs_diff(first_kb) < MOST_KB, "{first_kb} kB at first, {kb} kB now");
    }
    let room = &mut conference.room;
    room.engine.close(room.now, &mut room.publisher, &mut room.wire);
    conference.returned += room.wire.retired.drain(..).count() as u64;
    assert_eq!(conference.given, conference.returned, "all comes back");
    conference.read();
    for party in std::mem::take(&mut conference.parties) {
        let told = conference.told[&party.phone.id];
        conference.settle(&party, told);
    }
}
