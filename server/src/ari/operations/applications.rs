//! `/applications`: who listens, and to what.

use std::collections::BTreeSet;

use serde_json::Value;
use stasis_control::application::Source;
use stasis_control::id::AppName;

use crate::ari::Ari;
use crate::ari::model::Application;
use crate::ari::operation::{Operation, Outcome, Returns, delete, done, exchange, get, post, put};
use crate::ari::parameters::parameters;
use crate::ari::reply::Reply;

parameters! {
    struct Named {
        /// Its name.
        Path "applicationName" name: String;
    }

    struct Sources {
        /// Its name.
        Path "applicationName" name: String;
        /// Whose events: channel:ID, bridge:ID, endpoint:TECH/RESOURCE, endpoint:TECH, deviceState:NAME; nothing
        /// behind the colon is all of the kind.
        Query "eventSource" sources: Option<Vec<String>>;
    }

    struct Filter {
        /// Its name.
        Path "applicationName" name: String;
        /// Which types of events it is told of: `allowed` and `disallowed`.
        Whole "filter" filter: Option<Value>;
        /// The types that it wants to be told of; none: all.
        Body "allowed" allowed: Option<Value>;
        /// The types that it does not want to be told of, also if they are allowed.
        Body "disallowed" disallowed: Option<Value>;
    }
}

const NO_APPLICATION: (u16, &str) = (404, "There is no such application.");

pub(super) fn operations() -> Vec<Operation> {
    vec![
        get("/applications", "list", list)
            .says("All applications.")
            .returns(Returns::List("Application")),
        get("/applications/{applicationName}", "get", read)
            .says("An application, and what it has asked for.")
            .returns(Returns::Object("Application"))
            .fails(&[NO_APPLICATION]),
        post("/applications/{applicationName}/subscription", "subscribe", subscribe)
            .says("Asks for the events of these, once more each.")
            .returns(Returns::Object("Application"))
            .fails(&[(400, "There is no such kind of source."), NO_APPLICATION])
            .fails(&[(422, "There is no such source.")]),
        delete("/applications/{applicationName}/subscription", "unsubscribe", unsubscribe)
            .says("Lets go of the events of these, once each.")
            .returns(Returns::Object("Application"))
            .fails(&[(400, "There is no such kind of source."), NO_APPLICATION])
            .fails(&[(409, "It cannot be let go of."), (422, "It was not asked for.")])
            .fails(&[(501, "All of a kind cannot be let go of, but devices.")]),
        put("/applications/{applicationName}/eventFilter", "filter", filter)
            .says("Sets which types of events it is told of. What is left out stays; an empty object lets all in.")
            .returns(Returns::Object("Application"))
            .fails(&[(400, "The filter cannot be read."), NO_APPLICATION]),
    ]
}

fn list(ari: &Ari, _: ()) -> Outcome {
    let all = ari.state.applications();
    done(Reply::ok(&all.iter().map(|app| Application::from(&**app)).collect::<Vec<_>>()))
}

fn read(ari: &Ari, Named { name }: Named) -> Outcome {
    let found = AppName::new(&name).ok().and_then(|name| ari.state.application(&name));
    let found = found.ok_or_else(|| Reply::error(404, "Application not found"))?;
    done(Reply::ok(&Application::from(&*found)))
}

/// Which sources, but the application is looked for first.
fn sources(ari: &Ari, name: &str, sources: Option<Vec<String>>) -> Result<Vec<Source>, Reply> {
    let sources = sources.ok_or_else(|| Reply::error(400, "Missing parameter eventSource"))?;
    read(ari, Named { name: name.into() })?;
    super::sources(&sources)
}

fn subscribe(ari: &Ari, Sources { name, sources: given }: Sources) -> Outcome {
    let sources = sources(ari, &name, given)?;
    exchange(move |exchange| {
        let application = exchange.subscribe(&name, &sources)?;
        Ok(Reply::ok(&Application::from(&*application)))
    })
}

fn unsubscribe(ari: &Ari, Sources { name, sources: given }: Sources) -> Outcome {
    let sources = sources(ari, &name, given)?;
    exchange(move |exchange| {
        let application = exchange.unsubscribe(&name, &sources)?;
        Ok(Reply::ok(&Application::from(&*application)))
    })
}

fn filter(_: &Ari, Filter { name, filter, mut allowed, mut disallowed }: Filter) -> Outcome {
    // Some client libraries write its name into the body nevertheless.
    if let Some(Value::Object(mut filter)) = filter {
        allowed = allowed.or_else(|| filter.remove("allowed"));
        disallowed = disallowed.or_else(|| filter.remove("disallowed"));
    }
    let has_none = allowed.is_none() && disallowed.is_none();
    let both = types(allowed).and_then(|allowed| Ok((allowed, types(disallowed)?)));
    exchange(move |exchange| {
        let (mut allowed, mut disallowed) = both?;
        if has_none {
            (allowed, disallowed) = (Some(BTreeSet::new()), Some(BTreeSet::new()));
        }
        let application = exchange.set_filter(&name, allowed, disallowed)?;
        Ok(Reply::ok(&Application::from(&*application)))
    })
}

/// The types in a list of objects, each with a `type`.
fn types(list: Option<Value>) -> Result<Option<BTreeSet<String>>, Reply> {
    let bad = || Reply::error(400, "Invalid format definition");
    let Some(list) = list else { return Ok(None) };
    let list = list.as_array().ok_or_else(bad)?.iter();
    let types = list.map(|item| item["type"].as_str().map(str::to_owned).ok_or_else(bad));
    types.collect::<Result<_, _>>().map(Some)
}
