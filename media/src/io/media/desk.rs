//! The control side's books: which objects are on which media thread, and which rates suit them.

use std::collections::{BTreeSet, HashMap};

use stasis_bus::ring::{Consumer, Pop};

use super::balance;
use super::error::ControlError;
use super::settings::{BridgeRate, MediaSettings};
use super::world::Returned;
use crate::bridge::{Mixer, RateChange, Room, Seats, Tap};
use crate::engine::{Order, Retired};
use crate::frame::SampleRate;
use crate::id::{BridgeId, Key, LegId, PlaybackId, Target};
use crate::sound::Playback;

/// Parcels that may be under way at a time.
pub(super) const MOST_PARCELS: usize = 1_024;
/// The seats that the first who joins a bridge brings along; then twice as many, and so on.
const FIRST_SEATS: usize = 8;

/// The books.
pub(super) struct Desk {
    returned: Consumer<Returned>,
    /// Objects that are over there or on their way.
    pub(super) away: usize,
    pub(super) most_away: usize,
    parcels: usize,
    last_parcel: u64,
    last_serial: u32,
    legs: Books<LegBook>,
    bridges: Books<BridgeBook>,
    /// Bridges that another rate may suit.
    unsettled: Vec<BridgeId>,
    /// Who did not get into which bridge.
    refused: Vec<(LegId, BridgeId)>,
    /// Bridges that may be idle.
    vacated: Vec<BridgeId>,
    /// What is played, and to whom.
    playbacks: HashMap<PlaybackId, (Target, SampleRate)>,
    /// Legs and bridges, by the threads that they are on.
    population: Vec<(usize, usize)>,
}

/// Books by the slots of their keys.
struct Books<T> {
    slots: Vec<Option<(Key, T)>>,
    vacant: Vec<u32>,
}

/// What is known of a leg.
pub(super) struct LegBook {
    pub(super) rate: SampleRate,
    pub(super) bridge: Option<BridgeId>,
    /// The thread that it is on, or on the way to.
    pub(super) shard: usize,
}

/// What is known of a bridge.
pub(super) struct BridgeBook {
    wanted: BridgeRate,
    /// What it was told to mix at.
    pub(super) rate: SampleRate,
    /// What may be heard, or wait to be.
    playbacks: BTreeSet<PlaybackId>,
    /// The rate of its music, as far as that may still be there, and of its taps.
    pub(super) music: Option<SampleRate>,
    pub(super) taps: Vec<SampleRate>,
    /// The thread that it is on, or on the way to.
    pub(super) shard: usize,
    pub(super) members: BTreeSet<LegId>,
    /// Seats that it has; none without a mixer.
    seats: usize,
    /// It was let go.
    closed: bool,
}

impl<T> Books<T> {
    fn new(capacity: usize) -> Self {
        let slots = (0..capacity).map(|_| None).collect();
        // The lowest is taken first.
        Books { slots, vacant: (0..capacity as u32).rev().collect() }
    }

    fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let entry = self.slots.get_mut(key.slot())?.as_mut();
        entry.filter(|(here, _)| *here == key).map(|(_, book)| book)
    }

    fn get(&self, key: Key) -> Option<&T> {
        let entry = self.slots.get(key.slot())?.as_ref();
        entry.filter(|(here, _)| *here == key).map(|(_, book)| book)
    }

    /// A book for the next in the vacant slot that was found.
    fn open(&mut self, key: Key, book: T) {
        debug_assert_eq!(self.vacant.last(), Some(&key.slot));
        self.vacant.pop();
        self.slots[key.slot()] = Some((key, book));
    }

    fn close(&mut self, key: Key) -> Option<T> {
        let slot = self.slots.get_mut(key.slot())?;
        let (_, book) = slot.take_if(|(here, _)| *here == key)?;
        self.vacant.push(key.slot);
        Some(book)
    }

    fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.slots.iter().flatten().map(|(key, book)| (*key, book))
    }
}

impl BridgeBook {
    /// An empty one.
    pub(super) fn new(wanted: BridgeRate, rate: SampleRate, shard: usize) -> Self {
        BridgeBook {
            wanted,
            rate,
            playbacks: BTreeSet::new(),
            music: None,
            taps: Vec::new(),
            shard,
            members: BTreeSet::new(),
            seats: 0,
            closed: false,
        }
    }

    /// The highest rate that it can have.
    pub(super) fn most_rate(&self) -> SampleRate {
        match self.wanted {
            BridgeRate::Fixed(rate) => rate,
            BridgeRate::Automatic { most } => most,
        }
    }

    /// What it needs to mix anything, and how many seats it has then; none when it can.
    pub(super) fn first_room(&self) -> Option<(Room, usize)> {
        let mixer = || Mixer::new(self.rate, FIRST_SEATS);
        (self.seats == 0).then(|| (Room::Mixer(Box::new(mixer())), FIRST_SEATS))
    }

    /// What it needs for one more, and how many seats it has then; none when there is a seat.
    pub(super) fn room_for_one_more(&self) -> Option<(Room, usize)> {
        let is_full = self.seats > 0 && self.members.len() >= self.seats;
        let seats = 2 * self.seats;
        let more = is_full.then(|| (Room::Seats(Box::new(Seats::new(seats))), seats));
        self.first_room().or(more)
    }

    /// Whether nobody is in it, nothing is played, and nothing tapped.
    fn is_idle(&self) -> bool {
        self.members.is_empty() && self.playbacks.is_empty() && self.taps.is_empty()
    }
}

impl Desk {
    pub(super) fn new(
        returned: Consumer<Returned>,
        most_away: usize,
        settings: &MediaSettings,
    ) -> Self {
        Desk {
            returned,
            away: 0,
            most_away,
            parcels: 0,
            last_parcel: 0,
            last_serial: 0,
            legs: Books::new(settings.legs),
            bridges: Books::new(settings.bridges),
            unsettled: Vec::new(),
            refused: Vec::new(),
            vacated: Vec::new(),
            playbacks: HashMap::new(),
            population: vec![(0, 0); settings.threads],
        }
    }

    pub(super) fn serial(&mut self) -> u32 {
        self.last_serial += 1;
        self.last_serial
    }

    /// A name for the next leg; none when there is no room.
    pub(super) fn next_leg(&mut self) -> Option<LegId> {
        let slot = *self.legs.vacant.last()?;
        Some(LegId::new(slot, self.serial()))
    }

    /// Names for the next two legs; none when there is no room for both.
    pub(super) fn next_two_legs(&mut self) -> Option<[LegId; 2]> {
        let [.., second, first] = self.legs.vacant[..] else { return None };
        Some([first, second].map(|slot| LegId::new(slot, self.serial())))
    }

    /// A name for the next bridge; none when there is no room.
    pub(super) fn next_bridge(&mut self) -> Option<BridgeId> {
        let slot = *self.bridges.vacant.last()?;
        Some(BridgeId::new(slot, self.serial()))
    }

    pub(super) fn open_leg(&mut self, leg: LegId, rate: SampleRate, shard: usize) {
        self.population[shard].0 += 1;
        self.legs.open(leg.0, LegBook { rate, bridge: None, shard });
    }

    pub(super) fn open_bridge(&mut self, bridge: BridgeId, book: BridgeBook) {
        self.population[book.shard].1 += 1;
        self.bridges.open(bridge.0, book);
    }

    pub(super) fn leg(&self, leg: LegId) -> Result<&LegBook, ControlError> {
        self.legs.get(leg.0).ok_or(ControlError::NoLeg(leg))
    }

    pub(super) fn bridge(&mut self, bridge: BridgeId) -> Result<&mut BridgeBook, ControlError> {
        let open = self.bridges.get_mut(bridge.0).filter(|book| !book.closed);
        open.ok_or(ControlError::NoBridge(bridge))
    }

    /// Legs that are on a thread.
    pub(super) fn legs_of(&self, shard: usize) -> usize {
        self.population.get(shard).map_or(0, |(legs, _)| *legs)
    }

    /// The thread that gets the next leg or bridge.
    pub(super) fn thread_for_next(&self) -> usize {
        balance::fewest(self.population.iter().copied())
    }

    /// The bridges of a thread, with how many are in each.
    pub(super) fn bridges_of(&self, shard: usize) -> impl Iterator<Item = (BridgeId, usize)> {
        let here = self.bridges.iter().filter(move |(_, book)| book.shard == shard && !book.closed);
        here.map(|(key, book)| (BridgeId(key), book.members.len()))
    }

    /// A number for a parcel; none when too many are under way.
    pub(super) fn next_parcel(&mut self) -> Option<u64> {
        if self.parcels >= MOST_PARCELS {
            return None;
        }
        self.last_parcel += 1;
        Some(self.last_parcel)
    }

    /// A parcel is under way.
    pub(super) fn parcel_sent(&mut self) {
        self.parcels += 1;
    }

    /// A leg was told to go to another thread.
    pub(super) fn move_leg(&mut self, leg: LegId, shard: usize) {
        if let Some(book) = self.legs.get_mut(leg.0) {
            self.population[book.shard].0 -= 1;
            self.population[shard].0 += 1;
            book.shard = shard;
        }
    }

    /// A bridge was told to go to another thread, with all who are in it.
    pub(super) fn move_bridge(&mut self, bridge: BridgeId, shard: usize) {
        let Some(book) = self.bridges.get_mut(bridge.0) else { return };
        self.population[book.shard].1 -= 1;
        self.population[shard].1 += 1;
        book.shard = shard;
        for leg in book.members.clone() {
            self.move_leg(leg, shard);
        }
    }

    /// A bridge was given room, and has so many seats now.
    pub(super) fn furnished(&mut self, bridge: BridgeId, seats: usize) {
        if let Ok(book) = self.bridge(bridge) {
            book.seats = seats;
        }
    }

    /// Notes a bridge that may have become idle.
    fn look_at_idle(&mut self, bridge: BridgeId) {
        if self.bridges.get(bridge.0).is_some_and(BridgeBook::is_idle) {
            self.vacated.push(bridge);
        }
    }

    /// A bridge that has a mixer and is idle, to be told to give it back, and its thread. None while
    /// parcels are under way: who is in them may be on the way to it.
    pub(super) fn next_vacated(&mut self) -> Option<(BridgeId, usize)> {
        if self.parcels > 0 {
            return None;
        }
        while let Some(id) = self.vacated.pop() {
            if let Some(book) = self.bridges.get_mut(id.0)
                && book.is_idle()
                && !book.closed
                && std::mem::take(&mut book.seats) > 0
            {
                return Some((id, book.shard));
            }
        }
        None
    }

    /// A tap has come back.
    fn untap(&mut self, tap: &Tap) {
        let Some(bridge) = tap.bridge() else { return };
        let Some(book) = self.bridges.get_mut(bridge.0) else { return };
        if let Some(at) = book.taps.iter().position(|rate| *rate == tap.own_rate()) {
            book.taps.swap_remove(at);
        }
        self.look_at_idle(bridge);
    }

    /// A leg was told to go there, or to leave.
    pub(super) fn place(&mut self, leg: LegId, bridge: Option<BridgeId>) {
        let Some(book) = self.legs.get_mut(leg.0) else { return };
        let before = std::mem::replace(&mut book.bridge, bridge);
        if let Some(before) = before {
            if let Some(book) = self.bridges.get_mut(before.0) {
                book.members.remove(&leg);
            }
            self.look_at_idle(before);
            self.unsettled.push(before);
        }
        if let Some(bridge) = bridge {
            if let Some(book) = self.bridges.get_mut(bridge.0) {
                book.members.insert(leg);
            }
            self.unsettled.push(bridge);
        }
    }

    /// A bridge was told to close.
    pub(super) fn close(&mut self, bridge: BridgeId) {
        let Ok(book) = self.bridge(bridge) else { return };
        book.closed = true;
        for leg in std::mem::take(&mut book.members) {
            if let Some(leg) = self.legs.get_mut(leg.0) {
                leg.bridge = None;
            }
        }
    }

    /// The thread of a leg or a bridge, and the rate of what is to be played to it.
    pub(super) fn target(&mut self, target: Target) -> Result<(usize, SampleRate), ControlError> {
        match target {
            Target::Leg(leg) => self.leg(leg).map(|book| (book.shard, book.rate)),
            Target::Bridge(bridge) => self.bridge(bridge).map(|book| (book.shard, book.rate)),
        }
    }

    /// A name for the next playback.
    pub(super) fn next_playback(&mut self) -> PlaybackId {
        PlaybackId::new(0, self.serial())
    }

    /// A playback of sounds at `rate` is on its way.
    pub(super) fn played(&mut self, playback: PlaybackId, target: Target, rate: SampleRate) {
        self.playbacks.insert(playback, (target, rate));
        if let Target::Bridge(bridge) = target
            && let Ok(book) = self.bridge(bridge)
        {
            book.playbacks.insert(playback);
        }
    }

    /// To whom something is played.
    pub(super) fn target_of(&self, playback: PlaybackId) -> Result<Target, ControlError> {
        let found = self.playbacks.get(&playback).map(|(target, _)| *target);
        found.ok_or(ControlError::NoPlayback(playback))
    }

    /// A playback is over.
    fn played_out(&mut self, playback: &Playback) {
        if let Some((Target::Bridge(bridge), _)) = self.playbacks.remove(&playback.id())
            && let Some(book) = self.bridges.get_mut(bridge.0)
        {
            book.playbacks.remove(&playback.id());
            self.look_at_idle(bridge);
        }
    }

    /// A bridge whose legs ask for another rate, and all that it needs for that.
    pub(super) fn rate_change(&mut self) -> Option<(BridgeId, RateChange)> {
        while let Some(id) = self.unsettled.last().copied() {
            if let Some(rate) = self.wanted_rate(id)
                && let Some(book) = self.bridges.get(id.0)
            {
                let rates = |leg: &LegId| Some((*leg, self.legs.get(leg.0)?.rate));
                let legs = book.members.iter().filter_map(rates);
                let played = |id: &PlaybackId| Some((*id, self.playbacks.get(id)?.1));
                let playbacks = book.playbacks.iter().filter_map(played);
                return Some((id, change(book, rate, legs, playbacks)));
            }
            self.unsettled.pop();
        }
        None
    }

    /// The rate that a bridge is to go over to.
    fn wanted_rate(&self, id: BridgeId) -> Option<SampleRate> {
        let book = self.bridges.get(id.0).filter(|book| !book.closed)?;
        let BridgeRate::Automatic { most } = book.wanted else { return None };
        let rates = book.members.iter().filter_map(|leg| self.legs.get(leg.0));
        let rate = rates.map(|leg| leg.rate).max()?.min(most);
        (rate != book.rate).then_some(rate)
    }

    /// A bridge did not change its rate: somebody was in it who was not known to be, because it was on
    /// its way from or to another thread.
    fn rate_refused(&mut self, id: BridgeId, change: &RateChange) {
        if let Ok(book) = self.bridge(id)
            && let Some(from) = change.from
            && book.rate == change.rate()
        {
            book.rate = from;
            self.unsettled.push(id);
        }
    }

    /// A leg that did not get into the bridge where it should be: that had another rate by then.
    pub(super) fn next_refused(&mut self) -> Option<(LegId, BridgeId)> {
        while let Some((leg, bridge)) = self.refused.pop() {
            let is_to_be = self.legs.get(leg.0).is_some_and(|leg| leg.bridge == Some(bridge));
            if is_to_be && self.bridge(bridge).is_ok() {
                return Some((leg, bridge));
            }
        }
        None
    }

    /// It could not be told to try again now.
    pub(super) fn still_refused(&mut self, leg: LegId, bridge: BridgeId) {
        self.refused.push((leg, bridge));
    }

    /// A bridge was told to change its rate.
    pub(super) fn settled(&mut self, bridge: BridgeId, rate: SampleRate) {
        if let Ok(book) = self.bridge(bridge) {
            book.rate = rate;
        }
    }

    /// Enters what has come back, and drops it.
    pub(super) fn enter_returned(&mut self) {
        while let Pop::Value(returned) = self.returned.pop() {
            self.away -= 1;
            match returned {
                Returned::Engine(object, socket) => {
                    self.enter(&object);
                    drop((object, socket));
                }
                Returned::Parcel(parcel) => {
                    self.parcels -= 1;
                    drop(parcel);
                }
            }
        }
    }

    fn enter(&mut self, object: &Retired) {
        match object {
            Retired::Leg(leg) | Retired::Refused(Order::AddLeg(leg)) => {
                self.place(leg.id(), None);
                if let Some(book) = self.legs.close(leg.id().0) {
                    self.population[book.shard].0 -= 1;
                }
            }
            Retired::Bridge(bridge) | Retired::Refused(Order::AddBridge(bridge)) => {
                if let Some(book) = self.bridges.close(bridge.id().0) {
                    self.population[book.shard].1 -= 1;
                }
            }
            Retired::Tap(tap) | Retired::Refused(Order::TapBridge(_, tap)) => self.untap(tap),
            Retired::RateChange(change) => self.away -= change.converters(),
            Retired::Refused(Order::ChangeRate(bridge, change)) => {
                self.away -= change.converters();
                self.rate_refused(*bridge, change);
            }
            Retired::Playback(playback) | Retired::Refused(Order::Play(_, playback)) => {
                self.played_out(playback);
            }
            Retired::Refused(Order::Join { leg, bridge, .. }) => {
                self.refused.push((*leg, *bridge));
            }
            _ => {}
        }
    }
}

fn change(
    book: &BridgeBook,
    rate: SampleRate,
    legs: impl Iterator<Item = (LegId, SampleRate)>,
    playbacks: impl Iterator<Item = (PlaybackId, SampleRate)>,
) -> RateChange {
    let mut change = RateChange::new(rate, legs);
    change.from = Some(book.rate);
    for (playback, sound) in playbacks {
        change = change.with_playback(playback, sound);
    }
    if let Some(sound) = book.music {
        change = change.with_music(sound);
    }
    for &tap in &book.taps {
        change = change.with_tap(tap);
    }
    change
}
