//! The way between a bridge and a sound or a tap, whose rates are their own.

use crate::engine::{Outside, Retired};
use crate::frame::SampleRate;
use crate::leg::{Era, between};
use crate::resample::Resampler;

/// A converter, and, while the bridge goes from one rate to another, that of the rate before.
pub(crate) struct Converters {
    past: Option<Box<Resampler>>,
    present: Option<Box<Resampler>>,
}

impl Converters {
    /// Allocates: not for the media thread.
    pub(crate) fn new(from: SampleRate, to: SampleRate) -> Self {
        Converters { past: None, present: Some(Box::new(between(from, to))) }
    }

    /// That to the rate which stays.
    pub(crate) fn present(&self) -> Option<&Resampler> {
        self.present.as_deref()
    }

    pub(crate) fn get(&mut self, era: Era) -> Option<&mut Resampler> {
        match era {
            Era::Past => self.past.as_deref_mut(),
            Era::Present => self.present.as_deref_mut(),
        }
    }

    /// The bridge goes over to another rate.
    pub(crate) fn change(&mut self, next: Option<Box<Resampler>>, outside: &mut impl Outside) {
        let before = std::mem::replace(&mut self.present, next);
        let unheard = if self.past.is_none() {
            self.past = before;
            None
        } else {
            before
        };
        retire(unheard, outside);
    }

    /// It has gone over.
    pub(crate) fn settle(&mut self, outside: &mut impl Outside) {
        retire(self.past.take(), outside);
    }
}

fn retire(converter: Option<Box<Resampler>>, outside: &mut impl Outside) {
    if let Some(converter) = converter {
        outside.retire(Retired::Converter(converter));
    }
}
