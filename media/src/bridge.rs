//! A bridge: a room in which everybody hears everybody but themselves.
//!
//! What is in it adds up in its mixer (`mixer`). A playback is one more voice that everybody hears; a
//! tap is one more listener, which is on the way to a file. A bridge in which nobody is needs next
//! to no memory, and no time: its mixer is given to it when somebody is to join, and taken back when
//! it is empty.

mod audience;
mod mixer;
mod rate_change;
mod relay;
mod seats;
mod speakers;
mod sum;
mod talkers;
mod tap;
mod taps;

use stasis_bus::{RtPublisher, Stamp, Topic};

pub use mixer::Mixer;
pub use rate_change::RateChange;
pub use seats::Seats;
pub use talkers::MOST_TALKERS;
pub use tap::{MOST_TAPS, Tap, TapDirection, TapEnd, TapReader};

use crate::engine::{Outside, Retired};
use crate::event::{ActiveSpeakerChanged, BridgeRateChanged, PacketsPass};
use crate::frame::SampleRate;
use crate::id::{Arena, BridgeId, LegId, Target};
use crate::leg::Leg;
use crate::sound::{self, Sounds, Stage};
use mixer::Setting;
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

/// Memory that a bridge needs for who joins it. Made where allocation is allowed.
pub enum Room {
    /// For the first.
    Mixer(Box<Mixer>),
    /// For more than there are seats.
    Seats(Box<Seats>),
}

/// A room.
pub struct Bridge {
    id: BridgeId,
    topic: Topic,
    kind: BridgeKind,
    rate: SampleRate,
    most_talkers: Option<usize>,
    mixer: Option<Box<Mixer>>,
    /// It has its mixer also when nobody is in it.
    keeps_mixer: bool,
    /// The mixer is its own: it was made with it.
    owns_mixer: bool,
    sounds: Sounds,
    taps: Taps,
    /// It is to be removed when nobody fades out of it any more.
    closing: bool,
    /// Whether its ticks are counted on.
    pub(crate) awake: bool,
}

impl Bridge {
    /// An empty room that mixes at `rate` and publishes to `topic`. Nobody can join it before it is
    /// given a mixer ([`Order::Furnish`](crate::engine::Order::Furnish)).
    pub fn new(id: BridgeId, rate: SampleRate, topic: Topic) -> Self {
        Bridge {
            id,
            topic,
            kind: BridgeKind::Mixing,
            rate,
            most_talkers: None,
            mixer: None,
            keeps_mixer: true,
            owns_mixer: false,
            sounds: Sounds::new(),
            taps: Taps::new(),
            closing: false,
            awake: false,
        }
    }

    /// With all that it needs for so many legs, always.
    pub fn with_seats(mut self, seats: usize) -> Self {
        self.mixer = Some(Box::new(Mixer::new(self.rate, seats)));
        self.owns_mixer = true;
        self
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
        self.rate
    }

    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(crate) fn limit_talkers(&mut self, most: Option<usize>) {
        self.most_talkers = most.filter(|most| *most <= MOST_TALKERS);
    }

    /// Who is in it.
    pub(crate) fn members(&self) -> &[LegId] {
        self.mixer.as_ref().map_or(&[], |mixer| mixer.members())
    }

    /// Takes memory for who is to join; what is not needed goes back.
    pub(crate) fn furnish(&mut self, room: Room, outside: &mut impl Outside) {
        self.keeps_mixer = true;
        let spare = match (room, &mut self.mixer) {
            (Room::Seats(seats), Some(mixer)) => mixer.take_seats(seats),
            (Room::Mixer(new), mixer @ None) if new.rate() == self.rate => {
                *mixer = Some(new);
                return;
            }
            (room, _) => room,
        };
        outside.retire(Retired::Room(spare));
    }

    /// Is to give its mixer back as soon as nobody needs it.
    pub(crate) fn unfurnish(&mut self, outside: &mut impl Outside) {
        self.keeps_mixer = false;
        self.give_back(outside);
    }

    /// Gives its mixer back, if it is to and nobody needs it.
    fn give_back(&mut self, outside: &mut impl Outside) {
        let is_used = !self.sounds.are_over() || !self.taps.is_empty();
        let is_spare = |mixer: &Mixer| mixer.is_empty() && !mixer.is_changing() && !is_used;
        if let Some(mixer) = self.mixer.take_if(|mixer| !self.keeps_mixer && is_spare(mixer)) {
            outside.retire(Retired::Room(Room::Mixer(mixer)));
        }
    }

    /// Whether one more leg fits.
    pub(crate) fn has_room(&self) -> bool {
        self.mixer.as_ref().is_some_and(|mixer| mixer.has_room()) && !self.closing
    }

    /// Whether all seats of its mixer are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.mixer.as_ref().is_some_and(|mixer| !mixer.has_room()) && !self.closing
    }

    pub(crate) fn add(&mut self, leg: LegId) {
        if let Some(mixer) = &mut self.mixer {
            mixer.add(leg);
        }
    }

    /// A leg is no member any more: it is not in `legs` at the moment.
    pub(crate) fn remove(
        &mut self,
        leg: &mut Leg,
        legs: &mut Arena<Leg>,
        outside: &mut impl Outside,
    ) {
        if let Some(mixer) = &mut self.mixer {
            mixer.remove(leg, legs, outside);
        }
    }

    /// A member that is not to be found.
    pub(crate) fn forget(&mut self, leg: LegId) {
        if let Some(mixer) = &mut self.mixer {
            mixer.forget(leg);
        }
    }

    /// A leg that is leaving is gone already: its last tick is kept for the next mix.
    pub(crate) fn keep_tail(&mut self, leg: &mut Leg) {
        if let Some(mixer) = &mut self.mixer {
            mixer.keep_tail(leg, self.id);
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
        self.closing && !self.mixer.as_ref().is_some_and(|mixer| mixer.has_leavers())
    }

    /// Whether its ticks change nothing until it is told something.
    pub(crate) fn is_idle(&self) -> bool {
        let rests = |mixer: &Mixer| mixer.is_empty() && !mixer.is_changing();
        let is_empty = self.mixer.as_deref().is_none_or(rests);
        is_empty && self.sounds.are_over() && self.taps.is_empty() && !self.closing
    }

    /// Where sounds are played to all in it. The music is heard in a holding bridge; another kind only
    /// keeps it.
    pub(crate) fn stage(&mut self) -> Stage<'_> {
        let (target, rate) = (Target::Bridge(self.id), self.rate);
        Stage { target, topic: &self.topic, rate, sounds: &mut self.sounds }
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
        self.stage().stop(now, publisher, outside);
        self.sounds.set_music(None, outside);
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
        let Some(mixer) = self.mixer.as_mut().filter(|_| !self.closing) else { return false };
        if !mixer.change_rate(self.id, change, legs) {
            return false;
        }
        self.rate = change.rate();
        self.sounds.change(change, outside);
        self.taps.change(&mut change.taps, outside);
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
        let is_holding = self.kind == BridgeKind::Holding;
        let holds =
            |mixer: &Mixer| is_holding && !mixer.members().is_empty() && !mixer.has_announcer(legs);
        let holds = self.mixer.as_deref().is_some_and(holds);
        let mut tell = sound::tell(Target::Bridge(self.id), &self.topic, now, publisher);
        self.sounds.advance(holds, &mut tell);
        drop(tell);
        self.taps.drop_unread(outside);
        let passed = self.passes();
        let setting = Setting {
            id: self.id,
            kind: self.kind,
            most_talkers: self.most_talkers,
            sounds: &mut self.sounds,
            taps: &mut self.taps,
        };
        let changed = self
            .mixer
            .as_mut()
            .and_then(|mixer| mixer.tick(setting, legs, now, publisher, outside));
        if let Some(speakers) = self.mixer.as_mut().and_then(|mixer| mixer.rank(self.id, legs)) {
            let changed = ActiveSpeakerChanged { bridge: self.id, speakers };
            publisher.publish(&self.topic, now, changed);
        }
        if self.passes() != passed {
            let passing = PacketsPass { bridge: self.id, passing: !passed };
            publisher.publish(&self.topic, now, passing);
        }
        self.end_tick(changed, now, publisher, outside);
    }

    /// Whether packets pass as they are.
    fn passes(&self) -> bool {
        self.mixer.as_ref().is_some_and(|mixer| mixer.passes())
    }

    /// What was for this tick alone is over. `changed`: the rate that it mixed at until now.
    fn end_tick(
        &mut self,
        changed: Option<SampleRate>,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        self.taps.end_tick();
        self.sounds.end_tick(outside);
        if let Some(from) = changed {
            let changed = BridgeRateChanged { bridge: self.id, from, to: self.rate };
            publisher.publish(&self.topic, now, changed);
            self.sounds.settle(outside);
            self.taps.settle(outside);
        }
        self.give_back(outside);
    }

    /// Lets go of the mixer that it was given: it is gone itself.
    pub(crate) fn forget_mixer(&mut self, outside: &mut impl Outside) {
        if let Some(mixer) = self.mixer.take_if(|_| !self.owns_mixer) {
            outside.retire(Retired::Room(Room::Mixer(mixer)));
        }
    }
}
