//! What is asked of the operating system at the start: files, and to be let go first.

use std::io;
use std::sync::Once;
use std::thread::JoinHandle;

/// Whether one more file could not be opened.
pub(super) fn is_out_of_files(error: &io::Error) -> bool {
    // EMFILE: this process; ENFILE: the whole system.
    cfg!(unix) && matches!(error.raw_os_error(), Some(23 | 24))
}

/// How many files this process may have open.
#[cfg(target_os = "linux")]
pub(super) fn most_files() -> u64 {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn most_files() -> u64 {
    0
}

/// Raises the limit on open files as far as this process may.
#[cfg(target_os = "linux")]
pub(super) fn raise_most_files() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    if soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!("the limit on open files stays at {soft} (each leg needs one): {error}");
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn raise_most_files() {}

/// What the real-time threads of the system run at: 10 of 1 to 99. Sound servers have about the same.
#[cfg(target_os = "linux")]
const REAL_TIME: u32 = 10;

/// Has a thread go before all ordinary ones, if that is allowed; if not, that is said once.
#[cfg(target_os = "linux")]
pub(super) fn make_real_time(thread: &JoinHandle<()>) {
    use std::os::unix::thread::JoinHandleExt;
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
        set_thread_priority_and_policy,
    };

    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let value = ThreadPriorityValue::try_from(REAL_TIME as u8).expect("it is below 100");
    let priority = ThreadPriority::Crossplatform(value);
    let thread = thread.as_pthread_t() as thread_priority::ThreadId;
    if let Err(error) = set_thread_priority_and_policy(thread, priority, policy) {
        say_not_allowed(&format!("{error:?}"));
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn make_real_time(_thread: &JoinHandle<()>) {
    say_not_allowed("not on this system");
}

fn say_not_allowed(why: &str) {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        tracing::warn!(
            "media threads run at ordinary priority ({why}); under load, ticks will be late: give the \
             service CAP_SYS_NICE or an rtprio limit"
        );
    });
}
