//! A WebSocket: events go out, requests come in, and their answers go out between the events.
//!
//! Who connects is registered for its applications before it is told that it is connected, so it misses
//! nothing. One task writes what is in the outbox; another reads requests and does them one after the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::header::{self, HeaderValue};
use axum::http::{Response, StatusCode, request};
use axum::response::IntoResponse;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use stasis_control::application::Source;
use stasis_control::id::AppName;
use stasis_control::{Exchange, Registration};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::Http;
use crate::ari::feed::Listening;
use crate::ari::outbox::{Next, Outbox};
use crate::ari::parameters::Values;
use crate::ari::reply::Reply;
use crate::ari::rest::{RESTRequest, Sender};
use crate::users::User;

/// The protocol that clients may name.
const PROTOCOL: &str = "ari";
/// The largest message that a client may send.
const MOST_MESSAGE_BYTES: usize = 1 << 20;
/// A client may be busy with something else: so often it need not answer.
const MOST_UNANSWERED: u32 = 4;
/// Codes of RFC 6455, 7.4.1, and of its registry.
const GOING_AWAY: u16 = 1001;
const TRY_AGAIN_LATER: u16 = 1013;

/// Who listens: to be let go when the connection is over.
struct Session {
    http: Arc<Http>,
    registrations: Vec<(AppName, Registration)>,
    outbox: Arc<Outbox>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.outbox.close();
        let registrations = std::mem::take(&mut self.registrations);
        self.http.control.submit(move |exchange| {
            for (name, registration) in registrations {
                exchange.deactivate(&name, registration);
            }
        });
    }
}

/// Answers who wants a WebSocket.
pub(super) async fn open(
    http: &Arc<Http>,
    parts: &mut request::Parts,
    values: &mut Values,
    user: User,
) -> Response<Body> {
    let is_upgrade = parts
        .headers
        .get(header::UPGRADE)
        .is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    if !is_upgrade {
        return page(426, "Upgrade Required", "");
    }
    let (apps, subscribe_all) = match applications(values) {
        Ok(asked) => asked,
        Err(message) => return page(400, "Bad Request", message),
    };
    let offered = parts.headers.get(header::SEC_WEBSOCKET_PROTOCOL).cloned();
    let has_ours = |offered: &HeaderValue| {
        let list = offered.to_str().unwrap_or_default();
        list.split(',').any(|name| name.trim() == PROTOCOL)
    };
    if offered.as_ref().is_some_and(|offered| !has_ours(offered)) {
        return page(400, "Bad Request", "the only protocol is: ari");
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(parts, &()).await {
        Ok(upgrade) => upgrade.protocols([PROTOCOL]).max_message_size(MOST_MESSAGE_BYTES),
        Err(refused) => return refused.into_response(),
    };
    let outbox = Arc::new(Outbox::new(http.settings.outbox));
    let told = outbox.clone();
    let names = apps.clone();
    let registered = http.ask(move |exchange| register(exchange, &names, subscribe_all, &told));
    let Some(registrations) = registered.await else {
        return http.response(super::ended());
    };
    let session = Session { http: http.clone(), registrations, outbox };
    tracing::info!(user = user.name, applications = ?apps, "WebSocket opened");
    let http = http.clone();
    let application = apps[0].clone();
    upgrade.on_upgrade(move |socket| serve(http, session, socket, user, application))
}

/// Which applications listen, and whether they want everything.
fn applications(values: &mut Values) -> Result<(Vec<AppName>, bool), &'static str> {
    let texts = values.take("app").unwrap_or_default();
    let texts = match texts {
        serde_json::Value::Array(texts) => texts,
        one => vec![one],
    };
    let texts = texts.iter().filter_map(|text| text.as_str());
    let names = texts.flat_map(|text| text.split(',')).map(str::trim);
    let names: Result<Vec<_>, _> =
        names.filter(|name| !name.is_empty()).map(AppName::new).collect();
    let names =
        names.map_err(|_| "the name of an application is too long, or has control characters")?;
    if names.is_empty() {
        return Err("HTTP request is missing param: [app]");
    }
    let all = values.take("subscribeAll");
    let all = all.as_ref().and_then(|all| all.as_str()).unwrap_or_default().to_ascii_lowercase();
    Ok((names, ["true", "yes", "on", "y", "t", "1"].contains(&all.as_str())))
}

fn register(
    exchange: &mut Exchange,
    names: &[AppName],
    subscribe_all: bool,
    outbox: &Arc<Outbox>,
) -> Vec<(AppName, Registration)> {
    let mut registrations = Vec::new();
    for name in names {
        let filter = exchange.state().application(name).map(|before| before.filter.clone());
        let listening = Listening {
            application: name.clone(),
            outbox: outbox.clone(),
            filter: filter.unwrap_or_default(),
        };
        let (registration, _) = exchange.register(name, |topic| topic.publish(listening));
        registrations.push((name.clone(), registration));
        if subscribe_all {
            let all = [
                Source::Channel(None),
                Source::Bridge(None),
                Source::Endpoint(None),
                Source::Device(None),
            ];
            if let Err(refusal) = exchange.subscribe(name, &all) {
                tracing::error!(%refusal, application = %name, "not subscribed to all");
            }
        }
    }
    registrations
}

/// A page for people, as clients of Asterisk see it where no JSON is expected.
fn page(status: u16, title: &str, text: &str) -> Response<Body> {
    let body =
        format!("<!doctype html><title>{status} {title}</title><h1>{title}</h1><p>{text}</p>\n");
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html"));
    if status == 426 {
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    }
    response
}

/// Counts a WebSocket as long as it is open.
struct Counted(Arc<Http>);

impl Counted {
    fn new(http: &Arc<Http>) -> Self {
        http.sockets.send_modify(|open| *open += 1);
        metrics::gauge!("stasis_ari_sockets").increment(1.0);
        Counted(http.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.sockets.send_modify(|open| *open -= 1);
        metrics::gauge!("stasis_ari_sockets").decrement(1.0);
    }
}

async fn serve(
    http: Arc<Http>,
    session: Session,
    socket: WebSocket,
    user: User,
    application: AppName,
) {
    let _counted = Counted::new(&http);
    let (sink, stream) = socket.split();
    let is_alive = Arc::new(AtomicBool::new(true));
    let writer = Writer {
        sink,
        outbox: session.outbox.clone(),
        grace: http.settings.grace,
        ping: http.settings.ping,
        is_alive: is_alive.clone(),
        stopping: http.stopping.subscribe(),
    };
    let writing = tokio::spawn(writer.run());
    let reader =
        Reader { http: &http, outbox: &session.outbox, user: &user, application: &application };
    tokio::select! {
        () = reader.run(stream, &is_alive) => {}
        () = session.outbox.ended() => {}
    }
    session.outbox.close();
    let missed = session.outbox.missed();
    drop(session);
    let _ = writing.await;
    tracing::info!(user = user.name, %application, missed, "WebSocket closed");
}

struct Writer {
    sink: SplitSink<WebSocket, Message>,
    outbox: Arc<Outbox>,
    grace: Duration,
    ping: Duration,
    /// Whether anything has come since the last look.
    is_alive: Arc<AtomicBool>,
    stopping: watch::Receiver<bool>,
}

impl Writer {
    async fn run(mut self) {
        let mut stopping = self.stopping.clone();
        let mut pings = interval(self.ping.max(Duration::from_millis(1)));
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.tick().await; // the first is at once
        let (outbox, has_pings) = (self.outbox.clone(), !self.ping.is_zero());
        let mut unanswered = 0;
        loop {
            let next = tokio::select! {
                biased; // what is left is sent before the end
                next = outbox.next() => Some(next),
                () = stopped(&mut stopping) => None,
                _ = pings.tick(), if has_pings => {
                    unanswered = match self.is_alive.swap(false, Ordering::Relaxed) {
                        true => 0,
                        false => unanswered + 1,
                    };
                    if unanswered == MOST_UNANSWERED {
                        tracing::warn!("a client does not answer any more: it is disconnected");
                        break;
                    }
                    if self.send(vec![Message::Ping(Default::default())]).await.is_err() {
                        break;
                    }
                    continue;
                }
            };
            match next {
                None => {
                    self.close(GOING_AWAY, "the server stops").await;
                    break;
                }
                Some(Next::Messages(batch)) => {
                    let bytes = batch.iter().map(|text| text.len()).sum();
                    let count = batch.len();
                    let messages = batch.into_iter().map(Message::Text).collect();
                    if self.send(messages).await.is_err() {
                        break;
                    }
                    outbox.written(count, bytes);
                }
                Some(Next::Overflow(missed)) => {
                    metrics::counter!("stasis_ari_sockets_overflowed_total").increment(1);
                    tracing::warn!(missed, "a client is too slow: it is disconnected");
                    let reason = format!("too slow: {missed} events were missed");
                    self.close(TRY_AGAIN_LATER, &reason).await;
                    break;
                }
                Some(Next::Closed) => {
                    let _ = timeout(self.grace, self.sink.close()).await;
                    break;
                }
            }
        }
        outbox.end();
    }

    /// Sends messages. A client that has missed something has only so long to read on.
    async fn send(&mut self, messages: Vec<Message>) -> Result<(), ()> {
        let Writer { sink, outbox, grace, .. } = self;
        let sending = async {
            for message in messages {
                sink.feed(message).await?;
            }
            sink.flush().await
        };
        let too_late = async {
            outbox.overflow().await;
            tokio::time::sleep(*grace).await;
        };
        tokio::select! {
            sent = sending => sent.map_err(|problem| tracing::debug!(%problem, "WebSocket")),
            () = too_late => {
                metrics::counter!("stasis_ari_sockets_overflowed_total").increment(1);
                let missed = outbox.missed();
                tracing::warn!(missed, "a client reads nothing any more: it is cut off");
                Err(())
            }
        }
    }

    async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame { code, reason: reason.into() };
        let sent = self.sink.send(Message::Close(Some(frame)));
        let _ = timeout(self.grace, sent).await;
    }
}

/// Waits until the server stops.
async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // What tells it is gone only when nothing is left of the server.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

struct Reader<'a> {
    http: &'a Arc<Http>,
    outbox: &'a Outbox,
    user: &'a User,
    application: &'a AppName,
}

impl Reader<'_> {
    async fn run(&self, mut stream: SplitStream<WebSocket>, is_alive: &AtomicBool) {
        while let Some(Ok(message)) = stream.next().await {
            is_alive.store(true, Ordering::Relaxed);
            match message {
                Message::Text(text) => {
                    let answer = self.answer(&text).await;
                    self.outbox.push(answer.into());
                }
                Message::Binary(_) => {
                    let answer = self.answer("").await;
                    self.outbox.push(answer.into());
                }
                Message::Close(_) => return,
                Message::Ping(_) | Message::Pong(_) => {}
            }
        }
    }

    async fn answer(&self, text: &str) -> String {
        let http = self.http;
        let to =
            || Sender { application: self.application, at: http.ari.now(), id: &http.ari.about.id };
        let request = match RESTRequest::parse(text) {
            Ok(request) => request,
            Err(refused) => return refused.answer(to()),
        };
        let reply = match request.request() {
            Err(error) => error.into(),
            Ok(asked) if self.user.is_read_only && !["GET", "OPTIONS"].contains(&asked.method) => {
                Reply::error(403, "Write access denied")
            }
            Ok(asked) => http.run(asked).await,
        };
        tracing::debug!(user = self.user.name, status = reply.status, "request on a WebSocket");
        request.answer(&reply, to())
    }
}
