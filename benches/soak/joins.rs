//! How long it takes from the order to join until the others hear who has joined.
//!
//! In a room of its own one leg listens, and another comes and goes. That one talks all the time, also
//! outside, so that its jitter buffer is as full as it will be: what is left is the way of the order,
//! the wait for the next tick, and that tick.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stasis_bus::{Clock, Stamp, Topic};
use stasis_media::codec::{Codec, Decode, EncodeSettings};
use stasis_media::frame::MAX_FRAME;
use stasis_media::io::{BridgeSettings, Media, ReceiveBuffer, RtpLeg, RtpSocket, sleep_until};
use stasis_media::rtp::{Packet, Payloads, ReceiveSettings, RtpSender, RtpSeq};
use stasis_media::schedule::PERIOD;
use stasis_media::{BridgeId, LegId};

use super::engine::patiently;
use super::join_figures::JoinFigures;
use super::plan::WARM_UP_TICKS;

/// Joins in a run, if it is long enough.
const JOINS: u64 = 50;
/// From one join to the next, at least; half of it is spent in the room.
const LEAST_TICKS: u64 = 10;
/// A sample louder than this is the tone.
const LOUD: i16 = 500;
const PEAK: f64 = 8_000.0;

/// The measurement, on a thread of its own.
pub struct Joins {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<JoinFigures>,
}

impl Joins {
    /// Makes the room, and begins to join it after the time of warming up, evenly over so many seconds.
    ///
    /// # Errors
    /// What keeps it from running.
    pub fn start(
        media: &Arc<Media>,
        clock: Clock,
        topic: &Topic,
        seconds: u64,
    ) -> Result<Self, Box<dyn Error>> {
        let stop = Arc::<AtomicBool>::default();
        let mut probe = Probe::new(media.clone(), clock, topic)?;
        let every = (50 * seconds / JOINS).max(LEAST_TICKS);
        let stopped = stop.clone();
        let work = move || probe.run(every, &stopped);
        Ok(Joins { stop, thread: thread::Builder::new().name("joins".into()).spawn(work)? })
    }

    /// Ends it.
    pub fn finish(self) -> JoinFigures {
        self.stop.store(true, Relaxed);
        let mut figures = self.thread.join().unwrap_or_default();
        figures.ticks.sort_by(f64::total_cmp);
        figures
    }
}

/// The two legs' far ends.
struct Probe {
    media: Arc<Media>,
    clock: Clock,
    room: BridgeId,
    joiner: LegId,
    to: SocketAddr,
    talks: RtpSocket,
    listens: RtpSocket,
    sender: RtpSender,
    decoder: Box<dyn Decode>,
    buffer: ReceiveBuffer,
    figures: JoinFigures,
}

impl Probe {
    fn new(media: Arc<Media>, clock: Clock, topic: &Topic) -> Result<Self, Box<dyn Error>> {
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let payloads = Payloads::of(&[Codec::PCMU])?;
        let room = patiently(|| media.add_bridge(BridgeSettings::default(), topic))?;
        let (talks, listens) = (RtpSocket::bind(here)?, RtpSocket::bind(here)?);
        let leg = |ssrc, remote| {
            let receive = ReceiveSettings { remote: Some(remote), payloads, ..Default::default() };
            let encoding = EncodeSettings::default();
            let leg = RtpLeg { local: here, receive, encoding, ssrc };
            patiently(|| media.add_rtp_leg(leg.clone(), topic))
        };
        let (joiner, to) = leg(1, talks.local_addr()?)?;
        let (listener, _) = leg(2, listens.local_addr()?)?;
        patiently(|| media.join(listener, room))?;
        Ok(Probe {
            media,
            clock,
            room,
            joiner,
            to,
            talks,
            listens,
            sender: RtpSender::new(&payloads, 3, RtpSeq(0), 0),
            decoder: Codec::PCMU.decoder(),
            buffer: ReceiveBuffer::new(),
            figures: JoinFigures::default(),
        })
    }

    /// Joins every so many ticks until it is to stop.
    fn run(&mut self, every: u64, stop: &AtomicBool) -> JoinFigures {
        let start = self.clock.now();
        let mut called = None;
        for tick in 0.. {
            if stop.load(Relaxed) {
                break;
            }
            let due = start + Duration::from_millis(20 * tick);
            sleep_until(&self.clock, due);
            self.talk();
            if let (Some(at), Some(arrival)) = (called, self.listen(called)) {
                self.figures.ticks.push(ticks(arrival.since(at)));
                called = None;
            }
            // Too late to keep the joiner talking: it says nothing of the engine.
            if self.clock.now().since(due) >= PERIOD {
                called = None;
            }
            let Some(at) = tick.checked_sub(WARM_UP_TICKS) else { continue };
            if at % every == 0 {
                // At another part of the tick each time.
                sleep_until(&self.clock, due + Duration::from_millis(7 * (at / every) % 20));
                let now = self.clock.now();
                let joined = patiently(|| self.media.join(self.joiner, self.room));
                called = joined.is_ok().then_some(now);
            } else if at % every == every / 2 {
                let _ = patiently(|| self.media.leave(self.joiner));
                self.figures.unheard += u64::from(called.take().is_some());
            }
        }
        std::mem::take(&mut self.figures)
    }

    /// Says one tick; what it hears is thrown away.
    fn talk(&mut self) {
        let turn = std::f64::consts::TAU / 8.0;
        let tone: [i16; 160] =
            std::array::from_fn(|at| (PEAK * (turn * at as f64).sin()).round() as i16);
        // What is not taken is lost, as on any network.
        self.sender.tick(&tone, |packet| drop(self.talks.send_to(packet, self.to)));
        self.talks.receive(&mut self.buffer, &self.clock, 8, |_| {});
    }

    /// When the first packet with the tone in it has come, of those since then.
    fn listen(&mut self, since: Option<Stamp>) -> Option<Stamp> {
        let (mut first, decoder) = (None, &mut self.decoder);
        self.listens.receive(&mut self.buffer, &self.clock, 8, |datagram| {
            let mut pcm = [0; MAX_FRAME];
            let Ok(packet) = Packet::parse(datagram.bytes) else { return };
            let len = decoder.decode(packet.payload, &mut pcm);
            let is_loud = pcm[..len].iter().any(|sample| sample.saturating_abs() > LOUD);
            if is_loud && since.is_some_and(|since| datagram.arrival >= since) {
                first = first.or(Some(datagram.arrival));
            }
        });
        first
    }
}

fn ticks(time: Duration) -> f64 {
    time.as_secs_f64() / PERIOD.as_secs_f64()
}
