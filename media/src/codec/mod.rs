//! Codecs: how samples become payload bytes and back.
//!
//! A [`Codec`] is a name. It says all that RTP and SDP need to know of a payload (its name, its two
//! rates, its static number if it has one, how long a payload is) and makes the two objects that
//! do the work, an [`Encode`] and a [`Decode`]. Objects are made where allocation is allowed; at
//! work they neither allocate nor fail, whatever bytes they are given.
//!
//! A codec has two rates. Its audio rate is that of its samples; its clock rate is that of RTP's
//! timestamps. They differ for G.722 (16 kHz of audio by a clock of 8 kHz, RFC 3551 section 4.5.2)
//! and for Opus (any rate by a clock of 48 kHz, RFC 7587 section 4.1).
//!
//! Each codec is one file, with its `Format`, its constant of [`Codec`] and its two objects. To add
//! one, write that file and add its format to the list `FORMATS`.
//!
//! ```
//! use stasis_media::codec::{Codec, EncodeSettings};
//!
//! let codec = Codec::G722;
//! assert_eq!((codec.rate().hz(), codec.clock_hz(), codec.payload_type()), (16_000, 8_000, Some(9)));
//! let (mut encoder, mut decoder) = (codec.encoder(&EncodeSettings::default()), codec.decoder());
//! let (mut payload, mut heard) = ([0; 160], [0; 320]);
//! assert_eq!(encoder.encode(&[1_000; 320], &mut payload), 160);
//! assert_eq!(decoder.decode(&payload, &mut heard), 320);
//! ```

mod g711;
mod g722;
mod l16;
#[cfg(feature = "opus")]
mod opus;

use crate::frame::{Ptime, SampleRate};
use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Every format, the plainest first.
const FORMATS: &[&'static dyn Format] = &[
    g711::MU_LAW,
    g711::A_LAW,
    g722::FORMAT,
    l16::FORMAT,
    #[cfg(feature = "opus")]
    opus::FORMAT,
];

/// What one codec is, at all its audio rates: what its file says of it.
trait Format: Sync {
    /// The encoding name of RFC 3551 table 4, or of its own RFC.
    fn name(&self) -> &'static str;

    /// The audio rates that it has, lowest first.
    fn rates(&self) -> &'static [SampleRate];

    /// The rate of RTP's timestamps.
    fn clock_hz(&self, rate: SampleRate) -> u32 {
        rate.hz()
    }

    /// The static payload type, if it has one.
    fn payload_type(&self) -> Option<u8> {
        None
    }

    /// What `rtpmap` says behind the clock rate: the channels, where it is not one.
    fn rtpmap_suffix(&self) -> &'static str {
        ""
    }

    /// Samples in `payload`; none when the sender is silent, or it cannot be read.
    fn samples_in(&self, rate: SampleRate, payload: &[u8]) -> usize;

    /// Whether its decoders remember what they have heard, so that to go from one encoder to another
    /// leaves a seam.
    fn remembers(&self) -> bool {
        false
    }

    /// The most samples that go into a packet.
    fn longest(&self, rate: SampleRate) -> usize {
        rate.samples_in(Ptime::LONGEST)
    }

    /// Bytes that a tick (20 ms) usually takes.
    fn tick_bytes(&self, _rate: SampleRate) -> usize {
        160
    }

    fn encoder(&self, rate: SampleRate, settings: &EncodeSettings) -> Box<dyn Encode>;

    fn decoder(&self, rate: SampleRate) -> Box<dyn Decode>;
}

/// One direction of one stream: samples in, payloads out.
pub trait Encode: Send {
    /// Encodes `pcm`, which follows on what was encoded before, into `payload`; returns the bytes
    /// written.
    ///
    /// `pcm` holds 10, 20, 30, 40, 50 or 60 ms at the codec's audio rate, at most
    /// [`Codec::longest`]; Opus has no 30 and 50 ms. `payload` holds
    /// [`MAX_PAYLOAD`](crate::rtp::MAX_PAYLOAD) bytes or what is expected. 0 is nothing to be sent:
    /// silence that was told of already, or lengths that the codec has not. Never allocates.
    fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> usize;

    /// Goes on in the place of `other`, an encoder of the same codec and settings: what it encodes
    /// from here on is for decoders that have heard the other. `before` is the tick that the other
    /// encoded last. A codec that remembers nothing has nothing to do. Never allocates.
    fn follow(&mut self, other: &dyn Encode, before: &[i16]) {
        let _ = (other, before);
    }

    /// All that it remembers, for another to follow; none when that is nothing, or cannot be had.
    fn memory(&self) -> Option<&dyn Any> {
        None
    }
}

/// The other direction: payloads in, samples out.
pub trait Decode: Send {
    /// Decodes `payload`, any bytes, into `out` as far as both reach; returns the samples written.
    ///
    /// `out` is to have room for [`Codec::samples_in`]. Never allocates.
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize;

    /// Makes up what was lost, as long as `out`; `false` when this codec has no means of its own,
    /// and then `out` is left as it is. Never allocates.
    ///
    /// `next` is the payload that follows on the loss, if it has come: it may hold a copy of what
    /// was lost (forward error correction). It is to be decoded after this as always.
    fn conceal(&mut self, next: Option<&[u8]>, out: &mut [i16]) -> bool {
        let _ = (next, out);
        false
    }
}

/// What an encoder is asked for. A codec that does not have the choice ignores it.
///
/// ```
/// # use stasis_media::codec::EncodeSettings;
/// let robust = EncodeSettings { fec: true, expected_loss_percent: 10, ..Default::default() };
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodeSettings {
    /// Bits a second; `None`: what the codec takes for good speech at its audio rate (Opus: 12 kbit/s
    /// at 8 kHz to 32 kbit/s at 48 kHz).
    pub bitrate: Option<u32>,
    /// How hard the encoder tries, 0 to 10; 5 by default.
    pub complexity: u8,
    /// Each packet repeats the one before at a lower rate. Off until SDP's `useinbandfec` asks for it.
    pub fec: bool,
    /// The share of packets that is thought to be lost, by which `fec` is measured; 5 by default.
    pub expected_loss_percent: u8,
    /// Nothing is sent while there is nothing to be heard. Off until SDP's `usedtx` asks for it.
    pub dtx: bool,
}

impl Default for EncodeSettings {
    fn default() -> Self {
        EncodeSettings {
            bitrate: None,
            complexity: 5,
            fec: false,
            expected_loss_percent: 5,
            dtx: false,
        }
    }
}

/// An audio codec at one audio rate.
#[derive(Clone, Copy)]
pub struct Codec {
    format: &'static dyn Format,
    rate: SampleRate,
}

impl Codec {
    /// Every codec at every audio rate that it has.
    pub fn all() -> impl Iterator<Item = Codec> {
        let at_all = |&format: &&'static dyn Format| {
            format.rates().iter().map(move |&rate| Codec { format, rate })
        };
        FORMATS.iter().flat_map(at_all)
    }

    /// The codec that SDP's `rtpmap` means by an encoding name, in any case, and a clock rate; at
    /// its highest audio rate, where the name does not tell. None when we do not speak it.
    pub fn from_rtpmap(name: &str, clock_hz: u32) -> Option<Codec> {
        Codec::all()
            .filter(|codec| codec.name().eq_ignore_ascii_case(name) && codec.clock_hz() == clock_hz)
            .max_by_key(|codec| codec.rate)
    }

    /// The codec of a static payload type (RFC 3551 table 4); none for a number that is dynamic or
    /// that we do not speak.
    pub fn from_payload_type(payload_type: u8) -> Option<Codec> {
        Codec::all().find(|codec| codec.payload_type() == Some(payload_type))
    }

    /// The same codec at another audio rate; none when it does not have that.
    pub fn at(self, rate: SampleRate) -> Option<Codec> {
        self.format.rates().contains(&rate).then_some(Codec { rate, ..self })
    }

    /// The encoding name, as SDP's `rtpmap` has it: `PCMU`.
    pub fn name(self) -> &'static str {
        self.format.name()
    }

    /// The static RTP payload type of RFC 3551 table 4, if it has one.
    pub fn payload_type(self) -> Option<u8> {
        self.format.payload_type()
    }

    /// The rate of the samples.
    pub fn rate(self) -> SampleRate {
        self.rate
    }

    /// The rate of RTP's timestamps in Hz.
    pub fn clock_hz(self) -> u32 {
        self.format.clock_hz(self.rate)
    }

    /// Samples in `payload`, at the audio rate: none when its sender is silent, or when it cannot
    /// be read.
    pub fn samples_in(self, payload: &[u8]) -> usize {
        self.format.samples_in(self.rate, payload)
    }

    /// The most samples that are sent in one packet: 60 ms, or what an Ethernet frame can carry.
    pub fn longest(self) -> usize {
        self.format.longest(self.rate)
    }

    /// Bytes that a tick (20 ms) usually takes.
    pub(crate) fn tick_bytes(self) -> usize {
        self.format.tick_bytes(self.rate)
    }

    /// Whether its decoders remember what they have heard, so that to go from one encoder to another
    /// leaves a seam.
    pub(crate) fn remembers(self) -> bool {
        self.format.remembers()
    }

    /// An encoder for one stream. Allocates: not for the media thread.
    pub fn encoder(self, settings: &EncodeSettings) -> Box<dyn Encode> {
        self.format.encoder(self.rate, settings)
    }

    /// A decoder for one stream. Allocates: not for the media thread.
    pub fn decoder(self) -> Box<dyn Decode> {
        self.format.decoder(self.rate)
    }
}

impl PartialEq for Codec {
    fn eq(&self, other: &Codec) -> bool {
        (self.name(), self.rate) == (other.name(), other.rate)
    }
}

impl Eq for Codec {}

impl Hash for Codec {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.name(), self.rate).hash(state);
    }
}

/// As `rtpmap` has it: `G722/8000`.
impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}{}", self.name(), self.clock_hz(), self.format.rtpmap_suffix())
    }
}

impl fmt::Debug for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} at {}", self.rate)
    }
}

/// Maps one slice onto the other. Inlined into each caller, so that the loop vectorises.
#[inline(always)]
fn convert<A: Copy, B>(from: &[A], to: &mut [B], each: impl Fn(A) -> B) -> usize {
    let n = from.len().min(to.len());
    for (to, &from) in to[..n].iter_mut().zip(&from[..n]) {
        *to = each(from);
    }
    n
}

#[cfg(test)]
mod tests;
