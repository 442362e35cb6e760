//! Forwards: one topic's messages go to another's subscribers, too.

use crate::routing::{ForwardEntry, Routing};
use crate::sync::Arc;
use crate::topic::Topic;

/// The error of a forward that would send messages in a circle.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a forward from `{from}` to `{to}` would be a circle: `{to}` is forwarded to `{from}` already"
)]
pub struct ForwardCycle {
    /// From this topic.
    pub from: String,
    /// To this one.
    pub to: String,
}

/// A forward; dropping it ends it.
///
/// While it lives, what is published to the one topic reaches the subscribers of the other as well,
/// and of those that this is forwarded to, in the order of the first. A subscription that can be
/// reached by two paths gets a message twice.
pub struct Forward {
    from: Topic,
    id: u64,
}

impl Topic {
    /// Forwards everything that is published here to `to`. Costs the same however many topics are
    /// forwarded there already.
    ///
    /// # Errors
    /// [`ForwardCycle`] when `to` is this topic, or is forwarded to it.
    pub fn forward_to(&self, to: &Topic) -> Result<Forward, ForwardCycle> {
        let id = self.core().change_routings(|control| {
            let back = to.shared().routing.load();
            if Arc::ptr_eq(self.shared(), to.shared()) || back.reaches(self.shared()) {
                let (from, to) = (self.name().to_string(), to.name().to_string());
                return Err(ForwardCycle { from, to });
            }
            let id = control.next_id();
            let entry = ForwardEntry { id, to: to.shared().clone() };
            control.replace(&self.shared().routing, |routing| routing.forwards.push(entry));
            Ok(id)
        })?;
        Ok(Forward { from: self.clone(), id })
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let without = |routing: &mut Routing| routing.forwards.retain(|entry| entry.id != self.id);
        self.from.core().change_routings(|control| {
            control.replace(&self.from.shared().routing, without);
        });
    }
}
