//! The tones of telephone networks by name and country, after ITU-T E.180, Supplement 2 ("Various
//! tones used in national networks").

use super::cadence::{Cadence, CadenceError};

/// Why there is no such tone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToneError {
    /// No tone of this name.
    #[error(
        "there is no tone {0:?}: use dial, busy, ring, congestion, waiting, record, info or beep, or frequencies as 480+620/500,0/500"
    )]
    Name(String),
    /// No country of this code whose tones are known.
    #[error("the tones of {0:?} are not known: use us, gb, de, fr or nl, or give frequencies")]
    Country(String),
    /// Frequencies that make no sense.
    #[error(transparent)]
    Cadence(#[from] CadenceError),
}

/// The country whose tones are heard where none is named.
pub const DEFAULT_COUNTRY: &str = "us";

/// A tone and its cadence.
type Entry = (&'static str, &'static str);

/// Tones that are the same everywhere: they come from us, not from a network.
const EVERYWHERE: [Entry; 1] = [("beep", "!1000/200")];

/// By country (ISO 3166 alpha-2, in lower case).
const COUNTRIES: [(&str, [Entry; 7]); 5] = [
    (
        "us",
        [
            ("dial", "350+440"),
            ("busy", "480+620/500,0/500"),
            ("ring", "440+480/2000,0/4000"),
            ("congestion", "480+620/250,0/250"),
            ("waiting", "440/300,0/9700"),
            ("record", "1400/500,0/15000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
    (
        "gb",
        [
            ("dial", "350+440"),
            ("busy", "400/375,0/375"),
            ("ring", "400+450/400,0/200,400+450/400,0/2000"),
            ("congestion", "400/400,0/350,400/225,0/525"),
            ("waiting", "400/100,0/4000"),
            ("record", "1400/500,0/60000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
    (
        "de",
        [
            ("dial", "425"),
            ("busy", "425/480,0/480"),
            ("ring", "425/1000,0/4000"),
            ("congestion", "425/240,0/240"),
            ("waiting", "425/200,0/200,425/200,0/5000"),
            ("record", "1400/80,0/15000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
    (
        "fr",
        [
            ("dial", "440"),
            ("busy", "440/500,0/500"),
            ("ring", "440/1500,0/3500"),
            ("congestion", "440/250,0/250"),
            ("waiting", "440/300,0/10000"),
            ("record", "1400/500,0/15000"),
            ("info", "950/330,0/30,1400/330,0/30,1800/330,0/1000"),
        ],
    ),
    (
        "nl",
        [
            ("dial", "425"),
            ("busy", "425/500,0/500"),
            ("ring", "425/1000,0/4000"),
            ("congestion", "425/250,0/250"),
            ("waiting", "425/500,0/9500"),
            ("record", "1400/500,0/15000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
];

/// The tone of this name in a country, by its two letters; both in any case.
///
/// # Errors
/// When there is none: the names that there are.
pub fn tone(name: &str, country: &str) -> Result<Cadence, ToneError> {
    let of_country = COUNTRIES.iter().find(|(code, _)| code.eq_ignore_ascii_case(country));
    let (_, tones) = of_country.ok_or_else(|| ToneError::Country(country.to_owned()))?;
    let found = tones.iter().chain(&EVERYWHERE).find(|(tone, _)| tone.eq_ignore_ascii_case(name));
    let (_, cadence) = found.ok_or_else(|| ToneError::Name(name.to_owned()))?;
    Ok(cadence.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tone_of_every_country_can_be_played_and_is_within_e_180s_limits() {
        for (country, tones) in COUNTRIES {
            for (name, text) in tones {
                let cadence = tone(name, country).unwrap();
                assert_eq!(cadence.to_string(), text);
                assert_eq!(cadence.repeats_from(), Some(0), "{country} {name}");
            }
            let names = tones.map(|(name, _)| name);
            assert_eq!(names, COUNTRIES[0].1.map(|(name, _)| name), "{country} has them all");
            assert!(tone("dial", country).unwrap().parts()[0].ms.is_none(), "continuous");
        }
        assert_eq!(tone("BEEP", "DE").unwrap().repeats_from(), None, "heard once");
    }

    #[test]
    fn a_tone_or_country_that_is_not_known_is_refused() {
        assert_eq!(tone("hum", "us"), Err(ToneError::Name("hum".into())));
        assert_eq!(tone("dial", "xx"), Err(ToneError::Country("xx".into())));
        assert!(tone("hum", "us").unwrap_err().to_string().contains("use dial, busy, ring"));
    }
}
