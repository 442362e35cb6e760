//! What does one leg cost each tick, by the number of legs in the bridge?
//!
//! `engine` is the whole of it without sockets: one RTP packet in (G.711, 20 ms), jitter buffer,
//! decoding, talk and digit detection, the bridge's mix, encoding, one packet out. Everybody talks.
//! `mix` is the arithmetic of the bridge alone. `listeners` is the engine with three who talk and the
//! rest who only listen and send nothing: all are sent one payload. The figures are per leg and tick; a tick comes every
//! 20 ms, so 10 µs a leg means 2,000 legs on a core, if nothing else took time.
//!
//! ```sh
//! cargo bench --bench mix_by_legs
//! ```

use std::hint::black_box;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{Bencher, BenchmarkGroup, BenchmarkId, Criterion};
use stasis_bus::{Bus, RtPublisher, Settings, Stamp};
use stasis_media::bridge::Bridge;
use stasis_media::codec::Codec;
use stasis_media::engine::{Engine, Order, Outside, Retired};
use stasis_media::frame::{Frame, Ptime, SampleRate};
use stasis_media::leg::{Edge, Leg, LegSetting, Rates, Role, RtpEdge};
use stasis_media::mix;
use stasis_media::rtp::{HEADER_LEN, Payloads, ReceiveSettings, RtpReceiver, RtpSender, RtpSeq};
use stasis_media::wav::{Pcm, Player, Repeat};
use stasis_media::{BridgeId, LegId};

/// A G.711 frame.
const FRAME: usize = SampleRate::Hz8000.samples_in(Ptime::TICK);
const BRIDGE: BridgeId = BridgeId::new(0, 1);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let cases =
        [(SampleRate::Hz8000, &[3, 20, 100, 500][..]), (SampleRate::Hz48000, &[3, 20, 100])];
    let mut engine = group(&mut criterion, "engine");
    for (rate, sizes) in cases {
        for &legs in sizes {
            engine.bench_function(BenchmarkId::new(khz(rate), legs), |bencher| {
                let mut room = Room::new(Codec::PCMU, rate, legs, legs);
                per_leg(bencher, legs, || room.tick(&mut Wire));
            });
        }
    }
    engine.finish();
    let mut listeners = group(&mut criterion, "listeners");
    let codecs = [(Codec::PCMU, "PCMU"), (Codec::OPUS, "Opus 48 kHz")];
    for (codec, name) in codecs {
        for legs in [20, 100, 500] {
            listeners.bench_function(BenchmarkId::new(name, legs), |bencher| {
                let mut room = Room::new(codec, codec.rate(), legs, 3);
                per_leg(bencher, legs, || room.tick(&mut Wire));
            });
        }
    }
    listeners.finish();
    let mut mix = group(&mut criterion, "mix");
    for (rate, sizes) in cases {
        for &legs in sizes {
            mix.bench_function(BenchmarkId::new(khz(rate), legs), |bencher| {
                let mut sums = Sums::new(rate, legs);
                per_leg(bencher, legs, || sums.tick());
            });
        }
    }
    mix.finish();
    criterion.final_summary();
}

fn khz(rate: SampleRate) -> String {
    format!("{} kHz", rate.hz() / 1_000)
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.sample_size(20);
    group.warm_up_time(Duration::from_millis(500));
    group.measurement_time(Duration::from_secs(3));
    group
}

/// Measures by leg and tick: asked for so many, it runs as many whole ticks as that takes.
fn per_leg(bencher: &mut Bencher<'_>, legs: usize, mut tick: impl FnMut() -> Duration) {
    bencher.iter_custom(|count| {
        let ticks = count.div_ceil(legs as u64);
        let elapsed: Duration = (0..ticks).map(|_| tick()).sum();
        elapsed.mul_f64(count as f64 / (ticks * legs as u64) as f64)
    });
}

/// How long `work` takes.
#[allow(clippy::disallowed_methods)] // a bench reads the clock
fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The demo's voices.
fn voices(rate: SampleRate) -> [Pcm; 3] {
    ["alice", "bob", "you"].map(|name| {
        let path = format!("{}/examples/assets/{name}.wav", env!("CARGO_MANIFEST_DIR"));
        Pcm::load(path, rate).expect("the voices are in the repository")
    })
}

/// One of them, over and over, begun somewhere: each leg says something else.
fn voice(voices: &[Pcm; 3], leg: usize) -> Player {
    let mut player = Player::new(voices[leg % 3].clone(), Repeat::Forever);
    player.seek(leg * 1_999 % player.pcm().samples().len());
    player
}

/// The other end of a leg.
struct Party {
    leg: LegId,
    address: SocketAddr,
    voice: Player,
    sender: RtpSender,
    /// What it sends in this tick.
    packet: Vec<u8>,
}

impl Party {
    fn new(number: usize, voices: &[Pcm; 3], payloads: &Payloads) -> Self {
        let serial = number as u32 + 1;
        Party {
            leg: LegId::new(number as u32, serial),
            address: SocketAddr::from(([127, 0, 0, 1], 10_000 + 2 * number as u16)),
            voice: voice(voices, number),
            sender: RtpSender::new(payloads, serial, RtpSeq(1), serial),
            packet: Vec::with_capacity(1_500),
        }
    }

    fn speak(&mut self) {
        let mut frame = Frame::silence(self.sender.rate());
        self.voice.fill(frame.samples_mut());
        let packet = &mut self.packet;
        self.sender.tick(frame.samples(), |bytes| {
            packet.clear();
            packet.extend_from_slice(bytes);
        });
    }
}

/// A bridge in which the first so many talk, and all the parties.
struct Room {
    engine: Engine,
    parties: Vec<Party>,
    talkers: usize,
    publisher: RtPublisher,
    now: Stamp,
    _bus: Bus,
}

impl Room {
    fn new(codec: Codec, rate: SampleRate, legs: usize, talkers: usize) -> Self {
        let settings =
            Settings { workers: 1, max_workers: 1, look_ms: u16::MAX, ..Settings::default() };
        let payloads = Payloads::of(&[codec]).expect("there is room for one");
        let voices = voices(payloads.rate());
        let bus = Bus::new(settings).expect("there is room for a thread");
        let mut room = Room {
            engine: Engine::new(legs, 1),
            parties: (0..legs).map(|number| Party::new(number, &voices, &payloads)).collect(),
            talkers: legs,
            publisher: bus.rt_publisher(1_024),
            now: Stamp::ZERO,
            _bus: bus.clone(),
        };
        let topic = bus.topic("bench");
        room.order(Order::AddBridge(Box::new(
            Bridge::new(BRIDGE, rate, topic.clone()).with_seats(legs),
        )));
        for number in 0..legs {
            let leg = room.parties[number].leg;
            let edge = RtpEdge::new(
                RtpReceiver::new(ReceiveSettings { payloads, ..Default::default() }),
                RtpSender::new(&payloads, 0, RtpSeq(1), 0),
            );
            let edge = Edge::Rtp(Box::new(edge));
            room.order(Order::AddLeg(Box::new(Leg::new(leg, edge, topic.clone()))));
            let rates = Box::new(Rates::new(payloads.rate(), rate));
            room.order(Order::Join { leg, bridge: BRIDGE, rates });
        }
        // Until the jitter buffers are filled and everybody is heard.
        let mut ears = Ears { codec, voiced: 0 };
        (0..50).for_each(|_| {
            room.tick(&mut ears);
        });
        assert!(ears.voiced > 10 * legs, "everybody hears the others");
        for party in &room.parties[talkers..] {
            let setting = LegSetting::Role(Role::Listener);
            room.engine.apply(
                Order::Set(party.leg, setting),
                room.now,
                &mut room.publisher,
                &mut Wire,
            );
        }
        if talkers < legs {
            // A pause, in which all listeners sit down where one encodes for all.
            room.talkers = 0;
            (0..60).for_each(|_| {
                room.tick(&mut Wire);
            });
        }
        room.talkers = talkers;
        (0..20).for_each(|_| {
            room.tick(&mut Wire);
        });
        room
    }

    fn order(&mut self, order: Order) {
        self.engine.apply(order, self.now, &mut self.publisher, &mut Wire);
    }

    /// How long the engine's part of one tick takes; making the packets is not counted.
    fn tick(&mut self, outside: &mut impl Outside) -> Duration {
        let talkers = self.talkers;
        self.parties[..talkers].iter_mut().for_each(Party::speak);
        self.now = self.now + Duration::from_millis(20);
        let (engine, publisher, now) = (&mut self.engine, &mut self.publisher, self.now);
        time(|| {
            for party in &self.parties[..talkers] {
                engine.receive(party.leg, &party.packet, party.address, now, publisher);
            }
            engine.tick(now, publisher, outside);
        })
    }
}

/// Where packets end.
struct Wire;

impl Outside for Wire {
    fn send(&mut self, _: LegId, _: SocketAddr, datagram: &[u8]) {
        black_box(datagram);
    }

    fn retire(&mut self, object: Retired) {
        assert!(!matches!(object, Retired::Refused(_)), "there is room for all");
    }
}

/// Counts the packets in which there is more to hear than noise.
struct Ears {
    codec: Codec,
    voiced: usize,
}

impl Outside for Ears {
    fn send(&mut self, _: LegId, _: SocketAddr, datagram: &[u8]) {
        if self.codec != Codec::PCMU {
            self.voiced += 1; // one packet alone does not tell
            return;
        }
        let mut pcm = [0; FRAME];
        Codec::PCMU.decoder().decode(&datagram[HEADER_LEN..], &mut pcm);
        self.voiced += usize::from(pcm.iter().any(|sample| sample.abs() > 1_000));
    }

    fn retire(&mut self, _: Retired) {}
}

/// The bridge's arithmetic, on the voices of its legs.
struct Sums {
    said: Vec<Vec<i16>>,
    total: Vec<i32>,
    heard: Vec<i16>,
}

impl Sums {
    fn new(rate: SampleRate, legs: usize) -> Self {
        let (samples, voices) = (rate.samples_in(Ptime::TICK), voices(SampleRate::Hz8000));
        let say = |leg| {
            let mut said = vec![0; samples];
            voice(&voices, leg).fill(&mut said);
            said
        };
        Sums {
            said: (0..legs).map(say).collect(),
            total: vec![0; samples],
            heard: vec![0; samples],
        }
    }

    fn tick(&mut self) -> Duration {
        let Sums { said, total, heard } = self;
        time(|| {
            total.fill(0);
            for said in said.iter() {
                mix::add(total, black_box(said));
            }
            for said in said.iter() {
                mix::mix_minus(total, said, heard);
                black_box(&mut *heard);
            }
        })
    }
}
