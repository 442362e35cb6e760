//! Where a reader takes its deliveries: the ring itself, or what waits behind it.

use crate::mailbox::Mailbox;
use crate::ring::{Consumer, Message, Pop};

pub(crate) enum Source {
    Ring(Consumer<Message>),
    /// In the mailbox, since workers and publishers move messages there, too.
    Staged,
}

impl Source {
    /// The next delivery.
    #[inline]
    pub(crate) fn pop(&mut self, mailbox: &Mailbox) -> Pop<Message> {
        let pop = match (self, &mailbox.staged) {
            (Source::Ring(consumer), _) => consumer.pop(),
            (Source::Staged, Some(staged)) => staged.pop(),
            (Source::Staged, None) => Pop::Closed,
        };
        mailbox.has_read();
        pop
    }

    /// Lets the reader sleep, unless there is news; see [`Gate::try_sleep`](crate::gate::Gate).
    pub(crate) fn try_sleep(&self, mailbox: &Mailbox) -> bool {
        match (self, &mailbox.staged) {
            (Source::Ring(consumer), _) => mailbox.gate.try_sleep(|| consumer.has_news()),
            (Source::Staged, Some(staged)) => staged.reader_gate.try_sleep(|| staged.is_readable()),
            (Source::Staged, None) => false,
        }
    }
}
