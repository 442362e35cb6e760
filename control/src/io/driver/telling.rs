//! What the engine tells, as events for the exchange.

use stasis_bus::Delivery;
use stasis_media::LegId;
use stasis_media::event::{
    DtmfBegan, DtmfReceived, DtmfSource, PlaybackChanged, PlaybackState as EngineState,
    RtpReceived, RtpSent, RtpSources, TalkingStarted, TalkingStopped, ToneDetected,
};
use stasis_media::io::{PlaybackFailed, RecordingChanged};

use super::Driver;
use crate::media::MediaEvent;
use crate::playback::PlaybackState;

impl Driver {
    /// Turns something that the engine has told into events.
    pub(super) fn take(&mut self, delivery: &Delivery, tell: &mut dyn FnMut(MediaEvent)) {
        self.take_filed(tell);
        if let Some(event) = self.event_of(delivery) {
            return tell(event);
        }
        if let Some(changed) = delivery.downcast_ref::<PlaybackChanged>() {
            return self.playback_changed(changed, tell);
        }
        if let Some(changed) = delivery.downcast_ref::<RecordingChanged>() {
            return self.recording_changed(changed.clone(), tell);
        }
        if let Some(failed) = delivery.downcast_ref::<PlaybackFailed>() {
            tracing::warn!(reason = %failed.reason, "a sound cannot be had");
        }
    }

    pub(super) fn event_of(&mut self, delivery: &Delivery) -> Option<MediaEvent> {
        let line = |leg: LegId| self.legs.get(&leg).copied();
        if let Some(began) = delivery.downcast_ref::<DtmfBegan>() {
            return Some(MediaEvent::DigitBegan(line(began.leg)?, began.digit));
        }
        if let Some(&DtmfReceived { leg, digit, source, duration_ms }) = delivery.downcast_ref() {
            let silent = source == DtmfSource::TelephoneEvent;
            return Some(MediaEvent::Digit { line: line(leg)?, digit, duration_ms, silent });
        }
        if let Some(started) = delivery.downcast_ref::<TalkingStarted>() {
            return Some(MediaEvent::TalkingStarted(line(started.leg)?));
        }
        if let Some(stopped) = delivery.downcast_ref::<TalkingStopped>() {
            return Some(MediaEvent::TalkingStopped(line(stopped.leg)?, stopped.duration_ms));
        }
        if let Some(detected) = delivery.downcast_ref::<ToneDetected>() {
            return Some(MediaEvent::Tone(line(detected.leg)?, detected.tone.to_string()));
        }
        if let Some(&RtpReceived { leg, stats }) = delivery.downcast_ref() {
            let line = line(leg)?;
            let figures = self.figures.entry(line).or_default();
            (figures.received, figures.lost) = (stats.packets, stats.lost);
            figures.jitter_s = f64::from(stats.jitter_ms) / 1_000.0;
            return Some(MediaEvent::Figures(line, *figures));
        }
        if let Some(&RtpSent { leg, stats }) = delivery.downcast_ref() {
            let line = line(leg)?;
            let figures = self.figures.entry(line).or_default();
            (figures.sent, figures.sent_octets) = (stats.packets, stats.bytes);
            return Some(MediaEvent::Figures(line, *figures));
        }
        if let Some(&RtpSources { leg, sent, received, received_bytes }) = delivery.downcast_ref() {
            let line = line(leg)?;
            let figures = self.figures.entry(line).or_default();
            (figures.local_ssrc, figures.remote_ssrc) = (sent, received);
            figures.received_octets = received_bytes;
            return Some(MediaEvent::Figures(line, *figures));
        }
        None
    }

    pub(super) fn playback_changed(
        &mut self,
        changed: &PlaybackChanged,
        tell: &mut dyn FnMut(MediaEvent),
    ) {
        let Some(&play) = self.playbacks.get(&changed.playback) else { return };
        let state = match changed.state {
            EngineState::Queued => PlaybackState::Queued,
            EngineState::Playing => PlaybackState::Playing,
            EngineState::Paused => PlaybackState::Paused,
            EngineState::Continuing { .. } => return,
            EngineState::Done | EngineState::Stopped => PlaybackState::Done,
            EngineState::Failed => PlaybackState::Failed,
        };
        if changed.state.is_final() {
            self.playbacks.remove(&changed.playback);
            self.plays.remove(&play);
        }
        tell(MediaEvent::Played(play, state));
    }
}
