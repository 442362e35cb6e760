//! The mix is exact: what each leg is sent is, bit for bit, what a plain 32-bit sum makes of what the
//! others have said, whoever speaks, listens, is muted or sits in an audience.

mod common {
    pub mod room;
}

use common::room::{Dice, Phone, Room, SILENCE, Tick};
use stasis_media::LegId;
use stasis_media::codec::{Codec, EncodeSettings};
use stasis_media::frame::SampleRate;
use stasis_media::leg::{Direction, LegSetting, Role};
use stasis_media::rtp::Payloads;

const NARROW: SampleRate = SampleRate::Hz8000;
/// Ticks in the jitter buffer.
const DELAY: usize = 3;

fn coded(tick: &Tick) -> Vec<u8> {
    let mut payload = vec![0; 160];
    Codec::PCMU.encoder(&EncodeSettings::default()).encode(tick, &mut payload);
    payload
}

fn decoded(payload: &[u8]) -> Tick {
    let mut tick = SILENCE;
    Codec::PCMU.decoder().decode(payload, &mut tick);
    tick
}

/// Of so many legs every third only listens, and every seventh is muted for a while. Fails unless all
/// packets of so many ticks are what they should be.
fn check(legs: usize, ticks: usize) {
    let mut dice = Dice(legs as u64);
    let mut room = Room::of(legs);
    let bridge = room.add_bridge(0, NARROW);
    let add = |slot| {
        let id = LegId::new(slot, room.serial());
        room.add(Phone::remembering(id, Payloads::default(), 160))
    };
    let mut phones: Vec<_> = (0..legs as u32).map(add).collect();
    for (n, phone) in phones.iter().enumerate() {
        room.join(phone.id, bridge, NARROW);
        if n % 3 == 2 {
            room.set(phone.id, LegSetting::Role(Role::Listener));
        }
    }
    // All together stay below the limiter's knee.
    let peak = (29_000 / legs as u64).max(1);
    let mut said: Vec<Vec<Tick>> = Vec::new();
    let muted = ticks / 3..2 * ticks / 3;
    for now in 0..ticks {
        let turns = now == muted.start || now == muted.end;
        for phone in phones.iter().step_by(7).filter(|_| turns) {
            room.set(phone.id, LegSetting::Mute(Direction::In, now == muted.start));
        }
        let mut all = Vec::with_capacity(legs);
        for phone in &mut phones {
            let tick = [(); 160].map(|()| (dice.throw(2 * peak + 1) as i32 - peak as i32) as i16);
            phone.say(&tick, &mut room);
            all.push(decoded(&coded(&tick)));
        }
        said.push(all);
        room.tick(&mut phones);
        // The first ticks fade in, and so do those in which somebody is muted or is no longer.
        if now < DELAY + 5 || turns {
            continue;
        }
        let mut all = std::mem::take(&mut said[now - DELAY]);
        let mut total = [0i32; 160];
        for (n, own) in all.iter_mut().enumerate() {
            if n % 3 == 2 || (n % 7 == 0 && muted.contains(&now)) {
                *own = SILENCE;
            }
            total.iter_mut().zip(*own).for_each(|(total, own)| *total += i32::from(own));
        }
        for (phone, own) in phones.iter().zip(&all) {
            let mut hears = SILENCE;
            for ((hears, total), own) in hears.iter_mut().zip(total).zip(own) {
                *hears = i16::try_from(total - i32::from(*own)).expect("below the knee");
            }
            // Two parties hear each other without a mix, and µ-law has two zeros.
            let same = if legs == 2 {
                decoded(&phone.payload) == decoded(&coded(&hears))
            } else {
                phone.payload == coded(&hears)
            };
            assert!(same, "{legs} legs, tick {now}, {}", phone.id);
        }
    }
}

#[test]
fn every_leg_is_sent_the_plain_sum_of_the_others_however_many_there_are() {
    for (legs, ticks) in [(1, 30), (2, 60), (3, 60), (10, 60), (100, 45), (300, 30)] {
        check(legs, ticks);
    }
}

#[test]
fn two_thousand_legs_are_sent_the_plain_sum_of_the_others() {
    check(2_000, 15);
}
