//! Playing a scenario: how often, by which scheduler, and how to play a failure again.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, RandomState};

use shuttle::scheduler::{
    PctScheduler, RandomScheduler, Scheduler, UncontrolledNondeterminismCheckScheduler,
};
use shuttle::{Config, FailurePersistence, MaxSteps, Runner};

/// Runs that follow from one seed.
const BATCH: usize = 10;

/// Changes of priority in a run by PCT, and one more.
const DEPTH: usize = 3;

/// Runs of a scenario, if `STASIS_SHUTTLE_ITERATIONS` does not say.
const RUNS: usize = 3_000;

/// Plays `scenario` many times, or what `STASIS_SHUTTLE_SEED` says. With `STASIS_SHUTTLE_FROM`, a
/// number, the many times are always the same ones.
pub fn play(name: &'static str, scenario: fn()) {
    if let Some(seed) = number("STASIS_SHUTTLE_SEED") {
        return play_seed(name, scenario, seed);
    }
    let runs = number("STASIS_SHUTTLE_ITERATIONS").map_or(RUNS, |runs| runs as usize);
    let from = number("STASIS_SHUTTLE_FROM").unwrap_or_else(|| RandomState::new().hash_one(0));
    let fixed = BuildHasherDefault::<DefaultHasher>::new();
    for batch in 0..runs.div_ceil(BATCH) as u64 {
        // Odd ones are played by PCT.
        let seed = fixed.hash_one((from, batch)) & !1 | batch & 1;
        play_seed(name, scenario, seed);
    }
}

/// Plays `scenario` a few times twice: fails if the second time is not the same.
pub fn play_twice(scenario: fn()) {
    let chance = RandomScheduler::new_from_seed(RandomState::new().hash_one(0), BATCH);
    run(UncontrolledNondeterminismCheckScheduler::new(chance), scenario);
}

fn play_seed(name: &'static str, scenario: fn(), seed: u64) {
    let _failure = Failure { name, seed };
    match seed % 2 {
        0 => run(RandomScheduler::new_from_seed(seed, BATCH), scenario),
        _ => run(PctScheduler::new_from_seed(seed, DEPTH, BATCH), scenario),
    }
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) {
    let mut config = Config::new();
    config.stack_size = 256 * 1024;
    config.silence_warnings = true;
    // As a list of steps a run is some hundred kilobytes; the seed says the same.
    config.failure_persistence = FailurePersistence::None;
    // Who waits for a time is never stuck as far as shuttle knows: then this ends the run.
    config.max_steps = MaxSteps::FailAfter(400_000);
    Runner::new(scheduler, config).run(scenario);
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// Says how to play it again when it fails.
struct Failure {
    name: &'static str,
    seed: u64,
}

impl Drop for Failure {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Failure { name, seed } = self;
            eprintln!("To play it again: STASIS_SHUTTLE_SEED={seed} cargo shuttle {name}");
        }
    }
}
