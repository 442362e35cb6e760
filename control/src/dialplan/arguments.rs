//! Where one argument ends and the next begins.

/// Splits `text` at its commas.
///
/// A comma inside `"…"` or `(…)` or behind a `\` does not split. Quotes, and a `\` before one of
/// `, " \ ( )`, are taken off, except inside parentheses: what is there is somebody else's arguments
/// and stays as it is. Blanks stay. An empty text has no arguments.
///
/// ```
/// use stasis_control::dialplan::arguments;
/// assert_eq!(arguments(r#"one,two,,"th,ree""#), ["one", "two", "", "th,ree"]);
/// ```
pub fn arguments(text: &str) -> Vec<String> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut arguments = vec![String::new()];
    for piece in pieces(text) {
        match piece {
            Piece::Comma => arguments.push(String::new()),
            Piece::Plain(character) => arguments.last_mut().expect("has one").push(character),
            Piece::Quote => {}
        }
    }
    arguments
}

/// Splits `text` at the first `mark` that is in no quotes and no parentheses, and not behind `\`.
/// Both parts stay as they are.
pub(super) fn split_at(text: &str, mark: char) -> Option<(&str, &str)> {
    let mut nesting = Nesting::default();
    text.char_indices().find_map(|(at, character)| {
        let open = nesting.pass(character);
        (open && character == mark).then(|| (&text[..at], &text[at + mark.len_utf8()..]))
    })
}

/// Takes off the quotes around a text, if it has them.
pub(super) fn unquoted(text: &str) -> &str {
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

enum Piece {
    Comma,
    Quote,
    Plain(char),
}

fn pieces(text: &str) -> impl Iterator<Item = Piece> + '_ {
    let mut nesting = Nesting::default();
    let mut characters = text.chars().peekable();
    std::iter::from_fn(move || {
        let character = characters.next()?;
        if character == '\\'
            && nesting.parentheses == 0
            && let Some(escaped) = characters.next_if(|next| r#","\()"#.contains(*next))
        {
            return Some(Piece::Plain(escaped));
        }
        let open = nesting.pass(character);
        if nesting.parentheses == 0 && character == '"' {
            return Some(Piece::Quote);
        }
        if open && character == ',' {
            return Some(Piece::Comma);
        }
        Some(Piece::Plain(character))
    })
}

/// How deep a text is in quotes and parentheses.
#[derive(Default)]
struct Nesting {
    parentheses: usize,
    quoted: bool,
    escaped: bool,
}

impl Nesting {
    /// Takes one character. `true` if it stands in the open.
    fn pass(&mut self, character: char) -> bool {
        if std::mem::take(&mut self.escaped) {
            return false;
        }
        match character {
            '\\' => self.escaped = true,
            '"' => self.quoted = !self.quoted,
            '(' if !self.quoted => self.parentheses += 1,
            ')' if !self.quoted => self.parentheses = self.parentheses.saturating_sub(1),
            _ => return !self.quoted && self.parentheses == 0,
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_parentheses_do_not_split() {
        assert_eq!(arguments(r#"golden,one,,"th,ree""#), ["golden", "one", "", "th,ree"]);
        assert_eq!(arguments(r#"a\,b,c\"d,\n"#), ["a,b", "c\"d", "\\n"]);
        assert_eq!(arguments(r#"s,1(a,"b)",c),x"#), ["s", r#"1(a,"b)",c)"#, "x"]);
        assert_eq!(arguments("a),b"), ["a)", "b"]);
        assert_eq!(arguments(","), ["", ""]);
        assert!(arguments("").is_empty());
    }

    #[test]
    fn a_mark_is_found_in_the_open_only() {
        assert_eq!(split_at(r#"a("?")"?"?b?c"#, '?'), Some((r#"a("?")"?""#, "b?c")));
        assert_eq!(split_at("(?", '?'), None);
    }
}
