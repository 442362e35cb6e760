//! Voices made to be mistaken for digits: harmonics with formants on DTMF frequencies.
//!
//! A syllable is a glottal series of harmonics of a fundamental between 90 and 400 Hz, which glides,
//! shakes and jitters, under two to four formants. Two of those are on or near the tones of some
//! digit, and now and then the fundamental is such that harmonics fall on both of them. Plain voices,
//! with the formants of vowels, serve as the speech behind a digit.

use std::f64::consts::TAU;

use fastrand::Rng;

use super::must_reject::{HIGH_HZ, LOW_HZ};
use super::sound::{gaussian, peak};
use super::{between, seeded};

const RATE: f64 = 8_000.0;
/// Samples for which the formants and the fundamental's course hold: 5 ms.
const STEP: usize = 40;

/// First and second formants of vowels, in hertz.
const VOWELS: [[f64; 2]; 8] = [
    [270.0, 2_290.0],
    [390.0, 1_990.0],
    [530.0, 1_840.0],
    [660.0, 1_720.0],
    [730.0, 1_090.0],
    [570.0, 840.0],
    [440.0, 1_020.0],
    [300.0, 870.0],
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Formants, and often harmonics, on the tones of a digit.
    Adversarial,
    /// Formants of vowels.
    Plain,
}

#[derive(Clone, Copy)]
struct Formant {
    hz: f64,
    width_hz: f64,
    gain: f64,
}

/// One syllable: what does not change in it.
struct Syllable {
    seconds: f64,
    f0: f64,
    /// Octaves from start to end.
    glide: f64,
    /// Depth (as a share) and rate in hertz.
    vibrato: (f64, f64),
    formants: Vec<Formant>,
    /// Of the source's spectrum, in dB an octave.
    tilt_db: f64,
    /// Of the fundamental, from one step to the next, as a share.
    jitter: f64,
    peak: f64,
    breath: f64,
}

/// `seconds` of voices at 8 kHz, in 16-bit units; the same for the same name.
pub fn speak(kind: Kind, seconds: f64, name: &str) -> Vec<f32> {
    let rng = &mut seeded(name);
    let wanted = (seconds * RATE) as usize;
    let mut out = Vec::with_capacity(wanted + 8_000);
    while out.len() < wanted {
        Syllable::random(kind, rng).sing(&mut out, rng);
        // Within a word syllables follow closely.
        let pause =
            if rng.u32(..4) == 0 { between(0.1, 0.4, rng) } else { between(0.0, 0.04, rng) };
        out.resize(out.len() + (pause * RATE) as usize, 0.0);
    }
    out.truncate(wanted);
    out
}

impl Syllable {
    fn random(kind: Kind, rng: &mut Rng) -> Syllable {
        let mut f0 = 90.0 * (400.0f64 / 90.0).powf(rng.f64());
        let mut glide = between(-0.15, 0.15, rng);
        let tilt_db = between(3.0, 12.0, rng);
        let mut vibrato = (between(0.0, 0.02, rng), between(4.0, 7.0, rng));
        let formants = match kind {
            Kind::Plain => vowel(rng),
            Kind::Adversarial => {
                let pair = [LOW_HZ[rng.usize(..4)], HIGH_HZ[rng.usize(..4)]];
                let aimed = aim(pair, rng).filter(|_| rng.u32(..3) > 0);
                if let Some(aimed) = aimed {
                    // Held, as a singer would.
                    (f0, glide, vibrato.0) = (aimed, glide * 0.1, vibrato.0 * 0.2);
                }
                on_digit(pair, tilt_db, rng)
            }
        };
        Syllable {
            seconds: between(0.08, 0.4, rng),
            f0,
            glide,
            vibrato,
            formants,
            tilt_db,
            jitter: between(0.0005, 0.004, rng),
            peak: peak(between(-22.0, -6.0, rng)),
            breath: 10f64.powf(between(-40.0, -20.0, rng) / 20.0),
        }
    }

    fn sing(&self, out: &mut Vec<f32>, rng: &mut Rng) {
        let samples = (self.seconds * RATE) as usize;
        let from = out.len();
        let (mut phase, mut shimmer) = (rng.f64(), 1.0);
        for step in (0..samples).step_by(STEP) {
            let t = step as f64 / samples as f64;
            let shake = 1.0 + self.vibrato.0 * (TAU * self.vibrato.1 * t * self.seconds).sin();
            let jitter = 1.0 + self.jitter * gaussian(rng);
            let f0 = self.f0 * 2f64.powf(self.glide * (t - 0.5)) * shake * jitter;
            let gains = self.gains(f0);
            let next = 1.0 + 0.05 * gaussian(rng);
            for i in 0..STEP.min(samples - step) {
                let edge = ((step + i) as f64 / samples as f64 * TAU / 2.0).sin().sqrt();
                let gain = shimmer + (next - shimmer) * i as f64 / STEP as f64;
                phase = (phase + f0 / RATE).fract();
                let voiced = harmonics(phase, &gains) + self.breath * gaussian(rng);
                out.push((edge * gain * self.peak * voiced) as f32);
            }
            shimmer = next;
        }
        debug_assert_eq!(out.len() - from, samples);
    }

    /// The gain of each harmonic up to 3,700 Hz; together they have the power of a sine of peak 1.
    fn gains(&self, f0: f64) -> Vec<f64> {
        let response = |k: usize| {
            let hz = f0 * k as f64;
            let tilt = 10f64.powf(-self.tilt_db / 20.0 * (k as f64).log2());
            let formants = self.formants.iter().map(|formant| formant.response(hz));
            tilt * (0.01 + formants.sum::<f64>())
        };
        let mut gains: Vec<f64> = (1..=(3_700.0 / f0) as usize).map(response).collect();
        let norm = gains.iter().map(|gain| gain * gain).sum::<f64>().sqrt();
        gains.iter_mut().for_each(|gain| *gain /= norm.max(1e-9));
        gains
    }
}

impl Formant {
    fn response(&self, hz: f64) -> f64 {
        self.gain / (1.0 + ((hz - self.hz) / (self.width_hz / 2.0)).powi(2)).sqrt()
    }
}

/// The sum of the harmonics of a fundamental at `phase`, in turns: the powers of one phasor.
fn harmonics(phase: f64, gains: &[f64]) -> f64 {
    let (sin, cos) = (TAU * phase).sin_cos();
    let (mut re, mut im, mut sum) = (1.0, 0.0, 0.0);
    for gain in gains {
        (re, im) = (re * cos - im * sin, re * sin + im * cos);
        sum += gain * im;
    }
    sum
}

fn vowel(rng: &mut Rng) -> Vec<Formant> {
    let size = between(0.9, 1.2, rng);
    let [first, second] = VOWELS[rng.usize(..VOWELS.len())];
    let formant = |hz: f64, gain: f64| Formant { hz: hz * size, width_hz: 90.0, gain };
    vec![formant(first, 1.0), formant(second, 0.6), formant(2_800.0, 0.3)]
}

/// Formants near both tones, so strong that they stand out alike, and up to two more.
fn on_digit(pair: [f64; 2], tilt_db: f64, rng: &mut Rng) -> Vec<Formant> {
    let mut formants: Vec<Formant> = pair
        .into_iter()
        .map(|hz| Formant {
            hz: hz * between(0.98, 1.02, rng),
            width_hz: 50.0 + 100.0 * rng.f64().powi(2),
            gain: between(0.6, 1.4, rng),
        })
        .collect();
    formants[1].gain *= 10f64.powf(tilt_db / 20.0 * (pair[1] / pair[0]).log2());
    for _ in 0..rng.u32(..3) {
        let hz = between(2_000.0, 3_400.0, rng);
        formants.push(Formant { hz, width_hz: 150.0, gain: between(0.1, 0.5, rng) });
    }
    formants
}

/// A fundamental with harmonics within 1 % of both tones.
fn aim(pair: [f64; 2], rng: &mut Rng) -> Option<f64> {
    let fits = |f0: f64| pair.iter().all(|hz| (hz / f0 - (hz / f0).round()).abs() * f0 < 0.01 * hz);
    let all: Vec<f64> =
        (0..621).map(|i| 90.0 + f64::from(i) / 2.0).filter(|&f0| fits(f0)).collect();
    (!all.is_empty()).then(|| all[rng.usize(..all.len()).max(rng.usize(..all.len()))])
}
