//! What a tone is to be like so that it is told of.

use std::fmt;

use crate::dtmf::Dbm0;
use crate::sound::{Cadence, ToneError, tone};

/// Tones that one detector listens for, at most.
pub const MOST_TONES: usize = 16;

/// Which tone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ToneName {
    /// Dial tone: the network waits for digits.
    Dial,
    /// Who was called is busy.
    Busy,
    /// It rings there.
    Ring,
    /// The network is busy.
    Congestion,
    /// Another call is waiting.
    Waiting,
    /// This call is recorded.
    Record,
    /// Special information tone: an announcement follows that the call failed.
    Info,
    /// CNG: a fax machine has called (ITU-T T.30).
    FaxCalling,
    /// CED, or a modem's answer tone (ITU-T T.30, V.25, V.8).
    FaxAnswer,
    /// One of your own.
    Other(u8),
}

/// What a tone is, and how far from it what is heard may be. The fields may be changed; the
/// constructors fill in what suits a telephone line.
#[derive(Clone, Debug, PartialEq)]
pub struct ToneSpec {
    /// What it is called when it is told of.
    pub name: ToneName,
    /// What is heard, as it would be played. Silences of up to 60 ms in it count for nothing, because
    /// so long a tone may be interrupted.
    pub cadence: Cadence,
    /// How far off each frequency may be, in hertz; up to 60. Default: 15.
    pub tolerance_hz: f32,
    /// How far off each time may be, in percent of it, beside 20 ms for the measurement. Default: 10.
    pub tolerance_percent: f32,
    /// How loud all of it has to be. Default: −43 dBm0.
    pub min_level: Dbm0,
    /// How long a part that never ends is to be heard, in milliseconds. Default: 2,000, longer than
    /// any network rings at a time.
    pub steady_ms: u32,
    /// How many parts are to be heard in a row, beginning with a sound. A silence has been heard when the
    /// next sound begins. Default: of a cadence of two seconds or more once, without the silence at its
    /// end; of a shorter one six, so that busy and congestion are not taken for each other.
    pub parts: u32,
}

/// What cannot be listened for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToneSpecError {
    /// No sound in it, one shorter than a detector can tell, or two alike without 60 ms of silence between.
    #[error(
        "the tone {0} cannot be listened for: give sounds of more than 60 ms each, and more than 60 ms of silence between equal ones"
    )]
    Cadence(String),
    /// Too many tones for one detector.
    #[error("{0} tones are too many for one detector: {MOST_TONES} are the most")]
    TooMany(usize),
    /// No such tone is played in a network.
    #[error(transparent)]
    Tone(#[from] ToneError),
}

/// What is shorter is bridged when a tone is interrupted, in milliseconds.
pub(super) const BRIDGED_MS: u32 = 60;

impl ToneSpec {
    /// A tone of any cadence, by the defaults.
    pub fn new(name: ToneName, cadence: Cadence) -> Self {
        let parts = parts(&cadence);
        ToneSpec {
            name,
            cadence,
            tolerance_hz: 15.0,
            tolerance_percent: 10.0,
            min_level: Dbm0(-43.0),
            steady_ms: 2_000,
            parts,
        }
    }

    /// A tone of a country's network, as [`tone`] plays it. Frequencies may be 15 Hz off, those of the
    /// special information tone 40 Hz and its times a quarter, which takes in all that are in use.
    ///
    /// # Errors
    /// [`ToneSpecError::Tone`]: a name or country that is not known.
    pub fn of_country(name: ToneName, country: &str) -> Result<Self, ToneSpecError> {
        let spec = ToneSpec::new(name, tone(&name.to_string(), country)?);
        Ok(match name {
            ToneName::Info => {
                ToneSpec { tolerance_hz: 40.0, tolerance_percent: 25.0, parts: 3, ..spec }
            }
            _ => spec,
        })
    }

    /// CNG, the tone of a fax machine that calls: 1100 ± 38 Hz for 0.5 s every 3.5 s, times ± 15 %
    /// (ITU-T T.30, 4.3.3). Told of after the first.
    pub fn fax_calling() -> Self {
        let spec = ToneSpec::new(ToneName::FaxCalling, known("1100/500,0/3000"));
        ToneSpec { tolerance_hz: 38.0, tolerance_percent: 15.0, ..spec }
    }

    /// CED, ANS and ANSam, the tone of a fax machine or modem that answers: 2100 ± 15 Hz, its phase
    /// reversed every 450 ms or not (ITU-T T.30, 4.3.3; V.25; V.8). Told of after half a second.
    pub fn fax_answer() -> Self {
        ToneSpec { steady_ms: 500, ..ToneSpec::new(ToneName::FaxAnswer, known("2100")) }
    }
}

/// A cadence of this file.
fn known(text: &str) -> Cadence {
    text.parse().expect("written by us, and parsed in the tests")
}

/// How many parts in a row make a tone known.
fn parts(cadence: &Cadence) -> u32 {
    let lengths = || cadence.parts().iter().map(|part| part.ms);
    let total: u32 = lengths().flatten().fold(0, u32::saturating_add);
    let is_heard = |ms: Option<u32>| ms.is_none_or(|ms| ms > BRIDGED_MS);
    let count = lengths().filter(|ms| is_heard(*ms)).count() as u32;
    let ends_silent = cadence.parts().last().is_some_and(|part| part.is_silent());
    if total >= 2_000 || cadence.repeats_from().is_none() {
        count - u32::from(ends_silent && count > 0)
    } else {
        count.max(6)
    }
}

/// As [`tone`] calls it, for a tone of a network.
impl fmt::Display for ToneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            ToneName::Dial => "dial",
            ToneName::Busy => "busy",
            ToneName::Ring => "ring",
            ToneName::Congestion => "congestion",
            ToneName::Waiting => "waiting",
            ToneName::Record => "record",
            ToneName::Info => "info",
            ToneName::FaxCalling => "fax calling",
            ToneName::FaxAnswer => "fax answer",
            ToneName::Other(number) => return write!(f, "tone {number}"),
        };
        f.write_str(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_has_to_be_heard_as_often_as_it_takes_to_know_it() {
        let parts = |text: &str| ToneSpec::new(ToneName::Other(0), text.parse().unwrap()).parts;
        assert_eq!(parts("480+620/500,0/500"), 6);
        assert_eq!(parts("425/200,0/200,425/200,0/200,425/200,0/600"), 6);
        assert_eq!(parts("440+480/2000,0/4000"), 1);
        assert_eq!(parts("400+450/400,0/200,400+450/400,0/2000"), 3);
        assert_eq!(parts("950/300,0/30,1400/300,0/30,1800/300,0/1000"), 6, "1.96 s");
        assert_eq!(parts("!950/330,!1400/330,!1800/330"), 3);
        assert_eq!(parts("425"), 6);
    }

    #[test]
    fn a_tone_that_no_network_has_is_refused() {
        let error = ToneSpec::of_country(ToneName::FaxAnswer, "us").unwrap_err();
        assert!(error.to_string().contains("there is no tone \"fax answer\""), "{error}");
        assert!(ToneSpec::of_country(ToneName::Busy, "xx").is_err());
        assert_eq!(ToneSpec::fax_calling().parts, 1);
        assert_eq!(ToneSpec::fax_answer().steady_ms, 500);
    }
}
