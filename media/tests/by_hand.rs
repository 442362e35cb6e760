//! The real engine, recorder and prompts by hand: no threads, no clock, and the same bytes each time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stasis_bus::{Bus, PullSubscription, Settings, Stamp, Topic};
use stasis_media::LegId;
use stasis_media::bridge::TapDirection;
use stasis_media::event::{Joined, PlaybackChanged, PlaybackState};
use stasis_media::frame::SampleRate;
use stasis_media::io::{
    Counters, Media, MediaSettings, MusicClass, MusicOrder, MusicSource, PlayOptions,
    PlaybackFailed, PromptSettings, Prompts, RecordEnd, RecordError, RecordSettings, RecordState,
    RecordTarget, Recorder, RecorderTicker, Recording, RecordingChanged, Ticker,
};
use stasis_media::schedule::PERIOD;
use stasis_media::sound::{Item, Paths};
use stasis_media::wav::{Pcm, WavFormat, WavWriter};

const RATE: SampleRate = SampleRate::Hz8000;
const TICK: usize = 160;

/// A phone: its far leg is played to, its near leg says that.
struct Stage {
    folder: PathBuf,
    topic: Topic,
    events: PullSubscription,
    media: Arc<Media>,
    ticker: Ticker,
    recorder: Recorder,
    work: RecorderTicker,
    prompts: Prompts,
    near: LegId,
    far: LegId,
    _bus: Bus,
}

impl Stage {
    fn open(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("stasis-hand-{}-{name}", std::process::id()));
        fs::create_dir_all(folder.join("en")).unwrap();
        let bus = Bus::new(Settings::default()).unwrap();
        let topic = bus.topic("stage");
        let events = topic.subscribe().capacity(1 << 12).pull().unwrap();
        let settings = MediaSettings { threads: 2, ..Default::default() };
        let (media, ticker) = Media::by_hand(&bus, settings);
        let (recorder, work) = Recorder::by_hand();
        let directories = vec![folder.clone()];
        let prompts = Prompts::by_hand(PromptSettings { directories, ..Default::default() });
        let [near, far] = media.pair(RATE, [&topic, &topic]).unwrap();
        let media = Arc::new(media);
        let _bus = bus;
        Stage { folder, topic, events, media, ticker, recorder, work, prompts, near, far, _bus }
    }

    /// A second in which nothing is told.
    fn second(&mut self) {
        for _ in 0..10 {
            for _ in 0..5 {
                self.ticker.tick();
            }
            self.work.work();
        }
    }

    fn play(&self, item: &str) {
        let items = vec![Item::parse(item, Paths::Allowed).unwrap()];
        let options = PlayOptions::default();
        self.prompts.play(&self.media, self.far, items, options, &self.topic).unwrap();
    }

    fn record(&self, settings: RecordSettings) -> Recording {
        let target = RecordTarget::Leg(self.near, TapDirection::In);
        self.recorder.record(&self.media, target, settings, &self.topic).unwrap()
    }

    fn told<T: Clone + 'static>(&mut self) -> Vec<T> {
        let events = std::iter::from_fn(|| self.events.try_recv().ok());
        events.filter_map(|event| event.downcast_ref().cloned()).collect()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A sound in which no two samples in a row are the same.
fn sound(ticks: usize) -> Vec<i16> {
    (0..ticks * TICK).map(|n| (n * 7_919 % 20_011) as i16 - 10_005).collect()
}

fn write(path: &Path, samples: &[i16]) {
    let mut file = WavWriter::create(path, WavFormat::Pcm16, RATE).unwrap();
    file.write(samples).unwrap();
    file.finish().unwrap();
}

/// Two seconds of what a phone says that is played a prompt: the file's bytes.
fn phone(name: &str) -> Vec<u8> {
    let mut stage = Stage::open(name);
    write(&stage.folder.join("en/hello.wav"), &sound(70));
    let path = stage.folder.join("said.wav");
    let recording = stage.record(RecordSettings::to(&path));
    stage.play("sound:hello");
    stage.second();
    stage.second();
    recording.stop();
    stage.work.work();
    assert_eq!(recording.wait().unwrap().duration.as_secs(), 2);
    let states: Vec<_> = stage.told::<PlaybackChanged>().iter().map(|told| told.state).collect();
    assert_eq!(states, [PlaybackState::Playing, PlaybackState::Done]);
    assert_eq!(stage.ticker.now(), Stamp::from_ms(2_000));
    let said = Pcm::load(&path, RATE).unwrap();
    let begin = said.samples().iter().position(|sample| *sample != 0).unwrap();
    assert_eq!(begin % TICK, 0);
    assert_eq!(said.samples()[begin..][..70 * TICK], sound(70), "every sample, as it is");
    assert!(said.samples()[begin + 70 * TICK..].iter().all(|sample| *sample == 0));
    fs::read(&path).unwrap()
}

#[test]
fn a_prompt_that_is_played_to_a_phone_is_recorded_sample_by_sample_and_the_same_each_time() {
    assert!(phone("first") == phone("second"));
}

#[test]
fn virtual_time_goes_on_by_a_tick_and_no_tick_is_ever_late() {
    let mut stage = Stage::open("time");
    assert_eq!(stage.ticker.now(), Stamp::ZERO);
    for n in 1..=1_000 {
        assert_eq!(stage.ticker.tick(), Stamp::ZERO + PERIOD * n);
    }
    let expected = Counters { ticks: 2_000, ..Default::default() };
    assert_eq!(stage.media.counters(), expected);
    assert_eq!(stage.media.lateness().max_us(), 0);
}

#[test]
fn an_order_takes_effect_with_the_next_tick_and_events_carry_virtual_time() {
    let mut stage = Stage::open("orders");
    let room = stage.media.add_bridge(RATE, &stage.topic).unwrap();
    stage.second();
    stage.media.join(stage.near, room).unwrap();
    assert_eq!(stage.told::<Joined>(), []);
    // The room is on the other thread.
    for _ in 0..2 {
        stage.ticker.tick();
    }
    assert_eq!(stage.told::<Joined>(), [Joined { leg: stage.near, bridge: room }]);
}

#[test]
fn what_comes_back_is_dropped_by_the_ticker_alone() {
    let mut stage = Stage::open("keeper");
    stage.media.remove_leg(stage.far).unwrap();
    stage.second();
    stage.media.clear();
    stage.ticker.tick();
    assert_eq!(stage.media.reap(), 0);
}

#[test]
fn a_recording_ends_by_itself_begins_behind_its_beep_and_can_be_told_what_to_do() {
    let mut stage = Stage::open("policies");
    let path = |name: &str| stage.folder.join(name);
    let paths = [path("long.wav"), path("beep.wav"), path("gone.wav")];
    let most = std::time::Duration::from_secs(1);
    let long =
        stage.record(RecordSettings { max_duration: Some(most), ..RecordSettings::to(&paths[0]) });
    let beep = stage.record(RecordSettings { beep: true, ..RecordSettings::to(&paths[1]) });
    let gone = stage.record(RecordSettings::to(&paths[2]));
    stage.second();
    gone.discard();
    stage.second();
    assert_eq!(long.wait().unwrap().duration, most);
    assert!(matches!(gone.wait(), Ok(_) | Err(RecordError::Failed(_))));
    assert!(!paths[2].exists());
    let states: Vec<_> =
        stage.told::<RecordingChanged>().into_iter().map(|told| told.state).collect();
    assert!(states.contains(&RecordState::Queued));
    assert!(states.contains(&RecordState::Done(RecordEnd::MaxDuration)));
    assert!(states.contains(&RecordState::Canceled));
    // The recorder is gone: what still runs is stopped.
    let (other, _) = Recorder::by_hand();
    drop(std::mem::replace(&mut stage.recorder, other));
    stage.work.work();
    let figures = beep.wait().unwrap();
    assert!(figures.duration > most && figures.duration < 2 * most, "{figures:?}");
}

#[test]
fn recordings_are_completed_when_the_one_who_does_the_work_goes() {
    let mut stage = Stage::open("drop");
    let path = stage.folder.join("said.wav");
    let recording = stage.record(RecordSettings::to(&path));
    stage.second();
    let (_, other) = Recorder::by_hand();
    drop(std::mem::replace(&mut stage.work, other));
    assert_eq!(recording.wait().unwrap().duration.as_secs(), 1);
    assert_eq!(Pcm::load(&path, RATE).unwrap().samples().len(), 8_000);
    assert!(matches!(
        stage.recorder.record(
            &stage.media,
            RecordTarget::Leg(stage.near, TapDirection::In),
            RecordSettings::to(stage.folder.join("late.wav")),
            &stage.topic
        ),
        Err(RecordError::Ended)
    ));
}

#[test]
fn what_cannot_be_played_is_told_before_play_returns_and_music_is_there_at_once() {
    let mut stage = Stage::open("music");
    stage.play("sound:missing");
    assert_eq!(stage.told::<PlaybackFailed>().len(), 1);
    let directory = stage.folder.join("moh");
    fs::create_dir_all(&directory).unwrap();
    write(&directory.join("a.wav"), &[500; 10 * TICK]);
    let class = MusicClass { source: MusicSource::Directory(directory), order: MusicOrder::Sorted };
    stage.prompts.music(&stage.media, stage.far, &class, &stage.topic).unwrap();
    let mut tap = stage.media.tap_leg(stage.near, TapDirection::In, RATE, 8).unwrap();
    stage.second();
    let mut said = vec![0; 50 * TICK];
    assert_eq!(tap.read(&mut said), 50 * TICK);
    assert!(said[5 * TICK..].iter().all(|sample| *sample == 500));
}
