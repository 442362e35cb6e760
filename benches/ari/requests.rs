//! What does a request cost that only looks, and how many can be answered a second?

use std::error::Error;
use std::time::Instant;

use super::args::Args;
use super::client::Http;
use super::figures::Figures;
use super::server::Running;

/// Channels that there are in the second half of the question.
const CHANNELS: usize = 10;

pub fn run(args: &Args, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let server = Running::start(1)?;
    ask(args, &server, figures, "GET /asterisk/ping", "/asterisk/ping", true)?;
    ask(args, &server, figures, "GET /channels, none there", "/channels", true)?;
    let mut http = Http::connect(server.address)?;
    for number in 0..CHANNELS / 2 {
        let path =
            format!("/channels?endpoint=Local/wait@default/n&extension=wait&channelId=c{number}");
        let answer = http.ask("POST", &path)?;
        if answer.status != 200 {
            return Err(String::from_utf8_lossy(&answer.body).into());
        }
    }
    let what = format!("GET /channels, {CHANNELS} there");
    ask(args, &server, figures, &what, "/channels", false)
}

/// Asks on several connections, each with one request under way.
fn ask(
    args: &Args,
    server: &Running,
    figures: &mut Figures,
    what: &str,
    path: &str,
    has_goal: bool,
) -> Result<(), Box<dyn Error>> {
    let request = Http::request("GET", path);
    let connect = || Http::connect(server.address);
    let mut connections: Vec<Http> =
        (0..args.connections).map(|_| connect()).collect::<Result<_, _>>()?;
    let rounds = (args.requests / args.connections as u64).max(1);
    let mut refused = 0;
    let (mut cpu, mut began) = (0, Instant::now());
    for round in 0..rounds + 10 {
        if round == 10 {
            // What is done for the first time costs more.
            (cpu, began) = (server.cpu_us(), Instant::now());
        }
        for connection in &mut connections {
            connection.send(&request)?;
        }
        for connection in &mut connections {
            refused += u64::from(connection.receive()?.status != 200);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let requests = (rounds * args.connections as u64) as f64;
    let cost = (server.cpu_us() - cpu) as f64 / requests;
    figures.none(&format!("{what}: refused"), refused);
    if has_goal {
        figures.at_most(&format!("{what}: server's CPU"), cost, 20.0, "µs");
        figures.at_least(&format!("{what}: a second"), requests / seconds / 1_000.0, 50.0, "k/s");
    } else {
        figures.tell(&format!("{what}: server's CPU"), format!("{cost:.1} µs"));
        let rate = requests / seconds / 1_000.0;
        figures.tell(&format!("{what}: a second"), format!("{rate:.1} k/s"));
    }
    Ok(())
}
