//! What is asked.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Asks a server four questions over ARI, and compares the answers with the figures to reach.
///
/// Exit code 0: all were reached; 1: one was not; 2: it could not run.
#[derive(Parser, Clone, Debug)]
#[command(name = "ari")]
pub struct Args {
    /// Only this question
    #[arg(value_enum)]
    pub question: Option<Question>,
    /// events: how many, about
    #[arg(long, default_value_t = 500_000)]
    pub count: u64,
    /// requests: how many of each kind
    #[arg(long, default_value_t = 300_000)]
    pub requests: u64,
    /// requests: connections that are kept open
    #[arg(long, default_value_t = 16)]
    pub connections: usize,
    /// effect: how often a channel is added
    #[arg(long, default_value_t = 500)]
    pub adds: usize,
    /// rate: calls a second, of two channels each
    #[arg(long, default_value_t = 200)]
    pub calls: u32,
    /// rate: for how long
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// rate: how long the two of a call are together, in milliseconds
    #[arg(long, default_value_t = 1_000)]
    pub talk_ms: u64,
    /// Be the server, with its files in this folder, until the standard input ends
    #[arg(long, hide = true)]
    pub serve: Option<PathBuf>,
    /// What `cargo bench` says of itself
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// One of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Question {
    /// How many events a second are told to a client that only counts them?
    Events,
    /// What does a request cost that only looks, and how many can be answered a second?
    Requests,
    /// How long is it from addChannel to the first sound of the bridge?
    Effect,
    /// How many calls a second can be set up, put together and hung up?
    Rate,
}

impl Args {
    /// As small as can be.
    pub fn test() -> Self {
        Args {
            count: 2_000,
            requests: 200,
            adds: 3,
            calls: 10,
            seconds: 1,
            talk_ms: 100,
            ..Args::parse_from(["ari"])
        }
    }
}
