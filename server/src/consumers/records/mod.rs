//! Call records on disk: one thread writes call detail records and the event log.
//!
//! It listens to `channel:all`, `bridge:all` and `stasis:all` on one topic, so that it is told everything
//! in the order that it has happened. The state machines of the call model make records of it; these wait for
//! a batch to be full or old enough, and are written in one transaction. Nothing of it holds up a call: while
//! a disk is full or slow, records wait in memory, and beyond a limit they are lost and counted.
//!
//! A crash of the process loses the messages that were not taken yet, and the records of the batch that was not
//! written: fewer than `batch_records`, and none that is older than `batch_ms`. Dropping [`Records`] writes
//! everything.

mod backlog;
mod csv_files;
mod database;
mod row;
mod settings;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use stasis_bus::{Bus, Filter};
use stasis_control::State;
use stasis_control::bridge::BridgeUpdate;
use stasis_control::channel::ChannelUpdate;
use stasis_control::message::{
    ApplicationEvent, BridgeEvent, ChannelEvent, Dial, PlaybackEvent, UserEvent, VariableSet,
};

use self::backlog::Counts;
pub use self::backlog::StoreStats;
use self::csv_files::CsvFiles;
use self::database::Database;
pub use self::settings::{CdrOptions, CelOptions, Choice, RecordSettings};
use self::writer::{LookedUp, Writer};
use super::feed::{Consumer, Feed, FeedError, Work};

/// Call records could not be started.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// A folder is not there: make it, or name another.
    #[error("there is no folder {0:?} for call records: make it, or name another one")]
    NoFolder(PathBuf),
    /// The database cannot be opened or written.
    #[error(
        "cannot use {path:?} for call records: {source}; name a file and a folder that can be written"
    )]
    Database {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// The database was written by a newer server: use that, or another file.
    #[error(
        "{path:?} has version {found}, and {known} is the newest known: use a newer server or another file"
    )]
    NewerDatabase {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// A CSV file cannot be written.
    #[error("cannot append call records to {path:?}: {source}; it and its folder must be writable")]
    Csv {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// There is no such event in the event log.
    #[error("{0:?} is no event of the event log: write \"all\", or names as in docs/records.md")]
    UnknownEvent(String),
    /// It cannot be fed.
    #[error("no call records: {0}")]
    Feed(#[from] FeedError),
}

/// What was written and lost so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordStats {
    /// The database.
    pub database: StoreStats,
    /// The CSV files.
    pub csv: StoreStats,
    /// Messages of the bus that were lost because the writer could not keep up: records may be poorer.
    pub missed_messages: u64,
}

#[derive(Debug, Default)]
struct AllCounts {
    database: Arc<Counts>,
    csv: Arc<Counts>,
    missed: AtomicU64,
}

/// The writer of call records. Dropping it writes all that was published until then: of calls that are still
/// on, the call detail records as far as they have come.
pub struct Records {
    counts: Arc<AllCounts>,
    _consumer: Option<Consumer>,
}

impl Records {
    /// Opens the files and begins to write.
    ///
    /// # Errors
    /// [`RecordsError`] when a file cannot be used, or there is no thread for it.
    pub fn start(
        bus: &Bus,
        state: &State,
        settings: &RecordSettings,
    ) -> Result<Self, RecordsError> {
        let counts = Arc::<AllCounts>::default();
        if !settings.enabled {
            return Ok(Records { counts, _consumer: None });
        }
        settings.cel.settings()?;
        let database = Database::open(&settings.database)?;
        let csv = settings.csv.as_deref().map(CsvFiles::open).transpose()?;
        let topics = ["channel:all", "bridge:all", "stasis:all"];
        let feed = Feed::new(bus, Writer::NAME, &topics)?;
        let writer = Writer::new(
            (bus.clock(), state.clone(), feed.topic().clone()),
            settings,
            (database, csv),
            counts.clone(),
        )?;
        let consumer = Consumer::start(feed, filter(), writer)?;
        Ok(Records { counts, _consumer: Some(consumer) })
    }

    /// What was written and lost so far.
    pub fn stats(&self) -> RecordStats {
        RecordStats {
            database: self.counts.database.read(),
            csv: self.counts.csv.read(),
            missed_messages: self.counts.missed.load(Relaxed),
        }
    }
}

/// What records are made of.
fn filter() -> Filter {
    Filter::nothing()
        .and::<ChannelUpdate>()
        .and::<ChannelEvent>()
        .and::<Dial>()
        .and::<BridgeUpdate>()
        .and::<BridgeEvent>()
        .and::<ApplicationEvent>()
        .and::<PlaybackEvent>()
        .and::<UserEvent>()
        .and::<VariableSet>()
        .and::<LookedUp>()
}
