//! Why a name and arguments are no application.

use super::super::error::{hint, nearest};
use super::Application;

/// Why there is no application by a name and arguments.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArgumentError {
    /// None has this name.
    #[error("there is no application `{name}`{}", hint(.nearest))]
    Unknown {
        /// The name.
        name: String,
        /// The one that was perhaps meant.
        nearest: Option<&'static str>,
    },
    /// It needs an argument that is not there.
    #[error("{app} needs {what}: write {form}")]
    Missing {
        /// The application.
        app: &'static str,
        /// What is missing.
        what: &'static str,
        /// What to write.
        form: &'static str,
    },
    /// An argument is not what it should be.
    #[error("{app}: `{text}` is no {what}")]
    Wrong {
        /// The application.
        app: &'static str,
        /// The argument.
        text: String,
        /// What it should be.
        what: &'static str,
    },
    /// No cause has this name.
    #[error("Hangup: `{name}` is no cause of Q.850{}", hint(.nearest))]
    Cause {
        /// The name.
        name: String,
        /// The one that was perhaps meant.
        nearest: Option<&'static str>,
    },
}

impl ArgumentError {
    /// For a name that no application has.
    pub(in crate::dialplan) fn unknown(name: &str) -> ArgumentError {
        let nearest = nearest(name, Application::NAMES.iter().copied());
        let nearest = nearest.and_then(Application::canonical);
        ArgumentError::Unknown { name: name.into(), nearest }
    }
}
