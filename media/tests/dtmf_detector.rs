//! The detector as its users see it: rates, profiles, levels, times, and why something is no digit.

use std::f64::consts::TAU;

use stasis_media::dtmf::{
    Dbm0, Detector, Digit, DtmfEvent, DtmfSettings, Rejection, ToneGenerator, UnknownProfile,
};
use stasis_media::frame::{Ptime, SampleRate};

const RATE: SampleRate = SampleRate::Hz8000;
const MS: usize = 8;

/// A sine at 8 kHz: hertz and dBm0, and hertz a second by which it rises.
#[derive(Clone, Copy)]
struct Sine {
    hz: f64,
    level: f32,
    rise: f64,
}

fn sine(hz: f64, level: f32) -> Sine {
    Sine { hz, level, rise: 0.0 }
}

/// Sines together, for so many ms, with hard edges.
fn sing(sines: &[Sine], ms: usize) -> Vec<i16> {
    let one = |sine: &Sine, n: usize| {
        let t = n as f64 / 8_000.0;
        let turns = sine.hz * t + sine.rise * t * t / 2.0;
        f64::from(Dbm0(sine.level).peak()) * (TAU * turns + 0.4).sin()
    };
    let sum = |n| sines.iter().map(|sine| one(sine, n)).sum::<f64>();
    (0..ms * MS).map(|n| sum(n).round() as i16).collect()
}

fn five(low: f32, high: f32) -> [Sine; 2] {
    [sine(770.0, low), sine(1_336.0, high)]
}

fn pause(ms: usize) -> Vec<i16> {
    vec![0; ms * MS]
}

fn join(parts: &[&[i16]]) -> Vec<i16> {
    [&pause(100), parts.concat().as_slice(), &pause(150)].concat()
}

fn add(a: &[i16], b: &[i16]) -> Vec<i16> {
    a.iter().zip(b).map(|(a, b)| a.saturating_add(*b)).collect()
}

/// All that a detector says of a stream, fed in frames of 20 ms.
fn hear(samples: &[i16], rate: SampleRate, settings: DtmfSettings) -> (Vec<DtmfEvent>, Detector) {
    let (mut detector, mut events) = (Detector::new(rate, settings), Vec::new());
    let mut on = |event| events.push(event);
    samples.chunks(rate.samples_in(Ptime::TICK)).for_each(|frame| detector.feed(frame, &mut on));
    detector.finish(&mut on);
    (events, detector)
}

fn digits(events: &[DtmfEvent]) -> String {
    let begun = events.iter().filter_map(|event| match event {
        DtmfEvent::Begin { digit, .. } => Some(digit.as_char()),
        DtmfEvent::End { .. } => None,
    });
    begun.collect()
}

fn heard_by(samples: &[i16], settings: DtmfSettings) -> String {
    digits(&hear(samples, RATE, settings).0)
}

fn heard(samples: &[i16]) -> String {
    heard_by(samples, DtmfSettings::DEFAULT)
}

#[test]
fn every_rate_gives_the_same_digits_in_time() {
    for rate in SampleRate::ALL {
        let per_ms = (rate.hz() / 1_000) as usize;
        let mut all = vec![0i16; 103 * per_ms];
        for digit in Digit::ALL {
            let mut sung = vec![0; 100 * per_ms];
            ToneGenerator::new(digit, rate, 50).fill(&mut sung);
            all.extend(sung);
        }
        let (events, _) = hear(&all, rate, DtmfSettings::DEFAULT);
        assert_eq!(digits(&events), "0123456789*#ABCD", "{rate}");
        for (i, pair) in events.chunks(2).enumerate() {
            let [
                DtmfEvent::Begin { at_sample, reported_at, .. },
                DtmfEvent::End { samples, low, high, .. },
            ] = *pair
            else {
                panic!("{pair:?}")
            };
            let start = ((103 + 100 * i) * per_ms) as u64;
            assert!(at_sample.abs_diff(start) <= 3 * per_ms as u64, "{rate} {at_sample} {start}");
            assert!(samples.abs_diff(50 * per_ms as u64) <= 4 * per_ms as u64, "{rate} {samples}");
            let late = reported_at - start;
            assert!((26..=38).contains(&(late / per_ms as u64)), "{rate} {late}");
            assert!((low.0 + 9.0).abs() < 0.6 && (high.0 + 7.0).abs() < 0.6, "{low:?} {high:?}");
        }
    }
}

#[test]
fn a_digit_is_told_of_as_soon_as_its_report_says() {
    let all = join(&[&sing(&five(-9.0, -7.0), 60)]);
    let (events, _) = hear(&all, RATE, DtmfSettings::DEFAULT);
    let DtmfEvent::Begin { reported_at, .. } = events[0] else { panic!("{events:?}") };
    let reported_at = reported_at as usize;
    assert_eq!(digits(&hear(&all[..reported_at], RATE, DtmfSettings::DEFAULT).0), "5");
    assert_eq!(digits(&hear(&all[..reported_at - 1], RATE, DtmfSettings::DEFAULT).0), "");
}

#[test]
fn profiles_ask_for_more_or_less() {
    let [strict, default, relaxed] =
        ["strict", "default", "relaxed"].map(|name| name.parse::<DtmfSettings>().unwrap());
    assert_eq!(default, DtmfSettings::default());
    let unknown = "lax".parse::<DtmfSettings>();
    assert_eq!(unknown, Err(UnknownProfile("lax".into())));
    assert!(unknown.unwrap_err().to_string().contains("strict, default or relaxed"));
    let by_all = |samples: &[i16]| [strict, default, relaxed].map(|by| heard_by(samples, by));
    // What the standards ask for is heard by all of them.
    for (low, high) in [(-6.0, -14.0), (-10.0, -6.0), (-25.0, -25.0), (0.0, 0.0)] {
        assert_eq!(by_all(&join(&[&sing(&five(low, high), 40)])), ["5", "5", "5"], "{low} {high}");
    }
    let twisted = |low, high| by_all(&join(&[&sing(&five(low, high), 50)]));
    assert_eq!(twisted(-6.0, -15.6), ["", "5", "5"], "9.6 dB");
    assert_eq!(twisted(-6.0, -18.0), ["", "", "5"], "12 dB");
    assert_eq!(twisted(-40.0, -40.0), ["", "5", "5"], "soft");
    assert_eq!(twisted(-56.0, -56.0), ["", "", ""], "softer than any digit");
}

#[test]
fn why_something_is_no_digit_is_counted() {
    let why = |samples: &[i16]| {
        let (events, detector) = hear(&join(&[samples]), RATE, DtmfSettings::DEFAULT);
        assert_eq!(digits(&events), "");
        let counts = detector.rejections();
        let all = Rejection::ALL.into_iter().filter(|&why| counts.count(why) > 0);
        let all: Vec<Rejection> = all.collect();
        assert_eq!(counts.total(), all.len() as u64, "each once: {counts:?}");
        all
    };
    let and = |more: &[Sine]| [&five(-12.0, -12.0)[..], more].concat();
    assert_eq!(why(&sing(&five(-50.0, -50.0), 60)), [Rejection::Level]);
    assert_eq!(why(&sing(&five(-6.0, -20.0), 60)), [Rejection::Twist]);
    assert_eq!(why(&sing(&five(-20.0, -6.0), 60)), [Rejection::Twist]);
    let off = [sine(770.0 * 1.035, -12.0), sine(1_336.0, -12.0)];
    assert_eq!(why(&sing(&off, 60)), [Rejection::Frequency]);
    assert_eq!(why(&sing(&and(&[sine(1_050.0, -13.0)]), 60)), [Rejection::RelativePeak]);
    let harmonics: Vec<Sine> = (0..6).map(|k| sine(550.0 + 97.0 * f64::from(k), -26.0)).collect();
    assert_eq!(why(&sing(&and(&harmonics), 60)), [Rejection::EnergyRatio]);
    assert_eq!(why(&sing(&and(&[sine(2_672.0, -20.0)]), 60)), [Rejection::SecondHarmonic]);
    for offset in 0..64 {
        let tone = [vec![0; offset], sing(&five(-9.0, -7.0), 20)].concat();
        assert_eq!(why(&tone), [Rejection::Duration], "{offset}");
    }
    let sweep = [Sine { rise: 1_600.0, ..sine(745.0, -12.0) }, sine(1_336.0, -12.0)];
    assert!(
        why(&sing(&sweep, 40))
            .iter()
            .all(|why| { matches!(why, Rejection::Steadiness | Rejection::Frequency) })
    );
}

#[test]
fn a_dial_tone_that_was_there_before_hides_no_digit_and_one_that_comes_with_it_does() {
    for (hz, other) in [(350.0, 440.0), (425.0, 425.0), (400.0, 450.0)] {
        let dial = [sine(hz, -12.0), sine(other, -12.0)];
        let dial = sing(if hz == other { &dial[..1] } else { &dial }, 300);
        let key = join(&[&sing(&five(-12.0, -12.0), 50)]);
        assert_eq!(heard(&add(&key, &dial)), "5", "{hz} + {other}");
        let both = sing(&[five(-12.0, -12.0).as_slice(), &[sine(hz, -12.0)]].concat(), 50);
        assert_eq!(heard(&join(&[&both])), "", "{hz}");
    }
}

#[test]
fn an_echo_is_no_second_digit() {
    for delay in [5, 10, 20, 25, 30] {
        for db in [-20.0, -10.0] {
            let direct = join(&[&sing(&five(-9.0, -7.0), 60)]);
            let gain = 10f32.powf(db / 20.0);
            let echo: Vec<i16> = direct.iter().map(|&s| (f32::from(s) * gain) as i16).collect();
            let late = [pause(delay), echo].concat();
            assert_eq!(heard(&add(&direct, &late)), "5", "{delay} ms {db} dB");
        }
    }
}

#[test]
fn zeros_in_place_of_a_packet_do_not_split_a_digit() {
    for at in 30..60 {
        let mut all = join(&[&sing(&five(-9.0, -7.0), 120)]);
        all[(100 + at) * MS..(120 + at) * MS].fill(0);
        let (events, _) = hear(&all, RATE, DtmfSettings::DEFAULT);
        assert_eq!(digits(&events), "5", "{at}");
        let DtmfEvent::End { samples, .. } = events[1] else { panic!("{events:?}") };
        assert!(samples.abs_diff(120 * 8) <= 32, "{at}: {samples}");
    }
}

#[test]
fn a_digit_under_way_ends_with_the_stream() {
    let all = [pause(50), sing(&five(-9.0, -7.0), 77)].concat();
    let (events, mut detector) = hear(&all, RATE, DtmfSettings::DEFAULT);
    let DtmfEvent::End { samples, .. } = events[1] else { panic!("{events:?}") };
    assert!(samples.abs_diff(77 * 8) <= 64, "{samples}");
    detector.finish(&mut |event| panic!("{event:?}"));
}
