//! Audiences: those who say nothing in the same code are sent the same payload.
//!
//! Whoever says nothing in a tick hears all that is said: the same as everybody else who says nothing.
//! Legs of one codec, at the same settings, packet time and point of their packets make an audience:
//! its leader converts and encodes, and all are sent the outcome, each with its own numbers.
//!
//! PCMU, PCMA and L16 remember nothing, so legs come and go as they like. A decoder of G.722 or Opus
//! remembers what it has heard, and that must have been what the encoder remembers:
//!
//! - Who sits down goes from its own encoder to the leader's, which has heard the same. Yet they
//!   never come to remember the same, so he waits for a quiet moment, in which the seam is as soft as
//!   the sound: a pause of the talkers. Where there is none (music), he sits down after 10 s. Who joins
//!   the bridge in silence sits down in his second tick.
//! - Who gets up, which has to happen at once, because it begins to speak and may not hear itself,
//!   takes a copy of what the leader's encoder remembers (G.722: there is no seam), or begins anew with
//!   the tick before, and then makes a packet that does not lean on others (Opus, whose memory cannot
//!   be copied: some distortion for a tick, while he begins to speak himself).
//! - When a leader gets up, another leads, with the leader's encoder itself: nobody else notices.

use crate::frame::Frame;
use crate::id::{Arena, LegId};
use crate::leg::Leg;
use crate::rtp::{MAX_PAYLOAD, ShareKey};

/// Audiences of one bridge; who finds no room encodes by himself.
pub(super) const MOST: usize = 16;

/// All audiences of a bridge.
pub(super) struct Audiences {
    all: [Option<Audience>; MOST],
}

struct Audience {
    key: ShareKey,
    leader: LegId,
    payload: [u8; MAX_PAYLOAD],
    len: usize,
}

impl Audiences {
    /// Nobody listens.
    pub(super) fn new() -> Self {
        Audiences { all: [const { None }; MOST] }
    }

    /// Nobody listens any more.
    pub(super) fn clear(&mut self) {
        self.all.fill_with(|| None);
    }

    /// Has everybody sit where he can in this tick, when it is known who says something. `before`:
    /// what all have heard in the tick before, of each mix. `quiet`: there is next to nothing to be
    /// heard.
    pub(super) fn arrange(
        &mut self,
        members: &[LegId],
        legs: &mut Arena<Leg>,
        before: [&Frame; 2],
        quiet: bool,
    ) {
        for (at, member) in members.iter().enumerate() {
            let Some(leg) = legs.get_mut(member.0) else { continue };
            let key = leg.share_key();
            if let Some(audience) = leg.audience() {
                let audience = self.all.get(usize::from(audience)).and_then(Option::as_ref);
                if key.is_none() || audience.map(|audience| audience.key) != key {
                    // Taken out for the moment, so that two legs can be changed together.
                    if let Some(mut leg) = legs.remove(member.0) {
                        self.leave(&mut leg, at, members, legs, before);
                        let back = legs.insert(member.0, leg);
                        debug_assert!(back.is_ok(), "its slot has just been emptied");
                    }
                }
            } else if let Some(key) = key {
                leg.seat().waits = leg.seat().waits.saturating_add(1);
                if leg.may_sit(quiet) {
                    let found = self.find(key, *member, legs);
                    if let (Some(leg), Some(found)) = (legs.get_mut(member.0), found) {
                        leg.seat().audience = Some(found);
                    }
                }
            } else {
                leg.seat().waits = 0;
            }
        }
    }

    /// An audience of this key which is as far with its packet; or a new one, led by `leg`.
    fn find(&mut self, key: ShareKey, leg: LegId, legs: &mut Arena<Leg>) -> Option<u8> {
        let own = legs.get(leg.0)?;
        let leader_of = |place: &Option<Audience>| {
            let audience = place.as_ref().filter(|audience| audience.key == key)?;
            legs.get(audience.leader.0).filter(|leader| leader.is_as_far_as(own))
        };
        let found = self.all.iter().position(|place| leader_of(place).is_some());
        if let Some(number) = found {
            return Some(number as u8);
        }
        let vacant = self.all.iter().position(Option::is_none)?;
        self.all[vacant] = Some(Audience { key, leader: leg, payload: [0; MAX_PAYLOAD], len: 0 });
        Some(vacant as u8)
    }

    /// A leg gets up. It is not in `legs` at the moment, and the `at`th of the members.
    pub(super) fn leave(
        &mut self,
        leg: &mut Leg,
        at: usize,
        members: &[LegId],
        legs: &mut Arena<Leg>,
        before: [&Frame; 2],
    ) {
        let Some(number) = std::mem::take(leg.seat()).audience else { return };
        let Some(place) = self.all.get_mut(usize::from(number)) else { return };
        let Some(audience) = place else { return };
        if audience.leader != leg.id() {
            if let Some(leader) = legs.get_mut(audience.leader.0) {
                leg.follow(leader, before);
            }
            return;
        }
        // From here on, not from the first: when many get up at once, they do so in order.
        let (until, from) = members.split_at(at.min(members.len()));
        let sits =
            |heir: &&LegId| legs.get_mut(heir.0).is_some_and(|leg| leg.audience() == Some(number));
        let heir = from.iter().chain(until).find(sits);
        match heir.and_then(|heir| legs.get_mut(heir.0)) {
            Some(heir) => {
                leg.hand_over(heir, before);
                audience.leader = heir.id();
            }
            None => *place = None,
        }
    }

    /// Who encodes for an audience.
    pub(super) fn leader(&self, number: usize) -> Option<LegId> {
        self.all.get(number)?.as_ref().map(|audience| audience.leader)
    }

    /// Whether this leg is sent what another was sent.
    pub(super) fn is_led(&self, leg: &Leg) -> bool {
        let audience = leg.audience().and_then(|number| self.all.get(usize::from(number)));
        audience.and_then(Option::as_ref).is_some_and(|audience| audience.leader != leg.id())
    }

    /// Takes what a leader was sent.
    pub(super) fn take(&mut self, number: usize, payload: &[u8]) {
        if let Some(Some(audience)) = self.all.get_mut(number) {
            audience.len = payload.len().min(MAX_PAYLOAD);
            audience.payload[..audience.len].copy_from_slice(&payload[..audience.len]);
        }
    }

    /// What the leader of this leg was sent in this tick.
    pub(super) fn payload(&self, leg: &Leg) -> &[u8] {
        let audience = leg.audience().and_then(|number| self.all.get(usize::from(number)));
        let audience = audience.and_then(Option::as_ref);
        audience.and_then(|audience| audience.payload.get(..audience.len)).unwrap_or_default()
    }
}
