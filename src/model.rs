//! The lock-free parts that have no public name, for their models.

pub use crate::gate::Gate;
pub use crate::marks::{Mark, Page};
pub use crate::progress::Progress;
pub use crate::ring::{FreeStack, Lease, Lessor, Message, Pass, Reader, Readers, Shown};
pub use crate::roster::Roster;

use std::any::Any;

use crate::ring::{CellPool, Meta, Shares};
use crate::stamp::Stamp;

/// What a message says of its topic: a stand-in, since topics are made of locks, too.
pub(crate) mod topic {
    /// Whose message it is.
    #[derive(Clone, Copy, Debug)]
    pub struct EntityId(pub u64);

    /// The topic.
    #[derive(Debug)]
    pub struct TopicInfo;

    impl TopicInfo {
        pub(crate) fn name(&self) -> &str {
            "topic"
        }
    }
}

/// A publisher of each kind, as far as it makes messages.
pub struct Publisher {
    topic: Lessor<topic::TopicInfo>,
    pool: CellPool,
}

impl Publisher {
    /// With so many cells.
    pub fn new(cells: u32) -> Self {
        Publisher { topic: Lessor::new(topic::TopicInfo), pool: CellPool::new(cells) }
    }

    /// A message in a cell, for so many; `None` when every cell is out.
    pub fn publish(&mut self, payload: u64, shares: u64) -> Option<Vec<Message>> {
        let topic = &self.topic;
        let mut made = self.pool.fill(|| meta(topic), payload, shares)?;
        Some(std::iter::from_fn(|| made.take()).collect())
    }

    /// A message on the heap, for so many and one more, who refuses it after the others have got
    /// theirs and may have read it.
    pub fn publish_on_heap<T: Any + Send + Sync>(
        &self,
        payload: T,
        shares: u64,
        hand_out: impl FnOnce(Vec<Message>),
    ) {
        let mut made = Shares::on_heap(meta(&self.topic), payload, shares + 1);
        let refused = made.take().expect("one more");
        hand_out(std::iter::from_fn(|| made.take()).collect());
        made.put_back(refused);
        assert_eq!(made.left(), 1, "it goes with the last of these");
    }
}

fn meta(topic: &Lessor<topic::TopicInfo>) -> Meta {
    Meta { stamp: Stamp::ZERO, origin: topic::EntityId(0), topic: topic.lend() }
}
