//! Whether a pair of tones is a digit: the tests of Q.24, and those that voices fail.

use super::history::Pair;
use super::spectrum::Surroundings;
use super::{DtmfSettings, Rejection};

/// How two tones began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Approach {
    /// How loud each was just before, as a share of its power.
    pub(super) low: f32,
    pub(super) high: f32,
    /// What else there was before; `None` if that is not known.
    pub(super) around: Option<Surroundings>,
    /// Whether another digit had only just ended, or not yet.
    pub(super) follows: bool,
}

impl Approach {
    /// Nothing is known of it.
    pub(super) const UNKNOWN: Approach =
        Approach { low: 0.0, high: 0.0, around: None, follows: false };
    /// The tones have been there for longer than is known.
    pub(super) const LONG_THERE: Approach =
        Approach { low: 1.0, high: 1.0, around: Some(Surroundings::NOTHING), follows: false };
}

/// How much of what the looks show of a tone must be at its frequency in the spectrum.
const WHOLE: f32 = 0.4;
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
const CHANCE: f32 = 1.5;

/// Judges a pair by itself.
pub(super) fn judge_pair(settings: &DtmfSettings, pair: &Pair) -> Result<(), Rejection> {
    let (low, high) = (pair.low.power, pair.high.power);
    let ratio = |db: f32| 10f32.powf(db / 10.0);
    let most = settings.max_detune_percent / 100.0;
    if pair.low.detune.abs() > most || pair.high.detune.abs() > most {
        return Err(Rejection::Frequency);
    }
    if pair.low.bend.abs() > BEND_LOW || pair.high.bend.abs() > BEND_HIGH {
        return Err(Rejection::Steadiness);
    }
    if low.min(high) < settings.min_level.peak().powi(2) / 2.0 {
        return Err(Rejection::Level);
    }
    if low > high * ratio(settings.normal_twist_db) || high > low * ratio(settings.reverse_twist_db)
    {
        return Err(Rejection::Twist);
    }
    Ok(())
}

/// Judges a pair by what there is around it and was there before it.
pub(super) fn judge_around(
    settings: &DtmfSettings,
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
        || approach.follows && approach.low.min(approach.high) <= RISE_AFTER_DIGIT;
    let company = match &approach.around {
        None => 0.0,
        Some(before) if begun => {
            (around.middle - before.middle * CHANCE).max(0.0)
                + (around.dial - before.dial * CHANCE).max(0.0)
        }
        Some(_) => (around.middle + around.dial) * OLD,
    };
    if around.middle > settings.max_background * both
        || company > settings.max_company * both
        || around.dial > DIAL * both
    {
        return Err(Rejection::EnergyRatio);
    }
    if around.second_low > SECOND * around.low || around.second_high > SECOND * around.high {
        return Err(Rejection::SecondHarmonic);
    }
    Ok(())
}
