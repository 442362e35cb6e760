//! The sounds that are in the program: all there, audible, and replaced by what is in a folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use stasis_media::frame::SampleRate;
use stasis_media::io::{MusicSource, PromptSettings, Prompts};
use stasis_media::sound::{Item, SoundName};
use stasis_media::wav::{Pcm, WavFormat, WavWriter};
use stasis_server::sounds::{self, Sound};

const NARROW: SampleRate = SampleRate::Hz8000;
const WIDE: SampleRate = SampleRate::Hz16000;

fn prompts(directories: Vec<PathBuf>) -> Prompts {
    let built_in = sounds::built_in();
    Prompts::by_hand(PromptSettings { directories, built_in, ..Default::default() })
}

/// The names in the list that the sounds are made of.
fn names() -> Vec<&'static str> {
    let lines = include_str!("../sounds/prompts.txt").lines();
    lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| Some(line.split_once('\t')?.0))
        .collect()
}

fn folder(name: &str) -> PathBuf {
    let name = format!("stasis-sounds-{}-{name}", std::process::id());
    let folder = std::env::temp_dir().join(name);
    fs::create_dir_all(folder.join("en")).unwrap();
    folder
}

fn write(path: &Path, value: i16) {
    let mut writer = WavWriter::create(path, WavFormat::Pcm16, NARROW).unwrap();
    writer.write(&[value; 160]).unwrap();
}

fn item(text: &str) -> Item {
    text.parse().unwrap()
}

fn formats(sound: &Sound) -> Vec<(&str, &str)> {
    sound.formats.iter().map(|pair| (&*pair.language, &*pair.format)).collect()
}

/// The highest sample without its sign, and the mean of the squares' root.
fn levels(pcm: &Pcm) -> (i32, f64) {
    let most = pcm.samples().iter().map(|sample| i32::from(*sample).abs()).max();
    let sum: f64 = pcm.samples().iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (most.unwrap_or(0), (sum / pcm.samples().len() as f64).sqrt())
}

#[test]
fn every_sound_of_the_list_is_there_at_both_rates_audible_and_not_clipped() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sounds/en");
    for name in names() {
        for (ending, rate) in [("ulaw", NARROW), ("wav", WIDE)] {
            let pcm = Pcm::load(folder.join(format!("{name}.{ending}")), rate).unwrap();
            let (most, level) = levels(&pcm);
            let seconds = pcm.duration().as_secs_f64();
            match name.strip_prefix("silence/") {
                Some(expected) => {
                    assert!(most <= 8 && seconds == expected.parse::<f64>().unwrap(), "{name}");
                }
                None => {
                    assert!((3_000..32_000).contains(&most), "{name}.{ending}: at most {most}");
                    assert!(level > 1_000.0, "{name}.{ending}: {level} in the mean");
                    assert!((0.2..15.0).contains(&seconds), "{name}.{ending}: {seconds} s");
                }
            }
            assert!(name != "tt-monkeys" || seconds >= 3.0);
        }
    }
}

#[test]
fn the_program_has_the_list_and_nothing_else() {
    let listed: BTreeSet<_> = names().into_iter().collect();
    assert_eq!(listed.len(), names().len(), "each name once");
    let sounds = sounds::list(&prompts(Vec::new()), None, None);
    let there: BTreeSet<_> = sounds.iter().map(|sound| sound.id.as_str()).collect();
    assert_eq!(there, listed);
    for sound in &sounds {
        assert_eq!(formats(sound), [("en", "slin16"), ("en", "ulaw")], "{}", sound.id);
        assert!(sound.text.as_ref().is_some_and(|text| !text.is_empty()), "{}", sound.id);
    }
    let letter = sounds.iter().find(|sound| sound.id == "letters/w").unwrap();
    assert_eq!(letter.text.as_deref(), Some("W"), "not as it is written for the voice");
}

#[test]
fn all_that_numbers_digits_and_characters_are_said_with_is_there() {
    let prompts = prompts(Vec::new());
    let numbers = (-1..=1_000).chain([1_001, 2_000_000, 3_000_000_000, i64::MIN, i64::MAX]);
    let numbers = numbers.map(|number| Item::Number(number).to_string());
    let characters = (' '..='~').map(|c| format!("characters:{c}"));
    let can_be_said = characters.filter(|text| text.parse::<Item>().is_ok());
    let spelled: Vec<_> = can_be_said.chain(["digits:0123456789*#".to_owned()]).collect();
    assert_eq!(spelled.len(), 26 * 2 + 10 + "*# -.@/+=$".len() + 1);
    for text in spelled.into_iter().chain(numbers) {
        let said = prompts.load(&item(&text), None, NARROW);
        assert!(said.is_ok_and(|pcm| !pcm.samples().is_empty()), "{text}");
    }
}

#[test]
fn a_sound_is_taken_as_it_suits_the_listener() {
    let prompts = prompts(Vec::new());
    let load = |rate| prompts.load(&item("sound:hello-world"), None, rate).unwrap();
    let file = |ending: &str, rate| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sounds/en");
        Pcm::load(folder.join(format!("hello-world.{ending}")), rate).unwrap()
    };
    assert_eq!(load(NARROW).samples(), file("ulaw", NARROW).samples());
    assert_eq!(load(WIDE).samples(), file("wav", WIDE).samples());
}

#[test]
fn a_file_in_a_folder_takes_the_place_of_what_is_built_in() {
    let folder = folder("own");
    write(&folder.join("en/hello.wav"), 123);
    write(&folder.join("en/ours.wav"), 45);
    let prompts = prompts(vec![folder.clone()]);
    for rate in [NARROW, WIDE] {
        let hello = prompts.load(&item("sound:hello"), None, rate).unwrap();
        assert_eq!(hello.duration().as_millis(), 20, "ours");
    }
    assert!(prompts.load(&item("sound:goodbye"), None, NARROW).is_ok(), "built in");
    let hello = sounds::find(&prompts, "hello").unwrap();
    assert_eq!(formats(&hello), [("en", "slin")]);
    let ours = sounds::find(&prompts, "ours").unwrap();
    assert_eq!((formats(&ours), &ours.text), (vec![("en", "slin")], &None));
    assert_eq!(sounds::find(&prompts, "nosuch"), None);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_list_is_narrowed_by_language_and_format() {
    let folder = folder("narrowed");
    fs::create_dir_all(folder.join("de")).unwrap();
    write(&folder.join("de/hello.wav"), 1);
    let missing = folder.join("missing");
    let prompts = prompts(vec![missing, folder.clone()]);
    let ids = |language, format| {
        let sounds = sounds::list(&prompts, language, format);
        sounds.into_iter().map(|sound| (sound.id, sound.formats.len())).collect::<Vec<_>>()
    };
    assert_eq!(ids(Some("de"), None), [("hello".to_owned(), 1)]);
    assert_eq!(ids(None, Some("wav")), ids(Some("de"), None));
    assert_eq!(ids(Some("en"), None).len(), names().len());
    assert!(ids(Some("en"), Some("ulaw")).iter().all(|(_, formats)| *formats == 1));
    assert_eq!((ids(Some("xx"), None), ids(None, Some("gsm"))), (vec![], vec![]));
    let hello = sounds::find(&prompts, "hello").unwrap();
    assert_eq!(formats(&hello), [("de", "slin"), ("en", "slin16"), ("en", "ulaw")]);
    let json = serde_json::to_value(&hello).unwrap();
    assert_eq!(json["formats"][0], serde_json::json!({ "language": "de", "format": "slin" }));
    assert!(sounds::list(&prompts, None, None).is_sorted_by(|a, b| a.id < b.id));
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn the_music_is_long_enough_calm_and_goes_round_without_a_click() {
    let prompts = prompts(Vec::new());
    let classes = sounds::music();
    assert_eq!(classes.keys().collect::<Vec<_>>(), ["default"]);
    for class in classes.values() {
        let MusicSource::Sounds(names) = &class.source else { panic!("built in") };
        assert_eq!(names, &["music/default/calm".parse::<SoundName>().unwrap()]);
        for item in class.items().unwrap() {
            let pcm = prompts.load(&item, None, WIDE).unwrap();
            let (most, level) = levels(&pcm);
            assert!((20..=30).contains(&pcm.duration().as_secs()));
            assert!(most < 20_000 && level > 1_000.0, "{most}, {level}");
            let samples = pcm.samples();
            let step = |pair: &[i16]| (i32::from(pair[1]) - i32::from(pair[0])).abs();
            let largest = samples.windows(2).map(step).max().unwrap();
            let around = step(&[samples[samples.len() - 1], samples[0]]);
            assert!(around <= largest / 2, "{around} at the end, {largest} elsewhere");
        }
    }
}
