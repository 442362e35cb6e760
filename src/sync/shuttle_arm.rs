//! What the bus is made of under `--cfg shuttle`: the whole bus runs on one thread of the system, and
//! shuttle's scheduler decides before each atomic, lock, load of an arc-swap, push to a queue, who
//! goes on.
//!
//! Memory is sequentially consistent here: weak orderings are loom's business. Arc-swap, the queues
//! of crossbeam and the counts of an `Arc` are their own, one step each. Time passes when somebody
//! looks at it, and in what waits for a time: by how much is drawn, as all chance here, from
//! shuttle's numbers, so that a seed plays the same run again.

use std::cell::Cell;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::ops::Deref;
use std::time::Duration;

use shuttle::rand::{Rng, thread_rng};
use shuttle::thread::LocalKey;

pub(crate) use shuttle::hint::spin_loop;
pub(crate) use shuttle::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release, SeqCst};
pub(crate) use shuttle::sync::atomic::{
    AtomicBool, AtomicIsize, AtomicPtr, AtomicU32, AtomicU64, Ordering, fence,
};
pub(crate) use shuttle::sync::{Arc, Condvar, Mutex, MutexGuard, Weak};
pub(crate) use shuttle::thread_local;
pub(crate) use std::sync::OnceLock;

pub(crate) type SharedSlice<T> = Arc<[T]>;
pub(crate) type ArcSwap<T> = Stepped<arc_swap::ArcSwap<T>>;
pub(crate) type ArcSwapOption<T> = Stepped<arc_swap::ArcSwapOption<T>>;
pub(crate) type SegQueue<T> = Stepped<crossbeam_queue::SegQueue<T>>;
/// Hashes the same in each run.
pub(crate) type RandomState = BuildHasherDefault<DefaultHasher>;

/// The ordering itself: it makes no difference here.
pub(crate) const fn order(_site: &str, ordering: Ordering) -> Ordering {
    ordering
}

/// Something of which each use is one step: others may go first.
#[derive(Default)]
pub(crate) struct Stepped<T>(T);

impl<T> Deref for Stepped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        shuttle::thread::sleep(Duration::ZERO); // a step; no time passes
        &self.0
    }
}

impl<T> ArcSwap<T> {
    pub(crate) fn new(value: Arc<T>) -> Self {
        Stepped(arc_swap::ArcSwap::new(value))
    }

    pub(crate) fn from_pointee(value: T) -> Self {
        ArcSwap::new(Arc::new(value))
    }
}

impl<T> ArcSwapOption<T> {
    pub(crate) fn empty() -> Self {
        Stepped(arc_swap::ArcSwapOption::empty())
    }
}

impl<T> SegQueue<T> {
    pub(crate) fn new() -> Self {
        Stepped(crossbeam_queue::SegQueue::new())
    }
}

std::thread_local! {
    /// The time, in all runs of this thread of the system; only differences count.
    static NOW: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

fn pass(time: Duration) {
    NOW.set(NOW.get() + time);
}

/// A moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instant(Duration);

impl Instant {
    /// Some time has passed since the last look: little mostly.
    pub(crate) fn now() -> Self {
        let is_long = thread_rng().gen_range(0..32) == 0;
        pass(if is_long { Duration::from_millis(20) } else { Duration::from_micros(10) });
        Instant(NOW.get())
    }

    pub(crate) fn elapsed(&self) -> Duration {
        Instant::now().0 - self.0
    }
}

/// What `std` has for a cell of a thread, and shuttle has not.
pub(crate) trait LocalCell<T> {
    fn get(&'static self) -> T
    where
        T: Copy;
    fn set(&'static self, value: T);
    fn replace(&'static self, value: T) -> T;
}

impl<T> LocalCell<T> for LocalKey<Cell<T>> {
    fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    fn set(&'static self, value: T) {
        self.with(|cell| cell.set(value));
    }

    fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

/// Where one thread waits to be woken. Never by chance, as shuttle's own parking: who is woken by
/// luck alone is to be found.
#[derive(Default)]
pub(crate) struct Parker {
    is_woken: Mutex<bool>,
    woken: Condvar,
}

impl Parker {
    pub(crate) fn unpark(&self) {
        *self.is_woken.lock().expect("nothing panics while it is held") = true;
        self.woken.notify_all();
    }

    /// Waits until it is woken, however long.
    pub(crate) fn park(&self) {
        let mut is_woken = self.is_woken.lock().expect("nothing panics while it is held");
        while !std::mem::take(&mut *is_woken) {
            is_woken = self.woken.wait(is_woken).expect("nothing panics while it is held");
        }
    }

    /// As [`park`](Self::park), for `time` at most, which is over at some moment. Whether it was
    /// woken.
    pub(crate) fn park_for(&self, time: Duration) -> bool {
        let is_woken =
            || std::mem::take(&mut *self.is_woken.lock().expect("nothing panics while it is held"));
        let rounds = thread_rng().gen_range(0..16);
        let woken = (0..rounds).any(|_| {
            thread::yield_now();
            is_woken()
        });
        if !woken {
            pass(time);
        }
        woken || is_woken()
    }
}

/// The standard library's names.
pub(crate) mod thread {
    use std::time::Duration;

    use super::{Arc, Parker, thread_local};

    pub(crate) use shuttle::thread::{Builder, JoinHandle, yield_now};

    thread_local! {
        static OWN: Arc<Parker> = Arc::default();
    }

    pub(crate) struct Thread(Arc<Parker>);

    impl Thread {
        pub(crate) fn unpark(&self) {
            self.0.unpark();
        }
    }

    pub(crate) fn current() -> Thread {
        Thread(OWN.with(Arc::clone))
    }

    pub(crate) fn park() {
        current().0.park();
    }

    pub(crate) fn park_timeout(time: Duration) {
        current().0.park_for(time);
    }
}
