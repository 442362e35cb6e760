//! What one window of audio holds at the eight DTMF frequencies.
//!
//! A Hann window of 20 ms at 8 kHz: wide enough to tell the rows apart (its main lobe is ±100 Hz),
//! and 268 Hz away, where the other group begins, it sees less than a thousandth of a tone. So in
//! a window with one digit each group's strongest bin is one sine and nothing else, and three
//! things can be read off exactly: its power, its share of all the power, and, from the turn of
//! its phase since the window before, its frequency.
//!
//! The weights sum to 1, and phases are those at the middle of the window, so a tone that fills
//! only part of the window still has the phase of the whole.

use std::sync::LazyLock;

use super::digit::{HIGH_HZ, LOW_HZ};

/// Samples in a window: 20 ms at 8 kHz.
pub(super) const WINDOW: usize = 160;
/// Samples from one window to the next: 5 ms.
pub(super) const HOP: usize = 40;
/// The rate that all of it is for.
pub(super) const RATE: f32 = 8_000.0;

/// The window's weights, and for each sample the eight weighted cosines, then the eight sines.
pub(super) struct Basis {
    weights: [f32; WINDOW],
    turns: [[f32; 16]; WINDOW],
    /// For each frequency the turn of its phase in one hop, to be taken off.
    hop: [Phase; 8],
}

/// A complex number: a bin, or a turn of phase.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Phase {
    re: f32,
    im: f32,
}

/// One window's analysis.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Spectrum {
    bins: [Phase; 8],
    /// Weighted mean square of the samples, without their DC.
    pub(super) power: f32,
}

/// The strongest tone of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tone {
    /// Row or column, 0 to 3.
    pub(super) index: usize,
    /// Mean square, corrected for the tone's distance from the middle of its bin.
    pub(super) power: f32,
    /// How far the frequency is from nominal, as a fraction of it: 0.015 for 1.5 % above.
    pub(super) detune: f32,
}

/// The two groups of bins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Low,
    High,
}

impl Basis {
    /// The one basis of the process; computed on first use, which is in `Detector::new`.
    pub(super) fn shared() -> &'static Basis {
        static BASIS: LazyLock<Basis> = LazyLock::new(Basis::new);
        &BASIS
    }

    fn new() -> Basis {
        let per_sample = |bin: usize| std::f64::consts::TAU * hz(bin) / f64::from(RATE);
        let weight = |n: usize| {
            let t = (n as f64 + 0.5) / WINDOW as f64;
            (1.0 - (std::f64::consts::TAU * t).cos()) / WINDOW as f64
        };
        let middle = (WINDOW as f64 - 1.0) / 2.0;
        let turn = |n: usize, i: usize| {
            let angle = per_sample(i % 8) * (n as f64 - middle);
            (weight(n) * if i < 8 { angle.cos() } else { -angle.sin() }) as f32
        };
        Basis {
            weights: std::array::from_fn(|n| weight(n) as f32),
            turns: std::array::from_fn(|n| std::array::from_fn(|i| turn(n, i))),
            hop: std::array::from_fn(|bin| {
                let (sin, cos) = (per_sample(bin) * HOP as f64).sin_cos();
                Phase { re: cos as f32, im: -sin as f32 }
            }),
        }
    }

    /// Analyses one window. Sixteen sums side by side, which is four SIMD registers.
    pub(super) fn analyse(&self, window: &[f32; WINDOW]) -> Spectrum {
        let mut sums = [0.0f32; 16];
        let (mut mean, mut square) = (0.0f32, 0.0f32);
        for ((&x, &weight), turns) in window.iter().zip(&self.weights).zip(&self.turns) {
            for (sum, turn) in sums.iter_mut().zip(turns) {
                *sum += x * turn;
            }
            mean += x * weight;
            square += x * x * weight;
        }
        Spectrum {
            bins: std::array::from_fn(|bin| Phase { re: sums[bin], im: sums[bin + 8] }),
            power: square - mean * mean,
        }
    }

    /// The strongest tone of `group` in `now`, given the analysis of the window one hop `before`.
    pub(super) fn strongest(&self, group: Group, now: &Spectrum, before: &Spectrum) -> Tone {
        let first = if group == Group::Low { 0 } else { 4 };
        let louder =
            |a: usize, b: usize| if now.bins[b].norm() > now.bins[a].norm() { b } else { a };
        let bin = (first + 1..first + 4).fold(first, louder);
        let turn = now.bins[bin].times(before.bins[bin].conjugate()).times(self.hop[bin]);
        let off_hz = turn.angle() / std::f32::consts::TAU * RATE / HOP as f32;
        let response = hann_response(off_hz * WINDOW as f32 / RATE);
        Tone {
            index: bin - first,
            power: 2.0 * now.bins[bin].norm() / (response * response),
            detune: off_hz / hz(bin) as f32,
        }
    }
}

impl Spectrum {
    /// The share of the power at the strongest frequency of each group, uncorrected: 0 to 1.
    pub(super) fn rough_purity(&self) -> f32 {
        let peak = |bins: &[Phase]| bins.iter().map(|bin| bin.norm()).fold(0.0, f32::max);
        2.0 * (peak(&self.bins[..4]) + peak(&self.bins[4..])) / self.power.max(f32::MIN_POSITIVE)
    }
}

impl Phase {
    fn norm(self) -> f32 {
        self.re * self.re + self.im * self.im
    }

    fn conjugate(self) -> Phase {
        Phase { re: self.re, im: -self.im }
    }

    fn times(self, other: Phase) -> Phase {
        Phase {
            re: self.re * other.re - self.im * other.im,
            im: self.re * other.im + self.im * other.re,
        }
    }

    /// In radians, −π to π.
    fn angle(self) -> f32 {
        self.im.atan2(self.re)
    }
}

/// The frequency of a bin: the low group, then the high one.
fn hz(bin: usize) -> f64 {
    f64::from(if bin < 4 { LOW_HZ[bin] } else { HIGH_HZ[bin - 4] })
}

/// The response of the Hann window to a sine `x` bins away from the middle, for |x| up to 1: the
/// series of sin(πx) / (πx (1 − x²)).
fn hann_response(x: f32) -> f32 {
    let x2 = (x * x).min(1.0);
    1.0 - x2 * (0.6449 - x2 * (0.1668 - x2 * 0.0240))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sine(hz: f64, peak: f64, from: usize) -> [f32; WINDOW] {
        let turn = std::f64::consts::TAU * hz / f64::from(RATE);
        std::array::from_fn(|n| (peak * (turn * (from + n) as f64).sin()) as f32)
    }

    #[test]
    fn power_and_frequency_of_a_detuned_tone_are_read_off() {
        let basis = Basis::shared();
        for bin in 0..8 {
            for percent in [-3.0, -1.5, 0.0, 1.0, 2.0] {
                let at = hz(bin) * (1.0 + percent / 100.0);
                let before = basis.analyse(&sine(at, 1_000.0, 0));
                let now = basis.analyse(&sine(at, 1_000.0, HOP));
                let group = if bin < 4 { Group::Low } else { Group::High };
                let tone = basis.strongest(group, &now, &before);
                assert_eq!(tone.index, bin % 4);
                assert!((f64::from(tone.detune) * 100.0 - percent).abs() < 0.05, "{tone:?}");
                assert!((tone.power / 500_000.0 - 1.0).abs() < 0.02, "{percent} {tone:?}");
            }
        }
    }

    #[test]
    fn the_other_group_and_dc_are_not_seen() {
        let basis = Basis::shared();
        let mut window = sine(941.0, 1_000.0, 0);
        window.iter_mut().for_each(|x| *x += 5_000.0);
        let seen = basis.analyse(&window);
        assert!((seen.power / 500_000.0 - 1.0).abs() < 0.01);
        assert!(seen.bins[4..].iter().all(|bin| 2.0 * bin.norm() < 500_000.0 * 1e-5));
        assert!((seen.rough_purity() - 1.0).abs() < 0.01);
    }
}
