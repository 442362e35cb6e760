//! `/applications`: who listens, and to what.

use serde_json::{Map, Value};
use stasis_control::application::Source;
use stasis_control::id::AppName;

use crate::ari::Ari;
use crate::ari::model::Application;
use crate::ari::operation::{Operation, Outcome, Returns, delete, done, exchange, get, post, put};
use crate::ari::parameters::{Kind, Later, Parameter, Readable, SOURCE, Types, parameters};
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
        Query "eventSource" sources: Later<Vec<String>>, like SOURCE;
    }

    struct Filter {
        /// Its name.
        Path "applicationName" name: String;
        /// Which types of events it is told of: `allowed` and `disallowed`.
        Whole "filter" filter: Option<Lists>;
        /// The types that it wants to be told of; none: all.
        Body "allowed" allowed: Option<Types>;
        /// The types that it does not want to be told of, also if they are allowed.
        Body "disallowed" disallowed: Option<Types>;
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

/// A filter: what is in no list stays as it is.
pub(super) struct Lists {
    allowed: Option<Types>,
    disallowed: Option<Types>,
}

impl Readable for Lists {
    const KIND: Kind = Kind::Types;

    fn read(given: Option<Value>, parameter: &Parameter) -> Result<Self, Reply> {
        let mut lists = Map::read(given, parameter)?;
        let mut list = |name| Option::read(lists.remove(name), parameter);
        Ok(Lists { allowed: list("allowed")?, disallowed: list("disallowed")? })
    }
}

/// Which sources, but the application is looked for first.
fn sources(ari: &Ari, name: &str, sources: Later<Vec<String>>) -> Result<Vec<Source>, Reply> {
    let sources = sources.or("Missing parameter eventSource")?;
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
    if let Some(filter) = filter {
        (allowed, disallowed) = (allowed.or(filter.allowed), disallowed.or(filter.disallowed));
    }
    let has_none = allowed.is_none() && disallowed.is_none();
    let [allowed, disallowed] = [allowed, disallowed].map(|types| match types {
        None if has_none => Some(Vec::new()),
        types => types.map(|Types(types)| types),
    });
    exchange(move |exchange| {
        let application = exchange.set_filter(&name, allowed, disallowed)?;
        Ok(Reply::ok(&Application::from(&*application)))
    })
}
