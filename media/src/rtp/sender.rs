//! The sender: one leg's audio and keys as RTP packets (RFC 3550, 3551, 4733).
//!
//! The timestamp is the media's clock: it moves on by a tick's samples whatever is sent in the
//! tick, a packet of audio, of a key, or nothing. Numbers count packets only.

use super::dialer::{Dialer, EventPacket, Full, MAX_KEY, MIN_KEY};
use super::packet::{HEADER_LEN, Header, RtpSeq, write_packet};
use crate::codec::Codec;
use crate::dtmf::Digit;
use crate::frame::{MAX_FRAME, Ptime};
use std::time::Duration;

/// Ticks of the longest packet: 60 ms.
const MAX_TICKS: usize = 3;
/// Bytes of the longest packet.
const MAX_PACKET: usize = HEADER_LEN + MAX_FRAME * MAX_TICKS;

/// What has been sent (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SendStats {
    /// Packets, of audio and of keys.
    pub packets: u64,
    /// Bytes of payload, without headers.
    pub bytes: u64,
}

/// One leg's send edge.
pub struct RtpSender {
    codec: Codec,
    ssrc: u32,
    seq: RtpSeq,
    timestamp: u32,
    event_payload_type: u8,
    ticks_per_packet: usize,
    dialer: Dialer,
    /// The next audio packet is the first after silence.
    talkspurt: bool,
    packet: [u8; MAX_PACKET],
    pending: Pending,
    stats: SendStats,
}

/// Audio encoded for a packet that is not complete yet.
struct Pending {
    payload: [u8; MAX_FRAME * MAX_TICKS],
    len: usize,
    ticks: usize,
    codec: Codec,
    timestamp: u32,
}

impl RtpSender {
    /// A sender of 20 ms packets. `first_seq`, `first_timestamp` and `ssrc` are to be random
    /// (RFC 3550 section 5.1); `event_payload_type` is what SDP agreed for telephone events.
    pub fn new(
        codec: Codec,
        ssrc: u32,
        first_seq: RtpSeq,
        first_timestamp: u32,
        event_payload_type: u8,
    ) -> Self {
        RtpSender {
            codec,
            ssrc,
            seq: first_seq,
            timestamp: first_timestamp,
            event_payload_type: event_payload_type & 0x7F,
            ticks_per_packet: 1,
            dialer: Dialer::new(),
            talkspurt: true,
            packet: [0; MAX_PACKET],
            pending: Pending {
                payload: [0; MAX_FRAME * MAX_TICKS],
                len: 0,
                ticks: 0,
                codec,
                timestamp: 0,
            },
            stats: SendStats::default(),
        }
    }

    /// Sends packets of `ptime`, in whole ticks: 20, 40 or 60 ms; others are rounded down to
    /// these, 10 ms up to 20.
    pub fn with_ptime(mut self, ptime: Ptime) -> Self {
        self.ticks_per_packet = (ptime.ms() as usize / 20).clamp(1, MAX_TICKS);
        self
    }

    /// Sends one tick: `pcm` holds 20 ms at the codec's rate (160 samples for G.711).
    ///
    /// `send` is called with each packet that is complete: usually one. While a key is sent its
    /// packets take the place of the audio. Never allocates.
    pub fn tick(&mut self, pcm: &[i16], mut send: impl FnMut(&[u8])) {
        if let Some(event) = self.dialer.tick(self.timestamp, self.tick_samples()) {
            self.flush(&mut send);
            self.event(event, &mut send);
        } else {
            self.audio(pcm, &mut send);
        }
        self.timestamp = self.timestamp.wrapping_add(self.tick_samples());
    }

    /// A tick passes in which nothing is sent. The next packet of audio is marked, as the first
    /// after silence; what was collected for a packet longer than a tick is dropped. A key under
    /// way is held on: see [`is_dialing`](Self::is_dialing).
    pub fn skip_tick(&mut self) {
        self.dialer.skip_tick(self.tick_samples());
        (self.pending.len, self.pending.ticks) = (0, 0);
        self.talkspurt = true;
        self.timestamp = self.timestamp.wrapping_add(self.tick_samples());
    }

    /// Queues `digit`, held for `duration` (40 ms to 60 s, brought into that range), to be sent as
    /// a telephone event; keys are at least 40 ms apart.
    ///
    /// # Errors
    /// When [`DIAL_QUEUE`](super::DIAL_QUEUE) digits wait already.
    pub fn press(&mut self, digit: Digit, duration: Duration) -> Result<(), Full> {
        let held_ms = duration.clamp(MIN_KEY, MAX_KEY).as_millis() as u32;
        self.dialer.press(digit, held_ms * (self.codec.rate().hz() / 1_000))
    }

    /// Whether a key is being sent or waits: then the ticks must not be skipped.
    pub fn is_dialing(&self) -> bool {
        self.dialer.is_busy()
    }

    /// Encodes with `codec` from the next tick on.
    pub fn set_codec(&mut self, codec: Codec) {
        self.codec = codec;
    }

    /// The codec in use.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The stream's SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The timestamp of the next tick.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// What has been sent.
    pub fn stats(&self) -> SendStats {
        self.stats
    }

    fn tick_samples(&self) -> u32 {
        self.codec.rate().samples_in(Ptime::TICK) as u32
    }

    fn audio(&mut self, pcm: &[i16], send: &mut impl FnMut(&[u8])) {
        if self.pending.codec != self.codec {
            self.flush(send);
        }
        let pcm = &pcm[..pcm.len().min(self.tick_samples() as usize)];
        let pending = &mut self.pending;
        if pending.ticks == 0 {
            (pending.codec, pending.timestamp) = (self.codec, self.timestamp);
        }
        pending.len += self.codec.encode(pcm, &mut pending.payload[pending.len..]);
        pending.ticks += 1;
        if pending.ticks >= self.ticks_per_packet {
            self.flush(send);
        }
    }

    /// Sends the audio collected, if any.
    fn flush(&mut self, send: &mut impl FnMut(&[u8])) {
        let len = std::mem::take(&mut self.pending.len);
        self.pending.ticks = 0;
        if len > 0 {
            let (payload_type, timestamp) =
                (self.pending.codec.payload_type(), self.pending.timestamp);
            let header = self.header(payload_type, self.talkspurt, timestamp);
            self.talkspurt = false;
            if let Some(packet) =
                write_packet(&header, &self.pending.payload[..len], &mut self.packet)
            {
                send(packet);
                self.count(len);
            }
        }
    }

    fn event(&mut self, event: EventPacket, send: &mut impl FnMut(&[u8])) {
        let header = self.header(self.event_payload_type, event.marker, event.timestamp);
        let payload = event.payload.bytes();
        if let Some(packet) = write_packet(&header, &payload, &mut self.packet) {
            send(packet);
            self.count(payload.len());
        }
    }

    fn header(&self, payload_type: u8, marker: bool, timestamp: u32) -> Header {
        Header { payload_type, marker, seq: self.seq, timestamp, ssrc: self.ssrc }
    }

    fn count(&mut self, payload_len: usize) {
        self.seq = self.seq.next();
        self.stats.packets += 1;
        self.stats.bytes += payload_len as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::Packet;
    use super::*;

    const TONE: [i16; 160] = [1_000; 160];

    fn sender() -> RtpSender {
        RtpSender::new(Codec::Pcmu, 7, RtpSeq(65_535), u32::MAX - 100, 101)
    }

    /// `(payload type, marker, seq, timestamp, payload length)` of what one tick sends.
    fn tick(sender: &mut RtpSender) -> Vec<(u8, bool, u16, u32, usize)> {
        let mut sent = Vec::new();
        sender.tick(&TONE, |bytes| {
            let Packet { header: h, payload } = Packet::parse(bytes).unwrap();
            sent.push((h.payload_type, h.marker, h.seq.0, h.timestamp, payload.len()));
        });
        sent
    }

    #[test]
    fn one_packet_a_tick_with_numbers_and_timestamps_that_wrap() {
        let mut leg = sender();
        assert_eq!(tick(&mut leg), [(0, true, 65_535, u32::MAX - 100, 160)]);
        assert_eq!(tick(&mut leg), [(0, false, 0, 59, 160)]);
        assert_eq!(leg.stats(), SendStats { packets: 2, bytes: 320 });
    }

    #[test]
    fn the_first_packet_after_silence_is_marked_and_the_silence_is_in_its_timestamp() {
        let mut leg = sender();
        tick(&mut leg);
        (0..10).for_each(|_| leg.skip_tick());
        assert_eq!(tick(&mut leg), [(0, true, 0, 59 + 1_600, 160)]);
        assert_eq!(tick(&mut leg), [(0, false, 1, 219 + 1_600, 160)]);
    }

    #[test]
    fn a_key_takes_the_place_of_audio_and_audio_goes_on_in_time() {
        let mut leg = sender();
        leg.press(Digit::from_event(1).unwrap(), Duration::ZERO).unwrap();
        assert!(leg.is_dialing());
        let sent: Vec<_> = (0..5).flat_map(|_| tick(&mut leg)).collect();
        let start = u32::MAX - 100;
        let key = [(101, true, 65_535, start, 4), (101, false, 0, start, 4)];
        assert_eq!(sent[..2], key);
        assert_eq!(sent[4], (0, true, 3, start.wrapping_add(640), 160));
        assert!(!leg.is_dialing());
    }

    #[test]
    fn longer_packets_collect_ticks_and_end_early_for_a_key_or_a_codec() {
        let mut leg = sender().with_ptime(Ptime::from_ms(60).unwrap());
        let sent: Vec<_> = (0..4).flat_map(|_| tick(&mut leg)).collect();
        assert_eq!(sent, [(0, true, 65_535, u32::MAX - 100, 480)]);
        leg.set_codec(Codec::Pcma);
        assert_eq!(tick(&mut leg), [(0, false, 0, 379, 160)]);
        leg.press(Digit::from_event(1).unwrap(), Duration::ZERO).unwrap();
        assert_eq!(tick(&mut leg), [(8, false, 1, 539, 160), (101, true, 2, 699, 4)]);
    }

    #[test]
    fn a_frame_of_the_wrong_length_is_cut_and_moves_time_by_a_tick() {
        let mut leg = sender();
        let mut lengths = Vec::new();
        for pcm in [&[0i16; 500][..], &[0; 50], &[]] {
            leg.tick(pcm, |packet| lengths.push(packet.len() - HEADER_LEN));
        }
        assert_eq!(lengths, [160, 50]);
        assert_eq!(leg.timestamp(), (u32::MAX - 100).wrapping_add(480));
    }
}
