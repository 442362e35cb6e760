//! Shown values: what the control side replaces while real-time readers read it, who may neither
//! wait nor free, nor pay a locked instruction for each look.
//!
//! **A reader** has a beat, a counter that is odd while it is inside a [`Pass`]. It makes the beat
//! odd, passes the light side of an asymmetric fence, reads the pointer, uses the value, and makes
//! the beat even again: plain loads and stores, all of them.
//!
//! **The control side** puts another value in the place and keeps the old one: it passes the heavy
//! side of the fence and looks at every beat. Who is even has not seen the old value, or is done
//! with it: whoever begins a pass later sees the new one. Who is odd may be using it, until its beat
//! changes. When nobody like that is left, the control side may let go of the old value.
//!
//! Others may hold counted references to the same value (publishers that are not real-time read it
//! through arc-swap, which frees on the reader): an old value also waits until ours is the last.

use core::marker::PhantomData;

use crossbeam_utils::CachePadded;

use crate::asymmetric::Asymmetric;
use crate::sync::{AcqRel, Acquire, Arc, AtomicPtr, AtomicU64, Relaxed, Release, broken, order};

type Beat = CachePadded<AtomicU64>;

/// The control side: all real-time readers of values that belong together, and the values that
/// some of them may still be reading.
pub struct Readers {
    fences: Asymmetric,
    /// Tells these readers from others.
    name: Arc<()>,
    beats: Vec<Arc<Beat>>,
    old: Vec<Old>,
}

/// A value that was replaced.
struct Old {
    value: Unread,
    /// Who was inside a pass after it was replaced, and at which beat; `None`: not asked yet.
    waits: Option<Vec<(Arc<Beat>, u64)>>,
}

impl Readers {
    /// Without any reader.
    pub fn new() -> Self {
        Readers {
            fences: Asymmetric::new(),
            name: Arc::new(()),
            beats: Vec::new(),
            old: Vec::new(),
        }
    }

    /// One more reader.
    pub fn admit(&mut self) -> Reader {
        let beat = Arc::new(CachePadded::new(AtomicU64::new(0)));
        self.beats.push(beat.clone());
        Reader { fences: self.fences, of: self.name.clone(), beat }
    }

    /// A place with `value` for these readers.
    pub fn show<T>(&self, value: Arc<T>) -> Shown<T> {
        let now = AtomicPtr::new(Arc::into_raw(value).cast_mut());
        Shown { of: self.name.clone(), now, owns: PhantomData }
    }

    /// Shows `value` in the place of what is there.
    ///
    /// # Panics
    /// When the place is other readers'.
    pub fn replace<T: Send + Sync + 'static>(&mut self, shown: &Shown<T>, value: Arc<T>) {
        assert!(Arc::ptr_eq(&self.name, &shown.of), "nobody else can know who reads it");
        let value = Arc::into_raw(value).cast_mut();
        // Release: pairs with the load in `read`. Acquire: the value comes back to be dropped here.
        let before = shown.now.swap(value, order("shown.replace.release", AcqRel));
        // SAFETY: it came from `Arc::into_raw` in `show` or here, and is taken back once.
        let value = unsafe { Arc::from_raw(before) };
        self.old.push(Old { value: Unread(Box::new(value)), waits: None });
    }

    /// Old values that nobody reads any more, for the caller to drop after it has let go of its
    /// lock: what they hold may end with them, and with that run code of the user's.
    #[must_use]
    pub fn unread(&mut self) -> Vec<Unread> {
        self.beats.retain_mut(|beat| Arc::get_mut(beat).is_none()); // whose reader is there
        self.ask();
        let is_unread = |old: &mut Old| {
            let Some(waits) = &mut old.waits else { return false };
            // Acquire: pairs with the Releases at the end of the pass and in `enter`.
            waits.retain(|(beat, seen)| beat.load(order("shown.wait.acquire", Acquire)) == *seen);
            waits.is_empty() && old.value.0.is_last()
        };
        self.old.extract_if(.., is_unread).map(|old| old.value).collect()
    }

    /// Notes for each old value that is new here who may be reading it.
    fn ask(&mut self) {
        if self.old.iter().all(|old| old.waits.is_some()) {
            return;
        }
        // Pairs with the light fence in `enter`. Where it is refused, nothing is known: ask again.
        if !self.beats.is_empty() && !broken("shown.ask.fence") && !self.fences.heavy() {
            return;
        }
        // Acquire: pairs with the Releases in `enter` and at the end of a pass.
        let now = |beat: &Beat| beat.load(order("shown.ask.acquire", Acquire));
        let beats = self.beats.iter().map(|beat| (beat.clone(), now(beat)));
        let inside: Vec<_> =
            beats.filter(|(_, now)| now % 2 == 1 && !broken("shown.ask.inside")).collect();
        let new = self.old.iter_mut().filter(|old| old.waits.is_none());
        new.for_each(|old| old.waits = Some(inside.clone()));
    }

    /// Whether there are old values.
    pub fn has_old(&self) -> bool {
        !self.old.is_empty()
    }
}

impl Default for Readers {
    fn default() -> Self {
        Readers::new()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.old.iter_mut().for_each(|old| old.waits = None);
        self.beats.retain_mut(|beat| Arc::get_mut(beat).is_none());
        if !self.beats.is_empty() {
            // Nobody is left to ask when a reader is done: rather leak than free under its hands.
            self.old.drain(..).for_each(|old| core::mem::forget(old.value));
        }
    }
}

/// A value that was replaced and that nobody reads any more: drop it.
pub struct Unread(Box<dyn Replaced>);

/// Our reference to a value that was replaced.
trait Replaced: Send {
    /// Whether nobody else has one.
    fn is_last(&self) -> bool;
}

impl<T: Send + Sync> Replaced for Arc<T> {
    fn is_last(&self) -> bool {
        Arc::strong_count(self) == 1
    }
}

/// A reader: one thread's at a time.
pub struct Reader {
    fences: Asymmetric,
    of: Arc<()>,
    beat: Arc<Beat>,
}

impl Reader {
    /// Begins a pass.
    #[inline]
    pub fn enter(&mut self) -> Pass<'_> {
        // Odd, and another one than ever before, also when a pass was forgotten and not dropped.
        let now = (self.beat.load(Relaxed) + 1) | 1; // Relaxed: nobody else writes it
        // The fence orders it before the reads of this pass. Release, as at the end of a pass: who
        // sees it knows that the pass before is over.
        self.beat.store(now, order("shown.enter.release", Release));
        if !broken("shown.enter.fence") {
            self.fences.light(); // pairs with the heavy fence in `ask`
        }
        Pass { of: &self.of, beat: &self.beat, now }
    }
}

/// A pass of one reader: what it reads meanwhile stays.
pub struct Pass<'a> {
    of: &'a Arc<()>,
    beat: &'a Beat,
    now: u64,
}

impl Drop for Pass<'_> {
    #[inline]
    fn drop(&mut self) {
        // Pairs with the Acquire loads in `ask` and `unread`: our uses come before a value's end.
        self.beat.store(self.now + 1, order("shown.leave.release", Release));
    }
}

/// A place where real-time readers find a value.
pub struct Shown<T> {
    of: Arc<()>,
    now: AtomicPtr<T>,
    /// One reference to what `now` points to.
    owns: PhantomData<Arc<T>>,
}

// SAFETY: it gives out `&T` and holds an `Arc<T>`, which is all that it does with a `T`.
unsafe impl<T: Send + Sync> Send for Shown<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Shown<T> {}

impl<T> Shown<T> {
    /// The value; `None` when the pass is by somebody else's reader, whom nobody would wait for.
    #[inline]
    pub fn read<'a>(&'a self, pass: &'a Pass<'_>) -> Option<&'a T> {
        // Pairs with the Release in `replace`: the value is whole.
        let now = self.now.load(order("shown.read.acquire", Acquire));
        // SAFETY: the reference behind `now` is given up by our drop, which the borrow of us
        // excludes, or by `Readers`, which waits for the end of this pass.
        Arc::ptr_eq(&self.of, pass.of).then(|| unsafe { &*now })
    }
}

impl<T> Drop for Shown<T> {
    fn drop(&mut self) {
        // SAFETY: it came from `Arc::into_raw`, and nobody can take it back or read it after this.
        drop(unsafe { Arc::from_raw(self.now.load(Relaxed)) });
    }
}
