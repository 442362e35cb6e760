//! What happens to a recording on the line: noise, echo, other tones, codecs, lost packets.
//!
//! Levels are relative to the stimuli: decibels below the power of a digit's two tones for noise and
//! speech, and below one of its tones (the mean of the two) for other tones. The stimuli of a
//! recording have all the same levels, so that the first one tells.

use std::f64::consts::TAU;

use fastrand::Rng;
use stasis_media::codec::{Codec, EncodeSettings};

use super::program::{self, Program};
use super::sound::{Sound, gaussian, peak};
use super::{Material, between};

#[derive(Clone, Debug)]
pub enum Effect {
    /// White and Gaussian; its density is such that 0 to 4 kHz hold what is asked for.
    Noise {
        snr_db: f64,
    },
    /// The same power with as much in each octave: rooms, cars.
    PinkNoise {
        snr_db: f64,
    },
    /// White, and only while nothing is sung: what is played for a sender who is silent.
    ComfortNoise {
        db: f64,
    },
    /// Bursts of 2 to 6 ms of white noise, eight a second.
    Bursts {
        db: f64,
    },
    /// What a telephone line lets through: 300 to 3,400 Hz.
    Band,
    Echo {
        delay_ms: f64,
        db: f64,
    },
    /// Tones that never cease: a dial tone.
    Tones {
        hz: &'static [f64],
        db: f64,
    },
    /// Mains hum with harmonics, and DC at half its peak.
    Hum {
        hz: f64,
        db: f64,
    },
    /// Somebody speaks.
    Speech {
        db: f64,
    },
    MuLaw,
    ALaw,
    /// One in twenty packets of 20 ms is lost.
    Loss(Fill),
    Through(Program),
}

/// What is played for a lost packet.
#[derive(Clone, Copy, Debug)]
pub enum Fill {
    Zeros,
    /// The packet before.
    Repeat,
}

/// Samples of a recording that is being made, in 16-bit units.
pub struct Tape {
    pub samples: Vec<f64>,
    pub rate: f64,
    /// Stretches of samples that were lost.
    pub lost: Vec<std::ops::Range<usize>>,
}

/// The levels that effects refer to.
#[derive(Clone, Copy)]
pub struct Reference {
    tone_peak: f64,
    power: f64,
}

impl Reference {
    pub fn of(sound: Option<&Sound>) -> Reference {
        let peaks: Vec<f64> =
            sound.map_or(&[][..], Sound::sines).iter().map(|sine| peak(sine.dbm0)).collect();
        if peaks.is_empty() {
            return Reference { tone_peak: peak(-10.0), power: peak(-10.0).powi(2) };
        }
        let tone_peak = peaks.iter().product::<f64>().powf(1.0 / peaks.len() as f64);
        Reference { tone_peak, power: peaks.iter().map(|peak| peak * peak / 2.0).sum() }
    }
}

impl Effect {
    pub fn apply(&self, tape: &mut Tape, to: Reference, material: &Material, rng: &mut Rng) {
        match self {
            Effect::Noise { snr_db } => noise(tape, to.power.sqrt() / ratio(*snr_db), rng),
            Effect::PinkNoise { snr_db } => pink(tape, to.power.sqrt() / ratio(*snr_db), rng),
            Effect::ComfortNoise { db } => comfort(tape, to.power.sqrt() * ratio(*db), rng),
            Effect::Bursts { db } => bursts(tape, to.power.sqrt() * ratio(*db), rng),
            Effect::Band => band(tape),
            Effect::Echo { delay_ms, db } => echo(tape, delay_ms / 1_000.0, ratio(*db)),
            Effect::Tones { hz, db } => {
                for &hz in *hz {
                    sine(tape, hz, to.tone_peak * ratio(*db), rng.f64() * TAU);
                }
            }
            Effect::Hum { hz, db } => hum(tape, *hz, to.tone_peak * ratio(*db), rng),
            Effect::Speech { db } => {
                speech(tape, &material.speech, to.power.sqrt() * ratio(*db), rng)
            }
            Effect::MuLaw => g711(tape, Codec::PCMU),
            Effect::ALaw => g711(tape, Codec::PCMA),
            Effect::Loss(fill) => lose(tape, *fill, rng),
            Effect::Through(program) => {
                if let Some(out) = program::run(*program, &tape.rounded()) {
                    for (sample, out) in tape.samples.iter_mut().zip(out) {
                        *sample = f64::from(out);
                    }
                }
            }
        }
    }
}

impl Tape {
    /// In 16 bits, clipped.
    pub fn rounded(&self) -> Vec<i16> {
        self.samples.iter().map(|sample| sample.round() as i16).collect()
    }
}

fn ratio(db: f64) -> f64 {
    10f64.powf(db / 20.0)
}

fn noise(tape: &mut Tape, rms: f64, rng: &mut Rng) {
    let rms = rms * (tape.rate / 8_000.0).sqrt();
    tape.samples.iter_mut().for_each(|sample| *sample += rms * gaussian(rng));
}

/// White noise through low-passes a decade apart each, whose sum falls by 3 dB an octave or so.
fn pink(tape: &mut Tape, rms: f64, rng: &mut Rng) {
    const POLES: [(f64, f64); 4] = [(10.0, 1.0), (60.0, 0.45), (360.0, 0.2), (2_160.0, 0.08)];
    let mut states = [0.0; POLES.len()];
    let mut noise = Vec::with_capacity(tape.samples.len());
    for _ in 0..tape.samples.len() {
        let white = gaussian(rng);
        for (state, (hz, gain)) in states.iter_mut().zip(POLES) {
            let keep = (-TAU * hz / tape.rate).exp();
            *state = *state * keep + gain * (1.0 - keep).sqrt() * white;
        }
        noise.push(states.iter().sum::<f64>());
    }
    let power = noise.iter().map(|noise| noise * noise).sum::<f64>() / noise.len().max(1) as f64;
    let gain = rms / power.sqrt().max(1e-9);
    tape.samples.iter_mut().zip(noise).for_each(|(sample, noise)| *sample += gain * noise);
}

fn comfort(tape: &mut Tape, rms: f64, rng: &mut Rng) {
    let rms = rms * (tape.rate / 8_000.0).sqrt();
    for sample in tape.samples.iter_mut().filter(|sample| **sample == 0.0) {
        *sample = rms * gaussian(rng);
    }
}

fn bursts(tape: &mut Tape, rms: f64, rng: &mut Rng) {
    let rms = rms * (tape.rate / 8_000.0).sqrt();
    let mut at = 0;
    while at < tape.samples.len() {
        let end = at + (between(0.002, 0.006, rng) * tape.rate) as usize;
        for sample in tape.samples.iter_mut().take(end).skip(at) {
            *sample += rms * gaussian(rng);
        }
        at = end + (between(0.04, 0.2, rng) * tape.rate) as usize;
    }
}

/// A band-pass of 16 ms without delay: the difference of two low-passes, under a Hann window.
fn band(tape: &mut Tape) {
    let half = (0.008 * tape.rate) as isize;
    let low_pass = |hz: f64, n: isize| match n {
        0 => 2.0 * hz / tape.rate,
        n => (TAU * hz / tape.rate * n as f64).sin() / (TAU / 2.0 * n as f64),
    };
    let weight = |n: isize| 0.5 + 0.5 * (TAU / 2.0 * n as f64 / half as f64).cos();
    let taps: Vec<f64> =
        (-half..=half).map(|n| weight(n) * (low_pass(3_400.0, n) - low_pass(300.0, n))).collect();
    let mut padded = vec![0.0; half as usize];
    padded.extend(&tape.samples);
    padded.extend(vec![0.0; half as usize]);
    for (sample, around) in tape.samples.iter_mut().zip(padded.windows(taps.len())) {
        *sample = taps.iter().zip(around).map(|(tap, sample)| tap * sample).sum();
    }
}

fn echo(tape: &mut Tape, delay_s: f64, gain: f64) {
    let delay = (delay_s * tape.rate) as usize;
    for i in (delay..tape.samples.len()).rev() {
        tape.samples[i] += gain * tape.samples[i - delay];
    }
}

fn sine(tape: &mut Tape, hz: f64, peak: f64, phase: f64) {
    let turn = TAU * hz / tape.rate;
    for (i, sample) in tape.samples.iter_mut().enumerate() {
        *sample += peak * (turn * i as f64 + phase).sin();
    }
}

fn hum(tape: &mut Tape, hz: f64, peak: f64, rng: &mut Rng) {
    for (harmonic, db) in [(1.0, 0.0), (2.0, -14.0), (3.0, -10.0), (5.0, -18.0), (7.0, -24.0)] {
        sine(tape, hz * harmonic, peak * ratio(db), rng.f64() * TAU);
    }
    tape.samples.iter_mut().for_each(|sample| *sample += 0.5 * peak);
}

/// Speech from a random place on, its power over the loud half being what is asked for.
fn speech(tape: &mut Tape, speech: &[f32], rms: f64, rng: &mut Rng) {
    if speech.is_empty() {
        return;
    }
    let step = 8_000.0 / tape.rate;
    let from = rng.usize(..speech.len());
    let at = |i: usize| f64::from(speech[(from + (i as f64 * step) as usize) % speech.len()]);
    let block = (0.05 * tape.rate) as usize;
    let mut powers: Vec<f64> = (0..tape.samples.len() / block)
        .map(|b| (b * block..(b + 1) * block).map(|i| at(i).powi(2)).sum::<f64>() / block as f64)
        .collect();
    powers.sort_by(f64::total_cmp);
    let loud = &powers[powers.len() / 2..];
    let power = loud.iter().sum::<f64>() / loud.len().max(1) as f64;
    let gain = rms / power.sqrt().max(1.0);
    for i in 0..tape.samples.len() {
        tape.samples[i] += gain * at(i);
    }
}

fn g711(tape: &mut Tape, codec: Codec) {
    let pcm = tape.rounded();
    let (mut coded, mut out) = (vec![0; pcm.len()], vec![0; pcm.len()]);
    codec.encoder(&EncodeSettings::default()).encode(&pcm, &mut coded);
    codec.decoder().decode(&coded, &mut out);
    tape.samples = out.into_iter().map(f64::from).collect();
}

fn lose(tape: &mut Tape, fill: Fill, rng: &mut Rng) {
    let packet = (0.02 * tape.rate) as usize;
    for from in (packet..tape.samples.len() - tape.samples.len() % packet).step_by(packet) {
        if rng.f64() < 0.05 {
            tape.lost.push(from..from + packet);
            match fill {
                Fill::Zeros => tape.samples[from..from + packet].fill(0.0),
                Fill::Repeat => tape.samples.copy_within(from - packet..from, from),
            }
        }
    }
}
