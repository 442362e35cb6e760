//! Records that wait to be written, and what becomes of them when that fails.
//!
//! What a store does not take is kept, and tried again after a pause. There is a limit to what is kept:
//! beyond it the newest records are lost, and counted.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use stasis_bus::Stamp;

use super::row::Record;

/// Records that are written in one go.
const MOST_AT_ONCE: usize = 2_000;
/// The pause after the first failure; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often it is tried at the end.
const LAST_TRIES: usize = 20;

/// Where records are written to.
pub(super) trait Store {
    /// Its name, in logs and metrics.
    const NAME: &'static str;

    /// Writes all of them, or none.
    fn write(&mut self, records: &[Record]) -> Result<(), StoreError>;
}

/// Why a store has not taken records.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("{0}")]
    Database(#[from] rusqlite::Error),
    #[error("{0}")]
    File(#[from] io::Error),
}

/// What one store has taken so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Call detail records that were written.
    pub cdr: u64,
    /// Events that were written.
    pub cel: u64,
    /// Records that were lost, because the store has refused for too long.
    pub lost: u64,
    /// Records that wait to be written.
    pub pending: u64,
    /// How often the store has refused.
    pub failures: u64,
}

/// The same, for those who look at it from elsewhere.
#[derive(Debug, Default)]
pub(super) struct Counts {
    cdr: AtomicU64,
    cel: AtomicU64,
    lost: AtomicU64,
    pending: AtomicU64,
    failures: AtomicU64,
}

impl Counts {
    pub(super) fn read(&self) -> StoreStats {
        StoreStats {
            cdr: self.cdr.load(Relaxed),
            cel: self.cel.load(Relaxed),
            lost: self.lost.load(Relaxed),
            pending: self.pending.load(Relaxed),
            failures: self.failures.load(Relaxed),
        }
    }
}

/// A store, and what waits for it.
pub(super) struct Backlog<S> {
    store: S,
    waiting: VecDeque<Record>,
    most: usize,
    counts: Arc<Counts>,
    /// Failures since it has last gone well.
    failures: u32,
    retry_at: Option<Stamp>,
}

impl<S: Store> Backlog<S> {
    /// Keeps at most so many records.
    pub(super) fn new(store: S, most: usize, counts: Arc<Counts>) -> Self {
        let waiting = VecDeque::new();
        Backlog { store, waiting, most: most.max(1), counts, failures: 0, retry_at: None }
    }

    pub(super) fn store(&mut self) -> &mut S {
        &mut self.store
    }

    /// One more record waits, if there is room for it.
    pub(super) fn push(&mut self, record: Record) {
        if self.waiting.len() < self.most {
            self.waiting.push_back(record);
        } else {
            self.lose(1);
        }
        self.counts.pending.store(self.waiting.len() as u64, Relaxed);
    }

    /// When it is to be tried again; none: nothing has failed.
    pub(super) fn retry_at(&self) -> Option<Stamp> {
        self.retry_at
    }

    /// Writes what waits, unless that has failed a moment ago.
    pub(super) fn flush(&mut self, now: Stamp) {
        if self.retry_at.is_some_and(|at| at > now) {
            return;
        }
        while !self.waiting.is_empty() {
            match self.write_some() {
                Ok(()) => self.went_well(),
                Err(error) => return self.went_wrong(now, &error),
            }
        }
    }

    /// Writes what waits; what cannot be written now is lost.
    pub(super) fn finish(&mut self, now: Stamp) {
        for _ in 0..LAST_TRIES {
            self.retry_at = None;
            self.flush(now);
            if self.waiting.is_empty() {
                return;
            }
        }
        let left = self.waiting.len();
        self.waiting.clear();
        self.lose(left as u64);
        self.tell_pending();
        let store = S::NAME;
        tracing::error!(
            store,
            left,
            "call records are lost: they could not be written before the end"
        );
    }

    fn write_some(&mut self) -> Result<(), StoreError> {
        let count = self.waiting.len().min(MOST_AT_ONCE);
        let records = &self.waiting.make_contiguous()[..count];
        self.store.write(records)?;
        let is_cdr = |record: &&Record| matches!(record, Record::Cdr(_));
        let cdr = records.iter().filter(is_cdr).count() as u64;
        let cel = count as u64 - cdr;
        self.waiting.drain(..count);
        self.tell_pending(); // first: nothing is counted twice at any time
        self.counts.cdr.fetch_add(cdr, Relaxed);
        self.counts.cel.fetch_add(cel, Relaxed);
        for (kind, written) in [("cdr", cdr), ("cel", cel)] {
            metrics::counter!("stasis_records_written_total", "kind" => kind, "store" => S::NAME)
                .increment(written);
        }
        Ok(())
    }

    fn went_well(&mut self) {
        self.retry_at = None;
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!(store = S::NAME, "call records are written again");
        }
    }

    fn went_wrong(&mut self, now: Stamp, error: &StoreError) {
        let pause = FIRST_PAUSE.saturating_mul(1 << self.failures.min(10)).min(LONGEST_PAUSE);
        self.retry_at = Some(now + pause);
        self.failures = self.failures.saturating_add(1);
        self.counts.failures.fetch_add(1, Relaxed);
        metrics::counter!("stasis_records_failures_total", "store" => S::NAME).increment(1);
        self.tell_pending();
        let (store, pending) = (S::NAME, self.waiting.len());
        if self.failures == 1 {
            tracing::warn!(store, pending, %error, "call records cannot be written; they are kept and tried again");
        }
    }

    fn lose(&mut self, count: u64) {
        if self.counts.lost.fetch_add(count, Relaxed) == 0 {
            let (store, kept) = (S::NAME, self.most);
            tracing::error!(store, kept, "call records are lost: too many wait to be written");
        }
        metrics::counter!("stasis_records_lost_total", "store" => S::NAME).increment(count);
    }

    fn tell_pending(&self) {
        let pending = self.waiting.len();
        self.counts.pending.store(pending as u64, Relaxed);
        metrics::gauge!("stasis_records_pending", "store" => S::NAME).set(pending as f64);
    }
}
