//! A conference in virtual time: an engine, phones at the far ends of its RTP legs, and no network
//! between them. Nothing here allocates once it was made, unless a vector is made to.
#![allow(dead_code)] // each test uses a part of it

use std::net::SocketAddr;

use stasis_bus::{Bus, RtPublisher, Settings, Stamp, Topic};
use stasis_media::bridge::{Bridge, TapReader};
use stasis_media::codec::Codec;
use stasis_media::dtmf::Digit;
use stasis_media::engine::{Engine, Order, Outside, Retired};
use stasis_media::frame::{Frame, SampleRate};
use stasis_media::leg::{Edge, Leg, LegSetting, Rates, RtpEdge};
use stasis_media::rtp::{
    FrameKind, Packet, Payloads, ReceiveSettings, RtpEvent, RtpReceiver, RtpSender, RtpSeq,
};
use stasis_media::schedule::PERIOD;
use stasis_media::{BridgeId, LegId};

/// A tick of G.711.
pub type Tick = [i16; 160];
pub const SILENCE: Tick = [0; 160];

/// The payload type of telephone events.
pub const EVENTS: u8 = 101;

const LARGEST: usize = 1_500;

/// Where the engine sends from.
pub fn home() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4_000))
}

/// A datagram that the engine has sent.
pub struct Sent {
    pub leg: LegId,
    pub to: SocketAddr,
    len: usize,
    bytes: [u8; LARGEST],
}

impl Sent {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Takes what the engine gives, in memory made beforehand.
pub struct Wire {
    pub sent: Vec<Sent>,
    pub retired: Vec<Retired>,
}

impl Wire {
    fn new(legs: usize) -> Self {
        let room = (16 * legs).max(1_024);
        Wire { sent: Vec::with_capacity(2 * legs + 512), retired: Vec::with_capacity(room) }
    }
}

impl Outside for Wire {
    fn send(&mut self, leg: LegId, to: SocketAddr, datagram: &[u8]) {
        assert!(self.sent.len() < self.sent.capacity(), "more datagrams than there is room for");
        let mut bytes = [0; LARGEST];
        bytes[..datagram.len()].copy_from_slice(datagram);
        self.sent.push(Sent { leg, to, len: datagram.len(), bytes });
    }

    fn retire(&mut self, object: Retired) {
        assert!(self.retired.len() < self.retired.capacity(), "more objects than there is room");
        self.retired.push(object);
    }
}

/// An engine at a virtual time.
pub struct Room {
    pub bus: Bus,
    pub topic: Topic,
    pub engine: Engine,
    pub publisher: RtPublisher,
    pub wire: Wire,
    pub now: Stamp,
    legs: usize,
    serial: u32,
}

impl Room {
    /// With room for 64 legs and 8 bridges.
    pub fn new() -> Self {
        Room::of(64)
    }

    /// With room for so many legs and 8 bridges.
    pub fn of(legs: usize) -> Self {
        let bus = Bus::new(Settings::default()).expect("threads for a bus");
        let topic = bus.topic("conference");
        let publisher = bus.rt_publisher(1 << 14);
        Room {
            bus,
            topic,
            legs,
            engine: Engine::new(legs, 8),
            publisher,
            wire: Wire::new(legs),
            now: Stamp::from_ms(1_000),
            serial: 0,
        }
    }

    pub fn serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }

    pub fn order(&mut self, order: Order) {
        self.engine.apply(order, self.now, &mut self.publisher, &mut self.wire);
    }

    pub fn add_bridge(&mut self, slot: u32, rate: SampleRate) -> BridgeId {
        self.add_bridge_as(slot, rate, |bridge| bridge)
    }

    /// A bridge of some kind.
    pub fn add_bridge_as(
        &mut self,
        slot: u32,
        rate: SampleRate,
        kind: impl FnOnce(Bridge) -> Bridge,
    ) -> BridgeId {
        let id = BridgeId::new(slot, self.serial());
        let bridge = kind(Bridge::new(id, rate, self.topic.clone()).with_seats(self.legs));
        self.order(Order::AddBridge(Box::new(bridge)));
        id
    }

    /// Changes a setting of a leg.
    pub fn set(&mut self, leg: LegId, setting: LegSetting) {
        self.order(Order::Set(leg, setting));
    }

    /// An RTP leg, and the phone at its other end, which speaks `codec`.
    pub fn add_phone(&mut self, slot: u32, codec: Codec) -> Phone {
        let id = LegId::new(slot, self.serial());
        self.add(Phone::new(id, codec))
    }

    /// An RTP leg, and the phone at its other end, which speaks the first of these.
    pub fn add_phone_with(&mut self, slot: u32, payloads: Payloads) -> Phone {
        let id = LegId::new(slot, self.serial());
        self.add(Phone::with(id, payloads))
    }

    pub fn add(&mut self, phone: Phone) -> Phone {
        let leg = phone.leg(&self.topic);
        self.order(Order::AddLeg(leg));
        phone
    }

    /// Puts an RTP leg at 8 kHz into a bridge at `rate`.
    pub fn join(&mut self, leg: LegId, bridge: BridgeId, rate: SampleRate) {
        self.order(join(leg, SampleRate::Hz8000, bridge, rate));
    }

    /// A datagram comes for a leg.
    pub fn receive(&mut self, leg: LegId, datagram: &[u8], from: SocketAddr) {
        self.engine.receive(leg, datagram, from, self.now, &mut self.publisher);
    }

    /// One tick of the engine; the phones hear what it sends, and time goes on.
    pub fn tick<'a>(&mut self, phones: impl IntoIterator<Item = &'a mut Phone>) {
        self.engine.tick(self.now, &mut self.publisher, &mut self.wire);
        self.give_and_pass(phones);
    }

    /// The phones hear what the engine has sent, and time goes on.
    pub fn give_and_pass<'a>(&mut self, phones: impl IntoIterator<Item = &'a mut Phone>) {
        for phone in phones {
            let id = phone.id;
            for sent in self.wire.sent.iter().filter(|sent| sent.leg == id) {
                assert_eq!(sent.to, phone.address, "answered where it speaks from");
                phone.take(sent.bytes(), self.now);
            }
            phone.listen(self.now);
        }
        self.wire.sent.clear();
        self.now = self.now + PERIOD;
    }
}

/// A leg at `from` joins a bridge at `to`.
pub fn join(leg: LegId, from: SampleRate, bridge: BridgeId, to: SampleRate) -> Order {
    Order::Join { leg, bridge, rates: Box::new(Rates::new(from, to)) }
}

/// The far end of an RTP leg.
pub struct Phone {
    pub id: LegId,
    pub address: SocketAddr,
    /// What its numbers mean; the engine's end has the same.
    pub payloads: Payloads,
    pub sender: RtpSender,
    receiver: RtpReceiver,
    /// What it heard, as long as there is room.
    pub heard: Vec<i16>,
    /// The newest tick of it.
    pub frame: Frame,
    /// The payload type of the newest packet, events aside.
    pub payload_type: Option<u8>,
    /// The payload of that packet.
    pub payload: Vec<u8>,
    /// Keys that were pressed for it, and for how long in milliseconds.
    pub keys: Vec<(Digit, u32)>,
}

impl Phone {
    pub fn new(id: LegId, codec: Codec) -> Self {
        let mut phone = Phone::with(id, Payloads::default());
        phone.sender.set_codec(codec);
        phone
    }

    pub fn with(id: LegId, payloads: Payloads) -> Self {
        Phone::remembering(id, payloads, 1 << 19)
    }

    /// One that keeps so many samples of what it heard.
    pub fn remembering(id: LegId, payloads: Payloads, heard: usize) -> Self {
        let ssrc = 1_000 + id.serial();
        Phone {
            id,
            address: SocketAddr::from(([127, 0, 0, 1], 10_000 + id.serial() as u16)),
            payloads,
            sender: RtpSender::new(&payloads, ssrc, RtpSeq(65_500), u32::MAX - 1_000),
            receiver: RtpReceiver::new(ReceiveSettings { payloads, ..Default::default() }),
            heard: Vec::with_capacity(heard),
            frame: Frame::silence(payloads.rate()),
            payload_type: None,
            payload: Vec::with_capacity(LARGEST),
            keys: Vec::with_capacity(256),
        }
    }

    /// The engine's end.
    pub fn leg(&self, topic: &Topic) -> Box<Leg> {
        let payloads = self.payloads;
        let receiver = RtpReceiver::new(ReceiveSettings { payloads, ..Default::default() });
        let ssrc = 9_000 + self.id.serial();
        let sender = RtpSender::new(&payloads, ssrc, RtpSeq(7), 70);
        let edge = Edge::Rtp(Box::new(RtpEdge::new(receiver, sender)));
        Box::new(Leg::new(self.id, edge, topic.clone()))
    }

    /// Says one tick, with no time on the way.
    pub fn say(&mut self, pcm: &[i16], room: &mut Room) {
        let (id, from) = (self.id, self.address);
        self.sender.tick(pcm, |packet| room.receive(id, packet, from));
    }

    fn take(&mut self, packet: &[u8], now: Stamp) {
        if let Ok(Packet { header, payload }) = Packet::parse(packet)
            && header.payload_type != EVENTS
        {
            self.payload_type = Some(header.payload_type);
            self.payload.clear();
            self.payload.extend_from_slice(payload);
        }
        let mut on = note(&mut self.keys);
        self.receiver.receive(packet, home(), now, &mut on);
    }

    fn listen(&mut self, now: Stamp) -> FrameKind {
        let mut on = note(&mut self.keys);
        let kind = self.receiver.tick(now, self.frame.samples_mut(), &mut on);
        if self.heard.capacity() - self.heard.len() >= self.frame.samples().len() {
            self.heard.extend_from_slice(self.frame.samples());
        }
        kind
    }

    /// The rate of what it says and hears.
    pub fn rate(&self) -> SampleRate {
        self.payloads.rate()
    }

    /// The last second that it heard.
    pub fn last_second(&self) -> &[i16] {
        &self.heard[self.heard.len() - self.rate().hz() as usize..]
    }
}

fn note(keys: &mut Vec<(Digit, u32)>) -> impl FnMut(RtpEvent) + '_ {
    |event| {
        if let RtpEvent::DigitEnd { digit, duration_ms } = event
            && keys.len() < keys.capacity()
        {
            keys.push((digit, duration_ms));
        }
    }
}

/// An endless sine.
#[derive(Clone, Copy)]
pub struct Tone {
    pub hz: f64,
    pub peak: f64,
    at: u64,
}

impl Tone {
    pub fn new(hz: f64, peak: f64) -> Self {
        Tone { hz, peak, at: 0 }
    }

    pub fn fill(&mut self, out: &mut [i16], rate: SampleRate) {
        let turn = std::f64::consts::TAU * self.hz / f64::from(rate.hz());
        for sample in out {
            *sample = (self.peak * (turn * self.at as f64).sin()).round() as i16;
            self.at += 1;
        }
    }

    /// The next tick at 8 kHz.
    pub fn tick(&mut self) -> Tick {
        let mut out = SILENCE;
        self.fill(&mut out, SampleRate::Hz8000);
        out
    }
}

/// The peak of the sine of `hz` in `samples`, which hold whole turns of it (Goertzel).
pub fn peak_of(samples: &[i16], hz: f64, rate: SampleRate) -> f64 {
    let turn = std::f64::consts::TAU * hz / f64::from(rate.hz());
    let (mut re, mut im) = (0.0, 0.0);
    for (at, &sample) in samples.iter().enumerate() {
        let angle = turn * at as f64;
        re += f64::from(sample) * angle.cos();
        im += f64::from(sample) * angle.sin();
    }
    2.0 * re.hypot(im) / samples.len() as f64
}

/// How much louder `peak` is than `than`, in dB.
pub fn db(peak: f64, than: f64) -> f64 {
    20.0 * (peak.max(1e-6) / than).log10()
}

/// All that a tap has heard since it was read last.
pub fn read_all(tap: &mut TapReader) -> Vec<i16> {
    let (mut all, mut part) = (Vec::new(), [0; 960]);
    loop {
        match tap.read(&mut part) {
            0 => return all,
            n => all.extend(&part[..n]),
        }
    }
}

/// SplitMix64, to be printed by its seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn throw(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % sides
    }
}
