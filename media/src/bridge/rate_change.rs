//! A change of a bridge's rate: all that it needs, made where allocation is allowed.
//!
//! A bridge goes from one rate to another by mixing at both for a while. At first only the mix
//! before is heard, and the converters of the new one get to know the sound; in the last tick all
//! that is heard passes over from one to the other. So nobody hears a gap or a click.

use crate::frame::SampleRate;
use crate::id::{LegId, PlaybackId};
use crate::leg::{Rates, between};
use crate::resample::Resampler;

/// Ticks that both mixes are made for: a converter there and one back hold back a tick together, and
/// they begin with silence. In the last of these ticks the sound passes over.
pub(super) const TICKS: u8 = 3;

/// Converters for all that is in a bridge, to and from another rate.
pub struct RateChange {
    rate: SampleRate,
    /// The rate before, as far as the one who ordered the change knows.
    pub(crate) from: Option<SampleRate>,
    pub(crate) legs: Vec<(LegId, Option<Box<Rates>>)>,
    playbacks: Vec<(PlaybackId, Option<Box<Resampler>>)>,
    pub(crate) music: Option<Box<Resampler>>,
    pub(super) taps: Vec<Option<Box<Resampler>>>,
}

impl RateChange {
    /// To `rate`, for these legs with their rates.
    pub fn new(rate: SampleRate, legs: impl IntoIterator<Item = (LegId, SampleRate)>) -> Self {
        let rates = |(id, leg)| (id, Some(Box::new(Rates::new(leg, rate))));
        let legs = legs.into_iter().map(rates).collect();
        let (playbacks, taps) = (Vec::new(), Vec::new());
        RateChange { rate, from: None, legs, playbacks, music: None, taps }
    }

    /// Also for a playback of sounds at `sound`, heard or queued.
    pub fn with_playback(mut self, playback: PlaybackId, sound: SampleRate) -> Self {
        self.playbacks.push((playback, Some(Box::new(between(sound, self.rate)))));
        self
    }

    /// Also for the music of a holding bridge, at `sound`.
    pub fn with_music(mut self, sound: SampleRate) -> Self {
        self.music = Some(Box::new(between(sound, self.rate)));
        self
    }

    /// Also for a tap at `tap`; once for each.
    pub fn with_tap(mut self, tap: SampleRate) -> Self {
        self.taps.push(Some(Box::new(between(self.rate, tap))));
        self
    }

    /// The rate that the bridge goes over to.
    pub fn rate(&self) -> SampleRate {
        self.rate
    }

    /// The converter for a playback.
    pub(crate) fn converter_for(&mut self, playback: PlaybackId) -> Option<Box<Resampler>> {
        self.playbacks.iter_mut().find(|(id, _)| *id == playback)?.1.take()
    }

    /// Converters that are in it.
    pub(crate) fn converters(&self) -> usize {
        let of_legs = self.legs.iter().filter(|(_, rates)| rates.is_some()).count();
        let of_playbacks =
            self.playbacks.iter().filter(|(_, converter)| converter.is_some()).count();
        let of_taps = self.taps.iter().flatten().count();
        of_legs + of_playbacks + of_taps + usize::from(self.music.is_some())
    }
}
