//! Counts for a StatsD server, by the names that Asterisk has for them.
//!
//! Messages are counted on the thread `statsd`, and sent by the interval: a storm of messages is one line for
//! each kind of them. Nobody waits for the network: what cannot be sent is lost, as is usual with StatsD.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use cadence::{BufferedUdpMetricSink, Counted, Gauged, StatsdClient, Timed};
use serde::{Deserialize, Serialize};
use stasis_bus::{Bus, Clock, Delivery, Message, Stamp};
use stasis_control::State;
use stasis_control::channel::ChannelUpdate;

use super::feed::{Consumer, FeedError, Work};
use super::kind::{counts, everything, kind_of};

/// Bytes of a datagram: what passes every Ethernet.
const DATAGRAM: usize = 1_432;

/// What is told to a StatsD server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct StatsdSettings {
    /// Whether anything is told.
    pub enabled: bool,
    /// The server, as host:port. Names are looked up once, at the start.
    pub address: String,
    /// What each name begins with, followed by a dot; nothing: the names as they are.
    pub prefix: String,
    /// How often counts are sent, in milliseconds.
    pub interval_ms: u64,
}

impl Default for StatsdSettings {
    fn default() -> Self {
        StatsdSettings {
            enabled: false,
            address: "127.0.0.1:8125".into(),
            prefix: String::new(),
            interval_ms: 1_000,
        }
    }
}

/// StatsD could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StatsdError {
    /// There is no such server: write a host and a port.
    #[error("no StatsD server at {address:?}: {reason}; write host:port, as in \"127.0.0.1:8125\"")]
    Address {
        /// As it was written.
        address: String,
        /// Why not.
        reason: String,
    },
    /// There is no socket to send from: raise the limit on open files.
    #[error("no socket to send to StatsD from: {0}; raise the limit on open files")]
    Socket(#[from] std::io::Error),
    /// What begins each name has a character in it that StatsD gives a meaning.
    #[error("{0:?} cannot begin the names of StatsD: leave out :, |, @ and what cannot be seen")]
    Prefix(String),
    /// It cannot be fed.
    #[error("no StatsD: {0}")]
    Feed(#[from] FeedError),
}

/// Who tells a StatsD server. Dropping it sends what was counted until then, and ends it.
pub struct Statsd {
    _consumer: Option<Consumer>,
}

impl Statsd {
    /// Begins to count.
    ///
    /// # Errors
    /// [`StatsdError`] when the address is none, or there is no socket or thread for it.
    pub fn start(bus: &Bus, state: &State, settings: &StatsdSettings) -> Result<Self, StatsdError> {
        if !settings.enabled {
            return Ok(Statsd { _consumer: None });
        }
        let (feed, filter) = everything(bus, Counts::NAME)?;
        let counts = Counts::new(bus.clock(), state.clone(), settings)?;
        Ok(Statsd { _consumer: Some(Consumer::start(feed, filter, counts)?) })
    }
}

/// What was counted since it was last sent.
struct Counts {
    client: StatsdClient,
    clock: Clock,
    state: State,
    interval: Duration,
    fresh: BTreeMap<&'static str, i64>,
    lost: i64,
    /// How many channels there are may be another number than was sent.
    has_channels: bool,
    /// When all that is to be sent.
    due: Option<Stamp>,
}

impl Counts {
    fn new(clock: Clock, state: State, settings: &StatsdSettings) -> Result<Self, StatsdError> {
        let address = resolve(&settings.address)?;
        let StatsdSettings { prefix, .. } = settings;
        if prefix.contains(|c: char| c.is_control() || c.is_whitespace() || ":|@".contains(c)) {
            return Err(StatsdError::Prefix(prefix.clone()));
        }
        let any: IpAddr = match address {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0))?;
        socket.set_nonblocking(true)?;
        let sink = BufferedUdpMetricSink::with_capacity(address, socket, DATAGRAM);
        let sink = sink.map_err(|error| no_server(&settings.address, &error))?;
        Ok(Counts {
            client: StatsdClient::from_sink(prefix, sink),
            clock,
            state,
            interval: Duration::from_millis(settings.interval_ms.max(1)),
            fresh: BTreeMap::new(),
            lost: 0,
            has_channels: true,
            due: Some(clock.now()),
        })
    }

    fn count(&mut self, message: &Message) {
        if !counts(message) {
            return;
        }
        let Some(kind) = kind_of(message) else { return };
        *self.fresh.entry(kind).or_default() += 1;
        if let Some(update) = message.downcast_ref::<ChannelUpdate>() {
            self.channel(update);
        }
        self.is_news();
    }

    fn channel(&mut self, update: &ChannelUpdate) {
        self.has_channels |= update.is_gone || update.old.is_none();
        if update.is_gone {
            let lasted = update.at.since(update.new.base.created);
            heed(self.client.time("channels.calltime", lasted.as_millis() as u64));
        }
    }

    fn is_news(&mut self) {
        let (clock, interval) = (self.clock, self.interval);
        self.due.get_or_insert_with(|| clock.now() + interval);
    }

    fn send(&mut self) {
        for (kind, count) in std::mem::take(&mut self.fresh) {
            heed(self.client.count(&format!("stasis.message.{kind}"), count));
        }
        let lost = std::mem::take(&mut self.lost);
        if lost > 0 {
            heed(self.client.count("stasis.lost", lost));
        }
        if std::mem::take(&mut self.has_channels) {
            heed(self.client.gauge("channels.count", self.state.channels().len() as u64));
        }
        heed(self.client.flush());
        self.due = None;
    }
}

impl Work for Counts {
    const NAME: &'static str = "statsd";

    fn take(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Message(message) => self.count(&message),
            Delivery::Lagged(lost) => {
                self.lost += lost as i64;
                self.has_channels = true;
                self.is_news();
            }
        }
    }

    fn due(&self) -> Option<Stamp> {
        self.due
    }

    fn work(&mut self, _now: Stamp) {
        self.send();
    }

    fn finish(mut self) {
        self.send();
    }
}

fn resolve(address: &str) -> Result<SocketAddr, StatsdError> {
    let found = address.to_socket_addrs().map_err(|error| no_server(address, &error))?.next();
    found.ok_or_else(|| no_server(address, &"the name has no address"))
}

fn no_server(address: &str, reason: &dyn std::fmt::Display) -> StatsdError {
    StatsdError::Address { address: address.into(), reason: reason.to_string() }
}

/// A datagram that cannot be sent is lost.
fn heed<T>(outcome: cadence::MetricResult<T>) {
    if let Err(error) = outcome {
        tracing::debug!(%error, "StatsD was not told");
    }
}
