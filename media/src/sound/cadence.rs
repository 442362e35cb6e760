//! Cadences: a tone written down as what sounds for how long, as `480+620/500,0/500`.
//!
//! Parts follow one another with commas between. A part is one or more frequencies in hertz, added
//! up (`350+440`) or the first modulated by the second (`400*25`), or 0 for silence; `/` and its
//! length in milliseconds; a part without a length never ends, so it is the last. A part that begins
//! with `!` is heard once: when all others are over, they begin again, and it does not.

use std::fmt;
use std::str::FromStr;

/// The longest cadence, in milliseconds.
pub const MOST_MS: u32 = 120_000;
/// Parts of a cadence, at most.
pub const MOST_PARTS: usize = 64;
/// Frequencies that are added up, at most.
const MOST_HZ: usize = 4;
/// The highest frequency: what fits 8 kHz.
const HIGHEST_HZ: u16 = 3_900;

/// What sounds for how long; then it begins again, mostly.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cadence {
    parts: Vec<Part>,
    /// The first of those that are repeated; their number when none is.
    repeats_from: usize,
}

/// A sound of one kind, or silence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Part {
    /// What sounds.
    pub sound: Sound,
    /// For how long, in milliseconds; none: it does not end.
    pub ms: Option<u32>,
}

/// What sounds in a part of a cadence.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sound {
    /// Nothing.
    Silence,
    /// These frequencies together, in hertz.
    Sum(Vec<u16>),
    /// The first frequency in hertz, louder and softer as often as the second says.
    Modulated(u16, u16),
}

/// What is wrong with a cadence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CadenceError {
    /// There is nothing between two commas, or nothing at all.
    #[error("the tone {0:?} has an empty part: write parts as 480+620/500,0/500")]
    Empty(String),
    /// No frequency that a telephone carries.
    #[error(
        "{0:?} is no frequency: give whole hertz up to {HIGHEST_HZ}, up to {MOST_HZ} with + between, two with *, or 0 for silence"
    )]
    Frequency(String),
    /// No length.
    #[error("{0:?} is no length: give 1 to {MOST_MS} ms")]
    Length(String),
    /// Nothing after it would ever be heard.
    #[error("the part {0:?} never ends, but others follow: give it a length, as {0}/500")]
    NeverEnds(String),
    /// A part that is heard once stands behind one that is repeated.
    #[error("the part {0:?} is heard once, so put it before those that are repeated")]
    OnceTooLate(String),
    /// Longer than two minutes, or of more than 64 parts.
    #[error("the tone is too long: {MOST_PARTS} parts and {MOST_MS} ms are the most")]
    TooLong,
}

impl Cadence {
    /// Its parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The first part of those that are repeated without an end; none when all are heard once.
    pub fn repeats_from(&self) -> Option<usize> {
        (self.repeats_from < self.parts.len()).then_some(self.repeats_from)
    }
}

impl Part {
    /// Whether nothing sounds.
    pub fn is_silent(&self) -> bool {
        self.sound == Sound::Silence
    }
}

impl FromStr for Cadence {
    type Err = CadenceError;

    fn from_str(text: &str) -> Result<Self, CadenceError> {
        let texts: Vec<&str> = text.split(',').map(str::trim).take(MOST_PARTS + 1).collect();
        if texts.len() > MOST_PARTS {
            return Err(CadenceError::TooLong);
        }
        let (mut parts, mut repeats_from, mut total) = (Vec::new(), 0, 0u32);
        for (at, &text) in texts.iter().enumerate() {
            let (once, body) = match text.strip_prefix('!') {
                Some(body) => (true, body),
                None => (false, text),
            };
            if once && repeats_from < at {
                return Err(CadenceError::OnceTooLate(text.to_owned()));
            }
            let part = part(body)?;
            if part.ms.is_none() && (at + 1 < texts.len() || once) {
                return Err(CadenceError::NeverEnds(body.to_owned()));
            }
            repeats_from += usize::from(once);
            if part.ms.is_none() {
                repeats_from = at; // all before it is heard once
            }
            total = total.saturating_add(part.ms.unwrap_or(0));
            parts.push(part);
        }
        if total > MOST_MS {
            return Err(CadenceError::TooLong);
        }
        Ok(Cadence { parts, repeats_from })
    }
}

fn part(text: &str) -> Result<Part, CadenceError> {
    let (sound, ms) = match text.split_once('/') {
        Some((sound, ms)) => (sound, Some(ms)),
        None => (text, None),
    };
    if sound.is_empty() {
        return Err(CadenceError::Empty(text.to_owned()));
    }
    let length = |text: &str| match text.parse::<u32>() {
        Ok(ms @ 1..=MOST_MS) => Ok(ms),
        _ => Err(CadenceError::Length(text.to_owned())),
    };
    Ok(Part { sound: self::sound(sound)?, ms: ms.map(length).transpose()? })
}

fn sound(text: &str) -> Result<Sound, CadenceError> {
    let refused = || CadenceError::Frequency(text.to_owned());
    let hz = |text: &str| match text.parse::<u16>() {
        Ok(hz @ 1..=HIGHEST_HZ) => Ok(hz),
        _ => Err(refused()),
    };
    if text == "0" {
        return Ok(Sound::Silence);
    }
    if let Some((carrier, by)) = text.split_once('*') {
        return Ok(Sound::Modulated(hz(carrier)?, hz(by)?));
    }
    let all = text.split('+').map(hz).collect::<Result<Vec<_>, _>>()?;
    if all.len() > MOST_HZ { Err(refused()) } else { Ok(Sound::Sum(all)) }
}

/// As it is parsed.
impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, part) in self.parts.iter().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let once = if at < self.repeats_from && part.ms.is_some() { "!" } else { "" };
            write!(f, "{comma}{once}{part}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sound {
            Sound::Silence => f.write_str("0")?,
            Sound::Modulated(carrier, by) => write!(f, "{carrier}*{by}")?,
            Sound::Sum(all) => {
                let all: Vec<String> = all.iter().map(u16::to_string).collect();
                f.write_str(&all.join("+"))?;
            }
        }
        self.ms.map_or(Ok(()), |ms| write!(f, "/{ms}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Cadence, CadenceError> {
        text.parse()
    }

    #[test]
    fn a_cadence_is_read_part_by_part() {
        let busy = parse("480+620/500, 0/500").unwrap();
        let sum = Part { sound: Sound::Sum(vec![480, 620]), ms: Some(500) };
        assert_eq!(busy.parts(), [sum, Part { sound: Sound::Silence, ms: Some(500) }]);
        assert_eq!(busy.repeats_from(), Some(0));
        let ring = parse("400*25").unwrap();
        assert_eq!(ring.parts(), [Part { sound: Sound::Modulated(400, 25), ms: None }]);
        assert_eq!(parse("!950/330,!1400/330").unwrap().repeats_from(), None);
        assert_eq!(parse("!950/330,!0/30,425").unwrap().repeats_from(), Some(2));
        assert_eq!(parse("!950/330,425/5,0/5").unwrap().repeats_from(), Some(1));
        assert_eq!(parse("425/100,0/100,440").unwrap().repeats_from(), Some(2), "it never ends");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_to_do() {
        let error = |text: &str| parse(text).unwrap_err();
        for empty in ["", ",", "425/5,", "/500", "!"] {
            assert!(matches!(error(empty), CadenceError::Empty(_)), "{empty}");
        }
        for bad in
            ["a", "-5", "4000", "65536", "1+2+3+4+5", "400*0", "400*", "1*2*3", "350+", "0+5"]
        {
            assert_eq!(error(bad), CadenceError::Frequency(bad.into()));
        }
        for bad in ["0", "", "x", "120001", "4294967296", "-1", "5/5"] {
            assert_eq!(error(&format!("425/{bad}")), CadenceError::Length(bad.into()));
        }
        assert_eq!(error("425,0/500"), CadenceError::NeverEnds("425".into()));
        assert_eq!(error("!425"), CadenceError::NeverEnds("425".into()));
        assert_eq!(error("425/5,!440/5"), CadenceError::OnceTooLate("!440/5".into()));
        assert_eq!(error("425/60000,0/60000,425/1"), CadenceError::TooLong);
        assert_eq!(error(&["425/1"; 65].join(",")), CadenceError::TooLong);
        let said = error("425,0/500").to_string();
        assert_eq!(
            said,
            "the part \"425\" never ends, but others follow: give it a length, as 425/500"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_and_read_again(text in "[!0-9+*/, ]{0,30}|(!?[1-9]{1,3}([+*][1-9]{2})?(/[1-9]{1,3})?,?){1,5}") {
            if let Ok(cadence) = parse(&text) {
                prop_assert_eq!(parse(&cadence.to_string()).map(|c| c.parts), Ok(cadence.parts));
            }
        }
    }
}
