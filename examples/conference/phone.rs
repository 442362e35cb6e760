//! A simulated phone: a UDP socket, a clock of its own, a script of what it says and presses.
//!
//! It is a party of the conference, not a part of it: it speaks RTP over the loopback like any
//! other phone, on a clock that is a little fast or slow, over a link that may lose and delay
//! packets. It keeps what it said and what it heard, so that both can be compared in the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stasis_bus::{Clock, Stamp};
use stasis_media::codec::Codec;
use stasis_media::dtmf::{Digit, ToneGenerator};
use stasis_media::frame::SampleRate;
use stasis_media::io::{ReceiveBuffer, RtpSocket, sleep_until};
use stasis_media::rtp::{ReceiveSettings, ReceiveStats, RtpReceiver, RtpSender, RtpSeq};
use stasis_media::wav::Pcm;

use crate::link::{Link, Weather};

/// Samples in a tick of a phone: 20 ms at 8 kHz.
const TICK: usize = 160;
/// What is kept of the audio: the first minute.
const KEPT: usize = 60 * 8_000;
/// How long a key is held.
const KEY_MS: u32 = 120;

/// One thing that a phone does, so many milliseconds after its beginning.
#[derive(Clone)]
pub struct Act {
    pub at_ms: u64,
    pub what: What,
}

#[derive(Clone)]
pub enum What {
    /// Says this, 8 kHz.
    Say(Pcm),
    /// Presses a key that is sent as telephone events (RFC 4733).
    PressEvent(Digit),
    /// Presses a key that is sent as tones in the audio.
    PressTones(Digit),
}

/// How a phone is made.
pub struct Settings {
    pub name: &'static str,
    /// Where it sends.
    pub to: SocketAddr,
    pub codec: Codec,
    /// How much faster its clock is than ours, in ppm.
    pub clock_ppm: f64,
    pub weather: Weather,
    /// What it does, in order of time.
    pub script: Vec<Act>,
}

/// What a phone has seen, in the end.
pub struct Report {
    pub stats: ReceiveStats,
    /// 8 kHz, from the beginning.
    pub said: Vec<i16>,
    /// 8 kHz, from the beginning.
    pub heard: Vec<i16>,
}

/// A running phone.
pub struct Phone {
    pub name: &'static str,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Report>,
}

impl Phone {
    /// Starts it at `start` on `clock`.
    pub fn start(settings: Settings, clock: Clock, start: Stamp) -> io::Result<Phone> {
        let any = SocketAddr::new(settings.to.ip(), 0);
        let socket = RtpSocket::bind(any)?;
        let stop = Arc::new(AtomicBool::new(false));
        let (name, stopped) = (settings.name, stop.clone());
        let thread = thread::Builder::new()
            .name(format!("phone-{name}"))
            .spawn(move || Life::new(settings, socket, clock, start).run(&stopped))?;
        Ok(Phone { name, stop, thread })
    }

    /// Hangs up.
    pub fn stop(self) -> Report {
        self.stop.store(true, Relaxed);
        self.thread.join().expect("a phone does not panic")
    }
}

struct Life {
    clock: Clock,
    socket: RtpSocket,
    buffer: ReceiveBuffer,
    to: SocketAddr,
    start: Stamp,
    period_ns: f64,
    receiver: RtpReceiver,
    sender: RtpSender,
    out: Link,
    back: Link,
    mouth: Mouth,
    report: Report,
}

impl Life {
    fn new(settings: Settings, socket: RtpSocket, clock: Clock, start: Stamp) -> Self {
        let ssrc = settings
            .name
            .bytes()
            .fold(0x5157_0001u32, |ssrc, byte| ssrc.rotate_left(5) ^ u32::from(byte));
        let receive = ReceiveSettings { remote: Some(settings.to), ..ReceiveSettings::default() };
        let mut sender = RtpSender::new(&receive.payloads, ssrc, RtpSeq(ssrc as u16), ssrc);
        sender.set_codec(settings.codec);
        Life {
            clock,
            socket,
            buffer: ReceiveBuffer::new(),
            to: settings.to,
            start,
            period_ns: 20e6 / (1.0 + settings.clock_ppm * 1e-6),
            receiver: RtpReceiver::new(receive),
            sender,
            out: Link::new(settings.weather, 1),
            back: Link::new(settings.weather, 2),
            mouth: Mouth { script: settings.script, saying: None, tones: None },
            report: Report {
                stats: ReceiveStats::default(),
                said: Vec::with_capacity(KEPT),
                heard: Vec::with_capacity(KEPT),
            },
        }
    }

    fn run(mut self, stop: &AtomicBool) -> Report {
        for tick in 0.. {
            let due = self.start + Duration::from_nanos((tick as f64 * self.period_ns) as u64);
            self.serve_until(due);
            if stop.load(Relaxed) {
                break;
            }
            self.tick(tick * 20, due);
        }
        self.report.stats = self.receiver.stats();
        self.report
    }

    /// Moves what is on the link, until `due`.
    fn serve_until(&mut self, due: Stamp) {
        loop {
            let now = self.clock.now();
            self.socket.receive(&mut self.buffer, &self.clock, 64, |datagram| {
                self.back.put(datagram.arrival, datagram.bytes);
            });
            let (receiver, to) = (&mut self.receiver, self.to);
            self.back.take(now, |arrival, packet| {
                receiver.receive(packet, to, arrival, &mut |_| {});
            });
            // A phone that cannot send is silent; the conference reports it as lost.
            self.out.take(now, |_, packet| drop(self.socket.send_to(packet, to)));
            if now >= due {
                return;
            }
            let next = [self.out.next(), self.back.next()].into_iter().flatten();
            sleep_until(&self.clock, next.fold(due, Stamp::min));
        }
    }

    fn tick(&mut self, at_ms: u64, now: Stamp) {
        let mut frame = [0; TICK];
        self.mouth.fill(at_ms, &mut frame, &mut self.sender);
        self.sender.tick(&frame, |packet| self.out.put(now, packet));
        let (out, to) = (&mut self.out, self.to);
        out.take(now, |_, packet| drop(self.socket.send_to(packet, to)));
        keep(&mut self.report.said, &frame);
        self.receiver.tick(now, &mut frame, &mut |_| {});
        keep(&mut self.report.heard, &frame);
    }
}

fn keep(all: &mut Vec<i16>, frame: &[i16]) {
    if all.len() < KEPT {
        all.extend_from_slice(frame);
    }
}

/// What comes out of a phone's microphone and keys.
struct Mouth {
    script: Vec<Act>,
    saying: Option<(Pcm, usize)>,
    tones: Option<ToneGenerator>,
}

impl Mouth {
    fn fill(&mut self, at_ms: u64, frame: &mut [i16; TICK], sender: &mut RtpSender) {
        while let Some(act) = self.script.first().filter(|act| act.at_ms <= at_ms) {
            match &act.what {
                What::Say(pcm) => self.saying = Some((pcm.clone(), 0)),
                What::PressTones(digit) => {
                    self.tones = Some(ToneGenerator::new(*digit, SampleRate::Hz8000, KEY_MS));
                }
                What::PressEvent(digit) => {
                    let held = Duration::from_millis(u64::from(KEY_MS));
                    sender.press(*digit, held).expect("the script presses one key at a time");
                }
            }
            self.script.remove(0);
        }
        if let Some((pcm, position)) = &mut self.saying {
            let rest = &pcm.samples()[*position..];
            let part = rest.len().min(TICK);
            frame[..part].copy_from_slice(&rest[..part]);
            *position += part;
            if part == rest.len() {
                self.saying = None;
            }
        }
        if let Some(tones) = &mut self.tones {
            // A key silences the microphone.
            if tones.fill(frame) < TICK {
                self.tones = None;
            }
        }
    }
}
