//! Talk detection: who speaks, with hysteresis, over the noise of each line.
//!
//! Each frame has a level. Above the start threshold for long enough, someone talks; below the
//! lower stop threshold for long enough, no more. Between the two thresholds nothing begins and
//! nothing ends, so a level that wanders around one of them does not flap. Times are counted in
//! audio, not on a clock.
//!
//! By default the thresholds lie above the noise floor of the line (`floor`), so that quiet talkers are
//! heard on a quiet line and no fan is heard as talk on a noisy one. And what is soft and sounds like
//! noise rather than like a voice (`sums`: breath, hiss) starts no talk and does not prolong one.
//!
//! What is talk, then, and what is not:
//! - A fan that goes on may be talk for a second: until then it could be a long vowel. So may a hum.
//! - Steady noise is none, nor is comfort noise. Digital silence says nothing about the noise.
//! - Clicks are none: talk is more than a few frames.
//! - Keys are none where somebody tells the detector of them ([`TalkDetector::pass`]), as a leg does.
//! - Music is mostly talk: it is as loud as speech, and goes up and down as speech does.
//! - What stays as loud as speech ([`LOUDEST_FLOOR`]) is talk as long as it lasts, however steady.

mod floor;
mod settings;
mod sums;

pub use floor::LOUDEST_FLOOR;
pub use settings::{TalkSettings, TalkThresholds};

use crate::frame::{Ptime, SampleRate};
use floor::Floor;
use sums::Sums;

/// Talk starts so many dB above the noise, and stops so many above it; but never below the other two,
/// in dBov.
const START_ABOVE: f32 = 5.0;
const STOP_ABOVE: f32 = 3.0;
const LEAST_START: f32 = -56.0;
const LEAST_STOP: f32 = -60.0;
/// Noise at or above this is no breath, in dBov.
const LOUD_HISS: f32 = -36.0;
/// Softer noise counts for the beginning of talk by this part: whispering is talk, after a while.
const HISS_COUNTS: u64 = 16;

/// A level in dBov: decibels below overload, the power of a square wave at full scale (RFC 6464
/// section 3). The loudest sine is at −3 dBov; speech on a telephone is mostly around −26 dBov.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Dbov(pub f32);

impl Dbov {
    /// Digital silence, the lowest level that RFC 6464 can say.
    pub const SILENCE: Dbov = Dbov(-127.0);

    /// The level of `samples` without their mean: a sound card's DC is not sound.
    pub fn of(samples: &[i16]) -> Dbov {
        let mut sums = Sums::default();
        sums.add(samples, 1);
        sums.level()
    }

    fn max(self, other: Dbov) -> Dbov {
        Dbov(self.0.max(other.0))
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
    heard: Heard,
    state: State,
    floor: Floor,
    /// What is not yet a whole tick.
    sums: Sums,
}

/// What the newest tick was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// Below the stop threshold.
    Silence,
    /// Soft noise, like breath: above the thresholds, but not like a voice.
    Hiss,
    /// Between the thresholds.
    Between,
    /// At the start threshold, or above.
    Loud,
}

/// All times in microseconds of audio.
#[derive(Clone, Copy, Debug)]
enum State {
    /// Nobody talks; `loud` is what may become talk, `since` when its first was heard.
    Silent { loud: u64, since: u64 },
    /// Someone talks, since `talk`; the newest `silence` of it was silent.
    Talking { talk: u64, silence: u64 },
}

impl TalkDetector {
    /// A detector that has heard only silence.
    pub fn new(settings: TalkSettings) -> Self {
        TalkDetector {
            settings,
            level: Dbov::SILENCE,
            heard: Heard::Silence,
            state: State::Silent { loud: 0, since: 0 },
            floor: Floor::new(),
            sums: Sums::default(),
        }
    }

    /// Listens by other settings from here on; what it knows of the noise stays. A talk ends here.
    pub fn set(&mut self, settings: TalkSettings) -> Option<TalkChange> {
        self.settings = settings;
        match std::mem::replace(&mut self.state, State::Silent { loud: 0, since: 0 }) {
            State::Talking { talk, silence } => Some(stopped(talk, silence)),
            State::Silent { .. } => None,
        }
    }

    /// Listens to the next frame; frames may be of any length. One tick is meant: shorter ones are
    /// put together, and a longer one is taken as a whole.
    pub fn feed(&mut self, samples: &[i16], rate: SampleRate) -> Option<TalkChange> {
        self.sums.add(samples, rate.hz() as usize / 8_000);
        self.sums.time += samples.len() as u64 * 1_000_000 / u64::from(rate.hz());
        // A little less, because a part of a frame may have lost a part of a microsecond.
        if self.sums.time + 100 < u64::from(Ptime::TICK.ms()) * 1_000 {
            return None;
        }
        let sums = std::mem::take(&mut self.sums);
        self.level = sums.level();
        let talks = self.is_talking();
        if let TalkThresholds::Adaptive = self.settings.thresholds {
            self.floor.hear(self.level.0, sums.time, talks);
        }
        self.heard = self.judge(&sums);
        self.go_on(sums.time)
    }

    /// A frame of so many samples is known to be no talk, whatever is in it: a key, for instance.
    /// Time passes as in silence.
    pub fn pass(&mut self, samples: usize, rate: SampleRate) -> Option<TalkChange> {
        self.sums = Sums::default();
        (self.level, self.heard) = (Dbov::SILENCE, Heard::Silence);
        self.go_on(samples as u64 * 1_000_000 / u64::from(rate.hz()))
    }

    /// Whether someone talks: from the frame that gave `Started` to the one that gave `Stopped`.
    pub fn is_talking(&self) -> bool {
        matches!(self.state, State::Talking { .. })
    }

    /// For how long someone has talked, in milliseconds: to the newest frame that was not silent; 0
    /// when nobody talks.
    pub fn talk_ms(&self) -> u32 {
        match self.state {
            State::Talking { talk, silence } => to_ms(talk.saturating_sub(silence)),
            State::Silent { .. } => 0,
        }
    }

    /// The newest tick's level.
    pub fn level(&self) -> Dbov {
        self.level
    }

    /// Whether the newest tick was loud enough to be the beginning of talk.
    pub fn is_loud(&self) -> bool {
        self.heard == Heard::Loud
    }

    /// Whether the newest tick was silence, or is counted as such: the end of talk, if it lasts.
    pub fn is_silent(&self) -> bool {
        matches!(self.heard, Heard::Silence | Heard::Hiss)
    }

    /// The level of the noise on the line, as far as it is known.
    pub fn noise(&self) -> Dbov {
        Dbov(self.floor.level())
    }

    fn judge(&self, sums: &Sums) -> Heard {
        let (start, stop, adapts) = match self.settings.thresholds {
            TalkThresholds::Fixed { start, stop } => (start.0, stop.0.min(start.0), false),
            TalkThresholds::Adaptive => {
                let floor = self.floor.level();
                ((floor + START_ABOVE).max(LEAST_START), (floor + STOP_ABOVE).max(LEAST_STOP), true)
            }
        };
        let level = self.level.0;
        if level < stop {
            Heard::Silence
        } else if adapts && level < LOUD_HISS && !sums.is_like_a_voice() {
            Heard::Hiss
        } else if level < start {
            Heard::Between
        } else {
            Heard::Loud
        }
    }

    fn go_on(&mut self, time: u64) -> Option<TalkChange> {
        match self.state {
            State::Silent { loud, since } => self.while_silent(loud, since, time),
            State::Talking { talk, silence } => self.while_talking(talk, silence, time),
        }
    }

    /// Loud ticks add up, others take off again; hiss hardly counts.
    fn while_silent(&mut self, loud: u64, since: u64, time: u64) -> Option<TalkChange> {
        let loud = match self.heard {
            Heard::Loud => loud.saturating_add(time),
            Heard::Hiss => loud.saturating_add(time / HISS_COUNTS),
            Heard::Between => loud.saturating_sub(time / 2),
            Heard::Silence => loud.saturating_sub(time),
        };
        let since = if loud == 0 { 0 } else { since.saturating_add(time) };
        if loud == 0 || loud < u64::from(self.settings.start_ms) * 1_000 {
            self.state = State::Silent { loud, since };
            return None;
        }
        self.state = State::Talking { talk: since, silence: 0 };
        Some(TalkChange::Started)
    }

    fn while_talking(&mut self, talk: u64, silence: u64, time: u64) -> Option<TalkChange> {
        let talk = talk.saturating_add(time);
        let silence = if self.is_silent() { silence.saturating_add(time) } else { 0 };
        if silence == 0 || silence < u64::from(self.settings.hangover_ms) * 1_000 {
            self.state = State::Talking { talk, silence };
            return None;
        }
        self.state = State::Silent { loud: 0, since: 0 };
        Some(stopped(talk, silence))
    }
}

fn stopped(talk: u64, silence: u64) -> TalkChange {
    TalkChange::Stopped { duration_ms: to_ms(talk.saturating_sub(silence)) }
}

fn to_ms(time: u64) -> u32 {
    u32::try_from(time / 1_000).unwrap_or(u32::MAX)
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
        let fixed = || TalkDetector::new(TalkSettings::fixed(Dbov(-42.0), Dbov(-48.0)));
        let around_start = follow(&mut fixed(), &wander(-42.0));
        assert!(around_start.len() <= 1, "{around_start:?}");
        let mut talking = fixed();
        follow(&mut talking, &[-20.0; 5]);
        assert_eq!(follow(&mut talking, &wander(-48.0)), []);
        assert!(follow(&mut fixed(), &wander(-48.0)).is_empty());
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
            // A stop above the start is taken as the start.
            thresholds: TalkThresholds::Fixed { start: Dbov(-40.0), stop: Dbov(-10.0) },
            start_ms: 0,
            hangover_ms: 0,
        };
        let changes = follow(&mut TalkDetector::new(settings), &[-90.0, -30.0, -90.0, -90.0]);
        assert_eq!(changes, [(1, Started), (2, Stopped { duration_ms: 20 })]);
    }
}
