//! Who is in which bridge, and whose record tells of whom.
//!
//! Of each two in a bridge one, the first party, has a record with the other. It is the one that was not
//! called by a channel, or the one that was made first. A record that the first party has open takes the
//! other in; one who comes, and is a first party, begins new records with those who are there, and the
//! record of the time before is finished. One who leaves finishes its own records; those of others with it
//! go on, since they may meet again.

use std::collections::HashMap;
use std::sync::Arc;

use super::leg::{Leg, Phase};
use super::{Cdrs, Out};
use crate::bridge::BridgeSnapshot;
use crate::channel::ChannelBase;
use crate::id::{BridgeId, ChannelId};
use crate::time::Timestamp;

impl Cdrs {
    pub(super) fn enter(
        &mut self,
        bridge: &BridgeSnapshot,
        who: &ChannelId,
        at: Timestamp,
        out: Out<'_>,
    ) {
        let Some(leg) = self.legs.get(who) else { return };
        match leg.bridge.clone() {
            Some(before) if before == bridge.id => return,
            Some(before) => self.leave(&before, who, at, out),
            None => {}
        }
        let members = self.bridges.entry(bridge.id.clone()).or_default();
        let others = match bridge.kind.holding {
            true => Vec::new(), // they wait, and do not hear each other
            false => members.clone(),
        };
        members.push(who.clone());
        if let Some(leg) = self.legs.get_mut(who) {
            leg.bridge = Some(bridge.id.clone());
        }
        let seconds = self.tell_first_parties(who, &others, at);
        self.tell_newcomer(who, &seconds, at, out);
    }

    /// Those who are there and are first parties take the newcomer into a record. Returns the others.
    fn tell_first_parties(
        &mut self,
        who: &ChannelId,
        others: &[ChannelId],
        at: Timestamp,
    ) -> Vec<Arc<ChannelBase>> {
        let mut seconds = Vec::new();
        let Some(newcomer) = self.legs.get(who) else { return seconds };
        let (rank, base) = (rank(newcomer), Arc::clone(&newcomer.now.base));
        for other in others {
            let Some(leg) = self.legs.get_mut(other) else { continue };
            if rank < self::rank(leg) {
                seconds.push(Arc::clone(&leg.now.base));
            } else {
                leg.meets(&base, at);
            }
        }
        seconds
    }

    fn tell_newcomer(
        &mut self,
        who: &ChannelId,
        seconds: &[Arc<ChannelBase>],
        at: Timestamp,
        out: Out<'_>,
    ) {
        let Some(leg) = self.legs.get_mut(who) else { return };
        for draft in leg.drafts.iter_mut().filter(|draft| draft.phase == Phase::DialedPending) {
            draft.phase = Phase::Bridge;
        }
        let is_met = |leg: &Leg, peer: &ChannelId| leg.drafts.iter().any(|d| d.has_peer(peer));
        if seconds.iter().any(|peer| !is_met(leg, &peer.id)) {
            let sequence = &mut self.sequence;
            leg.finish(|draft| draft.peer.is_none(), at, &self.settings, sequence, out);
        }
        for peer in seconds {
            leg.meets(peer, at);
        }
        if seconds.is_empty() {
            leg.waits(at);
        }
    }

    pub(super) fn leave(
        &mut self,
        bridge: &BridgeId,
        who: &ChannelId,
        at: Timestamp,
        out: Out<'_>,
    ) {
        if let Some(leg) = self.legs.get_mut(who)
            && leg.bridge.as_ref() == Some(bridge)
        {
            leg.bridge = None;
            let sequence = &mut self.sequence;
            leg.finish(|draft| draft.phase == Phase::Bridge, at, &self.settings, sequence, out);
        }
        remove(&mut self.bridges, bridge, who);
    }

    /// The bridge is gone, and who may be in it still.
    pub(super) fn destroy(&mut self, bridge: &BridgeId, at: Timestamp, out: Out<'_>) {
        for who in self.bridges.get(bridge).cloned().unwrap_or_default() {
            self.leave(bridge, &who, at, out);
        }
    }
}

impl Leg {
    /// It is in a bridge with another, of whom it tells.
    fn meets(&mut self, peer: &Arc<ChannelBase>, at: Timestamp) {
        if let Some(draft) = self.drafts.iter_mut().find(|draft| draft.has_peer(&peer.id)) {
            draft.phase = Phase::Bridge;
            draft.answered(at);
            return;
        }
        let alone = |draft: &&mut super::leg::Draft| draft.peer.is_none();
        match self.drafts.iter_mut().find(alone) {
            Some(draft) => {
                draft.peer = Some(Arc::clone(peer));
                draft.phase = Phase::Bridge;
            }
            None => self.begin(Phase::Bridge, Some(peer), at),
        }
    }

    /// It is in a bridge, and tells of nobody.
    fn waits(&mut self, at: Timestamp) {
        if let Some(draft) = self.drafts.iter_mut().find(|draft| draft.peer.is_none()) {
            draft.phase = Phase::Bridge;
        } else if self.drafts.is_empty() && !self.is_called {
            self.begin(Phase::Bridge, None, at);
        }
    }
}

/// The first of two in this order is the first party.
fn rank(leg: &Leg) -> (bool, Timestamp, ChannelId) {
    (leg.is_called, leg.now.base.created, leg.now.base.id.clone())
}

fn remove(bridges: &mut HashMap<BridgeId, Vec<ChannelId>>, bridge: &BridgeId, who: &ChannelId) {
    if let Some(members) = bridges.get_mut(bridge) {
        members.retain(|member| member != who);
        if members.is_empty() {
            bridges.remove(bridge);
        }
    }
}
