//! Every model holds, in every interleaving that loom tries.
#![cfg(loom)]

use stasis_loom_tests::models::{MODELS, run};

macro_rules! models {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*
        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

models! {
    two_producers_wrap_a_small_ring
    a_full_ring_tells_its_loss_in_place
    an_eviction_races_the_consumer
    closing_meets_a_late_producer
    a_loss_at_the_end_is_told_or_not_counted
    a_sleeping_consumer_is_always_woken
    a_consumer_sleeps_while_what_comes_next_is_only_claimed
    a_callback_is_queued_once_and_never_left_with_messages
    a_mark_is_never_lost
    a_worker_never_sleeps_through_work
    a_wake_up_never_goes_to_a_worker_that_has_left
    two_workers_do_not_both_leave_the_last_place
    either_somebody_sleeps_or_the_watcher_watches
    cells_come_back_whole_from_two_threads
    a_cell_is_used_again_after_its_last_reader
    a_message_on_the_heap_ends_after_its_last_reader
    a_follower_has_the_state_and_then_every_change
    a_follower_is_not_misled_by_a_sweep
    the_last_to_return_frees_once
    a_shown_value_outlives_its_readers
    a_list_is_replaced_and_its_ring_closed
}

#[test]
fn every_model_is_tested() {
    assert_eq!(TESTED, MODELS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}
