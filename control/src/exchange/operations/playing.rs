//! What is played: to channels, to all in a bridge, and for the dialplan.

use std::sync::Arc;
use std::time::Duration;

use stasis_media::sound::{Item, Language, PlaybackControl};

use super::Holder;
use crate::channel::{ChannelKey, Operation};
use crate::exchange::Exchange;
use crate::id::PlaybackId;
use crate::media::{Ear, MediaEvent, MediaOrder, Play, Sound};
use crate::message::PlaybackEvent;
use crate::playback::{PlaybackSnapshot, PlaybackState};
use crate::refusal::Refusal;
use crate::topics::Topics;

/// How something is played.
#[derive(Clone, Debug, Default)]
pub struct PlayHow {
    /// Its id, where the client has chosen it.
    pub id: Option<String>,
    /// What is played, one after the other: `sound:hello-world`, `recording:name`, `digits:12`, `tone:ring`, …
    pub media: Vec<String>,
    /// In which language; none: the channel's.
    pub language: Option<String>,
    /// From where on the first is heard.
    pub offset: Duration,
    /// How far a jump goes; 3 s if not said.
    pub skip: Option<Duration>,
}

/// What can be done to a playback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybackOperation {
    /// From the beginning.
    Restart,
    /// It stands still.
    Pause,
    /// It goes on.
    Unpause,
    /// A jump back.
    Reverse,
    /// A jump forward.
    Forward,
}

impl PlaybackOperation {
    /// Reads `restart`, `pause`, `unpause`, `reverse` or `forward`.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "restart" => Some(PlaybackOperation::Restart),
            "pause" => Some(PlaybackOperation::Pause),
            "unpause" => Some(PlaybackOperation::Unpause),
            "reverse" => Some(PlaybackOperation::Reverse),
            "forward" => Some(PlaybackOperation::Forward),
            _ => None,
        }
    }
}

/// What a jump in a playback is when nobody has said how far.
const SKIP: Duration = Duration::from_secs(3);

/// A playback, as its owner knows it.
pub(in crate::exchange) struct PlaybackRecord {
    id: PlaybackId,
    holder: Holder,
    media: Vec<String>,
    /// Of each medium what the engine plays; none: it cannot be had.
    plays: Vec<Option<Play>>,
    /// Which one is heard.
    at: usize,
    /// Whether that has been told to be heard.
    is_begun: bool,
    offset: Duration,
    skip: Duration,
    snapshot: Arc<PlaybackSnapshot>,
    /// The dialplan plays it: nobody else is told.
    is_quiet: bool,
    /// Whether anything of it was heard to its end.
    was_heard: bool,
}

impl Exchange {
    /// Plays to a channel that an application has, when what was to be played to it before is over.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::NotInApplication`], [`Refusal::InvalidState`],
    /// [`Refusal::NothingToPlay`] or [`Refusal::Id`]. That a sound is not there is told by events.
    pub fn play(&mut self, channel: &str, how: PlayHow) -> Result<Arc<PlaybackSnapshot>, Refusal> {
        let key = self.find_audible(channel)?;
        let language = self.channels[key].base.language.clone();
        let number = self.make_playback(Holder::Channel(key), how, language, false)?;
        let made = self.playbacks[&number].snapshot.clone();
        self.begin_operations(Holder::Channel(key));
        self.settle();
        Ok(made)
    }

    /// Plays to all in a bridge, when what was to be played there before is over.
    ///
    /// # Errors
    /// [`Refusal::NoBridge`], [`Refusal::NothingToPlay`] or [`Refusal::Id`].
    pub fn play_to_bridge(
        &mut self,
        bridge: &str,
        how: PlayHow,
    ) -> Result<Arc<PlaybackSnapshot>, Refusal> {
        let key = self.find_bridge(bridge)?;
        let language = self.settings.language.clone();
        let number = self.make_playback(Holder::Bridge(key), how, language, false)?;
        let made = self.playbacks[&number].snapshot.clone();
        self.begin_operations(Holder::Bridge(key));
        self.settle();
        Ok(made)
    }

    /// Plays to a channel for the dialplan; nobody but that is told. `false`: there is nothing to play.
    pub(in crate::exchange) fn play_quietly(&mut self, key: ChannelKey, sounds: &[String]) -> bool {
        let media = sounds.iter().map(|sound| match sound.starts_with("tone:") {
            true => sound.clone(),
            false => format!("sound:{sound}"),
        });
        let media = media.collect();
        let language = self.channels[key].base.language.clone();
        let how = PlayHow { media, ..PlayHow::default() };
        let is_made = self.make_playback(Holder::Channel(key), how, language, true).is_ok();
        self.begin_operations(Holder::Channel(key));
        is_made
    }

    /// Stops what the dialplan plays to a channel.
    pub(in crate::exchange) fn stop_quietly(&mut self, key: ChannelKey) {
        let quiet = self.channels.get_mut(key).and_then(|channel| {
            channel.operations.plays().find(|n| self.playbacks.get(n).is_some_and(|p| p.is_quiet))
        });
        if let Some(number) = quiet {
            self.finish_playback(number, PlaybackState::Done);
        }
    }

    pub(super) fn make_playback(
        &mut self,
        holder: Holder,
        how: PlayHow,
        language: String,
        is_quiet: bool,
    ) -> Result<u64, Refusal> {
        let id = match &how.id {
            Some(id) => PlaybackId::new(id)?,
            None => PlaybackId::made(&self.ids.uuid()),
        };
        let first = how.media.first().ok_or(Refusal::NothingToPlay)?;
        let snapshot = PlaybackSnapshot {
            id: id.clone(),
            media_uri: first.clone(),
            next_media_uri: how.media.get(1).cloned(),
            target: self.target_of(holder),
            language: how.language.unwrap_or(language),
            state: PlaybackState::Queued,
        };
        let number = self.numbers.next();
        self.playbacks.insert(
            number,
            PlaybackRecord {
                id: id.clone(),
                holder,
                plays: Vec::new(),
                at: 0,
                is_begun: false,
                offset: how.offset,
                skip: how.skip.unwrap_or(SKIP),
                media: how.media,
                snapshot: Arc::new(snapshot),
                is_quiet,
                was_heard: false,
            },
        );
        self.playback_ids.entry(id).or_default().push(number);
        self.tell_playback(number);
        self.operations(holder).expect("it was just found").push(Operation::Play(number));
        Ok(number)
    }

    /// Hands all media of a playback to the engine, which plays them without a gap.
    pub(super) fn begin_playback(&mut self, number: u64, ear: Ear) {
        let Some(playback) = self.playbacks.get_mut(&number) else { return };
        let language: Option<Language> = playback.snapshot.language.parse().ok();
        let mut orders = Vec::new();
        for (at, uri) in playback.media.iter().enumerate() {
            let play = sound(uri).map(|sound| {
                let play = Play(self.numbers.next());
                let offset = if at == 0 { playback.offset } else { Duration::ZERO };
                let (language, repeats) = (language.clone(), false);
                orders.push(MediaOrder::Play { play, ear, sound, language, offset, repeats });
                self.channel_plays.insert(play, number);
                play
            });
            playback.plays.push(play);
        }
        orders.into_iter().for_each(|order| self.order(order));
        self.skip_missing(number);
    }

    /// Media that cannot be had are over as soon as it is their turn.
    pub(super) fn skip_missing(&mut self, number: u64) {
        while let Some(playback) = self.playbacks.get(&number)
            && playback.plays.get(playback.at) == Some(&None)
        {
            self.medium_is_over(number, false);
        }
    }

    /// Something that is played has come to another state.
    pub(super) fn played(&mut self, play: Play, state: PlaybackState) {
        if let Some(channel) = self.technology_plays.get(&play).copied() {
            if state.is_final() {
                self.technology_plays.remove(&play);
            }
            return self.with_technology_of(channel, |technology, context| {
                technology.media(channel, &MediaEvent::Played(play, state), context);
            });
        }
        let is_over = state.is_final();
        let number = match is_over {
            true => self.channel_plays.remove(&play),
            false => self.channel_plays.get(&play).copied(),
        };
        let Some(number) = number else { return };
        let Some(playback) = self.playbacks.get_mut(&number) else { return };
        if playback.plays.get(playback.at) != Some(&Some(play)) {
            let mut plays = playback.plays.iter_mut().filter(|_| is_over);
            if let Some(medium) = plays.find(|medium| **medium == Some(play)) {
                // Over before its turn: it cannot be had.
                *medium = None;
            }
            return;
        }
        match state {
            state if playback.is_begun && playback.snapshot.state == state => {}
            PlaybackState::Playing => {
                playback.is_begun = true;
                self.set_playback_state(number, PlaybackState::Playing);
            }
            PlaybackState::Paused => self.set_playback_state(number, PlaybackState::Paused),
            PlaybackState::Done => self.medium_is_over(number, true),
            PlaybackState::Failed => self.medium_is_over(number, false),
            PlaybackState::Queued | PlaybackState::Continuing => {}
        }
        self.skip_missing(number);
    }

    /// One medium of a playback is over: the next follows, or the playback is over.
    pub(super) fn medium_is_over(&mut self, number: u64, was_heard: bool) {
        let Some(playback) = self.playbacks.get_mut(&number) else { return };
        playback.was_heard |= was_heard;
        let was_begun = std::mem::replace(&mut playback.is_begun, false);
        let has_more = playback.at + 1 < playback.media.len();
        if !was_begun {
            // It was its turn, if only for a moment.
            self.set_playback_state(number, PlaybackState::Playing);
        }
        if !has_more {
            let state = if was_heard { PlaybackState::Done } else { PlaybackState::Failed };
            return self.finish_playback(number, state);
        }
        self.set_playback_state(number, PlaybackState::Continuing);
        let Some(playback) = self.playbacks.get_mut(&number) else { return };
        playback.at += 1;
        let snapshot = Arc::make_mut(&mut playback.snapshot);
        snapshot.media_uri = playback.media[playback.at].clone();
        snapshot.next_media_uri = playback.media.get(playback.at + 1).cloned();
    }

    pub(super) fn set_playback_state(&mut self, number: u64, state: PlaybackState) {
        let Some(playback) = self.playbacks.get_mut(&number) else { return };
        Arc::make_mut(&mut playback.snapshot).state = state;
        self.tell_playback(number);
    }

    pub(super) fn tell_playback(&self, number: u64) {
        let Some(playback) = self.playbacks.get(&number).filter(|playback| !playback.is_quiet)
        else {
            return;
        };
        let event = PlaybackEvent { playback: playback.snapshot.clone(), at: self.time() };
        self.topics.playbacks.publish(event.clone()); // first: who was told may ask
        self.tell_holder(playback.holder, &event);
    }

    /// A playback is over.
    pub(super) fn finish_playback(&mut self, number: u64, state: PlaybackState) {
        self.set_playback_state(number, state);
        let Some(playback) = self.playbacks.remove(&number) else { return };
        if let Some(numbers) = self.playback_ids.get_mut(&playback.id) {
            numbers.retain(|other| *other != number);
            if numbers.is_empty() {
                self.playback_ids.remove(&playback.id);
            }
        }
        for play in playback.plays.iter().flatten() {
            if self.channel_plays.remove(play).is_some() {
                self.order(MediaOrder::ControlPlay(*play, PlaybackControl::Stop));
            }
        }
        if !playback.is_quiet {
            Topics::clear::<PlaybackEvent>(&self.topics.playbacks, playback.id.clone());
        }
        if let Some(operations) = self.operations(playback.holder) {
            operations.remove(|operation| matches!(operation, Operation::Play(n) if *n == number));
        }
        if let (Holder::Channel(key), true) = (playback.holder, playback.is_quiet) {
            self.sounds_are_over(key, playback.was_heard);
        }
        self.begin_operations(playback.holder);
    }

    pub(super) fn find_playback(&self, id: &str) -> Result<u64, Refusal> {
        let numbers = self.playback_ids.get(id);
        let number = numbers.and_then(|numbers| numbers.first()).copied();
        let told = number.filter(|number| !self.playbacks[number].is_quiet);
        told.ok_or_else(|| Refusal::NoPlayback(id.into()))
    }

    /// Stops a playback.
    ///
    /// # Errors
    /// [`Refusal::NoPlayback`].
    pub fn stop_playback(&mut self, id: &str) -> Result<(), Refusal> {
        let number = self.find_playback(id)?;
        self.finish_playback(number, PlaybackState::Done);
        self.settle();
        Ok(())
    }

    /// Pauses a playback, jumps in it, …
    ///
    /// # Errors
    /// [`Refusal::NoPlayback`].
    pub fn control_playback(
        &mut self,
        id: &str,
        operation: PlaybackOperation,
    ) -> Result<(), Refusal> {
        let number = self.find_playback(id)?;
        let playback = &self.playbacks[&number];
        let skip = u32::try_from(playback.skip.as_millis()).unwrap_or(u32::MAX);
        let control = match operation {
            PlaybackOperation::Restart => PlaybackControl::Restart,
            PlaybackOperation::Pause => PlaybackControl::Pause,
            PlaybackOperation::Unpause => PlaybackControl::Resume,
            PlaybackOperation::Reverse => PlaybackControl::Reverse(skip),
            PlaybackOperation::Forward => PlaybackControl::Forward(skip),
        };
        let (play, state) =
            (playback.plays.get(playback.at).copied().flatten(), playback.snapshot.state);
        if let Some(play) = play {
            self.order(MediaOrder::ControlPlay(play, control));
        }
        // Who asks at once is told what was asked for, which the engine does with its next tick.
        match (operation, state) {
            (PlaybackOperation::Pause, PlaybackState::Playing) => {
                self.set_playback_state(number, PlaybackState::Paused);
            }
            (PlaybackOperation::Unpause, PlaybackState::Paused) => {
                self.set_playback_state(number, PlaybackState::Playing);
            }
            _ => {}
        }
        Ok(())
    }
}

/// What a media URI says is to be played; none: nothing that there is.
fn sound(uri: &str) -> Option<Sound> {
    match uri.split_once(':') {
        Some(("recording", name)) => Some(Sound::Recording(name.to_owned())),
        _ => uri.parse::<Item>().ok().map(Sound::Item),
    }
}
