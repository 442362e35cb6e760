//! The commands of the `stasis` binary.

mod serve;
mod show;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use stasis_server::config::{Config, EXAMPLE};
use stasis_server::users::{UserSettings, Users};

/// A telephony engine that speaks ARI.
#[derive(Parser)]
#[command(name = "stasis", version, about)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server
    Serve(Serve),
    /// Check a configuration, and the dialplan that it names
    CheckConfig(CheckConfig),
    /// Show what there is in a server that runs
    Show(Show),
    /// Print a script that completes these commands in a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Args)]
struct Serve {
    /// The configuration; without it everything is as in `stasis check-config --example`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A user who may ask for everything, besides those of the configuration
    #[arg(long, value_name = "NAME:PASSWORD")]
    user: Vec<String>,
    /// Where to listen, in the place of the configuration's addresses
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Vec<std::net::SocketAddr>,
}

#[derive(Args)]
struct CheckConfig {
    /// The configuration
    #[arg(value_name = "FILE", required_unless_present = "example")]
    config: Option<PathBuf>,
    /// Print one with every setting, and what it means
    #[arg(long)]
    example: bool,
}

#[derive(Args)]
struct Show {
    /// What to show
    what: What,
    /// Where the server is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8088")]
    url: String,
    /// Who asks
    #[arg(long, value_name = "NAME:PASSWORD", env = "STASIS_USER", hide_env_values = true)]
    user: String,
    /// As JSON, one array
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum What {
    Channels,
    Bridges,
    Applications,
    Topics,
}

/// Something that was asked for cannot be done.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Does what was asked for.
pub fn run(cli: Cli) -> ExitCode {
    let done = match cli.command {
        Command::Serve(asked) => serve::serve(asked),
        Command::CheckConfig(asked) => check(&asked),
        Command::Show(asked) => show::show(&asked),
        Command::Completions { shell } => {
            let (mut command, mut out) = (Cli::command(), std::io::stdout());
            clap_complete::generate(shell, &mut command, "stasis", &mut out);
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("stasis: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn check(asked: &CheckConfig) -> Result<(), Failure> {
    let Some(file) = asked.config.as_ref().filter(|_| !asked.example) else {
        print!("{EXAMPLE}");
        return Ok(());
    };
    let config = Config::read(file)?;
    let (_, warnings) = config.dialplan()?;
    for warning in warnings {
        println!("dialplan, {warning}");
    }
    Users::new(&config.ari.users)?;
    let phones = config.phones()?;
    config.music()?;
    println!(
        "{}: all is well ({} users, {} simulated phones)",
        file.display(),
        config.ari.users.len(),
        phones.len()
    );
    Ok(())
}

/// A user as given on the command line.
fn user(text: &str) -> Result<(String, UserSettings), Failure> {
    let (name, password) = text.split_once(':').ok_or("--user: write NAME:PASSWORD")?;
    // What is written here is the password, whatever it looks like.
    let format = Some("plain".to_owned());
    let settings = UserSettings {
        password: password.into(),
        password_format: format,
        ..UserSettings::default()
    };
    Ok((name.to_owned(), settings))
}
