//! What is better not heard, though no standard says so.

use fastrand::Rng;

use super::keys::Keys;
use super::line::Effect::Noise;
use super::must_accept::DIRECTIONS;
use super::sound::{Envelope, Sound};
use super::{Plan, Take, between};

pub fn plan(plan: &mut Plan) {
    for (name, [low, high]) in DIRECTIONS {
        plan.add_sounds(format!("frequency-3%-{name}"), 1, |rng| {
            let keys = Keys { count: 16, ..Keys::new(rng) };
            keys.detuned(3.0 * low, 3.0 * high).press(rng)
        });
    }
    for ms in [24.0, 25.0] {
        let keys = |rng: &mut Rng| Keys::new(rng).lasting(ms).press(rng);
        plan.add_sounds(format!("duration-{ms}ms"), 2, keys);
        plan.add(format!("duration-{ms}ms-noise"), 2, |rng| {
            Take::new(keys(rng)).through([Noise { snr_db: 15.0 }])
        });
    }
    for (name, db) in [("normal-10.5", 10.5), ("reverse-7.5", -7.5)] {
        plan.add_sounds(format!("twist-{name}dB"), 1, |rng| {
            Keys::new(rng).twisted(db, rng).press(rng)
        });
    }
    let enveloped = |envelope, rng: &mut Rng| {
        let keys = Keys::new(rng).lasting(100.0).press(rng).into_iter();
        keys.map(|sound: Sound| sound.with(envelope)).collect()
    };
    plan.add_sounds("gaps-4ms-in-10ms", 3, |rng| {
        enveloped(Envelope::Gaps { every_ms: 10.0, ms: 4.0 }, rng)
    });
    for hz in [40.0, 60.0, 80.0] {
        let envelope = Envelope::Modulated { hz };
        plan.add_sounds(format!("modulated-{hz}Hz"), 1, |rng| enveloped(envelope, rng));
    }
    plan.add_sounds("sweeping", 3, |rng| {
        Keys::new(rng)
            .lasting(100.0)
            .press(rng)
            .into_iter()
            .map(|sound| sweeping(sound, rng))
            .collect()
    });
}

/// Both tones sweep over their nominal frequencies, by 10 to 16 % in all.
fn sweeping(mut sound: Sound, rng: &mut Rng) -> Sound {
    for sine in sound.sines_mut() {
        let sign = if rng.bool() { 1.0 } else { -1.0 };
        sine.sweep = sign * between(0.10, 0.16, rng);
    }
    sound
}
