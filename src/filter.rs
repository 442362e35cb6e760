//! Filters: which message types a subscription accepts. Applied before its ring.

use std::any::{Any, TypeId};
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

/// What a subscription accepts: everything, until types are named.
#[derive(Clone, Default)]
pub(crate) struct Filter {
    /// Empty: everything.
    types: Vec<TypeId>,
    bits: u64,
}

impl Filter {
    pub(crate) fn add<T: Any>(&mut self) {
        let key = TypeKey::of::<T>();
        self.types.push(key.id);
        self.bits |= key.bit;
    }

    #[inline]
    pub(crate) fn accepts(&self, key: TypeKey) -> bool {
        self.types.is_empty() || (self.bits & key.bit != 0 && self.types.contains(&key.id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_without_types_accepts_everything_and_one_with_types_only_those() {
        let mut filter = Filter::default();
        assert!(filter.accepts(TypeKey::of::<u8>()));
        filter.add::<u8>();
        filter.add::<String>();
        assert!(filter.accepts(TypeKey::of::<u8>()));
        assert!(filter.accepts(TypeKey::of::<String>()));
        assert!(!filter.accepts(TypeKey::of::<u16>()));
    }
}
