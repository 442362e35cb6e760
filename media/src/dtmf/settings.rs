//! What a detector takes for a digit, and why it takes something for none.

use std::fmt;
use std::str::FromStr;

use super::Dbm0;

/// The limits of a detector. [`DtmfSettings::DEFAULT`] takes what ITU-T Q.24 says must be taken
/// with head-room, and refuses what must be refused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DtmfSettings {
    /// How loud each tone must be.
    pub min_level: Dbm0,
    /// How much louder the low tone may be, in dB (Q.24, AT&T: 8 dB must be taken).
    pub normal_twist_db: f32,
    /// How much louder the high tone may be, in dB (Q.24, AT&T: 4 dB must be taken).
    pub reverse_twist_db: f32,
    /// How far each tone may be from its nominal frequency, in percent of it (Q.24: 1.5 must be
    /// taken, 3.5 must not).
    pub max_detune_percent: f32,
    /// How much else may be heard with the two tones, between 190 and 1,900 Hz, as a share of their
    /// power, when they begin together and what else is heard was there before.
    pub max_background: f32,
    /// How much else may begin with the two tones, as a share of their power: a voice that happens
    /// to have two tones brings others.
    pub max_company: f32,
}

impl DtmfSettings {
    /// Nothing is taken that Q.24 does not ask for: for lines with music and voices but no noise.
    pub const STRICT: DtmfSettings = DtmfSettings {
        min_level: Dbm0(-36.0),
        normal_twist_db: 9.0,
        reverse_twist_db: 5.5,
        max_detune_percent: 2.0,
        max_background: 0.06,
        max_company: 0.05,
    };

    /// For every line.
    pub const DEFAULT: DtmfSettings = DtmfSettings {
        min_level: Dbm0(-45.0),
        normal_twist_db: 10.2,
        reverse_twist_db: 7.0,
        max_detune_percent: 2.25,
        max_background: 0.10,
        max_company: 0.07,
    };

    /// For bad lines and bad telephones, at the price of a digit now and then that is none.
    pub const RELAXED: DtmfSettings = DtmfSettings {
        min_level: Dbm0(-50.0),
        normal_twist_db: 14.0,
        reverse_twist_db: 11.0,
        max_detune_percent: 2.25,
        max_background: 0.30,
        max_company: 0.12,
    };

    /// The settings with a name: `strict`, `default`, `relaxed`.
    pub const PROFILES: [(&'static str, DtmfSettings); 3] =
        [("strict", Self::STRICT), ("default", Self::DEFAULT), ("relaxed", Self::RELAXED)];
}

impl Default for DtmfSettings {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// There are no settings of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile {0:?}: use strict, default or relaxed")]
pub struct UnknownProfile(pub String);

impl FromStr for DtmfSettings {
    type Err = UnknownProfile;

    fn from_str(name: &str) -> Result<Self, UnknownProfile> {
        let profile = Self::PROFILES.iter().find(|(known, _)| *known == name);
        profile.map(|(_, settings)| *settings).ok_or_else(|| UnknownProfile(name.to_owned()))
    }
}

/// Why two tones were no digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Rejection {
    /// Too soft.
    Level,
    /// One too much louder than the other.
    Twist,
    /// Too far from the nominal frequencies.
    Frequency,
    /// Another tone beside them.
    RelativePeak,
    /// Too much else in the signal.
    EnergyRatio,
    /// Overtones at twice their frequency: a voice or an instrument.
    SecondHarmonic,
    /// Too short.
    Duration,
    /// Wavering in level or frequency.
    Steadiness,
}

impl Rejection {
    /// All of them, in the order of [`Rejections::count`].
    pub const ALL: [Rejection; 8] = [
        Rejection::Level,
        Rejection::Twist,
        Rejection::Frequency,
        Rejection::RelativePeak,
        Rejection::EnergyRatio,
        Rejection::SecondHarmonic,
        Rejection::Duration,
        Rejection::Steadiness,
    ];
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Rejection::Level => "level",
            Rejection::Twist => "twist",
            Rejection::Frequency => "frequency",
            Rejection::RelativePeak => "relative peak",
            Rejection::EnergyRatio => "energy ratio",
            Rejection::SecondHarmonic => "second harmonic",
            Rejection::Duration => "duration",
            Rejection::Steadiness => "steadiness",
        })
    }
}

/// How often each reason was the last one against what might have become a digit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejections([u32; 8]);

impl Rejections {
    /// How often this was the reason.
    pub fn count(&self, reason: Rejection) -> u32 {
        self.0[reason as usize]
    }

    /// How often there was a reason.
    pub fn total(&self) -> u64 {
        self.0.iter().map(|&count| u64::from(count)).sum()
    }

    pub(super) fn add(&mut self, reason: Rejection) {
        let count = &mut self.0[reason as usize];
        *count = count.saturating_add(1);
    }
}

impl std::ops::AddAssign for Rejections {
    fn add_assign(&mut self, more: Rejections) {
        for (count, more) in self.0.iter_mut().zip(more.0) {
            *count = count.saturating_add(more);
        }
    }
}
