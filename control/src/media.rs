//! Between the call model and the media engine: orders one way, answers the other.
//!
//! Both are values, with numbers that the model gives: it never waits for the engine, and holds nothing
//! while an order is carried out. [`io::Driver`](crate::io::Driver) carries the orders out.

use std::net::SocketAddr;
use std::time::Duration;

use stasis_media::codec::Codec;
use stasis_media::dtmf::Digit;
pub use stasis_media::io::{IfExists, Keys};
use stasis_media::leg::LegSetting;
use stasis_media::sound::{Item, Language, PlaybackControl};

use crate::playback::PlaybackState;
use crate::recording::RecordingState;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);
    };
}

number! {
    /// The model's number for a leg of the engine.
    Line
}
number! {
    /// The model's number for a bridge of the engine.
    Mix
}
number! {
    /// The model's number for one thing that is played.
    Play
}
number! {
    /// The model's number for a recording.
    Record
}

/// Who is played something, or is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Ear {
    /// The party of a line.
    Line(Line),
    /// All in a mix.
    Mix(Mix),
}

/// Something to be played.
#[derive(Clone, Debug)]
pub enum Sound {
    /// What the engine knows: a sound by its name, digits, a tone, …
    Item(Item),
    /// A recording that is kept, by its name.
    Recording(String),
}

/// Which way of a line something concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Way {
    /// None.
    #[default]
    None,
    /// What comes from the party.
    In,
    /// What goes to the party.
    Out,
    /// Both.
    Both,
}

impl Way {
    /// Reads `none`, `in`, `out` or `both`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Way::None),
            "in" => Some(Way::In),
            "out" => Some(Way::Out),
            "both" => Some(Way::Both),
            _ => None,
        }
    }

    /// Whether it has what comes from the party.
    pub fn is_in(self) -> bool {
        matches!(self, Way::In | Way::Both)
    }

    /// Whether it has what goes to the party.
    pub fn is_out(self) -> bool {
        matches!(self, Way::Out | Way::Both)
    }
}

/// How something is recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordHow {
    /// The name that it is kept by, without an ending.
    pub name: String,
    /// How it is written down: `wav`, `ulaw`, `alaw`, `sln16`, …
    pub format: String,
    /// What happens when there is one already.
    pub if_exists: IfExists,
    /// It ends after so long.
    pub max_duration: Option<Duration>,
    /// It ends after so much silence.
    pub max_silence: Option<Duration>,
    /// It ends by these keys.
    pub end_keys: Keys,
    /// A beep is heard before.
    pub beep: bool,
}

/// What has ended a recording, other than a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndedBy {
    /// A key.
    Key(Digit),
    /// Silence.
    Silence,
    /// It was as long as it may be.
    Time,
    /// Who was recorded is gone.
    Gone,
}

/// What can be done to a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecordControl {
    /// It leaves out what comes, or no longer.
    Pause(bool),
    /// It has silence in the place of what comes, or no longer.
    Mute(bool),
    /// It is over, and kept.
    Stop,
    /// It is over, and thrown away.
    Discard,
}

/// How an RTP line is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtpOpen {
    /// The peer.
    pub remote: SocketAddr,
    /// Codecs by the names that clients use (`ulaw`, `alaw`, `g722`, `slin16`, `opus`), the preferred
    /// one first.
    pub formats: Vec<String>,
}

/// The codec that clients call by this name: `ulaw`, `alaw`, `g722`, `slin`, `slin16`, `slin48`, `opus`.
///
/// # Errors
/// That there is none, and which there are.
pub fn codec(name: &str) -> Result<Codec, String> {
    let l16 = |clock_hz| {
        let none = || format!("there is no L16 at {clock_hz} Hz");
        Codec::from_rtpmap("L16", clock_hz).ok_or_else(none)
    };
    match name {
        "ulaw" => Ok(Codec::PCMU),
        "alaw" => Ok(Codec::PCMA),
        "g722" => Ok(Codec::G722),
        "slin" => l16(8_000),
        "slin16" => l16(16_000),
        "slin48" => l16(48_000),
        "opus" => {
            Codec::from_rtpmap("opus", 48_000).ok_or_else(|| "this was built without Opus".into())
        }
        other => Err(format!(
            "{other:?} is no codec: use ulaw, alaw, g722, slin, slin16, slin48 or opus"
        )),
    }
}

/// What the engine is told to do.
#[derive(Clone, Debug)]
pub enum MediaOrder {
    /// A line with an RTP stream each way.
    OpenRtp(Line, RtpOpen),
    /// Two lines back to back: what the one is sent is what comes from the other.
    OpenPair([Line; 2]),
    /// A line that overhears another one, and may speak to it.
    OpenSnoop {
        /// The new one.
        line: Line,
        /// Which one it overhears.
        of: Line,
        /// What it overhears.
        spy: Way,
        /// Who hears it.
        whisper: Way,
    },
    /// A line is not needed any more.
    CloseLine(Line),
    /// A setting of a line.
    Set(Line, LegSetting),
    /// A key is pressed towards the party.
    Press(Line, Digit, Duration),
    /// A mix: one in which all wait, or one in which all hear each other.
    OpenMix {
        /// The new one.
        mix: Mix,
        /// Whether all wait.
        holding: bool,
    },
    /// A mix is not needed any more.
    CloseMix(Mix),
    /// A line comes into a mix, out of the one that it may be in.
    Join(Line, Mix),
    /// A line leaves its mix.
    Leave(Line),
    /// Something is played when what was to be played before is over.
    Play {
        /// Its number.
        play: Play,
        /// To whom.
        ear: Ear,
        /// What.
        sound: Sound,
        /// In which language.
        language: Option<Language>,
        /// From where on.
        offset: Duration,
        /// Again and again.
        repeats: bool,
    },
    /// Something is done to what is played.
    ControlPlay(Play, PlaybackControl),
    /// Music of a class while nothing is played; none: no music.
    Music(Ear, Option<String>),
    /// A recording.
    Record(Record, Ear, RecordHow),
    /// Something is done to a recording.
    ControlRecord(Record, RecordControl),
}

/// What the engine has to say.
#[derive(Clone, Debug, PartialEq)]
pub enum MediaEvent {
    /// An RTP line is open, and listens here.
    Opened(Line, SocketAddr),
    /// A line could not be opened: why, and what to do about it.
    Failed(Line, String),
    /// A key was pressed.
    DigitBegan(Line, Digit),
    /// A key was pressed and released.
    Digit {
        /// By whom.
        line: Line,
        /// Which.
        digit: Digit,
        /// For how long, in milliseconds.
        duration_ms: u32,
        /// Whether it came beside the audio, so that nobody else has heard it.
        silent: bool,
    },
    /// A party has begun to talk.
    TalkingStarted(Line),
    /// A party has stopped talking, after so many milliseconds.
    TalkingStopped(Line, u32),
    /// A tone was heard.
    Tone(Line, String),
    /// Something that is played has come to another state.
    Played(Play, PlaybackState),
    /// A recording has come to another state.
    Recorded {
        /// Which.
        record: Record,
        /// What it does now.
        state: RecordingState,
        /// How long it is.
        duration: Duration,
        /// How much of it is talk.
        talking: Duration,
        /// What has ended it, if that was no command.
        ended_by: Option<EndedBy>,
        /// Why it went wrong.
        reason: Option<String>,
    },
    /// What an RTP line has received and was sent so far.
    Figures(Line, RtpFigures),
}

/// What an RTP line has received and was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RtpFigures {
    /// Packets that were sent.
    pub sent: u64,
    /// Octets of payload that were sent.
    pub sent_octets: u64,
    /// Packets that have come.
    pub received: u64,
    /// Octets of payload that have come.
    pub received_octets: u64,
    /// Packets that have not come.
    pub lost: u64,
    /// Interarrival jitter of what has come (RFC 3550, A.8), in seconds.
    pub jitter_s: f64,
    /// The synchronisation source (SSRC) of what is sent.
    pub local_ssrc: u32,
    /// That of what has come; none: nothing yet.
    pub remote_ssrc: Option<u32>,
}
