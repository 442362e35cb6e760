//! The arguments of one application, by place.

use std::time::Duration;

use super::ArgumentError;

/// Longer than any call lasts: ten years.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

pub(super) struct List {
    pub app: &'static str,
    pub items: Vec<String>,
}

impl List {
    /// The argument at a place, without blanks around it; empty if it is missing.
    pub fn item(&self, at: usize) -> &str {
        self.items.get(at).map_or("", |item| item.trim())
    }

    /// The argument at a place, if there is one and it is not empty.
    pub fn text(&self, at: usize) -> Option<String> {
        Some(self.item(at)).filter(|item| !item.is_empty()).map(str::to_owned)
    }

    pub fn needed(
        &self,
        at: usize,
        what: &'static str,
        form: &'static str,
    ) -> Result<&str, ArgumentError> {
        let missing = || ArgumentError::Missing { app: self.app, what, form };
        Some(self.item(at)).filter(|item| !item.is_empty()).ok_or_else(missing)
    }

    /// An error for the argument at a place.
    pub fn wrong(&self, at: usize, what: &'static str) -> ArgumentError {
        ArgumentError::Wrong { app: self.app, text: self.item(at).into(), what }
    }

    /// The parts of an argument at its `&`, without empty ones.
    pub fn parts(&self, at: usize) -> Vec<String> {
        let parts = self.item(at).split('&').map(str::trim);
        parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    /// A time in seconds, with a fraction or without.
    pub fn seconds(&self, at: usize) -> Result<Option<Duration>, ArgumentError> {
        self.duration(at, 1.0, "number of seconds")
    }

    pub fn needed_seconds(&self, at: usize, form: &'static str) -> Result<Duration, ArgumentError> {
        let missing = ArgumentError::Missing { app: self.app, what: "a number of seconds", form };
        self.seconds(at)?.ok_or(missing)
    }

    pub fn millis(&self, at: usize) -> Result<Option<Duration>, ArgumentError> {
        self.duration(at, 1e-3, "number of milliseconds")
    }

    /// A whole number.
    pub fn count(&self, at: usize, what: &'static str) -> Result<Option<u32>, ArgumentError> {
        let Some(text) = self.text(at) else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.wrong(at, what))
    }

    fn duration(
        &self,
        at: usize,
        unit: f64,
        what: &'static str,
    ) -> Result<Option<Duration>, ArgumentError> {
        let Some(text) = self.text(at) else { return Ok(None) };
        let digits = text.bytes().all(|it| it.is_ascii_digit() || it == b'.');
        let number = text.parse::<f64>().ok().filter(|_| digits);
        let duration = number.and_then(|it| Duration::try_from_secs_f64(it * unit).ok());
        duration.filter(|it| *it <= LONGEST).map(Some).ok_or_else(|| self.wrong(at, what))
    }
}

/// The letters of an options text, each with what stands in parentheses behind it.
pub(super) fn options(text: &str) -> impl Iterator<Item = (char, Option<&str>)> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        let letter = rest.chars().next()?;
        rest = &rest[letter.len_utf8()..];
        let Some(inner) = rest.strip_prefix('(') else { return Some((letter, None)) };
        let mut depth = 0_usize;
        let end = inner.bytes().position(|byte| {
            match byte {
                b'(' => depth += 1,
                b')' if depth == 0 => return true,
                b')' => depth -= 1,
                _ => {}
            }
            false
        });
        let end = end.unwrap_or(inner.len());
        rest = inner.get(end + 1..).unwrap_or("");
        Some((letter, Some(&inner[..end])))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_positive_numbers_of_a_sane_size() {
        let list = |text: &str| List { app: "Wait", items: vec![text.into()] };
        assert_eq!(list(" 1.5 ").seconds(0), Ok(Some(Duration::from_millis(1500))));
        assert_eq!(list("250").millis(0), Ok(Some(Duration::from_millis(250))));
        assert_eq!(list("").seconds(0), Ok(None));
        assert_eq!(list("1").seconds(7), Ok(None));
        for wrong in ["-1", "1e3", "inf", "nan", "1.2.3", "x", ".", "99999999999999"] {
            assert!(list(wrong).seconds(0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_are_letters_some_with_a_value() {
        let found: Vec<_> = options("gm(jazz)A(a(b))té(").collect();
        let value = |text| Some(text);
        assert_eq!(
            found,
            [
                ('g', None),
                ('m', value("jazz")),
                ('A', value("a(b)")),
                ('t', None),
                ('é', value(""))
            ]
        );
    }
}
