//! A leg as a listener: one that says nothing hears what all others hear that say nothing, and is sent
//! the same payload.
//!
//! Of an *audience*, as the bridge calls legs that are sent the same, one is the leader: it alone takes
//! the mix, converts it and encodes it. The others rest. Who leaves the audience goes on where the
//! leader is: with what the converter holds back of the tick before, and with what the encoder
//! remembers.

use super::{Edge, Leg};
use crate::codec::Codec;
use crate::engine::Outside;
use crate::frame::Frame;
use crate::id::BridgeId;
use crate::rtp::ShareKey;

/// Ticks after which two encoders of the same sound say about the same: half a second.
const AGREED: u32 = 25;
/// Ticks that one waits for a quiet moment: 10 s.
const PATIENCE: u32 = 500;

/// Where a leg is in the bridge's audiences.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seat {
    /// Which audience.
    pub(crate) audience: Option<u8>,
    /// Ticks for which it has said nothing and has encoded by itself what all hear.
    pub(crate) waits: u32,
}

impl Leg {
    /// Where it is in the bridge's audiences.
    pub(crate) fn seat(&mut self) -> &mut Seat {
        &mut self.seat
    }

    /// Which audience it is in.
    pub(crate) fn audience(&self) -> Option<u8> {
        self.seat.audience
    }

    /// By which it can be in an audience in this tick; none when what it is sent is its own, or is
    /// heard by a tap.
    pub(crate) fn share_key(&self) -> Option<ShareKey> {
        let Edge::Rtp(rtp) = &self.edge else { return None };
        let hears_all = self.present.as_ref().is_some_and(|lane| lane.hears_all())
            && self.leaves().is_none()
            && !self.hears_more();
        let plain = hears_all && self.ears.fader.is_open() && !self.is_overheard();
        let plain = plain && rtp.receiver.remote().is_some();
        plain.then(|| rtp.sender.share_key())?
    }

    /// Whether it may sit down where it is sent the same as others; `quiet`: there is next to nothing
    /// to be heard.
    pub(crate) fn may_sit(&self, quiet: bool) -> bool {
        let Edge::Rtp(rtp) = &self.edge else { return false };
        let remembers = rtp.sender.codec().is_some_and(Codec::remembers);
        // Who has only just begun to hear hears no seam.
        if self.seat.waits > 0 && self.present.as_ref().is_some_and(|lane| lane.is_fresh()) {
            return true;
        }
        // Its converter must have forgotten what it said: that takes a tick.
        match self.seat.waits {
            0..=1 => false,
            2..AGREED => !remembers,
            AGREED..PATIENCE => !remembers || quiet,
            PATIENCE.. => true,
        }
    }

    /// Whether its next packet is as full as that of `other`.
    pub(crate) fn is_as_far_as(&self, other: &Leg) -> bool {
        match (&self.edge, &other.edge) {
            (Edge::Rtp(own), Edge::Rtp(other)) => {
                own.sender.collected() == other.sender.collected()
            }
            _ => false,
        }
    }

    /// What it was sent in this tick.
    pub(crate) fn payload(&self) -> &[u8] {
        match &self.edge {
            Edge::Rtp(rtp) => rtp.sender.payload(),
            Edge::Device(_) | Edge::Snoop(_) | Edge::Pair(_) => &[],
        }
    }

    /// Is sent what the leader of its audience was sent.
    pub(crate) fn send_shared(&mut self, payload: &[u8], outside: &mut impl Outside) {
        let id = self.id;
        self.sent = true;
        if let Edge::Rtp(rtp) = &mut self.edge
            && let Some(to) = rtp.receiver.remote()
        {
            rtp.sender.tick_shared(payload, |packet| outside.send(id, to, packet));
        }
    }

    /// The mix that its bridge had before is over, which it has not heard by itself.
    pub(crate) fn forget_mix(&mut self, bridge: BridgeId) {
        if let Some(lane) = self.past.as_mut().filter(|lane| lane.bridge == bridge) {
            lane.leaving = true;
        }
    }

    /// Leaves the audience of `leader`. `before`: what all have heard in the tick before, of each
    /// mix of the bridge.
    pub(crate) fn follow(&mut self, leader: &Leg, before: [&Frame; 2]) {
        self.out.samples_mut().copy_from_slice(leader.out.samples());
        if let (Edge::Rtp(own), Edge::Rtp(leader)) = (&mut self.edge, &leader.edge) {
            own.sender.follow(&leader.sender, self.out.samples());
        }
        self.wake(before);
    }

    /// Leaves the audience that it has led to `heir`.
    pub(crate) fn hand_over(&mut self, heir: &mut Leg, before: [&Frame; 2]) {
        heir.out.samples_mut().copy_from_slice(self.out.samples());
        if let (Edge::Rtp(own), Edge::Rtp(heir)) = (&mut self.edge, &mut heir.edge) {
            own.sender.hand_over(&mut heir.sender, self.out.samples());
        }
        heir.wake(before);
    }

    /// Its converters go on as if they had not rested.
    fn wake(&mut self, [past, present]: [&Frame; 2]) {
        let mut unheard = Frame::silence(self.out.rate());
        for (lane, before) in [(&mut self.past, past), (&mut self.present, present)] {
            if let Some(lane) = lane {
                lane.wake(before, &mut unheard);
            }
        }
    }
}
