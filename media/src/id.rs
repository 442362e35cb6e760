//! Names of legs, bridges, playbacks and recordings.

use std::fmt;

/// Where an object is in its arena, and which of those that have been there it is: a name that is
/// never used twice, and is found without a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) slot: u32,
    pub(crate) serial: u32,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $word:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub(crate) Key);

        impl $name {
            /// The name from its parts: the arena's slot, and a serial number that is new for
            /// each object.
            pub const fn new(slot: u32, serial: u32) -> Self {
                $name(Key { slot, serial })
            }

            /// Its serial number.
            pub const fn serial(self) -> u32 {
                self.0.serial
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($word, "-{}"), self.0.serial)
            }
        }
    };
}

id! {
    /// Names a leg: one party's connection to the engine.
    LegId, "leg"
}
id! {
    /// Names a bridge.
    BridgeId, "bridge"
}
id! {
    /// Names a playback.
    PlaybackId, "playback"
}

id! {
    /// Names a recording.
    RecordingId, "recording"
}

impl LegId {
    /// Its place in the arena.
    pub(crate) const fn slot(self) -> usize {
        self.0.slot as usize
    }
}

/// Objects by [`Key`], with room for a fixed number: never allocates after it was made.
pub(crate) struct Arena<T> {
    slots: Box<[Slot<T>]>,
}

/// An object with its serial number.
type Slot<T> = Option<(u32, Box<T>)>;

impl<T> Arena<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        Arena { slots: (0..capacity).map(|_| None).collect() }
    }

    /// Puts `object` in its slot; gives it back when the slot is taken or does not exist.
    pub(crate) fn insert(&mut self, key: Key, object: Box<T>) -> Result<(), Box<T>> {
        match self.slots.get_mut(key.slot as usize) {
            Some(slot @ None) => {
                *slot = Some((key.serial, object));
                Ok(())
            }
            _ => Err(object),
        }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        match self.slots.get(key.slot as usize)? {
            Some((serial, object)) if *serial == key.serial => Some(object),
            _ => None,
        }
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        match self.slots.get_mut(key.slot as usize)? {
            Some((serial, object)) if *serial == key.serial => Some(object),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Box<T>> {
        let slot = self.slots.get_mut(key.slot as usize)?;
        slot.take_if(|(serial, _)| *serial == key.serial).map(|(_, object)| object)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.slots.iter_mut().flatten().map(|(_, object)| &mut **object)
    }

    /// Takes out an object of which this is true.
    pub(crate) fn pop_if(&mut self, is_it: impl Fn(&T) -> bool) -> Option<Box<T>> {
        let takes = |slot: &mut Slot<T>| slot.take_if(|(_, object)| is_it(object));
        self.slots.iter_mut().find_map(takes).map(|(_, object)| object)
    }

    /// Takes out any object that is left.
    pub(crate) fn pop(&mut self) -> Option<Box<T>> {
        self.slots.iter_mut().find_map(Option::take).map(|(_, object)| object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arena_knows_an_old_name_from_a_new_one_in_the_same_slot() {
        let mut arena = Arena::new(1);
        let (old, new) = (Key { slot: 0, serial: 1 }, Key { slot: 0, serial: 2 });
        assert!(arena.insert(old, Box::new("old")).is_ok());
        assert!(arena.insert(new, Box::new("new")).is_err(), "taken");
        assert_eq!(arena.remove(old).as_deref(), Some(&"old"));
        assert!(arena.insert(new, Box::new("new")).is_ok());
        assert!(arena.get_mut(old).is_none() && arena.remove(old).is_none());
        assert_eq!(arena.get_mut(new), Some(&mut "new"));
        assert!(arena.insert(Key { slot: 1, serial: 3 }, Box::new("beyond")).is_err());
    }
}
