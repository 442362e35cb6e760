//! A value that is replaced as a whole, and read by everybody who publishes.
//!
//! Ordinary publishers read it through arc-swap, counted. arc-swap frees on the reader, allocates
//! at a thread's first look, and costs two locked instructions: so real-time publishers read the
//! same value in a pass (`ring::shown`), which costs nothing and leaves nothing to free.

use crate::ring::{Pass, Readers, Shown};
use crate::sync::{Arc, ArcSwap};

/// The value that is current, and replaced under the bus's control lock.
pub(crate) struct Current<T> {
    counted: ArcSwap<T>,
    shown: Shown<T>,
}

/// How a publisher reads.
pub(crate) enum Reading<'a> {
    /// Counted.
    Counted,
    /// In a pass, which replaced values outlive.
    Passing(&'a Pass<'a>),
}

impl<T: Default + Send + Sync + 'static> Current<T> {
    /// With a first value.
    pub(crate) fn new(readers: &Readers) -> Self {
        let value = Arc::new(T::default());
        Current { counted: ArcSwap::new(value.clone()), shown: readers.show(value) }
    }

    /// Puts `value` in the place of the one before, and gives that.
    pub(crate) fn replace(&self, value: Arc<T>, readers: &mut Readers) -> Arc<T> {
        readers.replace(&self.shown, value.clone());
        self.counted.swap(value)
    }

    /// The value now, for those who may free it.
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<T>> {
        self.counted.load()
    }

    /// Calls `read` with the value now.
    #[inline]
    pub(crate) fn read<R>(&self, reading: &Reading<'_>, read: impl FnOnce(&T) -> R) -> R {
        if let Reading::Passing(pass) = reading
            && let Some(value) = self.shown.read(pass)
        {
            return read(value);
        }
        read(&self.counted.load())
    }
}
