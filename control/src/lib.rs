//! The call model: channels, bridges, endpoints and applications on the bus.
//!
//! [`Exchange`] is the one owner of all calls. It is sans-IO: its methods are told what somebody wants, what
//! the media engine says, and what time it is; it publishes snapshots and events to the bus, and leaves
//! orders for the engine. It has no thread, no clock and no socket, never waits, and holds no lock, so a day
//! of calls runs in seconds in a test. [`io`] has the thread that runs it beside a real engine.
//!
//! Everybody else looks at [snapshots](State), which costs no lock, and listens to topics:
//!
//! | topic | what is told there |
//! | --- | --- |
//! | `channel:ID`, all on `channel:all` | [`ChannelUpdate`](channel::ChannelUpdate), [`ChannelEvent`](message::ChannelEvent), [`VariableSet`](message::VariableSet), [`Dial`](message::Dial), what is played to it and recorded of it |
//! | `bridge:ID`, all on `bridge:all` | [`BridgeUpdate`](bridge::BridgeUpdate), [`BridgeEvent`](message::BridgeEvent), what is played and recorded there |
//! | `endpoint:TECH/NAME`, all on `endpoint:all` | [`EndpointUpdate`](message::EndpointUpdate) |
//! | `deviceState:all`, `presence:all`, `mwi:all` | [`DeviceUpdate`](message::DeviceUpdate), [`PresenceUpdate`](message::PresenceUpdate), [`MailboxUpdate`](message::MailboxUpdate) |
//! | `stasis:NAME`, all on `stasis:all` | [`ApplicationEvent`](message::ApplicationEvent): who has come to the application and left; [`ApplicationUpdate`](message::ApplicationUpdate); what users tell it |
//! | `application:NAME`, all on `application:all` | all of that, and everything that the application has asked for, once each |
//! | `playback:all`, `recording:all`, `variable:all`, `message:all` | what has no object to be told of |
//!
//! Beside each topic whose last messages are kept, one with `-cached` behind its name tells what was before
//! and what is now ([`Cache`](stasis_bus::Cache)).
//!
//! ```
//! use stasis_bus::{Bus, Settings};
//! use stasis_control::dialplan::Dialplan;
//! use stasis_control::id::AppName;
//! use stasis_control::message::{ApplicationEvent, ApplicationHappening};
//! use stasis_control::time::Epoch;
//! use stasis_control::{Exchange, NewCall, Originate, Then};
//!
//! let bus = Bus::new(Settings::default())?;
//! let dialplan = Dialplan::default(); // none at all: calls go straight to applications
//! let mut exchange = Exchange::new(&bus, Default::default(), dialplan, Epoch::default())?;
//!
//! // An application listens, and calls an echo.
//! let app = AppName::new("hello")?;
//! let (_, events) = exchange.register(&app, |topic| topic.subscribe().pull());
//! let mut events = events?;
//! let call = NewCall { endpoint: "Echo/test".into(), id: Some("call-1".into()), ..NewCall::default() };
//! let then = Then::Application("hello".into(), vec!["argument".into()]);
//! exchange.originate(Originate { call, caller: None, timeout: None, then })?;
//!
//! let told = std::iter::from_fn(|| events.try_recv().ok());
//! let come = told.filter(|delivery| {
//!     delivery.downcast_ref::<ApplicationEvent>().is_some_and(|event| {
//!         matches!(event.event, ApplicationHappening::StasisStart { .. })
//!     })
//! });
//! assert_eq!(come.count(), 1);
//! assert_eq!(exchange.state().channels()[0].state.name(), "Up");
//! // What the media engine is to do for that: `io::Driver` does it.
//! assert!(exchange.take_order().is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod application;
mod apps;
pub mod bridge;
pub mod cause;
pub mod channel;
pub mod device;
mod dialing;
pub mod dialplan;
pub mod endpoint;
mod exchange;
mod execute;
pub mod id;
pub mod io;
pub mod media;
pub mod message;
pub mod party;
pub mod playback;
pub mod recording;
pub mod records;
mod refusal;
pub mod tech;
pub mod time;
mod timers;
mod topics;

pub use dialing::Then;
pub use exchange::{
    AddOptions, Census, Claim, Created, DigitsHow, Exchange, ExternalMedia, NewBridge, NewCall,
    NewSnoop, Originate, PlayHow, PlaybackOperation, Registration, Settings,
};
pub use refusal::Refusal;
pub use topics::State;
