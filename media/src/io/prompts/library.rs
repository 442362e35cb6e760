//! Where the files of sounds are: `<folder>/<language>/<name>.<ending>`.
//!
//! A language is looked for before the next one, in all folders and then in the program itself: first what
//! was asked for, then without its region, then the default one, then files beside the folders of
//! languages. So what is in a folder takes the place of what is built in.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::PromptError;
use super::built_in::BuiltIn;
use super::listing::SoundFormat;
use super::place::Place;
use crate::frame::SampleRate;
use crate::sound::{Language, SoundName};
use crate::wav::ENDINGS;

#[derive(Debug)]
pub(super) struct Library {
    pub(super) directories: Vec<PathBuf>,
    pub(super) built_in: BuiltIn,
    pub(super) language: Language,
}

impl Library {
    /// The file of a sound which suits a listener of this rate best.
    pub(super) fn find(
        &self,
        name: &SoundName,
        language: &Language,
        rate: SampleRate,
    ) -> Result<Place, PromptError> {
        let languages = [language, &language.primary(), &self.language, &self.language.primary()];
        let folders = languages.map(|language| format!("{language}/{name}"));
        for below in folders.into_iter().chain([name.to_string()]) {
            for directory in &self.directories {
                if let Some(place) = best(files(&directory.join(&below)), rate) {
                    return Ok(place);
                }
            }
            if let Some(place) = best(self.built_in.with_name(&below), rate) {
                return Ok(place);
            }
        }
        let first = self.directories.first();
        let folder = first.map(|directory| directory.join(language.as_str()));
        Err(PromptError::NotFound { name: name.clone(), language: language.clone(), folder })
    }
}

/// A file by its path, with its ending or without.
pub(super) fn find_file(path: &Path, rate: SampleRate) -> Result<Place, PromptError> {
    if path.is_file() {
        return Ok(Place::File(path.to_owned()));
    }
    best(files(path), rate).ok_or_else(|| PromptError::NoFile(path.to_owned()))
}

/// The files that differ in their endings, those of WAV first.
fn files(stem: &Path) -> Vec<Place> {
    let with = |ending: &str| {
        let mut name = OsString::from(stem);
        name.push(".");
        name.push(ending);
        PathBuf::from(name)
    };
    ENDINGS.map(with).into_iter().filter(|path| path.is_file()).map(Place::File).collect()
}

/// Of the files of a sound: that with the lowest rate of those which have all that the listener can hear,
/// or else with the highest; of those, the first.
fn best(mut found: Vec<Place>, rate: SampleRate) -> Option<Place> {
    if found.len() > 1 {
        // Stable: of the same rate the first ending stays first.
        found.sort_by_cached_key(|place| match place.format().map_or(0, SoundFormat::hz) {
            hz if hz >= rate.hz() => (false, hz),
            hz => (true, u32::MAX - hz),
        });
    }
    found.into_iter().next()
}
