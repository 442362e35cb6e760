//! Putting values in: `${NAME}`, `${NAME:offset:length}`, `${FUNCTION(arguments)}`, `$[expression]`.
//!
//! The inside of each is substituted first, so they nest. A value that was put in is never looked
//! through again: what a caller can choose stays text. (Not so inside `$[ … ]`, where it is read as
//! a part of the expression: quotes belong around it there.)

use super::Dialplan;
use super::expression::{self, ExpressionError};
use super::function::{self, FunctionError};

/// How deep `${…}`, `$[…]` and parentheses of expressions may be in each other.
pub const MAX_DEPTH: usize = 32;

/// How many bytes a text may have, before and after.
pub const MAX_LENGTH: usize = 64 * 1024;

/// Where the values come from: the call whose dialplan is run.
pub trait Environment {
    /// The value of a variable; `None` if it is not set.
    fn variable(&self, name: &str) -> Option<String>;

    /// The value of a function that is not one of the language's own: `CALLERID` with `num`. The
    /// arguments are one text; see [`arguments`](super::arguments).
    ///
    /// # Errors
    /// A function that does not exist, or arguments that it does not take.
    fn function(&mut self, name: &str, args: &str) -> Result<String, FunctionError> {
        let _ = args;
        Err(FunctionError::Unknown(name.into()))
    }

    /// What `DIALPLAN_EXISTS` asks; without one, nothing exists.
    fn dialplan(&self) -> Option<&Dialplan> {
        None
    }

    /// Told of each thing that had no value, and for which nothing was put in.
    fn failed(&mut self, problem: SubstituteError) {
        let _ = problem;
    }
}

/// Why something was left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubstituteError {
    /// The text grew over [`MAX_LENGTH`] and ends before what did not fit.
    #[error("a text of more than {MAX_LENGTH} bytes was cut off")]
    TooLong,
    /// More than [`MAX_DEPTH`] in each other. Take it apart, with Set.
    #[error("more than {MAX_DEPTH} variables in each other")]
    TooDeep,
    /// A `${` or `$[` without its end; it and all behind it stays as it is.
    #[error("`{0}` has no end: a closing bracket is missing")]
    Open(String),
    /// A function has no value.
    #[error(transparent)]
    Function(#[from] FunctionError),
    /// An expression has no value.
    #[error("in $[{text}]: {error}")]
    Expression {
        /// The expression, with its variables put in.
        text: String,
        /// What is wrong with it.
        error: ExpressionError,
    },
}

/// Puts values into a text. What has no value becomes nothing, and the environment is told. The
/// result has [`MAX_LENGTH`] bytes at most.
pub fn substitute(text: &str, environment: &mut dyn Environment) -> String {
    if text.len() > MAX_LENGTH {
        environment.failed(SubstituteError::TooLong);
        return String::new();
    }
    inside(text, environment, 0)
}

/// Puts values into a text that is itself `depth` brackets deep.
fn inside(text: &str, environment: &mut dyn Environment, depth: usize) -> String {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, kind, behind)) = next_opening(rest) {
        push(&mut result, before, environment);
        let Some((inner, after)) = enclosed(behind, kind) else {
            let start = rest[before.len()..].chars().take(20).collect();
            environment.failed(SubstituteError::Open(start));
            rest = &rest[before.len()..];
            break;
        };
        rest = after;
        if depth == MAX_DEPTH {
            environment.failed(SubstituteError::TooDeep);
            continue;
        }
        let inner = inside(inner, environment, depth + 1);
        let value = match kind {
            Kind::Variable => variable(&inner, environment, depth + 1),
            Kind::Expression => calculated(&inner, environment),
        };
        if !push(&mut result, &value, environment) {
            return result;
        }
    }
    push(&mut result, rest, environment);
    result
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Variable,
    Expression,
}

/// The text before the next `${` or `$[`, which of them it is, and the text behind it.
fn next_opening(text: &str) -> Option<(&str, Kind, &str)> {
    let mut dollars = text.match_indices('$').map(|(at, _)| at);
    dollars.find_map(|at| {
        let kind = match text.as_bytes().get(at + 1)? {
            b'{' => Kind::Variable,
            b'[' => Kind::Expression,
            _ => return None,
        };
        Some((&text[..at], kind, &text[at + 2..]))
    })
}

/// The text to the closing bracket of that kind, and the text behind it.
fn enclosed(text: &str, kind: Kind) -> Option<(&str, &str)> {
    let (open, close) = match kind {
        Kind::Variable => (b'{', b'}'),
        Kind::Expression => (b'[', b']'),
    };
    let mut depth = 0_usize;
    let end = text.bytes().position(|byte| {
        if byte == open {
            depth += 1;
        } else if byte == close {
            if depth == 0 {
                return true;
            }
            depth -= 1;
        }
        false
    })?;
    Some((&text[..end], &text[end + 1..]))
}

/// Appends what fits. `false` if not all did.
fn push(result: &mut String, text: &str, environment: &mut dyn Environment) -> bool {
    let room = MAX_LENGTH - result.len();
    let fits = text.len() <= room;
    result.push_str(&text[..text.floor_char_boundary(room)]);
    if !fits {
        environment.failed(SubstituteError::TooLong);
    }
    fits
}

fn calculated(text: &str, environment: &mut dyn Environment) -> String {
    expression::evaluate(text).unwrap_or_else(|error| {
        let text = text.chars().take(80).collect();
        environment.failed(SubstituteError::Expression { text, error });
        String::new()
    })
}

/// The value of what stands in `${ … }`.
fn variable(text: &str, environment: &mut dyn Environment, depth: usize) -> String {
    // The range stands behind the name, or behind the arguments of a function.
    let end = text.rfind(')').map_or(0, |at| at + 1);
    let (name, range) = match text[end..].find(':') {
        Some(at) => (&text[..end + at], Some(&text[end + at + 1..])),
        None => (text, None),
    };
    let value = value_of(name, environment, depth);
    match range {
        Some(range) => part(&value, range).to_owned(),
        None => value,
    }
}

/// The value of a variable or a function, by what is written: `NAME` or `NAME(arguments)`.
pub(super) fn value_of(text: &str, environment: &mut dyn Environment, depth: usize) -> String {
    let text = text.trim();
    let Some((name, args)) = text.split_once('(') else {
        return environment.variable(text).unwrap_or_default();
    };
    let Some(args) = args.strip_suffix(')') else {
        environment.failed(SubstituteError::Open(text.chars().take(20).collect()));
        return String::new();
    };
    function::call(name.trim(), args, environment, depth).unwrap_or_else(|error| {
        environment.failed(error.into());
        String::new()
    })
}

/// The part of a text by `offset` or `offset:length`, in characters. A negative offset counts from
/// the end; a negative length leaves that many off the end.
fn part<'a>(value: &'a str, range: &str) -> &'a str {
    let (offset, length) = match range.split_once(':') {
        Some((offset, length)) => (offset, length.trim().parse().ok()),
        None => (range, None),
    };
    let offset: i64 = offset.trim().parse().unwrap_or(0);
    let characters = value.chars().count() as i64;
    let from_end = |count: i64| characters.saturating_add(count).max(0);
    let start = if offset < 0 { from_end(offset) } else { offset.min(characters) };
    let end = match length {
        None => characters,
        Some(length) if length < 0 => from_end(length),
        Some(length) => start.saturating_add(length).min(characters),
    };
    let byte = |at: i64| {
        let at = usize::try_from(at).unwrap_or(0);
        value.char_indices().nth(at).map_or(value.len(), |(byte, _)| byte)
    };
    value.get(byte(start)..byte(end)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Some variables, and what went wrong.
    #[derive(Default)]
    struct Call {
        problems: Vec<SubstituteError>,
    }

    impl Environment for Call {
        fn variable(&self, name: &str) -> Option<String> {
            let value = match name {
                "EXTEN" => "0123456789",
                "A" => "1",
                "B1" => "b one",
                "DOLLAR" => "${EXTEN}",
                "LONG" => return Some("é".repeat(MAX_LENGTH / 4)),
                _ => return None,
            };
            Some(value.into())
        }

        fn function(&mut self, name: &str, args: &str) -> Result<String, FunctionError> {
            match name {
                "CALLERID" => Ok(format!("<{args}>")),
                _ => Err(FunctionError::Unknown(name.into())),
            }
        }

        fn failed(&mut self, problem: SubstituteError) {
            self.problems.push(problem);
        }
    }

    fn value(text: &str) -> String {
        let mut call = Call::default();
        let value = substitute(text, &mut call);
        assert_eq!(call.problems, [], "{text}");
        value
    }

    #[test]
    fn names_parts_functions_and_expressions_are_put_in() {
        for (text, expected) in [
            ("plain $5 $", "plain $5 $"),
            ("<${EXTEN}>", "<0123456789>"),
            ("${UNSET}", ""),
            ("${B${A}}", "b one"),
            ("${EXTEN:2}", "23456789"),
            ("${EXTEN:-3}", "789"),
            ("${EXTEN:2:3}", "234"),
            ("${EXTEN:2:-3}", "23456"),
            ("${EXTEN:-4:2}", "67"),
            ("${EXTEN:99}${EXTEN:3:0}${EXTEN:8:-8}", ""),
            ("${EXTEN:-99:1}", "0"),
            ("${CALLERID(num)}", "<num>"),
            ("${CALLERID(num):1:2}", "nu"),
            ("${CALLERID(${B${A}})}", "<b one>"),
            ("$[${A} + ${EXTEN:0:2}]", "2"),
            ("${EXTEN:$[1 + 1]:1}", "2"),
            ("${DOLLAR}", "${EXTEN}"),
            ("$[\"${DOLLAR}\" = \"x\"]", "0"),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn what_has_no_value_becomes_nothing_and_is_told() {
        let mut call = Call::default();
        assert_eq!(substitute("a${NO(1)}b$[1/0]c${A}d${A", &mut call), "abc1d${A");
        assert!(matches!(
            call.problems.as_slice(),
            [
                SubstituteError::Function(FunctionError::Unknown(_)),
                SubstituteError::Expression { .. },
                SubstituteError::Open(_)
            ]
        ));
    }

    #[test]
    fn length_and_depth_are_bounded() {
        let mut call = Call::default();
        assert_eq!(substitute(&"${LONG}".repeat(9), &mut call).len(), MAX_LENGTH);
        assert_eq!(call.problems, [SubstituteError::TooLong]);
        assert_eq!(substitute(&"a".repeat(MAX_LENGTH + 1), &mut call), "");
        call.problems.clear();
        let deep = "${".repeat(20_000) + &"}".repeat(20_000);
        assert_eq!(substitute(&deep, &mut call), "");
        assert_eq!(call.problems, [SubstituteError::TooDeep]);
    }
}
