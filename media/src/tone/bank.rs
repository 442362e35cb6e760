//! The measuring bench: how much of the last 50 ms each of some frequencies is, every 10 ms.
//!
//! Each *probe* is the correlation with one frequency over hops of 5 ms, which are added up along a Hann
//! window of ten. So each sample is weighted once a probe, whatever the windows overlap. How far a
//! tone is off its probe is told by how far its phase turns from one window to the next, and how much
//! weaker the probe sees it for that is known, and put right. 50 ms tell tones 40 Hz apart.
//!
//! All of it is at 8 kHz; what comes at a multiple of that goes through a low-pass filter first.

use std::f64::consts::TAU;

use realfft::num_complex::Complex32;

use crate::frame::SampleRate;
use crate::resample::{Narrow, dot};

const RATE: f64 = 8_000.0;
/// Samples of a hop, 5 ms.
const HOP: usize = 40;
/// Hops of a window.
const HOPS: usize = 10;
/// Hops from one window to the next.
const STEP: usize = 2;
/// Milliseconds from one window to the next.
pub(super) const STEP_MS: i64 = 10;
/// How far off its probe a tone is measured, in hertz.
pub(super) const REACH_HZ: f32 = 14.0;

/// Seconds of a hop.
const HOP_S: f32 = HOP as f32 / RATE as f32;
/// Of what is less than this share of all nobody wants to know the frequency.
const LEAST_SHARE: f32 = 0.02;

/// What one probe sees in a window. Powers are mean squares.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    /// Of a steady tone near the probe; too much where it is further off than [`REACH_HZ`].
    pub(super) power: f32,
    /// How far off the probe it is, in hertz: as a probe sees it, which is up to 50.
    pub(super) off_hz: f32,
    /// Of all that is within some 60 Hz of it, steady or not; where that was asked for.
    pub(super) band: f32,
    /// How far off the probe all that is on the average, in hertz.
    pub(super) band_off_hz: f32,
}

/// One frequency.
struct Probe {
    hz: f32,
    cos: [f32; HOP],
    sin: [f32; HOP],
    /// The phase at the beginning of the next hop, backwards, and what it turns by in one. In `f64`, whose
    /// rounding moves the radius by less than a millionth in a day.
    phase: (f64, f64),
    turn: (f64, f64),
    /// Whether all that is around it matters, too.
    is_band: bool,
    hops: [Complex32; HOPS],
    before: Complex32,
    seen: Seen,
}

/// Probes, and what they have heard of a stream.
pub(super) struct Bank {
    probes: Vec<Probe>,
    /// To 8 kHz, where the audio has another rate.
    narrow: Option<Narrow>,
    hop: [f32; HOP],
    filled: usize,
    window: [f32; HOPS],
    /// What a tone so many hertz off its probe looks like, as a share of its amplitude.
    responses: [f32; REACH_HZ as usize + 2],
    energies: [f32; HOPS],
    means: [f32; HOPS],
    /// Hops until the next window.
    due: usize,
    /// Mean square of the window, without its mean.
    power: f32,
}

impl Bank {
    /// No probes, for audio at `rate`. Allocates.
    pub(super) fn new(rate: SampleRate) -> Self {
        let weight = |k: usize| (1.0 - (TAU * (k as f64 + 0.5) / HOPS as f64).cos()) / HOPS as f64;
        let response = |hz: usize| {
            let turn = TAU * hz as f64 * HOP as f64 / RATE;
            let middle = (HOPS - 1) as f64 / 2.0;
            let window: f64 =
                (0..HOPS).map(|k| weight(k) * (turn * (k as f64 - middle)).cos()).sum();
            let hop = if hz == 0 { 1.0 } else { (turn / 2.0).sin() / (turn / 2.0) };
            (window * hop) as f32
        };
        Bank {
            probes: Vec::new(),
            narrow: Narrow::from(rate),
            hop: [0.0; HOP],
            filled: 0,
            window: std::array::from_fn(|k| weight(k) as f32),
            responses: std::array::from_fn(response),
            energies: [0.0; HOPS],
            means: [0.0; HOPS],
            due: STEP,
            power: 0.0,
        }
    }

    /// The number of the probe at this frequency, which may be there already. Allocates.
    pub(super) fn probe(&mut self, hz: f32) -> usize {
        if let Some(at) = self.probes.iter().position(|probe| probe.hz == hz) {
            return at;
        }
        self.probes.push(Probe::new(hz));
        self.probes.len() - 1
    }

    /// The same, for a probe that is to hear all that is around it. Allocates.
    pub(super) fn band(&mut self, hz: f32) -> usize {
        let at = self.probe(hz);
        if let Some(probe) = self.probes.get_mut(at) {
            probe.is_band = true;
        }
        at
    }

    /// Takes samples in, and says where a window is full.
    pub(super) fn feed(&mut self, samples: &[i16], mut on_window: impl FnMut(&Bank)) {
        for &sample in samples {
            let sample = match &mut self.narrow {
                Some(narrow) => narrow.take(sample),
                None => Some(sample),
            };
            let Some(sample) = sample else { continue };
            self.hop[self.filled] = f32::from(sample);
            self.filled += 1;
            if self.filled == HOP {
                self.filled = 0;
                self.take_hop(&mut on_window);
            }
        }
    }

    /// Mean square of all that is in the window but its mean.
    pub(super) fn power(&self) -> f32 {
        self.power
    }

    /// What the probe of this number sees, and where it is, in hertz.
    pub(super) fn seen(&self, probe: usize) -> (Seen, f32) {
        self.probes.get(probe).map_or_else(Default::default, |probe| (probe.seen, probe.hz))
    }

    fn take_hop(&mut self, on_window: &mut impl FnMut(&Bank)) {
        let (hop, n) = (&self.hop, HOP as f32);
        push(&mut self.energies, dot(hop, hop) / n);
        push(&mut self.means, hop.iter().sum::<f32>() / n);
        self.probes.iter_mut().for_each(|probe| probe.take_hop(hop));
        self.due -= 1;
        if self.due == 0 {
            self.due = STEP;
            self.look();
            on_window(self);
        }
    }

    fn look(&mut self) {
        let sum = |of: &[f32; HOPS]| of.iter().zip(&self.window).map(|(x, w)| x * w).sum::<f32>();
        self.power = (sum(&self.energies) - sum(&self.means).powi(2)).max(0.0);
        for probe in &mut self.probes {
            probe.look(&self.window, &self.responses, self.power);
        }
    }
}

impl Probe {
    fn new(hz: f32) -> Self {
        let angle = |n: usize| TAU * f64::from(hz) / RATE * n as f64;
        Probe {
            hz,
            cos: std::array::from_fn(|n| (angle(n).cos() / HOP as f64) as f32),
            sin: std::array::from_fn(|n| (-angle(n).sin() / HOP as f64) as f32),
            phase: (1.0, 0.0),
            turn: (angle(HOP).cos(), -angle(HOP).sin()),
            is_band: false,
            hops: [Complex32::default(); HOPS],
            before: Complex32::default(),
            seen: Seen::default(),
        }
    }

    fn take_hop(&mut self, hop: &[f32; HOP]) {
        let here = Complex32 { re: dot(hop, &self.cos), im: dot(hop, &self.sin) };
        let ((re, im), (cos, sin)) = (self.phase, self.turn);
        push(&mut self.hops, here * Complex32::new(re as f32, im as f32));
        self.phase = (re * cos - im * sin, re * sin + im * cos);
    }

    /// Looks at a window in which all together has this power.
    fn look(&mut self, window: &[f32; HOPS], responses: &[f32], power: f32) {
        let mut all = Complex32::default();
        for (hop, &weight) in self.hops.iter().zip(window) {
            all += hop * weight;
        }
        let before = std::mem::replace(&mut self.before, all);
        // A sine of peak 1 is one half here, and its mean square is one half as well.
        let mut seen = Seen { power: 2.0 * all.norm_sqr(), ..Seen::default() };
        if seen.power >= LEAST_SHARE * power {
            seen.off_hz = turns(all * before.conj()) / (HOP_S * STEP as f32);
            let off = seen.off_hz.abs().min(REACH_HZ);
            let (below, share) = (off as usize, off.fract());
            let at = |n: usize| responses.get(n).copied().unwrap_or(1.0);
            let response = at(below) + share * (at(below + 1) - at(below));
            seen.power /= response * response;
        }
        if self.is_band {
            self.look_around(window, &mut seen);
        }
        self.seen = seen;
    }

    fn look_around(&self, window: &[f32; HOPS], seen: &mut Seen) {
        let (mut turn, mut last) = (Complex32::default(), Complex32::default());
        for (hop, &weight) in self.hops.iter().zip(window) {
            seen.band += 2.0 * weight * hop.norm_sqr();
            let step = hop * last.conj();
            turn += step * weight;
            last = *hop;
        }
        seen.band_off_hz = turns(turn) / HOP_S;
    }
}

/// The angle, in turns.
fn turns(phase: Complex32) -> f32 {
    phase.arg() / std::f32::consts::TAU
}

/// The newest goes in at the end, the oldest out at the beginning.
fn push<T: Copy>(line: &mut [T; HOPS], newest: T) {
    line.copy_within(1.., 0);
    line[HOPS - 1] = newest;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the last window of a second of a sine sees at `probe`.
    fn seen(hz: f64, probe: f32, rate: SampleRate) -> (Seen, f32) {
        let turn = TAU * hz / f64::from(rate.hz());
        let sine: Vec<i16> =
            (0..rate.hz()).map(|n| (8_000.0 * (turn * f64::from(n)).sin()) as i16).collect();
        let mut bank = Bank::new(rate);
        let at = bank.band(probe);
        let mut last = None;
        for frame in sine.chunks(77) {
            bank.feed(frame, |bank| last = Some((bank.seen(at).0, bank.power())));
        }
        last.unwrap()
    }

    #[test]
    fn a_tone_within_reach_of_a_probe_has_its_power_and_frequency_at_every_rate() {
        for rate in SampleRate::ALL {
            for off in [-13.0f32, -6.0, 0.0, 1.0, 11.0] {
                for hz in [350.0f32, 425.0, 1_100.0, 2_100.0] {
                    let (seen, power) = seen(f64::from(hz + off), hz, rate);
                    assert!((power / 32e6 - 1.0).abs() < 0.02, "{hz} {off} at {rate}: {power}");
                    assert!(
                        (seen.power / power - 1.0).abs() < 0.02,
                        "{hz} {off} at {rate}: {seen:?}"
                    );
                    assert!((seen.off_hz - off).abs() < 0.5, "{hz} {off} at {rate}: {seen:?}");
                    assert!(
                        (seen.band / power - 1.0).abs() < 0.04,
                        "{hz} {off} at {rate}: {seen:?}"
                    );
                    assert!((seen.band_off_hz - off).abs() < 3.0, "{hz} {off} at {rate}: {seen:?}");
                }
            }
        }
    }

    #[test]
    fn a_tone_40_hz_off_or_more_is_hardly_seen() {
        for off in [-200.0, -90.0, -50.0, -40.0, 40.0, 50.0, 90.0, 120.0, 300.0] {
            let (seen, power) = seen(440.0 + off, 440.0, SampleRate::Hz8000);
            assert!(seen.power < 0.03 * power, "{off}: {}", seen.power / power);
        }
    }
}
