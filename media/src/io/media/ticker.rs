//! The ticker: what all media threads and the keeper do, by hand and on virtual time.

use stasis_bus::Stamp;

use super::Media;
use super::keeper::{COMPARES, PAUSE};
use super::shard::Shell;
use crate::schedule::PERIOD;

/// Ticks between two looks of the keeper.
const LOOK_TICKS: u64 = (PAUSE.as_millis() / PERIOD.as_millis()) as u64;

/// Runs the ticks of a [`Media`] that was made [by hand](Media::by_hand), on the thread that calls it, one
/// after the other. It has no clock: virtual time begins at 0 and goes on by 20 ms with each tick, which
/// is never late. The engine's events carry that time. Nothing is moved between threads to even out
/// their work, for that would take a clock; [`Media::move_bridge`] does it as always.
///
/// Dropping the [`Media`] ends nothing here. When this is dropped, so is all that was in the engines, and
/// what is ordered later is never carried out.
pub struct Ticker {
    // Dropped first: what they push into is the office's.
    shells: Vec<Shell>,
    media: Media,
    next: Stamp,
    ticks: u64,
}

impl Ticker {
    pub(super) fn new(media: Media, shells: Vec<Shell>, first: Stamp) -> Self {
        Ticker { shells, media, next: first, ticks: 0 }
    }

    /// Runs the next tick of every thread, in their order, and then what the keeper has to do by that
    /// time; gives the time of the tick. Does not sleep.
    pub fn tick(&mut self) -> Stamp {
        let now = self.next;
        for shell in &mut self.shells {
            // It stays open: the office is not gone before this is.
            shell.tick(now);
        }
        self.next = now + PERIOD;
        self.ticks += 1;
        if self.ticks.is_multiple_of(LOOK_TICKS) {
            self.media.look(self.ticks.is_multiple_of(LOOK_TICKS * u64::from(COMPARES)));
        }
        now
    }

    /// The virtual time of the last tick; 0 before the first.
    pub fn now(&self) -> Stamp {
        Stamp::from_ns(self.next.ns() - PERIOD.as_nanos() as u64)
    }
}
