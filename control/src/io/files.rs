//! What touches files, and may wait for a disk: done on a thread of its own, so that calls do not wait.

use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

/// Something to be done there.
pub(super) type Job = Box<dyn FnOnce() + Send>;

/// Where files are touched.
pub(super) enum Files {
    /// On the thread `control-files`.
    Thread(Option<Sender<Job>>, Option<JoinHandle<()>>),
    /// At once, where nobody minds.
    Here,
}

impl Files {
    /// Starts the thread.
    pub(super) fn start() -> std::io::Result<Self> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let work = move || inbox.into_iter().for_each(|job| job());
        let thread = thread::Builder::new().name("control-files".into()).spawn(work)?;
        Ok(Files::Thread(Some(jobs), Some(thread)))
    }

    /// Has something done, after all that was to be done before.
    pub(super) fn run(&self, job: Job) {
        match self {
            Files::Thread(Some(jobs), _) => {
                // It ends with the last sender only.
                let _ = jobs.send(job);
            }
            Files::Thread(None, _) => {}
            Files::Here => job(),
        }
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let Files::Thread(jobs, thread) = self {
            drop(jobs.take());
            if let Some(thread) = thread.take() {
                let _ = thread.join();
            }
        }
    }
}
