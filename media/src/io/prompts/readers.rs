//! The threads that read prompts: two, for nothing else. When a disk is stuck, prompts wait for it, and
//! whoever else works on rayon's threads does not. By hand there are none: who asks reads.

use std::any::Any;
use std::io;
use std::sync::Arc;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::io::StartError;

/// How many there are: a long file that is read does not keep a short one waiting.
const THREADS: usize = 2;

/// The threads. They end when the last clone was dropped and their work is done.
#[derive(Clone)]
pub(super) enum Readers {
    Threads(Arc<ThreadPool>),
    ByHand,
}

impl Readers {
    pub(super) fn start() -> Result<Self, StartError> {
        let builder = ThreadPoolBuilder::new().num_threads(THREADS);
        let named = builder.thread_name(|n| format!("prompts-{n}")).panic_handler(log);
        let pool = named.build().map_err(|error| StartError(io::Error::other(error)))?;
        Ok(Readers::Threads(Arc::new(pool)))
    }

    /// Has one of them do this, when it gets to it; by hand it is done when this returns.
    pub(super) fn spawn(&self, work: impl FnOnce() + Send + 'static) {
        match self {
            Readers::Threads(pool) => pool.spawn(work),
            Readers::ByHand => work(),
        }
    }
}

/// Work that has panicked is over, and what it was to deliver does not come; all else goes on.
fn log(panic: Box<dyn Any + Send>) {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or(panic.downcast_ref::<&str>().copied()).unwrap_or("without a message");
    tracing::error!("a bug, please report it: reading a prompt has panicked: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    const PATIENCE: Duration = Duration::from_secs(20);

    #[test]
    fn work_that_panics_is_over_and_all_else_goes_on() {
        let readers = Readers::start().unwrap();
        let (done, outcome) = channel();
        for n in 0..3 * THREADS {
            let lost = done.clone();
            readers.spawn(move || {
                let _lost = lost;
                panic!("on purpose: {n}");
            });
        }
        let names = done.clone();
        readers.spawn(move || {
            names.send(std::thread::current().name().map(str::to_owned)).unwrap();
        });
        drop(done);
        let name = outcome.recv_timeout(PATIENCE).unwrap().expect("they have names");
        assert!(["prompts-0", "prompts-1"].contains(&name.as_str()), "{name}");
        assert!(outcome.recv_timeout(PATIENCE).is_err(), "what they had is let go of");
    }

    #[test]
    fn one_that_is_stuck_does_not_hold_up_the_other_nor_anybody_else() {
        let readers = Readers::start().unwrap();
        let (release, stuck) = channel::<()>();
        readers.spawn(move || {
            let _ = stuck.recv();
        });
        let (done, outcome) = channel();
        let elsewhere = done.clone();
        readers.spawn(move || done.send(()).unwrap());
        rayon::spawn(move || elsewhere.send(()).unwrap());
        (0..2).for_each(|_| outcome.recv_timeout(PATIENCE).unwrap());
        drop(release);
    }
}
