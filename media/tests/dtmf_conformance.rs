//! The detector against a part of the suite of stimuli: two recordings of each category.
//!
//! The whole of it, by category, is for `cargo bench --bench dtmf_suite -- --run --all`.

#[allow(dead_code, reason = "the bench uses the rest")]
mod dtmf_suite;
#[path = "dtmf_suite/scorer_tests.rs"]
mod scorer_tests;
#[path = "dtmf_suite/stimuli_tests.rs"]
mod stimuli_tests;

use std::sync::LazyLock;

use dtmf_suite::hear::hear;
use dtmf_suite::score::score;
use dtmf_suite::table::Table;
use dtmf_suite::voices::{self, Kind};
use dtmf_suite::{Class, Material};
use rayon::prelude::*;

const MUST_ACCEPT_PERCENT: f64 = 97.0;
const MUST_ACCEPT_EXTRA: usize = 1;
const MUST_REJECT_PERCENT: f64 = 0.2;
const GOAL_ACCEPT_PERCENT: f64 = 72.0;
const GOAL_ACCEPT_EXTRA: usize = 5;
const GOAL_REJECT_PERCENT: f64 = 3.0;
const LATENCY_P50_MS: f64 = 36.0;
const LATENCY_P99_MS: f64 = 70.0;
const EXACT_STARTS_PERCENT: f64 = 98.0;
const EXACT_DURATIONS_PERCENT: f64 = 92.0;
const FALSE_IN_AN_HOUR_OF_VOICES: f64 = 60.0;

/// What the detector makes of the first recordings of each category that needs no other program.
fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| {
        let material = Material { speech: voices::speak(Kind::Plain, 30.0, "behind") };
        let mut cases = dtmf_suite::cases();
        cases.retain(|case| case.number < 2 && !case.needs_program());
        let scores: Vec<_> = cases
            .par_iter()
            .map(|case| {
                let recording = case.record(&material);
                let heard = hear(&recording.samples, recording.hz);
                score(case.class, &recording.stimuli, &heard).0
            })
            .collect();
        let mut table = Table::default();
        for (case, score) in cases.iter().zip(&scores) {
            table.add(case.class, &case.category, score);
        }
        table
    });
    &TABLE
}

/// Asserts, and shows the tables if it fails.
fn check(holds: bool) {
    assert!(holds, "\n{}\n{}", table().worst(20), table().summary());
}

#[test]
fn what_must_be_accepted_is() {
    let score = table().class(Class::MustAccept);
    check(score.percent() >= MUST_ACCEPT_PERCENT && score.extra <= MUST_ACCEPT_EXTRA);
}

#[test]
fn what_must_be_rejected_is() {
    check(table().class(Class::MustReject).percent() <= MUST_REJECT_PERCENT);
}

#[test]
fn most_of_what_is_beyond_the_standards_is_accepted() {
    let score = table().class(Class::GoalAccept);
    check(score.percent() >= GOAL_ACCEPT_PERCENT && score.extra <= GOAL_ACCEPT_EXTRA);
}

#[test]
fn most_of_what_resembles_a_digit_is_rejected() {
    check(table().class(Class::GoalReject).percent() <= GOAL_REJECT_PERCENT);
}

#[test]
fn a_digit_is_reported_soon() {
    let score = table().class(Class::MustAccept);
    check(score.latency(50.0) <= LATENCY_P50_MS && score.latency(99.0) <= LATENCY_P99_MS);
}

#[test]
fn starts_and_durations_are_exact() {
    let score = table().class(Class::MustAccept);
    let percent = |exact: usize| 100.0 * exact as f64 / score.hits.max(1) as f64;
    check(
        percent(score.exact_starts) >= EXACT_STARTS_PERCENT
            && percent(score.exact_durations) >= EXACT_DURATIONS_PERCENT,
    );
}

#[test]
fn voices_made_to_be_mistaken_for_digits_seldom_are() {
    const HOURS: f64 = 0.25;
    let voice = voices::speak(Kind::Adversarial, HOURS * 3_600.0, "conformance");
    let voice: Vec<i16> = voice.into_iter().map(|sample| sample.round() as i16).collect();
    let heard = hear(&voice, 8_000);
    assert!(heard.len() as f64 / HOURS <= FALSE_IN_AN_HOUR_OF_VOICES, "{heard:?}");
}
