//! Bringing a leg's memory near before its turn comes.
//!
//! The legs of a large bridge do not fit the processor's cache, and to wait for their memory, piece by
//! piece, is most of what a leg costs. So while one leg is worked on, the next ones are asked for, in
//! steps: a pointer can be followed when what it is in has come.

use stasis_bus::ring::prefetch;

use super::{Edge, Leg};

/// What is to be done with a leg soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Near {
    /// It is heard.
    Hear,
    /// It is sent what it hears.
    Send,
}

impl Near {
    /// How many turns ahead each step is taken.
    pub(crate) const AHEAD: [usize; 3] = [4, 2, 1];
}

impl Leg {
    /// Takes one of the steps of [`Near::AHEAD`]. The numbers of lines are what a leg of G.711 touches.
    pub(crate) fn come_near(&self, near: Near, step: usize) {
        match (step, near, &self.edge) {
            (0, ..) => {
                prefetch(self, 8);
                prefetch(&self.present, 2);
                prefetch(&self.heard, 6);
                prefetch(&self.voice, 1);
            }
            (1, Near::Hear, Edge::Rtp(rtp)) => prefetch(&rtp.receiver, 21),
            (1, Near::Send, Edge::Rtp(rtp)) => {
                prefetch(&rtp.sender, 20);
                prefetch(&rtp.receiver, 3);
            }
            (2, Near::Hear, Edge::Rtp(rtp)) => rtp.receiver.prefetch(),
            _ => {}
        }
    }
}
