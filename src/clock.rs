//! The bus's clock: the one place that reads the time for those who publish without passing it.

use crate::stamp::Stamp;
use crate::sync::Instant;

/// Reads the bus's time; copy it to whoever needs it (the shell of a media thread, say).
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

#[allow(clippy::disallowed_methods)] // this is the clock
impl Clock {
    pub(crate) fn start() -> Self {
        Clock { start: Instant::now() }
    }

    /// The time now. No system call where the platform has none for it (Linux's vDSO).
    pub fn now(&self) -> Stamp {
        Stamp::ZERO + self.start.elapsed()
    }
}
