//! Several tones, heard in one stream.

use super::bank::{Bank, STEP_MS};
use super::pattern::{Pattern, Turn};
use super::spec::{MOST_TONES, ToneName, ToneSpec, ToneSpecError};
use crate::dtmf::Dbm0;
use crate::frame::SampleRate;

/// What a detector has heard. Positions and lengths are in samples of what it is fed, within 10 ms.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ToneEvent {
    /// A tone was heard for long enough to know it.
    Began {
        /// Which.
        tone: ToneName,
        /// Where its first sound began.
        at: u64,
        /// How loud its last sound was, all frequencies together.
        level: Dbm0,
    },
    /// It is over: what is heard does not go on with it. That is known when the next sound is due and
    /// does not come.
    Ended {
        /// Which.
        tone: ToneName,
        /// Where its first sound began.
        at: u64,
        /// From there to the end of its last sound.
        samples: u64,
        /// How loud that was.
        level: Dbm0,
    },
}

/// Listens for several tones at once. Takes frames of any length; never allocates after
/// [`new`](Self::new). Each frequency costs the same, however many tones have it.
///
/// ```
/// use stasis_media::frame::SampleRate;
/// use stasis_media::tone::{ToneDetector, ToneEvent, ToneName, ToneSpec};
///
/// let tones = [ToneSpec::fax_calling(), ToneSpec::of_country(ToneName::Busy, "de")?];
/// let mut detector = ToneDetector::new(SampleRate::Hz8000, &tones)?;
/// let busy = stasis_media::sound::tone("busy", "de")?.render(SampleRate::Hz8000);
/// let mut heard = Vec::new();
/// for _ in 0..4 {
///     detector.feed(busy.samples(), &mut |event| heard.push(event));
/// }
/// assert!(matches!(heard[..], [ToneEvent::Began { tone: ToneName::Busy, at: 0..80, .. }]));
/// # Ok::<(), stasis_media::tone::ToneSpecError>(())
/// ```
pub struct ToneDetector {
    rate: SampleRate,
    bank: Bank,
    patterns: Vec<Pattern>,
    /// Milliseconds of the stream up to the last window.
    now: i64,
}

impl ToneDetector {
    /// A detector of these tones in audio at `rate`. Allocates.
    ///
    /// # Errors
    /// [`ToneSpecError`]: a tone that cannot be listened for, or more than [`MOST_TONES`].
    pub fn new(rate: SampleRate, tones: &[ToneSpec]) -> Result<Self, ToneSpecError> {
        if tones.len() > MOST_TONES {
            return Err(ToneSpecError::TooMany(tones.len()));
        }
        let mut bank = Bank::new(rate);
        let patterns = tones.iter().map(|tone| Pattern::new(tone, &mut bank));
        let patterns = patterns.collect::<Result<_, _>>()?;
        Ok(ToneDetector { rate, bank, patterns, now: 0 })
    }

    /// The rate of what it listens to.
    pub fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Listens to what comes next.
    pub fn feed(&mut self, samples: &[i16], on: &mut impl FnMut(ToneEvent)) {
        let ToneDetector { rate, bank, patterns, now } = self;
        let samples_in = |ms: i64| ms.max(0) as u64 * u64::from(rate.hz() / 1_000);
        bank.feed(samples, |bank| {
            *now += STEP_MS;
            for pattern in patterns.iter_mut() {
                let tone = pattern.name;
                pattern.hear(bank, *now, &mut |turn| match turn {
                    Turn::Began { at, level } => {
                        on(ToneEvent::Began { tone, at: samples_in(at), level });
                    }
                    Turn::Ended { at, until, level } => {
                        let samples = samples_in(until).saturating_sub(samples_in(at));
                        on(ToneEvent::Ended { tone, at: samples_in(at), samples, level });
                    }
                });
            }
        });
    }
}
