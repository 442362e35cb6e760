//! The database: one SQLite file with two tables.
//!
//! It is written ahead (WAL), and brought to the disk by checkpoints (`synchronous = NORMAL`): what was
//! committed survives the process; a power failure may take the last seconds, and never the file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};
use stasis_control::records::DateTime;
use stasis_control::records::cdr::CdrRecord;
use stasis_control::records::cel::CelRecord;

use super::RecordsError;
use super::backlog::{Store, StoreError};
use super::row::{CDR_COLUMNS, CEL_COLUMNS, Record, cel_texts};

/// The version of the tables.
const VERSION: i64 = 1;
/// How long is waited at the start for another who writes to the same file.
const BUSY_AT_START: Duration = Duration::from_secs(2);
/// How long later on: messages wait meanwhile, and it is tried again anyway.
const BUSY: Duration = Duration::from_millis(50);
/// Rows of a table that are deleted at once.
const PRUNED_AT_ONCE: usize = 1_000;

/// Version 1. Moments are texts, UTC, which sort as they follow each other.
const SCHEMA: &str = r#"
    CREATE TABLE cdr (
        id INTEGER PRIMARY KEY,
        accountcode TEXT NOT NULL,
        src TEXT NOT NULL,
        dst TEXT NOT NULL,
        dcontext TEXT NOT NULL,
        clid TEXT NOT NULL,
        channel TEXT NOT NULL,
        dstchannel TEXT NOT NULL,
        lastapp TEXT NOT NULL,
        lastdata TEXT NOT NULL,
        start TEXT NOT NULL,
        answer TEXT,
        "end" TEXT NOT NULL,
        duration INTEGER NOT NULL,
        billsec INTEGER NOT NULL,
        disposition TEXT NOT NULL,
        amaflags TEXT NOT NULL,
        uniqueid TEXT NOT NULL,
        linkedid TEXT NOT NULL,
        peeraccount TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        userfield TEXT NOT NULL
    );
    CREATE INDEX cdr_start ON cdr (start);
    CREATE INDEX cdr_uniqueid ON cdr (uniqueid);
    CREATE INDEX cdr_linkedid ON cdr (linkedid);
    CREATE TABLE cel (
        id INTEGER PRIMARY KEY,
        eventtype TEXT NOT NULL,
        eventtime TEXT NOT NULL,
        cid_name TEXT NOT NULL,
        cid_num TEXT NOT NULL,
        cid_ani TEXT NOT NULL,
        cid_rdnis TEXT NOT NULL,
        cid_dnid TEXT NOT NULL,
        exten TEXT NOT NULL,
        context TEXT NOT NULL,
        channame TEXT NOT NULL,
        appname TEXT NOT NULL,
        appdata TEXT NOT NULL,
        accountcode TEXT NOT NULL,
        uniqueid TEXT NOT NULL,
        linkedid TEXT NOT NULL,
        peer TEXT NOT NULL,
        peeraccount TEXT NOT NULL,
        userfield TEXT NOT NULL,
        amaflags TEXT NOT NULL,
        extra TEXT NOT NULL
    );
    CREATE INDEX cel_eventtime ON cel (eventtime);
    CREATE INDEX cel_uniqueid ON cel (uniqueid);
    CREATE INDEX cel_linkedid ON cel (linkedid);
    PRAGMA user_version = 1;
"#;

pub(super) struct Database {
    connection: Connection,
    insert_cdr: String,
    insert_cel: String,
}

impl Database {
    /// Opens the file, and makes it and its tables if they are not there.
    pub(super) fn open(path: &Path) -> Result<Self, RecordsError> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(RecordsError::NoFolder(folder.into()));
        }
        let failed = |source| RecordsError::Database { path: PathBuf::from(path), source };
        let mut connection = Connection::open(path).map_err(failed)?;
        connection.busy_timeout(BUSY_AT_START).map_err(failed)?;
        let found = version(&connection).map_err(failed)?;
        if found > VERSION {
            return Err(RecordsError::NewerDatabase { path: path.into(), found, known: VERSION });
        }
        prepare(&mut connection).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        Ok(Database {
            connection,
            insert_cdr: insert("cdr", &CDR_COLUMNS),
            insert_cel: insert("cel", &CEL_COLUMNS),
        })
    }

    /// Deletes some of what is older than so many days. Says whether there may be more of it.
    pub(super) fn prune(&mut self, days: u32) -> rusqlite::Result<bool> {
        let mut is_more = false;
        for (table, moment) in [("cdr", "start"), ("cel", "eventtime")] {
            let old = format!(
                "DELETE FROM {table} WHERE id IN (SELECT id FROM {table} \
                 WHERE {moment} < datetime('now', ?1) ORDER BY {moment} LIMIT {PRUNED_AT_ONCE})"
            );
            let age = format!("-{days} days");
            is_more |= self.connection.execute(&old, [age])? == PRUNED_AT_ONCE;
        }
        Ok(is_more)
    }
}

impl Store for Database {
    const NAME: &'static str = "database";

    /// All in one transaction.
    fn write(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let begin = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(begin)?;
        for record in records {
            match record {
                Record::Cdr(record) => write_cdr(&transaction, &self.insert_cdr, record)?,
                Record::Cel(record) => write_cel(&transaction, &self.insert_cel, record)?,
            }
        }
        Ok(transaction.commit()?)
    }
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Sets how it is written, and makes the tables. Fails if nothing can be written.
fn prepare(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "normal")?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    if version(&transaction)? < VERSION {
        transaction.execute_batch(SCHEMA)?;
    }
    transaction.commit()
}

fn insert(table: &str, columns: &[&str]) -> String {
    let names: Vec<_> = columns.iter().map(|column| format!("\"{column}\"")).collect();
    let places = vec!["?"; columns.len()].join(", ");
    format!("INSERT INTO {table} ({}) VALUES ({places})", names.join(", "))
}

fn write_cdr(to: &Transaction<'_>, insert: &str, record: &CdrRecord) -> rusqlite::Result<()> {
    let moment = |at| DateTime(at).to_string();
    to.prepare_cached(insert)?.execute(params![
        record.accountcode,
        record.src,
        record.dst,
        record.dcontext,
        record.clid,
        record.channel,
        record.dstchannel,
        record.lastapp,
        record.lastdata,
        moment(record.start),
        record.answer.map(moment),
        moment(record.end),
        record.duration as i64,
        record.billsec as i64,
        record.disposition.name(),
        record.amaflags.name(),
        record.uniqueid,
        record.linkedid,
        record.peeraccount,
        record.sequence as i64,
        record.userfield,
    ])?;
    Ok(())
}

fn write_cel(to: &Transaction<'_>, insert: &str, record: &CelRecord) -> rusqlite::Result<()> {
    to.prepare_cached(insert)?.execute(rusqlite::params_from_iter(cel_texts(record)))?;
    Ok(())
}
