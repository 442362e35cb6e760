//! Encoders: a leg's codecs on the way out, of which one is spoken at a time.
//!
//! Ticks are collected until a packet is full, at the audio rate of the codec, and then encoded at
//! once: Opus makes one frame of 60 ms of it, not three of 20. What a packet cannot carry is cut.

use super::payloads::Payloads;
use crate::codec::{Codec, Encode, EncodeSettings};
use crate::frame::{MAX_FRAME, Ptime, SampleRate};
use crate::resample::Resampler;

/// Ticks of the longest packet: 60 ms.
pub(crate) const MAX_TICKS: usize = 3;

/// The encoders of one leg.
pub(crate) struct Encoders {
    rate: SampleRate,
    all: Box<[Encoder]>,
    /// Which one is spoken.
    current: usize,
    /// One tick at the leg's rate.
    frame: Box<[i16; MAX_FRAME]>,
    /// What waits for its packet to be full, at the codec's rate.
    pcm: Box<[i16; MAX_FRAME * MAX_TICKS]>,
    filled: usize,
    settings: EncodeSettings,
}

/// What must be the same for two legs to be sent the same payloads, when they hear the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ShareKey {
    codec: Codec,
    settings: EncodeSettings,
    ticks_per_packet: usize,
}

struct Encoder {
    payload_type: u8,
    codec: Codec,
    encode: Box<dyn Encode>,
    /// From the leg's rate, where that is another.
    resampler: Option<Resampler>,
}

/// A payload that is ready to be sent.
pub(crate) struct Encoded {
    pub(crate) payload_type: u8,
    /// Since the first sample collected, on the codec's clock.
    pub(crate) later: u32,
    /// Its bytes; none when there is nothing to be said.
    pub(crate) len: usize,
}

impl Encoders {
    /// Encoders of all agreed codecs, the first of which is spoken. Allocates all they will need.
    pub(crate) fn new(payloads: &Payloads, settings: &EncodeSettings) -> Self {
        let rate = payloads.rate();
        let encoder = |(payload_type, codec): (u8, Codec)| Encoder {
            payload_type,
            codec,
            encode: codec.encoder(settings),
            resampler: (rate != codec.rate()).then(|| between(rate, codec.rate())),
        };
        Encoders {
            rate,
            all: payloads.codecs().map(encoder).collect(),
            current: 0,
            frame: Box::new([0; MAX_FRAME]),
            pcm: Box::new([0; MAX_FRAME * MAX_TICKS]),
            filled: 0,
            settings: *settings,
        }
    }

    /// The rate of what is to be encoded.
    pub(crate) fn rate(&self) -> SampleRate {
        self.rate
    }

    /// The codec that is spoken; none was agreed when there is none.
    pub(crate) fn codec(&self) -> Option<Codec> {
        self.all.get(self.current).map(|encoder| encoder.codec)
    }

    /// Whether `codec` can be spoken.
    pub(crate) fn speaks(&self, codec: Codec) -> bool {
        self.all.iter().any(|encoder| encoder.codec == codec)
    }

    /// Speaks `codec` from now on, if it was agreed. What was collected is dropped.
    pub(crate) fn speak(&mut self, codec: Codec) {
        if let Some(at) = self.all.iter().position(|encoder| encoder.codec == codec) {
            (self.current, self.filled) = (at, 0);
        }
    }

    /// By which others may be sent what this leg is sent; none when what it speaks needs a converter,
    /// or more than one packet for what is collected.
    pub(crate) fn share_key(&self, ticks_per_packet: usize) -> Option<ShareKey> {
        let encoder = self.all.get(self.current).filter(|encoder| encoder.resampler.is_none())?;
        let codec = encoder.codec;
        let samples = codec.rate().samples_in(Ptime::TICK) * ticks_per_packet;
        let settings = self.settings;
        (samples <= codec.longest()).then_some(ShareKey { codec, settings, ticks_per_packet })
    }

    /// The payload type of what is spoken.
    pub(crate) fn payload_type(&self) -> Option<u8> {
        self.all.get(self.current).map(|encoder| encoder.payload_type)
    }

    /// Goes on in the place of others of the same key, which have heard `before` last.
    pub(crate) fn follow(&mut self, others: &Encoders, before: &[i16]) {
        self.collect_as(others);
        let other = others.all.get(others.current);
        if let (Some(encoder), Some(other)) = (self.all.get_mut(self.current), other) {
            encoder.encode.follow(&*other.encode, before);
        }
    }

    /// Others of the same key take the place of these: with the encoder itself.
    pub(crate) fn hand_over(&mut self, heir: &mut Encoders, before: &[i16]) {
        heir.collect_as(self);
        let other = heir.all.get_mut(heir.current);
        if let (Some(encoder), Some(other)) = (self.all.get_mut(self.current), other) {
            std::mem::swap(&mut encoder.encode, &mut other.encode);
            encoder.encode.follow(&*other.encode, before);
        }
    }

    fn collect_as(&mut self, others: &Encoders) {
        self.filled = others.filled;
        self.pcm[..others.filled].copy_from_slice(&others.pcm[..others.filled]);
    }

    /// Collects one tick at the leg's rate; a longer one is cut, a shorter one ends in silence.
    pub(crate) fn collect(&mut self, pcm: &[i16]) {
        let Some(encoder) = self.all.get_mut(self.current) else { return };
        let tick = encoder.codec.rate().samples_in(Ptime::TICK);
        let Some(place) = self.pcm.get_mut(self.filled..self.filled + tick) else { return };
        self.filled += tick;
        let Some(resampler) = &mut encoder.resampler else { return fill(place, pcm) };
        let frame = &mut self.frame[..self.rate.samples_in(Ptime::TICK)];
        fill(frame, pcm);
        // The frame has the rate that the converter was made for; if not, rather silence.
        if resampler.process(frame, place).is_err() {
            place.fill(0);
        }
    }

    /// Forgets what was collected.
    pub(crate) fn drop_collected(&mut self) {
        self.filled = 0;
    }

    /// Encodes one tick that is a packet of its own straight into `payload`; none when that cannot be:
    /// it has to be converted first, is too long, or shorter than a tick.
    pub(crate) fn encode_tick(&mut self, pcm: &[i16], payload: &mut [u8]) -> Option<Encoded> {
        let encoder = self.all.get_mut(self.current)?;
        let tick = encoder.codec.rate().samples_in(Ptime::TICK);
        let fits = encoder.resampler.is_none() && tick <= encoder.codec.longest();
        let pcm = pcm.get(..tick).filter(|_| fits)?;
        let len = encoder.encode.encode(pcm, payload).min(payload.len());
        Some(Encoded { payload_type: encoder.payload_type, later: 0, len })
    }

    /// Encodes of what was collected the packet that begins at sample `at`, which moves on, into
    /// `payload`. None when that was all.
    pub(crate) fn encode(&mut self, at: &mut usize, payload: &mut [u8]) -> Option<Encoded> {
        let Some(encoder) = self.all.get_mut(self.current).filter(|_| *at < self.filled) else {
            self.filled = 0;
            return None;
        };
        let codec = encoder.codec;
        let until = self.filled.min(*at + codec.longest().max(1));
        let len = encoder.encode.encode(&self.pcm[*at..until], payload).min(payload.len());
        let units = codec.clock_hz() / 1_000;
        let later = *at as u32 * units / (codec.rate().hz() / 1_000);
        *at = until;
        Some(Encoded { payload_type: encoder.payload_type, later, len })
    }
}

fn between(from: SampleRate, to: SampleRate) -> Resampler {
    Resampler::new(from, to).expect("every two rates of the engine have a converter")
}

/// Copies as far as both reach; silence behind that.
fn fill(to: &mut [i16], from: &[i16]) {
    let (given, rest) = to.split_at_mut(from.len().min(to.len()));
    given.copy_from_slice(&from[..given.len()]);
    rest.fill(0);
}
