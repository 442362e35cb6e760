//! A parcel: what goes from one media thread to another, whole, between two ticks.
//!
//! The control side makes it, empty, with room for all that it is to hold, and orders two things: the
//! thread that has the leg or the bridge to send it off, and the other to await it. Orders that come
//! after that go to the other thread, where they wait for the parcel (`inbox`). The first thread runs
//! its tick, packs, and pushes the parcel into a ring of the second, which unpacks it before its next
//! tick. Should it be too late for that, it runs the missed tick of what is in the parcel alone.

use stasis_bus::{RtPublisher, Stamp};

use super::world::World;
use crate::bridge::Bridge;
use crate::engine::{Engine, Order, Outside, Retired};
use crate::id::{BridgeId, LegId};
use crate::io::udp::RtpSocket;
use crate::leg::Leg;
use crate::schedule::{CATCH_UP, PERIOD};

/// What goes from one thread to another.
pub(super) struct Parcel {
    /// By which it is awaited.
    number: u64,
    /// To which thread.
    to: usize,
    what: What,
    legs: Vec<Box<Leg>>,
    sockets: Vec<(LegId, Box<RtpSocket>)>,
    bridge: Option<Box<Bridge>>,
    /// The last tick that what is in it has had.
    packed: Option<Stamp>,
}

enum What {
    /// A leg, which leaves its bridge.
    Leg(LegId),
    /// A bridge with all who are in it.
    Bridge(BridgeId),
}

impl Parcel {
    /// For a leg, which leaves its bridge.
    pub(super) fn of_leg(leg: LegId) -> Self {
        Parcel::new(What::Leg(leg), 1)
    }

    /// For a bridge in which so many are.
    pub(super) fn of_bridge(bridge: BridgeId, members: usize) -> Self {
        Parcel::new(What::Bridge(bridge), members)
    }

    /// With this number, to this thread.
    pub(super) fn addressed(self, number: u64, to: usize) -> Self {
        Parcel { number, to, ..self }
    }

    /// By which it is awaited.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The leg that is to be in it; none when that is a bridge.
    pub(super) fn leg(&self) -> Option<LegId> {
        match self.what {
            What::Leg(leg) => Some(leg),
            What::Bridge(_) => None,
        }
    }

    /// To which thread it goes.
    pub(super) fn to(&self) -> usize {
        self.to
    }

    fn new(what: What, legs: usize) -> Self {
        Parcel {
            number: 0,
            to: 0,
            what,
            legs: Vec::with_capacity(legs),
            sockets: Vec::with_capacity(legs),
            bridge: None,
            packed: None,
        }
    }

    /// Before the last tick here: a leg leaves its bridge.
    pub(super) fn prepare(
        &self,
        engine: &mut Engine,
        now: Stamp,
        publisher: &mut RtPublisher,
        world: &mut World,
    ) {
        if let What::Leg(leg) = self.what {
            engine.move_out(leg, now, publisher, world);
        }
    }

    /// After the last tick here, at `now`. What is not here (any more) is not in it.
    pub(super) fn pack(&mut self, engine: &mut Engine, now: Stamp, world: &mut World) {
        if self.packed.replace(now).is_some() {
            return;
        }
        match &self.what {
            What::Leg(leg) => self.legs.extend(engine.take_leg(*leg)),
            What::Bridge(bridge) => self.bridge = engine.take_bridge(*bridge, &mut self.legs),
        }
        for leg in &self.legs {
            self.sockets.extend(world.close(leg.id()).map(|socket| (leg.id(), socket)));
        }
    }

    /// Whether what is in it is to have the tick of `now` here.
    pub(super) fn is_due(&self, now: Stamp) -> bool {
        self.packed.is_none_or(|packed| packed < now)
    }

    /// Before the first tick here, that of `now`.
    pub(super) fn unpack(
        &mut self,
        engine: &mut Engine,
        now: Stamp,
        publisher: &mut RtPublisher,
        world: &mut World,
    ) {
        for (leg, socket) in self.sockets.drain(..) {
            world.open(leg, socket);
        }
        for leg in self.legs.drain(..) {
            if let Err(leg) = engine.put_leg(leg) {
                world.retire(Retired::Refused(Order::AddLeg(leg)));
            }
        }
        if let Some(bridge) = self.bridge.take()
            && let Err(bridge) = engine.put_bridge(bridge)
        {
            world.retire(Retired::Refused(Order::AddBridge(bridge)));
        }
        for missed in self.missed(now) {
            match self.what {
                What::Leg(leg) => engine.catch_up_leg(leg, missed, publisher, world),
                What::Bridge(bridge) => engine.catch_up(bridge, missed, publisher, world),
            }
        }
    }

    /// The ticks before that of `now` that were run by neither thread; of many, the last.
    fn missed(&self, now: Stamp) -> impl Iterator<Item = Stamp> + use<> {
        let away = self.packed.map_or(0, |packed| now.since(packed).as_nanos());
        let missed = ((away / PERIOD.as_nanos()) as u32).saturating_sub(1).min(CATCH_UP);
        (1..=missed)
            .rev()
            .map(move |ago| Stamp::from_ns(now.ns() - (PERIOD * ago).as_nanos() as u64))
    }
}
