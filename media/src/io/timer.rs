//! Waiting for a moment on the bus's clock, without drift.

use stasis_bus::{Clock, Stamp};

/// Sleeps until `deadline` on `clock`; returns at once when it has passed.
///
/// On Linux one system call, `clock_nanosleep` to an absolute time; elsewhere the platform's
/// ordinary sleep.
pub fn sleep_until(clock: &Clock, deadline: Stamp) {
    loop {
        let left = deadline.since(clock.now());
        if left.is_zero() {
            return;
        }
        sleep(left);
    }
}

#[cfg(target_os = "linux")]
fn sleep(left: std::time::Duration) {
    use nix::sys::time::TimeSpec;
    use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

    // The bus's clock is the monotonic one, counted from another zero.
    let clock = ClockId::CLOCK_MONOTONIC;
    let Ok(now) = clock_gettime(clock) else { return std::thread::sleep(left) };
    let until = now + TimeSpec::from_duration(left);
    // Interrupted by a signal: the caller looks at the clock and comes back.
    let _ = clock_nanosleep(clock, ClockNanosleepFlags::TIMER_ABSTIME, &until);
}

#[cfg(not(target_os = "linux"))]
fn sleep(left: std::time::Duration) {
    std::thread::sleep(left);
}
