//! The control side's books: which objects are on the media thread, and which rates suit them.

use stasis_bus::ring::{Consumer, Pop};

use super::media_thread::{BridgeRate, ControlError, MediaSettings, Returned};
use crate::bridge::{Playback, RateChange, Tap};
use crate::engine::{Order, Retired};
use crate::frame::SampleRate;
use crate::id::{BridgeId, LegId, PlaybackId};
use crate::wav::{Pcm, Player, Repeat};

/// The books.
pub(super) struct Desk {
    returned: Consumer<Returned>,
    /// Objects that are over there or on their way.
    pub(super) away: usize,
    pub(super) most_away: usize,
    last_serial: u32,
    pub(super) legs: Vec<Option<LegBook>>,
    pub(super) bridges: Vec<Option<BridgeBook>>,
}

/// What is known of a leg.
#[derive(Clone)]
pub(super) struct LegBook {
    pub(super) id: LegId,
    pub(super) rate: SampleRate,
    pub(super) bridge: Option<BridgeId>,
}

/// What is known of a bridge.
#[derive(Clone)]
pub(super) struct BridgeBook {
    id: BridgeId,
    wanted: BridgeRate,
    /// What it was told to mix at.
    pub(super) rate: SampleRate,
    /// The rates of what is played, as far as it may still be, and of the taps that are over there.
    pub(super) playback: Option<SampleRate>,
    pub(super) music: Option<SampleRate>,
    pub(super) taps: Vec<SampleRate>,
    /// Whether another rate may suit its legs.
    unsettled: bool,
    /// It was let go.
    closed: bool,
}

impl BridgeBook {
    pub(super) fn new(id: BridgeId, wanted: BridgeRate, rate: SampleRate) -> Self {
        BridgeBook {
            id,
            wanted,
            rate,
            playback: None,
            music: None,
            taps: Vec::new(),
            unsettled: false,
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
            last_serial: 0,
            legs: vec![None; settings.legs],
            bridges: vec![None; settings.bridges],
        }
    }

    pub(super) fn serial(&mut self) -> u32 {
        self.last_serial += 1;
        self.last_serial
    }

    pub(super) fn leg_rate(&self, leg: LegId) -> Result<SampleRate, ControlError> {
        let found = self.legs.iter().flatten().find(|book| book.id == leg);
        found.map(|book| book.rate).ok_or(ControlError::NoLeg(leg))
    }

    pub(super) fn bridge_rate(&mut self, bridge: BridgeId) -> Result<SampleRate, ControlError> {
        self.bridge(bridge).map(|book| book.rate)
    }

    pub(super) fn bridge(&mut self, bridge: BridgeId) -> Result<&mut BridgeBook, ControlError> {
        let mut open = self.bridges.iter_mut().flatten().filter(|book| !book.closed);
        open.find(|book| book.id == bridge).ok_or(ControlError::NoBridge(bridge))
    }

    /// A tap has come back.
    fn untap(&mut self, tap: &Tap) {
        let Some(book) = tap.bridge().and_then(|bridge| self.bridge(bridge).ok()) else { return };
        if let Some(at) = book.taps.iter().position(|rate| *rate == tap.own_rate()) {
            book.taps.swap_remove(at);
        }
    }

    /// A leg was told to go there, or to leave.
    pub(super) fn place(&mut self, leg: LegId, bridge: Option<BridgeId>) {
        let Some(book) = self.legs.iter_mut().flatten().find(|book| book.id == leg) else { return };
        let before = std::mem::replace(&mut book.bridge, bridge);
        for bridge in [before, bridge].into_iter().flatten() {
            if let Ok(book) = self.bridge(bridge) {
                book.unsettled = true;
            }
        }
    }

    /// A bridge was told to close.
    pub(super) fn close(&mut self, bridge: BridgeId) {
        if let Ok(book) = self.bridge(bridge) {
            book.closed = true;
        }
        for leg in self.legs.iter_mut().flatten().filter(|leg| leg.bridge == Some(bridge)) {
            leg.bridge = None;
        }
    }

    /// A sound for a bridge.
    pub(super) fn playback(
        &mut self,
        bridge: BridgeId,
        sound: &Pcm,
        repeat: Repeat,
    ) -> Result<Box<Playback>, ControlError> {
        let rate = self.bridge_rate(bridge)?;
        let id = PlaybackId::new(0, self.serial());
        Ok(Box::new(Playback::at(id, Player::new(sound.clone(), repeat), rate)))
    }

    /// A bridge whose legs ask for another rate, and all that it needs for that.
    pub(super) fn rate_change(&mut self) -> Option<(BridgeId, RateChange)> {
        while let Some(at) =
            self.bridges.iter().position(|book| book.as_ref().is_some_and(|book| book.unsettled))
        {
            let book = self.bridges[at].as_mut()?;
            let id = book.id;
            let inside = self.legs.iter().flatten().filter(|leg| leg.bridge == Some(id));
            let highest = inside.clone().map(|leg| leg.rate).max();
            match (book.wanted, highest) {
                (BridgeRate::Automatic { most }, Some(highest)) if !book.closed => {
                    let rate = highest.min(most);
                    if rate != book.rate {
                        let legs = inside.map(|leg| (leg.id, leg.rate));
                        return Some((id, change(book, rate, legs)));
                    }
                }
                _ => {}
            }
            book.unsettled = false;
        }
        None
    }

    /// A bridge was told to change its rate.
    pub(super) fn settled(&mut self, bridge: BridgeId, rate: SampleRate) {
        if let Ok(book) = self.bridge(bridge) {
            (book.rate, book.unsettled) = (rate, false);
        }
    }

    /// Enters what has come back, and drops it.
    pub(super) fn enter_returned(&mut self) {
        while let Pop::Value(Returned { object, socket }) = self.returned.pop() {
            self.away -= 1;
            match &object {
                Retired::Leg(leg) | Retired::Refused(Order::AddLeg(leg)) => {
                    self.place(leg.id(), None);
                    clear(&mut self.legs, |book| book.id == leg.id());
                }
                Retired::Bridge(bridge) | Retired::Refused(Order::AddBridge(bridge)) => {
                    clear(&mut self.bridges, |book| book.id == bridge.id());
                }
                Retired::Tap(tap) | Retired::Refused(Order::TapBridge(_, tap)) => {
                    self.untap(tap);
                }
                Retired::RateChange(change) | Retired::Refused(Order::ChangeRate(_, change)) => {
                    self.away -= change.converters();
                }
                _ => {}
            }
            drop((object, socket));
        }
    }
}

fn change(
    book: &BridgeBook,
    rate: SampleRate,
    legs: impl Iterator<Item = (LegId, SampleRate)>,
) -> RateChange {
    let mut change = RateChange::new(rate, legs);
    if let Some(sound) = book.playback {
        change = change.with_playback(sound);
    }
    if let Some(sound) = book.music {
        change = change.with_music(sound);
    }
    for &tap in &book.taps {
        change = change.with_tap(tap);
    }
    change
}

pub(super) fn vacant<T>(slots: &[Option<T>]) -> Option<usize> {
    slots.iter().position(Option::is_none)
}

fn clear<T>(slots: &mut [Option<T>], is_it: impl Fn(&T) -> bool) {
    if let Some(slot) = slots.iter_mut().find(|slot| slot.as_ref().is_some_and(&is_it)) {
        *slot = None;
    }
}
