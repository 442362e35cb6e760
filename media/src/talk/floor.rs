//! The noise floor of a line: what its level comes down to between words.
//!
//! It is the least level of the last second or so (minimum statistics): speech has a gap in almost every
//! second, noise has none. Down it goes at once, up slowly; but at once, too, when the level has hardly
//! moved for that long, because no voice is so steady. The second is kept as two halves, the older one
//! forgotten when the newer one is full, so that a floor costs a few numbers and no history.

/// The floor is never taken to be higher than this, in dBov: whatever is louder is talk.
pub const LOUDEST_FLOOR: f32 = -30.0;
/// Nor lower.
const LOWEST: f32 = -75.0;
/// A line that begins with something louder than this does not begin with noise.
const LOUDEST_BEGINNING: f32 = -45.0;
/// Below this is digital silence: the line is muted, or sends nothing, and tells nothing of its noise.
const NOTHING: f32 = -88.0;
/// Half of the time that is remembered, in microseconds.
const HALF: u64 = 500_000;
/// The least of many levels of noise is below their mean by this much, in dB.
const BIAS: f32 = 1.5;
/// Levels that stay within so many dB are those of noise, or of a tone.
const STEADY: f32 = 6.0;
/// How fast it rises, in dB a microsecond: while nobody talks, and while somebody does.
const RISE: [f32; 2] = [6e-6, 3e-6];

/// The noise floor of a line.
#[derive(Clone, Debug)]
pub(super) struct Floor {
    level: f32,
    /// The newest two levels before this one.
    before: [f32; 2],
    /// Of the last half and this one; and of this one alone.
    whole: Range,
    half: Range,
    /// How old this half is, in microseconds.
    age: u64,
    /// How many halves there were, up to two.
    halves: u8,
    begun: bool,
}

#[derive(Clone, Copy, Debug)]
struct Range {
    least: f32,
    most: f32,
}

impl Range {
    const EMPTY: Range = Range { least: f32::MAX, most: f32::MIN };

    fn take(&mut self, level: f32) {
        self.least = self.least.min(level);
        self.most = self.most.max(level);
    }
}

impl Floor {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Floor {
            level: LOWEST,
            before: [0.0; 2],
            whole: Range::EMPTY,
            half: Range::EMPTY,
            age: 0,
            halves: 0,
            begun: false,
        }
    }

    /// In dBov.
    pub(super) fn level(&self) -> f32 {
        self.level
    }

    /// Hears `time` microseconds at this level. `talks`: within a talk.
    pub(super) fn hear(&mut self, level: f32, time: u64, talks: bool) {
        if level < NOTHING {
            return;
        }
        if !self.begun {
            self.begun = true;
            self.before = [level; 2];
            self.level = (level + BIAS).clamp(LOWEST, LOUDEST_BEGINNING);
        }
        // A single tick is no evidence: a click, or a packet that was made up.
        let middle = median(self.before[0], self.before[1], level);
        self.before = [self.before[1], level];
        self.whole.take(middle);
        self.half.take(middle);
        self.age = self.age.saturating_add(time);
        if self.age >= HALF {
            self.whole = std::mem::replace(&mut self.half, Range::EMPTY);
            self.half.take(middle);
            self.whole.take(middle);
            self.age = 0;
            self.halves = (self.halves + 1).min(2);
        }
        self.follow(time, talks);
    }

    fn follow(&mut self, time: u64, talks: bool) {
        let Range { least, most } = self.whole;
        let goal = (least + BIAS).clamp(LOWEST, LOUDEST_FLOOR);
        let is_steady = self.halves > 0 && most - least < STEADY;
        self.level = if goal < self.level || is_steady {
            goal
        } else {
            goal.min(self.level + RISE[usize::from(talks)] * time as f32)
        };
    }
}

fn median(a: f32, b: f32, c: f32) -> f32 {
    a.min(b).max(a.max(b).min(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hears ticks at these levels, outside of talk.
    fn hear(floor: &mut Floor, levels: impl IntoIterator<Item = f32>) -> f32 {
        levels.into_iter().for_each(|level| floor.hear(level, 20_000, false));
        floor.level()
    }

    fn repeat(level: f32, ticks: usize) -> impl Iterator<Item = f32> {
        std::iter::repeat_n(level, ticks)
    }

    #[test]
    fn it_goes_down_at_once_and_up_when_the_level_stays() {
        let mut floor = Floor::new();
        assert_eq!(hear(&mut floor, repeat(-50.0, 100)), -48.5);
        assert_eq!(hear(&mut floor, repeat(-65.0, 2)), -63.5);
        assert!(hear(&mut floor, repeat(-50.0, 20)) < -60.0);
        assert_eq!(hear(&mut floor, repeat(-50.0, 50)), -48.5);
    }

    #[test]
    fn it_stays_below_words_with_gaps() {
        let mut floor = Floor::new();
        let words = (0..1_000).map(|tick| if tick % 30 < 25 { -20.0 } else { -60.0 });
        assert_eq!(hear(&mut floor, words), -58.5);
    }

    #[test]
    fn a_single_tick_and_digital_silence_change_nothing() {
        let mut floor = Floor::new();
        hear(&mut floor, repeat(-50.0, 100));
        let with_gaps = (0..500).map(|tick| if tick % 10 == 0 { -80.0 } else { -50.0 });
        assert_eq!(hear(&mut floor, with_gaps), -48.5);
        assert_eq!(hear(&mut floor, repeat(-127.0, 1_000)), -48.5);
    }

    #[test]
    fn it_is_bounded() {
        assert_eq!(hear(&mut Floor::new(), repeat(-10.0, 1_000)), LOUDEST_FLOOR);
        assert_eq!(hear(&mut Floor::new(), repeat(-87.0, 1_000)), LOWEST);
        assert!(hear(&mut Floor::new(), [-10.0]) < LOUDEST_BEGINNING + 0.2);
    }
}
