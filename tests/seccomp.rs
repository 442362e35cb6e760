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
    let report = report_of("publish");
    assert_eq!(judge(&report), Ok(()), "{report}");
}

#[test]
fn one_small_system_call_among_the_publishes_is_found_out() {
    let report = report_of("getpid");
    let verdict = judge(&report).expect_err("a system call was made and not found out");
    assert_eq!(verdict, format!("the publisher was killed after {ASKS_AT} messages"), "{report}");
}

#[test]
fn a_publisher_that_maps_memory_is_found_out() {
    let report = report_of("map");
    let verdict = judge(&report).expect_err("memory was mapped and not found out");
    assert_eq!(verdict, "the publisher was killed after 0 messages", "{report}");
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

    let seed = bus.rt_publisher(2_048);
    let (mode, topic) = (mode.to_owned(), topic.clone());
    let beside: fn(u64) = match &*mode {
        "getpid" => ask_for_a_process_id,
        "map" => map_and_unmap_memory,
        _ => |_| {},
    };
    thread::spawn(move || publisher_thread(seed.bind(), &topic, beside));

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

fn publisher_thread(mut publisher: RtPublisher, topic: &Topic, beside: fn(u64)) {
    // SAFETY: `gettid` takes nothing and only returns a number.
    THREAD.store(unsafe { libc::gettid() }, Relaxed);
    if let Err(error) = forbid_system_calls() {
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

/// From here on this thread is killed at any system call but `read`, `write`, `exit` and
/// `sigreturn`: by the strict mode, or where that is not to be had (in a container, whose filter
/// excludes it) by a filter that says the same.
fn forbid_system_calls() -> io::Result<()> {
    // SAFETY: this mode takes no further argument; it concerns this thread alone.
    let strict = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_STRICT) };
    if strict == 0 { Ok(()) } else { filter_system_calls() }
}

fn filter_system_calls() -> io::Result<()> {
    const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const IS: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    let step = |code, k, jt| libc::sock_filter { code, jt, jf: 0, k };
    let mut steps = [
        step(LOAD, 0, 0), // the call's number
        step(IS, libc::SYS_read as u32, 4),
        step(IS, libc::SYS_write as u32, 3),
        step(IS, libc::SYS_exit as u32, 2),
        step(IS, libc::SYS_rt_sigreturn as u32, 1),
        step(RETURN, libc::SECCOMP_RET_KILL_THREAD, 0),
        step(RETURN, libc::SECCOMP_RET_ALLOW, 0),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: takes numbers alone; this thread will gain no privileges, which it does not want.
    let no_new = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    if no_new != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `program` points to `steps`, and both live until the kernel has copied them.
    let set =
        unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
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

fn map_and_unmap_memory(_: u64) {
    drop(black_box(Vec::<u8>::with_capacity(1 << 20)));
}
