//! The media engine's part, played: what is ordered is looked at, and answered when the case says so.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use stasis_control::Exchange;
use stasis_control::media::{
    Ear, EndedBy, Line, MediaEvent, MediaOrder, Mix, Play, Record, RecordControl, RtpFigures,
};
use stasis_control::playback::PlaybackState;
use stasis_control::recording::RecordingState;
use stasis_media::dtmf::Digit;
use stasis_media::sound::PlaybackControl;

/// More orders than any one command can be good for.
const MOST_ORDERS: usize = 50_000;

#[derive(Default)]
pub struct Engine {
    /// Lines that are open, and the mix that each is in.
    lines: BTreeMap<Line, Option<Mix>>,
    mixes: BTreeSet<Mix>,
    /// RTP lines of which was not yet said whether they could be opened.
    fresh: Vec<Line>,
    /// What is played, and recorded, and what of it was told.
    plays: BTreeMap<Play, (Ear, bool)>,
    records: BTreeMap<Record, (Ear, bool)>,
    /// All numbers that ever were.
    opened: BTreeSet<u64>,
}

impl Engine {
    /// Takes all orders; they are to make sense.
    pub fn take_orders(&mut self, exchange: &mut Exchange) {
        let mut count = 0;
        while let Some(order) = exchange.take_order() {
            count += 1;
            assert!(count < MOST_ORDERS, "orders without an end: {order:?}");
            self.take(order);
        }
    }

    fn take(&mut self, order: MediaOrder) {
        match order {
            MediaOrder::OpenRtp(line, _) => {
                self.open(line);
                self.fresh.push(line);
            }
            MediaOrder::OpenPair(lines) => lines.into_iter().for_each(|line| self.open(line)),
            MediaOrder::OpenSnoop { line, of, .. } => {
                assert!(self.lines.contains_key(&of), "{line:?} overhears {of:?}, which is closed");
                self.open(line);
            }
            MediaOrder::CloseLine(line) => {
                assert!(self.lines.remove(&line).is_some(), "{line:?} was not open");
                self.fresh.retain(|fresh| *fresh != line);
            }
            MediaOrder::Set(line, _) | MediaOrder::Press(line, ..) => self.look_at(Ear::Line(line)),
            MediaOrder::OpenMix { mix, .. } => {
                assert!(self.opened.insert(mix.0), "{mix:?} was open before");
                self.mixes.insert(mix);
            }
            MediaOrder::CloseMix(mix) => {
                assert!(self.mixes.remove(&mix), "{mix:?} was not open");
                let within = self.lines.iter().find(|(_, within)| **within == Some(mix));
                assert!(within.is_none(), "{mix:?} is closed with {within:?} in it");
            }
            MediaOrder::Join(line, mix) => {
                self.look_at(Ear::Line(line));
                self.look_at(Ear::Mix(mix));
                self.lines.insert(line, Some(mix));
            }
            MediaOrder::Leave(line) => {
                self.look_at(Ear::Line(line));
                let before = self.lines.insert(line, None).flatten();
                assert!(before.is_some(), "{line:?} leaves a mix that it is not in");
            }
            MediaOrder::Play { play, ear, .. } => {
                self.look_at(ear);
                assert!(self.opened.insert(play.0), "{play:?} was played before");
                self.plays.insert(play, (ear, false));
            }
            MediaOrder::ControlPlay(play, control) => {
                assert!(self.plays.contains_key(&play), "{play:?} is over, or was never played");
                if matches!(control, PlaybackControl::Stop) {
                    self.plays.insert(play, (Ear::Line(Line(0)), true));
                }
            }
            MediaOrder::Music(ear, _) => self.look_at(ear),
            MediaOrder::Record(record, ear, _) => {
                self.look_at(ear);
                assert!(self.opened.insert(record.0), "{record:?} was recorded before");
                self.records.insert(record, (ear, false));
            }
            MediaOrder::ControlRecord(record, control) => {
                if let RecordControl::Stop | RecordControl::Discard = control
                    && let Some(state) = self.records.get_mut(&record)
                {
                    state.1 = true;
                }
            }
        }
    }

    fn open(&mut self, line: Line) {
        assert!(self.opened.insert(line.0), "{line:?} was open before");
        self.lines.insert(line, None);
    }

    fn look_at(&self, ear: Ear) {
        assert!(self.is_open(ear), "{ear:?} was never opened, or is closed");
    }

    fn is_open(&self, ear: Ear) -> bool {
        match ear {
            Ear::Line(line) => self.lines.contains_key(&line),
            Ear::Mix(mix) => self.mixes.contains(&mix),
        }
    }

    /// Something that the engine may say now.
    pub fn event(&mut self, what: u8, of: u8) -> Option<MediaEvent> {
        let line = nth(self.lines.keys(), of);
        let digit = |of: u8| Digit::from_char(char::from(b"0123456789*#AB"[usize::from(of) % 14]));
        let digit = digit(of).ok()?;
        let event = match what % 16 {
            0 | 1 => self.open_fresh(what.is_multiple_of(32), of)?,
            2 => MediaEvent::Failed(line?, "no port".into()),
            3 => MediaEvent::DigitBegan(line?, digit),
            4 | 5 => {
                let silent = what & 16 != 0;
                MediaEvent::Digit { line: line?, digit, duration_ms: 100, silent }
            }
            6 => MediaEvent::TalkingStarted(line?),
            7 => MediaEvent::TalkingStopped(line?, 700),
            8 => MediaEvent::Tone(line?, "cng".into()),
            9 => MediaEvent::Figures(line?, RtpFigures::default()),
            10..=12 => self.play_on(what, of)?,
            13 | 14 => self.record_on(what, of)?,
            _ => implausible(what / 16, of, digit),
        };
        Some(event)
    }

    fn open_fresh(&mut self, fails: bool, of: u8) -> Option<MediaEvent> {
        let line = nth(self.fresh.iter(), of)?;
        self.fresh.retain(|fresh| *fresh != line);
        Some(match fails {
            true => MediaEvent::Failed(line, "no port".into()),
            false => MediaEvent::Opened(line, ([127, 0, 0, 1], 5_000).into()),
        })
    }

    fn play_on(&mut self, what: u8, of: u8) -> Option<MediaEvent> {
        let play = nth(self.plays.keys(), of)?;
        let (ear, is_stopped) = self.plays[&play];
        let may_go_on = !is_stopped && self.is_open(ear);
        let state = match what / 16 % 5 {
            0 | 1 if may_go_on => PlaybackState::Playing,
            2 if may_go_on => PlaybackState::Paused,
            3 => PlaybackState::Failed,
            _ => PlaybackState::Done,
        };
        if let PlaybackState::Done | PlaybackState::Failed = state {
            self.plays.remove(&play);
        }
        Some(MediaEvent::Played(play, state))
    }

    fn record_on(&mut self, what: u8, of: u8) -> Option<MediaEvent> {
        let record = nth(self.records.keys(), of)?;
        let (ear, is_stopped) = self.records[&record];
        let may_go_on = !is_stopped && self.is_open(ear);
        let (state, ended_by) = match what / 16 % 8 {
            0..=2 if may_go_on => (RecordingState::Recording, None),
            3 if may_go_on => (RecordingState::Paused, None),
            4 => (RecordingState::Failed, None),
            5 => (RecordingState::Canceled, None),
            6 if may_go_on => (RecordingState::Done, Some(EndedBy::Silence)),
            _ => (RecordingState::Done, (!is_stopped).then_some(EndedBy::Gone)),
        };
        if !matches!(state, RecordingState::Recording | RecordingState::Paused) {
            self.records.remove(&record);
        }
        Some(recorded(record, state, ended_by))
    }

    /// What is still to be said when everything comes to its end.
    pub fn last_event(&mut self) -> Option<MediaEvent> {
        let none = self.open_fresh(false, 0);
        let none = none.or_else(|| self.play_on(4 * 16, 0));
        none.or_else(|| self.record_on(7 * 16, 0))
    }

    /// Nothing is open any more, and nothing goes on.
    pub fn look_at_the_end(&self) {
        assert!(self.lines.is_empty(), "still open: {:?}", self.lines);
        assert!(self.mixes.is_empty(), "still open: {:?}", self.mixes);
    }
}

fn recorded(record: Record, state: RecordingState, ended_by: Option<EndedBy>) -> MediaEvent {
    let duration = Duration::from_secs(3);
    let reason = (state == RecordingState::Failed).then(|| "the disk is full".into());
    MediaEvent::Recorded { record, state, duration, talking: duration * 2, ended_by, reason }
}

/// Something of what is gone, or never was.
fn implausible(what: u8, of: u8, digit: Digit) -> MediaEvent {
    let number = u64::from(of) * 7;
    match what % 6 {
        0 => MediaEvent::Failed(Line(1_000_000 + number), "nothing there".into()),
        1 => MediaEvent::DigitBegan(Line(1_000_000 + number), digit),
        2 => MediaEvent::Played(Play(1_000_000 + number), PlaybackState::Done),
        3 => MediaEvent::Played(Play(number), PlaybackState::Continuing),
        4 => recorded(Record(1_000_000 + number), RecordingState::Done, None),
        _ => MediaEvent::Opened(Line(1_000_000 + number), ([127, 0, 0, 1], 5_000).into()),
    }
}

fn nth<'a, T: Copy + 'a>(all: impl ExactSizeIterator<Item = &'a T>, of: u8) -> Option<T> {
    let count = all.len();
    let mut all = all;
    (count > 0).then(|| all.nth(usize::from(of) % count).copied()).flatten()
}
