//! The taps of one leg or one bridge.

use super::tap::{MOST_TAPS, Tap, TapDirection, TapEnd};
use crate::engine::{Outside, Retired};
use crate::frame::Frame;
use crate::leg::{Blend, Era};
use crate::resample::Resampler;

/// Several taps, each with a reader of its own.
pub(crate) struct Taps {
    places: [Option<Box<Tap>>; MOST_TAPS],
}

impl Taps {
    /// None.
    pub(crate) fn new() -> Self {
        Taps { places: [const { None }; MOST_TAPS] }
    }

    /// One more; gives it back when there is no room.
    pub(crate) fn add(&mut self, tap: Box<Tap>) -> Result<(), Box<Tap>> {
        match self.places.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(tap);
                Ok(())
            }
            None => Err(tap),
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.places.iter().all(Option::is_none)
    }

    /// Lets go of those that nobody reads any more.
    pub(crate) fn drop_unread(&mut self, outside: &mut impl Outside) {
        for place in &mut self.places {
            if let Some(tap) = place.take_if(|tap| tap.is_unread()) {
                retire(tap, outside);
            }
        }
    }

    /// Lets go of all: what they are on is gone.
    pub(crate) fn end(&mut self, outside: &mut impl Outside) {
        for tap in self.places.iter_mut().filter_map(Option::take) {
            retire(tap, outside);
        }
    }

    /// Whether a leg's taps hear what it hears.
    pub(crate) fn hear_out(&self) -> bool {
        let hears_out = [TapDirection::Out, TapDirection::Both];
        self.places.iter().flatten().any(|tap| hears_out.contains(&tap.direction()))
    }

    /// A leg's party has said this, and the others may hear that.
    pub(crate) fn said(&mut self, heard: &Frame, voice: &Frame) {
        for tap in self.places.iter_mut().flatten() {
            match tap.direction() {
                TapDirection::In => tap.hear_leg(heard),
                TapDirection::Voice => tap.hear_leg(voice),
                TapDirection::Out | TapDirection::Both => {}
            }
        }
    }

    /// A leg hears this, and has said that.
    pub(crate) fn heard(&mut self, out: &Frame, said: &Frame) {
        for tap in self.places.iter_mut().flatten() {
            match tap.direction() {
                TapDirection::In | TapDirection::Voice => {}
                TapDirection::Out => tap.hear_leg(out),
                TapDirection::Both => {
                    let mut both = out.clone();
                    for (both, &said) in both.samples_mut().iter_mut().zip(said.samples()) {
                        *both = both.saturating_add(said);
                    }
                    tap.hear_leg(&both);
                }
            }
        }
    }

    /// A bridge's mix of this tick.
    pub(super) fn hear(&mut self, era: Era, all: &Frame, blend: Blend) {
        for tap in self.places.iter_mut().flatten() {
            tap.hear(era, all, blend);
        }
    }

    /// A bridge's tick is over.
    pub(super) fn end_tick(&mut self) {
        for tap in self.places.iter_mut().flatten() {
            tap.end_tick();
        }
    }

    /// The bridge goes over to another rate: each takes a converter to its own out of these.
    pub(super) fn change(
        &mut self,
        converters: &mut [Option<Box<Resampler>>],
        outside: &mut impl Outside,
    ) {
        for tap in self.places.iter_mut().flatten() {
            let own = tap.own_rate();
            let mut fitting = converters.iter_mut();
            let next = fitting.find_map(|place| place.take_if(|next| next.to() == own));
            tap.converters().change(next, outside);
        }
    }

    /// The bridge has gone over.
    pub(super) fn settle(&mut self, outside: &mut impl Outside) {
        for tap in self.places.iter_mut().flatten() {
            tap.converters().settle(outside);
        }
    }
}

fn retire(mut tap: Box<Tap>, outside: &mut impl Outside) {
    tap.end(TapEnd::Gone);
    tap.converters().settle(outside);
    outside.retire(Retired::Tap(tap));
}
