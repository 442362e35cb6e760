//! The real-time publisher makes no system call: it publishes a million messages on a thread that
//! the kernel kills at its first one (seccomp).
//!
//! The thread may not even end, for that is a system call too, so all of it happens in a child
//! process: this very binary again, with one test and a mode in its environment. What the child
//! says is judged by [`judge`], for the publisher as for those who break the rule on purpose.
#![cfg(target_os = "linux")]

use std::hint::{black_box, spin_loop};
use std::io;
use std::process::{Command, exit};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use stasis_bus::{Bus, Delivery, RtPublisher, Settings, Stamp, SubscriptionStats, Topic};

const MESSAGES: u64 = 1_000_000;
/// Where the one who asks for its process id does so.
const ASKS_AT: u64 = 1_000;
const MODE: &str = "STASIS_SECCOMP_CHILD";

/// The message: its own number.
#[derive(Clone, Copy)]
struct Number(u64);

#[test]
fn a_million_publishes_make_no_system_call_and_lose_nothing_untold() {
    for mode in ["publish strictly", "publish"] {
        let report = report_of(mode);
        assert_eq!(judge(&report), Ok(()), "{mode}: {report}");
    }
}

#[test]
fn one_small_system_call_among_the_publishes_is_found_out() {
    for mode in ["getpid strictly", "getpid", "write"] {
        let report = report_of(mode);
        let verdict = judge(&report).expect_err("a system call was made and not found out");
        assert_eq!(verdict, format!("the publisher was killed after {ASKS_AT} messages"), "{mode}");
    }
}

#[test]
fn a_publisher_that_maps_memory_is_found_out() {
    for mode in ["map strictly", "map"] {
        let report = report_of(mode);
        let verdict = judge(&report).expect_err("memory was mapped and not found out");
        assert_eq!(verdict, "the publisher was killed after 0 messages", "{mode}");
    }
}

/// What a child with this mode has to say.
fn report_of(mode: &str) -> String {
    let me = std::env::current_exe().expect("the path of this test");
    let child = Command::new(me)
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(MODE, mode)
        .output()
        .expect("this test can be started again");
    let said = |bytes| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}{}", child.status, said(&child.stdout), said(&child.stderr))
}

/// Whether everything was published, and each message delivered or told as lost, in its place.
fn judge(report: &str) -> Result<(), String> {
    let line = |name: &str| {
        let found = report.lines().find_map(|line| line.strip_prefix(name));
        found.ok_or_else(|| format!("the child says nothing of `{name}`"))
    };
    if let Ok(error) = line("refused: ") {
        return Err(format!(
            "the kernel refuses seccomp ({error}): run this test where prctl(PR_SET_SECCOMP) is allowed"
        ));
    }
    if let Ok(count) = line("killed: ") {
        return Err(format!("the publisher was killed after {count} messages"));
    }
    if line("published: ")? != MESSAGES.to_string() {
        return Err("not everything was published".into());
    }
    for (name, expected) in [("pull: ", MESSAGES), ("callback: ", MESSAGES), ("other: ", 0)] {
        let figures = line(name)?;
        let [delivered, lagged, dropped, misplaced] = *figures
            .split(' ')
            .filter_map(|figure| figure.split_once('=')?.1.parse::<u64>().ok())
            .collect::<Vec<_>>()
        else {
            return Err(format!("{name}{figures} is no report"));
        };
        if delivered + lagged != expected || lagged != dropped || misplaced != 0 {
            return Err(format!("{name}{figures}, of {expected}"));
        }
        if expected > 0 && delivered == 0 {
            return Err(format!("{name}nothing was delivered"));
        }
    }
    Ok(())
}

// What follows runs in the child.

static PUBLISHED: AtomicU64 = AtomicU64::new(0);
static THREAD: AtomicI32 = AtomicI32::new(0);
static REFUSED: AtomicI32 = AtomicI32::new(0);

#[test]
fn child() {
    if let Ok(mode) = std::env::var(MODE) {
        println!();
        run(&mode);
        exit(0); // also the publisher's end
    }
}

fn run(mode: &str) {
    let bus = Bus::new(Settings::default()).unwrap();
    let topic = bus.topic("numbers");
    // Small, and read with pauses, so that it overflows.
    let mut pull = topic.subscribe().accept::<Number>().capacity(64).pull().unwrap();
    let counted = Arc::new(Mutex::new(Tally::default()));
    let counting = counted.clone();
    let callback = topic
        .subscribe()
        .accept::<Number>()
        .callback(move |delivery| counting.lock().unwrap().take(&delivery))
        .unwrap();
    let mut other = topic.subscribe().accept::<String>().pull().unwrap();

    let publisher = bus.rt_publisher(2_048);
    let topic = topic.clone();
    let (beside, strictly) = match mode.split_once(' ') {
        Some((beside, _)) => (beside, true),
        None => (mode, false),
    };
    let beside: fn(u64) = match beside {
        "getpid" => ask_for_a_process_id,
        "write" => write_nothing,
        "map" => map_and_unmap_memory,
        _ => |_| {},
    };
    thread::spawn(move || publisher_thread(publisher, &topic, strictly, beside));

    let mut tally = Tally::default();
    let deadline = bus.now() + Duration::from_secs(120);
    while PUBLISHED.load(Relaxed) < MESSAGES {
        while let Ok(delivery) = pull.try_recv() {
            tally.take(&delivery);
        }
        if let Ok(delivery) = pull.recv_timeout(Duration::from_millis(2)) {
            tally.take(&delivery);
        }
        thread::sleep(Duration::from_millis(1));
        if REFUSED.load(Relaxed) != 0 {
            return println!("refused: {}", io::Error::from_raw_os_error(REFUSED.load(Relaxed)));
        }
        if publisher_is_dead() {
            return println!("killed: {}", PUBLISHED.load(Relaxed));
        }
        if bus.now() > deadline {
            return println!("stuck after {} messages", PUBLISHED.load(Relaxed));
        }
    }
    println!("published: {}", PUBLISHED.load(Relaxed));
    pull.unsubscribe();
    pull.iter().for_each(|delivery| tally.take(&delivery));
    tally.print("pull", pull.stats());
    callback.join().unwrap();
    counted.lock().unwrap().print("callback", callback.stats());
    other.unsubscribe();
    let mut tally = Tally { next: MESSAGES, ..Tally::default() };
    other.iter().for_each(|delivery| tally.take(&delivery));
    tally.print("other", other.stats());
}

/// What one subscription was told.
#[derive(Default)]
struct Tally {
    /// The number that comes next.
    next: u64,
    delivered: u64,
    lagged: u64,
    misplaced: u64,
}

impl Tally {
    fn take(&mut self, delivery: &Delivery) {
        if let Delivery::Lagged(missed) = delivery {
            self.lagged += missed;
            self.next += missed;
        } else if let Some(&Number(number)) = delivery.downcast_ref() {
            self.delivered += 1;
            self.misplaced += u64::from(number != self.next);
            self.next = number + 1;
        }
    }

    fn print(&self, name: &str, stats: SubscriptionStats) {
        let Tally { next, delivered, lagged, misplaced } = self;
        let misplaced = misplaced + u64::from(*next != MESSAGES);
        let dropped = stats.dropped.total();
        println!(
            "{name}: delivered={delivered} lagged={lagged} dropped={dropped} misplaced={misplaced}"
        );
    }
}

fn publisher_thread(mut publisher: RtPublisher, topic: &Topic, strictly: bool, beside: fn(u64)) {
    // SAFETY: `gettid` takes nothing and only returns a number.
    THREAD.store(unsafe { libc::gettid() }, Relaxed);
    if let Err(error) = forbid_system_calls(strictly) {
        return REFUSED.store(error.raw_os_error().unwrap_or(-1), Relaxed);
    }
    for number in 0..MESSAGES {
        beside(number);
        publisher.publish(topic, Stamp::from_ns(number), Number(number));
        PUBLISHED.store(number + 1, Relaxed);
    }
    loop {
        spin_loop();
    }
}

/// From here on this thread is killed at any system call: `strictly` by seccomp's strict mode, which
/// has `read` and `write` pass (so also a bell that is an eventfd), else by a filter that has nothing
/// pass. The filter, too, where there is another one already (in a container) and so no strict mode.
fn forbid_system_calls(strictly: bool) -> io::Result<()> {
    if strictly {
        // SAFETY: this mode takes no further argument; it concerns this thread alone.
        let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) };
        if set == 0 {
            return Ok(());
        }
    }
    let kill = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut step = libc::sock_filter { code: kill, jt: 0, jf: 0, k: libc::SECCOMP_RET_KILL_THREAD };
    let program = libc::sock_fprog { len: 1, filter: &raw mut step };
    // SAFETY: takes numbers alone; this thread will gain no privileges, and wants none.
    let no_new = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if no_new != 0 {
        return Err(io::Error::last_os_error());
    }
    let program = &raw const program;
    // SAFETY: `program` points to `step`, and both live until the kernel has copied them.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, program) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn publisher_is_dead() -> bool {
    let thread = THREAD.load(Relaxed);
    thread != 0 && !std::path::Path::new(&format!("/proc/self/task/{thread}")).exists()
}

fn ask_for_a_process_id(number: u64) {
    if number == ASKS_AT {
        // SAFETY: `getpid` takes nothing and only returns a number.
        black_box(unsafe { libc::syscall(libc::SYS_getpid) });
    }
}

/// What counts is the call.
fn write_nothing(number: u64) {
    if number == ASKS_AT {
        // SAFETY: no byte is read from the pointer, for there is none to write.
        black_box(unsafe { libc::write(2, std::ptr::null(), 0) });
    }
}

fn map_and_unmap_memory(_: u64) {
    drop(black_box(Vec::<u8>::with_capacity(1 << 20)));
}
