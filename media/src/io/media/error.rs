//! Why media threads do not start, and why they were not given an order.

use std::io;
use std::net::SocketAddr;

use crate::id::{BridgeId, LegId, PlaybackId};
use crate::tone::ToneSpecError;

/// The error of starting a thread.
#[derive(Debug, thiserror::Error)]
#[error("cannot start a thread: {0}; raise the limit on threads, or stop another program")]
pub struct StartError(#[from] pub io::Error);

/// Why an order was not given.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No leg of this name (any more).
    #[error(
        "there is no {0} (any more): it was removed, or another engine has it; name one that is there"
    )]
    NoLeg(LegId),
    /// No bridge of this name (any more).
    #[error(
        "there is no {0} (any more): it was removed, or another engine has it; name one that is there"
    )]
    NoBridge(BridgeId),
    /// No playback of this name (any more).
    #[error("there is no {0} (any more): it is over, or whom it was for is gone; play it again")]
    NoPlayback(PlaybackId),
    /// No thread of this number.
    #[error(
        "there is no thread media-{0}: they are counted from 0, and the settings say how many there are"
    )]
    NoThread(usize),
    /// There is no room for one more leg or bridge.
    #[error(
        "the engine is full: it has room for {legs} legs and {bridges} bridges; end some calls, or raise the limits in its settings"
    )]
    Full {
        /// Legs that there is room for.
        legs: usize,
        /// Bridges that there is room for.
        bridges: usize,
    },
    /// Orders come faster than the engine can take them.
    #[error("too many orders at once: try again after a tick (20 ms)")]
    Busy,
    /// A tone cannot be listened for.
    #[error(transparent)]
    Tones(#[from] ToneSpecError),
    /// The process may not open one more socket.
    #[error(
        "no more files can be opened (the limit is {limit}), and each leg needs one: raise it with `ulimit -n`, or LimitNOFILE of the service"
    )]
    NoFiles {
        /// How many the process may have open.
        limit: u64,
    },
    /// All ports of the address are taken.
    #[error("{address} has no free port: end some calls, or widen net.ipv4.ip_local_port_range")]
    NoPorts {
        /// The address asked for.
        address: SocketAddr,
    },
    /// The address cannot be bound.
    #[error(
        "cannot listen on {address}: {source}; choose another address or port, or stop who has it"
    )]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
}

impl ControlError {
    /// Why a socket was not bound to `address`.
    pub(super) fn binding(address: SocketAddr, source: io::Error) -> Self {
        if super::system::is_out_of_files(&source) {
            return ControlError::NoFiles { limit: super::system::most_files() };
        }
        match source.kind() {
            io::ErrorKind::AddrInUse if address.port() == 0 => ControlError::NoPorts { address },
            _ => ControlError::Bind { address, source },
        }
    }
}
