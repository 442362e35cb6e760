//! One channel of a file as a leg would hear it.
//!
//! Each digit is reported where a live detector would do it: what comes later in the file has no
//! part in it. A file of a rate that the detector does not take is converted a millisecond at a
//! time, so there that is known within a millisecond.

use stasis_media::dtmf::{Dbm0, Detector, Digit, DtmfEvent, DtmfSettings, Rejections};
use stasis_media::frame::SampleRate;

use super::narrow::Narrow;

/// A digit of a file. Times are in milliseconds from the beginning of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub digit: Digit,
    pub start_ms: f64,
    /// Until it was over, or the file.
    pub duration_ms: f64,
    /// Where it was reported: no sample behind this was needed to tell the digit.
    pub reported_ms: f64,
    /// How loud each tone was.
    pub low: Dbm0,
    pub high: Dbm0,
}

/// The rate at which the detector takes a file of `hz`: the file's own where it can.
fn heard_at(hz: u32) -> SampleRate {
    SampleRate::from_hz(hz).unwrap_or(SampleRate::Hz8000)
}

/// Hears the digits of one channel.
pub struct Ear {
    hz: u32,
    detector: Detector,
    /// Where the detector does not take the file's rate.
    narrow: Option<Narrow>,
    log: Log,
}

/// What was heard, and where in the file we are.
struct Log {
    hz: f64,
    /// The detector's samples a second, and those by which it is behind the file.
    rate: f64,
    delay: f64,
    /// Samples of the file so far.
    taken: u64,
    reported: u64,
    heard: Vec<Heard>,
}

impl Ear {
    /// For a channel at `hz`; none when nothing can be made of that rate.
    pub fn new(hz: u32, settings: DtmfSettings) -> Option<Self> {
        let rate = heard_at(hz);
        let narrow = if hz == rate.hz() { None } else { Some(Narrow::new(hz, rate, part(hz))?) };
        let delay = narrow.as_ref().map_or(0, Narrow::delay) as f64;
        let (hz_, rate_) = (f64::from(hz), f64::from(rate.hz()));
        let log = Log { hz: hz_, rate: rate_, delay, taken: 0, reported: 0, heard: Vec::new() };
        Some(Ear { hz, detector: Detector::new(rate, settings), narrow, log })
    }

    /// Listens to what comes next.
    pub fn listen(&mut self, samples: &[i16]) {
        let Ear { detector, narrow, log, .. } = self;
        let Some(narrow) = narrow else {
            log.taken += samples.len() as u64;
            return detector.feed(samples, &mut |event| log.note(&event));
        };
        for part in samples.chunks(part(self.hz)) {
            log.taken += part.len() as u64;
            detector.feed(narrow.next(part), &mut |event| log.note(&event));
        }
    }

    /// The file is over: what was heard in it, in time order.
    pub fn finish(mut self) -> (Vec<Heard>, Rejections) {
        let Ear { detector, narrow, log, .. } = &mut self;
        if let Some(narrow) = narrow {
            narrow.rest(&mut |rest| detector.feed(rest, &mut |event| log.note(&event)));
        }
        detector.finish(&mut |event| log.note(&event));
        (self.log.heard, *self.detector.rejections())
    }
}

/// Samples of a millisecond, or a little less.
pub fn part(hz: u32) -> usize {
    (hz / 1_000).max(1) as usize
}

impl Log {
    fn note(&mut self, event: &DtmfEvent) {
        match *event {
            DtmfEvent::Begin { reported_at, .. } => {
                self.reported = if self.rate == self.hz { reported_at } else { self.taken };
            }
            DtmfEvent::End { digit, at_sample, samples, low, high } => {
                let start = self.ms(at_sample);
                let end = self.ms(at_sample.saturating_add(samples));
                self.heard.push(Heard {
                    digit,
                    start_ms: tenths(start),
                    duration_ms: tenths(end - start),
                    // Up, so that the sample that told it is in the time.
                    reported_ms: (self.reported as f64 * 10_000.0 / self.hz).ceil() / 10.0,
                    low,
                    high,
                });
            }
        }
    }

    /// The time in the file of the detector's sample of this number.
    fn ms(&self, sample: u64) -> f64 {
        let ms = (sample as f64 - self.delay) * 1_000.0 / self.rate;
        ms.clamp(0.0, self.taken as f64 * 1_000.0 / self.hz)
    }
}

/// Rounded to one decimal.
pub fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
