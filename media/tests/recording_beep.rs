//! The beep before a recording, on a real media thread: who is recorded hears it, the file does not have
//! it, and until it is over nothing is recorded.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stasis_bus::{Bus, PullSubscription, Settings, Topic};
use stasis_media::bridge::TapDirection;
use stasis_media::codec::EncodeSettings;
use stasis_media::dtmf::Digit;
use stasis_media::event::{DtmfReceived, DtmfSource, PlaybackChanged, PlaybackState};
use stasis_media::frame::SampleRate;
use stasis_media::io::{
    ControlError, Keys, Media, MediaSettings, RecordEnd, RecordError, RecordSettings, RecordState,
    RecordTarget, Recorder, Recording, RecordingChanged, RtpLeg,
};
use stasis_media::rtp::ReceiveSettings;
use stasis_media::wav::{Pcm, Player, Repeat};
use stasis_media::{BridgeId, LegId, PlaybackId, Target};

const PATIENCE: Duration = Duration::from_secs(20);
const RATE: SampleRate = SampleRate::Hz8000;

/// A bridge with nobody in it, and a leg whose party says nothing.
struct Studio {
    folder: PathBuf,
    topic: Topic,
    events: PullSubscription,
    media: Arc<Media>,
    recorder: Recorder,
    bridge: BridgeId,
    leg: LegId,
    _bus: Bus,
}

impl Studio {
    fn open(name: &str) -> Self {
        let folder = format!("stasis-beep-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(folder);
        fs::create_dir_all(&folder).unwrap();
        let bus = Bus::new(Settings::default()).unwrap();
        let topic = bus.topic("studio");
        let events = topic.subscribe().capacity(1 << 10).accept::<RecordingChanged>();
        let events = events.accept::<PlaybackChanged>().pull().unwrap();
        let media = Arc::new(Media::start(&bus, MediaSettings::default()).unwrap());
        let bridge = media.add_bridge(RATE, &topic).unwrap();
        let local = "127.0.0.1:0".parse().unwrap();
        let (receive, encoding) = (ReceiveSettings::default(), EncodeSettings::default());
        let leg = RtpLeg { local, receive, encoding, ssrc: 7 };
        let (leg, _) = media.add_rtp_leg(leg, &topic).unwrap();
        let recorder = Recorder::start().unwrap();
        Studio { folder, topic, events, media, recorder, bridge, leg, _bus: bus }
    }

    fn settings(&self, name: &str) -> RecordSettings {
        let max_duration = Some(Duration::from_millis(500));
        RecordSettings { beep: true, max_duration, ..RecordSettings::to(self.folder.join(name)) }
    }

    fn record(
        &self,
        what: impl Into<RecordTarget>,
        settings: RecordSettings,
    ) -> Result<Recording, RecordError> {
        self.recorder.record(&self.media, what, settings, &self.topic)
    }

    /// Something that is played before the beep, and never ends.
    fn play_forever(&self, target: impl Into<Target>) -> PlaybackId {
        let sound = Player::new(Pcm::new(RATE, vec![500; 800]), Repeat::Forever);
        self.media.play(target, sound).unwrap()
    }

    /// The next that is told of a recording.
    fn state(&mut self) -> RecordState {
        loop {
            let delivery = self.events.recv_timeout(PATIENCE).expect("it is told in time");
            if let Some(changed) = delivery.downcast_ref::<RecordingChanged>() {
                return changed.state.clone();
            }
        }
    }

    /// The next playback that is stopped.
    fn stopped(&mut self) -> PlaybackId {
        loop {
            let delivery = self.events.recv_timeout(PATIENCE).expect("it is told in time");
            if let Some(changed) = delivery.downcast_ref::<PlaybackChanged>()
                && changed.state == PlaybackState::Stopped
            {
                return changed.playback;
            }
        }
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn who_is_recorded_hears_a_beep_that_is_not_in_the_file() {
    let mut studio = Studio::open("heard");
    let leg = studio.leg;
    let targets = [
        RecordTarget::Bridge(studio.bridge),
        RecordTarget::Leg(leg, TapDirection::Out),
        RecordTarget::Leg(leg, TapDirection::Both),
        RecordTarget::Leg(leg, TapDirection::In),
    ];
    for (n, target) in targets.into_iter().enumerate() {
        let mut tap = match target {
            RecordTarget::Bridge(bridge) => studio.media.tap(bridge, RATE, 20),
            RecordTarget::Leg(leg, _) => studio.media.tap_leg(leg, TapDirection::Out, RATE, 20),
        }
        .unwrap();
        let settings = studio.settings(&format!("{n}.wav"));
        let path = settings.path.clone();
        let recording = studio.record(target, settings).unwrap();
        assert_eq!(studio.state(), RecordState::Queued);
        assert_eq!(studio.state(), RecordState::Recording);
        assert_eq!(studio.state(), RecordState::Done(RecordEnd::MaxDuration));
        assert_eq!(recording.wait().unwrap().samples, 4_000);
        let file = Pcm::load(&path, RATE).unwrap();
        assert!(file.samples().iter().all(|&sample| sample == 0), "{target:?}");
        let mut heard = vec![0; 160_000];
        let read = tap.read(&mut heard);
        heard.truncate(read);
        let from = heard.iter().position(|&sample| sample != 0).expect("a beep");
        let to = heard.iter().rposition(|&sample| sample != 0).unwrap();
        assert!((1_550..1_650).contains(&(to - from)), "{target:?}: {} samples", to - from);
    }
}

#[test]
fn while_the_beep_waits_nothing_counts_and_what_ends_it_ends_the_beep() {
    let mut studio = Studio::open("waits");
    let before = studio.play_forever(studio.bridge);
    let settings = RecordSettings { keys: Keys::Any, ..studio.settings("waits.wav") };
    let recording = studio.record(studio.bridge, settings).unwrap();
    assert_eq!(studio.state(), RecordState::Queued);
    let (source, duration_ms) = (DtmfSource::TelephoneEvent, 100);
    let digit = Digit::from_char('5').unwrap();
    studio.topic.publish(DtmfReceived { leg: studio.leg, digit, source, duration_ms });
    recording.pause();
    assert_eq!(studio.state(), RecordState::Queued);
    recording.mute();
    assert_eq!(studio.state(), RecordState::Queued);
    assert_eq!(recording.finish().unwrap().samples, 0);
    assert_eq!(studio.state(), RecordState::Done(RecordEnd::Stopped));
    assert_ne!(studio.stopped(), before, "the beep");
    // One that is paused begins with its pause.
    let recording = studio.record(studio.bridge, studio.settings("paused.wav")).unwrap();
    assert_eq!(studio.state(), RecordState::Queued);
    recording.pause();
    assert_eq!(studio.state(), RecordState::Queued);
    studio.media.stop_playing(studio.bridge).unwrap();
    assert_eq!(studio.state(), RecordState::Paused);
    recording.discard();
    assert_eq!(studio.state(), RecordState::Canceled);
    assert_eq!(fs::read_dir(&studio.folder).unwrap().count(), 1, "the first, which is empty");
}

#[test]
fn who_is_gone_hears_no_beep_and_is_not_recorded() {
    let mut studio = Studio::open("gone");
    studio.play_forever(studio.leg);
    let recording = studio.record(studio.leg, studio.settings("leaves.wav")).unwrap();
    assert_eq!(studio.state(), RecordState::Queued);
    studio.media.remove_leg(studio.leg).unwrap();
    let end = studio.state();
    let end = if end == RecordState::Recording { studio.state() } else { end };
    assert_eq!(end, RecordState::Done(RecordEnd::Gone));
    recording.wait().unwrap();
    fs::remove_file(studio.folder.join("leaves.wav")).unwrap();
    // Its books are closed when it has come back.
    for _ in 0..1_000 {
        if studio.media.leg_rate(studio.leg).is_err() {
            break;
        }
        std::thread::sleep(PATIENCE / 1_000);
    }
    let error = studio.record(studio.leg, studio.settings("gone.wav")).map(drop).unwrap_err();
    assert!(matches!(error, RecordError::Control(ControlError::NoLeg(_))), "{error}");
    assert_eq!(fs::read_dir(&studio.folder).unwrap().count(), 0);
}
