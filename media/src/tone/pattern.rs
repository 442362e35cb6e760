//! The rhythm of one tone: what was heard for how long is held against the parts of its cadence.
//!
//! A *run* is one sound, or silence, without an end so far. When it is over it is compared with each part:
//! with a part that follows one that was heard just before, it makes a longer row; a sound may begin a
//! row anywhere, because who listens may come in the middle. A row that is long enough is the
//! tone; it is over when no row goes on any more.

use super::bank::Bank;
use super::ear::Ear;
use super::spec::{BRIDGED_MS, ToneName, ToneSpec, ToneSpecError};
use crate::dtmf::Dbm0;
use crate::sound::Sound;

/// What times are measured by too much or too little.
const SLACK_MS: f32 = 20.0;

/// The share of the least power that a window must have: those at its edges have not all of a sound.
const AT_EDGES: f32 = 0.1;
/// The share of it that a whole sound must have, which begins and ends with such windows.
const ON_THE_WHOLE: f64 = 0.8;

/// What has become of a tone; times in milliseconds of the stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    Began { at: i64, level: Dbm0 },
    Ended { at: i64, until: i64, level: Dbm0 },
}

/// One tone, and how far it has been heard.
pub(super) struct Pattern {
    pub(super) name: ToneName,
    ears: Vec<Ear>,
    steps: Vec<Step>,
    repeats_from: Option<usize>,
    least_power: f32,
    steady_ms: i64,
    parts: u32,
    run: Run,
    /// For each step, the row that ends with it.
    rows: Vec<Row>,
    next_rows: Vec<Row>,
    /// Where the tone began that is heard.
    found: Option<i64>,
    /// Where the last sound ended, and how loud it was.
    until: i64,
    level: Dbm0,
}

/// A part of the cadence.
struct Step {
    /// The ear that hears it; `None`: silence.
    ear: Option<usize>,
    least_ms: f32,
    /// Beyond anything for a part that never ends.
    most_ms: f32,
    is_endless: bool,
}

#[derive(Clone, Copy, Default)]
struct Row {
    parts: u32,
    since: i64,
}

/// What is heard at the moment.
#[derive(Clone, Copy, Default)]
struct Run {
    ear: Option<usize>,
    since: i64,
    /// The last window that heard it.
    last: i64,
    /// How long before that window's end it was over, if that was the last.
    ended_ms: i64,
    power: f64,
    windows: u32,
}

impl Pattern {
    /// For this tone, with the probes that it needs. Allocates.
    pub(super) fn new(spec: &ToneSpec, bank: &mut Bank) -> Result<Self, ToneSpecError> {
        let refused = || ToneSpecError::Cadence(spec.cadence.to_string());
        let (mut ears, mut steps, mut sounds) = (Vec::new(), Vec::new(), Vec::<&Sound>::new());
        let mut repeats_from = spec.cadence.repeats_from();
        for (at, part) in spec.cadence.parts().iter().enumerate() {
            let is_short = part.ms.is_some_and(|ms| ms <= BRIDGED_MS);
            if is_short && part.is_silent() {
                if spec.cadence.repeats_from().is_some_and(|from| at < from) {
                    repeats_from = repeats_from.map(|from| from - 1);
                }
                continue;
            }
            if is_short {
                return Err(refused());
            }
            let ear = match sounds.iter().position(|sound| **sound == part.sound) {
                Some(known) => Some(known),
                None => Ear::new(&part.sound, spec.tolerance_hz, bank).map(|ear| {
                    sounds.push(&part.sound);
                    ears.push(ear);
                    ears.len() - 1
                }),
            };
            steps.push(Step::new(ear, part.ms, spec.tolerance_percent));
        }
        let repeats_from = repeats_from.filter(|from| *from < steps.len());
        let pattern = Pattern {
            name: spec.name,
            rows: vec![Row::default(); steps.len()],
            next_rows: vec![Row::default(); steps.len()],
            ears,
            steps,
            repeats_from,
            least_power: spec.min_level.peak().powi(2) / 2.0,
            steady_ms: i64::from(spec.steady_ms),
            parts: spec.parts.max(1),
            run: Run::default(),
            found: None,
            until: 0,
            level: Dbm0::of_peak(0.0),
        };
        if pattern.ears.is_empty() || pattern.has_equal_neighbours() {
            return Err(refused());
        }
        Ok(pattern)
    }

    /// Whether one part could not be told from the next.
    fn has_equal_neighbours(&self) -> bool {
        let is_equal = |at: usize, next: usize| {
            let (Some(a), Some(b)) = (self.steps.get(at), self.steps.get(next)) else {
                return false;
            };
            a.ear == b.ear && !a.is_endless
        };
        (0..self.steps.len()).any(|at| self.next(at).is_some_and(|next| is_equal(at, next)))
    }

    /// The step that follows.
    fn next(&self, at: usize) -> Option<usize> {
        if at + 1 < self.steps.len() { Some(at + 1) } else { self.repeats_from }
    }

    /// Looks at the window that ends at `now`, in milliseconds of the stream.
    pub(super) fn hear(&mut self, bank: &Bank, now: i64, on: &mut impl FnMut(Turn)) {
        let heard = self.loudest(bank);
        match (self.run.ear, heard) {
            (running, Some((ear, power))) => {
                if running != Some(ear) {
                    let (began_ms, ended_ms) = self.edges(ear);
                    let since = now - began_ms;
                    self.end_run(if running.is_some() { self.run.end() } else { since }, on);
                    self.run = Run { ear: Some(ear), since, ended_ms, ..Run::default() };
                }
                self.run.last = now;
                self.run.power += f64::from(power);
                self.run.windows += 1;
            }
            (Some(_), None) if now - self.run.last > i64::from(BRIDGED_MS) => {
                let end = self.run.end();
                self.end_run(end, on);
                self.run = Run { ear: None, since: end, ..Run::default() };
            }
            (_, None) => {}
        }
        self.look_at_run(now, on);
    }

    /// See [`Ear::edges`].
    fn edges(&self, ear: usize) -> (i64, i64) {
        self.ears.get(ear).map_or((0, 0), Ear::edges)
    }

    /// Which sound fills this window, and its power.
    fn loudest(&self, bank: &Bank) -> Option<(usize, f32)> {
        let floor = self.least_power * AT_EDGES;
        if bank.power() < floor {
            return None;
        }
        let all = self.ears.iter().enumerate();
        let heard = all.filter_map(|(at, ear)| Some((at, ear.hear(bank)?)));
        heard.filter(|(_, power)| *power >= floor).max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The run is over: does it go on with a row, or begin one?
    fn end_run(&mut self, end: i64, on: &mut impl FnMut(Turn)) {
        let run = self.run;
        if run.ear.is_some() {
            self.until = end;
            self.level = run.level();
        }
        let length = (end - run.since) as f32;
        let is_loud = self.is_loud();
        self.next_rows.fill(Row::default());
        for (at, row) in self.rows.iter().enumerate().filter(|(_, row)| row.parts > 0 && is_loud) {
            let Some(next) = self.next(at) else { continue };
            let Some(step) = self.steps.get(next) else { continue };
            if let Some(longer) =
                self.next_rows.get_mut(next).filter(|_| step.fits(run.ear, length))
            {
                *longer = Row { parts: row.parts.saturating_add(1), since: row.since };
            }
        }
        for (step, row) in self.steps.iter().zip(&mut self.next_rows) {
            if row.parts == 0 && run.ear.is_some() && is_loud && step.fits(run.ear, length) {
                *row = Row { parts: 1, since: run.since };
            }
        }
        std::mem::swap(&mut self.rows, &mut self.next_rows);
        let whole = self.rows.iter().filter(|row| row.parts >= self.parts);
        if let Some(since) = whole.map(|row| row.since).min() {
            self.find(since, on);
        }
    }

    /// What runs may be a part that never ends, or show that the tone is over.
    fn look_at_run(&mut self, now: i64, on: &mut impl FnMut(Turn)) {
        let run = self.run;
        let length = now - run.since;
        let mut goes_on = run.ear.is_none() && length == 0;
        for (at, step) in self.steps.iter().enumerate() {
            if step.is_endless && step.ear == run.ear && self.is_steady() {
                self.level = run.level();
                return self.find(run.since, on);
            }
            let follows = self.rows.get(at).is_some_and(|row| row.parts > 0);
            let next = self.next(at).filter(|_| follows).and_then(|next| self.steps.get(next));
            goes_on |= next
                .is_some_and(|next| next.ear == run.ear && length as f32 <= next.most_ms + 80.0);
        }
        if let Some(since) = self.found.filter(|_| !goes_on) {
            self.found = None;
            on(Turn::Ended { at: since, until: self.until, level: self.level });
        }
    }

    /// Whether what runs is enough for a part that never ends.
    fn is_steady(&self) -> bool {
        self.run.ear.is_some()
            && self.run.end() - self.run.since >= self.steady_ms
            && self.is_loud()
    }

    /// Whether what runs is loud enough, or silence.
    fn is_loud(&self) -> bool {
        self.run.ear.is_none() || self.run.mean() >= ON_THE_WHOLE * f64::from(self.least_power)
    }

    fn find(&mut self, since: i64, on: &mut impl FnMut(Turn)) {
        if self.found.is_none() {
            self.found = Some(since);
            on(Turn::Began { at: since, level: self.level });
        }
    }
}

impl Step {
    fn new(ear: Option<usize>, ms: Option<u32>, tolerance_percent: f32) -> Self {
        let length = ms.unwrap_or(0) as f32;
        let off = length * tolerance_percent / 100.0 + SLACK_MS;
        let most_ms = if ms.is_some() { length + off } else { f32::MAX };
        Step { ear, least_ms: length - off, most_ms, is_endless: ms.is_none() }
    }

    fn fits(&self, ear: Option<usize>, length: f32) -> bool {
        !self.is_endless && self.ear == ear && (self.least_ms..=self.most_ms).contains(&length)
    }
}

impl Run {
    fn end(&self) -> i64 {
        self.last - self.ended_ms
    }

    /// Mean square.
    fn mean(&self) -> f64 {
        self.power / f64::from(self.windows.max(1))
    }

    fn level(&self) -> Dbm0 {
        Dbm0::of_peak((2.0 * self.mean()).sqrt() as f32)
    }
}
