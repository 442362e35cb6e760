//! Names of sounds and languages: what a file is looked for by. They come from outside, so no name
//! leads out of a folder.

use std::fmt;
use std::str::FromStr;

/// The longest name, in bytes.
const LONGEST: usize = 1_024;
/// The longest tag of a language (RFC 5646, section 4.4.1), in bytes.
const LONGEST_TAG: usize = 35;

/// The name of a sound, as `hello` or `digits/1`: a path without an ending, below a folder of sounds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SoundName(String);

/// A language, as `en` or `de-AT`: the folder of its sounds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Language(String);

/// What is wrong with a name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// There is none, or there is nothing between two `/`.
    #[error("{0:?} has an empty part: give a name as hello, or digits/1")]
    Empty(String),
    /// It leads out of the folder of sounds.
    #[error("{0:?} leads out of the folder of sounds: leave out . and .. and give a name as hello")]
    LeadsOut(String),
    /// It begins with `/`: only for those who may play any file.
    #[error(
        "{0:?} is a file's absolute path, which is not allowed here: give the name of a sound as hello, or allow paths"
    )]
    Absolute(String),
    /// It has a character that no name has.
    #[error("{name:?} has {character:?} in it: leave it out")]
    Character {
        /// The name.
        name: String,
        /// A backslash, a colon, or a character that cannot be seen.
        character: char,
    },
    /// It is longer than 1,024 bytes.
    #[error("a name of {0} bytes is too long: give one of at most {LONGEST}")]
    TooLong(usize),
    /// It is no language.
    #[error("{0:?} is no language: give a tag as en or de-AT")]
    NoLanguage(String),
}

impl SoundName {
    /// One of our own names, which are known to be good.
    pub(super) fn known(name: impl Into<String>) -> Self {
        SoundName(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SoundName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        if name.starts_with('/') {
            return Err(NameError::Absolute(name.to_owned()));
        }
        check(name)?;
        Ok(SoundName(name.to_owned()))
    }
}

/// Whether each part of a path is the name of a file or folder.
pub(super) fn check(path: &str) -> Result<(), NameError> {
    if path.len() > LONGEST {
        return Err(NameError::TooLong(path.len()));
    }
    if let Some(character) = path.chars().find(|c| matches!(c, '\\' | ':') || c.is_control()) {
        return Err(NameError::Character { name: path.to_owned(), character });
    }
    for part in path.split('/') {
        match part {
            "" => return Err(NameError::Empty(path.to_owned())),
            "." | ".." => return Err(NameError::LeadsOut(path.to_owned())),
            _ => {}
        }
    }
    Ok(())
}

impl Language {
    /// English, which is what is spoken where nothing else is said.
    pub fn english() -> Self {
        Language("en".to_owned())
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The language without its region: `de` of `de-AT` and `de_AT`.
    pub fn primary(&self) -> Language {
        let end = self.0.find(['-', '_']).unwrap_or(self.0.len());
        Language(self.0.get(..end).unwrap_or_default().to_owned())
    }
}

impl FromStr for Language {
    type Err = NameError;

    fn from_str(tag: &str) -> Result<Self, NameError> {
        let is_part =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if tag.len() <= LONGEST_TAG && tag.split(['-', '_']).all(is_part) {
            Ok(Language(tag.to_owned()))
        } else {
            Err(NameError::NoLanguage(tag.chars().take(LONGEST).collect()))
        }
    }
}

impl fmt::Display for SoundName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::{Component, Path};

    fn error(name: &str) -> NameError {
        name.parse::<SoundName>().unwrap_err()
    }

    #[test]
    fn names_that_lead_out_of_the_folder_or_make_no_sense_are_refused() {
        for good in
            ["hello", "digits/1", "a/b/c", "vm-intro", "ünter uns", "..a", "a..b", "hello.wav"]
        {
            assert_eq!(good.parse::<SoundName>().unwrap().as_str(), good);
        }
        for bad in ["..", "../x", "a/../../b", "a/..", ".", "./a", "a/./b"] {
            assert_eq!(error(bad), NameError::LeadsOut(bad.into()));
        }
        for bad in ["", "a//b", "a/"] {
            assert_eq!(error(bad), NameError::Empty(bad.into()));
        }
        assert_eq!(error("/etc/passwd"), NameError::Absolute("/etc/passwd".into()));
        for bad in ["a\\b", "c:x", "a\0", "a\nb"] {
            assert!(matches!(error(bad), NameError::Character { .. }), "{bad:?}");
        }
        assert_eq!(error(&"a".repeat(1_025)), NameError::TooLong(1_025));
    }

    #[test]
    fn a_language_is_a_tag_and_knows_its_primary_part() {
        for (tag, primary) in [("en", "en"), ("de-AT", "de"), ("pt_BR", "pt"), ("zh-Hant-TW", "zh")]
        {
            assert_eq!(tag.parse::<Language>().unwrap().primary().as_str(), primary);
        }
        for bad in ["", "..", "en/us", "/", "de-", "a b", "é", &"a".repeat(36)] {
            assert!(bad.parse::<Language>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_stays_below_the_folder(name in "[./\\\\a:\\x00]{0,12}|.{0,40}") {
            if let Ok(name) = name.parse::<SoundName>() {
                let below = Path::new(name.as_str()).components();
                prop_assert!(below.clone().count() > 0);
                prop_assert!(below.into_iter().all(|c| matches!(c, Component::Normal(_))));
            }
            let _ = name.parse::<Language>();
        }
    }
}
