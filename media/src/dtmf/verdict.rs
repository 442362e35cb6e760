//! Whether a pair of tones is a digit: the tests of Q.24, and those that voices fail.

use super::spectrum::Surroundings;
use super::tone::Pair;
use super::{Digit, DtmfSettings, Rejection};

/// How two tones began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Approach {
    /// How loud each was just before, as a share of its power.
    pub(super) low: f32,
    pub(super) high: f32,
    /// What else there was before; `None` if that is not known.
    pub(super) around: Option<Surroundings>,
    /// The digit that had only just ended, or not yet.
    pub(super) after: Option<Digit>,
}

impl Approach {
    /// Nothing is known of it.
    pub(super) const UNKNOWN: Approach =
        Approach { low: 0.0, high: 0.0, around: None, after: None };
    /// The tones have been there for longer than is known.
    pub(super) const LONG_THERE: Approach =
        Approach { low: 1.0, high: 1.0, around: Some(Surroundings::NOTHING), after: None };
}

/// The level below the least at which tones are still told to have been too soft, in dB.
const TOO_SOFT: f32 = 10.0;
/// How much of what the looks show of a tone must be at its frequency in the spectrum.
const WHOLE: f32 = 0.4;
/// How far apart the detunes of both tones may be, in the most that each may have. Q.24's 1.5 % both
/// ways make 3 %; at 3.7 % the tones of `*` are the third and fourth harmonic of a high voice.
const SKEW: f32 = 1.7;
const OLD_SKEW: f32 = 1.3;
/// How far each frequency may move within a digit that begins, in hertz.
const BEND_LOW: f32 = 9.0;
const BEND_HIGH: f32 = 14.0;
/// How much of the weaker tone a third one may have.
const THIRD: f32 = 0.35;
/// How much louder than both tones a dial tone may be.
const DIAL: f32 = 3.0;
/// How much of each tone may be at twice its frequency.
const SECOND: f32 = 0.06;
/// Tones have begun if they were softer before, as a ratio of powers: 9 dB. After another digit
/// one of them may go on, and what was there may be its echo.
const RISE: f32 = 0.12;
const RISE_AFTER_DIGIT: f32 = 0.3;
/// Tones that have not begun together must be purer by so much.
const OLD: f32 = 3.0;
/// How much of what else there is may be by chance, above what was there before.
const CHANCE: f32 = 2.0;

/// A detector's settings as what is compared with: powers (mean squares) and ratios of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// How loud each tone must be, and from where on it is told that it was too soft.
    level: f32,
    pub(super) floor: f32,
    normal_twist: f32,
    reverse_twist: f32,
    /// As a share of the frequency.
    detune: f32,
    background: f32,
    company: f32,
}

impl Limits {
    pub(super) fn new(settings: &DtmfSettings) -> Self {
        let ratio = |db: f32| 10f32.powf(db / 10.0);
        let level = settings.min_level.peak().powi(2) / 2.0;
        Limits {
            level,
            floor: level / ratio(TOO_SOFT),
            normal_twist: ratio(settings.normal_twist_db),
            reverse_twist: ratio(settings.reverse_twist_db),
            detune: settings.max_detune_percent / 100.0,
            background: settings.max_background,
            company: settings.max_company,
        }
    }
}

/// Whether there is so little around a pair that it does not matter what was there before.
pub(super) fn is_pure(limits: &Limits, around: &Surroundings) -> bool {
    (around.middle + around.dial) * OLD <= limits.company * (around.low + around.high)
}

/// Judges a pair by itself.
pub(super) fn judge_pair(limits: &Limits, pair: &Pair) -> Result<(), Rejection> {
    let (low, high) = (pair.low.power, pair.high.power);
    let detune = pair.low.detune.abs().max(pair.high.detune.abs());
    if detune > limits.detune || pair.skew() > limits.detune * SKEW {
        return Err(Rejection::Frequency);
    }
    if pair.low.bend.abs() > BEND_LOW || pair.high.bend.abs() > BEND_HIGH {
        return Err(Rejection::Steadiness);
    }
    if low.min(high) < limits.level {
        return Err(Rejection::Level);
    }
    if low > high * limits.normal_twist || high > low * limits.reverse_twist {
        return Err(Rejection::Twist);
    }
    Ok(())
}

/// Judges a pair by what there is around it and was there before it.
pub(super) fn judge_around(
    limits: &Limits,
    pair: &Pair,
    around: &Surroundings,
    approach: &Approach,
) -> Result<(), Rejection> {
    let both = around.low + around.high;
    if around.low < pair.low.power * WHOLE || around.high < pair.high.power * WHOLE {
        return Err(Rejection::Steadiness);
    }
    if around.third > around.low.min(around.high) * THIRD {
        return Err(Rejection::RelativePeak);
    }
    let begun = approach.low.max(approach.high) <= RISE
        || approach.after.is_some_and(|digit| digit != pair.digit())
            && approach.low.min(approach.high) <= RISE_AFTER_DIGIT;
    if !begun && approach.after == Some(pair.digit()) {
        return Err(Rejection::Duration); // its echo
    }
    if !begun && pair.skew() > limits.detune * OLD_SKEW {
        return Err(Rejection::Frequency);
    }
    let company = match &approach.around {
        None => 0.0,
        Some(before) if begun => {
            (around.middle - before.middle * CHANCE).max(0.0)
                + (around.dial - before.dial * CHANCE).max(0.0)
        }
        Some(_) => (around.middle + around.dial) * OLD,
    };
    if around.middle > limits.background * both
        || company > limits.company * both
        || around.dial > DIAL * both
    {
        return Err(Rejection::EnergyRatio);
    }
    if around.second_low > SECOND * around.low || around.second_high > SECOND * around.high {
        return Err(Rejection::SecondHarmonic);
    }
    Ok(())
}
