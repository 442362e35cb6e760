//! Where the file of a sound is: in a folder, or in the program itself.

use std::fs;
use std::hash::{Hash, Hasher};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::listing::SoundFormat;
use crate::codec::Codec;
use crate::frame::SampleRate;
use crate::wav::{File, Pcm, WavError};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    File(PathBuf),
    BuiltIn(BuiltInFile),
}

/// A file that is part of the program. It is known by its path alone.
#[derive(Clone, Copy)]
pub(super) struct BuiltInFile {
    pub(super) path: &'static str,
    pub(super) bytes: &'static [u8],
}

/// Tells a file from what it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileStamp {
    pub(super) modified: Option<SystemTime>,
    pub(super) size: u64,
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Place::File(path) => path,
            Place::BuiltIn(file) => Path::new(file.path),
        }
    }

    /// How an error names it.
    pub(super) fn file(&self) -> File {
        File::at(self.path())
    }

    /// Its stamp as it is now; none when there is no file.
    pub(super) fn stamp(&self) -> Option<FileStamp> {
        match self {
            Place::File(path) => {
                let data = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
                Some(FileStamp { modified: data.modified().ok(), size: data.len() })
            }
            Place::BuiltIn(file) => {
                Some(FileStamp { modified: None, size: file.bytes.len() as u64 })
            }
        }
    }

    pub(super) fn read(&self, rate: SampleRate) -> Result<Pcm, WavError> {
        match self {
            Place::File(path) => Pcm::load(path, rate),
            Place::BuiltIn(file) => Pcm::read_as(self.path(), file.bytes, rate),
        }
    }

    /// What it is, by its ending and its header; none when it is nothing that is read.
    pub(super) fn format(&self) -> Option<SoundFormat> {
        if let Some(law) = Pcm::raw_law(self.path()) {
            let is_ulaw = law == Codec::PCMU;
            return Some(if is_ulaw { SoundFormat::Ulaw } else { SoundFormat::Alaw });
        }
        let hz = match self {
            Place::File(path) => Pcm::hz_of(BufReader::new(fs::File::open(path).ok()?)),
            Place::BuiltIn(file) => Pcm::hz_of(file.bytes),
        };
        hz.map(|hz| SoundFormat::Wav { hz })
    }
}

impl PartialEq for BuiltInFile {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for BuiltInFile {}

impl Hash for BuiltInFile {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.path.hash(state);
    }
}

impl std::fmt::Debug for BuiltInFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({} bytes)", self.path, self.bytes.len())
    }
}
