//! Filters: which message types a subscription accepts. Applied before its ring.

use std::any::{Any, TypeId};
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

/// Hashes a `TypeId`, which is a hash already: this only asks it for its bits.
pub(crate) type ByTypeId = BuildHasherDefault<LastWord>;

#[derive(Default)]
pub(crate) struct LastWord(u64);

impl Hasher for LastWord {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.0 = self.0.rotate_left(8) ^ u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}

/// What a subscription accepts: everything, or only some types. What it does not accept costs it
/// nothing. Its own first and final [`SubscriptionChange`](crate::SubscriptionChange) it always
/// gets.
///
/// ```
/// use stasis_bus::{Bus, Filter, Settings};
///
/// let bus = Bus::new(Settings::default())?;
/// let topic = bus.topic("t");
/// let events = topic.subscribe().accept::<u32>().pull()?;
/// assert_eq!(topic.publish("a text"), 0);
/// events.set_filter(Filter::nothing().and::<u32>().and::<&str>());
/// assert_eq!(topic.publish("a text"), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Filter {
    /// `None`: every type.
    types: Option<Vec<TypeId>>,
}

impl Filter {
    /// Accepts messages of every type.
    pub const fn everything() -> Self {
        Filter { types: None }
    }

    /// Accepts nothing, until types are added by [`and`](Self::and).
    pub const fn nothing() -> Self {
        Filter { types: Some(Vec::new()) }
    }

    /// Accepts messages of type `T`, too. Everything stays everything.
    pub fn and<T: Any>(mut self) -> Self {
        self.add::<T>();
        self
    }

    /// Whether messages of every type are accepted.
    pub fn is_everything(&self) -> bool {
        self.types.is_none()
    }

    pub(crate) fn add<T: Any>(&mut self) {
        let id = TypeId::of::<T>();
        if let Some(types) = &mut self.types
            && !types.contains(&id)
        {
            types.push(id);
        }
    }

    /// The types that are accepted, each once; `None` for every type.
    pub(crate) fn types(&self) -> Option<&[TypeId]> {
        self.types.as_deref()
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.types.as_deref() {
            None => f.write_str("everything"),
            Some([_]) => f.write_str("1 type"),
            Some(types) => write!(f, "{} types", types.len()),
        }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_add_up_and_everything_stays_everything() {
        let types = [TypeId::of::<u8>(), TypeId::of::<String>()];
        let filter = Filter::nothing().and::<u8>().and::<String>().and::<u8>();
        assert_eq!(filter.types(), Some(&types[..]));
        assert_eq!(filter.to_string(), "2 types");
        assert_eq!(Filter::nothing().types(), Some(&[][..]));
        assert!(Filter::everything().and::<u16>().is_everything());
    }
}
