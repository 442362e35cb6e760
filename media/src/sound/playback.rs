//! A playback: a sound on its way to somebody who hears it, at the sound's own rate.

use super::converters::Converters;
use super::playlist::{Playlist, Seek, Step};
use crate::engine::Outside;
use crate::frame::{Frame, SampleRate};
use crate::gain::Fader;
use crate::id::PlaybackId;
use crate::leg::Era;
use crate::resample::Resampler;

/// Ticks that may wait in a pipe.
const PIPED_TICKS: usize = 3;

/// What can be done to a playback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybackControl {
    /// It stands still.
    Pause,
    /// It goes on.
    Resume,
    /// The item that is heard begins again.
    Restart,
    /// So many milliseconds forward; the item may be over by that.
    Forward(u32),
    /// So many milliseconds back; at most to the beginning of the item.
    Reverse(u32),
    /// It is over.
    Stop,
}

/// Something that is played to a leg or a bridge.
pub struct Playback {
    id: PlaybackId,
    source: Source,
    converters: Converters,
    /// This tick, at the sound's rate.
    frame: Frame,
    fader: Fader,
    /// Whether it is to be heard, as far as those it is played to are asked.
    wanted: bool,
    paused: bool,
    /// It jumps when it has faded out.
    seek: Option<Seek>,
    /// Whether it has been heard.
    begun: bool,
}

/// Where the sound comes from.
enum Source {
    List(Playlist),
    /// Somebody speaks.
    Pipe(rtrb::Consumer<i16>),
}

impl Playback {
    /// Plays to a bridge or leg of the same rate.
    pub fn new(id: PlaybackId, list: impl Into<Playlist>) -> Self {
        let list = list.into();
        let rate = list.rate();
        Playback::at(id, list, rate)
    }

    /// Plays to a bridge that mixes at rate `to`, or to a leg of this rate.
    pub fn at(id: PlaybackId, list: impl Into<Playlist>, to: SampleRate) -> Self {
        let list = list.into();
        let rate = list.rate();
        Playback::of(id, Source::List(list), rate, to)
    }

    /// Brings what is written into a ring at `rate` to a leg of rate `to`, as it comes.
    pub fn pipe(
        id: PlaybackId,
        samples: rtrb::Consumer<i16>,
        rate: SampleRate,
        to: SampleRate,
    ) -> Self {
        Playback::of(id, Source::Pipe(samples), rate, to)
    }

    fn of(id: PlaybackId, source: Source, rate: SampleRate, to: SampleRate) -> Self {
        Playback {
            id,
            source,
            converters: Converters::new(rate, to),
            frame: Frame::silence(rate),
            fader: Fader::OPEN,
            wanted: true,
            paused: false,
            seek: None,
            begun: false,
        }
    }

    /// Its name.
    pub fn id(&self) -> PlaybackId {
        self.id
    }

    /// The rate of what it was made to be played to.
    pub(crate) fn rate(&self) -> Option<SampleRate> {
        self.converters.present().map(Resampler::to)
    }

    /// Begins in silence, and is heard when it is [`wanted`](Self::want).
    pub(super) fn begin_unheard(&mut self) {
        (self.fader, self.wanted) = (Fader::CLOSED, false);
    }

    /// Whether it is to be heard. It stands still while it is not.
    pub(super) fn want(&mut self, wanted: bool) {
        self.wanted = wanted;
    }

    /// `true` when it is not as it was.
    pub(super) fn pause(&mut self, paused: bool) -> bool {
        std::mem::replace(&mut self.paused, paused) != paused
    }

    /// Jumps within the item that is heard, without a click.
    pub(super) fn jump(&mut self, seek: Seek) {
        self.seek = Some(seek);
    }

    /// Takes the next tick of the sound.
    pub(super) fn advance(&mut self) -> Step {
        if self.fader.is_closed()
            && let Some(seek) = self.seek.take()
            && let Source::List(list) = &mut self.source
        {
            list.seek(seek);
        }
        let heard = self.wanted && !self.paused && self.seek.is_none();
        self.fader.set(if heard { 1.0 } else { 0.0 });
        if self.fader.is_closed() {
            return Step::default();
        }
        let out = self.frame.samples_mut();
        match &mut self.source {
            Source::List(list) => list.fill(out),
            Source::Pipe(samples) => {
                // What has piled up is left out: a pipe is heard as it comes.
                let most = PIPED_TICKS * out.len();
                if let Ok(old) = samples.read_chunk(samples.slots().saturating_sub(most)) {
                    old.commit_all();
                }
                let read = samples.pop_partial_slice(out).0.len();
                out[read..].fill(0);
                Step { over: samples.is_abandoned(), ..Step::default() }
            }
        }
    }

    /// Whether this is the first time that this is asked.
    pub(super) fn begins(&mut self) -> bool {
        !std::mem::replace(&mut self.begun, true)
    }

    /// Whether a part of it is still in the converter when the sound is over.
    pub(super) fn lingers(&self) -> bool {
        self.converters.present().is_some_and(|converter| converter.delay() > 0)
    }

    /// This tick at the rate of who hears it, in `scratch`.
    pub(super) fn say<'a>(&mut self, era: Era, scratch: &'a mut Frame) -> Option<&'a [i16]> {
        if self.fader.is_closed() {
            return None;
        }
        let converter = self.converters.get(era)?;
        *scratch = Frame::silence(converter.to());
        converter.process(self.frame.samples(), scratch.samples_mut()).ok()?;
        // The fader moves on when the tick is over: there may be two mixes.
        let mut fader = self.fader;
        fader.apply(scratch.samples_mut());
        Some(scratch.samples())
    }

    /// Whether nothing of it is heard, nor will be.
    pub(super) fn is_closed(&self) -> bool {
        self.fader.is_closed() && !self.wanted
    }

    /// The tick is over.
    pub(super) fn end_tick(&mut self) {
        self.fader.apply(&mut []);
    }

    pub(super) fn change(&mut self, next: Option<Box<Resampler>>, outside: &mut impl Outside) {
        self.converters.change(next, outside);
    }

    pub(super) fn settle(&mut self, outside: &mut impl Outside) {
        self.converters.settle(outside);
    }
}
