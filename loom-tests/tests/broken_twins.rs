//! Each model catches its broken twins: the same code with one ordering weakened, one fence left
//! out or one check skipped. A twin runs in a child process and must fail.
#![cfg(loom)]

use std::process::Command;

use stasis_loom_tests::models::run;

/// What is broken, and a model that must notice.
const TWINS: &[(&str, &str)] = &[
    ("slot.write.release", "two_producers_wrap_a_small_ring"),
    ("slot.read.acquire", "two_producers_wrap_a_small_ring"),
    ("slot.take.release", "two_producers_wrap_a_small_ring"),
    ("slot.reuse.acquire", "two_producers_wrap_a_small_ring"),
    ("ring.lose.release", "a_full_ring_tells_its_loss_in_place"),
    ("ring.told.acquire", "a_full_ring_tells_its_loss_in_place"),
    ("ring.close.release", "a_full_ring_tells_its_loss_in_place"),
    ("ring.end.acquire", "a_full_ring_tells_its_loss_in_place"),
    ("ring.end.losses", "a_full_ring_tells_its_loss_in_place"),
    ("ring.end.settle", "a_loss_at_the_end_is_told_or_not_counted"),
    ("ring.close.check", "closing_meets_a_late_producer"),
    ("ring.end.check", "closing_meets_a_late_producer"),
    ("ring.evict.claim", "an_eviction_races_the_consumer"),
    ("fence", "a_sleeping_consumer_is_always_woken"),
    ("marks.take.acquire", "a_mark_is_never_lost"),
    ("marks.set.release", "a_mark_is_never_lost"),
    ("marks.set.order", "a_mark_is_never_lost"),
    ("fence", "a_worker_never_sleeps_through_work"),
    ("roster.leave.claimed", "a_wake_up_never_goes_to_a_worker_that_has_left"),
    ("roster.leave.claimed", "two_workers_do_not_both_leave_the_last_place"),
    ("fence", "either_somebody_sleeps_or_the_watcher_watches"),
    ("roster.duty.look", "either_somebody_sleeps_or_the_watcher_watches"),
    ("pool.put.release", "cells_come_back_whole_from_two_threads"),
    ("pool.take.acquire", "cells_come_back_whole_from_two_threads"),
    ("lease.settle", "the_last_to_return_frees_once"),
    ("lease.return", "the_last_to_return_frees_once"),
    ("shown.enter.fence", "a_shown_value_outlives_its_readers"),
    ("shown.enter.release", "a_shown_value_outlives_its_readers"),
    ("shown.ask.fence", "a_shown_value_outlives_its_readers"),
    ("shown.ask.inside", "a_shown_value_outlives_its_readers"),
    ("shown.ask.acquire", "a_shown_value_outlives_its_readers"),
    ("shown.leave.release", "a_shown_value_outlives_its_readers"),
    ("shown.read.acquire", "a_shown_value_outlives_its_readers"),
    ("shown.replace.release", "a_shown_value_outlives_its_readers"),
    ("shown.wait.acquire", "a_shown_value_outlives_its_readers"),
    ("shown.ask.fence", "a_list_is_replaced_and_its_ring_closed"),
    ("ring.close.check", "a_list_is_replaced_and_its_ring_closed"),
];

const CHILD: &str = "STASIS_LOOM_CHILD";

/// Runs the model named by the parent; by itself it has nothing to do.
#[test]
fn child() {
    if let Ok(model) = std::env::var(CHILD) {
        run(&model);
    }
}

fn passes(broken: Option<&str>, model: &str) -> bool {
    let mut child = Command::new(std::env::current_exe().expect("this test has a path"));
    child.args(["--exact", "child", "--test-threads=1"]).env(CHILD, model);
    if let Some(site) = broken {
        child.env("STASIS_BREAK", site);
    }
    child.output().expect("the child can be started").status.success()
}

#[test]
fn every_broken_twin_is_caught() {
    let missed: Vec<_> = TWINS.iter().filter(|(site, model)| passes(Some(site), model)).collect();
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn the_same_children_pass_when_nothing_is_broken() {
    let mut models: Vec<_> = TWINS.iter().map(|(_, model)| *model).collect();
    models.dedup();
    let failed: Vec<_> = models.into_iter().filter(|model| !passes(None, model)).collect();
    assert!(failed.is_empty(), "fail unbroken: {failed:?}");
}
