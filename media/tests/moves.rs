//! Bridges and legs that go from one engine to another, by hand and from thread to thread.

mod common {
    pub mod room;
}

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::thread::sleep;
use std::time::Duration;

use common::room::{Dice, Phone, Room, SILENCE, Tone, join};
use stasis_bus::{Bus, Settings, Topic};
use stasis_media::LegId;
use stasis_media::bridge::{RateChange, Tap};
use stasis_media::codec::Codec;
use stasis_media::engine::{Engine, Order};
use stasis_media::event::{Joined, Left, Moved, Muted};
use stasis_media::frame::SampleRate;
use stasis_media::io::{BridgeSettings, ControlError, Media, MediaSettings, RtpLeg};
use stasis_media::leg::Direction;
use stasis_media::rtp::{Packet, Payloads};
use stasis_media::schedule::PERIOD;
use stasis_media::sound::Playback;
use stasis_media::wav::{Pcm, Player, Repeat};
use stasis_media::{BridgeId, PlaybackId};

const NARROW: SampleRate = SampleRate::Hz8000;
const WIDE: SampleRate = SampleRate::Hz16000;
const TICKS: u32 = 120;

/// How a conference is passed on between two engines.
#[derive(Clone, Copy, PartialEq)]
enum Passed {
    Never,
    EveryTick,
    /// Now and then, and it comes a tick too late, which is run for it alone.
    Late,
}

/// What the phones of a lively conference are sent, and what is recorded.
fn conference(passed: Passed) -> (Vec<(LegId, Vec<u8>)>, Vec<i16>) {
    let mut room = Room::new();
    let mut other = Engine::new(16, 8);
    let bridge = room.add_bridge(3, NARROW);
    let codecs = [Codec::PCMU, Codec::PCMA, Codec::PCMU, Codec::PCMU];
    let mut phones: Vec<_> = codecs
        .into_iter()
        .zip([5, 2, 7, 0])
        .map(|(codec, slot)| room.add_phone(slot, codec))
        .collect();
    let mut tones = [440.0, 1_000.0, 0.0, 1_500.0].map(|hz| Tone::new(hz, 5_000.0));
    phones.iter().for_each(|phone| room.join(phone.id, bridge, NARROW));
    let (tap, mut samples) = Tap::at(NARROW, 10, NARROW);
    room.order(Order::TapBridge(bridge, Box::new(tap)));
    let mut sent = Vec::new();
    for tick in 0..TICKS {
        match tick {
            20 => {
                let sound = Pcm::new(NARROW, (0..4_000).map(|n| n as i16).collect::<Vec<_>>());
                let player = Player::new(sound, Repeat::Once);
                let playback = Playback::new(PlaybackId::new(0, 90), player);
                room.order(Order::Play(bridge.into(), Box::new(playback)));
            }
            40 => {
                let legs = phones.iter().map(|phone| (phone.id, NARROW));
                let change = RateChange::new(WIDE, legs).with_tap(NARROW);
                room.order(Order::ChangeRate(bridge, Box::new(change)));
            }
            70 => room.order(Order::Leave(phones[3].id)),
            90 => room.order(join(phones[3].id, NARROW, bridge, WIDE)),
            _ => {}
        }
        let alone = (70..90).contains(&tick);
        for (phone, tone) in phones.iter_mut().zip(&mut tones) {
            let pcm = if phone.id.serial() == 4 { SILENCE } else { tone.tick() };
            phone.say(&pcm, &mut room);
        }
        room.engine.tick(room.now, &mut room.publisher, &mut room.wire);
        let passes = match passed {
            Passed::Never => false,
            Passed::EveryTick => true,
            Passed::Late => tick % 13 == 5,
        };
        if passes {
            let mut legs = Vec::with_capacity(4);
            let taken = room.engine.take_bridge(bridge, &mut legs).expect("it is there");
            legs.extend(phones.iter().filter_map(|phone| room.engine.take_leg(phone.id)));
            assert_eq!(legs.len(), 4, "a leg that is in no bridge goes by itself");
            legs.into_iter().for_each(|leg| assert!(other.put_leg(leg).is_ok()));
            if passed == Passed::Late {
                room.now = room.now + PERIOD;
                for (phone, tone) in phones.iter_mut().zip(&mut tones) {
                    let pcm = if phone.id.serial() == 4 { SILENCE } else { tone.tick() };
                    let (id, from, now) = (phone.id, phone.address, room.now);
                    let (other, publisher) = (&mut other, &mut room.publisher);
                    phone
                        .sender
                        .tick(&pcm, |packet| other.receive(id, packet, from, now, publisher));
                }
            }
            assert!(other.put_bridge(taken).is_ok());
            if passed == Passed::Late {
                other.catch_up(bridge, room.now, &mut room.publisher, &mut room.wire);
                if alone {
                    let (now, id) = (room.now, phones[3].id);
                    other.catch_up_leg(id, now, &mut room.publisher, &mut room.wire);
                }
            }
            std::mem::swap(&mut room.engine, &mut other);
        }
        sent.extend(room.wire.sent.drain(..).map(|sent| (sent.leg, sent.bytes().to_vec())));
        room.now = room.now + PERIOD;
    }
    let mut recorded = vec![0; 100_000];
    let read = samples.read(&mut recorded);
    recorded.truncate(read);
    (sent, recorded)
}

/// What each leg was sent, in order.
fn by_leg(sent: Vec<(LegId, Vec<u8>)>) -> HashMap<LegId, Vec<Vec<u8>>> {
    let mut legs: HashMap<_, Vec<_>> = HashMap::new();
    sent.into_iter().for_each(|(leg, bytes)| legs.entry(leg).or_default().push(bytes));
    legs
}

#[test]
fn a_bridge_that_is_passed_on_after_each_tick_sounds_as_one_that_stays() {
    let (stays, moves) = (conference(Passed::Never), conference(Passed::EveryTick));
    assert!(stays.1 == moves.1, "what is recorded");
    assert!(by_leg(stays.0) == by_leg(moves.0), "what everybody is sent");
}

#[test]
fn who_comes_too_late_for_a_tick_has_it_alone() {
    let (sent, recorded) = conference(Passed::Late);
    // Ten ticks more than there are turns of the loop: those that were passed on in between.
    let late = (0..TICKS).filter(|tick| tick % 13 == 5).count() as u32;
    assert_eq!(recorded.len() as u32, (TICKS + late) * 160);
    for (leg, packets) in by_leg(sent) {
        let numbers = packets.iter().map(|packet| Packet::parse(packet).unwrap().header);
        let gaps = numbers.clone().zip(numbers.clone().skip(1)).filter(|(before, after)| {
            after.timestamp != before.timestamp.wrapping_add(160) || after.seq != before.seq.next()
        });
        assert_eq!(gaps.count(), 0, "{leg} is sent one packet a tick, also in those");
        assert!(numbers.count() as u32 > TICKS + late - 5);
    }
}

#[test]
fn what_has_no_room_or_is_not_there_is_not_taken() {
    let mut room = Room::new();
    let bridge = room.add_bridge(0, NARROW);
    let phones: [Phone; 2] = [0, 1].map(|slot| room.add_phone(slot, Codec::PCMU));
    phones.iter().for_each(|phone| room.join(phone.id, bridge, NARROW));
    assert!(room.engine.take_bridge(bridge, &mut Vec::with_capacity(1)).is_none());
    assert!(room.engine.take_bridge(BridgeId::new(0, 77), &mut Vec::with_capacity(9)).is_none());
    assert!(room.engine.take_leg(phones[0].id).is_none(), "it is in a bridge");
    let (taken, mut legs) = (Order::Leave(phones[0].id), Vec::with_capacity(2));
    room.order(taken);
    assert!(room.engine.take_bridge(bridge, &mut legs).is_some());
    assert_eq!(legs.len(), 1);
    let mut small = Engine::new(1, 1);
    assert!(small.put_leg(legs.pop().unwrap()).is_err(), "slot 1 does not exist there");
}

/// A leg on a running system, in no bridge, and the socket of its party.
fn party(media: &Media, topic: &Topic, codec: Codec) -> (LegId, UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let (local, remote) = ("127.0.0.1:0".parse().unwrap(), socket.local_addr().unwrap());
    let leg = RtpLeg::external(local, remote, Payloads::of(&[codec]).unwrap(), 7);
    let (id, address) = media.add_rtp_leg(leg, topic).unwrap();
    (id, socket, address)
}

/// Gives an order until there is room for it.
fn insist(mut order: impl FnMut() -> Result<(), ControlError>) {
    for _ in 0..500 {
        match order() {
            Err(ControlError::Busy) => sleep(Duration::from_millis(5)),
            outcome => return outcome.expect("only room may be missing"),
        }
    }
    panic!("busy for ever");
}

#[test]
fn legs_that_jump_between_threads_are_sent_every_tick_and_obey_every_order() {
    const LEGS: usize = 12;
    let bus = Bus::new(Settings::default()).unwrap();
    let topic = bus.topic("t");
    let mut events = topic
        .subscribe()
        .capacity(1 << 16)
        .accept::<Joined>()
        .accept::<Left>()
        .accept::<Moved>()
        .accept::<Muted>()
        .pull()
        .unwrap();
    let settings = MediaSettings { threads: 3, legs: LEGS, bridges: 6, ..Default::default() };
    let media = Media::start(&bus, settings).unwrap();
    let bridges: Vec<_> =
        (0..6).map(|_| media.add_bridge(BridgeSettings::default(), &topic).unwrap()).collect();
    let threads: Vec<_> = bridges.iter().map(|bridge| media.thread_of(*bridge).unwrap()).collect();
    assert_eq!(threads, [0, 1, 2, 0, 1, 2], "they are spread");
    let parties: Vec<_> = (0..LEGS).map(|_| party(&media, &topic, Codec::PCMU)).collect();
    let mut dice = Dice(4);
    let mut at = [None; LEGS];
    let (mut joins, mut mutes) = (0, 0);
    for round in 0..40 {
        for (place, (leg, ..)) in at.iter_mut().zip(&parties) {
            let bridge = bridges[dice.throw(6) as usize];
            if *place == Some(bridge) {
                continue;
            }
            insist(|| media.join(*leg, bridge));
            *place = Some(bridge);
            joins += 1;
            // At once, while it may be on its way.
            insist(|| media.mute(*leg, Direction::In, true));
            insist(|| media.mute(*leg, Direction::In, false));
            mutes += 2;
        }
        let bridge = bridges[dice.throw(6) as usize];
        let to = dice.throw(3) as usize;
        insist(|| media.move_bridge(bridge, to));
        if round % 4 == 0 {
            sleep(Duration::from_millis(30));
        }
    }
    assert!(matches!(media.move_bridge(bridges[0], 3), Err(ControlError::NoThread(3))));
    let (mut joined, mut left, mut muted) = (0, 0, 0);
    let mut seen = HashMap::new();
    while (joined, left, muted) != (joins, joins - LEGS, mutes) {
        let Ok(delivery) = events.recv_timeout(Duration::from_secs(10)) else { break };
        if let Some(event) = delivery.downcast_ref::<Joined>() {
            joined += 1;
            assert!(seen.insert(event.leg, event.bridge).is_none(), "it has left before");
        } else if let Some(event) = delivery.downcast_ref::<Left>() {
            left += 1;
            assert_eq!(seen.remove(&event.leg), Some(event.bridge));
        } else if delivery.downcast_ref::<Muted>().is_some() {
            muted += 1;
        }
    }
    assert_eq!((joined, left, muted), (joins, joins - LEGS, mutes), "nothing is lost on the way");
    for ((leg, ..), bridge) in parties.iter().zip(at) {
        assert_eq!(seen.get(leg), bridge.as_ref());
    }
    // Each has been sent a packet a tick, with no number left out, wherever it was.
    let mut fewest = usize::MAX;
    for (_, socket, _) in &parties {
        let (mut buffer, mut packets, mut before) = ([0; 1_500], 0, None);
        while let Ok(len) = socket.recv(&mut buffer) {
            let header = Packet::parse(&buffer[..len]).unwrap().header;
            let follows = before.is_none_or(|before: u16| before.wrapping_add(1) == header.seq.0);
            assert!(follows, "{before:?} is followed by {:?}", header.seq);
            (before, packets) = (Some(header.seq.0), packets + 1);
        }
        fewest = fewest.min(packets);
    }
    assert!(fewest >= 15, "{fewest}");
    media.clear();
    assert_eq!(media.reap(), 0, "nothing stays over there");
}

#[test]
fn bridges_find_their_rates_however_legs_jump_between_threads() {
    let bus = Bus::new(Settings::default()).unwrap();
    let topic = bus.topic("t");
    let mut events =
        topic.subscribe().capacity(1 << 16).accept::<Joined>().accept::<Left>().pull().unwrap();
    let settings = MediaSettings { threads: 2, legs: 8, bridges: 3, ..Default::default() };
    let media = Media::start(&bus, settings).unwrap();
    let bridges: Vec<_> =
        (0..3).map(|_| media.add_bridge(BridgeSettings::default(), &topic).unwrap()).collect();
    let codecs = [Codec::PCMU, Codec::G722, Codec::L16.at(SampleRate::Hz48000).unwrap()];
    let parties: Vec<_> =
        (0..8).map(|n| (party(&media, &topic, codecs[n % 3]).0, codecs[n % 3].rate())).collect();
    let mut dice = Dice(9);
    let mut at = HashMap::new();
    for _ in 0..60 {
        for (leg, _) in &parties {
            let bridge = bridges[dice.throw(3) as usize];
            insist(|| media.join(*leg, bridge));
            at.insert(*leg, bridge);
        }
        sleep(Duration::from_millis(dice.throw(30)));
    }
    let mut seen = HashMap::new();
    for _ in 0..1_000 {
        while let Ok(delivery) = events.try_recv() {
            if let Some(event) = delivery.downcast_ref::<Joined>() {
                assert!(seen.insert(event.leg, event.bridge).is_none(), "it has left before");
            } else if let Some(event) = delivery.downcast_ref::<Left>() {
                assert_eq!(seen.remove(&event.leg), Some(event.bridge));
            }
        }
        if seen == at {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    assert_eq!(seen, at, "all are where they were last told to be");
    for bridge in bridges {
        let inside = parties.iter().filter(|(leg, _)| at[leg] == bridge);
        if let Some(highest) = inside.map(|(_, rate)| *rate).max() {
            assert_eq!(media.bridge_rate(bridge).unwrap(), highest);
        }
    }
    media.clear();
    assert_eq!(media.reap(), 0, "nothing stays over there");
}
