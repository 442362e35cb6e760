//! The driver: carries out the orders of an exchange on the media engine, and says what has come of them.
//!
//! It knows which number of the model is which leg, bridge, playback and recording of the engine. All legs
//! publish to one topic, `control:media`, which [`subscribe`](Driver::subscribe) listens to.
//!
//! `lines`, `sounds` and `recordings` carry orders out; `telling` is what the engine tells.

mod lines;
mod recordings;
mod sounds;
mod telling;

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use stasis_bus::{Bus, BusEnded, Delivery, Overflow, PullSubscription, Topic};
use stasis_media::event::{
    DtmfBegan, DtmfReceived, PlaybackChanged, RtpReceived, RtpSent, RtpSources, TalkingStarted,
    TalkingStopped, ToneDetected,
};
use stasis_media::frame::SampleRate;
use stasis_media::io::{
    ControlError, Media, MusicClass, PlayOptions, PlaybackFailed, Prompts, Recorder, Recording,
    RecordingChanged,
};
use stasis_media::schedule::PERIOD;
use stasis_media::wav::Repeat;
use stasis_media::{BridgeId, LegId, PlaybackId, RecordingId, Target};

use super::files::Files;
use crate::exchange::Exchange;
use crate::media::{
    Ear, Line, MediaEvent, MediaOrder, Mix, Play, Record, RecordControl, RtpFigures,
};

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
            .accept::<RtpSources>()
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
