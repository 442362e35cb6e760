//! The tones of telephone networks by name and country, after ITU-T E.180, Supplement 2 ("Various
//! tones used in national networks"). What a network does not have, or what is not known of it, is
//! taken from E.180/Q.35 itself: the special information tone above all.
//!
//! Two networks tell congestion from busy by nothing that can be written here: Japan's have one tone
//! for both, Australia's is softer at every second burst.

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
    #[error("the tones of {0:?} are not known: use {KNOWN}, or give frequencies")]
    Country(String),
    /// Frequencies that make no sense.
    #[error(transparent)]
    Cadence(#[from] CadenceError),
}

/// The country whose tones are heard where none is named.
pub const DEFAULT_COUNTRY: &str = "us";

/// The codes, for those who named another.
const KNOWN: &str = "au, br, ch, cn, de, es, fr, gb (or uk), in, it, jp, nl, se or us";

/// A tone and its cadence.
type Entry = (&'static str, &'static str);

/// Tones that are the same everywhere: they come from us, not from a network.
const EVERYWHERE: [Entry; 1] = [("beep", "!1000/200")];

/// By country (ISO 3166 alpha-2, in lower case).
const COUNTRIES: [(&str, [Entry; 7]); 14] = [
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
            ("info", "950/300,0/30,1400/300,0/30,1800/300,0/1000"),
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
    (
        "au",
        [
            ("dial", "425*25"),
            ("busy", "425/375,0/375"),
            ("ring", "425*25/400,0/200,425*25/400,0/2000"),
            ("congestion", "425/375,0/375"),
            ("waiting", "425/200,0/200,425/200,0/4400"),
            ("record", "1400/425,0/15000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
    (
        "jp",
        [
            ("dial", "400"),
            ("busy", "400/500,0/500"),
            ("ring", "400*16/1000,0/2000"),
            ("congestion", "400/500,0/500"),
            ("waiting", "400*16/500,0/4000"),
            ("record", "1400/500,0/15000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
    (
        "in",
        [
            ("dial", "400*25"),
            ("busy", "400/750,0/750"),
            ("ring", "400*25/400,0/200,400*25/400,0/2000"),
            ("congestion", "400/250,0/250"),
            ("waiting", "400/200,0/100,400/200,0/7500"),
            ("record", "1400/500,0/15000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
    (
        "cn",
        [
            ("dial", "450"),
            ("busy", "450/350,0/350"),
            ("ring", "450/1000,0/4000"),
            ("congestion", "450/700,0/700"),
            ("waiting", "450/400,0/4000"),
            ("record", "950/400,0/10000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
    (
        "es",
        [
            ("dial", "425"),
            ("busy", "425/200,0/200"),
            ("ring", "425/1500,0/3000"),
            ("congestion", "425/200,0/200,425/200,0/200,425/200,0/600"),
            ("waiting", "425/175,0/175,425/175,0/3500"),
            ("record", "1400/500,0/15000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
    (
        "it",
        [
            ("dial", "425/200,0/200,425/600,0/1000"),
            ("busy", "425/500,0/500"),
            ("ring", "425/1000,0/4000"),
            ("congestion", "425/200,0/200"),
            ("waiting", "425/400,0/100,425/250,0/100,425/150,0/14000"),
            ("record", "1400/500,0/15000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
    (
        "br",
        [
            ("dial", "425"),
            ("busy", "425/250,0/250"),
            ("ring", "425/1000,0/4000"),
            ("congestion", "425/250,0/250,425/750,0/250"),
            ("waiting", "425/50,0/1000"),
            ("record", "1400/500,0/15000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
    (
        "ch",
        [
            ("dial", "425"),
            ("busy", "425/500,0/500"),
            ("ring", "425/1000,0/4000"),
            ("congestion", "425/200,0/200"),
            ("waiting", "425/200,0/200,425/200,0/4000"),
            ("record", "1400/500,0/15000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
    (
        "se",
        [
            ("dial", "425"),
            ("busy", "425/250,0/250"),
            ("ring", "425/1000,0/5000"),
            ("congestion", "425/250,0/750"),
            ("waiting", "425/200,0/500,425/200,0/10000"),
            ("record", "1400/500,0/15000"),
            ("info", "950/330,1400/330,1800/330,0/1000"),
        ],
    ),
];

/// The tone of this name in a country, by its two letters, where `uk` is `gb`, too; both in any case.
///
/// # Errors
/// When there is none: the names that there are.
pub fn tone(name: &str, country: &str) -> Result<Cadence, ToneError> {
    let code = if country.eq_ignore_ascii_case("uk") { "gb" } else { country };
    let of_country = COUNTRIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(code));
    let (_, tones) = of_country.ok_or_else(|| ToneError::Country(country.to_owned()))?;
    let found = tones.iter().chain(&EVERYWHERE).find(|(tone, _)| tone.eq_ignore_ascii_case(name));
    let (_, cadence) = found.ok_or_else(|| ToneError::Name(name.to_owned()))?;
    Ok(cadence.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::SampleRate;
    use crate::sound::{Part, Sound};

    #[test]
    fn every_tone_of_every_country_can_be_played() {
        for (country, tones) in COUNTRIES {
            for (name, text) in tones {
                let cadence = tone(name, country).unwrap();
                assert_eq!(cadence.to_string(), text);
                assert_eq!(cadence.repeats_from(), Some(0), "{country} {name}");
                let pcm = cadence.render(SampleRate::Hz8000);
                assert!(pcm.samples().iter().any(|s| s.unsigned_abs() > 1_000), "{country} {name}");
            }
            let names = tones.map(|(name, _)| name);
            assert_eq!(names, COUNTRIES[0].1.map(|(name, _)| name), "{country} has them all");
            assert!(KNOWN.contains(country), "{country} is named to who asks for another");
        }
        assert_eq!(tone("BEEP", "DE").unwrap().repeats_from(), None, "heard once");
        assert_eq!(tone("busy", "UK"), tone("busy", "gb"));
    }

    /// The frequencies that are heard in a cadence.
    fn frequencies(cadence: &Cadence) -> Vec<u16> {
        let of_part = |part: &Part| match &part.sound {
            Sound::Silence => Vec::new(),
            Sound::Sum(all) => all.clone(),
            Sound::Modulated(carrier, _) => vec![*carrier],
        };
        cadence.parts().iter().flat_map(of_part).collect()
    }

    /// Milliseconds of sound and of silence, in order.
    fn times(cadence: &Cadence) -> Vec<(bool, u32)> {
        let of_part = |part: &Part| Some((part.sound != Sound::Silence, part.ms?));
        cadence.parts().iter().filter_map(of_part).collect()
    }

    #[test]
    fn every_tone_is_within_the_limits_that_e_180_accepts() {
        for (country, _) in COUNTRIES {
            let of = |name| tone(name, country).unwrap();
            // Around 400 to 450 Hz, or two frequencies of 340 to 500; North America's
            // busy tones, of 480 and 620 Hz, are the known exception.
            for name in ["dial", "ring", "busy", "congestion"] {
                let most = if country == "us" { 620 } else { 500 };
                let hz = frequencies(&of(name));
                assert!(hz.iter().all(|hz| (340..=most).contains(hz)), "{country} {name}");
            }
            let ring = times(&of("ring"));
            let (longest, pause) = (longest(&ring, true), longest(&ring, false));
            assert!((400..=2_500).contains(&longest), "{country} rings for {longest} ms");
            assert!((2_000..=6_000).contains(&pause), "{country} rings every {pause} ms");
            for name in ["busy", "congestion"] {
                let times = times(&of(name));
                assert!(times.iter().all(|(_, ms)| (120..=800).contains(ms)), "{country} {name}");
            }
            // The special information tone: 950, 1400 and 1800 Hz of 330 ± 70 ms, up to 30 ms between, then 1000 ± 250.
            let info = of("info");
            assert_eq!(frequencies(&info), [950, 1400, 1800], "{country}");
            let of_info = times(&info);
            let (rest, parts) = of_info.split_last().unwrap();
            assert!(!rest.0 && (750..=1_250).contains(&rest.1), "{country}");
            let within = |(sounds, ms): &(bool, u32)| {
                if *sounds { (260..=400).contains(ms) } else { *ms <= 30 }
            };
            assert!(parts.iter().all(within), "{country}");
        }
    }

    fn longest(times: &[(bool, u32)], sounding: bool) -> u32 {
        times.iter().filter(|(sounds, _)| *sounds == sounding).map(|(_, ms)| *ms).max().unwrap()
    }

    #[test]
    fn a_tone_or_country_that_is_not_known_is_refused() {
        assert_eq!(tone("hum", "us"), Err(ToneError::Name("hum".into())));
        assert_eq!(tone("dial", "xx"), Err(ToneError::Country("xx".into())));
        assert!(tone("hum", "us").unwrap_err().to_string().contains("use dial, busy, ring"));
    }
}
