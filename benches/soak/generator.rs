//! The load's process: the far ends of all legs.
//!
//! It sends on an absolute grid of 20 ms, spread over it by the millisecond so that the engine gets no
//! burst, and checks everything that comes back. What it says was encoded before the start.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, BufRead, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use nix::sys::socket::SockaddrIn;
use serde_json::{Value, json};
use stasis_bus::{Bus, Settings, Stamp};
use stasis_media::codec::{Codec, Decode};
use stasis_media::frame::MAX_FRAME;
use stasis_media::io::sleep_until;
use stasis_media::rtp::{HEADER_LEN, Header, Packet, Payloads, RtpSeq, write_packet};

use super::args::{Args, CodecName};
use super::machine;
use super::numbers::{Expected, Numbers};
use super::pilots::{Ear, Faults, Tolerance, Whose};
use super::plan::{
    DIGIT_EVERY_TICKS, Part, WARM_UP_TICKS, digits_of, plan, singer_begins, total_ticks,
};
use super::voices::{Loop, Voices};
use super::wire::{Outgoing, SOCKETS, Wire};

/// Parts of a tick in which packets are sent.
const SLOTS: usize = 20;
/// Sockets are read in turn, every so-manieth in a part.
const TURNS: usize = 4;
/// Passes in which the load reads up what came before it begins; each leaves a fraction to the next.
const MOST_PASSES: usize = 50;
/// A leg that got nothing for so many ticks at the end has a gap, which no later packet would show.
const MUTE_TICKS: u64 = 10;

/// What each codec does to a pilot: all pass two of them. Opus codes what is heard, not the wave, so
/// that it is looked at over a second: a leg that is missing, doubled or out of step is noticed, a
/// silent tick is not.
fn tolerance(codec: CodecName) -> Tolerance {
    let exact = Tolerance { ticks: 10, level_db: 0.5, turn: 0.05, own_db: 30.0 };
    match codec {
        CodecName::Pcmu | CodecName::Pcma => exact,
        CodecName::G722 => Tolerance { level_db: 0.8, ..exact },
        CodecName::Opus => Tolerance { ticks: 50, level_db: 5.0, turn: 0.1, own_db: 15.0 },
    }
}

/// One who sends.
struct Talker {
    socket: usize,
    to: SockaddrIn,
    header: Header,
    units: u32,
    sound: Arc<Loop>,
    /// Where in its loop it begins; or the singer that it is, and how many digits it sends.
    says: Says,
}

enum Says {
    From(u64),
    Digits { begins: u64, count: u64 },
}

impl Talker {
    fn payload(&self, tick: u64) -> &[u8] {
        // The end of a digit's time is silent.
        const SILENT: u64 = DIGIT_EVERY_TICKS - 1;
        let at = match self.says {
            Says::From(offset) => tick + offset,
            Says::Digits { begins, count } => match tick.checked_sub(begins) {
                Some(at) if at / DIGIT_EVERY_TICKS < count => at,
                _ => SILENT,
            },
        };
        self.sound.payload(at)
    }
}

/// One whose audio is looked at.
struct Sampled {
    decoder: Box<dyn Decode>,
    ear: Ear,
}

/// What one leg is sent.
struct Stream {
    numbers: Numbers,
    sampled: Option<Sampled>,
}

/// What was found while it counted.
#[derive(Default)]
struct Findings {
    sent: u64,
    not_sent: u64,
    received: u64,
    gaps: u64,
    windows: u64,
    /// Windows with something wrong in them, and what.
    failures: u64,
    faults: Faults,
    late_us: u64,
}

/// Runs the load; speaks with its parent by lines of JSON.
///
/// # Errors
/// What keeps it from running.
pub fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    if let [_, .., last] = machine::cpus()[..] {
        machine::pin(&[last]);
    }
    let mut wire = Wire::open()?;
    tell(json!({ "ports": wire.ports()? }));
    let mut lines = io::stdin().lock().lines();
    let legs = legs_of(lines.next())?;
    let mut load = Load::new(args, &legs)?;
    tell(json!({ "ready": true }));
    lines.next().ok_or("the engine's process is gone")??;
    // Its end is ours, too.
    std::thread::spawn(|| {
        while matches!(io::stdin().read_line(&mut String::new()), Ok(1..)) {}
        std::process::exit(2);
    });
    drop(lines);
    load.run(&mut wire, args.seconds)?;
    tell(json!({ "result": load.result() }));
    Ok(())
}

fn tell(line: Value) {
    let mut out = io::stdout().lock();
    // Nobody to tell: the thread that reads from there ends us.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// The ports of the engine's legs and their SSRCs.
fn legs_of(line: Option<io::Result<String>>) -> Result<Vec<(u16, u32)>, Box<dyn Error>> {
    let line: Value = serde_json::from_str(&line.ok_or("the engine's process is gone")??)?;
    let pair = |leg: &Value| Some((leg[0].as_u64()? as u16, leg[1].as_u64()? as u32));
    let legs = line["legs"].as_array().and_then(|legs| legs.iter().map(pair).collect());
    Ok(legs.ok_or("not a list of legs")?)
}

/// All far ends.
struct Load {
    /// By the part of the tick in which they send, and by socket.
    talkers: Vec<Vec<Vec<Talker>>>,
    streams: Vec<Stream>,
    by_port: Vec<Option<u32>>,
    codec: Codec,
    findings: Findings,
}

impl Load {
    fn new(args: &Args, legs: &[(u16, u32)]) -> Result<Self, Box<dyn Error>> {
        let parts = plan(args);
        if legs.len() != parts.len() {
            return Err("not as many legs as planned".into());
        }
        let codec = args.codec.codec();
        let payload_type = Payloads::of(&[codec])?.codecs().next().map_or(0, |(number, _)| number);
        let units = codec.clock_hz() / 50;
        let voices = Voices::load(codec, args.talkers())?;
        let plain: Vec<Arc<Loop>> =
            (0..voices.count()).map(|voice| Arc::new(voices.speech(voice, None))).collect();
        let digits = args.dtmf.then(|| Arc::new(voices.digits()));
        let talking = parts.iter().filter(|part| part.talks).count().max(1);
        let empty = || (0..SOCKETS).map(|_| Vec::new()).collect();
        let mut talkers: Vec<Vec<Vec<Talker>>> = (0..SLOTS).map(|_| empty()).collect();
        let speaking = parts.iter().zip(legs).enumerate().filter(|(_, (part, _))| part.talks);
        for (number, (leg, (part, (port, _)))) in speaking.enumerate() {
            let voice = part.place as usize;
            let spoken = match part.pilot {
                None => plain[voice % plain.len()].clone(),
                pilot => Arc::new(voices.speech(voice, pilot)),
            };
            // Far apart, whoever says the same.
            let offset = 2 * (u64::from(part.place) * 89 + u64::from(part.room) * 31);
            let (sound, says) = match (part.singer, &digits) {
                (Some(singer), Some(digits)) => {
                    let (begins, count) = (singer_begins(singer), digits_of(singer, args.seconds));
                    (digits.clone(), Says::Digits { begins, count })
                }
                _ => (spoken, Says::From(offset)),
            };
            let ssrc = 0x1000_0000 + leg as u32;
            let header =
                Header { payload_type, marker: true, seq: RtpSeq(leg as u16), timestamp: 0, ssrc };
            let to = SockaddrIn::from(std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, *port));
            let socket = leg % SOCKETS;
            talkers[number * SLOTS / talking][socket].push(Talker {
                socket,
                to,
                header,
                units,
                sound,
                says,
            });
        }
        let mut by_port = vec![None; 1 << 16];
        for (leg, (port, _)) in legs.iter().enumerate() {
            by_port[usize::from(*port)] = Some(leg as u32);
        }
        let ears = Ears::new(args, &parts);
        let streams = parts
            .iter()
            .zip(legs)
            .map(|(part, (_, ssrc))| Stream {
                numbers: Numbers::new(Expected { ssrc: *ssrc, payload_type, units }),
                sampled: ears.of(part),
            })
            .collect();
        Ok(Load { talkers, streams, by_port, codec, findings: Findings::default() })
    }

    fn run(&mut self, wire: &mut Wire, seconds: u64) -> Result<(), Box<dyn Error>> {
        // Only for its clock.
        let clock = Bus::new(Settings { workers: 1, ..Settings::default() })?.clock();
        self.read_up(wire);
        let start = clock.now() + Duration::from_millis(20);
        let counts = WARM_UP_TICKS..WARM_UP_TICKS + 50 * seconds;
        for tick in 0..total_ticks(seconds) {
            let counted = counts.contains(&tick);
            for slot in 0..SLOTS {
                let due = start + Duration::from_millis(20 * tick + slot as u64);
                sleep_until(&clock, due);
                self.send(wire, slot, tick, counted, since(due, clock.now()));
                for socket in (slot % TURNS..SOCKETS).step_by(TURNS) {
                    wire.receive(socket, |port, bytes| self.take(port, bytes, tick, counted));
                }
            }
            if tick % 50 == 49 {
                let found = &self.findings;
                tell(json!({ "second": [found.gaps, found.failures] }));
            }
            if tick + 1 == counts.end {
                let mute = |stream: &&Stream| stream.numbers.seen + MUTE_TICKS < tick;
                self.findings.gaps += self.streams.iter().filter(mute).count() as u64;
            }
        }
        Ok(())
    }

    /// Throws away what the engine has sent until now, which takes a while, and what has come meanwhile,
    /// until that is less than a tick's. Read later, it would hold up the first packets.
    fn read_up(&self, wire: &mut Wire) {
        for _ in 0..MOST_PASSES {
            let mut read = 0;
            (0..SOCKETS).for_each(|socket| wire.receive(socket, |_, _| read += 1));
            if read <= self.streams.len() {
                return;
            }
        }
    }

    /// Sends what is due in one part of a tick, which begins so late.
    fn send(&mut self, wire: &mut Wire, slot: usize, tick: u64, counted: bool, late_us: u64) {
        for talkers in &mut self.talkers[slot] {
            for talker in talkers.iter_mut() {
                talker.header.seq = talker.header.seq.next();
                talker.header.timestamp = talker.header.timestamp.wrapping_add(talker.units);
                talker.header.marker = tick == 0;
            }
            let Some(socket) = talkers.first().map(|talker| talker.socket) else { continue };
            let packet = |talker: &'_ Talker| {
                let mut header = [0; HEADER_LEN];
                write_packet(&talker.header, &[], &mut header).expect("there is room for it");
                header
            };
            let packets: Vec<Outgoing<'_>> = talkers
                .iter()
                .map(|talker| Outgoing {
                    to: talker.to,
                    header: packet(talker),
                    payload: talker.payload(tick),
                })
                .collect();
            let sent = wire.send(socket, &packets);
            if counted {
                self.findings.sent += sent as u64;
                self.findings.not_sent += (packets.len() - sent) as u64;
            }
        }
        if counted {
            self.findings.late_us = self.findings.late_us.max(late_us);
        }
    }

    /// A datagram has come.
    fn take(&mut self, port: u16, bytes: &[u8], tick: u64, counted: bool) {
        let Some(leg) = self.by_port[usize::from(port)] else { return };
        let stream = &mut self.streams[leg as usize];
        let findings = &mut self.findings;
        let Ok(packet) = Packet::parse(bytes) else {
            findings.gaps += u64::from(counted);
            return;
        };
        let follows = stream.numbers.follows(&packet.header, tick);
        if let Some(sampled) = &mut stream.sampled {
            let mut pcm = [0; MAX_FRAME];
            let len = sampled.decoder.decode(packet.payload, &mut pcm);
            let heard = counted.then_some(&pcm[..len]);
            if let Some(faults) = heard.and_then(|heard| sampled.ear.hear(heard)) {
                findings.windows += 1;
                findings.failures += u64::from(faults.total() > 0);
                findings.faults.level += faults.level;
                findings.faults.jump += faults.jump;
                findings.faults.own += faults.own;
            }
        }
        if counted {
            findings.received += 1;
            findings.gaps += u64::from(!follows);
        }
    }

    fn result(&self) -> Value {
        let ears = || self.streams.iter().filter_map(|s| Some(&s.sampled.as_ref()?.ear));
        let worst = |of: fn(&Ear) -> f64| {
            ears().map(of).filter(|db| db.is_finite()).max_by(|a, b| a.abs().total_cmp(&b.abs()))
        };
        let own = ears().map(|ear| ear.worst_own_db).filter(|db| db.is_finite());
        let found = &self.findings;
        json!({
            "sent": found.sent,
            "not_sent": found.not_sent,
            "received": found.received,
            "gaps": found.gaps,
            "windows": found.windows,
            "failures": found.failures,
            "wrong_level": found.faults.level,
            "jumps": found.faults.jump,
            "own_heard": found.faults.own,
            "sampled": ears().count(),
            "worst_level_db": worst(|ear| ear.worst_level_db),
            "worst_turn": worst(|ear| ear.worst_turn),
            "worst_own_db": own.max_by(f64::total_cmp),
            "late_us": found.late_us,
            "codec": self.codec.to_string(),
        })
    }
}

/// Makes ears for those whose audio is looked at.
struct Ears {
    codec: CodecName,
    /// The pilots of each room.
    pilots: HashMap<u32, Vec<u32>>,
}

impl Ears {
    fn new(args: &Args, parts: &[Part]) -> Self {
        let mut pilots = HashMap::<u32, Vec<u32>>::new();
        for part in parts {
            pilots.entry(part.room).or_default().extend(part.pilot);
        }
        Ears { codec: args.codec, pilots }
    }

    fn of(&self, part: &Part) -> Option<Sampled> {
        let whose = |hz| if part.pilot == Some(hz) { Whose::Own } else { Whose::Others };
        let pilots = part.sampled.then(|| &self.pilots[&part.room])?;
        let pilots = pilots.iter().map(|hz| (f64::from(*hz), whose(*hz))).collect();
        let codec = self.codec.codec();
        let ear = Ear::new(codec.rate().hz(), pilots, tolerance(self.codec));
        Some(Sampled { decoder: codec.decoder(), ear })
    }
}

/// Microseconds from `due` to `now`.
fn since(due: Stamp, now: Stamp) -> u64 {
    now.since(due).as_micros() as u64
}
