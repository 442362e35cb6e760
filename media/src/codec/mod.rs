//! Codecs: how samples become payload bytes and back.
//!
//! One value of [`Codec`] says all that RTP needs to know about a payload: its number, its rate,
//! its length and the arithmetic. Both directions work on borrowed slices and never allocate.

mod g711;

use crate::frame::SampleRate;

/// An audio codec with a static payload type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// G.711 µ-law, 8 kHz, 64 kbit/s: North America and Japan.
    Pcmu,
    /// G.711 A-law, 8 kHz, 64 kbit/s: everywhere else.
    Pcma,
}

impl Codec {
    /// Every codec, the preferred one first.
    pub const ALL: [Codec; 2] = [Codec::Pcmu, Codec::Pcma];

    /// The encoding name of RFC 3551 table 4, as SDP's `rtpmap` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Pcmu => "PCMU",
            Codec::Pcma => "PCMA",
        }
    }

    /// The static RTP payload type of RFC 3551 table 4.
    pub const fn payload_type(self) -> u8 {
        match self {
            Codec::Pcmu => 0,
            Codec::Pcma => 8,
        }
    }

    /// The codec of a static payload type (RFC 3551 table 4); none for a number we do not speak.
    pub const fn from_payload_type(payload_type: u8) -> Option<Codec> {
        match payload_type {
            0 => Some(Codec::Pcmu),
            8 => Some(Codec::Pcma),
            _ => None,
        }
    }

    /// The rate of the samples, which is the RTP clock rate too.
    pub const fn rate(self) -> SampleRate {
        SampleRate::Hz8000
    }

    /// Samples in a payload of `payload_len` bytes: G.711 has one in every byte.
    pub const fn samples_in(self, payload_len: usize) -> usize {
        payload_len
    }

    /// The payload byte of digital silence: 0xFF for µ-law, 0xD5 for A-law.
    pub const fn silence(self) -> u8 {
        match self {
            Codec::Pcmu => g711::mu_law_encode(0),
            Codec::Pcma => g711::a_law_encode(0),
        }
    }

    /// Decodes `payload` into `out` as far as both reach, and returns the number of samples written.
    pub fn decode(self, payload: &[u8], out: &mut [i16]) -> usize {
        match self {
            Codec::Pcmu => convert(payload, out, g711::mu_law_decode),
            Codec::Pcma => convert(payload, out, g711::a_law_decode),
        }
    }

    /// Encodes `pcm` into `out` as far as both reach, and returns the number of bytes written.
    pub fn encode(self, pcm: &[i16], out: &mut [u8]) -> usize {
        match self {
            Codec::Pcmu => convert(pcm, out, g711::mu_law_encode),
            Codec::Pcma => convert(pcm, out, g711::a_law_encode),
        }
    }
}

impl std::fmt::Display for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
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
mod tests {
    use super::*;

    #[test]
    fn payload_types_are_those_of_rfc_3551_and_no_other() {
        for number in 0..=u8::MAX {
            let codec = Codec::from_payload_type(number);
            assert_eq!(codec.map(Codec::payload_type), [0, 8].contains(&number).then_some(number));
        }
        assert_eq!(Codec::Pcmu.name(), "PCMU");
        assert_eq!(Codec::Pcma.to_string(), "PCMA");
    }

    #[test]
    fn silence_is_the_code_of_zero() {
        assert_eq!(Codec::Pcmu.silence(), 0xFF);
        assert_eq!(Codec::Pcma.silence(), 0xD5);
    }

    #[test]
    fn the_shorter_slice_decides_how_much_is_converted() {
        for codec in Codec::ALL {
            let mut pcm = [1i16; 4];
            assert_eq!(codec.decode(&[codec.silence(); 3], &mut pcm), 3);
            assert_eq!(pcm[3], 1);
            assert_eq!(codec.decode(&[0; 9], &mut pcm), 4);
            let mut payload = [7u8; 2];
            assert_eq!(codec.encode(&pcm, &mut payload), 2);
            assert_eq!(codec.encode(&[], &mut payload), 0);
            assert_eq!(codec.samples_in(160), 160);
        }
    }
}
