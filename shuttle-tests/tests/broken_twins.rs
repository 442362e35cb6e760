//! The scenarios notice what is broken: the same bus with one check left out. A twin runs in a child
//! process and must fail.
#![cfg(shuttle)]

use std::process::Command;

use stasis_shuttle_tests::play::play;
use stasis_shuttle_tests::scenarios::scenario;

/// What is broken, and a scenario that must notice.
const TWINS: &[(&str, &str)] = &[
    ("gate.look", "everything_is_delivered_or_told"),
    ("sleepers.look", "everything_is_delivered_or_told"),
    ("dispatch.loss.handled", "everything_is_delivered_or_told"),
    ("ring.end.check", "the_bus_ends_amid_everything"),
    ("ring.close.check", "the_bus_ends_amid_everything"),
    ("roster.leave.claimed", "everything_is_delivered_or_told"),
    ("marks.set.order", "everything_is_delivered_or_told"),
    ("progress.sweeps", "a_follower_comes_while_entries_are_swept_away"),
    ("progress.stored.order", "a_follower_knows_what_the_cache_knows"),
];

/// Runs within which a twin must be noticed.
const RUNS: &str = "40000";

const CHILD: &str = "STASIS_SHUTTLE_CHILD";

/// Plays the scenario named by the parent; by itself it has nothing to do.
#[test]
fn child() {
    if let Ok(name) = std::env::var(CHILD) {
        let (name, scenario) = scenario(&name);
        play(name, scenario);
    }
}

fn is_noticed(site: &str, scenario: &str) -> bool {
    let mut child = Command::new(std::env::current_exe().expect("this test has a path"));
    child.args(["--exact", "child", "--test-threads=1"]).env(CHILD, scenario);
    child.env("STASIS_BREAK", site).env("STASIS_SHUTTLE_ITERATIONS", RUNS);
    child.env("STASIS_SHUTTLE_FROM", "1"); // the same runs each time: noticed now, noticed always
    !child.output().expect("the child can be started").status.success()
}

#[test]
fn every_broken_twin_is_noticed() {
    let missed: Vec<_> =
        TWINS.iter().filter(|(site, scenario)| !is_noticed(site, scenario)).collect();
    assert!(missed.is_empty(), "not noticed: {missed:?}");
}
