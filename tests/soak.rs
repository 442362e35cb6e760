//! The parts of the soak (`benches/soak/`) that can be tested without a run: each has its tests.
#![cfg(target_os = "linux")]
#![allow(dead_code)] // a run uses the rest

#[path = "../benches/soak"]
mod soak {
    mod allocations;
    mod args;
    mod figures;
    mod floor;
    mod join_figures;
    mod machine;
    mod numbers;
    mod pilots;
    mod plan;
    mod plots;
    mod progress;
    mod report;
    mod rows;
    mod summary;
    mod voices;
}
