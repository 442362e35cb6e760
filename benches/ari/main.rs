//! What does ARI cost, and does it keep up? Four questions, each with the figure to reach.
//!
//! The server is a process of its own, this bench once more (`--serve`), so that what it computes can be told from
//! what its clients do. All of it goes over loopback. Linux only: it reads `/proc`.
//!
//! ```sh
//! cargo bench --bench ari                    # all four, 60 s of calls
//! cargo bench --bench ari -- events --count 1000000
//! cargo bench --bench ari -- --help
//! ```

#![allow(clippy::disallowed_methods)] // who measures reads a clock

#[cfg(target_os = "linux")]
#[path = "."]
mod ari {
    pub mod args;
    pub mod client;
    pub mod effect;
    pub mod events;
    #[path = "../calls/figures.rs"]
    pub mod figures;
    pub mod rate;
    pub mod requests;
    pub mod server;
}

#[cfg(target_os = "linux")]
fn main() {
    use ari::args::{Args, Question};
    use clap::Parser;

    // Without a word it is run as a test: not by `cargo bench`, which says so.
    let is_test = std::env::args_os().len() == 1;
    let args = if is_test { Args::test() } else { Args::parse() };
    if let Some(folder) = &args.serve {
        return ari::server::serve(folder);
    }
    let asked = |question| args.question.is_none_or(|asked| asked == question);
    let mut figures = ari::figures::Figures::default();
    type Run = fn(&Args, &mut ari::figures::Figures) -> Result<(), Box<dyn std::error::Error>>;
    let questions: [(Question, Run); 4] = [
        (Question::Events, ari::events::run),
        (Question::Requests, ari::requests::run),
        (Question::Effect, ari::effect::run),
        (Question::Rate, ari::rate::run),
    ];
    for (question, run) in questions {
        if !asked(question) {
            continue;
        }
        eprintln!("ari: {question:?} …");
        if let Err(error) = run(&args, &mut figures) {
            eprintln!("ari: {question:?}: {error}");
            std::process::exit(2);
        }
        print!("{}", figures.take_table());
    }
    // A test does not ask whether the machine had time for it.
    let is_missed = figures.is_any_missed() && !is_test;
    std::process::exit(i32::from(is_missed));
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("ari: it needs Linux, whose /proc it reads");
}
