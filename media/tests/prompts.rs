//! Prompts and music on hold on a real media thread, from real files: what is heard, in which order,
//! what is told when something is missing, and what is read how often. Nothing here asserts a time;
//! waiting has a generous end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use stasis_bus::{Bus, PullSubscription, Settings, Topic};
use stasis_media::bridge::TapReader;
use stasis_media::event::{PlaybackChanged, PlaybackState};
use stasis_media::frame::SampleRate;
use stasis_media::io::{
    BridgeSettings, Media, MediaSettings, MusicClass, MusicFailed, MusicOrder, MusicSource,
    PlayOptions, PlaybackFailed, PromptError, PromptSettings, Prompts, VirtualDevice,
};
use stasis_media::sound::{Item, Language, Paths, PlaybackControl};
use stasis_media::wav::{Pcm, Repeat, WavFormat, WavWriter};
use stasis_media::{BridgeId, PlaybackId};

const PATIENCE: Duration = Duration::from_secs(20);
const RATE: SampleRate = SampleRate::Hz8000;

struct Stage {
    folder: PathBuf,
    topic: Topic,
    events: PullSubscription,
    media: Media,
    prompts: Prompts,
    bridge: BridgeId,
    bus: Bus,
}

impl Stage {
    fn open(name: &str) -> Self {
        let folder = folder(name);
        let bus = Bus::new(Settings::default()).unwrap();
        let topic = bus.topic("stage");
        let events = topic.subscribe().capacity(1 << 14).pull().unwrap();
        let media = Media::start(&bus, MediaSettings::default()).unwrap();
        let bridge = media.add_bridge(RATE, &topic).unwrap();
        let prompts = prompts(&folder, 1 << 20);
        Stage { folder, topic, events, media, prompts, bridge, bus }
    }

    fn play(&self, items: &[&str], options: PlayOptions) -> PlaybackId {
        let items = items.iter().map(|item| Item::parse(item, Paths::Allowed).unwrap()).collect();
        self.prompts.play(&self.media, self.bridge, items, options, &self.topic).unwrap()
    }

    fn tap(&self) -> TapReader {
        self.media.tap(self.bridge, RATE, 8).unwrap()
    }

    fn next<T: Clone + 'static>(&mut self) -> T {
        loop {
            let delivery = self.events.recv_timeout(PATIENCE).expect("it is told in time");
            if let Some(event) = delivery.downcast_ref::<T>() {
                return event.clone();
            }
        }
    }

    /// The states of a playback up to the last.
    fn states(&mut self, playback: PlaybackId) -> Vec<PlaybackState> {
        let mut states = Vec::new();
        while !states.last().is_some_and(|state: &PlaybackState| state.is_final()) {
            let changed: PlaybackChanged = self.next();
            if changed.playback == playback {
                states.push(changed.state);
            }
        }
        states
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("stasis-say-{}-{name}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn prompts(folder: &Path, cache_bytes: usize) -> Prompts {
    let directories = vec![folder.join("none"), folder.to_owned()];
    Prompts::new(PromptSettings { directories, cache_bytes, ..Default::default() }).unwrap()
}

/// Writes a sound of nothing but `value`.
fn write(folder: &Path, name: &str, rate: SampleRate, value: i16, samples: usize) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut file = WavWriter::create(&path, WavFormat::Pcm16, rate).unwrap();
    file.write(&vec![value; samples]).unwrap();
    file.finish().unwrap();
    path
}

/// Reads on until `enough`, and gives the runs of what is not silence: value and length.
fn heard(tap: &mut TapReader, enough: impl Fn(&[(i16, usize)]) -> bool) -> Vec<(i16, usize)> {
    let mut runs: Vec<(i16, usize)> = Vec::new();
    let mut samples = vec![0; 1_600];
    for _ in 0..4_000 {
        let n = tap.read(&mut samples);
        for &sample in &samples[..n] {
            match runs.last_mut() {
                Some((value, length)) if *value == sample => *length += 1,
                _ => runs.push((sample, 1)),
            }
        }
        let sounds: Vec<_> = runs.iter().copied().filter(|(value, _)| *value != 0).collect();
        if enough(&sounds) {
            return sounds;
        }
        thread::sleep(PATIENCE / 4_000);
    }
    panic!("this was heard, and no more: {runs:?}");
}

fn item(text: &str) -> Item {
    Item::parse(text, Paths::Allowed).unwrap()
}

/// What a sound is made of.
fn value(pcm: &Pcm) -> i16 {
    pcm.samples()[pcm.samples().len() / 2]
}

#[test]
fn items_are_heard_in_order_without_a_gap_and_each_is_told() {
    let mut stage = Stage::open("order");
    for (name, value) in [("digits/1", 100), ("digits/2", 200), ("digits/40", 300)] {
        write(&stage.folder, &format!("en/{name}.wav"), RATE, value, 400);
    }
    let path = write(&stage.folder, "elsewhere/any.wav", RATE, 900, 500);
    let mut tap = stage.tap();
    let any = format!("sound:{}", path.with_extension("").display());
    let playback = stage.play(&["digits:121", "number:42", &any], PlayOptions::default());
    let expected = [(100, 400), (200, 400), (100, 400), (300, 400), (200, 400), (900, 500)];
    assert_eq!(heard(&mut tap, |heard| heard.len() == 6 && heard[5].1 >= 500), expected);
    let next = |item| PlaybackState::Continuing { item };
    let expected = [PlaybackState::Playing, next(1), next(2), PlaybackState::Done];
    assert_eq!(stage.states(playback), expected);
    assert_eq!(stage.prompts.figures().loads, 4, "each file was read once");
}

#[test]
fn an_item_that_is_missing_is_told_with_a_remedy_and_then_the_playback_fails() {
    let mut stage = Stage::open("missing");
    write(&stage.folder, "en/hello.wav", RATE, 100, 400);
    let items = ["sound:hello", "sound:nowhere", "sound:hello"];
    let playback = stage.play(&items, PlayOptions::default());
    let failed: PlaybackFailed = stage.next();
    assert_eq!((failed.playback, failed.item), (playback, 1));
    assert_eq!(failed.target, stage.bridge.into());
    assert!(
        failed.reason.contains("no sound nowhere") && failed.reason.contains("put nowhere.wav")
    );
    assert_eq!(*stage.states(playback).last().unwrap(), PlaybackState::Failed);
}

#[test]
fn what_can_be_said_at_once_is_an_error_at_once() {
    let stage = Stage::open("at-once");
    let options = PlayOptions::default;
    let nobody = stasis_media::LegId::new(0, 99);
    let play =
        |items| stage.prompts.play(&stage.media, stage.bridge, items, options(), &stage.topic);
    assert!(matches!(play(Vec::new()), Err(PromptError::Nothing)));
    let to_nobody =
        stage.prompts.play(&stage.media, nobody, vec![item("number:1")], options(), &stage.topic);
    assert!(matches!(to_nobody, Err(PromptError::Control(_))));
}

#[test]
fn a_tone_that_never_ends_follows_other_items_until_it_is_stopped() {
    let mut stage = Stage::open("endless");
    let mut tap = stage.tap();
    let items = ["tone:!0/40", "tone:dial", "silence:10"];
    let playback = stage.play(&items, PlayOptions::default());
    // More than the second that is rendered: it goes on.
    let sounding = |heard: &[(i16, usize)]| heard.iter().map(|run| run.1).sum::<usize>() > 12_000;
    heard(&mut tap, sounding);
    stage.media.control(playback, PlaybackControl::Stop).unwrap();
    let next = PlaybackState::Continuing { item: 1 };
    assert_eq!(stage.states(playback), [PlaybackState::Playing, next, PlaybackState::Stopped]);
}

#[test]
fn a_playback_begins_where_it_should_and_repeats() {
    let stage = Stage::open("offset");
    write(&stage.folder, "a.wav", RATE, 100, 800);
    write(&stage.folder, "b.wav", RATE, 200, 400);
    let mut tap = stage.tap();
    let offset = Duration::from_millis(50);
    let options = PlayOptions { offset, repeat: Repeat::Forever, ..Default::default() };
    stage.play(&["sound:a", "sound:b"], options);
    let heard = heard(&mut tap, |heard| heard.len() > 4);
    assert_eq!(heard[..4], [(100, 400), (200, 400), (100, 800), (200, 400)]);
}

#[test]
fn a_language_falls_back_to_its_primary_part_the_default_and_no_language() {
    let folder = folder("languages");
    let prompts = prompts(&folder, 1 << 20);
    let load = |language: &str| {
        let language: Language = language.parse().unwrap();
        prompts.load(&item("sound:a"), Some(&language), RATE).map(|pcm| value(&pcm)).ok()
    };
    assert_eq!(load("de-AT"), None);
    for (file, value) in [("a.wav", 1), ("en/a.wav", 2), ("de/a.wav", 3), ("de-AT/a.wav", 4)] {
        write(&folder, file, RATE, value, 100);
        assert_eq!(load("de-AT"), Some(value));
    }
    assert_eq!([load("de"), load("fr"), load("en-GB")], [Some(3), Some(2), Some(2)]);
    let default = prompts.load(&item("sound:a"), None, RATE).unwrap();
    assert_eq!(value(&default), 2);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn of_files_with_the_same_name_the_listener_hears_the_best() {
    let folder = folder("best");
    let prompts = prompts(&folder, 1 << 20);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("a.ulaw"), [0x80; 800]).unwrap(); // the loudest
    let load = |rate| {
        let pcm = prompts.load(&item("sound:a"), None, rate).unwrap();
        assert_eq!((pcm.rate(), pcm.samples().len()), (rate, rate.hz() as usize / 10));
        value(&pcm)
    };
    let wide = |value: i16| value.abs_diff(500) < 50;
    assert!(load(RATE) > 30_000 && load(SampleRate::Hz16000) > 30_000);
    write(&folder, "a.wav", SampleRate::Hz16000, 500, 1_600);
    assert!(load(RATE) > 30_000, "nothing is lost at 8 kHz");
    assert!(wide(load(SampleRate::Hz16000)) && wide(load(SampleRate::Hz48000)));
    write(&folder, "a.wav", RATE, 500, 800);
    assert!(wide(load(RATE)), "WAV before the others of its rate");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn sounds_come_at_the_listeners_rate() {
    let mut stage = Stage::open("rate");
    write(&stage.folder, "a.wav", SampleRate::Hz48000, 500, 48_000);
    let bridge = stage.media.add_bridge(SampleRate::Hz16000, &stage.topic).unwrap();
    let items = vec![item("sound:a"), Item::Pcm(Pcm::new(RATE, vec![5; 800]))];
    let playback = stage
        .prompts
        .play(&stage.media, bridge, items, PlayOptions::default(), &stage.topic)
        .unwrap();
    assert_eq!(stage.states(playback).last(), Some(&PlaybackState::Done));
    let pcm = stage.prompts.load(&item("sound:a"), None, SampleRate::Hz16000).unwrap();
    assert_eq!((pcm.samples().len(), stage.prompts.figures().hits), (16_000, 1));
}

#[test]
fn a_sound_is_shared_until_its_file_changes() {
    let folder = folder("shared");
    let prompts = prompts(&folder, 1 << 20);
    let path = write(&folder, "a.wav", RATE, 1, 800);
    let load = || prompts.load(&item("sound:a"), None, RATE).unwrap();
    let (first, second) = (load(), load());
    assert!(std::ptr::eq(first.samples(), second.samples()));
    // As long as before: only the time tells.
    write(&folder, "a.wav", RATE, 2, 800);
    let other = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000);
    File::options().append(true).open(&path).unwrap().set_modified(other).unwrap();
    assert_eq!((value(&load()), value(&first)), (2, 1));
    write(&folder, "a.wav", RATE, 3, 900);
    assert_eq!((value(&load()), prompts.figures().sounds), (3, 1));
    fs::remove_file(&path).unwrap();
    assert!(prompts.load(&item("sound:a"), None, RATE).is_err());
    fs::write(&path, b"no sound").unwrap();
    let error = prompts.load(&item("sound:a"), None, RATE).unwrap_err();
    assert!(error.to_string().contains("is not a WAV file"), "{error}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn many_who_ask_for_the_same_file_at_once_have_it_read_once() {
    let folder = folder("at-once-many");
    let prompts = Arc::new(prompts(&folder, 1 << 20));
    write(&folder, "a.wav", SampleRate::Hz48000, 1, 480_000);
    let load = || prompts.load(&item("sound:a"), None, RATE).unwrap();
    let all: Vec<Pcm> = thread::scope(|scope| {
        let all: Vec<_> = (0..16).map(|_| scope.spawn(load)).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(all.iter().all(|pcm| std::ptr::eq(pcm.samples(), all[0].samples())));
    assert_eq!((prompts.figures().loads, prompts.figures().hits), (1, 15));
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_cache_keeps_no_more_than_it_may_and_players_keep_what_they_play() {
    let folder = folder("evicts");
    let prompts = prompts(&folder, 2_000);
    for (n, name) in ["a.wav", "b.wav", "c.wav"].into_iter().enumerate() {
        write(&folder, name, RATE, n as i16 + 1, 400);
    }
    let load = |name: &str| prompts.load(&item(&format!("sound:{name}")), None, RATE).unwrap();
    let played = load("a");
    let _ = (load("b"), load("c"));
    let figures = prompts.figures();
    assert_eq!((figures.sounds, figures.bytes, figures.evicted), (2, 1_600, 1));
    assert!(std::ptr::eq(load("a").samples(), played.samples()), "it is still played");
    assert_eq!(prompts.figures().loads, 3);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_is_built_in_is_found_behind_the_folders_of_a_language() {
    static NARROW: &[u8] = &[0x80; 80];
    let wide = wav_bytes(SampleRate::Hz16000, 7, 160);
    let files =
        [("en/a.ulaw", NARROW), ("en/a.wav", wide), ("en/b.ulaw", NARROW), ("c.alaw", NARROW)];
    let folder = folder("built-in");
    let (directories, built_in) = (vec![folder.clone()], files.into_iter().collect());
    let settings = PromptSettings { directories, built_in, ..Default::default() };
    let prompts = Prompts::new(settings).unwrap();
    let load = |name: &str, language: &str, rate| {
        let language = language.parse().unwrap();
        prompts.load(&item(&format!("sound:{name}")), Some(&language), rate).unwrap()
    };
    let all = |name, language| load(name, language, RATE).samples()[40];
    assert_eq!((all("a", "en"), all("b", "de"), all("c", "en-GB")), (32_124, 32_124, 5_504));
    assert_eq!(load("a", "en", SampleRate::Hz16000).samples(), [7; 160]);
    assert!(std::ptr::eq(load("b", "en", RATE).samples(), load("b", "de", RATE).samples()));
    write(&folder, "en/a.wav", RATE, 5, 80);
    write(&folder, "de/b.wav", RATE, 6, 80);
    assert_eq!((all("a", "en"), all("b", "de"), all("b", "en")), (5, 6, 32_124));
    fs::remove_dir_all(&folder).unwrap();
}

/// A WAV file of nothing but `value`, in memory.
fn wav_bytes(rate: SampleRate, value: i16, samples: usize) -> &'static [u8] {
    let folder = folder("bytes");
    let bytes = fs::read(write(&folder, "a.wav", rate, value, samples)).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    Box::leak(bytes.into())
}

fn music(
    stage: &Stage,
    directory: &Path,
    order: MusicOrder,
) -> (BridgeId, Result<(), PromptError>) {
    let settings = BridgeSettings { rate: stasis_media::io::BridgeRate::Fixed(RATE), ..holding() };
    let bridge = stage.media.add_bridge(settings, &stage.topic).unwrap();
    let class = MusicClass { source: MusicSource::Directory(directory.to_owned()), order };
    (bridge, stage.prompts.music(&stage.media, bridge, &class, &stage.topic))
}

fn holding() -> BridgeSettings {
    BridgeSettings { kind: stasis_media::bridge::BridgeKind::Holding, ..Default::default() }
}

#[test]
fn music_is_all_that_can_be_read_of_a_folder_over_and_over() {
    let stage = Stage::open("music");
    let class = stage.folder.join("moh");
    write(&class, "2.wav", RATE, 200, 800);
    write(&class, "1.wav", RATE, 100, 400);
    write(&class, "4.wav/inner.wav", RATE, 999, 400);
    fs::write(class.join("3.wav"), b"broken").unwrap();
    fs::write(class.join("0.txt"), b"no music").unwrap();
    let (bridge, begun) = music(&stage, &class, MusicOrder::Sorted);
    begun.unwrap();
    let mut tap = stage.media.tap(bridge, RATE, 8).unwrap();
    // Somebody who is silent is on hold.
    let silence = Pcm::new(VirtualDevice::RATE, vec![0; 48_000]);
    let speaker = stage.folder.join("speaker.wav");
    let (edge, device) = VirtualDevice::start(stage.bus.clock(), silence, &speaker).unwrap();
    let leg = stage.media.add_device_leg(edge, &stage.topic).unwrap();
    stage.media.join(leg, bridge).unwrap();
    // After it has faded in.
    let round = [(200, 800), (100, 400), (200, 800), (100, 400)];
    let heard = heard(&mut tap, |heard| heard.windows(4).any(|runs| runs == round));
    assert!(heard.iter().all(|(value, _)| *value <= 200), "no more than these: {heard:?}");
    device.stop();
}

#[test]
fn music_that_cannot_be_read_is_told() {
    let mut stage = Stage::open("no-music");
    let class = stage.folder.join("moh");
    let missing = music(&stage, &class, MusicOrder::Sorted).1;
    assert!(matches!(missing, Err(PromptError::Folder { .. })));
    fs::create_dir_all(&class).unwrap();
    let empty = music(&stage, &class, MusicOrder::Shuffled).1;
    assert!(matches!(empty, Err(PromptError::NoMusic(_))));
    fs::write(class.join("1.wav"), b"broken").unwrap();
    let (bridge, begun) = music(&stage, &class, MusicOrder::Shuffled);
    begun.unwrap();
    let failed: MusicFailed = stage.next();
    assert_eq!((failed.target, failed.source), (bridge.into(), MusicSource::Directory(class)));
    assert!(failed.reason.contains("is not a WAV file"), "{}", failed.reason);
}
