//! What else there is: the spectrum of the 32 ms in which a pair of tones was heard.
//!
//! A Hann window over all of it, so that a tone keeps to 62 Hz on either side, and everything else
//! can be told apart: other harmonics of a voice, a third tone, noise, a dial tone below.

use std::sync::{Arc, LazyLock};

use realfft::num_complex::Complex;
use realfft::{RealFftPlanner, RealToComplex};

use super::bank::{HOP, RATE};
use super::tone::Pair;

/// The most hops that are looked at, and the fewest.
pub(super) const HOPS: usize = 8;
pub(super) const FEWEST_HOPS: usize = 4;
/// Samples of the transform.
pub(super) const LENGTH: usize = HOPS * HOP;
const BINS: usize = LENGTH / 2 + 1;
/// Room for the transform's work.
const SCRATCH: usize = 2 * LENGTH;

/// Hertz from bin to bin.
const BIN_HZ: f32 = RATE / LENGTH as f32;
/// What is near enough to a tone to be its own, in main lobes of the window.
const OWN: f32 = 1.1;
/// Where voices have their strongest harmonics, and noise but a third of its power.
const MIDDLE_HZ: std::ops::RangeInclusive<f32> = 187.0..=1_907.0;
/// Where the dial tones of all countries are (ITU-T E.180: 350 to 450 Hz), with their lobes.
const DIAL_HZ: std::ops::RangeInclusive<f32> = 280.0..=505.0;

/// The transform and its windows: shared by all detectors.
pub(super) struct Analyser {
    transform: Arc<dyn RealToComplex<f32>>,
    /// For each number of hops the window, scaled so that the bins of a sine sum to its mean
    /// square.
    windows: [Box<[f32]>; HOPS - FEWEST_HOPS + 1],
}

/// Power, bin by bin.
pub(super) struct Spectrum {
    power: [f32; BINS],
    /// Half of a main lobe, in bins.
    lobe: f32,
}

/// What there is beside two tones; all as mean squares.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Surroundings {
    /// The tones themselves.
    pub(super) low: f32,
    pub(super) high: f32,
    /// Everything else from 190 to 1,900 Hz but a dial tone.
    pub(super) middle: f32,
    /// The strongest third tone in there.
    pub(super) third: f32,
    /// Where dial tones are.
    pub(super) dial: f32,
    /// At twice each frequency, where the other tone is not.
    pub(super) second_low: f32,
    pub(super) second_high: f32,
}

impl Surroundings {
    /// Silence.
    pub(super) const NOTHING: Surroundings = Surroundings {
        low: 0.0,
        high: 0.0,
        middle: 0.0,
        third: 0.0,
        dial: 0.0,
        second_low: 0.0,
        second_high: 0.0,
    };
}

impl Analyser {
    /// The one analyser of the process; made on first use, which is in `Detector::new`.
    pub(super) fn shared() -> &'static Analyser {
        static ANALYSER: LazyLock<Analyser> = LazyLock::new(Analyser::new);
        &ANALYSER
    }

    fn new() -> Analyser {
        let transform = RealFftPlanner::new().plan_fft_forward(LENGTH);
        assert!(transform.get_scratch_len() <= SCRATCH, "room for the transform's work");
        let window = |hops: usize| -> Box<[f32]> {
            let samples = hops * HOP;
            let turn = std::f64::consts::TAU / samples as f64;
            let hann = |n: usize| 0.5 - 0.5 * (turn * (n as f64 + 0.5)).cos();
            // By Parseval: the squares of a Hann window sum to 3/8 of its length.
            let scale = (2.0 / (LENGTH as f64 * samples as f64 * 0.375)).sqrt();
            (0..samples).map(|n| (hann(n) * scale) as f32).collect()
        };
        Analyser { transform, windows: std::array::from_fn(|i| window(i + FEWEST_HOPS)) }
    }

    /// The spectrum of `samples`, as many as 4 to 8 hops have. `None` for any other number.
    pub(super) fn analyse(&self, samples: &[f32]) -> Option<Spectrum> {
        let window = self.windows.iter().find(|window| window.len() == samples.len())?;
        let mut input = [0.0f32; LENGTH];
        for ((to, x), weight) in input.iter_mut().zip(samples).zip(window) {
            *to = x * weight;
        }
        let mut bins = [Complex::new(0.0f32, 0.0); BINS];
        let mut scratch = [Complex::new(0.0f32, 0.0); SCRATCH];
        let scratch = &mut scratch[..self.transform.get_scratch_len()];
        self.transform.process_with_scratch(&mut input, &mut bins, scratch).ok()?;
        let power = bins.map(|bin| bin.norm_sqr());
        Some(Spectrum { power, lobe: 2.0 * LENGTH as f32 / samples.len() as f32 })
    }
}

impl Spectrum {
    /// What there is beside the tones of `pair`.
    pub(super) fn around(&self, pair: &Pair) -> Surroundings {
        let (low, high) = (pair.low.hz / BIN_HZ, pair.high.hz / BIN_HZ);
        let reach = OWN * self.lobe;
        let mut rest = self.power;
        let mut take = |from: f32, to: f32| {
            let bins = &mut rest[bins(from, to)];
            let power = sum(bins);
            bins.fill(0.0);
            power
        };
        let own = [take(low - reach, low + reach), take(high - reach, high + reach)];
        let dial = take(DIAL_HZ.start() / BIN_HZ, DIAL_HZ.end() / BIN_HZ);
        let middle = bins(MIDDLE_HZ.start() / BIN_HZ, MIDDLE_HZ.end() / BIN_HZ);
        let lower = &rest[middle];
        let apart = (2.0 * low - high).abs() > 2.0 * reach;
        Surroundings {
            low: own[0],
            high: own[1],
            middle: sum(lower),
            third: lower.windows(3).map(|three| three[0] + three[1] + three[2]).fold(0.0, f32::max),
            dial,
            second_low: if apart { self.near(2.0 * low) } else { 0.0 },
            second_high: self.near(2.0 * high),
        }
    }

    /// The power of a tone at this bin.
    fn near(&self, at: f32) -> f32 {
        sum(&self.power[bins(at - self.lobe, at + self.lobe)])
    }
}

/// The bins from one place to another, as far as there are any.
fn bins(from: f32, to: f32) -> std::ops::Range<usize> {
    let to = ((to.floor() + 1.0).max(0.0) as usize).min(BINS);
    (from.ceil().max(0.0) as usize).min(to)..to
}

/// In four sums, so that an addition need not wait for the one before.
fn sum(power: &[f32]) -> f32 {
    let (fours, rest) = power.as_chunks::<4>();
    let mut sums = [0.0f32; 4];
    for four in fours {
        (0..4).for_each(|i| sums[i] += four[i]);
    }
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest.iter().sum::<f32>()
}
