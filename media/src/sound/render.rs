//! Tones as samples: a [`Cadence`] becomes a sound that can be repeated without a click.
//!
//! A part begins and ends along a slope of 3 ms. One that never ends is a second long, which is a
//! whole number of turns of any frequency in whole hertz: it is repeated from behind its first slope.

use std::f64::consts::{PI, TAU};

use super::cadence::{Cadence, Sound};
use crate::dtmf::Dbm0;
use crate::frame::SampleRate;
use crate::wav::Pcm;

/// How loud a tone is, all its frequencies together. Within the limits of E.180 (section 8) for what
/// is given at the subscriber's end of the line.
pub const TONE_LEVEL: Dbm0 = Dbm0(-14.0);
/// How long each edge takes, in milliseconds.
const RAMP_MS: usize = 3;
/// How much of the amplitude comes and goes in a modulated tone.
const DEPTH: f64 = 0.9;

impl Cadence {
    /// Once through it, at [`TONE_LEVEL`]. Allocates: not for the media thread.
    pub fn render(&self, rate: SampleRate) -> Pcm {
        let mut samples = Vec::new();
        for part in self.parts() {
            let ramp = ramp(rate);
            match part.ms {
                Some(ms) => {
                    let length = length(ms, rate);
                    let ramp = ramp.min(length / 2);
                    samples.extend((0..length).map(|i| {
                        let edge = slope(i, ramp) * slope(length - 1 - i, ramp);
                        (value(&part.sound, i, rate) * edge).round() as i16
                    }));
                }
                None => samples.extend(
                    (0..ramp + rate.hz() as usize)
                        .map(|i| (value(&part.sound, i, rate) * slope(i, ramp)).round() as i16),
                ),
            }
        }
        Pcm::new(rate, samples)
    }

    /// The sample of the [rendered](Self::render) tone that it goes on with when it is over; none when
    /// it is heard once.
    pub fn repeats_at(&self, rate: SampleRate) -> Option<usize> {
        let from = self.repeats_from()?;
        let (before, repeated) = self.parts().split_at_checked(from)?;
        let start: usize = before.iter().map(|part| length(part.ms.unwrap_or(0), rate)).sum();
        let is_endless = repeated.first().is_some_and(|part| part.ms.is_none());
        Some(if is_endless { start + ramp(rate) } else { start })
    }
}

fn length(ms: u32, rate: SampleRate) -> usize {
    ms as usize * (rate.hz() as usize / 1_000)
}

fn ramp(rate: SampleRate) -> usize {
    length(RAMP_MS as u32, rate)
}

/// The gain so many samples from an edge (raised cosine).
fn slope(from_edge: usize, ramp: usize) -> f64 {
    if from_edge >= ramp {
        return 1.0;
    }
    0.5 - 0.5 * (PI * (from_edge as f64 + 0.5) / ramp as f64).cos()
}

/// The sample of this number, in 16-bit units.
fn value(sound: &Sound, at: usize, rate: SampleRate) -> f64 {
    // Counted within a second, so that an angle is as exact at its end.
    let turns = |hz: u16| (at as u64 * u64::from(hz) % u64::from(rate.hz())) as f64;
    let sine = |hz: u16| (TAU * turns(hz) / f64::from(rate.hz())).sin();
    match sound {
        Sound::Silence => 0.0,
        Sound::Sum(all) => peak(all.len() as f64) * all.iter().map(|&hz| sine(hz)).sum::<f64>(),
        Sound::Modulated(carrier, by) => {
            let power = 1.0 + DEPTH * DEPTH / 2.0;
            peak(power) * sine(*carrier) * (1.0 + DEPTH * sine(*by))
        }
    }
}

/// The peak of a sine when so many times its power make up the level.
fn peak(power: f64) -> f64 {
    f64::from(TONE_LEVEL.peak()) / power.max(1.0).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cadence(text: &str) -> Cadence {
        text.parse().unwrap()
    }

    /// The level of all that is in `samples`.
    fn level(samples: &[i16]) -> f32 {
        let power: f64 = samples.iter().map(|&s| f64::from(s).powi(2)).sum();
        Dbm0::of_peak((2.0 * power / samples.len() as f64).sqrt() as f32).0
    }

    /// The sharpest bend from one sample to the next: what a click is made of.
    fn bend(samples: &[i16]) -> i32 {
        let bend = |w: &[i16]| (i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2])).abs();
        samples.windows(3).map(bend).max().unwrap_or(0)
    }

    /// The sound, and how it goes on behind its end for as long again.
    fn repeated(text: &str, rate: SampleRate) -> (Vec<i16>, usize) {
        let cadence = cadence(text);
        let (pcm, from) = (cadence.render(rate), cadence.repeats_at(rate).unwrap());
        let samples = pcm.samples();
        ([samples, &samples[from..]].concat(), samples.len())
    }

    #[test]
    fn every_kind_of_tone_has_the_level() {
        for rate in SampleRate::ALL {
            for text in ["425", "350+440", "480+620+1000", "950+1400+1800+300", "400*25", "440*20"]
            {
                let pcm = cadence(text).render(rate);
                let level = level(&pcm.samples()[ramp(rate)..]);
                assert!((level - TONE_LEVEL.0).abs() < 0.1, "{text} at {rate}: {level}");
            }
        }
    }

    #[test]
    fn a_tone_that_never_ends_has_no_seam() {
        for rate in SampleRate::ALL {
            for text in ["350+440", "425", "400*25", "1399", "!950/330,!0/20,425", "3900"] {
                let (heard, seam) = repeated(text, rate);
                // A second of it, across the seam, is what a second of it is anywhere else.
                let second = rate.hz() as usize;
                let behind = second.min(heard.len() - seam);
                assert_eq!(heard[seam..][..behind], heard[seam - second..][..behind], "{text}");
                let usual = bend(&heard[seam - second..seam]);
                assert!(bend(&heard[seam - 9..seam + 9]) <= usual, "{text} at {rate}");
                assert!(bend(&heard) <= usual.max(bend(&heard[..seam])), "{text} at {rate}");
            }
        }
    }

    #[test]
    fn parts_have_their_lengths_and_begin_and_end_softly() {
        for rate in SampleRate::ALL {
            let per_ms = rate.hz() as usize / 1_000;
            let busy = cadence("480+620/500,0/250");
            let pcm = busy.render(rate);
            assert_eq!(pcm.samples().len(), 750 * per_ms);
            assert_eq!(busy.repeats_at(rate), Some(0));
            assert!(pcm.samples()[500 * per_ms..].iter().all(|&s| s == 0));
            let loudest = pcm.samples().iter().map(|s| s.unsigned_abs()).max().unwrap();
            let edges = [
                &pcm.samples()[..per_ms / 2],
                &pcm.samples()[..500 * per_ms][499 * per_ms + per_ms / 2..],
            ];
            for edge in edges {
                let at_edge = edge.iter().map(|s| s.unsigned_abs()).max().unwrap();
                assert!(at_edge < loudest / 10, "{at_edge} of {loudest} at {rate}");
            }
        }
    }

    #[test]
    fn what_is_heard_once_is_not_repeated() {
        let rate = SampleRate::Hz8000;
        assert_eq!(cadence("!1000/200").repeats_at(rate), None);
        assert_eq!(cadence("!1000/200").render(rate).samples().len(), 1_600);
        assert_eq!(cadence("!1000/200,440/100,0/50").repeats_at(rate), Some(1_600));
        assert_eq!(cadence("!1000/200,440").repeats_at(rate), Some(1_600 + 24));
        for ms in 1..8 {
            let pcm = cadence(&format!("!1000/{ms}")).render(rate);
            assert_eq!(pcm.samples().len(), ms * 8, "shorter than its slopes");
        }
        assert!(cadence("0").render(rate).samples().iter().all(|&s| s == 0));
    }

    proptest! {
        #[test]
        fn any_cadence_is_rendered_in_its_length_and_goes_on_within_it(
            text in "(!([1-9]{1,3}([+*][1-9]{2})?|0)/[1-9]{1,2},){0,3}([1-9]{1,3}([+*][1-9]{2})?|0)(/[1-9]{1,2})?",
        ) {
            let (cadence, rate) = (cadence(&text), SampleRate::Hz8000);
            let pcm = cadence.render(rate);
            let endless = cadence.parts().iter().any(|part| part.ms.is_none());
            let ms: u32 = cadence.parts().iter().filter_map(|part| part.ms).sum();
            let rest = if endless { 8_000 + ramp(rate) } else { 0 };
            prop_assert_eq!(pcm.samples().len(), 8 * ms as usize + rest);
            prop_assert!(cadence.repeats_at(rate).is_some_and(|at| at < pcm.samples().len()));
            prop_assert!(pcm.samples().iter().all(|s| s.unsigned_abs() < 16_000), "far from clipping");
        }
    }
}
