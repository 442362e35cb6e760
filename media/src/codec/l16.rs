//! L16: samples as they are, 16 bits each, the higher byte first (RFC 3551 section 4.5.11).
//!
//! Its static payload types are for 44.1 kHz, which the engine does not work at, so SDP has to give
//! it a number at every rate. A tick at 48 kHz is longer than an Ethernet frame and goes as two
//! packets.

use super::{Codec, Decode, Encode, EncodeSettings, Format, convert};
use crate::frame::{Ptime, SampleRate};

pub(super) const FORMAT: &dyn Format = &L16;

/// Bytes of a payload that fit an Ethernet frame with the headers of RTP, UDP and IPv6.
const ROOM: usize = 1_440;

impl Codec {
    /// Linear 16-bit PCM, here at 16 kHz; [`Codec::at`] has it at every rate of the engine.
    pub const L16: Codec = Codec { format: FORMAT, rate: SampleRate::Hz16000 };
}

struct L16;

impl Format for L16 {
    fn name(&self) -> &'static str {
        "L16"
    }

    fn rates(&self) -> &'static [SampleRate] {
        &SampleRate::ALL
    }

    fn samples_in(&self, _: SampleRate, payload: &[u8]) -> usize {
        payload.len() / 2
    }

    fn longest(&self, rate: SampleRate) -> usize {
        let ten_ms = rate.samples_in(Ptime::SHORTEST);
        (ROOM / 2 / ten_ms * ten_ms).min(rate.samples_in(Ptime::LONGEST))
    }

    fn tick_bytes(&self, rate: SampleRate) -> usize {
        2 * rate.samples_in(Ptime::TICK)
    }

    fn encoder(&self, _: SampleRate, _: &EncodeSettings) -> Box<dyn Encode> {
        Box::new(L16)
    }

    fn decoder(&self, _: SampleRate) -> Box<dyn Decode> {
        Box::new(L16)
    }
}

impl Encode for L16 {
    fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> usize {
        convert(pcm, payload.as_chunks_mut().0, i16::to_be_bytes) * 2
    }
}

impl Decode for L16 {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        convert(payload.as_chunks().0, out, i16::from_be_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_travel_higher_byte_first_and_half_a_sample_is_left_out() {
        let mut payload = [7; 5];
        assert_eq!(L16.encode(&[0x1234, -2, 3], &mut payload), 4);
        assert_eq!(payload, [0x12, 0x34, 0xFF, 0xFE, 7]);
        let mut pcm = [1; 3];
        assert_eq!(L16.decode(&payload, &mut pcm), 2);
        assert_eq!((pcm, L16.samples_in(SampleRate::Hz8000, &payload)), ([0x1234, -2, 1], 2));
    }

    #[test]
    fn a_packet_holds_whole_ten_milliseconds_and_fits_an_ethernet_frame() {
        let longest = SampleRate::ALL.map(|rate| L16.longest(rate));
        assert_eq!(longest, [480, 640, 720, 640, 480]);
    }
}
