//! Recordings on a real media thread, into real files: policies, endings, controls, formats, tracks,
//! and what a killed process leaves. Nothing here asserts a time; waiting has a generous end.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use stasis_bus::{Bus, PullSubscription, Settings, Topic};
use stasis_media::bridge::TapDirection;
use stasis_media::dtmf::Digit;
use stasis_media::event::{DtmfReceived, DtmfSource};
use stasis_media::frame::SampleRate;
use stasis_media::io::{
    IfExists, Keys, Media, MediaSettings, RecordEnd, RecordError, RecordSettings, RecordState,
    RecordTarget, Recorder, Recording, RecordingChanged, RecordingTrack, VirtualDevice,
};
use stasis_media::wav::{Pcm, Player, Repeat, WavError, WavFormat};
use stasis_media::{BridgeId, LegId};

const PATIENCE: Duration = Duration::from_secs(20);
const RATE: SampleRate = SampleRate::Hz8000;

struct Studio {
    folder: PathBuf,
    topic: Topic,
    events: PullSubscription,
    media: Arc<Media>,
    recorder: Recorder,
    bridge: BridgeId,
    devices: Vec<VirtualDevice>,
    bus: Bus,
}

impl Studio {
    fn open(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("stasis-rec-{}-{name}", std::process::id()));
        Studio::at(folder)
    }

    fn at(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let bus = Bus::new(Settings::default()).unwrap();
        let topic = bus.topic("studio");
        let events = topic.subscribe().capacity(1 << 14).pull().unwrap();
        let media = Arc::new(Media::start(&bus, MediaSettings::default()).unwrap());
        let recorder = Recorder::start().unwrap();
        let bridge = media.add_bridge(RATE, &topic).unwrap();
        Studio { folder, topic, events, media, recorder, bridge, devices: Vec::new(), bus }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Plays a tone to the bridge, over and over.
    fn sing(&self) {
        self.media.play(self.bridge, Player::new(tone(RATE, 500.0), Repeat::Forever)).unwrap();
    }

    /// A leg that says a tone over and over.
    fn add_singer(&mut self, hz: f64) -> LegId {
        let speaker = self.path(&format!("speaker-{hz}.wav"));
        let sound = tone(VirtualDevice::RATE, hz);
        let (edge, device) = VirtualDevice::start(self.bus.clock(), sound, &speaker).unwrap();
        self.devices.push(device);
        self.media.add_device_leg(edge, &self.topic).unwrap()
    }

    fn try_record(
        &self,
        what: impl Into<RecordTarget>,
        settings: RecordSettings,
    ) -> Result<Recording, RecordError> {
        self.recorder.record(&self.media, what, settings, &self.topic)
    }

    fn record(&self, what: impl Into<RecordTarget>, settings: RecordSettings) -> Recording {
        self.try_record(what, settings).expect("it begins")
    }

    fn next<T: Clone + 'static>(&mut self) -> T {
        loop {
            let delivery = self.events.recv_timeout(PATIENCE).expect("it is told in time");
            if let Some(event) = delivery.downcast_ref::<T>() {
                return event.clone();
            }
        }
    }

    /// How the next recording that ends has ended.
    fn end(&mut self) -> RecordingChanged {
        loop {
            let changed: RecordingChanged = self.next();
            if changed.state.is_end() {
                return changed;
            }
        }
    }

    /// Waits until a file has so many bytes.
    fn await_bytes(&self, path: &Path, bytes: u64) {
        for _ in 0..2_000 {
            if fs::metadata(path).is_ok_and(|data| data.len() >= bytes) {
                return;
            }
            std::thread::sleep(PATIENCE / 2_000);
        }
        panic!("{} does not grow", path.display());
    }

    fn settle(&self, objects: usize) {
        for _ in 0..1_000 {
            if self.media.reap() <= objects {
                return;
            }
            std::thread::sleep(PATIENCE / 1_000);
        }
        panic!("{} objects have not come back", self.media.reap() - objects);
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A second of a tone at half the full scale.
fn tone(rate: SampleRate, hz: f64) -> Pcm {
    let turn = std::f64::consts::TAU * hz / f64::from(rate.hz());
    let sample = |i: u32| (12_000.0 * (turn * f64::from(i)).sin()) as i16;
    Pcm::new(rate, (0..rate.hz()).map(sample).collect::<Vec<_>>())
}

/// The peak of a tone in the last whole half second (Goertzel).
fn peak(samples: &[i16], hz: f64) -> f64 {
    let last = &samples[samples.len() - 4_000..];
    let turn = std::f64::consts::TAU * hz / f64::from(RATE.hz());
    let (mut re, mut im) = (0.0, 0.0);
    for (i, &sample) in last.iter().enumerate() {
        re += f64::from(sample) * (turn * i as f64).cos();
        im += f64::from(sample) * (turn * i as f64).sin();
    }
    2.0 * re.hypot(im) / last.len() as f64
}

fn load(path: &Path) -> Pcm {
    Pcm::load(path, RATE).unwrap()
}

fn secs(seconds: f64) -> Option<Duration> {
    Some(Duration::from_secs_f64(seconds))
}

#[test]
fn a_recording_ends_by_itself_at_its_longest_to_the_sample_in_every_format() {
    let mut studio = Studio::open("longest");
    studio.sing();
    let before = studio.media.reap();
    for (format, tag) in [(WavFormat::Pcm16, 1), (WavFormat::Ulaw, 7), (WavFormat::Alaw, 6)] {
        let path = studio.path(&format!("{format}.wav"));
        let max_duration = secs(1.25);
        let settings = RecordSettings { format, max_duration, ..RecordSettings::to(&path) };
        let recording = studio.record(studio.bridge, settings);
        let began: RecordingChanged = studio.next();
        assert_eq!((began.recording, began.state), (recording.id(), RecordState::Recording));
        let end = studio.end();
        assert_eq!(end.state, RecordState::Done(RecordEnd::MaxDuration));
        let figures = recording.wait().unwrap();
        assert_eq!((figures, figures.samples), (end.figures, 10_000));
        assert_eq!(figures.duration, Duration::from_millis(1_250));
        assert_eq!(figures.talking + figures.silence, figures.duration);
        assert!(figures.talking > Duration::from_millis(1_100), "{figures:?}");
        let bytes = fs::read(&path).unwrap();
        assert_eq!(
            (bytes[20], bytes.len() as u64),
            (
                tag,
                match format {
                    WavFormat::Pcm16 => 44 + 20_000,
                    _ => 58 + 10_000,
                }
            )
        );
        let samples = load(&path);
        assert_eq!(samples.samples().len(), 10_000);
        assert!((peak(samples.samples(), 500.0) - 12_000.0).abs() < 200.0);
    }
    studio.settle(before); // no tap stays behind
}

#[test]
fn a_recording_ends_after_silence_or_by_a_key_of_the_leg() {
    let mut studio = Studio::open("endings");
    let settings =
        |path: PathBuf| RecordSettings { max_silence: secs(0.5), ..RecordSettings::to(path) };
    let recording = studio.record(studio.bridge, settings(studio.path("silence.wav")));
    assert_eq!(studio.end().state, RecordState::Done(RecordEnd::MaxSilence));
    assert_eq!(recording.wait().unwrap().samples, 4_000);

    let leg = studio.add_singer(400.0);
    let digit = |c| Digit::from_char(c).unwrap();
    let keys_topic = studio.bus.topic("keys");
    let settings = |name: &str, keys| RecordSettings {
        keys,
        keys_from: Some(keys_topic.clone()),
        ..RecordSettings::to(studio.path(name))
    };
    let press = |leg, c| {
        let source = DtmfSource::TelephoneEvent;
        keys_topic.publish(DtmfReceived { leg, digit: digit(c), source, duration_ms: 80 });
    };
    let pound = studio.record(leg, settings("pound.wav", Keys::Digit(digit('#'))));
    let any = studio.record(leg, settings("any.wav", Keys::Any));
    let of_bridge = studio.record(studio.bridge, settings("room.wav", Keys::Digit(digit('5'))));
    let none = studio.record(leg, settings("none.wav", Keys::None));
    press(LegId::new(77, 77), '#'); // somebody else's
    press(leg, '5');
    any.wait().unwrap();
    of_bridge.wait().unwrap();
    press(leg, '#');
    pound.wait().unwrap();
    none.finish().unwrap();
    let ends: Vec<_> = (0..4).map(|_| studio.end()).collect();
    let state = |name: &str| {
        let path = studio.path(name);
        ends.iter().find(|end| end.path == path).map(|end| end.state.clone()).unwrap()
    };
    assert_eq!(state("any.wav"), RecordState::Done(RecordEnd::Key(digit('5'))));
    assert_eq!(state("room.wav"), RecordState::Done(RecordEnd::Key(digit('5'))));
    assert_eq!(state("pound.wav"), RecordState::Done(RecordEnd::Key(digit('#'))));
    assert_eq!(state("none.wav"), RecordState::Done(RecordEnd::Stopped));
}

#[test]
fn a_recording_of_what_goes_away_is_complete_without_anybody_reaping() {
    let mut studio = Studio::open("gone");
    let leg = studio.add_singer(400.0);
    let of_leg = studio.record(leg, RecordSettings::to(studio.path("leg.wav")));
    let of_room = studio.record(studio.bridge, RecordSettings::to(studio.path("room.wav")));
    studio.await_bytes(&studio.path("leg.wav"), 40_000);
    studio.media.remove_leg(leg).unwrap();
    studio.media.remove_bridge(studio.bridge).unwrap();
    let figures = [of_leg.wait().unwrap(), of_room.wait().unwrap()];
    for _ in 0..2 {
        assert_eq!(studio.end().state, RecordState::Done(RecordEnd::Gone));
    }
    // The leg's own rate is that of its device's edge.
    let leg = Pcm::load(studio.path("leg.wav"), VirtualDevice::RATE).unwrap();
    assert_eq!(leg.samples().len() as u64, figures[0].samples);
    assert_eq!(load(&studio.path("room.wav")).samples().len() as u64, figures[1].samples);
    studio.settle(0);
}

#[test]
fn what_is_there_is_kept_written_over_or_gone_on_with() {
    let studio = Studio::open("policies");
    studio.sing();
    let path = studio.path("a.wav");
    let settings = |if_exists, format| RecordSettings {
        if_exists,
        format,
        max_duration: secs(0.5),
        ..RecordSettings::to(&path)
    };
    let take = |if_exists, format| studio.record(studio.bridge, settings(if_exists, format)).wait();
    let length = || load(&path).samples().len();
    for format in [WavFormat::Pcm16, WavFormat::Ulaw, WavFormat::Alaw] {
        let _ = fs::remove_file(&path);
        take(IfExists::Append, format).unwrap(); // there is nothing yet
        assert_eq!(length(), 4_000);
        let before = fs::read(&path).unwrap();
        let error = studio.try_record(studio.bridge, settings(IfExists::Fail, format)).map(drop);
        assert!(matches!(error, Err(RecordError::File(WavError::Exists { .. }))), "{error:?}");
        let other = if format == WavFormat::Alaw { WavFormat::Ulaw } else { WavFormat::Alaw };
        let error = studio.try_record(studio.bridge, settings(IfExists::Append, other)).map(drop);
        assert!(matches!(error, Err(RecordError::File(WavError::Different { .. }))), "{error:?}");
        assert_eq!(fs::read(&path).unwrap(), before, "left as it is");

        let figures = take(IfExists::Append, format).unwrap();
        assert_eq!((figures.samples, length()), (4_000, 8_000));
        assert!(peak(load(&path).samples(), 500.0) > 11_000.0);

        let before = fs::read(&path).unwrap();
        let unlimited = RecordSettings { max_duration: None, ..settings(IfExists::Append, format) };
        let recording = studio.record(studio.bridge, unlimited);
        studio.await_bytes(&path, before.len() as u64 + 4_000);
        recording.discard();
        recording.wait().unwrap();
        assert_eq!(fs::read(&path).unwrap(), before, "only what was appended is gone");

        take(IfExists::Overwrite, format).unwrap();
        assert_eq!(length(), 4_000);
    }
    studio.settle(3); // the bridge, its mixer, and the playback
}

#[test]
fn what_is_paused_is_left_out_what_is_muted_is_silence_and_what_is_discarded_is_gone() {
    let mut studio = Studio::open("controls");
    studio.sing();
    let path = studio.path("a.wav");
    let recording = studio.record(studio.bridge, RecordSettings::to(&path));
    let state = |studio: &mut Studio| {
        let changed: RecordingChanged = studio.next();
        (changed.state, changed.muted, changed.figures.samples)
    };
    assert_eq!(state(&mut studio), (RecordState::Recording, false, 0));
    studio.await_bytes(&path, 44 + 8_000);
    recording.pause();
    recording.pause(); // changes nothing, and is not told
    let (paused, _, at) = state(&mut studio);
    assert_eq!(paused, RecordState::Paused);
    let ticks = studio.media.counters().ticks;
    while studio.media.counters().ticks < ticks + 20 {
        std::thread::sleep(Duration::from_millis(5));
    }
    recording.mute();
    assert_eq!(state(&mut studio), (RecordState::Paused, true, at));
    recording.resume();
    assert_eq!(state(&mut studio), (RecordState::Recording, true, at));
    studio.await_bytes(&path, 44 + 2 * (at + 4_000));
    recording.unmute();
    let (_, muted, unmuted_at) = state(&mut studio);
    assert!(!muted && unmuted_at >= at + 4_000);
    studio.await_bytes(&path, 44 + 2 * (unmuted_at + 6_000));
    let figures = recording.finish().unwrap();
    let (at, unmuted_at) = (at as usize, unmuted_at as usize);
    let read = load(&path);
    let samples = read.samples();
    assert_eq!(samples.len() as u64, figures.samples);
    let loud = |samples: &[i16]| samples.chunks(160).all(|t| t.iter().any(|s| s.abs() > 8_000));
    assert!(loud(&samples[800..at]) && loud(&samples[unmuted_at..]));
    assert!(samples[at..unmuted_at].iter().all(|&sample| sample == 0));
    assert_eq!(studio.end().state, RecordState::Done(RecordEnd::Stopped));

    let path = studio.path("b.wav");
    let recording = studio.record(studio.bridge, RecordSettings::to(&path));
    studio.await_bytes(&path, 1_000);
    recording.discard();
    recording.wait().unwrap();
    assert_eq!(studio.end().state, RecordState::Canceled);
    assert!(!path.exists());
    studio.settle(3); // the bridge, its mixer, and the playback
}

#[test]
fn a_leg_is_recorded_several_times_at_once_and_one_too_many_fails_alone() {
    let mut studio = Studio::open("several");
    let leg = studio.add_singer(400.0);
    studio.media.join(leg, studio.bridge).unwrap();
    studio.sing();
    let before = studio.media.reap();
    let ways = [TapDirection::In, TapDirection::Out, TapDirection::Both, TapDirection::Voice];
    let settings = |name: String| RecordSettings {
        rate: Some(RATE),
        ..RecordSettings::to(studio.path(&name))
    };
    let record = |way| studio.record(RecordTarget::Leg(leg, way), settings(format!("{way:?}.wav")));
    let recordings = ways.map(record);
    studio.await_bytes(&studio.path("Voice.wav"), 44);
    let fifth = studio.record(leg, settings("fifth.wav".into()));
    let error = fifth.wait().unwrap_err().to_string();
    assert!(error.contains("recorded 4 times already"), "{error}");
    for way in ways {
        studio.await_bytes(&studio.path(&format!("{way:?}.wav")), 44 + 20_000);
    }
    for recording in recordings {
        recording.finish().unwrap();
    }
    let heard = ways.map(|way| {
        let read = load(&studio.path(&format!("{way:?}.wav")));
        [400.0, 500.0].map(|hz| peak(read.samples(), hz) > 6_000.0)
    });
    assert_eq!(heard, [[true, false], [false, true], [true, true], [true, false]]);
    studio.settle(before);
    assert!(matches!(
        studio.try_record(leg, RecordSettings { tracks: true, ..settings("t.wav".into()) }),
        Err(RecordError::NoTracks)
    ));
}

#[test]
fn tracks_of_a_bridge_have_one_voice_each_and_the_same_length() {
    let mut studio = Studio::open("tracks");
    let [first, second] = [400.0, 700.0].map(|hz| studio.add_singer(hz));
    studio.media.join(first, studio.bridge).unwrap();
    let path = studio.path("room.wav");
    let settings = RecordSettings { tracks: true, ..RecordSettings::to(&path) };
    let recording = studio.record(studio.bridge, settings);
    let track: RecordingTrack = studio.next();
    assert_eq!((track.leg, track.recording), (first, recording.id()));
    studio.await_bytes(&path, 44 + 8_000);
    studio.media.join(second, studio.bridge).unwrap();
    let late: RecordingTrack = studio.next();
    assert_eq!((late.leg, &late.path), (second, &studio.path(&format!("room-{second}.wav"))));
    studio.await_bytes(&path, fs::metadata(&path).unwrap().len() + 20_000);
    studio.media.leave(first).unwrap();
    studio.await_bytes(&path, fs::metadata(&path).unwrap().len() + 16_000);
    let figures = recording.finish().unwrap();
    let [room, one, two] = [&path, &track.path, &late.path].map(|path| load(path));
    for pcm in [&room, &one, &two] {
        assert_eq!(pcm.samples().len() as u64, figures.samples);
    }
    let at = |pcm: &Pcm, hz: f64| peak(pcm.samples(), hz) > 6_000.0;
    assert_eq!([at(&room, 400.0), at(&room, 700.0)], [false, true], "the first has left");
    assert_eq!([at(&one, 400.0), at(&two, 700.0), at(&two, 400.0)], [false, true, false]);
    assert!(two.samples()[..4_000].iter().all(|&sample| sample == 0), "it came late");
    assert!(one.samples()[..8_000].iter().any(|&sample| sample > 6_000));
    studio.settle(5); // the bridge, its mixer, two legs, and the way between
}

#[test]
fn a_recorder_that_is_dropped_completes_its_files() {
    let mut studio = Studio::open("dropped");
    let path = studio.path("a.wav");
    let recording = studio.record(studio.bridge, RecordSettings::to(&path));
    studio.await_bytes(&path, 44 + 4_000);
    let recorder = std::mem::replace(&mut studio.recorder, Recorder::start().unwrap());
    drop(recorder);
    let figures = recording.finish().unwrap();
    assert_eq!(load(&path).samples().len() as u64, figures.samples);
    assert_eq!(studio.end().state, RecordState::Done(RecordEnd::Stopped));
}

/// The process that is killed: records until then, if it was told to where.
#[test]
fn a_child_records_when_it_is_asked_to() {
    let Some(folder) = std::env::var_os("STASIS_TEST_RECORD_TO") else { return };
    let studio = Studio::at(folder.into());
    studio.sing();
    let record = |name: &str, format| {
        let settings = RecordSettings { format, ..RecordSettings::to(studio.path(name)) };
        studio.record(studio.bridge, settings)
    };
    let _recordings = [record("pcm.wav", WavFormat::Pcm16), record("ulaw.wav", WavFormat::Ulaw)];
    std::thread::sleep(3 * PATIENCE);
}

#[test]
fn a_killed_process_leaves_files_that_can_be_played_up_to_the_last_second() {
    let studio = Studio::open("killed");
    let folder = studio.path("child");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_child_records_when_it_is_asked_to"])
        .env("STASIS_TEST_RECORD_TO", &folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (pcm, ulaw) = (folder.join("pcm.wav"), folder.join("ulaw.wav"));
    studio.await_bytes(&pcm, 44 + 2 * 20_000);
    studio.await_bytes(&ulaw, 58 + 20_000);
    child.kill().unwrap(); // SIGKILL
    child.wait().unwrap();
    for (path, header, width) in [(pcm, 44, 2), (ulaw, 58, 1)] {
        let written = (fs::metadata(&path).unwrap().len() - header) / width;
        let read = load(&path);
        let lost = written - read.samples().len() as u64;
        assert!(lost <= 8_000 + 1_600, "{lost} samples of {written}");
        assert!(peak(read.samples(), 500.0) > 11_000.0);
    }
}
