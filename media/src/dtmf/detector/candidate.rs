//! A pair of tones that may become a digit: how it began, and whether it is one.

use super::super::Digit;
use super::super::bank::HOP;
use super::super::history::{EDGE, ENOUGH, History};
use super::super::spectrum::{HOPS, Surroundings};
use super::super::tone::{Pair, Tone};
use super::super::verdict::{Approach, Limits, is_pure, judge_around, judge_pair};
use super::audio::{Audio, KEPT};
use super::{END_AFTER, Rejection, edge};

/// A pair that the last looks agree on, or did a moment ago.
#[derive(Clone, Copy)]
pub(super) struct Candidate {
    pub(super) digit: Digit,
    /// Where it began, in samples at 8 kHz.
    pub(super) start: f64,
    /// What was there before; known once the pair may be a digit by itself.
    approach: Option<Approach>,
    /// Why it is no digit yet.
    pub(super) reason: Rejection,
    /// Looks since it was last there.
    gone: u32,
}

impl Candidate {
    /// A pair that is heard for the first time, since the look `first` or before.
    pub(super) fn new(audio: &Audio, pair: &Pair, first: usize) -> Candidate {
        let first = rise(audio, pair, first);
        let share = |back| audio.history.look(back).map(|look| pair.share(look));
        let risen = match (share(first + 1), share(first)) {
            (Some(before), Some(after)) => edge(before, after),
            _ => 1.0,
        };
        let start = audio.middle(first) - (HOP as f64) * (1.0 - risen);
        let (digit, reason) = (pair.digit(), Rejection::EnergyRatio);
        Candidate { digit, start, approach: None, reason, gone: 0 }
    }

    /// It is there, says `pair`, on which these looks agree: whether it is a digit. What is cheap is
    /// asked first. `after` is the digit that only just ended, or not yet.
    pub(super) fn judge(
        &mut self,
        limits: &Limits,
        audio: &Audio,
        pair: &Pair,
        looks: &[usize; ENOUGH],
        after: Option<Digit>,
    ) -> Result<(), Rejection> {
        self.gone = 0;
        judge_pair(limits, pair)?;
        // Each look is of its own hop and the one before.
        let (newest, run) = History::longest_run(looks);
        let spectrum = audio.spectrum(newest, run + 1).ok_or(Rejection::Duration)?;
        let around = spectrum.around(pair);
        let approach = self.approach.get_or_insert_with(|| {
            let first = rise(audio, pair, looks[ENOUGH - 1]);
            approach(audio, pair, first, is_pure(limits, &around), after)
        });
        judge_around(limits, pair, &around, approach)
    }

    /// It is not there in this look; whether it is gone.
    pub(super) fn is_gone(&mut self) -> bool {
        self.gone += 1;
        self.gone >= END_AFTER
    }
}

/// The look at which a pair rose that is there since the look `first`, or before.
fn rise(audio: &Audio, pair: &Pair, first: usize) -> usize {
    let there = |back| audio.history.look(back).is_some_and(|look| pair.share(look) >= EDGE);
    (first + 1..).find(|&back| !there(back)).map_or(first, |back| back - 1)
}

/// What there was before the look `first`; of what is `pure` only as much as matters then.
fn approach(
    audio: &Audio,
    pair: &Pair,
    first: usize,
    pure: bool,
    after: Option<Digit>,
) -> Approach {
    let back = first + 3;
    if back + HOPS > KEPT {
        return Approach { after, ..Approach::LONG_THERE };
    }
    if !audio.is_known(back, HOPS) {
        return Approach { after, ..Approach::UNKNOWN };
    }
    let before = |tone: &Tone| {
        let looks = (back - 1..back + 2).filter_map(|back| audio.history.look(back));
        let sum: f32 = looks.map(|look| look.at(tone.carrier).norm_sqr()).sum();
        sum / 3.0 / tone.seen.max(f32::MIN_POSITIVE)
    };
    let spectrum = if pure { None } else { audio.spectrum(back, HOPS) };
    let around = spectrum.map_or(Surroundings::NOTHING, |spectrum| spectrum.around(pair));
    let (low, high) = (before(&pair.low), before(&pair.high));
    Approach { low, high, around: Some(around), after }
}
