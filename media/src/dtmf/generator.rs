//! The in-band generator: one digit as two sines, at any rate, frame by frame.
//!
//! Each sine is a phasor turned by a fixed angle per sample: two multiplications and no call to
//! `sin`. Both edges are ramped over 2 ms (half a cosine), so that a digit begins and ends
//! without a click, and without spectrum that a detector would have to see through.

use super::Digit;
use crate::frame::SampleRate;

/// A level in dBm0: decibels against the reference level of a telephone line.
///
/// The convention is G.711's for µ-law (section 4): a sine that just fills the 16 bits is at
/// +3.17 dBm0, so 0 dBm0 has a peak of about 22,750. Two tones of more than −2.9 dBm0 each add up
/// to more than 16 bits now and then, and are clipped there.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Dbm0(pub f32);

impl Dbm0 {
    /// The level of a sine whose peak is the largest 16-bit sample (G.711, µ-law).
    pub const FULL_SCALE: Dbm0 = Dbm0(3.17);

    /// The peak of a sine at this level, in 16-bit units.
    pub fn peak(self) -> f32 {
        f32::from(i16::MAX) * 10f32.powf((self.0 - Self::FULL_SCALE.0) / 20.0)
    }

    /// The level of a sine of this peak, in 16-bit units; below −150 dBm0 for none at all.
    pub fn of_peak(peak: f32) -> Dbm0 {
        let full = peak.max(1e-3) / f32::from(i16::MAX);
        Dbm0(20.0 * full.log10() + Self::FULL_SCALE.0)
    }
}

/// How long each edge takes, in milliseconds.
const RAMP_MS: u32 = 2;

/// Sings one digit: both tones, for a given time.
#[derive(Clone, Debug)]
pub struct ToneGenerator {
    tones: [Phasor; 2],
    /// The rising edge; the falling one is its mirror. As long as the 48 kHz rate needs.
    ramp: [f32; 96],
    ramp_samples: u32,
    at: u32,
    samples: u32,
}

impl ToneGenerator {
    /// The level of each tone where nothing else is asked for: −9 dBm0 low, and the high one 2 dB
    /// above it, since lines lose more of high frequencies.
    pub const LEVELS: (Dbm0, Dbm0) = (Dbm0(-9.0), Dbm0(-7.0));

    /// `digit` for `duration_ms` at `rate` and the usual levels, edges included.
    pub fn new(digit: Digit, rate: SampleRate, duration_ms: u32) -> Self {
        Self::with_levels(digit, rate, duration_ms, Self::LEVELS.0, Self::LEVELS.1)
    }

    /// `digit` for `duration_ms` at `rate`, with a level for each tone.
    ///
    /// The two levels' difference is the twist. Durations beyond a day are cut to a day.
    pub fn with_levels(
        digit: Digit,
        rate: SampleRate,
        duration_ms: u32,
        low: Dbm0,
        high: Dbm0,
    ) -> Self {
        let per_ms = rate.hz() / 1_000;
        let samples = duration_ms.min(86_400_000).saturating_mul(per_ms);
        let ramp_samples = (RAMP_MS * per_ms).min(samples / 2);
        let ramp = std::array::from_fn(|i| {
            let t = (i as f32 + 0.5) / ramp_samples.max(1) as f32;
            0.5 - 0.5 * (std::f32::consts::PI * t).cos()
        });
        let tones = [
            Phasor::new(digit.low_hz(), rate, low.peak()),
            Phasor::new(digit.high_hz(), rate, high.peak()),
        ];
        ToneGenerator { tones, ramp, ramp_samples, at: 0, samples }
    }

    /// Writes what comes next to `out`, and returns how many samples of it are tone: less than its
    /// length once the digit is over. The rest is silence. Never allocates.
    pub fn fill(&mut self, out: &mut [i16]) -> usize {
        let n = out.len().min(self.remaining());
        let (tone, silence) = out.split_at_mut(n);
        for sample in tone {
            let [low, high] = &mut self.tones;
            let value = (low.next() + high.next()) * self.envelope();
            *sample = value.round() as i16; // saturates
            self.at += 1;
        }
        silence.fill(0);
        n
    }

    /// Samples still to come.
    pub fn remaining(&self) -> usize {
        (self.samples - self.at) as usize
    }

    /// Whether all of the digit has been written.
    pub fn is_done(&self) -> bool {
        self.remaining() == 0
    }

    /// The gain of the next sample.
    fn envelope(&self) -> f32 {
        let to_edge = self.at.min(self.samples - 1 - self.at);
        if to_edge < self.ramp_samples {
            self.ramp.get(to_edge as usize).copied().unwrap_or(1.0)
        } else {
            1.0
        }
    }
}

/// A sine: a point on a circle, turned by one angle per sample. In `f64`, whose rounding moves the
/// radius by less than a millionth in a day.
#[derive(Clone, Debug)]
struct Phasor {
    cos: f64,
    sin: f64,
    turn_cos: f64,
    turn_sin: f64,
}

impl Phasor {
    fn new(hz: f32, rate: SampleRate, peak: f32) -> Self {
        let angle = std::f64::consts::TAU * f64::from(hz) / f64::from(rate.hz());
        let (turn_sin, turn_cos) = angle.sin_cos();
        Phasor { cos: f64::from(peak), sin: 0.0, turn_cos, turn_sin }
    }

    fn next(&mut self) -> f32 {
        let value = self.sin;
        (self.cos, self.sin) = (
            self.cos * self.turn_cos - self.sin * self.turn_sin,
            self.cos * self.turn_sin + self.sin * self.turn_cos,
        );
        value as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of a generator, in chunks of `chunk` samples.
    fn sing(mut tone: ToneGenerator, chunk: usize) -> Vec<i16> {
        let mut all = Vec::new();
        let mut out = vec![1; chunk];
        loop {
            let n = tone.fill(&mut out);
            all.extend_from_slice(&out[..n]);
            assert!(out[n..].iter().all(|&s| s == 0), "silence follows the digit");
            if n < chunk {
                assert!(tone.is_done());
                return all;
            }
        }
    }

    /// The peak of the sine of `hz` in `samples`, by correlation.
    fn peak_at(samples: &[i16], hz: f32, rate: SampleRate) -> f32 {
        let turn = std::f64::consts::TAU * f64::from(hz) / f64::from(rate.hz());
        let (mut re, mut im) = (0.0, 0.0);
        for (i, &s) in samples.iter().enumerate() {
            re += f64::from(s) * (turn * i as f64).cos();
            im += f64::from(s) * (turn * i as f64).sin();
        }
        (2.0 * re.hypot(im) / samples.len() as f64) as f32
    }

    #[test]
    fn each_tone_has_its_frequency_and_level_at_every_rate() {
        for rate in SampleRate::ALL {
            for digit in Digit::ALL {
                let tone = ToneGenerator::with_levels(digit, rate, 1_000, Dbm0(-10.0), Dbm0(-6.0));
                let samples = sing(tone, 160);
                let low = Dbm0::of_peak(peak_at(&samples, digit.low_hz(), rate));
                let high = Dbm0::of_peak(peak_at(&samples, digit.high_hz(), rate));
                assert!((low.0 + 10.0).abs() < 0.1, "{digit} {rate} {low:?}");
                assert!((high.0 + 6.0).abs() < 0.1, "{digit} {rate} {high:?}");
            }
        }
    }

    #[test]
    fn a_full_scale_sine_is_at_3_17_dbm0() {
        assert_eq!(Dbm0::FULL_SCALE.peak(), 32_767.0);
        assert!((Dbm0(0.0).peak() - 22_750.0).abs() < 10.0);
        assert!((Dbm0::of_peak(Dbm0(-25.0).peak()).0 + 25.0).abs() < 1e-4);
        assert!(Dbm0::of_peak(0.0).0 < -140.0);
    }

    #[test]
    fn chunks_of_any_size_make_the_same_digit_of_exact_length() {
        let digit = Digit::ALL[5];
        let tone = ToneGenerator::new(digit, SampleRate::Hz8000, 73);
        let whole = sing(tone.clone(), 10_000);
        assert_eq!(whole.len(), 584);
        for chunk in [1, 7, 80, 160, 584, 585] {
            assert_eq!(sing(tone.clone(), chunk), whole, "chunk {chunk}");
        }
    }

    #[test]
    fn the_edges_are_free_of_clicks() {
        for rate in SampleRate::ALL {
            let samples = sing(
                ToneGenerator::with_levels(Digit::ALL[13], rate, 50, Dbm0(-3.0), Dbm0(-3.0)),
                80,
            );
            let loudest = samples.iter().map(|s| s.unsigned_abs()).max().unwrap();
            let quarter_ms = rate.hz() as usize / 4_000;
            let edges = samples[..quarter_ms].iter().chain(&samples[samples.len() - quarter_ms..]);
            let at_edges = edges.map(|s| s.unsigned_abs()).max().unwrap();
            assert!(at_edges < loudest / 20, "{rate}: {at_edges} of {loudest}");
        }
    }

    #[test]
    fn loud_tones_clip_and_no_time_at_all_is_silence() {
        let loud = sing(
            ToneGenerator::with_levels(
                Digit::ALL[1],
                SampleRate::Hz8000,
                100,
                Dbm0(3.0),
                Dbm0(3.0),
            ),
            160,
        );
        assert_eq!(loud.iter().max(), Some(&i16::MAX));
        for ms in 0..5 {
            let tone = ToneGenerator::new(Digit::ALL[1], SampleRate::Hz8000, ms);
            assert_eq!(sing(tone, 160).len(), ms as usize * 8);
        }
    }

    #[test]
    fn an_hour_later_the_level_is_the_same() {
        let mut tone = ToneGenerator::new(Digit::ALL[7], SampleRate::Hz8000, 3_600_000);
        let mut out = vec![0; 8_000];
        let mut first = None;
        for _ in 0..3_599 {
            tone.fill(&mut out);
            first.get_or_insert(peak_at(&out[16..], Digit::ALL[7].low_hz(), SampleRate::Hz8000));
        }
        let last = peak_at(&out[16..], Digit::ALL[7].low_hz(), SampleRate::Hz8000);
        assert!((last - first.unwrap()).abs() < 10.0);
    }
}
