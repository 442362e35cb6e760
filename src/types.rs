//! Message types by name, for configuration: a declined type is never built, queued or delivered.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use arc_swap::ArcSwap;

use crate::bus::Bus;
use crate::filter::LastWord;
use crate::sync::{Arc, AtomicU64, Mutex, Relaxed};

/// The types of a bus that have a name, and those that are declined.
pub(crate) struct Types {
    /// One bit a declined type, as in a filter: zero in most programs, and then all that is asked.
    bits: AtomicU64,
    declined: ArcSwap<HashSet<TypeId>>,
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    registered: HashMap<String, TypeId>,
    /// Names that are declined, registered or not yet.
    declined: HashSet<String>,
    /// What was declined before, while somebody may be reading it: whoever drops a guard last
    /// would free it, and that may be a real-time publisher (see `ring::shown`).
    replaced: Vec<Arc<HashSet<TypeId>>>,
}

/// Two types cannot have one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another message type is registered as `{0}`: choose another name")]
pub struct NameTaken(pub String);

impl Types {
    pub(crate) fn new(declined: &[String]) -> Self {
        let names = Names { declined: declined.iter().cloned().collect(), ..Names::default() };
        Types { bits: AtomicU64::new(0), declined: ArcSwap::default(), names: Mutex::new(names) }
    }

    /// Whether messages of this type are not to be published.
    #[inline]
    pub(crate) fn declines(&self, id: TypeId) -> bool {
        // Dropping this guard never frees, on a real-time thread either: see `Names::replaced`.
        self.bits.load(Relaxed) & bit_of(id) != 0 && self.declined.load().contains(&id)
    }

    fn register<T: Any>(&self, name: &str) -> Result<(), NameTaken> {
        let id = TypeId::of::<T>();
        let mut names = self.names.lock().expect("nothing panics while it is held");
        let known = names.registered.entry(name.into()).or_insert(id);
        if *known != id {
            return Err(NameTaken(name.into()));
        }
        self.apply(&mut names);
        Ok(())
    }

    fn decline(&self, name: &str, declined: bool) {
        let mut names = self.names.lock().expect("nothing panics while it is held");
        match declined {
            true => names.declined.insert(name.into()),
            false => names.declined.remove(name),
        };
        self.apply(&mut names);
    }

    fn apply(&self, names: &mut Names) {
        let declined = names.declined.iter().filter_map(|name| names.registered.get(name));
        let ids: HashSet<TypeId> = declined.copied().collect();
        let bits = ids.iter().fold(0, |bits, &id| bits | bit_of(id));
        // In this order nothing is declined that must not be.
        names.replaced.push(self.declined.swap(Arc::new(ids)));
        names.replaced.retain(|ids| Arc::strong_count(ids) > 1);
        self.bits.store(bits, Relaxed);
    }
}

/// One of 64 bits, chosen by the type: a fast "certainly not".
#[inline]
fn bit_of(id: TypeId) -> u64 {
    let mut bits = LastWord::default();
    id.hash(&mut bits);
    1 << (bits.finish() & 63)
}

impl Bus {
    /// Gives messages of type `T` a name, by which they can be declined
    /// ([`Settings::declined`](crate::Settings), [`decline`](Self::decline)).
    ///
    /// # Errors
    /// [`NameTaken`] when another type has it.
    pub fn register<T: Any>(&self, name: &str) -> Result<(), NameTaken> {
        self.core().types().register::<T>(name)
    }

    /// From here on messages of the type with this name are not published: not built
    /// ([`Topic::publish_with`](crate::Topic::publish_with)), not queued, not delivered. The type
    /// may be registered later.
    pub fn decline(&self, name: &str) {
        self.core().types().decline(name, true);
    }

    /// Publishes messages of the type with this name again.
    pub fn allow(&self, name: &str) {
        self.core().types().decline(name, false);
    }
}
