//! Which of a tone's sounds is heard in a window, if any.

use super::bank::{Bank, REACH_HZ};
use crate::sound::Sound;

/// The share of all that is heard which the tone is to be. Noise 8 dB below it leaves 86 %.
const PURITY: f32 = 0.8;
/// The share of the tone's power that each of its frequencies is to have: 10 dB below the other.
const LEAST_SHARE: f32 = 0.08;
/// Frequencies nearer than that are heard as one that comes and goes.
const NEAREST_HZ: f32 = 40.0;
/// What the measurement may be off by.
const SLACK_HZ: f32 = 1.0;

/// One sound of a tone.
pub(super) struct Ear {
    tones: Vec<Tone>,
    /// Whether it is heard as a band: modulated, or with two frequencies that beat.
    is_band: bool,
}

/// One frequency of a sound.
struct Tone {
    hz: f32,
    tolerance_hz: f32,
    /// The probes around it, near enough to one another that one of them reaches it.
    probes: Vec<usize>,
}

impl Ear {
    /// For a sound, with the probes that it needs; `None` for silence. Allocates.
    pub(super) fn new(sound: &Sound, tolerance_hz: f32, bank: &mut Bank) -> Option<Self> {
        let (all, is_modulated): (Vec<f32>, _) = match sound {
            Sound::Silence => return None,
            Sound::Sum(all) => (all.iter().map(|&hz| f32::from(hz)).collect(), false),
            Sound::Modulated(carrier, _) => (vec![f32::from(*carrier)], true),
        };
        let lowest = all.iter().copied().fold(f32::MAX, f32::min);
        let highest = all.iter().copied().fold(0.0, f32::max);
        let beats = all.len() > 1 && highest - lowest < NEAREST_HZ;
        let is_band = is_modulated || beats;
        let centres = if beats { vec![(lowest + highest) / 2.0] } else { all };
        let tones = centres.into_iter().map(|hz| Tone::new(hz, tolerance_hz, is_band, bank));
        Some(Ear { tones: tones.collect(), is_band })
    }

    /// How long before the end of the first window that hears it the sound began, and how long before the
    /// end of the last it was over, in milliseconds. A steady tone is heard when it fills most of a window,
    /// a band when it is in it at all.
    pub(super) fn edges(&self) -> (i64, i64) {
        if self.is_band { (14, 36) } else { (33, 17) }
    }

    /// The power of the sound in this window, as a mean square, if it is what is heard.
    pub(super) fn hear(&self, bank: &Bank) -> Option<f32> {
        let floor = PURITY * bank.power();
        let (mut sum, mut least) = (0.0, f32::MAX);
        for tone in &self.tones {
            let power = if self.is_band { tone.band(bank) } else { tone.power(bank) }?;
            sum += power;
            least = least.min(power);
        }
        (sum >= floor && sum > 0.0 && least >= LEAST_SHARE * sum).then_some(sum)
    }
}

impl Tone {
    fn new(hz: f32, tolerance_hz: f32, is_band: bool, bank: &mut Bank) -> Self {
        let tolerance_hz = tolerance_hz.clamp(1.0, 60.0);
        let all = tolerance_hz + SLACK_HZ;
        if is_band {
            return Tone { hz, tolerance_hz: all, probes: vec![bank.band(hz)] };
        }
        // Each probe is to answer for 13 Hz to either side.
        let count = ((tolerance_hz / 13.0).ceil() as usize).max(1);
        let width = 2.0 * tolerance_hz / count as f32;
        let at = |n: usize| hz - tolerance_hz + width * (n as f32 + 0.5);
        let probes = (0..count).map(|n| bank.probe(at(n))).collect();
        Tone { hz, tolerance_hz: all, probes }
    }

    fn power(&self, bank: &Bank) -> Option<f32> {
        let seen = self.probes.iter().map(|&probe| bank.seen(probe));
        let within = seen
            .filter(|(seen, hz)| seen.off_hz.abs() <= REACH_HZ && self.is_near(hz + seen.off_hz));
        within.map(|(seen, _)| seen.power).max_by(f32::total_cmp)
    }

    fn band(&self, bank: &Bank) -> Option<f32> {
        let (seen, hz) = bank.seen(*self.probes.first()?);
        self.is_near(hz + seen.band_off_hz).then_some(seen.band)
    }

    fn is_near(&self, hz: f32) -> bool {
        (hz - self.hz).abs() <= self.tolerance_hz
    }
}
