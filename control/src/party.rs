//! Parties: who calls, and who is at the other end.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

/// Somebody's name and number; empty: not known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Party {
    /// The name that is shown.
    pub name: String,
    /// The number.
    pub number: String,
}

impl Party {
    /// A number without a name.
    pub fn number(number: &str) -> Self {
        Party { name: String::new(), number: number.into() }
    }

    /// Whether nothing is known of them.
    pub fn is_unknown(&self) -> bool {
        self.name.is_empty() && self.number.is_empty()
    }
}

/// Reads `"Name" <number>`, `Name <number>`, `<number>`, a number, or a name. Whatever is written,
/// something is understood.
impl FromStr for Party {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some((name, rest)) = text.split_once('<') {
            let number = rest.split('>').next().unwrap_or_default();
            return Ok(Party { name: unquoted(name), number: number.trim().into() });
        }
        let is_number =
            !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || "+*#-.() ".contains(c));
        Ok(match is_number {
            true => Party::number(text),
            false => Party { name: unquoted(text), number: String::new() },
        })
    }
}

/// Without the quotes around it.
fn unquoted(name: &str) -> String {
    let name = name.trim();
    let inner = name.strip_prefix('"').map(|name| name.strip_suffix('"').unwrap_or(name));
    inner.unwrap_or(name).replace("\\\"", "\"")
}

/// As `"Name" <number>`.
impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" <{}>", self.name, self.number)
    }
}

/// Who calls, and what the network said of the call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize)]
pub struct Caller {
    /// Who.
    #[serde(flatten)]
    pub id: Party,
    /// The number that is billed (automatic number identification).
    pub ani: String,
    /// The number that was dialed.
    pub dnid: String,
    /// Who has redirected the call here.
    pub rdnis: String,
    /// Whether the number may be shown, as a number of Q.931's presentation and screening
    /// indicators; 0: it may, and was not screened.
    pub presentation: u8,
}

impl From<Party> for Caller {
    fn from(id: Party) -> Self {
        Caller { id, ..Caller::default() }
    }
}

impl Caller {
    /// What [`presentation`](Self::presentation) means, in words.
    pub fn presentation_text(&self) -> &'static str {
        match self.presentation {
            0x00 => "Presentation Allowed, Not Screened",
            0x01 => "Presentation Allowed, Passed Screen",
            0x02 => "Presentation Allowed, Failed Screen",
            0x03 => "Presentation Allowed, Network Number",
            0x20 => "Presentation Prohibited, Not Screened",
            0x21 => "Presentation Prohibited, Passed Screen",
            0x22 => "Presentation Prohibited, Failed Screen",
            0x23 => "Presentation Prohibited, Network Number",
            _ => "Number Unavailable",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, String) {
        let party: Party = text.parse().unwrap();
        (party.name, party.number)
    }

    #[test]
    fn a_caller_id_is_read_however_it_is_written() {
        let both = |name: &str, number: &str| (name.to_owned(), number.to_owned());
        assert_eq!(read("\"Gold\" <1000>"), both("Gold", "1000"));
        assert_eq!(read("Init <100>"), both("Init", "100"));
        assert_eq!(read("200"), both("", "200"));
        assert_eq!(read(" <+49 30 1> "), both("", "+49 30 1"));
        assert_eq!(read("Alice"), both("Alice", ""));
        assert_eq!(read("\"A \\\"B\\\"\" <1"), both("A \"B\"", "1"));
        assert_eq!(read(""), both("", ""));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let gold = Party { name: "Gold".into(), number: "1000".into() };
        assert_eq!(gold.to_string(), "\"Gold\" <1000>");
        assert_eq!(gold.to_string().parse(), Ok(gold));
    }
}
