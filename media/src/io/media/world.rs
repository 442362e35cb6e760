//! Where an engine's output goes: the sockets of its legs, and the way back to the control side.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use stasis_bus::ring::{Producer, Refused};

use super::counters::SharedCounters;
use super::parcel::Parcel;
use crate::engine::{Order, Outside, Retired};
use crate::id::{Arena, LegId};
use crate::io::udp::{Datagram, RtpSocket};

/// Datagrams of one leg that are read for one tick; more wait for the next.
const MOST_DATAGRAMS: usize = 32;
/// Ticks whose datagrams are read at a time after a stall: more than a socket's buffer holds.
const MOST_TICKS: usize = 50;

/// What comes back from a media thread, to be dropped.
pub(super) enum Returned {
    /// What its engine is done with, and the socket of a leg.
    Engine(Retired, Option<Box<RtpSocket>>),
    /// An empty parcel.
    Parcel(Box<Parcel>),
}

/// Where an engine's output goes.
pub(super) struct World {
    sockets: Arena<RtpSocket>,
    outbox: Producer<Returned>,
    counters: Arc<SharedCounters>,
}

impl World {
    pub(super) fn new(
        legs: usize,
        outbox: Producer<Returned>,
        counters: Arc<SharedCounters>,
    ) -> Self {
        World { sockets: Arena::new(legs), outbox, counters }
    }

    /// A leg has this socket.
    pub(super) fn open(&mut self, leg: LegId, socket: Box<RtpSocket>) {
        if let Err(socket) = self.sockets.insert(leg.0, socket) {
            debug_assert!(false, "a slot is vacant before it is given out again");
            std::mem::forget(socket);
        }
    }

    /// A leg goes, with its socket.
    pub(super) fn close(&mut self, leg: LegId) -> Option<Box<RtpSocket>> {
        self.sockets.remove(leg.0)
    }

    /// Hands over what has come for each leg in the time of so many ticks.
    pub(super) fn receive(
        &mut self,
        clock: &stasis_bus::Clock,
        ticks: u32,
        mut take: impl FnMut(LegId, Datagram<'_>),
    ) {
        let most = MOST_DATAGRAMS * MOST_TICKS.min(ticks as usize);
        for (leg, socket) in self.sockets.entries_mut() {
            socket.receive(clock, most, |datagram| take(LegId(leg), datagram));
        }
    }

    /// Sends something back. There is always room (see `Desk::away`). All threads push into this
    /// ring, and each try that fails is one of another thread's that did not.
    pub(super) fn give_back(&self, mut object: Returned) {
        loop {
            match self.outbox.push(object) {
                Ok(()) => return,
                Err(Refused::Contended(again)) => object = again,
                Err(Refused::Full(lost) | Refused::Closed(lost)) => {
                    // Should that ever be wrong: rather leak an object than free it here.
                    debug_assert!(false, "the way back is full");
                    return std::mem::forget(lost);
                }
            }
        }
    }
}

impl Outside for World {
    fn send(&mut self, leg: LegId, to: SocketAddr, datagram: &[u8]) {
        let sent =
            self.sockets.get(leg.0).is_some_and(|socket| socket.send_to(datagram, to).is_ok());
        if !sent {
            self.counters.send_errors.fetch_add(1, Relaxed);
        }
    }

    fn retire(&mut self, object: Retired) {
        let socket = match &object {
            Retired::Leg(leg) | Retired::Refused(Order::AddLeg(leg)) => self.close(leg.id()),
            _ => None,
        };
        self.give_back(Returned::Engine(object, socket));
    }
}
