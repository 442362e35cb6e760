//! Taps of legs, in virtual time: which way each hears, how many there may be, and how they end.

mod common {
    pub mod room;
}

use common::room::{Phone, Room, SILENCE, Tone, db, peak_of, read_all};
use stasis_media::bridge::{MOST_TAPS, Tap, TapDirection, TapEnd, TapReader};
use stasis_media::codec::Codec;
use stasis_media::engine::{Order, Retired};
use stasis_media::frame::SampleRate;
use stasis_media::leg::{Direction, LegSetting};
use stasis_media::{BridgeId, LegId};

const NARROW: SampleRate = SampleRate::Hz8000;
const PEAK: f64 = 6_000.0;
const HZ: [f64; 3] = [300.0, 500.0, 700.0];

/// Three phones in a bridge.
fn meeting() -> (Room, BridgeId, Vec<Phone>) {
    let mut room = Room::new();
    let bridge = room.add_bridge(0, NARROW);
    let phones: Vec<_> = (0..3).map(|slot| room.add_phone(slot, Codec::PCMU)).collect();
    phones.iter().for_each(|phone| room.join(phone.id, bridge, NARROW));
    (room, bridge, phones)
}

fn tap_leg(room: &mut Room, leg: LegId, direction: TapDirection, rate: SampleRate) -> TapReader {
    let (tap, reader) = Tap::at(rate, 20, NARROW);
    room.order(Order::TapLeg(leg, direction, Box::new(tap)));
    reader
}

/// All say their tones; a phone that is not among `speak` says nothing.
fn talk(room: &mut Room, phones: &mut [Phone], tones: &mut [Tone], speak: [bool; 3], ticks: usize) {
    for _ in 0..ticks {
        for ((phone, tone), speaks) in phones.iter_mut().zip(&mut *tones).zip(speak) {
            let said = tone.tick();
            phone.say(if speaks { &said } else { &SILENCE }, room);
        }
        room.tick(&mut *phones);
    }
}

/// Which of the tones are in the last half second.
fn heard(reader: &mut TapReader, rate: SampleRate) -> [bool; 3] {
    let all = read_all(reader);
    let last = &all[all.len() - rate.hz() as usize / 2..];
    HZ.map(|hz| {
        let level = db(peak_of(last, hz, rate), PEAK);
        assert!(level.abs() < 1.0 || level < -35.0, "{hz} Hz at {level:.1} dB");
        level > -1.0
    })
}

#[test]
fn each_tap_of_a_leg_hears_its_own_way_at_its_own_rate() {
    let (mut room, _, mut phones) = meeting();
    let mut tones = HZ.map(|hz| Tone::new(hz, PEAK));
    let leg = phones[0].id;
    let ways = [TapDirection::In, TapDirection::Voice, TapDirection::Out, TapDirection::Both];
    let rates = [NARROW, SampleRate::Hz48000, SampleRate::Hz16000, SampleRate::Hz24000];
    let mut taps: Vec<_> =
        ways.iter().zip(rates).map(|(way, rate)| tap_leg(&mut room, leg, *way, rate)).collect();
    let mut all = |room: &mut Room, phones: &mut Vec<Phone>, speak| {
        talk(room, phones, &mut tones, speak, 60);
        let [a, b, c, d] = &mut taps[..] else { unreachable!("four") };
        [a, b, c, d].into_iter().zip(rates).map(|(tap, rate)| heard(tap, rate)).collect::<Vec<_>>()
    };
    let own = [true, false, false];
    let others = [false, true, true];
    assert_eq!(all(&mut room, &mut phones, [true; 3]), [own, own, others, [true; 3]]);
    // Muted, it is still heard at its edge, and sits among those who are sent the same: but for the
    // tap, which is to hear what it hears.
    room.set(leg, LegSetting::Mute(Direction::In, true));
    room.set(phones[1].id, LegSetting::Mute(Direction::In, true));
    let third = [false, false, true];
    let muted = all(&mut room, &mut phones, [true; 3]);
    assert_eq!(muted, [own, [false; 3], third, [true, false, true]]);
    // Deaf, it hears nothing.
    room.set(leg, LegSetting::Mute(Direction::Out, true));
    assert_eq!(all(&mut room, &mut phones, [true; 3])[2], [false; 3]);
    room.set(leg, LegSetting::Mute(Direction::Out, false));
    // In no bridge it says what it says.
    room.order(Order::Leave(leg));
    let alone = all(&mut room, &mut phones, [true; 3]);
    assert_eq!(alone, [own, [false; 3], [false; 3], own]);
    assert!(!room.wire.retired.iter().any(|object| matches!(object, Retired::Refused(_))));
    assert!(taps.iter().all(|tap| (tap.lost(), tap.end()) == (0, None)));
}

#[test]
fn a_leg_and_a_bridge_take_four_taps_and_hand_the_fifth_back() {
    let (mut room, bridge, mut phones) = meeting();
    let leg = phones[0].id;
    let mut of_leg: Vec<_> =
        (0..=MOST_TAPS).map(|_| tap_leg(&mut room, leg, TapDirection::In, NARROW)).collect();
    assert!(matches!(
        room.wire.retired.pop(),
        Some(Retired::Refused(Order::TapLeg(id, TapDirection::In, _))) if id == leg
    ));
    let mut of_bridge = Vec::new();
    for _ in 0..=MOST_TAPS {
        let (tap, reader) = Tap::new(NARROW, 1);
        room.order(Order::TapBridge(bridge, Box::new(tap)));
        of_bridge.push(reader);
    }
    assert!(matches!(
        room.wire.retired.pop(),
        Some(Retired::Refused(Order::TapBridge(id, _))) if id == bridge
    ));
    room.tick(&mut phones);
    for taps in [&mut of_leg, &mut of_bridge] {
        let refused = taps.pop().unwrap();
        assert_eq!(refused.end(), None, "its end is to be read");
        let mut refused = refused;
        assert_eq!((read_all(&mut refused), refused.end()), (vec![], Some(TapEnd::Refused)));
        assert!(taps.iter_mut().all(|tap| read_all(tap).len() == 160 && tap.end().is_none()));
    }
    // Room for one more as soon as nobody reads one.
    of_leg.pop();
    room.tick(&mut phones);
    assert!(matches!(room.wire.retired.pop(), Some(Retired::Tap(_))));
    of_leg.push(tap_leg(&mut room, leg, TapDirection::Out, NARROW));
    assert!(room.wire.retired.is_empty());
}

#[test]
fn a_tap_of_what_goes_away_ends_with_all_that_was_heard() {
    let (mut room, bridge, mut phones) = meeting();
    let mut of_leg = tap_leg(&mut room, phones[0].id, TapDirection::Both, NARROW);
    let (tap, mut of_bridge) = Tap::new(NARROW, 20);
    room.order(Order::TapBridge(bridge, Box::new(tap)));
    let (wrong, mut at_other_rate) = Tap::new(SampleRate::Hz16000, 1);
    room.order(Order::TapLeg(phones[0].id, TapDirection::In, Box::new(wrong)));
    for _ in 0..10 {
        room.tick(&mut phones);
    }
    room.order(Order::RemoveLeg(phones[0].id));
    room.order(Order::RemoveBridge(bridge));
    assert_eq!((read_all(&mut of_leg).len(), of_leg.end()), (1_600, Some(TapEnd::Gone)));
    assert_eq!((read_all(&mut of_bridge).len(), of_bridge.end()), (1_600, Some(TapEnd::Gone)));
    assert_eq!(
        (read_all(&mut at_other_rate), at_other_rate.end()),
        (vec![], Some(TapEnd::Refused))
    );
    let taps = room.wire.retired.iter().filter(|object| matches!(object, Retired::Tap(_)));
    assert_eq!(taps.count(), 2, "each comes back by itself");
}
