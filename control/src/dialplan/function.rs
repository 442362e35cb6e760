//! The functions that need nothing but their arguments, and those that read variables by name.

use super::arguments::{arguments, split_at, unquoted};
use super::math;
use super::number::truth;
use super::operator::{flag, regex};
use super::substitute::{Environment, MAX_DEPTH, value_of};

/// Why a function has no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FunctionError {
    /// No such function.
    #[error("there is no function `{0}`")]
    Unknown(String),
    /// It does not take these arguments.
    #[error("{name}: {advice}")]
    Arguments {
        /// The function.
        name: String,
        /// What to write.
        advice: String,
    },
}

/// The value of a function: of one of ours, or else of the environment's.
pub(super) fn call(
    name: &str,
    args: &str,
    environment: &mut dyn Environment,
    depth: usize,
) -> Result<String, FunctionError> {
    let wrong =
        |advice: &str| FunctionError::Arguments { name: name.into(), advice: advice.into() };
    if depth > MAX_DEPTH {
        return Err(wrong("functions are too deep in each other: take it apart, with Set"));
    }
    let mut value = |name: &str| value_of(name, environment, depth + 1);
    match name.to_ascii_uppercase().as_str() {
        "LEN" => Ok(args.chars().count().to_string()),
        "ISNULL" => Ok(flag(args.is_empty())),
        "EXISTS" => Ok(flag(!args.is_empty())),
        "TOUPPER" => Ok(args.to_uppercase()),
        "TOLOWER" => Ok(args.to_lowercase()),
        "QUOTE" => Ok(format!("\"{}\"", args.replace('\\', "\\\\").replace('"', "\\\""))),
        "URIENCODE" => Ok(uri_encoded(args)),
        "IF" => choose(args).ok_or_else(|| wrong("write IF(condition?then:else)")),
        "FILTER" => match args.split_once(',') {
            Some((allowed, text)) => Ok(filtered(allowed, text)),
            None => Err(wrong("write FILTER(allowed,text)")),
        },
        "REGEX" => match_regex(args).ok_or_else(|| wrong("write REGEX(\"expression\" text)")),
        "CUT" => {
            let list = arguments(args);
            let [name, rest @ ..] = list.as_slice() else {
                return Err(wrong("write CUT(NAME,delimiter,fields), fields as 2, 2-3, 2- or 1&3"));
            };
            let fields = rest.get(1).map_or("1-", String::as_str);
            let delimiter = delimiter(rest.first(), "-");
            Ok(cut(&value(name), &delimiter, fields))
        }
        "FIELDQTY" => {
            let list = arguments(args);
            let [name, rest @ ..] = list.as_slice() else {
                return Err(wrong("write FIELDQTY(NAME,delimiter)"));
            };
            let text = value(name);
            let delimiter = delimiter(rest.first(), "-");
            let fields = if text.is_empty() { 0 } else { text.split(&delimiter).count() };
            Ok(fields.to_string())
        }
        "MATH" => math::calculate(args).map_err(wrong),
        "DIALPLAN_EXISTS" => Ok(flag(exists(&arguments(args), environment))),
        _ => environment.function(name, args),
    }
}

/// `condition?then:else`, both optional.
fn choose(args: &str) -> Option<String> {
    let (condition, values) = split_at(args, '?')?;
    let (then, otherwise) = split_at(values, ':').unwrap_or((values, ""));
    Some(unquoted(if truth(condition) { then } else { otherwise }.trim()).to_owned())
}

/// `"expression" text`.
fn match_regex(args: &str) -> Option<String> {
    let (pattern, text) = args
        .trim_start()
        .strip_prefix('"')?
        .split_once("\" ")
        .or_else(|| Some((args.trim().strip_prefix('"')?.strip_suffix('"')?, "")))?;
    regex(pattern).ok().map(|regex| flag(regex.is_match(text)))
}

/// One character, `\n` and `\t` by their names.
fn delimiter(text: Option<&String>, default: &str) -> String {
    match text.map_or("", String::as_str) {
        "" => default.into(),
        "\\n" => "\n".into(),
        "\\t" => "\t".into(),
        other => other.chars().take(1).collect(),
    }
}

/// The fields of a text by `2`, `2-3`, `2-`, `-3`, or several of them with `&`.
fn cut(text: &str, delimiter: &str, fields: &str) -> String {
    let parts: Vec<&str> = text.split(delimiter).collect();
    let number = |text: &str, empty: usize| match text.trim() {
        "" => empty,
        text => text.parse().unwrap_or(0),
    };
    let mut wanted = vec![false; parts.len()];
    for range in fields.split('&') {
        let (from, to) = range.split_once('-').unwrap_or((range, range));
        let (from, to) = (number(from, 1), number(to, parts.len()).min(parts.len()));
        let from = from.saturating_sub(1);
        wanted.iter_mut().take(to).skip(from).for_each(|wanted| *wanted = true);
    }
    let kept = parts.iter().zip(&wanted).filter(|(_, wanted)| **wanted).map(|(part, _)| *part);
    kept.collect::<Vec<_>>().join(delimiter)
}

/// The characters of a text that are allowed: single ones, ranges (`a-z`), `\-` for a dash.
fn filtered(allowed: &str, text: &str) -> String {
    let mut ranges: Vec<(char, char)> = Vec::new();
    let mut rest = allowed.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\\' => ranges.extend(rest.next().map(|it| (it, it))),
            '-' if !ranges.is_empty() && rest.peek().is_some() => {
                if let (Some(range), Some(to)) = (ranges.last_mut(), rest.next()) {
                    range.1 = to;
                }
            }
            one => ranges.push((one, one)),
        }
    }
    text.chars().filter(|it| ranges.iter().any(|(from, to)| (from..=to).contains(&it))).collect()
}

/// All bytes but those that RFC 3986, section 2.3, leaves alone become `%XX`.
fn uri_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

/// `context[,extension[,priority or label]]`.
fn exists(args: &[String], environment: &dyn Environment) -> bool {
    let Some(dialplan) = environment.dialplan() else { return false };
    match args {
        [] => false,
        [context] => dialplan.contexts().any(|name| name == context),
        [context, exten] => dialplan.matches(context, exten),
        [context, exten, priority, ..] => match priority.trim().parse() {
            Ok(priority) => dialplan.step(context, exten, priority).is_some(),
            Err(_) => dialplan.label(context, exten, priority.trim()).is_some(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dialplan, substitute};
    use super::*;

    struct Call(Dialplan);

    impl Environment for Call {
        fn variable(&self, name: &str) -> Option<String> {
            match name {
                "LIST" => Some("a-b-c-d".into()),
                "NAME" => Some("Ann \"Lee\"".into()),
                _ => None,
            }
        }

        fn dialplan(&self) -> Option<&Dialplan> {
            Some(&self.0)
        }
    }

    #[test]
    fn each_function_does_what_it_says() {
        let text = "[a]\nexten => _1XX,1,NoOp\n same => n(here),NoOp\n";
        let mut call = Call(Dialplan::parse_conf(text).unwrap());
        for (text, expected) in [
            ("${LEN(hällo)}", "5"),
            ("${LEN()}", "0"),
            ("${IF($[1 = 1]?yes:no)}", "yes"),
            ("${IF(0?yes:\"10:30\")}", "10:30"),
            ("${IF(0?yes)}", ""),
            ("${ISNULL(${NONE})}${ISNULL(x)}", "10"),
            ("${EXISTS(${NONE})}${EXISTS(x)}", "01"),
            ("${CUT(LIST,-,2)}", "b"),
            ("${CUT(LIST,,2-3)}", "b-c"),
            ("${CUT(LIST,-,3-)}", "c-d"),
            ("${CUT(LIST,-,-2&4)}", "a-b-d"),
            ("${CUT(LIST,-,9)}${CUT(LIST,-,0)}", ""),
            ("${CUT(TOUPPER(x y), ,2)}", "Y"),
            ("${FIELDQTY(LIST,-)}${FIELDQTY(NONE,-)}${FIELDQTY(LIST,x)}", "401"),
            ("${FILTER(0-9,+49 (30) 12)}", "493012"),
            ("${FILTER(a-c\\-,a-d-c)}", "a--c"),
            ("${REGEX(\"^[0-9]{3}$\" 123)}${REGEX(\"x\" 123)}", "10"),
            ("${TOUPPER(abc)}${TOLOWER(ABC)}", "ABCabc"),
            ("${URIENCODE(a b/ä~)}", "a%20b%2F%C3%A4~"),
            ("${QUOTE(${NAME})}", "\"Ann \\\"Lee\\\"\""),
            ("${MATH(7/2,int)}", "3"),
            ("${DIALPLAN_EXISTS(a)}${DIALPLAN_EXISTS(b)}", "10"),
            ("${DIALPLAN_EXISTS(a,123)}${DIALPLAN_EXISTS(a,200)}", "10"),
            ("${DIALPLAN_EXISTS(a,123,here)}${DIALPLAN_EXISTS(a,123,3)}", "10"),
        ] {
            assert_eq!(substitute(text, &mut call), expected, "{text}");
        }
    }

    #[test]
    fn a_deep_chain_of_names_ends() {
        let chain = "CUT(".repeat(15_000) + &")".repeat(15_000);
        let mut call = Call(Dialplan::default());
        assert_eq!(substitute(&format!("${{{chain}}}"), &mut call), "");
    }
}
