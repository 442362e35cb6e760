//! Dispatch: the pool of workers that runs callbacks, in order and never two of one subscription.
//!
//! A worker takes the marks (`marks`), queues the subscriptions they name, and runs them: up to
//! [`BATCH`] deliveries, then the subscription goes to the back of the line. Only the one who turned
//! its gate to busy may have it queued, so it is queued once and run by one worker at a time.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use crate::bus::{Core, Member};
use crate::gate::Gate;
use crate::mailbox::SubscriptionId;
use crate::marks::PAGE;
use crate::pull;
use crate::ring::Pop;
use crate::source::Source;
use crate::subscription::{Delivery, SubscriptionCore};
use crate::sync::{Arc, Condvar, Mutex};

/// Deliveries to one subscription before others have their turn.
const BATCH: usize = 64;

thread_local! {
    /// The subscription whose callback this thread is in.
    static RUNNING: Cell<Option<SubscriptionId>> = const { Cell::new(None) };
    /// Whether that, or one further out, is run inline.
    static INLINE: Cell<bool> = const { Cell::new(false) };
    /// This thread is a worker: also between callbacks it runs code of the user's, when it drops
    /// messages, and nobody else may be there to make the room that it would wait for.
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

/// Whether the calling thread is inside a callback that publishers wait for: it must not wait for
/// another one of that kind, which may be waiting for it.
pub(crate) fn is_inline() -> bool {
    INLINE.get()
}

/// Whether the calling thread is inside a callback, or a worker between two.
pub(crate) fn is_in_callback() -> bool {
    RUNNING.get().is_some() || IS_WORKER.get()
}

/// Whether the calling thread is inside the callback of this subscription.
pub(crate) fn is_running(id: SubscriptionId) -> bool {
    RUNNING.get() == Some(id)
}

/// Why a `join` did not see the subscription through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Called from the subscription's own callback: it would wait for itself. Unsubscribe there,
    /// and join elsewhere.
    #[error("a callback cannot join its own subscription: unsubscribe here and join elsewhere")]
    OwnCallback,
    /// The callback panicked; the subscription ended there, without its final message.
    #[error("the subscription's callback panicked and ended it")]
    Panicked,
}

type Handler = Box<dyn FnMut(Delivery) + Send>;

/// A subscription with a callback, as the pool sees it.
pub(crate) struct Runner {
    core: Arc<SubscriptionCore>,
    /// Locked by the one worker that runs it: never contended.
    inbox: Mutex<Option<Inbox>>,
    outcome: Mutex<Option<Result<(), JoinError>>>,
    has_outcome: Condvar,
}

struct Inbox {
    source: Source,
    handler: Handler,
}

impl Runner {
    pub(crate) fn new(core: Arc<SubscriptionCore>, source: Source, handler: Handler) -> Self {
        Runner {
            core,
            inbox: Mutex::new(Some(Inbox { source, handler })),
            outcome: Mutex::new(None),
            has_outcome: Condvar::new(),
        }
    }

    pub(crate) fn core(&self) -> &Arc<SubscriptionCore> {
        &self.core
    }

    /// Delivers everything to the end, on a thread of its own.
    pub(crate) fn run_alone(&self) {
        while self.outcome.lock().expect("no panic while it is held").is_none() {
            if !self.run()
                && let Some(inbox) = &*self.inbox.lock().expect("caught inside")
            {
                pull::wait(&inbox.source, self.core.mailbox(), thread::park);
            }
        }
    }

    pub(crate) fn join(&self) -> Result<(), JoinError> {
        if is_running(self.core.mailbox().id) {
            return Err(JoinError::OwnCallback);
        }
        let mut outcome = self.outcome.lock().expect("no panic while it is held");
        loop {
            match *outcome {
                Some(result) => return result,
                None => outcome = self.has_outcome.wait(outcome).expect("no panic while held"),
            }
        }
    }

    /// Delivers a batch. `true`: there is more, queue it again.
    pub(crate) fn run(&self) -> bool {
        // A callback may publish to where another one is run inline: one inside the other.
        let outer = RUNNING.replace(Some(self.core.mailbox().id));
        let outer_inline = INLINE.replace(is_inline() || self.core.mailbox().is_inline());
        let again = self.run_inside();
        RUNNING.set(outer);
        INLINE.set(outer_inline);
        again
    }

    /// The whole of it counts as inside the callback: what a callback owned may unsubscribe or
    /// publish when it is dropped, and the end after a panic is told to others.
    fn run_inside(&self) -> bool {
        let mut slot = self.inbox.lock().expect("panics of callbacks are caught inside");
        let Some(inbox) = slot.as_mut() else { return false };
        let step = catch_unwind(AssertUnwindSafe(|| inbox.deliver_batch(&self.core)));
        let result = match step {
            Ok(Step::More) => return true,
            Ok(Step::Asleep) => return false,
            Ok(Step::Ended) => Ok(()),
            Err(_) => {
                self.core.topic().core().count_panic();
                self.core.unsubscribe();
                Err(JoinError::Panicked)
            }
        };
        // Dropping what the callback owns may panic, too; it must not take the worker along.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(slot.take())));
        drop(slot);
        self.core.ended();
        *self.outcome.lock().expect("no panic while it is held") = Some(result);
        self.has_outcome.notify_all();
        false
    }
}

enum Step {
    /// The batch is full.
    More,
    /// Nothing left; the next message marks it again.
    Asleep,
    /// The final message was processed.
    Ended,
}

impl Inbox {
    fn deliver_batch(&mut self, core: &SubscriptionCore) -> Step {
        // One look at the clock a delivery: where one ends the next begins.
        let mut began = core.clock().now();
        for _ in 0..BATCH {
            match self.source.pop(core.mailbox()) {
                Pop::Value(message) => {
                    let name = message.type_name();
                    (self.handler)(Delivery::Message(message));
                    let ended = core.clock().now();
                    core.mailbox().note_callback(ended.since(began), name);
                    began = ended;
                    core.mailbox().note_handled();
                    core.look_for_relief();
                }
                Pop::Lagged(missed) => {
                    (self.handler)(Delivery::Lagged(missed));
                    began = core.clock().now();
                }
                Pop::Empty => {
                    if self.source.try_sleep(core.mailbox()) {
                        return Step::Asleep;
                    }
                }
                Pop::Closed => {
                    (self.handler)(Delivery::Message(core.final_message()));
                    return Step::Ended;
                }
            }
        }
        Step::More
    }
}

/// One worker's life.
pub(crate) fn work(core: &Core, worker: usize) {
    IS_WORKER.set(true);
    loop {
        core.take_marks();
        if let Some(runner) = core.next_runner() {
            if runner.run() {
                core.queue(runner);
            }
            continue;
        }
        core.sweep();
        if core.is_over() {
            // The others must see it, too.
            return core.wake_workers();
        }
        core.sleep(worker);
    }
}

impl Core {
    /// Takes all marks off: queues callbacks, and wakes those who wait in `recv` on behalf of
    /// real-time publishers, which may not.
    fn take_marks(&self) {
        self.bury();
        let mut queued = 0;
        for (number, page) in self.pages().iter().enumerate() {
            if page.is_marked() {
                page.take(|index| {
                    if let Some(member) = self.member(number * PAGE + index) {
                        queued += usize::from(self.serve(member));
                    }
                });
            }
        }
        // One of them is ours.
        (1..queued).for_each(|_| self.wake_worker());
    }

    /// Answers at a member's gate, if somebody has knocked; `true` when its callback was queued.
    fn serve(&self, member: Member) -> bool {
        let mailbox = member.core().mailbox();
        if mailbox.take_alarm() {
            member.core().tell_congestion(true);
        }
        if !mailbox.take_knock() {
            return false;
        }
        if let Some(staged) = &mailbox.staged {
            let mut readable = staged.intake();
            while !mailbox.gate.try_sleep(|| staged.ring_has_news()) {
                readable |= staged.intake();
            }
            Gate::fence();
            if !readable || !staged.reader_gate.knock() {
                return false;
            }
        }
        match member {
            Member::Callback(runner) => {
                self.queue(runner);
                true
            }
            Member::Pull(core) => {
                core.wake_waiter();
                false
            }
        }
    }
}
