//! Compares what a detector heard with the truth.
//!
//! Each digit heard belongs to the nearest stimulus of the same digit whose start is within 60 ms and
//! that has none yet; else it is extra. Where nothing may be heard, a stimulus during or shortly
//! after which something is heard is a false accept.

use super::{Class, Stimulus};

/// How far from the truth a start may be.
const WITHIN_MS: f64 = 60.0;
/// What counts as exact for starts and durations.
const EXACT_MS: f64 = 10.0;

/// A digit as a detector reported it. Times count from the start of the recording.
#[derive(Clone, Debug)]
pub struct Heard {
    pub digit: char,
    pub start_ms: f64,
    pub duration_ms: f64,
    /// When a live detector says so.
    pub reported_ms: f64,
}

/// What went wrong, and where.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    Missed { digit: char, at_ms: f64 },
    Extra { digit: char, at_ms: f64 },
}

/// The score of one recording, or of several.
#[derive(Clone, Debug, Default)]
pub struct Score {
    pub files: usize,
    /// Stimuli: those that count.
    pub stimuli: usize,
    /// Of an accepting class: found. Of a rejecting one: those with something heard.
    pub hits: usize,
    /// Heard, but not the first time or not right; of a rejecting class, all beyond one a stimulus.
    pub extra: usize,
    /// Of each hit, the time from its true start to its report.
    pub latency_ms: Vec<f64>,
    /// Hits whose start, and whose duration, are exact.
    pub exact_starts: usize,
    pub exact_durations: usize,
}

impl Score {
    pub fn add(&mut self, other: &Score) {
        self.files += other.files;
        self.stimuli += other.stimuli;
        self.hits += other.hits;
        self.extra += other.extra;
        self.latency_ms.extend(&other.latency_ms);
        self.exact_starts += other.exact_starts;
        self.exact_durations += other.exact_durations;
    }

    /// Hits in percent of the stimuli.
    pub fn percent(&self) -> f64 {
        100.0 * self.hits as f64 / self.stimuli.max(1) as f64
    }

    /// The latency that so many percent of the hits do not exceed.
    pub fn latency(&self, percent: f64) -> f64 {
        let mut sorted = self.latency_ms.clone();
        sorted.sort_by(f64::total_cmp);
        let at = (percent / 100.0 * sorted.len() as f64).ceil() as usize;
        sorted.get(at.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    }
}

/// Scores one recording. `heard` may be in any order.
pub fn score(class: Class, truth: &[Stimulus], heard: &[Heard]) -> (Score, Vec<Fault>) {
    let mut heard: Vec<&Heard> = heard.iter().collect();
    heard.sort_by(|a, b| a.start_ms.total_cmp(&b.start_ms));
    match class.accepts() {
        true => accepted(truth, &heard),
        false => rejected(truth, &heard),
    }
}

fn accepted(truth: &[Stimulus], heard: &[&Heard]) -> (Score, Vec<Fault>) {
    let (mut score, mut faults) = (Score { files: 1, ..Score::default() }, Vec::new());
    let mut found = vec![false; truth.len()];
    for heard in heard {
        match nearest(truth, &found, heard) {
            Some(i) => {
                found[i] = true;
                score.hit(&truth[i], heard);
            }
            None => {
                score.extra += 1;
                faults.push(Fault::Extra { digit: heard.digit, at_ms: heard.start_ms });
            }
        }
    }
    for (stimulus, found) in truth.iter().zip(found) {
        score.stimuli += usize::from(found || !stimulus.optional);
        if !found && !stimulus.optional {
            let digit = stimulus.digit.unwrap_or('?');
            faults.push(Fault::Missed { digit, at_ms: stimulus.start_ms });
        }
    }
    (score, faults)
}

/// The stimulus that a digit heard belongs to.
fn nearest(truth: &[Stimulus], found: &[bool], heard: &Heard) -> Option<usize> {
    let off = |i: usize| (truth[i].start_ms - heard.start_ms).abs();
    (0..truth.len())
        .filter(|&i| !found[i] && truth[i].digit == Some(heard.digit) && off(i) <= WITHIN_MS)
        .min_by(|&a, &b| off(a).total_cmp(&off(b)))
}

fn rejected(truth: &[Stimulus], heard: &[&Heard]) -> (Score, Vec<Fault>) {
    let mut score = Score { files: 1, stimuli: truth.len(), ..Score::default() };
    let mut fooled = vec![false; truth.len()];
    let mut faults = Vec::new();
    for heard in heard {
        faults.push(Fault::Extra { digit: heard.digit, at_ms: heard.start_ms });
        // A start may be told a little early, but not before the stimulus before has ended.
        let stimulus =
            truth.iter().rposition(|stimulus| stimulus.start_ms <= heard.start_ms + 15.0);
        match stimulus.and_then(|i| fooled.get_mut(i)) {
            Some(fooled) if !*fooled => *fooled = true,
            _ => score.extra += 1,
        }
    }
    score.hits = fooled.into_iter().filter(|&fooled| fooled).count();
    (score, faults)
}

impl Score {
    fn hit(&mut self, stimulus: &Stimulus, heard: &Heard) {
        self.hits += 1;
        self.latency_ms.push(heard.reported_ms - stimulus.start_ms);
        let exact = |a: f64, b: f64| usize::from((a - b).abs() <= EXACT_MS);
        self.exact_starts += exact(heard.start_ms, stimulus.start_ms);
        self.exact_durations += exact(heard.duration_ms, stimulus.duration_ms);
    }
}
