//! The receiver: one leg's packets in, one tick of audio out.
//!
//! A packet goes through the latch (whose is it), the source (is it new, what is missing), and by
//! its payload type into the playout or to the telephone events. A tick is what the playout has for
//! it, at the leg's rate: the highest of its codecs, whatever each packet is.

use super::anchor::Incoming;
use super::jitter::Queued;
use super::latch::{Heard, Latch};
use super::packet::{Packet, PacketError};
use super::payloads::{Payload, Payloads};
use super::playout::{FrameKind, Playout, TickPacket};
use super::source::Arrival;
use super::telephone_event::{EventPayload, EventReceiver, KeyEvent};
use crate::codec::Codec;
use crate::dtmf::Digit;
use crate::frame::SampleRate;
use stasis_bus::Stamp;
use std::net::SocketAddr;
use std::time::Duration;

/// Payload type of comfort noise (RFC 3389): the sender is silent.
const COMFORT_NOISE: u8 = 13;
/// The clock of a stream of which no sound has come yet.
const NO_CLOCK_HZ: u32 = 8_000;

/// How a leg receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveSettings {
    /// Where packets come from; `None`: learned from the first source that passes probation.
    pub remote: Option<SocketAddr>,
    /// From a stream's first packet to its playout, rounded up to the next tick. Jitter up to this
    /// is played without loss. 60 ms by default.
    pub delay: Duration,
    /// What the payload types mean. PCMU, PCMA and telephone events by default.
    pub payloads: Payloads,
}

impl Default for ReceiveSettings {
    fn default() -> Self {
        let delay = Duration::from_millis(60);
        ReceiveSettings { remote: None, delay, payloads: Payloads::default() }
    }
}

/// What a leg has to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RtpEvent {
    /// A source at another address than was known is heard from now on: send there too.
    SourceLearned(SocketAddr),
    /// A stream with another SSRC has taken the place of the one before.
    SsrcChanged {
        /// The new SSRC.
        ssrc: u32,
    },
    /// A key was pressed.
    DigitBegin(Digit),
    /// A key was released.
    DigitEnd {
        /// The key.
        digit: Digit,
        /// How long it was down, as its sender says.
        duration_ms: u32,
    },
}

/// What one leg has received, in all its streams.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReceiveStats {
    /// Packets of the leg's source, also unknown payloads and duplicates.
    pub packets: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// Packets that never came (RFC 3550 A.3, without duplicates).
    pub lost: u64,
    /// Packets that came when their time had passed.
    pub late: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that came after a newer one.
    pub reordered: u64,
    /// Datagrams that are no RTP.
    pub malformed: u64,
    /// RTCP packets on the RTP port.
    pub rtcp: u64,
    /// Packets of a payload type that was not agreed.
    pub unknown_payload: u64,
    /// Telephone events that are no digit.
    pub ignored_events: u64,
    /// Packets from another source than the leg's.
    pub wrong_source: u64,
    /// Packets that found the buffer full, or no credible place in it.
    pub overflow: u64,
    /// Frames of [`FrameKind::Concealed`]; up to three also when a sender falls silent unannounced.
    pub concealed: u64,
    /// Interarrival jitter of the current stream in milliseconds (RFC 3550 A.8).
    pub jitter_ms: f32,
    /// Audio that waits in the jitter buffer, in milliseconds.
    pub depth_ms: f32,
}

/// One leg's receive edge, for all codecs that were agreed, chosen packet by packet.
pub struct RtpReceiver {
    latch: Latch,
    leg: Leg,
    delay: Duration,
}

/// What is behind the latch.
struct Leg {
    payloads: Payloads,
    playout: Playout,
    events: EventReceiver,
    /// The clock by which the newest key's durations count.
    key_clock_hz: u32,
    codec: Option<Codec>,
    stats: ReceiveStats,
}

impl RtpReceiver {
    /// A leg that has heard nothing. Allocates all it will ever need: some 70 KB for PCMU and PCMA.
    pub fn new(settings: ReceiveSettings) -> Self {
        RtpReceiver {
            latch: Latch::new(settings.remote),
            delay: settings.delay,
            leg: Leg {
                payloads: settings.payloads,
                playout: Playout::new(&settings.payloads, settings.delay),
                events: EventReceiver::new(),
                key_clock_hz: NO_CLOCK_HZ,
                codec: None,
                stats: ReceiveStats::default(),
            },
        }
    }

    /// The address that is heard: given or learned.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.latch.remote()
    }

    /// Signalling has moved the remote side: hears `remote` from now on, and nobody else.
    pub fn set_remote(&mut self, remote: SocketAddr) {
        self.latch.set_remote(remote);
    }

    /// Takes a datagram that came from `from` at `arrival`, by the kernel's clock if possible.
    ///
    /// `on` hears of keys and of changes of the source. What is no RTP, or not for this leg, is
    /// counted and dropped. Never allocates.
    pub fn receive(
        &mut self,
        datagram: &[u8],
        from: SocketAddr,
        arrival: Stamp,
        on: &mut impl FnMut(RtpEvent),
    ) {
        let packet = match Packet::parse(datagram) {
            Ok(packet) => packet,
            Err(PacketError::Rtcp(_)) => return self.leg.stats.rtcp += 1,
            Err(_) => return self.leg.stats.malformed += 1,
        };
        match self.latch.hear(&packet, from, arrival) {
            Heard::Stranger => self.leg.stats.wrong_source += 1,
            Heard::Held => {}
            Heard::Begins(begins) => {
                self.leg.begin(begins.lost_before, on);
                if let Some(address) = begins.learned {
                    on(RtpEvent::SourceLearned(address));
                }
                if begins.ssrc_changed {
                    on(RtpEvent::SsrcChanged { ssrc: packet.header.ssrc });
                }
                let (held, came) = self.latch.held(&begins);
                self.leg.take(&held, begins.seq - 1, came, on);
                self.leg.take(&packet, begins.seq, arrival, on);
            }
            Heard::Stream(kind) => self.leg.count(&packet, kind, arrival, on),
        }
        self.measure(&packet, from, arrival);
    }

    /// Writes the tick that is heard from `now` on to `out`, at [`rate`](Self::rate): 160 samples for
    /// 20 ms at 8 kHz.
    ///
    /// Call it once a tick, with `out` as long as a tick. `on` hears of keys that end by time.
    /// Never allocates.
    pub fn tick(
        &mut self,
        now: Stamp,
        out: &mut [i16],
        on: &mut impl FnMut(RtpEvent),
    ) -> FrameKind {
        let leg = &mut self.leg;
        leg.events.tick(now, &mut |key| on(event_of(key, leg.key_clock_hz)));
        let kind = leg.playout.tick(now, out);
        leg.stats.concealed += u64::from(kind == FrameKind::Concealed);
        kind
    }

    /// Brings near what a packet and a tick will touch beside this struct.
    pub(crate) fn prefetch(&self) {
        self.leg.playout.prefetch();
    }

    /// The packet that the newest tick is; none when it is parts of several, or was made up.
    pub(crate) fn tick_packet(&self) -> Option<TickPacket<'_>> {
        self.leg.playout.tick_packet()
    }

    /// A tick is left out, and nobody hears what it should have played; call it before packets that came
    /// meanwhile are taken. Those of that time count as late.
    pub fn skip_tick(&mut self) {
        self.leg.playout.skip_tick();
    }

    /// How long packets wait before they are played, by its settings.
    pub(crate) fn delay(&self) -> Duration {
        self.delay
    }

    /// Whether a telephone event is in progress.
    pub fn key_is_down(&self) -> bool {
        self.leg.events.in_progress()
    }

    /// The rate of the audio that it gives: the highest of its codecs.
    pub fn rate(&self) -> SampleRate {
        self.leg.playout.rate()
    }

    /// What it speaks: the codec of its newest sound.
    pub fn codec(&self) -> Option<Codec> {
        self.leg.codec
    }

    /// The synchronisation source that is heard; none: nobody yet.
    pub fn ssrc(&self) -> Option<u32> {
        self.latch.source().map(|source| source.ssrc())
    }

    /// What has been received so far.
    pub fn stats(&self) -> ReceiveStats {
        let (leg, source) = (&self.leg, self.latch.source());
        ReceiveStats {
            lost: leg.stats.lost + source.map_or(0, |source| source.lost()),
            late: leg.playout.late(),
            ignored_events: leg.events.ignored(),
            jitter_ms: source.map_or(0.0, |source| source.jitter_ms()),
            depth_ms: leg.playout.depth_ms(),
            ..leg.stats
        }
    }

    fn measure(&mut self, packet: &Packet, from: SocketAddr, arrival: Stamp) {
        let header = &packet.header;
        let ours = self.latch.remote() == Some(from);
        let codec = self.leg.payloads.codec(header.payload_type);
        if let Some(codec) = codec
            && let Some(source) = self.latch.source_mut()
            && ours
            && source.ssrc() == header.ssrc
        {
            source.measure(header.timestamp, codec.clock_hz(), arrival);
        }
    }
}

impl Leg {
    fn begin(&mut self, lost_before: u64, on: &mut impl FnMut(RtpEvent)) {
        self.stats.lost += lost_before;
        self.playout.new_stream();
        let clock_hz = self.key_clock_hz;
        self.events.new_stream(&mut |key| on(event_of(key, clock_hz)));
    }

    /// Takes a packet of the locked stream if it is new to it.
    fn count(
        &mut self,
        packet: &Packet,
        kind: Arrival,
        arrival: Stamp,
        on: &mut impl FnMut(RtpEvent),
    ) {
        match kind {
            Arrival::Newest(seq) | Arrival::Passed(seq) => self.take(packet, seq, arrival, on),
            Arrival::Reordered(seq) => {
                self.stats.reordered += 1;
                self.take(packet, seq, arrival, on);
            }
            Arrival::Restarted(seq) => {
                self.begin(0, on);
                self.take(packet, seq, arrival, on);
            }
            Arrival::Duplicate => {
                self.stats.duplicates += 1;
                self.tally(packet);
            }
            Arrival::Probation | Arrival::Jump => self.tally(packet),
        }
    }

    fn take(&mut self, packet: &Packet, seq: u64, arrival: Stamp, on: &mut impl FnMut(RtpEvent)) {
        self.tally(packet);
        let payload_type = packet.header.payload_type;
        let payload = self.payloads.get(payload_type);
        let samples = match payload {
            Some(Payload::Audio(codec)) => self.playout.samples_in(codec, packet.payload),
            _ => 0,
        };
        if let (Some(Payload::Audio(codec)), 1..) = (payload, samples) {
            self.codec = Some(codec);
        }
        self.enqueue(packet, seq, samples, arrival);
        match payload {
            Some(Payload::Audio(_)) => {}
            Some(Payload::TelephoneEvent { clock_hz }) => self.event(packet, clock_hz, arrival, on),
            None if payload_type == COMFORT_NOISE => {}
            None => self.stats.unknown_payload += 1,
        }
    }

    fn tally(&mut self, packet: &Packet) {
        self.stats.packets += 1;
        self.stats.bytes += packet.payload.len() as u64;
    }

    /// Queues sound; what is none is queued as silence, for its number is not missing.
    fn enqueue(&mut self, packet: &Packet, seq: u64, samples: usize, arrival: Stamp) {
        let queued = self.playout.insert(&Incoming {
            seq,
            timestamp: packet.header.timestamp,
            clock_hz: self.codec.map_or(NO_CLOCK_HZ, Codec::clock_hz),
            payload_type: packet.header.payload_type,
            payload: if samples == 0 { &[] } else { packet.payload },
            samples: samples as i64,
            arrival,
        });
        self.stats.overflow += u64::from(queued == Queued::Full);
    }

    fn event(
        &mut self,
        packet: &Packet,
        clock_hz: u32,
        arrival: Stamp,
        on: &mut impl FnMut(RtpEvent),
    ) {
        let (header, payload) = (&packet.header, packet.payload);
        let key = (header.seq, header.timestamp);
        self.key_clock_hz = clock_hz;
        self.events.receive(key, payload, arrival, &mut |key| on(event_of(key, clock_hz)));
        if let Some(event) = EventPayload::parse(payload)
            && Digit::from_event(event.event).is_ok()
        {
            self.playout.mute(header.timestamp, event, clock_hz);
        }
    }
}

/// A key's event, by the clock that its durations count by.
fn event_of(key: KeyEvent, clock_hz: u32) -> RtpEvent {
    match key {
        KeyEvent::Begin(digit) => RtpEvent::DigitBegin(digit),
        KeyEvent::End { digit, duration } => {
            let duration_ms = u64::from(duration) * 1_000 / u64::from(clock_hz.max(1));
            RtpEvent::DigitEnd { digit, duration_ms: duration_ms as u32 }
        }
    }
}
