//! Sounds and music.

use std::path::{Component, Path, PathBuf};

use stasis_media::Target;
use stasis_media::io::{ControlError, MusicClass, PlayOptions, PromptError};
use stasis_media::sound::{Item, PlaybackControl};
use stasis_media::wav::Repeat;

use super::{Done, Driver, insist};
use crate::media::{Ear, MediaEvent, Mix, Play, Sound};
use crate::playback::PlaybackState;

impl Driver {
    pub(super) fn play(
        &mut self,
        play: Play,
        ear: Ear,
        sound: &Sound,
        options: PlayOptions,
        tell: &mut dyn FnMut(MediaEvent),
    ) -> Done {
        let item = match sound {
            Sound::Item(item) => Some(item.clone()),
            Sound::Recording(name) => self.file_of(name).map(Item::File),
        };
        let played = self.target(ear).zip(item).map(|(target, item)| {
            self.prompts.play(&self.media, target, vec![item], options, &self.topic)
        });
        match played {
            Some(Ok(playback)) => {
                self.plays.insert(play, playback);
                self.playbacks.insert(playback, play);
            }
            Some(Err(PromptError::Control(ControlError::Busy))) => return Done::Busy,
            Some(Err(error)) => {
                tracing::warn!(%error, "nothing is played");
                tell(MediaEvent::Played(play, PlaybackState::Failed));
            }
            None => tell(MediaEvent::Played(play, PlaybackState::Failed)),
        }
        Done::Yes
    }

    pub(super) fn music(&mut self, ear: Ear, class: Option<&str>) -> Done {
        let Some(target) = self.target(ear) else { return Done::Yes };
        let music = class.and_then(|name| {
            let music = self.settings.music.get(name).cloned();
            if music.is_none() {
                tracing::warn!(
                    class = name,
                    "there is no such class of music: name it in the settings"
                );
            }
            music
        });
        if let Ear::Mix(mix) = ear
            && self.mixes.get(&mix).is_some_and(|room| !room.is_holding)
        {
            return self.music_in_mix(mix, target, music);
        }
        let Some(music) = music else { return Done::of(self.media.music(target, None)) };
        let (media, prompts, topic) =
            (self.media.clone(), self.prompts.clone(), self.topic.clone());
        self.files.run(Box::new(move || {
            let begin = || prompts.music(&media, target, &music, &topic);
            let is_busy =
                |error: &PromptError| matches!(error, PromptError::Control(ControlError::Busy));
            if let Err(error) = insist(begin, is_busy) {
                tracing::warn!(%error, "no music");
            }
        }));
        Done::Yes
    }

    /// Where all hear each other, music is a sound like any other.
    pub(super) fn music_in_mix(
        &mut self,
        mix: Mix,
        target: Target,
        music: Option<MusicClass>,
    ) -> Done {
        let Some(room) = self.mixes.get_mut(&mix) else { return Done::Yes };
        if let Some(before) = room.music.take() {
            // It may be over by now.
            let _ = self.media.control(before, PlaybackControl::Stop);
        }
        let items = music.map(|class| class.items()).transpose();
        let items = match items {
            Ok(items) => items.unwrap_or_default(),
            Err(error) => {
                tracing::warn!(%error, "no music");
                return Done::Yes;
            }
        };
        if items.is_empty() {
            return Done::Yes;
        }
        let options = PlayOptions { repeat: Repeat::Forever, ..PlayOptions::default() };
        match self.prompts.play(&self.media, target, items, options, &self.topic) {
            Ok(playback) => room.music = Some(playback),
            Err(PromptError::Control(ControlError::Busy)) => return Done::Busy,
            Err(error) => tracing::warn!(%error, "no music"),
        }
        Done::Yes
    }

    /// The file of a recording, without an ending; none: the name leads elsewhere.
    pub(super) fn file_of(&self, name: &str) -> Option<PathBuf> {
        let path = Path::new(name);
        let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
        (stays && !name.is_empty()).then(|| self.settings.recordings.join(path))
    }
}
