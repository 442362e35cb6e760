//! Sounds that are part of the program: a folder of sounds in memory, behind all others.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::place::{BuiltInFile, Place};
use crate::wav::ENDINGS;

/// Sounds that are part of the program: the files of a folder of sounds, in memory. They are found as those
/// in folders are, where no folder has the sound in that language. A clone shares them.
///
/// ```
/// use stasis_media::io::{BuiltIn, PromptSettings, Prompts};
/// use stasis_media::frame::SampleRate;
///
/// static SILENT: &[u8] = &[0xFF; 800];
/// let built_in: BuiltIn = [("en/pause.ulaw", SILENT)].into_iter().collect();
/// let prompts = Prompts::new(PromptSettings { built_in, ..Default::default() })?;
/// let pause = prompts.load(&"sound:pause".parse()?, None, SampleRate::Hz8000)?;
/// assert_eq!(pause.samples(), [0; 800]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct BuiltIn {
    files: Arc<BTreeMap<&'static str, &'static [u8]>>,
}

/// Files by their paths, `<language>/<name>.<ending>`, with `/` between and an ending of
/// [`ENDINGS`](crate::wav::ENDINGS) in small letters. Of two with one path the later one stays.
impl FromIterator<(&'static str, &'static [u8])> for BuiltIn {
    fn from_iter<I: IntoIterator<Item = (&'static str, &'static [u8])>>(files: I) -> Self {
        BuiltIn { files: Arc::new(files.into_iter().collect()) }
    }
}

impl BuiltIn {
    /// The files' paths, sorted.
    pub fn paths(&self) -> impl Iterator<Item = &'static str> {
        self.files.keys().copied()
    }

    /// The files of this name, which differ in their endings.
    pub(super) fn with_name(&self, name: &str) -> Vec<Place> {
        let with = |ending: &str| {
            let (path, bytes) = self.files.get_key_value(format!("{name}.{ending}").as_str())?;
            Some(Place::BuiltIn(BuiltInFile { path, bytes }))
        };
        ENDINGS.into_iter().filter_map(with).collect()
    }

    /// All of them.
    pub(super) fn places(&self) -> impl Iterator<Item = (&'static str, Place)> {
        let place = |path, bytes| Place::BuiltIn(BuiltInFile { path, bytes });
        self.files.iter().map(move |(path, bytes)| (*path, place(*path, *bytes)))
    }
}

impl std::fmt::Debug for BuiltIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BuiltIn({} files)", self.files.len())
    }
}
