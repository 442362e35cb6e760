//! A tone over several looks, and a pair of them.
//!
//! A tone that is there for 28 ms fills seven looks, with the same power and with a phase that
//! turns by the same angle from one to the next; that angle is its frequency, to a few tenths of a
//! percent also in noise.

use super::Digit;
use super::bank::{Bank, CARRIERS, HOP, Look, Phase, RATE, response};
use super::digit::{HIGH_HZ, LOW_HZ};
use super::history::{EDGE, History};

/// How much louder than the mean a look may be.
const LOUDEST: f32 = 4.0;
/// How steadily the phase must turn: the length of the mean of its turns, 1 for a pure tone.
const COHERENCE: f32 = 0.94;
/// How far the phase may be off after a gap, as the cosine of the angle: where audio is known to
/// have been lost, where it may be a pause instead (40 degrees), and from one look to the next of a
/// digit that lasts (24 Hz off).
const REUNION: f32 = 0.4;
const CUT_OUT: f32 = 0.77;
const IN_TUNE: f32 = 0.82;

/// The two groups of frequencies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Low,
    High,
}

impl Group {
    /// Which of the group's carriers is louder.
    pub(super) fn louder(self, look: &Look) -> usize {
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
    /// The pair that these looks agree on, if both tones are above the `floor` (mean square).
    pub(super) fn of(
        history: &History,
        bank: &Bank,
        looks: &[usize],
        floor: f32,
    ) -> Result<Pair, Discord> {
        let low = Tone::of(history, bank, looks, Group::Low, floor)?;
        let high = Tone::of(history, bank, looks, Group::High, floor)?;
        Ok(Pair { low, high })
    }

    /// Whether the newest look has its frequencies, against the one before.
    pub(super) fn is_in_tune(&self, history: &History, bank: &Bank) -> bool {
        let (Some(now), Some(before)) = (history.look(0), history.look(1)) else { return true };
        [&self.low, &self.high].into_iter().all(|tone| {
            let turn = bank.turn(tone.carrier, before, now);
            let soft = turn.norm().sqrt();
            let off = turn.times(tone.turn.conjugate());
            // Where the look before had nothing, there is nothing to compare with.
            soft < tone.seen * EDGE || off.re > IN_TUNE * soft
        })
    }

    /// Whether it sounds on from the look `before` to the newest, as if what is between had only
    /// been cut out.
    pub(super) fn sounds_on(&self, history: &History, bank: &Bank, before: usize) -> bool {
        let (Some(then), Some(now)) = (history.look(before), history.look(0)) else { return false };
        [&self.low, &self.high]
            .into_iter()
            .all(|tone| tone.is_in_phase(bank, (then, now), before, CUT_OUT))
    }

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

impl Tone {
    /// The tone of `group` that these looks agree on, the newest first.
    fn of(
        history: &History,
        bank: &Bank,
        looks: &[usize],
        group: Group,
        floor: f32,
    ) -> Result<Tone, Discord> {
        let carrier = group.louder(history.at(looks[looks.len() / 2]));
        let seen = steady_level(history, looks, carrier).ok_or(Discord::Silence)?;
        if 2.0 * seen < floor {
            return Err(Discord::Silence);
        }
        let [first, second] = turns(history, bank, looks, carrier).ok_or(Discord::Wander)?;
        let sum = first.plus(second);
        let norm = sum.norm().sqrt();
        let hz_of = |turn: Phase| turn.angle() / std::f32::consts::TAU * RATE / HOP as f32;
        let off = hz_of(sum);
        let (index, detune) = nearest(group, CARRIERS[carrier] + off);
        let gain = response(off);
        let tone = Tone {
            index,
            hz: CARRIERS[carrier] + off,
            detune,
            power: 2.0 * seen / (gain * gain),
            seen,
            turn: Phase { re: sum.re / norm, im: sum.im / norm },
            carrier,
            bend: hz_of(second.times(first.conjugate())),
        };
        // An interruption may be by the telephone, and then the phase does not go on over it.
        let is_lost = |pair: &&[usize]| history.look(pair[0] + 1).is_none();
        let goes_on = looks.windows(2).filter(is_lost).all(|pair| {
            let looks = (history.at(pair[1]), history.at(pair[0]));
            tone.is_in_phase(bank, looks, pair[1] - pair[0], REUNION)
        });
        if goes_on { Ok(tone) } else { Err(Discord::Wander) }
    }

    /// Whether its phase is, within an angle of this cosine, what it must be in the second of two
    /// looks that are so many hops apart.
    fn is_in_phase(&self, bank: &Bank, looks: (&Look, &Look), hops: usize, cosine: f32) -> bool {
        let hop = self.turn.conjugate().times(bank.carrier_turn(self.carrier));
        let both = looks.1.at(self.carrier).times(looks.0.at(self.carrier).conjugate());
        let rest = (0..hops).fold(both, |rest, _| rest.times(hop));
        rest.re > cosine * rest.norm().sqrt()
    }
}

/// The mean level of the looks, if all have about that; those at the edges may be half of it.
fn steady_level(history: &History, looks: &[usize], carrier: usize) -> Option<f32> {
    let level = |back: &usize| history.at(*back).at(carrier).norm();
    let inner = &looks[1..looks.len() - 1];
    let mean = inner.iter().map(level).sum::<f32>() / inner.len() as f32;
    let range = mean * EDGE..=mean * LOUDEST;
    looks.iter().map(level).all(|level| range.contains(&level)).then_some(mean)
}

/// How far the phase turned in a hop, in the older looks and in the newer ones, times the square of
/// the level; none if it did not turn alike.
fn turns(history: &History, bank: &Bank, looks: &[usize], carrier: usize) -> Option<[Phase; 2]> {
    let (mut halves, mut length) = ([Phase::default(); 2], 0.0);
    for (i, pair) in looks.windows(2).enumerate() {
        if pair[1] == pair[0] + 1 {
            let turn = bank.turn(carrier, history.at(pair[1]), history.at(pair[0]));
            let half = &mut halves[usize::from(2 * i + 1 < looks.len() - 1)];
            *half = half.plus(turn);
            length += turn.norm().sqrt();
        }
    }
    let norm = halves[0].plus(halves[1]).norm().sqrt();
    (norm > 0.0 && norm >= length * COHERENCE).then_some(halves)
}

/// The row or column whose frequency is nearest, and how far it is, as a share of it.
fn nearest(group: Group, hz: f32) -> (usize, f32) {
    let nominal = if group == Group::Low { &LOW_HZ } else { &HIGH_HZ };
    let off = |i: usize| hz - f32::from(nominal[i]);
    let nearer = |a: usize, b: usize| if off(b).abs() < off(a).abs() { b } else { a };
    let index = (1..nominal.len()).fold(0, nearer);
    (index, off(index) / f32::from(nominal[index]))
}
