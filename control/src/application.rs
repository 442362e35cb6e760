//! What is told of an application, and what it can ask for.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;
use serde::Serialize;

use crate::id::{AppName, BridgeId, ChannelId};

/// Whose events an application asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A channel's; none: all channels'.
    Channel(Option<ChannelId>),
    /// A bridge's; none: all bridges'.
    Bridge(Option<BridgeId>),
    /// An endpoint's (`Test/alice`), or those of all endpoints of a technology (`Test`); none: all.
    Endpoint(Option<Arc<str>>),
    /// A device's; none: all devices'.
    Device(Option<Arc<str>>),
}

/// A text names no source of events.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no source of events: write channel:, bridge:, endpoint: or deviceState: and an id"
)]
pub struct SourceError(pub String);

/// Reads `channel:ID`, `bridge:ID`, `endpoint:TECH/NAME`, `endpoint:TECH`, `deviceState:NAME`; nothing
/// behind the colon is everything of the kind.
impl FromStr for Source {
    type Err = SourceError;

    fn from_str(text: &str) -> Result<Self, SourceError> {
        let error = || SourceError(text.chars().take(80).collect());
        let (scheme, name) = text.split_once(':').ok_or_else(error)?;
        let named = (!name.is_empty()).then_some(name);
        let source = match scheme {
            "channel" => {
                Source::Channel(named.map(ChannelId::new).transpose().map_err(|_| error())?)
            }
            "bridge" => Source::Bridge(named.map(BridgeId::new).transpose().map_err(|_| error())?),
            "endpoint" => Source::Endpoint(named.map(Into::into)),
            "deviceState" => Source::Device(named.map(Into::into)),
            _ => return Err(error()),
        };
        Ok(source)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Channel(id) => write!(f, "channel:{}", id.as_deref().unwrap_or_default()),
            Source::Bridge(id) => write!(f, "bridge:{}", id.as_deref().unwrap_or_default()),
            Source::Endpoint(name) => write!(f, "endpoint:{}", name.as_deref().unwrap_or_default()),
            Source::Device(name) => {
                write!(f, "deviceState:{}", name.as_deref().unwrap_or_default())
            }
        }
    }
}

/// What an application has asked for of one kind. A copy shares what it is made of, however much that is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interests {
    /// Whether it has asked for all.
    pub all: bool,
    /// What it has asked for by name, and how often.
    pub(crate) counts: RedBlackTreeMapSync<Arc<str>, u32>,
}

impl Interests {
    /// What it has asked for by name, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.counts.keys().map(|name| &**name)
    }

    /// Whether it has asked for nothing.
    pub fn is_empty(&self) -> bool {
        !self.all && self.counts.is_empty()
    }
}

/// Which types of events an application wants to be told of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EventFilter {
    /// Only these; empty: all.
    pub allowed: Vec<String>,
    /// Not these, also when they are allowed.
    pub disallowed: Vec<String>,
}

impl EventFilter {
    /// Whether events of a type are wanted.
    pub fn allows(&self, event_type: &str) -> bool {
        let has = |types: &[String]| types.iter().any(|known| known == event_type);
        !has(&self.disallowed) && (self.allowed.is_empty() || has(&self.allowed))
    }
}

/// An application as it was at one moment.
#[derive(Clone, Debug)]
pub struct ApplicationSnapshot {
    /// Its name.
    pub name: AppName,
    /// Whether somebody listens.
    pub is_active: bool,
    /// Channels that it has asked for.
    pub channels: Interests,
    /// Bridges that it has asked for.
    pub bridges: Interests,
    /// Endpoints, and technologies, that it has asked for.
    pub endpoints: Interests,
    /// Devices that it has asked for.
    pub devices: Interests,
    /// What it wants to be told of.
    pub filter: Arc<EventFilter>,
    /// Larger than that of every snapshot of it before.
    pub version: u64,
}

/// Two of one application are equal when nothing has changed from one to the other.
impl PartialEq for ApplicationSnapshot {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.version) == (&other.name, other.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_they_are_written() {
        for text in
            ["channel:g-a;2", "channel:", "bridge:b", "endpoint:Test/alice", "deviceState:Stasis:x"]
        {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
        for bad in ["", "channel", "nosuch:x", "Channel:x"] {
            assert_eq!(bad.parse::<Source>(), Err(SourceError(bad.into())));
        }
    }

    #[test]
    fn what_is_disallowed_is_not_told_even_if_it_is_allowed() {
        let mut filter = EventFilter::default();
        assert!(filter.allows("StasisStart"));
        filter.disallowed.push("Dial".into());
        assert!(filter.allows("StasisStart") && !filter.allows("Dial"));
        filter.allowed.extend(["Dial".into(), "StasisEnd".into()]);
        assert!(filter.allows("StasisEnd") && !filter.allows("StasisStart"));
        assert!(!filter.allows("Dial"));
    }
}
