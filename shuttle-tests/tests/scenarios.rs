//! Every scenario holds, whoever goes on when.
#![cfg(shuttle)]

use stasis_shuttle_tests::play::{play, play_twice};
use stasis_shuttle_tests::scenarios::{SCENARIOS, scenario};

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(#[test] fn $name() {
            let (name, scenario) = scenario(stringify!($name));
            play(name, scenario);
        })*
        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}

scenarios! {
    everything_is_delivered_or_told
    order_holds_while_topics_come_and_go
    callbacks_change_the_topology
    the_bus_ends_amid_everything
    a_follower_knows_what_the_cache_knows
    a_follower_comes_while_entries_are_swept_away
    a_route_that_stays_misses_nothing
}

#[test]
fn every_scenario_is_tested() {
    assert_eq!(TESTED, SCENARIOS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
}

#[test]
fn a_seed_plays_the_same_run_again() {
    SCENARIOS.iter().for_each(|(_, scenario)| play_twice(*scenario));
}
