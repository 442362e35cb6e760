//! The sounds that have been read: each once for all who hear it.
//!
//! A sound is known by its place, when the file was changed, its size, and the rate. Who asks for one that
//! is being read waits for it. Up to a number of bytes is kept, what was asked for last; a sound that
//! did not fit, or was let go, is still found while anybody plays it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

use super::place::{FileStamp, Place};
use crate::frame::SampleRate;
use crate::wav::{Pcm, WavError, WeakPcm};

/// What the cache of sounds has done, and what is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PromptFigures {
    /// Sounds that are kept.
    pub sounds: usize,
    /// Their bytes.
    pub bytes: usize,
    /// Sounds that were there, or on the way, when they were asked for.
    pub hits: u64,
    /// Files that were read.
    pub loads: u64,
    /// Sounds that made room for others.
    pub evicted: u64,
}

pub(super) struct Cache {
    most_bytes: usize,
    shelf: Mutex<Shelf>,
}

type Key = (Place, SampleRate);
/// Filled by the first who asks for it; the others wait for that.
type Slot = Arc<OnceLock<Result<Pcm, Arc<WavError>>>>;

#[derive(Default)]
struct Shelf {
    entries: HashMap<Key, Entry>,
    /// Those that were read, by when they were last asked for.
    order: BTreeMap<u64, Key>,
    /// Those that are not kept (any more), but may be in use.
    lent: HashMap<Key, (FileStamp, WeakPcm)>,
    last_turn: u64,
    figures: PromptFigures,
}

struct Entry {
    stamp: FileStamp,
    slot: Slot,
    /// Its place in the order, and its bytes; none while it is being read.
    kept: Option<(u64, usize)>,
}

impl Cache {
    pub(super) fn new(most_bytes: usize) -> Self {
        Cache { most_bytes, shelf: Mutex::default() }
    }

    /// The sound of a file that has this stamp now; `load` reads it, if nobody has or does.
    pub(super) fn get(
        &self,
        place: &Place,
        stamp: FileStamp,
        rate: SampleRate,
        load: impl FnOnce() -> Result<Pcm, WavError>,
    ) -> Result<Pcm, Arc<WavError>> {
        let key = (place.clone(), rate);
        let slot = self.shelf().find(&key, stamp, self.most_bytes);
        let mut has_read = false;
        let outcome = slot.get_or_init(|| {
            has_read = true;
            load().map_err(Arc::new)
        });
        if has_read {
            self.shelf().enter(&key, &slot, self.most_bytes);
        }
        outcome.clone()
    }

    pub(super) fn figures(&self) -> PromptFigures {
        let shelf = self.shelf();
        PromptFigures { sounds: shelf.order.len(), ..shelf.figures }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().expect("nothing panics while it is held")
    }
}

impl Shelf {
    /// The place of a sound: it is there, or is being read, or is to be.
    fn find(&mut self, key: &Key, stamp: FileStamp, most_bytes: usize) -> Slot {
        if let Some(entry) = self.entries.get(key).filter(|entry| entry.stamp == stamp) {
            let slot = entry.slot.clone();
            self.figures.hits += 1;
            self.touch(key);
            return slot;
        }
        self.remove(key);
        let slot = Slot::default();
        self.entries.insert(key.clone(), Entry { stamp, slot: slot.clone(), kept: None });
        let lent = self.lent.remove(key).filter(|(before, _)| *before == stamp);
        match lent.and_then(|(_, sound)| sound.upgrade()) {
            Some(pcm) => {
                let _ = slot.set(Ok(pcm)); // nobody else has seen it
                self.enter(key, &slot, most_bytes);
                self.figures.hits += 1;
            }
            None => self.figures.loads += 1,
        }
        slot
    }

    /// A sound was read: it is kept, if it could be read and fits.
    fn enter(&mut self, key: &Key, slot: &Slot, most_bytes: usize) {
        self.lent.retain(|_, (_, sound)| !sound.is_gone());
        // The file may have changed meanwhile, and another be read in its place.
        let Some(entry) = self.entries.get_mut(key).filter(|here| Arc::ptr_eq(&here.slot, slot))
        else {
            return;
        };
        let Some(Ok(pcm)) = slot.get() else {
            self.entries.remove(key);
            return;
        };
        let bytes = size_of_val(pcm.samples());
        if bytes > most_bytes {
            let stamp = entry.stamp;
            self.entries.remove(key);
            self.lent.insert(key.clone(), (stamp, pcm.downgrade()));
            return;
        }
        entry.kept = Some((0, bytes));
        self.figures.bytes += bytes;
        self.touch(key);
        self.make_room(most_bytes);
    }

    /// It was asked for.
    fn touch(&mut self, key: &Key) {
        let Some((turn, _)) = self.entries.get_mut(key).and_then(|entry| entry.kept.as_mut())
        else {
            return;
        };
        self.order.remove(turn);
        self.last_turn += 1;
        *turn = self.last_turn;
        self.order.insert(self.last_turn, key.clone());
    }

    /// Lets go of those that were not asked for for longest.
    fn make_room(&mut self, most_bytes: usize) {
        while self.figures.bytes > most_bytes
            && let Some((_, key)) = self.order.first_key_value()
        {
            let key = key.clone();
            let Some(entry) = self.remove(&key) else { return };
            if let Some(Ok(pcm)) = entry.slot.get() {
                self.lent.insert(key, (entry.stamp, pcm.downgrade()));
            }
            self.figures.evicted += 1;
        }
        // Most were not in use.
        self.lent.retain(|_, (_, sound)| !sound.is_gone());
    }

    fn remove(&mut self, key: &Key) -> Option<Entry> {
        let entry = self.entries.remove(key)?;
        if let Some((turn, bytes)) = entry.kept {
            self.order.remove(&turn);
            self.figures.bytes -= bytes;
        }
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
    use std::thread;
    use std::time::SystemTime;

    const RATE: SampleRate = SampleRate::Hz8000;

    fn stamp(size: u64) -> FileStamp {
        FileStamp { modified: Some(SystemTime::UNIX_EPOCH), size }
    }

    fn place(name: &str) -> Place {
        Place::File(name.into())
    }

    fn sound(bytes: usize) -> Pcm {
        Pcm::new(RATE, vec![1; bytes / 2])
    }

    /// Asks for a sound of so many bytes; whether it was read.
    fn ask(cache: &Cache, name: &str, bytes: usize) -> (Pcm, bool) {
        let mut has_read = false;
        let load = || {
            has_read = true;
            Ok(sound(bytes))
        };
        let pcm = cache.get(&place(name), stamp(bytes as u64), RATE, load).unwrap();
        (pcm, has_read)
    }

    fn is_same(one: &Pcm, other: &Pcm) -> bool {
        std::ptr::eq(one.samples(), other.samples())
    }

    #[test]
    fn all_who_ask_are_given_the_same_sound() {
        let cache = Cache::new(1_000);
        let (first, read) = ask(&cache, "a", 100);
        let (second, again) = ask(&cache, "a", 100);
        assert!(read && !again && is_same(&first, &second));
        let wide = |rate| cache.get(&place("a"), stamp(100), rate, || Ok(sound(200)));
        assert!(!is_same(&wide(SampleRate::Hz16000).unwrap(), &first), "another rate");
        let figures = cache.figures();
        assert_eq!((figures.sounds, figures.bytes, figures.hits, figures.loads), (2, 300, 1, 2));
    }

    #[test]
    fn what_was_not_asked_for_for_longest_makes_room() {
        let cache = Cache::new(300);
        for name in ["a", "b", "c", "a", "d"] {
            ask(&cache, name, 100);
        }
        let there = ["a", "c", "d"].map(|name| ask(&cache, name, 100).1);
        assert_eq!((there, cache.figures().evicted), ([false; 3], 1));
        assert!(ask(&cache, "b", 100).1, "it was let go");
        assert_eq!((cache.figures().sounds, cache.figures().bytes), (3, 300));
        ask(&cache, "e", 300);
        assert_eq!((cache.figures().sounds, cache.figures().bytes), (1, 300));
    }

    #[test]
    fn what_is_not_kept_is_shared_while_it_is_in_use() {
        let cache = Cache::new(100);
        let (large, _) = ask(&cache, "large", 1_000);
        let (small, _) = ask(&cache, "small", 100);
        ask(&cache, "other", 100);
        assert_eq!(cache.figures().sounds, 1);
        for (name, bytes, before) in [("large", 1_000, &large), ("small", 100, &small)] {
            let (again, read) = ask(&cache, name, bytes);
            assert!(!read && is_same(&again, before), "{name}");
        }
        drop(large);
        assert!(ask(&cache, "large", 1_000).1, "nobody had it any more");
        assert_eq!(cache.figures().bytes, 100);
    }

    #[test]
    fn a_file_that_has_changed_is_read_again_and_the_old_sound_is_not_kept() {
        let cache = Cache::new(1_000);
        let (before, _) = ask(&cache, "a", 100);
        let (after, read) = ask(&cache, "a", 102);
        assert!(read && !is_same(&before, &after));
        assert_eq!((cache.figures().sounds, cache.figures().bytes), (1, 102));
    }

    #[test]
    fn an_error_is_told_to_all_who_wait_and_not_kept() {
        let cache = Cache::new(1_000);
        let missing = || Err(WavError::NotFound { file: crate::wav::File::unnamed() });
        assert!(cache.get(&place("a"), stamp(1), RATE, missing).is_err());
        assert!(ask(&cache, "a", 1).1, "it is tried again");
        assert_eq!(cache.figures().sounds, 1);
    }

    #[test]
    fn many_who_ask_at_once_have_it_read_once() {
        let (cache, reads) = (Cache::new(1_000), AtomicUsize::new(0));
        let together = Barrier::new(8);
        let ask = || {
            together.wait();
            let load = || {
                reads.fetch_add(1, Relaxed);
                thread::yield_now();
                Ok(sound(100))
            };
            cache.get(&place("a"), stamp(1), RATE, load).unwrap()
        };
        let all: Vec<Pcm> = thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!((reads.load(Relaxed), cache.figures().hits), (1, 7));
        assert!(all.iter().all(|pcm| is_same(pcm, &all[0])));
    }
}
