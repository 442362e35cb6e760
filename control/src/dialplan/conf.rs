//! The form of `extensions.conf`: sections, and in them `exten`, `same` and `include`.

use super::context::Place;
use super::draft::Draft;
use super::error::Problem;

/// Keys of `[general]` that are about a file's handling elsewhere and mean nothing here.
const GENERAL: [&str; 7] = [
    "static",
    "writeprotect",
    "autofallthrough",
    "clearglobalvars",
    "extenpatternmatchnew",
    "priorityjumping",
    "userscontext",
];

/// Reads a whole text.
pub(super) fn parse(text: &str) -> Draft {
    let mut reader = Reader::default();
    let mut comment = None;
    for (line, text) in (1..).zip(text.lines()) {
        let text = without_comments(text, line, &mut comment);
        reader.line(line, text.trim());
    }
    if let Some(line) = comment {
        reader.draft.error(line, Problem::Comment);
    }
    reader.draft
}

#[derive(Default)]
struct Reader {
    draft: Draft,
    section: Option<String>,
    /// The extension that `same` continues.
    exten: Option<String>,
}

impl Reader {
    fn line(&mut self, line: usize, text: &str) {
        if text.is_empty() {
            return;
        }
        if let Some(head) = text.strip_prefix('[') {
            return self.head(line, text, head);
        }
        if text.starts_with('#') {
            let advice = "put the text of the other file in its place";
            return self.draft.error(line, Problem::Unsupported { what: text.into(), advice });
        }
        let Some((key, value)) = text.split_once('=') else {
            return self.draft.error(line, Problem::Line(text.into()));
        };
        let (key, value) = (key.trim(), value.strip_prefix('>').unwrap_or(value).trim());
        match self.section.clone().as_deref() {
            None => self.draft.error(line, Problem::NoContext),
            Some("general") => self.general(line, key),
            Some("globals") => self.draft.global(key, value),
            Some(context) => self.entry(line, context, key, value),
        }
    }

    fn head(&mut self, line: usize, text: &str, head: &str) {
        self.exten = None;
        let (name, rest) = head.split_once(']').unwrap_or((head, "no"));
        let name = name.trim();
        self.section = Some(name.into());
        if name.is_empty() || !matches!(rest.trim(), "" | "(+)") {
            self.draft.error(line, Problem::Section(text.into()));
        } else if !matches!(name, "general" | "globals") {
            self.draft.context(name);
        }
    }

    fn general(&mut self, line: usize, key: &str) {
        if !GENERAL.contains(&key) {
            self.draft.warn(line, format!("`{key}` in [general] is not known and has no effect"));
        }
    }

    fn entry(&mut self, line: usize, context: &str, key: &str, value: &str) {
        match key {
            "exten" => match value.split_once(',') {
                None => self.draft.error(line, Problem::Line(format!("exten => {value}"))),
                Some((exten, rest)) => self.exten(line, context, exten.trim(), rest),
            },
            "same" => match self.exten.clone() {
                None => self.draft.error(line, Problem::NoExtension),
                Some(exten) => self.step(line, context, &exten, value),
            },
            "include" if value.contains(',') => {
                let advice = "include the context alone, and decide by GotoIf in it";
                self.draft.error(line, Problem::Unsupported { what: value.into(), advice });
            }
            "include" => self.draft.include(context, value, line),
            "ignorepat" => self.draft.warn(line, "ignorepat has no effect: there is no dial tone"),
            "switch" | "lswitch" | "eswitch" => {
                let advice = "include another context, or send the call to an application";
                self.draft.error(line, Problem::Unsupported { what: key.into(), advice });
            }
            _ => self.draft.error(line, Problem::Line(format!("{key} = {value}"))),
        }
    }

    fn exten(&mut self, line: usize, context: &str, exten: &str, rest: &str) {
        self.exten = Some(exten.into());
        if exten.contains('/') {
            let advice =
                "match the number that is dialled alone, and look at ${CALLERID(num)} in it";
            let what = format!("{exten} (a caller's number behind /)");
            return self.draft.error(line, Problem::Unsupported { what, advice });
        }
        self.step(line, context, exten, rest);
    }

    fn step(&mut self, line: usize, context: &str, exten: &str, text: &str) {
        if exten.contains('/') {
            return; // refused where it began
        }
        let Some((priority, call)) = text.split_once(',') else {
            return self.draft.error(line, Problem::Line(text.into()));
        };
        let priority = priority.trim();
        if priority.eq_ignore_ascii_case("hint") {
            return self.draft.warn(line, format!("the hint of `{exten}` has no effect"));
        }
        match parse_priority(priority) {
            Some((place, label)) => self.draft.step((context, exten), place, label, call, line),
            None => self.draft.error(line, Problem::Priority(priority.into())),
        }
    }
}

/// Reads `1`, `n`, `n+2`, each with `(label)` or without.
fn parse_priority(text: &str) -> Option<(Place, Option<&str>)> {
    let (text, label) = match text.split_once('(') {
        Some((text, label)) => (text, Some(label.strip_suffix(')')?.trim())),
        None => (text, None),
    };
    if label == Some("") {
        return None;
    }
    let text = text.trim();
    let place = match text.strip_prefix(['n', 'N']).map(str::trim) {
        Some("") => Place::Behind(1),
        Some(more) => Place::Behind(number(more.strip_prefix('+')?.trim())?.checked_add(1)?),
        None => Place::At(number(text).filter(|&priority| priority > 0)?),
    };
    Some((place, label))
}

/// A number that is digits and nothing else.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// Takes comments off a line. `block` is the line in which an open `;--` began.
fn without_comments(text: &str, line: usize, block: &mut Option<usize>) -> String {
    let mut kept = String::new();
    let mut rest = text;
    loop {
        if block.is_some() {
            let Some((_, behind)) = rest.split_once("--;") else { return kept };
            (*block, rest) = (None, behind);
        }
        let Some((before, behind)) = rest.split_once(';') else { return kept + rest };
        if let Some(escaped) = before.strip_suffix('\\') {
            kept = kept + escaped + ";";
            rest = behind;
        } else if behind.starts_with("--") && !behind.starts_with("---") {
            kept += before;
            (*block, rest) = (Some(line), &behind[2..]);
        } else {
            return kept + before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn priorities_are_numbers_or_follow_the_one_before() {
        for (text, place, label) in [
            ("1", Place::At(1), None),
            ("n", Place::Behind(1), None),
            ("n+2", Place::Behind(3), None),
            ("n(here)", Place::Behind(1), Some("here")),
            ("10(there)", Place::At(10), Some("there")),
        ] {
            assert_eq!(parse_priority(text), Some((place, label)), "{text}");
        }
        for wrong in ["", "0", "-1", "+1", "x", "n2", "n+", "n()", "n(a", "99999999999"] {
            assert_eq!(parse_priority(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn comments_end_a_line_or_span_lines() {
        let mut block = None;
        let mut strip = |text| without_comments(text, 7, &mut block);
        assert_eq!(strip("a ; b"), "a ");
        assert_eq!(strip(r"a\;b ; c"), "a;b ");
        assert_eq!(strip("a ;-- b --; c"), "a  c");
        assert_eq!(strip(";---- a heading ----"), "");
        assert_eq!(strip("a ;-- b"), "a ");
        assert_eq!(strip("still"), "");
        assert_eq!(strip("--;c"), "c");
        strip("x ;--");
        assert_eq!(block, Some(7));
    }
}
