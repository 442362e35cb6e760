//! Retired lists: kept until no publisher can still be reading them.
//!
//! arc-swap frees on the reader: a guard dropped after its list was replaced may hold the last
//! reference, and freeing is what a real-time publisher must never do. So a replaced list is kept
//! here. By the time arc-swap's `swap` returns, every guard that still reads the old list holds a
//! counted reference to it; when the count is down to ours alone, nobody reads it and nobody can
//! begin to. It is looked at whenever a list is replaced.

use crate::sync::Arc;
use crate::topic::List;

#[derive(Default)]
pub(crate) struct Retired {
    lists: Vec<Arc<List>>,
}

impl Retired {
    /// Keeps `list`, and gives back those that nobody reads any more, for the caller to drop
    /// after it has let go of its lock (their mailboxes may hold messages, whose payloads run
    /// code of the user's when they end).
    #[must_use]
    pub(crate) fn keep(&mut self, list: Arc<List>) -> Vec<Arc<List>> {
        self.lists.push(list);
        self.lists.extract_if(.., |list| Arc::strong_count(list) == 1).collect()
    }
}
