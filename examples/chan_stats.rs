//! A module on the bus: counts what happens on all channels, for a StatsD server.
//!
//!     cargo run --example chan_stats
//!
//! `ChanStats` is the module: it subscribes a router to `channel:all`, whose routes count messages
//! by type, reports the counts a few times a second over UDP, and on its final message reports
//! what is left and is gone. Around it, three simulated channels, each with a topic of its own that
//! is forwarded to `channel:all`, and a "server" that prints each datagram it gets.
//!
//! You will see lines such as `stasis.message.ChannelState:3|c` for about a second, then that the
//! module has left, with as many messages reported as the channels have published.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use cadence::{Counted, StatsdClient, UdpMetricSink};
use stasis_bus::{Bus, Router, RouterHandle, Settings, SubscriptionChange, Topic};

type Error = Box<dyn std::error::Error>;

/// What channels publish.
#[derive(Debug)]
enum ChannelState {
    Ringing,
    Up,
    Down,
}
struct Dtmf;
struct Talking;

/// Asks the module to report.
struct ReportNow;

struct ChanStats {
    router: RouterHandle,
}

/// Messages counted since the last report, by type, and all that were reported.
struct Counts {
    client: StatsdClient,
    fresh: BTreeMap<String, i64>,
    reported: i64,
}

impl Counts {
    fn count(&mut self, type_name: &str) {
        let name = type_name.rsplit("::").next().unwrap_or(type_name);
        *self.fresh.entry(name.into()).or_default() += 1;
    }

    fn report(&mut self) {
        for (name, count) in std::mem::take(&mut self.fresh) {
            match self.client.count(&name, count) {
                Ok(_) => self.reported += count,
                Err(error) => eprintln!("chan_stats: {name}: {error}"),
            }
        }
    }
}

impl ChanStats {
    fn load(channels: &Topic, server: SocketAddr) -> Result<Self, Error> {
        let sink = UdpMetricSink::from(server, UdpSocket::bind("127.0.0.1:0")?)?;
        let client = StatsdClient::from_sink("stasis.message", sink);
        let counts = Counts { client, fresh: BTreeMap::new(), reported: 0 };
        // Handlers of one router never run at the same time: nobody waits for this lock.
        let counts = Arc::new(Mutex::new(counts));
        let [states, others, timer, end] = [(); 4].map(|()| counts.clone());
        let router = Router::new()
            .route::<ReportNow>(move |_, _| timer.lock().unwrap().report())
            .route::<ChannelState>(move |message, state| {
                println!("           {} is {state:?}", message.topic().name());
                states.lock().unwrap().count(message.type_name());
            })
            // Everything else, of types that this module has never heard of.
            .default_route(move |delivery| {
                if let Some(message) = delivery.message() {
                    others.lock().unwrap().count(message.type_name());
                }
            })
            .on_lagged(|missed| eprintln!("chan_stats: {missed} messages were lost here"))
            .on_change(move |change| match change {
                SubscriptionChange::Subscribe(_) => println!("chan_stats: loaded"),
                SubscriptionChange::Unsubscribe(_) => {
                    let mut counts = end.lock().unwrap();
                    counts.report();
                    println!("chan_stats: {} messages reported, unloading", counts.reported);
                }
            })
            .subscribe(channels)?;
        Ok(ChanStats { router })
    }

    /// Returns when the final message was handled, and nothing of the module is left.
    fn unload(self) -> Result<(), Error> {
        Ok(self.router.join()?)
    }
}

/// Prints datagrams until an empty one.
fn serve(server: &UdpSocket) {
    let mut datagram = [0; 1500];
    while let Ok(length @ 1..) = server.recv(&mut datagram) {
        println!("server: {}", String::from_utf8_lossy(&datagram[..length]));
    }
}

fn main() -> Result<(), Error> {
    let server = UdpSocket::bind("127.0.0.1:0")?;
    server.set_read_timeout(Some(Duration::from_secs(5)))?;
    let address = server.local_addr()?;
    let server = thread::spawn(move || serve(&server));

    let bus = Bus::new(Settings::default())?;
    let all = bus.topic("channel:all");
    let module = ChanStats::load(&all, address)?;

    let channels: Vec<_> = (1..=3).map(|number| bus.topic(&format!("channel:{number}"))).collect();
    let forwards: Vec<_> =
        channels.iter().map(|channel| channel.forward_to(&all)).collect::<Result<_, _>>()?;
    let mut published = 0;
    for step in 0..50 {
        for (channel, late) in channels.iter().zip([0, 7, 14]) {
            published += match step - late {
                0 => channel.publish(ChannelState::Ringing),
                5 => channel.publish(ChannelState::Up),
                10 | 12 | 14 => channel.publish(Dtmf),
                30 => channel.publish(ChannelState::Down),
                6..30 => channel.publish(Talking),
                _ => 0,
            };
        }
        if step % 10 == 9 {
            all.publish(ReportNow);
        }
        thread::sleep(Duration::from_millis(20));
    }
    drop(forwards);
    module.unload()?;
    println!("channels:   {published} messages published");

    UdpSocket::bind("127.0.0.1:0")?.send_to(&[], address)?;
    server.join().expect("printing does not panic");
    Ok(())
}
