//! How media threads, legs and bridges are made.

use std::net::SocketAddr;

use crate::bridge::BridgeKind;
use crate::codec::EncodeSettings;
use crate::frame::SampleRate;
use crate::rtp::{Payloads, ReceiveSettings};

/// How media threads are made.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// How many threads; they are named `media-0`, `media-1`, … One by default; a busy system wants
    /// one for each processor but one. Bridges are spread over them.
    pub threads: usize,
    /// Legs that there is room for, on all threads together.
    pub legs: usize,
    /// Bridges that there is room for, on all threads together.
    pub bridges: usize,
    /// Events of one thread that may be on their way to subscribers at a time.
    pub cells: u32,
    /// Which threads the system lets go first. Real-time if it may, by default.
    pub priority: Priority,
}

impl Default for MediaSettings {
    fn default() -> Self {
        MediaSettings {
            threads: 1,
            legs: 256,
            bridges: 64,
            cells: 4_096,
            priority: Priority::default(),
        }
    }
}

/// How the operating system is to schedule the media threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Before all ordinary threads (Linux: `SCHED_FIFO`, by CAP_SYS_NICE or an `rtprio` limit), if
    /// that is allowed; else as any other, which is said once in the log.
    #[default]
    RealTime,
    /// As any other.
    Ordinary,
}

/// How an RTP leg is made.
#[derive(Clone, Debug)]
pub struct RtpLeg {
    /// Where it listens; port 0 takes a free one.
    pub local: SocketAddr,
    /// How it receives, and from whom. Its payload types are those of both directions; the first
    /// codec is sent until the other side has spoken, and then what that speaks.
    pub receive: ReceiveSettings,
    /// How it encodes.
    pub encoding: EncodeSettings,
    /// The stream that it sends.
    pub ssrc: u32,
}

impl RtpLeg {
    /// One that speaks PCMU, PCMA and telephone events with whoever sends to `local` first.
    pub fn listening(local: SocketAddr, ssrc: u32) -> Self {
        let receive = ReceiveSettings::default();
        RtpLeg { local, receive, encoding: EncodeSettings::default(), ssrc }
    }

    /// One that speaks `payloads` with `remote` and nobody else, and speaks first: an external media
    /// server, say, that sends nothing before it is sent something.
    pub fn external(local: SocketAddr, remote: SocketAddr, payloads: Payloads, ssrc: u32) -> Self {
        let receive = ReceiveSettings { remote: Some(remote), payloads, ..Default::default() };
        RtpLeg { receive, ..RtpLeg::listening(local, ssrc) }
    }
}

/// The rate that a bridge mixes at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BridgeRate {
    /// Always this.
    Fixed(SampleRate),
    /// The highest that any leg in it has, but not more than `most`; it changes when legs come and
    /// go, without a gap or a click. An empty bridge stays at what it had, at first 8 kHz.
    Automatic {
        /// What a higher rate is brought down to.
        most: SampleRate,
    },
}

/// How a bridge is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgeSettings {
    /// At which rate. Automatic by default, up to 48 kHz.
    pub rate: BridgeRate,
    /// Who is heard. Everybody by default.
    pub kind: BridgeKind,
    /// How many are heard at a time, the loudest; everybody by default, and beyond
    /// [`MOST_TALKERS`](crate::bridge::MOST_TALKERS).
    pub talkers: Option<usize>,
}

impl Default for BridgeSettings {
    fn default() -> Self {
        let rate = BridgeRate::Automatic { most: SampleRate::Hz48000 };
        BridgeSettings { rate, kind: BridgeKind::default(), talkers: None }
    }
}

/// A mixing bridge that always has this rate.
impl From<SampleRate> for BridgeSettings {
    fn from(rate: SampleRate) -> Self {
        BridgeSettings { rate: BridgeRate::Fixed(rate), ..Default::default() }
    }
}
