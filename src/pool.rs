//! The pool: the threads that run callbacks, and the watcher that adds to them.
//!
//! It begins with a number of workers. While one of them sleeps, it is woken for what comes, or looks
//! by itself. While none does (`roster`), the **watcher** is on duty: a thread that runs nothing of
//! the user's, so nothing can hold it up. It looks every [`PATIENCE`] whether the workers get on.
//! Each counts its turns; one that is still in the same turn at the next look is stuck, or in a
//! callback that takes long. If work waits and fewer workers get on than there were at the start,
//! the watcher starts more. So no publisher ever starts a thread, and a real-time one, which only
//! marks, needs nobody to tell of its marks.
//!
//! A worker that was idle for long leaves, unless only as many sleep as there were at the start.
//! The watcher collects its thread; itself it goes off duty when somebody sleeps again, and then
//! costs nothing until it is called.

use std::io;
use std::time::Duration;

use crossbeam_utils::CachePadded;

use crate::bus::Core;
use crate::roster::Roster;
use crate::settings::Settings;
use crate::sleepers::Sleepers;
use crate::stamp::Stamp;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{AcqRel, Acquire, Arc, AtomicU64, Mutex, MutexGuard, Relaxed};
use crate::worker;

/// How often the watcher looks. A callback that takes this long may be stuck.
const PATIENCE: Duration = Duration::from_millis(10);

/// Looks in a row that find somebody asleep before the watcher goes off duty: so a bus that is
/// mildly busy does not call it for every message.
const QUIET: u32 = 8;

/// How long a thread that cannot be started is left at that.
const RETRY: Duration = Duration::from_millis(100);

pub(crate) struct Pool {
    /// Workers at the start.
    first: usize,
    most: usize,
    idle_timeout: Duration,
    sleepers: Sleepers,
    /// Bit `w`: worker `w` has a thread. Set by whoever starts it, cleared by itself at its end.
    /// Its readers count, which needs no order; only who is to join a thread needs its end.
    alive: AtomicU64,
    /// How often each worker has begun a turn.
    turns: Box<[CachePadded<AtomicU64>]>,
    /// The most workers that there were. A number for people, as the next: no order.
    peak: AtomicU64,
    failed_starts: AtomicU64,
    threads: Mutex<Threads>,
}

#[derive(Default)]
struct Threads {
    workers: Vec<Option<JoinHandle<()>>>,
    watcher: Option<JoinHandle<()>>,
}

/// The workers of a bus at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerStatistics {
    /// Threads that the pool has now.
    pub now: usize,
    /// The most that it had.
    pub most: usize,
    /// Those that are at work now, or stuck in a callback.
    pub busy: usize,
    /// Threads that the operating system refused; the pool goes on with those it has, and tries
    /// again.
    pub failed_starts: u64,
}

impl Pool {
    pub(crate) fn new(settings: &Settings) -> io::Result<Self> {
        let (first, most) = settings.pool_size();
        Ok(Pool {
            first,
            most,
            idle_timeout: settings.idle_timeout,
            sleepers: Sleepers::new(most, first < most)?,
            alive: AtomicU64::new(0),
            turns: (0..most).map(|_| CachePadded::default()).collect(),
            peak: AtomicU64::new(0),
            failed_starts: AtomicU64::new(0),
            threads: Mutex::default(),
        })
    }

    pub(crate) fn sleepers(&self) -> &Sleepers {
        &self.sleepers
    }

    fn roster(&self) -> &Roster {
        self.sleepers.roster()
    }

    /// How many workers stay, however idle.
    pub(crate) fn keeps(&self) -> u32 {
        self.first as u32
    }

    /// For how long a worker that is idle since `idle` may sleep before it is to think of leaving;
    /// `None`: it has no reason to.
    pub(crate) fn patience_left(&self, idle: Duration) -> Option<Duration> {
        let spare = self.alive.load(Relaxed).count_ones() > self.keeps();
        let left = self.idle_timeout.checked_sub(idle)?;
        (spare && !left.is_zero()).then_some(left)
    }

    /// Whether a worker that is idle for so long may leave.
    pub(crate) fn is_long(&self, idle: Duration) -> bool {
        idle >= self.idle_timeout
    }

    /// Worker `worker` begins a turn.
    pub(crate) fn begin_turn(&self, worker: usize) {
        let turns = &self.turns[worker];
        // Relaxed: its only writer, and the watcher wants no more than a number that has changed.
        turns.store(turns.load(Relaxed) + 1, Relaxed);
    }

    /// Worker `worker` is at its end.
    pub(crate) fn depart(&self, worker: usize) {
        self.alive.fetch_and(!(1 << worker), AcqRel); // pairs with the loads in `collect` and `add`
        self.sleepers.wake_watcher();
    }

    pub(crate) fn statistics(&self) -> WorkerStatistics {
        let alive = self.alive.load(Relaxed);
        WorkerStatistics {
            now: alive.count_ones() as usize,
            most: self.peak.load(Relaxed) as usize,
            busy: (alive & !self.roster().asleep()).count_ones() as usize,
            failed_starts: self.failed_starts.load(Relaxed),
        }
    }

    /// Waits until every thread has ended. Not from one of them.
    pub(crate) fn join(&self) {
        // First the watcher: after it nobody starts a worker.
        let watcher = self.threads().watcher.take();
        watcher.into_iter().for_each(|thread| drop(thread.join()));
        let workers = std::mem::take(&mut self.threads().workers);
        workers.into_iter().flatten().for_each(|thread| drop(thread.join()));
    }

    /// Joins the threads of workers that have left.
    fn collect(&self) {
        let alive = self.alive.load(Acquire);
        let mut left = Vec::new();
        for (worker, thread) in self.threads().workers.iter_mut().enumerate() {
            if alive & (1 << worker) == 0 {
                left.extend(thread.take());
            }
        }
        left.into_iter().for_each(|thread| drop(thread.join()));
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().expect("nothing panics while it is held")
    }
}

impl Core {
    /// Starts the pool: the workers that it begins with, and its watcher if it can grow.
    pub(crate) fn start_pool(self: &Arc<Self>) -> io::Result<()> {
        let pool = self.pool();
        pool.threads().workers.resize_with(pool.most, || None);
        for worker in 0..pool.first {
            self.start_worker(worker)?;
        }
        if pool.first < pool.most {
            let core = self.clone();
            let watch = move || Watch::new(core.clock().now()).keep(&core);
            let thread = thread::Builder::new().name("bus-watch".into()).spawn(watch)?;
            pool.threads().watcher = Some(thread);
        }
        Ok(())
    }

    /// Starts the worker of this number. There is none, and only one thread at a time starts any.
    fn start_worker(self: &Arc<Self>, worker: usize) -> io::Result<()> {
        let pool = self.pool();
        pool.sleepers.make_bed(worker)?;
        pool.alive.fetch_or(1 << worker, Relaxed);
        let core = self.clone();
        let live = move || worker::work(core, worker);
        let thread = thread::Builder::new().name(format!("bus-{worker}")).spawn(live);
        let thread = thread.inspect_err(|_| {
            pool.alive.fetch_and(!(1 << worker), Relaxed);
        })?;
        let one_before = pool.threads().workers[worker].replace(thread);
        one_before.into_iter().for_each(|thread| drop(thread.join()));
        pool.peak.fetch_max(u64::from(pool.alive.load(Relaxed).count_ones()), Relaxed);
        Ok(())
    }
}

/// What the watcher remembers from one look to the next.
struct Watch {
    looked: Stamp,
    /// Those who were awake, and in which turn.
    awake: u64,
    turns: Vec<u64>,
    /// Looks in a row that found somebody asleep.
    quiet: u32,
    /// No thread is to be started before.
    retry: Stamp,
}

impl Watch {
    fn new(now: Stamp) -> Self {
        Watch { looked: now, awake: 0, turns: Vec::new(), quiet: 0, retry: now }
    }

    /// The watcher's life.
    fn keep(mut self, core: &Arc<Core>) {
        let pool = core.pool();
        while !core.is_over() {
            pool.collect();
            let now = core.clock().now();
            if pool.roster().is_on_duty() && now.since(self.looked) >= PATIENCE {
                self.look(core, now);
            }
            let next = match pool.roster().is_on_duty() {
                true => (self.looked + PATIENCE).since(core.clock().now()).as_millis() as u16 + 1,
                false => u16::MAX,
            };
            pool.sleepers.sleep_as_watcher(next);
        }
    }

    fn look(&mut self, core: &Arc<Core>, now: Stamp) {
        let pool = core.pool();
        let asleep = pool.roster().asleep();
        let getting_on = self.getting_on(pool, asleep);
        self.looked = now;
        if asleep != 0 {
            self.quiet += 1;
            if self.quiet >= QUIET && pool.roster().go_off_duty() {
                self.quiet = 0;
            }
            return;
        }
        self.quiet = 0;
        if getting_on < pool.first && now >= self.retry && (core.has_work() || core.has_dead()) {
            self.add(core, pool.first - getting_on);
        }
    }

    /// How many workers are awake and not in the turn that the look before found them in.
    fn getting_on(&mut self, pool: &Pool, asleep: u64) -> usize {
        let awake = pool.alive.load(Relaxed) & !asleep;
        let turns: Vec<_> = pool.turns.iter().map(|turns| turns.load(Relaxed)).collect();
        let is_stuck = |worker: &usize| {
            (awake & self.awake) & (1 << worker) != 0 && turns[*worker] == self.turns[*worker]
        };
        let stuck = (0..turns.len()).filter(is_stuck).count();
        self.awake = awake;
        self.turns = turns;
        awake.count_ones() as usize - stuck
    }

    /// Starts up to `wanted` workers.
    fn add(&mut self, core: &Arc<Core>, wanted: usize) {
        let pool = core.pool();
        let alive = pool.alive.load(Acquire);
        let free = (0..pool.most).filter(|worker| alive & (1 << worker) == 0);
        for worker in free.take(wanted) {
            if core.start_worker(worker).is_err() {
                pool.failed_starts.fetch_add(1, Relaxed);
                self.retry = core.clock().now() + RETRY;
                return;
            }
        }
    }
}
