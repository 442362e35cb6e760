//! A resampler between the engine's clock and a sound device's.

use rubato::{Adjustable, Async, FixedAsync, Resampler as _};

use super::{HZ, MAX_PPM, ResampleError, Side, check_lengths, from_float, run, sinc, to_float};
use crate::frame::{Ptime, SampleRate};

/// Resamples between one tick of the engine and what a sound device has in that time.
///
/// The tick's side is fixed, the device's varies by a sample or so: before each call ask
/// [`DriftResampler::input_needed`]. The filter delays by 48 samples of the lower rate.
pub struct DriftResampler {
    side: Side,
    device_hz: u32,
    rate: SampleRate,
    sinc: Async<f32>,
    ppm: f64,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl DriftResampler {
    /// From a microphone to the engine: each call takes [`DriftResampler::input_needed`] samples
    /// of the device and gives one tick.
    ///
    /// # Errors
    /// [`ResampleError::RateOutOfRange`] when `device_hz` is not 8,000 to 192,000.
    pub fn capture(device_hz: u32, rate: SampleRate) -> Result<Self, ResampleError> {
        Self::new(Side::Capture, device_hz, rate)
    }

    /// From the engine to a loudspeaker: each call takes one tick and gives what the device plays
    /// in that time.
    ///
    /// # Errors
    /// [`ResampleError::RateOutOfRange`] when `device_hz` is not 8,000 to 192,000.
    pub fn playback(rate: SampleRate, device_hz: u32) -> Result<Self, ResampleError> {
        Self::new(Side::Playback, device_hz, rate)
    }

    fn new(side: Side, device_hz: u32, rate: SampleRate) -> Result<Self, ResampleError> {
        if !HZ.contains(&device_hz) {
            return Err(ResampleError::RateOutOfRange(device_hz));
        }
        let (from, to, fixed) = match side {
            Side::Capture => (device_hz, rate.hz(), FixedAsync::Output),
            Side::Playback => (rate.hz(), device_hz, FixedAsync::Input),
        };
        let play = 1.0 + 2.0 * MAX_PPM * 1e-6;
        let sinc = sinc(from.into(), to.into(), rate.samples_in(Ptime::TICK), play, fixed)
            .ok_or(ResampleError::Refused { from, to })?;
        let (input, output) = (sinc.input_frames_max(), sinc.output_frames_max());
        let (input, output) = (vec![0.0; input], vec![0.0; output]);
        Ok(DriftResampler { side, device_hz, rate, sinc, ppm: 0.0, input, output })
    }

    /// Says how much faster than nominal the device's clock is, in ppm of the engine's; beyond
    /// ±2,000 it is clamped, and what is no number counts as 0.
    ///
    /// The ratio glides there during the next call, so nothing clicks. It may change
    /// [`DriftResampler::input_needed`] by a sample.
    pub fn set_drift(&mut self, ppm: f64) {
        let ppm = if ppm.is_nan() { 0.0 } else { ppm.clamp(-MAX_PPM, MAX_PPM) };
        // A fast microphone gives more samples for the same tick, a fast loudspeaker wants more.
        let relative = match self.side {
            Side::Capture => 1.0 / (1.0 + ppm * 1e-6),
            Side::Playback => 1.0 + ppm * 1e-6,
        };
        if self.sinc.set_resample_ratio_relative(relative, true).is_ok() {
            self.ppm = ppm;
        }
    }

    /// The drift in force, in ppm.
    pub fn drift(&self) -> f64 {
        self.ppm
    }

    /// The device's nominal rate, in hertz.
    pub fn device_hz(&self) -> u32 {
        self.device_hz
    }

    /// Samples that the next call takes.
    pub fn input_needed(&self) -> usize {
        self.sinc.input_frames_next()
    }

    /// Samples that the next call gives.
    pub fn output_given(&self) -> usize {
        self.sinc.output_frames_next()
    }

    /// The most samples that a call may take.
    pub fn max_input(&self) -> usize {
        self.input.len()
    }

    /// The most samples that a call may give.
    pub fn max_output(&self) -> usize {
        self.output.len()
    }

    /// Resamples one tick and returns the samples written to `out`. Never allocates.
    ///
    /// # Errors
    /// When `input` is not [`DriftResampler::input_needed`] samples long, or `out` is too short
    /// for [`DriftResampler::output_given`]: nothing is changed then.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> Result<usize, ResampleError> {
        check_lengths(input, self.input_needed(), out, self.output_given())?;
        to_float(input, &mut self.input);
        let refused = ResampleError::Refused { from: self.device_hz, to: self.rate.hz() };
        let taken = self.input.get(..input.len()).ok_or(refused)?;
        let written = run(&mut self.sinc, taken, &mut self.output).ok_or(refused)?;
        from_float(&self.output[..written], out);
        Ok(written)
    }

    /// Forgets the past and the drift, as for a device that was opened anew.
    pub fn reset(&mut self) {
        self.sinc.reset();
        self.ppm = 0.0;
    }
}

impl std::fmt::Debug for DriftResampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let DriftResampler { side, device_hz, rate, ppm, .. } = self;
        write!(f, "DriftResampler({side:?}, {device_hz} Hz, {rate}, {ppm:.1} ppm)")
    }
}
