//! The roster: which workers sleep, and whether somebody watches when none does.
//!
//! One word has a bit for each worker (so 64 at most) that sleeps or is about to. Whoever wants one woken takes a
//! bit off (**claims** it) and wakes its owner; a worker that gets up by itself takes its own off.
//! A worker that has been idle for long **leaves** by one compare-and-swap on the same word, which
//! fails if it was claimed meanwhile: so a wake-up never goes to one who is gone.
//!
//! While a worker sleeps, it is the one that looks for work. The worker whose getting up leaves
//! nobody asleep calls the **watcher** (`pool`), unless that one is on duty already. The watcher
//! goes off duty when somebody sleeps. The two cross (each writes one thing and reads the other's),
//! so each has a sequentially consistent fence in between: at least one sees the other.

use crossbeam_utils::CachePadded;

use crate::sync::{AcqRel, AtomicBool, AtomicU64, Relaxed, SeqCst, broken, fence};

/// Who sleeps, and whether the watcher is on duty.
pub struct Roster {
    /// Bit `w`: worker `w` sleeps, or is about to. Publishers read it, so it has its own line.
    asleep: CachePadded<AtomicU64>,
    on_duty: AtomicBool,
}

impl Roster {
    /// Nobody sleeps, and the watcher is on duty.
    pub fn new() -> Self {
        Roster { asleep: CachePadded::new(AtomicU64::new(0)), on_duty: AtomicBool::new(true) }
    }

    /// The workers that sleep, a bit each.
    pub fn asleep(&self) -> u64 {
        self.asleep.load(Relaxed) // a hint; who decides by it has a fence before
    }

    /// Worker `worker` is about to sleep; it looks for work once more after this.
    pub fn lie_down(&self, worker: usize) {
        self.asleep.fetch_or(1 << worker, AcqRel);
        fence(SeqCst); // pairs with the fence in `claim`
    }

    /// Claims the sleeping worker with the lowest number, which the caller must wake. After
    /// whatever it is to see has been written.
    pub fn claim(&self) -> Option<usize> {
        fence(SeqCst); // pairs with the fence in `lie_down`
        let mut asleep = self.asleep.load(Relaxed);
        while asleep != 0 {
            let bit = asleep & asleep.wrapping_neg();
            asleep = self.asleep.fetch_and(!bit, AcqRel);
            if asleep & bit != 0 {
                return Some(bit.trailing_zeros() as usize);
            }
        }
        None
    }

    /// Worker `worker` is up, claimed or by itself. `true`: nobody sleeps now, and the caller must
    /// call the watcher.
    pub fn get_up(&self, worker: usize) -> bool {
        let bit = 1 << worker;
        let others = self.asleep.fetch_and(!bit, AcqRel) & !bit;
        fence(SeqCst); // pairs with the fence in `go_off_duty`
        others == 0 && !self.on_duty.load(Relaxed) && !self.on_duty.swap(true, AcqRel)
    }

    /// Takes sleeping worker `worker` off for good, if more than `keep` (at least one) sleep and
    /// nobody has claimed it.
    pub fn leave(&self, worker: usize, keep: u32) -> bool {
        let bit = 1 << worker;
        let mut asleep = self.asleep.load(Relaxed);
        while asleep & bit != 0 && asleep.count_ones() > keep {
            if broken("roster.leave.claimed") {
                self.asleep.fetch_and(!bit, AcqRel);
                return true;
            }
            // AcqRel: as a claim of its own bit.
            match self.asleep.compare_exchange(asleep, asleep & !bit, AcqRel, Relaxed) {
                Ok(_) => return true,
                Err(now) => asleep = now,
            }
        }
        false
    }

    /// Whether the watcher is on duty.
    pub fn is_on_duty(&self) -> bool {
        self.on_duty.load(Relaxed) // it was woken if this was turned on by another
    }

    /// Lets the watcher go off duty, until it is called. `false`: nobody sleeps, it stays on.
    pub fn go_off_duty(&self) -> bool {
        self.on_duty.swap(false, AcqRel);
        fence(SeqCst); // pairs with the fence in `get_up`
        // Who got up meanwhile may not have seen that we went. If it has, it calls us.
        broken("roster.duty.look") || self.asleep() != 0 || self.on_duty.swap(true, AcqRel)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_sleeper_is_claimed_first_and_each_once() {
        let roster = Roster::new();
        [5, 63, 0].iter().for_each(|&worker| roster.lie_down(worker));
        let claimed: Vec<_> = std::iter::from_fn(|| roster.claim()).collect();
        assert_eq!(claimed, [0, 5, 63]);
    }

    #[test]
    fn a_worker_leaves_only_while_enough_others_sleep_and_it_is_not_claimed() {
        let roster = Roster::new();
        (0..3).for_each(|worker| roster.lie_down(worker));
        assert_eq!(roster.claim(), Some(0));
        assert!(!roster.leave(0, 1), "claimed");
        assert!(roster.leave(2, 1));
        assert!(!roster.leave(1, 1), "the last one");
        assert_eq!(roster.asleep(), 0b10);
    }

    #[test]
    fn the_watcher_is_called_by_the_last_who_gets_up_and_only_if_it_is_off_duty() {
        let roster = Roster::new();
        (0..2).for_each(|worker| roster.lie_down(worker));
        assert!(roster.go_off_duty());
        assert!(!roster.get_up(1), "another sleeps");
        assert!(roster.get_up(0));
        assert!(!roster.get_up(0), "it was called");
        assert!(roster.is_on_duty());
        assert!(!roster.go_off_duty(), "nobody sleeps");
        assert!(roster.is_on_duty());
    }
}
