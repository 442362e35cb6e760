//! The configuration: one TOML file, `stasis.toml`, and what is so when it says nothing.
//!
//! `server/stasis.toml` has every setting with what it means; a test keeps it the same as the types here. A key
//! that is not known is an error, with the nearest that is.

mod phones;
mod sections;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use stasis_control::dialplan::{Dialplan, DialplanWarning, nearest};

use crate::consumers::{CallLogSettings, MetricsSettings, RecordSettings, StatsdSettings};
pub use phones::{Phone, PhoneError};
pub use sections::{
    AriSection, BusSection, DialplanSection, HttpSection, LogFormat, LogSection, MediaSection,
    MusicSection, RecordingsSection, ServerSection, SoundsSection,
};

/// The file with every setting, and what it is if nobody says anything else.
pub const EXAMPLE: &str = include_str!("../../stasis.toml");
/// What calls do when no dialplan is named.
const DIALPLAN: &str = include_str!("../../extensions.conf");

/// All settings.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What the server is.
    pub server: ServerSection,
    /// Where it is asked.
    pub http: HttpSection,
    /// ARI.
    pub ari: AriSection,
    /// The bus.
    pub bus: BusSection,
    /// The media engine.
    pub media: MediaSection,
    /// Sounds and music.
    pub sounds: SoundsSection,
    /// Recordings.
    pub recordings: RecordingsSection,
    /// What calls do.
    pub dialplan: DialplanSection,
    /// Simulated phones, `Test/NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phones: Option<BTreeMap<String, Phone>>,
    /// Call records.
    pub records: RecordSettings,
    /// StatsD.
    pub statsd: StatsdSettings,
    /// Figures for Prometheus.
    pub metrics: MetricsSettings,
    /// A line for each thing of note in a call.
    pub call_log: CallLogSettings,
    /// The log.
    pub log: LogSection,
    /// Where the file is; paths are seen from there.
    #[serde(skip)]
    folder: PathBuf,
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {problem}")]
    Read {
        /// Which.
        path: String,
        /// Why.
        problem: std::io::Error,
    },
    /// It is no TOML, or has something in it that is not known.
    #[error("{path}: {text}")]
    Text {
        /// Which.
        path: String,
        /// What is wrong, and where.
        text: String,
    },
    /// The dialplan has mistakes: all of them.
    #[error("{path}:\n{}", .mistakes.join("\n"))]
    Dialplan {
        /// Which.
        path: String,
        /// By line.
        mistakes: Vec<String>,
    },
    /// Something in it cannot be.
    #[error(transparent)]
    User(#[from] crate::users::UserError),
    /// A phone cannot be.
    #[error("phone {name:?}: {problem}")]
    Phone {
        /// Which.
        name: String,
        /// Why.
        problem: PhoneError,
    },
    /// A value that cannot be.
    #[error("{0}")]
    Value(String),
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ConfigError`] for what is wrong in it, with the line.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path)
            .map_err(|problem| ConfigError::Read { path: name.clone(), problem })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Config::parse(&text)
            .map(|config| Config { folder, ..config })
            .map_err(|text| ConfigError::Text { path: name, text })
    }

    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong in it, with the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|problem| {
            let text = problem.to_string();
            match hint(problem.message()) {
                Some(hint) => format!("{}\n{hint}", text.trim_end()),
                None => text.trim_end().to_owned(),
            }
        })
    }

    /// The same, with paths seen from this folder.
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> Self {
        Config { folder: folder.into(), ..self }
    }

    /// A path that was written in the file.
    pub fn path(&self, path: &Path) -> PathBuf {
        self.folder.join(path)
    }

    /// The dialplan, and what to know about it.
    ///
    /// # Errors
    /// [`ConfigError`] for a file that cannot be read, or has mistakes.
    pub fn dialplan(&self) -> Result<(Dialplan, Vec<DialplanWarning>), ConfigError> {
        let (name, text) = match &self.dialplan.file {
            None => ("the built-in dialplan".to_owned(), DIALPLAN.to_owned()),
            Some(file) => {
                let path = self.path(file);
                let name = path.display().to_string();
                let text = std::fs::read_to_string(&path)
                    .map_err(|problem| ConfigError::Read { path: name.clone(), problem })?;
                (name, text)
            }
        };
        let parsed = match name.ends_with(".toml") {
            true => Dialplan::parse_toml(&text),
            false => Dialplan::parse_conf(&text),
        };
        let plan = parsed.map_err(|mistakes| ConfigError::Dialplan {
            path: name,
            mistakes: mistakes.iter().map(|mistake| format!("  {mistake}")).collect(),
        })?;
        let warnings = plan.warnings().to_vec();
        Ok((plan, warnings))
    }
}

/// What was probably meant: of `unknown field `x`, expected one of `a`, `b``, the nearest.
fn hint(message: &str) -> Option<String> {
    if !message.starts_with("unknown ") {
        return None;
    }
    let mut words = message.split('`').skip(1).step_by(2);
    let wrong = words.next()?;
    nearest(wrong, words).map(|name| format!("did you mean `{name}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_says_what_is_so_when_nobody_says_anything() {
        let example = Config::parse(EXAMPLE).unwrap_or_else(|problem| panic!("{problem}"));
        let told = toml::Table::try_from(&example).unwrap();
        let default = toml::Table::try_from(Config::default()).unwrap();
        for (section, values) in &default {
            assert_eq!(told.get(section), Some(values), "[{section}]");
        }
    }

    /// All keys in a table, with those of its tables.
    fn keys(table: &toml::Table, before: &str, all: &mut Vec<String>) {
        for (name, value) in table {
            match value {
                toml::Value::Table(inner) => keys(inner, &format!("{before}{name}."), all),
                _ => all.push(name.clone()),
            }
        }
    }

    #[test]
    fn every_setting_is_in_the_example() {
        let mut all = Vec::new();
        keys(&toml::Table::try_from(Config::default()).unwrap(), "", &mut all);
        // Those that are not set unless somebody does.
        let unset = ["asterisk_id", "file", "csv", "retain_days", "password_format", "order"];
        for key in all.iter().map(String::as_str).chain(unset) {
            let is_there = EXAMPLE.lines().any(|line| {
                line.trim_start_matches(['#', ' '])
                    .split_once('=')
                    .is_some_and(|(name, _)| name.trim() == key)
            });
            assert!(is_there, "{key} is not in stasis.toml");
        }
    }

    #[test]
    fn the_built_in_dialplan_has_no_mistakes() {
        let (plan, warnings) = Config::default().dialplan().unwrap();
        assert!(warnings.is_empty(), "{warnings:?}");
        assert!(plan.step("default", "s", 1).is_some());
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_nearest() {
        let problem = Config::parse("[ari]\nprety = true\n").unwrap_err();
        assert!(
            problem.contains("did you mean `pretty`?") && problem.contains("line 2"),
            "{problem}"
        );
        let problem = Config::parse("[htpp]\n").unwrap_err();
        assert!(problem.contains("did you mean `http`?"), "{problem}");
        let problem = Config::parse("[ari.users.ann]\npasword = \"x\"\n").unwrap_err();
        assert!(problem.contains("did you mean `password`?"), "{problem}");
        assert!(Config::parse("[http]\nlisten = 5\n").is_err());
    }

    #[test]
    fn paths_are_seen_from_the_file() {
        let config = Config::default().in_folder("/etc/stasis");
        assert_eq!(config.path(Path::new("x.conf")), Path::new("/etc/stasis/x.conf"));
        assert_eq!(config.path(Path::new("/tmp/x")), Path::new("/tmp/x"));
    }
}
