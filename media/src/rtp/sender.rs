//! The sender: one leg's audio and keys as RTP packets (RFC 3550, 3551, 4733).
//!
//! The timestamp is the media's clock, that of the codec which is spoken: it moves on by a tick's
//! units whatever is sent in the tick, a packet of audio, of a key, or nothing. Numbers count
//! packets only.

use super::dialer::{Dialer, EventPacket, Full, MAX_KEY, MIN_KEY};
use super::encoders::{Encoded, Encoders, MAX_TICKS, ShareKey};
use super::packet::{HEADER_LEN, Header, MAX_PAYLOAD, RtpSeq, write_packet};
use super::payloads::Payloads;
use crate::codec::{Codec, EncodeSettings};
use crate::dtmf::Digit;
use crate::frame::{Ptime, SampleRate};
use std::time::Duration;

/// Bytes of the longest packet.
const MAX_PACKET: usize = HEADER_LEN + MAX_PAYLOAD;
/// The clock where no codec was agreed.
const NO_CLOCK_HZ: u32 = 8_000;

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
    payloads: Payloads,
    encoders: Encoders,
    /// To be spoken from the next tick on.
    next_codec: Option<Codec>,
    timestamp: u32,
    ticks_per_packet: usize,
    /// Ticks collected, and the timestamp of the first.
    collected: usize,
    collected_from: u32,
    dialer: Dialer,
    /// The payload type and the clock of the key that is sent, or of the next; none was agreed.
    events: Option<(u8, u32)>,
    stream: Stream,
}

/// What numbers and counts packets.
struct Stream {
    ssrc: u32,
    seq: RtpSeq,
    /// The next audio packet is the first after silence.
    talkspurt: bool,
    packet: [u8; MAX_PACKET],
    /// Bytes of the newest payload of sound.
    last: usize,
    stats: SendStats,
}

impl RtpSender {
    /// A sender of 20 ms packets by the payload types of the other side, the first codec of which
    /// it speaks. `first_seq`, `first_timestamp` and `ssrc` are to be random (RFC 3550 section 5.1).
    /// Allocates all that it will ever need.
    pub fn new(payloads: &Payloads, ssrc: u32, first_seq: RtpSeq, first_timestamp: u32) -> Self {
        let mut sender = RtpSender {
            payloads: *payloads,
            encoders: Encoders::new(payloads, &EncodeSettings::default()),
            next_codec: None,
            timestamp: first_timestamp,
            ticks_per_packet: 1,
            collected: 0,
            collected_from: first_timestamp,
            dialer: Dialer::new(),
            events: None,
            stream: Stream {
                ssrc,
                seq: first_seq,
                talkspurt: true,
                packet: [0; MAX_PACKET],
                last: 0,
                stats: SendStats::default(),
            },
        };
        sender.choose_events();
        sender
    }

    /// Sends packets of `ptime`, in whole ticks: 20, 40 or 60 ms; others are rounded down to
    /// these, 10 ms up to 20. What does not fit one packet goes as more (L16).
    pub fn with_ptime(mut self, ptime: Ptime) -> Self {
        self.ticks_per_packet = (ptime.ms() as usize / 20).clamp(1, MAX_TICKS);
        self
    }

    /// Encodes as `settings` ask for. Allocates.
    pub fn with_encoding(mut self, settings: &EncodeSettings) -> Self {
        self.encoders = Encoders::new(&self.payloads, settings);
        self
    }

    /// Sends one tick: `pcm` holds 20 ms at [`rate`](Self::rate) (160 samples for G.711).
    ///
    /// `send` is called with each packet that is complete: usually one. While a key is sent its
    /// packets take the place of the audio. A longer `pcm` is cut, a shorter one ends in silence.
    /// Never allocates.
    pub fn tick(&mut self, pcm: &[i16], mut send: impl FnMut(&[u8])) {
        self.change_codec(&mut send);
        let tick = self.events.map_or(0, |(_, clock_hz)| clock_hz / 50);
        if let Some(event) = self.dialer.tick(self.timestamp, tick) {
            self.flush(&mut send);
            self.event(event, &mut send);
            self.choose_events();
        } else {
            self.audio(pcm, &mut send);
        }
        self.timestamp = self.timestamp.wrapping_add(self.tick_units());
    }

    /// As [`tick`](Self::tick), with a payload that another leg of the same key has encoded; empty:
    /// nothing is to be heard.
    pub(crate) fn tick_shared(&mut self, payload: &[u8], mut send: impl FnMut(&[u8])) {
        if self.collected == 0 {
            self.collected_from = self.timestamp;
        }
        self.collected += 1;
        if self.collected >= self.ticks_per_packet {
            self.collected = 0;
            if payload.is_empty() {
                self.stream.talkspurt = true;
            } else if let Some(payload_type) = self.encoders.payload_type() {
                let marker = std::mem::take(&mut self.stream.talkspurt);
                let from = self.collected_from;
                self.stream.send((payload_type, marker), from, payload, &mut send);
            }
        }
        self.timestamp = self.timestamp.wrapping_add(self.tick_units());
    }

    /// By which others may be sent what this leg is sent; none while it cannot be.
    pub(crate) fn share_key(&self) -> Option<ShareKey> {
        let as_always = self.next_codec.is_none() && !self.is_dialing();
        as_always.then(|| self.encoders.share_key(self.ticks_per_packet))?
    }

    /// Ticks that are collected for the next packet.
    pub(crate) fn collected(&self) -> usize {
        self.collected
    }

    /// The newest payload, for others of the same key.
    pub(crate) fn payload(&self) -> &[u8] {
        self.stream.payload()
    }

    /// Encodes by itself again, in the place of `leader`, which has heard `before` last.
    pub(crate) fn follow(&mut self, leader: &RtpSender, before: &[i16]) {
        self.encoders.follow(&leader.encoders, before);
    }

    /// `heir` encodes from now on for those that this one did, and this one for itself.
    pub(crate) fn hand_over(&mut self, heir: &mut RtpSender, before: &[i16]) {
        self.encoders.hand_over(&mut heir.encoders, before);
    }

    /// A tick passes in which nothing is sent. The next packet of audio is marked, as the first
    /// after silence; what was collected for a packet longer than a tick is dropped. A key under
    /// way is held on: see [`is_dialing`](Self::is_dialing).
    pub fn skip_tick(&mut self) {
        self.dialer.skip_tick(self.events.map_or(0, |(_, clock_hz)| clock_hz / 50));
        self.encoders.drop_collected();
        self.collected = 0;
        self.change_codec(&mut |_| {});
        self.stream.talkspurt = true;
        self.timestamp = self.timestamp.wrapping_add(self.tick_units());
    }

    /// Queues `digit`, held for `duration` (40 ms to 60 s, brought into that range), to be sent as
    /// a telephone event; keys are at least 40 ms apart.
    ///
    /// # Errors
    /// When [`DIAL_QUEUE`](super::DIAL_QUEUE) digits wait already, or no payload type was agreed
    /// for telephone events.
    pub fn press(&mut self, digit: Digit, duration: Duration) -> Result<(), PressError> {
        let (_, clock_hz) = self.events.ok_or(PressError::NotAgreed)?;
        let held_ms = duration.clamp(MIN_KEY, MAX_KEY).as_millis() as u32;
        Ok(self.dialer.press(digit, held_ms * (clock_hz / 1_000))?)
    }

    /// Whether a key is being sent or waits: then the ticks must not be skipped.
    pub fn is_dialing(&self) -> bool {
        self.dialer.is_busy()
    }

    /// Encodes with `codec` from the next tick on, if it was agreed.
    pub fn set_codec(&mut self, codec: Codec) {
        if self.codec() != Some(codec) && self.encoders.speaks(codec) {
            self.next_codec = Some(codec);
        }
    }

    /// The codec in use; `None` when none was agreed.
    pub fn codec(&self) -> Option<Codec> {
        self.next_codec.or(self.encoders.codec())
    }

    /// The rate of the audio that it takes: the highest of its codecs.
    pub fn rate(&self) -> SampleRate {
        self.encoders.rate()
    }

    /// The stream's SSRC.
    pub fn ssrc(&self) -> u32 {
        self.stream.ssrc
    }

    /// The timestamp of the next tick, on the clock of the codec in use.
    pub fn timestamp(&self) -> u32 {
        self.timestamp
    }

    /// What has been sent.
    pub fn stats(&self) -> SendStats {
        self.stream.stats
    }

    fn clock_hz(&self) -> u32 {
        self.encoders.codec().map_or(NO_CLOCK_HZ, Codec::clock_hz)
    }

    fn tick_units(&self) -> u32 {
        self.clock_hz() / 50
    }

    /// Changes to the next codec; what was collected for the one before is sent.
    fn change_codec(&mut self, send: &mut impl FnMut(&[u8])) {
        if let Some(codec) = self.next_codec.take() {
            self.flush(send);
            self.encoders.speak(codec);
            self.choose_events();
        }
    }

    /// Takes the telephone events of the codec's clock, or the first agreed. A key keeps those that
    /// it has begun with; those that wait are counted anew.
    fn choose_events(&mut self) {
        if self.dialer.is_sending() {
            return;
        }
        let clock_hz = self.clock_hz();
        let mut events = self.payloads.events();
        let chosen =
            events.find(|events| events.1 == clock_hz).or_else(|| self.payloads.events().next());
        if let (Some((_, before)), Some((_, after))) = (self.events, chosen) {
            self.dialer.change_clock(before, after);
        }
        self.events = chosen;
    }

    fn audio(&mut self, pcm: &[i16], send: &mut impl FnMut(&[u8])) {
        if self.collected == 0 {
            self.collected_from = self.timestamp;
        }
        if self.ticks_per_packet == 1 && self.collected == 0 {
            let payload = &mut self.stream.packet[HEADER_LEN..];
            if let Some(encoded) = self.encoders.encode_tick(pcm, payload) {
                return self.stream.send_in_place(encoded, self.timestamp, send);
            }
        }
        self.encoders.collect(pcm);
        self.collected += 1;
        if self.collected >= self.ticks_per_packet {
            self.flush(send);
        }
    }

    /// Sends the audio collected, if any.
    fn flush(&mut self, send: &mut impl FnMut(&[u8])) {
        self.collected = 0;
        let mut at = 0;
        loop {
            let payload = &mut self.stream.packet[HEADER_LEN..];
            let Some(encoded) = self.encoders.encode(&mut at, payload) else { return };
            self.stream.send_in_place(encoded, self.collected_from, send);
        }
    }

    fn event(&mut self, event: EventPacket, send: &mut impl FnMut(&[u8])) {
        if let Some((payload_type, _)) = self.events {
            let kind = (payload_type, event.marker);
            self.stream.send(kind, event.timestamp, &event.payload.bytes(), send);
        }
    }
}

impl Stream {
    /// Sends the payload that is in the packet already, of sound from this timestamp on; if it is
    /// empty, nothing is to be heard.
    fn send_in_place(&mut self, encoded: Encoded, from: u32, send: &mut impl FnMut(&[u8])) {
        self.last = encoded.len.min(MAX_PAYLOAD);
        if self.last == 0 {
            self.talkspurt = true;
            return;
        }
        let marker = std::mem::take(&mut self.talkspurt);
        let timestamp = from.wrapping_add(encoded.later);
        let payload_type = encoded.payload_type;
        let header = Header { payload_type, marker, seq: self.seq, timestamp, ssrc: self.ssrc };
        if write_packet(&header, &[], &mut self.packet).is_some() {
            send(&self.packet[..HEADER_LEN + self.last]);
            self.count(self.last);
        }
    }

    /// The newest payload of sound.
    fn payload(&self) -> &[u8] {
        &self.packet[HEADER_LEN..][..self.last]
    }

    fn count(&mut self, bytes: usize) {
        self.seq = self.seq.next();
        self.stats.packets += 1;
        self.stats.bytes += bytes as u64;
    }

    fn send(
        &mut self,
        (payload_type, marker): (u8, bool),
        timestamp: u32,
        payload: &[u8],
        send: &mut impl FnMut(&[u8]),
    ) {
        let header = Header { payload_type, marker, seq: self.seq, timestamp, ssrc: self.ssrc };
        if let Some(packet) = write_packet(&header, payload, &mut self.packet) {
            send(packet);
            self.count(payload.len());
        }
    }
}

/// Why a key is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PressError {
    /// Too many wait.
    #[error(transparent)]
    Full(#[from] Full),
    /// The other side takes no telephone events.
    #[error("no payload type was agreed for telephone events: send the key as tones")]
    NotAgreed,
}

#[cfg(test)]
mod tests {
    use super::super::packet::Packet;
    use super::*;

    const TONE: [i16; 160] = [1_000; 160];

    fn sender() -> RtpSender {
        RtpSender::new(&Payloads::default(), 7, RtpSeq(65_535), u32::MAX - 100)
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
        leg.set_codec(Codec::PCMA);
        assert_eq!(tick(&mut leg), [(0, false, 0, 379, 160)]);
        leg.press(Digit::from_event(1).unwrap(), Duration::ZERO).unwrap();
        assert_eq!(tick(&mut leg), [(8, false, 1, 539, 160), (101, true, 2, 699, 4)]);
    }

    #[test]
    fn a_frame_of_the_wrong_length_is_brought_to_a_tick() {
        let mut leg = sender();
        let mut lengths = Vec::new();
        for pcm in [&[0i16; 500][..], &[0; 50], &[]] {
            leg.tick(pcm, |packet| lengths.push(packet.len() - HEADER_LEN));
        }
        assert_eq!(lengths, [160; 3]);
        assert_eq!(leg.timestamp(), (u32::MAX - 100).wrapping_add(480));
    }
}
