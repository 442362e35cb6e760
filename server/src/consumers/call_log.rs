//! A line in the log for each thing of note in a call: made, answered, in a bridge, hung up.
//!
//! All lines of a call have one id, `call`: that of the first of all channels that belong together. Digits,
//! variables and the numbers of parties are in none of them.

use serde::{Deserialize, Serialize};
use stasis_bus::{Bus, Delivery, Filter, Message};
use stasis_control::bridge::BridgeSnapshot;
use stasis_control::channel::{ChannelSnapshot, ChannelState, ChannelUpdate};
use stasis_control::message::{BridgeEvent, BridgeHappening};

use super::feed::{Consumer, Feed, FeedError, Work};

/// What is logged of calls.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CallLogSettings {
    /// Whether each call is told of in the log, with one id a call.
    pub enabled: bool,
}

impl Default for CallLogSettings {
    fn default() -> Self {
        CallLogSettings { enabled: true }
    }
}

/// The log of calls could not be started.
#[derive(Debug, thiserror::Error)]
pub enum CallLogError {
    /// It cannot be fed.
    #[error("no log of calls: {0}")]
    Feed(#[from] FeedError),
}

/// The log of calls. Dropping it logs what was published until then, and ends it.
pub struct CallLog {
    _consumer: Option<Consumer>,
}

impl CallLog {
    /// Begins to log. Lines go to [`tracing`], with the target `stasis::calls` and the level info.
    ///
    /// # Errors
    /// [`CallLogError`] when the bus is gone, or there is no thread for it.
    pub fn start(bus: &Bus, settings: &CallLogSettings) -> Result<Self, CallLogError> {
        if !settings.enabled {
            return Ok(CallLog { _consumer: None });
        }
        let feed = Feed::new(bus, Log::NAME, &["channel:all", "bridge:all"])?;
        let filter = Filter::nothing().and::<ChannelUpdate>().and::<BridgeEvent>();
        let consumer = Consumer::start(feed, filter, Log)?;
        Ok(CallLog { _consumer: Some(consumer) })
    }
}

struct Log;

impl Work for Log {
    const NAME: &'static str = "call-log";

    fn take(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Message(message) => log(&message),
            Delivery::Lagged(lost) => {
                tracing::warn!(target: "stasis::calls", lost, "messages were lost: lines are missing");
            }
        }
    }

    fn finish(self) {}
}

fn log(message: &Message) {
    if let Some(update) = message.downcast_ref::<ChannelUpdate>() {
        log_channel(update);
    } else if let Some(event) = message.downcast_ref::<BridgeEvent>() {
        match &event.event {
            BridgeHappening::Entered { channel } => log_bridge(channel, &event.bridge, "bridged"),
            BridgeHappening::Left { channel } => log_bridge(channel, &event.bridge, "left bridge"),
            _ => {}
        }
    }
}

fn log_channel(update: &ChannelUpdate) {
    let new = &update.new;
    let (call, channel, name) = (&**new.linked_id(), &**new.id(), new.base.name.as_str());
    let was = update.old.as_ref().map(|old| old.state);
    if was.is_none() {
        tracing::info!(target: "stasis::calls", call, channel, name, "made");
    }
    if new.state == ChannelState::Up && was != Some(ChannelState::Up) {
        tracing::info!(target: "stasis::calls", call, channel, name, "answered");
    }
    if update.is_gone {
        let lasted = update.at.since(new.base.created);
        tracing::info!(
            target: "stasis::calls",
            call,
            channel,
            name,
            cause = new.hangup.cause.0,
            cause_text = new.hangup.cause.text(),
            seconds = lasted.as_secs_f64(),
            "hung up"
        );
    }
}

fn log_bridge(channel: &ChannelSnapshot, bridge: &BridgeSnapshot, what: &str) {
    let (call, id, name) = (&**channel.linked_id(), &**channel.id(), channel.base.name.as_str());
    let (bridge, channels) = (&*bridge.id, bridge.channels.len());
    tracing::info!(target: "stasis::calls", call, channel = id, name, bridge, channels, "{what}");
}
