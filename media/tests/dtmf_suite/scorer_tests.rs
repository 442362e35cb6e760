//! The scorer against lists of which the score is known.

use super::dtmf_suite::score::{Fault, Heard, score};
use super::dtmf_suite::{Class, Stimulus};

fn truth() -> Vec<Stimulus> {
    let stimulus = |i: usize| Stimulus {
        digit: Some(['1', '1', '5', '#'][i % 4]),
        start_ms: 300.0 + 100.0 * i as f64,
        duration_ms: 50.0,
        levels: None,
        optional: false,
    };
    (0..16).map(stimulus).collect()
}

fn perfect() -> Vec<Heard> {
    let heard = |stimulus: Stimulus| Heard {
        digit: stimulus.digit.unwrap(),
        start_ms: stimulus.start_ms,
        duration_ms: stimulus.duration_ms,
        reported_ms: stimulus.start_ms + 30.0,
    };
    truth().into_iter().map(heard).collect()
}

fn counts(class: Class, heard: &[Heard]) -> [usize; 5] {
    let score = score(class, &truth(), heard).0;
    [score.stimuli, score.hits, score.extra, score.exact_starts, score.exact_durations]
}

#[test]
fn a_perfect_list_scores_everything() {
    assert_eq!(counts(Class::MustAccept, &perfect()), [16, 16, 0, 16, 16]);
    let (score, faults) = score(Class::MustAccept, &truth(), &perfect());
    assert_eq!((score.percent(), score.latency(50.0), score.latency(99.0)), (100.0, 30.0, 30.0));
    assert_eq!(faults, []);
}

#[test]
fn a_dropped_digit_is_missed_and_named() {
    let mut heard = perfect();
    heard.remove(1);
    assert_eq!(counts(Class::MustAccept, &heard), [16, 15, 0, 15, 15]);
    let faults = score(Class::MustAccept, &truth(), &heard).1;
    assert_eq!(faults, [Fault::Missed { digit: '1', at_ms: 400.0 }]);
}

#[test]
fn a_doubled_digit_and_a_wrong_one_are_extra() {
    let mut heard = perfect();
    heard.push(Heard { start_ms: 325.0, ..heard[0].clone() });
    assert_eq!(counts(Class::MustAccept, &heard), [16, 16, 1, 16, 16]);
    heard[3].digit = '9';
    assert_eq!(counts(Class::MustAccept, &heard), [16, 15, 2, 15, 15]);
}

#[test]
fn a_shifted_digit_is_found_but_not_exact_and_a_far_one_is_both_missed_and_extra() {
    let mut heard = perfect();
    heard[2].start_ms += 11.0;
    heard[2].duration_ms -= 11.0;
    assert_eq!(counts(Class::MustAccept, &heard), [16, 16, 0, 15, 15]);
    heard[2].start_ms += 50.0;
    assert_eq!(counts(Class::MustAccept, &heard), [16, 15, 1, 15, 15]);
}

#[test]
fn what_was_lost_need_not_be_heard_but_may() {
    let mut truth = truth();
    truth[0].optional = true;
    let all = score(Class::GoalAccept, &truth, &perfect()).0;
    assert_eq!((all.stimuli, all.hits), (16, 16));
    let others = score(Class::GoalAccept, &truth, &perfect()[1..]).0;
    assert_eq!((others.stimuli, others.hits, others.extra), (15, 15, 0));
}

#[test]
fn a_stimulus_that_must_not_be_heard_is_false_once() {
    assert_eq!(counts(Class::MustReject, &[]), [16, 0, 0, 0, 0]);
    assert_eq!(counts(Class::MustReject, &perfect()), [16, 16, 0, 0, 0]);
    let mut twice = vec![perfect()[0].clone(), perfect()[0].clone()];
    twice[1].start_ms += 40.0;
    assert_eq!(counts(Class::GoalReject, &twice), [16, 1, 1, 0, 0]);
}
