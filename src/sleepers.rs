//! Sleepers: how workers wait, and how one of them is woken.
//!
//! One mechanism for everybody: each worker sleeps on an eventfd of its own, and whoever wants one
//! woken claims a sleeping worker's bit and writes to that worker's eventfd. A futex would cost the
//! same, but the shell of a real-time thread may write to a file descriptor and may not call
//! futex; so one mechanism instead of two. Elsewhere than on Linux: park and unpark.

use crossbeam_utils::CachePadded;

use crate::sync::{AcqRel, AtomicU64, Relaxed, SeqCst, fence};

/// The most workers that a bus can have: one bit each.
pub(crate) const MOST_WORKERS: usize = 64;

pub(crate) struct Sleepers {
    /// Bit `w`: worker `w` sleeps, or is about to.
    asleep: CachePadded<AtomicU64>,
    beds: Box<[Bed]>,
}

impl Sleepers {
    pub(crate) fn new(workers: usize) -> std::io::Result<Self> {
        let beds = (0..workers.min(MOST_WORKERS)).map(|_| Bed::new()).collect::<Result<_, _>>()?;
        Ok(Sleepers { asleep: CachePadded::new(AtomicU64::new(0)), beds })
    }

    /// Wakes one sleeping worker, if there is one: a system call only then. After whatever it is
    /// to see has been written.
    pub(crate) fn wake_one(&self) {
        fence(SeqCst); // pairs with the fence in `sleep`
        let mut asleep = self.asleep.load(Relaxed);
        while asleep != 0 {
            let bit = asleep & asleep.wrapping_neg();
            asleep = self.asleep.fetch_and(!bit, AcqRel);
            if asleep & bit != 0 {
                return self.beds[bit.trailing_zeros() as usize].wake();
            }
        }
    }

    /// Wakes all that sleep.
    pub(crate) fn wake_all(&self) {
        (0..self.beds.len()).for_each(|_| self.wake_one());
    }

    /// Sleeps as worker `worker`, for `ms` milliseconds at most, unless there is work.
    pub(crate) fn sleep(&self, worker: usize, ms: u16, has_work: impl FnOnce() -> bool) {
        let bit = 1 << worker;
        self.beds[worker].enter();
        self.asleep.fetch_or(bit, AcqRel);
        fence(SeqCst); // pairs with the fence in `wake_one`
        if !has_work() {
            self.beds[worker].wait(ms);
        }
        self.asleep.fetch_and(!bit, AcqRel);
    }
}

#[cfg(target_os = "linux")]
use linux::Bed;
#[cfg(not(target_os = "linux"))]
use portable::Bed;

#[cfg(target_os = "linux")]
mod linux {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use nix::sys::eventfd::{EfdFlags, EventFd};
    use std::os::fd::AsFd;

    pub(super) struct Bed(EventFd);

    impl Bed {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Bed(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?))
        }

        pub(super) fn enter(&self) {}

        pub(super) fn wake(&self) {
            // An error would mean that the counter is at its end: then it is awake anyway.
            let _ = self.0.write(1);
        }

        pub(super) fn wait(&self, ms: u16) {
            let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            // Interrupted or timed out: the worker looks for work in either case.
            if poll(&mut fds, PollTimeout::from(ms)).is_ok_and(|ready| ready > 0) {
                let _ = self.0.read();
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod portable {
    use std::sync::OnceLock;
    use std::thread::{self, Thread};
    use std::time::Duration;

    pub(super) struct Bed(OnceLock<Thread>);

    impl Bed {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Bed(OnceLock::new()))
        }

        pub(super) fn enter(&self) {
            self.0.get_or_init(thread::current);
        }

        pub(super) fn wake(&self) {
            if let Some(thread) = self.0.get() {
                thread.unpark();
            }
        }

        pub(super) fn wait(&self, ms: u16) {
            thread::park_timeout(Duration::from_millis(u64::from(ms)));
        }
    }
}
