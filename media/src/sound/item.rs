//! Items: what can be played, and how it is written: `sound:hello`, `number:1042`, `tone:busy`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::cadence::Cadence;
use super::name::{self, NameError, SoundName};
use super::say;
use super::tones::{DEFAULT_COUNTRY, ToneError, tone};
use crate::wav::Pcm;

/// Digits or characters of one item, at most.
pub const MOST_CHARACTERS: usize = 256;
/// The longest silence.
pub const MOST_SILENCE: Duration = Duration::from_secs(600);

/// Something that can be played.
///
/// ```
/// use stasis_media::sound::Item;
///
/// let items: Result<Vec<Item>, _> =
///     ["sound:hello", "number:1042", "silence:500", "tone:busy;tonezone=de"]
///         .into_iter().map(str::parse).collect();
/// assert!(items.is_ok());
/// let error = "sound:../secret".parse::<Item>().unwrap_err();
/// assert!(error.to_string().contains("leads out of the folder"));
/// ```
#[derive(Clone, Debug)]
pub enum Item {
    /// A sound by its name, in the listener's language.
    Sound(SoundName),
    /// A file, with its ending or without.
    File(PathBuf),
    /// A tone. One that never ends is the last that is heard.
    Tone(Cadence),
    /// Digits one by one; `*` and `#` too.
    Digits(String),
    /// Characters one by one.
    Characters(String),
    /// A whole number, as it is said.
    Number(i64),
    /// Nothing, for so long.
    Silence(Duration),
    /// A sound that is here already. It is brought to the rate of who hears it.
    Pcm(Pcm),
}

/// Whether a text may name any file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Paths {
    /// Sounds by name only.
    #[default]
    Refused,
    /// `sound:/a/path` is that file.
    Allowed,
}

/// What is wrong with a text that should say what to play.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// It does not say of what kind it is.
    #[error(
        "{0:?} does not say what it is: write sound:, digits:, characters:, number:, tone: or silence: before it"
    )]
    Kind(String),
    /// The name of a sound.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A character that has no sound.
    #[error("{0:?} cannot be said: use {1}")]
    Character(char, &'static str),
    /// No characters, or too many.
    #[error("{0} characters cannot be said at once: give 1 to {MOST_CHARACTERS}")]
    Length(usize),
    /// No whole number.
    #[error("{0:?} is no whole number that can be said: give one as 1042 or -3, or use digits:")]
    Number(String),
    /// No length of time.
    #[error("{0:?} is no length of silence: give whole milliseconds, 600000 at most")]
    Silence(String),
    /// A tone.
    #[error(transparent)]
    Tone(#[from] ToneError),
}

impl Item {
    /// Reads what is to be played, as [`FromStr`] does; `paths`: whether a sound may be any file.
    ///
    /// # Errors
    /// What is wrong with it, and what to do about it.
    pub fn parse(text: &str, paths: Paths) -> Result<Item, ItemError> {
        let (kind, what) = text.split_once(':').ok_or_else(|| ItemError::Kind(text.to_owned()))?;
        match kind {
            "sound" => sound(what, paths),
            "digits" => {
                let is_digit = |c: char| c.is_ascii_digit() || matches!(c, '*' | '#');
                spelled(what, is_digit, "0 to 9, * and #").map(Item::Digits)
            }
            "characters" => {
                let is_said = |c| say::character(c).is_some();
                spelled(what, is_said, "letters, digits and * # - . @ / + = $")
                    .map(Item::Characters)
            }
            "number" => {
                what.parse().map(Item::Number).map_err(|_| ItemError::Number(what.to_owned()))
            }
            "tone" => Ok(Item::Tone(a_tone(what)?)),
            "silence" => silence(what).map(Item::Silence),
            _ => Err(ItemError::Kind(text.to_owned())),
        }
    }
}

/// Sounds by name only: see [`Item::parse`] for files.
impl FromStr for Item {
    type Err = ItemError;

    fn from_str(text: &str) -> Result<Self, ItemError> {
        Item::parse(text, Paths::Refused)
    }
}

/// As it is parsed.
impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Item::Sound(name) => write!(f, "sound:{name}"),
            Item::File(path) => write!(f, "sound:{}", path.display()),
            Item::Tone(cadence) => write!(f, "tone:{cadence}"),
            Item::Digits(digits) => write!(f, "digits:{digits}"),
            Item::Characters(text) => write!(f, "characters:{text}"),
            Item::Number(number) => write!(f, "number:{number}"),
            Item::Silence(time) => write!(f, "silence:{}", time.as_millis()),
            Item::Pcm(pcm) => write!(f, "{pcm:?}"),
        }
    }
}

fn sound(what: &str, paths: Paths) -> Result<Item, ItemError> {
    match what.strip_prefix('/') {
        Some(below) if paths == Paths::Allowed => {
            name::check(below)?;
            Ok(Item::File(PathBuf::from(what)))
        }
        _ => Ok(Item::Sound(what.parse()?)),
    }
}

fn spelled(
    what: &str,
    is_said: impl Fn(char) -> bool,
    allowed: &'static str,
) -> Result<String, ItemError> {
    let length = what.chars().count();
    if !(1..=MOST_CHARACTERS).contains(&length) {
        return Err(ItemError::Length(length));
    }
    match what.chars().find(|c| !is_said(*c)) {
        Some(c) => Err(ItemError::Character(c, allowed)),
        None => Ok(what.to_owned()),
    }
}

fn a_tone(what: &str) -> Result<Cadence, ToneError> {
    let (name, country) = what.split_once(";tonezone=").unwrap_or((what, DEFAULT_COUNTRY));
    if name.starts_with(|c: char| c.is_ascii_digit() || c == '!') {
        return Ok(name.parse()?);
    }
    tone(name, country)
}

fn silence(what: &str) -> Result<Duration, ItemError> {
    let time = what.parse().map(Duration::from_millis).ok().filter(|time| *time <= MOST_SILENCE);
    time.ok_or_else(|| ItemError::Silence(what.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(text: &str) -> ItemError {
        text.parse::<Item>().unwrap_err()
    }

    #[test]
    fn every_kind_of_item_is_read_and_written() {
        for text in [
            "sound:hello",
            "sound:digits/1",
            "digits:123*#",
            "number:1042",
            "number:-9223372036854775808",
            "characters:ab1 -.@",
            "tone:480+620/500,0/500",
            "tone:!1000/200",
            "silence:2000",
            "silence:0",
        ] {
            assert_eq!(text.parse::<Item>().unwrap().to_string(), text);
        }
        let written = |text: &str| text.parse::<Item>().unwrap().to_string();
        assert_eq!(written("tone:dial"), "tone:350+440");
        assert_eq!(written("tone:dial;tonezone=de"), "tone:425");
    }

    #[test]
    fn files_are_for_those_who_may() {
        let absolute = NameError::Absolute("/tmp/a.wav".into());
        assert_eq!(error("sound:/tmp/a.wav"), ItemError::Name(absolute));
        let item = Item::parse("sound:/tmp/a.wav", Paths::Allowed).unwrap();
        assert!(matches!(item, Item::File(path) if path == *"/tmp/a.wav"));
        let leads_out = Item::parse("sound:/tmp/../etc/passwd", Paths::Allowed).unwrap_err();
        assert!(matches!(leads_out, ItemError::Name(NameError::LeadsOut(_))));
        assert!(Item::parse("sound:../a", Paths::Allowed).is_err());
        assert!(Item::parse("sound:/", Paths::Allowed).is_err());
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_what_to_do() {
        for kindless in ["hello", "", "recording:x", "SOUND:x", ":x"] {
            assert_eq!(error(kindless), ItemError::Kind(kindless.into()));
        }
        assert_eq!(error("digits:12a"), ItemError::Character('a', "0 to 9, * and #"));
        assert!(matches!(error("characters:aé"), ItemError::Character('é', _)));
        assert_eq!(error("digits:"), ItemError::Length(0));
        assert_eq!(error(&format!("digits:{}", "1".repeat(257))), ItemError::Length(257));
        for bad in ["", "1.5", "9223372036854775808", "x"] {
            assert_eq!(error(&format!("number:{bad}")), ItemError::Number(bad.into()));
        }
        for bad in ["", "-1", "600001", "18446744073709551616"] {
            assert_eq!(error(&format!("silence:{bad}")), ItemError::Silence(bad.into()));
        }
        assert!(matches!(error("tone:dial;tonezone=xx"), ItemError::Tone(ToneError::Country(_))));
        assert!(matches!(error("tone:"), ItemError::Tone(ToneError::Name(_))));
        assert!(matches!(error("tone:425/0"), ItemError::Tone(ToneError::Cadence(_))));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(kind in "sound|digits|characters|number|tone|silence", what in ".{0,30}") {
            let text = format!("{kind}:{what}");
            if let Ok(item) = Item::parse(&text, Paths::Allowed) {
                prop_assert!(Item::parse(&item.to_string(), Paths::Allowed).is_ok());
            }
        }
    }
}
