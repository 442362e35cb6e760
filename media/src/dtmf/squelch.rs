//! Squelch: keys that come as tones are taken out of the sound.
//!
//! A key is known some 30 ms after it began, at most [`LATEST_MS`], and where it began and ended within
//! [`ONSET_MS`] and [`END_MS`]. So who lets the sound wait for [`SQUELCH_DELAY`] can take out the whole of
//! it, and who cannot wait only what is left. In the place of a key comes soft noise, as loud as that
//! of the line, and both edges are fades of [`FADE_MS`]. All other sound goes through bit by bit.

use std::time::Duration;

use super::DtmfEvent;
use crate::frame::SampleRate;

/// How keys that come as tones are kept from those who hear the sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Absorb {
    /// They are not.
    #[default]
    Off,
    /// From the moment on that they are known: what came before, some 30 ms, is heard. The sound is
    /// not delayed.
    Late,
    /// From their beginning to their end. The sound is [`SQUELCH_DELAY`] late.
    Whole,
}

/// By how much [`Absorb::Whole`] delays the sound: 50 ms, so much more than the latest report of a
/// key as its edge and a fade take.
pub const SQUELCH_DELAY: Duration = Duration::from_millis(DELAY_MS as u64);

const DELAY_MS: usize = 50;
/// A key whose sound was not lost in part is reported at the latest so long after it began.
const LATEST_MS: usize = 45;
/// How long before it was reported to begin a key may have begun.
const ONSET_MS: usize = 3;
/// How long after it was reported to end it may have ended: with noise about, its end is vague.
const END_MS: usize = 6;
/// How long the way is from the sound to the noise, and back.
const FADE_MS: usize = 2;
const _: () = assert!(DELAY_MS >= LATEST_MS + ONSET_MS + FADE_MS);

/// Keys that may be on their way through the delay, or have gone: more are taken for one.
const MOST: usize = 4;
/// The loudest noise in the place of a key, as a mean square: −45 dBov.
const LOUDEST: f32 = 34_000.0;
/// The line's noise is as loud as the softest of so many milliseconds, in the last half second or more.
const MOMENT_MS: usize = 10;
const HALF_MS: usize = 500;

/// Takes the keys out of one stream of sound. All its memory is taken in [`Squelch::new`].
#[derive(Debug)]
pub struct Squelch {
    wanted: Absorb,
    /// Whether keys are taken out: also a while after that is no longer wanted.
    active: bool,
    /// Whether what goes out is the delayed sound.
    delayed: bool,
    /// How much of the sound goes through: all is 1.
    open: f32,
    /// How many of `keys` there are; only the last may still be down.
    count: usize,
    per_ms: usize,
    /// Samples that were passed in.
    now: i64,
    keys: [Span; MOST],
    line_noise: LineNoise,
    noise: Noise,
    /// What waits; the oldest is at `oldest`.
    line: Box<[i16]>,
    oldest: usize,
}

/// What is not to be heard, by samples that were passed in.
#[derive(Clone, Copy, Debug)]
struct Span {
    from: i64,
    to: i64,
}

impl Squelch {
    /// For sound at `rate`, switched off. Allocates the delay's memory: 800 bytes at 8 kHz.
    pub fn new(rate: SampleRate) -> Self {
        let per_ms = rate.hz() as usize / 1_000;
        Squelch {
            wanted: Absorb::Off,
            active: false,
            delayed: false,
            open: 1.0,
            count: 0,
            per_ms,
            now: 0,
            keys: [Span { from: 0, to: 0 }; MOST],
            line_noise: LineNoise {
                sum: 0.0,
                samples: 0,
                age: 0,
                least: f32::MAX,
                before: f32::MAX,
            },
            noise: Noise { seed: 1, from: 0.0, to: 0.0, at: 0, factor: per_ms / 8 },
            line: vec![0; DELAY_MS * per_ms].into(),
            oldest: 0,
        }
    }

    /// What is to be taken out from here on. A change to or from [`Absorb::Whole`] is a cross-fade as
    /// long as what is passed next. It ends what it does after the key that is down.
    pub fn set(&mut self, absorb: Absorb) {
        self.wanted = absorb;
    }

    /// Whether the sound passes as it is, at once: it need not be [passed](Self::pass).
    pub fn is_idle(&self) -> bool {
        self.wanted == Absorb::Off && !self.active
    }

    /// Hears of a key in the sound that is to be passed next. `heard`: how many samples the detector
    /// had been fed before that.
    pub fn note(&mut self, event: &DtmfEvent, heard: u64) {
        let place = |at: u64| self.now.saturating_add(at.wrapping_sub(heard).cast_signed());
        let samples_in = |ms: usize| (ms * self.per_ms) as i64;
        let (before, after) = (samples_in(ONSET_MS + FADE_MS), samples_in(END_MS));
        match *event {
            DtmfEvent::Begin { at_sample, .. } => {
                let from = place(at_sample).saturating_sub(before);
                if self.count < MOST {
                    self.count += 1;
                    self.keys[self.count - 1].from = from;
                }
                self.keys[self.count - 1].to = i64::MAX;
            }
            DtmfEvent::End { at_sample, samples, .. } => {
                let to = place(at_sample.saturating_add(samples)).saturating_add(after);
                if let Some(key) = self.keys[..self.count].last_mut() {
                    key.to = to;
                }
                if self.is_idle() {
                    self.count = 0;
                }
            }
        }
    }

    /// Takes the keys out of the next `samples`, in place: with [`Absorb::Whole`] they come out
    /// [`SQUELCH_DELAY`] later. Never allocates.
    pub fn pass(&mut self, samples: &mut [i16]) {
        if self.is_idle() {
            return;
        }
        let later = (self.wanted == Absorb::Whole) != self.delayed;
        let mut rest = samples;
        if later && (!self.delayed || self.is_open()) {
            let (first, others) = rest.split_at_mut(rest.len().min(self.line.len()));
            self.change(first);
            rest = others;
        }
        for chunk in rest.chunks_mut(self.line.len()) {
            let mut from = self.now;
            self.now += chunk.len() as i64;
            if self.delayed {
                from -= self.line.len() as i64;
                self.swap(chunk);
            }
            self.close(chunk, from);
        }
        self.active = self.wanted != Absorb::Off || self.delayed || !self.is_open();
    }

    /// Whether there is no key in what is to go out, as far as is known.
    fn is_open(&self) -> bool {
        self.count == 0 && self.open == 1.0
    }

    /// From the sound as it comes to the delayed, or back.
    fn change(&mut self, samples: &mut [i16]) {
        let from = self.now;
        self.now += samples.len() as i64;
        let step = 1.0 / samples.len().max(1) as f32;
        self.delayed = !self.delayed;
        if !self.delayed {
            for (n, sample) in samples.iter_mut().enumerate() {
                let old = self.line[(self.oldest + n) % self.line.len()];
                *sample = blend(*sample, f32::from(old), (n + 1) as f32 * step);
            }
            self.line.fill(0);
            return;
        }
        // What fades out here fades in when it comes again.
        self.close(samples, from);
        for (n, sample) in samples.iter_mut().enumerate() {
            let again = blend(*sample, 0.0, (n + 1) as f32 * step);
            *sample -= again;
            self.line[(self.oldest + n) % self.line.len()] = again;
        }
        self.oldest = (self.oldest + samples.len()) % self.line.len();
    }

    /// These go into the line, those that have waited come out.
    fn swap(&mut self, samples: &mut [i16]) {
        let (first, again) = samples.split_at_mut(samples.len().min(self.line.len() - self.oldest));
        self.line[self.oldest..][..first.len()].swap_with_slice(first);
        self.line[..again.len()].swap_with_slice(again);
        self.oldest = (self.oldest + first.len() + again.len()) % self.line.len();
    }

    /// Puts noise in the place of the keys in these, of which the first has the place `from`.
    fn close(&mut self, samples: &mut [i16], from: i64) {
        let gone = self.keys[..self.count].iter().take_while(|key| key.to <= from).count();
        self.keys.copy_within(gone..self.count, 0);
        self.count -= gone;
        let keys = &self.keys[..self.count];
        let begun = |key: &Span| key.from < from + samples.len() as i64;
        if self.open == 1.0 && !keys.iter().any(begun) {
            return self.line_noise.hear(samples, self.per_ms);
        }
        self.line_noise.skip();
        let step = 1.0 / (FADE_MS * self.per_ms) as f32;
        let peak = (3.0 * self.line_noise.power().min(LOUDEST)).sqrt();
        for (sample, at) in samples.iter_mut().zip(from..) {
            let is_key = keys.iter().any(|key| (key.from..key.to).contains(&at));
            let step = if is_key { -step } else { step };
            self.open = (self.open + step).clamp(0.0, 1.0);
            *sample = blend(*sample, peak * self.noise.next(), self.open);
        }
    }
}

/// So much of the one sample, and the rest of another.
fn blend(sample: i16, other: f32, part: f32) -> i16 {
    let value = f32::from(sample) * part + other * (1.0 - part);
    (value + 0.5f32.copysign(value)) as i16
}

/// How loud the noise of a line is.
#[derive(Clone, Debug)]
struct LineNoise {
    /// Of this moment: the sum of squares, and of how many samples.
    sum: f32,
    samples: usize,
    /// Samples in this half second.
    age: usize,
    /// The mean square of the softest moment in it, and in the one before.
    least: f32,
    before: f32,
}

impl LineNoise {
    fn hear(&mut self, samples: &[i16], per_ms: usize) {
        self.sum += samples.iter().map(|&sample| f32::from(sample).powi(2)).sum::<f32>();
        self.samples += samples.len();
        if self.samples < MOMENT_MS * per_ms {
            return;
        }
        self.least = self.least.min(self.sum / self.samples as f32);
        self.age += self.samples;
        self.skip();
        if self.age >= HALF_MS * per_ms {
            (self.before, self.least, self.age) = (self.least, f32::MAX, 0);
        }
    }

    /// What comes is not of the line.
    fn skip(&mut self) {
        (self.sum, self.samples) = (0.0, 0);
    }

    /// Its mean square; none while nothing is known.
    fn power(&self) -> f32 {
        let least = self.least.min(self.before);
        if least == f32::MAX { 0.0 } else { least }
    }
}

/// Noise of a telephone's bandwidth, with a peak of 1: even, and straight lines between its values,
/// which come at 8 kHz.
#[derive(Clone, Debug)]
struct Noise {
    seed: u32,
    from: f32,
    to: f32,
    at: usize,
    factor: usize,
}

impl Noise {
    fn next(&mut self) -> f32 {
        if self.at == 0 {
            // Knuth's numbers; the upper bits are the random ones.
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            self.from = self.to;
            self.to = (self.seed >> 8) as f32 / (1 << 23) as f32 - 1.0;
        }
        let value = self.from + (self.to - self.from) * self.at as f32 / self.factor as f32;
        self.at = (self.at + 1) % self.factor;
        value
    }
}

#[cfg(test)]
mod tests;
