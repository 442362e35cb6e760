//! The machine: its processors, its limits, and what it says of a process.

use std::fs;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::Pid;

/// The processors that this process may run on.
pub fn cpus() -> Vec<usize> {
    let Ok(set) = sched_getaffinity(Pid::from_raw(0)) else { return Vec::new() };
    (0..CpuSet::count()).filter(|cpu| set.is_set(*cpu).unwrap_or(false)).collect()
}

/// Keeps this thread, and those that it starts from here on, on these processors; `false` when the
/// system does not let it.
pub fn pin(cpus: &[usize]) -> bool {
    let mut set = CpuSet::new();
    cpus.iter().all(|cpu| set.set(*cpu).is_ok())
        && sched_setaffinity(Pid::from_raw(0), &set).is_ok()
}

/// Makes sure that so many files can be open.
///
/// # Errors
/// What to do, when they cannot.
pub fn allow_open_files(wanted: u64) -> Result<(), String> {
    let of = Resource::RLIMIT_NOFILE;
    let (soft, hard) = getrlimit(of).map_err(|error| error.to_string())?;
    if soft >= wanted {
        return Ok(());
    }
    // Beyond the hard limit only root may go.
    setrlimit(of, wanted, hard.max(wanted)).map_err(|_| {
        format!(
            "{wanted} files have to be open, a socket for each leg, and the limit is {hard}: run \
             `ulimit -n {wanted}` as root in this shell, set `nofile` in /etc/security/limits.conf, \
             or ask for fewer legs"
        )
    })
}

/// The numbers of this process's threads whose names are this and a number.
pub fn threads_named(name: &str) -> Vec<i32> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let numbers = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse::<i32>().ok());
    let is_one = |tid: &i32| {
        let read = fs::read_to_string(format!("/proc/self/task/{tid}/comm")).unwrap_or_default();
        read.trim_end().strip_prefix(name).is_some_and(|rest| rest.parse::<u32>().is_ok())
    };
    numbers.filter(is_one).collect()
}

/// What a thread of this process has computed, in nanoseconds.
pub fn thread_cpu_ns(tid: i32) -> Option<u64> {
    let read = fs::read_to_string(format!("/proc/self/task/{tid}/schedstat")).ok()?;
    read.split(' ').next()?.parse().ok()
}

/// What this process has computed, in nanoseconds.
pub fn process_cpu_ns() -> u64 {
    cpu_ns(ClockId::CLOCK_PROCESS_CPUTIME_ID)
}

/// What this thread has computed, in nanoseconds.
pub fn this_thread_cpu_ns() -> u64 {
    cpu_ns(ClockId::CLOCK_THREAD_CPUTIME_ID)
}

fn cpu_ns(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    time.map_or(0, |time| std::time::Duration::from(time).as_nanos() as u64)
}

/// The memory of this process that is in RAM, in kB.
pub fn rss_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// The time of all processors, and what of it the host has taken for others, in one unit.
pub fn processor_time() -> (u64, u64) {
    processor_time_of(&fs::read_to_string("/proc/stat").unwrap_or_default())
}

fn processor_time_of(stat: &str) -> (u64, u64) {
    let numbers = |line: &str| -> Vec<u64> {
        line.split_whitespace().skip(1).map(|word| word.parse().unwrap_or(0)).collect()
    };
    // user nice system idle iowait irq softirq steal; the guests' behind them are in user's.
    let times = stat.lines().next().map(numbers).unwrap_or_default();
    (times.iter().take(8).sum(), times.get(7).copied().unwrap_or(0))
}

/// The processor's name, how many there are, and the kernel.
pub fn description() -> String {
    let info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = info.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let count = info.lines().filter(|line| line.starts_with("processor")).count();
    format!("{}, {count} processors, Linux {}", name.unwrap_or("a processor"), kernel.trim())
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    #[test]
    fn threads_are_found_by_their_name_and_its_time_and_memory_are_known() {
        let (ready, wait) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().name("media-7".into());
            let work = || {
                ready.wait();
                wait.wait();
            };
            thread.spawn_scoped(scope, work).unwrap();
            ready.wait();
            let found =
                ["media-", "media", "dia-", "media-7"].map(|name| threads_named(name).len());
            wait.wait();
            assert_eq!(found, [1, 0, 0, 0]);
        });
        assert!(
            process_cpu_ns() > 0
                && this_thread_cpu_ns() > 0
                && rss_kb() > 100
                && !cpus().is_empty()
        );
    }

    #[test]
    fn the_stolen_time_is_the_eighth_number() {
        let stat = "cpu  10 20 30 40 50 60 70 80 5 5\ncpu0 1 2 3\n";
        assert_eq!(processor_time_of(stat), (360, 80));
        assert_eq!(processor_time_of(""), (0, 0));
    }
}
