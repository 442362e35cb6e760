//! What is played to a bridge: a playback, the music of a holding bridge, and what of them is still
//! to be heard when they are over.

use super::playback::Playback;
use super::rate_change::RateChange;
use super::sum::Sum;
use crate::engine::{Outside, Retired};
use crate::frame::{Frame, SampleRate};
use crate::gain::Fader;
use crate::id::PlaybackId;
use crate::leg::Era;

/// What is played.
pub(super) struct Sounds {
    playback: Option<Box<Playback>>,
    /// The playback is over: this is its last tick.
    ended: bool,
    music: Option<Box<Playback>>,
    /// What was stopped since the last tick, and what has ended but is still in its converter.
    fading: [Option<Box<Playback>>; 2],
    scratch: Frame,
}

impl Sounds {
    /// Nothing.
    pub(super) fn new() -> Self {
        let scratch = Frame::silence(SampleRate::Hz8000);
        Sounds { playback: None, ended: false, music: None, fading: [None, None], scratch }
    }

    /// Plays, when nothing else does.
    pub(super) fn play(&mut self, playback: Box<Playback>) {
        debug_assert!(self.playback.is_none(), "it was stopped before");
        self.playback = Some(playback);
    }

    /// Stops the playback: it fades out in the next tick. Says which it was.
    pub(super) fn stop(&mut self, outside: &mut impl Outside) -> Option<PlaybackId> {
        let mut playback = self.playback.take()?;
        let id = playback.id();
        playback.fader.set(0.0);
        retire(self.fading[0].replace(playback), outside);
        Some(id)
    }

    /// Has this music, or none.
    pub(super) fn set_music(
        &mut self,
        mut music: Option<Box<Playback>>,
        outside: &mut impl Outside,
    ) {
        if let Some(music) = &mut music {
            music.fader = Fader::CLOSED;
        }
        if let Some(mut before) = std::mem::replace(&mut self.music, music) {
            before.fader.set(0.0);
            retire(self.fading[1].replace(before), outside);
        }
    }

    /// Takes the next tick of all. `holds`: there is to be music unless something is played. Says
    /// which playback is heard to its end in this tick.
    pub(super) fn advance(&mut self, holds: bool) -> Option<PlaybackId> {
        let plays = holds && self.playback.is_none();
        if let Some(music) = &mut self.music {
            music.fader.set(if plays { 1.0 } else { 0.0 });
            music.advance();
        }
        for sound in self.fading.iter_mut().flatten() {
            sound.advance();
        }
        let playback = self.playback.as_mut()?;
        self.ended = !playback.advance();
        self.ended.then(|| playback.id())
    }

    /// Adds all to a mix.
    pub(super) fn add_to(&mut self, era: Era, sum: &mut Sum) {
        let current = [&mut self.playback, &mut self.music];
        for sound in current.into_iter().chain(&mut self.fading).flatten() {
            if let Some(said) = sound.say(era, &mut self.scratch) {
                sum.add(said);
            }
        }
    }

    /// The tick is over.
    pub(super) fn end_tick(&mut self, outside: &mut impl Outside) {
        for sound in &mut self.fading {
            retire(sound.take(), outside);
        }
        if std::mem::take(&mut self.ended) {
            match self.playback.take_if(|playback| playback.lingers()) {
                Some(lingers) => self.fading[0] = Some(lingers),
                None => retire(self.playback.take(), outside),
            }
        }
        let current = [&mut self.playback, &mut self.music];
        for sound in current.into_iter().flatten() {
            sound.end_tick();
        }
    }

    /// The bridge goes over to another rate.
    pub(super) fn change(&mut self, change: &mut RateChange, outside: &mut impl Outside) {
        let current =
            [(&mut self.playback, &mut change.playback), (&mut self.music, &mut change.music)];
        for (sound, converter) in current {
            if let Some(sound) = sound {
                sound.converters().change(converter.take(), outside);
            }
        }
        for sound in self.fading.iter_mut().flatten() {
            sound.converters().change(None, outside);
        }
    }

    /// The bridge has gone over.
    pub(super) fn settle(&mut self, outside: &mut impl Outside) {
        for sound in [&mut self.playback, &mut self.music].into_iter().flatten() {
            sound.converters().settle(outside);
        }
    }

    /// Whether nothing is played, nor fading out; music may be waiting.
    pub(super) fn are_over(&self) -> bool {
        self.playback.is_none() && self.fading.iter().all(Option::is_none)
    }

    /// There is no next tick.
    pub(super) fn forget(&mut self, outside: &mut impl Outside) {
        for sound in &mut self.fading {
            retire(sound.take(), outside);
        }
    }
}

fn retire(playback: Option<Box<Playback>>, outside: &mut impl Outside) {
    if let Some(mut playback) = playback {
        playback.converters().settle(outside);
        outside.retire(Retired::Playback(playback));
    }
}
