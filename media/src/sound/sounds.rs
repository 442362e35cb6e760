//! What is played to one leg or bridge: playbacks, one after the other; music; pipes; and what of them
//! is still to be heard when they are over.

use super::playback::{Playback, PlaybackControl};
use super::playlist::Seek;
use crate::bridge::RateChange;
use crate::engine::{Outside, Retired};
use crate::event::PlaybackState;
use crate::frame::{Frame, SampleRate};
use crate::id::PlaybackId;
use crate::leg::Era;

/// Playbacks that may wait for their turn.
pub const MOST_QUEUED: usize = 16;
/// Pipes into one leg, in one direction.
pub const MOST_PIPES: usize = 4;

/// What is played.
pub(crate) struct Sounds {
    playback: Option<Box<Playback>>,
    /// The playback is over: this is its last tick.
    ended: Option<PlaybackState>,
    /// Those that wait, the next first.
    queue: [Option<Box<Playback>>; MOST_QUEUED],
    music: Option<Box<Playback>>,
    pipes: [Option<Box<Playback>>; MOST_PIPES],
    /// What was stopped since the last tick, and what has ended but is still in its converter.
    fading: [Option<Box<Playback>>; 4],
}

impl Sounds {
    /// Nothing.
    pub(crate) fn new() -> Self {
        Sounds {
            playback: None,
            ended: None,
            queue: [const { None }; MOST_QUEUED],
            music: None,
            pipes: [const { None }; MOST_PIPES],
            fading: [const { None }; 4],
        }
    }

    /// Plays, when all that was to be played before is over.
    ///
    /// # Errors
    /// The playback, when too many wait.
    pub(crate) fn play(
        &mut self,
        playback: Box<Playback>,
        tell: &mut impl FnMut(PlaybackId, PlaybackState),
    ) -> Result<(), Box<Playback>> {
        let waits = self.playback.is_some();
        let id = playback.id();
        let place = if waits {
            self.queue.iter_mut().find(|place| place.is_none())
        } else {
            Some(&mut self.playback)
        };
        let Some(place) = place else { return Err(playback) };
        *place = Some(playback);
        if waits {
            tell(id, PlaybackState::Queued);
        }
        Ok(())
    }

    /// Does something to a playback. `false`: it is not here (any more).
    pub(crate) fn control(
        &mut self,
        id: PlaybackId,
        control: PlaybackControl,
        outside: &mut impl Outside,
        tell: &mut impl FnMut(PlaybackId, PlaybackState),
    ) -> bool {
        let all = [&mut self.playback].into_iter().chain(&mut self.queue).flatten();
        let Some(playback) = all.into_iter().find(|playback| playback.id() == id) else {
            return false;
        };
        match control {
            PlaybackControl::Pause if playback.pause(true) => tell(id, PlaybackState::Paused),
            PlaybackControl::Resume if playback.pause(false) => tell(id, PlaybackState::Playing),
            PlaybackControl::Pause | PlaybackControl::Resume => {}
            PlaybackControl::Restart => playback.jump(Seek::Start),
            PlaybackControl::Forward(ms) => playback.jump(Seek::By(ms.min(i32::MAX as u32) as i32)),
            PlaybackControl::Reverse(ms) => {
                playback.jump(Seek::By(-(ms.min(i32::MAX as u32) as i32)))
            }
            PlaybackControl::Stop => {
                self.stop(id, outside);
                tell(id, PlaybackState::Stopped);
            }
        }
        true
    }

    /// Stops all playbacks, those that wait first.
    pub(crate) fn stop_all(
        &mut self,
        outside: &mut impl Outside,
        tell: &mut impl FnMut(PlaybackId, PlaybackState),
    ) {
        for queued in self.queue.iter_mut().filter_map(Option::take) {
            tell(queued.id(), PlaybackState::Stopped);
            retire(queued, outside);
        }
        if let Some(id) = self.playback.as_ref().map(|playback| playback.id()) {
            self.stop(id, outside);
            tell(id, PlaybackState::Stopped);
        }
    }

    /// Takes a playback out. If it is heard, it fades out in the next tick.
    fn stop(&mut self, id: PlaybackId, outside: &mut impl Outside) {
        if let Some(playback) = self.playback.take_if(|playback| playback.id() == id) {
            self.playback = self.next();
            self.fade_out(playback, outside);
            return;
        }
        let queued = self
            .queue
            .iter_mut()
            .find(|place| place.as_ref().is_some_and(|playback| playback.id() == id));
        if let Some(playback) = queued.and_then(Option::take) {
            retire(playback, outside);
            self.close_ranks();
        }
    }

    /// The one whose turn is next.
    fn next(&mut self) -> Option<Box<Playback>> {
        let next = self.queue[0].take();
        self.close_ranks();
        next
    }

    fn close_ranks(&mut self) {
        if let Some(hole) = self.queue.iter().position(Option::is_none) {
            self.queue[hole..].rotate_left(1);
        }
    }

    fn fade_out(&mut self, mut sound: Box<Playback>, outside: &mut impl Outside) {
        sound.want(false);
        let place = self.fading.iter().position(Option::is_none).unwrap_or(0);
        if let Some(unheard) = self.fading[place].replace(sound) {
            retire(unheard, outside);
        }
    }

    /// Has this music, or none.
    pub(crate) fn set_music(
        &mut self,
        mut music: Option<Box<Playback>>,
        outside: &mut impl Outside,
    ) {
        if let Some(music) = &mut music {
            music.begin_unheard();
        }
        if let Some(before) = std::mem::replace(&mut self.music, music) {
            self.fade_out(before, outside);
        }
    }

    /// Brings what comes by a pipe, until its other end is gone.
    ///
    /// # Errors
    /// The pipe, when there are too many.
    pub(crate) fn add_pipe(&mut self, pipe: Box<Playback>) -> Result<(), Box<Playback>> {
        match self.pipes.iter_mut().find(|place| place.is_none()) {
            Some(place) => {
                *place = Some(pipe);
                Ok(())
            }
            None => Err(pipe),
        }
    }

    /// Takes the next tick of all. `holds`: there is to be music unless something is played.
    pub(crate) fn advance(
        &mut self,
        holds: bool,
        tell: &mut impl FnMut(PlaybackId, PlaybackState),
    ) {
        let music_plays = holds && self.playback.is_none();
        if let Some(music) = &mut self.music {
            music.want(music_plays);
            music.advance();
        }
        for sound in self.fading.iter_mut().chain(&mut self.pipes).flatten() {
            if sound.advance().over {
                sound.want(false);
            }
        }
        let Some(playback) = &mut self.playback else { return };
        let (id, step) = (playback.id(), playback.advance());
        match step.began {
            Some(_) if playback.begins() => tell(id, PlaybackState::Playing),
            Some(item) => tell(id, PlaybackState::Continuing { item: item as u32 }),
            None => {}
        }
        if step.over {
            let state = if step.failed { PlaybackState::Failed } else { PlaybackState::Done };
            tell(id, state);
            self.ended = Some(state);
        }
    }

    /// Hands all that is heard in this tick to `take`, as it is at the rate of this mix.
    pub(crate) fn for_each(&mut self, era: Era, mut take: impl FnMut(&[i16])) {
        let mut scratch = Frame::silence(SampleRate::Hz8000);
        let current = [&mut self.playback, &mut self.music].into_iter();
        for sound in current.chain(&mut self.fading).chain(&mut self.pipes).flatten() {
            if let Some(said) = sound.say(era, &mut scratch) {
                take(said);
            }
        }
    }

    /// The tick is over.
    pub(crate) fn end_tick(&mut self, outside: &mut impl Outside) {
        for sound in self.fading.iter_mut().filter_map(Option::take) {
            retire(sound, outside);
        }
        if self.ended.take().is_some() {
            let next = self.next();
            if let Some(over) = std::mem::replace(&mut self.playback, next) {
                if over.lingers() {
                    self.fading[0] = Some(over);
                } else {
                    retire(over, outside);
                }
            }
        }
        let current = [&mut self.playback, &mut self.music].into_iter();
        for sound in current.chain(&mut self.pipes).flatten() {
            sound.end_tick();
        }
        for pipe in &mut self.pipes {
            if let Some(pipe) = pipe.take_if(|pipe| pipe.is_closed()) {
                retire(pipe, outside);
            }
        }
    }

    /// Who hears it goes over to another rate.
    pub(crate) fn change(&mut self, change: &mut RateChange, outside: &mut impl Outside) {
        let playbacks = [&mut self.playback].into_iter().chain(&mut self.queue).flatten();
        for playback in playbacks {
            let id = playback.id();
            playback.change(change.converter_for(id), outside);
        }
        if let Some(music) = &mut self.music {
            music.change(change.music.take(), outside);
        }
        for sound in self.fading.iter_mut().flatten() {
            sound.change(None, outside);
        }
    }

    /// It has gone over.
    pub(crate) fn settle(&mut self, outside: &mut impl Outside) {
        let current = [&mut self.playback, &mut self.music].into_iter();
        for sound in current.chain(&mut self.queue).flatten() {
            sound.settle(outside);
        }
    }

    /// Whether nothing is played, nor fading out; music may be waiting.
    pub(crate) fn are_over(&self) -> bool {
        let is_heard = |sound: &Option<Box<Playback>>| sound.is_some();
        self.playback.is_none()
            && !self.fading.iter().any(is_heard)
            && !self.pipes.iter().any(is_heard)
    }

    /// Whether there is music, heard or not.
    pub(crate) fn have_music(&self) -> bool {
        self.music.is_some()
    }

    /// There is no next tick.
    pub(crate) fn forget(&mut self, outside: &mut impl Outside) {
        let current = [&mut self.playback, &mut self.music].into_iter();
        let all = current.chain(&mut self.queue).chain(&mut self.fading).chain(&mut self.pipes);
        for sound in all.filter_map(Option::take) {
            retire(sound, outside);
        }
    }
}

fn retire(mut playback: Box<Playback>, outside: &mut impl Outside) {
    playback.settle(outside);
    outside.retire(Retired::Playback(playback));
}
