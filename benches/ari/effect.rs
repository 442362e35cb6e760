//! How long is it from addChannel to the first sound of the bridge?
//!
//! A peer that talks is in a bridge; another one listens on a socket of its own, and is added and removed again
//! and again. What is measured is the time from the request being sent to the first packet with sound in it being
//! there: all of HTTP, the call model, the mixer and the socket.

use std::error::Error;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::args::Args;
use super::client::{Events, Http};
use super::figures::{Figures, percentile};
use super::server::Running;

/// 20 ms at 8 kHz.
const SAMPLES: usize = 160;
/// µ-law of what is heard (RFC 3551, payload type 0): about -6 dBm0, and silence.
const LOUD: [u8; 8] = [0xff, 0x8f, 0x87, 0x8f, 0xff, 0x0f, 0x07, 0x0f];

pub fn run(args: &Args, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let server = Running::start(1)?;
    let _events = Events::listen(server.address, "app=bench")?;
    let mut http = Http::connect(server.address)?;
    let mut ask = |method: &str, path: &str| -> Result<Vec<u8>, Box<dyn Error>> {
        let answer = http.ask(method, path)?;
        match answer.status {
            200..300 => Ok(answer.body),
            _ => Err(format!("{path}: {}", String::from_utf8_lossy(&answer.body)).into()),
        }
    };
    let (talker, listener) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
    let mut open = |id: &str, socket: &UdpSocket| -> Result<u16, Box<dyn Error>> {
        let host = socket.local_addr()?;
        let path = format!(
            "/channels/externalMedia?app=bench&channelId={id}&external_host={host}&format=ulaw"
        );
        let channel: serde_json::Value = serde_json::from_slice(&ask("POST", &path)?)?;
        let port = channel["channelvars"]["UNICASTRTP_LOCAL_PORT"].as_str();
        Ok(port.ok_or("it is not told where the channel listens")?.parse()?)
    };
    let port = open("talker", &talker)?;
    let back = open("listener", &listener)?;
    let is_over = Arc::new(AtomicBool::new(false));
    let talking = talk(talker, port, is_over.clone());
    // Symmetric RTP: the server is told where the listener is by a packet of its own.
    listener.send_to(&packet(0, 0, 7, &[0xff; SAMPLES]), ("127.0.0.1", back))?;
    ask("POST", "/bridges?bridgeId=room")?;
    ask("POST", "/bridges/room/addChannel?channel=talker")?;
    thread::sleep(Duration::from_millis(300));
    let mut times = Vec::new();
    for number in 0..args.adds {
        // At any moment of the mixer's tick.
        thread::sleep(Duration::from_micros(7_300 * (number as u64 % 11)));
        drain(&listener)?;
        let began = Instant::now();
        ask("POST", "/bridges/room/addChannel?channel=listener")?;
        wait_for_sound(&listener)?;
        times.push(began.elapsed().as_secs_f64() * 1_000.0);
        ask("POST", "/bridges/room/removeChannel?channel=listener")?;
        thread::sleep(Duration::from_millis(60));
    }
    is_over.store(true, Ordering::Relaxed);
    talking.join().map_err(|_| "the talker has failed")??;
    times.sort_by(f64::total_cmp);
    let median = percentile(&times, 0.5);
    figures.tell("addChannel to the first sound, median", format!("{median:.1} ms"));
    figures.at_most("addChannel to the first sound, p99", percentile(&times, 0.99), 25.0, "ms");
    figures.tell(
        "addChannel to the first sound, longest",
        format!("{:.1} ms", percentile(&times, 1.0)),
    );
    Ok(())
}

/// A packet of RTP (RFC 3550, 5.1) with µ-law.
fn packet(sequence: u16, timestamp: u32, source: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(source.to_be_bytes());
    packet.extend(payload);
    packet
}

/// Sends sound, a packet each 20 ms, until it is over.
fn talk(
    socket: UdpSocket,
    port: u16,
    is_over: Arc<AtomicBool>,
) -> thread::JoinHandle<std::io::Result<()>> {
    thread::spawn(move || {
        let sound: Vec<u8> = LOUD.iter().copied().cycle().take(SAMPLES).collect();
        let began = Instant::now();
        for number in 0_u32.. {
            if is_over.load(Ordering::Relaxed) {
                break;
            }
            let sequence = number as u16; // it wraps
            socket.send_to(
                &packet(sequence, number * SAMPLES as u32, 1, &sound),
                ("127.0.0.1", port),
            )?;
            let next = Duration::from_millis(20 * u64::from(number + 1));
            thread::sleep(next.saturating_sub(began.elapsed()));
        }
        Ok(())
    })
}

/// Reads what is there already.
fn drain(socket: &UdpSocket) -> std::io::Result<()> {
    socket.set_nonblocking(true)?;
    while socket.recv(&mut [0; 2_048]).is_ok() {}
    socket.set_nonblocking(false)
}

/// Waits for a packet with sound in it.
fn wait_for_sound(socket: &UdpSocket) -> Result<(), Box<dyn Error>> {
    socket.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut buffer = [0; 2_048];
    loop {
        let length = socket.recv(&mut buffer)?;
        // Loud values of µ-law have their highest bits of magnitude clear: 0x7f and 0xff are silence.
        let is_loud = |byte: &u8| byte & 0x7f < 0x40;
        if buffer.get(12..length).is_some_and(|payload| payload.iter().any(is_loud)) {
            return Ok(());
        }
    }
}
