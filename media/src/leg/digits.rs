//! Digits in a leg's audio: the detector, and the way to its rate.

use stasis_bus::{RtPublisher, Stamp, Topic};

use super::lane::{between, convert};
use crate::dtmf::{Detector, DtmfEvent};
use crate::event::{DtmfBegan, DtmfReceived, DtmfSource};
use crate::frame::{Frame, SampleRate};
use crate::id::LegId;
use crate::resample::Resampler;
use crate::rtp::FrameKind;

/// Digits in the audio. A party that sends telephone events is heard by those alone, so that one
/// key never gives two digits.
pub(super) struct InBandDigits {
    /// `None` where there is nothing to listen to: a microphone has no keys.
    detector: Option<Detector>,
    /// Whether it still publishes what it finds.
    tells: bool,
    /// To the detector's 8 kHz, where the leg has another rate.
    narrow: Option<Narrow>,
    /// Ticks of silence in a row.
    silence: u32,
}

/// After so many ticks of silence, more of it changes nothing: 120 ms.
const ENOUGH: u32 = 6;

impl InBandDigits {
    pub(super) fn new(detects: bool, rate: SampleRate) -> Self {
        let detector = detects.then(Detector::new);
        InBandDigits { detector, tells: true, narrow: Narrow::from(rate), silence: 0 }
    }

    pub(super) fn give_way(&mut self) {
        self.tells = false;
    }

    /// Whether a digit is being heard. `absorb`: also when nobody is told, because who sends
    /// telephone events may send the tones as well, and those are to be kept from the others.
    pub(super) fn listen(
        &mut self,
        (frame, kind): (&Frame, FrameKind),
        absorb: bool,
        leg: LegId,
        topic: &Topic,
        now: Stamp,
        publisher: &mut RtPublisher,
    ) -> bool {
        let Some(detector) = self.detector.as_mut().filter(|_| self.tells || absorb) else {
            return false;
        };
        let silent = kind == FrameKind::Silence;
        self.silence = if silent { self.silence.saturating_add(1) } else { 0 };
        if self.silence > ENOUGH && detector.current().is_none() {
            return false;
        }
        let frame = self.narrow.as_mut().map_or(frame, |narrow| narrow.tick(frame));
        let source = DtmfSource::InBand;
        let tells = self.tells;
        let mut heard = detector.current().is_some();
        let mut on = |event: DtmfEvent| {
            heard = true;
            match event {
                _ if !tells => {}
                DtmfEvent::Begin { digit, .. } => {
                    publisher.publish(topic, now, DtmfBegan { leg, digit, source });
                }
                DtmfEvent::End { digit, samples, .. } => {
                    let duration_ms = (samples * 1_000 / u64::from(frame.rate().hz())) as u32;
                    publisher.publish(topic, now, DtmfReceived { leg, digit, source, duration_ms });
                }
            }
        };
        if kind == FrameKind::Concealed {
            detector.erased(frame.samples().len(), &mut on);
        } else {
            detector.feed(frame.samples(), &mut on);
        }
        heard
    }
}

/// A leg's audio at 8 kHz.
struct Narrow {
    resampler: Resampler,
    frame: Frame,
}

impl Narrow {
    /// From audio at `rate`; `None` when it has 8 kHz already.
    fn from(rate: SampleRate) -> Option<Self> {
        let narrow = SampleRate::Hz8000;
        let resampler = (rate != narrow).then(|| between(rate, narrow))?;
        Some(Narrow { resampler, frame: Frame::silence(narrow) })
    }

    fn tick(&mut self, frame: &Frame) -> &Frame {
        convert(&mut self.resampler, frame, &mut self.frame);
        &self.frame
    }
}
