//! What is there besides operations: documentation, figures, and whether the server is well.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Response, StatusCode, request};
use serde_json::json;

use super::{ARI, Http, is_harmless, unauthorized};
use crate::ari::parameters::Values;
use crate::ari::reply::Reply;
use crate::ari::router::RouteError;
use crate::ari::{openapi, swagger};

impl Http {
    /// Answers what is asked for elsewhere than below `/ari`.
    pub(super) fn page(
        &self,
        parts: &request::Parts,
        path: &str,
        peer: SocketAddr,
    ) -> Response<Body> {
        let found = ["/", "/healthz", "/metrics", "/openapi.json", "/topics"].contains(&path);
        if found && !is_harmless(&parts.method) {
            let allow = Some("GET,HEAD".into());
            return self.response(Reply { allow, ..Reply::error(405, "Invalid method") });
        }
        match path {
            "/" => text("text/html; charset=utf-8", HOME.into()),
            "/healthz" if self.is_refusing() => {
                let mut response = text("text/plain; charset=utf-8", "stopping\n".into());
                *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                response
            }
            "/healthz" => text("text/plain; charset=utf-8", "ok\n".into()),
            "/metrics" => self.metrics(parts, peer),
            "/topics" => self.topics(parts),
            "/openapi.json" => {
                let server = base(&parts.headers);
                let operations = self.router.operations();
                self.response(Reply::ok(&openapi::document(operations, &self.models, &server)))
            }
            _ => self.response(RouteError::NotFound.into()),
        }
    }

    /// The topics of the bus, for users.
    fn topics(&self, parts: &request::Parts) -> Response<Body> {
        let mut values = Values::default();
        values.add_query(parts.uri.query().unwrap_or_default());
        if self.user(&parts.headers, &mut values).is_none() {
            return unauthorized();
        }
        let statistics = self.bus.statistics();
        let topics: Vec<_> = statistics
            .topics
            .iter()
            .map(|topic| {
                json!({
                    "name": topic.name.trim_end_matches('\0'),
                    "published": topic.published,
                    "subscriptions": topic.subscriptions,
                    "forwards": topic.forwards,
                })
            })
            .collect();
        self.response(Reply::ok(&topics))
    }

    fn metrics(&self, parts: &request::Parts, peer: SocketAddr) -> Response<Body> {
        let is_local = peer.ip().to_canonical().is_loopback();
        if !is_local && !self.settings.has_public_metrics {
            let mut values = Values::default();
            values.add_query(parts.uri.query().unwrap_or_default());
            if self.user(&parts.headers, &mut values).is_none() {
                return unauthorized();
            }
        }
        match &self.figures {
            Some(figures) => text("text/plain; version=0.0.4; charset=utf-8", figures()),
            None => self.response(RouteError::NotFound.into()),
        }
    }
}

/// Where to go from here.
const HOME: &str = "<!doctype html><meta charset=utf-8><title>Stasis</title>\
<h1>Stasis</h1><ul><li><a href=/openapi.json>OpenAPI</a> and <a href=/ari/api-docs/resources.json>Swagger</a> \
of ARI<li><a href=/metrics>Figures</a><li><a href=/healthz>Health</a></ul>\n";

fn text(kind: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

/// Where the client finds the operations, as it sees it: with the host that it has asked, and the scheme, which
/// a proxy in front may have taken off.
fn base(headers: &HeaderMap) -> String {
    let value = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = value("x-forwarded-proto").filter(|scheme| ["http", "https"].contains(scheme));
    let host = value("x-forwarded-host").or_else(|| value("host")).unwrap_or("localhost:8088");
    format!("{}://{host}{ARI}", scheme.unwrap_or("http"))
}

/// A file of `/ari/api-docs/`.
pub(super) fn api_docs(http: &Http, headers: &HeaderMap, file: &str) -> Reply {
    let base = base(headers);
    let operations = http.router.operations();
    let Some(name) = file.strip_suffix(".json") else { return RouteError::NotFound.into() };
    if name == "resources" {
        return Reply::ok(&swagger::listing(operations, &base));
    }
    match swagger::declaration(operations, &http.models, name, &base) {
        Some(declaration) => Reply::ok(&declaration),
        None => RouteError::NotFound.into(),
    }
}
