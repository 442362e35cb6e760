//! Playout: what waits in the jitter buffer becomes sound, one tick at a time.
//!
//! A tick takes what the buffer has for it, decodes it, and makes up what is missing: by the codec's
//! own means if it has some (Opus), else by the concealer. Ticks are held back or left out when the
//! buffer's margins ask for it.

use super::anchor::Incoming;
use super::conceal::Concealer;
use super::decoders::Decoders;
use super::jitter::{JitterBuffer, Piece, Queued};
use super::margins::Adjust;
use super::pace::Pace;
use super::payloads::Payloads;
use super::telephone_event::EventPayload;
use crate::codec::Codec;
use crate::frame::SampleRate;
use stasis_bus::Stamp;
use std::time::Duration;

/// How long a codec makes up sound by its own means, in milliseconds: as the concealer.
const MADE_UP_MS: i64 = 60;
/// Samples no louder than this may be left out or drawn out without being noticed: -44 dBFS.
const QUIET: u16 = 200;

/// What a tick's frame is made of; the greatest of its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FrameKind {
    /// Nothing is to be heard: no stream, a silent sender (also by Opus's DTX), a key, or a loss of
    /// over 60 ms.
    Silence,
    /// What the sender said.
    Voice,
    /// Some of it was lost, and made up.
    Concealed,
}

/// What of the packets has made the newest tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Made {
    /// Of this packet, and nothing else.
    Of(u64),
    /// A packet that was lost.
    Lost,
    /// Silence.
    Silence,
    /// Parts of packets, or something made up.
    Parts,
}

/// What the newest tick is, as packets go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TickPacket<'a> {
    /// This payload.
    Payload(&'a [u8]),
    /// One that was lost.
    Lost,
    /// None: the sender is silent.
    None,
}

/// One leg's sound, from packets to ticks.
pub(crate) struct Playout {
    rate: SampleRate,
    buffer: JitterBuffer,
    decoders: Decoders,
    concealer: Concealer,
    /// The packet that is being played, decoded.
    decoded: Box<[i16]>,
    decoded_index: Option<u64>,
    /// Samples that the codec has made up since its last packet.
    made_up: usize,
    made: Made,
}

impl Playout {
    /// Of these codecs, at the highest of their rates, so long after packets have come. Allocates
    /// all it will ever need.
    pub(crate) fn new(payloads: &Payloads, delay: Duration) -> Self {
        let (rate, decoders) = (payloads.rate(), Decoders::new(payloads));
        let usual = payloads.codecs().map(|(_, codec)| codec.tick_bytes()).max();
        Playout {
            rate,
            buffer: JitterBuffer::new(delay, rate, usual.unwrap_or(0)),
            concealer: Concealer::new(rate),
            decoded: vec![0; decoders.longest()].into(),
            decoders,
            decoded_index: None,
            made_up: 0,
            made: Made::Silence,
        }
    }

    /// The rate of its samples.
    pub(crate) fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Samples in a payload, as they are played.
    pub(crate) fn samples_in(&self, codec: Codec, payload: &[u8]) -> usize {
        self.decoders.samples_in(codec, payload)
    }

    /// Packets that came too late to be played.
    pub(crate) fn late(&self) -> u64 {
        self.buffer.late()
    }

    /// Sound that waits, in milliseconds.
    pub(crate) fn depth_ms(&self) -> f32 {
        self.buffer.depth() as f32 * 1_000.0 / self.rate.hz() as f32
    }

    /// The next packet is of another stream.
    pub(crate) fn new_stream(&mut self) {
        self.buffer.new_stream();
    }

    /// Brings near what a packet and a tick will touch.
    pub(crate) fn prefetch(&self) {
        self.buffer.prefetch();
        self.concealer.prefetch();
    }

    /// Takes a packet.
    pub(crate) fn insert(&mut self, packet: &Incoming) -> Queued {
        self.buffer.insert(packet)
    }

    /// A key began at `timestamp`, and was told of by an event whose clock is `clock_hz`: whatever is
    /// sent along with it is not heard.
    pub(crate) fn mute(&mut self, timestamp: u32, event: EventPayload, clock_hz: u32) {
        let lasted = Pace::new(self.rate).samples_of(event.duration.into(), clock_hz);
        self.buffer.mute(timestamp, lasted, event.end);
    }

    /// Writes the tick that is heard from `now` on to `out`.
    pub(crate) fn tick(&mut self, now: Stamp, out: &mut [i16]) -> FrameKind {
        self.buffer.begin_tick(now, out.len());
        self.made = Made::Parts;
        let kind = self.adjust(out).unwrap_or_else(|| self.play(out));
        self.buffer.end_tick();
        kind
    }

    /// The packet that the newest tick is; none when it is parts of several, or was made up.
    pub(crate) fn tick_packet(&self) -> Option<TickPacket<'_>> {
        match self.made {
            Made::Of(index) => {
                self.buffer.packet(index).map(|(_, _, payload)| TickPacket::Payload(payload))
            }
            Made::Lost => Some(TickPacket::Lost),
            Made::Silence => Some(TickPacket::None),
            Made::Parts => None,
        }
    }

    /// A tick is left out.
    pub(crate) fn skip_tick(&mut self) {
        self.buffer.skip_tick();
    }

    /// Carries out one tick of an adjustment, in a pause if there is one in time. A held tick is
    /// filled here; after a skipped one playing goes on.
    fn adjust(&mut self, out: &mut [i16]) -> Option<FrameKind> {
        let (adjust, urgent) = self.buffer.pending()?;
        let piece = self.buffer.peek(out.len());
        if !urgent && !self.is_quiet(piece) {
            return None;
        }
        if let (Adjust::Skip, Piece::Voice { index, .. }) = (adjust, piece) {
            self.decode(index); // also unheard, for the decoder is to stay with its stream
            self.concealer.skip();
        }
        self.buffer.adjust(adjust);
        match (adjust, piece) {
            (Adjust::Skip, _) => None,
            (Adjust::Hold, Piece::Silence(_)) => Some(self.silence(out)),
            (Adjust::Hold, _) => Some(self.repeat(out)),
        }
    }

    fn is_quiet(&mut self, piece: Piece) -> bool {
        let Piece::Voice { index, from, samples } = piece else { return true };
        self.decode(index);
        let heard = self.decoded.get(from..from + samples).unwrap_or(&[]);
        heard.iter().all(|sample| sample.unsigned_abs() <= QUIET)
    }

    fn play(&mut self, mut out: &mut [i16]) -> FrameKind {
        let mut kind = FrameKind::Silence;
        let tick = out.len();
        while !out.is_empty() {
            let piece = self.buffer.next(out.len());
            if piece.samples() == tick {
                self.made = self.whole(piece);
            }
            let (now, rest) = out.split_at_mut(piece.samples().clamp(1, out.len()));
            kind = kind.max(match piece {
                Piece::Voice { index, from, .. } => self.voice(index, from, now),
                Piece::Lost { next, .. } => self.conceal(next, now),
                Piece::Silence(_) => self.silence(now),
            });
            out = rest;
        }
        kind
    }

    /// What a tick is made of that is one piece.
    fn whole(&self, piece: Piece) -> Made {
        match piece {
            Piece::Voice { index, from: 0, samples } => match self.buffer.packet(index) {
                Some((_, whole, _)) if whole == samples as i64 => Made::Of(index),
                _ => Made::Parts,
            },
            Piece::Voice { .. } => Made::Parts,
            Piece::Lost { .. } => Made::Lost,
            Piece::Silence(_) => Made::Silence,
        }
    }

    fn voice(&mut self, index: u64, from: usize, out: &mut [i16]) -> FrameKind {
        if self.decode_all(index, from, out) {
            self.concealer.voice(out);
            self.made_up = 0;
            return FrameKind::Voice;
        }
        self.decode(index);
        if let Some(decoded) = self.decoded.get(from..from + out.len()) {
            out.copy_from_slice(decoded);
        }
        self.concealer.voice(out);
        self.made_up = 0;
        FrameKind::Voice
    }

    /// Decodes a packet of just this length straight into `out`; `false` when it is of another, or was
    /// decoded before.
    fn decode_all(&mut self, index: u64, from: usize, out: &mut [i16]) -> bool {
        if from > 0 || self.decoded_index == Some(index) {
            return false;
        }
        let packet = self.buffer.packet(index);
        let Some((payload_type, _, payload)) =
            packet.filter(|(_, samples, _)| *samples == out.len() as i64)
        else {
            return false;
        };
        self.decoders.decode(payload_type, payload, out);
        true
    }

    /// Fills `out` in the place of lost sound, behind which the packet with index `next` begins.
    fn conceal(&mut self, next: Option<u64>, out: &mut [i16]) -> FrameKind {
        let next = next.and_then(|index| self.buffer.packet(index));
        let next = next.map(|(payload_type, _, payload)| (payload_type, payload));
        let most = Pace::new(self.rate).ms(MADE_UP_MS) as usize;
        let own = self.made_up < most && self.decoders.conceal(next, out);
        if own {
            self.made_up += out.len();
            self.concealer.voice(out);
        } else if self.made_up > 0 {
            return self.silence(out);
        }
        if own { FrameKind::Concealed } else { self.repeat(out) }
    }

    /// Fills `out` with a repetition of what was played.
    fn repeat(&mut self, out: &mut [i16]) -> FrameKind {
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
        if let Some((payload_type, _, payload)) = self.buffer.packet(index) {
            self.decoders.decode(payload_type, payload, &mut self.decoded);
            self.decoded_index = Some(index);
        }
    }
}
