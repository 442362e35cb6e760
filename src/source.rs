//! Where a reader takes its deliveries: first its own message, then the ring, or what waits behind.

use crate::mailbox::Mailbox;
use crate::panics::Panics;
use crate::ring::{Consumer, Message, Pop};

pub(crate) struct Source {
    /// The subscription's own `Subscribe`: it needs no place in the ring, so no policy can drop it.
    first: Option<Message>,
    rest: Rest,
}

/// What comes after the first message.
pub(crate) enum Rest {
    Ring(Consumer<Message>),
    /// In the mailbox, since workers and publishers move messages there, too.
    Staged,
}

impl Source {
    pub(crate) fn new(first: Message, rest: Rest) -> Self {
        Source { first: Some(first), rest }
    }

    /// The next delivery.
    #[inline]
    pub(crate) fn pop(&mut self, mailbox: &Mailbox) -> Pop<Message> {
        if let Some(first) = self.first.take() {
            mailbox.count_own();
            return Pop::Value(first);
        }
        let pop = match (&mut self.rest, &mailbox.staged) {
            (Rest::Ring(consumer), _) => consumer.pop(),
            (Rest::Staged, Some(staged)) => staged.pop(),
            (Rest::Staged, None) => Pop::Closed,
        };
        mailbox.has_read();
        pop
    }

    /// Lets the reader sleep, unless there is news; see [`Gate::try_sleep`](crate::gate::Gate).
    pub(crate) fn try_sleep(&self, mailbox: &Mailbox) -> bool {
        match (&self.rest, &mailbox.staged) {
            (Rest::Ring(consumer), _) => mailbox.gate.try_sleep(|| consumer.has_news()),
            (Rest::Staged, Some(staged)) => mailbox.gate.try_sleep(|| staged.has_news()),
            (Rest::Staged, None) => false,
        }
    }
    /// The reader will take no more: drops what is in the ring, one by one, whatever panics.
    pub(crate) fn end(mut self, panics: &Panics) {
        panics.bury(self.first.take());
        if let Rest::Ring(consumer) = &mut self.rest {
            loop {
                match consumer.pop() {
                    Pop::Value(message) => panics.bury(message),
                    Pop::Lagged(_) => {}
                    Pop::Empty | Pop::Closed => return,
                }
            }
        }
    }
}
