//! The front end: four complex filters that turn 4 ms of audio into one look at each group.
//!
//! Each filter is a Hann window of 8 ms on a carrier, two to a group, so that every DTMF frequency
//! is within 80 Hz of one. A window is 4 ms ahead of the last. 8 ms see the other group 30 dB
//! lower, and see the edges of a tone within a millisecond or two; how fine its frequency is told
//! does not depend on the window but on how far its phase turns from look to look.
//!
//! A look's phase is that at the middle of its window, less the turn of the carrier. About that
//! middle cosines are even and sines odd, so the samples at the same distance from it are added, and
//! subtracted, before they are weighted: half the work.

use std::f64::consts::TAU;
use std::sync::LazyLock;

use realfft::num_complex::Complex32;

/// The rate that all of it is for.
pub(super) const RATE: f32 = 8_000.0;
/// Samples from one look to the next, 4 ms; a window is two of them.
pub(super) const HOP: usize = 32;

/// The carriers, in hertz: two of the low group and two of the high one.
pub(super) const CARRIERS: [f32; 4] = [733.5, 896.5, 1272.5, 1555.0];

/// What the four filters see: the amplitude of a sine of peak 1 is one half.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Look {
    re: [f32; 4],
    im: [f32; 4],
}

impl Look {
    /// What filter `i` sees.
    pub(super) fn at(&self, i: usize) -> Complex32 {
        Complex32::new(self.re[i], self.im[i])
    }

    /// How much of it each filter sees: a quarter of the square of a sine's peak.
    pub(super) fn norms(&self) -> [f32; 4] {
        std::array::from_fn(|i| self.at(i).norm_sqr())
    }
}

/// The filters' weights: shared by all detectors.
pub(super) struct Bank {
    /// What this processor can add and multiply side by side.
    arch: pulp::Arch,
    /// For each distance from the middle of the window the four cosines, and the four sines.
    even: [[f32; 4]; HOP],
    odd: [[f32; 4]; HOP],
    /// What each carrier turns by in one hop, backwards.
    turns: [Complex32; 4],
}

impl Bank {
    /// The one bank of the process; computed on first use, which is in `Detector::new`.
    pub(super) fn shared() -> &'static Bank {
        static BANK: LazyLock<Bank> = LazyLock::new(Bank::new);
        &BANK
    }

    fn new() -> Bank {
        let hann = |m: usize| {
            let angle = TAU * (m as f64 + 0.5) / (2 * HOP) as f64;
            (1.0 + angle.cos()) / (2 * HOP) as f64
        };
        let angle = |m: usize, i: usize| TAU * f64::from(CARRIERS[i] / RATE) * (m as f64 + 0.5);
        let row = |weight: &dyn Fn(usize, usize) -> f64| {
            std::array::from_fn(|m| std::array::from_fn(|i| (hann(m) * weight(m, i)) as f32))
        };
        Bank {
            arch: pulp::Arch::new(),
            even: row(&|m, i| angle(m, i).cos()),
            odd: row(&|m, i| -angle(m, i).sin()),
            turns: CARRIERS.map(|hz| {
                let (sin, cos) = (TAU * f64::from(hz / RATE) * HOP as f64).sin_cos();
                Complex32::new(cos as f32, -sin as f32)
            }),
        }
    }

    /// The look whose window is two hops. The same on every processor, to the bit.
    pub(super) fn look(&self, before: &[i16; HOP], now: &[i16; HOP]) -> Look {
        self.arch.dispatch(Filter { bank: self, before, now })
    }

    /// How far the phase of carrier `i` turned between two looks, one hop apart, times both
    /// amplitudes: by nothing for a sine at the carrier.
    pub(super) fn turn(&self, i: usize, before: &Look, now: &Look) -> Complex32 {
        now.at(i) * before.at(i).conj() * self.turns[i]
    }

    /// The same, for looks that are two hops apart.
    pub(super) fn double_turn(&self, i: usize, before: &Look, now: &Look) -> Complex32 {
        self.turn(i, before, now) * self.turns[i]
    }

    /// What carrier `i` turns by in one hop, backwards.
    pub(super) fn carrier_turn(&self, i: usize) -> Complex32 {
        self.turns[i]
    }
}

/// The filters at work on two hops: compiled for every kind of processor.
struct Filter<'a> {
    bank: &'a Bank,
    before: &'a [i16; HOP],
    now: &'a [i16; HOP],
}

impl pulp::WithSimd for Filter<'_> {
    type Output = Look;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> Look {
        let Filter { bank, before, now } = self;
        let sums = from_middle(before, now, |before, now| now + before);
        let differences = from_middle(before, now, |before, now| now - before);
        Look { re: weigh(&sums, &bank.even), im: weigh(&differences, &bank.odd) }
    }
}

/// Puts together the samples at each distance from the middle.
#[inline(always)]
fn from_middle(
    before: &[i16; HOP],
    now: &[i16; HOP],
    with: impl Fn(i32, i32) -> i32,
) -> [f32; HOP] {
    std::array::from_fn(|m| with(i32::from(before[HOP - 1 - m]), i32::from(now[m])) as f32)
}

/// The sum of all samples, each by its weights. In four sums, so that an addition need not wait for
/// the one before.
#[inline(always)]
fn weigh(samples: &[f32; HOP], weights: &[[f32; 4]; HOP]) -> [f32; 4] {
    let mut sums = [0.0f32; 16];
    for (samples, weights) in samples.as_chunks::<4>().0.iter().zip(weights.as_chunks::<4>().0) {
        for (n, sum) in sums.iter_mut().enumerate() {
            *sum += samples[n / 4] * weights[n / 4][n % 4];
        }
    }
    std::array::from_fn(|i| (sums[i] + sums[i + 4]) + (sums[i + 8] + sums[i + 12]))
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
        let sample = |n: usize| (peak * (TAU * hz / 8_000.0 * n as f64).sin()) as i16 + dc;
        let hop = |k: usize| std::array::from_fn(|n| sample(k * HOP + n));
        (0..10).map(|k| bank.look(&hop(k), &hop(k + 1))).collect()
    }

    #[test]
    fn power_and_frequency_of_a_sine_are_read_off_within_125_hz_of_a_carrier() {
        let bank = Bank::shared();
        for (i, carrier) in CARRIERS.into_iter().enumerate() {
            for off in [-120.0, -60.0, 0.0, 37.0, 110.0] {
                let looks = looks(f64::from(carrier + off), 1_000.0, 0);
                for pair in looks.windows(2) {
                    let turn = bank.turn(i, &pair[0], &pair[1]);
                    let hz = turn.arg() / TAU as f32 * RATE / HOP as f32;
                    assert!((hz - off).abs() < 1.0, "{carrier} {off} {hz}");
                    let power = 2.0 * pair[0].at(i).norm_sqr() / response(off).powi(2);
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
                    let power = 2.0 * look.at(i).norm_sqr();
                    assert!(power < 500_000.0 * 0.0013, "{hz} {i} {power}");
                }
            }
        }
    }
}
