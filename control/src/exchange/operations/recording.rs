//! What is recorded: of channels, of all in a bridge, and for the dialplan.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use stasis_media::dtmf::Digit;

use super::{Holder, PlayHow};
use crate::apps::AppKey;
use crate::channel::{ChannelKey, Operation};
use crate::exchange::Exchange;
use crate::media::{EndedBy, MediaOrder, Record, RecordControl, RecordHow};
use crate::message::RecordingEvent;
use crate::recording::{RecordingSnapshot, RecordingState};
use crate::refusal::Refusal;
use crate::topics::Topics;

/// A recording, as its owner knows it.
pub(in crate::exchange) struct RecordingRecord {
    holder: Holder,
    pub(super) snapshot: Arc<RecordingSnapshot>,
    counts_silence: bool,
    /// The dialplan records.
    is_quiet: bool,
    /// Who is told of its end when who was recorded is gone by then.
    pub(super) listeners: BTreeSet<AppKey>,
    /// What it was told before its turn.
    pub(super) early: Vec<RecordControl>,
}

/// What the engine says of a recording.
pub(super) struct Told {
    pub(super) state: RecordingState,
    pub(super) duration: Duration,
    pub(super) talking: Duration,
    pub(super) ended_by: Option<EndedBy>,
    pub(super) reason: Option<String>,
}

impl Told {
    /// It never began.
    pub(super) fn canceled() -> Self {
        let (duration, talking) = (Duration::ZERO, Duration::ZERO);
        let state = RecordingState::Canceled;
        Told { state, duration, talking, ended_by: None, reason: None }
    }
}

impl Exchange {
    /// Records what a channel's party says, when what was to be done before is over.
    ///
    /// # Errors
    /// [`Refusal::NoChannel`], [`Refusal::NotInApplication`], [`Refusal::InvalidState`] or
    /// [`Refusal::RecordingExists`]. That the file cannot be written is told by events.
    pub fn record(
        &mut self,
        channel: &str,
        how: RecordHow,
    ) -> Result<Arc<RecordingSnapshot>, Refusal> {
        let key = self.find_audible(channel)?;
        self.begin_recording(Holder::Channel(key), how, false)
    }

    /// Records all that is heard in a bridge.
    ///
    /// # Errors
    /// [`Refusal::NoBridge`] or [`Refusal::RecordingExists`].
    pub fn record_bridge(
        &mut self,
        bridge: &str,
        how: RecordHow,
    ) -> Result<Arc<RecordingSnapshot>, Refusal> {
        let key = self.find_bridge(bridge)?;
        self.begin_recording(Holder::Bridge(key), how, false)
    }

    pub(super) fn begin_recording(
        &mut self,
        holder: Holder,
        mut how: RecordHow,
        is_quiet: bool,
    ) -> Result<Arc<RecordingSnapshot>, Refusal> {
        if self.recording_names.contains_key(&how.name) {
            return Err(Refusal::RecordingExists(how.name));
        }
        let record = Record(self.numbers.next());
        let snapshot = Arc::new(RecordingSnapshot {
            name: how.name.clone(),
            format: how.format.clone(),
            state: RecordingState::Queued,
            target: self.target_of(holder),
            duration: None,
            talking_duration: None,
            silence_duration: None,
            cause: None,
        });
        self.recording_names.insert(how.name.clone(), record);
        self.recordings.insert(
            record,
            RecordingRecord {
                holder,
                snapshot: snapshot.clone(),
                counts_silence: how.max_silence.is_some(),
                is_quiet,
                listeners: BTreeSet::new(),
                early: Vec::new(),
            },
        );
        self.tell_recording(record);
        if let (Holder::Bridge(_), true) = (holder, how.beep) {
            // The recording does not wait for it, as it would for all that is played there before.
            how.beep = false;
            let beep = PlayHow { media: vec!["tone:beep".into()], ..PlayHow::default() };
            let _ = self.make_playback(holder, beep, String::new(), true); // it is one that there is
        }
        let operations = self.operations(holder).expect("it was just found");
        operations.push(Operation::Record(record, Box::new(how)));
        self.begin_operations(holder);
        self.settle();
        Ok(snapshot)
    }

    /// Records a channel for the dialplan; nobody but that is told. `false`: one of this name is under way.
    pub(in crate::exchange) fn record_quietly(&mut self, key: ChannelKey, how: RecordHow) -> bool {
        self.begin_recording(Holder::Channel(key), how, true).is_ok()
    }

    pub(super) fn tell_recording(&self, record: Record) {
        let Some(recording) = self.recordings.get(&record) else { return };
        if recording.is_quiet {
            return;
        }
        let event = RecordingEvent { recording: recording.snapshot.clone(), at: self.time() };
        self.topics.recordings.publish(event.clone()); // first: who was told may ask
        match recording.listeners.is_empty() {
            true => self.tell_holder(recording.holder, &event),
            false => self.tell_apps(&recording.listeners, &event),
        }
    }

    /// A recording has come to another state.
    pub(super) fn recorded(
        &mut self,
        record: Record,
        Told { state, duration, talking, ended_by, reason }: Told,
    ) {
        let Some(recording) = self.recordings.get_mut(&record) else { return };
        let is_over = state.is_final();
        let counts_silence = recording.counts_silence;
        let has_changed = recording.snapshot.state != state;
        let snapshot = Arc::make_mut(&mut recording.snapshot);
        snapshot.state = state;
        if is_over {
            snapshot.duration = Some(duration.as_secs());
            if counts_silence {
                snapshot.talking_duration = Some(talking.as_secs());
                snapshot.silence_duration = Some(duration.saturating_sub(talking).as_secs());
            }
            snapshot.cause = reason;
        }
        if has_changed || is_over {
            self.tell_recording(record);
        }
        if is_over {
            self.forget_recording(record, state, ended_by);
        }
    }

    pub(super) fn forget_recording(
        &mut self,
        record: Record,
        state: RecordingState,
        ended_by: Option<EndedBy>,
    ) {
        let Some(recording) = self.recordings.remove(&record) else { return };
        let name = &recording.snapshot.name;
        self.recording_names.remove(name);
        Topics::clear::<RecordingEvent>(&self.topics.recordings, name.as_str().into());
        if let Some(operations) = self.operations(recording.holder) {
            operations.remove(|op| matches!(op, Operation::Record(number, _) if *number == record));
        }
        if let (Holder::Channel(key), true) = (recording.holder, recording.is_quiet) {
            self.recording_is_over(key, state, ended_by);
        }
        self.begin_operations(recording.holder);
    }

    /// Pauses a recording, stops it, …
    ///
    /// # Errors
    /// [`Refusal::NoRecording`].
    pub fn control_recording(&mut self, name: &str, control: RecordControl) -> Result<(), Refusal> {
        let absent = || Refusal::NoRecording(name.into());
        let record = *self.recording_names.get(name).ok_or_else(absent)?;
        let recording = self.recordings.get_mut(&record).filter(|recording| !recording.is_quiet);
        let recording = recording.ok_or_else(absent)?;
        let is_end = matches!(control, RecordControl::Stop | RecordControl::Discard);
        match control {
            RecordControl::Pause(paused) if recording.snapshot.state != RecordingState::Queued => {
                let state = if paused { RecordingState::Paused } else { RecordingState::Recording };
                if recording.snapshot.state != state {
                    // At once for those who look; those who listen are told when it begins.
                    Arc::make_mut(&mut recording.snapshot).state = state;
                    let (recording, at) = (recording.snapshot.clone(), self.time());
                    self.topics.recordings.publish(RecordingEvent { recording, at });
                }
            }
            _ => {}
        }
        if self.has_begun(record) {
            self.order(MediaOrder::ControlRecord(record, control));
        } else if is_end {
            self.recorded(record, Told::canceled());
        } else if let Some(recording) = self.recordings.get_mut(&record) {
            recording.early.push(control);
        }
        self.settle();
        Ok(())
    }

    /// Whether a recording was handed to the engine.
    pub(super) fn has_begun(&mut self, record: Record) -> bool {
        let Some(holder) = self.recordings.get(&record).map(|recording| recording.holder) else {
            return false;
        };
        let is_it =
            |op: &Operation| matches!(op, Operation::Record(number, _) if *number == record);
        self.operations(holder).is_some_and(|operations| operations.is_begun(is_it))
    }

    /// A key of somebody in a bridge ends a recording of the bridge that waits for it. (Of a channel's own
    /// recordings the engine knows the keys.)
    pub(super) fn end_recordings_by(&mut self, key: ChannelKey, digit: Digit) {
        let Some(bridge) = self.channels[key].bridge else { return };
        let ended: Vec<_> = self.bridges[bridge].operations.recordings_ended_by(digit).collect();
        for record in ended {
            self.order(MediaOrder::ControlRecord(record, RecordControl::Stop));
        }
    }
}
