//! What is played to channels and bridges, recorded of them, and sent to them: one thing after the other.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use stasis_media::dtmf::Digit;
use stasis_media::sound::{Item, Language, PlaybackControl};

use super::{BridgeKey, Exchange, Owner, union};
use crate::apps::AppKey;
use crate::channel::{ChannelKey, Operation, Operations, Sending};
use crate::id::PlaybackId;
use crate::media::{
    Ear, EndedBy, MediaEvent, MediaOrder, Play, Record, RecordControl, RecordHow, Sound,
};
use crate::message::{ChannelHappening, PlaybackEvent, RecordingEvent};
use crate::playback::{MediaTarget, PlaybackSnapshot, PlaybackState};
use crate::recording::{RecordingSnapshot, RecordingState};
use crate::refusal::Refusal;
use crate::timers::Timer;
use crate::topics::Topics;

/// Who hears something, or is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Channel(ChannelKey),
    Bridge(BridgeKey),
}

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

/// Keys that are to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitsHow {
    /// Which: 0 to 9, A to D, `*`, `#`; `w` is a pause of half a second. Anything else is left out.
    pub digits: String,
    /// How long each is held.
    pub duration: Duration,
    /// How long it is from one to the next.
    pub between: Duration,
    /// How long it is silent before.
    pub before: Duration,
    /// How long it is silent after.
    pub after: Duration,
}

/// How long nothing is sent for a `w`.
const PAUSE: Duration = Duration::from_millis(500);
/// What a jump in a playback is when nobody has said how far.
const SKIP: Duration = Duration::from_secs(3);
/// The longest that a key is held.
const MOST_KEY: Duration = Duration::from_secs(60);

/// A playback, as its owner knows it.
pub(super) struct PlaybackRecord {
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

/// A recording, as its owner knows it.
pub(super) struct RecordingRecord {
    holder: Holder,
    snapshot: Arc<RecordingSnapshot>,
    counts_silence: bool,
    /// The dialplan records.
    is_quiet: bool,
    /// Who is told of its end when who was recorded is gone by then.
    listeners: BTreeSet<AppKey>,
}

/// What the engine says of a recording.
struct Told {
    state: RecordingState,
    duration: Duration,
    talking: Duration,
    ended_by: Option<EndedBy>,
    reason: Option<String>,
}

impl Told {
    /// It never began.
    fn canceled() -> Self {
        let (duration, talking) = (Duration::ZERO, Duration::ZERO);
        let state = RecordingState::Canceled;
        Told { state, duration, talking, ended_by: None, reason: None }
    }
}

/// Playing.
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

    /// A channel that an application has, and that hears something.
    fn find_audible(&self, id: &str) -> Result<ChannelKey, Refusal> {
        use crate::channel::ChannelState;
        let key = self.find_in_application(id)?;
        match self.channels[key].state {
            ChannelState::Down | ChannelState::Reserved | ChannelState::Ringing => {
                Err(Refusal::InvalidState)
            }
            _ => Ok(key),
        }
    }

    /// Plays to a channel for the dialplan; nobody but that is told. `false`: there is nothing to play.
    pub(super) fn play_quietly(&mut self, key: ChannelKey, sounds: &[String]) -> bool {
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
    pub(super) fn stop_quietly(&mut self, key: ChannelKey) {
        let quiet = self.channels.get_mut(key).and_then(|channel| {
            channel.operations.plays().find(|n| self.playbacks.get(n).is_some_and(|p| p.is_quiet))
        });
        if let Some(number) = quiet {
            self.finish_playback(number, PlaybackState::Done);
        }
    }

    fn make_playback(
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

    fn target_of(&self, holder: Holder) -> MediaTarget {
        match holder {
            Holder::Channel(key) => MediaTarget::Channel(self.channels[key].id.clone()),
            Holder::Bridge(key) => MediaTarget::Bridge(self.bridges[key].id.clone()),
        }
    }

    fn operations(&mut self, holder: Holder) -> Option<&mut Operations> {
        match holder {
            Holder::Channel(key) => self.channels.get_mut(key).map(|c| &mut c.operations),
            Holder::Bridge(key) => self.bridges.get_mut(key).map(|b| &mut b.operations),
        }
    }

    fn ear(&self, holder: Holder) -> Option<Ear> {
        match holder {
            Holder::Channel(key) => self.channels.get(key)?.line.map(Ear::Line),
            Holder::Bridge(key) => Some(Ear::Mix(self.bridges.get(key)?.mix)),
        }
    }

    /// Begins what may begin now.
    fn begin_operations(&mut self, holder: Holder) {
        let Some(ear) = self.ear(holder) else { return };
        while let Some(operation) = self.operations(holder).and_then(Operations::begin) {
            match operation {
                &mut Operation::Play(number) => self.begin_playback(number, ear),
                Operation::Record(record, how) => {
                    let order = MediaOrder::Record(*record, ear, RecordHow::clone(how));
                    self.order(order);
                }
                Operation::Send(number, sending) => {
                    let (number, before) = (*number, sending.before);
                    if let Holder::Channel(key) = holder {
                        self.timers.set(self.now + before, Timer::Digits(key, number));
                    }
                }
            }
        }
    }

    /// Hands all media of a playback to the engine, which plays them without a gap.
    fn begin_playback(&mut self, number: u64, ear: Ear) {
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
    fn skip_missing(&mut self, number: u64) {
        while let Some(playback) = self.playbacks.get(&number)
            && playback.plays.get(playback.at) == Some(&None)
        {
            self.medium_is_over(number, false);
        }
    }

    /// Something that is played has come to another state.
    fn played(&mut self, play: Play, state: PlaybackState) {
        if let Some(channel) = self.technology_plays.get(&play).copied() {
            if matches!(state, PlaybackState::Done | PlaybackState::Failed) {
                self.technology_plays.remove(&play);
            }
            return self.with_technology_of(channel, |technology, context| {
                technology.media(channel, &MediaEvent::Played(play, state), context);
            });
        }
        let is_over = matches!(state, PlaybackState::Done | PlaybackState::Failed);
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
    fn medium_is_over(&mut self, number: u64, was_heard: bool) {
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

    fn set_playback_state(&mut self, number: u64, state: PlaybackState) {
        let Some(playback) = self.playbacks.get_mut(&number) else { return };
        Arc::make_mut(&mut playback.snapshot).state = state;
        self.tell_playback(number);
    }

    fn tell_playback(&self, number: u64) {
        let Some(playback) = self.playbacks.get(&number).filter(|playback| !playback.is_quiet)
        else {
            return;
        };
        let event = PlaybackEvent { playback: playback.snapshot.clone(), at: self.time() };
        self.tell_holder(playback.holder, &event);
        self.topics.playbacks.publish(event);
    }

    fn tell_holder<M: std::any::Any + Send + Sync + Clone>(&self, holder: Holder, message: &M) {
        match holder {
            Holder::Channel(key) => self.tell_channel(key, message),
            Holder::Bridge(key) => self.tell_bridge(key, message),
        }
    }

    /// A playback is over.
    fn finish_playback(&mut self, number: u64, state: PlaybackState) {
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

    fn find_playback(&self, id: &str) -> Result<u64, Refusal> {
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
        if let Some(Some(play)) = playback.plays.get(playback.at) {
            self.order(MediaOrder::ControlPlay(*play, control));
        }
        Ok(())
    }
}

/// Recording.
impl Exchange {
    /// Records what a channel's party says, when what was to be done before is over.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::NotInApplication`], [`Refusal::InvalidState`] or
    /// [`Refusal::RecordingExists`]. That the file cannot be written is told by events.
    pub fn record(
        &mut self,
        channel: &str,
        how: RecordHow,
    ) -> Result<Arc<RecordingSnapshot>, Refusal> {
        let key = self.find_audible(channel)?;
        self.begin_recording(Holder::Channel(key), how, false)
    }

    /// Records all that is heard in a bridge.
    ///
    /// # Errors
    /// [`Refusal::NoBridge`] or [`Refusal::RecordingExists`].
    pub fn record_bridge(
        &mut self,
        bridge: &str,
        how: RecordHow,
    ) -> Result<Arc<RecordingSnapshot>, Refusal> {
        let key = self.find_bridge(bridge)?;
        self.begin_recording(Holder::Bridge(key), how, false)
    }

    fn begin_recording(
        &mut self,
        holder: Holder,
        how: RecordHow,
        is_quiet: bool,
    ) -> Result<Arc<RecordingSnapshot>, Refusal> {
        if self.recording_names.contains_key(&how.name) {
            return Err(Refusal::RecordingExists(how.name));
        }
        let record = Record(self.numbers.next());
        let snapshot = Arc::new(RecordingSnapshot {
            name: how.name.clone(),
            format: how.format.clone(),
            state: RecordingState::Queued,
            target: self.target_of(holder),
            duration: None,
            talking_duration: None,
            silence_duration: None,
            cause: None,
        });
        self.recording_names.insert(how.name.clone(), record);
        self.recordings.insert(
            record,
            RecordingRecord {
                holder,
                snapshot: snapshot.clone(),
                counts_silence: how.max_silence.is_some(),
                is_quiet,
                listeners: BTreeSet::new(),
            },
        );
        self.tell_recording(record);
        let operations = self.operations(holder).expect("it was just found");
        operations.push(Operation::Record(record, Box::new(how)));
        self.begin_operations(holder);
        self.settle();
        Ok(snapshot)
    }

    /// Records a channel for the dialplan; nobody but that is told. `false`: one of this name is under way.
    pub(super) fn record_quietly(&mut self, key: ChannelKey, how: RecordHow) -> bool {
        self.begin_recording(Holder::Channel(key), how, true).is_ok()
    }

    fn tell_recording(&self, record: Record) {
        let Some(recording) = self.recordings.get(&record) else { return };
        if recording.is_quiet {
            return;
        }
        let event = RecordingEvent { recording: recording.snapshot.clone(), at: self.time() };
        match recording.listeners.is_empty() {
            true => self.tell_holder(recording.holder, &event),
            false => self.tell_apps(&recording.listeners, &event),
        }
        self.topics.recordings.publish(event);
    }

    /// A recording has come to another state.
    fn recorded(
        &mut self,
        record: Record,
        Told { state, duration, talking, ended_by, reason }: Told,
    ) {
        let Some(recording) = self.recordings.get_mut(&record) else { return };
        let is_over = matches!(
            state,
            RecordingState::Done | RecordingState::Failed | RecordingState::Canceled
        );
        let counts_silence = recording.counts_silence;
        let has_changed = recording.snapshot.state != state;
        let snapshot = Arc::make_mut(&mut recording.snapshot);
        snapshot.state = state;
        if is_over {
            snapshot.duration = Some(duration.as_secs());
            if counts_silence {
                snapshot.talking_duration = Some(talking.as_secs());
                snapshot.silence_duration = Some(duration.saturating_sub(talking).as_secs());
            }
            snapshot.cause = reason;
        }
        if has_changed || is_over {
            self.tell_recording(record);
        }
        if is_over {
            self.forget_recording(record, state, ended_by);
        }
    }

    fn forget_recording(
        &mut self,
        record: Record,
        state: RecordingState,
        ended_by: Option<EndedBy>,
    ) {
        let Some(recording) = self.recordings.remove(&record) else { return };
        let name = &recording.snapshot.name;
        self.recording_names.remove(name);
        Topics::clear::<RecordingEvent>(&self.topics.recordings, name.as_str().into());
        if let Some(operations) = self.operations(recording.holder) {
            operations.remove(|op| matches!(op, Operation::Record(number, _) if *number == record));
        }
        if let (Holder::Channel(key), true) = (recording.holder, recording.is_quiet) {
            self.recording_is_over(key, state, ended_by);
        }
        self.begin_operations(recording.holder);
    }

    /// Pauses a recording, stops it, …
    ///
    /// # Errors
    /// [`Refusal::NoRecording`].
    pub fn control_recording(&mut self, name: &str, control: RecordControl) -> Result<(), Refusal> {
        let absent = || Refusal::NoRecording(name.into());
        let record = *self.recording_names.get(name).ok_or_else(absent)?;
        let recording = self.recordings.get_mut(&record).filter(|recording| !recording.is_quiet);
        let recording = recording.ok_or_else(absent)?;
        let is_waiting = recording.snapshot.state == RecordingState::Queued;
        let is_end = matches!(control, RecordControl::Stop | RecordControl::Discard);
        match control {
            RecordControl::Pause(paused) if !is_waiting => {
                let state = if paused { RecordingState::Paused } else { RecordingState::Recording };
                if recording.snapshot.state != state {
                    // At once for those who look; those who listen are told when it begins.
                    Arc::make_mut(&mut recording.snapshot).state = state;
                    let (recording, at) = (recording.snapshot.clone(), self.time());
                    self.topics.recordings.publish(RecordingEvent { recording, at });
                }
            }
            _ => {}
        }
        self.order(MediaOrder::ControlRecord(record, control));
        if is_end && is_waiting && !self.has_begun(record) {
            self.recorded(record, Told::canceled());
        }
        self.settle();
        Ok(())
    }

    /// Whether a recording was handed to the engine.
    fn has_begun(&mut self, record: Record) -> bool {
        let Some(holder) = self.recordings.get(&record).map(|recording| recording.holder) else {
            return false;
        };
        let is_it =
            |op: &Operation| matches!(op, Operation::Record(number, _) if *number == record);
        self.operations(holder).is_some_and(|operations| operations.is_begun(is_it))
    }
}

/// Sending keys.
impl Exchange {
    /// Sends keys to a channel's party, when what was to be done before is over.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::NotInApplication`] or [`Refusal::InvalidState`].
    pub fn send_digits(&mut self, channel: &str, how: &DigitsHow) -> Result<(), Refusal> {
        let key = self.find_audible(channel)?;
        self.queue_digits(key, how);
        self.settle();
        Ok(())
    }

    pub(super) fn queue_digits(&mut self, key: ChannelKey, how: &DigitsHow) {
        let number = self.numbers.next();
        let digit = |c: char| match c {
            'w' | 'W' => Some(None),
            c => Digit::from_char(c).ok().map(Some),
        };
        let digits: VecDeque<_> = how.digits.chars().filter_map(digit).collect();
        let DigitsHow { duration, between, before, after, .. } = *how;
        let duration = duration.min(MOST_KEY);
        let sending = Sending { digits, duration, between, before, after };
        self.channels[key].operations.push(Operation::Send(number, Box::new(sending)));
        self.begin_operations(Holder::Channel(key));
    }

    /// It is time for the next of the keys that are sent, or for what comes after them.
    pub(super) fn send_next_digit(&mut self, key: ChannelKey, number: u64) {
        let is_it =
            |operation: &Operation| matches!(operation, Operation::Send(n, _) if *n == number);
        let now = self.now;
        let Some(channel) = self.channels.get_mut(key) else { return };
        let line = channel.line;
        let Some(Operation::Send(_, sending)) = channel.operations.find(is_it) else { return };
        let Some(digit) = sending.digits.pop_front() else {
            channel.operations.remove(is_it);
            self.digits_are_sent(key);
            return self.begin_operations(Holder::Channel(key));
        };
        let (duration, is_last) = (sending.duration, sending.digits.is_empty());
        let pause = if is_last { sending.after } else { sending.between };
        let step = if digit.is_some() { duration.saturating_add(pause) } else { PAUSE };
        self.timers.set(now + step, Timer::Digits(key, number));
        if let (Some(line), Some(digit)) = (line, digit) {
            self.order(MediaOrder::Press(line, digit, duration));
        }
    }
}

/// The end of it all, and what the engine says.
impl Exchange {
    /// A channel goes elsewhere, or is gone: nothing is played to it, recorded of it or sent to it any
    /// more.
    pub(super) fn stop_operations(&mut self, key: ChannelKey) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let operations: Vec<_> = channel.operations.take().collect();
        let listeners = if operations.is_empty() { BTreeSet::new() } else { self.listeners(key) };
        self.stop_all(operations, listeners);
    }

    pub(super) fn stop_bridge_operations(&mut self, key: BridgeKey) {
        let Some(bridge) = self.bridges.get_mut(key) else { return };
        let operations: Vec<_> = bridge.operations.take().collect();
        let Some(bridge) = self.bridges.get(key) else { return };
        let listeners = union(&bridge.listeners, self.apps.all_bridges.iter().copied());
        self.stop_all(operations, listeners);
    }

    fn stop_all(&mut self, operations: Vec<Operation>, listeners: BTreeSet<AppKey>) {
        for operation in operations {
            match operation {
                Operation::Play(number) => self.finish_playback(number, PlaybackState::Failed),
                Operation::Record(record, _) => {
                    let has_begun = self.recordings.get(&record).is_some_and(|recording| {
                        recording.snapshot.state != RecordingState::Queued
                    });
                    if let Some(recording) = self.recordings.get_mut(&record) {
                        recording.listeners = listeners.clone();
                    }
                    self.order(MediaOrder::ControlRecord(record, RecordControl::Stop));
                    if !has_begun {
                        self.recorded(record, Told::canceled());
                    }
                }
                Operation::Send(..) => {}
            }
        }
    }

    /// What the engine says.
    pub(super) fn take_media_event(&mut self, event: MediaEvent) {
        let line = match &event {
            MediaEvent::Played(play, state) => return self.played(*play, *state),
            MediaEvent::Recorded { record, state, duration, talking, ended_by, reason } => {
                let told = Told {
                    state: *state,
                    duration: *duration,
                    talking: *talking,
                    ended_by: *ended_by,
                    reason: reason.clone(),
                };
                return self.recorded(*record, told);
            }
            MediaEvent::Opened(line, _)
            | MediaEvent::Failed(line, _)
            | MediaEvent::DigitBegan(line, _)
            | MediaEvent::Digit { line, .. }
            | MediaEvent::TalkingStarted(line)
            | MediaEvent::TalkingStopped(line, _)
            | MediaEvent::Tone(line, _)
            | MediaEvent::Figures(line, _) => *line,
        };
        match self.lines.get(&line).copied() {
            Some(Owner::Channel(key)) => self.line_event(key, &event),
            Some(Owner::Technology(key)) => {
                self.with_technology_of(key, |technology, context| {
                    technology.media(key, &event, context);
                });
            }
            None => {}
        }
    }

    /// Something has happened on a channel's line.
    fn line_event(&mut self, key: ChannelKey, event: &MediaEvent) {
        match *event {
            MediaEvent::DigitBegan(_, digit) => {
                self.tell_event(key, ChannelHappening::DtmfBegin { digit: digit.as_char() });
            }
            MediaEvent::Digit { digit, duration_ms, silent, .. } => {
                let event = ChannelHappening::DtmfEnd { digit: digit.as_char(), duration_ms };
                self.tell_event(key, event);
                self.end_recordings_by(key, digit);
                if silent {
                    self.pass_digit(key, digit, duration_ms);
                }
                self.typed(key, digit.as_char());
            }
            MediaEvent::TalkingStarted(_) => {
                self.tell_event(key, ChannelHappening::TalkingStarted);
            }
            MediaEvent::TalkingStopped(_, duration_ms) => {
                self.tell_event(key, ChannelHappening::TalkingFinished { duration_ms });
            }
            MediaEvent::Tone(_, ref tone) => {
                self.tell_event(key, ChannelHappening::ToneDetected { tone: tone.clone() });
            }
            MediaEvent::Figures(line, figures) => {
                self.figures.insert(line, figures);
            }
            MediaEvent::Failed(_, ref reason) => {
                tracing::warn!(channel = %self.channels[key].id, %reason, "no line");
                self.hang_up(key, crate::cause::Cause::CONGESTION, super::channels::By::Remote);
            }
            MediaEvent::Opened(..) => self.with_technology_of(key, |technology, context| {
                technology.media(key, event, context);
            }),
            MediaEvent::Played(..) | MediaEvent::Recorded { .. } => {}
        }
    }

    /// A key of somebody in a bridge ends a recording of the bridge that waits for it. (Of a channel's own
    /// recordings the engine knows the keys.)
    fn end_recordings_by(&mut self, key: ChannelKey, digit: Digit) {
        let Some(bridge) = self.channels[key].bridge else { return };
        let ended: Vec<_> = self.bridges[bridge].operations.recordings_ended_by(digit).collect();
        for record in ended {
            self.order(MediaOrder::ControlRecord(record, RecordControl::Stop));
        }
    }

    /// What the line of a channel has received and was sent; none: it has no RTP, or nothing is known yet.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`].
    pub fn rtp_figures(&self, channel: &str) -> Result<Option<crate::media::RtpFigures>, Refusal> {
        let key = self.find_channel(channel)?;
        Ok(self.channels[key].line.and_then(|line| self.figures.get(&line)).copied())
    }

    /// Gives a channel that an application has music of a class while nothing is played to it, or takes it
    /// away.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`] or [`Refusal::NotInApplication`].
    pub fn music(&mut self, channel: &str, class: Option<&str>) -> Result<(), Refusal> {
        let key = self.find_in_application(channel)?;
        self.set_music(key, class);
        self.settle();
        Ok(())
    }

    pub(super) fn set_music(&mut self, key: ChannelKey, class: Option<&str>) {
        let Some(channel) = self.channels.get_mut(key) else { return };
        let class = class.map(str::to_owned);
        let Some(line) = channel.line.filter(|_| channel.music != class) else { return };
        channel.music = class.clone();
        self.order(MediaOrder::Music(Ear::Line(line), class.clone()));
        let event = match class {
            Some(music_class) => ChannelHappening::MusicStart { music_class },
            None => ChannelHappening::MusicStop,
        };
        self.tell_event(key, event);
    }
}

/// What a media URI says is to be played; none: nothing that there is.
fn sound(uri: &str) -> Option<Sound> {
    match uri.split_once(':') {
        Some(("recording", name)) => Some(Sound::Recording(name.to_owned())),
        _ => uri.parse::<Item>().ok().map(Sound::Item),
    }
}
