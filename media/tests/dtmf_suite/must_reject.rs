//! What the standards require not to be heard: tones beyond their limits, and other signals.

use fastrand::Rng;
use stasis_media::dtmf::Digit;

use super::keys::Keys;
use super::line::Effect::{ALaw, MuLaw, Noise};
use super::must_accept::{DIAL_TONES, DIRECTIONS};
use super::sound::{Envelope, Sine, Sound, Source};
use super::{Plan, Take, between, shuffled};

pub const LOW_HZ: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
pub const HIGH_HZ: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];

pub fn plan(plan: &mut Plan) {
    digits(plan);
    third_tones(plan);
    pairs(plan);
    single_tones(plan);
    signals(plan);
}

/// Digits with one thing wrong.
fn digits(plan: &mut Plan) {
    for percent in [3.5, 4.0, 5.0] {
        for (name, [low, high]) in DIRECTIONS {
            plan.add_sounds(format!("frequency-{percent}%-{name}"), 1, |rng| {
                let keys = Keys { count: 16, ..Keys::new(rng) };
                keys.lasting(80.0).detuned(percent * low, percent * high).press(rng)
            });
        }
    }
    for ms in [10.0, 15.0, 20.0, 23.0] {
        for (edge, ramp_ms) in [("abrupt", 0.0), ("ramped", 2.0)] {
            let keys = |rng: &mut Rng| Keys { ramp_ms, ..Keys::new(rng) }.lasting(ms).press(rng);
            plan.add_sounds(format!("duration-{ms}ms-{edge}"), 2, keys);
            plan.add(format!("duration-{ms}ms-{edge}-noise"), 2, |rng| {
                Take::new(keys(rng)).through([Noise { snr_db: 15.0 }])
            });
        }
    }
    for db in [12.0, 14.0, 16.0, -9.0, -11.0] {
        let direction = if db > 0.0 { "normal" } else { "reverse" };
        let name = format!("twist-{direction}-{}dB", f64::abs(db));
        plan.add_sounds(&name, 1, |rng| Keys::new(rng).twisted(db, rng).press(rng));
    }
    for dbm0 in [-56.0, -60.0] {
        let keys = |rng: &mut Rng| Keys::new(rng).at(dbm0).lasting(100.0).press(rng);
        plan.add_sounds(format!("level{dbm0}dBm0"), 1, keys);
    }
    for (law, name) in [(MuLaw, "ulaw"), (ALaw, "alaw")] {
        plan.add(format!("twist-reverse-9dB-{name}"), 1, |rng| {
            Take::new(Keys::new(rng).twisted(-9.0, rng).press(rng)).through([law.clone()])
        });
    }
}

/// A digit and one more tone, as loud or 3 dB below.
fn third_tones(plan: &mut Plan) {
    for db in [0.0, -3.0] {
        plan.add_sounds(format!("third-tone-of-a-group{db}dB"), 2, |rng| {
            with_third(db, rng, |digit, rng| {
                let group = if rng.bool() { LOW_HZ } else { HIGH_HZ };
                let others: Vec<f64> = group.into_iter().filter(|&hz| !is_of(digit, hz)).collect();
                others[rng.usize(..others.len())]
            })
        });
        plan.add_sounds(format!("third-tone-anywhere{db}dB"), 2, |rng| {
            with_third(db, rng, |digit, rng| {
                let mut hz = 0.0;
                while hz == 0.0 || is_of(digit, hz) {
                    hz = between(520.0, 1_800.0, rng);
                }
                hz
            })
        });
    }
}

fn with_third(db: f64, rng: &mut Rng, hz: impl Fn(Digit, &mut Rng) -> f64) -> Vec<Sound> {
    let dbm0 = between(-18.0, -8.0, rng);
    let sound = |digit: Digit| {
        let [low, high] = [digit.low_hz(), digit.high_hz()].map(f64::from);
        let third = Sine::new(hz(digit, rng), dbm0 + db);
        let sines = vec![Sine::new(low, dbm0), Sine::new(high, dbm0), third];
        Sound { digit: Some(digit), ..Sound::new(Source::Sines(sines), 100.0, 100.0) }
    };
    let digits = shuffled(32, &mut super::seeded(&format!("third {dbm0}")));
    digits.into_iter().map(sound).collect()
}

/// Whether a frequency is within 5 % of one of the digit's tones.
fn is_of(digit: Digit, hz: f64) -> bool {
    [digit.low_hz(), digit.high_hz()].iter().any(|&own| (hz / f64::from(own) - 1.0).abs() < 0.05)
}

/// Two tones that are no digit.
fn pairs(plan: &mut Plan) {
    let mf: [(&str, Vec<f64>); 3] = [
        ("r1", (0..6).map(|i| 700.0 + 200.0 * f64::from(i)).collect()),
        ("r2-forward", (0..6).map(|i| 1_380.0 + 120.0 * f64::from(i)).collect()),
        ("r2-backward", (0..6).map(|i| 540.0 + 120.0 * f64::from(i)).collect()),
    ];
    for (name, hz) in mf {
        let pairs = all_pairs(&hz).into_iter().filter(|pair| !is_digit(*pair, 0.03)).collect();
        add_pairs(plan, &format!("mf-{name}"), pairs);
    }
    add_pairs(plan, "two-low-tones", all_pairs(&LOW_HZ));
    add_pairs(plan, "two-high-tones", all_pairs(&HIGH_HZ));
}

fn add_pairs(plan: &mut Plan, category: &str, pairs: Vec<[f64; 2]>) {
    plan.add_sounds(category, 3, |rng| {
        let mut pairs: Vec<_> = pairs.iter().cycle().take(pairs.len().max(12)).collect();
        rng.shuffle(&mut pairs);
        let dbm0 = between(-18.0, -5.0, rng);
        pairs.into_iter().map(|pair| steady(pair, dbm0, 80.0)).collect()
    });
}

fn all_pairs(hz: &[f64]) -> Vec<[f64; 2]> {
    let pairs = hz.iter().enumerate().flat_map(|(i, &a)| hz[i + 1..].iter().map(move |&b| [a, b]));
    pairs.collect()
}

/// Whether two frequencies are those of a digit, within a share of them.
pub fn is_digit([low, high]: [f64; 2], share: f64) -> bool {
    let near = |hz: f64, all: [f64; 4]| all.iter().any(|own| (hz / own - 1.0).abs() < share);
    near(low, LOW_HZ) && near(high, HIGH_HZ)
}

fn single_tones(plan: &mut Plan) {
    for hz in LOW_HZ.into_iter().chain(HIGH_HZ) {
        plan.add_sounds(format!("single-tone-{hz}"), 1, |rng| {
            (0..8).map(|_| steady(&[hz], between(-25.0, 0.0, rng), 150.0)).collect()
        });
    }
    plan.add_sounds("single-tone-anywhere", 2, |rng| {
        let tone = |_| steady(&[between(300.0, 3_400.0, rng)], between(-25.0, 0.0, rng), 150.0);
        (0..32).map(tone).collect()
    });
}

/// What else is heard on a telephone line.
fn signals(plan: &mut Plan) {
    let busy: [&[f64]; 5] =
        [&[480.0, 620.0], &[440.0, 480.0], &[425.0], &[400.0], &[950.0, 1_400.0, 1_800.0]];
    plan.add_sounds("call-progress", 2, |rng| {
        let all: Vec<_> = DIAL_TONES.map(|(_, hz)| hz).into_iter().chain(busy).collect();
        let tone = |hz: &[f64]| steady(hz, between(-20.0, -8.0, rng), 500.0);
        all.into_iter().map(tone).collect()
    });
    plan.add_sounds("fax", 1, |rng| {
        let tone = |i: i32| {
            steady(&[[1_100.0, 2_100.0][i as usize % 2]], -10.0, between(300.0, 900.0, rng))
        };
        (0..16).map(tone).collect()
    });
    plan.add_sounds("noise-bursts", 2, |rng| {
        let burst = |_| {
            let (dbm0, ms) = (between(-30.0, -5.0, rng), between(30.0, 400.0, rng));
            Sound::new(Source::Noise { dbm0 }, ms, 80.0)
        };
        (0..32).map(burst).collect()
    });
    plan.add_sounds("triads", 3, |rng| (0..32).map(|_| triad(rng)).collect());
    let modems = [[980.0, 1_180.0], [1_650.0, 1_850.0], [1_070.0, 1_270.0], [1_200.0, 2_200.0]];
    plan.add_sounds("fsk", 2, |rng| {
        let burst = |i: usize| {
            let (baud, dbm0) =
                (if i % 4 == 3 { 1_200.0 } else { 300.0 }, between(-25.0, -5.0, rng));
            Sound::new(Source::Fsk { hz: modems[i % 4], baud, dbm0 }, 400.0, 80.0)
        };
        (0..32).map(burst).collect()
    });
}

/// A major or minor chord, each note with overtones, that decays as a plucked one.
fn triad(rng: &mut Rng) -> Sound {
    let root = 220.0 * 2f64.powf(rng.f64() * 2.0);
    let third = if rng.bool() { 1.25 } else { 1.2 };
    let dbm0 = between(-22.0, -12.0, rng);
    let note =
        |hz: f64| (1..=4).map(move |k| Sine::new(hz * f64::from(k), dbm0 - 5.0 * f64::from(k - 1)));
    let sines = [root, root * third, root * 1.5].into_iter().flat_map(note).collect();
    let ms = between(100.0, 500.0, rng);
    Sound::new(Source::Sines(sines), ms, 60.0).with(Envelope::Decay { db: 12.0 }).ramped(5.0)
}

fn steady(hz: &[f64], dbm0: f64, ms: f64) -> Sound {
    Sound::new(Source::Sines(hz.iter().map(|&hz| Sine::new(hz, dbm0)).collect()), ms, 100.0)
}
