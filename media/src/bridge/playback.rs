//! A sound that is played to a bridge: one more voice.

use super::converters::Converters;
use crate::frame::{Frame, SampleRate};
use crate::gain::Fader;
use crate::id::PlaybackId;
use crate::leg::Era;
use crate::resample::Resampler;
use crate::wav::Player;

/// Something to be played to a bridge.
pub struct Playback {
    id: PlaybackId,
    player: Player,
    converters: Converters,
    /// This tick, at the sound's rate.
    frame: Frame,
    pub(super) fader: Fader,
}

impl Playback {
    /// Plays what `player` holds to a bridge that mixes at the same rate.
    pub fn new(id: PlaybackId, player: Player) -> Self {
        let rate = player.pcm().rate();
        Playback::at(id, player, rate)
    }

    /// Plays what `player` holds to a bridge that mixes at `bridge`.
    pub fn at(id: PlaybackId, player: Player, bridge: SampleRate) -> Self {
        let rate = player.pcm().rate();
        Playback {
            id,
            player,
            converters: Converters::new(rate, bridge),
            frame: Frame::silence(rate),
            fader: Fader::OPEN,
        }
    }

    /// Its name.
    pub fn id(&self) -> PlaybackId {
        self.id
    }

    /// The rate of the bridge that it was made for.
    pub(crate) fn rate(&self) -> Option<SampleRate> {
        self.converters.present().map(Resampler::to)
    }

    /// Takes the next tick of the sound; `false` when it is over. It pauses while nobody hears it.
    pub(super) fn advance(&mut self) -> bool {
        let out = self.frame.samples_mut();
        self.fader.is_closed() || self.player.fill(out) == out.len()
    }

    /// Whether a part of it is still in the converter when the sound is over.
    pub(super) fn lingers(&self) -> bool {
        self.converters.present().is_some_and(|converter| converter.delay() > 0)
    }

    /// This tick at the rate of a mix, in `scratch`.
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

    /// The tick is over.
    pub(super) fn end_tick(&mut self) {
        self.fader.apply(&mut []);
    }

    pub(super) fn converters(&mut self) -> &mut Converters {
        &mut self.converters
    }
}
