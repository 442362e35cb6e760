//! The driver: carries out the orders of an exchange on the media engine, and says what has come of them.
//!
//! It knows which number of the model is which leg, bridge, playback and recording of the engine. All legs
//! publish to one topic, `control:media`, which [`subscribe`](Driver::subscribe) listens to.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};

use stasis_bus::{Bus, BusEnded, Delivery, Overflow, PullSubscription, Topic};
use stasis_media::bridge::BridgeKind;
use stasis_media::codec::Codec;
use stasis_media::event::{
    DtmfBegan, DtmfReceived, DtmfSource, PlaybackChanged, PlaybackState as EngineState,
    RtpReceived, RtpSent, TalkingStarted, TalkingStopped, ToneDetected,
};
use stasis_media::frame::SampleRate;
use stasis_media::io::{
    BridgeRate, BridgeSettings, ControlError, IfExists as EngineIfExists, Keys, Media, MusicClass,
    PlayOptions, PlaybackFailed, PromptError, Prompts, RecordEnd, RecordError, RecordSettings,
    RecordState, RecordTarget, Recorder, Recording, RecordingChanged, RtpLeg,
};
use stasis_media::rtp::Payloads;
use stasis_media::schedule::PERIOD;
use stasis_media::snoop::{SnoopDirection, SnoopSettings};
use stasis_media::sound::{Item, PlaybackControl};
use stasis_media::wav::{Repeat, WavFormat};
use stasis_media::{BridgeId, LegId, PlaybackId, RecordingId, Target};

use super::files::Files;
use crate::exchange::Exchange;
use crate::media::{
    Ear, EndKey, EndedBy, IfExists, Line, MediaEvent, MediaOrder, Mix, Play, Record, RecordControl,
    RecordHow, RtpFigures, RtpOpen, Sound, Way,
};
use crate::playback::PlaybackState;
use crate::recording::RecordingState;

/// How often a recording is tried to be begun when the engine has no room.
const MOST_TRIES: usize = 100;

/// How orders are carried out.
#[derive(Clone, Debug)]
pub struct DriverSettings {
    /// The address that RTP lines listen at.
    pub rtp_address: IpAddr,
    /// Their ports, the first and the last; none: any that is free.
    pub rtp_ports: Option<(u16, u16)>,
    /// The rate of what goes between the two halves of a pair.
    pub pair_rate: SampleRate,
    /// The highest rate of a bridge.
    pub most_bridge_rate: SampleRate,
    /// Where recordings are kept.
    pub recordings: PathBuf,
    /// Music, by its class.
    pub music: BTreeMap<String, MusicClass>,
}

impl Default for DriverSettings {
    fn default() -> Self {
        DriverSettings {
            rtp_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            rtp_ports: None,
            pair_rate: SampleRate::Hz16000,
            most_bridge_rate: SampleRate::Hz48000,
            recordings: std::env::temp_dir().join("stasis-recordings"),
            music: BTreeMap::new(),
        }
    }
}

/// What has come of what was done elsewhere: a recording that was begun, or not.
type Filed = (Record, Result<Recording, String>);

/// Carries out the orders of an exchange.
pub struct Driver {
    settings: DriverSettings,
    media: Arc<Media>,
    recorder: Arc<Recorder>,
    prompts: Prompts,
    topic: Topic,
    files: Files,
    lines: HashMap<Line, LegId>,
    legs: HashMap<LegId, Line>,
    mixes: HashMap<Mix, Room>,
    plays: HashMap<Play, PlaybackId>,
    playbacks: HashMap<PlaybackId, Play>,
    records: HashMap<Record, Taped>,
    recordings: HashMap<RecordingId, Record>,
    /// Recordings that were begun elsewhere, and what they have told before that was known here.
    filed: Arc<Mutex<Vec<Filed>>>,
    early: Vec<RecordingChanged>,
    figures: HashMap<Line, RtpFigures>,
    /// The order that waits for room.
    held: Option<MediaOrder>,
    next_port: u16,
    next_ssrc: u32,
}

/// A bridge of the engine.
struct Room {
    bridge: BridgeId,
    is_holding: bool,
    /// Music that is played where all hear each other.
    music: Option<PlaybackId>,
}

/// A recording, or what it was told before it had begun.
enum Taped {
    Beginning(Vec<RecordControl>),
    Begun(Recording),
}

/// Whether an order was carried out.
enum Done {
    /// It was, or cannot be.
    Yes,
    /// There is no room for it now.
    Busy,
}

impl Done {
    /// What an engine's answer means. A playback or a leg that is gone by now is as good as done.
    fn of(outcome: Result<(), ControlError>) -> Self {
        match outcome {
            Err(ControlError::Busy) => return Done::Busy,
            Err(error) => tracing::debug!(%error, "the media engine did not take an order"),
            Ok(()) => {}
        }
        Done::Yes
    }
}

/// Published to wake who waits for events.
pub(super) struct Wake;

impl Driver {
    /// For this engine, with a thread for what touches files.
    ///
    /// # Errors
    /// When the operating system has no thread for it.
    pub fn new(
        bus: &Bus,
        media: Arc<Media>,
        recorder: Recorder,
        prompts: Prompts,
        settings: DriverSettings,
    ) -> std::io::Result<Self> {
        Ok(Driver::with(bus, media, (recorder, prompts), settings, Files::start()?))
    }

    /// For media by hand: all is done at once, on the caller's thread.
    pub fn by_hand(
        bus: &Bus,
        media: Arc<Media>,
        recorder: Recorder,
        prompts: Prompts,
        settings: DriverSettings,
    ) -> Self {
        Driver::with(bus, media, (recorder, prompts), settings, Files::Here)
    }

    fn with(
        bus: &Bus,
        media: Arc<Media>,
        (recorder, prompts): (Recorder, Prompts),
        settings: DriverSettings,
        files: Files,
    ) -> Self {
        Driver {
            next_port: settings.rtp_ports.map_or(0, |(first, _)| first),
            settings,
            media,
            recorder: Arc::new(recorder),
            prompts,
            topic: bus.topic("control:media"),
            files,
            lines: HashMap::new(),
            legs: HashMap::new(),
            mixes: HashMap::new(),
            plays: HashMap::new(),
            playbacks: HashMap::new(),
            records: HashMap::new(),
            recordings: HashMap::new(),
            filed: Arc::default(),
            early: Vec::new(),
            figures: HashMap::new(),
            held: None,
            next_ssrc: 0x5354_4153,
        }
    }

    /// Where the engine tells what happens.
    pub(super) fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Listens to what the engine tells; what comes is to be [handed over](Self::hand_over).
    ///
    /// # Errors
    /// [`BusEnded`] when the bus is gone.
    pub fn subscribe(&self) -> Result<PullSubscription, BusEnded> {
        self.topic
            .subscribe()
            .capacity(1 << 14)
            .overflow(Overflow::Spill { limit: 1 << 20 })
            .accept::<DtmfBegan>()
            .accept::<DtmfReceived>()
            .accept::<TalkingStarted>()
            .accept::<TalkingStopped>()
            .accept::<ToneDetected>()
            .accept::<PlaybackChanged>()
            .accept::<PlaybackFailed>()
            .accept::<RecordingChanged>()
            .accept::<RtpReceived>()
            .accept::<RtpSent>()
            .accept::<Wake>()
            .pull()
    }

    /// How many lines, mixes, plays and recordings it keeps.
    pub fn kept(&self) -> usize {
        self.lines.len() + self.mixes.len() + self.plays.len() + self.records.len()
    }

    /// Carries out all orders of an exchange, and those that come of what they tell. Orders for which the
    /// engine has no room now wait, in their order: see [`is_waiting`](Self::is_waiting).
    pub fn serve(&mut self, exchange: &mut Exchange) {
        let mut events = Vec::new();
        while let Some(order) = self.held.take().or_else(|| exchange.take_order()) {
            if let Done::Busy = self.carry_out(&order, &mut |event| events.push(event)) {
                self.held = Some(order);
                return;
            }
            events.drain(..).for_each(|event| exchange.media_event(event));
        }
    }

    /// Whether orders wait for room in the engine, which there is after its next tick.
    pub fn is_waiting(&self) -> bool {
        self.held.is_some()
    }

    /// Hands what the engine has told to an exchange, and carries out what that orders then.
    pub fn hand_over(&mut self, delivery: &Delivery, exchange: &mut Exchange) {
        if let Delivery::Lagged(missed) = delivery {
            tracing::error!(missed, "events of the media engine were lost");
        }
        let mut events = Vec::new();
        self.take(delivery, &mut |event| events.push(event));
        events.into_iter().for_each(|event| exchange.media_event(event));
        self.serve(exchange);
    }

    /// Carries out an order; what comes of it at once is handed to `tell`.
    fn carry_out(&mut self, order: &MediaOrder, tell: &mut dyn FnMut(MediaEvent)) -> Done {
        let outcome = match order {
            MediaOrder::OpenRtp(line, open) => return self.open_rtp(*line, open, tell),
            MediaOrder::OpenPair(lines) => return self.open_pair(*lines, tell),
            MediaOrder::OpenSnoop { line, of, spy, whisper } => {
                return self.open_snoop(*line, *of, (*spy, *whisper), tell);
            }
            MediaOrder::CloseLine(line) => self.close_line(*line),
            MediaOrder::Set(line, setting) => {
                self.on_line(*line, |media, leg| media.set(leg, *setting))
            }
            MediaOrder::Press(line, digit, duration) => {
                self.on_line(*line, |media, leg| media.press(leg, *digit, *duration))
            }
            MediaOrder::OpenMix { mix, holding } => self.open_mix(*mix, *holding),
            MediaOrder::CloseMix(mix) => self.close_mix(*mix),
            MediaOrder::Join(line, mix) => match self.mixes.get(mix) {
                Some(room) => self.on_line(*line, |media, leg| media.join(leg, room.bridge)),
                None => Ok(()),
            },
            MediaOrder::Leave(line) => self.on_line(*line, Media::leave),
            MediaOrder::Play { play, ear, sound, language, offset, repeats } => {
                let repeat = if *repeats { Repeat::Forever } else { Repeat::Once };
                let options = PlayOptions { language: language.clone(), offset: *offset, repeat };
                return self.play(*play, *ear, sound, options, tell);
            }
            MediaOrder::ControlPlay(play, control) => match self.plays.get(play) {
                Some(playback) => self.media.control(*playback, *control),
                None => Ok(()),
            },
            MediaOrder::Music(ear, class) => return self.music(*ear, class.as_deref()),
            MediaOrder::Record(record, ear, how) => {
                self.record(*record, *ear, how, tell);
                Ok(())
            }
            MediaOrder::ControlRecord(record, control) => {
                self.control_record(*record, *control);
                Ok(())
            }
        };
        Done::of(outcome)
    }

    fn on_line(
        &self,
        line: Line,
        order: impl FnOnce(&Media, LegId) -> Result<(), ControlError>,
    ) -> Result<(), ControlError> {
        // A line that could not be opened has no leg, which was told.
        self.lines.get(&line).map_or(Ok(()), |leg| order(&self.media, *leg))
    }

    fn target(&self, ear: Ear) -> Option<Target> {
        match ear {
            Ear::Line(line) => self.lines.get(&line).map(|leg| Target::Leg(*leg)),
            Ear::Mix(mix) => self.mixes.get(&mix).map(|room| Target::Bridge(room.bridge)),
        }
    }
}

/// Lines and mixes.
impl Driver {
    fn opened(&mut self, line: Line, leg: LegId) {
        self.lines.insert(line, leg);
        self.legs.insert(leg, line);
    }

    fn open_rtp(&mut self, line: Line, open: &RtpOpen, tell: &mut dyn FnMut(MediaEvent)) -> Done {
        let payloads = match payloads(&open.formats) {
            Ok(payloads) => payloads,
            Err(reason) => {
                tell(MediaEvent::Failed(line, reason));
                return Done::Yes;
            }
        };
        self.next_ssrc = self.next_ssrc.wrapping_mul(0x9E37_79B1).wrapping_add(1);
        let tries = self
            .settings
            .rtp_ports
            .map_or(1, |(first, last)| u32::from(last.saturating_sub(first)) + 1);
        for _ in 0..tries {
            let local = SocketAddr::new(self.settings.rtp_address, self.port());
            let leg = RtpLeg::external(local, open.remote, payloads, self.next_ssrc);
            match self.media.add_rtp_leg(leg, &self.topic) {
                Ok((leg, local)) => {
                    self.opened(line, leg);
                    tell(MediaEvent::Opened(line, local));
                    return Done::Yes;
                }
                Err(ControlError::Bind { .. }) if tries > 1 => {}
                Err(error) => return refused(&[line], error, tell),
            }
        }
        let reason = "no port is free for RTP: allow more in the settings".to_owned();
        tell(MediaEvent::Failed(line, reason));
        Done::Yes
    }

    /// The next port to be tried: RTP has the even ones (RFC 3550, 11).
    fn port(&mut self) -> u16 {
        let Some((first, last)) = self.settings.rtp_ports else { return 0 };
        let port = self.next_port;
        self.next_port = match port.checked_add(2) {
            Some(next) if next <= last => next,
            _ => first,
        };
        port
    }

    fn open_pair(&mut self, lines: [Line; 2], tell: &mut dyn FnMut(MediaEvent)) -> Done {
        match self.media.pair(self.settings.pair_rate, [&self.topic, &self.topic]) {
            Ok(legs) => {
                lines.into_iter().zip(legs).for_each(|(line, leg)| self.opened(line, leg));
                Done::Yes
            }
            Err(error) => refused(&lines, error, tell),
        }
    }

    fn open_snoop(
        &mut self,
        line: Line,
        of: Line,
        (spy, whisper): (Way, Way),
        tell: &mut dyn FnMut(MediaEvent),
    ) -> Done {
        let direction = |way| match way {
            Way::None => SnoopDirection::None,
            Way::In => SnoopDirection::In,
            Way::Out => SnoopDirection::Out,
            Way::Both => SnoopDirection::Both,
        };
        let settings = SnoopSettings { spy: direction(spy), whisper: direction(whisper) };
        let Some(of) = self.lines.get(&of).copied() else {
            let reason = "what was to be overheard has no sound".to_owned();
            tell(MediaEvent::Failed(line, reason));
            return Done::Yes;
        };
        match self.media.snoop(of, settings, &self.topic) {
            Ok(leg) => self.opened(line, leg),
            Err(error) => return refused(&[line], error, tell),
        }
        Done::Yes
    }

    fn close_line(&mut self, line: Line) -> Result<(), ControlError> {
        let Some(leg) = self.lines.get(&line).copied() else { return Ok(()) };
        let outcome = self.media.remove_leg(leg);
        if !matches!(outcome, Err(ControlError::Busy)) {
            self.lines.remove(&line);
            self.legs.remove(&leg);
            self.figures.remove(&line);
        }
        outcome
    }

    fn open_mix(&mut self, mix: Mix, is_holding: bool) -> Result<(), ControlError> {
        let kind = if is_holding { BridgeKind::Holding } else { BridgeKind::Mixing };
        let rate = BridgeRate::Automatic { most: self.settings.most_bridge_rate };
        let settings = BridgeSettings { kind, rate, ..BridgeSettings::default() };
        let bridge = self.media.add_bridge(settings, &self.topic)?;
        self.mixes.insert(mix, Room { bridge, is_holding, music: None });
        Ok(())
    }

    fn close_mix(&mut self, mix: Mix) -> Result<(), ControlError> {
        let Some(room) = self.mixes.get(&mix) else { return Ok(()) };
        let outcome = self.media.remove_bridge(room.bridge);
        if !matches!(outcome, Err(ControlError::Busy)) {
            self.mixes.remove(&mix);
        }
        outcome
    }
}

/// Sounds.
impl Driver {
    fn play(
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

    fn music(&mut self, ear: Ear, class: Option<&str>) -> Done {
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
    fn music_in_mix(&mut self, mix: Mix, target: Target, music: Option<MusicClass>) -> Done {
        let Some(room) = self.mixes.get_mut(&mix) else { return Done::Yes };
        if let Some(before) = room.music.take() {
            // It may be over by now.
            let _ = self.media.control(before, PlaybackControl::Stop);
        }
        let files = music.map(|class| class.files()).transpose();
        let items = match files {
            Ok(files) => files.into_iter().flatten().map(Item::File).collect::<Vec<_>>(),
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
    fn file_of(&self, name: &str) -> Option<PathBuf> {
        let path = Path::new(name);
        let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
        (stays && !name.is_empty()).then(|| self.settings.recordings.join(path))
    }
}

/// Recordings.
impl Driver {
    fn record(
        &mut self,
        record: Record,
        ear: Ear,
        how: &RecordHow,
        tell: &mut dyn FnMut(MediaEvent),
    ) {
        let settings = match self.record_settings(ear, how) {
            Ok(settings) => settings,
            Err(reason) => return tell(failed(record, reason)),
        };
        let target = match self.target(ear) {
            Some(Target::Leg(leg)) => RecordTarget::from(leg),
            Some(Target::Bridge(bridge)) => RecordTarget::from(bridge),
            None => return tell(failed(record, "there is nothing to record any more".into())),
        };
        self.records.insert(record, Taped::Beginning(Vec::new()));
        let (media, recorder, topic) =
            (self.media.clone(), self.recorder.clone(), self.topic.clone());
        let filed = self.filed.clone();
        self.files.run(Box::new(move || {
            let folder = settings.path.parent().map_or(Ok(()), std::fs::create_dir_all);
            let begin = || recorder.record(&media, target, settings.clone(), &topic);
            let is_busy =
                |error: &RecordError| matches!(error, RecordError::Control(ControlError::Busy));
            let begun = match folder {
                Ok(()) => insist(begin, is_busy).map_err(|error| error.to_string()),
                Err(error) => Err(format!("the folder of recordings cannot be made: {error}")),
            };
            if let Ok(mut filed) = filed.lock() {
                filed.push((record, begun));
            }
            topic.publish(Wake);
        }));
    }

    fn record_settings(&self, ear: Ear, how: &RecordHow) -> Result<RecordSettings, String> {
        let path = self.file_of(&how.name).ok_or_else(|| {
            format!(
                "{:?} leads out of the folder of recordings: leave .. and / at its begin out",
                how.name
            )
        })?;
        let (format, rate) = match how.format.as_str() {
            "wav" | "" => (WavFormat::Pcm16, Some(SampleRate::Hz8000)),
            "wav16" | "sln16" => (WavFormat::Pcm16, Some(SampleRate::Hz16000)),
            "wav48" => (WavFormat::Pcm16, Some(SampleRate::Hz48000)),
            "ulaw" | "mulaw" | "pcm" => (WavFormat::Ulaw, None),
            "alaw" => (WavFormat::Alaw, None),
            other => {
                return Err(format!(
                    "{other:?} is no format of recordings: use wav, wav16, wav48, ulaw or alaw"
                ));
            }
        };
        let mut path = path.into_os_string();
        path.push(".wav");
        Ok(RecordSettings {
            format,
            rate,
            if_exists: match how.if_exists {
                IfExists::Fail => EngineIfExists::Fail,
                IfExists::Overwrite => EngineIfExists::Overwrite,
                IfExists::Append => EngineIfExists::Append,
            },
            max_duration: how.max_duration,
            max_silence: how.max_silence,
            // Of a bridge the model looks at the keys of those who are in it.
            keys: match (ear, how.end_key) {
                (Ear::Mix(_), _) | (_, EndKey::None) => Keys::None,
                (_, EndKey::Any) => Keys::Any,
                (_, EndKey::Digit(digit)) => Keys::Digit(digit),
            },
            beep: how.beep,
            ..RecordSettings::to(PathBuf::from(path))
        })
    }

    fn control_record(&mut self, record: Record, control: RecordControl) {
        match self.records.get_mut(&record) {
            Some(Taped::Beginning(later)) => later.push(control),
            Some(Taped::Begun(recording)) => order_recording(recording, control),
            None => {}
        }
    }

    /// Takes in what was begun elsewhere.
    fn take_filed(&mut self, tell: &mut dyn FnMut(MediaEvent)) {
        let filed = self.filed.lock().map(|mut filed| std::mem::take(&mut *filed));
        for (record, begun) in filed.unwrap_or_default() {
            match begun {
                Ok(recording) => {
                    let later = self.records.remove(&record);
                    if let Some(Taped::Beginning(later)) = later {
                        later.into_iter().for_each(|control| order_recording(&recording, control));
                    }
                    self.recordings.insert(recording.id(), record);
                    self.records.insert(record, Taped::Begun(recording));
                }
                Err(reason) => {
                    self.records.remove(&record);
                    tell(failed(record, reason));
                }
            }
        }
        for changed in std::mem::take(&mut self.early) {
            self.recording_changed(changed, tell);
        }
    }

    fn recording_changed(&mut self, changed: RecordingChanged, tell: &mut dyn FnMut(MediaEvent)) {
        let Some(&record) = self.recordings.get(&changed.recording) else {
            return self.early.push(changed);
        };
        let (state, ended_by, reason) = match changed.state {
            RecordState::Queued => (RecordingState::Queued, None, None),
            RecordState::Recording => (RecordingState::Recording, None, None),
            RecordState::Paused => (RecordingState::Paused, None, None),
            RecordState::Canceled => (RecordingState::Canceled, None, None),
            RecordState::Failed(reason) => (RecordingState::Failed, None, Some(reason)),
            RecordState::Done(end) => {
                let by = match end {
                    RecordEnd::Stopped => None,
                    RecordEnd::MaxDuration => Some(EndedBy::Time),
                    RecordEnd::MaxSilence => Some(EndedBy::Silence),
                    RecordEnd::Key(digit) => Some(EndedBy::Key(digit)),
                    RecordEnd::Gone => Some(EndedBy::Gone),
                };
                (RecordingState::Done, by, None)
            }
        };
        let is_over = matches!(
            state,
            RecordingState::Done | RecordingState::Failed | RecordingState::Canceled
        );
        if is_over {
            self.recordings.remove(&changed.recording);
            self.records.remove(&record);
        }
        let (duration, talking) = (changed.figures.duration, changed.figures.talking);
        tell(MediaEvent::Recorded { record, state, duration, talking, ended_by, reason });
    }
}

/// What the engine tells.
impl Driver {
    /// Turns something that the engine has told into events.
    fn take(&mut self, delivery: &Delivery, tell: &mut dyn FnMut(MediaEvent)) {
        self.take_filed(tell);
        if let Some(event) = self.event_of(delivery) {
            return tell(event);
        }
        if let Some(changed) = delivery.downcast_ref::<PlaybackChanged>() {
            return self.playback_changed(changed, tell);
        }
        if let Some(changed) = delivery.downcast_ref::<RecordingChanged>() {
            return self.recording_changed(changed.clone(), tell);
        }
        if let Some(failed) = delivery.downcast_ref::<PlaybackFailed>() {
            tracing::warn!(reason = %failed.reason, "a sound cannot be had");
        }
    }

    fn event_of(&mut self, delivery: &Delivery) -> Option<MediaEvent> {
        let line = |leg: LegId| self.legs.get(&leg).copied();
        if let Some(began) = delivery.downcast_ref::<DtmfBegan>() {
            return Some(MediaEvent::DigitBegan(line(began.leg)?, began.digit));
        }
        if let Some(&DtmfReceived { leg, digit, source, duration_ms }) = delivery.downcast_ref() {
            let silent = source == DtmfSource::TelephoneEvent;
            return Some(MediaEvent::Digit { line: line(leg)?, digit, duration_ms, silent });
        }
        if let Some(started) = delivery.downcast_ref::<TalkingStarted>() {
            return Some(MediaEvent::TalkingStarted(line(started.leg)?));
        }
        if let Some(stopped) = delivery.downcast_ref::<TalkingStopped>() {
            return Some(MediaEvent::TalkingStopped(line(stopped.leg)?, stopped.duration_ms));
        }
        if let Some(detected) = delivery.downcast_ref::<ToneDetected>() {
            return Some(MediaEvent::Tone(line(detected.leg)?, detected.tone.to_string()));
        }
        if let Some(&RtpReceived { leg, stats }) = delivery.downcast_ref() {
            let line = line(leg)?;
            let figures = self.figures.entry(line).or_default();
            (figures.received, figures.lost) = (stats.packets, stats.lost);
            figures.jitter_s = f64::from(stats.jitter_ms) / 1_000.0;
            return Some(MediaEvent::Figures(line, *figures));
        }
        if let Some(&RtpSent { leg, stats }) = delivery.downcast_ref() {
            let line = line(leg)?;
            let figures = self.figures.entry(line).or_default();
            (figures.sent, figures.sent_octets) = (stats.packets, stats.bytes);
            return Some(MediaEvent::Figures(line, *figures));
        }
        None
    }

    fn playback_changed(&mut self, changed: &PlaybackChanged, tell: &mut dyn FnMut(MediaEvent)) {
        let Some(&play) = self.playbacks.get(&changed.playback) else { return };
        let state = match changed.state {
            EngineState::Queued => PlaybackState::Queued,
            EngineState::Playing => PlaybackState::Playing,
            EngineState::Paused => PlaybackState::Paused,
            EngineState::Continuing { .. } => return,
            EngineState::Done | EngineState::Stopped => PlaybackState::Done,
            EngineState::Failed => PlaybackState::Failed,
        };
        if changed.state.is_final() {
            self.playbacks.remove(&changed.playback);
            self.plays.remove(&play);
        }
        tell(MediaEvent::Played(play, state));
    }
}

fn order_recording(recording: &Recording, control: RecordControl) {
    match control {
        RecordControl::Pause(true) => recording.pause(),
        RecordControl::Pause(false) => recording.resume(),
        RecordControl::Mute(true) => recording.mute(),
        RecordControl::Mute(false) => recording.unmute(),
        RecordControl::Stop => recording.stop(),
        RecordControl::Discard => recording.discard(),
    }
}

/// Lines could not be opened: they are told to have failed, or wait for room.
fn refused(lines: &[Line], error: ControlError, tell: &mut dyn FnMut(MediaEvent)) -> Done {
    if let ControlError::Busy = error {
        return Done::Busy;
    }
    lines.iter().for_each(|line| tell(MediaEvent::Failed(*line, error.to_string())));
    Done::Yes
}

/// Tries until the engine has room: there is more after each of its ticks.
fn insist<T, E>(
    mut begin: impl FnMut() -> Result<T, E>,
    is_busy: impl Fn(&E) -> bool,
) -> Result<T, E> {
    let mut outcome = begin();
    for _ in 0..MOST_TRIES {
        if !outcome.as_ref().is_err_and(&is_busy) {
            break;
        }
        std::thread::sleep(PERIOD);
        outcome = begin();
    }
    outcome
}

/// A recording could not be begun.
fn failed(record: Record, reason: String) -> MediaEvent {
    let (duration, talking) = Default::default();
    let state = RecordingState::Failed;
    MediaEvent::Recorded { record, state, duration, talking, ended_by: None, reason: Some(reason) }
}

/// Codecs by the names that clients use, as payload types.
fn payloads(formats: &[String]) -> Result<Payloads, String> {
    let codec = |name: &String| match name.as_str() {
        "ulaw" => Ok(Codec::PCMU),
        "alaw" => Ok(Codec::PCMA),
        "g722" => Ok(Codec::G722),
        "slin" => l16(8_000),
        "slin16" => l16(16_000),
        "slin48" => l16(48_000),
        #[allow(clippy::unreadable_literal)]
        "opus" => {
            Codec::from_rtpmap("opus", 48_000).ok_or_else(|| "this was built without Opus".into())
        }
        other => Err(format!(
            "{other:?} is no codec: use ulaw, alaw, g722, slin, slin16, slin48 or opus"
        )),
    };
    let codecs = match formats {
        [] => vec![Codec::PCMU, Codec::PCMA],
        formats => formats.iter().map(codec).collect::<Result<Vec<_>, String>>()?,
    };
    let payloads = Payloads::of(&codecs).map_err(|error| error.to_string())?;
    // A table that has no place for keys goes without.
    Ok(payloads.with_events(101, 8_000).unwrap_or(payloads))
}

fn l16(clock_hz: u32) -> Result<Codec, String> {
    Codec::from_rtpmap("L16", clock_hz).ok_or_else(|| format!("there is no L16 at {clock_hz} Hz"))
}
