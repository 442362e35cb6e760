//! Moves between engines: a bridge with all who are in it, or a leg, is taken out whole between two
//! ticks and put into another engine before its next. Nobody hears that.

use stasis_bus::{RtPublisher, Stamp};

use super::{Engine, Outside};
use crate::bridge::Bridge;
use crate::id::{BridgeId, LegId};
use crate::leg::Leg;

impl Engine {
    /// Takes out a bridge and all who are in it, who go into `legs`. None when it is not here, or
    /// `legs` has no room for all.
    pub fn take_bridge(&mut self, id: BridgeId, legs: &mut Vec<Box<Leg>>) -> Option<Box<Bridge>> {
        let room = legs.capacity() - legs.len();
        self.bridges.get(id.0).filter(|bridge| bridge.members().len() <= room)?;
        let mut bridge = self.bridges.remove(id.0)?;
        bridge.awake = false;
        self.awake.retain(|awake| *awake != id);
        legs.extend(bridge.members().iter().filter_map(|member| self.legs.remove(member.0)));
        legs.iter_mut().for_each(|leg| leg.loose = false);
        Some(bridge)
    }

    /// Takes out a leg that is in no bridge. None when it is not here, or in one.
    pub fn take_leg(&mut self, id: LegId) -> Option<Box<Leg>> {
        let is_alone = |leg: &Leg| leg.bridge().is_none() && !leg.is_between();
        self.legs.get(id.0).filter(|leg| is_alone(leg))?;
        let mut leg = self.legs.remove(id.0)?;
        leg.loose = false;
        Some(leg)
    }

    /// Puts in a leg that was taken out of another engine.
    ///
    /// # Errors
    /// The leg back, when its slot is taken or does not exist.
    pub fn put_leg(&mut self, leg: Box<Leg>) -> Result<(), Box<Leg>> {
        let id = leg.id();
        self.legs.insert(id.0, leg)?;
        self.loosen(id);
        Ok(())
    }

    /// Puts in a bridge that was taken out of another engine, when its members are in already.
    ///
    /// # Errors
    /// The bridge back, when its slot is taken or does not exist.
    pub fn put_bridge(&mut self, bridge: Box<Bridge>) -> Result<(), Box<Bridge>> {
        let id = bridge.id();
        self.bridges.insert(id.0, bridge)?;
        self.wake(id);
        Ok(())
    }

    /// A tick for a bridge and who is in it alone: it came too late for that.
    pub fn catch_up(
        &mut self,
        id: BridgeId,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        let Some(bridge) = self.bridges.get_mut(id.0) else { return };
        bridge.tick(&mut self.legs, now, publisher, outside);
        for leg in bridge.members() {
            if let Some(leg) = self.legs.get_mut(leg.0) {
                leg.finish(outside);
            }
        }
    }

    /// A tick for a leg alone, which is in no bridge: it came too late for that.
    pub fn catch_up_leg(
        &mut self,
        id: LegId,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        if let Some(leg) = self.legs.get_mut(id.0) {
            leg.take_tick(now, publisher, outside);
            leg.finish(outside);
        }
    }

    /// Takes a leg out of its bridge, on its way to a bridge of another engine: its joining that will
    /// be told as a move.
    pub fn move_out(
        &mut self,
        id: LegId,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        if let Some(leg) = self.legs.get_mut(id.0) {
            leg.comes_from = leg.bridge();
        }
        self.leave(id, now, publisher, outside);
    }
}
