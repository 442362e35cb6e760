//! What is recorded, to where, and what ends it.

use std::path::PathBuf;
use std::time::Duration;

use stasis_bus::Topic;

use crate::bridge::TapDirection;
use crate::dtmf::Digit;
use crate::frame::SampleRate;
use crate::id::{BridgeId, LegId};
use crate::talk::TalkSettings;
use crate::wav::WavFormat;

/// What is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordTarget {
    /// All that is heard in a bridge.
    Bridge(BridgeId),
    /// One way of a leg, or both together.
    Leg(LegId, TapDirection),
}

impl From<BridgeId> for RecordTarget {
    fn from(bridge: BridgeId) -> Self {
        RecordTarget::Bridge(bridge)
    }
}

/// What the party says.
impl From<LegId> for RecordTarget {
    fn from(leg: LegId) -> Self {
        RecordTarget::Leg(leg, TapDirection::In)
    }
}

/// What happens when the file is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IfExists {
    /// Nothing is recorded, and the file stays as it is.
    #[default]
    Fail,
    /// It is emptied first.
    Overwrite,
    /// The recording goes on behind what is there, at its rate. It has to be of the same format.
    Append,
}

/// Which keys end a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Keys {
    /// None.
    #[default]
    None,
    /// Any.
    Any,
    /// This one.
    Digit(Digit),
}

impl Keys {
    /// Whether `digit` is one of them.
    pub fn has(self, digit: Digit) -> bool {
        match self {
            Keys::None => false,
            Keys::Any => true,
            Keys::Digit(wanted) => wanted == digit,
        }
    }
}

/// How a recording is made.
///
/// ```
/// # use std::time::Duration;
/// # use stasis_media::io::RecordSettings;
/// let message = RecordSettings {
///     max_duration: Some(Duration::from_secs(120)),
///     max_silence: Some(Duration::from_secs(5)),
///     ..RecordSettings::to("message.wav")
/// };
/// ```
#[derive(Clone, Debug)]
pub struct RecordSettings {
    /// The file.
    pub path: PathBuf,
    /// How its samples are written down. 16-bit PCM by default.
    pub format: WavFormat,
    /// The rate of a new file; `None`: 8 kHz for µ-law and A-law, else that of the leg, or the highest
    /// that the bridge can have.
    pub rate: Option<SampleRate>,
    /// What happens when the file is there already. It is an error by default.
    pub if_exists: IfExists,
    /// The recording ends when it is so long, pauses not counted.
    pub max_duration: Option<Duration>,
    /// The recording ends after so much silence in a row, from its beginning or after talk. The
    /// silence stays in the file. Not counted while it is paused or muted, and from 0 after that.
    pub max_silence: Option<Duration>,
    /// What is talk, and what is silence.
    pub talk: TalkSettings,
    /// The recording ends, within 200 ms, when one of these keys was pressed by the leg that is
    /// recorded, or by any leg, when it is a bridge.
    pub keys: Keys,
    /// The topic on which keys are told; `None`: that of the recording's own events. For a bridge it
    /// is to be one that has the keys of its legs and of nobody else.
    pub keys_from: Option<Topic>,
    /// Of a bridge: what each leg says there goes to a file of its own, too, beside the first and as
    /// long as it, with the leg's name before the ending: `room-leg-7.wav`. For this the recording's
    /// topic is to be the bridge's. Who comes while it runs is heard after 200 ms at the latest. A leg
    /// with four taps already is silent in its own. The files are made anew also where the first is
    /// appended to.
    pub tracks: bool,
    /// A beep of 200 ms is played first to the leg or bridge that is recorded, when what is played to it
    /// before is over. Until it is over, too, the recording is [`Queued`](super::RecordState::Queued):
    /// nothing is recorded, and keys do not end it. It begins within 40 ms after that, also when the beep
    /// was stopped, or too much waited before it.
    pub beep: bool,
}

impl RecordSettings {
    /// To a new file of 16-bit PCM at `path`, until it is stopped.
    pub fn to(path: impl Into<PathBuf>) -> Self {
        RecordSettings {
            path: path.into(),
            format: WavFormat::default(),
            rate: None,
            if_exists: IfExists::default(),
            max_duration: None,
            max_silence: None,
            talk: TalkSettings::default(),
            keys: Keys::default(),
            keys_from: None,
            tracks: false,
            beep: false,
        }
    }
}
