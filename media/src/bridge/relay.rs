//! Two parties who speak the same codec: their packets pass from one to the other as they are, while
//! nothing is to be done to the sound and nobody else hears it.
//!
//! G.711 comes out of a mix of two as it went in, so nobody can tell. With G.722 and Opus, whose
//! decoders remember, the change between the other's packets and our own is a seam: it waits for a quiet
//! moment, or for 10 s.

use crate::codec::Codec;
use crate::engine::Outside;
use crate::frame::MAX_FRAME;
use crate::id::{Arena, LegId};
use crate::leg::Leg;
use crate::rtp::MAX_PAYLOAD;

/// Ticks for which all must have been ready: nothing that comes and goes is worth it.
const READY: u32 = 10;
/// Ticks that one waits for a quiet moment: 10 s.
const PATIENCE: u32 = 500;

/// Whether packets pass, and since when they could.
pub(super) struct Relay {
    ready: u32,
    /// Whose packets pass.
    pair: Option<[LegId; 2]>,
    payload: Box<[u8; MAX_PAYLOAD]>,
    /// What each of the two has said in the tick before, and its length.
    before: Box<[[i16; MAX_FRAME]; 2]>,
    samples: usize,
}

impl Relay {
    /// Nothing passes.
    pub(super) fn new() -> Self {
        let (payload, before) = (Box::new([0; MAX_PAYLOAD]), Box::new([[0; MAX_FRAME]; 2]));
        Relay { ready: 0, pair: None, payload, before, samples: 0 }
    }

    /// Whether packets pass.
    pub(super) fn passes(&self) -> bool {
        self.pair.is_some()
    }

    /// Whether the packets of these two are to pass in this tick. `quiet`: there is next to nothing to
    /// be heard.
    pub(super) fn chooses(&mut self, pair: [LegId; 2], legs: &Arena<Leg>, quiet: bool) -> bool {
        let [one, other] = pair.map(|leg| legs.get(leg.0));
        let codec = one.and_then(Leg::relay_codec);
        let same = codec.filter(|_| codec == other.and_then(Leg::relay_codec));
        let is_whole = |leg: Option<&Leg>| leg.is_some_and(Leg::has_tick_packet);
        let Some(codec) = same.filter(|_| is_whole(one) && is_whole(other)) else {
            self.ready = 0;
            return false;
        };
        self.ready = self.ready.saturating_add(1);
        let is_worth_it = match self.ready {
            0..READY => false,
            READY..PATIENCE => quiet || !Codec::remembers(codec),
            PATIENCE.. => true,
        };
        self.pair == Some(pair) || is_worth_it
    }

    /// Passes the packets of this tick.
    pub(super) fn pass(
        &mut self,
        pair: [LegId; 2],
        legs: &mut Arena<Leg>,
        outside: &mut impl Outside,
    ) {
        self.pair = Some(pair);
        for (n, (from, to)) in [(pair[0], pair[1]), (pair[1], pair[0])].into_iter().enumerate() {
            let Some(leg) = legs.get(from.0) else { continue };
            let passed = leg.take_packet(&mut self.payload[..]);
            let heard = leg.heard();
            self.samples = heard.len();
            self.before[n][..heard.len()].copy_from_slice(heard);
            if let Some(leg) = legs.get_mut(to.0) {
                leg.send_passed(&passed, &self.payload[..], outside);
            }
        }
    }

    /// There is a mix again from this tick on, if there was none.
    pub(super) fn end(&mut self, legs: &mut Arena<Leg>) {
        let Some([one, other]) = self.pair.take() else { return };
        self.ready = 0;
        for (n, to) in [other, one].into_iter().enumerate() {
            if let Some(leg) = legs.get_mut(to.0) {
                leg.end_relay(&self.before[n][..self.samples]);
            }
        }
    }
}
