//! Concealment: sound in the place of a lost packet, and joins without a click.
//!
//! A loss repeats the last pitch period of what was played, found by correlation, and fades it out
//! within 60 ms (after ITU-T G.711 Appendix I: 10 ms at full level, then down). The repetition goes
//! on for 5 ms under whatever follows, so every join is a crossfade: loss to voice, silence to
//! voice, and the seam where playout skips a frame.

use crate::frame::SampleRate;
use std::array;

use stasis_bus::ring::prefetch;

/// What is remembered of the sound played: 40 ms, in samples at 8 kHz as all that follows.
const HISTORY: usize = 320;
/// Pitch periods looked for: 200 Hz down to 50 Hz.
const MIN_PERIOD: usize = 40;
const MAX_PERIOD: usize = 160;
/// Samples of a crossfade: 5 ms.
const JOIN: usize = 40;
/// Samples of a repetition at full level: 10 ms.
const FULL: usize = 80;
/// Fall per sample after that: nothing is left 60 ms after the loss began.
const FADE: f32 = 1.0 / 400.0;
/// Fall per sample when the sender has stopped: nothing is left after 5 ms.
const STOP: f32 = 1.0 / JOIN as f32;
/// Samples over which a step at the start of a repetition is spread: 2 ms.
const SPREAD: usize = 16;

/// Makes one leg's output continuous. Allocates when it is made; no call does.
pub(crate) struct Concealer {
    /// Samples of the leg for one at 8 kHz.
    times: usize,
    /// What was played, round and round; the oldest is at `oldest`.
    history: Box<[i16]>,
    oldest: usize,
    cycle: Box<[i16]>,
    period: usize,
    /// Samples repeated since the repetition began; none while voice is played.
    repeated: Option<usize>,
    gain: f32,
    step: f32,
    /// Samples of the crossfade into voice that are still to come.
    join_left: usize,
}

impl Concealer {
    /// Before any sound: silence came before.
    pub(crate) fn new(rate: SampleRate) -> Self {
        let times = (rate.hz() / 8_000) as usize;
        Concealer {
            times,
            history: vec![0; HISTORY * times].into(),
            oldest: 0,
            cycle: vec![0; MAX_PERIOD * times].into(),
            period: MAX_PERIOD * times,
            repeated: Some(0),
            gain: 0.0,
            step: 0.0,
            join_left: 0,
        }
    }

    /// Brings near where the next tick is remembered.
    pub(crate) fn prefetch(&self) {
        if let Some(next) = self.history.get(self.oldest..) {
            next.chunks(32).take(6).for_each(|line| prefetch(&line[0], 1));
        }
    }

    /// Smooths the start of the voice in `out` onto what was played before it.
    pub(crate) fn voice(&mut self, out: &mut [i16]) {
        let join = JOIN * self.times;
        if self.repeated.is_some() && self.join_left == 0 {
            self.join_left = join;
        }
        let joined = self.join_left.min(out.len());
        for sample in &mut out[..joined] {
            let old = self.join_left as f32 / (join + 1) as f32;
            let mixed = self.next_repeated(FADE) * old + f32::from(*sample) * (1.0 - old);
            *sample = mixed as i16;
            self.join_left -= 1;
        }
        if self.join_left == 0 {
            self.repeated = None;
        }
        self.remember(out);
    }

    /// Fills `out` in the place of lost sound. False when nothing was left to be heard.
    pub(crate) fn conceal(&mut self, out: &mut [i16]) -> bool {
        self.repeat();
        let audible = self.gain > 0.0;
        self.fill(out, FADE);
        audible
    }

    /// Fills `out` with silence; what was played before it ends in a fade of 5 ms.
    pub(crate) fn silence(&mut self, out: &mut [i16]) {
        self.repeat();
        self.fill(out, STOP);
    }

    /// Says that the next voice does not follow on the last: they are crossfaded.
    pub(crate) fn skip(&mut self) {
        self.repeat();
    }

    /// `fall` is per sample at 8 kHz.
    fn fill(&mut self, out: &mut [i16], fall: f32) {
        for sample in out.iter_mut() {
            *sample = self.next_repeated(fall) as i16;
        }
        self.remember(out);
    }

    /// Begins a repetition, unless one is under way.
    fn repeat(&mut self) {
        if self.repeated.is_some() && self.join_left == 0 {
            return;
        }
        self.history.rotate_left(self.oldest);
        self.oldest = 0;
        let unheard = self.history.iter().all(|&sample| sample == 0);
        self.period = period(&self.history, self.times);
        self.take_cycle();
        let last = self.history.len() - 1;
        self.step = f32::from(self.history[last]) - f32::from(self.history[last - self.period]);
        self.gain = if unheard { 0.0 } else { 1.0 };
        self.repeated = Some(0);
        self.join_left = 0;
    }

    /// Copies the last period, its last quarter led over to the sound before it, so that the
    /// cycle's end runs into its beginning.
    fn take_cycle(&mut self) {
        let (period, lead, end) = (self.period, self.period / 4, self.history.len());
        self.cycle[..period].copy_from_slice(&self.history[end - period..]);
        for n in 0..lead {
            let new = f32::from(self.history[end - lead + n]);
            let before = f32::from(self.history[end - period - lead + n]);
            let weight = (n + 1) as f32 / (lead + 1) as f32;
            self.cycle[period - lead + n] = (new + (before - new) * weight) as i16;
        }
    }

    fn next_repeated(&mut self, fall: f32) -> f32 {
        let n = self.repeated.unwrap_or(0);
        if self.gain <= 0.0 {
            return 0.0;
        }
        let step = self.step * (1.0 - n as f32 / (SPREAD * self.times) as f32).max(0.0);
        let value = (f32::from(self.cycle[n % self.period]) + step) * self.gain;
        if n >= FULL * self.times || fall > FADE {
            let fall = fall / self.times as f32;
            self.gain = if self.gain > 1.5 * fall { self.gain - fall } else { 0.0 };
        }
        self.repeated = Some(n + 1);
        value
    }

    fn remember(&mut self, played: &[i16]) {
        let room = self.history.len();
        let played = &played[played.len().saturating_sub(room)..];
        let (first, rest) = played.split_at(played.len().min(room - self.oldest));
        self.history[self.oldest..][..first.len()].copy_from_slice(first);
        self.history[..rest.len()].copy_from_slice(rest);
        self.oldest = (self.oldest + played.len()) % room;
    }
}

/// The lag in samples at which the last 20 ms resemble what came before them most, looked for on
/// every second sample at 8 kHz and then around the best; 20 ms when nothing resembles (noise,
/// silence). `history` has `times` samples for one at 8 kHz, of which the mean is taken.
fn period(history: &[i16], times: usize) -> usize {
    let mean = |n: usize| {
        let sum: i32 = history[n * times..][..times].iter().map(|&sample| i32::from(sample)).sum();
        (sum / times as i32) >> 4 // so sums of products fit 32 bits
    };
    let full: [i32; HISTORY] = array::from_fn(mean);
    let half: [i32; HISTORY / 2] = array::from_fn(|n| full[2 * n]);
    let (coarse, likeness) = best_lag(&half, MIN_PERIOD / 2..=MAX_PERIOD / 2);
    if likeness < 0.5 {
        return MAX_PERIOD * times;
    }
    let lags = (2 * coarse - 1).max(MIN_PERIOD)..=(2 * coarse + 1).min(MAX_PERIOD);
    best_lag(&full, lags).0 * times
}

/// The best lag, and the normalised correlation there: 1 for a perfect likeness.
fn best_lag(signal: &[i32], lags: std::ops::RangeInclusive<usize>) -> (usize, f32) {
    let middle = signal.len() / 2;
    let last = &signal[middle..];
    let energy = dot(last, last);
    lags.map(|lag| {
        let before = &signal[middle - lag..signal.len() - lag];
        let scale = (energy * dot(before, before)).sqrt();
        (lag, if scale > 0.0 { dot(last, before) / scale } else { 0.0 })
    })
    .fold((MAX_PERIOD, f32::MIN), |best, now| if now.1 > best.1 { now } else { best })
}

fn dot(a: &[i32], b: &[i32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum::<i32>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Ptime;

    fn tone(hz: f32, from: usize, n: usize) -> Vec<i16> {
        tone_at(hz, from, n, SampleRate::Hz8000)
    }

    fn tone_at(hz: f32, from: usize, n: usize, rate: SampleRate) -> Vec<i16> {
        let turn = std::f32::consts::TAU * hz / rate.hz() as f32;
        (from..from + n).map(|t| ((t as f32 * turn).sin() * 8_000.0) as i16).collect()
    }

    fn steepest(samples: &[i16]) -> i32 {
        samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
    }

    /// Plays 60 ms of voice, then what `gap` makes of it, then voice again, 20 ms at a time.
    fn around(
        hz: f32,
        rate: SampleRate,
        mut gap: impl FnMut(&mut Concealer, &mut Vec<i16>),
    ) -> Vec<i16> {
        let mut leg = Concealer::new(rate);
        let mut heard = Vec::new();
        let tick = rate.samples_in(Ptime::TICK);
        let voice = |leg: &mut Concealer, heard: &mut Vec<i16>, from: usize| {
            for number in 0..3 {
                let mut frame = tone_at(hz, from + number * tick, tick, rate);
                leg.voice(&mut frame);
                heard.extend(frame);
            }
        };
        voice(&mut leg, &mut heard, 0);
        gap(&mut leg, &mut heard);
        voice(&mut leg, &mut heard, 3 * tick + tick / 2 - 3);
        heard
    }

    #[test]
    fn no_join_is_steeper_than_the_tone_itself() {
        for rate in SampleRate::ALL {
            for hz in [50.0, 110.0, 203.0, 440.0, 697.0, 1_000.0] {
                for lost in 0..6 {
                    let heard = around(hz, rate, |leg, heard| {
                        leg.skip();
                        for _ in 0..lost {
                            let mut frame = vec![0; rate.samples_in(Ptime::TICK)];
                            leg.conceal(&mut frame);
                            heard.extend(frame);
                        }
                    });
                    let limit = steepest(&tone_at(hz, 0, 1_000, rate)) * 3 / 2 + 300;
                    let steepest = steepest(&heard);
                    assert!(steepest <= limit, "{hz} Hz at {rate}, {lost} lost: {steepest}");
                }
            }
        }
    }

    #[test]
    fn a_tone_goes_on_through_a_lost_frame() {
        for rate in SampleRate::ALL {
            let tick = rate.samples_in(Ptime::TICK);
            let mut leg = Concealer::new(rate);
            leg.voice(&mut tone_at(200.0, 0, 3 * tick, rate));
            let mut lost = vec![0; tick / 2];
            assert!(leg.conceal(&mut lost));
            for (made_up, meant) in lost.iter().zip(tone_at(200.0, 3 * tick, tick / 2, rate)) {
                let wrong = (i32::from(*made_up) - i32::from(meant)).abs();
                assert!(wrong < 900, "{made_up} for {meant} at {rate}");
            }
        }
    }

    #[test]
    fn a_long_loss_is_silent_after_sixty_milliseconds() {
        let mut leg = Concealer::new(SampleRate::Hz8000);
        leg.voice(&mut tone(300.0, 0, 480));
        let mut lost = [0; 480];
        assert!(leg.conceal(&mut lost));
        assert!(lost[..240].iter().any(|s| s.abs() > 3_000));
        let mut after = [1; 160];
        assert!(!leg.conceal(&mut after));
        assert_eq!(after, [0; 160]);
    }

    #[test]
    fn a_sender_that_stops_is_silent_after_five_milliseconds() {
        let heard = around(440.0, SampleRate::Hz8000, |leg, heard| {
            let mut frame = [0; 160];
            leg.silence(&mut frame);
            assert_eq!(frame[JOIN..], [0; 120]);
            heard.extend(frame);
        });
        assert!(steepest(&heard) < 3_500, "{}", steepest(&heard));
    }

    #[test]
    fn voice_that_follows_on_voice_is_left_as_it_is() {
        let mut leg = Concealer::new(SampleRate::Hz8000);
        leg.voice(&mut tone(500.0, 0, 160));
        let mut next = tone(500.0, 160, 160);
        leg.voice(&mut next);
        assert_eq!(next, tone(500.0, 160, 160));
    }

    #[test]
    fn the_loudest_sound_neither_overflows_nor_wraps() {
        let mut leg = Concealer::new(SampleRate::Hz8000);
        let mut square: Vec<i16> =
            (0..480).map(|n| if n / 37 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        leg.voice(&mut square);
        leg.conceal(&mut [0; 160]);
        leg.voice(&mut square[..7].to_vec());
        leg.conceal(&mut [0; 160]);
        leg.voice(&mut square);
    }
}
