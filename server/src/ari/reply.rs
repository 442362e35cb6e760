//! What a request is answered with.

use bytes::Bytes;
use serde::Serialize;
use stasis_control::Refusal;

/// An answer, whatever way it goes: HTTP, or an event on a WebSocket.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status of HTTP.
    pub status: u16,
    /// The media type of the body.
    pub content_type: &'static str,
    /// None: there is none.
    pub body: Bytes,
    /// Where what was made can be found, below `/ari`.
    pub location: Option<String>,
    /// The methods that there are, where another one was asked for.
    pub allow: Option<String>,
}

/// The body of all errors.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Problem<'a> {
    /// What is wrong, and what to do about it.
    message: &'a str,
}

/// JSON, as ARI writes it.
pub const JSON: &str = "application/json";

impl Reply {
    /// Done, and there is nothing to say about it.
    pub fn no_content() -> Self {
        Reply { status: 204, content_type: JSON, body: Bytes::new(), location: None, allow: None }
    }

    /// This, with a status.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(text) => Reply { status, body: text.into(), ..Reply::no_content() },
            Err(problem) => Reply::error(500, &problem.to_string()),
        }
    }

    /// This, with status 200.
    pub fn ok(body: &impl Serialize) -> Self {
        Reply::json(200, body)
    }

    /// This was made, and can be found there.
    pub fn created(body: &impl Serialize, location: String) -> Self {
        Reply { location: Some(location), ..Reply::json(201, body) }
    }

    /// It was not done.
    pub fn error(status: u16, message: &str) -> Self {
        Reply::json(status, &Problem { message })
    }

    /// A file.
    pub fn file(content_type: &'static str, body: Vec<u8>) -> Self {
        Reply { status: 200, content_type, body: body.into(), ..Reply::no_content() }
    }
}

/// What HTTP calls a status.
pub fn reason(status: u16) -> &'static str {
    match axum::http::StatusCode::from_u16(status) {
        Ok(status) => status.canonical_reason().unwrap_or("Unknown"),
        Err(_) => "Unknown",
    }
}

/// Why something was not done, as clients know it.
impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Reply::error(status(&refusal), &refusal.to_string())
    }
}

fn status(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::NoChannel(_)
        | Refusal::NoBridge(_)
        | Refusal::NoApplication(_)
        | Refusal::NoPlayback(_)
        | Refusal::NoRecording(_)
        | Refusal::NoVariable(_)
        | Refusal::NoMailbox(_)
        | Refusal::NoEndpoint(_)
        | Refusal::NotOffered => 404,
        Refusal::NotInApplication
        | Refusal::Exists(_)
        | Refusal::RecordingExists(_)
        | Refusal::NotOurDevice(_)
        | Refusal::BeingDialed
        | Refusal::Claimed => 409,
        Refusal::InvalidState => 412,
        Refusal::NotInBridge
        | Refusal::NoSource(_)
        | Refusal::NotSubscribed(_)
        | Refusal::OtherTechnology { .. } => 422,
        Refusal::AllOfAKind => 501,
        Refusal::Source(_)
        | Refusal::Id(_)
        | Refusal::Endpoint(_)
        | Refusal::NoTechnology(..)
        | Refusal::Request(_)
        | Refusal::NoExtension(_)
        | Refusal::BridgeType(_)
        | Refusal::NoFunction(_)
        | Refusal::Transfer(_)
        | Refusal::Merge(_)
        | Refusal::NothingToPlay => 400,
    }
}
