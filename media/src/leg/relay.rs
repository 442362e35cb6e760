//! A leg whose packets pass to another as they are: two parties of one codec need no mix.
//!
//! The jitter buffer goes on as always, so does what listens to the leg; only the way out is shorter:
//! instead of encoding what it is to hear, a leg is sent the payload that the other has sent. What was
//! lost is missing there, too: its number is left out, and the party conceals it by itself.

use super::{Edge, Leg, Role};
use crate::codec::Codec;
use crate::engine::Outside;
use crate::rtp::TickPacket;

/// What passes in one tick, in memory of its own.
pub(crate) enum Passed {
    /// So many bytes of a payload.
    Payload(usize),
    /// A packet that was lost.
    Lost,
    /// None: the party is silent.
    Nothing,
}

impl Leg {
    /// What its packets may pass to others by: the codec that it speaks and is spoken to in. None when
    /// something is to be done to what it says, or hears.
    pub(crate) fn relay_codec(&self) -> Option<Codec> {
        let Edge::Rtp(rtp) = &self.edge else { return None };
        let passes = self.role == Role::Participant
            && self.voice.passes()
            && self.digits.leave_audio()
            && self.present.as_ref().is_some_and(|lane| lane.passes())
            && self.ears.fader.is_open()
            && !(self.loose || self.is_tapped || self.hears_more())
            && rtp.receiver.remote().is_some()
            && rtp.sender.sends_each_tick()
            && !rtp.sender.is_dialing();
        let codec = rtp.receiver.codec().filter(|_| passes)?;
        (rtp.sender.codec() == Some(codec)).then_some(codec)
    }

    /// Whether the packet of this tick can pass as it is.
    pub(crate) fn has_tick_packet(&self) -> bool {
        matches!(&self.edge, Edge::Rtp(rtp) if rtp.receiver.tick_packet().is_some())
    }

    /// Copies the packet of this tick into `payload`.
    pub(crate) fn take_packet(&self, payload: &mut [u8]) -> Passed {
        let Edge::Rtp(rtp) = &self.edge else { return Passed::Nothing };
        match rtp.receiver.tick_packet() {
            Some(TickPacket::Payload(bytes)) => {
                let len = bytes.len().min(payload.len());
                payload[..len].copy_from_slice(&bytes[..len]);
                Passed::Payload(len)
            }
            Some(TickPacket::Lost) => Passed::Lost,
            Some(TickPacket::None) | None => Passed::Nothing,
        }
    }

    /// Is sent a packet of the other's.
    pub(crate) fn send_passed(
        &mut self,
        passed: &Passed,
        payload: &[u8],
        outside: &mut impl Outside,
    ) {
        match *passed {
            Passed::Payload(len) => {
                self.send_shared(payload.get(..len).unwrap_or_default(), outside);
            }
            Passed::Nothing => self.send_shared(&[], outside),
            Passed::Lost => {
                self.sent = true;
                if let Edge::Rtp(rtp) = &mut self.edge {
                    rtp.sender.tick_lost();
                }
            }
        }
    }

    /// Encodes what it is to hear by itself again; `before` was passed to it in the tick before.
    pub(crate) fn end_relay(&mut self, before: &[i16]) {
        if let Edge::Rtp(rtp) = &mut self.edge {
            rtp.sender.begin(before);
        }
    }

    /// What its party has said in this tick, as it was heard.
    pub(crate) fn heard(&self) -> &[i16] {
        self.heard.samples()
    }
}
