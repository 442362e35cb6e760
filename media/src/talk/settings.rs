//! When talk starts and stops.

use super::Dbov;

/// When talk starts and stops. The default suits a telephone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TalkSettings {
    /// How loud talk is. Default: louder than the line's noise.
    pub thresholds: TalkThresholds,
    /// How much talk there must be before it is said to start. Default: 60 ms, longer than a
    /// click, a knock or a key, shorter than a syllable.
    pub start_ms: u32,
    /// How long the silence must be before talk is said to stop. Default: 400 ms, longer than the
    /// pauses within a sentence.
    pub hangover_ms: u32,
}

/// What is loud enough to be talk.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum TalkThresholds {
    /// What is louder than the line's own noise, and, while it is soft, like a voice.
    #[default]
    Adaptive,
    /// What is louder than this, whatever it is.
    Fixed {
        /// Frames at or above this level are talk that may start.
        start: Dbov,
        /// Frames below this level are silence. One above `start` counts as `start`.
        stop: Dbov,
    },
}

impl TalkSettings {
    /// With thresholds that stay where they are.
    pub fn fixed(start: Dbov, stop: Dbov) -> Self {
        let thresholds = TalkThresholds::Fixed { start, stop };
        TalkSettings { thresholds, ..TalkSettings::default() }
    }

    /// As Asterisk's `TALK_DETECT` is set: `talk_threshold`, the mean magnitude of a frame's samples
    /// (0 to 32,767) above which it is talk, and `silence_ms`, after which talk is over. Its own
    /// defaults are 256 and 2,500.
    ///
    /// A mean magnitude is taken for that of Gaussian noise, whose level is 2 dB higher: 256 is
    /// −40.2 dBov. (Of a sine it is 1 dB, of speech 3 dB.) Talk still has to last
    /// [`start_ms`](Self::start_ms) before it starts; set that to 0 to have it start with a frame.
    pub fn of_magnitude(talk_threshold: u16, silence_ms: u32) -> Self {
        let magnitude = f32::from(talk_threshold).max(0.1) / 32_768.0;
        let level = Dbov(20.0 * (magnitude * std::f32::consts::FRAC_PI_2.sqrt()).log10());
        TalkSettings { hangover_ms: silence_ms, ..TalkSettings::fixed(level, level) }
    }
}

impl Default for TalkSettings {
    fn default() -> Self {
        TalkSettings { thresholds: TalkThresholds::Adaptive, start_ms: 60, hangover_ms: 400 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_magnitude_becomes_the_level_of_such_noise() {
        let level = |magnitude| match TalkSettings::of_magnitude(magnitude, 2_500).thresholds {
            TalkThresholds::Fixed { start, stop } if start == stop => start.0,
            other => panic!("{other:?}"),
        };
        assert!((level(256) + 40.2).abs() < 0.05, "{}", level(256));
        assert!((level(160) + 44.3).abs() < 0.05, "{}", level(160));
        assert!(level(32_767) > 1.9 && level(0) < -100.0);
        assert_eq!(TalkSettings::of_magnitude(256, 2_500).hangover_ms, 2_500);
    }
}
