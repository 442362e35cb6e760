//! Talk detection: who speaks, with hysteresis.
//!
//! Each frame has a level. Above the start threshold for long enough, someone talks; below the
//! lower stop threshold for long enough, no more. Between the two thresholds nothing begins and
//! nothing ends, so a level that wanders around one of them does not flap. Times are counted in
//! audio, not on a clock.

use crate::frame::SampleRate;

/// A level in dBov: decibels below overload, the power of a square wave at full scale (RFC 6464
/// section 3). The loudest sine is at −3 dBov; speech on a telephone is mostly around −26 dBov.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Dbov(pub f32);

impl Dbov {
    /// Digital silence, the lowest level that RFC 6464 can say.
    pub const SILENCE: Dbov = Dbov(-127.0);

    /// The level of `samples` without their mean: a sound card's DC is not sound.
    pub fn of(samples: &[i16]) -> Dbov {
        let (mut sum, mut square) = (0i64, 0i64);
        for &sample in samples {
            sum += i64::from(sample);
            square += i64::from(i32::from(sample) * i32::from(sample));
        }
        let n = samples.len().max(1) as f64;
        let mean = sum as f64 / n;
        let power = ((square as f64 / n - mean * mean) / (32_768.0 * 32_768.0)) as f32;
        Dbov(10.0 * power.max(1e-13).log10()).max(Self::SILENCE)
    }

    fn max(self, other: Dbov) -> Dbov {
        Dbov(self.0.max(other.0))
    }
}

/// When talk starts and stops. The default suits a telephone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TalkSettings {
    /// Frames at or above this level are talk that may start. Default: −42 dBov, above the noise
    /// of most rooms and lines, and some 15 dB below ordinary speech.
    pub start: Dbov,
    /// Frames below this level are silence. Default: −48 dBov. One above `start` counts as `start`.
    pub stop: Dbov,
    /// How much talk there must be before it is said to start. Default: 60 ms, longer than a
    /// click, a knock or a key, shorter than a syllable.
    pub start_ms: u32,
    /// How long the silence must be before talk is said to stop. Default: 400 ms, longer than the
    /// pauses within a sentence.
    pub hangover_ms: u32,
}

impl Default for TalkSettings {
    fn default() -> Self {
        TalkSettings { start: Dbov(-42.0), stop: Dbov(-48.0), start_ms: 60, hangover_ms: 400 }
    }
}

/// What a frame changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TalkChange {
    /// Someone began to talk, [`TalkSettings::start_ms`] ago.
    Started,
    /// The talk is over, since [`TalkSettings::hangover_ms`].
    Stopped {
        /// How long it was, in milliseconds: from its first loud frame to its last.
        duration_ms: u32,
    },
}

/// Follows the level of one leg. Never allocates.
#[derive(Clone, Debug)]
pub struct TalkDetector {
    settings: TalkSettings,
    level: Dbov,
    state: State,
}

/// All times in microseconds of audio.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Nobody talks; `loud` is what may become talk.
    Silent { loud: u64 },
    /// Someone talks, since `talk`; the newest `silence` of it was silent.
    Talking { talk: u64, silence: u64 },
}

impl TalkDetector {
    /// A detector that has heard only silence.
    pub fn new(settings: TalkSettings) -> Self {
        let stop = Dbov(settings.stop.0.min(settings.start.0));
        let settings = TalkSettings { stop, ..settings };
        TalkDetector { settings, level: Dbov::SILENCE, state: State::Silent { loud: 0 } }
    }

    /// Listens to the next frame; frames may be of any length, one tick is meant.
    pub fn feed(&mut self, samples: &[i16], rate: SampleRate) -> Option<TalkChange> {
        if samples.is_empty() {
            return None;
        }
        self.level = Dbov::of(samples);
        let time = samples.len() as u64 * 1_000_000 / u64::from(rate.hz());
        match self.state {
            State::Silent { loud } => self.while_silent(loud, time),
            State::Talking { talk, silence } => self.while_talking(talk, silence, time),
        }
    }

    /// Whether someone talks: from the frame that gave `Started` to the one that gave `Stopped`.
    pub fn is_talking(&self) -> bool {
        matches!(self.state, State::Talking { .. })
    }

    /// The newest frame's level.
    pub fn level(&self) -> Dbov {
        self.level
    }

    /// Loud frames add up, half-loud ones take off again, a silent one starts over.
    fn while_silent(&mut self, loud: u64, time: u64) -> Option<TalkChange> {
        let loud = if self.level >= self.settings.start {
            loud.saturating_add(time)
        } else if self.level >= self.settings.stop {
            loud.saturating_sub(time)
        } else {
            0
        };
        if loud == 0 || loud < u64::from(self.settings.start_ms) * 1_000 {
            self.state = State::Silent { loud };
            return None;
        }
        self.state = State::Talking { talk: loud, silence: 0 };
        Some(TalkChange::Started)
    }

    fn while_talking(&mut self, talk: u64, silence: u64, time: u64) -> Option<TalkChange> {
        let talk = talk.saturating_add(time);
        let silent = self.level < self.settings.stop;
        let silence = if silent { silence.saturating_add(time) } else { 0 };
        if !silent || silence < u64::from(self.settings.hangover_ms) * 1_000 {
            self.state = State::Talking { talk, silence };
            return None;
        }
        self.state = State::Silent { loud: 0 };
        let ms = (talk - silence.min(talk)) / 1_000;
        Some(TalkChange::Stopped { duration_ms: u32::try_from(ms).unwrap_or(u32::MAX) })
    }
}

impl Default for TalkDetector {
    fn default() -> Self {
        Self::new(TalkSettings::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{MAX_FRAME, Ptime};
    use TalkChange::{Started, Stopped};

    /// One tick of a square wave at `level`, on top of `dc`.
    fn tick(level: f32, dc: i16, rate: SampleRate) -> Vec<i16> {
        let peak = (32_768.0 * 10f32.powf(level / 20.0)).min(32_767.0) as i16;
        let square = |i: usize| if i % 8 < 4 { peak } else { -peak };
        (0..rate.samples_in(Ptime::TICK)).map(|i| square(i).saturating_add(dc)).collect()
    }

    /// Feeds ticks of these levels; the changes and the numbers of their ticks.
    fn follow(detector: &mut TalkDetector, levels: &[f32]) -> Vec<(usize, TalkChange)> {
        let rate = SampleRate::Hz8000;
        let mut changes = Vec::new();
        for (i, &level) in levels.iter().enumerate() {
            changes.extend(detector.feed(&tick(level, 0, rate), rate).map(|change| (i, change)));
        }
        changes
    }

    #[test]
    fn talk_starts_after_60_ms_and_stops_after_400_ms_with_its_own_duration() {
        let mut detector = TalkDetector::default();
        let levels = [vec![-80.0; 10], vec![-26.0; 50], vec![-70.0; 40]].concat();
        let changes = follow(&mut detector, &levels);
        // The third loud tick starts it; the 20th silent one stops it.
        assert_eq!(changes, [(12, Started), (79, Stopped { duration_ms: 1_000 })]);
        assert!(!detector.is_talking());
    }

    #[test]
    fn pauses_within_a_sentence_are_part_of_it() {
        let word = [vec![-26.0; 10], vec![-70.0; 15]].concat();
        let levels = [word.repeat(4), vec![-70.0; 10]].concat();
        let changes = follow(&mut TalkDetector::default(), &levels);
        assert_eq!(changes, [(2, Started), (104, Stopped { duration_ms: 85 * 20 })]);
    }

    #[test]
    fn a_level_that_wanders_around_a_threshold_does_not_flap() {
        let wander = |around: f32| -> Vec<f32> {
            (0..3_000)
                .map(|i| around + 3.0 * (i as f32 * 0.7).sin() + (i % 3) as f32 - 1.0)
                .collect()
        };
        let around_start = follow(&mut TalkDetector::default(), &wander(-42.0));
        assert!(around_start.len() <= 1, "{around_start:?}");
        let mut talking = TalkDetector::default();
        follow(&mut talking, &[-20.0; 5]);
        assert_eq!(follow(&mut talking, &wander(-48.0)), []);
        assert!(follow(&mut TalkDetector::default(), &wander(-48.0)).is_empty());
    }

    #[test]
    fn clicks_and_breath_do_not_start_talk() {
        let clicks = [vec![-10.0; 2], vec![-70.0; 3]].concat().repeat(200);
        assert_eq!(follow(&mut TalkDetector::default(), &clicks), []);
        let breath = [vec![-50.0; 5], vec![-45.0; 20], vec![-41.0; 2], vec![-45.0; 20]].concat();
        assert_eq!(follow(&mut TalkDetector::default(), &breath.repeat(50)), []);
    }

    #[test]
    fn the_rate_changes_nothing_even_within_a_talk() {
        let mut detector = TalkDetector::default();
        let mut changes = Vec::new();
        for i in 0..100 {
            let rate = SampleRate::ALL[i % 5];
            let level = if i < 50 { -20.0 } else { -90.0 };
            changes.extend(detector.feed(&tick(level, 0, rate), rate));
            assert!((detector.level().0 - level).abs() < 1.0 || level < -80.0);
        }
        assert_eq!(changes, [Started, Stopped { duration_ms: 1_000 }]);
    }

    #[test]
    fn levels_are_those_of_rfc_6464_and_dc_is_none() {
        let rate = SampleRate::Hz48000;
        assert!(Dbov::of(&tick(0.0, 0, rate)).0.abs() < 0.001);
        assert!((Dbov::of(&tick(-30.0, 0, rate)).0 + 30.0).abs() < 0.01);
        assert!((Dbov::of(&tick(-30.0, 10_000, rate)).0 + 30.0).abs() < 0.1);
        assert_eq!(Dbov::of(&[]), Dbov::SILENCE);
        assert!(Dbov::of(&[i16::MIN; MAX_FRAME]).0 < -60.0);
        assert_eq!(TalkDetector::default().feed(&[], rate), None);
    }

    #[test]
    fn settings_without_any_delay_follow_each_frame() {
        let settings = TalkSettings {
            start: Dbov(-40.0),
            stop: Dbov(-10.0), // above start: taken as −40
            start_ms: 0,
            hangover_ms: 0,
        };
        let changes = follow(&mut TalkDetector::new(settings), &[-90.0, -30.0, -90.0, -90.0]);
        assert_eq!(changes, [(1, Started), (2, Stopped { duration_ms: 20 })]);
    }
}
