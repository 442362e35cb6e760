//! Listening: connections are accepted, and each is served by a task of its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Http;

/// How long it waits when the system has no connection for it.
const PAUSE: Duration = Duration::from_millis(50);
/// How long connections may take to their end when the server stops.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Serves connections, until the server [stops](Http::stop) and all that were there have come to an end.
pub async fn serve(http: Arc<Http>, listeners: Vec<TcpListener>) {
    let places = Arc::new(Semaphore::new(http.settings.most_connections));
    let mut accepting = JoinSet::new();
    for listener in listeners {
        accepting.spawn(accept(http.clone(), listener, places.clone()));
    }
    while accepting.join_next().await.is_some() {}
}

async fn accept(http: Arc<Http>, listener: TcpListener, places: Arc<Semaphore>) {
    let mut stopping = http.stopping.subscribe();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => break,
        };
        // Those that are over make room.
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, peer)) => {
                let Ok(place) = places.clone().try_acquire_owned() else {
                    metrics::counter!("stasis_http_connections_refused_total").increment(1);
                    tracing::warn!(%peer, "too many connections: one was refused");
                    continue;
                };
                let http = http.clone();
                connections.spawn(async move {
                    if let Err(problem) = connection(http, stream, peer).await {
                        tracing::debug!(%peer, %problem, "connection");
                    }
                    drop(place);
                });
            }
            Err(problem) => {
                tracing::warn!(%problem, "no connection could be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(LAST_WORDS, all).await;
}

async fn connection(http: Arc<Http>, stream: TcpStream, peer: SocketAddr) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stopping = http.stopping.subscribe();
    let timeout = http.settings.timeout;
    let service = service_fn(move |request: Request<Incoming>| {
        let http = http.clone();
        async move { Ok::<_, std::convert::Infallible>(http.answer(request, peer).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeout)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(served);
    tokio::select! {
        done = served.as_mut() => return done.map_err(io::Error::other),
        _ = stopping.wait_for(|stopping| *stopping) => served.as_mut().graceful_shutdown(),
    }
    served.await.map_err(io::Error::other)
}

/// Listens at an address.
///
/// # Errors
/// When it is taken, or not of this machine: with the address.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let named = |problem: io::Error| {
        io::Error::new(problem.kind(), format!("cannot listen at {address}: {problem}"))
    };
    TcpListener::bind(address).await.map_err(named)
}
