//! Recordings: begun where files may be waited for, and told of here.

use std::path::PathBuf;

use stasis_media::Target;
use stasis_media::frame::SampleRate;
use stasis_media::io::{
    ControlError, Keys, RecordEnd, RecordError, RecordSettings, RecordState, RecordTarget,
    Recording, RecordingChanged,
};
use stasis_media::wav::WavFormat;

use super::{Driver, Taped, Wake, insist};
use crate::media::{Ear, EndedBy, MediaEvent, Record, RecordControl, RecordHow};
use crate::recording::RecordingState;

impl Driver {
    pub(super) fn record(
        &mut self,
        record: Record,
        ear: Ear,
        how: &RecordHow,
        tell: &mut dyn FnMut(MediaEvent),
    ) {
        let settings = match self.record_settings(ear, how) {
            Ok(settings) => settings,
            Err(reason) => return tell(failed(record, reason)),
        };
        let target = match self.target(ear) {
            Some(Target::Leg(leg)) => RecordTarget::from(leg),
            Some(Target::Bridge(bridge)) => RecordTarget::from(bridge),
            None => return tell(failed(record, "there is nothing to record any more".into())),
        };
        self.records.insert(record, Taped::Beginning(Vec::new()));
        let (media, recorder, topic) =
            (self.media.clone(), self.recorder.clone(), self.topic.clone());
        let filed = self.filed.clone();
        self.files.run(Box::new(move || {
            let folder = settings.path.parent().map_or(Ok(()), std::fs::create_dir_all);
            let begin = || recorder.record(&media, target, settings.clone(), &topic);
            let is_busy =
                |error: &RecordError| matches!(error, RecordError::Control(ControlError::Busy));
            let begun = match folder {
                Ok(()) => insist(begin, is_busy).map_err(|error| error.to_string()),
                Err(error) => Err(format!("the folder of recordings cannot be made: {error}")),
            };
            if let Ok(mut filed) = filed.lock() {
                filed.push((record, begun));
            }
            topic.publish(Wake);
        }));
    }

    pub(super) fn record_settings(
        &self,
        ear: Ear,
        how: &RecordHow,
    ) -> Result<RecordSettings, String> {
        let path = self.file_of(&how.name).ok_or_else(|| {
            format!(
                "{:?} leads out of the folder of recordings: leave .. and / at its begin out",
                how.name
            )
        })?;
        let (format, rate) = match how.format.as_str() {
            "wav" | "" => (WavFormat::Pcm16, Some(SampleRate::Hz8000)),
            "wav16" | "sln16" => (WavFormat::Pcm16, Some(SampleRate::Hz16000)),
            "wav48" => (WavFormat::Pcm16, Some(SampleRate::Hz48000)),
            "ulaw" | "mulaw" | "pcm" => (WavFormat::Ulaw, None),
            "alaw" => (WavFormat::Alaw, None),
            other => {
                return Err(format!(
                    "{other:?} is no format of recordings: use wav, wav16, wav48, ulaw or alaw"
                ));
            }
        };
        let mut path = path.into_os_string();
        path.push(".wav");
        Ok(RecordSettings {
            format,
            rate,
            if_exists: how.if_exists,
            max_duration: how.max_duration,
            max_silence: how.max_silence,
            // Of a bridge the model looks at the keys of those who are in it.
            keys: match ear {
                Ear::Mix(_) => Keys::None,
                Ear::Line(_) => how.end_keys,
            },
            beep: how.beep,
            ..RecordSettings::to(PathBuf::from(path))
        })
    }

    pub(super) fn control_record(&mut self, record: Record, control: RecordControl) {
        match self.records.get_mut(&record) {
            Some(Taped::Beginning(later)) => later.push(control),
            Some(Taped::Begun(recording)) => order_recording(recording, control),
            None => {}
        }
    }

    /// Takes in what was begun elsewhere.
    pub(super) fn take_filed(&mut self, tell: &mut dyn FnMut(MediaEvent)) {
        let filed = self.filed.lock().map(|mut filed| std::mem::take(&mut *filed));
        for (record, begun) in filed.unwrap_or_default() {
            match begun {
                Ok(recording) => {
                    let later = self.records.remove(&record);
                    if let Some(Taped::Beginning(later)) = later {
                        later.into_iter().for_each(|control| order_recording(&recording, control));
                    }
                    self.recordings.insert(recording.id(), record);
                    self.records.insert(record, Taped::Begun(recording));
                }
                Err(reason) => {
                    self.records.remove(&record);
                    tell(failed(record, reason));
                }
            }
        }
        for changed in std::mem::take(&mut self.early) {
            self.recording_changed(changed, tell);
        }
    }

    pub(super) fn recording_changed(
        &mut self,
        changed: RecordingChanged,
        tell: &mut dyn FnMut(MediaEvent),
    ) {
        let Some(&record) = self.recordings.get(&changed.recording) else {
            return self.early.push(changed);
        };
        let (state, ended_by, reason) = match changed.state {
            RecordState::Queued => (RecordingState::Queued, None, None),
            RecordState::Recording => (RecordingState::Recording, None, None),
            RecordState::Paused => (RecordingState::Paused, None, None),
            RecordState::Canceled => (RecordingState::Canceled, None, None),
            RecordState::Failed(reason) => (RecordingState::Failed, None, Some(reason)),
            RecordState::Done(end) => {
                let by = match end {
                    RecordEnd::Stopped => None,
                    RecordEnd::MaxDuration => Some(EndedBy::Time),
                    RecordEnd::MaxSilence => Some(EndedBy::Silence),
                    RecordEnd::Key(digit) => Some(EndedBy::Key(digit)),
                    RecordEnd::Gone => Some(EndedBy::Gone),
                };
                (RecordingState::Done, by, None)
            }
        };
        if state.is_final() {
            self.recordings.remove(&changed.recording);
            self.records.remove(&record);
        }
        let (duration, talking) = (changed.figures.duration, changed.figures.talking);
        tell(MediaEvent::Recorded { record, state, duration, talking, ended_by, reason });
    }
}

fn order_recording(recording: &Recording, control: RecordControl) {
    match control {
        RecordControl::Pause(true) => recording.pause(),
        RecordControl::Pause(false) => recording.resume(),
        RecordControl::Mute(true) => recording.mute(),
        RecordControl::Mute(false) => recording.unmute(),
        RecordControl::Stop => recording.stop(),
        RecordControl::Discard => recording.discard(),
    }
}

/// A recording could not be begun.
fn failed(record: Record, reason: String) -> MediaEvent {
    let (duration, talking) = Default::default();
    let state = RecordingState::Failed;
    MediaEvent::Recorded { record, state, duration, talking, ended_by: None, reason: Some(reason) }
}
