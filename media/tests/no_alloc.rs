//! The media thread's work neither allocates nor frees: an engine with everything going on, on a
//! thread of its own, while others subscribe to and leave the topics that it publishes to.
//!
//! Orders and their objects are made beforehand, and what the engine is done with is dropped
//! afterwards, as the control side would. Everything between is counted.

mod common {
    pub mod alloc;
    pub mod room;
}

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use common::alloc::{Counts, NONE, counts_of};
use common::room::{Phone, Room, SILENCE, Tone, home, join};
use stasis_bus::{Bus, Delivery, PullSubscription, Settings, Stamp, Topic};
use stasis_media::bridge::{Bridge, Tap, TapDirection, TapReader};
use stasis_media::codec::Codec;
use stasis_media::device::{CaptureEnd, DeviceEdge, PlaybackEnd, device_edge};
use stasis_media::dtmf::{Digit, ToneGenerator};
use stasis_media::engine::{Order, Outside, Retired};
use stasis_media::event::{
    DeviceSlipped, DtmfBegan, DtmfNotSent, DtmfReceived, DtmfSource, Joined, Left, PlaybackChanged,
    PlaybackState, RtpReceived, RtpSent, SourceLearned, TalkingStarted, TalkingStopped,
};
use stasis_media::frame::SampleRate;
use stasis_media::leg::{Direction, Edge, Leg, LegSetting, Rates};
use stasis_media::sound::Playback;
use stasis_media::wav::{Pcm, Player, Repeat};
use stasis_media::{BridgeId, LegId, PlaybackId, Target};

const NARROW: SampleRate = SampleRate::Hz8000;
const WIDE: SampleRate = SampleRate::Hz48000;
/// Ticks of one round: all that can happen happens in each.
const ROUND: usize = 500;
const ROUNDS: usize = 12;
/// Lists replaced under the publisher before the measurement may end.
const CHURN: u64 = 1_000;

/// What came out on the bus.
#[derive(Debug, Default)]
struct Heard {
    joined: u64,
    left: u64,
    talking: u64,
    silent: u64,
    in_band: String,
    by_event: String,
    began: u64,
    not_sent: u64,
    learned: u64,
    received: u64,
    refused: u64,
    sent: u64,
    slipped: u64,
    started: u64,
    complete: u64,
    stopped: u64,
    lagged: u64,
}

impl Heard {
    fn take(&mut self, delivery: &Delivery) {
        if let Delivery::Lagged(missed) = delivery {
            self.lagged += missed;
        }
        let is = |yes: bool| u64::from(yes);
        self.joined += is(delivery.downcast_ref::<Joined>().is_some());
        self.left += is(delivery.downcast_ref::<Left>().is_some());
        self.talking += is(delivery.downcast_ref::<TalkingStarted>().is_some());
        self.silent += is(delivery.downcast_ref::<TalkingStopped>().is_some());
        self.began += is(delivery.downcast_ref::<DtmfBegan>().is_some());
        self.not_sent += is(delivery.downcast_ref::<DtmfNotSent>().is_some());
        self.learned += is(delivery.downcast_ref::<SourceLearned>().is_some());
        self.sent += is(delivery.downcast_ref::<RtpSent>().is_some());
        self.slipped += is(delivery.downcast_ref::<DeviceSlipped>().is_some());
        if let Some(digit) = delivery.downcast_ref::<DtmfReceived>() {
            match digit.source {
                DtmfSource::InBand => self.in_band.push(digit.digit.as_char()),
                DtmfSource::TelephoneEvent => self.by_event.push(digit.digit.as_char()),
            }
        }
        if let Some(changed) = delivery.downcast_ref::<PlaybackChanged>() {
            self.started += is(changed.state == PlaybackState::Playing);
            self.complete += is(changed.state == PlaybackState::Done);
            self.stopped += is(changed.state == PlaybackState::Stopped);
        }
        if let Some(report) = delivery.downcast_ref::<RtpReceived>() {
            self.received += 1;
            self.refused = self.refused.max(report.stats.refused);
        }
    }
}

/// Subscribes, takes a little and leaves, until it is told to end.
fn churn(topic: &Topic, turns: &AtomicU64, over: &AtomicBool) {
    while !over.load(Relaxed) {
        let mut all = topic.subscribe().capacity(2).pull().unwrap();
        let mut digits = topic.subscribe().accept::<DtmfReceived>().pull().unwrap();
        let callback = topic.subscribe().capacity(4).callback(drop).unwrap();
        let reports = topic.subscribe().accept::<RtpReceived>().callback(drop).unwrap();
        for _ in 0..8 {
            let _ = black_box(all.try_recv());
        }
        let _ = black_box(digits.recv_timeout(Duration::from_micros(200)));
        callback.unsubscribe();
        drop((all, digits));
        let _ = reports.join();
        turns.fetch_add(8, Relaxed); // four came and four went
    }
}

/// The far ends: all that speaks, and to whom.
struct World {
    room: Room,
    narrow: BridgeId,
    wide: BridgeId,
    /// Talker, in-band dialler, event dialler, one with a bad line, mover, listener.
    phones: Vec<Phone>,
    device: LegId,
    microphone: CaptureEnd,
    speaker: PlaybackEnd,
    tone: Tone,
    loudest: [i16; 2],
}

impl World {
    fn new() -> Self {
        let mut room = Room::new();
        let narrow = room.add_bridge(0, NARROW);
        let wide = room.add_bridge(1, WIDE);
        let phones: Vec<_> = (0..6).map(|slot| room.add_phone(slot, Codec::PCMU)).collect();
        let device = LegId::new(6, room.serial());
        let (edge, microphone, speaker) = device_edge(44_100, 48_000, WIDE).unwrap();
        room.order(Order::AddLeg(device_leg(device, edge, &room.topic)));
        World {
            room,
            narrow,
            wide,
            phones,
            device,
            microphone,
            speaker,
            tone: Tone::new(500.0, 8_000.0),
            loudest: [0; 2],
        }
    }

    /// A round's orders with their objects, the last first, and the phone that comes and goes.
    fn script(&mut self, round: usize) -> (Vec<(usize, Order)>, Phone, Vec<TapReader>) {
        let room = &mut self.room;
        let (narrow, wide) = (self.narrow, self.wide);
        let id = |n: usize| self.phones[n].id;
        let digit = Digit::ALL[round % 16];
        let press = |leg| Order::Press(leg, digit, Duration::from_millis(100));
        let (mut taps, mut spies) = (Vec::new(), Vec::new());
        let mut record = |bridge, rate| {
            let (tap, samples) = Tap::new(rate, 1); // runs full, too
            taps.push(samples);
            Order::TapBridge(bridge, Box::new(tap))
        };
        let mut spy = |leg, direction, rate| {
            let (tap, samples) = Tap::at(rate, 1, NARROW);
            spies.push(samples);
            Order::TapLeg(leg, direction, Box::new(tap))
        };
        let play = |bridge, rate: SampleRate, repeat| {
            let player = Player::new(Pcm::new(rate, vec![3_000; 10_000]), repeat);
            Order::Play(
                Target::Bridge(bridge),
                Box::new(Playback::new(PlaybackId::new(0, 1), player)),
            )
        };
        let guest = Phone::new(LegId::new(7, room.serial()), Codec::PCMA);
        let cell = BridgeId::new(2, room.serial());
        let nowhere = BridgeId::new(3, room.serial());
        let nowhere_to_be_heard = LegId::new(9, room.serial());
        let topic = &room.topic;
        let bridge = |id, rate| {
            Order::AddBridge(Box::new(Bridge::new(id, rate, topic.clone()).with_seats(4)))
        };
        let mut script = vec![
            (0, join(id(0), NARROW, narrow, NARROW)),
            (0, join(id(1), NARROW, narrow, NARROW)),
            (0, join(id(2), NARROW, wide, WIDE)),
            (0, join(id(3), NARROW, wide, WIDE)),
            (0, join(id(4), NARROW, narrow, NARROW)),
            (0, join(id(5), NARROW, wide, WIDE)),
            (0, join(self.device, WIDE, wide, WIDE)),
            (1, Order::AddLeg(guest.leg(&room.topic))),
            (1, bridge(cell, SampleRate::Hz16000)),
            (2, join(guest.id, NARROW, cell, SampleRate::Hz16000)),
            (10, play(narrow, NARROW, Repeat::Once)),
            (20, play(wide, WIDE, Repeat::Forever)),
            (30, record(wide, WIDE)),
            (40, mute(id(0), true)),
            (60, mute(id(0), false)),
            (70, press(id(2))),
            (75, press(id(5))),
            (80, press(self.device)),
            (100, join(id(4), NARROW, wide, WIDE)),
            (150, Order::Leave(id(4))),
            (151, Order::Leave(id(4))),
            (160, join(id(4), NARROW, narrow, NARROW)),
            (170, join(id(4), NARROW, narrow, NARROW)),
            (180, record(narrow, NARROW)),
            (190, record(narrow, NARROW)),
            (210, Order::StopPlaying(wide.into())),
            (220, record(cell, SampleRate::Hz16000)),
            (220, play(cell, SampleRate::Hz16000, Repeat::Forever)),
            (240, Order::RemoveBridge(cell)),
            (241, join(guest.id, NARROW, cell, SampleRate::Hz16000)), // it is gone
            (242, play(wide, NARROW, Repeat::Once)),                  // for another rate
            (243, play(nowhere, NARROW, Repeat::Once)),
            (244, record(nowhere, NARROW)),
            (245, Order::AddLeg(self.phones[0].leg(&room.topic))), // its slot is taken
            (246, bridge(narrow, NARROW)),
            (246, spy(nowhere_to_be_heard, TapDirection::In, NARROW)),
            (250, join(guest.id, NARROW, narrow, NARROW)),
            (255, spy(id(5), TapDirection::Out, WIDE)),
            (255, spy(guest.id, TapDirection::Both, NARROW)),
            (300, Order::RemoveLeg(guest.id)),
            (301, Order::RemoveLeg(guest.id)),
            (302, Order::Press(guest.id, digit, Duration::from_secs(1))),
        ];
        script.extend((0..40).map(|_| (310, press(id(3))))); // more than can wait
        let each = [TapDirection::In, TapDirection::Out, TapDirection::Both];
        script.extend(each.into_iter().chain(each).map(|way| (30, spy(id(1), way, WIDE)))); // two too many
        taps.append(&mut spies);
        script.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
        (script, guest, taps)
    }

    /// One round: this is what is measured.
    fn run(&mut self, round: usize, script: &mut Vec<(usize, Order)>, guest: &mut Phone) {
        let digit = Digit::ALL[round % 16];
        let mut singer = ToneGenerator::new(digit, NARROW, 120);
        for tick in 0..ROUND {
            while script.last().is_some_and(|(at, _)| *at <= tick) {
                if let Some((_, order)) = script.pop() {
                    self.room.order(order);
                }
            }
            self.speak(tick, digit, &mut singer, guest);
            if tick == 350 {
                self.room.engine.skip_tick();
            }
            self.room.tick(self.phones.iter_mut().chain([&mut *guest]));
            if tick % 2 == 0 {
                self.room.publisher.ring_bell();
            }
            let listener = &self.phones[5];
            let loudest =
                listener.frame.samples().iter().map(|sample| sample.saturating_abs()).max();
            self.loudest[0] = self.loudest[0].max(loudest.unwrap_or(0));
        }
    }

    fn speak(&mut self, tick: usize, digit: Digit, singer: &mut ToneGenerator, guest: &mut Phone) {
        let room = &mut self.room;
        let (silence, tone) = (SILENCE, self.tone.tick());
        let talks = tick % 200 < 100;
        self.phones[0].say(if talks { &tone } else { &silence }, room);
        let mut sung = SILENCE;
        if (100..110).contains(&tick) {
            singer.fill(&mut sung);
        }
        self.phones[1].say(&sung, room);
        if tick == 120 {
            let _ = self.phones[2].sender.press(digit, Duration::from_millis(100));
        }
        self.phones[2].say(&tone, room);
        self.bad_line(tick, &tone);
        let room = &mut self.room;
        self.phones[4].say(&silence, room);
        self.phones[5].say(&silence, room);
        guest.say(&tone, room);

        let mut sound = [0; 960];
        if tick % 250 != 9 {
            self.tone.fill(&mut sound, WIDE);
            self.microphone.push(&sound[..882]);
        }
        self.speaker.pull(&mut sound);
        let loudest = sound.iter().map(|sample| sample.saturating_abs()).max();
        self.loudest[1] = self.loudest[1].max(loudest.unwrap_or(0));
    }

    /// Loss, repeats, delays, strangers, and what is no RTP at all.
    fn bad_line(&mut self, tick: usize, tone: &[i16; 160]) {
        let (room, phone) = (&mut self.room, &mut self.phones[3]);
        let (id, from) = (phone.id, phone.address);
        phone.sender.tick(tone, |packet| {
            if !tick.is_multiple_of(13) {
                room.receive(id, packet, from);
            }
            if tick.is_multiple_of(17) {
                room.receive(id, packet, from);
                room.receive(id, packet, home());
                room.receive(id, &packet[..9], from);
                room.receive(id, &[0x80, 200, 0, 1, 0, 0, 0, 0], from);
                room.receive(id, &[tick as u8; 100], from);
                room.receive(id, &[], from);
            }
            if tick.is_multiple_of(19) {
                let mut other = [0; 172];
                other.copy_from_slice(&packet[..172.min(packet.len())]);
                other[1] = 96; // a payload type that was not agreed
                other[3] ^= 0x40; // a number far off
                room.receive(id, &other, from);
            }
        });
    }
}

fn mute(leg: LegId, muted: bool) -> Order {
    Order::Set(leg, LegSetting::Mute(Direction::In, muted))
}

fn device_leg(id: LegId, edge: DeviceEdge, topic: &Topic) -> Box<Leg> {
    Box::new(Leg::new(id, Edge::Device(Box::new(edge)), topic.clone()))
}

/// Everything on the media thread: what it counted, what became of the orders, and the ticks.
fn media_thread(world: &mut World, turns: &AtomicU64) -> (Counts, u64, u64) {
    let (mut counts, mut refused, mut rounds) = (NONE, 0, 0);
    while rounds < ROUNDS || (turns.load(Relaxed) < CHURN && rounds < 50 * ROUNDS) {
        let (mut script, mut guest, taps) = world.script(rounds);
        let round = counts_of(|| world.run(rounds, &mut script, &mut guest));
        counts.allocations += round.allocations;
        counts.frees += round.frees;
        let was_refused = |object: &&Retired| matches!(object, Retired::Refused(_));
        refused += world.room.wire.retired.iter().filter(was_refused).count() as u64;
        world.room.wire.retired.clear();
        drop(taps); // the next round finds a tap that nobody reads
        rounds += 1;
    }
    let closing = counts_of(|| {
        let Room { engine, publisher, wire, now, .. } = &mut world.room;
        engine.close(*now, publisher, wire);
    });
    counts.allocations += closing.allocations;
    counts.frees += closing.frees;
    (counts, refused, rounds as u64)
}

#[test]
fn whatever_happens_the_media_thread_neither_allocates_nor_frees() {
    let turns = AtomicU64::new(0);
    let over = AtomicBool::new(false);
    let (send, receive) = std::sync::mpsc::channel();
    let on_media_thread = || {
        let mut world = World::new();
        let events = world.room.topic.subscribe().capacity(1 << 13).pull().unwrap();
        send.send((world.room.bus.clone(), world.room.topic.clone(), events)).unwrap();
        let outcome = media_thread(&mut world, &turns);
        over.store(true, Relaxed);
        (outcome, world.loudest, world.phones[5].keys.len())
    };
    let (outcome, heard) = thread::scope(|scope| {
        let media = thread::Builder::new().name("media-0".into());
        let media = media.spawn_scoped(scope, on_media_thread).unwrap();
        let over = &over;
        let (_bus, topic, mut events) = receive.recv().unwrap();
        let collector = scope.spawn(move || collect(&mut events, over));
        churn(&topic, &turns, over);
        (media.join().unwrap(), collector.join().unwrap())
    });
    let ((counts, refused, rounds), loudest, keys) = outcome;
    assert_eq!(counts, NONE, "on the media thread, in {rounds} rounds");
    assert!(turns.load(Relaxed) >= CHURN, "the lists were replaced {turns:?} times");

    // And it has not been idle.
    let digits: String = (0..rounds as usize).map(|n| Digit::ALL[n % 16].as_char()).collect();
    assert_eq!((heard.in_band.as_str(), heard.by_event.as_str()), (&*digits, &*digits));
    assert_eq!(heard.began, 2 * rounds);
    assert!(heard.joined >= 12 * rounds && heard.joined == heard.left, "{heard:?}");
    assert!(heard.talking >= 2 * rounds && heard.silent >= 2 * rounds, "{heard:?}");
    assert_eq!((heard.complete, heard.stopped), (rounds, 2 * rounds), "{heard:?}");
    assert_eq!(heard.started, 3 * rounds);
    assert_eq!(heard.learned, 6 + rounds);
    assert!(heard.not_sent >= 9 * rounds && heard.slipped > 0, "{heard:?}");
    assert!(heard.received > 6 * rounds && heard.sent == heard.received, "{heard:?}");
    assert!(heard.refused > 100, "{heard:?}");
    assert_eq!((refused, heard.lagged), (9 * rounds, 0));
    assert!(loudest.iter().all(|&peak| peak > 4_000), "{loudest:?}");
    assert_eq!(keys as u64, rounds, "keys that its party was sent");
}

/// Takes everything until the media thread is done and nothing more comes.
fn collect(events: &mut PullSubscription, over: &AtomicBool) -> Heard {
    let mut heard = Heard::default();
    loop {
        let last = over.load(Relaxed);
        while let Ok(delivery) = events.recv_timeout(Duration::from_millis(2)) {
            heard.take(&delivery);
        }
        if last {
            return heard;
        }
    }
}

/// An engine with one leg in one bridge.
fn small_world() -> (Room, Phone) {
    let mut room = Room::new();
    let bridge = room.add_bridge(0, WIDE);
    let phone = room.add_phone(0, Codec::PCMU);
    room.join(phone.id, bridge, WIDE);
    (room, phone)
}

#[test]
fn a_tick_that_allocates_or_frees_one_byte_beside_its_work_is_found_out() {
    let (mut room, mut phone) = small_world();
    let mut tick = |beside: &mut dyn FnMut()| {
        counts_of(|| {
            phone.say(&SILENCE, &mut room);
            room.tick([&mut phone]);
            beside();
        })
    };
    assert_eq!(tick(&mut || ()), NONE);
    let one_byte = tick(&mut || std::mem::forget(black_box(Box::new(1u8))));
    assert_eq!(one_byte, Counts { allocations: 1, frees: 0 });
    let mut boxed = Some(Box::new(1u8));
    let freed = tick(&mut || drop(black_box(boxed.take())));
    assert_eq!(freed, Counts { allocations: 0, frees: 1 });
}

#[test]
fn an_ordinary_publish_is_found_out() {
    let bus = Bus::new(Settings::default()).unwrap();
    let topic = bus.topic("t");
    let _events = topic.subscribe().pull().unwrap();
    let mut publisher = bus.rt_publisher(4);
    let message = DtmfNotSent { leg: LegId::new(0, 1), digit: Digit::ALL[0] };
    let real_time = counts_of(|| assert_eq!(publisher.publish(&topic, Stamp::ZERO, message), 1));
    assert_eq!(real_time, NONE);
    let ordinary = counts_of(|| assert_eq!(topic.publish(message), 1));
    assert!(ordinary.allocations > 0, "{ordinary:?}");
}

/// Drops what it should pass on.
struct Careless;

impl Outside for Careless {
    fn send(&mut self, _: LegId, _: std::net::SocketAddr, _: &[u8]) {}

    fn retire(&mut self, object: Retired) {
        drop(object);
    }
}

#[test]
fn a_shell_that_drops_what_the_engine_is_done_with_is_found_out() {
    let (mut room, phone) = small_world();
    let Room { engine, publisher, now, .. } = &mut room;
    let leave = Order::Leave(phone.id);
    let counts = counts_of(|| engine.apply(leave, *now, publisher, &mut Careless));
    assert!(counts.frees > 0 && counts.allocations == 0, "{counts:?}");
    let rates = Rates::new(NARROW, WIDE);
    assert!(counts_of(|| drop(rates)).frees > 0);
}
