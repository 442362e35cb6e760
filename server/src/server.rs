//! The server as a whole: everything is started in its order, and stopped in the other one.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use stasis_bus::Bus;
use stasis_control::cause::Cause;
use stasis_control::io::{Control, Driver, DriverSettings};
use stasis_control::time::{Epoch, Timestamp};
use stasis_control::{Exchange, Settings};
use stasis_media::io::{Media, PromptSettings, Prompts, Recorder};
use stasis_media::sound::Language;

use crate::ari::feed::Feed;
use crate::ari::{About, Ari, Recordings};
use crate::config::Config;
use crate::consumers::{CallLog, Metrics, Records, Statsd};
use crate::http::{Figures, Http, listen};
use crate::log::LogChannels;
use crate::users::{Users, random_bytes};

/// How long calls may take to their end when the server stops.
const LAST_CALLS: Duration = Duration::from_secs(5);

/// How long clients may take to hear that it does.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How long it is from one look to the next whether they have.
const LOOK: Duration = Duration::from_millis(20);

/// Something could not be started.
pub type StartError = Box<dyn std::error::Error + Send + Sync>;

/// A server that runs. [`stop`](Server::stop) it: who drops it leaves what it does unfinished.
pub struct Server {
    http: Arc<Http>,
    addresses: Vec<SocketAddr>,
    serving: tokio::task::JoinHandle<()>,
    feed: Feed,
    consumers: Consumers,
    control: Control,
}

/// Those who listen for an operator.
struct Consumers {
    _records: Records,
    _statsd: Statsd,
    _call_log: CallLog,
}

impl Server {
    /// Starts a server.
    ///
    /// # Errors
    /// What could not be started, and what to do about it.
    pub async fn start(config: &Config) -> Result<Self, StartError> {
        let log = LogChannels::new(config.path(&config.log.folder));
        Server::start_with(config, log).await
    }

    /// Starts a server whose log channels are these, which the program's log goes to.
    ///
    /// # Errors
    /// What could not be started, and what to do about it.
    pub async fn start_with(config: &Config, log: LogChannels) -> Result<Self, StartError> {
        let users = Users::new(&config.ari.users)?;
        let listeners = bind(&config.http.listen).await?;
        let addresses = listeners.iter().filter_map(|one| one.local_addr().ok()).collect();
        let bus = Bus::new(config.bus.settings())?;
        let (ari, exchange, driver, metrics) = model(config, &bus, log)?;
        let state = &ari.state;
        let consumers = Consumers {
            _records: Records::start(&bus, state, &records(config))?,
            _statsd: Statsd::start(&bus, state, &config.statsd)?,
            _call_log: CallLog::start(&bus, &config.call_log)?,
        };
        let feed = Feed::start(&bus, ari.epoch, &ari.about.id)?;
        let control = Control::start(&bus, exchange, driver)?;
        let figures: Option<Figures> = match config.metrics.enabled {
            true => Some(Box::new(move || metrics.render())),
            false => None,
        };
        let handle = control.handle().clone();
        let http = Http::new(ari, handle, users, config.http_settings(), figures, bus);
        let http = Arc::new(http);
        let serving = tokio::spawn(listen::serve(http.clone(), listeners));
        Ok(Server { http, addresses, serving, feed, consumers, control })
    }

    /// Where it listens.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Has the exchange do things.
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Stops it: nothing new is begun, calls are hung up, clients are told of that and disconnected, and what
    /// is to be written down is written down.
    pub async fn stop(self) {
        let Server { http, serving, feed, consumers, control, .. } = self;
        http.refuse();
        let state = control.handle().state().clone();
        let began = tokio::time::Instant::now();
        loop {
            let channels = state.channels();
            if channels.is_empty() {
                break;
            }
            if began.elapsed() > LAST_CALLS {
                tracing::warn!(left = channels.len(), "these calls have come to no end");
                break;
            }
            control.handle().submit(move |exchange| {
                for channel in channels {
                    // It may be gone by now.
                    let _ = exchange.hangup(channel.id(), Cause::NORMAL);
                }
            });
            tokio::time::sleep(LOOK).await;
        }
        drop(feed); // what it has left is in the outboxes
        http.stop();
        let _ = serving.await;
        if tokio::time::timeout(LAST_WORDS, http.sockets_closed()).await.is_err() {
            tracing::warn!("a client does not take leave: it is cut off");
        }
        drop(consumers);
        drop(control);
    }
}

/// The call model and what carries its orders out, and what looks at it.
fn model(
    config: &Config,
    bus: &Bus,
    log: LogChannels,
) -> Result<(Ari, Exchange, Driver, Metrics), StartError> {
    let (dialplan, warnings) = config.dialplan()?;
    for warning in warnings {
        tracing::warn!("dialplan: {warning}");
    }
    let epoch = Epoch::at(now_at_zero(bus));
    let settings = Settings {
        system_name: Some(config.server.name.clone()).filter(|name| !name.is_empty()),
        channel_variables: config.ari.channelvars.clone(),
        language: config.server.language.clone(),
        phones: config.phones()?,
        seed: u64::from_ne_bytes(random_bytes()),
        ..Settings::default()
    };
    let exchange = Exchange::new(bus, settings, dialplan, epoch)?;
    let state = exchange.state();
    // The first to be started: others count by it.
    let metrics = Metrics::start(bus, &state, &config.metrics)?;
    let media = Arc::new(Media::start(bus, config.media.settings())?);
    metrics.watch_media(&media);
    let prompts = Prompts::new(PromptSettings {
        directories: config.sounds.folders.iter().map(|folder| config.path(folder)).collect(),
        built_in: crate::sounds::built_in(),
        language: config.server.language.parse().unwrap_or_else(|_| Language::english()),
        ..PromptSettings::default()
    })?;
    let recordings = config.path(&config.recordings.folder);
    let driver = DriverSettings {
        rtp_address: config.media.rtp_address,
        rtp_ports: Some(config.media.rtp_ports),
        recordings: recordings.clone(),
        music: config.music()?,
        ..DriverSettings::default()
    };
    let driver = Driver::new(bus, media, Recorder::start()?, prompts.clone(), driver)?;
    let ari = Ari {
        state,
        recordings: Recordings::new(recordings),
        prompts,
        log,
        about: about(config, epoch.time(bus.now())),
        clock: bus.clock(),
        epoch,
    };
    Ok((ari, exchange, driver, metrics))
}

/// Where records go, seen from the configuration.
fn records(config: &Config) -> crate::consumers::RecordSettings {
    let mut records = config.records.clone();
    records.database = config.path(&records.database);
    records.csv = records.csv.map(|folder| config.path(&folder));
    records
}

/// What time of day it was when the bus's clock showed zero.
fn now_at_zero(bus: &Bus) -> Timestamp {
    #[allow(clippy::disallowed_methods)] // here the time of day comes in
    let now = std::time::SystemTime::now();
    let now = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    Timestamp::from_micros(micros.saturating_sub(bus.now().ns() / 1_000))
}

/// Listens at all addresses. A machine without IPv6 goes without its loopback.
async fn bind(addresses: &[SocketAddr]) -> Result<Vec<tokio::net::TcpListener>, StartError> {
    let mut listeners = Vec::new();
    for address in addresses {
        match listen::bind(*address).await {
            Ok(listener) => listeners.push(listener),
            Err(problem) if is_absent(address, &problem) && addresses.len() > 1 => {
                tracing::warn!(%problem, "there is no IPv6 here");
            }
            Err(problem) => return Err(problem.into()),
        }
    }
    match listeners.is_empty() {
        true => Err("http.listen names no address: nobody could ask".into()),
        false => Ok(listeners),
    }
}

fn is_absent(address: &SocketAddr, problem: &std::io::Error) -> bool {
    use std::io::ErrorKind::{AddrNotAvailable, Unsupported};
    let is_kind = [AddrNotAvailable, Unsupported].contains(&problem.kind());
    address.is_ipv6()
        && address.ip().is_loopback()
        && (is_kind || problem.raw_os_error() == Some(97))
}

fn about(config: &Config, started: Timestamp) -> About {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let kernel = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let limits = read("/proc/self/limits");
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    About {
        id: config.server.asterisk_id.clone().unwrap_or_else(machine_id).into(),
        name: config.server.name.clone(),
        version: config.server.version.clone(),
        kernel,
        language: config.server.language.clone(),
        max_open_files: files.and_then(|line| line.split_whitespace().next()?.parse().ok()),
        started,
    }
}

/// The address of a network card, or else six random bytes.
fn machine_id() -> String {
    let cards = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    let mut addresses: Vec<String> = cards
        .filter_map(|card| std::fs::read_to_string(card.path().join("address")).ok())
        .map(|address| address.trim().to_owned())
        .filter(|address| address.len() == 17 && address != "00:00:00:00:00:00")
        .collect();
    addresses.sort();
    addresses.into_iter().next().unwrap_or_else(|| {
        let [first, rest @ ..] = random_bytes::<6>();
        let first = (first | 0x02) & 0xfe; // locally administered, and no group
        let bytes = std::iter::once(first).chain(rest).map(|byte| format!("{byte:02x}"));
        bytes.collect::<Vec<_>>().join(":")
    })
}
