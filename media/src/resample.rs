//! Resampling: between the rates of legs and bridges, to and from sound devices, and whole files.
//!
//! Three needs, three tools, all on rubato. [`Resampler`] joins two engine rates, which share one
//! clock: a tick in, a tick out, by FFT. [`DriftResampler`] joins the engine and a sound device,
//! whose clock is its own: its ratio can be nudged while it runs, by what [`DriftControl`] makes
//! of the fill of the ring between them. [`resample_all`] converts a whole file at once. [`Upsampler`] and `Narrow` are short filters, for pieces of any length.
//!
//! `process` never allocates; everything is allocated in `new`.

mod control;
mod drift;
mod fir;
mod narrow;
mod upsample;

pub use control::{DriftControl, MAX_PPM, Side};
pub use drift::DriftResampler;
pub(crate) use fir::dot;
pub(crate) use narrow::Narrow;
pub use upsample::Upsampler;

use rubato::audioadapter_buffers::direct::SequentialSlice;
use rubato::{
    Async, Fft, FixedAsync, FixedSync, Resampler as _, SincInterpolationParameters, WindowFunction,
};

use crate::frame::{Ptime, SampleRate};

/// The rates that a device or a file may have, in hertz.
pub const HZ: std::ops::RangeInclusive<u32> = 8_000..=192_000;

/// Why audio could not be resampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResampleError {
    /// Set the device, or convert the file, to a rate within [`HZ`].
    #[error("{0} Hz is out of range: use 8000 to 192000 Hz")]
    RateOutOfRange(u32),
    /// Hand over exactly what `input_needed` or the tick asks for.
    #[error(
        "{given} samples were given and {needed} are needed: ask for the number before each call"
    )]
    InputLength {
        /// Samples needed.
        needed: usize,
        /// Samples given.
        given: usize,
    },
    /// Hand over a buffer of at least the longest output.
    #[error("a buffer of {given} samples was given and {needed} are needed")]
    OutputLength {
        /// Samples needed.
        needed: usize,
        /// Samples given.
        given: usize,
    },
    /// A limit of rubato's; a bug here, please report it.
    #[error("the resampler refused {from} Hz to {to} Hz: please report this as a bug")]
    Refused {
        /// Rate of the input.
        from: u32,
        /// Rate of the output.
        to: u32,
    },
}

/// Takes one tick (20 ms) at one engine rate and gives one tick at another.
///
/// Its delay is 10 ms, or none where the rates are equal. The pass band reaches to about 90 % of
/// the lower rate's half.
pub struct Resampler {
    from: SampleRate,
    to: SampleRate,
    /// None where the rates are equal.
    fft: Option<Fft<f32>>,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Resampler {
    /// A resampler from one rate to another. Plans its FFTs: not for the media thread.
    ///
    /// # Errors
    /// [`ResampleError::Refused`], which no pair of engine rates should give.
    pub fn new(from: SampleRate, to: SampleRate) -> Result<Self, ResampleError> {
        let (n, m) = (from.samples_in(Ptime::TICK), to.samples_in(Ptime::TICK));
        let fft = if from == to { None } else { Some(Self::fft(from, to)?) };
        Ok(Resampler { from, to, fft, input: vec![0.0; n], output: vec![0.0; m] })
    }

    fn fft(from: SampleRate, to: SampleRate) -> Result<Fft<f32>, ResampleError> {
        let (n, m) = (from.samples_in(Ptime::TICK), to.samples_in(Ptime::TICK));
        let (hz_in, hz_out) = (from.hz() as usize, to.hz() as usize);
        let window = WindowFunction::Hann2;
        let fft = Fft::new_custom(hz_in, hz_out, n, 1, 1, window, FixedSync::Both).ok();
        fft.filter(|fft| fft.input_frames_next() == n && fft.output_frames_next() == m)
            .ok_or(ResampleError::Refused { from: from.hz(), to: to.hz() })
    }

    /// The rate of the input.
    pub fn from(&self) -> SampleRate {
        self.from
    }

    /// The rate of the output.
    pub fn to(&self) -> SampleRate {
        self.to
    }

    /// Samples by which the output is behind the input, at the output's rate.
    pub fn delay(&self) -> usize {
        self.fft.as_ref().map_or(0, |fft| fft.output_delay())
    }

    /// Resamples one tick. Never allocates.
    ///
    /// # Errors
    /// When `input` is not one tick long, or `out` is shorter than one: nothing is changed then.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> Result<(), ResampleError> {
        check_lengths(input, self.input.len(), out, self.output.len())?;
        let Some(fft) = &mut self.fft else {
            out[..input.len()].copy_from_slice(input);
            return Ok(());
        };
        to_float(input, &mut self.input);
        let n = run(fft, &self.input, &mut self.output)
            .ok_or(ResampleError::Refused { from: self.from.hz(), to: self.to.hz() })?;
        from_float(&self.output[..n], out);
        Ok(())
    }

    /// Forgets the past, as for a new stream.
    pub fn reset(&mut self) {
        if let Some(fft) = &mut self.fft {
            fft.reset();
        }
    }
}

impl std::fmt::Debug for Resampler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Resampler({} to {})", self.from, self.to)
    }
}

/// Converts all of `samples` from any rate to one of the engine's, without delay: sample 0 stays
/// sample 0, and the length is `samples.len() · to / from`, rounded up. Allocates; for loading.
///
/// # Errors
/// [`ResampleError::RateOutOfRange`] when `from_hz` is not within [`HZ`].
pub fn resample_all(
    samples: &[i16],
    from_hz: u32,
    to: SampleRate,
) -> Result<Vec<i16>, ResampleError> {
    if !HZ.contains(&from_hz) {
        return Err(ResampleError::RateOutOfRange(from_hz));
    }
    if from_hz == to.hz() || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let refused = ResampleError::Refused { from: from_hz, to: to.hz() };
    let mut input = vec![0.0; samples.len()];
    to_float(samples, &mut input);
    let mut resampler = whole_file(from_hz, to).ok_or(refused)?;
    let adapter = SequentialSlice::new(&input, 1, input.len()).map_err(|_| refused)?;
    let output = resampler.process_all(&adapter, input.len(), None).map_err(|_| refused)?;
    let length = (samples.len() as u64 * u64::from(to.hz())).div_ceil(u64::from(from_hz)) as usize;
    let mut out = vec![0; length];
    from_float(&output.take_data(), &mut out);
    Ok(out)
}

/// An FFT where the ratio is one of small numbers (44,100 to 48,000 is 147 to 160), else a sinc.
fn whole_file(from_hz: u32, to: SampleRate) -> Option<Box<dyn rubato::Resampler<f32>>> {
    let (mut gcd, mut rest) = (to.hz(), from_hz);
    while rest != 0 {
        (gcd, rest) = (rest, gcd % rest);
    }
    let (from, to) = (from_hz as usize, to.hz() as usize);
    if from_hz / gcd <= 2_000 {
        Some(Box::new(Fft::new(from, to, 2_048, 1, FixedSync::Both).ok()?))
    } else {
        Some(Box::new(sinc(from as f64, to as f64, 2_048, 1.0, FixedAsync::Input)?))
    }
}

/// A sinc resampler, whose ratio may change by the factor `play`. Its filter covers the same time
/// at any ratio: when the rate falls it must be longer in samples to be as steep.
fn sinc(from: f64, to: f64, chunk: usize, play: f64, fixed: FixedAsync) -> Option<Async<f32>> {
    let length = (96.0 * (from / to).max(1.0) / 8.0).ceil() as usize * 8;
    let parameters = SincInterpolationParameters::new(length, WindowFunction::Hann2);
    Async::new_sinc(to / from, play, &parameters, chunk, 1, fixed).ok()
}

/// Runs one chunk; the number of samples written, or none when rubato refuses the lengths, which
/// the callers have checked.
fn run(
    resampler: &mut dyn rubato::Resampler<f32>,
    input: &[f32],
    output: &mut [f32],
) -> Option<usize> {
    let room = output.len();
    let input = SequentialSlice::new(input, 1, input.len()).ok()?;
    let mut output = SequentialSlice::new_mut(output, 1, room).ok()?;
    resampler.process_into_buffer(&input, &mut output, None).ok().map(|(_, written)| written)
}

fn check_lengths(
    input: &[i16],
    needed: usize,
    out: &[i16],
    produced: usize,
) -> Result<(), ResampleError> {
    if input.len() != needed {
        return Err(ResampleError::InputLength { needed, given: input.len() });
    }
    if out.len() < produced {
        return Err(ResampleError::OutputLength { needed: produced, given: out.len() });
    }
    Ok(())
}

fn to_float(from: &[i16], to: &mut [f32]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = f32::from(from);
    }
}

/// Rounds; overshoot of the filter saturates.
fn from_float(from: &[f32], to: &mut [i16]) {
    for (to, &from) in to.iter_mut().zip(from) {
        *to = from.round() as i16;
    }
}

#[cfg(test)]
mod tests;
