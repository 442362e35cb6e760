//! Music on hold: all the sounds of a folder, or some by name, over and over.

use std::path::{Path, PathBuf};
use std::{fs, io};

use stasis_bus::Topic;

use super::{MusicFailed, PromptError, Shelves};
use crate::frame::SampleRate;
use crate::id::Target;
use crate::sound::{Delivery, Item, SoundName};
use crate::wav::{ENDINGS, Pcm};

/// A class of music on hold. All of it is in memory while anybody hears it, once for all at one rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MusicClass {
    /// What is played.
    pub source: MusicSource,
    /// Which comes first.
    pub order: MusicOrder,
}

/// What a class of music plays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MusicSource {
    /// All the files of a folder; folders in it are not looked into.
    Directory(PathBuf),
    /// Sounds by their names, in the default language: from folders of sounds, or built in.
    Sounds(Vec<SoundName>),
}

/// In which order music is played.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MusicOrder {
    /// Files by their names, sounds as they are given.
    #[default]
    Sorted,
    /// Anew for each listener by chance; the second time round as the first.
    Shuffled,
}

impl MusicClass {
    /// What it plays, in order. Lists the folder: this blocks for that.
    ///
    /// # Errors
    /// [`PromptError::Folder`] or [`PromptError::NoMusic`] when the folder has nothing to read,
    /// [`PromptError::Nothing`] when there is no name.
    pub fn items(&self) -> Result<Vec<Item>, PromptError> {
        let mut items = match &self.source {
            MusicSource::Directory(directory) => files(directory)?,
            MusicSource::Sounds(names) if names.is_empty() => return Err(PromptError::Nothing),
            MusicSource::Sounds(names) => names.iter().cloned().map(Item::Sound).collect(),
        };
        if self.order == MusicOrder::Shuffled {
            fastrand::shuffle(&mut items);
        }
        Ok(items)
    }
}

/// The files of a folder, by their names.
fn files(directory: &Path) -> Result<Vec<Item>, PromptError> {
    let folder = |source| PromptError::Folder { directory: directory.to_owned(), source };
    let mut files = list(directory).map_err(folder)?;
    if files.is_empty() {
        return Err(PromptError::NoMusic(directory.to_owned()));
    }
    files.sort_unstable();
    Ok(files.into_iter().map(Item::File).collect())
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
    items: &[Item],
    rate: SampleRate,
    mut delivery: Delivery,
) -> Result<(), PromptError> {
    let (mut last_error, mut heard) = (None, false);
    for item in items {
        if delivery.is_abandoned() {
            return Ok(());
        }
        let pcm = shelves.load(item, None, rate).unwrap_or_else(|error| {
            tracing::warn!(%item, "a piece of music on hold is left out: {error}");
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
    (class, items): (MusicClass, Vec<Item>),
    rate: SampleRate,
    delivery: Delivery,
    (target, topic): (Target, Topic),
) {
    if let Err(error) = deliver(shelves, &items, rate, delivery) {
        let (source, reason) = (class.source, error.to_string());
        topic.publish(MusicFailed { target, source, reason });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(class: &MusicClass) -> Vec<String> {
        class.items().unwrap().iter().map(Item::to_string).collect()
    }

    #[test]
    fn sounds_by_name_are_played_as_they_are_given() {
        let class = |names: &[&str]| {
            let names = names.iter().map(|name| name.parse().unwrap()).collect();
            MusicClass { source: MusicSource::Sounds(names), order: MusicOrder::Sorted }
        };
        assert_eq!(written(&class(&["music/b", "a"])), ["sound:music/b", "sound:a"]);
        assert!(matches!(class(&[]).items(), Err(PromptError::Nothing)));
    }

    #[test]
    fn a_class_has_all_sounds_of_its_folder_in_either_order() {
        let directory = std::env::temp_dir().join(format!("stasis-moh-{}", std::process::id()));
        fs::create_dir_all(directory.join("5.wav")).unwrap();
        for name in ["3.wav", "1.WAV", "2.ulaw", "4.al", "notes.txt", "wav"] {
            fs::write(directory.join(name), []).unwrap();
        }
        let source = MusicSource::Directory(directory.clone());
        let items = |order| written(&MusicClass { source: source.clone(), order });
        let names = ["1.WAV", "2.ulaw", "3.wav", "4.al"];
        let names = names.map(|name| format!("sound:{}", directory.join(name).display()));
        assert_eq!(items(MusicOrder::Sorted), names);
        let mut orders = std::collections::HashSet::new();
        for _ in 0..200 {
            let mut shuffled = items(MusicOrder::Shuffled);
            orders.insert(shuffled.clone());
            shuffled.sort_unstable();
            assert_eq!(shuffled, names, "each once");
        }
        assert!(orders.len() > 1);
        fs::remove_dir_all(&directory).unwrap();
    }
}
