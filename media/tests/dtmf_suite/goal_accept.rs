//! What users expect to be heard, beyond the standards.

use std::slice::from_ref;

use fastrand::Rng;

use super::keys::Keys;
use super::line::Effect::{
    self, ALaw, Band, Bursts, ComfortNoise, Echo, Hum, Loss, MuLaw, Noise, PinkNoise, Speech,
    Through, Tones,
};
use super::line::Fill;
use super::must_accept::DIAL_TONES;
use super::program::Program;
use super::sound::{Envelope, Sound};
use super::{Plan, Take, between};

pub fn plan(plan: &mut Plan) {
    disturbances(plan);
    networks(plan);
    times(plan);
    tones(plan);
    rates(plan);
    combinations(plan);
}

fn disturbances(plan: &mut Plan) {
    for snr_db in [12.0, 10.0, 8.0, 6.0] {
        plan.add_keys(format!("noise-{snr_db}dB"), 8, &[Noise { snr_db }], |keys, _| keys);
    }
    for snr_db in [15.0, 10.0] {
        let name = format!("noise-pink-{snr_db}dB");
        plan.add_keys(&name, 4, &[PinkNoise { snr_db }], |keys, _| keys);
    }
    for db in [-20.0, -40.0] {
        let name = format!("comfort-noise{db}dB");
        plan.add_keys(&name, 4, &[ComfortNoise { db }], |keys, _| keys.lasting(50.0));
    }
    for db in [-10.0, -3.0] {
        plan.add_keys(format!("bursts{db}dB"), 4, &[Bursts { db }], |keys, _| keys);
    }
    for (name, hz) in DIAL_TONES {
        let line = [Tones { hz, db: 0.0 }];
        plan.add_keys(format!("dial-tone-{name}-equal"), 5, &line, |keys, _| keys);
    }
    for hz in [50.0, 60.0] {
        for db in [-12.0, -6.0, 0.0] {
            let line = [Hum { hz, db }];
            plan.add_keys(format!("hum-{hz}Hz-{db}dB"), 4, &line, |keys, _| keys);
        }
    }
    for delay_ms in [5.0, 15.0, 25.0] {
        let line = [Echo { delay_ms, db: -6.0 }];
        plan.add_keys(format!("echo-{delay_ms}ms-6dB"), 3, &line, |keys, _| keys);
    }
    for db in [-10.0, -6.0] {
        let line = [Speech { db }];
        plan.add_keys(format!("speech{db}dB"), 6, &line, |keys, _| keys.lasting(80.0));
    }
}

fn networks(plan: &mut Plan) {
    for fill in [Fill::Zeros, Fill::Repeat] {
        for ms in [60.0, 100.0] {
            let name = format!("loss-5%-{}-{ms}ms", format!("{fill:?}").to_lowercase());
            plan.add_keys(&name, 8, &[Loss(fill)], |keys, _| keys.lasting(ms));
        }
    }
    let codecs: [(&str, &[Effect]); 7] = [
        ("g711", &[MuLaw, ALaw, MuLaw]),
        ("g726-32", &[Through(Program::G726)]),
        ("gsm", &[Through(Program::Gsm)]),
        ("opus-12", &[Through(Program::Opus)]),
        ("speex-11", &[Through(Program::Speex)]),
        ("gsm-g711", &[ALaw, Through(Program::Gsm), MuLaw]),
        ("g726-twice", &[Through(Program::G726), Through(Program::G726)]),
    ];
    for (name, line) in codecs {
        plan.add_keys(format!("tandem-{name}"), 6, line, |keys, _| keys);
    }
    plan.add_keys("tandem-g711-twist-8dB", 6, &[MuLaw, ALaw, MuLaw], |keys, rng| {
        keys.twisted(8.0, rng)
    });
}

fn times(plan: &mut Plan) {
    for pause in [20.0, 25.0] {
        for ms in [50.0, 100.0] {
            let spaced = move |keys: Keys| Keys { pause_ms: [pause; 2], ..keys }.lasting(ms);
            let name = format!("pause-{pause}ms-after-{ms}ms");
            plan.add_keys(&name, 3, &[], |keys, _| spaced(keys));
            plan.add(format!("{name}-same-digit"), 3, |rng| {
                Take::new(spaced(Keys::new(rng)).press_repeatedly(rng))
            });
        }
    }
}

fn tones(plan: &mut Plan) {
    for (name, low, high) in [
        ("both-up", 1.8, 1.8),
        ("both-down", -1.8, -1.8),
        ("apart", -1.8, 1.8),
        ("together", 1.8, -1.8),
    ] {
        let name = format!("frequency-1.8%-{name}");
        plan.add_keys(&name, 3, &[], |keys, _| keys.detuned(low, high));
    }
    plan.add_keys("twist-normal-9dB", 4, &[], |keys, rng| keys.twisted(9.0, rng));
    plan.add_keys("twist-reverse-5dB", 4, &[], |keys, rng| keys.twisted(-5.0, rng));
    plan.add_keys("clipping-3dBm0", 6, &[], |keys, _| keys.at(3.0));
    for dbm0 in [-30.0, -35.0] {
        plan.add_keys(format!("level{dbm0}dBm0"), 4, &[], |keys, _| keys.at(dbm0));
    }
    plan.add_keys("clock-drift-500ppm", 4, &[], |keys, _| keys.detuned(1.55, 1.55));
    for db in [-6.0, -3.0, 3.0, 6.0] {
        plan.add(format!("step{db}dB"), 2, |rng| {
            let step = Envelope::Step { at_ms: between(10.0, 60.0, rng), db };
            let press = Keys::new(rng).lasting(80.0).press(rng).into_iter();
            Take::new(press.map(|sound: Sound| sound.with(step)).collect())
        });
    }
    plan.add_keys("band", 4, &[Band], |keys, rng| keys.twisted(6.0, rng).lasting(45.0));
    plan.add("decay-3dB-60ms", 4, |rng| {
        let decaying = |sound: Sound| sound.with(Envelope::Decay { db: 3.0 });
        Take::new(Keys::new(rng).lasting(60.0).press(rng).into_iter().map(decaying).collect())
    });
}

/// Several at once.
fn combinations(plan: &mut Plan) {
    let noise = Noise { snr_db: 10.0 };
    let dial = Tones { hz: DIAL_TONES[0].1, db: 0.0 };
    let mut add_keys = |name: &str, line: &[Effect], keys: &dyn Fn(Keys, &mut Rng) -> Keys| {
        plan.add_keys(format!("both-{name}"), 4, line, keys);
    };
    add_keys("noise-8-40ms", &[Noise { snr_db: 8.0 }], &|k, _| k.lasting(40.0));
    add_keys("noise-10-twist-8", from_ref(&noise), &|k, rng| k.twisted(8.0, rng));
    add_keys("noise-10-reverse-4", from_ref(&noise), &|k, rng| k.twisted(-4.0, rng));
    add_keys("noise-10-frequency", from_ref(&noise), &|k, _| k.detuned(1.5, -1.5));
    add_keys("noise-10-ulaw-quiet", &[noise, MuLaw], &|k, _| k.at(-30.0));
    add_keys("dial-tone-equal-40ms", from_ref(&dial), &|k, _| k.lasting(40.0));
    add_keys("dial-tone-equal-twist-6", from_ref(&dial), &|k, rng| k.twisted(6.0, rng));
    add_keys("dial-tone-equal-noise-15", &[dial, Noise { snr_db: 15.0 }], &|k, _| k);
    add_keys("hum-frequency-40ms", &[Hum { hz: 50.0, db: 0.0 }], &|k, _| {
        k.lasting(40.0).detuned(1.5, 1.5)
    });
    add_keys("band-noise-10-ulaw", &[Noise { snr_db: 10.0 }, Band, MuLaw], &|k, _| k);
    add_keys("speech-10-40ms", &[Speech { db: -10.0 }], &|k, _| k.lasting(50.0));
    add_keys("loss-speex", &[Through(Program::Speex), Loss(Fill::Zeros)], &|k, _| k.lasting(80.0));
}

/// Other sample rates, each with noise and at the edge of something.
fn rates(plan: &mut Plan) {
    for hz in [16_000, 44_100, 48_000] {
        plan.add(format!("rate-{hz}-noise-10dB"), 2, |rng| {
            let float = rng.bool();
            let keys = Keys::new(rng).lasting(60.0).press(rng);
            Take { hz, float, ..Take::new(keys).through([Noise { snr_db: 10.0 }]) }
        });
        plan.add(format!("rate-{hz}-twist-frequency"), 2, |rng| {
            let percent = between(-1.7, 1.7, rng);
            let keys = Keys::new(rng).twisted(8.5, rng).detuned(percent, -percent);
            Take { hz, ..Take::new(keys.lasting(45.0).press(rng)) }
        });
    }
}
