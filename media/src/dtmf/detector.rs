//! The in-band detector: digits out of audio, by the limits of ITU-T Q.24.
//!
//! Every 4 ms it takes a look at each group of frequencies (`bank`), and asks whether the last
//! seven looks agree on a pair of tones (`history`): steady in level and frequency, for 28 ms. That
//! is cheap, and rarely so. If they do, the spectrum of that time is drawn (`spectrum`), and that of
//! the time before, and judged (`verdict`): a digit, or why not. So a tone of 40 ms is always heard,
//! some 30 ms after it began, and one of 23 ms never.
//!
//! **A digit ends** after 16 ms without it: an interruption of 10 ms does not split it, a pause of
//! 20 ms does. While it lasts only its own two tones matter, so noise does not end it.
//!
//! **Lost audio** is evidence neither way: looks that it has a part in are left out, on both sides of
//! the question; after more than 60 ms of it everything before is forgotten.

use self::audio::{Audio, KEPT};
use self::candidate::Candidate;
use self::current::{Course, Current};
use super::bank::HOP;
use super::history::{EDGE, ENOUGH};
use super::tone::{Discord, Pair};
use super::verdict::{Limits, judge_pair};
use super::{Dbm0, Digit, DtmfSettings, Rejection, Rejections};
use crate::frame::SampleRate;
use crate::resample::Narrow;

mod audio;
mod candidate;
mod current;

/// Looks in a row without a digit that end it.
const END_AFTER: u32 = 4;
/// Lost samples at 8 kHz after which nothing before them counts: 60 ms.
const FORGET_AFTER: usize = 480;
/// A digit that ended so many samples at 8 kHz ago may have left an echo: 100 ms.
const JUST_NOW: f64 = 800.0;

/// A digit heard. Positions count samples since the detector was made, lost ones included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DtmfEvent {
    /// A digit is there, some 30 ms after it began.
    Begin {
        /// Which one.
        digit: Digit,
        /// Where it began, within 2 ms or so.
        at_sample: u64,
        /// How many samples it took to know.
        reported_at: u64,
    },
    /// It is over, since some 20 ms. Each [`DtmfEvent::Begin`] has one, and the next comes after.
    End {
        /// Which one.
        digit: Digit,
        /// Where it began: the same as in its [`DtmfEvent::Begin`].
        at_sample: u64,
        /// How long it lasted, within 2 ms or so.
        samples: u64,
        /// How loud its low tone was when it began.
        low: Dbm0,
        /// How loud its high tone was; the twist is the difference of the two.
        high: Dbm0,
    },
}

/// Hears DTMF in a stream of audio, fed in chunks of any size.
///
/// All of its state is in place: nothing is allocated after [`Detector::new`].
#[derive(Clone)]
pub struct Detector {
    limits: Limits,
    /// To 8 kHz, where the audio has another rate.
    narrow: Option<Narrow>,
    audio: Audio,
    /// Samples at 8 kHz that were lost in a row.
    lost: usize,
    /// Whether the last hop was one of every other, and whether each is to be looked at.
    is_even: bool,
    is_promising: bool,
    candidate: Option<Candidate>,
    current: Option<Current>,
    /// The last digit that ended, and where, in samples at 8 kHz.
    last: Option<(Digit, f64)>,
    rejections: Rejections,
}

impl Detector {
    /// A detector that has heard only silence, for audio at `rate`. Make it off the media thread:
    /// it may allocate, and the first one computes tables that all share.
    pub fn new(rate: SampleRate, settings: DtmfSettings) -> Self {
        Detector {
            limits: Limits::new(&settings),
            narrow: Narrow::from(rate),
            audio: Audio::new(),
            lost: 0,
            is_even: false,
            is_promising: false,
            candidate: None,
            current: None,
            last: None,
            rejections: Rejections::default(),
        }
    }

    /// Changes what is taken for a digit from here on. One that is under way is left alone.
    pub fn set(&mut self, settings: &DtmfSettings) {
        self.limits = Limits::new(settings);
    }

    /// Listens to the next `samples`, and calls `on` with what they reveal, in order.
    ///
    /// The outcome does not depend on how a stream is cut into chunks.
    pub fn feed(&mut self, samples: &[i16], on: &mut dyn FnMut(DtmfEvent)) {
        if self.narrow.is_none() {
            return self.take(samples, on);
        }
        for &sample in samples {
            let narrow = self.narrow.as_mut();
            if let Some(sample) = narrow.and_then(|narrow| narrow.take(sample)) {
                self.take(&[sample], on);
            }
        }
    }

    /// The next `samples` are lost: whatever was played instead is no evidence.
    ///
    /// A digit under way, or half recognised, is held over up to 60 ms of loss; after more it ends
    /// where it was last heard.
    pub fn erased(&mut self, samples: usize, on: &mut dyn FnMut(DtmfEvent)) {
        let mut samples = samples / self.factor();
        if self.lost.saturating_add(samples) > FORGET_AFTER {
            self.forget(samples, on);
            return;
        }
        self.lost += samples;
        while samples > 0 {
            let chunk = samples.min(self.audio.room());
            self.audio.lose();
            self.take(&[0; HOP][..chunk], on);
            samples -= chunk;
        }
    }

    /// The stream is over: a digit that is under way ends where it was last heard.
    pub fn finish(&mut self, on: &mut dyn FnMut(DtmfEvent)) {
        self.forget(0, on);
    }

    /// The digit that is under way, if any.
    pub fn current(&self) -> Option<Digit> {
        self.current.map(|current| current.digit)
    }

    /// Why pairs of tones were taken for no digit, so far.
    pub fn rejections(&self) -> &Rejections {
        &self.rejections
    }

    /// Samples of the stream for one of the detector's.
    fn factor(&self) -> usize {
        self.narrow.as_ref().map_or(1, Narrow::factor)
    }

    fn forget(&mut self, lost: usize, on: &mut dyn FnMut(DtmfEvent)) {
        self.end(on);
        self.give_up();
        self.audio.forget(lost);
        self.lost = FORGET_AFTER;
    }

    /// Takes in samples at 8 kHz, and looks whenever a hop is full.
    fn take(&mut self, samples: &[i16], on: &mut dyn FnMut(DtmfEvent)) {
        let mut rest = samples;
        while !rest.is_empty() {
            rest = self.audio.take(rest);
            if self.audio.room() == 0 {
                self.look(on);
                self.audio.turn_over();
            }
        }
    }

    /// A hop is full: takes a look, if that may tell something, and asks what it says.
    fn look(&mut self, on: &mut dyn FnMut(DtmfEvent)) {
        self.is_even = !self.is_even;
        if !self.audio.push_look() {
            return;
        }
        self.lost = 0;
        if self.current.is_none() && self.candidate.is_none() {
            // Every other look will do to tell that there is nothing.
            if self.is_even {
                self.audio.take_looks(0);
                let Audio { history, bank, .. } = &self.audio;
                self.is_promising = history.is_promising(bank, self.limits.floor);
                if history.has_ended_early(self.limits.floor) {
                    self.note_short();
                }
            }
            if !self.is_promising {
                return;
            }
        }
        self.audio.take_looks(self.audio.history.reach());
        if !self.goes_on(on) {
            self.seek(on);
        }
    }

    /// Whether the digit under way is still there. If not for long enough, it ends.
    fn goes_on(&mut self, on: &mut dyn FnMut(DtmfEvent)) -> bool {
        let Some(current) = &mut self.current else { return false };
        let course = current.next(&self.audio);
        if course == Course::Over {
            self.end(on);
        }
        course == Course::There
    }

    /// Two tones have ended that were too short: whether they might have been a digit.
    fn note_short(&mut self) {
        self.audio.take_looks(5);
        let Audio { history, bank, .. } = &self.audio;
        let might = [[2, 3, 4], [3, 4, 5]].iter().any(|looks| {
            let pair = Pair::of(history, bank, looks, self.limits.floor);
            pair.is_ok_and(|pair| judge_pair(&self.limits, &pair).is_ok())
        });
        if might {
            self.rejections.add(Rejection::Duration);
        }
    }

    /// Whether the last looks agree on a digit that begins.
    fn seek(&mut self, on: &mut dyn FnMut(DtmfEvent)) {
        let (Audio { history, bank, .. }, floor) = (&self.audio, self.limits.floor);
        let pair = match history.witnesses(floor) {
            Some(looks) => Pair::of(history, bank, &looks, floor).map(|pair| (pair, looks)),
            None => Err(Discord::Silence),
        };
        match (pair, &mut self.candidate) {
            (Ok((pair, looks)), _) => self.consider(pair, &looks, on),
            (Err(_), None) => {}
            (Err(discord), Some(candidate)) => {
                if discord == Discord::Wander {
                    candidate.reason = Rejection::Steadiness;
                }
                if candidate.is_gone() {
                    self.give_up();
                }
            }
        }
    }

    /// Judges a pair that these looks agree on.
    fn consider(&mut self, pair: Pair, looks: &[usize; ENOUGH], on: &mut dyn FnMut(DtmfEvent)) {
        let digit = pair.digit();
        if self.current.is_some_and(|current| current.digit == digit) {
            return;
        }
        if self.candidate.is_some_and(|candidate| candidate.digit != digit) {
            self.give_up();
        }
        self.audio.take_looks(KEPT - 2);
        let after = self.just_heard();
        let first = looks[ENOUGH - 1];
        let candidate =
            self.candidate.get_or_insert_with(|| Candidate::new(&self.audio, &pair, first));
        let start = candidate.start;
        let verdict = candidate.judge(&self.limits, &self.audio, &pair, looks, after);
        if let Err(reason) = verdict {
            candidate.reason = reason;
            return;
        }
        self.end(on); // another digit, which this one followed without a pause
        self.candidate = None;
        self.current = Some(Current::new(pair, start, &self.audio));
        let reported_at = self.audio.now.saturating_mul(self.factor() as u64);
        on(DtmfEvent::Begin { digit, at_sample: self.position(start), reported_at });
    }

    /// The digit that is under way, or was a moment ago.
    fn just_heard(&self) -> Option<Digit> {
        let is_new = |end: f64| self.audio.middle(0) - end < JUST_NOW;
        let last = self.last.filter(|&(_, end)| is_new(end)).map(|(digit, _)| digit);
        self.current().or(last)
    }

    /// What might have become a digit did not.
    fn give_up(&mut self) {
        if let Some(candidate) = self.candidate.take() {
            self.rejections.add(candidate.reason);
        }
    }

    /// Ends the digit under way, if any.
    fn end(&mut self, on: &mut dyn FnMut(DtmfEvent)) {
        if let Some(Current { digit, pair, start, end, .. }) = self.current.take() {
            self.last = Some((digit, end));
            let at_sample = self.position(start);
            let samples = self.position(end).saturating_sub(at_sample);
            let level = |power: f32| Dbm0::of_peak((2.0 * power).sqrt());
            let (low, high) = (level(pair.low.power), level(pair.high.power));
            on(DtmfEvent::End { digit, at_sample, samples, low, high });
        }
    }

    /// A place in the stream, at its own rate.
    fn position(&self, at: f64) -> u64 {
        let delay = self.narrow.as_ref().map_or(0, Narrow::delay);
        (at * self.factor() as f64 - delay as f64).round().max(0.0) as u64
    }
}

/// Where between two looks the share crosses half the amplitude: 0 at the first, 1 at the second.
fn edge(before: f32, after: f32) -> f64 {
    let (before, after) = (f64::from(before).sqrt(), f64::from(after).sqrt());
    let half = f64::from(EDGE).sqrt();
    if before == after { 0.5 } else { ((half - before) / (after - before)).clamp(0.0, 1.0) }
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Detector(at {}, {:?})", self.audio.now, self.current())
    }
}

#[cfg(test)]
mod tests;
