//! `RTP/host:port`: a plain RTP peer, without signalling. `UnicastRTP/host:port` is the same as clients make
//! it for external media: it tells where it listens by variables.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::{Context, Half, Instruction, Request, RequestError, Signal, Technology};
use crate::channel::{ChannelKey, ChannelState};
use crate::media::{Line, MediaEvent, MediaOrder, RtpOpen};

/// Where it listens: variables of an external medium.
const LOCAL_ADDRESS: &str = "UNICASTRTP_LOCAL_ADDRESS";
const LOCAL_PORT: &str = "UNICASTRTP_LOCAL_PORT";

/// The peers that there are.
#[derive(Default)]
pub(crate) struct Rtp {
    peers: HashMap<ChannelKey, Peer>,
}

struct Peer {
    line: Line,
    /// Whether it tells where it listens.
    tells: bool,
    /// Where that is, once it is known.
    local: Option<SocketAddr>,
    /// It was called, and its line is not open yet.
    is_called: bool,
}

/// The address in `host:port` or `host:port/c(ulaw)`; names are not looked up, since that would wait.
fn address(resource: &str) -> Option<SocketAddr> {
    let address = resource.split('/').next().unwrap_or_default();
    let address = match address.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => address.to_owned(),
    };
    address.parse().ok()
}

/// The codecs in `host:port/c(ulaw)`, or those that were asked for.
fn formats(request: &Request<'_>) -> Vec<String> {
    let named = request.resource.split_once("/c(").and_then(|(_, rest)| rest.strip_suffix(')'));
    match named {
        Some(named) => named.split(',').map(str::to_owned).collect(),
        None => request.formats.to_vec(),
    }
}

impl Technology for Rtp {
    fn names(&self) -> &'static [&'static str] {
        &["RTP", "UnicastRTP"]
    }

    fn request(&mut self, request: &Request<'_>) -> Result<Vec<Half>, RequestError> {
        let address = address(request.resource).ok_or_else(|| RequestError::Malformed {
            technology: request.technology.into(),
            resource: request.resource.into(),
            hint: "write the peer's address and port: RTP/192.0.2.7:4000 or RTP/[2001:db8::7]:4000",
        })?;
        let name = format!("{}/{address}", request.technology);
        let (state, exten) = (ChannelState::Down, String::from("s"));
        Ok(vec![Half { name, suffix: "", state, exten, context: None, endpoint: None }])
    }

    fn begin(&mut self, channels: &[ChannelKey], request: &Request<'_>, context: &mut Context<'_>) {
        let (&[channel], Some(remote)) = (channels, address(request.resource)) else { return };
        let line = Line(context.number());
        context.order(MediaOrder::OpenRtp(line, RtpOpen { remote, formats: formats(request) }));
        let tells = request.technology == "UnicastRTP";
        self.peers.insert(channel, Peer { line, tells, local: None, is_called: false });
        context.signal(channel, Signal::Line(line));
    }

    fn instruct(&mut self, channel: ChannelKey, what: Instruction<'_>, context: &mut Context<'_>) {
        match what {
            Instruction::Call { .. } => {
                if let Some(peer) = self.peers.get_mut(&channel) {
                    peer.is_called = true;
                    peer.answer(channel, context);
                }
            }
            Instruction::Hangup(_) => {
                if let Some(peer) = self.peers.remove(&channel) {
                    context.order(MediaOrder::CloseLine(peer.line));
                }
            }
            _ => {}
        }
    }

    fn media(&mut self, channel: ChannelKey, event: &MediaEvent, context: &mut Context<'_>) {
        let Some(peer) = self.peers.get_mut(&channel) else { return };
        if let MediaEvent::Opened(_, local) = event {
            peer.local = Some(*local);
            if peer.tells {
                let address = Signal::Variable(LOCAL_ADDRESS, local.ip().to_string());
                context.signal(channel, address);
                context.signal(channel, Signal::Variable(LOCAL_PORT, local.port().to_string()));
            }
            peer.answer(channel, context);
        }
    }
}

impl Peer {
    /// There is nobody who could refuse: it is there as soon as it can be heard.
    fn answer(&mut self, channel: ChannelKey, context: &mut Context<'_>) {
        if self.is_called && self.local.is_some() {
            self.is_called = false;
            context.signal(channel, Signal::Answered);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_nothing_is_looked_up() {
        let loopback = Some("127.0.0.1:4000".parse().unwrap());
        assert_eq!(address("127.0.0.1:4000/c(ulaw)"), loopback);
        assert_eq!(address("localhost:4000"), loopback);
        assert_eq!(address("[::1]:4000"), Some("[::1]:4000".parse().unwrap()));
        assert_eq!(address("example.com:4000"), None);
        assert_eq!(address("127.0.0.1"), None);
    }
}
