use super::*;
use crate::dtmf::{Dbm0, Detector, Digit, DtmfSettings, ToneGenerator};

/// A number from 0 to 1, another one each time.
fn dice(seed: &mut u32) -> f32 {
    *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*seed >> 8) as f32 / (1 << 24) as f32
}

/// Hiss with this peak.
fn hiss(samples: usize, peak: f32, seed: &mut u32) -> Vec<i16> {
    (0..samples).map(|_| (peak * (2.0 * dice(seed) - 1.0)) as i16).collect()
}

/// Everything through a detector and a squelch in chunks, as a leg does; `set` is asked before each.
fn through(
    rate: SampleRate,
    said: &[i16],
    chunk: usize,
    set: impl Fn(usize) -> Absorb,
) -> Vec<i16> {
    let mut detector = Detector::new(rate, DtmfSettings::DEFAULT);
    let (mut squelch, mut heard, mut out) = (Squelch::new(rate), 0, said.to_vec());
    for (n, chunk) in out.chunks_mut(chunk).enumerate() {
        squelch.set(set(n));
        detector.feed(chunk, &mut |event| squelch.note(&event, heard));
        heard += chunk.len() as u64;
        squelch.pass(chunk);
    }
    out
}

fn delay(rate: SampleRate) -> usize {
    DELAY_MS * rate.hz() as usize / 1_000
}

/// The level of the strongest of the two tones in any 20 ms.
fn loudest_tone(samples: &[i16], digit: Digit, rate: SampleRate) -> f32 {
    let window = rate.hz() as usize / 50;
    let mut loudest = Dbm0(-150.0);
    for part in samples.windows(window).step_by(window / 4) {
        for hz in [digit.low_hz(), digit.high_hz()] {
            let turn = std::f32::consts::TAU * hz / rate.hz() as f32;
            let (mut re, mut im) = (0.0, 0.0);
            for (n, &sample) in part.iter().enumerate() {
                let lean = 1.0 - (std::f32::consts::TAU * n as f32 / window as f32).cos();
                re += lean * f32::from(sample) * (turn * n as f32).cos();
                im += lean * f32::from(sample) * (turn * n as f32).sin();
            }
            let level = Dbm0::of_peak(2.0 * re.hypot(im) / window as f32);
            loudest = if level > loudest { level } else { loudest };
        }
    }
    loudest.0
}

#[test]
fn sound_without_keys_is_late_by_the_delay_and_the_same_bit_by_bit() {
    for rate in SampleRate::ALL {
        let said = hiss(rate.hz() as usize, 12_000.0, &mut 7);
        let tick = rate.hz() as usize / 50;
        for chunk in [tick, 77, 3 * tick] {
            let heard = through(rate, &said, chunk, |_| Absorb::Whole);
            let late = delay(rate);
            assert_eq!(heard[late + chunk..], said[chunk..said.len() - late], "{rate}, {chunk}");
            assert_eq!(through(rate, &said, chunk, |_| Absorb::Late), said);
            assert_eq!(through(rate, &said, chunk, |_| Absorb::Off), said);
        }
    }
}

/// The bounds that the delay and the edges are made from: how late, how far off the beginning, the end.
#[test]
fn the_detector_keeps_to_what_the_delay_is_made_for() {
    let mut seed = 5;
    let mut most = [f64::MIN; 3];
    for rate in SampleRate::ALL {
        let per_ms = f64::from(rate.hz()) / 1_000.0;
        for digit in Digit::ALL {
            for (low, high) in
                [(0.0, 0.0), (-9.0, -7.0), (-25.0, -25.0), (-4.0, -12.0), (-8.0, -4.0)]
            {
                for noise in [0.0, 0.126] {
                    let lead = (150.0 * per_ms) as usize + (dice(&mut seed) * 500.0) as usize;
                    let ms = 40 + (dice(&mut seed) * 80.0) as u32;
                    let mut singer =
                        ToneGenerator::with_levels(digit, rate, ms, Dbm0(low), Dbm0(high));
                    let length = singer.remaining();
                    let mut said = hiss(
                        lead + length + (100.0 * per_ms) as usize,
                        noise * Dbm0(low.min(high)).peak(),
                        &mut seed,
                    );
                    let mut sung = vec![0; length];
                    singer.fill(&mut sung);
                    for (said, sung) in said[lead..].iter_mut().zip(sung) {
                        *said = said.saturating_add(sung);
                    }
                    let mut detector = Detector::new(rate, DtmfSettings::DEFAULT);
                    let mut count = 0;
                    detector.feed(&said, &mut |event| {
                        count += 1;
                        let after = |at: u64, place: usize| (at as f64 - place as f64) / per_ms;
                        match event {
                            DtmfEvent::Begin { at_sample, reported_at, .. } => {
                                most[0] = most[0].max(after(reported_at, lead));
                                most[1] = most[1].max(after(at_sample, lead));
                            }
                            DtmfEvent::End { at_sample, samples, .. } => {
                                let end = after(at_sample + samples, lead + length);
                                most[2] = most[2].max(-end);
                            }
                        }
                    });
                    assert_eq!(count, 2, "{digit} at {rate}, {low} and {high}, {ms} ms");
                }
            }
        }
    }
    println!("reported {:.1} ms late, begun {:.1}, ended {:.1} off", most[0], most[1], most[2]);
    assert!(most[0] <= LATEST_MS as f64, "reported after {:.1} ms", most[0]);
    assert!(most[1] <= ONSET_MS as f64, "the beginning is off by {:.1} ms", most[1]);
    assert!(most[2] <= END_MS as f64, "the end is off by {:.1} ms", most[2]);
}

#[test]
fn nothing_is_heard_of_a_key_and_all_of_what_is_around_it() {
    for rate in SampleRate::ALL {
        let per_ms = rate.hz() as usize / 1_000;
        for (n, digit) in Digit::ALL.into_iter().enumerate() {
            let (mut seed, ms) = (n as u32, 40 + 17 * n as u32);
            let before = 333 * per_ms + 13 * n;
            let after = before + ms as usize * per_ms;
            let mut said = hiss(after + 400 * per_ms, 6_000.0, &mut seed);
            said[before - 15 * per_ms..after + 15 * per_ms].fill(0);
            let louds = Dbm0(-(n as f32));
            ToneGenerator::with_levels(digit, rate, ms, louds, louds)
                .fill(&mut said[before..after]);
            let heard = through(rate, &said, 20 * per_ms, |_| Absorb::Whole);
            let heard = &heard[delay(rate)..];
            let rim = 14 * per_ms;
            assert_eq!(heard[20 * per_ms..before - rim], said[20 * per_ms..before - rim]);
            assert_eq!(heard[after + rim..], said[after + rim..heard.len()], "{digit} at {rate}");
            let level = loudest_tone(&heard[before - rim..after + rim], digit, rate);
            assert!(level < -60.0, "{digit} at {rate} is heard at {level:.1} dBm0");
        }
    }
}

#[test]
fn without_a_delay_a_key_is_heard_until_it_is_known_and_speech_goes_on_after_it() {
    let rate = SampleRate::Hz8000;
    let mut said = vec![0; 8_000];
    ToneGenerator::new(Digit::ALL[3], rate, 300).fill(&mut said[1_600..4_000]);
    said[4_500..].fill(500);
    let heard = through(rate, &said, 160, |_| Absorb::Late);
    let last = heard[..4_000].iter().rposition(|s| s.unsigned_abs() > 100).unwrap();
    assert!((1_600 + 20 * 8..1_600 + 47 * 8).contains(&last), "heard until {last}");
    assert_eq!(heard[4_500..], said[4_500..]);
}

#[test]
fn in_the_place_of_a_key_is_noise_as_loud_as_the_line_but_no_louder_than_soft() {
    for rate in [SampleRate::Hz8000, SampleRate::Hz48000] {
        for (peak, wanted) in [(60.0, 35.0), (0.0, 0.0), (3_000.0, 184.0)] {
            let (mut squelch, mut heard) = (Squelch::new(rate), 0);
            squelch.set(Absorb::Late);
            let mut seed = 9;
            // Of speech over it nothing is seen.
            for loud in [0.0, 9_000.0, 0.0, 9_000.0] {
                let mut said = hiss(rate.hz() as usize / 10, peak + loud, &mut seed);
                squelch.pass(&mut said);
                heard += said.len() as u64;
            }
            let digit = Digit::ALL[0];
            let begin = DtmfEvent::Begin { digit, at_sample: heard, reported_at: heard };
            squelch.note(&begin, heard);
            let mut tick = vec![9_000; rate.hz() as usize / 5];
            squelch.pass(&mut tick);
            let noise = &tick[tick.len() / 10..];
            let square = noise.iter().map(|&s| f32::from(s).powi(2)).sum::<f32>();
            let level = (square / noise.len() as f32).sqrt();
            let right = (0.65 * wanted..=1.1 * wanted).contains(&level);
            assert!(right, "{level}, not {wanted} at {rate}");
        }
    }
}

#[test]
fn switched_in_the_middle_of_sound_or_of_a_key_there_is_no_click_and_no_rest_of_the_key() {
    let rate = SampleRate::Hz8000;
    let turn = std::f32::consts::TAU * 250.0 / 8_000.0;
    let said: Vec<i16> =
        (0..32_000).map(|n| (6_000.0 * (turn * n as f32 + 0.7).sin()) as i16).collect();
    let modes = [Absorb::Off, Absorb::Whole, Absorb::Late];
    let heard = through(rate, &said, 160, |n| modes[n / 11 % 3]);
    let bend = |w: &[i16]| (i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2])).abs();
    let most = |sound: &[i16]| sound.windows(3).map(bend).max().unwrap();
    assert!(most(&heard) <= 2 * most(&said), "{} of {}", most(&heard), most(&said));

    let mut said = vec![0; 16_000];
    ToneGenerator::new(Digit::ALL[7], rate, 400).fill(&mut said[1_600..4_800]);
    // Off in the middle of the key, on in the next.
    let heard = through(rate, &said, 160, |n| if n < 20 { Absorb::Whole } else { Absorb::Off });
    assert!(loudest_tone(&heard, Digit::ALL[7], rate) < -60.0);
    let heard = through(rate, &said, 160, |n| if n < 20 { Absorb::Off } else { Absorb::Whole });
    assert!(loudest_tone(&heard[20 * 160 + 160..], Digit::ALL[7], rate) < -60.0);
}
