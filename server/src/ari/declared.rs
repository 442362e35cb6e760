//! Models that nothing here is ever sent as, or that only clients send: declared, since there are clients that
//! know nothing but what is declared.
#![allow(dead_code)] // they are nothing but declared

use utoipa::ToSchema;

use super::model::{Bridge, Channel, Endpoint};

/// What all messages have.
#[derive(ToSchema)]
pub struct Message {
    /// What it is.
    #[schema(rename = "type")]
    kind: String,
    /// The server that it comes from.
    asterisk_id: Option<String>,
}

/// Parameters were missing.
#[derive(ToSchema)]
pub struct MissingParams {
    /// What it is.
    #[schema(rename = "type")]
    kind: String,
    /// The server that it comes from.
    asterisk_id: Option<String>,
    /// Which.
    params: Vec<String>,
}

/// Another channel's picture is seen in a bridge. There is no video.
#[derive(ToSchema)]
pub struct BridgeVideoSourceChanged<'a> {
    /// The bridge.
    bridge: Bridge<'a>,
    /// Whose picture it was.
    old_video_source_id: Option<String>,
}

/// A channel's party wants to transfer it. There are no such parties yet.
#[derive(ToSchema)]
pub struct ChannelTransfer<'a> {
    /// How it stands.
    state: Option<String>,
    /// To whom.
    refer_to: ReferTo<'a>,
    /// By whom.
    referred_by: ReferredBy<'a>,
}

/// To whom a channel is to be transferred.
#[derive(ToSchema)]
pub struct ReferTo<'a> {
    /// What was asked for.
    requested_destination: RequiredDestination,
    /// The channel there.
    destination_channel: Option<Channel<'a>>,
    /// Who speaks with that.
    connected_channel: Option<Channel<'a>>,
    /// The bridge that they are in.
    bridge: Option<Bridge<'a>>,
}

/// Who wants a transfer.
#[derive(ToSchema)]
pub struct ReferredBy<'a> {
    /// The channel.
    source_channel: Channel<'a>,
    /// Who speaks with it.
    connected_channel: Option<Channel<'a>>,
    /// The bridge that they are in.
    bridge: Option<Bridge<'a>>,
}

/// Where a transfer is to go.
#[derive(ToSchema)]
pub struct RequiredDestination {
    /// The id of a call in its protocol.
    protocol_id: Option<String>,
    /// A user's name or number.
    destination: Option<String>,
    /// What else the protocol says.
    additional_protocol_params: Option<Vec<AdditionalParam>>,
}

/// What a protocol says besides.
#[derive(ToSchema)]
pub struct AdditionalParam {
    /// Its name.
    parameter_name: String,
    /// Its value.
    parameter_value: String,
}

/// The contact of an endpoint has changed. There are no contacts yet.
#[derive(ToSchema)]
pub struct ContactStatusChange<'a> {
    /// The endpoint.
    endpoint: Endpoint<'a>,
    /// The contact.
    contact_info: ContactInfo,
}

/// A contact of an endpoint.
#[derive(ToSchema)]
pub struct ContactInfo {
    /// Where it is.
    uri: String,
    /// Whether it can be reached.
    contact_status: String,
    /// The address of record.
    aor: String,
    /// How long an answer takes, in microseconds.
    roundtrip_usec: Option<String>,
}

/// A peer has changed. There are no peers yet.
#[derive(ToSchema)]
pub struct PeerStatusChange<'a> {
    /// The endpoint.
    endpoint: Endpoint<'a>,
    /// The peer.
    peer: Peer,
}

/// A peer of an endpoint.
#[derive(ToSchema)]
pub struct Peer {
    /// Whether it can be reached.
    peer_status: String,
    /// Why not.
    cause: Option<String>,
    /// Its address.
    address: Option<String>,
    /// Its port.
    port: Option<String>,
    /// When it was last reached.
    time: Option<String>,
}

/// A header of a request. None is read.
#[derive(ToSchema)]
pub struct RESTHeader {
    /// Its name.
    name: String,
    /// Its value.
    value: String,
}
