//! What is written down of calls, and where.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use stasis_control::records::cdr::CdrSettings;
use stasis_control::records::cel::{CelEvent, CelSettings, Watched};

use super::RecordsError;

/// What is written down of calls, and where.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordSettings {
    /// Whether anything is written down.
    pub enabled: bool,
    /// The SQLite file with the tables `cdr` and `cel`. It is made if it is not there; its folder is not.
    pub database: PathBuf,
    /// A folder for `cdr.csv` and `cel.csv`, which are appended to. Not set: no such files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csv: Option<PathBuf>,
    /// Call detail records.
    pub cdr: CdrOptions,
    /// The event log.
    pub cel: CelOptions,
    /// So many records are written at once; a crash of the process loses fewer than that.
    pub batch_records: usize,
    /// No record waits longer than this to be written, in milliseconds.
    pub batch_ms: u64,
    /// So many records are kept in memory while the disk is full or the database locked; what comes
    /// beyond that is lost.
    pub kept_records: usize,
    /// Records that are older than so many days are deleted from the database. Not set: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retain_days: Option<u32>,
}

impl Default for RecordSettings {
    fn default() -> Self {
        RecordSettings {
            enabled: true,
            database: "records.db".into(),
            csv: None,
            cdr: CdrOptions::default(),
            cel: CelOptions::default(),
            batch_records: 500,
            batch_ms: 200,
            kept_records: 100_000,
            retain_days: None,
        }
    }
}

impl RecordSettings {
    pub(super) fn batch_time(&self) -> Duration {
        Duration::from_millis(self.batch_ms)
    }
}

/// Which call detail records there are.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CdrOptions {
    /// Whether there are any.
    pub enabled: bool,
    /// Also of channels that have called nobody, met nobody and were never answered.
    pub unanswered: bool,
    /// Congestion is told as such; else as a failure.
    pub congestion: bool,
    /// A second that has begun counts in `billsec`.
    pub initiated_seconds: bool,
    /// Channels have records unless the dialplan says otherwise by `CDR_PROP(disable)`.
    pub channel_default_enabled: bool,
}

impl Default for CdrOptions {
    fn default() -> Self {
        let CdrSettings { unanswered, congestion, initiated_seconds, channel_default_enabled } =
            CdrSettings::default();
        let enabled = true;
        CdrOptions { enabled, unanswered, congestion, initiated_seconds, channel_default_enabled }
    }
}

impl CdrOptions {
    pub(super) fn settings(&self) -> CdrSettings {
        CdrSettings {
            unanswered: self.unanswered,
            congestion: self.congestion,
            initiated_seconds: self.initiated_seconds,
            channel_default_enabled: self.channel_default_enabled,
        }
    }
}

/// What the event log has.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CelOptions {
    /// Whether there is one.
    pub enabled: bool,
    /// Which events are told: "all", or a list of their names.
    pub events: Choice,
    /// Which applications of the dialplan have APP_START and APP_END: "all", or a list of their names.
    pub applications: Choice,
}

impl Default for CelOptions {
    fn default() -> Self {
        let CelSettings { events, applications } = CelSettings::default();
        let events = events.iter().map(|event| event.name().to_owned());
        let applications = match applications {
            Watched::All => Choice::All,
            Watched::Only(names) => Choice::Only(names),
        };
        CelOptions { enabled: true, events: Choice::Only(events.collect()), applications }
    }
}

impl CelOptions {
    pub(super) fn settings(&self) -> Result<CelSettings, RecordsError> {
        let of = |name: &String| {
            CelEvent::of(name).ok_or_else(|| RecordsError::UnknownEvent(name.clone()))
        };
        let events = match &self.events {
            Choice::All => CelEvent::ALL.iter().copied().collect(),
            Choice::Only(names) => names.iter().map(of).collect::<Result<_, _>>()?,
        };
        let applications = match &self.applications {
            Choice::All => Watched::All,
            Choice::Only(names) => Watched::Only(names.clone()),
        };
        Ok(CelSettings { events, applications })
    }
}

/// All of something, or some by name: `"all"` or `["one", "another"]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Choice {
    /// All.
    All,
    /// These.
    Only(Vec<String>),
}

/// A choice as it is written.
#[derive(Deserialize, Serialize)]
#[serde(untagged)]
enum Written {
    Word(String),
    List(Vec<String>),
}

impl TryFrom<Written> for Choice {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::List(names) => Ok(Choice::Only(names)),
            Written::Word(word) if word.eq_ignore_ascii_case("all") => Ok(Choice::All),
            Written::Word(word) => Err(format!("{word:?} is no choice: write \"all\", or a list")),
        }
    }
}

impl From<Choice> for Written {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice::All => Written::Word("all".into()),
            Choice::Only(names) => Written::List(names),
        }
    }
}
