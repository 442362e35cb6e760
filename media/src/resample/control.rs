//! Clock drift, seen from the ring between a sound device and the engine.
//!
//! When the device's clock is fast, a capture ring slowly fills and a playback ring slowly
//! empties. A PI controller turns the distance from the target fill into the drift that
//! [`DriftResampler`](super::DriftResampler) undoes: the proportional part brings the fill back,
//! the integral part learns the clocks' true difference. Devices move audio in bursts, so the
//! fill is smoothed over a second first. Pure arithmetic: no clock but the ticks.
//!
//! The fill moves by 0.001 ms a second for each ppm. With the gains below, the loop is critically
//! damped at 0.04 rad/s: a new difference of 200 ppm moves the fill by some 2 ms, and within two
//! minutes it is back.

use crate::frame::Ptime;

/// The largest correction, in ppm: ten times what a bad crystal needs, and still not heard.
pub const MAX_PPM: f64 = 2_000.0;

/// Correction for each millisecond off the target, in ppm.
const PROPORTIONAL: f64 = 80.0;
/// Correction for each millisecond off the target, for each second it lasts, in ppm.
const INTEGRAL: f64 = 1.6;
/// Share of the newest fill in the smoothed one, each tick of 20 ms: a time constant of 1 s.
const SMOOTHING: f64 = 0.02;

/// Which way the audio goes through the ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From the device to the engine.
    Capture,
    /// From the engine to the device.
    Playback,
}

/// Turns the fill of a ring into the drift of the device's clock.
#[derive(Clone, Debug)]
pub struct DriftControl {
    side: Side,
    samples_per_ms: f64,
    target: f64,
    /// The smoothed fill, in samples; none before the first tick.
    fill: Option<f64>,
    /// What the integral part has learnt, in ppm.
    learnt: f64,
}

impl DriftControl {
    /// A controller for a ring of samples at `hz`, which is to hold `target` of them at the tick.
    pub fn new(side: Side, hz: u32, target: usize) -> Self {
        let samples_per_ms = f64::from(hz.max(1)) / 1_000.0;
        DriftControl { side, samples_per_ms, target: target as f64, fill: None, learnt: 0.0 }
    }

    /// Takes the ring's fill in samples, once a tick, and returns the device's drift in ppm (how
    /// much faster than nominal it is), within ±[`MAX_PPM`]: for `DriftResampler::set_drift`.
    pub fn update(&mut self, fill: usize) -> f64 {
        let newest = fill as f64;
        let smooth = self.fill.map_or(newest, |smooth| smooth + (newest - smooth) * SMOOTHING);
        self.fill = Some(smooth);
        let off_ms = (smooth - self.target) / self.samples_per_ms;
        let fast_ms = match self.side {
            Side::Capture => off_ms,
            Side::Playback => -off_ms,
        };
        let tick = f64::from(Ptime::TICK.ms()) / 1_000.0;
        let drift = self.learnt + PROPORTIONAL * fast_ms;
        // While the correction is at its limit nothing is learnt: it would be too much.
        if drift.abs() < MAX_PPM {
            self.learnt = (self.learnt + INTEGRAL * fast_ms * tick).clamp(-MAX_PPM, MAX_PPM);
        }
        drift.clamp(-MAX_PPM, MAX_PPM)
    }

    /// The difference of the clocks as learnt so far, in ppm.
    pub fn learnt(&self) -> f64 {
        self.learnt
    }

    /// Forgets the fill but not the clocks: after the ring ran empty or over and was set anew.
    pub fn restart(&mut self) {
        self.fill = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a ring in virtual time: a device at 48 kHz, `ppm` fast, that moves bursts of `burst`
    /// samples, and an engine that moves one tick. Returns the smallest and largest fill after
    /// the first `settle` ticks and all of them.
    fn run(side: Side, ppm: f64, burst: f64, target: f64, ticks: usize, settle: usize) -> [f64; 4] {
        let mut control = DriftControl::new(side, 48_000, target as usize);
        let (mut fill, mut device, mut drift) = (target, 0.0, 0.0f64);
        let mut seen = [f64::MAX, f64::MIN, f64::MAX, f64::MIN];
        let into = if side == Side::Capture { 1.0 } else { -1.0 };
        for tick in 0..ticks {
            device += 960.0 * (1.0 + ppm * 1e-6);
            while device >= burst {
                device -= burst;
                fill += into * burst;
            }
            let late = if tick >= settle { 0 } else { 2 };
            for i in late / 2..2 {
                seen[i * 2] = seen[i * 2].min(fill);
                seen[i * 2 + 1] = seen[i * 2 + 1].max(fill);
            }
            drift = control.update(fill.max(0.0) as usize);
            fill -= into * 960.0 * (1.0 + drift * 1e-6);
            for i in late / 2..2 {
                seen[i * 2] = seen[i * 2].min(fill);
                seen[i * 2 + 1] = seen[i * 2 + 1].max(fill);
            }
        }
        assert!((drift - ppm).abs() < 0.5 * ppm.abs() + 450.0, "{drift} for {ppm}");
        seen
    }

    #[test]
    fn an_hour_with_clocks_200_ppm_apart_neither_runs_empty_nor_over() {
        for side in [Side::Capture, Side::Playback] {
            for ppm in [-200.0, -20.0, 0.0, 50.0, 200.0] {
                for burst in [480.0, 512.0, 1_024.0] {
                    // Two ticks and two bursts of room on either side.
                    let target = 1_920.0 + 2.0 * burst;
                    let [low, high, least, most] =
                        run(side, ppm, burst, target, 3_600 * 50, 300 * 50);
                    let told = format!("{side:?} {ppm} ppm, bursts of {burst}: {least}..{most}");
                    assert!(least > 0.0 && most < 2.0 * target, "{told}");
                    let within = 960.0 + burst + 48.0;
                    assert!(
                        (low - target).abs() < within && (high - target).abs() < within,
                        "{told}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_smooth_device_is_learnt_exactly() {
        for ppm in [-1_000.0, -200.0, 200.0, 1_000.0] {
            let mut control = DriftControl::new(Side::Capture, 48_000, 1_920);
            let mut fill = 1_920.0;
            let mut worst = 0.0f64;
            for _ in 0..600 * 50 {
                let drift = control.update(fill as usize);
                fill += 960.0 * (ppm - drift) * 1e-6;
                worst = worst.max((fill - 1_920.0).abs());
            }
            assert!((control.learnt() - ppm).abs() < 2.0, "{}", control.learnt());
            assert!((fill - 1_920.0).abs() < 2.0, "{fill}");
            assert!(worst < 48.0 * 0.012 * ppm.abs(), "{worst} samples at {ppm} ppm");
        }
    }

    #[test]
    fn the_correction_is_limited_and_recovers_at_once() {
        let mut control = DriftControl::new(Side::Playback, 48_000, 960);
        for _ in 0..100_000 {
            assert!(control.update(usize::MAX).abs() <= MAX_PPM);
        }
        assert!(control.learnt().abs() <= MAX_PPM);
        control.restart();
        assert!(control.update(960).abs() < 1.0, "nothing was learnt from an impossible fill");
    }
}
