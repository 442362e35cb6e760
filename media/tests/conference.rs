//! Conferences in virtual time, by the engine's public face: phones speak RTP to it and hear what
//! comes back. No socket, no clock, no sleeping.

mod common {
    pub mod room;
}

use std::time::Duration;

use common::room::{Dice, Phone, Room, SILENCE, Tick, Tone, db, join, peak_of, read_all};
use stasis_bus::{PullSubscription, Stamp};
use stasis_media::bridge::{Bridge, Tap, TapEnd};
use stasis_media::codec::{Codec, EncodeSettings};
use stasis_media::device::device_edge;
use stasis_media::dtmf::{Digit, ToneGenerator};
use stasis_media::engine::{Order, Retired};
use stasis_media::event::{
    DtmfBegan, DtmfReceived, DtmfSource, Joined, Left, PlaybackChanged, RtpReceived, RtpSent,
    SourceLearned, TalkingStarted, TalkingStopped,
};
use stasis_media::frame::{Frame, SampleRate};
use stasis_media::leg::{Direction, Edge, Leg, LegSetting};
use stasis_media::rtp::{Header, Payloads, RtpSeq, write_packet};
use stasis_media::schedule::PERIOD;
use stasis_media::sound::{Playback, PlaybackControl};
use stasis_media::wav::{Pcm, Player, Repeat};
use stasis_media::{BridgeId, LegId, PlaybackId};

const NARROW: SampleRate = SampleRate::Hz8000;
const WIDE: SampleRate = SampleRate::Hz48000;

/// Tones without a harmonic or a difference in common, in whole hertz.
const TONES: [f64; 3] = [437.0, 1_009.0, 1_733.0];
const PEAK: f64 = 6_000.0;

fn digit(c: char) -> Digit {
    Digit::from_char(c).unwrap()
}

/// Everybody says their tone for so many ticks.
fn talk(room: &mut Room, phones: &mut [Phone], tones: &mut [Tone], ticks: usize) {
    for _ in 0..ticks {
        for (phone, tone) in phones.iter_mut().zip(tones.iter_mut()) {
            phone.say(&tone.tick(), room);
        }
        room.tick(&mut *phones);
    }
}

/// Fails unless `heard`, a second of it, has these tones as loud as they were sent, and of `own`
/// less than -50 dB.
fn assert_hears(heard: &[i16], rate: SampleRate, others: &[f64], own: f64) {
    for &hz in others {
        let level = db(peak_of(heard, hz, rate), PEAK);
        assert!(level.abs() < 0.5, "{hz} Hz is heard at {level:.2} dB");
    }
    let level = db(peak_of(heard, own, rate), PEAK);
    assert!(level < -50.0, "one hears oneself, {own} Hz, at {level:.1} dB");
}

fn others(all: &[f64], own: usize) -> Vec<f64> {
    all.iter().enumerate().filter(|(i, _)| *i != own).map(|(_, &hz)| hz).collect()
}

#[test]
fn each_of_three_phones_hears_the_other_two_and_not_itself() {
    for rate in [NARROW, WIDE] {
        let mut room = Room::new();
        let bridge = room.add_bridge(0, rate);
        let mut phones: Vec<_> = (0..3).map(|slot| room.add_phone(slot, Codec::PCMU)).collect();
        phones.iter().for_each(|phone| room.join(phone.id, bridge, rate));
        let mut tones = TONES.map(|hz| Tone::new(hz, PEAK));
        talk(&mut room, &mut phones, &mut tones, 100);
        for (own, phone) in phones.iter().enumerate() {
            assert_hears(phone.last_second(), NARROW, &others(&TONES, own), TONES[own]);
        }
    }
}

#[test]
fn a_sound_device_and_two_phones_hear_each_other_and_not_themselves() {
    for rate in [NARROW, WIDE] {
        let mut room = Room::new();
        let bridge = room.add_bridge(0, rate);
        let mut phones: Vec<_> = (0..2).map(|slot| room.add_phone(slot, Codec::PCMA)).collect();
        phones.iter().for_each(|phone| room.join(phone.id, bridge, rate));
        let device = LegId::new(2, room.serial());
        let (edge, mut microphone, mut speaker) = device_edge(48_000, 48_000, WIDE).unwrap();
        let leg = Leg::new(device, Edge::Device(Box::new(edge)), room.topic.clone());
        room.order(Order::AddLeg(Box::new(leg)));
        room.order(join(device, WIDE, bridge, rate));

        let mut tones = TONES.map(|hz| Tone::new(hz, PEAK));
        let (mut block, mut heard) = ([0; 960], Vec::new());
        for _ in 0..200 {
            tones[2].fill(&mut block, WIDE);
            microphone.push(&block);
            talk(&mut room, &mut phones, &mut tones[..2], 1);
            speaker.pull(&mut block);
            heard.extend(block);
        }
        for (own, phone) in phones.iter().enumerate() {
            assert_hears(phone.last_second(), NARROW, &others(&TONES, own), TONES[own]);
        }
        assert_hears(&heard[heard.len() - 48_000..], WIDE, &TONES[..2], TONES[2]);
    }
}

fn mute(leg: LegId, muted: bool) -> Order {
    Order::Set(leg, LegSetting::Mute(Direction::In, muted))
}

#[test]
fn a_muted_leg_is_not_heard_until_it_is_unmuted_and_hears_the_others_all_along() {
    let mut room = Room::new();
    let bridge = room.add_bridge(0, WIDE);
    let mut phones: Vec<_> = (0..2).map(|slot| room.add_phone(slot, Codec::PCMU)).collect();
    phones.iter().for_each(|phone| room.join(phone.id, bridge, WIDE));
    let mut tones = [Tone::new(TONES[0], PEAK), Tone::new(TONES[1], PEAK)];
    for muted in [false, true, false] {
        room.order(mute(phones[0].id, muted));
        talk(&mut room, &mut phones, &mut tones, 80);
        let heard = |n: usize, hz| db(peak_of(phones[n].last_second(), hz, NARROW), PEAK);
        let (of_muted, of_other) = (heard(1, TONES[0]), heard(0, TONES[1]));
        assert!(of_other.abs() < 0.5, "the other is heard at {of_other:.2} dB");
        let silent = of_muted < -60.0;
        assert_eq!(silent, muted, "heard at {of_muted:.1} dB");
        assert!(silent || of_muted.abs() < 0.5);
    }
}

/// What was published so far: when (in ticks since the room was made, if on the grid), and what.
fn told(events: &mut PullSubscription) -> Vec<(Stamp, String)> {
    let mut told = Vec::new();
    while let Ok(delivery) = events.try_recv() {
        let message = delivery.message().expect("nothing is lost");
        let leg = |leg: LegId| leg.to_string();
        let source = |source| if source == DtmfSource::InBand { "sung" } else { "event" };
        let text = if let Some(e) = message.downcast_ref::<Joined>() {
            format!("{} joined {}", e.leg, e.bridge)
        } else if let Some(e) = message.downcast_ref::<Left>() {
            format!("{} left {}", e.leg, e.bridge)
        } else if let Some(e) = message.downcast_ref::<TalkingStarted>() {
            format!("{} talks", leg(e.leg))
        } else if let Some(e) = message.downcast_ref::<TalkingStopped>() {
            format!("{} talked {} ms", e.leg, e.duration_ms)
        } else if let Some(e) = message.downcast_ref::<DtmfBegan>() {
            format!("{} begins {} {}", e.leg, e.digit, source(e.source))
        } else if let Some(e) = message.downcast_ref::<DtmfReceived>() {
            format!("{} pressed {} {}", e.leg, e.digit, source(e.source))
        } else if let Some(e) = message.downcast_ref::<SourceLearned>() {
            format!("{} is at {}", e.leg, e.address.port())
        } else if let Some(e) = message.downcast_ref::<PlaybackChanged>() {
            format!("{} to {} is {:?}", e.playback, e.target, e.state)
        } else if let Some(e) = message.downcast_ref::<RtpReceived>() {
            format!("{} received {}", e.leg, e.stats.packets)
        } else if let Some(e) = message.downcast_ref::<RtpSent>() {
            format!("{} sent {}", e.leg, e.stats.packets)
        } else {
            continue;
        };
        told.push((message.stamp(), text));
    }
    told
}

fn texts(events: &mut PullSubscription) -> Vec<String> {
    told(events).into_iter().map(|(_, text)| text).collect()
}

fn playback(serial: u32, rate: SampleRate, samples: usize, repeat: Repeat) -> Box<Playback> {
    let player = Player::new(Pcm::new(rate, vec![1_000; samples]), repeat);
    Box::new(Playback::new(PlaybackId::new(0, serial), player))
}

#[test]
fn a_conference_is_told_in_order_and_on_the_grid_of_ticks() {
    let mut room = Room::new();
    let mut events = room.topic.subscribe().capacity(1 << 10).pull().unwrap();
    let bridge = room.add_bridge(0, WIDE); // bridge-1
    let mut phone = room.add_phone(0, Codec::PCMU); // leg-2
    let start = room.now;
    let mut tone = Tone::new(437.0, PEAK);
    let mut singer = ToneGenerator::new(digit('5'), NARROW, 100);
    for tick in 0..200u64 {
        match tick {
            5 => room.join(phone.id, bridge, WIDE),
            50 => phone.sender.press(digit('9'), Duration::from_millis(100)).unwrap(),
            120 => room.order(Order::Play(bridge.into(), playback(7, WIDE, 9_600, Repeat::Once))),
            140 => room.order(Order::Play(bridge.into(), playback(8, WIDE, 960, Repeat::Forever))),
            150 => room.order(Order::Play(bridge.into(), playback(9, WIDE, 960, Repeat::Forever))),
            151 => {
                let first = PlaybackId::new(0, 8);
                room.order(Order::Control(bridge.into(), first, PlaybackControl::Stop));
            }
            160 => room.order(Order::StopPlaying(bridge.into())),
            180 => room.order(Order::Leave(phone.id)),
            190 => room.order(Order::RemoveLeg(phone.id)),
            _ => {}
        }
        let mut said = SILENCE;
        match tick {
            10..15 => {
                singer.fill(&mut said);
            }
            60..90 => said = tone.tick(),
            _ => {}
        }
        phone.say(&said, &mut room);
        room.tick([&mut phone]);
    }
    let told = told(&mut events);
    let texts: Vec<_> = told
        .iter()
        .map(|(_, text)| text.as_str())
        .filter(|text| !text.contains("received") && !text.contains("sent"))
        .collect();
    assert_eq!(
        texts,
        [
            "leg-2 is at 10002",
            "leg-2 joined bridge-1",
            "leg-2 begins 5 sung",
            "leg-2 pressed 5 sung",
            "leg-2 begins 9 event",
            "leg-2 pressed 9 event",
            "leg-2 talks",
            "leg-2 talked 600 ms",
            "playback-7 to bridge-1 is Playing",
            "playback-7 to bridge-1 is Done",
            "playback-8 to bridge-1 is Playing",
            "playback-9 to bridge-1 is Queued",
            "playback-8 to bridge-1 is Stopped",
            "playback-9 to bridge-1 is Playing",
            "playback-9 to bridge-1 is Stopped",
            "leg-2 left bridge-1",
        ]
    );
    for (stamp, text) in &told {
        let since = stamp.since(start);
        assert_eq!(since.as_nanos() % PERIOD.as_nanos(), 0, "{text} at {stamp}");
    }
    assert!(told.is_sorted_by_key(|(stamp, _)| *stamp));
    let at = |what: &str| {
        let stamp = told.iter().find(|(_, text)| text == what).expect(what).0;
        (stamp.since(start).as_millis() / 20) as u64
    };
    assert_eq!(at("leg-2 joined bridge-1"), 5);
    assert_eq!(at("leg-2 left bridge-1"), 180);
    assert_eq!(at("playback-7 to bridge-1 is Playing"), 120);
    // 200 ms are ten ticks; in the eleventh there is nothing more.
    assert_eq!(at("playback-7 to bridge-1 is Done"), 130);
    // The last report: all that was said until the leg was removed, in the tick of its removal.
    let last: Vec<_> = told.iter().rev().take(2).map(|(_, text)| text.as_str()).collect();
    assert_eq!(last[1], "leg-2 received 190");
    assert!(last[0].starts_with("leg-2 sent 18"), "{last:?}");
    assert_eq!(at("leg-2 received 190"), 190);
}

#[test]
fn who_joins_and_who_leaves_a_bridge_is_told_on_its_topic() {
    let mut room = Room::new();
    let mut events = room.bus.topic("bridge").subscribe().pull().unwrap();
    let phones = [0, 1, 2].map(|slot| room.add_phone(slot, Codec::PCMU));
    let legs_topic = std::mem::replace(&mut room.topic, room.bus.topic("bridge"));
    let mut of_legs = legs_topic.subscribe().pull().unwrap();
    let bridges = [room.add_bridge(0, NARROW), room.add_bridge(1, WIDE)];
    for phone in &phones {
        room.join(phone.id, bridges[0], NARROW);
    }
    room.order(Order::Leave(phones[0].id));
    room.order(Order::RemoveLeg(phones[1].id));
    room.join(phones[2].id, bridges[1], WIDE);
    room.order(Order::RemoveBridge(bridges[1]));
    let expected = [
        "leg-1 joined bridge-4",
        "leg-2 joined bridge-4",
        "leg-3 joined bridge-4",
        "leg-1 left bridge-4",
        "leg-2 left bridge-4",
        "leg-3 left bridge-4",
        "leg-3 joined bridge-5",
        "leg-3 left bridge-5",
    ];
    assert_eq!(texts(&mut events), expected);
    assert_eq!(texts(&mut of_legs), ["leg-2 received 0", "leg-2 sent 0"], "the leg's last report");
}

#[test]
fn a_party_that_sends_tones_and_telephone_events_gives_each_digit_once() {
    let mut room = Room::new();
    let mut events = room.topic.subscribe().capacity(1 << 10).pull().unwrap();
    let mut phone = room.add_phone(0, Codec::PCMU);
    let (id, from) = (phone.id, phone.address);
    let (mut seq, mut timestamp) = (RtpSeq(5), 1_000u32);
    let mut send = |room: &mut Room, payload_type, timestamp, payload: &[u8]| {
        let header = Header { payload_type, marker: false, seq, timestamp, ssrc: 77 };
        seq = seq.next();
        let mut buffer = [0; 200];
        room.receive(id, write_packet(&header, payload, &mut buffer).unwrap(), from);
    };
    // Ticks that each tone and each key lasts: a key may be released before its tone is over.
    let lasts = [(8, 3), (5, 5), (10, 4), (4, 9), (8, 2)];
    for (digit, (sung, held)) in "123A#".chars().map(digit).zip(lasts) {
        let mut singer = ToneGenerator::new(digit, NARROW, 20 * sung);
        let began = timestamp;
        for tick in 0..20u16 {
            let (mut said, mut payload) = (SILENCE, [0; 160]);
            singer.fill(&mut said);
            Codec::PCMU.encoder(&EncodeSettings::default()).encode(&said, &mut payload);
            send(&mut room, 0, timestamp, &payload);
            if tick < held + 2 {
                let [high, low] = ((tick + 1).min(held) * 160).to_be_bytes();
                let end = if tick >= held - 1 { 0x80 } else { 0 };
                send(&mut room, 101, began, &[digit.event(), end | 10, high, low]);
            }
            timestamp += 160;
            room.tick([&mut phone]);
        }
        let heard = texts(&mut events);
        let digits: Vec<_> =
            heard.iter().filter(|t| t.contains("begins") || t.contains("pressed")).collect();
        let (begins, pressed) =
            (format!("leg-1 begins {digit} event"), format!("leg-1 pressed {digit} event"));
        assert_eq!(digits, [&begins, &pressed], "sung for {sung} ticks, held for {held}");
    }
}

#[test]
fn a_tap_holds_the_exact_sum_of_what_everybody_says() {
    let mut room = Room::new();
    let bridge = room.add_bridge(0, NARROW);
    let mut phones: Vec<_> = (0..2)
        .map(|slot| room.add_phone(slot, [Codec::PCMU, Codec::PCMA][slot as usize]))
        .collect();
    phones.iter().for_each(|phone| room.join(phone.id, bridge, NARROW));
    let (tap, mut samples) = Tap::new(NARROW, 10);
    room.order(Order::TapBridge(bridge, Box::new(tap)));
    let mut tones = [Tone::new(TONES[0], 9_000.0), Tone::new(TONES[1], 9_000.0)];
    let mut sum = Vec::new();
    for _ in 0..250 {
        let mut both = [0i16; 160];
        for (phone, tone) in phones.iter_mut().zip(&mut tones) {
            let said = tone.tick();
            phone.say(&said, &mut room);
            let codec = phone.sender.codec().unwrap();
            let (mut coded, mut decoded) = ([0; 160], SILENCE);
            codec.encoder(&EncodeSettings::default()).encode(&said, &mut coded);
            codec.decoder().decode(&coded, &mut decoded);
            both.iter_mut().zip(decoded).for_each(|(both, own)| *both += own);
        }
        sum.extend(both);
        room.tick(&mut phones);
    }
    let recorded = read_all(&mut samples);
    assert_eq!(recorded.len(), sum.len(), "a tick for a tick");
    // 60 ms in the jitter buffer; then a fade-in of 5 ms, as after any silence.
    let delay = 3 * 160;
    assert!(recorded[..delay].iter().all(|&sample| sample == 0));
    assert_eq!(recorded[delay + 40..], sum[40..sum.len() - delay]);

    assert_eq!((samples.lost(), samples.end()), (0, None));
    drop(samples);
    room.tick(&mut phones);
    assert!(matches!(room.wire.retired.pop(), Some(Retired::Tap(_))), "nobody reads it any more");
}

#[test]
fn a_storm_of_joins_moves_and_removals_leaves_the_tones_of_those_who_stay_whole() {
    const STAY: usize = 6;
    // Whole turns in a tick: each tick can be measured by itself.
    let hz = |n: usize| [200.0, 300.0, 400.0][n / 2];
    const PEAK: f64 = 5_000.0;
    for seed in 1..=3 {
        let mut dice = Dice(seed);
        let mut room = Room::new();
        let rates = [NARROW, WIDE];
        let bridges = [0, 1].map(|n| room.add_bridge(n as u32, rates[n]));
        let mut phones: Vec<_> = (0..50).map(|slot| room.add_phone(slot, Codec::PCMU)).collect();
        for (n, phone) in phones[..STAY].iter().enumerate() {
            room.join(phone.id, bridges[n % 2], rates[n % 2]);
        }
        let mut tones: Vec<_> = (0..STAY).map(|n| Tone::new(hz(n), PEAK)).collect();
        for tick in 0..400 {
            for _ in 0..if tick < 20 { 0 } else { 10 } {
                let slot = STAY + dice.throw(50 - STAY as u64) as usize;
                let (phone, to) = (&mut phones[slot], dice.throw(2) as usize);
                match dice.throw(6) {
                    0 => room.order(Order::Leave(phone.id)),
                    1 => {
                        room.order(Order::RemoveLeg(phone.id));
                        *phone = room.add_phone(slot as u32, Codec::PCMU);
                    }
                    _ => room.join(phone.id, bridges[to], rates[to]),
                }
            }
            room.wire.retired.clear();
            for (n, phone) in phones.iter_mut().enumerate() {
                let said = tones.get_mut(n).map_or(SILENCE, Tone::tick);
                phone.say(&said, &mut room);
            }
            room.tick(&mut phones);
        }
        for (n, phone) in phones[..STAY].iter().enumerate() {
            let heard = &phone.heard[20 * 160..];
            let mates: Vec<_> = (n % 2..STAY).step_by(2).filter(|mate| *mate != n).collect();
            for (tick, frame) in heard.chunks(160).enumerate() {
                for &mate in &mates {
                    let level = db(peak_of(frame, hz(mate), NARROW), PEAK);
                    let what = format!("seed {seed}, tick {}, {n} hears {mate}", tick + 20);
                    assert!(level.abs() < 0.5, "{what} at {level:.2} dB");
                }
            }
            // The steepest that these tones can be together, and what two codings add: half a
            // step of µ-law each, which is 512 at the most up to a peak of 16,000.
            let slope = |mate: &usize| PEAK * std::f64::consts::TAU * hz(*mate) / 8_000.0;
            let steepest = mates.iter().map(slope).sum::<f64>() + 2.0 * 512.0;
            let step = heard.windows(2).map(|w| (f64::from(w[1]) - f64::from(w[0])).abs());
            let largest = step.fold(0.0, f64::max);
            assert!(largest <= steepest, "seed {seed}: {n} hears a click of {largest}");
        }
    }
}

#[test]
fn orders_that_cannot_be_carried_out_come_back_with_their_objects() {
    let mut room = Room::new();
    let bridge = room.add_bridge(0, NARROW);
    let phone = room.add_phone(0, Codec::PCMU);
    let second = room.add_phone(1, Codec::PCMU);
    let (no_leg, no_bridge) = (LegId::new(0, 999), BridgeId::new(0, 999));
    let refused = |room: &mut Room, order: Order| {
        room.order(order);
        let object = room.wire.retired.pop();
        assert!(room.wire.retired.is_empty());
        match object {
            Some(Retired::Refused(order)) => Some(order),
            None => None,
            Some(_) => panic!("an object came back, but not as refused"),
        }
    };
    let room = &mut room;
    let back = refused(room, Order::AddLeg(second.leg(&room.topic.clone())));
    assert!(matches!(back, Some(Order::AddLeg(leg)) if leg.id() == second.id), "slot is taken");
    let beyond = Phone::new(LegId::new(64, 5), Codec::PCMU);
    let back = refused(room, Order::AddLeg(beyond.leg(&room.topic.clone())));
    assert!(matches!(back, Some(Order::AddLeg(leg)) if leg.id() == beyond.id), "no such slot");
    let again = Bridge::new(bridge, NARROW, room.topic.clone()).with_seats(1);
    let back = refused(room, Order::AddBridge(Box::new(again)));
    assert!(matches!(back, Some(Order::AddBridge(again)) if again.id() == bridge));

    let back = refused(room, join(no_leg, NARROW, bridge, NARROW));
    assert!(matches!(back, Some(Order::Join { leg, .. }) if leg == no_leg));
    let back = refused(room, join(phone.id, NARROW, no_bridge, NARROW));
    assert!(matches!(back, Some(Order::Join { bridge, .. }) if bridge == no_bridge));
    let back = refused(room, join(phone.id, NARROW, bridge, WIDE));
    assert!(matches!(back, Some(Order::Join { rates, .. }) if rates.bridge() == WIDE));

    let small = BridgeId::new(1, room.serial());
    let topic = room.topic.clone();
    assert!(
        refused(room, Order::AddBridge(Box::new(Bridge::new(small, NARROW, topic).with_seats(1))))
            .is_none()
    );
    assert!(refused(room, join(phone.id, NARROW, small, NARROW)).is_none());
    let back = refused(room, join(second.id, NARROW, small, NARROW));
    assert!(matches!(back, Some(Order::Join { leg, .. }) if leg == second.id), "it is full");

    let back = refused(room, Order::Play(bridge.into(), playback(3, WIDE, 10, Repeat::Once)));
    assert!(matches!(back, Some(Order::Play(_, playback)) if playback.id().serial() == 3));
    let back = refused(room, Order::Play(no_bridge.into(), playback(4, NARROW, 10, Repeat::Once)));
    assert!(matches!(back, Some(Order::Play(_, playback)) if playback.id().serial() == 4));
    let (tap, mut samples) = Tap::new(NARROW, 1);
    let back = refused(room, Order::TapBridge(no_bridge, Box::new(tap)));
    assert!(matches!(back, Some(Order::TapBridge(id, _)) if id == no_bridge));
    drop(back);
    assert_eq!((read_all(&mut samples), samples.end()), (vec![], Some(TapEnd::Refused)));

    // Orders without an object leave nothing to give back.
    for order in [
        Order::RemoveLeg(no_leg),
        Order::RemoveBridge(no_bridge),
        Order::Leave(no_leg),
        mute(no_leg, true),
        Order::Press(no_leg, digit('1'), Duration::from_millis(100)),
        Order::StopPlaying(no_bridge.into()),
    ] {
        assert!(refused(room, order).is_none());
    }
}

#[test]
fn a_leg_joins_the_full_bridge_that_it_is_in_once_more() {
    let mut room = Room::new();
    let bridge = BridgeId::new(0, room.serial());
    let small = Bridge::new(bridge, NARROW, room.topic.clone()).with_seats(1);
    room.order(Order::AddBridge(Box::new(small)));
    let phone = room.add_phone(0, Codec::PCMU);
    room.join(phone.id, bridge, NARROW);
    room.join(phone.id, bridge, NARROW);
    assert!(matches!(room.wire.retired.pop(), Some(Retired::Rates(_))), "the first ones");
}

#[test]
fn who_speaks_pcma_is_answered_in_pcma_and_who_changes_is_followed() {
    let mut room = Room::new();
    let bridge = room.add_bridge(0, NARROW);
    let mut phones = [room.add_phone(0, Codec::PCMA), room.add_phone(1, Codec::PCMU)];
    phones.iter().for_each(|phone| room.join(phone.id, bridge, NARROW));
    let mut tones = [Tone::new(TONES[0], PEAK), Tone::new(TONES[1], PEAK)];
    talk(&mut room, &mut phones, &mut tones, 100);
    assert_eq!(phones.each_ref().map(|phone| phone.payload_type), [Some(8), Some(0)]);
    for (phone, other) in phones.iter().zip([1, 0]) {
        assert_hears(phone.last_second(), NARROW, &[TONES[other]], TONES[1 - other]);
    }
    phones[0].sender.set_codec(Codec::PCMU);
    talk(&mut room, &mut phones, &mut tones, 100);
    assert_eq!(phones.each_ref().map(|phone| phone.payload_type), [Some(0), Some(0)]);
}

#[test]
fn digits_sung_over_a_line_with_loss_and_jitter_come_out_once_each_in_order() {
    for seed in 1..=20 {
        let mut dice = Dice(seed);
        let mut room = Room::new();
        let mut events = room.topic.subscribe().capacity(1 << 10).pull().unwrap();
        let bridge = room.add_bridge(0, WIDE);
        let mut phone = room.add_phone(0, Codec::PCMU);
        room.join(phone.id, bridge, WIDE);
        let (id, from, start) = (phone.id, phone.address, room.now);
        // What is on its way: when it comes, and the packet.
        let mut way: Vec<(Stamp, Vec<u8>)> = Vec::new();
        let mut singer: Option<ToneGenerator> = None;
        for tick in 0..150u32 {
            // A second of silence; then 120 ms of each digit and 120 ms of pause.
            if let Some(at) = tick.checked_sub(50)
                && let (0, Some(digit)) = (at % 12, "456".chars().nth(at as usize / 12))
            {
                singer = Some(ToneGenerator::new(self::digit(digit), NARROW, 120));
            }
            let mut said: Tick = SILENCE;
            if let Some(singer) = &mut singer {
                singer.fill(&mut said);
            }
            let sent = start + PERIOD * tick;
            phone.sender.tick(&said, |packet| {
                if dice.throw(100) >= 2 {
                    let late = Duration::from_micros(dice.throw(20_001));
                    way.push((sent + late, packet.to_vec()));
                }
            });
            way.sort_by_key(|(arrival, _)| *arrival);
            let come = way.iter().take_while(|(arrival, _)| *arrival <= room.now).count();
            for (arrival, packet) in way.drain(..come) {
                room.engine.receive(id, &packet, from, arrival, &mut room.publisher);
            }
            room.tick([&mut phone]);
        }
        let heard = texts(&mut events);
        let digits: Vec<_> = heard.iter().filter(|t| t.contains("pressed")).collect();
        let expected = ["4", "5", "6"].map(|digit| format!("leg-2 pressed {digit} sung"));
        assert_eq!(digits, expected.each_ref(), "seed {seed}");
        assert_eq!(heard.iter().filter(|t| t.contains("begins")).count(), 3, "seed {seed}");
    }
}

#[test]
fn an_hour_with_clocks_that_drift_ends_with_full_sound_and_short_buffers() {
    const TICKS: u64 = 3_600 * 50;
    /// How fast each phone's clock is, in parts per million.
    const DRIFT: [i64; 3] = [100, 0, -100];
    let mut room = Room::new();
    let mut events = room.topic.subscribe().accept::<RtpReceived>().pull().unwrap();
    let bridge = room.add_bridge(0, NARROW);
    let mut phones = [0, 1, 2].map(|slot| room.add_phone(slot, Codec::PCMU));
    phones.iter().for_each(|phone| room.join(phone.id, bridge, NARROW));
    let mut tones = TONES.map(|hz| Tone::new(hz, 2_000.0));
    let frames = tones.each_mut().map(|tone| tone.tick());
    let (start, mut said, mut deepest) = (room.now, [0i64; 3], 0f32);
    let mut last = [None; 3];
    for _ in 0..TICKS {
        let since = room.now.since(start).as_nanos() as i64;
        for (n, phone) in phones.iter_mut().enumerate() {
            // As many ticks as its own clock has seen.
            while said[n] * 20_000_000 <= since + since / 1_000_000 * DRIFT[n] {
                phone.say(&frames[n], &mut room);
                said[n] += 1;
            }
        }
        room.tick(&mut []);
        while let Ok(delivery) = events.try_recv() {
            if let Some(report) = delivery.downcast_ref::<RtpReceived>() {
                deepest = deepest.max(report.stats.depth_ms);
                last[report.leg.serial() as usize - 2] = Some(report.stats);
            }
        }
    }
    assert!(said[0] - said[2] > 30, "the clocks have drifted apart: {said:?}");
    assert!(deepest <= 120.0, "a buffer of {deepest} ms");
    for stats in last.map(Option::unwrap) {
        assert!(stats.packets > TICKS - 300 && stats.lost == 0, "{stats:?}");
        assert!(stats.late < 100 && stats.concealed < 200, "{stats:?}");
        assert!((20.0..=100.0).contains(&stats.depth_ms), "{stats:?}");
    }
}

/// Phones of many codecs, each with another rate or clock.
fn mixed_phones(room: &mut Room) -> Vec<Phone> {
    let mut codecs = vec![Codec::PCMU, Codec::G722, Codec::PCMA];
    codecs.extend(SampleRate::ALL.into_iter().filter_map(|rate| Codec::L16.at(rate)));
    codecs.extend(Codec::all().filter(|codec| codec.name() == "opus"));
    let phone = |(slot, codec): (usize, Codec)| {
        let payloads = Payloads::of(&[codec]).expect("there is room for one");
        room.add_phone_with(slot as u32, payloads)
    };
    codecs.into_iter().enumerate().map(phone).collect()
}

#[test]
fn phones_of_all_codecs_and_rates_hear_each_other_and_not_themselves() {
    // Whole turns in a second, and none is a harmonic of another.
    const HZ: [f64; 12] = [
        211.0, 307.0, 397.0, 503.0, 601.0, 701.0, 809.0, 907.0, 1_009.0, 1_103.0, 1_201.0, 1_301.0,
    ];
    const PEAK: f64 = 2_000.0;
    for rate in [NARROW, SampleRate::Hz32000, WIDE] {
        let mut room = Room::new();
        let bridge = room.add_bridge(0, rate);
        let mut phones = mixed_phones(&mut room);
        for phone in &phones {
            room.order(join(phone.id, phone.rate(), bridge, rate));
        }
        let mut tones: Vec<_> = HZ.iter().map(|&hz| Tone::new(hz, PEAK)).collect();
        // Who speaks takes turns, three at a time: Opus is no codec for eight tones at once.
        let all: Vec<usize> = (0..phones.len()).collect();
        for talking in all.chunks(3) {
            for _ in 0..100 {
                for (n, (phone, tone)) in phones.iter_mut().zip(&mut tones).enumerate() {
                    let mut said = Frame::silence(phone.rate());
                    if talking.contains(&n) {
                        tone.fill(said.samples_mut(), phone.rate());
                    }
                    phone.say(said.samples(), &mut room);
                }
                room.tick(&mut phones);
            }
            for (own, phone) in phones.iter().enumerate() {
                for &n in talking {
                    let level = db(peak_of(phone.last_second(), HZ[n], phone.rate()), PEAK);
                    let codecs = [phone, &phones[n]].map(|phone| phone.sender.codec().unwrap());
                    if n == own {
                        assert!(level < -35.0, "{codecs:?} hears itself at {level:.1} dB");
                    } else {
                        assert!(level.abs() < 3.0, "{codecs:?} at {rate}: {level:.1} dB");
                    }
                }
            }
        }
    }
}

#[test]
fn a_wideband_phone_is_answered_in_what_it_speaks_and_its_digits_are_heard() {
    let payloads = Payloads::of(&[Codec::G722, Codec::PCMU]).unwrap();
    let mut room = Room::new();
    let mut events = room.topic.subscribe().capacity(1 << 10).pull().unwrap();
    let bridge = room.add_bridge(0, WIDE);
    let mut phones = [room.add_phone_with(0, payloads), room.add_phone(1, Codec::PCMU)];
    room.order(join(phones[0].id, SampleRate::Hz16000, bridge, WIDE));
    room.join(phones[1].id, bridge, WIDE);
    let mut tones = [Tone::new(TONES[0], PEAK), Tone::new(TONES[1], PEAK)];
    let mut talk = |room: &mut Room, phones: &mut [Phone; 2], ticks: usize| {
        for _ in 0..ticks {
            for (phone, tone) in phones.iter_mut().zip(&mut tones) {
                let mut said = Frame::silence(phone.rate());
                tone.fill(said.samples_mut(), phone.rate());
                phone.say(said.samples(), room);
            }
            room.tick(&mut *phones);
        }
    };
    talk(&mut room, &mut phones, 100);
    assert_eq!(phones[0].payload_type, Some(9));
    assert_hears(phones[0].last_second(), SampleRate::Hz16000, &[TONES[1]], TONES[0]);
    assert_hears(phones[1].last_second(), NARROW, &[TONES[0]], TONES[1]);
    // The same call, in PCMU: the leg stays at 16 kHz.
    phones[0].sender.set_codec(Codec::PCMU);
    talk(&mut room, &mut phones, 100);
    assert_eq!(phones[0].payload_type, Some(0));
    assert_hears(phones[0].last_second(), SampleRate::Hz16000, &[TONES[1]], TONES[0]);
    assert_hears(phones[1].last_second(), NARROW, &[TONES[0]], TONES[1]);
    // Digits in the audio of both.
    texts(&mut events);
    for codec in [Codec::G722, Codec::PCMU] {
        phones[0].sender.set_codec(codec);
        let mut singer = ToneGenerator::new(digit('5'), SampleRate::Hz16000, 100);
        for _ in 0..20 {
            let mut said = Frame::silence(SampleRate::Hz16000);
            singer.fill(said.samples_mut());
            phones[0].say(said.samples(), &mut room);
            phones[1].say(&SILENCE, &mut room);
            room.tick(&mut phones);
        }
        let heard = texts(&mut events);
        let pressed = heard.iter().filter(|text| text.contains("pressed 5"));
        assert_eq!(pressed.count(), 1, "{codec}: {heard:?}");
    }
}
