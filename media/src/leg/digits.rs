//! Digits of a leg: heard in its audio or told by telephone events, each told of once, and taken out of
//! the audio if that is wanted.

use std::time::Duration;

use stasis_bus::{RtPublisher, Stamp, Topic};

use super::keys::Keys;
use crate::dtmf::{Absorb, Detector, Digit, DtmfEvent, DtmfSettings, Rejections, Squelch};
use crate::event::{DtmfBegan, DtmfReceived, DtmfSource};
use crate::frame::{Frame, SampleRate};
use crate::id::LegId;
use crate::rtp::FrameKind;
use crate::schedule::PERIOD;

/// The digits of one leg.
pub(super) struct Digits {
    absorb: Absorb,
    squelch: Squelch,
    /// Whether the leg's audio is to be listened to.
    wanted: bool,
    /// Ticks of silence in a row.
    silence: u32,
    /// Samples that the detector has taken.
    taken: u64,
    rate: SampleRate,
    /// `None` where there is nothing to listen to: a microphone has no keys.
    detector: Option<Box<Detector>>,
    keys: Keys,
    /// Why tones were no digits, as was told last.
    told: Rejections,
}

/// After so many ticks of silence, more of it changes nothing: 120 ms.
const ENOUGH: u32 = 6;

/// Lost for so long, whatever the detector was at is over: a second.
const FORGOTTEN: usize = 48_000;

impl Digits {
    /// Of a leg at `rate` whose audio waits for so long before it is heard. `None`: it has no keys.
    /// `wanted`: whether it is listened to before that is asked for.
    pub(super) fn new(wait: Option<Duration>, rate: SampleRate, wanted: bool) -> Self {
        let detector = wait.map(|_| Box::new(Detector::new(rate, DtmfSettings::DEFAULT)));
        Digits {
            absorb: Absorb::Off,
            squelch: Squelch::new(rate),
            wanted,
            silence: 0,
            taken: 0,
            rate,
            detector,
            keys: Keys::new(wait.unwrap_or_default()),
            told: Rejections::default(),
        }
    }

    /// Whether they are taken out of the audio; `false` when that is as it was.
    pub(super) fn absorb(&mut self, absorb: Absorb) -> bool {
        if self.detector.is_some() {
            self.squelch.set(absorb);
        }
        std::mem::replace(&mut self.absorb, absorb) != absorb
    }

    /// Whether the audio is left as it is.
    pub(super) fn leave_audio(&self) -> bool {
        self.squelch.is_idle()
    }

    /// Takes them out of the tick that was listened to. Whether there is only silence in it.
    pub(super) fn squelch(&mut self, heard: &mut Frame) -> bool {
        self.squelch.pass(heard.samples_mut());
        heard.samples().iter().all(|&sample| sample == 0)
    }

    /// What is taken for a digit from here on; `None`: nothing, and one that has begun ends there.
    pub(super) fn detect(
        &mut self,
        settings: Option<DtmfSettings>,
        leg: LegId,
        topic: &Topic,
        now: Stamp,
        publisher: &mut RtPublisher,
    ) {
        if let (Some(detector), Some(settings)) = (&mut self.detector, &settings) {
            detector.set(settings);
        }
        let wanted = settings.is_some();
        if std::mem::replace(&mut self.wanted, wanted) && !wanted {
            self.hear(Err(FORGOTTEN), now, &mut tell(leg, topic, now, publisher));
        }
    }

    /// Listens to a tick; whether a digit is in it.
    pub(super) fn listen(
        &mut self,
        (frame, kind): (&Frame, FrameKind),
        leg: LegId,
        topic: &Topic,
        now: Stamp,
        publisher: &mut RtPublisher,
    ) -> bool {
        let Some(detector) = self.detector.as_ref().filter(|_| self.wanted) else {
            return false;
        };
        let silent = kind == FrameKind::Silence;
        self.silence = if silent { self.silence.saturating_add(1) } else { 0 };
        if self.silence > ENOUGH && detector.current().is_none() {
            return false;
        }
        let lost = kind == FrameKind::Concealed;
        let samples = frame.samples();
        let chunk = if lost { Err(samples.len()) } else { Ok(samples) };
        self.hear(chunk, now + PERIOD, &mut tell(leg, topic, now, publisher))
    }

    /// Why tones were no digits, if there was more of that since it was last asked.
    pub(super) fn new_rejections(&mut self) -> Option<Rejections> {
        let counts = *self.detector.as_ref()?.rejections();
        (std::mem::replace(&mut self.told, counts) != counts).then_some(counts)
    }

    /// Has the detector hear these samples, or that so many were lost. `end`: when the last of them is
    /// heard. Whether a digit is in them.
    fn hear(
        &mut self,
        chunk: Result<&[i16], usize>,
        end: Stamp,
        tell: &mut impl FnMut(Told),
    ) -> bool {
        let Some(detector) = &mut self.detector else { return false };
        let before = self.taken;
        let taken = before.saturating_add(chunk.map_or_else(|lost| lost, <[i16]>::len) as u64);
        self.taken = taken;
        let (keys, squelch, per_ms) = (&mut self.keys, &mut self.squelch, ms(self.rate));
        let heard_at = |sample: u64| {
            let ago = taken.saturating_sub(sample).saturating_mul(1_000_000) / per_ms;
            Stamp::from_ns(end.ns().saturating_sub(ago))
        };
        let mut has_digit = detector.current().is_some();
        let source = DtmfSource::InBand;
        let mut on = |event: DtmfEvent| {
            has_digit = true;
            squelch.note(&event, before);
            match event {
                DtmfEvent::Begin { digit, at_sample, .. } => {
                    if keys.tones_begin(digit, heard_at(at_sample)) {
                        tell(Told::Began(digit, source));
                    }
                }
                DtmfEvent::End { digit, at_sample, samples, .. } => {
                    if keys.tones_end(heard_at(at_sample.saturating_add(samples))) {
                        tell(Told::Received(digit, source, (samples / per_ms) as u32));
                    }
                }
            }
        };
        match chunk {
            Ok(samples) => detector.feed(samples, &mut on),
            Err(lost) => detector.erased(lost, &mut on),
        }
        has_digit
    }

    /// A telephone event has begun.
    pub(super) fn event_begins(&mut self, digit: Digit, now: Stamp, tell: &mut impl FnMut(Told)) {
        if self.keys.event_begins(digit, now) {
            tell(Told::Began(digit, DtmfSource::TelephoneEvent));
        }
    }

    /// A telephone event is over.
    pub(super) fn event_ends(
        &mut self,
        digit: Digit,
        duration_ms: u32,
        now: Stamp,
        tell: &mut impl FnMut(Told),
    ) {
        if self.keys.event_ends(now) {
            tell(Told::Received(digit, DtmfSource::TelephoneEvent, duration_ms));
        }
    }
}

/// What is to be told of a key.
pub(super) enum Told {
    Began(Digit, DtmfSource),
    /// After so many milliseconds.
    Received(Digit, DtmfSource, u32),
}

/// Publishes what becomes of keys.
pub(super) fn tell<'a>(
    leg: LegId,
    topic: &'a Topic,
    now: Stamp,
    publisher: &'a mut RtPublisher,
) -> impl FnMut(Told) + 'a {
    move |told| match told {
        Told::Began(digit, source) => {
            publisher.publish(topic, now, DtmfBegan { leg, digit, source });
        }
        Told::Received(digit, source, duration_ms) => {
            publisher.publish(topic, now, DtmfReceived { leg, digit, source, duration_ms });
        }
    }
}

/// Samples in a millisecond.
fn ms(rate: SampleRate) -> u64 {
    u64::from(rate.hz()) / 1_000
}
