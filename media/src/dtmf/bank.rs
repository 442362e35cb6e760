//! The front end: four complex filters that turn 4 ms of audio into one look at each group.
//!
//! Each filter is a Hann window of 8 ms on a carrier, two to a group, so that every DTMF frequency
//! is within 80 Hz of one. A window is 4 ms ahead of the last, and is made of two halves, so that
//! each sample is weighted twice and kept no longer than that. 8 ms see the other group 30 dB
//! lower, and see the edges of a tone within a millisecond or two; how fine its frequency is told
//! does not depend on the window but on how far its phase turns from look to look.
//!
//! A look's phase is that at the middle of its window, less the turn of the carrier.

use std::f64::consts::TAU;
use std::sync::LazyLock;

/// The rate that all of it is for.
pub(super) const RATE: f32 = 8_000.0;
/// Samples from one look to the next, 4 ms; a window is two of them.
pub(super) const HOP: usize = 32;

/// The carriers, in hertz: two of the low group and two of the high one.
pub(super) const CARRIERS: [f32; 4] = [733.5, 896.5, 1272.5, 1555.0];

/// A complex number: a filter's output, or a turn of phase.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Phase {
    pub(super) re: f32,
    pub(super) im: f32,
}

/// What the four filters see: the amplitude of a sine of peak 1 is one half.
pub(super) type Look = [Phase; 4];

/// The filters' weights: shared by all detectors.
pub(super) struct Bank {
    /// For each sample of a hop 16 weights: the four cosines and four sines of the window that
    /// ends with this hop, then those of the window that begins with it.
    weights: [[f32; 16]; HOP],
    /// What each carrier turns by in one hop, backwards.
    turns: [Phase; 4],
}

/// The half of a look that its first hop gives.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Half([f32; 8]);

impl Bank {
    /// The one bank of the process; computed on first use, which is in `Detector::new`.
    pub(super) fn shared() -> &'static Bank {
        static BANK: LazyLock<Bank> = LazyLock::new(Bank::new);
        &BANK
    }

    fn new() -> Bank {
        let window = 2 * HOP;
        let weight = |n: usize, carrier: usize| {
            let hann = (1.0 - (TAU * (n as f64 + 0.5) / window as f64).cos()) / window as f64;
            let middle = (window as f64 - 1.0) / 2.0;
            let angle = TAU * f64::from(CARRIERS[carrier % 4] / RATE) * (n as f64 - middle);
            (hann * if carrier < 4 { angle.cos() } else { -angle.sin() }) as f32
        };
        Bank {
            weights: std::array::from_fn(|n| {
                std::array::from_fn(|row| weight(if row < 8 { n + HOP } else { n }, row % 8))
            }),
            turns: CARRIERS.map(|hz| {
                let (sin, cos) = (TAU * f64::from(hz / RATE) * HOP as f64).sin_cos();
                Phase { re: cos as f32, im: -sin as f32 }
            }),
        }
    }

    /// The look whose window ends with `hop`, given the half of the hop before; leaves the half of
    /// the next look.
    pub(super) fn look(&self, hop: &[i16; HOP], half: &mut Half) -> Look {
        // Two sums of each, so that one addition need not wait for the one before.
        let mut sums = [[0.0f32; 16]; 2];
        let hop = hop.map(f32::from);
        let (hop, _) = hop.as_chunks::<2>();
        let (weights, _) = self.weights.as_chunks::<2>();
        for (x, weights) in hop.iter().zip(weights) {
            for half in 0..2 {
                for row in 0..16 {
                    sums[half][row] += x[half] * weights[half][row];
                }
            }
        }
        let sums: [f32; 16] = std::array::from_fn(|row| sums[0][row] + sums[1][row]);
        let look = std::array::from_fn(|i| Phase {
            re: half.0[i] + sums[i],
            im: half.0[i + 4] + sums[i + 4],
        });
        half.0.copy_from_slice(&sums[8..]);
        look
    }

    /// How far the phase of carrier `i` turned between two looks, one hop apart, times both
    /// amplitudes: by nothing for a sine at the carrier.
    pub(super) fn turn(&self, i: usize, before: &Look, now: &Look) -> Phase {
        now[i].times(before[i].conjugate()).times(self.turns[i])
    }

    /// What carrier `i` turns by in one hop, backwards.
    pub(super) fn carrier_turn(&self, i: usize) -> Phase {
        self.turns[i]
    }
}

impl Phase {
    pub(super) fn norm(self) -> f32 {
        self.re * self.re + self.im * self.im
    }

    pub(super) fn conjugate(self) -> Phase {
        Phase { re: self.re, im: -self.im }
    }

    pub(super) fn times(self, other: Phase) -> Phase {
        Phase {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }

    pub(super) fn plus(self, other: Phase) -> Phase {
        Phase { re: self.re + other.re, im: self.im + other.im }
    }

    /// In radians, −π to π.
    pub(super) fn angle(self) -> f32 {
        self.im.atan2(self.re)
    }
}

/// The response of the window to a sine `hz` away from the carrier, up to 125 Hz: the series of
/// sin(πx) / (πx (1 − x²)).
pub(super) fn response(hz: f32) -> f32 {
    let x = hz * (2 * HOP) as f32 / RATE;
    let x2 = (x * x).min(1.0);
    1.0 - x2 * (0.6449 - x2 * (0.1668 - x2 * 0.0240))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The looks at a sine that was always there.
    fn looks(hz: f64, peak: f64, dc: i16) -> Vec<Look> {
        let bank = Bank::shared();
        let mut half = Half::default();
        let sample = |n: usize| (peak * (TAU * hz / 8_000.0 * n as f64).sin()) as i16 + dc;
        let hop = |k: usize| std::array::from_fn(|n| sample(k * HOP + n));
        (0..10).map(|k| bank.look(&hop(k), &mut half)).skip(1).collect()
    }

    #[test]
    fn power_and_frequency_of_a_sine_are_read_off_within_125_hz_of_a_carrier() {
        let bank = Bank::shared();
        for (i, carrier) in CARRIERS.into_iter().enumerate() {
            for off in [-120.0, -60.0, 0.0, 37.0, 110.0] {
                let looks = looks(f64::from(carrier + off), 1_000.0, 0);
                for pair in looks.windows(2) {
                    let turn = bank.turn(i, &pair[0], &pair[1]);
                    let hz = turn.angle() / TAU as f32 * RATE / HOP as f32;
                    assert!((hz - off).abs() < 1.0, "{carrier} {off} {hz}");
                    let power = 2.0 * pair[0][i].norm() / response(off).powi(2);
                    assert!((power / 500_000.0 - 1.0).abs() < 0.05, "{carrier} {off} {power}");
                }
            }
        }
    }

    #[test]
    fn the_other_group_dial_tone_and_dc_are_30_db_lower() {
        for (hz, filters) in [(941.0, 2..4), (1209.0, 0..2), (440.0, 0..4), (50.0, 0..4)] {
            for look in looks(hz, 1_000.0, 1_000) {
                for i in filters.clone() {
                    let power = 2.0 * look[i].norm();
                    assert!(power < 500_000.0 * 0.0013, "{hz} {i} {power}");
                }
            }
        }
    }
}
