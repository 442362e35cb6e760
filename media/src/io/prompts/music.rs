//! Music on hold: all the sounds of a folder, over and over.

use std::path::{Path, PathBuf};
use std::{fs, io};

use stasis_bus::Topic;

use super::{MusicFailed, PromptError, Shelves};
use crate::frame::SampleRate;
use crate::id::Target;
use crate::sound::Delivery;
use crate::wav::{ENDINGS, Pcm};

/// A class of music on hold. All of it is in memory while anybody hears it, once for all at one rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MusicClass {
    /// Where its files are; folders in it are not looked into.
    pub directory: PathBuf,
    /// Which comes first.
    pub order: MusicOrder,
}

/// In which order music is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MusicOrder {
    /// By the files' names.
    #[default]
    Sorted,
    /// Anew for each listener by chance; the second time round as the first.
    Shuffled,
}

impl MusicClass {
    /// Its files, in order.
    pub fn files(&self) -> Result<Vec<PathBuf>, PromptError> {
        let directory = self.directory.clone();
        let listed = list(&self.directory);
        let mut files = listed.map_err(|source| PromptError::Folder { directory, source })?;
        if files.is_empty() {
            return Err(PromptError::NoMusic(self.directory.clone()));
        }
        match self.order {
            MusicOrder::Sorted => files.sort_unstable(),
            MusicOrder::Shuffled => fastrand::shuffle(&mut files),
        }
        Ok(files)
    }
}

fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)) && path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// Delivers all that can be read. In the place of others comes a sound of no length.
pub(super) fn deliver(
    shelves: &Shelves,
    files: &[PathBuf],
    rate: SampleRate,
    mut delivery: Delivery,
) -> Result<(), PromptError> {
    let (mut last_error, mut heard) = (None, false);
    for file in files {
        if delivery.is_abandoned() {
            return Ok(());
        }
        let pcm = shelves.file(file, rate).unwrap_or_else(|error| {
            tracing::warn!(file = %file.display(), "a piece of music on hold is left out: {error}");
            last_error = Some(error);
            Pcm::new(rate, [])
        });
        heard |= !pcm.samples().is_empty();
        let _ = delivery.push(pcm); // there is room for all
    }
    match last_error {
        Some(error) if !heard => Err(error),
        _ => Ok(()),
    }
}

/// Delivers, and tells when there was nothing.
pub(super) fn deliver_or_tell(
    shelves: &Shelves,
    (class, files): (MusicClass, Vec<PathBuf>),
    rate: SampleRate,
    delivery: Delivery,
    (target, topic): (Target, Topic),
) {
    if let Err(error) = deliver(shelves, &files, rate, delivery) {
        let (directory, reason) = (class.directory, error.to_string());
        topic.publish(MusicFailed { target, directory, reason });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_has_all_sounds_of_its_folder_in_either_order() {
        let directory = std::env::temp_dir().join(format!("stasis-moh-{}", std::process::id()));
        fs::create_dir_all(directory.join("5.wav")).unwrap();
        for name in ["3.wav", "1.WAV", "2.ulaw", "4.al", "notes.txt", "wav"] {
            fs::write(directory.join(name), []).unwrap();
        }
        let class = |order| MusicClass { directory: directory.clone(), order };
        let sorted = class(MusicOrder::Sorted).files().unwrap();
        let names = ["1.WAV", "2.ulaw", "3.wav", "4.al"].map(|name| directory.join(name));
        assert_eq!(sorted, names);
        let mut orders = std::collections::HashSet::new();
        for _ in 0..200 {
            let mut shuffled = class(MusicOrder::Shuffled).files().unwrap();
            orders.insert(shuffled.clone());
            shuffled.sort_unstable();
            assert_eq!(shuffled, names, "each once");
        }
        assert!(orders.len() > 1);
        fs::remove_dir_all(&directory).unwrap();
    }
}
