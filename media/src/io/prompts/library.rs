//! Where the files of sounds are: `<folder>/<language>/<name>.<ending>`.
//!
//! A language is looked for before the next one in all folders: first what was asked for, then
//! without its region, then the default one, then files beside the folders of languages.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::PromptError;
use crate::frame::SampleRate;
use crate::sound::{Language, SoundName};
use crate::wav::{ENDINGS, Pcm};

#[derive(Debug)]
pub(super) struct Library {
    pub(super) directories: Vec<PathBuf>,
    pub(super) language: Language,
}

impl Library {
    /// The file of a sound which suits a listener of this rate best.
    pub(super) fn find(
        &self,
        name: &SoundName,
        language: &Language,
        rate: SampleRate,
    ) -> Result<PathBuf, PromptError> {
        let languages = [language, &language.primary(), &self.language, &self.language.primary()];
        let folders = languages.map(|language| Some(language.as_str()));
        for folder in folders.into_iter().chain([None]) {
            for directory in &self.directories {
                let directory = folder.map_or(directory.clone(), |folder| directory.join(folder));
                if let Some(file) = best(&directory.join(name.as_str()), rate) {
                    return Ok(file);
                }
            }
        }
        let first = self.directories.first();
        let folder = first.map(|directory| directory.join(language.as_str()));
        Err(PromptError::NotFound { name: name.clone(), language: language.clone(), folder })
    }
}

/// A file by its path, with its ending or without.
pub(super) fn find_file(path: &Path, rate: SampleRate) -> Result<PathBuf, PromptError> {
    if path.is_file() {
        return Ok(path.to_owned());
    }
    best(path, rate).ok_or_else(|| PromptError::NoFile(path.to_owned()))
}

/// Of the files that differ in their endings: that with the lowest rate of those which have all that
/// the listener can hear, or else with the highest; of those, WAV.
fn best(stem: &Path, rate: SampleRate) -> Option<PathBuf> {
    let with = |ending: &str| {
        let mut name = OsString::from(stem);
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    };
    let mut found: Vec<_> = ENDINGS.map(with).into_iter().filter(|path| path.is_file()).collect();
    if found.len() > 1 {
        // Stable: of the same rate the first ending stays first.
        found.sort_by_cached_key(|path| match Pcm::hz_of(path).unwrap_or(0) {
            hz if hz >= rate.hz() => (false, hz),
            hz => (true, u32::MAX - hz),
        });
    }
    found.into_iter().next()
}
