//! Forwards: one topic's messages go to another's subscribers, too.
//!
//! A publish visits every topic that it can reach, one stack frame each, and as often as there are
//! paths. So each topic knows how many visits a message published there makes; a forward that would
//! make them too many for somebody is refused. The numbers change with the forwards only, under the
//! bus's control lock.

use crate::routing::{ForwardEntry, Routing};
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Relaxed, Weak};
use crate::topic::{Topic, TopicShared};

/// The most topics that a message may visit, each counted as often as there are paths to it.
pub const MOST_VISITS: u64 = 1_024;

/// Why a topic was not forwarded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForwardError {
    /// Messages would go in a circle.
    #[error(
        "a forward from `{from}` to `{to}` would be a circle: `{to}` is forwarded to `{from}` already"
    )]
    Cycle {
        /// From this topic.
        from: String,
        /// To this one.
        to: String,
    },
    /// A message would visit more topics than [`MOST_VISITS`].
    #[error(
        "a forward from `{from}` to `{to}` would have a message of `{at}` visit {visits} topics, of at most {MOST_VISITS}: forward to fewer, or by fewer paths"
    )]
    TooManyVisits {
        /// From this topic.
        from: String,
        /// To this one.
        to: String,
        /// Published here.
        at: String,
        /// So many, each as often as there are paths to it.
        visits: u64,
    },
    /// The topics are not of one bus.
    #[error(
        "`{from}` and `{to}` are topics of two buses: subscribe to the one and publish to the other"
    )]
    TwoBuses {
        /// From this topic.
        from: String,
        /// To this one.
        to: String,
    },
}

/// A forward; dropping it ends it.
///
/// While it lives, what is published to the one topic reaches the subscribers of the other as well,
/// and of those that this is forwarded to, in the order of the first. A subscription that can be
/// reached by two paths gets a message twice.
///
/// ```
/// use stasis_bus::{Bus, Settings};
///
/// let bus = Bus::new(Settings::default())?;
/// let (one, all) = (bus.topic("channel:1"), bus.topic("channel:all"));
/// let forward = one.forward_to(&all)?;
/// let everything = all.subscribe().accept::<&str>().pull()?;
/// assert_eq!(one.publish("ringing"), 1);
/// assert!(all.forward_to(&one).is_err(), "a circle");
/// drop(forward);
/// assert_eq!(one.publish("up"), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Forward {
    from: Topic,
    to: Topic,
    id: u64,
}

/// A topic's place among the forwards.
pub(crate) struct Visits {
    /// How many visits a message makes that is published here: this one, and those further on.
    count: AtomicU64,
    /// Topics that are forwarded here, each as often as it is.
    from: Mutex<Vec<Weak<TopicShared>>>,
}

impl Visits {
    /// Without forwards.
    pub(crate) fn new() -> Self {
        Visits { count: AtomicU64::new(1), from: Mutex::default() }
    }

    /// Relaxed: counted under the control lock.
    fn count(&self) -> u64 {
        self.count.load(Relaxed)
    }

    fn from(&self) -> MutexGuard<'_, Vec<Weak<TopicShared>>> {
        self.from.lock().expect("nothing panics while it is held")
    }
}

/// Has `change` count the visits anew for `topic` and, as often as there are paths from them, for
/// all that reach it. `Err`: what counts too many then; it goes on all the same.
fn recount(topic: &Arc<TopicShared>, change: impl Fn(u64) -> u64) -> Result<(), Arc<TopicShared>> {
    let mut result = Ok(());
    let mut to_do = vec![topic.clone()];
    while let Some(topic) = to_do.pop() {
        let count = change(topic.visits.count());
        topic.visits.count.store(count, Relaxed);
        to_do.extend(topic.visits.from().iter().filter_map(Weak::upgrade));
        if count > MOST_VISITS {
            result = Err(topic);
        }
    }
    result
}

impl Topic {
    /// Forwards everything that is published here to `to`. Costs the same however many topics are
    /// forwarded there already.
    ///
    /// # Errors
    /// [`ForwardError`] when `to` is this topic, or is forwarded to it, or some message would then
    /// visit too many topics, or they are not of one bus.
    pub fn forward_to(&self, to: &Topic) -> Result<Forward, ForwardError> {
        let names = || (self.name().to_string(), to.name().to_string());
        if !Arc::ptr_eq(self.core(), to.core()) {
            let (from, to) = names();
            return Err(ForwardError::TwoBuses { from, to });
        }
        let id = self.core().change(|control| {
            let back = to.shared().routing.load();
            if Arc::ptr_eq(self.shared(), to.shared()) || back.reaches(self.shared()) {
                let (from, to) = names();
                return Err(ForwardError::Cycle { from, to });
            }
            let further = to.shared().visits.count();
            if let Err(too_many) = recount(self.shared(), |count| count + further) {
                let (at, visits) = (too_many.name().to_string(), too_many.visits.count());
                let _as_before = recount(self.shared(), |count| count - further);
                let (from, to) = names();
                return Err(ForwardError::TooManyVisits { from, to, at, visits });
            }
            to.shared().visits.from().push(Arc::downgrade(self.shared()));
            let id = control.next_id();
            let entry = ForwardEntry { id, to: to.shared().clone() };
            control.replace(&self.shared().routing, |routing| routing.forwards.push(entry));
            Ok(id)
        })?;
        Ok(Forward { from: self.clone(), to: to.clone(), id })
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        let without = |routing: &mut Routing| routing.forwards.retain(|entry| entry.id != self.id);
        let (from, to) = (self.from.shared(), self.to.shared());
        self.from.core().change(|control| {
            control.replace(&from.routing, without);
            let mut sources = to.visits.from();
            let this = Arc::downgrade(from);
            if let Some(index) = sources.iter().position(|source| source.ptr_eq(&this)) {
                sources.swap_remove(index);
            }
            drop(sources);
            let further = to.visits.count();
            let _fewer = recount(from, |count| count - further);
        });
    }
}
