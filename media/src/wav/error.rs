//! What can be wrong with a WAV file, each with the remedy.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use super::MAX_SECONDS;

/// The file an error is about: its path, or just "the WAV data" when it came by a reader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct File(Option<PathBuf>);

impl File {
    /// The file at `path`.
    pub fn at(path: &Path) -> Self {
        File(Some(path.to_owned()))
    }

    /// Data without a path.
    pub fn unnamed() -> Self {
        File(None)
    }

    /// Its path, if it has one.
    pub fn path(&self) -> Option<&Path> {
        self.0.as_deref()
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(path) => write!(f, "{}", path.display()),
            None => f.write_str("the WAV data"),
        }
    }
}

/// How much of a recording is safe on disk after an error: what its header covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Samples that can be read back.
    pub samples: u64,
    /// Their rate in hertz.
    pub hz: u32,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.samples == 0 {
            return f.write_str("nothing was recorded");
        }
        write!(f, "the first {:.1} s were kept", self.samples as f64 / f64::from(self.hz.max(1)))
    }
}

/// Why a WAV file could not be read or written. Its message says the cause and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    /// Not RIFF/WAVE, or a header that makes no sense.
    #[error("{file} is not a WAV file ({reason}): give a RIFF/WAVE file with PCM samples")]
    NotWav {
        /// Which one.
        file: File,
        /// What was found.
        reason: &'static str,
    },
    /// The file ends before its header says.
    #[error("{file} is truncated, {missing} of its {expected} samples are missing: copy it again")]
    Truncated {
        /// Which one.
        file: File,
        /// Samples (of all channels) that are not there.
        missing: u64,
        /// Samples (of all channels) that the header promises.
        expected: u64,
    },
    /// A WAV file whose samples are neither PCM nor float, or not in a width or number we read.
    #[error(
        "{file} holds {found}: convert it to mono or stereo PCM of 8, 16, 24 or 32 bits, \
         for instance with `sox IN.wav -b 16 -e signed OUT.wav`"
    )]
    Unsupported {
        /// Which one.
        file: File,
        /// What it holds.
        found: String,
    },
    /// A rate beyond what is resampled.
    #[error("{file} has a rate of {hz} Hz: convert it to one of 8000 to 192000 Hz")]
    RateOutOfRange {
        /// Which one.
        file: File,
        /// Its rate.
        hz: u32,
    },
    /// Longer than what is kept in memory.
    #[error("{file} is {seconds} s long: cut it into parts of at most {MAX_SECONDS} s")]
    TooLong {
        /// Which one.
        file: File,
        /// Its length, by its header.
        seconds: u64,
    },
    /// A file to be recorded that is there already.
    #[error("{file} exists already: choose another name, or have it overwritten or gone on with")]
    Exists {
        /// Which one.
        file: File,
    },
    /// A file to go on with that holds something else.
    #[error("{file} holds {found}, not {wanted}: go on in that format, or in another file")]
    Different {
        /// Which one.
        file: File,
        /// What it holds.
        found: String,
        /// What was to be added.
        wanted: String,
    },
    /// There is no such file, or no such folder to write it to.
    #[error("{file} does not exist: check the path")]
    NotFound {
        /// Which one.
        file: File,
    },
    /// The file system refuses.
    #[error("{file} may not be opened: give the user of this process permission to it")]
    NoPermission {
        /// Which one.
        file: File,
    },
    /// No room left while recording.
    #[error("the disk of {file} is full: free some space and record again; {kept}")]
    DiskFull {
        /// Which one.
        file: File,
        /// What is safe.
        kept: Kept,
    },
    /// WAV counts bytes in 32 bits.
    #[error("{file} has reached the 4 GiB that a WAV file can hold: go on in another file; {kept}")]
    TooLarge {
        /// Which one.
        file: File,
        /// What is safe.
        kept: Kept,
    },
    /// Another error while reading.
    #[error("{file} could not be read ({source}): check the disk it is on")]
    Read {
        /// Which one.
        file: File,
        /// The system's word.
        source: io::Error,
    },
    /// Another error while recording.
    #[error("{file} could not be written ({source}): check the disk it is on; {kept}")]
    Write {
        /// Which one.
        file: File,
        /// The system's word.
        source: io::Error,
        /// What is safe.
        kept: Kept,
    },
    /// An earlier write failed, so the file is left as it is.
    #[error("{file} was given up after an error: record to another file; {kept}")]
    GivenUp {
        /// Which one.
        file: File,
        /// What is safe.
        kept: Kept,
    },
}

impl WavError {
    /// An error while opening or reading `file`.
    pub(super) fn reading(file: File, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::NotFound => WavError::NotFound { file },
            io::ErrorKind::PermissionDenied => WavError::NoPermission { file },
            _ => WavError::Read { file, source },
        }
    }

    /// An error while creating or writing `file`.
    pub(super) fn writing(file: File, source: io::Error, kept: Kept) -> Self {
        match source.kind() {
            io::ErrorKind::AlreadyExists => WavError::Exists { file },
            io::ErrorKind::NotFound => WavError::NotFound { file },
            io::ErrorKind::PermissionDenied => WavError::NoPermission { file },
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                WavError::DiskFull { file, kept }
            }
            io::ErrorKind::FileTooLarge => WavError::TooLarge { file, kept },
            _ => WavError::Write { file, source, kept },
        }
    }
}
