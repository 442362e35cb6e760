//! What one window says about a digit, and what windows in a row say together.
//!
//! The tests are Q.24's parameters, one constant each: purity (nothing else is there), level,
//! twist, frequency. Each is a ratio of powers, so no logarithm is taken. Over the windows of a
//! digit that is about to begin come two of steadiness, which speech fails: the power of each tone
//! may not jump, nor its frequency wander.

use super::Digit;
use super::generator::Dbm0;
use super::spectrum::{Basis, Group, Spectrum, Tone};

/// The share of a window's power that must be in the two tones: in one window, on the average of
/// those that begin a digit, and in one that goes on. With noise 10 dB below it is 0.91.
const PURITY: f32 = 0.72;
const MEAN_PURITY: f32 = 0.88;
const PURITY_HELD: f32 = 0.5;
/// Each tone must be this loud. Q.24 asks for −25 dBm0; the rest is for lossy lines.
const MIN_LEVEL: Dbm0 = Dbm0(-35.0);
/// How much louder one tone may be, as a ratio of powers over the windows that begin a digit.
/// Normal twist has the low tone louder: Q.24 (AT&T) asks for 8 dB. Reverse twist has the high
/// one: 4 dB. Each has 1 dB of head-room, and one window a little more.
const NORMAL_TWIST: f32 = 7.94; // 9 dB
const REVERSE_TWIST: f32 = 3.16; // 5 dB
const TWIST_MARGIN: f32 = 1.41; // 1.5 dB
/// How far a tone may be from its nominal frequency, in one window, on the average of those that
/// begin a digit, and in one that goes on. Q.24: 1.5 % must pass, 3.5 % must not.
const DETUNE: f32 = 0.032;
const MEAN_DETUNE: f32 = 0.021;
const DETUNE_HELD: f32 = 0.045;
/// How much the two detunes may differ, on that average. Q.24's 1.5 % both ways make 3 %; at 3.7 %
/// the tones of `*` are the third and fourth harmonic of a high voice.
const MEAN_SKEW: f32 = 0.034;
/// How far apart the frequencies measured for one beginning digit may be.
const WANDER: f32 = 0.018;
/// How much the power of a tone may change from one window to the next: 5 dB.
const STEP: f32 = 3.16;

/// What one window says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verdict {
    /// No digit.
    Nothing,
    /// The first window after a loss: there may be one, but its frequency is not known yet.
    Unknown,
    /// This digit, well enough to go on.
    Lax(Digit),
    /// This digit, well enough to begin.
    Strict(Heard),
}

/// A digit in one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Heard {
    digit: Digit,
    low: Tone,
    high: Tone,
    purity: f32,
}

impl Verdict {
    /// Judges the window `now`, one hop after the window `before`.
    pub(super) fn of(basis: &Basis, now: &Spectrum, before: Option<&Spectrum>) -> Verdict {
        let weakest = MIN_LEVEL.peak().powi(2) / 2.0;
        if now.power < weakest {
            return Verdict::Nothing;
        }
        let Some(before) = before else {
            let possible = now.rough_purity() > PURITY_HELD / 2.0;
            return if possible { Verdict::Unknown } else { Verdict::Nothing };
        };
        let low = basis.strongest(Group::Low, now, before);
        let high = basis.strongest(Group::High, now, before);
        let purity = (low.power + high.power) / now.power;
        let detune = low.detune.abs().max(high.detune.abs());
        let weak = low.power.min(high.power) < weakest;
        if weak || purity < PURITY_HELD || detune > DETUNE_HELD {
            return Verdict::Nothing;
        }
        let digit = Digit::at(low.index, high.index);
        if twisted(low.power, high.power, TWIST_MARGIN) || purity < PURITY || detune > DETUNE {
            return Verdict::Lax(digit);
        }
        Verdict::Strict(Heard { digit, low, high, purity })
    }

    /// The digit that may go on.
    pub(super) fn digit(&self) -> Option<Digit> {
        match self {
            Verdict::Nothing | Verdict::Unknown => None,
            Verdict::Lax(digit) => Some(*digit),
            Verdict::Strict(heard) => Some(heard.digit),
        }
    }

    /// The digit that may begin.
    pub(super) fn strict(&self) -> Option<Heard> {
        match self {
            Verdict::Strict(heard) => Some(*heard),
            _ => None,
        }
    }
}

/// A digit half recognised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) digit: Digit,
    pub(super) start: u64,
    /// Windows in a row that heard it.
    pub(super) windows: u32,
    low: Track,
    high: Track,
    /// Smoothed, so that the windows at the tone's edge weigh little.
    purity: f32,
}

impl Candidate {
    /// A candidate of one window, whose tones began at `start`.
    pub(super) fn new(heard: &Heard, start: u64) -> Self {
        let (low, high) = (Track::new(&heard.low), Track::new(&heard.high));
        Candidate { digit: heard.digit, start, windows: 1, low, high, purity: heard.purity }
    }

    /// The candidate with one more window; none when that one does not continue it.
    pub(super) fn and(self, heard: &Heard) -> Option<Self> {
        if self.digit != heard.digit {
            return None;
        }
        let (low, high) = (self.low.and(&heard.low)?, self.high.and(&heard.high)?);
        let (windows, purity) = (self.windows + 1, (self.purity + heard.purity) / 2.0);
        Some(Candidate { windows, low, high, purity, ..self })
    }

    /// Whether purity, twist and both frequencies are, on the average, those of a digit.
    pub(super) fn is_convincing(&self) -> bool {
        let windows = self.windows as f32;
        let in_tune = |tone: &Track| tone.detune_sum.abs() <= MEAN_DETUNE * windows;
        self.purity >= MEAN_PURITY
            && !twisted(self.low.power_sum, self.high.power_sum, 1.0)
            && in_tune(&self.low)
            && in_tune(&self.high)
            && (self.low.detune_sum - self.high.detune_sum).abs() <= MEAN_SKEW * windows
    }
}

/// Whether one tone is too much louder than the other, the limits being eased by `margin`.
fn twisted(low: f32, high: f32, margin: f32) -> bool {
    low > high * NORMAL_TWIST * margin || high > low * REVERSE_TWIST * margin
}

/// One tone of a candidate, over its windows.
#[derive(Clone, Copy, Debug)]
struct Track {
    power: f32,
    power_sum: f32,
    detune_sum: f32,
    detune_min: f32,
    detune_max: f32,
}

impl Track {
    fn new(tone: &Tone) -> Self {
        let Tone { power, detune, .. } = *tone;
        Track {
            power,
            power_sum: power,
            detune_sum: detune,
            detune_min: detune,
            detune_max: detune,
        }
    }

    fn and(self, tone: &Tone) -> Option<Self> {
        let detune_min = self.detune_min.min(tone.detune);
        let detune_max = self.detune_max.max(tone.detune);
        let steady = tone.power < self.power * STEP && self.power < tone.power * STEP;
        let detune_sum = self.detune_sum + tone.detune;
        (steady && detune_max - detune_min <= WANDER).then_some(Track {
            power: tone.power,
            power_sum: self.power_sum + tone.power,
            detune_sum,
            detune_min,
            detune_max,
        })
    }
}
