//! How many calls a second can be set up, put together and hung up?
//!
//! An application as any other: it originates two channels, and when both are there it makes a bridge, adds
//! them, lets them talk for a while, hangs them up and destroys the bridge. All that it knows, it knows by events.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::args::Args;
use super::client::{Events, Http};
use super::figures::{Figures, percentile};
use super::server::Running;

/// Connections that requests are sent on.
const WORKERS: usize = 8;
/// How long the last calls may take.
const LAST_CALLS: Duration = Duration::from_secs(10);

/// What is asked for, in one go and in this order.
type Requests = Vec<(&'static str, String)>;

#[derive(Default)]
struct Call {
    begun: Option<Instant>,
    there: u32,
    gone: u32,
}

#[derive(Default)]
struct Counts {
    begun: u64,
    ended: u64,
    events: u64,
    set_up: Vec<f64>,
}

pub fn run(args: &Args, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let server = Running::start(1)?;
    let events = listen(server.address)?;
    let (requests, refusals) = workers(server.address);
    let (counts, memory) = calls(args, &server, &events, &requests)?;
    drop(requests);
    let refused = refusals.iter().count() as u64;
    let mut http = Http::connect(server.address)?;
    let mut left = |path| -> Result<u64, Box<dyn Error>> {
        let all: Vec<Value> = serde_json::from_slice(&http.ask("GET", path)?.body)?;
        Ok(all.len() as u64)
    };
    let (channels, bridges) = (left("/channels")?, left("/bridges")?);
    let seconds = args.seconds as f64;
    let rate = counts.begun as f64 / seconds;
    figures.tell("calls through ARI", format!("{} ({rate:.0}/s)", counts.begun));
    figures.tell("events of them", counts.events.to_string());
    figures.none("requests that were refused", refused);
    figures.none("calls that have not come to their end", counts.begun - counts.ended);
    figures.none("channels and bridges that are left", channels + bridges);
    let grown = (memory.1 as f64 / memory.0.max(1) as f64 - 1.0) * 100.0;
    figures.tell(
        "memory after the first third, and in the end",
        format!("{} and {} kB ({grown:+.1} %)", memory.0, memory.1),
    );
    let mut set_up = counts.set_up;
    set_up.sort_by(f64::total_cmp);
    let (median, p99) = (percentile(&set_up, 0.5), percentile(&set_up, 0.99));
    figures.tell(
        "from the first request to both being there",
        format!("{median:.1} ms, p99 {p99:.1} ms"),
    );
    Ok(())
}

/// Events, by a thread that reads them: the type, and the channel.
fn listen(to: SocketAddr) -> io::Result<Receiver<(String, String)>> {
    let mut events = Events::listen(to, "app=bench")?;
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        while let Ok(event) = events.next() {
            let Ok(event) = serde_json::from_slice::<Value>(event) else { continue };
            let text = |path| event.pointer(path).and_then(Value::as_str).unwrap_or_default();
            let told = (text("/type").to_owned(), text("/channel/id").to_owned());
            if send.send(told).is_err() {
                break;
            }
        }
    });
    Ok(receive)
}

/// Threads that send requests, each on its connection; and what was refused.
fn workers(to: SocketAddr) -> (Vec<Sender<Requests>>, Receiver<String>) {
    let (refused, refusals) = mpsc::channel();
    let worker = |_| {
        let (send, receive) = mpsc::channel::<Requests>();
        let refused = refused.clone();
        thread::spawn(move || {
            let Ok(mut http) = Http::connect(to) else { return };
            for (method, path) in receive.into_iter().flatten() {
                let said = match http.ask(method, &path) {
                    Ok(answer) if answer.status < 300 => continue,
                    Ok(answer) => String::from_utf8_lossy(&answer.body).into_owned(),
                    Err(problem) => problem.to_string(),
                };
                eprintln!("ari: {method} {path}: {said}");
                let _ = refused.send(said);
            }
        });
        send
    };
    ((0..WORKERS).map(worker).collect(), refusals)
}

/// Makes the calls. Also the server's memory after the first third, and in the end.
fn calls(
    args: &Args,
    server: &Running,
    events: &Receiver<(String, String)>,
    workers: &[Sender<Requests>],
) -> Result<(Counts, (u64, u64)), Box<dyn Error>> {
    let mut calls: HashMap<u64, Call> = HashMap::new();
    let mut talking: VecDeque<(Instant, u64)> = VecDeque::new();
    let mut counts = Counts::default();
    let (talk, began) = (Duration::from_millis(args.talk_ms), Instant::now());
    let all = u64::from(args.calls) * args.seconds;
    let step = Duration::from_secs(1) / args.calls.max(1);
    let mut memory = 0;
    // What concerns one call goes by one connection, so it is done in its order.
    let ask = |number: u64, requests: Requests| {
        let worker = &workers[(number % WORKERS as u64) as usize];
        worker.send(requests).map_err(|_| "a connection is lost")
    };
    loop {
        while counts.begun < all && began.elapsed() >= step * counts.begun as u32 {
            let number = counts.begun;
            counts.begun += 1;
            calls.insert(number, Call { begun: Some(Instant::now()), ..Call::default() });
            let one = |side| {
                let path =
                    format!("/channels?endpoint=Test/carol&app=bench&channelId={number}-{side}");
                ("POST", path)
            };
            ask(number, vec![one("a"), one("b")])?;
        }
        if memory == 0 && began.elapsed() > Duration::from_secs(args.seconds) / 3 {
            memory = server.memory_kb();
        }
        while talking.front().is_some_and(|(until, _)| *until <= Instant::now()) {
            let Some((_, number)) = talking.pop_front() else { break };
            let hang_up = |side| ("DELETE", format!("/channels/{number}-{side}"));
            ask(
                number,
                vec![hang_up("a"), hang_up("b"), ("DELETE", format!("/bridges/{number}"))],
            )?;
        }
        let is_over = counts.begun == all && calls.is_empty();
        let is_late = began.elapsed() > Duration::from_secs(args.seconds) + talk + LAST_CALLS;
        if is_over || is_late {
            break;
        }
        let Ok((kind, channel)) = events.recv_timeout(Duration::from_millis(1)) else { continue };
        counts.events += 1;
        let number = channel.split('-').next().and_then(|number| number.parse::<u64>().ok());
        let Some((number, call)) = number.and_then(|n| Some((n, calls.get_mut(&n)?))) else {
            continue;
        };
        match kind.as_str() {
            "StasisStart" => {
                call.there += 1;
                if call.there == 2 {
                    let begun = call.begun.map(|begun| begun.elapsed().as_secs_f64() * 1_000.0);
                    counts.set_up.extend(begun);
                    let add = format!("/bridges/{number}/addChannel?channel={number}-a,{number}-b");
                    ask(number, vec![("POST", format!("/bridges/{number}")), ("POST", add)])?;
                    talking.push_back((Instant::now() + talk, number));
                }
            }
            "ChannelDestroyed" => {
                call.gone += 1;
                if call.gone == 2 {
                    calls.remove(&number);
                    counts.ended += 1;
                }
            }
            _ => {}
        }
    }
    Ok((counts, (memory, server.memory_kb())))
}
