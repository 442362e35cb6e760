//! The file of a recording: how it is opened, and how it is taken back.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::IfExists;
use crate::frame::SampleRate;
use crate::wav::{WavError, WavFormat, WavWriter};

/// The beginning of a file, in which its header is.
const BEGINNING: u64 = 1 << 17;

/// A file that is being recorded to.
pub(super) struct RecordFile {
    path: PathBuf,
    pub(super) writer: WavWriter<File>,
    /// What was there before: the beginning, and the length of it all.
    before: Option<(Vec<u8>, u64)>,
}

impl RecordFile {
    /// A new file at `path`. An existing one is kept, or emptied.
    pub(super) fn create(
        path: &Path,
        format: WavFormat,
        rate: SampleRate,
        if_exists: IfExists,
    ) -> Result<Self, WavError> {
        let writer = match if_exists {
            IfExists::Fail => WavWriter::create_new(path, format, rate),
            IfExists::Overwrite | IfExists::Append => WavWriter::create(path, format, rate),
        };
        Ok(RecordFile { path: path.to_owned(), writer: writer?, before: None })
    }

    /// Goes on in the file at `path`; none when there is none.
    pub(super) fn append(path: &Path, format: WavFormat) -> Result<Option<Self>, WavError> {
        let before = match beginning(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            // Said better by what opens it to write.
            Err(_) => None,
            Ok(before) => Some(before),
        };
        let writer = WavWriter::append(path, format)?;
        Ok(Some(RecordFile { path: path.to_owned(), writer, before }))
    }

    /// The rate of what goes into it.
    pub(super) fn rate(&self) -> Option<SampleRate> {
        SampleRate::from_hz(self.writer.hz()).ok()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Completes it.
    pub(super) fn finish(self) -> Result<(), WavError> {
        self.writer.finish().map(drop)
    }

    /// Takes it back: it is gone, or as it was before.
    pub(super) fn discard(self) -> io::Result<()> {
        let RecordFile { path, writer, before } = self;
        drop(writer);
        let Some((beginning, len)) = before else { return fs::remove_file(path) };
        let mut file = OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&beginning)
    }
}

fn beginning(path: &Path) -> io::Result<(Vec<u8>, u64)> {
    let file = File::open(path)?;
    let len = file.metadata()?.len();
    let mut bytes = Vec::new();
    file.take(BEGINNING).read_to_end(&mut bytes)?;
    Ok((bytes, len))
}
