//! Records as CSV: `cdr.csv` and `cel.csv`, appended to.
//!
//! The files are opened for each batch, so that somebody may move them away at any time; the next batch makes
//! new ones. A batch that could not be written as a whole leaves nothing of itself in the file.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::RecordsError;
use super::backlog::{Store, StoreError};
use super::row::{Record, cel_texts};

pub(super) struct CsvFiles {
    cdr: PathBuf,
    cel: PathBuf,
}

impl CsvFiles {
    /// In this folder. Makes the files if they are not there.
    pub(super) fn open(folder: &Path) -> Result<Self, RecordsError> {
        if !folder.is_dir() {
            return Err(RecordsError::NoFolder(folder.into()));
        }
        let files = CsvFiles { cdr: folder.join("cdr.csv"), cel: folder.join("cel.csv") };
        for path in [&files.cdr, &files.cel] {
            let failed = |source| RecordsError::Csv { path: path.clone(), source };
            end_last_row(path).map_err(failed)?;
        }
        Ok(files)
    }
}

impl Store for CsvFiles {
    const NAME: &'static str = "csv";

    fn write(&mut self, records: &[Record]) -> Result<(), StoreError> {
        let (mut cdr, mut cel) = (String::new(), csv::Writer::from_writer(Vec::new()));
        for record in records {
            match record {
                Record::Cdr(record) => {
                    cdr.push_str(&record.csv_row());
                    cdr.push('\n');
                }
                Record::Cel(record) => {
                    cel.write_record(cel_texts(record)).map_err(io::Error::from)?
                }
            }
        }
        let cel = cel.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
        let before = append(&self.cdr, cdr.as_bytes())?;
        if let Err(error) = append(&self.cel, &cel) {
            // Both or neither: the batch comes again.
            open(&self.cdr)?.set_len(before)?;
            return Err(error.into());
        }
        Ok(())
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).open(path)
}

/// Appends all of this, or nothing. Gives how long the file was before.
fn append(path: &Path, rows: &[u8]) -> io::Result<u64> {
    let mut file = open(path)?;
    let before = file.metadata()?.len();
    file.write_all(rows).inspect_err(|_| {
        let _ = file.set_len(before); // if that fails as well, there is a torn row
    })?;
    Ok(before)
}

/// A row that a crash has torn does not take the next one with it.
fn end_last_row(path: &Path) -> io::Result<()> {
    let mut file = open(path)?;
    if file.metadata()?.len() > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            file.write_all(b"\n")?;
        }
    }
    Ok(())
}
