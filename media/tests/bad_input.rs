//! What the shells do with bad input: on real sockets, a real media thread and real files. Nothing
//! here asserts a time; waiting has a generous end, so that a failure is one and not a hang.

use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use stasis_bus::{Bus, PullSubscription, Settings, Topic};
use stasis_media::codec::EncodeSettings;
use stasis_media::dtmf::Digit;
use stasis_media::event::{DtmfReceived, Joined, PlaybackChanged, PlaybackState, RtpReceived};
use stasis_media::frame::SampleRate;
use stasis_media::io::{
    ControlError, IfExists, Media, MediaSettings, RecordEnd, RecordError, RecordSettings,
    RecordState, Recorder, Recording, RecordingChanged, RtpLeg,
};
use stasis_media::leg::Direction;
use stasis_media::rtp::{Header, ReceiveSettings, RtpSeq, write_packet};
use stasis_media::wav::{Pcm, Player, Repeat, WavError};
use stasis_media::{BridgeId, LegId, PlaybackId};

const PATIENCE: Duration = Duration::from_secs(20);

struct Studio {
    topic: Topic,
    events: PullSubscription,
    media: Arc<Media>,
    recorder: Recorder,
    bridge: BridgeId,
    _bus: Bus,
}

impl Studio {
    /// A media thread with a bridge, and room for two legs.
    fn open() -> Self {
        let bus = Bus::new(Settings::default()).unwrap();
        let topic = bus.topic("studio");
        let events = topic.subscribe().pull().unwrap();
        let settings = MediaSettings { legs: 2, bridges: 1, ..MediaSettings::default() };
        let media = Arc::new(Media::start(&bus, settings).unwrap());
        let recorder = Recorder::start().unwrap();
        let bridge = media.add_bridge(SampleRate::Hz8000, &topic).unwrap();
        Studio { topic, events, media, recorder, bridge, _bus: bus }
    }

    fn add_leg(&self, local: SocketAddr) -> Result<(LegId, SocketAddr), ControlError> {
        let receive = ReceiveSettings::default();
        self.media.add_rtp_leg(
            RtpLeg { local, receive, encoding: EncodeSettings::default(), ssrc: 7 },
            &self.topic,
        )
    }

    /// Begins to record the bridge.
    fn record(&self, path: &Path) -> Result<Recording, RecordError> {
        let settings =
            RecordSettings { if_exists: IfExists::Overwrite, ..RecordSettings::to(path) };
        self.recorder.record(&self.media, self.bridge, settings, &self.topic)
    }

    /// How the next recording ends.
    fn recorded(&mut self) -> RecordingChanged {
        loop {
            let changed: RecordingChanged = self.next();
            if changed.state.is_end() {
                return changed;
            }
        }
    }

    /// The next event of this type.
    fn next<T: Clone + 'static>(&mut self) -> T {
        loop {
            let delivery = self.events.recv_timeout(PATIENCE).expect("it is told in time");
            if let Some(event) = delivery.downcast_ref::<T>() {
                return event.clone();
            }
        }
    }

    /// Waits until no more than `objects` are with the media thread.
    fn settle(&self, objects: usize) {
        for _ in 0..1_000 {
            if self.media.reap() <= objects {
                return;
            }
            std::thread::sleep(PATIENCE / 1_000);
        }
        panic!("{} objects have not come back", self.media.reap() - objects);
    }

    /// Fails unless the conference goes on.
    fn plays(&mut self) {
        let sound = Pcm::new(SampleRate::Hz8000, vec![1; 320]);
        let playback = self.media.play(self.bridge, Player::new(sound, Repeat::Once)).unwrap();
        self.is_played(playback);
    }

    /// Waits until a playback has been heard to its end.
    fn is_played(&mut self, playback: PlaybackId) {
        loop {
            let changed: PlaybackChanged = self.next();
            assert_eq!(changed.playback, playback);
            if changed.state == PlaybackState::Done {
                return;
            }
            assert_eq!(changed.state, PlaybackState::Playing);
        }
    }
}

fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A place for a file of this test.
fn scratch(name: &str) -> PathBuf {
    let name = format!("stasis-bad-input-{}-{name}", std::process::id());
    std::env::temp_dir().join(name)
}

#[test]
fn a_busy_port_is_an_error_that_names_it_and_the_remedy() {
    let studio = Studio::open();
    let owner = UdpSocket::bind(loopback()).unwrap();
    let busy = owner.local_addr().unwrap();
    for _ in 0..5 {
        let error = studio.add_leg(busy).unwrap_err();
        assert!(matches!(&error, ControlError::Bind { address, .. } if *address == busy));
        let text = error.to_string();
        assert!(text.contains(&busy.to_string()), "{text}");
        assert!(text.contains("choose another address or port"), "{text}");
    }
    // None of it has taken a leg's place; and an address of somebody else's is no better.
    let foreign = SocketAddr::from(([192, 0, 2, 1], 4_000));
    assert!(studio.add_leg(foreign).unwrap_err().to_string().contains("192.0.2.1:4000"));
    drop(owner);
    assert_eq!(studio.add_leg(busy).unwrap().1, busy);
    studio.add_leg(loopback()).unwrap();
    let full = studio.add_leg(loopback()).unwrap_err();
    assert!(matches!(full, ControlError::Full { legs: 2, bridges: 1 }), "{full}");
    assert!(full.to_string().contains("raise the limits"), "{full}");
}

/// A party at a real socket.
struct Party {
    socket: UdpSocket,
    to: SocketAddr,
    seq: RtpSeq,
}

impl Party {
    fn calls(to: SocketAddr) -> Self {
        Party { socket: UdpSocket::bind(loopback()).unwrap(), to, seq: RtpSeq(1) }
    }

    fn send(&self, datagram: &[u8]) {
        self.socket.send_to(datagram, self.to).unwrap();
    }

    fn send_rtp(&mut self, payload_type: u8, payload: &[u8]) {
        let timestamp = u32::from(self.seq.0) * 160;
        let header = Header { payload_type, marker: false, seq: self.seq, timestamp, ssrc: 77 };
        self.seq = self.seq.next();
        self.send(write_packet(&header, payload, &mut [0; 200]).unwrap());
    }
}

#[test]
fn garbage_on_a_legs_socket_is_counted_and_the_leg_goes_on() {
    let mut studio = Studio::open();
    let (leg, address) = studio.add_leg(loopback()).unwrap();
    studio.media.join(leg, studio.bridge).unwrap();
    let mut party = Party::calls(address);
    (0..5).for_each(|_| party.send_rtp(0, &[0xFF; 160]));
    let stranger = Party::calls(address);
    // No more of it than the socket's buffer holds, should the media thread be held up.
    let mut refused = 0;
    for n in 0..20u8 {
        party.send(&[]);
        party.send(&[n; 5]);
        party.send(&[0x80, 0, 0, n]); // cut off
        party.send(&[0xB0, 0, 0, n, 0, 0, 0, 0, 0, 0, 0, 77, 0xBE, 0xDE, 0xFF, 0xFF]); // lies
        party.send_rtp(96, &[n; 100]); // not agreed
        stranger.send(&[0x80, 0, 0, n, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2, 3]);
        refused += 6;
        party.send(&[0x80, 200, 0, 1, 0, 0, 0, 9]); // RTCP is none of it
    }
    party.send(&[0x80; 1_900]); // too long
    party.send(&[0x80; 9_000]); // far too long
    refused += 2;
    // The leg still understands; and by then everything before has been read.
    party.send_rtp(101, &[5, 0x80 | 10, 1, 64]);
    let digit: DtmfReceived = studio.next();
    assert_eq!((digit.leg, digit.digit.as_char(), digit.duration_ms), (leg, '5', 40));
    studio.plays();
    studio.media.remove_leg(leg).unwrap();
    let report: RtpReceived = studio.next();
    assert_eq!((report.stats.refused, report.stats.packets), (refused, 5 + 20 + 1));
}

#[test]
fn a_recording_that_cannot_be_written_is_an_error_with_the_remedy_and_the_conference_goes_on() {
    let mut studio = Studio::open();
    let nowhere = scratch("no-such-folder").join("room.wav");
    let start = |studio: &Studio, path: &Path| {
        studio.record(path).map(drop).expect_err("it cannot be written")
    };
    let error = start(&studio, &nowhere);
    assert!(matches!(error, RecordError::File(WavError::NotFound { .. })), "{error}");
    let text = error.to_string();
    assert!(text.contains("room.wav") && text.contains("check the path"), "{text}");

    let folder = start(&studio, &std::env::temp_dir());
    assert!(matches!(folder, RecordError::File(_)), "{folder}");
    studio.plays();

    let gone = BridgeId::new(0, 999);
    let path = scratch("gone.wav");
    let settings = RecordSettings::to(&path);
    let recording = studio.recorder.record(&studio.media, gone, settings, &studio.topic);
    let error = recording.map(drop).unwrap_err();
    assert!(matches!(error, RecordError::Control(ControlError::NoBridge(id)) if id == gone));
    assert!(!path.exists(), "no file is left behind");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_a_recording_and_nothing_else() {
    let mut studio = Studio::open();
    let reason = match studio.record(Path::new("/dev/full")) {
        Err(error) => error.to_string(),
        Ok(recording) => recording.finish().unwrap_err().to_string(),
    };
    assert!(reason.contains("full") && reason.contains("free some space"), "{reason}");
    studio.plays();
    studio.settle(1);
}

/// Makes a pipe that has somebody at its other end, who does not read.
#[cfg(target_os = "linux")]
fn pipe(name: &str) -> (PathBuf, std::fs::File) {
    let path = scratch(name);
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success(), "mkfifo {}", path.display());
    let end = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    (path, end)
}

/// A file whose beginning can be written and whose header cannot be corrected.
#[cfg(target_os = "linux")]
#[test]
fn a_recording_that_fails_on_its_way_is_told_and_the_conference_goes_on() {
    let mut studio = Studio::open();
    let (path, _end) = pipe("pipe.wav");
    let recording = studio.record(&path).expect("it begins");
    let failed = studio.recorded(); // after a second, when its header is corrected
    assert_eq!((failed.target, &failed.path), (studio.bridge.into(), &path));
    let RecordState::Failed(reason) = failed.state else { panic!("{failed:?}") };
    assert!(reason.contains("pipe.wav") && reason.contains("nothing was recorded"));
    studio.plays();
    assert!(matches!(recording.finish(), Err(RecordError::Failed(_))));
    studio.settle(1);
    studio.plays();
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_recording_can_be_finished_also_while_orders_crowd() {
    let studio = Studio::open();
    let (leg, _) = studio.add_leg(loopback()).unwrap();
    let path = scratch("crowd.wav");
    let recording = studio.record(&path).unwrap();
    let busy = (0..10_000).find_map(|n| studio.media.mute(leg, Direction::In, n % 2 == 0).err());
    assert!(busy.is_some_and(|busy| busy.to_string().contains("try again after a tick")));
    recording.finish().unwrap();
    studio.settle(2);
    std::fs::remove_file(path).unwrap();
}

#[test]
fn several_recordings_of_one_bridge_do_not_mind_each_other() {
    let mut studio = Studio::open();
    let paths = ["first.wav", "second.wav"].map(scratch);
    let [first, second] = paths.each_ref().map(|path| studio.record(path).unwrap());
    first.finish().unwrap();
    assert_eq!(studio.recorded().path, paths[0]);
    let before = studio.media.counters().ticks;
    studio.plays();
    let ticks = studio.media.counters().ticks - before;
    let samples = second.finish().unwrap().samples;
    assert!(ticks >= 2 && samples >= (ticks - 1) * 160, "{samples} samples of {ticks} ticks");
    let ended = studio.recorded();
    assert_eq!((&ended.path, ended.state), (&paths[1], RecordState::Done(RecordEnd::Stopped)));
    studio.settle(1);
    paths.iter().for_each(|path| std::fs::remove_file(path).unwrap());
}

#[test]
fn a_sound_at_another_rate_than_the_bridges_is_played_all_the_same() {
    let mut studio = Studio::open();
    let wide = Pcm::new(SampleRate::Hz48000, vec![1; 960]);
    let id = studio.media.play(studio.bridge, Player::new(wide, Repeat::Once)).unwrap();
    studio.is_played(id);
    studio.plays();
}

/// Every order that names a leg.
fn order_all(studio: &Studio, leg: LegId) -> [Result<(), ControlError>; 5] {
    let media = &studio.media;
    [
        media.join(leg, studio.bridge),
        media.leave(leg),
        media.mute(leg, Direction::In, true),
        media.press(leg, Digit::ALL[1], Duration::from_millis(100)),
        media.remove_leg(leg),
    ]
}

#[test]
fn orders_for_a_leg_that_is_gone_are_errors_and_those_on_their_way_do_no_harm() {
    let mut studio = Studio::open();
    let (leg, address) = studio.add_leg(loopback()).unwrap();
    studio.media.join(leg, studio.bridge).unwrap();
    assert_eq!(studio.next::<Joined>().leg, leg);
    studio.media.remove_leg(leg).unwrap();
    // They may overtake the news that it is gone: taken or refused, either will do.
    let _ = order_all(&studio, leg);
    studio.settle(1);
    for result in order_all(&studio, leg) {
        let error = result.unwrap_err();
        assert!(matches!(error, ControlError::NoLeg(id) if id == leg), "{error}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("there is no {leg} ")), "{text}");
        assert!(text.contains("name one that is there"), "{text}");
    }
    assert!(order_all(&studio, LegId::new(90, 90)).iter().all(Result::is_err));

    // Its place and its port can be had again, and the old name does not mean the new leg.
    let (new, _) = studio.add_leg(address).unwrap();
    assert_ne!(new, leg);
    assert!(order_all(&studio, leg).iter().all(Result::is_err));
    studio.media.join(new, studio.bridge).unwrap();
    assert_eq!(studio.next::<Joined>().leg, new);

    let gone = studio.bridge;
    studio.media.remove_bridge(gone).unwrap();
    studio.settle(1);
    let sound = Pcm::new(SampleRate::Hz8000, vec![1; 160]);
    assert!(matches!(studio.media.join(new, gone), Err(ControlError::NoBridge(_))));
    assert!(matches!(
        studio.media.play(gone, Player::new(sound, Repeat::Once)),
        Err(ControlError::NoBridge(id)) if id == gone
    ));
    assert!(matches!(
        studio.media.tap(gone, SampleRate::Hz8000, 1),
        Err(ControlError::NoBridge(_))
    ));
    assert!(matches!(studio.media.stop_playing(gone), Err(ControlError::NoBridge(_))));
}
