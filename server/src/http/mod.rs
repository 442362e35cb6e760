//! HTTP and WebSocket: the sockets by which the server is asked, and answers.
//!
//! [`Http::answer`] has the order in which a request is looked at: who asks, whether they may, what for. Then
//! the [`router`] finds the operation, and what that wants to be done is done here
//! (`perform`): at once, by the exchange's thread, or where files may be waited for. No request
//! waits for another one. [`listen`] accepts connections, `socket` is what a WebSocket does.

mod cors;
pub mod listen;
mod page;
mod socket;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, Request, Response, StatusCode, request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use stasis_bus::Bus;
use stasis_control::io::ControlHandle;
use tokio::sync::{oneshot, watch};

use crate::ari::Ari;
use crate::ari::operation::{Look, Outcome, Step, Work};
use crate::ari::outbox::Limits;
use crate::ari::parameters::Values;
use crate::ari::reply::Reply;
use crate::ari::router::{self, RouteError, Router};
use crate::ari::schema::{Model, models};
use crate::users::{User, Users};

pub use cors::Origins;

/// How requests are taken.
#[derive(Clone, Debug)]
pub struct HttpSettings {
    /// Whether JSON is written for people to read.
    pub is_pretty: bool,
    /// Web pages of these origins may ask, too.
    pub origins: Origins,
    /// The largest body.
    pub most_body_bytes: usize,
    /// How long it may take until a request is there, and until it is answered.
    pub timeout: Duration,
    /// How many connections there may be at a time.
    pub most_connections: usize,
    /// How much may wait to be sent to a WebSocket.
    pub outbox: Limits,
    /// How long a client that has missed events may take to read what it has not missed.
    pub grace: Duration,
    /// How often a client is asked whether it is still there; not at all if zero.
    pub ping: Duration,
    /// Whether figures are told to everybody. To those on the same machine they always are.
    pub has_public_metrics: bool,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            is_pretty: false,
            origins: Origins::default(),
            most_body_bytes: 1 << 20,
            timeout: Duration::from_secs(30),
            most_connections: 4096,
            outbox: Limits { messages: 65_536, bytes: 64 << 20 },
            grace: Duration::from_secs(10),
            ping: Duration::from_secs(30),
            has_public_metrics: false,
        }
    }
}

/// Tells the figures of the server, as Prometheus reads them.
pub type Figures = Box<dyn Fn() -> String + Send + Sync>;

/// What answers requests.
pub struct Http {
    ari: Ari,
    router: Router,
    models: BTreeMap<String, Model>,
    control: ControlHandle,
    users: Users,
    settings: HttpSettings,
    figures: Option<Figures>,
    /// Whose topics are told of.
    bus: Bus,
    /// Whether nothing more is begun.
    is_refusing: AtomicBool,
    /// Whether connections come to their end.
    stopping: watch::Sender<bool>,
    /// How many WebSockets are open.
    sockets: watch::Sender<usize>,
}

/// What stands where the operations are.
const ARI: &str = "/ari";
/// How often it is looked whether there is an answer that was not there at first, and how long it is from one
/// look to the next.
const LOOKS: u32 = 200;
const LOOK_PAUSE: Duration = Duration::from_millis(5);

impl Http {
    /// For this server. `figures` are told at `/metrics`.
    pub fn new(
        ari: Ari,
        control: ControlHandle,
        users: Users,
        settings: HttpSettings,
        figures: Option<Figures>,
        bus: Bus,
    ) -> Self {
        let stopping = watch::Sender::new(false);
        let (router, models) = (Router::new(), models());
        let is_refusing = AtomicBool::new(false);
        Http {
            ari,
            router,
            models,
            control,
            users,
            settings,
            figures,
            bus,
            is_refusing,
            stopping,
            sockets: watch::Sender::new(0),
        }
    }

    /// From here on nothing new is begun; who listens still listens.
    pub fn refuse(&self) {
        self.is_refusing.store(true, Ordering::Relaxed); // nothing depends on who sees it first
    }

    fn is_refusing(&self) -> bool {
        self.is_refusing.load(Ordering::Relaxed)
    }

    /// From here on connections come to their end.
    pub fn stop(&self) {
        self.refuse();
        self.stopping.send_replace(true);
    }

    /// Waits until no WebSocket is open any more.
    pub async fn sockets_closed(&self) {
        // What counts them is this.
        let _ = self.sockets.subscribe().wait_for(|open| *open == 0).await;
    }

    /// Answers a request.
    pub async fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Response<Body> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        let method = parts.method.clone();
        let below = path.strip_prefix(ARI).filter(|rest| rest.is_empty() || rest.starts_with('/'));
        let mut response = match below {
            Some(below) => {
                let mut answered = self.ari(&mut parts, body, below).await;
                cors::add(&self.settings.origins, &parts, &mut answered);
                answered
            }
            None => self.page(&parts, &path, peer),
        };
        if method == Method::HEAD {
            *response.body_mut() = Body::empty();
        }
        let status = response.status();
        // The query stays out of the log: it may have credentials, or digits.
        tracing::debug!(%peer, %method, path, status = status.as_u16(), "request");
        count(status);
        response
    }

    /// Answers what is asked for below `/ari`.
    async fn ari(
        self: &Arc<Self>,
        parts: &mut request::Parts,
        body: Incoming,
        below: &str,
    ) -> Response<Body> {
        if cors::is_preflight(&self.settings.origins, parts)
            && let Some(methods) = self.router.methods(below)
        {
            let reply = Reply { allow: Some(methods), ..Reply::no_content() };
            return self.response(reply);
        }
        let query = parts.uri.query().unwrap_or_default();
        let mut values = Values::default();
        values.add_query(query);
        let user = match self.user(&parts.headers, &mut values) {
            Some(user) => user.clone(),
            None => return unauthorized(),
        };
        if self.is_refusing() {
            return self.response(Reply::error(503, "The server is about to stop"));
        }
        if user.is_read_only && !is_harmless(&parts.method) {
            return self.response(Reply::error(403, "Write access denied"));
        }
        if below == "/events" && parts.method == Method::GET {
            return socket::open(self, parts, &mut values, user).await;
        }
        if let Some(file) = below.strip_prefix("/api-docs/").filter(|_| parts.method == Method::GET)
        {
            return self.response(page::api_docs(self, &parts.headers, file));
        }
        if let Err(reply) = self.read_body(&parts.headers, body, &mut values).await {
            return self.response(reply);
        }
        let request = router::Request { method: parts.method.as_str(), path: below, values };
        self.response(self.run(request).await)
    }

    /// Runs a request of ARI, however it came; it is given up when it takes too long.
    async fn run(&self, request: router::Request<'_>) -> Reply {
        let outcome = self.router.run(&self.ari, request);
        let reply = tokio::time::timeout(self.settings.timeout, self.perform(outcome)).await;
        reply.unwrap_or_else(|_| Reply::error(503, "The server is too busy"))
    }

    /// Who asks.
    fn user(&self, headers: &HeaderMap, values: &mut Values) -> Option<&User> {
        let key = values.take("api_key");
        let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match (header, key) {
            (Some(header), _) => self.users.by_header(header),
            (None, Some(serde_json::Value::String(key))) => self.users.by_key(&key),
            _ => None,
        }
    }

    /// Reads what a body has.
    async fn read_body(
        &self,
        headers: &HeaderMap,
        body: Incoming,
        values: &mut Values,
    ) -> Result<(), Reply> {
        if hyper::body::Body::is_end_stream(&body) {
            return Ok(());
        }
        let reading = Limited::new(body, self.settings.most_body_bytes).collect();
        let read = tokio::time::timeout(self.settings.timeout, reading).await;
        let read = read.map_err(|_| Reply::error(408, "The body did not come in time"))?;
        let bytes = read
            .map_err(|problem| match problem.is::<http_body_util::LengthLimitError>() {
                true => Reply::error(413, "Request body too large"),
                false => Reply::error(400, "The body has come to an end before its time"),
            })?
            .to_bytes();
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        values.add_body(kind, &bytes).map_err(|_| RouteError::BadBody.into())
    }

    /// Has done what is to be done, and waits for what comes of it.
    async fn perform(&self, outcome: Outcome) -> Reply {
        match outcome {
            Err(reply) | Ok(Work::Done(reply)) => reply,
            Ok(Work::Files(work)) => {
                let done = tokio::task::spawn_blocking(work).await;
                done.unwrap_or_else(|_| Reply::error(500, "The work with files has failed"))
            }
            Ok(Work::Exchange(work)) => match self.ask(work).await {
                Some(Step::Done(reply)) => reply,
                Some(Step::Look(look)) => self.look(look).await,
                None => ended(),
            },
        }
    }

    /// Has the exchange do something; none: it has ended.
    async fn ask<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut stasis_control::Exchange) -> R + Send + 'static,
    ) -> Option<R> {
        let (reply, answer) = oneshot::channel();
        self.control.submit(move |exchange| {
            let _ = reply.send(work(exchange)); // who has asked may be gone
        });
        answer.await.ok()
    }

    async fn look(&self, mut look: Look) -> Reply {
        for left in (0..LOOKS).rev() {
            let looked = self.ask(move |exchange| {
                let reply = look(exchange, left == 0);
                (look, reply)
            });
            match looked.await {
                Some((_, Some(reply))) => return reply,
                Some((again, None)) => look = again,
                None => return ended(),
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        ended()
    }

    /// A reply as it is sent.
    fn response(&self, reply: Reply) -> Response<Body> {
        let mut body = reply.body;
        if self.settings.is_pretty
            && reply.content_type == crate::ari::reply::JSON
            && let Ok(json) = serde_json::from_slice::<serde_json::Value>(&body)
            && let Ok(pretty) = serde_json::to_vec_pretty(&json)
        {
            body = pretty.into();
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or_default();
        let headers = response.headers_mut();
        if !body.is_empty() {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type));
        }
        let mut text = |name, value: Option<String>| {
            if let Some(value) = value.and_then(|value| HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        };
        text(header::LOCATION, reply.location.map(|below| format!("{ARI}{}", encoded(&below))));
        text(header::ALLOW, reply.allow);
        *response.body_mut() = Body::from(body);
        response
    }
}

/// The exchange does nothing any more.
fn ended() -> Reply {
    Reply::error(503, "The server is about to stop")
}

/// Whether a method only looks.
fn is_harmless(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// A path as it stands in a header.
fn encoded(path: &str) -> String {
    use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
    const KEPT: &AsciiSet =
        &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'?').add(b'#').add(b'%');
    utf8_percent_encode(path, KEPT).to_string()
}

/// Who asks is not known.
fn unauthorized() -> Response<Body> {
    let mut response = Response::new(Body::from(r#"{"message":"Authentication required"}"#));
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    let realm = HeaderValue::from_static("Basic realm=\"Asterisk REST Interface\"");
    headers.insert(header::WWW_AUTHENTICATE, realm);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(crate::ari::reply::JSON));
    response
}

fn count(status: StatusCode) {
    let class = match status.as_u16() {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    metrics::counter!("stasis_http_requests_total", "status" => class).increment(1);
}
