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

use super::bank::{Bank, HOP};
use super::history::{Discord, EDGE, ENOUGH, History, Pair, Tone};
use super::narrow::Narrow;
use super::spectrum::{Analyser, HOPS, LENGTH, Spectrum, Surroundings};
use super::verdict::{Approach, Limits, is_pure, judge_around, judge_pair};
use super::{Dbm0, Digit, DtmfSettings, Rejection, Rejections};
use crate::frame::SampleRate;

/// Looks in a row without a digit that end it.
const END_AFTER: u32 = 4;
/// Looks at nothing at all that are not counted, as long as the same tones may follow: 20 ms that
/// were lost before they came here are four of them.
const MOST_DEAD: u32 = 4;
/// Lost samples at 8 kHz after which nothing before them counts: 60 ms.
const FORGET_AFTER: usize = 480;
/// Hops whose samples are kept: those of the seven looks, and as many before they began.
const KEPT: usize = 24;
/// A digit that ended so many samples ago may have left an echo.
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
    bank: &'static Bank,
    analyser: &'static Analyser,
    limits: Limits,
    /// To 8 kHz, where the audio has another rate.
    narrow: Option<Narrow>,
    /// The last hops, one after the other around a ring; `newest` has `filled` of its samples.
    hops: [[i16; HOP]; KEPT],
    newest: usize,
    filled: usize,
    /// Whether the newest hop, and the one before, had losses.
    lossy: [bool; 2],
    history: History,
    /// Whether the last hop was one of every other, and whether every one is to be looked at.
    is_even: bool,
    is_promising: bool,
    /// Samples at 8 kHz so far, lost ones included; and those lost in a row.
    now: u64,
    lost: usize,
    candidate: Option<Candidate>,
    current: Option<Current>,
    /// The last digit that ended, and where, in samples at 8 kHz.
    last: Option<(Digit, f64)>,
    rejections: Rejections,
}

/// A pair of tones that may become a digit.
#[derive(Clone, Copy)]
struct Candidate {
    digit: Digit,
    /// Where it began, in samples at 8 kHz.
    start: f64,
    /// What was there before; known once the pair may be a digit by itself.
    approach: Option<Approach>,
    reason: Rejection,
    /// Looks since it was last there.
    gone: u32,
}

/// The digit that has begun and not ended.
#[derive(Clone, Copy)]
struct Current {
    digit: Digit,
    pair: Pair,
    /// Where it began, and was last heard.
    start: f64,
    end: f64,
    misses: u32,
    /// Looks without a sound in the gap that it may be in.
    dead: u32,
    /// What the last look had of it.
    share: f32,
}

impl Detector {
    /// A detector that has heard only silence, for audio at `rate`. Make it off the media thread:
    /// it may allocate, and the first one computes tables that all share.
    pub fn new(rate: SampleRate, settings: DtmfSettings) -> Self {
        Detector {
            bank: Bank::shared(),
            analyser: Analyser::shared(),
            limits: Limits::new(&settings),
            narrow: Narrow::from(rate),
            hops: [[0; HOP]; KEPT],
            newest: 0,
            filled: 0,
            lossy: [false; 2],
            history: History::new(),
            is_even: false,
            is_promising: false,
            now: 0,
            lost: 0,
            candidate: None,
            current: None,
            last: None,
            rejections: Rejections::default(),
        }
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
            let chunk = samples.min(HOP - self.filled);
            self.lossy[1] = true;
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
        self.now = self.now.saturating_add(lost as u64);
        self.lost = FORGET_AFTER;
        (self.filled, self.lossy) = (0, [false, true]);
        self.hops = [[0; HOP]; KEPT];
        self.history = History::new();
        self.history.push(false);
    }

    /// Takes in samples at 8 kHz, and looks whenever a hop is full.
    fn take(&mut self, samples: &[i16], on: &mut dyn FnMut(DtmfEvent)) {
        let mut rest = samples;
        while !rest.is_empty() {
            let room = &mut self.hops[self.newest][self.filled..];
            let (chunk, later) = rest.split_at(rest.len().min(room.len()));
            room[..chunk.len()].copy_from_slice(chunk);
            self.filled += chunk.len();
            self.now = self.now.saturating_add(chunk.len() as u64);
            rest = later;
            if self.filled == HOP {
                self.look(on);
                self.newest = (self.newest + 1) % KEPT;
                self.filled = 0;
                self.lossy = [self.lossy[1], false];
            }
        }
    }

    /// A hop is full: takes a look, and asks what it says.
    fn look(&mut self, on: &mut dyn FnMut(DtmfEvent)) {
        let known = self.lossy == [false; 2];
        self.history.push(known);
        self.is_even = !self.is_even;
        if !known {
            return;
        }
        self.lost = 0;
        if self.current.is_none() && self.candidate.is_none() {
            // Every other look will do to tell that there is nothing.
            if self.is_even {
                self.take_looks(0);
                self.is_promising = self.history.is_promising(self.bank, self.limits.floor);
            }
            if !self.is_promising {
                return;
            }
        }
        self.take_looks(KEPT - 2);
        if !self.goes_on(on) {
            self.seek(on);
        }
    }

    /// Takes the looks up to `most` hops ago that are still to be taken.
    fn take_looks(&mut self, most: usize) {
        while let Some(back) = self.history.due(most) {
            let hop = |back: usize| &self.hops[(self.newest + KEPT - back) % KEPT];
            self.history.put(back, self.bank.look(hop(back + 1), hop(back)));
        }
    }

    /// The spectrum of four to eight hops, of which the newest is `back` hops ago. None if they are
    /// no longer kept.
    fn spectrum(&self, back: usize, hops: usize) -> Option<Spectrum> {
        if back + hops > KEPT {
            return None;
        }
        let mut samples = [0.0f32; LENGTH];
        let places = samples.as_chunks_mut::<HOP>().0.iter_mut();
        for (place, older) in places.zip((0..hops).rev()) {
            let hop = &self.hops[(self.newest + 2 * KEPT - back - older) % KEPT];
            for (to, &sample) in place.iter_mut().zip(hop) {
                *to = f32::from(sample);
            }
        }
        self.analyser.analyse(&samples[..hops * HOP])
    }

    /// Where the middle of the look `back` hops ago was, in samples at 8 kHz.
    fn middle(&self, back: usize) -> f64 {
        self.now as f64 - ((1 + back) * HOP) as f64
    }

    /// Whether the digit under way is still there. If not for long enough, it ends.
    fn goes_on(&mut self, on: &mut dyn FnMut(DtmfEvent)) -> bool {
        let middle = self.middle(0);
        let (Some(current), Some(look)) = (&mut self.current, self.history.look(0)) else {
            return false;
        };
        let before = std::mem::replace(&mut current.share, current.pair.share(look));
        // After a gap there is no phase to go on from.
        let in_tune = before < EDGE || self.history.in_tune(self.bank, &current.pair);
        let gap = current.misses + current.dead;
        if current.share >= EDGE && in_tune {
            if gap >= END_AFTER {
                // The looks on either side of the gap may be half in it.
                if before < EDGE {
                    current.dead += 1;
                    return true;
                }
                let back = gap as usize + 2;
                if !self.history.sounds_on(self.bank, &current.pair, back) {
                    self.end(on);
                    return false;
                }
            }
            (current.misses, current.dead) = (0, 0);
            current.end = middle;
            return true;
        }
        if gap == 0 && current.share < EDGE {
            current.end = middle - (HOP as f64) * (1.0 - edge(before, current.share));
        }
        // Not even noise: a packet was lost on the way, or the line is a perfect one.
        if look.norms() == [0.0; 4] && current.dead < MOST_DEAD {
            current.dead += 1;
            return true;
        }
        current.misses += 1;
        if current.misses >= END_AFTER {
            self.end(on);
        }
        false
    }

    /// Whether the last looks agree on a digit that begins.
    fn seek(&mut self, on: &mut dyn FnMut(DtmfEvent)) {
        let floor = self.limits.floor;
        let pair = match self.history.witnesses(floor) {
            Some(looks) => self.history.pair(self.bank, &looks, floor).map(|pair| (pair, looks)),
            None => Err(Discord::Silence),
        };
        match pair {
            Ok((pair, looks)) => self.consider(pair, &looks, on),
            Err(discord) => {
                let Some(candidate) = &mut self.candidate else { return };
                if discord == Discord::Wander {
                    candidate.reason = Rejection::Steadiness;
                }
                candidate.gone += 1;
                if candidate.gone >= END_AFTER {
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
        let mut candidate = match self.candidate {
            Some(candidate) => Candidate { gone: 0, ..candidate },
            None => self.candidate(&pair, looks[ENOUGH - 1]),
        };
        if let Err(reason) = self.judge(&pair, looks, &mut candidate.approach) {
            candidate.reason = reason;
            self.candidate = Some(candidate);
            return;
        }
        self.end(on); // another digit, which this one followed without a pause
        self.candidate = None;
        let (start, end) = (candidate.start, self.middle(0));
        self.current = Some(Current { digit, pair, start, end, misses: 0, dead: 0, share: 1.0 });
        let reported_at = self.now.saturating_mul(self.factor() as u64);
        on(DtmfEvent::Begin { digit, at_sample: self.position(start), reported_at });
    }

    /// Whether a pair is a digit; what is cheap is asked first.
    fn judge(
        &self,
        pair: &Pair,
        looks: &[usize; ENOUGH],
        approach: &mut Option<Approach>,
    ) -> Result<(), Rejection> {
        judge_pair(&self.limits, pair)?;
        // Each look is of its own hop and the one before.
        let (newest, run) = History::longest_run(looks);
        let spectrum = self.spectrum(newest, run + 1).ok_or(Rejection::Duration)?;
        let around = spectrum.around(pair);
        let first = self.rise(pair, looks[ENOUGH - 1]);
        let pure = is_pure(&self.limits, &around);
        let approach = approach.get_or_insert_with(|| self.approach(pair, first, pure));
        judge_around(&self.limits, pair, &around, approach)
    }

    /// A pair that is heard for the first time: how it began.
    fn candidate(&self, pair: &Pair, first: usize) -> Candidate {
        let first = self.rise(pair, first);
        let share = |back| self.history.look(back).map(|look| pair.share(look));
        let risen = match (share(first + 1), share(first)) {
            (Some(before), Some(after)) => edge(before, after),
            _ => 1.0,
        };
        let start = self.middle(first) - (HOP as f64) * (1.0 - risen);
        let (digit, reason) = (pair.digit(), Rejection::EnergyRatio);
        Candidate { digit, start, approach: None, reason, gone: 0 }
    }

    /// The look at which a pair rose that is there since the look `first`, or before.
    fn rise(&self, pair: &Pair, first: usize) -> usize {
        let there = |back| self.history.look(back).is_some_and(|look| pair.share(look) >= EDGE);
        (first + 1..).find(|&back| !there(back)).map_or(first, |back| back - 1)
    }

    /// What there was before the look `first`; of what is `pure` only as much as matters then.
    fn approach(&self, pair: &Pair, first: usize, pure: bool) -> Approach {
        let just_now = |end| self.middle(0) - end < JUST_NOW;
        let last = self.last.filter(|&(_, end)| just_now(end)).map(|(digit, _)| digit);
        let after = self.current.map(|current| current.digit).or(last);
        let back = first + 3;
        if back + HOPS > KEPT {
            return Approach { after, ..Approach::LONG_THERE };
        }
        let is_known = |back| self.history.look(back).is_some();
        if self.now < ((back + HOPS) * HOP) as u64 || !(back..back + HOPS).all(is_known) {
            return Approach { after, ..Approach::UNKNOWN };
        }
        let around = if pure {
            Surroundings::NOTHING
        } else {
            self.spectrum(back, HOPS)
                .map_or(Surroundings::NOTHING, |spectrum| spectrum.around(pair))
        };
        let before = |tone: &Tone| {
            let seen = (back - 1..back + 2).filter_map(|back| self.history.look(back));
            let sum: f32 = seen.map(|look| look.at(tone.carrier).norm()).sum();
            sum / 3.0 / tone.seen.max(f32::MIN_POSITIVE)
        };
        let (low, high) = (before(&pair.low), before(&pair.high));
        Approach { low, high, around: Some(around), after }
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
        write!(f, "Detector(at {}, {:?})", self.now, self.current())
    }
}

#[cfg(test)]
mod tests;
