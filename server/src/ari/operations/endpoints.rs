//! `/endpoints`: who can be called.

use serde_json::{Map, Value};

use crate::ari::Ari;
use crate::ari::model::Endpoint;
use crate::ari::operation::{Operation, Outcome, Returns, done, exchange, get, post, put};
use crate::ari::parameters::parameters;
use crate::ari::reply::Reply;

parameters! {
    struct OfTechnology {
        /// The technology.
        Path "tech" technology: String;
    }

    struct One {
        /// The technology.
        Path "tech" technology: String;
        /// Who.
        Path "resource" resource: String;
    }

    struct Send {
        /// To whom: TECHNOLOGY/RESOURCE, or technology:RESOURCE.
        Query "to" to: String, missing "To must be specified";
        /// From whom.
        Query "from" from: String, missing "From must be specified";
        /// The text.
        Query "body" body: Option<String>;
        /// What else there is.
        Body "variables" variables: Option<Map<String, Value>>;
    }

    struct SendTo {
        /// The technology.
        Path "tech" technology: String;
        /// To whom.
        Path "resource" resource: String;
        /// From whom.
        Query "from" from: String, missing "From must be specified";
        /// The text.
        Query "body" body: Option<String>;
        /// What else there is.
        Body "variables" variables: Option<Map<String, Value>>;
    }

    struct Refer {
        /// Who is referred: TECHNOLOGY/RESOURCE, or technology:RESOURCE.
        Query "to" to: String, missing "To must be specified";
        /// By whom.
        Query "from" from: String, missing "From must be specified";
        /// To whom.
        Query "refer_to" refer_to: String, missing "Refer-To must be specified";
        /// Whether it is referred to a call that comes back here.
        Query "to_self" to_self: bool, default "false";
        /// What else there is.
        Body "variables" variables: Option<Map<String, Value>>;
    }

    struct ReferTo {
        /// The technology.
        Path "tech" technology: String;
        /// Who is referred.
        Path "resource" resource: String;
        /// By whom.
        Query "from" from: String, missing "From must be specified";
        /// To whom.
        Query "refer_to" refer_to: String, missing "Refer-To must be specified";
        /// Whether it is referred to a call that comes back here.
        Query "to_self" to_self: bool, default "false";
        /// What else there is.
        Body "variables" variables: Option<Map<String, Value>>;
    }
}

pub(super) fn operations() -> Vec<Operation> {
    let bad = (400, "A parameter is missing or cannot be.");
    let unknown = (404, "There is no such endpoint.");
    vec![
        get("/endpoints", "list", |ari, ()| {
            let all = ari.state.endpoints();
            done(Reply::ok(&all.iter().map(|one| Endpoint::from(&**one)).collect::<Vec<_>>()))
        })
        .says("All endpoints.")
        .returns(Returns::List("Endpoint")),
        put("/endpoints/sendMessage", "sendMessage", |ari, send: Send| {
            text(ari, &send.to, send.from, send.body, send.variables)
        })
        .says("Sends a text to an endpoint.")
        .with_status(202)
        .fails(&[bad, unknown]),
        post("/endpoints/refer", "refer", |ari, refer: Refer| no_referral(ari, &refer.to))
            .says("Refers an endpoint to somebody else. No technology here can do that.")
            .with_status(202)
            .fails(&[bad, unknown]),
        get("/endpoints/{tech}", "listByTech", of_technology)
            .says("All endpoints of a technology.")
            .returns(Returns::List("Endpoint"))
            .fails(&[(404, "There are no endpoints of this technology.")]),
        get("/endpoints/{tech}/{resource}", "get", |ari, One { technology, resource }: One| {
            let found = ari.state.endpoint(&format!("{technology}/{resource}"));
            let found = found.ok_or_else(|| Reply::error(404, "Endpoint not found"))?;
            done(Reply::ok(&Endpoint::from(&*found)))
        })
        .says("An endpoint.")
        .returns(Returns::Object("Endpoint"))
        .fails(&[bad, unknown]),
        put(
            "/endpoints/{tech}/{resource}/sendMessage",
            "sendMessageToEndpoint",
            |ari, send: SendTo| {
                let to = format!("{}/{}", send.technology, send.resource);
                text(ari, &to, send.from, send.body, send.variables)
            },
        )
        .says("Sends a text to an endpoint.")
        .with_status(202)
        .fails(&[bad, unknown]),
        post("/endpoints/{tech}/{resource}/refer", "referToEndpoint", |ari, refer: ReferTo| {
            no_referral(ari, &format!("{}/{}", refer.technology, refer.resource))
        })
        .says("Refers an endpoint to somebody else. No technology here can do that.")
        .with_status(202)
        .fails(&[bad, unknown]),
    ]
}

fn of_technology(ari: &Ari, OfTechnology { technology }: OfTechnology) -> Outcome {
    let all = ari.state.endpoints();
    let of_it = all.iter().filter(|one| one.technology.eq_ignore_ascii_case(&technology));
    let of_it: Vec<_> = of_it.map(|one| Endpoint::from(&**one)).collect();
    if of_it.is_empty() {
        let message = format!("No Endpoints found - invalid tech {technology}");
        return Err(Reply::error(404, &message));
    }
    done(Reply::ok(&of_it))
}

/// Whom a URI means: `Test/alice`, or `test:alice`.
fn find(ari: &Ari, uri: &str) -> Result<String, Reply> {
    let parts = uri.split_once('/').or_else(|| uri.split_once(':'));
    let found = parts.and_then(|(technology, resource)| {
        let all = ari.state.endpoints();
        let is_it = |one: &&std::sync::Arc<stasis_control::endpoint::EndpointSnapshot>| {
            one.technology.eq_ignore_ascii_case(technology) && *one.resource == *resource
        };
        all.iter().find(is_it).map(|one| one.name())
    });
    found.ok_or_else(|| Reply::error(404, "Endpoint not found"))
}

/// Sends a text. The endpoints that there are keep it to themselves; the applications that have asked for them
/// are told.
fn text(
    ari: &Ari,
    to: &str,
    from: String,
    body: Option<String>,
    variables: Option<Map<String, Value>>,
) -> Outcome {
    let name = find(ari, to)?;
    let to = to.to_owned();
    exchange(move |exchange| {
        let (body, variables) = (body.unwrap_or_default(), variables.unwrap_or_default());
        exchange.text_message(&name, &from, &to, &body, variables)?;
        Ok(Reply { status: 202, ..Reply::no_content() })
    })
}

fn no_referral(ari: &Ari, to: &str) -> Outcome {
    let name = find(ari, to)?;
    Err(Reply::error(400, &format!("{name} cannot be referred: its technology has no referrals")))
}
