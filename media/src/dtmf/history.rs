//! The last looks, and which of them may agree on a pair of tones.
//!
//! A look that lost audio has a part in is left out, and so is one short interruption: those around
//! it count. Looks are taken only where they may tell something (see [`History::is_promising`]).

use realfft::num_complex::Complex32;

use super::bank::{Bank, Look};
use super::tone::Group;

/// Looks that begin a digit.
pub(super) const ENOUGH: usize = 7;
/// Looks that are kept.
const KEPT: usize = 32;
/// Looks in the middle of a gap that is bridged: 20 ms of lost audio spoil six.
const MOST_LOST: u32 = 6;
/// Looks in the middle of an interruption that is bridged: of 10 ms.
const MOST_HOLLOW: u32 = 3;
/// The most looks that those which agree can be among.
const SEEN: usize = ENOUGH + MOST_LOST as usize + MOST_HOLLOW as usize;
const SEEN_BITS: u32 = (1 << SEEN) - 1;
/// Looks without a gap before or after one: a tone that comes and goes is none.
const BEFORE_OR_AFTER: usize = 5;

/// What half the amplitude is, as power: there a tone begins and ends.
pub(super) const EDGE: f32 = 0.25;
/// Of every other look so many are asked whether the rest is worth while, and three must agree.
const COARSE: usize = 5;
const COARSE_BITS: u32 = 0b1_0101_0101;
const COARSE_ENOUGH: usize = 3;
/// How steadily their phase must turn: the length of the mean of two turns.
const ALIKE: f32 = 0.85;

/// The last looks, the newest first.
#[derive(Clone)]
pub(super) struct History {
    looks: [Look; KEPT],
    /// How loud the louder filter of each group was, twice around, so that the last ones are always
    /// in a row. Nothing where audio was lost.
    loudness: [[f32; 2 * KEPT]; 2],
    /// Where the newest is.
    newest: usize,
    /// A bit for each look: whether all of its audio came, and whether it was taken. The lowest is
    /// the newest's.
    known: u32,
    taken: u32,
}

impl History {
    /// Silence.
    pub(super) fn new() -> Self {
        History {
            looks: [Look::default(); KEPT],
            loudness: [[0.0; 2 * KEPT]; 2],
            newest: 0,
            known: u32::MAX,
            taken: u32::MAX,
        }
    }

    /// Time for one more look, which is still to be taken if all of its audio came.
    pub(super) fn push(&mut self, is_known: bool) {
        self.newest = (self.newest + 1) % KEPT;
        self.known = self.known << 1 | u32::from(is_known);
        self.taken <<= 1;
        self.put(0, Look::default());
        self.taken &= !u32::from(is_known);
    }

    /// The first of the looks up to `most` hops ago that is still to be taken.
    pub(super) fn due(&self, most: usize) -> Option<usize> {
        let back = self.taken.trailing_ones() as usize;
        (back <= most).then_some(back)
    }

    /// How far back looks must be taken for [`History::witnesses`].
    pub(super) fn reach(&self) -> usize {
        let lost = self.known & SEEN_BITS != SEEN_BITS;
        let most = if lost { SEEN } else { ENOUGH + MOST_HOLLOW as usize };
        most - 1
    }

    /// The look `back` hops ago is taken.
    pub(super) fn put(&mut self, back: usize, look: Look) {
        self.taken |= 1 << back;
        let place = (self.newest + KEPT - back) % KEPT;
        self.looks[place] = look;
        let norms = look.norms();
        for (group, loudness) in self.loudness.iter_mut().enumerate() {
            let louder = norms[2 * group].max(norms[2 * group + 1]);
            (loudness[place], loudness[place + KEPT]) = (louder, louder);
        }
    }

    /// The look `back` hops ago, if it is known.
    pub(super) fn look(&self, back: usize) -> Option<&Look> {
        (back < KEPT && self.known >> back & 1 == 1).then(|| self.at(back))
    }

    /// Whether it is worth while to take every look: whether three of the last five of every other
    /// look, the newest first, are about as loud as that, and their phases turn alike.
    pub(super) fn is_promising(&self, bank: &Bank, floor: f32) -> bool {
        let mut solid = [true; COARSE];
        for loudness in &self.loudness {
            let loud = loudness[self.newest + KEPT];
            if 2.0 * loud < floor * EDGE {
                return false;
            }
            let (least, most) = (loud * EDGE * EDGE, loud / (EDGE * EDGE));
            for (i, solid) in solid.iter_mut().enumerate() {
                let norm = loudness[self.newest + KEPT - 2 * i];
                *solid &= (norm > least) & (norm < most);
            }
        }
        if self.known & COARSE_BITS != COARSE_BITS {
            return true;
        }
        if solid.iter().filter(|&&solid| solid).count() < COARSE_ENOUGH {
            return false;
        }
        [Group::Low, Group::High].into_iter().all(|group| {
            let carrier = group.louder(self.at(0));
            let (mut pairs, mut sum, mut length) = (0, Complex32::default(), 0.0);
            for i in 1..COARSE {
                if solid[i - 1] && solid[i] && pairs < 2 {
                    let (before, after) = (self.at(2 * i), self.at(2 * i - 2));
                    let turn = bank.double_turn(carrier, before, after);
                    (sum, pairs) = (sum + turn, pairs + 1);
                    length += turn.norm_sqr().sqrt();
                }
            }
            pairs < 2 || sum.norm_sqr() >= (ALIKE * length).powi(2)
        })
    }

    /// Whether two tones, above the `floor`, have just ended that were there for less than three of
    /// every other look: for 12 to 28 ms.
    pub(super) fn has_ended_early(&self, floor: f32) -> bool {
        self.loudness.iter().all(|loudness| {
            let level = |i: usize| loudness[self.newest + KEPT - 2 * i];
            let least = level(1) * EDGE;
            2.0 * level(1) >= floor
                && level(0) < least
                && level(2) >= least
                && level(1) >= level(2) * EDGE
                && level(3).min(level(4)) < least
        })
    }

    /// The look `back` hops ago; silence if it is not known.
    pub(super) fn at(&self, back: usize) -> &Look {
        &self.looks[(self.newest + KEPT - back % KEPT) % KEPT]
    }

    /// Which looks are to agree: the newest seven in which there is something. Those that are not
    /// known are left out, and so is one short interruption. None if there are not seven, or there
    /// is hardly anything (mean square) now.
    pub(super) fn witnesses(&self, floor: f32) -> Option<[usize; ENOUGH]> {
        const FIRST: u16 = (1 << ENOUGH) - 1;
        let newest = |group: usize| self.loudness[group][self.newest];
        if 2.0 * newest(0).min(newest(1)) < floor * EDGE {
            return None;
        }
        // The last looks, the oldest first: no question is asked before all answers are there.
        let from = self.newest + KEPT + 1 - SEEN;
        let mut solid = u16::MAX;
        for loudness in &self.loudness {
            let seen: &[f32; SEEN] = loudness[from..].first_chunk()?;
            let least = seen[SEEN - 1] * EDGE;
            let bits: [u16; SEEN] =
                std::array::from_fn(|i| u16::from(seen[i] >= least) << (SEEN - 1 - i));
            solid &= bits.iter().fold(0, |all, bit| all | bit);
        }
        let known = self.known as u16;
        solid &= known;
        if solid & FIRST == FIRST {
            return Some(std::array::from_fn(|i| i));
        }
        if solid & 1 == 0 || (solid.count_ones() as usize) < ENOUGH {
            return None;
        }
        let mut found = [0; ENOUGH];
        let places = (0..SEEN).filter(|back| solid >> back & 1 == 1);
        found.iter_mut().zip(places).for_each(|(found, place)| *found = place);
        let span = (1u16 << found[ENOUGH - 1]) - 1;
        let lost = (!known & span).count_ones();
        let hollow = (known & !solid & span).count_ones();
        let whole = hollow == 0 || Self::longest_run(&found).1 >= BEFORE_OR_AFTER;
        (lost <= MOST_LOST && hollow <= MOST_HOLLOW && whole).then_some(found)
    }

    /// The longest run of these looks without a gap: its newest, and how many they are.
    pub(super) fn longest_run(looks: &[usize; ENOUGH]) -> (usize, usize) {
        let (mut best, mut from) = ((looks[0], 1), 0);
        for i in 1..ENOUGH {
            if looks[i] != looks[i - 1] + 1 {
                from = i;
            }
            if i - from + 1 > best.1 {
                best = (looks[from], i - from + 1);
            }
        }
        best
    }
}
