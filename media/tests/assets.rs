//! The voices of the demo (`examples/assets`) are speech that no detector mistakes for anything else.

use stasis_media::dtmf::{Detector, DtmfEvent, DtmfSettings};
use stasis_media::frame::SampleRate;
use stasis_media::mix::soft_limit;
use stasis_media::talk::{TalkChange, TalkDetector};
use stasis_media::wav::Pcm;

const VOICES: [&str; 3] = ["alice", "bob", "you"];
const RATE: SampleRate = SampleRate::Hz8000;
/// One tick at 8 kHz.
const TICK: usize = 160;

fn voice(name: &str) -> Vec<i16> {
    let path = format!("{}/../examples/assets/{name}.wav", env!("CARGO_MANIFEST_DIR"));
    Pcm::load(path, RATE).expect("the demo's voices are in the repository").samples().to_vec()
}

/// A voice with a gain in percent.
fn scaled(samples: &[i16], percent: i32) -> Vec<i16> {
    samples.iter().map(|&sample| soft_limit(i32::from(sample) * percent / 100)).collect()
}

/// Two voices at once, as a bridge mixes them; the shorter one falls silent.
fn sum(a: &[i16], b: &[i16]) -> Vec<i16> {
    let at = |voice: &[i16], n| i32::from(voice.get(n).copied().unwrap_or(0));
    (0..a.len().max(b.len())).map(|n| soft_limit(at(a, n) + at(b, n))).collect()
}

fn digits(samples: &[i16]) -> Vec<DtmfEvent> {
    let mut heard = Vec::new();
    let mut detector = Detector::new(SampleRate::Hz8000, DtmfSettings::DEFAULT);
    for tick in samples.chunks(TICK).chain([&[0; 800][..]]) {
        detector.feed(tick, &mut |event| heard.push(event));
    }
    heard
}

/// What the talk detector says of a voice and the second of silence after it, and in which tick.
fn talk(samples: &[i16]) -> Vec<(usize, TalkChange)> {
    let mut detector = TalkDetector::default();
    let silence = [0; TICK];
    let ticks = samples.chunks_exact(TICK).chain(std::iter::repeat_n(&silence[..], 50));
    ticks.enumerate().filter_map(|(n, tick)| Some((n, detector.feed(tick, RATE)?))).collect()
}

#[test]
fn no_voice_has_a_digit_in_it_whether_louder_softer_or_two_at_a_time() {
    let mut speech: Vec<(String, Vec<i16>)> =
        VOICES.map(|name| (name.to_owned(), voice(name))).into();
    for (one, two) in [(0, 1), (0, 2), (1, 2)] {
        let both = sum(&speech[one].1, &speech[two].1);
        speech.push((format!("{} and {}", VOICES[one], VOICES[two]), both));
    }
    for (name, samples) in &speech {
        for percent in [80, 100, 120] {
            assert_eq!(digits(&scaled(samples, percent)), [], "{name} at {percent} %");
        }
    }
}

#[test]
fn a_digit_that_is_there_is_found_by_the_same_means() {
    let tone = |t: usize, hz: f64| (t as f64 * hz / 8_000.0 * std::f64::consts::TAU).sin();
    let five: Vec<i16> =
        (0..800).map(|t| ((tone(t, 770.0) + tone(t, 1_336.0)) * 4_000.0) as i16).collect();
    assert_eq!(digits(&five).len(), 2, "begin and end");
}

#[test]
fn each_voice_starts_talking_at_once_and_stops_after_its_last_word() {
    for name in VOICES {
        let samples = voice(name);
        let changes = talk(&samples);
        let (first, last) = (changes.first().copied(), changes.last().copied());
        assert!(
            matches!(first, Some((tick, TalkChange::Started)) if tick < 15),
            "{name} within 300 ms: {changes:?}"
        );
        let end = samples.len() / TICK;
        assert!(
            matches!(last, Some((tick, TalkChange::Stopped { .. })) if tick >= end - 5),
            "{name} ends in tick {end}: {changes:?}"
        );
    }
}

#[test]
fn levels_and_lengths_are_what_the_readme_says() {
    for (name, seconds) in VOICES.into_iter().zip([7.5, 7.2, 6.1]) {
        let samples = voice(name);
        let length = samples.len() as f64 / 8_000.0;
        assert!((length - seconds).abs() < 0.06, "{name}: {length} s");
        let peak = samples.iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
        assert!((8_000..23_197).contains(&peak), "{name}: peak {peak}, -3 dBFS is 23197");
        let powers = samples.chunks_exact(TICK).map(|tick| {
            tick.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>()
                / TICK as f64
                / 32_768f64.powi(2)
        });
        let active: Vec<f64> = powers.filter(|&power| power > 1e-4).collect();
        let level = 10.0 * (active.iter().sum::<f64>() / active.len() as f64).log10();
        assert!((-22.0..-18.0).contains(&level), "{name}: {level} dBFS");
    }
}
