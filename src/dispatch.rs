//! Dispatch: how a callback is run, in order and never two of one subscription.
//!
//! A worker runs a subscription that is queued: up to [`BATCH`] deliveries, then it goes to the back
//! of the line. Only the one who turned its gate to busy may have it queued, so it is queued once and
//! run by one worker at a time.

use std::cell::Cell;
use std::ptr;

use crate::bus::Core;
use crate::mailbox::SubscriptionId;
use crate::pull;
use crate::ring::Pop;
use crate::source::Source;
use crate::subscription::{Delivery, SubscriptionCore};
#[cfg(shuttle)]
use crate::sync::LocalCell;
use crate::sync::{Arc, Condvar, Mutex, broken, thread, thread_local};

/// Deliveries to one subscription before others have their turn.
const BATCH: usize = 64;

thread_local! {
    /// The subscription whose callback this thread is in.
    static RUNNING: Cell<Option<SubscriptionId>> = const { Cell::new(None) };
    /// Whether that, or one further out, is run inline.
    static INLINE: Cell<bool> = const { Cell::new(false) };
    /// Whether this thread is inside a conflation key, or near it.
    static IN_KEY: Cell<bool> = const { Cell::new(false) };
    /// The bus that this thread is a worker of: also between callbacks it runs code of the user's,
    /// when it drops messages, and nobody else may be there to make the room that it would wait for.
    static WORKS_FOR: Cell<*const Core> = const { Cell::new(ptr::null()) };
}

/// Whether the calling thread is inside a callback that publishers wait for: it must not wait for
/// another one of that kind, which may be waiting for it.
pub(crate) fn is_inline() -> bool {
    INLINE.get()
}

/// Whether the calling thread is inside a callback, or a worker between two.
pub(crate) fn is_in_callback() -> bool {
    RUNNING.get().is_some() || !WORKS_FOR.get().is_null()
}

/// The calling thread is a worker of this bus from now on.
pub(crate) fn works_for(core: &Arc<Core>) {
    WORKS_FOR.set(Arc::as_ptr(core));
}

/// Whether the calling thread is a worker of this bus.
pub(crate) fn is_worker_of(core: &Arc<Core>) -> bool {
    ptr::eq(WORKS_FOR.get(), Arc::as_ptr(core))
}

/// Whether the calling thread is inside a conflation key, or the end of a message that was conflated,
/// which others may be waiting for.
pub(crate) fn is_in_key() -> bool {
    IN_KEY.get()
}

/// Runs `code`, which may call conflation keys of this subscription and end its messages, and does
/// not panic, as a part of its callback that publishers wait for.
pub(crate) fn inside_keys_of<R>(id: SubscriptionId, code: impl FnOnce() -> R) -> R {
    let outer_key = IN_KEY.replace(true);
    let result = inside(id, true, code);
    IN_KEY.set(outer_key);
    result
}

fn inside<R>(id: SubscriptionId, inline: bool, code: impl FnOnce() -> R) -> R {
    // A callback may publish to where another one is run inline: one inside the other.
    let outer = RUNNING.replace(Some(id));
    let outer_inline = INLINE.replace(is_inline() || inline);
    let result = code();
    RUNNING.set(outer);
    INLINE.set(outer_inline);
    result
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
        let mailbox = self.core.mailbox();
        inside(mailbox.id, mailbox.is_inline(), || self.run_inside())
    }

    /// The whole of it counts as inside the callback: what a callback owned may unsubscribe or
    /// publish when it is dropped, and the end after a panic is told to others.
    fn run_inside(&self) -> bool {
        let mut slot = self.inbox.lock().expect("panics of callbacks are caught inside");
        let Some(inbox) = slot.as_mut() else { return false };
        let panics = self.core.topic().core().panics();
        let result = match panics.catch(|| inbox.deliver_batch(&self.core)) {
            Some(Step::More) => return true,
            Some(Step::Asleep) => return false,
            Some(Step::Ended) => Ok(()),
            None => {
                self.core.unsubscribe();
                Err(JoinError::Panicked)
            }
        };
        // Dropping what the callback owns may panic, too; it must not take the worker along.
        if let Some(Inbox { source, handler }) = slot.take() {
            source.end(panics);
            panics.bury(handler);
        }
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
                    // What was lost may be the last that somebody waits for.
                    if !broken("dispatch.loss.handled") {
                        core.mailbox().note_handled();
                    }
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
