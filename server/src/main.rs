//! The `stasis` binary: runs the server, looks into one that runs, and checks its configuration.

#![forbid(unsafe_code)]

mod cli;

use clap::Parser;

fn main() -> std::process::ExitCode {
    cli::run(cli::Cli::parse())
}
