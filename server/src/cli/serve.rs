//! `stasis serve`: the server, until a signal ends it.

use std::io::IsTerminal;
use std::path::PathBuf;

use stasis_server::config::{Config, LogFormat};
use stasis_server::log::LogChannels;
use stasis_server::server::Server;
use stasis_server::users::{UserSettings, random_password};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

use super::{Failure, Serve};

pub(super) fn serve(asked: Serve) -> Result<(), Failure> {
    let mut config = match &asked.config {
        Some(file) => Config::read(file)?,
        None => Config::default().in_folder(own_folder()?),
    };
    for text in &asked.user {
        let (name, settings) = super::user(text)?;
        config.ari.users.insert(name, settings);
    }
    if !asked.listen.is_empty() {
        config.http.listen = asked.listen;
    }
    let made = config.ari.users.is_empty().then(random_password);
    if let Some(password) = made.clone() {
        let settings = UserSettings { password, ..UserSettings::default() };
        config.ari.users.insert(MADE.into(), settings);
    }
    let channels = LogChannels::new(config.path(&config.log.folder));
    log(&config, channels.clone())?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().thread_name("http").enable_all().build()?;
    runtime.block_on(run(&config, channels, made))
}

/// The name of the user that is made where there is none.
const MADE: &str = "stasis";

async fn run(config: &Config, log: LogChannels, made: Option<String>) -> Result<(), Failure> {
    // From here on a signal is not missed.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let server = Server::start_with(config, log).await?;
    for address in server.addresses() {
        println!("ARI listens at http://{address}/ari");
    }
    let (first, last) = config.media.rtp_ports;
    println!(
        "RTP listens at {}, ports {first} to {last}, when there are calls",
        config.media.rtp_address
    );
    println!("Records and recordings are kept in {}", config.path("".as_ref()).display());
    if let Some(password) = made {
        println!("There is no user in the configuration, so one was made, until the server stops:");
        println!("  {MADE}:{password}");
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    println!("Stopping: calls are hung up, records are written.");
    server.stop().await;
    Ok(())
}

/// Where files are kept when no configuration says where: as the XDG base directories have it.
fn own_folder() -> Result<PathBuf, Failure> {
    let of = |name| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    let state = of("XDG_STATE_HOME").or_else(|| Some(of("HOME")?.join(".local/state")));
    let folder = state.unwrap_or_else(std::env::temp_dir).join("stasis");
    std::fs::create_dir_all(&folder)
        .map_err(|problem| format!("{}: {problem}; name a --config", folder.display()))?;
    Ok(folder)
}

/// Begins the log, on the standard error and in the files of log channels.
fn log(config: &Config, channels: LogChannels) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(&config.log.level)
        .map_err(|problem| format!("log.level {:?}: {problem}", config.log.level))?;
    let has_colours = std::io::stderr().is_terminal();
    let lines =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(has_colours);
    let lines = match config.log.format {
        LogFormat::Text => lines.with_filter(filter).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_filter(filter).boxed(),
    };
    tracing_subscriber::registry().with(lines).with(channels.layer()).try_init()?;
    Ok(())
}
