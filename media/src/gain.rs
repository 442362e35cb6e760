//! Gain: how much louder or softer, and changes of it that nobody hears as a click.
//!
//! A step in the level of a sound is a click; a slope of a tick is not. So whatever begins, ends or
//! changes its level does it along a straight line of one tick.

/// A change of level in decibels, from -60 to +24.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Gain(f32);

impl Gain {
    /// As it comes.
    pub const UNITY: Gain = Gain(0.0);
    /// The least.
    pub const LOWEST: Gain = Gain(-60.0);
    /// The most.
    pub const HIGHEST: Gain = Gain(24.0);

    /// So many decibels, brought into the range; what is no number is 0.
    pub fn from_db(db: f32) -> Gain {
        if db.is_nan() { Gain::UNITY } else { Gain(db.clamp(Self::LOWEST.0, Self::HIGHEST.0)) }
    }

    /// In decibels.
    pub fn db(self) -> f32 {
        self.0
    }

    /// What samples are multiplied by.
    pub(crate) fn factor(self) -> f32 {
        if self == Gain::UNITY { 1.0 } else { 10f32.powf(self.0 / 20.0) }
    }
}

/// A factor that moves to where it is wanted within one tick.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fader {
    now: f32,
    wanted: f32,
}

impl Fader {
    /// Nothing comes through.
    pub(crate) const CLOSED: Fader = Fader { now: 0.0, wanted: 0.0 };
    /// All comes through as it is.
    pub(crate) const OPEN: Fader = Fader { now: 1.0, wanted: 1.0 };

    /// Where it is to be at the end of the next tick.
    pub(crate) fn set(&mut self, factor: f32) {
        self.wanted = factor;
    }

    /// Whether nothing comes through in the next tick.
    pub(crate) fn is_closed(&self) -> bool {
        self.now == 0.0 && self.wanted == 0.0
    }

    /// Whether the next tick comes through as it is.
    pub(crate) fn is_open(&self) -> bool {
        self.now == 1.0 && self.wanted == 1.0
    }

    /// Fades one tick.
    pub(crate) fn apply(&mut self, tick: &mut [i16]) {
        let (from, to) = (self.now, self.wanted);
        self.now = to;
        if from != to {
            slope(tick, from, to);
        } else if to == 0.0 {
            tick.fill(0);
        } else if to != 1.0 {
            tick.iter_mut().for_each(|sample| *sample = scaled(*sample, to));
        }
    }
}

/// Fades a tick in from silence.
pub(crate) fn fade_in(tick: &mut [i16]) {
    slope(tick, 0.0, 1.0);
}

/// Fades a tick out to silence.
pub(crate) fn fade_out(tick: &mut [i16]) {
    slope(tick, 1.0, 0.0);
}

/// Along a straight line from one factor to another, which its last sample has.
fn slope(tick: &mut [i16], from: f32, to: f32) {
    let step = (to - from) / tick.len().max(1) as f32;
    for (n, sample) in tick.iter_mut().enumerate() {
        *sample = scaled(*sample, from + step * (n + 1) as f32);
    }
}

/// Rounded to the nearest; beyond 16 bits it saturates.
#[inline]
fn scaled(sample: i16, factor: f32) -> i16 {
    let value = f32::from(sample) * factor;
    (value + 0.5f32.copysign(value)) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_are_brought_into_range() {
        for (given, taken) in [(-100.0, -60.0), (6.0, 6.0), (f32::INFINITY, 24.0), (f32::NAN, 0.0)]
        {
            assert_eq!(Gain::from_db(given).db(), taken);
        }
        assert_eq!(Gain::UNITY.factor(), 1.0);
        assert!((Gain::from_db(20.0).factor() - 10.0).abs() < 1e-5);
    }

    #[test]
    fn every_sample_comes_through_an_open_fader_as_it_is() {
        let all: Vec<i16> = (i16::MIN..=i16::MAX).collect();
        let mut out = all.clone();
        let mut fader = Fader::OPEN;
        fader.apply(&mut out);
        assert_eq!(out, all);
        slope(&mut out, 1.0, 1.0);
        assert_eq!(out, all, "also along a level slope");
    }

    #[test]
    fn a_change_is_a_straight_line_of_one_tick_and_then_exact() {
        let mut fader = Fader::OPEN;
        fader.set(0.0);
        let mut tick = [16_000; 160];
        fader.apply(&mut tick);
        assert!(tick.windows(2).all(|pair| pair[0] - pair[1] == 100), "{tick:?}");
        assert_eq!((tick[0], tick[159]), (15_900, 0));
        assert!(fader.is_closed());
        fader.set(2.0);
        let mut tick = [30_000; 160];
        fader.apply(&mut tick);
        assert_eq!(tick[159], i16::MAX, "beyond 16 bits it saturates");
        let mut tick = [-3; 160];
        fader.apply(&mut tick);
        assert_eq!(tick, [-6; 160]);
    }
}
