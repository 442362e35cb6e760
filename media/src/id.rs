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

/// Somebody to whom something can be played.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// The party of a leg hears it, and nobody else.
    Leg(LegId),
    /// All in a bridge hear it.
    Bridge(BridgeId),
}

impl From<LegId> for Target {
    fn from(leg: LegId) -> Self {
        Target::Leg(leg)
    }
}

impl From<BridgeId> for Target {
    fn from(bridge: BridgeId) -> Self {
        Target::Bridge(bridge)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Leg(leg) => leg.fmt(f),
            Target::Bridge(bridge) => bridge.fmt(f),
        }
    }
}

impl Key {
    /// Its place in books that are kept by slot.
    pub(crate) const fn slot(self) -> usize {
        self.slot as usize
    }
}

/// Objects by [`Key`], with room for a fixed number: never allocates after it was made. Going through
/// all of them costs nothing for the room that is empty.
pub(crate) struct Arena<T> {
    /// By the slots of the keys: where in `objects` it is.
    places: Box<[u32]>,
    objects: Vec<(Key, Box<T>)>,
}

/// The place of what is not there.
const NOWHERE: u32 = u32::MAX;

impl<T> Arena<T> {
    pub(crate) fn new(capacity: usize) -> Self {
        let places = vec![NOWHERE; capacity].into_boxed_slice();
        Arena { places, objects: Vec::with_capacity(capacity) }
    }

    /// Puts `object` in its slot; gives it back when the slot is taken or does not exist.
    pub(crate) fn insert(&mut self, key: Key, object: Box<T>) -> Result<(), Box<T>> {
        match self.places.get_mut(key.slot as usize) {
            Some(place @ &mut NOWHERE) => {
                *place = self.objects.len() as u32;
                self.objects.push((key, object));
                Ok(())
            }
            _ => Err(object),
        }
    }

    fn place(&self, key: Key) -> Option<usize> {
        let place = *self.places.get(key.slot as usize)? as usize;
        self.objects.get(place).filter(|(here, _)| *here == key).map(|_| place)
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        let (here, object) = self.objects.get(*self.places.get(key.slot as usize)? as usize)?;
        (*here == key).then_some(object)
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        let place = *self.places.get(key.slot as usize)? as usize;
        let (here, object) = self.objects.get_mut(place)?;
        (*here == key).then_some(object)
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<Box<T>> {
        let place = self.place(key)?;
        let (_, object) = self.objects.swap_remove(place);
        self.places[key.slot as usize] = NOWHERE;
        if let Some((moved, _)) = self.objects.get(place) {
            self.places[moved.slot as usize] = place as u32;
        }
        Some(object)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.objects.iter_mut().map(|(_, object)| &mut **object)
    }

    /// Takes out any object that is left.
    pub(crate) fn pop(&mut self) -> Option<Box<T>> {
        let (key, object) = self.objects.pop()?;
        self.places[key.slot as usize] = NOWHERE;
        Some(object)
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

    #[test]
    fn objects_are_found_however_others_come_and_go() {
        let mut arena = Arena::new(5);
        let key = |slot| Key { slot, serial: slot };
        (0..5).for_each(|slot| assert!(arena.insert(key(slot), Box::new(slot)).is_ok()));
        assert_eq!(arena.remove(key(1)).as_deref(), Some(&1));
        assert_eq!(arena.remove(key(4)).as_deref(), Some(&4), "which has taken the place of 1");
        assert!(arena.insert(key(1), Box::new(10)).is_ok());
        let found: Vec<_> = (0..5).map(|slot| arena.get(key(slot)).copied()).collect();
        assert_eq!(found, [Some(0), Some(10), Some(2), Some(3), None]);
        let mut all: Vec<_> = arena.iter_mut().map(|object| *object).collect();
        all.sort_unstable();
        assert_eq!(all, [0, 2, 3, 10]);
        assert_eq!(std::iter::from_fn(|| arena.pop()).count(), 4);
        assert!(arena.get(key(2)).is_none());
    }
}
