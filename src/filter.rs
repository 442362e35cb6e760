//! Filters: which message types a subscription accepts. Applied before its ring.

use std::any::{Any, TypeId};
use std::fmt;
use std::hash::{Hash, Hasher};

/// A message type as filters compare it.
#[derive(Clone, Copy)]
pub(crate) struct TypeKey {
    id: TypeId,
    /// One of 64 bits, chosen by the type: a fast "certainly not".
    bit: u64,
}

impl TypeKey {
    #[inline]
    pub(crate) fn of<T: Any>() -> Self {
        let id = TypeId::of::<T>();
        // A `TypeId` is a hash already; this only asks it for its bits.
        let mut bits = LastWord(0);
        id.hash(&mut bits);
        TypeKey { id, bit: 1 << (bits.0 & 63) }
    }
}

impl TypeKey {
    pub(crate) fn id(self) -> TypeId {
        self.id
    }

    pub(crate) fn bit(self) -> u64 {
        self.bit
    }
}

struct LastWord(u64);

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
#[derive(Clone)]
pub struct Filter {
    bits: u64,
    types: Types,
}

#[derive(Clone)]
enum Types {
    Everything,
    /// In place: most filters are of one type, and every publish asks.
    One(TypeId),
    Some(Vec<TypeId>),
}

impl Filter {
    /// Accepts messages of every type.
    pub const fn everything() -> Self {
        Filter { bits: u64::MAX, types: Types::Everything }
    }

    /// Accepts nothing, until types are added by [`and`](Self::and).
    pub const fn nothing() -> Self {
        Filter { bits: 0, types: Types::Some(Vec::new()) }
    }

    /// Accepts messages of type `T`, too. Everything stays everything.
    pub fn and<T: Any>(mut self) -> Self {
        self.add::<T>();
        self
    }

    /// Whether messages of every type are accepted.
    pub fn is_everything(&self) -> bool {
        matches!(self.types, Types::Everything)
    }

    pub(crate) fn add<T: Any>(&mut self) {
        let key = TypeKey::of::<T>();
        match &mut self.types {
            Types::Everything => return,
            Types::One(known) if *known == key.id => return,
            Types::One(known) => self.types = Types::Some(vec![*known, key.id]),
            Types::Some(types) if types.is_empty() => self.types = Types::One(key.id),
            Types::Some(types) if types.contains(&key.id) => return,
            Types::Some(types) => types.push(key.id),
        }
        self.bits |= key.bit;
    }

    #[inline]
    pub(crate) fn accepts(&self, key: TypeKey) -> bool {
        self.bits & key.bit != 0
            && match &self.types {
                Types::Everything => true,
                Types::One(known) => *known == key.id,
                Types::Some(types) => types.contains(&key.id),
            }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.types {
            Types::Everything => f.write_str("everything"),
            Types::One(_) => f.write_str("1 type"),
            Types::Some(types) => write!(f, "{} types", types.len()),
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
    fn everything_accepts_all_nothing_accepts_none_and_types_add_up() {
        let key = TypeKey::of::<u8>;
        assert!(Filter::everything().accepts(key()));
        assert!(Filter::everything().and::<u16>().accepts(key()));
        assert!(!Filter::nothing().accepts(key()));
        let filter = Filter::nothing().and::<u8>().and::<String>().and::<u8>();
        assert!(filter.accepts(key()) && filter.accepts(TypeKey::of::<String>()));
        assert!(!filter.accepts(TypeKey::of::<u16>()));
        assert_eq!(filter.to_string(), "2 types");
    }
}
