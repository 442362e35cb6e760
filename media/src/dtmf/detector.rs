//! The in-band detector: digits out of 8 kHz audio, by the limits of ITU-T Q.24.
//!
//! Every 5 ms it looks at the last 20 ms (see `spectrum`) and passes a verdict: a digit, none, or
//! "cannot tell". A window counts for a digit when nearly all of its power is in one tone of each
//! group, both near their nominal frequencies, both loud enough, and neither much louder than the
//! other. Speech and music have tones there too, but not for long, not alone and not both.
//!
//! **A digit begins** after five windows in a row for the same one. A window passes when a tone
//! fills some 60 % of it, so five take 25 to 30 ms of tone: 40 ms always do (Q.24 for AT&T, and
//! ETSI ES 201 235-3), 23 ms never. **It ends** after six windows in a row without it, 30 ms: an
//! interruption of 10 ms does not split it, a pause of 40 ms does. While it lasts the tests are
//! laxer, so that a moment's noise does not end it.
//!
//! **Lost audio** is evidence neither way. The count stands still, both ways, and resumes when a
//! window is full again; after more than 60 ms without one the count is forgotten.

use super::Digit;
use super::spectrum::{Basis, HOP, Spectrum, WINDOW};
use super::verdict::{Candidate, Verdict};

/// Windows in a row that begin a digit, and those without it that end it.
const BEGIN_AFTER: u32 = 5;
const END_AFTER: u32 = 6;
/// Lost samples after which nothing before them counts: 60 ms.
const FORGET_AFTER: usize = 480;

/// Where, against the middle of its first and last window, a digit began and ended: in the middle
/// of the hop within which the verdict must have turned.
const START_BEFORE_MIDDLE: u64 = 38;
const END_AFTER_MIDDLE: u64 = 20;

/// A digit heard. Positions count samples since the detector was made, lost ones included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtmfEvent {
    /// A digit is there, some 25 to 40 ms after it began.
    Begin {
        /// Which one.
        digit: Digit,
        /// Where it began, within a few ms.
        at_sample: u64,
    },
    /// It is over, since some 30 ms. Each [`DtmfEvent::Begin`] has one, and the next comes after.
    End {
        /// Which one.
        digit: Digit,
        /// Where it began: the same as in its [`DtmfEvent::Begin`].
        at_sample: u64,
        /// How long it lasted, within a few ms.
        samples: u64,
    },
}

/// Hears DTMF in a stream of 8 kHz audio, fed in chunks of any size.
///
/// All of its state is in place: nothing is allocated after [`Detector::new`].
#[derive(Clone)]
pub struct Detector {
    basis: &'static Basis,
    /// The newest samples; the first `filled` are valid.
    window: [f32; WINDOW],
    filled: usize,
    /// The window before, when it is just one hop back.
    before: Option<Spectrum>,
    /// Samples fed and lost so far, and the position since which none were lost.
    now: u64,
    whole_since: u64,
    /// Samples lost since the last full window.
    lost: usize,
    candidate: Option<Candidate>,
    current: Option<Current>,
}

/// The digit that has begun and not ended.
#[derive(Clone, Copy)]
struct Current {
    digit: Digit,
    start: u64,
    end: u64,
    misses: u32,
}

impl Default for Detector {
    fn default() -> Self {
        Self::new()
    }
}

impl Detector {
    /// A detector that has heard nothing. Make it off the media thread: the first one computes the
    /// table that all share.
    pub fn new() -> Self {
        Detector {
            basis: Basis::shared(),
            window: [0.0; WINDOW],
            filled: 0,
            before: None,
            now: 0,
            whole_since: 0,
            lost: 0,
            candidate: None,
            current: None,
        }
    }

    /// Listens to the next `samples`, and calls `on` with what they reveal, in order.
    ///
    /// The outcome does not depend on how a stream is cut into chunks.
    pub fn feed(&mut self, samples: &[i16], on: &mut dyn FnMut(DtmfEvent)) {
        let mut rest = samples;
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(rest.len().min(WINDOW - self.filled));
            for (to, &sample) in self.window[self.filled..].iter_mut().zip(chunk) {
                *to = f32::from(sample);
            }
            self.filled += chunk.len();
            self.now = self.now.saturating_add(chunk.len() as u64);
            if self.filled == WINDOW {
                self.look(on);
            }
            rest = later;
        }
    }

    /// The next `samples` are lost: whatever was played instead is no evidence.
    ///
    /// A digit under way, or half recognised, is held over up to 60 ms of loss; after more it ends
    /// where it was last heard.
    pub fn erased(&mut self, samples: usize, on: &mut dyn FnMut(DtmfEvent)) {
        if samples == 0 {
            return;
        }
        self.now = self.now.saturating_add(samples as u64);
        self.whole_since = self.now;
        self.filled = 0;
        self.before = None;
        self.lost = self.lost.saturating_add(samples);
        if self.lost > FORGET_AFTER {
            self.candidate = None;
            self.end(on);
        }
    }

    /// The digit that is under way, if any.
    pub fn current(&self) -> Option<Digit> {
        self.current.map(|current| current.digit)
    }

    /// Analyses a full window and makes room for the next.
    fn look(&mut self, on: &mut dyn FnMut(DtmfEvent)) {
        let now = self.basis.analyse(&self.window);
        self.window.copy_within(HOP.., 0);
        self.filled = WINDOW - HOP;
        self.lost = 0;
        let verdict = Verdict::of(self.basis, &now, self.before.replace(now).as_ref());
        if let Verdict::Unknown = verdict {
            return;
        }
        self.go_on(verdict, on);
        self.begin(verdict, on);
    }

    /// The verdict's meaning for the digit under way: it goes on, or in the end is over.
    fn go_on(&mut self, verdict: Verdict, on: &mut dyn FnMut(DtmfEvent)) {
        let Some(current) = &mut self.current else { return };
        if verdict.digit() == Some(current.digit) {
            current.misses = 0;
            current.end = self.now - WINDOW as u64 / 2 + END_AFTER_MIDDLE;
        } else {
            current.misses += 1;
            if current.misses >= END_AFTER {
                self.end(on);
            }
        }
    }

    /// The verdict's meaning for a digit that is about to begin.
    fn begin(&mut self, verdict: Verdict, on: &mut dyn FnMut(DtmfEvent)) {
        let strict = verdict.strict();
        let goes_on = self.current.is_some_and(|current| Some(current.digit) == verdict.digit());
        let (Some(heard), false) = (strict, goes_on) else {
            self.candidate = None;
            return;
        };
        let candidate = match self.candidate.and_then(|candidate| candidate.and(&heard)) {
            Some(candidate) => candidate,
            None => Candidate::new(&heard, self.start()),
        };
        self.candidate = Some(candidate);
        if candidate.windows >= BEGIN_AFTER && candidate.is_convincing() {
            self.end(on); // another digit, which this one followed without a pause
            self.candidate = None;
            let (digit, start) = (candidate.digit, candidate.start);
            let end = self.now - WINDOW as u64 / 2 + END_AFTER_MIDDLE;
            self.current = Some(Current { digit, start, end, misses: 0 });
            on(DtmfEvent::Begin { digit, at_sample: start });
        }
    }

    /// Where a tone began that passes from this window on.
    fn start(&self) -> u64 {
        // The first window of a stretch cannot tell, so its second passes though the tone may
        // have been there from the first sample.
        let first = self.whole_since.saturating_add((WINDOW + HOP) as u64);
        if self.now <= first {
            self.whole_since
        } else {
            self.now - WINDOW as u64 / 2 - START_BEFORE_MIDDLE
        }
    }

    /// Ends the digit under way, if any.
    fn end(&mut self, on: &mut dyn FnMut(DtmfEvent)) {
        if let Some(Current { digit, start, end, .. }) = self.current.take() {
            let samples = end.saturating_sub(start);
            on(DtmfEvent::End { digit, at_sample: start, samples });
        }
    }
}

impl std::fmt::Debug for Detector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Detector(at {}, {:?})", self.now, self.current())
    }
}

#[cfg(test)]
mod tests;
