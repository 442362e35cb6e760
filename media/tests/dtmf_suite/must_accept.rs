//! What the standards require to be heard (ITU-T Q.24, ETSI ES 201 235-3), each limit alone and in
//! combinations.

use fastrand::Rng;

use super::keys::Keys;
use super::line::Effect::{self, ALaw, Echo, MuLaw, Noise, Tones};
use super::sound::Sound;
use super::{Plan, Take, between};

/// The dial tones of E.180 that are most in use.
pub const DIAL_TONES: [(&str, &[f64]); 4] = [
    ("350+440", &[350.0, 440.0]),
    ("425", &[425.0]),
    ("440", &[440.0]),
    ("400+450", &[400.0, 450.0]),
];

/// Every way to move one or both tones.
pub const DIRECTIONS: [(&str, [f64; 2]); 8] = [
    ("low-up", [1.0, 0.0]),
    ("low-down", [-1.0, 0.0]),
    ("high-up", [0.0, 1.0]),
    ("high-down", [0.0, -1.0]),
    ("both-up", [1.0, 1.0]),
    ("both-down", [-1.0, -1.0]),
    ("apart", [-1.0, 1.0]),
    ("together", [1.0, -1.0]),
];

pub fn plan(plan: &mut Plan) {
    tones(plan);
    times(plan);
    lines(plan);
    rates(plan);
    combinations(plan);
}

fn tones(plan: &mut Plan) {
    plan.add_keys("nominal", 4, &[], |keys, _| keys);
    for (name, [low, high]) in DIRECTIONS {
        plan.add_keys(format!("frequency-1.5%-{name}"), 2, &[], |keys, _| {
            keys.detuned(1.5 * low, 1.5 * high)
        });
    }
    for db in [0.0, 2.0, 4.0, 6.0, 8.0] {
        plan.add_keys(format!("twist-normal-{db}dB"), 2, &[], |keys, rng| keys.twisted(db, rng));
    }
    for db in [2.0, 4.0] {
        plan.add_keys(format!("twist-reverse-{db}dB"), 3, &[], |keys, rng| keys.twisted(-db, rng));
    }
    for (law, name) in [(MuLaw, "ulaw"), (ALaw, "alaw")] {
        let line = [law];
        plan.add_keys(format!("twist-normal-8dB-{name}"), 2, &line, |k, rng| k.twisted(8.0, rng));
        plan.add_keys(format!("twist-reverse-4dB-{name}"), 2, &line, |k, rng| k.twisted(-4.0, rng));
        plan.add_keys(name, 2, &line, |keys, _| keys);
    }
    for dbm0 in [-25.0, -20.0, -15.0, -10.0, -6.0, -3.0, -1.0, 0.0] {
        plan.add_keys(format!("level-{dbm0}dBm0"), 2, &[], |keys, _| keys.at(dbm0));
    }
}

fn times(plan: &mut Plan) {
    for ms in [40.0, 50.0, 65.0, 100.0] {
        plan.add_keys(format!("duration-{ms}ms"), 3, &[], |keys, _| keys.lasting(ms));
    }
    plan.add_keys("duration-40ms-pause-40ms", 3, &[], |keys, _| keys.lasting(40.0).spaced(40.0));
    for pause in [40.0, 45.0, 60.0] {
        plan.add(format!("same-digit-pause-{pause}ms"), 3, |rng| {
            let ms = between(40.0, 80.0, rng);
            Take::new(Keys::new(rng).lasting(ms).spaced(pause).press_repeatedly(rng))
        });
    }
    for ms in [60.0, 80.0, 100.0, 120.0] {
        plan.add(format!("interruption-10ms-in-{ms}ms"), 6, |rng| {
            Take::new(Keys::new(rng).lasting(ms).press_interrupted(rng))
        });
    }
}

fn lines(plan: &mut Plan) {
    for snr_db in [15.0, 20.0, 30.0] {
        plan.add_keys(format!("noise-{snr_db}dB"), 4, &[Noise { snr_db }], |keys, _| keys);
    }
    for delay_ms in [5.0, 10.0, 15.0, 20.0, 25.0] {
        for db in [-10.0, -13.0, -16.0] {
            let line = [Echo { delay_ms, db }];
            plan.add_keys(format!("echo-{delay_ms}ms{db}dB"), 1, &line, |keys, _| keys);
        }
    }
    for (name, hz) in DIAL_TONES {
        for db in [-6.0, -9.0, -12.0, -15.0] {
            let line = [Tones { hz, db }];
            plan.add_keys(format!("dial-tone-{name}{db}dB"), 2, &line, |keys, _| keys);
        }
    }
}

fn rates(plan: &mut Plan) {
    for (hz, float) in [(16_000, false), (44_100, false), (48_000, false), (48_000, true)] {
        let name = format!("rate-{hz}{}", if float { "-float" } else { "" });
        plan.add(&name, 2, |rng| {
            let keys = Keys::new(rng).lasting(50.0).press(rng);
            Take { hz, float, ..Take::new(keys).through([Noise { snr_db: 30.0 }]) }
        });
    }
}

/// Several limits at once.
fn combinations(plan: &mut Plan) {
    const FILES: usize = 4;
    const NOISE: Effect = Noise { snr_db: 15.0 };
    let noisy: &[Effect] = &[NOISE];
    let mut add_keys = |name: &str, line: &[Effect], keys: &dyn Fn(Keys, &mut Rng) -> Keys| {
        plan.add_keys(format!("both-{name}"), FILES, line, keys);
    };
    add_keys("twist-8-frequency-noise", noisy, &|k, rng| k.twisted(8.0, rng).detuned(1.5, -1.5));
    add_keys("twist-8-40ms-frequency", &[], &|k, rng| {
        k.twisted(8.0, rng).lasting(40.0).detuned(-1.5, -1.5)
    });
    add_keys("reverse-4-frequency-noise", noisy, &|k, rng| k.twisted(-4.0, rng).detuned(1.5, 1.5));
    add_keys("reverse-4-40ms-alaw", &[ALaw], &|k, rng| {
        k.twisted(-4.0, rng).lasting(40.0).detuned(-1.5, 1.5)
    });
    add_keys("40ms-noise", noisy, &|k, _| k.lasting(40.0));
    add_keys("40ms-frequency-noise", noisy, &|k, _| k.lasting(40.0).detuned(1.5, 1.5));
    add_keys("40ms-40ms-twist-8-ulaw", &[MuLaw], &|k, rng| {
        k.twisted(8.0, rng).lasting(40.0).spaced(40.0)
    });
    add_keys("quiet-twist-8-noise-alaw", &[Noise { snr_db: 20.0 }, ALaw], &|k, _| Keys {
        levels: [-17.0, -25.0],
        ..k
    });
    add_keys("quiet-40ms-frequency", &[ALaw], &|k, _| k.at(-25.0).lasting(40.0).detuned(1.5, -1.5));
    add_keys("loud-40ms-ulaw", &[MuLaw], &|k, _| k.at(0.0).lasting(40.0));
    add_keys("loud-frequency", &[], &|k, _| k.at(-1.0).detuned(-1.5, 1.5));
    add_keys("loud-twist-8-noise", noisy, &|k, _| Keys { levels: [0.0, -8.0], ..k });
    add_keys("echo-twist-6", &[Echo { delay_ms: 15.0, db: -12.0 }], &|k, rng| k.twisted(6.0, rng));
    add_keys("echo-noise-40ms", &[Echo { delay_ms: 10.0, db: -14.0 }, NOISE], &|k, _| {
        k.lasting(40.0)
    });
    let dial = Tones { hz: DIAL_TONES[0].1, db: -10.0 };
    add_keys("dial-tone-twist-6", std::slice::from_ref(&dial), &|k, rng| k.twisted(6.0, rng));
    add_keys("dial-tone-frequency-noise", &[dial, Noise { snr_db: 20.0 }], &|k, _| {
        k.detuned(1.5, 1.5)
    });
    plan.add("both-interruption-noise", FILES, |rng| {
        Take::new(Keys::new(rng).lasting(80.0).press_interrupted(rng)).through([NOISE])
    });
    plan.add("both-interruption-twist-8-ulaw", FILES, |rng| {
        let keys = Keys::new(rng).twisted(8.0, rng).lasting(80.0);
        Take::new(keys.press_interrupted(rng)).through([MuLaw])
    });
    plan.add("both-same-digit-noise", FILES, |rng| {
        Take::new(Keys::new(rng).lasting(50.0).spaced(40.0).press_repeatedly(rng)).through([NOISE])
    });
    plan.add("both-anything", 2 * FILES, |rng| {
        let sounds: Vec<Sound> = (0..32).flat_map(|_| anything(rng)).collect();
        Take::new(sounds).through([MuLaw])
    });
}

/// A key with everything at random within what must be accepted.
fn anything(rng: &mut Rng) -> Vec<Sound> {
    let detune = [0, 1].map(|_| between(-1.5, 1.5, rng));
    let (twist, ms) = (between(-4.0, 8.0, rng), between(40.0, 100.0, rng));
    let keys = Keys { count: 1, detune, ..Keys::new(rng).twisted(twist, rng).lasting(ms) };
    let digit = stasis_media::dtmf::Digit::ALL[rng.usize(..16)];
    let [low, high] = keys.levels;
    vec![Sound::digit(digit, low, high, ms, between(40.0, 120.0, rng)).detuned(detune)]
}
