//! `/events`: what applications are told, and what users tell them.

use serde_json::{Map, Value};
use stasis_control::Refusal;
use stasis_control::application::Source;

use crate::ari::Ari;
use crate::ari::operation::{Operation, Outcome, Returns, exchange, get, post};
use crate::ari::parameters::{Later, parameters};
use crate::ari::reply::Reply;

parameters! {
    struct Listen {
        /// The applications that listen.
        Query "app" apps: Later<Vec<String>>;
        /// Whether they ask for all channels, bridges, endpoints and devices.
        Query "subscribeAll" subscribe_all: bool, default "false";
    }

    struct User {
        /// What the user calls it.
        Path "eventName" name: String;
        /// The application that is told.
        Query "application" application: String;
        /// What it is about: channel:ID, bridge:ID, endpoint:TECH/RESOURCE.
        Query "source" sources: Option<Vec<String>>, like "^(channel|bridge|endpoint):[^,]*$";
        /// What the user says.
        Body "variables" variables: Option<Map<String, Value>>;
    }

    struct ClaimCall {
        /// Which call.
        Query "channelId" channel: Later<String>;
        /// Who takes it.
        Query "application" application: Later<String>;
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/events", "eventWebsocket", |_, _: Listen| {
            Err(Reply::error(426, "this needs a WebSocket"))
        })
        .says("Events, on a WebSocket, for one application or several.")
        .returns(Returns::Events)
        .fails(&[(400, "No application is named."), (426, "It was not asked for a WebSocket.")]),
        post("/events/user/{eventName}", "userEvent", user)
            .says("Tells an application something of a user's own.")
            .fails(&[(400, "A parameter is missing or cannot be.")])
            .fails(&[(404, "There is no such application."), (422, "There is no such source.")]),
        post("/events/claim", "claimChannel", claim)
            .says("Takes a call that was offered to several applications.")
            .fails(&[(400, "A parameter is missing.")])
            .fails(&[(404, "There is no such call, or it is not offered.")])
            .fails(&[(409, "Another application has it.")]),
    ]
}

fn user(_: &Ari, user: User) -> Outcome {
    let sources = super::sources(&user.sources.unwrap_or_default())?;
    if sources.iter().any(|source| matches!(source, Source::Device(_))) {
        return Err(Reply::error(400, "Invalid event source URI scheme"));
    }
    exchange(move |exchange| {
        let body = user.variables.unwrap_or_default();
        let told = exchange.user_event(&user.application, &user.name, body, &sources);
        told.map_err(|refusal| match refusal {
            Refusal::NoSource(_) => Reply::error(422, "Event source was not found"),
            other => other.into(),
        })?;
        Ok(Reply::no_content())
    })
}

fn claim(_: &Ari, ClaimCall { channel, application }: ClaimCall) -> Outcome {
    let channel = channel.or("channelId parameter is required")?;
    let application = application.or("application parameter is required")?;
    exchange(move |exchange| {
        exchange.claim(&channel, &application)?;
        Ok(Reply::no_content())
    })
}
