//! Frequency, level and continuity of what comes out.

use super::*;

fn sine(hz: f64, rate: u32, n: usize) -> Vec<i16> {
    let turn = std::f64::consts::TAU * hz / f64::from(rate);
    (0..n).map(|i| (10_000.0 * (turn * i as f64).sin()).round() as i16).collect()
}

/// Fits a sine of `hz` by least squares: its peak, and the largest distance of any sample from it.
fn fit(samples: &[i16], hz: f64, rate: u32) -> (f64, f64) {
    let turn = std::f64::consts::TAU * hz / f64::from(rate);
    let (mut ss, mut sc, mut cc, mut xs, mut xc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (i, &x) in samples.iter().enumerate() {
        let ((s, c), x) = ((turn * i as f64).sin_cos(), f64::from(x));
        (ss, sc, cc, xs, xc) = (ss + s * s, sc + s * c, cc + c * c, xs + x * s, xc + x * c);
    }
    let det = ss * cc - sc * sc;
    let (a, b) = ((xs * cc - xc * sc) / det, (xc * ss - xs * sc) / det);
    let off = |(i, &x): (usize, &i16)| {
        let (s, c) = (turn * i as f64).sin_cos();
        (f64::from(x) - a * s - b * c).abs()
    };
    (a.hypot(b), samples.iter().enumerate().map(off).fold(0.0, f64::max))
}

fn assert_same_sine(samples: &[i16], hz: f64, rate: u32, told: &str) {
    let (peak, off) = fit(samples, hz, rate);
    let db = 20.0 * (peak / 10_000.0).log10();
    assert!(db.abs() < 0.1, "{told}: {hz} Hz came out at {db:.2} dB");
    assert!(off < 30.0, "{told}: {hz} Hz is off its sine by {off:.0}");
}

fn through(resampler: &mut Resampler, samples: &[i16]) -> Vec<i16> {
    let n = resampler.from().samples_in(Ptime::TICK);
    let mut out = vec![0; resampler.to().samples_in(Ptime::TICK)];
    let mut all = Vec::new();
    for tick in samples.chunks_exact(n) {
        resampler.process(tick, &mut out).unwrap();
        all.extend_from_slice(&out);
    }
    all
}

#[test]
fn a_tone_keeps_its_level_and_shape_between_all_rates_and_back() {
    for from in SampleRate::ALL {
        for to in SampleRate::ALL {
            let there = &mut Resampler::new(from, to).unwrap();
            let back = &mut Resampler::new(to, from).unwrap();
            let half = f64::from(from.hz().min(to.hz())) / 2.0;
            for hz in [50.0, 300.0, 1_000.0, 3_000.0, 3_400.0, half * 0.85] {
                there.reset();
                back.reset();
                let samples = sine(hz, from.hz(), from.hz() as usize / 2);
                let out = through(there, &samples);
                let told = format!("{from} to {to}");
                assert_same_sine(&out[to.hz() as usize / 20..], hz, to.hz(), &told);
                let again = through(back, &out);
                let told = format!("{told} and back");
                assert_same_sine(&again[from.hz() as usize / 10..], hz, from.hz(), &told);
            }
        }
    }
}

#[test]
fn equal_rates_pass_through_bit_by_bit() {
    let mut resampler = Resampler::new(SampleRate::Hz16000, SampleRate::Hz16000).unwrap();
    let samples = sine(440.0, 16_000, 3_200);
    assert_eq!(through(&mut resampler, &samples), samples);
    assert_eq!(resampler.delay(), 0);
}

#[test]
fn frequencies_beyond_the_lower_half_do_not_alias() {
    let mut down = Resampler::new(SampleRate::Hz48000, SampleRate::Hz8000).unwrap();
    for hz in [4_600.0, 6_000.0, 7_000.0, 11_000.0, 20_000.0] {
        down.reset();
        let out = through(&mut down, &sine(hz, 48_000, 24_000));
        let loudest = out[800..].iter().map(|s| s.unsigned_abs()).max().unwrap();
        assert!(loudest < 30, "{hz} Hz leaves {loudest}");
    }
}

#[test]
fn lengths_that_do_not_fit_are_refused_by_number() {
    let mut up = Resampler::new(SampleRate::Hz8000, SampleRate::Hz48000).unwrap();
    let mut out = [0; 960];
    let error = up.process(&[0; 159], &mut out).unwrap_err();
    assert_eq!(error, ResampleError::InputLength { needed: 160, given: 159 });
    let error = up.process(&[0; 160], &mut out[..959]).unwrap_err();
    assert_eq!(error, ResampleError::OutputLength { needed: 960, given: 959 });
    let error = DriftResampler::capture(7_999, SampleRate::Hz8000).unwrap_err();
    assert_eq!(error, ResampleError::RateOutOfRange(7_999));
    assert!(DriftResampler::playback(SampleRate::Hz8000, 192_001).is_err());
    assert!(resample_all(&[0], 0, SampleRate::Hz8000).is_err());
}

/// Runs `ticks` through a device resampler, the input being a sine of `hz`.
fn drift_through(resampler: &mut DriftResampler, hz: f64, in_hz: f64, ticks: usize) -> Vec<i16> {
    let turn = std::f64::consts::TAU * hz / in_hz;
    let (mut at, mut all) = (0usize, Vec::new());
    let mut out = vec![0; resampler.max_output()];
    for _ in 0..ticks {
        let n = resampler.input_needed();
        assert!(n <= resampler.max_input());
        let sine = |i| (10_000.0 * (turn * (at + i) as f64).sin()).round() as i16;
        let input: Vec<i16> = (0..n).map(sine).collect();
        at += n;
        let written = resampler.process(&input, &mut out).unwrap();
        all.extend_from_slice(&out[..written]);
    }
    all
}

#[test]
fn devices_of_any_rate_keep_a_tone_both_ways() {
    for device in [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000] {
        for rate in SampleRate::ALL {
            let tick = rate.samples_in(Ptime::TICK);
            let mut capture = DriftResampler::capture(device, rate).unwrap();
            let out = drift_through(&mut capture, 1_000.0, device.into(), 40);
            assert_eq!(out.len(), 40 * tick);
            assert_same_sine(&out[2 * tick..], 1_000.0, rate.hz(), &format!("{capture:?}"));
            let mut playback = DriftResampler::playback(rate, device).unwrap();
            let out = drift_through(&mut playback, 1_000.0, rate.hz().into(), 40);
            assert!(out.len().abs_diff(device as usize * 40 / 50) < 300, "{}", out.len());
            let told = format!("{playback:?}");
            assert_same_sine(&out[device as usize / 25..], 1_000.0, device, &told);
        }
    }
}

#[test]
fn telephone_speech_keeps_its_band_to_3_400_hz_through_a_sound_card() {
    for hz in [300.0, 2_000.0, 3_000.0, 3_400.0] {
        let mut capture = DriftResampler::capture(48_000, SampleRate::Hz8000).unwrap();
        let out = drift_through(&mut capture, hz, 48_000.0, 40);
        assert_same_sine(&out[320..], hz, 8_000, "capture");
        let mut playback = DriftResampler::playback(SampleRate::Hz8000, 48_000).unwrap();
        let out = drift_through(&mut playback, hz, 8_000.0, 40);
        assert_same_sine(&out[1_920..], hz, 48_000, "playback");
    }
}

#[test]
fn drift_changes_the_device_side_by_its_ppm_and_glides_there() {
    for (ppm, in_force) in
        [(1_000.0, 1_000.0), (-2_000.0, -2_000.0), (9e9, 2_000.0), (f64::NAN, 0.0)]
    {
        let mut playback = DriftResampler::playback(SampleRate::Hz48000, 48_000).unwrap();
        playback.set_drift(ppm);
        assert_eq!(playback.drift(), in_force);
        let out = drift_through(&mut playback, 1_000.0, 48_000.0, 500);
        let expected = 480_000.0 * (1.0 + in_force * 1e-6);
        assert!((out.len() as f64 - expected).abs() < 70.0, "{} for {ppm}", out.len());
        let played = 1_000.0 / (1.0 + in_force * 1e-6);
        assert_same_sine(&out[4_800..], played, 48_000, "in force");

        let mut capture = DriftResampler::capture(44_100, SampleRate::Hz8000).unwrap();
        capture.set_drift(ppm);
        let taken: usize = (0..500)
            .map(|_| {
                let n = capture.input_needed();
                capture.process(&vec![0; n], &mut [0; 160]).unwrap();
                n
            })
            .sum();
        let expected = 441_000.0 * (1.0 + in_force * 1e-6);
        assert!((taken as f64 - expected).abs() < 200.0, "{taken} for {ppm}");
    }
}

#[test]
fn changes_of_drift_do_not_click() {
    let mut capture = DriftResampler::capture(48_000, SampleRate::Hz48000).unwrap();
    let mut all = Vec::new();
    let (mut at, mut out) = (0usize, [0; 960]);
    for tick in 0..200 {
        capture.set_drift([-2_000.0, 300.0, 2_000.0, -17.0][tick % 4]);
        let n = capture.input_needed();
        let turn = std::f64::consts::TAU * 1_000.0 / 48_000.0;
        let input: Vec<i16> =
            (at..at + n).map(|i| (10_000.0 * (turn * i as f64).sin()).round() as i16).collect();
        at += n;
        assert_eq!(capture.process(&input, &mut out), Ok(960));
        all.extend_from_slice(&out);
    }
    // The second difference of a sine is (turn of one sample)² times its peak: 171 here.
    let bend = |w: &[i16]| (i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2])).abs();
    let sharpest = all[960..].windows(3).map(bend).max().unwrap();
    assert!(sharpest < 185, "{sharpest}");
}

#[test]
fn a_whole_file_is_converted_in_place_and_to_the_right_length() {
    for from in [8_000, 11_025, 22_050, 44_100, 47_999, 48_000, 96_000, 191_999] {
        for to in SampleRate::ALL {
            let out = resample_all(&sine(1_000.0, from, from as usize), from, to).unwrap();
            assert_eq!(out.len(), to.hz() as usize, "{from} to {to}");
            let middle = to.hz() as usize / 10..to.hz() as usize * 9 / 10;
            assert_same_sine(&out[middle], 1_000.0, to.hz(), &format!("{from} to {to}"));
            // A sine that begins at zero still does: nothing was shifted.
            let mut click = vec![0; from as usize / 10];
            click[from as usize / 20] = 20_000;
            let out = resample_all(&click, from, to).unwrap();
            let peak = (0..out.len()).max_by_key(|&i| out[i]).unwrap();
            let expected = u64::from(from / 20) * u64::from(to.hz()) / u64::from(from);
            assert!(peak.abs_diff(expected as usize) <= 1, "{from} to {to}: {peak}");
        }
    }
    assert_eq!(resample_all(&[], 44_100, SampleRate::Hz8000), Ok(vec![]));
}
