//! Settings: how a bus is made.

use std::time::Duration;

use crate::topic::EntityId;

/// The most workers that a bus can have: a bit each in the `roster`.
const MOST_WORKERS: usize = 64;

/// How a bus is made.
///
/// Callbacks are run by a pool of threads that grows when callbacks are stuck or take long: when
/// work waits and fewer than [`workers`](Self::workers) threads get on with it, threads are added,
/// until there are [`max_workers`](Self::max_workers). So a callback that never returns costs its
/// neighbours nothing but some 20 milliseconds, once, until that many are stuck.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Threads that the pool begins with and shrinks to, and that it tries to keep free of stuck
    /// callbacks: 1 to 64 (what is outside counts as the nearest). 2 if not said.
    pub workers: usize,
    /// The most threads that the pool grows to, up to 64; less than `workers` counts as `workers`,
    /// and the pool never grows. 32 if not said.
    pub max_workers: usize,
    /// A thread that had nothing to do for so long ends, if more than `workers` have nothing to do.
    /// 10 seconds if not said.
    pub idle_timeout: Duration,
    /// What messages of this bus say of their origin.
    pub origin: EntityId,
    /// How often, in milliseconds, a sleeping worker looks for what real-time publishers have left
    /// without ringing. 5 if not said; it matters only while there are such publishers.
    pub look_ms: u16,
    /// Names of message types that are not to be published; see
    /// [`Bus::register`](crate::Bus::register).
    pub declined: Vec<String>,
}

impl Settings {
    /// `workers` and `max_workers` as they count.
    pub(crate) fn pool_size(&self) -> (usize, usize) {
        let workers = self.workers.clamp(1, MOST_WORKERS);
        (workers, self.max_workers.clamp(workers, MOST_WORKERS))
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            workers: 2,
            max_workers: 32,
            idle_timeout: Duration::from_secs(10),
            origin: EntityId::default(),
            look_ms: 5,
            declined: Vec::new(),
        }
    }
}

/// The error of making a bus: the operating system refused a thread or a file descriptor.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the bus's workers: {0}; lower `workers`, or raise the process's limits")]
pub struct StartError(#[from] std::io::Error);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_workers_that_cannot_be_count_as_the_nearest_that_can() {
        let count = |workers, max_workers| {
            Settings { workers, max_workers, ..Settings::default() }.pool_size()
        };
        assert_eq!(count(0, 0), (1, 1));
        assert_eq!(count(4, 2), (4, 4));
        assert_eq!(count(2, 32), (2, 32));
        assert_eq!(count(usize::MAX, 3), (64, 64));
        assert_eq!(count(1, usize::MAX), (1, 64));
    }
}
