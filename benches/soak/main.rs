//! Does the engine keep up, hour after hour, and is everything that it sends right?
//!
//! A media thread with rooms and RTP legs over real UDP runs on one processor, and the far ends of the
//! legs, as a process of their own, on another. Each packet that comes back is looked at, and the audio
//! of some legs. Linux only: it reads `/proc` and keeps to processors.
//!
//! ```sh
//! cargo bench --bench soak -- --legs 500 --seconds 60
//! cargo bench --bench soak -- --help
//! ```

#[cfg(target_os = "linux")]
#[path = "."]
mod soak {
    pub mod allocations;
    pub mod args;
    pub mod engine;
    pub mod figures;
    pub mod floor;
    pub mod generator;
    pub mod join_figures;
    pub mod joins;
    pub mod machine;
    pub mod numbers;
    pub mod pilots;
    pub mod plan;
    pub mod plots;
    pub mod progress;
    pub mod record;
    pub mod report;
    pub mod rows;
    pub mod run;
    pub mod summary;
    pub mod voices;
    pub mod wire;
}

#[cfg(target_os = "linux")]
fn main() {
    use clap::Parser;
    use soak::args::Args;

    // Without a word it is run as a test: not by `cargo bench`, which says so.
    let is_test = std::env::args_os().len() == 1;
    let args = if is_test { Args::test() } else { Args::parse() };
    let outcome = if args.generate {
        soak::generator::run(&args).map(|()| 0)
    } else {
        soak::run::run(&args).and_then(|outcome| tell(&args, &outcome))
    };
    let code = outcome.unwrap_or_else(|error| {
        eprintln!("soak: {error}");
        2
    });
    // A test does not ask whether the machine had time for it.
    std::process::exit(if is_test && code != 2 { 0 } else { i32::from(code) });
}

/// Prints the result, and writes the page; gives the exit code.
#[cfg(target_os = "linux")]
fn tell(
    args: &soak::args::Args,
    outcome: &soak::run::Outcome,
) -> Result<u8, Box<dyn std::error::Error>> {
    let soak::run::Outcome { figures, parts } = outcome;
    if args.json {
        println!("{}", figures.json());
    } else {
        print!("{}", soak::rows::table(&figures.rows()));
        println!("\n{}", figures.verdict());
    }
    if let Some(folder) = &args.report {
        let words: Vec<String> =
            std::env::args().skip(1).filter(|word| word != "--bench").collect();
        let command = format!("cargo bench --bench soak -- {}", words.join(" "));
        soak::report::write(folder, &command, &soak::machine::description(), figures, parts)?;
        eprintln!("wrote {}", folder.join("index.html").display());
    }
    if let (Some(file), Some(name)) = (&args.summary, &args.name) {
        soak::summary::add(file, name, figures)?;
    }
    Ok(figures.exit_code())
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("soak: it needs Linux, whose /proc it reads");
}
