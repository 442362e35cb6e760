//! Message types by name, for configuration: a declined type is never built, queued or delivered.

use std::any::{Any, TypeId};
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use crate::bus::{Bus, Core};
use crate::current::{Current, Reading};
use crate::filter::LastWord;
use crate::ring::Readers;
use crate::sync::{Arc, AtomicU64, Mutex, Relaxed};

/// The types of a bus that have a name, and those that are declined.
pub(crate) struct Types {
    /// One bit a declined type, as in a filter: zero in most programs, and then all that is asked.
    bits: AtomicU64,
    declined: Current<HashSet<TypeId>>,
    names: Mutex<Names>,
}

#[derive(Default)]
struct Names {
    registered: HashMap<String, TypeId>,
    /// Names that are declined, registered or not yet.
    declined: HashSet<String>,
}

/// Two types cannot have one name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another message type is registered as `{0}`: choose another name")]
pub struct NameTaken(pub String);

impl Types {
    pub(crate) fn new(declined: &[String], readers: &Readers) -> Self {
        let names = Names { declined: declined.iter().cloned().collect(), ..Names::default() };
        let declined = Current::new(readers);
        Types { bits: AtomicU64::new(0), declined, names: Mutex::new(names) }
    }

    /// Whether messages of this type are not to be published.
    #[inline]
    pub(crate) fn declines(&self, id: TypeId, reading: &Reading<'_>) -> bool {
        self.bits.load(Relaxed) & bit_of(id) != 0
            && self.declined.read(reading, |declined| declined.contains(&id))
    }

    fn register<T: Any>(&self, name: &str, core: &Core) -> Result<(), NameTaken> {
        let id = TypeId::of::<T>();
        let mut names = self.names.lock().expect("nothing panics while it is held");
        let known = names.registered.entry(name.into()).or_insert(id);
        if *known != id {
            return Err(NameTaken(name.into()));
        }
        self.apply(&names, core);
        Ok(())
    }

    fn decline(&self, name: &str, declined: bool, core: &Core) {
        let mut names = self.names.lock().expect("nothing panics while it is held");
        match declined {
            true => names.declined.insert(name.into()),
            false => names.declined.remove(name),
        };
        self.apply(&names, core);
    }

    fn apply(&self, names: &Names, core: &Core) {
        let declined = names.declined.iter().filter_map(|name| names.registered.get(name));
        let ids: HashSet<TypeId> = declined.copied().collect();
        let bits = ids.iter().fold(0, |bits, &id| bits | bit_of(id));
        // In this order nothing is declined that must not be.
        core.change(|control| control.set_current(&self.declined, Arc::new(ids)));
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
        self.core().types().register::<T>(name, self.core())
    }

    /// From here on messages of the type with this name are not published: not built
    /// ([`Topic::publish_with`](crate::Topic::publish_with)), not queued, not delivered. The type
    /// may be registered later.
    ///
    /// ```
    /// # use stasis_bus::{Bus, Settings};
    /// struct Noise(u8);
    ///
    /// # let bus = Bus::new(Settings::default())?;
    /// # let topic = bus.topic("t");
    /// bus.register::<Noise>("noise")?;
    /// bus.decline("noise"); // or Settings::declined
    /// let events = topic.subscribe().pull()?;
    /// assert_eq!(topic.publish_with(|| -> Noise { unreachable!("it is not even made") }), 0);
    /// bus.allow("noise");
    /// assert_eq!(topic.publish(Noise(7)), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decline(&self, name: &str) {
        self.core().types().decline(name, true, self.core());
    }

    /// Publishes messages of the type with this name again.
    pub fn allow(&self, name: &str) {
        self.core().types().decline(name, false, self.core());
    }
}
