//! How the samples of a WAV file are written down.

use crate::codec::Codec;

/// How the samples of a file are written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WavFormat {
    /// 16 bits a sample, as they are: format tag 1.
    #[default]
    Pcm16,
    /// G.711 µ-law, 8 bits a sample: format tag 7.
    Ulaw,
    /// G.711 A-law, 8 bits a sample: format tag 6.
    Alaw,
}

impl WavFormat {
    /// The number that a WAV header has for it (RFC 2361, appendix A).
    pub const fn tag(self) -> u16 {
        match self {
            WavFormat::Pcm16 => 1,
            WavFormat::Alaw => 6,
            WavFormat::Ulaw => 7,
        }
    }

    /// Bytes of a sample.
    pub const fn bytes(self) -> u32 {
        match self {
            WavFormat::Pcm16 => 2,
            WavFormat::Ulaw | WavFormat::Alaw => 1,
        }
    }

    /// The codec that makes its bytes, where samples do not stay as they are.
    pub(super) const fn law(self) -> Option<Codec> {
        match self {
            WavFormat::Pcm16 => None,
            WavFormat::Ulaw => Some(Codec::PCMU),
            WavFormat::Alaw => Some(Codec::PCMA),
        }
    }

    /// What a header's tag and width mean; none for what we do not write.
    pub(super) fn of(tag: u16, bits: u16) -> Option<Self> {
        let all = [WavFormat::Pcm16, WavFormat::Ulaw, WavFormat::Alaw];
        all.into_iter().find(|f| f.tag() == tag && f.bytes() * 8 == u32::from(bits))
    }
}

impl std::fmt::Display for WavFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            WavFormat::Pcm16 => "16-bit PCM",
            WavFormat::Ulaw => "µ-law",
            WavFormat::Alaw => "A-law",
        })
    }
}
