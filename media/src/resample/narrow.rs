//! Down to 8 kHz, from any rate of the engine, for those who listen: sample by sample, 1 ms late.

use super::fir::{dot, windowed_sinc};
use crate::frame::SampleRate;

/// Outputs that a filter is long: 2 ms. It is half of that behind.
const LENGTH: usize = 16;
/// The pass band ends here, in shares of half the lower rate: what would mirror into the band of the
/// tones is 60 dB lower.
const CUTOFF: f64 = 0.85;

/// Takes every second, third, fourth or sixth sample, after a filter.
#[derive(Clone)]
pub(crate) struct Narrow {
    /// Inputs for one output.
    factor: usize,
    weights: Box<[f32]>,
    /// The last inputs, twice, so that they can always be read in one piece.
    line: Box<[f32]>,
    at: usize,
    /// Inputs still to come before the next output.
    due: usize,
}

impl Narrow {
    /// From `rate`; `None` when it is 8 kHz already. Allocates.
    pub(crate) fn from(rate: SampleRate) -> Option<Self> {
        let factor = (rate.hz() / SampleRate::Hz8000.hz()) as usize;
        if factor == 1 {
            return None;
        }
        let taps = LENGTH * factor;
        let weight = |n: usize| {
            let x = (n as f64 + 0.5 - taps as f64 / 2.0) / factor as f64; // in outputs
            windowed_sinc(x, LENGTH as f64 / 2.0, CUTOFF)
        };
        let sum: f64 = (0..taps).map(weight).sum();
        Some(Narrow {
            factor,
            weights: (0..taps).map(|n| (weight(n) / sum) as f32).collect(),
            line: vec![0.0; 2 * taps].into(),
            at: 0,
            due: factor,
        })
    }

    /// One input; every so often there is an output.
    pub(crate) fn take(&mut self, sample: i16) -> Option<i16> {
        let taps = self.weights.len();
        let sample = f32::from(sample);
        (self.line[self.at], self.line[self.at + taps]) = (sample, sample);
        self.at = (self.at + 1) % taps;
        self.due -= 1;
        if self.due > 0 {
            return None;
        }
        self.due = self.factor;
        let newest = &self.line[self.at..self.at + taps];
        Some(dot(newest, &self.weights).round() as i16) // saturates
    }

    /// Inputs for one output.
    pub(crate) fn factor(&self) -> usize {
        self.factor
    }

    /// How far the output is behind, in inputs.
    pub(crate) fn delay(&self) -> usize {
        self.weights.len() / 2
    }
}
