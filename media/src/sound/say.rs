//! How numbers and characters are said: the names of the sounds, one after the other.
//!
//! The names are those that collections of telephone prompts have: `digits/7`, `digits/hundred`,
//! `letters/a`. How they follow one another depends on the language: [`Grammar`].

use super::name::{Language, SoundName};

/// How numbers are put together in a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// "one thousand forty two": digits, tens, hundreds, thousands, each said as it is written.
    English,
}

impl Grammar {
    /// That of a language. All have the English one, until they have their own here.
    pub fn of(_language: &Language) -> Grammar {
        Grammar::English
    }

    /// The sounds of a whole number, which is said as digits from a million millions on.
    pub fn number(self, number: i64) -> Vec<SoundName> {
        let mut said = Vec::new();
        if number < 0 {
            said.push(digit("minus"));
        }
        let number = number.unsigned_abs();
        match self {
            _ if number >= MOST => said.extend(digits(&number.to_string())),
            Grammar::English => english(number, &mut said),
        }
        said
    }
}

/// From here on a number is said as digits.
const MOST: u64 = 1_000_000_000_000;
/// The words for thousands and more, the greatest first.
const SCALES: [(u64, &str); 3] =
    [(1_000_000_000, "billion"), (1_000_000, "million"), (1_000, "thousand")];

fn digit(name: impl std::fmt::Display) -> SoundName {
    SoundName::known(format!("digits/{name}"))
}

/// The sounds of characters one by one; none for those that have no sound (see [`character`]).
pub fn characters(text: &str) -> Vec<SoundName> {
    text.chars().filter_map(character).collect()
}

/// The sounds of digits one by one: characters, and no more.
pub fn digits(text: &str) -> Vec<SoundName> {
    characters(text)
}

/// The sound of a letter of the English alphabet, a digit, `*`, `#`, or one of ` -.@/+=$`.
pub fn character(c: char) -> Option<SoundName> {
    let letter = match c.to_ascii_lowercase() {
        '0'..='9' => return Some(digit(c)),
        '*' => return Some(digit("star")),
        '#' => return Some(digit("pound")),
        letter @ 'a'..='z' => return Some(SoundName::known(format!("letters/{letter}"))),
        ' ' => "space",
        '-' => "dash",
        '.' => "dot",
        '@' => "at",
        '/' => "slash",
        '+' => "plus",
        '=' => "equals",
        '$' => "dollar",
        _ => return None,
    };
    Some(SoundName::known(format!("letters/{letter}")))
}

fn english(number: u64, said: &mut Vec<SoundName>) {
    let mut rest = number;
    for (scale, name) in SCALES {
        if rest >= scale {
            below_thousand(rest / scale, said);
            said.push(digit(name));
            rest %= scale;
        }
    }
    if rest > 0 || number == 0 {
        below_thousand(rest, said);
    }
}

/// A number below 1,000: hundreds, tens, ones.
fn below_thousand(number: u64, said: &mut Vec<SoundName>) {
    let (hundreds, rest) = (number / 100, number % 100);
    if hundreds > 0 {
        said.extend([digit(hundreds), digit("hundred")]);
    }
    match rest {
        0 if hundreds > 0 => {}
        0..=20 => said.push(digit(rest)),
        _ => {
            said.push(digit(rest / 10 * 10));
            if rest % 10 > 0 {
                said.push(digit(rest % 10));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(said: &[SoundName]) -> String {
        let short = |name: &SoundName| {
            let name = name.as_str();
            name.strip_prefix("digits/").unwrap_or(name).to_owned()
        };
        said.iter().map(short).collect::<Vec<_>>().join(" ")
    }

    fn said(number: i64) -> String {
        names(&Grammar::of(&Language::english()).number(number))
    }

    /// What a listener adds up; none when it makes no sense.
    fn heard(said: &str) -> Option<i64> {
        let (said, sign) = match said.strip_prefix("minus ") {
            Some(said) => (said, -1),
            None => (said, 1),
        };
        let (mut sum, mut group) = (0i64, 0i64);
        for word in said.split(' ') {
            let scale = SCALES.iter().find(|(_, name)| *name == word);
            match (word, scale) {
                ("hundred", _) => group *= 100,
                (_, Some((scale, _))) => {
                    sum += group * *scale as i64;
                    group = 0;
                }
                (word, None) => {
                    let value: i64 = word.parse().ok()?;
                    if value > 90 || (value > 20 && value % 10 != 0) {
                        return None;
                    }
                    group += value;
                }
            }
        }
        Some(sign * (sum + group))
    }

    #[test]
    fn numbers_are_said_as_in_english() {
        let expected = [
            (0, "0"),
            (7, "7"),
            (20, "20"),
            (21, "20 1"),
            (90, "90"),
            (100, "1 hundred"),
            (101, "1 hundred 1"),
            (999, "9 hundred 90 9"),
            (1_000, "1 thousand"),
            (1_042, "1 thousand 40 2"),
            (12_345, "12 thousand 3 hundred 40 5"),
            (1_000_001, "1 million 1"),
            (-15, "minus 15"),
            (2_000_000_000, "2 billion"),
            (1_000_000_000_000, "1 0 0 0 0 0 0 0 0 0 0 0 0"),
            (i64::MIN, "minus 9 2 2 3 3 7 2 0 3 6 8 5 4 7 7 5 8 0 8"),
        ];
        for (number, words) in expected {
            assert_eq!(said(number), words);
        }
    }

    #[test]
    fn every_number_up_to_a_hundred_thousand_is_understood() {
        for number in -1_000..=100_000 {
            assert_eq!(heard(&said(number)), Some(number));
        }
    }

    #[test]
    fn characters_are_said_one_by_one_and_what_has_no_sound_is_left_out() {
        assert_eq!(names(&digits("123*#")), "1 2 3 star pound");
        assert_eq!(
            names(&characters("Ab1 é-")),
            "letters/a letters/b 1 letters/space letters/dash"
        );
        for c in (0..=0x10FFFF).filter_map(char::from_u32) {
            let expected = c.is_ascii_alphanumeric() || "*# -.@/+=$".contains(c);
            assert_eq!(character(c).is_some(), expected, "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn every_number_is_said_in_names_that_are_good(number: i64) {
            for name in Grammar::English.number(number) {
                prop_assert!(name.as_str().parse::<SoundName>().is_ok());
            }
            let small = number % MOST as i64;
            prop_assert_eq!(heard(&said(small)), Some(small));
        }
    }
}
