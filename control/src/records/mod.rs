//! Records of calls: what is written down of them, for bills and for those who look into what has
//! happened.
//!
//! [`cdr`] makes call detail records: one for each stretch of a channel's life, with whom it spoke and for
//! how long. [`cel`] makes an event log: one record for each thing that happens. Both are fed the messages
//! of the bus one after the other, and yield records; writing them down is somebody else's work. All that
//! they need is published on `channel:all`, `bridge:all` and the topics of the applications.
//!
//! What was lost on the bus makes records poorer, and never more than that: of each channel everything is
//! forgotten when it is told gone. After a loss the end of a channel may have been lost, too: then look into
//! the cache of channels, and have those forgotten that are not there ([`cdr::Cdrs::forget_lost`],
//! [`cel::Cels::forget_lost`]).

pub mod cdr;
pub mod cel;

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};
use stasis_bus::Message;

use crate::bridge::BridgeUpdate;
use crate::channel::{ChannelSnapshot, ChannelUpdate};
use crate::message::{
    ApplicationEvent, BridgeEvent, ChannelEvent, Dial, PlaybackEvent, UserEvent, VariableSet,
};
use crate::time::Timestamp;

/// A message that records are made of.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A channel was made, has changed, or is gone.
    Channel(&'a ChannelUpdate),
    /// Something has happened to a channel.
    ChannelEvent(&'a ChannelEvent),
    /// Somebody is dialed.
    Dial(&'a Dial),
    /// A bridge was made, has changed, or is gone.
    Bridge(&'a BridgeUpdate),
    /// Somebody has come into a bridge, or has left it, or was put through.
    BridgeEvent(&'a BridgeEvent),
    /// A channel has come to an application, or has left it.
    Application(&'a ApplicationEvent),
    /// A playback has come to another state.
    Playback(&'a PlaybackEvent),
    /// Something of a user's own.
    User(&'a UserEvent),
    /// A variable was set.
    Variable(&'a VariableSet),
}

impl<'a> Input<'a> {
    /// What a message of the bus is for records; none: nothing.
    pub fn of(message: &'a Message) -> Option<Self> {
        macro_rules! first_of {
            ($($kind:ident),*) => {
                None$(.or_else(|| message.downcast_ref().map(Input::$kind)))*
            };
        }
        first_of!(
            Channel,
            ChannelEvent,
            Dial,
            BridgeEvent,
            Variable,
            Playback,
            Application,
            Bridge,
            User
        )
    }
}

/// The end of a channel whose end was lost.
fn end_of(last: &Arc<ChannelSnapshot>, at: Timestamp) -> ChannelUpdate {
    let (old, new) = (Some(Arc::clone(last)), Arc::clone(last));
    ChannelUpdate { old, new, is_gone: true, at }
}

/// A moment as databases and tables write it: `2026-11-21 07:14:10`, UTC; with `{:#}` to the microsecond:
/// `2026-11-21 07:14:10.250000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime(pub Timestamp);

impl fmt::Display for DateTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let utc = self.0.utc();
        match f.alternate() {
            true => write!(f, "{}", utc.strftime("%Y-%m-%d %H:%M:%S.%6f")),
            false => write!(f, "{}", utc.strftime("%Y-%m-%d %H:%M:%S")),
        }
    }
}

fn to_second<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&DateTime(*at))
}

fn to_second_or_null<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    at.map(|at| DateTime(at).to_string()).serialize(serializer)
}

fn to_microsecond<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{:#}", DateTime(*at)))
}

/// What bills are made of: how a call is to be charged, as far as the channel says (automated message
/// accounting).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum AmaFlags {
    /// Not at all.
    Omit = 1,
    /// It is to be paid for.
    Billing = 2,
    /// It is written down.
    #[default]
    Documentation = 3,
}

impl AmaFlags {
    /// As records have it.
    pub fn name(self) -> &'static str {
        match self {
            AmaFlags::Omit => "OMIT",
            AmaFlags::Billing => "BILLING",
            AmaFlags::Documentation => "DOCUMENTATION",
        }
    }

    /// What a name, in capitals or not, or a number stands for.
    pub fn of(text: &str) -> Option<Self> {
        let all = [AmaFlags::Omit, AmaFlags::Billing, AmaFlags::Documentation];
        let is_it = |flags: &AmaFlags| {
            flags.name().eq_ignore_ascii_case(text) || (*flags as u8).to_string() == text
        };
        all.into_iter().find(is_it)
    }
}

impl Serialize for AmaFlags {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use stasis_bus::{Bus, Delivery, Settings};

    use super::*;

    fn date(seconds: u64) -> String {
        DateTime(Timestamp::from_micros(seconds.saturating_mul(1_000_000) + 7)).to_string()
    }

    #[test]
    fn a_moment_is_a_date_of_the_calendar() {
        assert_eq!(date(0), "1970-01-01 00:00:00");
        assert_eq!(date(951_782_399), "2000-02-28 23:59:59");
        assert_eq!(date(951_782_400), "2000-02-29 00:00:00");
        assert_eq!(date(951_868_800), "2000-03-01 00:00:00");
        assert_eq!(date(1_795_245_250), "2026-11-21 07:14:10");
        assert_eq!(date(4_107_542_400), "2100-03-01 00:00:00");
        let precise = DateTime(Timestamp::from_micros(1_795_245_250_000_042));
        assert_eq!(format!("{precise:#}"), "2026-11-21 07:14:10.000042");
        DateTime(Timestamp::from_micros(u64::MAX)).to_string();
    }

    #[test]
    fn the_days_of_four_hundred_years_follow_each_other() {
        let is_leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let (mut year, mut month, mut day) = (1970, 1, 1);
        for days in 0..146_097 {
            assert_eq!(date(days * 86_400), format!("{year:04}-{month:02}-{day:02} 00:00:00"));
            let last = match month {
                2 => 28 + u64::from(is_leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            (year, month, day) = match (month, day) {
                (12, 31) => (year + 1, 1, 1),
                (_, day) if day == last => (year, month + 1, 1),
                (_, day) => (year, month, day + 1),
            };
        }
    }

    #[test]
    fn messages_of_the_bus_are_known_by_their_type() {
        let bus = Bus::new(Settings::default()).unwrap();
        let topic = bus.topic("channel:all");
        let mut events = topic.subscribe().pull().unwrap();
        topic.publish("of no meaning");
        topic.publish(VariableSet {
            channel: None,
            variable: "A".into(),
            value: "1".into(),
            at: Timestamp::default(),
        });
        events.unsubscribe();
        let messages: Vec<_> = events
            .iter()
            .filter_map(|delivery| match delivery {
                Delivery::Message(message) => Some(message),
                Delivery::Lagged(_) => None,
            })
            .collect();
        let known: Vec<_> = messages.iter().filter_map(Input::of).collect();
        assert!(matches!(known[..], [Input::Variable(set)] if set.variable == "A"));
    }

    #[test]
    fn flags_are_read_as_name_or_number() {
        assert_eq!(AmaFlags::of("billing"), Some(AmaFlags::Billing));
        assert_eq!(AmaFlags::of("1"), Some(AmaFlags::Omit));
        assert_eq!(AmaFlags::of("4"), None);
    }
}
