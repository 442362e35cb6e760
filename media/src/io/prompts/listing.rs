//! Which sounds there are.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use super::library::Library;
use super::place::Place;
use crate::sound::{Language, SoundName};
use crate::wav::ENDINGS;

/// So many folders below that of a language are looked into: one may lead back to itself.
const DEEPEST: usize = 16;

/// A sound that is there in a language.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedSound {
    /// Its name.
    pub name: SoundName,
    /// The language, by its folder. Of files beside the folders of languages, the default one.
    pub language: Language,
    /// What there is of it in the folder that it is taken from, sorted, each once.
    pub formats: Vec<SoundFormat>,
}

/// What a file of a sound is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SoundFormat {
    /// WAV, whatever its samples are.
    Wav {
        /// Its rate, in hertz.
        hz: u32,
    },
    /// The bytes of µ-law alone, at 8,000 Hz.
    Ulaw,
    /// The bytes of A-law alone, at 8,000 Hz.
    Alaw,
}

impl SoundFormat {
    /// Its rate, in hertz.
    pub fn hz(self) -> u32 {
        match self {
            SoundFormat::Wav { hz } => hz,
            SoundFormat::Ulaw | SoundFormat::Alaw => 8_000,
        }
    }
}

type Key = (SoundName, Language);
/// The files of a sound in one folder, and whether they are beside the folders of languages.
type Here = BTreeMap<Key, (bool, Vec<Place>)>;

impl Library {
    /// All sounds by name, then language: of each the files that would be found for it.
    pub(super) fn list(&self) -> Vec<ListedSound> {
        let mut all = Here::new();
        for directory in &self.directories {
            self.take_over(&mut all, self.in_folder(directory));
        }
        self.take_over(&mut all, self.in_program());
        all.into_iter().filter_map(listed).collect()
    }

    /// Adds what is in the next folder, where the ones before have nothing that is found earlier.
    fn take_over(&self, all: &mut Here, next: Here) {
        for (key, (beside, places)) in next {
            if all.get(&key).is_none_or(|(was_beside, _)| *was_beside && !beside) {
                all.insert(key, (beside, places));
            }
        }
    }

    fn in_program(&self) -> Here {
        let mut here = Here::new();
        for (path, place) in self.built_in.places() {
            self.enter(&mut here, path, place);
        }
        here
    }

    fn in_folder(&self, directory: &Path) -> Here {
        let mut here = Here::new();
        self.walk(directory, "", DEEPEST, &mut here);
        here
    }

    fn walk(&self, folder: &Path, below: &str, depth: usize, here: &mut Here) {
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.unwrap_or_else(|error| {
            tracing::warn!(folder = %folder.display(), "sounds cannot be listed: {error}");
            Vec::new()
        });
        for entry in entries {
            let (path, name) = (entry.path(), entry.file_name());
            let Some(name) = name.to_str() else { continue };
            let below = if below.is_empty() { name.to_owned() } else { format!("{below}/{name}") };
            match path.is_dir() {
                true if depth > 0 => self.walk(&path, &below, depth - 1, here),
                true => {}
                false => self.enter(here, &below, Place::File(path)),
            }
        }
    }

    /// Adds a file, if it is found by the name of a sound.
    fn enter(&self, here: &mut Here, below: &str, place: Place) {
        let Some((stem, ending)) = below.rsplit_once('.') else { return };
        if !ENDINGS.contains(&ending) {
            return;
        }
        let (name, language) = match stem.split_once('/').map(|(first, rest)| (rest, tag(first))) {
            Some((name, Some(language))) => (name, Some(language)),
            _ => (stem, None),
        };
        let Ok(name) = name.parse::<SoundName>() else { return };
        let beside = language.is_none();
        let key = (name, language.unwrap_or_else(|| self.language.clone()));
        let found = here.entry(key).or_insert_with(|| (beside, Vec::new()));
        if found.0 && !beside {
            *found = (beside, Vec::new());
        }
        if found.0 == beside {
            found.1.push(place);
        }
    }
}

/// The language whose folder this is. One that is called otherwise than `en`, `gsw`, `de-AT` and the like is
/// a folder of sounds, such as `digits`.
fn tag(folder: &str) -> Option<Language> {
    let language: Language = folder.parse().ok()?;
    let primary = language.primary();
    let is_tag = matches!(primary.as_str().len(), 2..=3)
        && primary.as_str().bytes().all(|byte| byte.is_ascii_lowercase());
    is_tag.then_some(language)
}

/// None when no file of it can be read.
fn listed(((name, language), (_, places)): (Key, (bool, Vec<Place>))) -> Option<ListedSound> {
    let mut formats: Vec<_> = places.iter().filter_map(Place::format).collect();
    formats.sort_unstable();
    formats.dedup();
    (!formats.is_empty()).then_some(ListedSound { name, language, formats })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::SampleRate;
    use crate::io::prompts::{BuiltIn, PromptSettings, Prompts};
    use crate::wav::{WavFormat, WavWriter};
    use std::path::PathBuf;

    static BUILT_IN: &[u8] = &[0xFF; 80];

    fn folder(name: &str) -> PathBuf {
        let name = format!("stasis-list-{}-{name}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn put(folder: &Path, name: &str, hz: u32) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if !name.ends_with(".wav") {
            return fs::write(path, [0xFF; 80]).unwrap();
        }
        let mut writer =
            WavWriter::create(&path, WavFormat::Pcm16, SampleRate::from_hz(hz).unwrap()).unwrap();
        writer.write(&[0; 80]).unwrap();
    }

    fn list(directories: Vec<PathBuf>, built_in: BuiltIn) -> Vec<String> {
        let settings = PromptSettings { directories, built_in, ..Default::default() };
        let one = |sound: ListedSound| {
            let ListedSound { name, language, formats } = sound;
            format!("{name} {language} {:?}", formats.iter().map(|f| f.hz()).collect::<Vec<_>>())
        };
        Prompts::by_hand(settings).list().into_iter().map(one).collect()
    }

    #[test]
    fn what_is_listed_is_what_would_be_found() {
        let (first, second) = (folder("first"), folder("second"));
        put(&first, "en/a.wav", 16_000);
        put(&first, "a.ulaw", 8_000);
        put(&first, "digits/1.alaw", 8_000);
        put(&first, "de-AT/deep/er/b.wav", 48_000);
        put(&first, "en/notes.txt", 0);
        fs::write(first.join("en/broken.wav"), b"broken").unwrap();
        put(&second, "en/a.wav", 8_000);
        put(&second, "en/digits/1.wav", 24_000);
        put(&second, "c.ulaw", 8_000);
        let built_in = [("en/a.ulaw", BUILT_IN), ("en/d.ulaw", BUILT_IN), ("en/c.ulaw", BUILT_IN)];
        let missing = first.join("missing");
        let listed =
            list(vec![missing, first.clone(), second.clone()], built_in.into_iter().collect());
        let expected = [
            "a en [16000]",
            "c en [8000]",
            "d en [8000]",
            "deep/er/b de-AT [48000]",
            "digits/1 en [24000]",
        ];
        assert_eq!(listed, expected);
        fs::remove_dir_all(first).unwrap();
        fs::remove_dir_all(second).unwrap();
    }
}
