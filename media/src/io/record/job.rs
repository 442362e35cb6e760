//! One recording, as the recorder's thread sees it: from a ring by its course into a file.

use std::sync::mpsc::Sender;

use stasis_bus::{PullSubscription, Topic};

use super::beep::Beep;
use super::course::{Course, Taken};
use super::file::RecordFile;
use super::tracks::Tracks;
use super::{
    Keys, RecordEnd, RecordError, RecordFigures, RecordState, RecordTarget, RecordingChanged,
    RecordingLost,
};
use crate::bridge::{TapEnd, TapReader};
use crate::dtmf::Digit;
use crate::event::DtmfReceived;
use crate::frame::{MAX_FRAME, Ptime, SampleRate};
use crate::id::RecordingId;

/// Samples that are written at once.
const BATCH: usize = 8 * MAX_FRAME;

/// What a running recording is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Pause(bool),
    Mute(bool),
    Stop,
    Discard,
}

/// The keys that end a recording.
pub(super) struct KeyWatch {
    pub(super) keys: Keys,
    pub(super) pressed: PullSubscription,
}

/// One recording.
pub(super) struct Job {
    pub(super) id: RecordingId,
    pub(super) target: RecordTarget,
    pub(super) topic: Topic,
    pub(super) rate: SampleRate,
    pub(super) course: Course,
    pub(super) source: TapReader,
    pub(super) file: RecordFile,
    pub(super) watch: Option<KeyWatch>,
    pub(super) tracks: Option<Tracks>,
    /// What it waits for before it begins.
    pub(super) beep: Option<Beep>,
    /// Samples that it was told to be lost.
    pub(super) lost: u64,
    /// Who waits for its end.
    pub(super) reply: Sender<Result<RecordFigures, RecordError>>,
}

impl Job {
    /// It is taken on.
    pub(super) fn begin(&self) {
        self.tell(self.state());
        if let Some(tracks) = &self.tracks {
            tracks.tell(self.id, &self.topic);
        }
    }

    /// Writes what has come; how it has ended, if it has.
    pub(super) fn work(&mut self) -> Option<RecordState> {
        if let Err(error) = self.look_at_tracks() {
            return Some(RecordState::Failed(error.to_string()));
        }
        self.await_beep();
        let written = if self.beep.is_some() { Ok(None) } else { self.write_all() };
        match written {
            Err(error) => return Some(RecordState::Failed(error.to_string())),
            Ok(Some(end)) => return Some(RecordState::Done(end)),
            Ok(None) => {}
        }
        match self.source.end() {
            Some(TapEnd::Gone) => return Some(RecordState::Done(RecordEnd::Gone)),
            Some(TapEnd::Refused) => return Some(RecordState::Failed(refused(self.target))),
            None => {}
        }
        self.key().map(|key| RecordState::Done(RecordEnd::Key(key)))
    }

    /// Throws away what has come, and begins when the beep is over.
    fn await_beep(&mut self) {
        let Some(beep) = &self.beep else { return };
        let is_over = beep.is_over(); // before, so that all of it is thrown away
        while self.source.read(&mut [0; BATCH]) > 0 {}
        if let Some(tracks) = &mut self.tracks {
            tracks.skip();
        }
        if let Some(watch) = &mut self.watch {
            while watch.pressed.try_recv().is_ok() {}
        }
        if is_over {
            self.beep = None;
            self.tell(self.state());
        }
    }

    /// What it does now.
    fn state(&self) -> RecordState {
        if self.beep.is_some() {
            RecordState::Queued
        } else if self.course.is_paused() {
            RecordState::Paused
        } else {
            RecordState::Recording
        }
    }

    fn look_at_tracks(&mut self) -> Result<(), RecordError> {
        match &mut self.tracks {
            Some(tracks) => tracks.look(self.id, &self.topic),
            None => Ok(()),
        }
    }

    /// Empties the rings.
    fn write_all(&mut self) -> Result<Option<RecordEnd>, RecordError> {
        let tick = self.rate.samples_in(Ptime::TICK);
        let mut batch = [0; BATCH];
        let (mut filled, mut ended) = (0, None);
        while ended.is_none() {
            let part = &mut batch[filled..filled + tick];
            let n = self.source.read(part);
            if n == 0 {
                break;
            }
            let Taken { keep, end } = self.course.take(&mut part[..n]);
            (filled, ended) = (filled + keep, end);
            if filled + tick > BATCH {
                self.file.writer.write(&batch[..filled])?;
                filled = 0;
            }
        }
        if filled > 0 {
            self.file.writer.write(&batch[..filled])?;
        }
        if let Some(tracks) = &mut self.tracks {
            if self.course.is_paused() {
                tracks.skip();
            } else {
                tracks.follow(self.course.kept(), self.course.is_muted())?;
            }
        }
        self.tell_losses();
        Ok(ended)
    }

    fn tell_losses(&mut self) {
        let lost = self.source.lost();
        if lost != std::mem::replace(&mut self.lost, lost) {
            let lost = self.course.time_of(lost);
            self.topic.publish(RecordingLost { recording: self.id, lost });
        }
    }

    /// The key that ends it, if one was pressed.
    fn key(&mut self) -> Option<Digit> {
        let watch = self.watch.as_mut()?;
        while let Ok(delivery) = watch.pressed.try_recv() {
            let Some(DtmfReceived { leg, digit, .. }) = delivery.downcast_ref() else { continue };
            let is_here = match self.target {
                RecordTarget::Leg(own, _) => *leg == own,
                RecordTarget::Bridge(_) => true,
            };
            if is_here && watch.keys.has(*digit) {
                return Some(*digit);
            }
        }
        None
    }

    /// It is told something: what was heard before counts as before. How it has ended, if it has.
    pub(super) fn control(&mut self, control: Control) -> Option<RecordState> {
        if control != Control::Discard
            && let Some(end) = self.work()
        {
            return Some(end);
        }
        let changed = match control {
            Control::Pause(paused) => self.course.pause(paused),
            Control::Mute(muted) => self.course.mute(muted),
            Control::Stop => return Some(RecordState::Done(RecordEnd::Stopped)),
            Control::Discard => return Some(RecordState::Canceled),
        };
        if changed {
            self.tell(self.state());
        }
        None
    }

    /// It has ended: the file is completed, or taken back, and then its end is told.
    pub(super) fn end(self, state: RecordState) {
        let Job { id, target, topic, course, source, file, tracks, beep, reply, .. } = self;
        drop(beep); // nobody is to hear it any more
        let figures = course.figures(source.lost());
        // The engine lets go of a tap that nobody reads: nothing has to be ordered.
        drop(source);
        let path = file.path().to_owned();
        let closed = if state == RecordState::Canceled {
            let tracks = tracks.map_or(Ok(()), Tracks::discard);
            file.discard().and(tracks).map_err(|error| {
                format!("{} could not be taken back ({error}): remove it", path.display())
            })
        } else {
            let tracks = tracks.map_or(Ok(()), Tracks::finish);
            file.finish().and(tracks).map_err(|error| error.to_string())
        };
        let state = match (state, closed) {
            (RecordState::Failed(reason), _) | (_, Err(reason)) => RecordState::Failed(reason),
            (state, Ok(())) => state,
        };
        let outcome = match &state {
            RecordState::Failed(reason) => Err(RecordError::Failed(reason.clone())),
            _ => Ok(figures),
        };
        let muted = course.is_muted();
        topic.publish(RecordingChanged { recording: id, target, path, state, muted, figures });
        let _ = reply.send(outcome); // who does not wait knows by the event
    }

    fn tell(&self, state: RecordState) {
        self.topic.publish(RecordingChanged {
            recording: self.id,
            target: self.target,
            path: self.file.path().to_owned(),
            state,
            muted: self.course.is_muted(),
            figures: self.course.figures(self.source.lost()),
        });
    }
}

fn refused(target: RecordTarget) -> String {
    let what = match target {
        RecordTarget::Bridge(bridge) => bridge.to_string(),
        RecordTarget::Leg(leg, _) => leg.to_string(),
    };
    let most = crate::bridge::MOST_TAPS;
    format!("{what} is gone, or recorded {most} times already: end one of those recordings first")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::mpsc::{Receiver, channel};

    use stasis_bus::{Bus, Settings};

    use super::*;
    use crate::bridge::Tap;
    use crate::frame::Frame;
    use crate::id::LegId;
    use crate::io::{IfExists, RecordSettings};
    use crate::wav::{Pcm, WavFormat};

    const RATE: SampleRate = SampleRate::Hz8000;

    type Outcome = Receiver<Result<RecordFigures, RecordError>>;

    /// A recording without a thread, with a ring of a second.
    fn job(name: &str, topic: &Topic, settings: &RecordSettings) -> (Job, Tap, Outcome) {
        let name = format!("stasis-job-{}-{name}.wav", std::process::id());
        let path = std::env::temp_dir().join(name);
        let file = RecordFile::create(&path, WavFormat::Pcm16, RATE, IfExists::Overwrite).unwrap();
        let (tap, source) = Tap::new(RATE, 1);
        let (reply, outcome) = channel();
        let target = LegId::new(0, 1).into();
        let course = Course::new(settings, RATE);
        let job = Job {
            id: RecordingId::new(0, 1),
            target,
            topic: topic.clone(),
            rate: RATE,
            course,
            source,
            file,
            watch: None,
            tracks: None,
            beep: None,
            lost: 0,
            reply,
        };
        (job, tap, outcome)
    }

    fn say(tap: &mut Tap, value: i16, ticks: usize) {
        let mut frame = Frame::silence(RATE);
        frame.samples_mut().fill(value);
        (0..ticks).for_each(|_| tap.hear_leg(&frame));
    }

    #[test]
    fn what_is_lost_is_told_and_leaves_the_length_right() {
        let bus = Bus::new(Settings::default()).unwrap();
        let topic = bus.topic("t");
        let mut events = topic.subscribe().accept::<RecordingLost>().pull().unwrap();
        let (mut job, mut tap, outcome) = job("lost", &topic, &RecordSettings::to(""));
        let path = job.file.path().to_owned();
        say(&mut tap, 1, 60);
        assert_eq!(job.work(), None);
        say(&mut tap, 2, 5);
        assert_eq!(job.work(), None);
        tap.end(TapEnd::Gone);
        let end = job.work();
        assert_eq!(end, Some(RecordState::Done(RecordEnd::Gone)));
        job.end(end.unwrap());
        let figures = outcome.try_recv().unwrap().unwrap();
        let lost = std::time::Duration::from_millis(200);
        assert_eq!((figures.samples, figures.lost), (65 * 160, lost));
        let told = std::iter::from_fn(|| events.try_recv().ok());
        let told: Vec<_> =
            told.filter_map(|d| d.downcast_ref::<RecordingLost>().copied()).collect();
        assert_eq!(told, [RecordingLost { recording: RecordingId::new(0, 1), lost }]);
        let read = Pcm::load(&path, RATE).unwrap();
        let expected = [[1; 8_000].as_slice(), &[0; 1_600], &[2; 800]].concat();
        assert_eq!(read.samples(), expected);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn controls_take_effect_behind_what_was_heard_before_them() {
        let bus = Bus::new(Settings::default()).unwrap();
        let (mut job, mut tap, outcome) =
            job("controls", &bus.topic("t"), &RecordSettings::to(PathBuf::new()));
        let path = job.file.path().to_owned();
        let steps = [
            (1, Control::Pause(true)),
            (2, Control::Mute(true)),
            (3, Control::Pause(false)),
            (4, Control::Mute(false)),
            (5, Control::Stop),
        ];
        let mut end = None;
        for (value, control) in steps {
            say(&mut tap, value, 2);
            end = job.control(control);
        }
        assert_eq!(end, Some(RecordState::Done(RecordEnd::Stopped)));
        job.end(end.unwrap());
        assert_eq!(outcome.try_recv().unwrap().unwrap().samples, 3 * 320);
        let expected = [[1; 320], [0; 320], [5; 320]].concat();
        assert_eq!(Pcm::load(&path, RATE).unwrap().samples(), expected);
        assert!(tap.is_unread(), "the tap is let go of");
        std::fs::remove_file(path).unwrap();
    }
}
