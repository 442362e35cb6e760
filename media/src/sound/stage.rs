//! A stage: where sounds are played, be it to a leg or to a bridge.

use stasis_bus::{RtPublisher, Stamp, Topic};

use super::{Playback, PlaybackControl, Sounds, tell};
use crate::engine::Outside;
use crate::event::PlaybackState;
use crate::frame::SampleRate;
use crate::id::{PlaybackId, Target};

/// What is played to somebody, and what must be known of who hears it.
pub(crate) struct Stage<'a> {
    pub(crate) target: Target,
    pub(crate) topic: &'a Topic,
    pub(crate) rate: SampleRate,
    pub(crate) sounds: &'a mut Sounds,
}

impl Stage<'_> {
    /// Plays, when what was to be played before is over.
    ///
    /// # Errors
    /// The playback, when it was made for another rate or too many wait; its failing is told.
    pub(crate) fn play(
        self,
        playback: Box<Playback>,
        now: Stamp,
        publisher: &mut RtPublisher,
    ) -> Result<(), Box<Playback>> {
        let mut tell = tell(self.target, self.topic, now, publisher);
        let outcome = if playback.rate() == Some(self.rate) {
            self.sounds.play(playback, &mut tell)
        } else {
            Err(playback)
        };
        if let Err(playback) = &outcome {
            tell(playback.id(), PlaybackState::Failed);
        }
        outcome
    }

    /// Does something to a playback.
    pub(crate) fn control(
        self,
        playback: PlaybackId,
        control: PlaybackControl,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        let mut tell = tell(self.target, self.topic, now, publisher);
        self.sounds.control(playback, control, outside, &mut tell);
    }

    /// Stops all that is played, and what waits to be.
    pub(crate) fn stop(self, now: Stamp, publisher: &mut RtPublisher, outside: &mut impl Outside) {
        let mut tell = tell(self.target, self.topic, now, publisher);
        self.sounds.stop_all(outside, &mut tell);
    }

    /// Has this music, which is heard while nothing is played; or none.
    ///
    /// # Errors
    /// The music, when it was made for another rate.
    pub(crate) fn set_music(
        self,
        music: Option<Box<Playback>>,
        outside: &mut impl Outside,
    ) -> Result<(), Box<Playback>> {
        match music {
            Some(music) if music.rate() != Some(self.rate) => Err(music),
            music => {
                self.sounds.set_music(music, outside);
                Ok(())
            }
        }
    }
}
