//! The objects of ARI, as clients know them, of the snapshots that the call model publishes.
//!
//! Playbacks and recordings are not here: their snapshots already are as clients know them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Serialize, Serializer};
use stasis_control::bridge::BridgeSnapshot;
use stasis_control::channel::ChannelSnapshot;
use stasis_control::endpoint::{EndpointSnapshot, EndpointState};
use stasis_control::id::ChannelId;
use stasis_control::party::Party;
use stasis_control::time::Timestamp;

/// A time of day: `2026-11-22T13:37:00.042+0000`. Always in UTC.
#[derive(Clone, Copy, Debug)]
pub struct Date(pub Timestamp);

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.utc().strftime("%Y-%m-%dT%H:%M:%S.%3f+0000"))
    }
}

/// A channel.
#[derive(Clone, Debug, Serialize)]
pub struct Channel<'a> {
    id: &'a ChannelId,
    name: &'a str,
    state: &'static str,
    protocol_id: &'a str,
    caller: &'a Party,
    connected: &'a Party,
    accountcode: &'a str,
    dialplan: DialplanCep<'a>,
    creationtime: Date,
    language: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    channelvars: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    caller_rdnis: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    tenantid: &'a str,
}

impl<'a> From<&'a ChannelSnapshot> for Channel<'a> {
    fn from(channel: &'a ChannelSnapshot) -> Self {
        let (base, at) = (&channel.base, &channel.dialplan);
        Channel {
            id: &base.id,
            name: &base.name,
            state: channel.state.name(),
            protocol_id: &base.protocol_id,
            caller: &channel.caller.id,
            connected: &channel.connected,
            accountcode: &base.accountcode,
            dialplan: DialplanCep {
                context: &at.context,
                exten: &at.exten,
                priority: at.priority,
                app_name: &at.app_name,
                app_data: &at.app_data,
            },
            creationtime: Date(base.created),
            language: &base.language,
            channelvars: &channel.variables,
            caller_rdnis: &channel.caller.rdnis,
            tenantid: &base.tenant_id,
        }
    }
}

/// Where a channel is in the dialplan: context, extension, priority, and what runs there.
#[derive(Clone, Debug, Serialize)]
struct DialplanCep<'a> {
    context: &'a str,
    exten: &'a str,
    priority: u32,
    app_name: &'a str,
    app_data: &'a str,
}

/// A bridge.
#[derive(Clone, Debug, Serialize)]
pub struct Bridge<'a> {
    id: &'a str,
    technology: &'static str,
    bridge_type: &'static str,
    bridge_class: &'static str,
    creator: &'static str,
    name: &'a str,
    channels: &'a BTreeSet<ChannelId>,
    creationtime: Date,
    /// There is no video; this is what clients find where nobody has chosen a source.
    video_mode: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    bridgevars: &'a BTreeMap<String, String>,
}

impl<'a> From<&'a BridgeSnapshot> for Bridge<'a> {
    fn from(bridge: &'a BridgeSnapshot) -> Self {
        Bridge {
            id: &bridge.id,
            technology: bridge.technology.name(),
            bridge_type: if bridge.kind.holding { "holding" } else { "mixing" },
            bridge_class: bridge.class,
            creator: bridge.creator,
            name: &bridge.name,
            channels: &bridge.channels,
            creationtime: Date(bridge.created),
            video_mode: "talker",
            bridgevars: &bridge.variables,
        }
    }
}

/// An endpoint.
#[derive(Clone, Debug, Serialize)]
pub struct Endpoint<'a> {
    technology: &'a str,
    resource: &'a str,
    state: EndpointState,
    channel_ids: &'a BTreeSet<ChannelId>,
}

impl<'a> From<&'a EndpointSnapshot> for Endpoint<'a> {
    fn from(endpoint: &'a EndpointSnapshot) -> Self {
        Endpoint {
            technology: &endpoint.technology,
            resource: &endpoint.resource,
            state: endpoint.state,
            channel_ids: &endpoint.channels,
        }
    }
}
