//! Decoders: a leg's codecs on the way in, and whose turn it is.
//!
//! Any packet may be of any agreed codec. Each codec has its decoder, which remembers its stream,
//! and, where its audio rate is not the leg's, an upsampler. Beyond this file all is at the leg's
//! rate.

use super::packet::MAX_PAYLOAD;
use super::payloads::Payloads;
use crate::codec::{Codec, Decode};
use crate::frame::SampleRate;
use crate::resample::Upsampler;

/// Samples of the longest packet at 8 kHz, G.711's with a byte each: 187.5 ms. No codec's is longer.
const LONGEST: usize = MAX_PAYLOAD;

/// The decoders of one leg.
pub(crate) struct Decoders {
    rate: SampleRate,
    all: Box<[Decoder]>,
    /// Whose packet was decoded last.
    current: Option<usize>,
    /// What has still to be brought to the leg's rate.
    raw: Box<[i16]>,
}

struct Decoder {
    payload_type: u8,
    codec: Codec,
    decode: Box<dyn Decode>,
    upsampler: Option<Upsampler>,
}

impl Decoders {
    /// Decoders of all agreed codecs. Allocates all they will ever need.
    pub(crate) fn new(payloads: &Payloads) -> Self {
        let rate = payloads.rate();
        let decoder = |(payload_type, codec): (u8, Codec)| Decoder {
            payload_type,
            codec,
            decode: codec.decoder(),
            upsampler: Upsampler::new(codec.rate(), rate, longest(codec.rate())),
        };
        Decoders {
            rate,
            all: payloads.codecs().map(decoder).collect(),
            current: None,
            raw: vec![0; longest(rate)].into(),
        }
    }

    /// Samples of the longest packet, at the leg's rate.
    pub(crate) fn longest(&self) -> usize {
        self.raw.len()
    }

    /// Samples in a payload, at the leg's rate.
    pub(crate) fn samples_in(&self, codec: Codec, payload: &[u8]) -> usize {
        let samples = codec.samples_in(payload).min(longest(codec.rate()));
        samples * self.rate.hz() as usize / codec.rate().hz() as usize
    }

    /// Decodes a packet into the front of `out`, which has room for the longest.
    pub(crate) fn decode(&mut self, payload_type: u8, payload: &[u8], out: &mut [i16]) {
        let found = self.all.iter().position(|decoder| decoder.payload_type == payload_type);
        let Some(decoder) = found.and_then(|at| self.all.get_mut(at)) else { return };
        self.current = found;
        match &mut decoder.upsampler {
            None => {
                decoder.decode.decode(payload, out);
            }
            Some(upsampler) => {
                let samples = decoder.decode.decode(payload, &mut self.raw);
                upsampler.process(&self.raw[..samples], out);
            }
        }
    }

    /// Fills `out` in the place of lost sound, by the codec's own means; `false` when the codec that
    /// was decoded last has none. `next` is the packet behind the loss, if it is there.
    pub(crate) fn conceal(&mut self, next: Option<(u8, &[u8])>, out: &mut [i16]) -> bool {
        let Some(decoder) = self.current.and_then(|at| self.all.get_mut(at)) else { return false };
        let same = next.filter(|(payload_type, _)| *payload_type == decoder.payload_type);
        let next = same.map(|(_, payload)| payload);
        let Some(upsampler) = &mut decoder.upsampler else {
            return decoder.decode.conceal(next, out);
        };
        let lost = out.len() * decoder.codec.rate().hz() as usize / self.rate.hz() as usize;
        let Some(raw) = self.raw.get_mut(..lost) else { return false };
        if !decoder.decode.conceal(next, raw) {
            return false;
        }
        let written = upsampler.process(raw, out);
        out[written..].fill(0);
        true
    }
}

fn longest(rate: SampleRate) -> usize {
    LONGEST * (rate.hz() / 8_000) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_is_heard_at_the_legs_rate_and_none_is_longer_than_the_longest() {
        let wide = Codec::L16.at(SampleRate::Hz48000).unwrap();
        let payloads = Payloads::of(&[wide, Codec::PCMU, Codec::G722]).unwrap();
        let mut leg = Decoders::new(&payloads);
        assert_eq!(leg.longest(), 9_000);
        for (payload_type, codec) in payloads.codecs() {
            let mut out = vec![1; leg.longest()];
            leg.decode(payload_type, &[0x55; MAX_PAYLOAD], &mut out);
            let samples = leg.samples_in(codec, &[0x55; MAX_PAYLOAD]);
            assert!((4_500..=9_000).contains(&samples) || codec == wide, "{codec}");
            assert!(out[samples..].iter().all(|&sample| sample == 1), "{codec} is no longer");
            assert!(out[samples / 2..samples].iter().any(|&sample| sample != 1), "{codec}");
            assert!(!leg.conceal(None, &mut out), "it has no means of its own");
        }
    }

    #[test]
    fn what_was_not_agreed_decodes_to_nothing() {
        let mut leg = Decoders::new(&Payloads::default());
        let mut out = [1; MAX_PAYLOAD];
        leg.decode(9, &[0; 160], &mut out);
        assert_eq!(out, [1; MAX_PAYLOAD]);
        assert!(!leg.conceal(Some((0, &[0; 160])), &mut out));
    }
}
