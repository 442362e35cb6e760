//! What is written for people: `Verbose` and `Log`.

use super::super::arguments::split_at;
use super::{Application, ArgumentError};

/// How bad a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// ERROR
    Error,
    /// WARNING
    Warning,
    /// NOTICE
    Notice,
    /// VERBOSE
    Verbose,
    /// DEBUG
    Debug,
}

pub(super) fn verbose(args: &str) -> Application {
    let leveled = split_at(args, ',')
        .and_then(|(level, text)| Some((level.trim().parse().ok().filter(|it| *it <= 10)?, text)));
    let (level, text) = leveled.unwrap_or((0, args));
    Application::Verbose { level, text: text.into() }
}

pub(super) fn log(args: &str) -> Result<Application, ArgumentError> {
    let (level, text) = args.split_once(',').unwrap_or((args, ""));
    let level = match level.trim().to_ascii_uppercase().as_str() {
        "ERROR" => LogLevel::Error,
        "WARNING" => LogLevel::Warning,
        "NOTICE" => LogLevel::Notice,
        "VERBOSE" => LogLevel::Verbose,
        "DEBUG" => LogLevel::Debug,
        _ => {
            let what = "level: ERROR, WARNING, NOTICE, VERBOSE or DEBUG";
            return Err(ArgumentError::Wrong { app: "Log", text: level.trim().into(), what });
        }
    };
    Ok(Application::Log { level, text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, args: &str) -> Application {
        Application::parse(name, args).unwrap()
    }

    #[test]
    fn texts_keep_their_commas() {
        assert_eq!(parse("NoOp", "a, \"b\""), Application::NoOp { text: "a, \"b\"".into() });
        let verbose = |level, text: &str| Application::Verbose { level, text: text.into() };
        assert_eq!(parse("Verbose", "2,a,b"), verbose(2, "a,b"));
        assert_eq!(parse("Verbose", "hello, you"), verbose(0, "hello, you"));
        let log = Application::Log { level: LogLevel::Notice, text: "a,b".into() };
        assert_eq!(parse("Log", "notice,a,b"), log);
        assert!(Application::parse("Log", "loud,a").is_err());
    }
}
