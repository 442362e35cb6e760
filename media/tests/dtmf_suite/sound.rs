//! One stimulus: sines, noise or a modem's tones, for a time, under an envelope.

use std::f64::consts::{PI, TAU};

use fastrand::Rng;
use stasis_media::dtmf::{Dbm0, Digit};

/// A sine of the whole stimulus.
#[derive(Clone, Copy)]
pub struct Sine {
    pub hz: f64,
    pub dbm0: f64,
    /// How far it moves over the stimulus, around `hz`, as a share of it.
    pub sweep: f64,
}

#[derive(Clone)]
pub enum Source {
    Sines(Vec<Sine>),
    /// White, at this total level.
    Noise {
        dbm0: f64,
    },
    /// Random bits, phase-continuous.
    Fsk {
        hz: [f64; 2],
        baud: f64,
        dbm0: f64,
    },
}

#[derive(Clone, Copy)]
pub enum Envelope {
    Steady,
    /// Silent once, for `ms` from `at_ms` on.
    Gap {
        at_ms: f64,
        ms: f64,
    },
    /// Silent for the last `ms` of every `every_ms`.
    Gaps {
        every_ms: f64,
        ms: f64,
    },
    /// Modulated by 100 %.
    Modulated {
        hz: f64,
    },
    /// Louder by so many dB from `at_ms` on.
    Step {
        at_ms: f64,
        db: f64,
    },
    /// Falls evenly by so many dB from start to end.
    Decay {
        db: f64,
    },
}

/// A stimulus, and the pause after it.
#[derive(Clone)]
pub struct Sound {
    /// The digit that it is, or that it resembles.
    pub digit: Option<Digit>,
    pub source: Source,
    /// With both edges.
    pub ms: f64,
    pub pause_ms: f64,
    /// How long each edge takes; 0 for an abrupt one.
    pub ramp_ms: f64,
    pub envelope: Envelope,
}

impl Sine {
    pub fn new(hz: f64, dbm0: f64) -> Sine {
        Sine { hz, dbm0, sweep: 0.0 }
    }
}

impl Sound {
    /// `digit` at its nominal frequencies, the low tone at `low` dBm0 and the high one at `high`.
    pub fn digit(digit: Digit, low: f64, high: f64, ms: f64, pause_ms: f64) -> Sound {
        let tones = [(digit.low_hz(), low), (digit.high_hz(), high)];
        let sines = tones.map(|(hz, dbm0)| Sine::new(f64::from(hz), dbm0)).to_vec();
        Sound { digit: Some(digit), ..Sound::new(Source::Sines(sines), ms, pause_ms) }
    }

    pub fn new(source: Source, ms: f64, pause_ms: f64) -> Sound {
        Sound { digit: None, source, ms, pause_ms, ramp_ms: 1.0, envelope: Envelope::Steady }
    }

    /// Moves the low and the high tone by so many percent.
    pub fn detuned(mut self, percent: [f64; 2]) -> Sound {
        for (sine, percent) in self.sines_mut().iter_mut().zip(percent) {
            sine.hz *= 1.0 + percent / 100.0;
        }
        self
    }

    pub fn with(mut self, envelope: Envelope) -> Sound {
        self.envelope = envelope;
        self
    }

    pub fn ramped(mut self, ramp_ms: f64) -> Sound {
        self.ramp_ms = ramp_ms;
        self
    }

    pub fn sines(&self) -> &[Sine] {
        match &self.source {
            Source::Sines(sines) => sines,
            _ => &[],
        }
    }

    pub fn sines_mut(&mut self) -> &mut [Sine] {
        match &mut self.source {
            Source::Sines(sines) => sines,
            _ => &mut [],
        }
    }

    /// Adds the stimulus to `out`, in 16-bit units and with random phases; its end is that of `out`.
    pub fn sing(&self, out: &mut [f64], rate: f64, rng: &mut Rng) {
        let seconds = out.len() as f64 / rate;
        match &self.source {
            Source::Sines(sines) => {
                for sine in sines {
                    self.sing_sine(sine, out, rate, rng.f64() * TAU, seconds);
                }
            }
            Source::Noise { dbm0 } => {
                let rms = peak(*dbm0) / 2f64.sqrt() * (rate / 8_000.0).sqrt();
                for (i, out) in out.iter_mut().enumerate() {
                    *out += self.gain(i as f64 / rate * 1_000.0) * rms * gaussian(rng);
                }
            }
            Source::Fsk { hz, baud, dbm0 } => {
                let (mut phase, mut bit, peak) = (0.0f64, 0, peak(*dbm0));
                for (i, out) in out.iter_mut().enumerate() {
                    if (i as f64 * baud / rate).fract() < baud / rate {
                        bit = rng.usize(..2);
                    }
                    phase += TAU * hz[bit] / rate;
                    *out += self.gain(i as f64 / rate * 1_000.0) * peak * phase.sin();
                }
            }
        }
    }

    fn sing_sine(&self, sine: &Sine, out: &mut [f64], rate: f64, phase: f64, seconds: f64) {
        let peak = peak(sine.dbm0);
        for (i, out) in out.iter_mut().enumerate() {
            let t = i as f64 / rate;
            let turns = sine.hz * t * (1.0 + sine.sweep * (0.5 * t / seconds - 0.5));
            *out += self.gain(t * 1_000.0) * peak * (TAU * turns + phase).sin();
        }
    }

    /// The envelope, `ms` after the start.
    fn gain(&self, ms: f64) -> f64 {
        let to_edge = ms.min(self.ms - ms).max(0.0);
        let edge = match to_edge < self.ramp_ms {
            true => 0.5 - 0.5 * (PI * to_edge / self.ramp_ms).cos(),
            false => 1.0,
        };
        edge * match self.envelope {
            Envelope::Steady => 1.0,
            Envelope::Gap { at_ms, ms: gap } => f64::from(!(at_ms..at_ms + gap).contains(&ms)),
            Envelope::Gaps { every_ms, ms: gap } => f64::from(ms % every_ms < every_ms - gap),
            Envelope::Modulated { hz } => 0.5 - 0.5 * (TAU * hz * ms / 1_000.0).cos(),
            Envelope::Step { at_ms, db } if ms >= at_ms => 10f64.powf(db / 20.0),
            Envelope::Step { .. } => 1.0,
            Envelope::Decay { db } => 10f64.powf(-db * ms / self.ms / 20.0),
        }
    }
}

/// The peak of a sine of this level, in 16-bit units.
pub fn peak(dbm0: f64) -> f64 {
    f64::from(Dbm0(dbm0 as f32).peak())
}

/// Normally distributed, with a variance of 1.
pub fn gaussian(rng: &mut Rng) -> f64 {
    (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (TAU * rng.f64()).cos()
}
