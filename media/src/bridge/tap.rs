//! A tap: a listener on its way to a file.

use crate::frame::{Frame, SampleRate};
use crate::gain::{fade_in, fade_out};
use crate::leg::{Blend, Era, convert};
use crate::resample::Resampler;
use crate::sound::Converters;

/// A listener on its way to a file: the media thread's end of a ring of samples. It is retired when
/// it is taken off, and when nobody reads it any more.
pub struct Tap {
    samples: rtrb::Producer<i16>,
    lost: u64,
    converters: Converters,
    /// This tick, at the tap's rate.
    frame: Frame,
}

impl Tap {
    /// A tap of a bridge that mixes at `rate`, and the end to read from; the ring holds `seconds` of
    /// audio.
    pub fn new(rate: SampleRate, seconds: u32) -> (Self, rtrb::Consumer<i16>) {
        Tap::at(rate, seconds, rate)
    }

    /// A tap at `rate` of a bridge that mixes at `bridge`.
    pub fn at(rate: SampleRate, seconds: u32, bridge: SampleRate) -> (Self, rtrb::Consumer<i16>) {
        let (samples, consumer) = rtrb::RingBuffer::new(rate.hz() as usize * seconds as usize);
        let converters = Converters::new(bridge, rate);
        (Tap { samples, lost: 0, converters, frame: Frame::silence(rate) }, consumer)
    }

    /// How many samples found no room, because the reader was late.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The rate of the bridge that it was made for.
    pub(crate) fn rate(&self) -> Option<SampleRate> {
        self.converters.present().map(Resampler::from)
    }

    /// Whether its reading end is gone: then the bridge lets it go.
    pub(super) fn is_unread(&self) -> bool {
        self.samples.is_abandoned()
    }

    /// Takes what is heard in a mix in this tick.
    pub(super) fn hear(&mut self, era: Era, all: &Frame, blend: Blend) {
        let Some(converter) = self.converters.get(era) else { return };
        let mut part = Frame::silence(self.frame.rate());
        convert(converter, all, &mut part);
        match blend {
            Blend::Whole => {}
            Blend::Rising => fade_in(part.samples_mut()),
            Blend::Falling => fade_out(part.samples_mut()),
            Blend::Unheard => return,
        }
        for (out, &part) in self.frame.samples_mut().iter_mut().zip(part.samples()) {
            *out = out.saturating_add(part);
        }
    }

    /// The tick is over: it goes to the reader.
    pub(super) fn end_tick(&mut self) {
        let (_, rest) = self.samples.push_partial_slice(self.frame.samples());
        self.lost += rest.len() as u64;
        self.frame.samples_mut().fill(0);
    }

    pub(super) fn converters(&mut self) -> &mut Converters {
        &mut self.converters
    }
}
