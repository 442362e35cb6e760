//! From any rate to the detector's, a millisecond at a time.

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Async, FixedAsync, Resampler, SincInterpolationParameters, SincInterpolationType,
    WindowFunction,
};
use stasis_media::frame::SampleRate;

/// Samples of the lower rate that its filter is long: 2 ms at 8 kHz, of which half is delay. What it
/// lets through of what is above half the rate ends up above the tones of digits.
const TAPS: f64 = 16.0;

/// A resampler that takes parts of one length.
pub struct Narrow {
    resampler: Async<f32>,
    input: Vec<f32>,
    output: Vec<f32>,
    samples: Vec<i16>,
}

impl Narrow {
    /// From `hz`, in parts of `part` samples. None when there is no way between the two rates.
    pub fn new(hz: u32, to: SampleRate, part: usize) -> Option<Self> {
        let ratio = f64::from(to.hz()) / f64::from(hz);
        let length = (TAPS * (1.0 / ratio).max(1.0) / 8.0).ceil() as usize * 8;
        let parameters = SincInterpolationParameters::new(length, WindowFunction::Hann2)
            .interpolation(SincInterpolationType::Linear);
        let resampler =
            Async::new_sinc(ratio, 1.0, &parameters, part, 1, FixedAsync::Input).ok()?;
        let output = vec![0.0; resampler.output_frames_max()];
        Some(Narrow { resampler, input: vec![0.0; part], output, samples: Vec::new() })
    }

    /// Samples by which what it gives is behind what it takes, at the detector's rate.
    pub fn delay(&self) -> usize {
        self.resampler.output_delay()
    }

    /// The next part; a shorter one, with silence behind it, is the last.
    pub fn next(&mut self, part: &[i16]) -> &[i16] {
        self.input.fill(0.0);
        for (to, &from) in self.input.iter_mut().zip(part) {
            *to = f32::from(from);
        }
        let written = self.run().unwrap_or(0); // the lengths are those that it asks for
        self.samples.clear();
        let output = self.output.get(..written).unwrap_or(&[]);
        self.samples.extend(output.iter().map(|sample| sample.round() as i16));
        &self.samples
    }

    /// What is still in the filter when all has been taken.
    pub fn rest(&mut self, on: &mut dyn FnMut(&[i16])) {
        let mut given = 0;
        while given < self.delay() {
            let part = self.next(&[]);
            given += part.len().max(1);
            on(part);
        }
    }

    fn run(&mut self) -> Option<usize> {
        let (taken, room) = (self.input.len(), self.output.len());
        let input = SequentialSlice::new(&self.input, 1, taken).ok()?;
        let mut output = SequentialSlice::new_mut(&mut self.output, 1, room).ok()?;
        self.resampler.process_into_buffer(&input, &mut output, None).ok().map(|(_, n)| n)
    }
}
