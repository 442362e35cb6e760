//! Frames: one tick of mono PCM of one leg, and the types of its shape.
//!
//! A *sample* is one 16-bit value; a *frame* is one tick's worth of them at one rate. Both shapes
//! are parsed once at the edge ([`SampleRate`], [`Ptime`]) and trusted from there on.

use std::fmt;

/// A sample rate that the engine works at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SampleRate {
    /// 8 kHz, the telephone's.
    Hz8000 = 8_000,
    /// 16 kHz, wideband.
    Hz16000 = 16_000,
    /// 24 kHz, super-wideband.
    Hz24000 = 24_000,
    /// 32 kHz, super-wideband.
    Hz32000 = 32_000,
    /// 48 kHz, fullband and most sound cards.
    Hz48000 = 48_000,
}

/// A rate in hertz that the engine does not work at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} Hz is not a rate of the engine: use 8000, 16000, 24000, 32000 or 48000")]
pub struct UnsupportedRate(pub u32);

impl SampleRate {
    /// Every rate, lowest first.
    pub const ALL: [SampleRate; 5] = [
        SampleRate::Hz8000,
        SampleRate::Hz16000,
        SampleRate::Hz24000,
        SampleRate::Hz32000,
        SampleRate::Hz48000,
    ];

    /// Parses a rate in hertz.
    ///
    /// # Errors
    /// The rate back, when it is none of [`SampleRate::ALL`].
    pub fn from_hz(hz: u32) -> Result<Self, UnsupportedRate> {
        Self::ALL.into_iter().find(|rate| rate.hz() == hz).ok_or(UnsupportedRate(hz))
    }

    /// The rate in hertz.
    pub const fn hz(self) -> u32 {
        self as u32
    }

    /// Samples in `ptime` at this rate.
    pub const fn samples_in(self, ptime: Ptime) -> usize {
        self.hz() as usize / 1_000 * ptime.ms() as usize
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.hz())
    }
}

/// The time that one packet or one tick covers, in whole milliseconds (RFC 4566 `ptime`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ptime(u8);

/// A packet time that the engine does not work with, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a ptime of {0} ms is out of range: use 10 to 60 in steps of 10")]
pub struct UnsupportedPtime(pub u32);

impl Ptime {
    /// 20 ms: the engine's tick.
    pub const TICK: Ptime = Ptime(20);
    /// 10 ms: the shortest.
    pub const SHORTEST: Ptime = Ptime(10);
    /// 60 ms: the longest.
    pub const LONGEST: Ptime = Ptime(60);

    /// Parses a packet time: 10 to 60 ms, in steps of 10.
    ///
    /// # Errors
    /// The time back, when it is out of that range.
    pub fn from_ms(ms: u32) -> Result<Self, UnsupportedPtime> {
        match ms {
            10 | 20 | 30 | 40 | 50 | 60 => Ok(Ptime(ms as u8)),
            _ => Err(UnsupportedPtime(ms)),
        }
    }

    /// In milliseconds.
    pub const fn ms(self) -> u32 {
        self.0 as u32
    }

    /// In nanoseconds.
    pub const fn ns(self) -> u64 {
        self.0 as u64 * 1_000_000
    }
}

/// Samples of the longest frame: one tick (20 ms) at 48 kHz.
pub const MAX_FRAME: usize = SampleRate::Hz48000.samples_in(Ptime::TICK);

/// One tick (20 ms) of mono 16-bit PCM at one rate, held in place: no heap.
#[derive(Clone)]
pub struct Frame {
    rate: SampleRate,
    samples: [i16; MAX_FRAME],
}

impl Frame {
    /// A frame of silence at `rate`.
    pub const fn silence(rate: SampleRate) -> Self {
        Frame { rate, samples: [0; MAX_FRAME] }
    }

    /// The frame's rate.
    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Its samples: 160 at 8 kHz, 960 at 48 kHz.
    pub fn samples(&self) -> &[i16] {
        &self.samples[..self.rate.samples_in(Ptime::TICK)]
    }

    /// Its samples, to be written.
    pub fn samples_mut(&mut self) -> &mut [i16] {
        &mut self.samples[..self.rate.samples_in(Ptime::TICK)]
    }
}

#[cfg(test)]
impl Frame {
    /// A tick at 8 kHz of this sample.
    pub(crate) fn of(sample: i16) -> Frame {
        let mut frame = Frame::silence(SampleRate::Hz8000);
        frame.samples_mut().fill(sample);
        frame
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peak = self.samples().iter().map(|s| s.unsigned_abs()).max().unwrap_or(0);
        write!(f, "Frame({}, peak {peak})", self.rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rate_has_a_whole_number_of_samples_a_tick() {
        let lengths: Vec<usize> =
            SampleRate::ALL.iter().map(|rate| rate.samples_in(Ptime::TICK)).collect();
        assert_eq!(lengths, [160, 320, 480, 640, 960]);
    }

    #[test]
    fn rates_and_ptimes_outside_the_range_are_refused_by_value() {
        assert_eq!(SampleRate::from_hz(44_100), Err(UnsupportedRate(44_100)));
        assert_eq!(SampleRate::from_hz(8_000), Ok(SampleRate::Hz8000));
        assert_eq!(Ptime::from_ms(25), Err(UnsupportedPtime(25)));
        assert_eq!(Ptime::from_ms(20), Ok(Ptime::TICK));
    }
}
