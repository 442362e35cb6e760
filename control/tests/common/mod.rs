//! An exchange with a real media engine, on virtual time: nothing here has a thread or a clock, so an hour
//! of calls takes seconds, and is the same each time.
#![allow(dead_code, unused_imports)] // each test uses a part of it

mod app;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use app::*;

use stasis_bus::{Bus, Delivery, PullSubscription, Stamp, Topic};
use stasis_control::application::Source;
use stasis_control::dialplan::Dialplan;
use stasis_control::id::AppName;
use stasis_control::io::{Driver, DriverSettings};
use stasis_control::message::*;
use stasis_control::tech::PhoneSettings;
use stasis_control::time::{Epoch, Timestamp};
use stasis_control::{Census, Exchange, Registration, Settings};
use stasis_media::frame::SampleRate;
use stasis_media::io::{
    Media, MediaSettings, MusicClass, MusicOrder, MusicSource, PromptSettings, Prompts, Recorder,
    RecorderTicker, Ticker,
};
use stasis_media::wav::{Pcm, WavFormat, WavWriter};

pub const RATE: SampleRate = SampleRate::Hz8000;

/// Sounds that there are, each a tone of its own: name, frequency, milliseconds.
pub const SOUNDS: [(&str, f64, usize); 15] = [
    ("hello-world", 350.0, 1_000),
    ("goodbye", 400.0, 600),
    ("beep", 1_000.0, 200),
    ("long", 450.0, 8_000),
    ("menu", 500.0, 400),
    ("digits/1", 550.0, 250),
    ("digits/2", 600.0, 250),
    ("digits/0", 610.0, 250),
    ("digits/3", 620.0, 250),
    ("digits/40", 630.0, 250),
    ("letters/a", 640.0, 250),
    ("letters/b", 650.0, 250),
    ("tt-monkeys", 660.0, 3_000),
    ("vm-intro", 670.0, 1_000),
    ("vm-goodbye", 680.0, 500),
];

/// The dialplan that the recorded scenarios need.
pub const GOLDEN: &str = include_str!("golden.conf");

pub struct Stage {
    pub exchange: Exchange,
    pub folder: PathBuf,
    pub bus: Bus,
    media: Arc<Media>,
    driver: Driver,
    events: PullSubscription,
    ticker: Ticker,
    recorder: RecorderTicker,
    ticks: u64,
}

/// Somebody who listens to an application.
pub struct Listener {
    pub registration: Registration,
    events: PullSubscription,
}

impl Stage {
    /// With the golden dialplan.
    pub fn new() -> Self {
        Stage::with(GOLDEN, BTreeMap::new())
    }

    pub fn with(dialplan: &str, phones: BTreeMap<String, PhoneSettings>) -> Self {
        let dialplan = Dialplan::parse_conf(dialplan).expect("the dialplan is right");
        let folder = folder();
        write_sounds(&folder);
        let bus = Bus::new(stasis_bus::Settings { workers: 1, ..Default::default() }).unwrap();
        let settings = MediaSettings { legs: 512, bridges: 128, ..MediaSettings::default() };
        let (media, ticker) = Media::by_hand(&bus, settings);
        let media = Arc::new(media);
        let (recorder, work) = Recorder::by_hand();
        let directories = vec![folder.join("sounds")];
        let prompts = Prompts::by_hand(PromptSettings { directories, ..Default::default() });
        let class = MusicClass {
            source: MusicSource::Directory(folder.join("music")),
            order: MusicOrder::Sorted,
        };
        let settings = DriverSettings {
            pair_rate: RATE,
            recordings: folder.join("recordings"),
            music: BTreeMap::from([("default".to_owned(), class)]),
            ..DriverSettings::default()
        };
        let driver = Driver::by_hand(&bus, media.clone(), recorder, prompts, settings);
        let events = driver.subscribe().unwrap();
        let settings =
            Settings { phones, channel_variables: vec!["GOLDVAR".into()], ..Settings::default() };
        let epoch = Epoch::at(Timestamp::from_micros(1_700_000_000_000_000));
        let exchange = Exchange::new(&bus, settings, dialplan, epoch).unwrap();
        Stage { exchange, folder, bus, media, driver, events, ticker, recorder: work, ticks: 0 }
    }

    /// Somebody listens to an application.
    pub fn listen(&mut self, app: &str) -> Listener {
        let subscribe = |topic: &Topic| topic.subscribe().capacity(1 << 14).pull().unwrap();
        let (registration, events) = self.exchange.register(&name(app), subscribe);
        Listener { registration, events }
    }

    /// Somebody listens to everything.
    pub fn listen_to_all(&mut self, app: &str) -> Listener {
        let listener = self.listen(app);
        let all = ["channel:", "bridge:", "endpoint:", "deviceState:"];
        let all: Vec<Source> = all.iter().map(|source| source.parse().unwrap()).collect();
        self.exchange.subscribe(app, &all).unwrap();
        listener
    }

    /// Time passes: so many milliseconds, in whole ticks.
    pub fn run(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(20) {
            self.tick();
        }
    }

    fn tick(&mut self) {
        self.driver.serve(&mut self.exchange);
        let now = self.ticker.tick();
        self.ticks += 1;
        if self.ticks.is_multiple_of(5) {
            self.recorder.work();
        }
        self.exchange.advance(now);
        self.driver.serve(&mut self.exchange);
        self.hand_over();
    }

    /// What the engine has told so far reaches the exchange.
    pub fn hand_over(&mut self) {
        while let Ok(delivery) = self.events.try_recv() {
            self.driver.hand_over(&delivery, &mut self.exchange);
        }
    }

    pub fn now(&self) -> Stamp {
        self.ticker.now()
    }

    /// Hangs up whatever is left, and says what there is after that: it is to be nothing.
    pub fn close(mut self) -> Leftover {
        self.clear();
        let census = self.goes_on();
        let (kept, away) = (self.driver.kept(), self.media.reap());
        let _ = std::fs::remove_dir_all(&self.folder);
        Leftover { census, kept, away }
    }

    /// What there is of what ends: timers that nobody needs any more run out, and applications stay as long
    /// as somebody listens.
    pub fn goes_on(&self) -> Census {
        Census { timers: 0, applications: 0, ..self.exchange.census() }
    }

    /// Hangs up whatever is left.
    pub fn clear(&mut self) {
        for channel in self.exchange.state().channels() {
            let _ = self.exchange.hangup(channel.id(), stasis_control::cause::Cause::NORMAL);
        }
        for bridge in self.exchange.state().bridges() {
            let _ = self.exchange.destroy_bridge(&bridge.id);
        }
        self.run(1_000);
    }

    /// The samples of a recording.
    pub fn recording(&self, name: &str) -> Pcm {
        let path = self.folder.join("recordings").join(format!("{name}.wav"));
        Pcm::load(&path, RATE).expect("there is such a recording")
    }

    /// Whether there is a recording of this name.
    pub fn has_recording(&self, name: &str) -> bool {
        self.folder.join("recordings").join(format!("{name}.wav")).exists()
    }
}

/// What is left when everything was hung up.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leftover {
    pub census: Census,
    pub kept: usize,
    pub away: usize,
}

impl Listener {
    /// What has come since the last look, as lines: `StasisStart g-a`, `ChannelStateChange g-a Up`.
    pub fn told(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Ok(delivery) = self.events.try_recv() {
            told.extend(lines(&delivery));
        }
        told
    }

    /// What has come about one channel or bridge.
    pub fn told_of(&mut self, id: &str) -> Vec<String> {
        self.told().into_iter().filter_map(|line| about(&line, id)).collect()
    }

    /// Everything that has come, untouched.
    pub fn deliveries(&mut self) -> Vec<Delivery> {
        std::iter::from_fn(|| self.events.try_recv().ok()).collect()
    }
}

/// A line without the id that it is about; none when it is about another.
pub fn about(line: &str, id: &str) -> Option<String> {
    let mut words = line.split(' ');
    let event = words.next()?;
    (words.next()? == id).then(|| {
        let rest: Vec<_> = words.collect();
        std::iter::once(event).chain(rest).collect::<Vec<_>>().join(" ")
    })
}

/// What a message is to those who listen, as lines: the event, whose it is, and what there is to know.
pub fn lines(delivery: &Delivery) -> Vec<String> {
    if let Some(update) = delivery.downcast_ref::<stasis_control::channel::ChannelUpdate>() {
        return channel_lines(update);
    }
    if let Some(ChannelEvent { channel, event, .. }) = delivery.downcast_ref() {
        let id = channel.id();
        let line = match event {
            ChannelHappening::HangupRequest { cause, soft, .. } => {
                format!("ChannelHangupRequest {id} {cause}{}", if *soft { " soft" } else { "" })
            }
            ChannelHappening::DtmfEnd { digit, duration_ms } => {
                format!("ChannelDtmfReceived {id} {digit} {duration_ms}")
            }
            ChannelHappening::TalkingStarted => format!("ChannelTalkingStarted {id}"),
            ChannelHappening::TalkingFinished { .. } => format!("ChannelTalkingFinished {id}"),
            ChannelHappening::Hold { .. } => format!("ChannelHold {id}"),
            ChannelHappening::Unhold => format!("ChannelUnhold {id}"),
            _ => return Vec::new(),
        };
        return vec![line];
    }
    if let Some(VariableSet { channel, variable, value, .. }) = delivery.downcast_ref() {
        let id = channel.as_ref().map_or("-", |channel| channel.id());
        return vec![format!("ChannelVarset {id} {variable}={value}")];
    }
    if let Some(Dial { peer, status, .. }) = delivery.downcast_ref() {
        return vec![format!("Dial {} {}", peer.id(), status.name()).trim_end().to_owned()];
    }
    if let Some(BridgeEvent { bridge, event, .. }) = delivery.downcast_ref() {
        let line = match event {
            BridgeHappening::Entered { channel } => {
                format!("ChannelEnteredBridge {} {}", channel.id(), bridge.id)
            }
            BridgeHappening::Left { channel } => {
                format!("ChannelLeftBridge {} {}", channel.id(), bridge.id)
            }
            BridgeHappening::Merged { from } => format!("BridgeMerged {} {}", bridge.id, from.id),
            BridgeHappening::BlindTransfer(event) => {
                format!("BridgeBlindTransfer {} {:?}", event.channel.id(), event.result)
            }
            BridgeHappening::AttendedTransfer(event) => {
                format!("BridgeAttendedTransfer {} {:?}", event.first_leg.id(), event.result)
            }
            BridgeHappening::VariableSet { .. } => return Vec::new(),
        };
        return vec![line];
    }
    if let Some(update) = delivery.downcast_ref::<stasis_control::bridge::BridgeUpdate>() {
        let id = &update.new.id;
        return match (&update.old, update.is_gone) {
            (None, _) => vec![format!("BridgeCreated {id}")],
            (_, true) => vec![format!("BridgeDestroyed {id}")],
            _ => Vec::new(),
        };
    }
    if let Some(ApplicationEvent { event, .. }) = delivery.downcast_ref() {
        let line = match event {
            ApplicationHappening::StasisStart { channel, args, .. } => {
                format!("StasisStart {} {}", channel.id(), args.join(","))
            }
            ApplicationHappening::StasisEnd { channel } => format!("StasisEnd {}", channel.id()),
            ApplicationHappening::MoveFailed { channel, destination, .. } => {
                format!("ApplicationMoveFailed {} {destination}", channel.id())
            }
            ApplicationHappening::Replaced => "ApplicationReplaced".into(),
            ApplicationHappening::CallBroadcast { channel, called, .. } => {
                format!("CallBroadcast {} {called}", channel.id())
            }
            ApplicationHappening::CallClaimed { channel, winner } => {
                format!("CallClaimed {} {winner}", channel.id())
            }
            _ => return Vec::new(),
        };
        return vec![line.trim_end().to_owned()];
    }
    if let Some(PlaybackEvent { playback, .. }) = delivery.downcast_ref() {
        use stasis_control::playback::PlaybackState::*;
        let event = match playback.state {
            Playing => "PlaybackStarted",
            Continuing => "PlaybackContinuing",
            Done | Failed => "PlaybackFinished",
            Queued | Paused => return Vec::new(),
        };
        let failed = if playback.state == Failed { " failed" } else { "" };
        return vec![format!("{event} {} {}{failed}", playback.id, playback.media_uri)];
    }
    if let Some(RecordingEvent { recording, .. }) = delivery.downcast_ref() {
        use stasis_control::recording::RecordingState::*;
        let event = match recording.state {
            Recording => "RecordingStarted",
            Done | Canceled => "RecordingFinished",
            Failed => "RecordingFailed",
            Queued | Paused => return Vec::new(),
        };
        return vec![format!("{event} {}", recording.name)];
    }
    if let Some(DeviceUpdate { name, state }) = delivery.downcast_ref() {
        return vec![format!("DeviceStateChanged {name} {}", state.name())];
    }
    if let Some(UserEvent { name, .. }) = delivery.downcast_ref() {
        return vec![format!("ChannelUserevent {name}")];
    }
    Vec::new()
}

fn channel_lines(update: &stasis_control::channel::ChannelUpdate) -> Vec<String> {
    let (id, new) = (update.new.id(), &update.new);
    if update.is_gone {
        return vec![format!("ChannelDestroyed {id} {}", new.hangup.cause.0)];
    }
    let Some(old) = &update.old else {
        return vec![format!("ChannelCreated {id} {}", new.state)];
    };
    let mut told = Vec::new();
    if old.state != new.state {
        told.push(format!("ChannelStateChange {id} {}", new.state));
    }
    let position = &new.dialplan;
    if !position.app_name.is_empty() && !old.dialplan.is_same_step(position) {
        told.push(format!("ChannelDialplan {id} {}({})", position.app_name, position.app_data));
    }
    if old.caller.id != new.caller.id {
        told.push(format!("ChannelCallerId {id} {}", new.caller.id));
    }
    if old.connected != new.connected {
        told.push(format!("ChannelConnectedLine {id} {}", new.connected));
    }
    told
}

pub fn name(app: &str) -> AppName {
    AppName::new(app).unwrap()
}

fn folder() -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
    static LAST: AtomicU32 = AtomicU32::new(0);
    let number = LAST.fetch_add(1, Relaxed);
    std::env::temp_dir().join(format!("stasis-control-{}-{number}", std::process::id()))
}

fn write_sounds(folder: &Path) {
    for (name, hz, ms) in SOUNDS {
        write_tone(&folder.join("sounds/en").join(format!("{name}.wav")), hz, ms);
    }
    write_tone(&folder.join("music/tune.wav"), 700.0, 2_000);
}

fn write_tone(path: &Path, hz: f64, ms: usize) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut writer = WavWriter::create(path, WavFormat::Pcm16, RATE).unwrap();
    writer.write(&tone(hz, ms)).unwrap();
    writer.finish().unwrap();
}

/// A tone, at the rate of the sounds.
pub fn tone(hz: f64, ms: usize) -> Vec<i16> {
    let turn = std::f64::consts::TAU * hz / f64::from(RATE.hz());
    (0..ms * 8).map(|n| ((n as f64 * turn).sin() * 8_000.0) as i16).collect()
}

/// How loud a frequency is in some sound: the amplitude of its sine.
pub fn level(samples: &[i16], hz: f64) -> f64 {
    let turn = std::f64::consts::TAU * hz / f64::from(RATE.hz());
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let (sin, cos) = (n as f64 * turn).sin_cos();
        re += f64::from(*sample) * cos;
        im += f64::from(*sample) * sin;
    }
    2.0 * (re * re + im * im).sqrt() / samples.len().max(1) as f64
}

/// Seconds and milliseconds, shorter.
pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
