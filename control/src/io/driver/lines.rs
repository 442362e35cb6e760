//! Lines and mixes: legs and bridges of the engine.

use std::net::SocketAddr;

use stasis_media::LegId;
use stasis_media::bridge::BridgeKind;
use stasis_media::codec::Codec;
use stasis_media::io::{BridgeRate, BridgeSettings, ControlError, RtpLeg};
use stasis_media::rtp::Payloads;
use stasis_media::snoop::{SnoopDirection, SnoopSettings};

use super::{Done, Driver, Room};
use crate::media::{Line, MediaEvent, Mix, RtpOpen, Way, codec};

impl Driver {
    pub(super) fn opened(&mut self, line: Line, leg: LegId) {
        self.lines.insert(line, leg);
        self.legs.insert(leg, line);
    }

    pub(super) fn open_rtp(
        &mut self,
        line: Line,
        open: &RtpOpen,
        tell: &mut dyn FnMut(MediaEvent),
    ) -> Done {
        let payloads = match payloads(&open.formats) {
            Ok(payloads) => payloads,
            Err(reason) => {
                tell(MediaEvent::Failed(line, reason));
                return Done::Yes;
            }
        };
        self.next_ssrc = self.next_ssrc.wrapping_mul(0x9E37_79B1).wrapping_add(1);
        let tries = self
            .settings
            .rtp_ports
            .map_or(1, |(first, last)| u32::from(last.saturating_sub(first)) + 1);
        for _ in 0..tries {
            let local = SocketAddr::new(self.settings.rtp_address, self.port());
            let leg = RtpLeg::external(local, open.remote, payloads, self.next_ssrc);
            match self.media.add_rtp_leg(leg, &self.topic) {
                Ok((leg, local)) => {
                    self.opened(line, leg);
                    tell(MediaEvent::Opened(line, local));
                    return Done::Yes;
                }
                Err(ControlError::Bind { .. }) if tries > 1 => {}
                Err(error) => return refused(&[line], error, tell),
            }
        }
        let reason = "no port is free for RTP: allow more in the settings".to_owned();
        tell(MediaEvent::Failed(line, reason));
        Done::Yes
    }

    /// The next port to be tried: RTP has the even ones (RFC 3550, 11).
    pub(super) fn port(&mut self) -> u16 {
        let Some((first, last)) = self.settings.rtp_ports else { return 0 };
        let port = self.next_port;
        self.next_port = match port.checked_add(2) {
            Some(next) if next <= last => next,
            _ => first,
        };
        port
    }

    pub(super) fn open_pair(&mut self, lines: [Line; 2], tell: &mut dyn FnMut(MediaEvent)) -> Done {
        match self.media.pair(self.settings.pair_rate, [&self.topic, &self.topic]) {
            Ok(legs) => {
                lines.into_iter().zip(legs).for_each(|(line, leg)| self.opened(line, leg));
                Done::Yes
            }
            Err(error) => refused(&lines, error, tell),
        }
    }

    pub(super) fn open_snoop(
        &mut self,
        line: Line,
        of: Line,
        (spy, whisper): (Way, Way),
        tell: &mut dyn FnMut(MediaEvent),
    ) -> Done {
        let direction = |way| match way {
            Way::None => SnoopDirection::None,
            Way::In => SnoopDirection::In,
            Way::Out => SnoopDirection::Out,
            Way::Both => SnoopDirection::Both,
        };
        let settings = SnoopSettings { spy: direction(spy), whisper: direction(whisper) };
        let Some(of) = self.lines.get(&of).copied() else {
            let reason = "what was to be overheard has no sound".to_owned();
            tell(MediaEvent::Failed(line, reason));
            return Done::Yes;
        };
        match self.media.snoop(of, settings, &self.topic) {
            Ok(leg) => self.opened(line, leg),
            Err(error) => return refused(&[line], error, tell),
        }
        Done::Yes
    }

    pub(super) fn close_line(&mut self, line: Line) -> Result<(), ControlError> {
        let Some(leg) = self.lines.get(&line).copied() else { return Ok(()) };
        let outcome = self.media.remove_leg(leg);
        if !matches!(outcome, Err(ControlError::Busy)) {
            self.lines.remove(&line);
            self.legs.remove(&leg);
            self.figures.remove(&line);
        }
        outcome
    }

    pub(super) fn open_mix(&mut self, mix: Mix, is_holding: bool) -> Result<(), ControlError> {
        let kind = if is_holding { BridgeKind::Holding } else { BridgeKind::Mixing };
        let rate = BridgeRate::Automatic { most: self.settings.most_bridge_rate };
        let settings = BridgeSettings { kind, rate, ..BridgeSettings::default() };
        let bridge = self.media.add_bridge(settings, &self.topic)?;
        self.mixes.insert(mix, Room { bridge, is_holding, music: None });
        Ok(())
    }

    pub(super) fn close_mix(&mut self, mix: Mix) -> Result<(), ControlError> {
        let Some(room) = self.mixes.get(&mix) else { return Ok(()) };
        let outcome = self.media.remove_bridge(room.bridge);
        if !matches!(outcome, Err(ControlError::Busy)) {
            self.mixes.remove(&mix);
        }
        outcome
    }
}

/// Lines could not be opened: they are told to have failed, or wait for room.
fn refused(lines: &[Line], error: ControlError, tell: &mut dyn FnMut(MediaEvent)) -> Done {
    if let ControlError::Busy = error {
        return Done::Busy;
    }
    lines.iter().for_each(|line| tell(MediaEvent::Failed(*line, error.to_string())));
    Done::Yes
}

/// Codecs by the names that clients use, as payload types.
fn payloads(formats: &[String]) -> Result<Payloads, String> {
    let codecs = match formats {
        [] => vec![Codec::PCMU, Codec::PCMA],
        formats => formats.iter().map(|name| codec(name)).collect::<Result<Vec<_>, String>>()?,
    };
    let payloads = Payloads::of(&codecs).map_err(|error| error.to_string())?;
    // A table that has no place for keys goes without.
    Ok(payloads.with_events(101, 8_000).unwrap_or(payloads))
}
