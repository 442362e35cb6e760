//! The sections of the configuration that are the server's own.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stasis_media::io::Priority;

use super::{Config, ConfigError};
use crate::ari::outbox::Limits;
use crate::http::{HttpSettings, Origins};
use crate::users::UserSettings;

/// What the server is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerSection {
    /// Its name; ids of channels begin with it. May be empty.
    pub name: String,
    /// The language of channels that have no other.
    pub language: String,
    /// Its version, as ARI tells it.
    pub version: String,
    /// Its id, as ARI tells it: six bytes in hexadecimal, with colons. Not set: one of this machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asterisk_id: Option<String>,
}

impl Default for ServerSection {
    fn default() -> Self {
        ServerSection {
            name: String::new(),
            language: "en".into(),
            version: concat!("24.0.0-stasis-", env!("CARGO_PKG_VERSION")).into(),
            asterisk_id: None,
        }
    }
}

/// Where the server is asked.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct HttpSection {
    /// Addresses and ports.
    pub listen: Vec<SocketAddr>,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: usize,
    /// How long it may take until a request is there, and until it is answered, in seconds.
    pub timeout_sec: u64,
    /// How many connections there may be at a time.
    pub max_connections: usize,
    /// Whether `/metrics` tells everybody; else only this machine, and users.
    pub public_metrics: bool,
}

impl Default for HttpSection {
    fn default() -> Self {
        let defaults = HttpSettings::default();
        HttpSection {
            listen: vec![
                SocketAddr::from(([127, 0, 0, 1], 8088)),
                SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 8088)),
            ],
            max_body_bytes: defaults.most_body_bytes,
            timeout_sec: defaults.timeout.as_secs(),
            max_connections: defaults.most_connections,
            public_metrics: defaults.has_public_metrics,
        }
    }
}

/// ARI.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct AriSection {
    /// Whether JSON is written for people to read.
    pub pretty: bool,
    /// Web pages of these origins may ask; `*` is all.
    pub allowed_origins: Vec<String>,
    /// Variables that are told of with each channel.
    pub channelvars: Vec<String>,
    /// How many messages may wait to be sent to a client.
    pub outbox_messages: usize,
    /// How many bytes may wait to be sent to a client.
    pub outbox_bytes: usize,
    /// How long a client that has missed events may take to read the others, in seconds.
    pub grace_sec: u64,
    /// How often a client is asked whether it is still there, in seconds; 0: never.
    pub ping_sec: u64,
    /// Who may ask.
    pub users: BTreeMap<String, UserSettings>,
}

impl Default for AriSection {
    fn default() -> Self {
        let defaults = HttpSettings::default();
        AriSection {
            pretty: false,
            allowed_origins: Vec::new(),
            channelvars: Vec::new(),
            outbox_messages: defaults.outbox.messages,
            outbox_bytes: defaults.outbox.bytes,
            grace_sec: defaults.grace.as_secs(),
            ping_sec: defaults.ping.as_secs(),
            users: BTreeMap::new(),
        }
    }
}

/// The bus: the pool of threads that run callbacks.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct BusSection {
    /// Threads that it begins with.
    pub initial_size: usize,
    /// Threads that it grows to at most.
    pub max_size: usize,
    /// A thread that had nothing to do for so many seconds ends.
    pub idle_timeout_sec: u64,
    /// Types of messages that are not published.
    pub decline: Vec<String>,
}

impl Default for BusSection {
    fn default() -> Self {
        let defaults = stasis_bus::Settings::default();
        BusSection {
            initial_size: defaults.workers,
            max_size: defaults.max_workers,
            idle_timeout_sec: defaults.idle_timeout.as_secs(),
            decline: defaults.declined,
        }
    }
}

impl BusSection {
    /// As the bus wants them.
    pub fn settings(&self) -> stasis_bus::Settings {
        stasis_bus::Settings {
            workers: self.initial_size,
            max_workers: self.max_size,
            idle_timeout: Duration::from_secs(self.idle_timeout_sec),
            declined: self.decline.clone(),
            ..stasis_bus::Settings::default()
        }
    }
}

/// The media engine.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MediaSection {
    /// Its threads; a busy system wants one for each processor but one.
    pub threads: usize,
    /// Legs that there is room for: two for each channel of a pair or a simulated phone.
    pub legs: usize,
    /// Bridges that there is room for.
    pub bridges: usize,
    /// Whether its threads go before all others, if the system lets them.
    pub realtime: bool,
    /// The address that RTP listens at.
    pub rtp_address: IpAddr,
    /// The ports of RTP, the first and the last.
    pub rtp_ports: (u16, u16),
}

impl Default for MediaSection {
    fn default() -> Self {
        MediaSection {
            threads: 1,
            legs: 4096,
            bridges: 1024,
            realtime: true,
            rtp_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            rtp_ports: (10_000, 20_000),
        }
    }
}

impl MediaSection {
    /// As the engine wants them.
    pub fn settings(&self) -> stasis_media::io::MediaSettings {
        stasis_media::io::MediaSettings {
            threads: self.threads,
            legs: self.legs,
            bridges: self.bridges,
            priority: if self.realtime { Priority::RealTime } else { Priority::Ordinary },
            ..stasis_media::io::MediaSettings::default()
        }
    }
}

/// Sounds and music.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct SoundsSection {
    /// Folders of sounds, those to be preferred first; the built-in ones are behind them.
    pub folders: Vec<PathBuf>,
    /// Music on hold, by its class, besides the built-in `default`.
    pub music: BTreeMap<String, MusicSection>,
}

/// A class of music on hold.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct MusicSection {
    /// Its folder.
    pub folder: PathBuf,
    /// `sorted` or `shuffled`; sorted if not said.
    #[serde(default)]
    pub order: Option<String>,
}

/// Recordings.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingsSection {
    /// Their folder.
    pub folder: PathBuf,
}

impl Default for RecordingsSection {
    fn default() -> Self {
        RecordingsSection { folder: "recordings".into() }
    }
}

/// What calls do.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct DialplanSection {
    /// A dialplan, in the form of `extensions.conf`, or of TOML where its name ends so. Not set: the built-in
    /// one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

/// The log.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// What is written: `error`, `warn`, `info`, `debug`, `trace`, also for a part only
    /// (`info,stasis_control=debug`).
    pub level: String,
    /// How.
    pub format: LogFormat,
    /// Where the files are that clients of ARI have it logged to.
    pub folder: PathBuf,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl Default for LogSection {
    fn default() -> Self {
        LogSection { level: "info".into(), format: LogFormat::Text, folder: "log".into() }
    }
}

impl Config {
    /// As HTTP wants them.
    pub fn http_settings(&self) -> HttpSettings {
        HttpSettings {
            is_pretty: self.ari.pretty,
            origins: Origins::new(self.ari.allowed_origins.iter().cloned()),
            most_body_bytes: self.http.max_body_bytes,
            timeout: Duration::from_secs(self.http.timeout_sec.max(1)),
            most_connections: self.http.max_connections.max(1),
            outbox: Limits {
                messages: self.ari.outbox_messages.max(1),
                bytes: self.ari.outbox_bytes.max(1),
            },
            grace: Duration::from_secs(self.ari.grace_sec),
            ping: Duration::from_secs(self.ari.ping_sec),
            has_public_metrics: self.http.public_metrics,
        }
    }

    /// Music, by its class.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for an order that there is not.
    pub fn music(&self) -> Result<BTreeMap<String, stasis_media::io::MusicClass>, ConfigError> {
        use stasis_media::io::{MusicClass, MusicOrder, MusicSource};
        let mut all = crate::sounds::music();
        for (name, music) in &self.sounds.music {
            let order = match music.order.as_deref() {
                None | Some("sorted") => MusicOrder::Sorted,
                Some("shuffled") => MusicOrder::Shuffled,
                Some(other) => {
                    return Err(ConfigError::Value(format!(
                        "order {other:?} of music {name:?} is not known: use sorted or shuffled"
                    )));
                }
            };
            let source = MusicSource::Directory(self.path(&music.folder));
            all.insert(name.clone(), MusicClass { source, order });
        }
        Ok(all)
    }
}
