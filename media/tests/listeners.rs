//! Listeners share one mix and one payload, and who begins or ceases to listen hears no seam.

mod common {
    pub mod room;
}

use common::room::{Phone, Room, Tone, join};
use stasis_media::LegId;
use stasis_media::codec::Codec;
use stasis_media::engine::Order;
use stasis_media::frame::{Frame, SampleRate};
use stasis_media::gain::Gain;
use stasis_media::leg::{Direction, LegSetting};
use stasis_media::rtp::Payloads;

fn mute(leg: LegId, muted: bool) -> Order {
    Order::Set(leg, LegSetting::Mute(Direction::In, muted))
}

fn phone(room: &mut Room, slot: u32, codec: Codec) -> Phone {
    room.add_phone_with(slot, Payloads::of(&[codec]).unwrap())
}

/// What one hears of two tones who talks and listens in turn, beside two who listen all along. `seat`:
/// its place among the three. `alone`: everybody has a payload of his own.
fn hear(codec: Codec, bridge_rate: SampleRate, seat: usize, alone: bool) -> (Vec<i16>, usize) {
    let mut shared = 0;
    let rate = codec.rate();
    let mut room = Room::new();
    let bridge = room.add_bridge(0, bridge_rate);
    let l16 = Codec::L16.at(rate).unwrap();
    let mut phones: Vec<_> =
        (0..5).map(|slot| phone(&mut room, slot, if slot < 3 { codec } else { l16 })).collect();
    for (n, phone) in phones.iter().enumerate() {
        room.order(join(phone.id, rate, bridge, bridge_rate));
        room.order(mute(phone.id, n < 3));
        if n < 3 && alone {
            // As good as nothing, but not nothing.
            let gain = Gain::from_db(0.000_1);
            room.set(phone.id, LegSetting::Gain(Direction::Out, gain));
        }
    }
    let mut tones = HZ.map(|hz| Tone::new(hz, 5_000.0));
    let mut own = Tone::new(650.0, 5_000.0);
    for tick in 0..400 {
        if tick >= 100 && tick % 50 == 0 {
            room.order(mute(phones[seat].id, tick % 100 != 0));
        }
        for (n, phone) in phones.iter_mut().enumerate() {
            let mut said = Frame::silence(rate);
            match n {
                3 | 4 if is_pause(tick) => {}
                3 | 4 => tones[n - 3].fill(said.samples_mut(), rate),
                n if n == seat => own.fill(said.samples_mut(), rate),
                _ => {}
            }
            phone.say(said.samples(), &mut room);
        }
        room.tick(&mut phones);
        let others = phones[(seat + 1) % 3].payload == phones[(seat + 2) % 3].payload;
        shared += usize::from(others && phones[seat].payload == phones[(seat + 1) % 3].payload);
    }
    (phones[seat].heard.clone(), shared)
}

/// Half a second after the mute, and before it is taken back.
fn is_pause(tick: usize) -> bool {
    (80..90).contains(&(tick % 100))
}

/// Whole turns in a tick.
const HZ: [f64; 2] = [400.0, 1_150.0];

/// What is in each tick besides the tones, in dB below them.
fn rest(heard: &[i16], rate: SampleRate) -> Vec<f64> {
    let tick = rate.hz() as usize / 50;
    let of = |frame: &[i16]| {
        let mut rest: Vec<f64> = frame.iter().map(|&sample| f64::from(sample)).collect();
        let all: f64 = rest.iter().map(|x| x * x).sum();
        for hz in HZ {
            let turn = std::f64::consts::TAU * hz / f64::from(rate.hz());
            let (mut re, mut im) = (0.0, 0.0);
            for (n, x) in rest.iter().enumerate() {
                re += x * (n as f64 * turn).cos();
                im += x * (n as f64 * turn).sin();
            }
            let scale = 2.0 / tick as f64;
            for (n, x) in rest.iter_mut().enumerate() {
                let angle = n as f64 * turn;
                *x -= scale * (re * angle.cos() + im * angle.sin());
            }
        }
        let rest: f64 = rest.iter().map(|x| x * x).sum();
        10.0 * (rest / all.max(1.0)).max(1e-12).log10()
    };
    heard.chunks_exact(tick).map(of).collect()
}

/// The sharpest bend from one sample to the next: what a click is made of.
fn sharpest(heard: &[i16]) -> i32 {
    let bend = |w: &[i16]| (i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2])).abs();
    heard.windows(3).map(bend).max().unwrap_or(0)
}

#[test]
fn who_begins_or_ceases_to_listen_hears_no_click_in_any_codec() {
    let mut codecs = vec![Codec::PCMU, Codec::G722];
    let opus = Codec::all().filter(|codec| codec.name() == "opus");
    codecs.extend(opus.filter(|codec| codec.rate() > SampleRate::Hz8000));
    for codec in codecs {
        for bridge_rate in [codec.rate(), SampleRate::Hz24000] {
            for seat in [0, 2] {
                let [(shared, together), (alone, _)] =
                    [false, true].map(|alone| hear(codec, bridge_rate, seat, alone));
                let tick = codec.rate().hz() as usize / 50;
                let case = format!("{codec:?} in a bridge at {bridge_rate}, seat {seat}");
                assert!(together > 30, "{case}: the same payload in {together} ticks");
                let [bend, usual] = [&shared, &alone].map(|heard| sharpest(&heard[50 * tick..]));
                assert!(bend <= usual + usual / 4, "{case}: a bend of {bend}, usual is {usual}");
                // Far from the pauses: where one gets up in the midst of the sound.
                let worst = |heard: &[i16]| {
                    let rest = rest(heard, codec.rate()).into_iter().enumerate().skip(100);
                    let far = rest.filter(|(tick, _)| !(75..99).contains(&(tick % 100)));
                    far.map(|(_, rest)| rest).fold(-120.0, f64::max)
                };
                let [seam, usual] = [&shared, &alone].map(|heard| worst(heard));
                let most = if codec.name() == "opus" { -11.0 } else { usual + 3.0 };
                assert!(seam <= most, "{case}: a seam of {seam:.1} dB, usual is {usual:.1}");
            }
        }
    }
}
