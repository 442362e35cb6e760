//! Whether a leg hears the right mix: the pilots of all others in its room at the level that they
//! were sent at, without a jump, and nothing of its own.
//!
//! Looked at in windows of an even number of ticks, which hold whole turns of every pilot. A single
//! tick that is missing in a window of ten takes 0.9 dB off its level; one between two windows, or one
//! too many, turns the pilot by half a turn.

use std::f64::consts::{PI, TAU};

/// The peak of each pilot.
pub const PEAK: f64 = 1_000.0;
/// How far a codec may change a pilot.
#[derive(Clone, Copy, Debug)]
pub struct Tolerance {
    /// Over so many ticks, an even number.
    pub ticks: usize,
    /// In dB, up or down.
    pub level_db: f64,
    /// From one window to the next, in turns.
    pub turn: f64,
    /// How far below the others' its own must be, in dB.
    pub own_db: f64,
}

/// Whose pilot it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    Own,
    Others,
}

/// What was wrong in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Pilots of others that were too loud, too soft, or missing.
    pub level: u32,
    /// Pilots of others that jumped.
    pub jump: u32,
    /// Its own pilot was heard.
    pub own: u32,
}

impl Faults {
    /// All of them.
    pub fn total(self) -> u32 {
        self.level + self.jump + self.own
    }
}

/// Listens to one stream.
pub struct Ear {
    pilots: Vec<(f64, Whose)>,
    tolerance: Tolerance,
    hz: u32,
    window: Vec<i16>,
    /// The phases in the window before, in turns.
    before: Vec<Option<f64>>,
    /// The worst that was heard: of a level, and of its own against the others'.
    pub worst_level_db: f64,
    pub worst_own_db: f64,
    /// The worst jump, in turns.
    pub worst_turn: f64,
}

impl Ear {
    /// For audio at `hz`, with these pilots in the room.
    pub fn new(hz: u32, pilots: Vec<(f64, Whose)>, tolerance: Tolerance) -> Self {
        let before = vec![None; pilots.len()];
        let (worst_level_db, worst_own_db, worst_turn) = (0.0, f64::NEG_INFINITY, 0.0);
        let window = Vec::with_capacity(hz as usize);
        Ear { pilots, tolerance, hz, window, before, worst_level_db, worst_own_db, worst_turn }
    }

    /// Takes the next tick; tells of a window when that is full.
    pub fn hear(&mut self, tick: &[i16]) -> Option<Faults> {
        self.window.extend_from_slice(tick);
        let length = self.hz as usize / 50 * self.tolerance.ticks;
        if self.window.len() < length {
            return None;
        }
        let window = std::mem::take(&mut self.window);
        let faults = self.judge(&window[..length]);
        self.window = window;
        self.window.clear();
        Some(faults)
    }

    fn judge(&mut self, window: &[i16]) -> Faults {
        let mut faults = Faults::default();
        for (at, (pilot_hz, whose)) in self.pilots.iter().enumerate() {
            let (peak, phase) = line(window, *pilot_hz, self.hz);
            let level_db = 20.0 * (peak.max(1e-3) / PEAK).log10();
            match whose {
                Whose::Own => {
                    self.worst_own_db = self.worst_own_db.max(level_db);
                    faults.own += u32::from(level_db > -self.tolerance.own_db);
                }
                Whose::Others => {
                    let is_worse = level_db.abs() > self.worst_level_db.abs();
                    self.worst_level_db = if is_worse { level_db } else { self.worst_level_db };
                    faults.level += u32::from(level_db.abs() > self.tolerance.level_db);
                    if let Some(before) = self.before[at].replace(phase) {
                        let turn = (phase - before + 1.5).rem_euclid(1.0) - 0.5;
                        self.worst_turn = self.worst_turn.max(turn.abs());
                        faults.jump += u32::from(turn.abs() > self.tolerance.turn);
                    }
                }
            }
        }
        faults
    }
}

/// The peak of the sine of `line_hz` in `samples` at `hz`, which hold whole turns of it, and its
/// phase in turns.
fn line(samples: &[i16], line_hz: f64, hz: u32) -> (f64, f64) {
    let angle = TAU * line_hz / f64::from(hz);
    let (turn_sin, turn_cos) = angle.sin_cos();
    let (mut sin, mut cos) = (0.0f64, 1.0f64);
    let (mut re, mut im) = (0.0, 0.0);
    for sample in samples {
        re += f64::from(*sample) * cos;
        im += f64::from(*sample) * sin;
        (sin, cos) = (sin * turn_cos + cos * turn_sin, cos * turn_cos - sin * turn_sin);
    }
    (2.0 * re.hypot(im) / samples.len() as f64, im.atan2(re) / (2.0 * PI))
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    const STRICT: Tolerance = Tolerance { ticks: 10, level_db: 0.5, turn: 0.05, own_db: 30.0 };
    const OWN: f64 = 2_625.0;
    const OTHERS: [f64; 2] = [2_725.0, 3_325.0];

    /// So many ticks of these sines, by peak.
    fn sines(sines: &[(f64, f64)], ticks: usize) -> Vec<Vec<i16>> {
        let at = |n: usize| {
            let sum: f64 =
                sines.iter().map(|(hz, peak)| peak * (TAU * hz * n as f64 / 8_000.0).sin()).sum();
            sum.round() as i16
        };
        (0..ticks).map(|tick| (0..160).map(|n| at(160 * tick + n)).collect()).collect()
    }

    fn faults(ticks: &[Vec<i16>]) -> Faults {
        let mut pilots = vec![(OWN, Whose::Own)];
        pilots.extend(OTHERS.map(|hz| (hz, Whose::Others)));
        let mut ear = Ear::new(8_000, pilots, STRICT);
        ticks.iter().filter_map(|tick| ear.hear(tick)).fold(Faults::default(), |sum, faults| {
            Faults {
                level: sum.level + faults.level,
                jump: sum.jump + faults.jump,
                own: sum.own + faults.own,
            }
        })
    }

    #[test]
    fn the_others_alone_are_right_whatever_the_speech_below_them() {
        let right = sines(&[(OTHERS[0], PEAK), (OTHERS[1], PEAK), (440.0, 9_000.0)], 60);
        assert_eq!(faults(&right), Faults::default());
    }

    #[test]
    fn another_that_is_missing_too_soft_or_too_loud_is_noticed() {
        for peak in [0.0, 0.93 * PEAK, 1.07 * PEAK, 2.0 * PEAK] {
            let wrong = sines(&[(OTHERS[0], PEAK), (OTHERS[1], peak)], 20);
            assert_eq!((faults(&wrong).level, faults(&wrong).own), (2, 0), "{peak}");
        }
    }

    #[test]
    fn its_own_is_noticed_from_30_db_below_the_others_on() {
        for (peak, expected) in [(28.0, 0), (36.0, 2), (PEAK, 2)] {
            let heard = sines(&[(OTHERS[0], PEAK), (OTHERS[1], PEAK), (OWN, peak)], 20);
            assert_eq!((faults(&heard).own, faults(&heard).level), (expected, 0), "{peak}");
        }
    }

    #[test]
    fn a_tick_that_is_silent_missing_or_there_twice_is_noticed_wherever_it_is() {
        let right = sines(&[(OTHERS[0], PEAK), (OTHERS[1], PEAK)], 60);
        for at in 20..40 {
            let (mut silent, mut missing, mut twice) =
                (right.clone(), right.clone(), right.clone());
            silent[at].fill(0);
            missing.remove(at);
            twice.insert(at, right[at].clone());
            for (wrong, what) in [(silent, "silent"), (missing, "missing"), (twice, "twice")] {
                assert!(faults(&wrong).total() > 0, "{what} at {at}");
            }
        }
    }
}
