//! The sounds that are in the program, and the list of all that can be played.
//!
//! What is in `server/sounds/` is part of the binary: sounds of the language `en`, and music on hold. Media
//! finds them behind the folders of the settings, so a file in a folder takes the place of one here.
//! `docs/sounds.md` says what there is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use rust_embed::Embed;
use serde::Serialize;
use stasis_media::io::{
    BuiltIn, ListedSound, MusicClass, MusicOrder, MusicSource, Prompts, SoundFormat,
};
use stasis_media::sound::SoundName;
use utoipa::ToSchema;

/// Below this folder is music on hold, a folder for each class. It is in no list of sounds.
const MUSIC: &str = "music/";

#[derive(Embed)]
#[folder = "sounds/"]
struct Files;

/// What sounds say: the second column of the list that they are made of.
static TEXTS: LazyLock<BTreeMap<&str, &str>> = LazyLock::new(|| {
    let lines = include_str!("../sounds/prompts.txt").lines();
    let spoken = lines.filter(|line| !line.starts_with('#'));
    let columns = spoken.filter_map(|line| line.split_once('\t'));
    columns.map(|(name, rest)| (name, rest.split('\t').next().unwrap_or(rest))).collect()
});

/// A sound, as `GET /sounds` tells of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Sound {
    /// Its name.
    pub id: String,
    /// What it says, if it has the name of one that is built in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What there is of it.
    pub formats: Vec<FormatLangPair>,
}

/// A language and a format that a sound is there in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FormatLangPair {
    /// The language, by its tag.
    pub language: String,
    /// `ulaw`, `alaw`, or for WAV `slin` at 8 kHz, `slin16` at 16 kHz and so on.
    pub format: String,
}

/// What is built in, for [`PromptSettings`](stasis_media::io::PromptSettings).
pub fn built_in() -> BuiltIn {
    static SOUNDS: LazyLock<BuiltIn> = LazyLock::new(|| {
        Files::iter().filter(|path| path != "prompts.txt").filter_map(embedded).collect()
    });
    SOUNDS.clone()
}

fn embedded(path: Cow<'static, str>) -> Option<(&'static str, &'static [u8])> {
    let file = Files::get(&path)?;
    match (path, file.data) {
        (Cow::Borrowed(path), Cow::Borrowed(bytes)) => Some((path, bytes)),
        // Only where files are read from disk, which the feature debug-embed excludes.
        _ => None,
    }
}

/// The built-in music by its class: `default`. It needs [`built_in`] to be among what is played.
pub fn music() -> BTreeMap<String, MusicClass> {
    let mut classes: BTreeMap<String, Vec<SoundName>> = BTreeMap::new();
    for path in built_in().paths() {
        let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
        let class = stem.strip_prefix(MUSIC).and_then(|below| below.split_once('/'));
        if let (Some((class, _)), Ok(name)) = (class, stem.parse()) {
            classes.entry(class.to_owned()).or_default().push(name);
        }
    }
    let class =
        |names| MusicClass { source: MusicSource::Sounds(names), order: MusicOrder::Sorted };
    classes.into_iter().map(|(name, names)| (name, class(names))).collect()
}

/// All sounds that can be played, sorted by name: in the folders of `prompts`, and built in. If a language or
/// a format is given, those that are there in it, and nothing else of them; a format may be written as
/// a file's ending, too (`wav`, `wav16`, `sln16`). Looks at every file: this blocks.
pub fn list(prompts: &Prompts, language: Option<&str>, format: Option<&str>) -> Vec<Sound> {
    let format = format.map(canonical);
    let is_wanted = |pair: &FormatLangPair| {
        language.is_none_or(|language| pair.language == language)
            && format.as_ref().is_none_or(|format| pair.format == *format)
    };
    let mut sounds: Vec<Sound> = Vec::new();
    for listed in prompts.list() {
        if listed.name.as_str().starts_with(MUSIC) {
            continue;
        }
        let pairs = pairs(&listed).filter(&is_wanted);
        match sounds.last_mut() {
            Some(last) if last.id == listed.name.as_str() => last.formats.extend(pairs),
            _ => sounds.push(sound(listed.name.as_str(), pairs.collect())),
        }
    }
    sounds.retain(|sound| !sound.formats.is_empty());
    sounds
}

/// The sound of this name; none when there is none. Looks at every file: this blocks.
pub fn find(prompts: &Prompts, id: &str) -> Option<Sound> {
    list(prompts, None, None).into_iter().find(|sound| sound.id == id)
}

fn sound(id: &str, formats: Vec<FormatLangPair>) -> Sound {
    let text = TEXTS.get(id).map(|text| (*text).to_owned());
    Sound { id: id.to_owned(), text, formats }
}

fn pairs(listed: &ListedSound) -> impl Iterator<Item = FormatLangPair> {
    let language = listed.language.as_str();
    let pair = |format: &SoundFormat| FormatLangPair {
        language: language.to_owned(),
        format: name(*format),
    };
    listed.formats.iter().map(pair)
}

/// As ARI names what is in a file.
fn name(format: SoundFormat) -> String {
    match format {
        SoundFormat::Ulaw => "ulaw".to_owned(),
        SoundFormat::Alaw => "alaw".to_owned(),
        SoundFormat::Wav { hz: 8_000 } => "slin".to_owned(),
        SoundFormat::Wav { hz } => format!("slin{}", hz / 1_000),
    }
}

/// The name of a format that may be written as the ending of a file of it.
fn canonical(format: &str) -> String {
    let rate = ["wav", "sln", "slin"].iter().find_map(|linear| format.strip_prefix(linear));
    match rate {
        Some(rate) if rate.bytes().all(|byte| byte.is_ascii_digit()) => format!("slin{rate}"),
        _ => format.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_named_by_what_is_in_them_and_may_be_asked_for_by_an_ending() {
        let wav = |hz| name(SoundFormat::Wav { hz });
        assert_eq!([wav(8_000), wav(16_000), wav(44_100)], ["slin", "slin16", "slin44"]);
        for (asked, means) in
            [("wav", "slin"), ("wav16", "slin16"), ("sln48", "slin48"), ("slin", "slin")]
        {
            assert_eq!(canonical(asked), means);
        }
        for other in ["ulaw", "alaw", "wave", "gsm", ""] {
            assert_eq!(canonical(other), other);
        }
    }
}
