//! The scenarios, one function each, so that tests and their broken twins play the same.

mod callbacks;
mod delivery;
mod ending;
mod following;
mod routes;
mod topology;

/// A scenario by name.
pub const SCENARIOS: &[(&str, fn())] = &[
    ("everything_is_delivered_or_told", delivery::everything_is_delivered_or_told),
    ("order_holds_while_topics_come_and_go", topology::order_holds_while_topics_come_and_go),
    ("callbacks_change_the_topology", callbacks::callbacks_change_the_topology),
    ("the_bus_ends_amid_everything", ending::the_bus_ends_amid_everything),
    ("a_follower_knows_what_the_cache_knows", following::a_follower_knows_what_the_cache_knows),
    (
        "a_follower_comes_while_entries_are_swept_away",
        following::a_follower_comes_while_entries_are_swept_away,
    ),
    ("a_route_that_stays_misses_nothing", routes::a_route_that_stays_misses_nothing),
];

/// The scenario of this name.
pub fn scenario(name: &str) -> (&'static str, fn()) {
    let found = SCENARIOS.iter().find(|(known, _)| *known == name);
    *found.unwrap_or_else(|| panic!("no scenario is named {name}"))
}
