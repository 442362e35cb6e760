//! The detector against a part of the suite of stimuli: two recordings of each category.
//!
//! The whole of it is for `make dtmf-suite`; the figures are those of `dtmf_suite::figures`.

#[allow(dead_code, reason = "the bench uses the rest")]
mod dtmf_suite;
#[path = "dtmf_suite/scorer_tests.rs"]
mod scorer_tests;
#[path = "dtmf_suite/stimuli_tests.rs"]
mod stimuli_tests;

use std::sync::LazyLock;

use dtmf_suite::figures::{Figure, VOICES};
use dtmf_suite::hear::hear;
use dtmf_suite::score::score;
use dtmf_suite::table::Table;
use dtmf_suite::voices::{self, Kind};
use dtmf_suite::{Class, Material};
use rayon::prelude::*;
use stasis_media::dtmf::DtmfSettings;

const HOURS_OF_VOICES: f64 = 0.25;

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
                let heard = hear(&recording.samples, recording.hz, DtmfSettings::DEFAULT);
                score(case.class, &recording.stimuli, &heard).0
            })
            .collect();
        let mut table = Table::default();
        for (case, score) in cases.iter().zip(&scores) {
            table.add(case.class, &case.category, &case.format(), score);
        }
        let voice = voices::speak(Kind::Adversarial, HOURS_OF_VOICES * 3_600.0, "conformance");
        let voice: Vec<i16> = voice.into_iter().map(|sample| sample.round() as i16).collect();
        let heard = hear(&voice, 8_000, DtmfSettings::DEFAULT);
        table.add_silent(VOICES, HOURS_OF_VOICES, heard.len());
        table
    });
    &TABLE
}

/// Asserts that the figures whose names begin so are reached, and shows the tables if not.
fn check(name: &str) {
    let figures: Vec<_> =
        table().figures().into_iter().filter(|figure| figure.name.starts_with(name)).collect();
    let holds = !figures.is_empty() && figures.iter().all(Figure::is_reached);
    assert!(holds, "\n{}\n{}", table().worst(20), table().summary());
}

#[test]
fn what_must_be_accepted_is() {
    check("must-accept");
}

#[test]
fn what_must_be_rejected_is() {
    check("must-reject");
}

#[test]
fn nearly_all_that_is_beyond_the_standards_is_accepted() {
    check("goal-accept");
}

#[test]
fn most_of_what_resembles_a_digit_is_rejected() {
    const PERCENT: f64 = 5.0;
    let score = table().class(Class::GoalReject);
    assert!(score.percent() <= PERCENT, "\n{}\n{}", table().worst(20), table().summary());
}

#[test]
fn a_digit_is_reported_soon() {
    check("onset to report");
}

#[test]
fn starts_and_durations_are_exact() {
    check("start");
    check("duration");
}

#[test]
fn voices_made_to_be_mistaken_for_digits_seldom_are() {
    check("false in");
}
