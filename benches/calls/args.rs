//! What is asked.

use clap::{Parser, ValueEnum};

/// Asks the call model four questions, and compares the answers with the figures to reach.
///
/// Exit code 0: all were reached; 1: one was not; 2: it could not run.
#[derive(Parser, Clone, Debug)]
#[command(name = "calls")]
pub struct Args {
    /// Only this question
    #[arg(value_enum)]
    pub question: Option<Question>,
    /// effect: channels that are up meanwhile
    #[arg(long, default_value_t = 1_000)]
    pub channels: usize,
    /// effect: commands whose effect is waited for
    #[arg(long, default_value_t = 2_000)]
    pub commands: usize,
    /// rate: calls a second, of two channels each
    #[arg(long, default_value_t = 200)]
    pub calls: u32,
    /// rate: for how long; devices: a tenth of that
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// rate: how long the two of a call are together, in milliseconds
    #[arg(long, default_value_t = 1_000)]
    pub talk_ms: u64,
    /// endpoints: how many
    #[arg(long, default_value_t = 100_000)]
    pub endpoints: usize,
    /// devices: how many
    #[arg(long, default_value_t = 5_000)]
    pub devices: usize,
    /// devices: changes a second
    #[arg(long, default_value_t = 20_000)]
    pub changes: u64,
    /// Media threads
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// What `cargo bench` says of itself
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// One of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Question {
    /// How long is it from a command to its effect on what is heard?
    Effect,
    /// How many calls a second can be set up, put together and hung up?
    Rate,
    /// What does an endpoint cost that nobody calls?
    Endpoints,
    /// Does a slow consumer keep up with device states?
    Devices,
}

impl Args {
    /// As small as can be.
    pub fn test() -> Self {
        let words = "calls --channels 10 --commands 5 --calls 20 --seconds 1 --talk-ms 100 \
                     --endpoints 1000 --devices 50 --changes 2000";
        Args::parse_from(words.split_whitespace())
    }
}
