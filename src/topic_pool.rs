//! Topic pools: topics made on demand, all forwarded to one.

use std::collections::HashMap;
use std::ops::Deref;

use crate::bus::Bus;
use crate::forward::{Forward, ForwardError};
use crate::sync::{Arc, Mutex, Weak};
use crate::topic::Topic;

/// A family of topics, made by name when they are first asked for, each forwarded to the pool's own
/// topic: one per channel, say, and all of them on `channel:all`.
///
/// ```
/// use stasis_bus::{Bus, Settings, TopicPool};
///
/// let bus = Bus::new(Settings::default())?;
/// let channels = TopicPool::new(&bus, "channel:all");
/// let mut everything = channels.all().subscribe().accept::<&str>().pull()?;
/// channels.topic("channel:1")?.publish("ringing");
/// channels.topic("channel:2")?.publish("up");
/// everything.unsubscribe();
/// let words: Vec<&str> =
///     everything.iter().filter_map(|event| event.downcast_ref().copied()).collect();
/// assert_eq!(words, ["ringing", "up"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct TopicPool {
    bus: Bus,
    all: Topic,
    members: Mutex<HashMap<Box<str>, Weak<Pooled>>>,
}

/// A topic of a pool; its forward ends with its last handle.
pub struct Pooled {
    topic: Topic,
    _forward: Forward,
}

impl Deref for Pooled {
    type Target = Topic;

    fn deref(&self) -> &Topic {
        &self.topic
    }
}

impl TopicPool {
    /// A pool whose own topic has the name `all`.
    pub fn new(bus: &Bus, all: &str) -> Self {
        TopicPool { bus: bus.clone(), all: bus.topic(all), members: Mutex::default() }
    }

    /// The pool's own topic: what is published to any of its topics reaches it.
    pub fn all(&self) -> &Topic {
        &self.all
    }

    /// The topic of this name, forwarded to the pool's own; made now if there is none.
    ///
    /// # Errors
    /// [`ForwardError`], for instance when the pool's own topic is forwarded to the topic of this name.
    pub fn topic(&self, name: &str) -> Result<Arc<Pooled>, ForwardError> {
        let mut members = self.members.lock().expect("nothing panics while it is held");
        if let Some(pooled) = members.get(name).and_then(Weak::upgrade) {
            return Ok(pooled);
        }
        // Names of topics that are gone make room for new ones.
        if members.len() == members.capacity() {
            members.retain(|_, pooled| pooled.strong_count() > 0);
        }
        let topic = self.bus.topic(name);
        let forward = topic.forward_to(&self.all)?;
        let pooled = Arc::new(Pooled { topic, _forward: forward });
        members.insert(name.into(), Arc::downgrade(&pooled));
        Ok(pooled)
    }
}
