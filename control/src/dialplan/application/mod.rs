//! Applications: what a step can do, with its arguments read.

use std::time::Duration;

mod cause;
mod dial;
mod error;
mod flow;
mod list;
mod notes;
mod sound;
mod stasis;

pub use dial::DialOptions;
pub use error::ArgumentError;
pub use flow::{PriorityOrLabel, Target};
pub use notes::LogLevel;
pub use sound::{BackgroundOptions, PlaybackOptions, ReadOptions, RecordOptions, RecordTerminator};

use super::arguments::arguments;
use list::List;

/// What a step does. Made from arguments that were substituted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Application {
    /// Nothing; the text is there to be read where steps are shown.
    NoOp {
        /// Any text.
        text: String,
    },
    /// Answers the call, if it is not, and waits.
    Answer {
        /// How long to wait for media after it.
        delay: Duration,
    },
    /// Says that it rings, and goes on.
    Ringing,
    /// Opens a way for sound before an answer, and goes on.
    Progress,
    /// Says busy, and waits until the caller hangs up.
    Busy {
        /// Hang up after this; `None`: never.
        timeout: Option<Duration>,
    },
    /// Says congestion, and waits until the caller hangs up.
    Congestion {
        /// Hang up after this; `None`: never.
        timeout: Option<Duration>,
    },
    /// Hangs up.
    Hangup {
        /// Why, by ITU-T Q.850 (0 to 127); `None`: as the call went.
        cause: Option<u16>,
    },
    /// Hands the call to an ARI application until that lets it go on. Sets `STASISSTATUS`.
    Stasis {
        /// The application.
        app: String,
        /// What it is given with its StasisStart.
        args: Vec<String>,
    },
    /// Offers the call to all ARI applications; the first that claims it gets it. Sets
    /// `STASISSTATUS`.
    StasisBroadcast {
        /// How long to wait for a claim, a minute at most.
        timeout: Duration,
        /// A regular expression for the names of those asked; `None`: all. It compiles.
        filter: Option<String>,
        /// What the winner is given with its StasisStart.
        args: Vec<String>,
        /// Tell the others who has won.
        notify_claimed: bool,
    },
    /// Sends back what comes.
    Echo,
    /// Waits.
    Wait {
        /// How long.
        duration: Duration,
    },
    /// Waits for the digits of an extension.
    WaitExten {
        /// How long; `None`: as the channel has it.
        duration: Option<Duration>,
        /// Play music of this class meanwhile (`Some("")`: the default class).
        music: Option<String>,
    },
    /// Plays sounds, one after the other. Sets `PLAYBACKSTATUS`.
    Playback {
        /// Their names.
        sounds: Vec<String>,
        /// How.
        options: PlaybackOptions,
    },
    /// Plays sounds while it listens for the digits of an extension. Sets `BACKGROUNDSTATUS`.
    Background {
        /// Their names.
        sounds: Vec<String>,
        /// How.
        options: BackgroundOptions,
        /// The language of the sounds; `None`: the channel's.
        language: Option<String>,
        /// Where extensions are looked for; `None`: in the context that the call is in.
        context: Option<String>,
    },
    /// Sends digits.
    SendDtmf {
        /// `0-9 * # A-D`, and `w` for half a second, `W` for a second of silence.
        digits: String,
        /// Between two digits.
        between: Duration,
        /// Of each; `None`: as the channel has it.
        duration: Option<Duration>,
    },
    /// Calls others and connects the first who answers. Sets `DIALSTATUS`.
    Dial {
        /// `Technology/resource`, at least one.
        destinations: Vec<String>,
        /// Give up after this; `None`: never.
        timeout: Option<Duration>,
        /// How.
        options: Box<DialOptions>,
        /// Sent to the one called, where that is possible.
        url: Option<String>,
    },
    /// Publishes an event.
    UserEvent {
        /// Its name.
        name: String,
        /// `Key: value` of each further argument; without a `:` the value is empty.
        headers: Vec<(String, String)>,
    },
    /// Runs one application or another.
    ExecIf {
        /// Which.
        condition: bool,
        /// If it holds.
        then: Call,
        /// If not; `None`: goes on.
        otherwise: Option<Call>,
    },
    /// Goes on elsewhere, here or there.
    GotoIf {
        /// Which.
        condition: bool,
        /// If it holds; `None`: goes on.
        then: Option<Target>,
        /// If not; `None`: goes on.
        otherwise: Option<Target>,
    },
    /// Goes on elsewhere.
    Goto {
        /// Where.
        target: Target,
    },
    /// Goes elsewhere, and comes back at [`Return`](Self::Return).
    Gosub {
        /// Where.
        target: Target,
        /// `ARG1`, `ARG2`, … there.
        args: Vec<String>,
    },
    /// Comes back from a [`Gosub`](Self::Gosub).
    Return {
        /// `GOSUB_RETVAL` after it.
        value: String,
    },
    /// Sets one variable or function; the value goes to the end, commas and all.
    Set {
        /// One name and value. A name may begin with `_` or `__` (inherited by the channels that
        /// this one makes, once or ever) or be a function: `CALLERID(num)`.
        assignments: Vec<(String, String)>,
    },
    /// Sets several, as [`Set`](Self::Set) does.
    MSet {
        /// Names and values, in order.
        assignments: Vec<(String, String)>,
    },
    /// Writes for who watches.
    Verbose {
        /// 0 to 10: the higher, the fewer see it.
        level: u8,
        /// What.
        text: String,
    },
    /// Writes to the log.
    Log {
        /// How bad it is.
        level: LogLevel,
        /// What.
        text: String,
    },
    /// Records the caller. Sets `RECORD_STATUS` and `RECORDED_FILE`.
    Record {
        /// The file, without its format.
        file: String,
        /// The format: `wav`.
        format: String,
        /// Stop after so much silence; `None`: never.
        silence: Option<Duration>,
        /// Stop after this; `None`: never.
        max_duration: Option<Duration>,
        /// How.
        options: RecordOptions,
    },
    /// Reads digits into a variable. Sets `READSTATUS`.
    Read {
        /// The variable.
        variable: String,
        /// Sounds to play before.
        prompts: Vec<String>,
        /// Enough after so many, without a `#`; `None`: `#` ends them.
        max_digits: Option<u32>,
        /// How.
        options: ReadOptions,
        /// How often to begin anew when nothing comes, at least 1.
        attempts: u32,
        /// How long to wait for a digit; `None`: as the channel has it.
        timeout: Option<Duration>,
    },
    /// Plays music.
    MusicOnHold {
        /// Its class; `None`: the channel's.
        class: Option<String>,
        /// How long; `None`: for ever.
        duration: Option<Duration>,
    },
    /// Begins music, and goes on.
    StartMusicOnHold {
        /// Its class; `None`: the channel's.
        class: Option<String>,
    },
    /// Ends music.
    StopMusicOnHold,
}

/// An application by name, with its arguments as a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Its canonical name.
    pub app: &'static str,
    /// Its arguments.
    pub args: String,
}

impl Application {
    /// The names of all applications, in the order of the alphabet.
    pub const NAMES: &[&'static str] = &[
        "Answer",
        "Background",
        "Busy",
        "Congestion",
        "Dial",
        "Echo",
        "ExecIf",
        "Gosub",
        "Goto",
        "GotoIf",
        "Hangup",
        "Log",
        "MSet",
        "MusicOnHold",
        "NoOp",
        "Playback",
        "Progress",
        "Read",
        "Record",
        "Return",
        "Ringing",
        "SendDTMF",
        "Set",
        "StartMusicOnHold",
        "Stasis",
        "StasisBroadcast",
        "StopMusicOnHold",
        "UserEvent",
        "Verbose",
        "Wait",
        "WaitExten",
    ];

    /// A name in the spelling of [`NAMES`](Self::NAMES), whatever its case.
    pub fn canonical(name: &str) -> Option<&'static str> {
        let name = name.trim();
        Self::NAMES.iter().copied().find(|known| known.eq_ignore_ascii_case(name))
    }

    /// Reads the arguments of the application `name`, whatever the case of that.
    ///
    /// # Errors
    /// See [`ArgumentError`]; its text says what to write.
    pub fn parse(name: &str, args: &str) -> Result<Application, ArgumentError> {
        let app = Self::canonical(name).ok_or_else(|| ArgumentError::unknown(name))?;
        let list = List { app, items: arguments(args) };
        Ok(match app {
            "Answer" => Application::Answer { delay: list.millis(0)?.unwrap_or_default() },
            "Background" => sound::background(&list)?,
            "Busy" => Application::Busy { timeout: list.seconds(0)? },
            "Congestion" => Application::Congestion { timeout: list.seconds(0)? },
            "Dial" => dial::dial(&list)?,
            "Echo" => Application::Echo,
            "ExecIf" => flow::exec_if(args)?,
            "Gosub" => flow::gosub(&list)?,
            "Goto" => Application::Goto { target: flow::target(&list)? },
            "GotoIf" => flow::goto_if(args)?,
            "Hangup" => Application::Hangup { cause: cause::parse(list.item(0))? },
            "Log" => notes::log(args)?,
            "MSet" => Application::MSet { assignments: flow::assignments(&list)? },
            "MusicOnHold" => {
                Application::MusicOnHold { class: list.text(0), duration: list.seconds(1)? }
            }
            "Playback" => sound::playback(&list)?,
            "Progress" => Application::Progress,
            "Read" => sound::read(&list)?,
            "Record" => sound::record(&list)?,
            "Return" => Application::Return { value: args.into() },
            "Ringing" => Application::Ringing,
            "SendDTMF" => sound::send_dtmf(&list)?,
            "Set" => Application::Set { assignments: vec![flow::assignment("Set", args)?] },
            "StartMusicOnHold" => Application::StartMusicOnHold { class: list.text(0) },
            "Stasis" => stasis::stasis(list)?,
            "StasisBroadcast" => stasis::broadcast(&list)?,
            "StopMusicOnHold" => Application::StopMusicOnHold,
            "UserEvent" => stasis::user_event(&list)?,
            "Verbose" => notes::verbose(args),
            "Wait" => Application::Wait { duration: list.needed_seconds(0, "Wait(seconds)")? },
            "WaitExten" => sound::wait_exten(&list)?,
            _ => Application::NoOp { text: args.into() },
        })
    }

    /// Its name, in the spelling of [`NAMES`](Self::NAMES).
    pub fn name(&self) -> &'static str {
        match self {
            Application::NoOp { .. } => "NoOp",
            Application::Answer { .. } => "Answer",
            Application::Ringing => "Ringing",
            Application::Progress => "Progress",
            Application::Busy { .. } => "Busy",
            Application::Congestion { .. } => "Congestion",
            Application::Hangup { .. } => "Hangup",
            Application::Stasis { .. } => "Stasis",
            Application::StasisBroadcast { .. } => "StasisBroadcast",
            Application::Echo => "Echo",
            Application::Wait { .. } => "Wait",
            Application::WaitExten { .. } => "WaitExten",
            Application::Playback { .. } => "Playback",
            Application::Background { .. } => "Background",
            Application::SendDtmf { .. } => "SendDTMF",
            Application::Dial { .. } => "Dial",
            Application::UserEvent { .. } => "UserEvent",
            Application::ExecIf { .. } => "ExecIf",
            Application::GotoIf { .. } => "GotoIf",
            Application::Goto { .. } => "Goto",
            Application::Gosub { .. } => "Gosub",
            Application::Return { .. } => "Return",
            Application::Set { .. } => "Set",
            Application::MSet { .. } => "MSet",
            Application::Verbose { .. } => "Verbose",
            Application::Log { .. } => "Log",
            Application::Record { .. } => "Record",
            Application::Read { .. } => "Read",
            Application::MusicOnHold { .. } => "MusicOnHold",
            Application::StartMusicOnHold { .. } => "StartMusicOnHold",
            Application::StopMusicOnHold => "StopMusicOnHold",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_any_case_and_is_its_applications_name() {
        for &name in Application::NAMES {
            assert_eq!(Application::canonical(&name.to_uppercase()), Some(name));
            // One text that every application takes in some place or refuses for what it is.
            for args in ["", "1", "a=1", "1?NoOp():NoOp()", "1?a:b", "Local/1", "a.wav", "error,x"]
            {
                if let Ok(application) = Application::parse(name, args) {
                    assert_eq!(application.name(), name);
                }
            }
        }
        assert!(Application::NAMES.is_sorted_by_key(|name| name.to_lowercase()));
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_nearest() {
        let nearest = Some("Playback");
        let expected = ArgumentError::Unknown { name: "Playbak".into(), nearest };
        assert_eq!(Application::parse("Playbak", ""), Err(expected));
    }
}
