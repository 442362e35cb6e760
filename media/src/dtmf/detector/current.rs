//! The digit that is under way: whether it is still there.
//!
//! An interruption of up to three looks, 12 ms, is none. A longer one ends it, with one exception:
//! where a packet was lost before it came here, and zeros were put in its place, the tones sound on
//! behind as if nothing had been, in phase. A pause on a line without any noise looks the same, but
//! for the phase.

use super::super::Digit;
use super::super::bank::HOP;
use super::super::tone::Pair;
use super::audio::Audio;
use super::{END_AFTER, edge};

/// Looks at nothing at all that are not counted, as long as the same tones may follow: 20 ms that
/// were lost before they came here are four of them.
const MOST_DEAD: u32 = 4;

/// How much of it a look must have, as a ratio of powers: 8.5 dB less than when it began. A line
/// may become softer by 6 dB within a digit, and the middle of its end is at half the amplitude.
const HELD: f32 = 0.14;

/// A digit that has begun and not ended. Places are in samples at 8 kHz.
#[derive(Clone, Copy)]
pub(super) struct Current {
    pub(super) digit: Digit,
    pub(super) pair: Pair,
    pub(super) start: f64,
    /// Where it was last heard.
    pub(super) end: f64,
    /// Looks without it, in a row, and besides those without any sound.
    misses: u32,
    dead: u32,
    /// What the last look had of it.
    share: f32,
}

/// What a look says of the digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Course {
    /// It is there, or may be.
    There,
    /// It is not there.
    Missing,
    /// It is over.
    Over,
}

impl Current {
    /// A digit that is there now.
    pub(super) fn new(pair: Pair, start: f64, audio: &Audio) -> Self {
        let (digit, end) = (pair.digit(), audio.middle(0));
        Current { digit, pair, start, end, misses: 0, dead: 0, share: 1.0 }
    }

    /// The next look.
    pub(super) fn next(&mut self, audio: &Audio) -> Course {
        let (history, middle) = (&audio.history, audio.middle(0));
        let Some(look) = history.look(0) else { return Course::There };
        let before = std::mem::replace(&mut self.share, self.pair.share(look));
        // After a gap there is no phase to go on from.
        let in_tune = before < HELD || self.pair.is_in_tune(history, audio.bank);
        let gap = self.misses + self.dead;
        if self.share >= HELD && in_tune {
            if gap >= END_AFTER {
                // The looks on either side of the gap may be half in it.
                if before < HELD {
                    self.dead += 1;
                    return Course::There;
                }
                if !self.pair.sounds_on(history, audio.bank, gap as usize + 2) {
                    return Course::Over;
                }
            }
            (self.misses, self.dead) = (0, 0);
            self.end = middle;
            return Course::There;
        }
        if gap == 0 && self.share < HELD {
            self.end = middle - (HOP as f64) * (1.0 - edge(before, self.share));
        }
        if look.norms() == [0.0; 4] && self.dead < MOST_DEAD {
            self.dead += 1;
            return Course::There;
        }
        self.misses += 1;
        if self.misses < END_AFTER { Course::Missing } else { Course::Over }
    }
}
