//! What the last looks saw, and which pair of tones they agree on.
//!
//! A tone that is there for 28 ms fills seven looks, with the same power and with a phase that
//! turns by the same angle from one to the next; that angle is its frequency, to a few tenths of a
//! percent also in noise. A look that lost audio has a part in is left out: those around it count,
//! if the phase goes on over the gap as if nothing had been.

use super::Digit;
use super::bank::{Bank, CARRIERS, HOP, Look, Phase, RATE, response};
use super::digit::{HIGH_HZ, LOW_HZ};

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
/// Looks without a gap before or after one: a tone that comes and goes is none.
const BEFORE_OR_AFTER: usize = 5;

/// What half the amplitude is, as power: there a tone begins and ends.
pub(super) const EDGE: f32 = 0.25;
/// How much louder than the mean a look may be.
const LOUDEST: f32 = 4.0;
/// How steadily the phase must turn: the length of the mean of its turns, 1 for a pure tone.
const COHERENCE: f32 = 0.94;
/// The same of two turns, over twice the time, before it is asked of all.
const ALIKE: f32 = 0.85;
/// How many of every other look that is, and their bits.
const COARSE: usize = 5;
const COARSE_BITS: u32 = 0b1_0101_0101;
/// How far the phase may be off after a gap, as the cosine of the angle.
const REUNION: f32 = 0.4;

/// The same, where all of a gap may be a pause: 40 degrees.
const CUT_OUT: f32 = 0.77;
/// The same, from one look to the next of a digit that lasts: 24 Hz off.
const IN_TUNE: f32 = 0.82;

/// The two groups of frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Low,
    High,
}

impl Group {
    /// Which of the group's carriers is louder.
    fn louder(self, look: &Look) -> usize {
        let first = if self == Group::Low { 0 } else { 2 };
        first + usize::from(look.at(first).norm() < look.at(first + 1).norm())
    }
}

/// One tone, over several looks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tone {
    /// The row or column that is nearest.
    pub(super) index: usize,
    pub(super) hz: f32,
    /// How far it is from the nominal frequency, as a share of that.
    pub(super) detune: f32,
    /// Mean square of its samples.
    pub(super) power: f32,
    /// As its carrier's filter shows it: the norm of its look, and its turn in a hop, of length 1.
    pub(super) seen: f32,
    pub(super) turn: Phase,
    pub(super) carrier: usize,
    /// How much its frequency rose from the first half of the looks to the second, in hertz.
    pub(super) bend: f32,
}

/// Two tones, one of each group.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pair {
    pub(super) low: Tone,
    pub(super) high: Tone,
}

impl Pair {
    pub(super) fn digit(&self) -> Digit {
        Digit::at(self.low.index, self.high.index)
    }

    /// How far apart the detunes are.
    pub(super) fn skew(&self) -> f32 {
        (self.low.detune - self.high.detune).abs()
    }

    /// How much of itself a look has of the pair: of its weaker half, as a ratio of powers.
    pub(super) fn share(&self, look: &Look) -> f32 {
        let share = |tone: &Tone| look.at(tone.carrier).norm() / tone.seen.max(f32::MIN_POSITIVE);
        share(&self.low).min(share(&self.high))
    }
}

/// Why the last looks do not agree on a tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Discord {
    /// There is no tone, or not for long enough.
    Silence,
    /// There is one that does not keep its frequency.
    Wander,
}

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
        if solid.iter().filter(|&&solid| solid).count() < 3 {
            return false;
        }
        [Group::Low, Group::High].into_iter().all(|group| {
            let carrier = group.louder(self.at(0));
            let (mut pairs, mut sum, mut length) = (0, Phase::default(), 0.0);
            for i in 1..COARSE {
                if solid[i - 1] && solid[i] && pairs < 2 {
                    let (before, after) = (self.at(2 * i), self.at(2 * i - 2));
                    let turn = bank.double_turn(carrier, before, after);
                    (sum, pairs) = (sum.plus(turn), pairs + 1);
                    length += turn.norm().sqrt();
                }
            }
            pairs < 2 || sum.norm() >= (ALIKE * length).powi(2)
        })
    }

    fn at(&self, back: usize) -> &Look {
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

    /// The pair that these looks agree on, if both tones are above the `floor` (mean square).
    pub(super) fn pair(&self, bank: &Bank, looks: &[usize], floor: f32) -> Result<Pair, Discord> {
        let low = self.tone(bank, looks, Group::Low, floor)?;
        let high = self.tone(bank, looks, Group::High, floor)?;
        Ok(Pair { low, high })
    }

    fn tone(
        &self,
        bank: &Bank,
        looks: &[usize],
        group: Group,
        floor: f32,
    ) -> Result<Tone, Discord> {
        let middle = looks[looks.len() / 2];
        let carrier = group.louder(self.at(middle));
        let power = |back: usize, i: usize| self.at(back).at(i).norm();
        if 2.0 * power(middle, carrier) < floor * EDGE {
            return Err(Discord::Silence);
        }
        let inner = &looks[1..looks.len() - 1];
        let mean = inner.iter().map(|&back| power(back, carrier)).sum::<f32>() / inner.len() as f32;
        let steady = |&back: &usize| {
            let power = power(back, carrier);
            power >= mean * EDGE && power <= mean * LOUDEST
        };
        if 2.0 * mean < floor || !looks.iter().all(steady) {
            return Err(Discord::Silence);
        }
        let (mut halves, mut length) = ([Phase::default(); 2], 0.0);
        for (i, pair) in looks.windows(2).enumerate() {
            if pair[1] == pair[0] + 1 {
                let turn = bank.turn(carrier, self.at(pair[1]), self.at(pair[0]));
                let half = &mut halves[usize::from(2 * i + 1 < looks.len() - 1)];
                *half = half.plus(turn);
                length += turn.norm().sqrt();
            }
        }
        let [second, first] = [halves[1], halves[0]];
        let sum = first.plus(second);
        let norm = sum.norm().sqrt();
        if norm < length * COHERENCE || norm == 0.0 {
            return Err(Discord::Wander);
        }
        let off = sum.angle() / std::f32::consts::TAU * RATE / HOP as f32;
        let turn = Phase { re: sum.re / norm, im: sum.im / norm };
        if !self.goes_on(bank, looks, carrier, turn) {
            return Err(Discord::Wander);
        }
        let hz = CARRIERS[carrier] + off;
        let nominal = if group == Group::Low { &LOW_HZ } else { &HIGH_HZ };
        let (mut index, mut detune) = (0, f32::MAX);
        for (i, &nominal) in nominal.iter().enumerate() {
            let nominal = f32::from(nominal);
            if (hz - nominal).abs() < (detune * nominal).abs() {
                (index, detune) = (i, (hz - nominal) / nominal);
            }
        }
        let gain = response(off);
        Ok(Tone {
            index,
            hz,
            detune,
            power: 2.0 * mean / (gain * gain),
            seen: mean,
            turn,
            carrier,
            bend: second.times(first.conjugate()).angle() / std::f32::consts::TAU * RATE
                / HOP as f32,
        })
    }

    /// Whether the newest look has the frequencies of `pair`, against the one before.
    pub(super) fn in_tune(&self, bank: &Bank, pair: &Pair) -> bool {
        let (Some(now), Some(before)) = (self.look(0), self.look(1)) else { return true };
        [&pair.low, &pair.high].into_iter().all(|tone| {
            let turn = bank.turn(tone.carrier, before, now);
            let soft = turn.norm().sqrt();
            let off = turn.times(tone.turn.conjugate());
            // Where the look before had nothing, there is nothing to compare with.
            soft < tone.seen * EDGE || off.re > IN_TUNE * soft
        })
    }

    /// Whether the phase goes on over every gap between these looks. An interruption may be by the
    /// telephone, and then it does not.
    fn goes_on(&self, bank: &Bank, looks: &[usize], carrier: usize, turn: Phase) -> bool {
        let is_lost = |pair: &&[usize]| self.look(pair[0] + 1).is_none();
        looks.windows(2).filter(is_lost).all(|pair| {
            let rest = self.rest(bank, pair[0], pair[1], carrier, turn);
            rest.re > REUNION * rest.norm().sqrt()
        })
    }

    /// How far the phase of a tone is off from one look to a newer one, times both amplitudes, if
    /// it turned by `turn` in each hop between them.
    fn rest(&self, bank: &Bank, now: usize, before: usize, carrier: usize, turn: Phase) -> Phase {
        let hop = turn.conjugate().times(bank.carrier_turn(carrier));
        let both = self.at(now).at(carrier).times(self.at(before).at(carrier).conjugate());
        (now..before).fold(both, |rest, _| rest.times(hop))
    }

    /// Whether both tones of `pair` sound on from the look `before` to the newest, as if what is
    /// between had only been cut out.
    pub(super) fn sounds_on(&self, bank: &Bank, pair: &Pair, before: usize) -> bool {
        before < KEPT
            && [&pair.low, &pair.high].into_iter().all(|tone| {
                let rest = self.rest(bank, 0, before, tone.carrier, tone.turn);
                rest.re > CUT_OUT * rest.norm().sqrt()
            })
    }
}
