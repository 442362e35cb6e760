//! All recordings, in turn: what the thread `recorder` does, or whoever has a recorder by hand.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::job::{Control, Job};
use super::{Command, RecordEnd, RecordState};

/// How often the rings are emptied.
const PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked whether a beep is over.
const BEEP_PAUSE: Duration = Duration::from_millis(20);

/// Does the work of a [`Recorder`](super::Recorder) that was made [by hand](super::Recorder::by_hand), on
/// the thread that calls it. Dropping it ends all recordings as [`Recording::stop`](super::Recording::stop)
/// does, and completes their files.
pub struct RecorderTicker {
    inbox: Receiver<Command>,
    jobs: Vec<Job>,
}

impl RecorderTicker {
    pub(super) fn new(inbox: Receiver<Command>) -> Self {
        RecorderTicker { inbox, jobs: Vec::new() }
    }

    /// One round of what the thread does every 100 ms, and every 20 ms while a beep is heard: carries out
    /// what recordings were told, empties their rings into their files, and ends those that are over.
    /// Call it after every fifth [`Ticker::tick`](crate::io::Ticker::tick), say, but not more than 8 s of
    /// ticks apart: that is what the rings hold. Blocks on files.
    pub fn work(&mut self) {
        while let Ok(command) = self.inbox.try_recv() {
            if !self.carry_out(command) {
                self.stop_all();
            }
        }
        self.empty_rings();
    }

    /// The thread.
    pub(super) fn run(mut self) {
        loop {
            let command = if self.jobs.is_empty() {
                self.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                let waits = self.jobs.iter().any(|job| job.beep.is_some());
                self.inbox.recv_timeout(if waits { BEEP_PAUSE } else { PAUSE })
            };
            let goes_on = match command {
                Ok(command) => self.carry_out(command),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => false,
            };
            if !goes_on {
                return;
            }
            // Also after a command: they may come so often that there is never time for nothing.
            self.empty_rings();
        }
    }

    /// `false`: the recorder is gone.
    fn carry_out(&mut self, command: Command) -> bool {
        match command {
            Command::Begin(job) => {
                job.begin();
                self.jobs.push(*job);
            }
            Command::Control(id, control) => {
                if let Some(at) = self.jobs.iter().position(|job| job.id == id)
                    && let Some(state) = self.jobs[at].control(control)
                {
                    self.jobs.swap_remove(at).end(state);
                }
            }
            Command::End => return false,
        }
        true
    }

    fn empty_rings(&mut self) {
        for at in (0..self.jobs.len()).rev() {
            if let Some(state) = self.jobs[at].work() {
                self.jobs.swap_remove(at).end(state);
            }
        }
    }

    fn stop_all(&mut self) {
        for mut job in self.jobs.drain(..) {
            let state = job.control(Control::Stop).unwrap_or(RecordState::Done(RecordEnd::Stopped));
            job.end(state);
        }
    }
}

impl Drop for RecorderTicker {
    fn drop(&mut self) {
        // After a panic in one of them, the others' files are as complete as those of a killed process.
        if !std::thread::panicking() {
            self.stop_all();
        }
    }
}
