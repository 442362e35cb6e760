//! Names: what clients call channels, bridges, playbacks, applications and devices.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;

/// The longest id that a client may choose, in bytes.
pub const MOST_ID_BYTES: usize = 149;

/// A text cannot be an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Too long.
    #[error("Uniqueid length exceeds maximum of {MOST_ID_BYTES}")]
    TooLong,
    /// Nothing, or a control character in it.
    #[error("an id needs at least one character, and no control characters: {0:?}")]
    Unprintable(String),
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// This text as an id, if it can be one.
            ///
            /// # Errors
            /// [`IdError`] when it is empty, too long, or has control characters.
            pub fn new(text: &str) -> Result<Self, IdError> {
                if text.len() > MOST_ID_BYTES {
                    return Err(IdError::TooLong);
                }
                if text.is_empty() || text.chars().any(char::is_control) {
                    return Err(IdError::Unprintable(text.chars().take(40).collect()));
                }
                Ok($name(text.into()))
            }

            /// One that was made here.
            #[allow(dead_code)] // not all kinds of objects get their names here
            pub(crate) fn made(text: &str) -> Self {
                $name(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A channel's id, the same for its whole life: `1700000000.7`, or what the client chose.
    ChannelId
}
text_id! {
    /// A bridge's id: a UUID, or what the client chose.
    BridgeId
}
text_id! {
    /// A playback's id: a UUID, or what the client chose.
    PlaybackId
}
text_id! {
    /// The name of an application.
    AppName
}

/// Makes ids and the random parts of names.
pub(crate) struct IdMaker {
    random: fastrand::Rng,
    system: Option<Box<str>>,
    last: u64,
}

impl IdMaker {
    /// Ids that begin with the system's name, if it has one.
    pub(crate) fn new(seed: u64, system: Option<&str>) -> Self {
        IdMaker { random: fastrand::Rng::with_seed(seed), system: system.map(Into::into), last: 0 }
    }

    /// For a channel that is made at this second: `1700000000.7`.
    pub(crate) fn channel(&mut self, seconds: u64) -> ChannelId {
        let number = self.last;
        self.last += 1;
        match &self.system {
            Some(system) => ChannelId::made(&format!("{system}-{seconds}.{number}")),
            None => ChannelId::made(&format!("{seconds}.{number}")),
        }
    }

    /// A UUID of version 4 (RFC 9562, 5.4).
    pub(crate) fn uuid(&mut self) -> String {
        let random = self.random.u128(..);
        let bits = (random & !(0xf << 76) & !(0x3 << 62)) | (0x4 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// The end of a channel's name: eight hexadecimal digits, which count up.
    pub(crate) fn suffix(&mut self) -> String {
        let number = self.last;
        self.last += 1;
        format!("{number:08x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_printable_and_not_too_long() {
        assert_eq!(ChannelId::new("g-a;2").unwrap().as_str(), "g-a;2");
        assert_eq!(ChannelId::new(&"x".repeat(150)), Err(IdError::TooLong));
        assert!(ChannelId::new(&"x".repeat(149)).is_ok());
        assert!(ChannelId::new("").is_err() && ChannelId::new("a\nb").is_err());
    }

    #[test]
    fn made_ids_differ_and_have_their_form() {
        let mut ids = IdMaker::new(7, Some("pbx"));
        assert_eq!(ids.channel(17).as_str(), "pbx-17.0");
        assert_eq!(ids.channel(17).as_str(), "pbx-17.1");
        let (one, two) = (ids.uuid(), ids.uuid());
        assert_ne!(one, two);
        let parts: Vec<_> = one.split('-').map(str::len).collect();
        assert_eq!((parts, &one[14..15]), (vec![8, 4, 4, 4, 12], "4"));
        assert!("89ab".contains(&one[19..20]));
        assert_eq!(ids.suffix().len(), 8);
    }
}
