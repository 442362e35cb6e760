//! Retired routings: kept until no publisher can still be reading them.
//!
//! arc-swap frees on the reader: a guard dropped after its list was replaced may hold the last
//! reference, and freeing is what a real-time publisher must never do. So a replaced routing is
//! kept here. By the time arc-swap's `swap` returns, every guard that still reads the old routing
//! holds a counted reference to it; when the count is down to ours alone, nobody reads it and
//! nobody can begin to. They are looked at whenever a routing is replaced, and by the workers.

use crate::routing::Routing;
use crate::sync::Arc;

#[derive(Default)]
pub(crate) struct Retired {
    routings: Vec<Arc<Routing>>,
}

impl Retired {
    pub(crate) fn keep(&mut self, routing: Arc<Routing>) {
        self.routings.push(routing);
    }

    /// Those that nobody reads any more, for the caller to drop after it has let go of its lock:
    /// what they hold may end with them, and with that run code of the user's.
    #[must_use]
    pub(crate) fn unread(&mut self) -> Vec<Arc<Routing>> {
        self.routings.extract_if(.., |routing| Arc::strong_count(routing) == 1).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.routings.is_empty()
    }
}
