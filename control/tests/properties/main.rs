//! Any commands in any order: an exchange keeps its promises, and when all is over nothing is left.
//!
//! The cases are few by default; `STASIS_PROPERTY_CASES` says how many there are to be.

mod command;
mod engine;
mod found;
mod ledger;
mod look;
mod picks;
mod play;
mod watch;
mod wild;
mod world;

use std::io::Write;
use std::sync::Mutex;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use command::{Command, commands};
use proptest::prelude::*;
use proptest::test_runner::Config;
use world::World;

/// Commands that were begun so far, and the case that is run.
static BEGUN: AtomicU64 = AtomicU64::new(0);
static CASE: Mutex<Vec<Command>> = Mutex::new(Vec::new());

/// A command that goes on for so long will never end: says which case it is, and ends the test.
const PATIENCE: Duration = Duration::from_secs(30);

fn guard() {
    static GUARD: Once = Once::new();
    GUARD.call_once(|| {
        std::thread::spawn(|| {
            let mut before = u64::MAX;
            loop {
                let begun = BEGUN.load(Relaxed);
                if begun == before {
                    let case = CASE.lock().map(|case| format!("{case:?}")).unwrap_or_default();
                    // Not by a macro, whose words would be kept until the test has ended.
                    let _ = writeln!(std::io::stderr(), "a command has no end, in {case}");
                    std::process::abort();
                }
                before = begun;
                std::thread::sleep(PATIENCE);
            }
        });
    });
}

fn run(case: &[Command]) {
    guard();
    let mut world = World::new();
    for (number, command) in case.iter().enumerate() {
        BEGUN.fetch_add(1, Relaxed);
        if let Ok(mut now) = CASE.lock() {
            *now = case[..=number].to_vec();
        }
        world.play(command);
    }
    BEGUN.fetch_add(1, Relaxed);
    world.end();
}

fn config() -> Config {
    let cases = std::env::var("STASIS_PROPERTY_CASES").ok().and_then(|cases| cases.parse().ok());
    Config {
        cases: cases.unwrap_or(100),
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_is_commanded_the_exchange_keeps_its_promises(case in commands(60)) {
        run(&case);
    }
}
