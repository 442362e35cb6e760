//! Parties with UDP sockets on loopback, all on one thread and one clock: each says a tone of its own
//! without end, and keeps what it is sent, to be judged afterwards.
//!
//! A tone has whole turns in 100 ms and a fifth of a turn over in 20 ms. So each packet shows how loud
//! each tone is in it, and by its phase whether it is a tick early or late; the tones are whole numbers
//! of 50 Hz apart, so that they do not disturb each other. Where this thread, or the media thread, was so late that buffers ran dry, packets are
//! excused; nothing else excuses them.
#![allow(dead_code)] // each test uses a part of it

use std::net::SocketAddr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use stasis_bus::{Clock, Stamp};
use stasis_media::codec::Codec;
use stasis_media::frame::SampleRate;
use stasis_media::io::{ReceiveBuffer, RtpSocket, sleep_until};
use stasis_media::rtp::{Packet, Payloads, RtpSender, RtpSeq};
use stasis_media::schedule::PERIOD;

use crate::common::room::{Tone, peak_of};

/// How loud each is.
const PEAK: f64 = 3_000.0;
const NARROW: SampleRate = SampleRate::Hz8000;
/// So much the jitter buffer absorbs for sure (it delays by 60 ms).
const ABSORBED: Duration = Duration::from_millis(35);
/// How long a buffer that ran dry, or over, may take to be as it was.
const RECOVERS: Duration = Duration::from_secs(6);

/// A packet that a party was sent.
#[derive(Clone, Copy)]
pub struct Got {
    pub at: Stamp,
    pub seq: u16,
    pub timestamp: u32,
    pub pcm: [i16; 160],
}

/// What a party was sent, in the order of arrival.
pub struct Heard {
    pub hz: f64,
    pub got: Vec<Got>,
}

/// The thread; dropping it ends it.
pub struct Phones {
    orders: Sender<Order>,
    thread: Option<JoinHandle<()>>,
}

enum Order {
    Add {
        socket: RtpSocket,
        to: SocketAddr,
        hz: f64,
    },
    /// What all have heard so far, and when this thread was late.
    Tell(Sender<(Vec<Heard>, Vec<Late>)>),
}

/// A tick that began so late.
#[derive(Clone, Copy, Debug)]
pub struct Late {
    pub at: Stamp,
    pub by: Duration,
}

struct Party {
    socket: RtpSocket,
    to: SocketAddr,
    tone: Tone,
    sender: RtpSender,
    heard: Heard,
}

/// The tone of the party of this number.
pub fn hz_of(number: usize) -> f64 {
    [410.0, 560.0, 760.0, 1_060.0, 1_310.0, 1_860.0][number % 6]
}

/// A socket for a party, and its address.
pub fn socket() -> (RtpSocket, SocketAddr) {
    let socket = RtpSocket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

impl Phones {
    pub fn start(clock: Clock) -> Self {
        let (orders, inbox) = mpsc::channel();
        let thread = std::thread::Builder::new().name("phones".into());
        let thread = thread.spawn(move || run(&clock, &inbox)).unwrap();
        #[cfg(target_os = "linux")]
        go_first(&thread);
        Phones { orders, thread: Some(thread) }
    }

    /// One more party, which says a tone of `hz` to `to`.
    pub fn add(&self, socket: RtpSocket, to: SocketAddr, hz: f64) {
        self.orders.send(Order::Add { socket, to, hz }).unwrap();
    }

    /// What each has been sent so far, and when this thread was late.
    pub fn tell(&self) -> (Vec<Heard>, Vec<Late>) {
        let (tell, told) = mpsc::channel();
        self.orders.send(Order::Tell(tell)).unwrap();
        told.recv_timeout(Duration::from_secs(20)).expect("it answers")
    }
}

impl Drop for Phones {
    fn drop(&mut self) {
        self.orders = mpsc::channel().0;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// As the media threads do: whoever is let go late cannot judge them.
#[cfg(target_os = "linux")]
fn go_first(thread: &JoinHandle<()>) {
    use std::os::unix::thread::JoinHandleExt;
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
        set_thread_priority_and_policy,
    };

    let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo);
    let priority = ThreadPriority::Crossplatform(ThreadPriorityValue::try_from(9).unwrap());
    let thread = thread.as_pthread_t() as thread_priority::ThreadId;
    let _allowed = set_thread_priority_and_policy(thread, priority, policy);
}

fn run(clock: &Clock, orders: &Receiver<Order>) {
    let mut buffer = ReceiveBuffer::new();
    let (mut parties, mut late) = (Vec::<Party>::new(), Vec::new());
    // Between two ticks of the media threads, wherever those are.
    let mut next = clock.now() + PERIOD;
    loop {
        sleep_until(clock, next);
        let by = clock.now().since(next);
        if by > Duration::from_millis(15) {
            late.push(Late { at: next + by, by });
        }
        next = next + PERIOD;
        // A machine that stood still for a while is not to be made up for.
        while clock.now().since(next) > PERIOD * 10 {
            parties.iter_mut().for_each(Party::skip_tick);
            next = next + PERIOD;
        }
        parties.iter_mut().for_each(|party| party.tick(&mut buffer, clock));
        loop {
            match orders.try_recv() {
                Ok(Order::Add { socket, to, hz }) => parties.push(Party::new(socket, to, hz)),
                Ok(Order::Tell(tell)) => {
                    let heard =
                        |party: &Party| Heard { hz: party.heard.hz, got: party.heard.got.clone() };
                    let _ = tell.send((parties.iter().map(heard).collect(), late.clone()));
                }
                Err(mpsc::TryRecvError::Empty) => break,
                Err(mpsc::TryRecvError::Disconnected) => return,
            }
        }
    }
}

impl Party {
    fn new(socket: RtpSocket, to: SocketAddr, hz: f64) -> Self {
        let payloads = Payloads::of(&[Codec::PCMU]).unwrap();
        let sender = RtpSender::new(&payloads, hz as u32, RtpSeq(65_500), u32::MAX - 4_000);
        let heard = Heard { hz, got: Vec::with_capacity(4_096) };
        Party { socket, to, tone: Tone::new(hz, PEAK), sender, heard }
    }

    fn skip_tick(&mut self) {
        self.tone.tick();
        self.sender.skip_tick();
    }

    fn tick(&mut self, buffer: &mut ReceiveBuffer, clock: &Clock) {
        let got = &mut self.heard.got;
        let mut decoder = Codec::PCMU.decoder();
        self.socket.receive(buffer, clock, 1_000, |datagram| {
            if let Ok(Packet { header, payload }) = Packet::parse(datagram.bytes) {
                let mut pcm = [0; 160];
                decoder.decode(payload, &mut pcm);
                let (seq, timestamp) = (header.seq.0, header.timestamp);
                got.push(Got { at: datagram.arrival, seq, timestamp, pcm });
            }
        });
        let (socket, to) = (&self.socket, self.to);
        let pcm = self.tone.tick();
        // A leg that is gone refuses; that is for others to judge.
        self.sender.tick(&pcm, |packet| {
            let _ = socket.send_to(packet, to);
        });
    }
}

/// What is wrong with what a party was sent.
#[derive(Clone, Debug)]
pub struct Fault {
    pub at: Stamp,
    pub what: String,
}

impl Heard {
    /// Packets whose numbers do not follow on the one before. From `from` on.
    pub fn gaps(&self, from: Stamp) -> usize {
        let pairs = self.since(from).zip(self.since(from).skip(1));
        pairs.filter(|(before, after)| after.seq != before.seq.wrapping_add(1)).count()
    }

    /// Ticks that the timestamps leave out, from `from` on.
    pub fn skipped(&self, from: Stamp) -> u64 {
        let pairs = self.since(from).zip(self.since(from).skip(1));
        let jumps = pairs.map(|(before, after)| after.timestamp.wrapping_sub(before.timestamp));
        jumps.map(|jump| u64::from(jump / 160).saturating_sub(1)).sum()
    }

    pub fn since(&self, from: Stamp) -> impl Iterator<Item = &Got> {
        self.got.iter().filter(move |got| got.at >= from)
    }

    /// Packets, and five packets in a row, in which one of the `tones` is not as loud as it was said,
    /// or its own is to be heard; and packets that do not go on where the tone was before.
    pub fn faults(&self, from: Stamp, tones: &[f64]) -> Vec<Fault> {
        let mut faults: Vec<_> = tones.iter().flat_map(|hz| self.jumps(from, *hz)).collect();
        let got: Vec<_> = self.since(from).copied().collect();
        for packets in got.chunks(1).chain(got.chunks_exact(5)) {
            let pcm: Vec<i16> = packets.iter().flat_map(|got| got.pcm).collect();
            let slack = if packets.len() == 1 { 0.12 } else { 0.06 };
            for &hz in tones {
                let share = peak_of(&pcm, hz, NARROW) / PEAK;
                let meant = if hz == self.hz { 0.0 } else { 1.0 };
                if (share - meant).abs() > slack {
                    let seq = packets[0].seq;
                    let what = format!("{} hears {hz} Hz at {share:.2} in {seq}", self.hz);
                    faults.push(Fault { at: packets[packets.len() - 1].at, what });
                }
            }
        }
        faults
    }

    /// Packets in which another's tone goes on elsewhere than it was, by the time of the packets.
    pub fn jumps(&self, from: Stamp, hz: f64) -> Vec<Fault> {
        if hz == self.hz {
            return Vec::new();
        }
        let begin = self.since(from).next().map_or(0, |got| got.timestamp);
        let phase = |got: &Got| phase_of(&got.pcm, got.timestamp.wrapping_sub(begin), hz);
        let pairs = self.since(from).zip(self.since(from).skip(1));
        let turned =
            pairs.map(|(before, after)| (after, (phase(after) - phase(before) + 1.5) % 1.0 - 0.5));
        let jumps = turned.filter(|(_, turned)| turned.abs() > 0.06);
        let fault = |(got, turned): (&Got, f64)| {
            let what =
                format!("{} hears {hz} Hz jump by {turned:.2} turns at {}", self.hz, got.seq);
            Fault { at: got.at, what }
        };
        jumps.map(fault).collect()
    }
}

/// Where the sine of `hz` in a packet is at time 0 of the packets, in turns from 0 to 1.
fn phase_of(pcm: &[i16], timestamp: u32, hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (at, &sample) in pcm.iter().enumerate() {
        let turns = hz * (f64::from(timestamp) + at as f64) / f64::from(NARROW.hz());
        let (sin, cos) = (turns.fract() * std::f64::consts::TAU).sin_cos();
        re += f64::from(sample) * cos;
        im += f64::from(sample) * sin;
    }
    (im.atan2(re) / std::f64::consts::TAU).rem_euclid(1.0)
}

/// What is not explained by one of these latenesses.
pub fn unexplained(faults: Vec<Fault>, late: &[Late]) -> Vec<Fault> {
    let explains = |late: &Late, fault: &Fault| {
        let after = if late.by > ABSORBED { RECOVERS } else { Duration::from_millis(300) };
        fault.at + late.by + PERIOD * 5 >= late.at && fault.at <= late.at + after
    };
    let unexplained = |fault: &Fault| !late.iter().any(|late| explains(late, fault));
    faults.into_iter().filter(unexplained).collect()
}
