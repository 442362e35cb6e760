//! Digits in a leg's audio: the detector, and the way to its rate.

use stasis_bus::{RtPublisher, Stamp, Topic};

use crate::dtmf::{Detector, DtmfEvent, DtmfSettings};
use crate::event::{DtmfBegan, DtmfReceived, DtmfSource};
use crate::frame::{Frame, SampleRate};
use crate::id::LegId;
use crate::rtp::FrameKind;

/// Digits in the audio. A party that sends telephone events is heard by those alone, so that one
/// key never gives two digits.
pub(super) struct InBandDigits {
    /// `None` where there is nothing to listen to: a microphone has no keys.
    detector: Option<Box<Detector>>,
    /// Whether the leg is to be listened to at all.
    wanted: bool,
    /// Whether it still publishes what it finds.
    tells: bool,
    rate: SampleRate,
    /// Ticks of silence in a row.
    silence: u32,
}

/// After so many ticks of silence, more of it changes nothing: 120 ms.
const ENOUGH: u32 = 6;

/// Lost for so long, whatever the detector was at is over: a second.
const FORGOTTEN: usize = 48_000;

impl InBandDigits {
    pub(super) fn new(detects: bool, rate: SampleRate) -> Self {
        let detector = detects.then(|| Box::new(Detector::new(rate, DtmfSettings::DEFAULT)));
        InBandDigits { detector, wanted: true, tells: true, rate, silence: 0 }
    }

    pub(super) fn give_way(&mut self) {
        self.tells = false;
    }

    /// Whether digits are listened for. One that has begun when they no longer are ends there.
    pub(super) fn want(
        &mut self,
        wanted: bool,
        leg: LegId,
        topic: &Topic,
        now: Stamp,
        publisher: &mut RtPublisher,
    ) {
        let Some(detector) = self.detector.as_mut() else { return };
        if std::mem::replace(&mut self.wanted, wanted) && !wanted {
            let tells = self.tells;
            let mut on = report(self.rate, leg, topic, now, publisher);
            detector.erased(FORGOTTEN, &mut |event| {
                if tells {
                    on(event);
                }
            });
        }
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
        let wanted = self.wanted && (self.tells || absorb);
        let Some(detector) = self.detector.as_mut().filter(|_| wanted) else {
            return false;
        };
        let silent = kind == FrameKind::Silence;
        self.silence = if silent { self.silence.saturating_add(1) } else { 0 };
        if self.silence > ENOUGH && detector.current().is_none() {
            return false;
        }
        let tells = self.tells;
        let mut heard = detector.current().is_some();
        let mut report = report(self.rate, leg, topic, now, publisher);
        let mut on = |event: DtmfEvent| {
            heard = true;
            if tells {
                report(event);
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

/// Publishes what the detector reveals.
fn report<'a>(
    rate: SampleRate,
    leg: LegId,
    topic: &'a Topic,
    now: Stamp,
    publisher: &'a mut RtPublisher,
) -> impl FnMut(DtmfEvent) + 'a {
    let source = DtmfSource::InBand;
    move |event| match event {
        DtmfEvent::Begin { digit, .. } => {
            publisher.publish(topic, now, DtmfBegan { leg, digit, source });
        }
        DtmfEvent::End { digit, samples, .. } => {
            let duration_ms = (samples * 1_000 / u64::from(rate.hz())) as u32;
            publisher.publish(topic, now, DtmfReceived { leg, digit, source, duration_ms });
        }
    }
}
