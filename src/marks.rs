//! Marks: which subscriptions have something to do.
//!
//! A subscription owns one bit of a page. Setting it is two atomic ORs, whoever sets it, so a
//! real-time publisher can; a worker looks at one summary word a page (4,096 subscriptions) and
//! never scans the rings. A bit is set only on the way from asleep to busy (`gate`).
//!
//! Order: the setter writes the word, then the summary; the taker clears the summary, then reads
//! the words. So a bit that the taker misses has its summary bit set after the taker cleared it.

use crate::sync::{AcqRel, Acquire, Arc, AtomicU64, Release, broken, order};

const WORDS: usize = 64;

/// Subscriptions that share a page.
pub const PAGE: usize = WORDS * 64;

/// The marks of [`PAGE`] subscriptions.
pub struct Page {
    /// Bit `w`: word `w` may have bits.
    summary: AtomicU64,
    words: [AtomicU64; WORDS],
}

impl Page {
    /// A page without marks.
    pub fn new() -> Self {
        Page { summary: AtomicU64::new(0), words: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// Whether any mark may be set.
    pub fn is_marked(&self) -> bool {
        self.summary.load(Acquire) != 0
    }

    /// Takes all marks off and names them, lowest first.
    pub fn take(&self, mut found: impl FnMut(usize)) {
        // Pairs with the OR on the summary in `set`: the word's bit is there.
        // (Loom runs the two ORs of a thread in order, so it could not tell if this were relaxed.)
        let mut summary = self.summary.swap(0, AcqRel);
        while summary != 0 {
            let word = summary.trailing_zeros() as usize;
            summary &= summary - 1;
            // Acquire: pairs with the OR on the word in `set`: what was published is there.
            let mut bits = self.words[word].swap(0, order("marks.take.acquire", AcqRel));
            while bits != 0 {
                found(word * 64 + bits.trailing_zeros() as usize);
                bits &= bits - 1;
            }
        }
    }
}

/// The bit of one subscription.
pub struct Mark {
    page: Arc<Page>,
    index: usize,
}

impl Mark {
    /// Bit `index` (below [`PAGE`]) of `page`.
    pub fn new(page: Arc<Page>, index: usize) -> Self {
        assert!(index < PAGE, "a page has {PAGE} marks");
        Mark { page, index }
    }

    /// Sets it. Wait-free.
    pub fn set(&self) {
        let word = self.index / 64;
        if broken("marks.set.order") {
            self.page.summary.fetch_or(1 << word, Release);
        }
        // Pairs with the swap of the word in `take`.
        let release = order("marks.set.release", Release);
        self.page.words[word].fetch_or(1 << (self.index % 64), release);
        if !broken("marks.set.order") {
            // Pairs with the swap of the summary in `take`.
            self.page.summary.fetch_or(1 << word, Release);
        }
    }
}
