//! A lock-free, high-throughput event bus.
//!
//! Publishers never wait for subscribers, and never take a lock. Each subscription owns a bounded
//! lock-free ring; what does not fit is dropped, counted, and told to that subscriber in place, and
//! nobody else notices. A real-time thread publishes through an [`RtPublisher`], without a single
//! allocation or system call.
//!
//! ```
//! use stasis_bus::{Bus, Delivery, Settings, SubscriptionChange};
//!
//! struct Ringing { extension: u16 }
//!
//! let bus = Bus::new(Settings::default())?;
//! let calls = bus.topic("calls");
//! let mut events = calls.subscribe().accept::<Ringing>().pull()?;
//!
//! calls.publish(Ringing { extension: 100 });
//! calls.publish("of a type that this subscription does not accept");
//! events.unsubscribe();
//!
//! let mut seen = Vec::new();
//! for delivery in events.iter() {
//!     match &delivery {
//!         Delivery::Message(message) => match message.downcast_ref::<Ringing>() {
//!             Some(ringing) => seen.push(format!("{}: {}", message.topic().name(), ringing.extension)),
//!             None if message.is::<SubscriptionChange>() => seen.push("subscription".into()),
//!             None => unreachable!("not accepted"),
//!         },
//!         Delivery::Lagged(missed) => seen.push(format!("{missed} lost here")),
//!     }
//! }
//! // Its own Subscribe comes first and its own Unsubscribe last.
//! assert_eq!(seen, ["subscription", "calls: 100", "subscription"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Promises
//! - A publish that begins after another one on the same topic has returned is delivered after it,
//!   to every subscription, from whatever threads, real-time or not.
//! - Callbacks of one subscription never overlap. Its first message is its own
//!   [`SubscriptionChange::Subscribe`], its last its own `Unsubscribe`, and nothing that was
//!   accepted before the end is lost.
//! - Every loss is counted by cause ([`Dropped`]) and told in place ([`Delivery::Lagged`]).
//! - What a subscription does not accept never reaches its ring.
//! - A subscription that stalls changes nothing for its neighbours, unless it asked for
//!   [`Overflow::Block`].
//!
//! # What there is
//! [`Topic`]s, published to and [subscribed](Topic::subscribe) to by type; [forwards](Forward) and
//! [pools](TopicPool) of them; [`Overflow`] policies; [`Router`]s; [`Cache`]s of the last snapshot of
//! everything; [`Statistics`].

mod asymmetric;
#[cfg(not(loom))]
mod bus;
#[cfg(not(loom))]
mod cache;
#[cfg(not(loom))]
mod clock;
#[cfg(not(loom))]
mod current;
#[cfg(not(loom))]
mod dispatch;
#[cfg(not(loom))]
mod filter;
#[cfg(not(loom))]
mod forward;
mod gate;
#[cfg(not(loom))]
mod mailbox;
mod marks;
#[cfg(not(loom))]
mod means;
#[cfg(not(loom))]
mod overflow;
#[cfg(not(loom))]
mod panics;
#[cfg(not(loom))]
mod pool;
mod progress;
#[cfg(not(loom))]
mod pull;
pub mod ring;
mod roster;
#[cfg(not(loom))]
mod route_table;
#[cfg(not(loom))]
mod router;
#[cfg(not(loom))]
mod routing;
#[cfg(not(loom))]
mod rt;
#[cfg(not(loom))]
mod settings;
#[cfg(not(loom))]
mod sleepers;
#[cfg(not(loom))]
mod source;
#[cfg(not(loom))]
mod staging;
mod stamp;
#[cfg(not(loom))]
mod statistics;
#[cfg(not(loom))]
mod subscription;
mod sync;
#[cfg(not(loom))]
mod topic;
#[cfg(not(loom))]
mod topic_pool;
#[cfg(not(loom))]
mod types;
#[cfg(not(loom))]
mod worker;

#[cfg(not(loom))]
pub use self::{
    bus::Bus,
    cache::{Cache, CacheUpdate, Cached, Clear, Follower, Snapshot},
    clock::Clock,
    dispatch::JoinError,
    filter::Filter,
    forward::{Forward, ForwardError, MOST_VISITS},
    mailbox::{Congestion, Dropped, Slowest, SubscriptionId, SubscriptionStats},
    overflow::{Conflation, Overflow},
    pool::WorkerStatistics,
    pull::{PullSubscription, TryRecvError},
    ring::{CELL_PAYLOAD, Message},
    route_table::{RouterEnded, Routes},
    router::{Router, RouterHandle},
    rt::{RtPublisher, TRIES},
    settings::{Settings, StartError},
    statistics::{Statistics, SubscriptionStatistics, TopicStatistics},
    subscription::{
        BusEnded, CONGESTION_TOPIC, Delivery, Subscribe, Subscription, SubscriptionChange,
        ThreadError,
    },
    topic::{EntityId, SyncError, Topic, TopicId, TopicInfo, WouldWait},
    topic_pool::{Pooled, TopicPool},
    types::NameTaken,
};
pub use stamp::Stamp;

#[cfg(loom)]
pub mod model;
#[cfg(loom)]
use model::topic;

/// The README's program runs, too.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
