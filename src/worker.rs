//! A worker's life: it takes the marks (`marks`), answers at the gates that they name, runs the
//! callbacks that are ready, and sleeps when there is nothing to do.
//!
//! What runs code of the user's goes through a queue first, one thing a turn: whatever holds a
//! worker up holds nothing else that the worker has taken with it. A worker that leaves something
//! in the queues wakes another one; if none sleeps, the pool's watcher looks.

use std::time::Duration;

use crate::bus::{Core, Member};
use crate::dispatch;
use crate::marks::PAGE;
use crate::sleepers::Rest;
use crate::staging::Staged;
use crate::stamp::Stamp;
use crate::sync::Arc;

/// One worker's life.
pub(crate) fn work(core: Arc<Core>, worker: usize) {
    dispatch::works_for(&core);
    let panics = core.panics().clone();
    live(&core, worker);
    core.pool().depart(worker);
    panics.bury(core); // what is left in the bus may end here
}

fn live(core: &Core, worker: usize) {
    let mut idle_since = None;
    loop {
        core.pool().begin_turn(worker);
        if core.take_turn() {
            idle_since = None;
            continue;
        }
        core.sweep();
        if core.is_over() {
            // The others must see it, too.
            core.pool().sleepers().wake_all();
            return;
        }
        let since = *idle_since.get_or_insert_with(|| core.clock().now());
        if core.sleep(worker, since) == Rest::Gone {
            return;
        }
    }
}

impl Core {
    /// Does one thing that waits; `false` if nothing does.
    fn take_turn(&self) -> bool {
        self.bury();
        self.take_marks();
        if let Some(member) = self.next_answer() {
            self.share();
            self.panics().catch(|| self.answer(member));
            return true;
        }
        let Some(runner) = self.next_runner() else { return false };
        self.share();
        self.panics().catch(|| {
            if runner.run() {
                self.queue(runner);
            }
        });
        true
    }

    /// Has another worker take what is left: this one may not come back soon.
    fn share(&self) {
        if self.has_queued() {
            self.wake_worker();
        }
    }

    /// Takes all marks off: queues callbacks, and wakes those who wait in `recv` on behalf of
    /// real-time publishers, which may not.
    fn take_marks(&self) {
        for (number, page) in self.pages().iter().enumerate() {
            if page.is_marked() {
                page.take(|index| {
                    if let Some(member) = self.member(number * PAGE + index) {
                        self.panics().catch(|| self.sort(member));
                    }
                });
            }
        }
    }

    /// Answers at a member's gate at once if nothing can hold that up, else later.
    fn sort(&self, member: Member) {
        let mailbox = member.core().mailbox();
        let wants_intake = mailbox.staged.as_ref().is_some_and(Staged::wants_intake);
        if wants_intake || mailbox.has_alarm() {
            self.queue_answer(member);
        } else if mailbox.take_knock() {
            self.make_ready(member);
        }
    }

    /// Answers at a member's gate, if somebody has knocked.
    fn answer(&self, member: Member) {
        let mailbox = member.core().mailbox();
        if mailbox.take_alarm() {
            self.panics().catch(|| member.core().tell_congestion(true));
        }
        if mailbox.take_knock() {
            self.make_ready(member.clone());
        }
        if let Some(staged) = &mailbox.staged {
            staged.intake_if_asked();
        }
    }

    fn make_ready(&self, member: Member) {
        match member {
            Member::Callback(runner) => self.queue(runner),
            Member::Pull(core) => core.wake_waiter(),
        }
    }

    /// Has worker `worker`, which has nothing to do since `since`, sleep until it is woken, or until
    /// it is time to look.
    fn sleep(&self, worker: usize, since: Stamp) -> Rest {
        let pool = self.pool();
        let idle = || self.clock().now().since(since);
        let ms = || {
            let until_leaving = pool.patience_left(idle()).unwrap_or(Duration::MAX).as_millis();
            u128::from(self.longest_sleep()).min(until_leaving.saturating_add(1)) as u16
        };
        let is_idle = || pool.is_long(idle());
        pool.sleepers().sleep(worker, ms, || self.has_work(), is_idle, pool.keeps())
    }
}
