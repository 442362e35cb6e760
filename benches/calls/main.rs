//! What does the call model cost, and does it keep up?
//!
//! An exchange on its thread, with media threads, phones that are simulated, and consumers; four questions,
//! each with the figure to reach. Nothing here goes over a network: see the soak for that. Linux only: it
//! reads `/proc`.
//!
//! ```sh
//! cargo bench --bench calls                       # all four, 60 s of calls
//! cargo bench --bench calls -- effect --channels 1000
//! cargo bench --bench calls -- --help
//! ```

#[cfg(target_os = "linux")]
#[path = "."]
mod calls {
    pub mod args;
    pub mod consumers;
    pub mod devices;
    pub mod effect;
    pub mod endpoints;
    pub mod figures;
    pub mod hall;
    #[path = "../soak/machine.rs"]
    #[allow(dead_code)] // of what the soak knows of the machine only a part is asked here
    pub mod machine;
    pub mod rate;
}

#[cfg(target_os = "linux")]
fn main() {
    use calls::args::{Args, Question};
    use clap::Parser;

    // Without a word it is run as a test: not by `cargo bench`, which says so.
    let is_test = std::env::args_os().len() == 1;
    let args = if is_test { Args::test() } else { Args::parse() };
    let asked = |question| args.question.is_none_or(|asked| asked == question);
    let mut figures = calls::figures::Figures::default();
    type Run = fn(&Args, &mut calls::figures::Figures) -> Result<(), Box<dyn std::error::Error>>;
    let questions: [(Question, Run); 4] = [
        (Question::Endpoints, calls::endpoints::run),
        (Question::Devices, calls::devices::run),
        (Question::Effect, calls::effect::run),
        (Question::Rate, calls::rate::run),
    ];
    for (question, run) in questions {
        if !asked(question) {
            continue;
        }
        eprintln!("calls: {question:?} …");
        if let Err(error) = run(&args, &mut figures) {
            eprintln!("calls: {question:?}: {error}");
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
    eprintln!("calls: it needs Linux, whose /proc it reads");
}
