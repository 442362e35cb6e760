//! A bridge: a room in which everybody hears everybody but themselves.
//!
//! Each tick it adds up what its members say, in 32 bits, at its own rate, and gives each the sum
//! less what it said itself (`sum`). A playback is one more voice that everybody hears; a tap is
//! one more listener, which is on the way to a file. Who leaves is still there for a tick, to fade
//! out. While the bridge goes from one rate to another it makes two mixes (`rate_change`).

mod audience;
mod converters;
mod playback;
mod rate_change;
mod sounds;
mod sum;
mod talkers;
mod tap;
mod taps;

use stasis_bus::{RtPublisher, Stamp, Topic};

pub use playback::Playback;
pub use rate_change::RateChange;
pub use talkers::MOST_TALKERS;
pub use tap::{MOST_TAPS, Tap, TapDirection, TapEnd, TapReader};

use crate::engine::Outside;
use crate::event::{BridgeRateChanged, PlaybackFinished, PlaybackStarted};
use crate::frame::SampleRate;
use crate::id::{Arena, BridgeId, LegId};
use crate::leg::{Blend, Era, Leg, Role};
use audience::Audiences;
use sounds::Sounds;
use sum::Sum;
use talkers::Talkers;
pub(crate) use taps::Taps;

/// Who is heard in a bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum BridgeKind {
    /// Everybody hears everybody else.
    #[default]
    Mixing,
    /// Everybody hears the announcers, and music while there is none of them and nothing is played.
    Holding,
}

/// A room.
pub struct Bridge {
    id: BridgeId,
    topic: Topic,
    kind: BridgeKind,
    members: Vec<LegId>,
    /// Who left since the last tick.
    leavers: Vec<LegId>,
    talkers: Talkers,
    audiences: Audiences,
    sum: Sum,
    /// The mix before a change of the rate, and the ticks that are left to it.
    past: Sum,
    change: Option<u8>,
    sounds: Sounds,
    taps: Taps,
    /// It is to be removed at the end of the tick.
    closing: bool,
}

impl Bridge {
    /// An empty room that mixes at `rate`, has room for `capacity` legs, and publishes to `topic`.
    pub fn new(id: BridgeId, rate: SampleRate, capacity: usize, topic: Topic) -> Self {
        Bridge {
            id,
            topic,
            kind: BridgeKind::Mixing,
            members: Vec::with_capacity(capacity),
            leavers: Vec::with_capacity(capacity),
            talkers: Talkers::new(),
            audiences: Audiences::new(),
            sum: Sum::new(rate),
            past: Sum::new(rate),
            change: None,
            sounds: Sounds::new(),
            taps: Taps::new(),
            closing: false,
        }
    }

    /// Of this kind.
    pub fn with_kind(mut self, kind: BridgeKind) -> Self {
        self.kind = kind;
        self
    }

    /// In which only so many are heard, the loudest; `None`, and beyond [`MOST_TALKERS`]: everybody.
    pub fn with_talkers(mut self, most: Option<usize>) -> Self {
        self.limit_talkers(most);
        self
    }

    /// Its name.
    pub fn id(&self) -> BridgeId {
        self.id
    }

    /// The rate that it mixes at, or is going over to.
    pub fn rate(&self) -> SampleRate {
        self.sum.rate()
    }

    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(crate) fn limit_talkers(&mut self, most: Option<usize>) {
        self.talkers.limit(most);
    }

    pub(crate) fn last_member(&self) -> Option<LegId> {
        self.members.last().copied()
    }

    /// Whether one more leg fits.
    pub(crate) fn has_room(&self) -> bool {
        self.members.len() < self.members.capacity() && !self.closing
    }

    pub(crate) fn add(&mut self, leg: LegId) {
        debug_assert!(self.has_room(), "asked before");
        self.members.push(leg);
    }

    /// A leg is no member any more: it is not in `legs` at the moment.
    pub(crate) fn remove(
        &mut self,
        leg: &mut Leg,
        legs: &mut Arena<Leg>,
        outside: &mut impl Outside,
    ) {
        if let Some(at) = self.members.iter().rposition(|member| *member == leg.id()) {
            let before = [self.past.all(), self.sum.all()];
            self.audiences.leave(leg, at, &self.members, legs, before);
            self.members.swap_remove(at);
        }
        // It is still heard in the next tick.
        if leg.leave(outside) && self.leavers.len() < self.leavers.capacity() {
            self.leavers.push(leg.id());
        }
    }

    /// A member that is not to be found.
    pub(crate) fn forget(&mut self, leg: LegId) {
        self.members.retain(|member| *member != leg);
    }

    /// A leg that is leaving is gone already: its last tick is kept for the next mix.
    pub(crate) fn keep_tail(&mut self, leg: &mut Leg) {
        self.leavers.retain(|leaver| *leaver != leg.id());
        let sum = if self.change.is_some() { &mut self.past } else { &mut self.sum };
        if let Some(said) = leg.say(Era::Past, self.id, true) {
            sum.leave(said.samples());
        }
    }

    /// Takes nobody any more. It has closed when nobody fades out of it.
    pub(crate) fn close(&mut self) {
        self.closing = true;
    }

    /// Whether it is closing, or has closed.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing
    }

    /// Whether it has closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closing && self.leavers.is_empty()
    }

    /// Begins to play, in place of what was playing.
    pub(crate) fn play(
        &mut self,
        playback: Box<Playback>,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        self.stop_playing(now, publisher, outside);
        let started = PlaybackStarted { playback: playback.id(), bridge: self.id };
        publisher.publish(&self.topic, now, started);
        self.sounds.play(playback);
    }

    pub(crate) fn stop_playing(
        &mut self,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        if let Some(playback) = self.sounds.stop(outside) {
            let finished = PlaybackFinished { playback, bridge: self.id, complete: false };
            publisher.publish(&self.topic, now, finished);
        }
    }

    /// The music of a holding bridge; another kind only keeps it.
    pub(crate) fn set_music(&mut self, music: Option<Box<Playback>>, outside: &mut impl Outside) {
        self.sounds.set_music(music, outside);
    }

    /// Sends the whole room to `tap`, too; gives it back when there is no room for one more.
    pub(crate) fn tap(&mut self, tap: Box<Tap>) -> Result<(), Box<Tap>> {
        if self.closing { Err(tap) } else { self.taps.add(tap) }
    }

    /// Lets go of what is played, and of the taps. What is played fades out in the next tick.
    pub(crate) fn silence(
        &mut self,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        self.stop_playing(now, publisher, outside);
        self.set_music(None, outside);
        self.taps.end(outside);
    }

    /// There is no next tick.
    pub(crate) fn forget_sounds(&mut self, outside: &mut impl Outside) {
        self.sounds.forget(outside);
    }

    /// Goes over to another rate. `false`: not everybody in it has converters for that.
    pub(crate) fn change_rate(
        &mut self,
        change: &mut RateChange,
        legs: &mut Arena<Leg>,
        outside: &mut impl Outside,
    ) -> bool {
        let mut is_here =
            |leg: LegId| legs.get_mut(leg.0).is_some_and(|leg| leg.bridge() == Some(self.id));
        let known = change.legs.iter().filter(|(leg, rates)| rates.is_some() && is_here(*leg));
        if known.count() != self.members.len() || self.closing {
            return false;
        }
        for (leg, place) in &mut change.legs {
            let leg = legs.get_mut(leg.0).filter(|leg| leg.bridge() == Some(self.id));
            let Some(leg) = leg else { continue };
            if let Some(rates) = place.take() {
                *place = leg.change_rates(rates);
            }
        }
        self.sounds.change(change, outside);
        self.taps.change(&mut change.taps, outside);
        let next = Sum::new(change.rate());
        if self.change.is_none() {
            self.past = std::mem::replace(&mut self.sum, next);
        } else {
            self.sum = next;
        }
        self.change = Some(rate_change::TICKS);
        true
    }

    /// One tick: everybody's audio of this tick is in `legs`.
    pub(crate) fn tick(
        &mut self,
        legs: &mut Arena<Leg>,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        self.talkers.choose(&self.members, legs);
        let mut announces = |leg: &LegId| legs.get_mut(leg.0).is_some_and(|leg| leg.announces());
        let holds = self.kind == BridgeKind::Holding && !self.members.iter().any(&mut announces);
        if let Some(playback) = self.sounds.advance(holds) {
            let finished = PlaybackFinished { playback, bridge: self.id, complete: true };
            publisher.publish(&self.topic, now, finished);
        }
        self.taps.drop_unread(outside);
        if self.change.is_some() {
            self.add_up(Era::Past, legs);
        }
        self.add_up(Era::Present, legs);
        let before = [self.past.before(), self.sum.before()];
        self.audiences.arrange(&self.members, legs, before, self.sum.is_quiet());
        match self.change {
            None => self.bring(Era::Present, Blend::Whole, legs, outside),
            Some(1) => {
                self.bring(Era::Past, Blend::Falling, legs, outside);
                self.bring(Era::Present, Blend::Rising, legs, outside);
            }
            Some(_) => {
                self.bring(Era::Past, Blend::Whole, legs, outside);
                self.bring(Era::Present, Blend::Unheard, legs, outside);
            }
        }
        self.end_tick(now, publisher, outside);
    }

    /// Adds up one mix.
    fn add_up(&mut self, era: Era, legs: &mut Arena<Leg>) {
        let id = self.id;
        let sum = match era {
            Era::Past => &mut self.past,
            Era::Present => &mut self.sum,
        };
        sum.begin();
        for member in &self.members {
            let Some(leg) = legs.get_mut(member.0) else { continue };
            let allowed = self.talkers.allows(*member)
                && (self.kind == BridgeKind::Mixing || leg.role() == Role::Announcer);
            if (era == Era::Present || leg.leaves().is_none())
                && let Some(said) = leg.say(era, id, allowed)
            {
                sum.add(said.samples());
            }
        }
        for leaver in leavers(&self.leavers, era, self.change) {
            if let Some(said) = legs.get_mut(leaver.0).and_then(|leg| leg.say(Era::Past, id, true))
            {
                sum.add(said.samples());
            }
        }
        self.sounds.add_to(era, sum);
        sum.end();
    }

    /// Brings one mix to all.
    fn bring(&mut self, era: Era, blend: Blend, legs: &mut Arena<Leg>, outside: &mut impl Outside) {
        let id = self.id;
        let sum = match era {
            Era::Past => &mut self.past,
            Era::Present => &mut self.sum,
        };
        self.taps.hear(era, sum.all(), blend);
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
        for member in &self.members {
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
            leg.hear(era, id, mix, blend);
            // Who is between two mixes may still hear something of another bridge.
            if era == Era::Present && !leg.is_between() {
                leg.send(outside);
            }
        }
        for leaver in leavers(&self.leavers, era, self.change) {
            if let Some(leg) = legs.get_mut(leaver.0) {
                let mix = sum.less(leg.said(Era::Past, id));
                leg.hear(Era::Past, id, mix, Blend::Falling);
            }
        }
    }

    /// What was for this tick alone is over.
    fn end_tick(&mut self, now: Stamp, publisher: &mut RtPublisher, outside: &mut impl Outside) {
        self.taps.end_tick();
        self.leavers.clear();
        self.sounds.end_tick(outside);
        self.change = match self.change {
            Some(1) => {
                let (from, to) = (self.past.rate(), self.sum.rate());
                let changed = BridgeRateChanged { bridge: self.id, from, to };
                publisher.publish(&self.topic, now, changed);
                self.sounds.settle(outside);
                self.taps.settle(outside);
                None
            }
            change => change.map(|left| left - 1),
        };
    }
}

/// Who leaves fades out of what is heard: the mix before, while the rate changes.
fn leavers(all: &[LegId], era: Era, change: Option<u8>) -> &[LegId] {
    if (era == Era::Past) == change.is_some() { all } else { &[] }
}
