//! The receiver: one leg's packets in, one tick of audio out.
//!
//! A packet goes through the latch (whose is it), the source (is it new, what is missing), and by
//! its payload type into the jitter buffer or to the telephone events. A tick takes what the buffer
//! has for it, decodes it, and makes up what is missing.

use super::anchor::Incoming;
use super::conceal::Concealer;
use super::jitter::{JitterBuffer, Piece, Queued};
use super::latch::{Heard, Latch};
use super::margins::Adjust;
use super::packet::{MAX_PAYLOAD, Packet, PacketError};
use super::source::Arrival;
use super::telephone_event::{EventPayload, EventReceiver, KeyEvent};
use crate::codec::Codec;
use crate::dtmf::Digit;
use stasis_bus::Stamp;
use std::net::SocketAddr;
use std::time::Duration;

/// Payload type of comfort noise (RFC 3389): the sender is silent.
const COMFORT_NOISE: u8 = 13;
/// Clock of G.711 and of its telephone events, in Hz and in samples a millisecond.
const CLOCK_HZ: u32 = 8_000;
const PER_MS: u32 = CLOCK_HZ / 1_000;
/// Samples no louder than this may be left out or drawn out without being noticed: -44 dBFS.
const QUIET: u16 = 200;

/// How a leg receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveSettings {
    /// Where packets come from; `None`: learned from the first source that passes probation.
    pub remote: Option<SocketAddr>,
    /// From a stream's first packet to its playout, rounded up to the next tick. Jitter up to this
    /// is played without loss. 60 ms by default.
    pub delay: Duration,
    /// The payload type that SDP agreed for telephone events. 101 by default.
    pub event_payload_type: u8,
}

impl Default for ReceiveSettings {
    fn default() -> Self {
        ReceiveSettings { remote: None, delay: Duration::from_millis(60), event_payload_type: 101 }
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

/// What a tick's frame is made of; the greatest of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameKind {
    /// Nothing is to be heard: no stream, a silent sender, a key, or a loss of over 60 ms.
    Silence,
    /// What the sender said.
    Voice,
    /// Some of it was lost, and made up.
    Concealed,
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

/// One leg's receive edge, for PCMU and PCMA at 8 kHz, chosen packet by packet.
pub struct RtpReceiver {
    latch: Latch,
    leg: Leg,
}

/// What is behind the latch.
struct Leg {
    event_payload_type: u8,
    buffer: JitterBuffer,
    events: EventReceiver,
    concealer: Concealer,
    /// The packet that is being played, decoded.
    decoded: Box<[i16]>,
    decoded_index: Option<u64>,
    codec: Option<Codec>,
    stats: ReceiveStats,
}

impl RtpReceiver {
    /// A leg that has heard nothing. Allocates all it will ever need: some 110 KB.
    pub fn new(settings: ReceiveSettings) -> Self {
        RtpReceiver {
            latch: Latch::new(settings.remote),
            leg: Leg {
                event_payload_type: settings.event_payload_type & 0x7F,
                buffer: JitterBuffer::new(settings.delay),
                events: EventReceiver::new(),
                concealer: Concealer::new(),
                decoded: vec![0; MAX_PAYLOAD].into_boxed_slice(),
                decoded_index: None,
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

    /// Writes the tick that is heard from `now` on to `out`: 160 samples for 20 ms at 8 kHz.
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
        leg.events.tick(now, &mut |key| on(key.into()));
        leg.buffer.begin_tick(now, out.len());
        let kind = leg.adjust(out).unwrap_or_else(|| leg.play(out));
        leg.buffer.end_tick();
        leg.stats.concealed += u64::from(kind == FrameKind::Concealed);
        kind
    }

    /// Whether a telephone event is in progress.
    pub fn key_is_down(&self) -> bool {
        self.leg.events.in_progress()
    }

    /// What it speaks: the codec of its newest sound.
    pub fn codec(&self) -> Option<Codec> {
        self.leg.codec
    }

    /// What has been received so far.
    pub fn stats(&self) -> ReceiveStats {
        let (leg, source) = (&self.leg, self.latch.source());
        ReceiveStats {
            lost: leg.stats.lost + source.map_or(0, |source| source.lost()),
            late: leg.buffer.late(),
            ignored_events: leg.events.ignored(),
            jitter_ms: source.map_or(0.0, |source| source.jitter_ms()),
            depth_ms: leg.buffer.depth() as f32 / PER_MS as f32,
            ..leg.stats
        }
    }

    fn measure(&mut self, packet: &Packet, from: SocketAddr, arrival: Stamp) {
        let header = &packet.header;
        let ours = self.latch.remote() == Some(from);
        if let Some(source) = self.latch.source_mut()
            && ours
            && source.ssrc() == header.ssrc
            && Codec::from_payload_type(header.payload_type).is_some()
        {
            source.measure(header.timestamp, CLOCK_HZ, arrival);
        }
    }
}

impl Leg {
    fn begin(&mut self, lost_before: u64, on: &mut impl FnMut(RtpEvent)) {
        self.stats.lost += lost_before;
        self.buffer.new_stream();
        self.events.new_stream(&mut |key| on(key.into()));
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
        let codec = Codec::from_payload_type(payload_type);
        let is_event = payload_type == self.event_payload_type;
        let samples = match codec {
            Some(codec) if !is_event => codec.samples_in(packet.payload.len()),
            _ => 0,
        };
        if samples > 0 {
            self.codec = codec;
        }
        self.enqueue(packet, seq, samples, arrival);
        if is_event {
            self.event(packet, arrival, on);
        } else if codec.is_none() && payload_type != COMFORT_NOISE {
            self.stats.unknown_payload += 1;
        }
    }

    fn tally(&mut self, packet: &Packet) {
        self.stats.packets += 1;
        self.stats.bytes += packet.payload.len() as u64;
    }

    /// Queues sound; what is none is queued as silence, for its number is not missing.
    fn enqueue(&mut self, packet: &Packet, seq: u64, samples: usize, arrival: Stamp) {
        let queued = self.buffer.insert(&Incoming {
            seq,
            timestamp: packet.header.timestamp,
            payload_type: packet.header.payload_type,
            payload: if samples == 0 { &[] } else { packet.payload },
            samples: samples as i64,
            arrival,
        });
        self.stats.overflow += u64::from(queued == Queued::Full);
    }

    fn event(&mut self, packet: &Packet, arrival: Stamp, on: &mut impl FnMut(RtpEvent)) {
        let (header, payload) = (&packet.header, packet.payload);
        let key = (header.seq, header.timestamp);
        self.events.receive(key, payload, arrival, &mut |key| on(key.into()));
        if let Some(event) = EventPayload::parse(payload)
            && Digit::from_event(event.event).is_ok()
        {
            self.buffer.mute(header.timestamp, i64::from(event.duration), event.end);
        }
    }

    /// Carries out one tick of an adjustment, in a pause if there is one in time. A held tick is
    /// filled here; after a skipped one playing goes on.
    fn adjust(&mut self, out: &mut [i16]) -> Option<FrameKind> {
        let (adjust, urgent) = self.buffer.pending()?;
        let piece = self.buffer.peek(out.len());
        if !urgent && !self.is_quiet(piece) {
            return None;
        }
        self.buffer.adjust(adjust);
        match (adjust, piece) {
            (Adjust::Skip, Piece::Voice { .. }) => self.concealer.skip(),
            (Adjust::Skip, _) => {}
            (Adjust::Hold, Piece::Silence(_)) => return Some(self.silence(out)),
            (Adjust::Hold, _) => return Some(self.conceal(out)),
        }
        None
    }

    fn is_quiet(&mut self, piece: Piece) -> bool {
        let Piece::Voice { index, from, samples } = piece else { return true };
        self.decode(index);
        let heard = self.decoded.get(from..from + samples).unwrap_or(&[]);
        heard.iter().all(|sample| sample.unsigned_abs() <= QUIET)
    }

    fn play(&mut self, mut out: &mut [i16]) -> FrameKind {
        let mut kind = FrameKind::Silence;
        while !out.is_empty() {
            let piece = self.buffer.next(out.len());
            let (now, rest) = out.split_at_mut(piece.samples().clamp(1, out.len()));
            kind = kind.max(match piece {
                Piece::Voice { index, from, .. } => self.voice(index, from, now),
                Piece::Lost(_) => self.conceal(now),
                Piece::Silence(_) => self.silence(now),
            });
            out = rest;
        }
        kind
    }

    fn voice(&mut self, index: u64, from: usize, out: &mut [i16]) -> FrameKind {
        self.decode(index);
        if let Some(decoded) = self.decoded.get(from..from + out.len()) {
            out.copy_from_slice(decoded);
        }
        self.concealer.voice(out);
        FrameKind::Voice
    }

    fn conceal(&mut self, out: &mut [i16]) -> FrameKind {
        if self.concealer.conceal(out) { FrameKind::Concealed } else { FrameKind::Silence }
    }

    fn silence(&mut self, out: &mut [i16]) -> FrameKind {
        self.concealer.silence(out);
        FrameKind::Silence
    }

    fn decode(&mut self, index: u64) {
        if self.decoded_index == Some(index) {
            return;
        }
        if let Some(packet) = self.buffer.packet(index)
            && let Some(codec) = Codec::from_payload_type(packet.payload_type)
        {
            codec.decode(packet.payload(), &mut self.decoded);
            self.decoded_index = Some(index);
        }
    }
}

impl From<KeyEvent> for RtpEvent {
    fn from(key: KeyEvent) -> Self {
        match key {
            KeyEvent::Begin(digit) => RtpEvent::DigitBegin(digit),
            KeyEvent::End { digit, duration } => {
                RtpEvent::DigitEnd { digit, duration_ms: duration / PER_MS }
            }
        }
    }
}
