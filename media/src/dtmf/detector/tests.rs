//! The limits of ITU-T Q.24, and what the network does to a digit.

use super::*;
use crate::codec::{Codec, EncodeSettings};
use crate::dtmf::{Dbm0, DtmfSettings, ToneGenerator};
use crate::frame::SampleRate;

const MS: usize = 8;

/// Uniform noise, for deterministic tests (SplitMix64).
struct Noise(u64);

impl Noise {
    /// −1 to 1; its mean square is 1/3.
    fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ z >> 31) >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    }
}

/// A test signal: two sines with hard edges, as the standards' limits are meant.
#[derive(Clone, Copy)]
struct Pair {
    low_hz: f32,
    high_hz: f32,
    low: Dbm0,
    high: Dbm0,
}

impl Pair {
    fn of(digit: Digit) -> Self {
        let level = Dbm0(-10.0);
        Pair { low_hz: digit.low_hz(), high_hz: digit.high_hz(), low: level, high: level }
    }

    fn levels(self, low: f32, high: f32) -> Self {
        Pair { low: Dbm0(low), high: Dbm0(high), ..self }
    }

    fn detuned(self, low_percent: f32, high_percent: f32) -> Self {
        Pair {
            low_hz: self.low_hz * (1.0 + low_percent / 100.0),
            high_hz: self.high_hz * (1.0 + high_percent / 100.0),
            ..self
        }
    }

    fn sing(self, samples: usize) -> Vec<i16> {
        let at = |hz: f32, n: usize| {
            (std::f64::consts::TAU * f64::from(hz) / 8_000.0 * n as f64 + 0.3).sin() as f32
        };
        let sum = |n| self.low.peak() * at(self.low_hz, n) + self.high.peak() * at(self.high_hz, n);
        (0..samples).map(|n| sum(n).round() as i16).collect()
    }
}

/// Parts one after the other, after 100 ms (and `offset` samples) and before 150 ms of silence.
fn stream(offset: usize, parts: &[&[i16]]) -> Vec<i16> {
    let mut all = vec![0; 100 * MS + offset];
    parts.iter().for_each(|part| all.extend_from_slice(part));
    all.extend_from_slice(&[0; 150 * MS]);
    all
}

fn hear(samples: &[i16]) -> Vec<DtmfEvent> {
    let mut events = Vec::new();
    let mut detector = Detector::new(SampleRate::Hz8000, DtmfSettings::DEFAULT);
    for frame in samples.chunks(160) {
        detector.feed(frame, &mut |event| events.push(event));
    }
    events
}

/// The digits that began, having checked that each ended before the next.
fn digits(events: &[DtmfEvent]) -> String {
    for pair in events.chunks(2) {
        match *pair {
            [
                DtmfEvent::Begin { digit, at_sample, .. },
                DtmfEvent::End { digit: ended, at_sample: started, .. },
            ] => assert_eq!((digit, at_sample), (ended, started)),
            _ => panic!("no Begin and End in turn: {events:?}"),
        }
    }
    let begun = events.iter().step_by(2).map(|event| match event {
        DtmfEvent::Begin { digit, .. } | DtmfEvent::End { digit, .. } => digit.as_char(),
    });
    begun.collect()
}

#[test]
fn all_16_digits_of_40_ms_are_heard_at_every_level_and_alignment() {
    for digit in Digit::ALL {
        for level in [0.0, -1.0, -3.0, -10.0, -20.0, -25.0] {
            let tone = Pair::of(digit).levels(level, level).sing(40 * MS);
            for offset in 0..40 {
                let events = hear(&stream(offset, &[&tone]));
                assert_eq!(digits(&events), digit.to_string(), "{level} dBm0 + {offset}");
            }
        }
    }
}

#[test]
fn tones_of_23_ms_or_less_are_no_digits() {
    for digit in Digit::ALL {
        for ms in [5, 10, 15, 20, 23] {
            for offset in 0..40 {
                let tone = Pair::of(digit).sing(ms * MS);
                assert_eq!(digits(&hear(&stream(offset, &[&tone]))), "", "{digit} {ms} ms");
            }
        }
    }
}

#[test]
fn twist_within_8_and_4_db_is_heard_and_far_beyond_is_not() {
    for digit in Digit::ALL {
        for offset in [0, 7, 23, 31] {
            let heard = |low, high| {
                let tone = Pair::of(digit).levels(low, high).sing(40 * MS);
                digits(&hear(&stream(offset, &[&tone]))) == digit.to_string()
            };
            assert!(heard(-6.0, -14.0) && heard(-17.0, -25.0), "{digit}: normal twist of 8 dB");
            assert!(heard(-10.0, -6.0) && heard(-25.0, -21.0), "{digit}: reverse twist of 4 dB");
            assert!(!heard(-6.0, -18.0), "{digit}: normal twist of 12 dB");
            assert!(!heard(-15.0, -6.0), "{digit}: reverse twist of 9 dB");
            assert!(!heard(-100.0, -6.0) && !heard(-6.0, -100.0), "{digit}: one tone");
        }
    }
}

#[test]
fn frequencies_within_1_5_percent_are_heard_and_3_5_percent_off_are_not() {
    let either =
        |off: f32| [(off, 0.0), (-off, 0.0), (0.0, off), (0.0, -off), (off, off), (off, -off)];
    for digit in Digit::ALL {
        for offset in [0, 7, 23, 31] {
            let heard = |(low, high): (f32, f32), ms: usize| {
                let tone = Pair::of(digit).detuned(low, high).sing(ms * MS);
                digits(&hear(&stream(offset, &[&tone]))) == digit.to_string()
            };
            for detune in either(1.5) {
                assert!(heard(detune, 40), "{digit} {detune:?}");
                assert!(heard(detune, 100), "{digit} {detune:?}");
            }
            for detune in either(3.5) {
                assert!(!heard(detune, 40), "{digit} {detune:?}");
                assert!(!heard(detune, 500), "{digit} {detune:?}");
            }
        }
    }
}

#[test]
fn an_interruption_of_10_ms_does_not_split_a_digit() {
    let (tone, gap) = (Pair::of(Digit::ALL[4]).sing(40 * MS), [0; 10 * MS]);
    for offset in 0..40 {
        let events = hear(&stream(offset, &[&tone, &gap, &tone]));
        assert_eq!(digits(&events), "4", "offset {offset}");
        let DtmfEvent::End { samples, .. } = events[1] else { panic!("{events:?}") };
        assert!(samples.abs_diff(720) <= 64, "{samples}");
    }
}

#[test]
fn a_pause_of_40_ms_separates_equal_digits() {
    let (tone, pause) = (Pair::of(Digit::ALL[4]).sing(40 * MS), [0; 40 * MS]);
    for offset in 0..40 {
        let events = hear(&stream(offset, &[&tone, &pause, &tone, &pause, &tone]));
        assert_eq!(digits(&events), "444", "offset {offset}");
    }
}

#[test]
fn different_digits_need_no_pause() {
    let [one, two] = [1, 2].map(|i| Pair::of(Digit::ALL[i]).sing(60 * MS));
    for offset in 0..40 {
        assert_eq!(digits(&hear(&stream(offset, &[&one, &two, &one]))), "121");
    }
}

#[test]
fn start_and_duration_are_within_10_ms() {
    for digit in Digit::ALL {
        for (offset, ms) in [(0, 40), (3, 50), (17, 65), (39, 80), (21, 500)] {
            let events = hear(&stream(offset, &[&Pair::of(digit).sing(ms * MS)]));
            let [DtmfEvent::Begin { .. }, DtmfEvent::End { at_sample, samples, .. }] = events[..]
            else {
                panic!("{events:?}")
            };
            assert!(at_sample.abs_diff(100 * 8 + offset as u64) <= 40, "{at_sample} {offset}");
            assert!(samples.abs_diff((ms * MS) as u64) <= 80, "{samples} of {ms} ms");
        }
    }
}

#[test]
fn chunks_of_any_size_reveal_the_same() {
    let tones: Vec<_> = Digit::ALL.iter().map(|&digit| Pair::of(digit).sing(50 * MS)).collect();
    let all: Vec<i16> = tones.iter().flat_map(|tone| stream(11, &[tone])).collect();
    let whole = hear(&all);
    assert_eq!(digits(&whole), "0123456789*#ABCD");
    for chunk in [1, 3, 39, 40, 41, 80, 161, 240, 10_000] {
        let (mut detector, mut events) =
            (Detector::new(SampleRate::Hz8000, DtmfSettings::DEFAULT), Vec::new());
        all.chunks(chunk).for_each(|part| detector.feed(part, &mut |event| events.push(event)));
        assert_eq!(events, whole, "chunks of {chunk}");
    }
}

#[test]
fn digits_of_40_ms_are_heard_in_white_noise_15_db_below() {
    let mut noise = Noise(15);
    for round in 0..54 {
        for digit in Digit::ALL {
            // Every twist with every detune; the noise is below the whole signal.
            let (low, high) = [(-12.0, -20.0), (-16.0, -12.0), (-12.0, -12.0)][round % 3];
            let (detune, other) = [(1.5, -1.5), (0.0, 1.5), (-1.5, 0.0)][round / 3 % 3];
            let power = (Dbm0(low).peak().powi(2) + Dbm0(high).peak().powi(2)) / 2.0;
            let peak = (3.0 * power / 10f32.powf(1.5)).sqrt();
            let pair = Pair::of(digit).levels(low, high).detuned(detune, other);
            let mut all = stream(round, &[&pair.sing(40 * MS)]);
            all.iter_mut().for_each(|s| *s = s.saturating_add((noise.next() * peak) as i16));
            assert_eq!(digits(&hear(&all)), digit.to_string(), "round {round}");
        }
    }
}

#[test]
fn digits_survive_g711_in_both_laws_and_in_tandem() {
    for digit in Digit::ALL {
        for level in [0.0, -9.0, -25.0] {
            let tone =
                ToneGenerator::with_levels(digit, SampleRate::Hz8000, 45, Dbm0(level), Dbm0(level));
            let mut sung = vec![0; 45 * MS];
            assert_eq!(tone.clone().fill(&mut sung), sung.len());
            let mut all = stream(5, &[&sung]);
            for codec in [Codec::PCMU, Codec::PCMA, Codec::PCMU] {
                let mut coded = vec![0; all.len()];
                codec.encoder(&EncodeSettings::default()).encode(&all, &mut coded);
                codec.decoder().decode(&coded, &mut all);
                assert_eq!(digits(&hear(&all)), digit.to_string(), "{codec} {level} dBm0");
            }
        }
    }
}

#[test]
fn dc_does_not_hide_a_digit() {
    let mut all = stream(0, &[&Pair::of(Digit::ALL[9]).levels(-20.0, -20.0).sing(50 * MS)]);
    all.iter_mut().for_each(|s| *s += 6_000);
    assert_eq!(digits(&hear(&all)), "9");
}

#[test]
fn noise_is_no_digit() {
    let mut noise = Noise(7);
    let white: Vec<i16> = (0..8_000 * 120).map(|_| (noise.next() * 20_000.0) as i16).collect();
    assert_eq!(digits(&hear(&white)), "");
    let mut low = 0.0;
    let red: Vec<i16> = white
        .iter()
        .map(|&s| {
            low += (f32::from(s) - low) * 0.3;
            low as i16
        })
        .collect();
    assert_eq!(digits(&hear(&red)), "");
}

/// A vowel: the harmonics of a gliding pitch, through three formants, in syllables of 200 ms.
fn vowel(pitch: f32, formants: [f32; 3], seconds: usize) -> Vec<i16> {
    let resonance = |hz: f32| -> f32 {
        let gain = |formant: &f32| 1.0 / (1.0 + ((hz - formant) / 50.0).powi(2)).sqrt();
        let tract: f32 =
            formants.iter().zip([1.0, 0.6, 0.2]).map(|(f, level)| level * gain(f)).sum();
        tract * 500.0 / hz // the glottis and the lips: 6 dB less per octave
    };
    let harmonics: Vec<f32> = (1..).map(|k| k as f32).take_while(|k| k * pitch < 3_600.0).collect();
    let weights: Vec<f32> = harmonics.iter().map(|k| resonance(k * pitch)).collect();
    let total = weights.iter().sum::<f32>().max(1e-3);
    let mut phase = 0.0f32;
    let sample = |n: usize| {
        let t = n as f32 / 8_000.0;
        phase = (phase + pitch * (1.0 + 0.08 * (t * 4.0).sin()) / 8_000.0).fract();
        let envelope = (std::f32::consts::PI * (t * 5.0).fract()).sin();
        let sine = |(k, weight): (&f32, &f32)| weight * (std::f32::consts::TAU * phase * k).sin();
        let sum: f32 = harmonics.iter().zip(&weights).map(sine).sum();
        (sum / total * envelope * 25_000.0) as i16
    };
    (0..8_000 * seconds).map(sample).collect()
}

#[test]
fn harmonic_voices_are_no_digits() {
    // The vowels of Peterson and Barney's mean man, woman and child with formants in both groups,
    // at every pitch that people speak at.
    let vowels = [
        [570.0, 840.0, 2410.0],
        [730.0, 1090.0, 2440.0],
        [850.0, 1220.0, 2810.0],
        [640.0, 1190.0, 2390.0],
        [660.0, 1720.0, 2410.0],
        [860.0, 2050.0, 2850.0],
        [1030.0, 1370.0, 3170.0],
        [850.0, 1590.0, 3360.0],
        [680.0, 1060.0, 3180.0],
        [490.0, 1350.0, 1690.0],
    ];
    let mut found = Vec::new();
    for pitch in (80..=350).step_by(5) {
        for formants in vowels {
            let events = hear(&vowel(pitch as f32, formants, 1));
            found.extend(events.first().map(|event| (pitch, formants, *event)));
        }
    }
    assert!(found.is_empty(), "{} of {}: {found:?}", found.len(), 55 * vowels.len());
}

#[test]
fn call_progress_tones_are_no_digits() {
    for (low_hz, high_hz) in [
        (350.0, 440.0),
        (440.0, 480.0),
        (480.0, 620.0),
        (425.0, 425.0),
        (1_400.0, 2_060.0),
        (697.0, 770.0),
        (1_209.0, 1_336.0),
    ] {
        let level = Dbm0(-10.0);
        let tone = Pair { low_hz, high_hz, low: level, high: level }.sing(2_000 * MS);
        assert_eq!(digits(&hear(&stream(0, &[&tone]))), "", "{low_hz} + {high_hz} Hz");
    }
}

/// Feeds frames of 20 ms, those in `lost` as erasures, and gives back the digits.
fn hear_with_loss(samples: &[i16], lost: &[usize]) -> String {
    let (mut detector, mut events) =
        (Detector::new(SampleRate::Hz8000, DtmfSettings::DEFAULT), Vec::new());
    for (i, frame) in samples.chunks(160).enumerate() {
        let mut on = |event| events.push(event);
        if lost.contains(&i) {
            detector.erased(frame.len(), &mut on);
        } else {
            detector.feed(frame, &mut on);
        }
    }
    digits(&events)
}

#[test]
fn one_or_two_lost_packets_in_a_tone_of_120_ms_leave_one_digit() {
    for digit in Digit::ALL {
        for offset_ms in 0..20 {
            let all = stream(offset_ms * MS, &[&Pair::of(digit).sing(120 * MS)]);
            let frames = all.len() / 160 - 1;
            for first in 4..frames {
                for second in first..frames {
                    let heard = hear_with_loss(&all, &[first, second]);
                    let told = format!("{offset_ms} ms, lost {first} and {second}");
                    assert_eq!(heard, digit.to_string(), "{told}");
                }
            }
        }
    }
}

#[test]
fn more_than_60_ms_of_loss_end_a_digit_where_it_was_last_heard() {
    let tone = Pair::of(Digit::ALL[8]).sing(100 * MS);
    let (mut detector, mut events) =
        (Detector::new(SampleRate::Hz8000, DtmfSettings::DEFAULT), Vec::new());
    detector.feed(&tone, &mut |event| events.push(event));
    detector.erased(60 * MS, &mut |event| events.push(event));
    assert_eq!(detector.current(), Some(Digit::ALL[8]));
    detector.erased(1, &mut |event| events.push(event));
    assert_eq!(detector.current(), None);
    let DtmfEvent::End { samples, .. } = events[1] else { panic!("{events:?}") };
    assert!(samples.abs_diff(100 * 8) <= 80, "{samples}");
    detector.erased(usize::MAX / 2, &mut |event| events.push(event));
    detector.erased(usize::MAX / 2, &mut |event| events.push(event));
    assert_eq!(events.len(), 2);
}

#[test]
fn positions_go_on_counting_over_a_loss() {
    let (mut detector, mut events) =
        (Detector::new(SampleRate::Hz8000, DtmfSettings::DEFAULT), Vec::new());
    detector.erased(10_000, &mut |event| events.push(event));
    let tone = stream(0, &[&Pair::of(Digit::ALL[8]).sing(100 * MS)]);
    detector.feed(&tone, &mut |event| events.push(event));
    let DtmfEvent::Begin { at_sample, .. } = events[0] else { panic!("{events:?}") };
    assert!(at_sample.abs_diff(10_800) <= 40, "{at_sample}");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_comes_begins_and_ends_in_turn(
        chunks in proptest::collection::vec(
            (proptest::bool::ANY, proptest::collection::vec(proptest::num::i16::ANY, 0..400)), 0..40)
    ) {
        let (mut detector, mut events) = (Detector::new(SampleRate::Hz8000, DtmfSettings::DEFAULT), Vec::new());
        for (lost, chunk) in &chunks {
            let mut on = |event| events.push(event);
            if *lost { detector.erased(chunk.len(), &mut on) } else { detector.feed(chunk, &mut on) }
        }
        detector.erased(1_000, &mut |event| events.push(event));
        digits(&events);
    }
}
