//! Sleepers: how workers wait, and how one of them is woken.
//!
//! One mechanism for everybody: each worker sleeps on an eventfd of its own, and whoever wants one
//! woken claims a sleeping worker (`roster`) and writes to that worker's eventfd. A futex would cost
//! the same, but the shell of a real-time thread may write to a file descriptor and may not call
//! futex; so one mechanism instead of two. Elsewhere than on Linux: crossbeam's parker.
//!
//! A bed is made for a worker before its thread is, and stays for the next one of that number.

use std::io;

use crate::roster::Roster;
use crate::sync::{OnceLock, broken};

pub(crate) struct Sleepers {
    roster: Roster,
    beds: Box<[OnceLock<Bed>]>,
    /// The watcher's, where there is a watcher.
    watchers: Option<Bed>,
}

/// What became of a worker that went to sleep.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It is up again.
    Up,
    /// Nobody will wake it any more: its thread is to end.
    Gone,
}

impl Sleepers {
    /// Room for so many workers, and for a watcher if there is to be one.
    pub(crate) fn new(workers: usize, watched: bool) -> io::Result<Self> {
        let beds = (0..workers).map(|_| OnceLock::new()).collect();
        let watchers = watched.then(Bed::new).transpose()?;
        Ok(Sleepers { roster: Roster::new(), beds, watchers })
    }

    /// Makes the bed of a worker that is about to be started, by one thread at a time.
    pub(crate) fn make_bed(&self, worker: usize) -> io::Result<()> {
        if self.beds[worker].get().is_none() {
            self.beds[worker].set(Bed::new()?).unwrap_or_else(|_| unreachable!("one at a time"));
        }
        Ok(())
    }

    fn bed(&self, worker: usize) -> &Bed {
        self.beds[worker].get().expect("made before the worker was started")
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Wakes one sleeping worker, if there is one: a system call only then. After whatever it is
    /// to see has been written.
    pub(crate) fn wake_one(&self) {
        if let Some(worker) = self.roster.claim() {
            self.bed(worker).wake();
        }
    }

    /// Wakes all that sleep.
    pub(crate) fn wake_all(&self) {
        (0..self.beds.len()).for_each(|_| self.wake_one());
    }

    /// Sleeps as worker `worker`, unless there is work, for at most so many milliseconds as `ms` says
    /// after it has lain down: whoever has it say less and then wakes all is heard by all. If
    /// nothing came and `is_idle`, it leaves, so long as more than `keep` workers sleep.
    pub(crate) fn sleep(
        &self,
        worker: usize,
        ms: impl FnOnce() -> u16,
        has_work: impl FnOnce() -> bool,
        is_idle: impl FnOnce() -> bool,
        keep: u32,
    ) -> Rest {
        self.roster.lie_down(worker);
        if (broken("sleepers.look") || !has_work())
            && !self.bed(worker).wait(ms())
            && is_idle()
            && self.roster.leave(worker, keep)
        {
            return Rest::Gone;
        }
        if self.roster.get_up(worker) {
            self.wake_watcher();
        }
        Rest::Up
    }

    pub(crate) fn wake_watcher(&self) {
        if let Some(bed) = &self.watchers {
            bed.wake();
        }
    }

    /// Sleeps as the watcher.
    pub(crate) fn sleep_as_watcher(&self, ms: u16) {
        if let Some(bed) = &self.watchers {
            bed.wait(ms);
        }
    }
}

#[cfg(all(target_os = "linux", not(shuttle)))]
use linux::Bed;
#[cfg(shuttle)]
use modelled::Bed;
#[cfg(not(any(target_os = "linux", shuttle)))]
use portable::Bed;

#[cfg(all(target_os = "linux", not(shuttle)))]
mod linux {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::eventfd::{EfdFlags, EventFd};
    use std::os::fd::AsFd;

    pub(super) struct Bed(EventFd);

    impl Bed {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Bed(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?))
        }

        pub(super) fn wake(&self) {
            // An error would mean that the counter is at its end: then it is awake anyway.
            let _ = self.0.write(1);
        }

        /// Whether it was woken within the time; sometimes it says so and was not.
        pub(super) fn wait(&self, ms: u16) -> bool {
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            // Interrupted or timed out: the worker looks for work in either case.
            match poll(&mut fds, PollTimeout::from(ms)) {
                Ok(0) => false,
                Ok(_) => self.0.read().is_ok(),
                Err(_) => true,
            }
        }
    }
}

#[cfg(not(any(target_os = "linux", shuttle)))]
mod portable {
    use std::time::Duration;

    use crossbeam_utils::sync::{Parker, Unparker};

    use crate::sync::Mutex;

    pub(super) struct Bed {
        /// Locked by its one sleeper.
        parker: Mutex<Parker>,
        unparker: Unparker,
    }

    impl Bed {
        pub(super) fn new() -> std::io::Result<Self> {
            let parker = Parker::new();
            let unparker = parker.unparker().clone();
            Ok(Bed { parker: Mutex::new(parker), unparker })
        }

        pub(super) fn wake(&self) {
            self.unparker.unpark();
        }

        /// Whether it may have been woken within the time: a parker does not say.
        pub(super) fn wait(&self, ms: u16) -> bool {
            let parker = self.parker.lock().expect("nothing panics while it is held");
            parker.park_timeout(Duration::from_millis(u64::from(ms)));
            false
        }
    }
}

#[cfg(shuttle)]
mod modelled {
    use std::time::Duration;

    use crate::sync::Parker;

    pub(super) struct Bed(Parker);

    impl Bed {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Bed(Parker::default()))
        }

        pub(super) fn wake(&self) {
            self.0.unpark();
        }

        /// Whether it was woken within the time. A second is for ever here: nothing may need it to
        /// be over, so that a lost wake-up is found.
        pub(super) fn wait(&self, ms: u16) -> bool {
            if ms < 1_000 {
                return self.0.park_for(Duration::from_millis(u64::from(ms)));
            }
            self.0.park();
            true
        }
    }
}
