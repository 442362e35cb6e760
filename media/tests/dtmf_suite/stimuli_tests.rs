//! The stimuli are what they are said to be.

use std::collections::HashSet;
use std::f64::consts::TAU;

use super::dtmf_suite::keys::Keys;
use super::dtmf_suite::line::{Effect, Fill};
use super::dtmf_suite::sound::peak;
use super::dtmf_suite::{Case, Class, Material, Recording, Take, cases, seeded};

fn record(take: Take) -> Recording {
    let case = Case { class: Class::MustAccept, category: "test".into(), number: 0, take };
    case.record(&Material::default())
}

fn keys() -> Keys {
    Keys { ramp_ms: 0.0, ..Keys::new(&mut seeded("keys")) }.at(-10.0).lasting(100.0)
}

/// The samples of the first stimulus.
fn first(recording: &Recording) -> Vec<f64> {
    let stimulus = &recording.stimuli[0];
    let samples = |ms: f64| (ms * f64::from(recording.hz) / 1_000.0).round() as usize;
    let from = samples(stimulus.start_ms);
    let span = &recording.samples[from..from + samples(stimulus.duration_ms)];
    span.iter().map(|&sample| f64::from(sample)).collect()
}

/// The peak of the sine of this frequency, by correlation.
fn peak_at(samples: &[f64], hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (i, sample) in samples.iter().enumerate() {
        let (sin, cos) = (TAU * hz * i as f64 / 8_000.0).sin_cos();
        (re, im) = (re + sample * cos, im + sample * sin);
    }
    2.0 * f64::hypot(re, im) / samples.len() as f64
}

fn mean_square(samples: &[f64]) -> f64 {
    samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64
}

#[test]
fn the_suite_is_as_large_as_it_says() {
    let count = |class| {
        let of_class = cases().into_iter().filter(move |case| case.class == class);
        of_class
            .filter(|case| !case.needs_program())
            .map(|case| case.take.sounds.len())
            .sum::<usize>()
    };
    let counts = Class::ALL.map(count);
    let least = [8_400, 2_100, 7_000, 640];
    assert!(counts.iter().zip(least).all(|(&count, least)| count >= least), "{counts:?}");
}

#[test]
fn each_case_has_a_file_of_its_own_with_8_to_64_stimuli() {
    let mut files = HashSet::new();
    for case in cases() {
        assert!((8..=64).contains(&case.take.sounds.len()), "{}", case.file());
        assert!(files.insert(case.file()), "{}", case.file());
    }
}

#[test]
fn a_case_makes_the_same_recording_each_time() {
    for case in cases().iter().filter(|case| !case.needs_program()).step_by(25) {
        let (once, again) = (case.record(&Material::default()), case.record(&Material::default()));
        assert!(once.samples == again.samples, "{}", case.file());
    }
}

#[test]
fn stimuli_follow_each_other_with_pauses_between() {
    for case in cases().iter().filter(|case| !case.needs_program()).step_by(10) {
        let recording = case.record(&Material::default());
        let mut end = 200.0;
        for stimulus in &recording.stimuli {
            assert!(stimulus.start_ms >= end + 19.9, "{}: {stimulus:?}", case.file());
            end = stimulus.start_ms + stimulus.duration_ms;
        }
        let whole = recording.samples.len() as f64 * 1_000.0 / f64::from(recording.hz);
        assert!(whole >= end + 300.0, "{}", case.file());
    }
}

#[test]
fn tones_have_the_levels_and_the_frequencies_asked_for() {
    let keys = Keys { levels: [-6.0, -14.0], ..keys() }.detuned(1.5, -3.5);
    let sounds = keys.press(&mut seeded("press"));
    let hz = [sounds[0].sines()[0].hz, sounds[0].sines()[1].hz];
    let digit = sounds[0].digit.unwrap();
    assert!((hz[0] / f64::from(digit.low_hz()) - 1.015).abs() < 1e-9);
    assert!((hz[1] / f64::from(digit.high_hz()) - 0.965).abs() < 1e-9);
    let samples = first(&record(Take::new(sounds)));
    assert!((peak_at(&samples, hz[0]) / peak(-6.0) - 1.0).abs() < 0.02);
    assert!((peak_at(&samples, hz[1]) / peak(-14.0) - 1.0).abs() < 0.05);
}

#[test]
fn noise_has_the_power_asked_for() {
    let sounds = keys().press(&mut seeded("press"));
    let noisy = record(Take::new(sounds).through([Effect::Noise { snr_db: 10.0 }]));
    let before: Vec<f64> = noisy.samples[..2_000].iter().map(|&s| f64::from(s)).collect();
    let snr_db = 10.0 * (peak(-10.0).powi(2) / mean_square(&before)).log10();
    assert!((snr_db - 10.0).abs() < 0.4, "{snr_db}");
}

#[test]
fn one_packet_in_twenty_is_lost_and_filled_as_asked() {
    let sounds = Keys { count: 64, ..keys() }.press(&mut seeded("press"));
    let whole = record(Take::new(sounds.clone())).samples;
    let zeros = record(Take::new(sounds.clone()).through([Effect::Loss(Fill::Zeros)])).samples;
    let repeated = record(Take::new(sounds).through([Effect::Loss(Fill::Repeat)])).samples;
    let lost: Vec<usize> = (1..whole.len() / 160)
        .filter(|i| whole[i * 160..][..160] != zeros[i * 160..][..160])
        .collect();
    assert!((8..60).contains(&lost.len()), "{}", lost.len());
    for i in lost {
        assert!(zeros[i * 160..][..160].iter().all(|&sample| sample == 0));
        assert_eq!(repeated[i * 160..][..160], repeated[(i - 1) * 160..][..160]);
    }
}
