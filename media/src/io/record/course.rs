//! The course of one recording: what of the sound is kept, and when it is at its end.
//!
//! It takes samples and counts; it knows no file, ring or clock. Time is counted in samples.

use std::time::Duration;

use super::{RecordEnd, RecordFigures, RecordSettings};
use crate::frame::SampleRate;
use crate::talk::{TalkChange, TalkDetector, TalkSettings};

/// What became of some samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// So many, from the first, are to be written.
    pub(super) keep: usize,
    /// The recording ends behind them.
    pub(super) end: Option<RecordEnd>,
}

/// The course of one recording.
pub(super) struct Course {
    rate: SampleRate,
    most: Option<u64>,
    most_quiet: Option<u64>,
    settings: TalkSettings,
    talk: TalkDetector,
    paused: bool,
    muted: bool,
    /// Samples that were kept; those of them in which somebody talks, up to the newest; and those
    /// at the end in which nobody does.
    kept: u64,
    talked: u64,
    quiet: u64,
}

impl Course {
    pub(super) fn new(settings: &RecordSettings, rate: SampleRate) -> Self {
        let samples = |time: Duration| {
            u64::try_from(time.as_micros() * u128::from(rate.hz()) / 1_000_000).unwrap_or(u64::MAX)
        };
        let mut talk = settings.talk;
        if let Some(silence) = settings.max_silence {
            // Silence that ends a recording is none within a talk.
            let ms = u32::try_from(silence.as_millis()).unwrap_or(u32::MAX);
            talk.hangover_ms = talk.hangover_ms.min(ms);
        }
        Course {
            rate,
            most: settings.max_duration.map(samples),
            most_quiet: settings.max_silence.map(samples),
            settings: talk,
            talk: TalkDetector::new(talk),
            paused: false,
            muted: false,
            kept: 0,
            talked: 0,
            quiet: 0,
        }
    }

    /// Takes what was heard, a tick or less; when it is muted, `samples` become silence.
    pub(super) fn take(&mut self, samples: &mut [i16]) -> Taken {
        if self.paused {
            return Taken { keep: 0, end: None };
        }
        let left = self.most.map_or(u64::MAX, |most| most.saturating_sub(self.kept));
        let room = samples.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let samples = &mut samples[..room];
        if self.muted {
            samples.fill(0);
        } else {
            self.listen(samples);
        }
        let over = self.silence_over();
        let cut = usize::try_from(over.unwrap_or(0)).unwrap_or(usize::MAX);
        let keep = room.saturating_sub(cut);
        self.kept += keep as u64;
        let is_long = left == room as u64;
        let end = match (over, is_long) {
            (Some(_), _) => Some(RecordEnd::MaxSilence),
            (None, true) => Some(RecordEnd::MaxDuration),
            (None, false) => None,
        };
        Taken { keep, end }
    }

    /// By how much there is more silence than may be, when there is as much as may be.
    fn silence_over(&self) -> Option<u64> {
        // What may be the beginning of talk is waited for: it is silence only if no more comes.
        let hushed = !self.talk.is_loud() && self.quiet > 0;
        self.quiet.checked_sub(self.most_quiet?).filter(|_| hushed)
    }

    fn listen(&mut self, samples: &[i16]) {
        let n = samples.len() as u64;
        match self.talk.feed(samples, self.rate) {
            Some(TalkChange::Started) => {
                let began = u64::from(self.settings.start_ms) * u64::from(self.rate.hz()) / 1_000;
                self.talked += began.max(n);
            }
            Some(TalkChange::Stopped { .. }) => {
                self.talked = self.talked.saturating_sub(self.quiet);
            }
            None if self.talk.is_talking() => self.talked += n,
            None => {}
        }
        let loud = self.talk.is_talking() && !self.talk.is_silent();
        self.quiet = if loud { 0 } else { self.quiet + n };
    }

    /// What was heard so far is all that is counted as talk, and silence begins anew.
    fn restart(&mut self) {
        if self.talk.is_talking() {
            self.talked = self.talked.saturating_sub(self.quiet);
        }
        self.talk = TalkDetector::new(self.settings);
        self.quiet = 0;
    }

    /// Leaves out what comes, or no longer. `false` when that is as it was.
    pub(super) fn pause(&mut self, paused: bool) -> bool {
        let changed = std::mem::replace(&mut self.paused, paused) != paused;
        if changed {
            self.restart();
        }
        changed
    }

    /// Records silence in the place of what comes, or no longer. `false` when that is as it was.
    pub(super) fn mute(&mut self, muted: bool) -> bool {
        let changed = std::mem::replace(&mut self.muted, muted) != muted;
        if changed {
            self.restart();
        }
        changed
    }

    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    pub(super) fn is_muted(&self) -> bool {
        self.muted
    }

    /// Samples that were kept.
    pub(super) fn kept(&self) -> u64 {
        self.kept
    }

    /// So long are so many samples.
    pub(super) fn time_of(&self, samples: u64) -> Duration {
        let hz = u64::from(self.rate.hz());
        let rest = Duration::from_nanos(samples % hz * 1_000_000_000 / hz);
        Duration::from_secs(samples / hz) + rest
    }

    /// What was recorded; `lost`: samples that were lost.
    pub(super) fn figures(&self, lost: u64) -> RecordFigures {
        let pause = if self.talk.is_talking() { self.quiet } else { 0 };
        let talked = self.talked.saturating_sub(pause).min(self.kept);
        RecordFigures {
            duration: self.time_of(self.kept),
            talking: self.time_of(talked),
            silence: self.time_of(self.kept - talked),
            lost: self.time_of(lost),
            samples: self.kept,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::Hz8000;

    fn course(change: impl FnOnce(&mut RecordSettings)) -> Course {
        let mut settings = RecordSettings::to("nowhere.wav");
        change(&mut settings);
        Course::new(&settings, RATE)
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// A loud tick, or a silent one.
    fn tick(loud: bool) -> [i16; 160] {
        std::array::from_fn(|i| {
            if !loud {
                0
            } else if i % 8 < 4 {
                3_000
            } else {
                -3_000
            }
        })
    }

    /// Takes so many ticks; how many samples were kept, and the end.
    fn run(course: &mut Course, loud: bool, ticks: usize) -> (usize, Option<RecordEnd>) {
        let mut kept = 0;
        for _ in 0..ticks {
            let Taken { keep, end } = course.take(&mut tick(loud));
            kept += keep;
            if end.is_some() {
                return (kept, end);
            }
        }
        (kept, None)
    }

    #[test]
    fn without_limits_all_is_kept_and_talk_is_told_from_silence() {
        let mut course = course(|_| ());
        for (loud, ticks) in [(false, 50), (true, 100), (false, 50), (true, 25), (false, 10)] {
            assert_eq!(run(&mut course, loud, ticks), (ticks * 160, None));
        }
        let figures = course.figures(800);
        assert_eq!(figures.duration, ms(4_700));
        assert_eq!((figures.talking, figures.silence), (ms(2_500), ms(2_200)));
        assert_eq!((figures.lost, figures.samples), (ms(100), 37_600));
    }

    #[test]
    fn it_ends_at_its_longest_to_the_sample() {
        let mut course = course(|settings| settings.max_duration = Some(ms(130)));
        assert_eq!(run(&mut course, true, 100), (1_040, Some(RecordEnd::MaxDuration)));
        assert_eq!(course.kept(), 1_040);
        // At the end of a tick it ends with that tick, not with the next.
        let mut whole = self::course(|settings| settings.max_duration = Some(ms(40)));
        assert_eq!(run(&mut whole, true, 2), (320, Some(RecordEnd::MaxDuration)));
        let mut none = self::course(|settings| settings.max_duration = Some(ms(0)));
        assert_eq!(run(&mut none, true, 1), (0, Some(RecordEnd::MaxDuration)));
    }

    #[test]
    fn it_ends_after_silence_from_the_beginning_or_after_talk() {
        for silence in [ms(50), ms(390), ms(400), ms(2_000)] {
            let samples = silence.as_millis() as usize * 8;
            let mut course = course(|settings| settings.max_silence = Some(silence));
            assert_eq!(run(&mut course, false, 200), (samples, Some(RecordEnd::MaxSilence)));

            let mut course = self::course(|settings| settings.max_silence = Some(silence));
            assert_eq!(run(&mut course, true, 50), (8_000, None));
            assert_eq!(run(&mut course, false, 2), (320, None));
            assert_eq!(run(&mut course, true, 10), (1_600, None));
            assert_eq!(run(&mut course, false, 200), (samples, Some(RecordEnd::MaxSilence)));
            let figures = course.figures(0);
            assert_eq!(figures.silence + figures.talking, figures.duration);
            assert!(figures.talking >= ms(1_200) && figures.talking <= ms(1_240), "{figures:?}");
        }
    }

    #[test]
    fn a_click_does_not_interrupt_silence_and_noise_below_the_threshold_is_silence() {
        let mut course = course(|settings| settings.max_silence = Some(ms(1_000)));
        run(&mut course, false, 20);
        run(&mut course, true, 1);
        assert_eq!(run(&mut course, false, 100).0, 29 * 160);
        let mut course = self::course(|settings| settings.max_silence = Some(ms(1_000)));
        let mut noise = tick(true).map(|sample| sample / 40);
        let ends = (0..50).filter_map(|_| course.take(&mut noise).end).count();
        assert_eq!((ends, course.kept()), (1, 8_000));
    }

    #[test]
    fn a_pause_is_left_out_of_everything() {
        let mut course = course(|settings| {
            settings.max_silence = Some(ms(1_000));
            settings.max_duration = Some(ms(3_000));
        });
        run(&mut course, true, 10);
        run(&mut course, false, 40);
        assert_eq!(course.figures(0).talking, ms(200));
        assert!(course.pause(true) && !course.pause(true) && course.is_paused());
        assert_eq!(run(&mut course, false, 1_000), (0, None));
        assert!(course.pause(false) && !course.pause(false));
        assert_eq!(run(&mut course, false, 49), (49 * 160, None), "silence begins anew");
        assert_eq!(run(&mut course, true, 100), (51 * 160, Some(RecordEnd::MaxDuration)));
        assert_eq!(course.figures(0).talking, ms(200 + 51 * 20));
    }

    #[test]
    fn what_is_muted_is_silence_that_nobody_counts() {
        let mut course = course(|settings| settings.max_silence = Some(ms(500)));
        run(&mut course, true, 10);
        assert!(course.mute(true) && !course.mute(true) && course.is_muted());
        let mut said = tick(true);
        assert_eq!(course.take(&mut said), Taken { keep: 160, end: None });
        assert_eq!(said, [0; 160]);
        assert_eq!(run(&mut course, false, 100), (16_000, None));
        assert!(course.mute(false));
        assert_eq!(run(&mut course, false, 100), (4_000, Some(RecordEnd::MaxSilence)));
        assert_eq!(course.figures(0).talking, ms(200));
    }
}
