//! Upsampling in pieces of any length: from a codec's rate to its leg's.
//!
//! A leg has the highest rate of its codecs, so what comes by another one is to be brought up, packet
//! by packet, however long they are. That is a short filter between the samples that are there: one
//! set of weights for each place that an output can have between two inputs.

use super::fir::{dot, windowed_sinc};
use crate::frame::SampleRate;

/// Inputs that one output is made of.
const TAPS: usize = 32;
/// The pass band ends here, in shares of half the lower rate.
const CUTOFF: f64 = 0.94;

/// Brings samples from one engine rate up to a higher one. It is 16 inputs behind: 2 ms at 8 kHz.
///
/// The pass band reaches to 85 % of half the lower rate; what mirrors at it is 60 dB lower.
pub struct Upsampler {
    /// Outputs for so many inputs, in lowest terms.
    up: usize,
    down: usize,
    /// `TAPS` weights for each of `up` places.
    weights: Box<[f32]>,
    /// The last inputs, and room for a piece behind them.
    line: Box<[f32]>,
}

impl Upsampler {
    /// From `from` to `to`, in pieces of at most `longest` inputs. None when `to` is not higher.
    /// Allocates: not for the media thread.
    pub fn new(from: SampleRate, to: SampleRate, longest: usize) -> Option<Self> {
        if to <= from {
            return None;
        }
        // Hz of engine rates are multiples of 8,000: by 1, 2, 3, 4 and 6.
        let (mut up, mut down) = ((to.hz() / 8_000) as usize, (from.hz() / 8_000) as usize);
        while let Some(common) = [2, 3].into_iter().find(|n| up % n == 0 && down % n == 0) {
            (up, down) = (up / common, down / common);
        }
        Some(Upsampler {
            up,
            down,
            weights: weights(up),
            line: vec![0.0; TAPS - 1 + longest].into(),
        })
    }

    /// Converts `input`, which follows on the piece before, as far as `out` and the longest piece
    /// reach; returns the samples written. Never allocates.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        let input = &input[..input.len().min(self.line.len() - (TAPS - 1))];
        for (place, &sample) in self.line[TAPS - 1..].iter_mut().zip(input) {
            *place = f32::from(sample);
        }
        let written = (input.len() * self.up / self.down).min(out.len());
        for (n, sample) in out[..written].iter_mut().enumerate() {
            let (at, place) = (n * self.down / self.up, n * self.down % self.up);
            let weights = &self.weights[place * TAPS..][..TAPS];
            *sample = dot(&self.line[at..][..TAPS], weights) as i16;
        }
        self.line.copy_within(input.len()..input.len() + TAPS - 1, 0);
        written
    }
}

/// A sinc under a Blackman window, cut into the places between two inputs; each sums to one.
fn weights(up: usize) -> Box<[f32]> {
    let half = TAPS as f64 / 2.0;
    let weight = |place: usize, tap: usize| {
        // How far the input is from the output, in inputs. The first tap is the oldest.
        let x = tap as f64 - (half - 1.0) - place as f64 / up as f64;
        windowed_sinc(x, half, CUTOFF)
    };
    let mut all = Vec::with_capacity(up * TAPS);
    for place in 0..up {
        let sum: f64 = (0..TAPS).map(|tap| weight(place, tap)).sum();
        all.extend((0..TAPS).map(|tap| (weight(place, tap) / sum) as f32));
    }
    all.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEAK: f64 = 10_000.0;

    fn tone(hz: f64, rate: SampleRate, samples: usize) -> Vec<i16> {
        let turn = std::f64::consts::TAU * hz / f64::from(rate.hz());
        (0..samples).map(|n| ((n as f64 * turn).sin() * PEAK) as i16).collect()
    }

    /// The peak of the sine of `hz` in whole turns of it.
    fn peak(samples: &[i16], hz: f64, rate: SampleRate) -> f64 {
        let turn = std::f64::consts::TAU * hz / f64::from(rate.hz());
        let (re, im) = samples.iter().enumerate().fold((0.0, 0.0), |(re, im), (n, &sample)| {
            let (sin, cos) = (n as f64 * turn).sin_cos();
            (re + f64::from(sample) * cos, im + f64::from(sample) * sin)
        });
        2.0 * f64::hypot(re, im) / samples.len() as f64
    }

    fn pairs() -> impl Iterator<Item = (SampleRate, SampleRate)> {
        let higher = |from| SampleRate::ALL.into_iter().filter(move |&to| to > from);
        SampleRate::ALL.into_iter().flat_map(move |from| higher(from).map(move |to| (from, to)))
    }

    #[test]
    fn tones_keep_their_level_and_nothing_mirrors() {
        for (from, to) in pairs() {
            let half = f64::from(from.hz()) / 2.0;
            for share in [0.1, 0.5, 0.85] {
                let hz = (half * share / 100.0).round() * 100.0;
                let second = from.hz() as usize;
                let mut out = vec![0; to.hz() as usize];
                let mut upsampler = Upsampler::new(from, to, second).unwrap();
                assert_eq!(upsampler.process(&tone(hz, from, second), &mut out), out.len());
                let settled = &out[out.len() / 2..];
                let level = 20.0 * (peak(settled, hz, to) / PEAK).log10();
                assert!(level.abs() < 1.0, "{hz} Hz from {from} to {to}: {level:.2} dB");
                let image = f64::from(from.hz()) - hz;
                if image < f64::from(to.hz()) / 2.0 && share < 0.85 {
                    let level = 20.0 * (peak(settled, image, to) / PEAK).log10();
                    assert!(level < -60.0, "{image} Hz from {from} to {to}: {level:.2} dB");
                }
            }
        }
    }

    #[test]
    fn the_outcome_does_not_depend_on_the_pieces() {
        for (from, to) in pairs() {
            let input = tone(1_000.0, from, 960);
            let whole = {
                let mut out = vec![0; 960 * 6];
                let n = Upsampler::new(from, to, 960).unwrap().process(&input, &mut out);
                out.truncate(n);
                out
            };
            let mut upsampler = Upsampler::new(from, to, 960).unwrap();
            let mut pieces = Vec::<i16>::new();
            for piece in input.chunks(6 * 7) {
                let mut out = [0; 6 * 42];
                let n = upsampler.process(piece, &mut out);
                pieces.extend(&out[..n]);
            }
            assert_eq!(pieces, whole, "from {from} to {to}");
        }
    }

    #[test]
    fn there_is_no_way_down_and_pieces_too_long_are_cut() {
        for rate in SampleRate::ALL {
            assert!(Upsampler::new(rate, rate, 1).is_none());
            assert!(Upsampler::new(SampleRate::Hz48000, rate, 1).is_none());
        }
        let mut upsampler = Upsampler::new(SampleRate::Hz8000, SampleRate::Hz16000, 10).unwrap();
        assert_eq!(upsampler.process(&[i16::MIN; 500], &mut [0; 500]), 20);
        assert_eq!(upsampler.process(&[i16::MAX; 5], &mut [0; 3]), 3);
        assert_eq!(upsampler.process(&[], &mut [0; 3]), 0);
    }
}
