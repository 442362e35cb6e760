//! Tones in a leg's audio: a detector, if somebody wants to know.

use stasis_bus::{RtPublisher, Stamp, Topic};

use crate::engine::{Outside, Retired};
use crate::event::{ToneDetected, ToneEnded};
use crate::frame::{Frame, SampleRate};
use crate::id::LegId;
use crate::tone::{ToneDetector, ToneEvent};

/// What listens for tones in what a leg says. It comes made and leaves whole.
#[derive(Default)]
pub(super) struct Tones(Option<Box<ToneDetector>>);

impl Tones {
    /// Listens with this detector from here on, or not at all.
    ///
    /// # Errors
    /// The detector, when it is for another rate.
    pub(super) fn listen_with(
        &mut self,
        mut detector: Option<Box<ToneDetector>>,
        rate: SampleRate,
        outside: &mut impl Outside,
    ) -> Result<(), Box<ToneDetector>> {
        if let Some(detector) = detector.take_if(|detector| detector.rate() != rate) {
            return Err(detector);
        }
        if let Some(before) = std::mem::replace(&mut self.0, detector) {
            outside.retire(Retired::ToneDetector(before));
        }
        Ok(())
    }

    /// The leg is gone.
    pub(super) fn forget(&mut self, outside: &mut impl Outside) {
        if let Some(detector) = self.0.take() {
            outside.retire(Retired::ToneDetector(detector));
        }
    }

    /// Listens to a tick; also to one that was made up for a lost one, for it goes on with a tone.
    pub(super) fn listen(
        &mut self,
        heard: &Frame,
        leg: LegId,
        topic: &Topic,
        now: Stamp,
        publisher: &mut RtPublisher,
    ) {
        let Some(detector) = &mut self.0 else { return };
        let per_ms = u64::from(heard.rate().hz() / 1_000);
        detector.feed(heard.samples(), &mut |event| match event {
            ToneEvent::Began { tone, level, .. } => {
                publisher.publish(topic, now, ToneDetected { leg, tone, level });
            }
            ToneEvent::Ended { tone, samples, .. } => {
                let duration_ms = u32::try_from(samples / per_ms).unwrap_or(u32::MAX);
                publisher.publish(topic, now, ToneEnded { leg, tone, duration_ms });
            }
        });
    }
}
