//! The mixer of a bridge: all that it needs while somebody is in it.
//!
//! Each tick it adds up what the members say, in 32 bits, at the bridge's rate, and gives each the sum
//! less what it said itself (`sum`). Who leaves is still there for a tick, to fade out. While the
//! bridge goes from one rate to another there are two mixes (`rate_change`).

use stasis_bus::{RtPublisher, Stamp};

use super::audience::{self, Audiences};
use super::rate_change::{self, RateChange};
use super::relay::Relay;
use super::seats::Seats;
use super::speakers::Ranking;
use super::sum::Sum;
use super::talkers::Talkers;
use super::taps::Taps;
use super::{BridgeKind, Room};
use crate::engine::Outside;
use crate::event::Speakers;
use crate::frame::SampleRate;
use crate::id::{Arena, BridgeId, LegId};
use crate::leg::{Blend, Era, Leg, Near, Role};
use crate::sound::Sounds;

/// All that a bridge needs while somebody is in it; some 60 KB. Made where allocation is allowed.
pub struct Mixer {
    seats: Box<Seats>,
    talkers: Talkers,
    ranking: Ranking,
    audiences: Audiences,
    relay: Relay,
    sum: Sum,
    /// The mix before a change of the rate, and the ticks that are left to it.
    past: Sum,
    change: Option<u8>,
}

/// What a mixer works with in one tick: the rest of its bridge.
pub(super) struct Setting<'a> {
    pub(super) id: BridgeId,
    pub(super) kind: BridgeKind,
    pub(super) most_talkers: Option<usize>,
    pub(super) sounds: &'a mut Sounds,
    pub(super) taps: &'a mut Taps,
}

impl Mixer {
    /// Of a bridge that mixes at `rate`, with seats for so many.
    pub fn new(rate: SampleRate, seats: usize) -> Self {
        Mixer {
            seats: Box::new(Seats::new(seats)),
            talkers: Talkers::new(),
            ranking: Ranking::new(),
            audiences: Audiences::new(),
            relay: Relay::new(),
            sum: Sum::new(rate),
            past: Sum::new(rate),
            change: None,
        }
    }

    /// The rate that it mixes at, or is going over to.
    pub(super) fn rate(&self) -> SampleRate {
        self.sum.rate()
    }

    pub(super) fn members(&self) -> &[LegId] {
        self.seats.members()
    }

    /// Whether there is a seat for one more.
    pub(super) fn has_room(&self) -> bool {
        self.seats.has_room()
    }

    /// Whether nobody is in it, nor on the way out.
    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Whether somebody is still fading out.
    pub(super) fn has_leavers(&self) -> bool {
        !self.seats.leavers().is_empty()
    }

    /// Whether it mixes at two rates.
    pub(super) fn is_changing(&self) -> bool {
        self.change.is_some()
    }

    /// Takes more seats; gives back those that are empty.
    pub(super) fn take_seats(&mut self, mut more: Box<Seats>) -> Room {
        if more.capacity() > self.seats.capacity() && more.take_over(&mut self.seats) {
            std::mem::swap(&mut self.seats, &mut more);
        }
        Room::Seats(more)
    }

    pub(super) fn add(&mut self, leg: LegId) {
        self.seats.add(leg);
    }

    /// A leg is no member any more: it is not in `legs` at the moment.
    pub(super) fn remove(
        &mut self,
        leg: &mut Leg,
        legs: &mut Arena<Leg>,
        outside: &mut impl Outside,
    ) {
        if let Some(at) = self.seats.position(leg.id()) {
            let before = [self.past.all(), self.sum.all()];
            self.audiences.leave(leg, at, self.seats.members(), legs, before);
            self.seats.remove(at);
        }
        // It is still heard in the next tick.
        if leg.leave(outside) {
            self.seats.leave(leg.id());
        }
    }

    /// A member that is not to be found.
    pub(super) fn forget(&mut self, leg: LegId) {
        if let Some(at) = self.seats.position(leg) {
            self.seats.remove(at);
        }
    }

    /// A leg that is leaving is gone already: its last tick is kept for the next mix.
    pub(super) fn keep_tail(&mut self, leg: &mut Leg, id: BridgeId) {
        self.seats.forget_leaver(leg.id());
        let sum = if self.change.is_some() { &mut self.past } else { &mut self.sum };
        if let Some(said) = leg.say(Era::Past, id, true) {
            sum.leave(said.samples());
        }
    }

    /// Goes over to another rate. `false`: not everybody in it has converters for that.
    pub(super) fn change_rate(
        &mut self,
        id: BridgeId,
        change: &mut RateChange,
        legs: &mut Arena<Leg>,
    ) -> bool {
        let mut is_here =
            |leg: LegId| legs.get_mut(leg.0).is_some_and(|leg| leg.bridge() == Some(id));
        let known = change.legs.iter().filter(|(leg, rates)| rates.is_some() && is_here(*leg));
        if known.count() != self.seats.members().len() {
            return false;
        }
        for (leg, place) in &mut change.legs {
            let leg = legs.get_mut(leg.0).filter(|leg| leg.bridge() == Some(id));
            let Some(leg) = leg else { continue };
            if let Some(rates) = place.take() {
                *place = leg.change_rates(rates);
            }
        }
        let next = Sum::new(change.rate());
        if self.change.is_none() {
            self.past = std::mem::replace(&mut self.sum, next);
        } else {
            self.sum = next;
        }
        self.change = Some(rate_change::TICKS);
        true
    }

    /// Whether somebody announces something in it.
    pub(super) fn has_announcer(&self, legs: &Arena<Leg>) -> bool {
        let announces = |leg: &LegId| legs.get(leg.0).is_some_and(Leg::announces);
        self.seats.members().iter().any(announces)
    }

    /// One tick: everybody's audio of this tick is in `legs`. Says from which rate the bridge has
    /// gone over, when it just has.
    pub(super) fn tick(
        &mut self,
        mut setting: Setting<'_>,
        legs: &mut Arena<Leg>,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) -> Option<SampleRate> {
        if self.relay(&setting, legs, now, publisher, outside) {
            return None;
        }
        let members = self.seats.members();
        let all_are_heard = setting.most_talkers.is_none() && self.change.is_none();
        if !all_are_heard {
            take_ticks(members, legs, now, publisher, outside);
        }
        self.talkers.choose(setting.most_talkers, members, legs);
        if self.change.is_some() {
            self.add_up(Era::Past, &mut setting, legs, |_| {});
        }
        // Where it is not to be known first what all say, each leg is gone through at once.
        self.add_up(Era::Present, &mut setting, legs, |leg| {
            leg.take_tick(now, publisher, outside);
        });
        let before = [self.past.before(), self.sum.before()];
        let members = self.seats.members();
        self.audiences.arrange(members, legs, before, self.sum.is_quiet());
        match self.change {
            None => self.bring(Era::Present, Blend::Whole, &mut setting, legs, outside),
            Some(1) => {
                self.bring(Era::Past, Blend::Falling, &mut setting, legs, outside);
                self.bring(Era::Present, Blend::Rising, &mut setting, legs, outside);
            }
            Some(_) => {
                self.bring(Era::Past, Blend::Whole, &mut setting, legs, outside);
                self.bring(Era::Present, Blend::Unheard, &mut setting, legs, outside);
            }
        }
        self.seats.forget_leavers();
        let has_changed = self.change == Some(1);
        self.change = self.change.map(|left| left - 1).filter(|left| *left > 0);
        has_changed.then(|| self.past.rate())
    }

    /// Passes the packets of two parties as they are, if that can be. `false`: there is to be a mix.
    fn relay(
        &mut self,
        setting: &Setting<'_>,
        legs: &mut Arena<Leg>,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) -> bool {
        let nothing_else = setting.kind == BridgeKind::Mixing
            && setting.most_talkers.is_none()
            && setting.sounds.are_over()
            && setting.taps.is_empty()
            && self.change.is_none()
            && self.seats.leavers().is_empty()
            && !self.sum.has_tail();
        let Ok(pair) = <[LegId; 2]>::try_from(self.seats.members()) else {
            self.relay.end(legs);
            return false;
        };
        take_ticks(&pair, legs, now, publisher, outside);
        if !nothing_else || !self.relay.chooses(pair, legs, self.sum.is_quiet()) {
            self.relay.end(legs);
            return false;
        }
        if !self.relay.passes() {
            self.audiences.clear();
            self.sum.clear();
            for member in pair {
                if let Some(leg) = legs.get_mut(member.0) {
                    *leg.seat() = Default::default();
                }
            }
        }
        for member in pair {
            if let Some(leg) = legs.get(member.0) {
                self.ranking.consider(leg);
            }
        }
        self.relay.pass(pair, legs, outside);
        true
    }

    /// Who speaks after this tick, if that is another order than before.
    pub(super) fn rank(&mut self, id: BridgeId, legs: &Arena<Leg>) -> Option<Speakers> {
        self.ranking.end_tick(id, legs)
    }

    /// Whether packets pass as they are.
    pub(super) fn passes(&self) -> bool {
        self.relay.passes()
    }

    /// Adds up one mix. `first`: what is to be done with each leg before.
    fn add_up(
        &mut self,
        era: Era,
        setting: &mut Setting<'_>,
        legs: &mut Arena<Leg>,
        mut first: impl FnMut(&mut Leg),
    ) {
        let id = setting.id;
        let sum = match era {
            Era::Past => &mut self.past,
            Era::Present => &mut self.sum,
        };
        sum.begin();
        let members = self.seats.members();
        for (at, member) in members.iter().enumerate() {
            look_ahead(&members[at..], legs, Near::Hear);
            let Some(leg) = legs.get_mut(member.0) else { continue };
            first(leg);
            let may_speak = setting.kind == BridgeKind::Mixing || leg.role() == Role::Announcer;
            if era == Era::Present && may_speak {
                self.ranking.consider(leg);
            }
            let allowed = may_speak && self.talkers.allows(setting.most_talkers, *member);
            if (era == Era::Present || leg.leaves().is_none())
                && let Some(said) = leg.say(era, id, allowed)
            {
                sum.add(said.samples());
            }
        }
        for leaver in leavers(self.seats.leavers(), era, self.change) {
            if let Some(said) = legs.get_mut(leaver.0).and_then(|leg| leg.say(Era::Past, id, true))
            {
                sum.add(said.samples());
            }
        }
        setting.sounds.for_each(era, |said| sum.add(said));
        sum.end();
    }

    /// Brings one mix to all.
    fn bring(
        &mut self,
        era: Era,
        blend: Blend,
        setting: &mut Setting<'_>,
        legs: &mut Arena<Leg>,
        outside: &mut impl Outside,
    ) {
        let id = setting.id;
        let sum = match era {
            Era::Past => &mut self.past,
            Era::Present => &mut self.sum,
        };
        setting.taps.hear(era, sum.all(), blend);
        if era == Era::Present {
            for number in 0..audience::MOST {
                let leader = self.audiences.leader(number);
                if let Some(leg) = leader.and_then(|leader| legs.get_mut(leader.0)) {
                    leg.hear(era, id, sum.less(None), blend);
                    leg.send(outside);
                    self.audiences.take(number, leg.payload());
                }
            }
        }
        let members = self.seats.members();
        for (at, member) in members.iter().enumerate() {
            look_ahead(&members[at..], legs, Near::Send);
            let Some(leg) = legs.get_mut(member.0) else { continue };
            if leg.is_sent() || (era == Era::Past && leg.leaves().is_some()) {
                continue;
            }
            if self.audiences.is_led(leg) {
                match era {
                    Era::Past if blend == Blend::Falling => leg.forget_mix(id),
                    Era::Past => {}
                    Era::Present => leg.send_shared(self.audiences.payload(leg), outside),
                }
                continue;
            }
            let mix = sum.less(leg.said(era, id));
            let is_all = era == Era::Present && blend == Blend::Whole && !leg.is_between();
            if is_all && leg.send_straight(mix, outside) {
                continue;
            }
            leg.hear(era, id, mix, blend);
            // Who is between two mixes may still hear something of another bridge.
            if era == Era::Present && !leg.is_between() {
                leg.send(outside);
            }
        }
        for leaver in leavers(self.seats.leavers(), era, self.change) {
            if let Some(leg) = legs.get_mut(leaver.0) {
                let mix = sum.less(leg.said(Era::Past, id));
                leg.hear(Era::Past, id, mix, Blend::Falling);
            }
        }
    }
}

/// Takes in the tick of all these who have not had it yet.
fn take_ticks(
    members: &[LegId],
    legs: &mut Arena<Leg>,
    now: Stamp,
    publisher: &mut RtPublisher,
    outside: &mut impl Outside,
) {
    for member in members {
        if let Some(leg) = legs.get_mut(member.0) {
            leg.take_tick(now, publisher, outside);
        }
    }
}

/// Brings the memory of those near whose turn is next; the first has it now.
fn look_ahead(members: &[LegId], legs: &Arena<Leg>, near: Near) {
    for (step, ahead) in Near::AHEAD.into_iter().enumerate() {
        if let Some(leg) = members.get(ahead).and_then(|next| legs.get(next.0)) {
            leg.come_near(near, step);
        }
    }
}

/// Who leaves fades out of what is heard: the mix before, while the rate changes.
fn leavers(all: &[LegId], era: Era, change: Option<u8>) -> &[LegId] {
    if (era == Era::Past) == change.is_some() { all } else { &[] }
}
