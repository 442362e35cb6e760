//! What an extension's name says: a name as it stands, or, behind `_`, a pattern of sets.
//!
//! The order of [`Pattern`] is the order of the search: names before patterns, then digit by digit
//! the smaller set first, sets of one size in ASCII order, `.` behind all sets and `!` behind `.`.
//! (Source: "Order of Pattern Matching", docs.asterisk.org.)

use std::borrow::Cow;
use std::cmp::Ordering;

/// What one extension matches. Smaller means looked at earlier.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Pattern {
    /// A name without its dashes.
    Literal(String),
    /// What stood behind `_`.
    Elements(Vec<Element>),
}

/// One place of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Element {
    One(Set),
    /// `.`: one character or more, and the end.
    Some,
    /// `!`: any number of characters, and the end.
    Any,
}

/// A set of ASCII characters, one bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Set(u128);

/// What to tell the author of a pattern that is allowed, but hardly meant.
pub(super) const CATCHES_ALL: &str = "matches every extension, also h, i, t and s: \
    write `_X.` if it is meant for numbers only";
const BEHIND_THE_END: &str = "`.` and `!` end a pattern: what is behind is not looked at; \
    write `[.]` or `[!]` for the character itself";

impl Pattern {
    /// Reads the name of an extension. The second value is a warning; an error says what is wrong.
    pub fn parse(name: &str) -> Result<(Pattern, Option<&'static str>), &'static str> {
        match name.strip_prefix('_') {
            None if name.is_empty() => Err("an extension needs a name"),
            None if name.contains('$') => Err("variables do not work in the name of an extension"),
            None => Ok((Pattern::Literal(without_dashes(name).into_owned()), None)),
            Some(pattern) => parse_elements(pattern),
        }
    }

    /// The pattern that matches just `exten`.
    pub fn literal(exten: &str) -> Pattern {
        Pattern::Literal(without_dashes(exten).into_owned())
    }

    /// Whether `exten` (without dashes) is one that this matches.
    pub fn matches(&self, exten: &str) -> bool {
        match self {
            Pattern::Literal(name) => name == exten,
            Pattern::Elements(elements) => match passed(elements, exten) {
                Some(([], rest)) => rest.is_empty(),
                Some(([Element::Some, ..], rest)) => !rest.is_empty(),
                Some(([Element::Any, ..], _)) => true,
                _ => false,
            },
        }
    }

    /// Whether more characters behind `prefix` (without dashes) could make or keep a match. Behind
    /// a `!` nothing is waited for: it matches as soon as it is reached.
    pub fn could_match_longer(&self, prefix: &str) -> bool {
        match self {
            Pattern::Literal(name) => name.len() > prefix.len() && name.starts_with(prefix),
            Pattern::Elements(elements) => match passed(elements, prefix) {
                Some(([Element::Some, ..], _)) => true,
                Some(([Element::One(_), ..], rest)) => rest.is_empty(),
                _ => false,
            },
        }
    }
}

/// Goes through `text` as far as there are sets: the elements and the text that are left. `None`
/// if a character is not in its set.
fn passed<'e, 't>(elements: &'e [Element], text: &'t str) -> Option<(&'e [Element], &'t str)> {
    let (mut elements, mut rest) = (elements, text.chars());
    while let [Element::One(set), behind @ ..] = elements {
        let Some(character) = rest.clone().next() else { break };
        if !set.contains(character) {
            return None;
        }
        rest.next();
        elements = behind;
    }
    Some((elements, rest.as_str()))
}

/// Dashes are for the eye: they count neither in names nor in what is dialled.
pub(super) fn without_dashes(text: &str) -> Cow<'_, str> {
    if text.contains('-') { text.replace('-', "").into() } else { text.into() }
}

fn parse_elements(pattern: &str) -> Result<(Pattern, Option<&'static str>), &'static str> {
    let mut elements = Vec::new();
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        elements.push(match character {
            '-' => continue,
            '.' => Element::Some,
            '!' => Element::Any,
            'X' | 'x' => Element::One(Set::range('0', '9')?),
            'Z' | 'z' => Element::One(Set::range('1', '9')?),
            'N' | 'n' => Element::One(Set::range('2', '9')?),
            '[' => Element::One(parse_set(&mut rest)?),
            other => Element::One(Set::range(other, other)?),
        });
        if matches!(character, '.' | '!') {
            break;
        }
    }
    let warning = match elements.as_slice() {
        [] => return Err("there is nothing behind `_`"),
        _ if !rest.as_str().is_empty() => Some(BEHIND_THE_END),
        [Element::Some | Element::Any] => Some(CATCHES_ALL),
        _ => None,
    };
    Ok((Pattern::Elements(elements), warning))
}

/// Reads a set behind its `[`, and its `]`.
fn parse_set(rest: &mut std::str::Chars<'_>) -> Result<Set, &'static str> {
    let mut set = Set(0);
    let mut from = None;
    loop {
        let member = match rest.next().ok_or("a `[` has no `]`")? {
            ']' => break,
            '-' if from.is_some() && !rest.as_str().starts_with(']') => {
                let to = match rest.next().ok_or("a `[` has no `]`")? {
                    '\\' => rest.next().ok_or("a `[` has no `]`")?,
                    to => to,
                };
                let from = from.take().unwrap_or(to);
                set.0 |= Set::range(from.min(to), from.max(to))?.0;
                continue;
            }
            '\\' => rest.next().ok_or("a `[` has no `]`")?,
            member => member,
        };
        set.0 |= Set::range(member, member)?.0;
        from = Some(member);
    }
    if set.0 == 0 { Err("a set has no members") } else { Ok(set) }
}

impl Set {
    /// All characters between two, both included.
    fn range(from: char, to: char) -> Result<Set, &'static str> {
        if !from.is_ascii() || !to.is_ascii() {
            return Err("only ASCII characters can be in a pattern");
        }
        Ok((from..=to).fold(Set(0), |set, member| Set(set.0 | 1 << u32::from(member))))
    }

    fn contains(self, character: char) -> bool {
        character.is_ascii() && self.0 >> u32::from(character) & 1 == 1
    }
}

impl Ord for Set {
    fn cmp(&self, other: &Self) -> Ordering {
        let sizes = self.0.count_ones().cmp(&other.0.count_ones());
        // Of two sets of one size, the one with the first character that the other lacks.
        let differing = self.0 ^ other.0;
        let first = differing & differing.wrapping_neg();
        sizes.then((other.0 & first).cmp(&(self.0 & first)))
    }
}

impl PartialOrd for Set {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(name: &str) -> Pattern {
        Pattern::parse(name).unwrap().0
    }

    #[test]
    fn the_example_of_the_documentation_is_in_its_order() {
        let mut names = ["_6XX1", "_64XX", "_640X", "_6.", "_64NX", "_6[45]NX", "_6[34]NX", "_6!"];
        names.sort_by_key(|name| pattern(name));
        let expected = ["_640X", "_64NX", "_64XX", "_6[34]NX", "_6[45]NX", "_6XX1", "_6.", "_6!"];
        assert_eq!(names, expected);
    }

    #[test]
    fn sets_match_their_members_only() {
        for (name, members) in [
            ("_X", "0123456789"),
            ("_z", "123456789"),
            ("_N", "23456789"),
            ("_[13-5]", "1345"),
            ("_[6-4]", "456"),
            ("_[a\\-c]", "-ac"),
            ("_[1-]", "-1"),
            ("_[.!]", ".!"),
            ("_#", "#"),
        ] {
            for byte in 0..128_u8 {
                let text = char::from(byte).to_string();
                assert_eq!(pattern(name).matches(&text), members.contains(&text), "{name} {text}");
            }
        }
    }

    #[test]
    fn a_dot_wants_one_more_and_a_bang_none() {
        assert!(!pattern("_98.").matches("98"));
        assert!(pattern("_98.").matches("98h"));
        assert!(pattern("_98!").matches("98"));
        assert!(pattern("_98!").matches("981"));
    }

    #[test]
    fn digits_are_collected_while_more_could_match() {
        for (name, prefix, longer) in [
            ("100", "10", true),
            ("100", "100", false),
            ("_1XX", "1", true),
            ("_1XX", "123", false),
            ("_1XX", "2", false),
            ("_9.", "", true),
            ("_9.", "9", true),
            ("_9.", "91", true),
            ("_9!", "9", false),
            ("_9!", "", true),
        ] {
            assert_eq!(pattern(name).could_match_longer(prefix), longer, "{name} after {prefix}");
        }
    }

    #[test]
    fn what_cannot_be_a_pattern_is_refused() {
        for name in ["", "_", "_-", "_[", "_[]", "_[1", "_[1-", "_é", "_[a-é]", "${X}"] {
            assert!(Pattern::parse(name).is_err(), "{name}");
        }
    }
}
