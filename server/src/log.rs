//! The log: lines on the standard error, and log channels, files that clients of ARI add and take away.
//!
//! A log channel has levels of its own, whatever the standard error has. Its file is in the folder of the log,
//! and is appended to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Log channels. A clone is the same.
#[derive(Clone, Debug)]
pub struct LogChannels {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    /// Whether there is any: looked at for each line.
    is_any: AtomicBool,
    channels: Mutex<BTreeMap<String, Channel>>,
}

#[derive(Debug)]
struct Channel {
    path: PathBuf,
    levels: Vec<LogLevel>,
    file: File,
}

/// A level, as Asterisk calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLevel {
    name: &'static str,
    level: Level,
}

/// The levels, by their names.
const LEVELS: [LogLevel; 6] = [
    LogLevel { name: "TRACE", level: Level::TRACE },
    LogLevel { name: "DEBUG", level: Level::DEBUG },
    LogLevel { name: "VERBOSE", level: Level::DEBUG },
    LogLevel { name: "NOTICE", level: Level::INFO },
    LogLevel { name: "WARNING", level: Level::WARN },
    LogLevel { name: "ERROR", level: Level::ERROR },
];

/// What is told of a log channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogChannelInfo {
    /// Its file.
    pub path: String,
    /// Its levels, each with a blank behind it.
    pub levels: String,
}

/// Why something was not done with a log channel.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// There is one of this name.
    #[error("Log channel already exists")]
    Exists,
    /// There is none of this name.
    #[error("Log channel does not exist")]
    Unknown,
    /// The name is that of a file elsewhere.
    #[error("the name of a log channel is that of a file, without a folder")]
    Name,
    /// There is no such level.
    #[error("{0:?} is no level: use trace, debug, verbose, notice, warning, error, or * for all")]
    Level(String),
    /// Its file cannot be written.
    #[error("{}: {problem}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        problem: io::Error,
    },
}

/// Reads levels, divided by commas.
fn levels(text: &str) -> Result<Vec<LogLevel>, LogError> {
    let mut wanted = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if name == "*" {
            return Ok(LEVELS.to_vec());
        }
        let level = LEVELS.iter().find(|level| level.name.eq_ignore_ascii_case(name));
        wanted.push(*level.ok_or_else(|| LogError::Level(name.chars().take(40).collect()))?);
    }
    Ok(wanted)
}

impl LogChannels {
    /// None yet; their files are in this folder, which is made when it is needed.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        let shared = Shared {
            folder: folder.into(),
            is_any: AtomicBool::new(false),
            channels: Mutex::default(),
        };
        LogChannels { shared: Arc::new(shared) }
    }

    /// A layer of the program's log that writes to them. As long as there is none it costs a look.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let shared = self.shared.clone();
        let is_any =
            move |_: &Metadata<'_>, _: &Context<'_, S>| shared.is_any.load(Ordering::Relaxed);
        self.clone().with_filter(dynamic_filter_fn(is_any))
    }

    /// Nothing that is done while it is locked can fail halfway.
    fn channels(&self) -> MutexGuard<'_, BTreeMap<String, Channel>> {
        self.shared.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All, by their names.
    pub fn list(&self) -> Vec<LogChannelInfo> {
        let info = |channel: &Channel| {
            let levels = channel.levels.iter().map(|level| format!("{} ", level.name)).collect();
            LogChannelInfo { path: channel.path.display().to_string(), levels }
        };
        self.channels().values().map(info).collect()
    }

    /// Adds one. Touches a file: this blocks.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn add(&self, name: &str, configuration: &str) -> Result<(), LogError> {
        let levels = levels(configuration)?;
        let mut parts = Path::new(name).components();
        let is_plain = matches!(parts.next(), Some(std::path::Component::Normal(_)));
        if !is_plain || parts.next().is_some() || name.chars().any(char::is_control) {
            return Err(LogError::Name);
        }
        let mut channels = self.channels();
        if channels.contains_key(name) {
            return Err(LogError::Exists);
        }
        let path = self.shared.folder.join(name);
        let file = open(&path)?;
        channels.insert(name.to_owned(), Channel { path, levels, file });
        self.shared.is_any.store(true, Ordering::Relaxed); // a line sooner or later
        tracing::callsite::rebuild_interest_cache();
        Ok(())
    }

    /// Takes one away; its file stays.
    ///
    /// # Errors
    /// [`LogError::Unknown`].
    pub fn remove(&self, name: &str) -> Result<(), LogError> {
        let mut channels = self.channels();
        channels.remove(name).ok_or(LogError::Unknown)?;
        self.shared.is_any.store(!channels.is_empty(), Ordering::Relaxed);
        Ok(())
    }

    /// Begins a file anew; what was in it is kept under the same name with a number. Blocks.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn rotate(&self, name: &str) -> Result<(), LogError> {
        let mut channels = self.channels();
        let channel = channels.get_mut(name).ok_or(LogError::Unknown)?;
        let path = &channel.path;
        let numbered = |number: u32| PathBuf::from(format!("{}.{number}", path.display()));
        let free = (0..).map(numbered).find(|path| !path.exists());
        if let Some(to) = free {
            std::fs::rename(path, to)
                .map_err(|problem| LogError::File { path: path.clone(), problem })?;
        }
        channel.file = open(path)?;
        Ok(())
    }
}

fn open(path: &Path) -> Result<File, LogError> {
    let folder = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    let open = || OpenOptions::new().create(true).append(true).open(path);
    folder
        .and_then(|()| open())
        .map_err(|problem| LogError::File { path: path.to_owned(), problem })
}

/// What is logged goes to the channels that have its level.
impl<S: Subscriber> Layer<S> for LogChannels {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut line = format!("{} {} {}:", now(), metadata.level(), metadata.target());
        event.record(&mut Line(&mut line));
        line.push('\n');
        for channel in self.channels().values_mut() {
            if channel.levels.iter().any(|level| level.level == *metadata.level()) {
                // A disk that is full must not end anything else.
                let _ = channel.file.write_all(line.as_bytes());
            }
        }
    }
}

fn now() -> impl std::fmt::Display {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
}

/// Writes the fields of an event.
struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = match field.name() {
            "message" => write!(self.0, " {value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing_subscriber::prelude::*;

    #[test]
    fn a_channel_has_the_lines_of_its_levels() {
        let folder = std::env::temp_dir().join(format!("stasis-log-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let beside = Arc::new(File::create(folder.join("beside")).unwrap());
        let channels = LogChannels::new(&folder);
        let subscriber = tracing_subscriber::registry()
            .with(tracing_subscriber::fmt::layer().with_writer(beside))
            .with(channels.layer());
        tracing::subscriber::with_default(subscriber, || {
            tracing::error!("before");
            channels.add("bad", "error, warning").unwrap();
            channels.add("all", "*").unwrap();
            tracing::error!(call = 7, "an error");
            tracing::info!("a notice");
            channels.rotate("bad").unwrap();
            tracing::warn!("a warning");
            channels.remove("bad").unwrap();
            tracing::warn!("after");
        });
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let ends = |text: String| -> Vec<String> {
            text.lines().map(|line| line.split_once(": ").unwrap().1.to_owned()).collect()
        };
        let beside = std::fs::read_to_string(folder.join("beside")).unwrap();
        assert_eq!(beside.lines().count(), 5, "the other log has all: {beside}");
        assert_eq!(ends(read("bad.0")), ["an error call=7"]);
        assert_eq!(ends(read("bad")), ["a warning"]);
        assert_eq!(ends(read("all")), ["an error call=7", "a notice", "a warning", "after"]);
        let listed: Vec<_> = channels.list().into_iter().map(|info| info.levels).collect();
        assert_eq!(listed, ["TRACE DEBUG VERBOSE NOTICE WARNING ERROR "]);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_cannot_be_is_said() {
        let channels = LogChannels::new(std::env::temp_dir().join("stasis-log-none"));
        for name in ["../x", "a/b", "/x", "..", "", "a\nb"] {
            assert!(matches!(channels.add(name, "error"), Err(LogError::Name)), "{name}");
        }
        assert!(
            matches!(channels.add("x", "loud"), Err(LogError::Level(level)) if level == "loud")
        );
        assert!(matches!(channels.remove("x"), Err(LogError::Unknown)));
        assert!(matches!(channels.rotate("x"), Err(LogError::Unknown)));
        assert!(channels.list().is_empty());
    }
}
