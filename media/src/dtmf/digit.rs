//! The 16 digits: their characters, RFC 4733 events and Q.23 frequencies.

use std::fmt;

/// The low group: one frequency for each row of the keypad, in hertz (ITU-T Q.23 section 3).
pub(super) const LOW_HZ: [u16; 4] = [697, 770, 852, 941];
/// The high group: one frequency for each column of the keypad, in hertz (ITU-T Q.23 section 3).
pub(super) const HIGH_HZ: [u16; 4] = [1209, 1336, 1477, 1633];

/// The keypad, row by row.
const KEYPAD: [u8; 16] = *b"123A456B789C*0#D";
/// The digits in the order of their event codes (RFC 4733 section 3.2, table 3).
const EVENTS: [u8; 16] = *b"0123456789*#ABCD";

/// One of the 16 DTMF digits: 0 to 9, `*`, `#` and A to D.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digit {
    /// RFC 4733's event code, 0 to 15.
    event: u8,
}

/// A character or an event code that is no DTMF digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotADigit {
    /// Not one of the keypad's characters.
    #[error("{0:?} is not a DTMF digit: use 0 to 9, *, # or A to D")]
    Char(char),
    /// Beyond the digits: a flash, a line tone or another event of RFC 4733's registry.
    #[error("event {0} is not a DTMF digit: digits are 0 to 15")]
    Event(u8),
}

impl Digit {
    /// Every digit, in the order of the event codes: `0` to `9`, `*`, `#`, `A` to `D`.
    pub const ALL: [Digit; 16] = {
        let mut all = [Digit { event: 0 }; 16];
        let mut event = 0;
        while event < 16 {
            all[event as usize].event = event;
            event += 1;
        }
        all
    };

    /// Parses a keypad character; letters in either case.
    ///
    /// # Errors
    /// The character back, when it is on no keypad.
    pub fn from_char(c: char) -> Result<Digit, NotADigit> {
        let upper = c.to_ascii_uppercase();
        Self::ALL.into_iter().find(|digit| digit.as_char() == upper).ok_or(NotADigit::Char(c))
    }

    /// Parses an event code of RFC 4733 section 3.2.
    ///
    /// # Errors
    /// The code back, when it is above 15.
    pub const fn from_event(event: u8) -> Result<Digit, NotADigit> {
        if event < 16 { Ok(Digit { event }) } else { Err(NotADigit::Event(event)) }
    }

    /// The digit of a keypad row and column, both taken modulo 4.
    pub(super) fn at(row: usize, column: usize) -> Digit {
        let key = KEYPAD[row % 4 * 4 + column % 4];
        let event = EVENTS.iter().position(|&c| c == key).unwrap_or(0);
        Digit { event: event as u8 }
    }

    /// The event code of RFC 4733 section 3.2: 0 to 9 for themselves, 10 `*`, 11 `#`, 12 to 15 A to D.
    pub const fn event(self) -> u8 {
        self.event
    }

    /// The keypad character; letters in upper case.
    pub const fn as_char(self) -> char {
        EVENTS[self.event as usize] as char
    }

    /// The row's frequency in hertz, of the low group.
    pub fn low_hz(self) -> f32 {
        f32::from(LOW_HZ[self.key() / 4])
    }

    /// The column's frequency in hertz, of the high group.
    pub fn high_hz(self) -> f32 {
        f32::from(HIGH_HZ[self.key() % 4])
    }

    /// The key's place on the keypad, row by row.
    fn key(self) -> usize {
        KEYPAD.iter().position(|&key| key == EVENTS[self.event as usize]).unwrap_or(0)
    }
}

impl TryFrom<char> for Digit {
    type Error = NotADigit;

    fn try_from(c: char) -> Result<Self, NotADigit> {
        Digit::from_char(c)
    }
}

impl fmt::Display for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_char())
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digit({})", self.as_char())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keypad_is_that_of_q23() {
        let expected = "697 1209 1, 697 1336 2, 697 1477 3, 697 1633 A, 770 1209 4, 770 1336 5, \
                        770 1477 6, 770 1633 B, 852 1209 7, 852 1336 8, 852 1477 9, 852 1633 C, \
                        941 1209 *, 941 1336 0, 941 1477 #, 941 1633 D";
        for (i, key) in expected.split(", ").enumerate() {
            let digit = Digit::at(i / 4, i % 4);
            assert_eq!(format!("{} {} {digit}", digit.low_hz(), digit.high_hz()), key);
        }
    }

    #[test]
    fn events_are_those_of_rfc_4733() {
        let order: String = Digit::ALL.iter().map(Digit::to_string).collect();
        assert_eq!(order, "0123456789*#ABCD");
        for event in 0..=u8::MAX {
            match Digit::from_event(event) {
                Ok(digit) => assert_eq!(digit.event(), event),
                Err(error) => assert!(event > 15 && error == NotADigit::Event(event)),
            }
        }
    }

    #[test]
    fn characters_parse_in_either_case_and_all_others_are_refused() {
        for c in (0..=0x10FFFF).filter_map(char::from_u32) {
            let expected = "0123456789*#ABCDabcd".contains(c);
            assert_eq!(Digit::from_char(c).is_ok(), expected, "{c:?}");
        }
        for digit in Digit::ALL {
            assert_eq!(Digit::from_char(digit.as_char()), Ok(digit));
            assert_eq!(Digit::try_from(digit.as_char().to_ascii_lowercase()), Ok(digit));
        }
        let error = Digit::from_char('E').unwrap_err();
        assert_eq!(error.to_string(), "'E' is not a DTMF digit: use 0 to 9, *, # or A to D");
    }
}
