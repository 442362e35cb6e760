//! A publisher's means: what it may do when a ring is full.

use std::cell::Cell;

use crate::bus::Core;
use crate::mailbox::{Mailbox, SubscriptionId};
use crate::ring::{Message, Producer};
use crate::rt::TRIES;
use crate::sync::thread;

/// How a publisher gets its message in.
#[derive(Clone, Copy)]
pub(crate) enum Means<'a> {
    /// It may allocate, free and wait.
    Ordinary(&'a Ordinary<'a>),
    /// It may do none of these. What it takes out of a ring it puts here, for a worker to drop.
    RealTime(&'a Producer<Message>),
}

/// One publish of an ordinary publisher.
pub(crate) struct Ordinary<'a> {
    core: &'a Core,
    /// It runs inside a callback, where waiting could be for ever.
    pub(crate) in_callback: bool,
    /// It runs inside a conflation key or the like, while other publishers wait for that.
    pub(crate) in_key: bool,
    /// For whom it would have had to wait.
    pub(crate) would_wait: Cell<Option<SubscriptionId>>,
}

impl<'a> Ordinary<'a> {
    pub(crate) fn new(core: &'a Core) -> Self {
        let in_callback = crate::dispatch::is_in_callback();
        let in_key = crate::dispatch::is_in_key();
        Ordinary { core, in_callback, in_key, would_wait: Cell::new(None) }
    }

    /// Wakes a worker for a mark that was set.
    pub(crate) fn wake_worker(&self) {
        self.core.wake_worker();
    }

    /// Wakes a mailbox's reader before the publish is through.
    pub(crate) fn wake_now(&self, mailbox: &Mailbox) {
        crate::gate::Gate::fence();
        if mailbox.gate.knock() {
            self.core.wake(mailbox);
        }
    }
}

impl Means<'_> {
    /// Races for one ring that may be lost, and rings that may be made room in.
    #[inline]
    pub(crate) fn tries(&self) -> u32 {
        match self {
            Means::Ordinary(_) => u32::MAX,
            Means::RealTime(_) => TRIES,
        }
    }

    /// Lets other threads run, if it may.
    pub(crate) fn yield_now(&self) {
        if let Means::Ordinary(_) = self {
            thread::yield_now();
        }
    }

    /// Whether [`discard`](Self::discard) has room.
    pub(crate) fn can_discard(&self) -> bool {
        match self {
            Means::Ordinary(_) => true,
            Means::RealTime(morgue) => !morgue.is_full(),
        }
    }

    /// Gets rid of a message that was taken out of a ring.
    pub(crate) fn discard(&self, message: Message) {
        match self {
            // If its payload's end panics, what is left of the publish must still be done.
            Means::Ordinary(publish) => publish.core.panics().bury(message),
            Means::RealTime(morgue) => {
                // There is room: only this publisher puts something in. Should that ever be
                // wrong: rather leak a message than free it here.
                if let Err(refused) = morgue.push(message) {
                    std::mem::forget(refused);
                }
            }
        }
    }
}
