//! How many events a second are told to a client that only counts them?
//!
//! As the peer was measured: one application that has asked for everything, and calls whose dialplan sets two
//! variables in a loop, which is five events a round. There are several, since the dialplan of one has others
//! take their turn after some steps.

use std::error::Error;
use std::time::Instant;

use super::args::Args;
use super::client::{Events, Http};
use super::figures::Figures;
use super::server::Running;

/// Events a round of the loop.
const A_ROUND: u64 = 5;
/// Calls at a time.
const CALLS: u64 = 32;

pub fn run(args: &Args, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let rounds = (args.count / A_ROUND / CALLS).max(1);
    let server = Running::start(rounds)?;
    let mut events = Events::listen(server.address, "app=bench&subscribeAll=true")?;
    let mut http = Http::connect(server.address)?;
    for number in 0..CALLS {
        let path =
            format!("/channels?endpoint=Local/spin@default/n&extension=wait&channelId=c{number}");
        let answer = http.ask("POST", &path)?;
        if answer.status != 200 {
            return Err(String::from_utf8_lossy(&answer.body).into());
        }
    }
    // The first loop begins with the first of its variables; the last ends with its call.
    let (mut count, mut bytes, mut gone) = (0_u64, 0, 0);
    let (mut begun, mut cpu) = (None, 0);
    loop {
        let event = events.next()?;
        if begun.is_none() && has(event, b"\"variable\":\"I\"") {
            begun = Some(Instant::now());
            cpu = server.cpu_us();
        }
        if begun.is_some() {
            count += 1;
            bytes += event.len();
        }
        gone += u64::from(event.starts_with(b"{\"type\":\"ChannelDestroyed\""));
        if gone == 2 * CALLS {
            break;
        }
    }
    let seconds = begun.ok_or("the loop has not begun")?.elapsed().as_secs_f64();
    let cpu = server.cpu_us() - cpu;
    figures.tell("events told to one client", format!("{count} ({} B each)", bytes as u64 / count));
    figures.none("of them lost", (CALLS * rounds * A_ROUND).saturating_sub(count));
    figures.at_least("events a second", count as f64 / seconds / 1_000.0, 100.0, "k/s");
    figures.tell("server's CPU an event", format!("{:.2} µs", cpu as f64 / count as f64));
    Ok(())
}

/// Whether one text has another in its beginning, where the fields are that tell events apart.
fn has(text: &[u8], part: &[u8]) -> bool {
    let beginning = &text[..text.len().min(200)];
    beginning.windows(part.len()).any(|window| window == part)
}
