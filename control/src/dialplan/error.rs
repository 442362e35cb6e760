//! What is wrong with a dialplan, where, and what to do about it.

use super::application::ArgumentError;

/// One mistake in a dialplan. A file is read to its end, so all of its mistakes come at once.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct DialplanError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// Something allowed, but hardly meant, or something that has no effect here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialplanWarning {
    /// The line, from 1; 0 in a context that a program has made.
    pub line: usize,
    /// What to know about it.
    pub text: String,
}

impl std::fmt::Display for DialplanWarning {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "line {}: {}", self.line, self.text)
    }
}

/// What can be wrong. Each text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// A line that is none of those that a context can have.
    #[error(
        "`{0}` is not understood: write `exten => 100,1,Answer()`, `same => n,Hangup()` or `include => other`"
    )]
    Line(String),
    /// A key that does not belong where it is.
    #[error("`{key}` does not belong here: {advice}")]
    Key {
        /// The key.
        key: String,
        /// What to write.
        advice: &'static str,
    },
    /// A line before the first `[context]`.
    #[error("this stands before the first context: write `[default]` above it")]
    NoContext,
    /// A section's head that is not understood, or a template.
    #[error("`{0}` is no context: write `[name]` alone on its line; there are no templates")]
    Section(String),
    /// A feature that this dialplan does not have.
    #[error("`{what}` is not supported: {advice}")]
    Unsupported {
        /// The feature, as it was written.
        what: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// A name of an extension that is no name and no pattern.
    #[error("the extension `{name}` is not understood: {why}")]
    Extension {
        /// The name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// A priority that is no number and no `n`.
    #[error("`{0}` is no priority: write a number from 1, `n`, `n+2`, or `n(label)`")]
    Priority(String),
    /// An extension that begins with `n`.
    #[error("`{0}` has no step yet that `n` could follow: begin with priority 1")]
    NothingBefore(String),
    /// `same` before any `exten`.
    #[error("`same` has no extension to belong to: write `exten => name,1,...` above it")]
    NoExtension,
    /// Two steps in one place.
    #[error("`{exten}` has a priority {priority} already, on line {line}: write `n` for the next")]
    Twice {
        /// The extension.
        exten: String,
        /// The priority that both have.
        priority: u32,
        /// The line of the first.
        line: usize,
    },
    /// Two steps with one label.
    #[error("`{exten}` has a label `{label}` already: labels of an extension must differ")]
    Label {
        /// The extension.
        exten: String,
        /// The label that both have.
        label: String,
    },
    /// Not the form of a call.
    #[error("`{0}` is no application: write `Name(arguments)`")]
    Call(String),
    /// An application that does not exist, or arguments that it does not take.
    #[error(transparent)]
    Application(#[from] ArgumentError),
    /// A context that includes one that does not exist.
    #[error("there is no context `{name}` to include{}", hint(.nearest))]
    Include {
        /// The missing one.
        name: String,
        /// The one that was perhaps meant.
        nearest: Option<String>,
    },
    /// A block comment without an end.
    #[error("the comment that begins here has no `--;`")]
    Comment,
    /// Not TOML.
    #[error("this is no TOML: {0}")]
    Toml(String),
}

/// `: did you mean …?`, if there is something to mean.
pub(super) fn hint(nearest: &Option<impl std::fmt::Display>) -> String {
    nearest.as_ref().map(|name| format!(": did you mean `{name}`?")).unwrap_or_default()
}

/// The name that is most like `wrong`, unless none is.
pub fn nearest<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong: Vec<char> = wrong.to_lowercase().chars().take(64).collect();
    let near = names.into_iter().map(|name| (distance(&wrong, name), name)).min()?;
    (near.0 <= 1 + wrong.len() / 3).then_some(near.1)
}

/// How many characters to insert, drop or replace (Levenshtein), case aside.
fn distance(wrong: &[char], name: &str) -> usize {
    let mut row: Vec<usize> = (0..=wrong.len()).collect();
    for (at, expected) in name.to_lowercase().chars().take(64).enumerate() {
        let mut corner = std::mem::replace(&mut row[0], at + 1);
        for (place, &found) in wrong.iter().enumerate() {
            let replaced = corner + usize::from(found != expected);
            corner = row[place + 1];
            row[place + 1] = replaced.min(corner + 1).min(row[place] + 1);
        }
    }
    row[wrong.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not_named() {
        let names = ["Answer", "Hangup", "Playback"];
        assert_eq!(nearest("Anwser", names), Some("Answer"));
        assert_eq!(nearest("hangUP", names), Some("Hangup"));
        assert_eq!(nearest("Playbak", names), Some("Playback"));
        assert_eq!(nearest("Queue", names), None);
        assert_eq!(nearest("", names), None);
    }

    #[test]
    fn the_distance_counts_single_changes() {
        let count = |a: &str, b| distance(&a.chars().collect::<Vec<_>>(), b);
        assert_eq!((count("abc", "abc"), count("", "abc"), count("abc", "")), (0, 3, 3));
        assert_eq!(
            (count("abc", "axc"), count("ab", "abc"), count("kitten", "sitting")),
            (1, 1, 3)
        );
    }
}
