//! Keys that come as tones are kept from everybody who hears a leg: the others in its bridge, taps of
//! what it says, and itself by its echo; and what is said around them comes through as it is.

mod common {
    pub mod alloc;
    pub mod room;
}

use common::alloc::{NONE, counts_of};
use common::room::{Dice, Phone, Room, join, peak_of, read_all};
use stasis_media::bridge::{Tap, TapDirection};
use stasis_media::codec::Codec;
use stasis_media::dtmf::{Absorb, Dbm0, Digit, SQUELCH_DELAY, ToneGenerator};
use stasis_media::engine::Order;
use stasis_media::event::{DtmfReceived, PacketsPass};
use stasis_media::frame::SampleRate;
use stasis_media::leg::LegSetting;
use stasis_media::rtp::Payloads;

/// What is said, key by key: speech until the first, and so much after each.
const SPEECH_MS: usize = 600;
const QUIET_MS: usize = 20;
const KEY_MS: usize = 100;
const LEVEL: Dbm0 = Dbm0(-6.0);

/// Speech, and after each stretch of it a key, over the noise of a line; and where the keys begin.
fn speech(rate: SampleRate, keys: &[Digit]) -> (Vec<i16>, Vec<usize>) {
    let per_ms = rate.hz() as usize / 1_000;
    let (mut dice, mut said, mut places) = (Dice(3), Vec::new(), Vec::new());
    let mut hiss = |peak: u64| dice.throw(2 * peak + 1) as i16 - peak as i16;
    let mut speak = |said: &mut Vec<i16>| {
        for n in 0..SPEECH_MS * per_ms {
            let loud = if (n / (70 * per_ms)).is_multiple_of(2) { 3_000 } else { 20 };
            said.push(hiss(loud));
        }
        said.extend((0..QUIET_MS * per_ms).map(|_| hiss(20)));
    };
    for digit in keys {
        speak(&mut said);
        places.push(said.len());
        let mut key = vec![0; KEY_MS * per_ms];
        ToneGenerator::with_levels(*digit, rate, KEY_MS as u32, LEVEL, LEVEL).fill(&mut key);
        said.extend(key);
        said.extend(vec![0; QUIET_MS * per_ms]);
    }
    speak(&mut said);
    speak(&mut said);
    said.truncate(said.len() / (20 * per_ms) * 20 * per_ms);
    (said, places)
}

/// What was heard of one that says this: by the other in the bridge, by taps of what it says as it comes
/// and as the others hear it, and by itself. And the digits that were told of.
struct Heard {
    other: Vec<i16>,
    comes: Vec<i16>,
    voice: Vec<i16>,
    itself: Vec<i16>,
    digits: String,
}

fn run(rate: SampleRate, said: &[i16], absorb: Absorb) -> Heard {
    let mut room = Room::new();
    let mut events = room.topic.subscribe().accept::<DtmfReceived>().capacity(64).pull().unwrap();
    let bridge = room.add_bridge(0, rate);
    let payloads = Payloads::of(&[Codec::L16.at(rate).unwrap()]).unwrap();
    let mut phones: Vec<Phone> = (0..2).map(|slot| room.add_phone_with(slot, payloads)).collect();
    for phone in &phones {
        room.order(join(phone.id, rate, bridge, rate));
    }
    let leg = phones[0].id;
    room.set(leg, LegSetting::AbsorbDtmf(absorb));
    room.set(leg, LegSetting::Echo(true));
    let mut taps = [TapDirection::In, TapDirection::Voice].map(|direction| {
        let (tap, reader) = Tap::new(rate, 20);
        room.order(Order::TapLeg(leg, direction, Box::new(tap)));
        reader
    });
    let tick = rate.hz() as usize / 50;
    let silence = vec![0; tick];
    for said in said.chunks(tick) {
        phones[0].say(said, &mut room);
        phones[1].say(&silence, &mut room);
        room.tick(&mut phones);
    }
    let mut digits = String::new();
    while let Ok(delivery) = events.try_recv() {
        digits.extend(delivery.downcast_ref::<DtmfReceived>().map(|told| told.digit.as_char()));
    }
    let [comes, voice] = taps.each_mut().map(read_all);
    let mut heard = phones.iter().map(|phone| phone.heard.clone());
    let (itself, other) = (heard.next().unwrap(), heard.next().unwrap());
    Heard { other, comes, voice, itself, digits }
}

#[test]
fn nobody_hears_a_key_and_everybody_what_is_said_around_it_so_much_later() {
    let keys: Vec<_> = ['1', '5', '9', 'D', '0'].map(|c| Digit::from_char(c).unwrap()).into();
    for rate in [SampleRate::Hz8000, SampleRate::Hz48000] {
        let per_ms = rate.hz() as usize / 1_000;
        let (said, places) = speech(rate, &keys);
        let late = SQUELCH_DELAY.as_millis() as usize * per_ms;
        let (plain, whole) = (run(rate, &said, Absorb::Off), run(rate, &said, Absorb::Whole));
        assert_eq!((plain.digits.as_str(), whole.digits.as_str()), ("159D0", "159D0"));
        let both = [
            ("the other", &plain.other, &whole.other),
            ("a tap of what comes", &plain.comes, &whole.comes),
            ("a tap of the voice", &plain.voice, &whole.voice),
            ("itself", &plain.itself, &whole.itself),
        ];
        for (who, plain, whole) in both {
            // How late it is without.
            let sample = &said[200 * per_ms..260 * per_ms];
            let place = plain.windows(sample.len()).position(|heard| heard == sample);
            let shift = place.unwrap_or_else(|| panic!("{who} hears what is said")) - 200 * per_ms;
            let mut from = 100 * per_ms;
            for (place, digit) in places.iter().zip(&keys) {
                let (begins, ends) = (place + shift, place + shift + KEY_MS * per_ms);
                for hz in [digit.low_hz(), digit.high_hz()] {
                    let level = |heard: &[i16]| {
                        let peak = peak_of(heard, f64::from(hz), rate);
                        Dbm0::of_peak(peak as f32).0
                    };
                    assert!((level(&plain[begins..ends]) - LEVEL.0).abs() < 1.0);
                    let level = level(&whole[late + begins..late + ends]);
                    assert!(level < -60.0, "{who} hears {hz} Hz at {level:.1} dBm0 at {rate}");
                }
                let rim = 14 * per_ms;
                let (before, after) = (begins - rim, ends + rim);
                assert!(
                    whole[late + from..late + before] == plain[from..before],
                    "{who} hears something else before {digit} at {rate}"
                );
                let loudest = whole[late + before..late + after].iter().map(|s| s.unsigned_abs());
                assert!(loudest.max() < Some(300), "{who} at {digit} and {rate}");
                from = after;
            }
            let rest = plain.len() - late;
            assert!(whole[late + from..] == plain[from..rest], "{who} at {rate}, in the end");
        }
    }
}

#[test]
fn without_a_delay_what_is_left_of_a_key_is_taken_out() {
    let rate = SampleRate::Hz8000;
    let digit = Digit::from_char('7').unwrap();
    let (said, _) = speech(rate, &[digit]);
    let (plain, late) = (run(rate, &said, Absorb::Off), run(rate, &said, Absorb::Late));
    assert_eq!(late.digits, "7");
    let loud = |heard: &[i16]| heard.iter().filter(|s| s.unsigned_abs() > 4_000).count();
    let (of_all, left) = (loud(&plain.voice), loud(&late.voice));
    assert!(left * 2 < of_all && left * 8 > of_all, "{left} of {of_all}");
    let end = plain.voice.len();
    assert!(late.voice[end - 4_000..] == plain.voice[end - 4_000..], "nothing is later by it");
}

#[test]
fn packets_do_not_pass_while_keys_are_taken_out() {
    for absorb in [Absorb::Late, Absorb::Whole] {
        let mut room = Room::new();
        let mut events = room.topic.subscribe().accept::<PacketsPass>().pull().unwrap();
        let bridge = room.add_bridge(0, SampleRate::Hz8000);
        let mut phones: Vec<_> = (0..2).map(|slot| room.add_phone(slot, Codec::PCMU)).collect();
        phones.iter().for_each(|phone| room.join(phone.id, bridge, SampleRate::Hz8000));
        let mut told = Vec::new();
        for absorb in [Absorb::Off, absorb, Absorb::Off] {
            room.set(phones[1].id, LegSetting::AbsorbDtmf(absorb));
            for _ in 0..40 {
                phones.iter_mut().for_each(|phone| phone.say(&[1_000; 160], &mut room));
                room.tick(&mut phones);
            }
            while let Ok(delivery) = events.try_recv() {
                told.extend(delivery.downcast_ref::<PacketsPass>().map(|told| told.passing));
            }
        }
        assert_eq!(told, [true, false, true], "{absorb:?}");
    }
}

#[test]
fn taking_keys_out_neither_allocates_nor_frees() {
    let mut room = Room::new();
    let bridge = room.add_bridge(0, SampleRate::Hz8000);
    let mut phones: Vec<_> = (0..2).map(|slot| room.add_phone(slot, Codec::PCMU)).collect();
    phones.iter().for_each(|phone| room.join(phone.id, bridge, SampleRate::Hz8000));
    let leg = phones[0].id;
    let counts = counts_of(|| {
        for (n, digit) in Digit::ALL.into_iter().enumerate() {
            let absorb = [Absorb::Whole, Absorb::Late, Absorb::Off][n % 3];
            let mut singer = ToneGenerator::new(digit, SampleRate::Hz8000, 100);
            for tick in 0..20 {
                if tick == n {
                    room.set(leg, LegSetting::AbsorbDtmf(absorb));
                }
                let mut said = [0; 160];
                singer.fill(&mut said);
                phones[0].say(&said, &mut room);
                room.tick(&mut phones);
            }
        }
    });
    assert_eq!(counts, NONE);
}
