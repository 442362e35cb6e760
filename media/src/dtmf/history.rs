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
const MOST_LOST: usize = 6;

/// What half the amplitude is, as power: there a tone begins and ends.
pub(super) const EDGE: f32 = 0.25;
/// How much louder than the mean a look may be.
const LOUDEST: f32 = 4.0;
/// How steadily the phase must turn: the length of the mean of its turns, 1 for a pure tone.
const COHERENCE: f32 = 0.94;
/// How far the phase may be off after a gap, as the cosine of the angle.
const REUNION: f32 = 0.4;

/// The same, from one look to the next of a digit that lasts: 24 Hz off.
const IN_TUNE: f32 = 0.82;

/// The two groups of frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Low,
    High,
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
    /// How straight the phase turns: 1 for a pure tone.
    pub(super) coherence: f32,
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

    /// How much of itself a look has of the pair: of its weaker half, as a ratio of powers.
    pub(super) fn share(&self, look: &Look) -> f32 {
        let share = |tone: &Tone| look[tone.carrier].norm() / tone.seen.max(f32::MIN_POSITIVE);
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
    /// Where the newest is.
    newest: usize,
    /// A bit for each look: whether all of its audio came. The lowest is the newest's.
    known: u32,
}

impl History {
    /// Silence.
    pub(super) fn new() -> Self {
        History { looks: [Look::default(); KEPT], newest: 0, known: u32::MAX }
    }

    /// One more look; `None` where audio was lost.
    pub(super) fn push(&mut self, look: Option<Look>) {
        self.newest = (self.newest + 1) % KEPT;
        self.known = self.known << 1 | u32::from(look.is_some());
        self.looks[self.newest] = look.unwrap_or_default();
    }

    /// The look `back` hops ago, if it is known.
    pub(super) fn look(&self, back: usize) -> Option<&Look> {
        (back < KEPT && self.known >> back & 1 == 1).then(|| self.at(back))
    }

    fn at(&self, back: usize) -> &Look {
        &self.looks[(self.newest + KEPT - back % KEPT) % KEPT]
    }

    /// Which looks are to agree: the newest seven that are known. None if the newest is not, or if
    /// more were lost between them than can be bridged.
    pub(super) fn witnesses(&self) -> Option<[usize; ENOUGH]> {
        const ALL: u32 = (1 << ENOUGH) - 1;
        if self.known & ALL == ALL {
            return Some(std::array::from_fn(|i| i));
        }
        let mut found = [0; ENOUGH];
        let mut count = 0;
        for back in 0..ENOUGH + MOST_LOST {
            if self.known >> back & 1 == 1 {
                found[count] = back;
                count += 1;
                if count == ENOUGH {
                    return (found[0] == 0).then_some(found);
                }
            }
        }
        None
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
        let first = if group == Group::Low { 0 } else { 2 };
        let middle = looks[looks.len() / 2];
        let power = |back: usize, i: usize| self.at(back)[i].norm();
        let carrier = first + usize::from(power(middle, first) < power(middle, first + 1));
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
            coherence: norm / length,
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

    /// Whether the phase goes on over every gap between these looks.
    fn goes_on(&self, bank: &Bank, looks: &[usize], carrier: usize, turn: Phase) -> bool {
        looks.windows(2).filter(|pair| pair[1] > pair[0] + 1).all(|pair| {
            let (now, before) = (self.at(pair[0])[carrier], self.at(pair[1])[carrier]);
            let hop = turn.conjugate().times(bank.carrier_turn(carrier));
            let mut rest = now.times(before.conjugate());
            for _ in pair[0]..pair[1] {
                rest = rest.times(hop);
            }
            rest.re > REUNION * rest.norm().sqrt()
        })
    }
}
