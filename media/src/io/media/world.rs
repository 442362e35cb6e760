//! Where an engine's output goes: the sockets of its legs, and the way back to the control side.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use stasis_bus::ring::{Producer, Refused};
use stasis_bus::{Clock, Stamp};

use super::counters::SharedCounters;
use super::parcel::Parcel;
use crate::engine::{Order, Outside, Retired};
use crate::id::{Arena, LegId};
use crate::io::udp::{ReceiveBuffer, RtpSocket};

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
    clock: Clock,
    sockets: Arena<RtpSocket>,
    buffer: ReceiveBuffer,
    /// Datagrams of one leg that are read in this tick; more wait for the next.
    most: usize,
    outbox: Producer<Returned>,
    counters: Arc<SharedCounters>,
}

impl World {
    pub(super) fn new(
        clock: Clock,
        legs: usize,
        outbox: Producer<Returned>,
        counters: Arc<SharedCounters>,
    ) -> Self {
        World {
            clock,
            sockets: Arena::new(legs),
            buffer: ReceiveBuffer::new(),
            most: MOST_DATAGRAMS,
            outbox,
            counters,
        }
    }

    /// The next tick reads what has come in the time of so many: after a stall, too.
    pub(super) fn read_for(&mut self, ticks: u32) {
        self.most = MOST_DATAGRAMS * MOST_TICKS.min(ticks as usize);
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
    fn receive(&mut self, leg: LegId, take: &mut dyn FnMut(&[u8], SocketAddr, Stamp)) {
        let Some(socket) = self.sockets.get(leg.0) else { return };
        socket.receive(&mut self.buffer, &self.clock, self.most, |datagram| {
            take(datagram.bytes, datagram.from, datagram.arrival);
        });
    }

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
