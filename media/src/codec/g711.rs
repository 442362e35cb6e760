//! G.711 by arithmetic: µ-law and A-law, one sample at a time.
//!
//! ITU-T G.711 tables 1 and 2 are piecewise linear: a code is a sign, a segment of 3 bits and a
//! step of 4. Within a segment all steps are equal, and each segment's steps are twice as wide as
//! those of the one below. So a magnitude is a tiny float: the segment is its exponent, the step
//! its mantissa. Everything below is shifts and selects in 16-bit lanes, without a table and
//! without a branch: LLVM turns a loop over it into SIMD, several times as fast as a look-up.
//!
//! PCM here has 16 bits: the Recommendation's 14-bit (µ-law) and 13-bit (A-law) values, aligned
//! to the left. A sample on a decision value gets the code of the interval above it.

use super::{Codec, Decode, Encode, EncodeSettings, Format, convert};
use crate::frame::SampleRate;

pub(super) const MU_LAW: &dyn Format = &MuLaw;
pub(super) const A_LAW: &dyn Format = &ALaw;

impl Codec {
    /// G.711 µ-law, 8 kHz, 64 kbit/s: North America and Japan.
    pub const PCMU: Codec = Codec { format: MU_LAW, rate: SampleRate::Hz8000 };
    /// G.711 A-law, 8 kHz, 64 kbit/s: everywhere else.
    pub const PCMA: Codec = Codec { format: A_LAW, rate: SampleRate::Hz8000 };
}

/// Makes `$law` a codec of one byte a sample. There is no state: all of it is the arithmetic below.
macro_rules! g711 {
    ($law:ident, $name:literal, $payload_type:literal, $encode:ident, $decode:ident) => {
        struct $law;

        impl Format for $law {
            fn name(&self) -> &'static str {
                $name
            }

            fn rates(&self) -> &'static [SampleRate] {
                &[SampleRate::Hz8000]
            }

            fn payload_type(&self) -> Option<u8> {
                Some($payload_type)
            }

            fn samples_in(&self, _: SampleRate, payload: &[u8]) -> usize {
                payload.len()
            }

            fn encoder(&self, _: SampleRate, _: &EncodeSettings) -> Box<dyn Encode> {
                Box::new($law)
            }

            fn decoder(&self, _: SampleRate) -> Box<dyn Decode> {
                Box::new($law)
            }
        }

        impl Encode for $law {
            fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> usize {
                convert(pcm, payload, $encode)
            }
        }

        impl Decode for $law {
            fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
                convert(payload, out, $decode)
            }
        }
    };
}

g711!(MuLaw, "PCMU", 0, mu_law_encode, mu_law_decode);
g711!(ALaw, "PCMA", 8, a_law_encode, a_law_decode);

/// µ-law adds 33 of the Recommendation's 14-bit units, so that segments begin at powers of two.
const MU_BIAS: i16 = 33 << 2;
/// The largest magnitude below the µ-law's virtual decision value 8159 (14 bits): beyond, clip.
const MU_CLIP: u16 = (8159 << 2) - 1;

/// The 16-bit value of a µ-law code: the output values `y` of G.711 table 2.
#[inline(always)]
const fn mu_law_decode(code: u8) -> i16 {
    let bits = !code as i16;
    let step = ((bits & 0x0F) << 3) + MU_BIAS;
    signed(shift_by_segment(step, bits >> 4) - MU_BIAS, bits & 0x80 != 0)
}

/// The µ-law code of a 16-bit value, by the decision values `x` of G.711 table 2.
#[inline(always)]
const fn mu_law_encode(sample: i16) -> u8 {
    let magnitude = magnitude(sample);
    let clipped = if magnitude > MU_CLIP { MU_CLIP } else { magnitude };
    let (segment, step) = segment_and_step(clipped + MU_BIAS as u16);
    let code = (segment << 4 | step) as u8;
    !(code | sign_bit(sample))
}

/// The 16-bit value of an A-law code: the output values `y` of G.711 table 1.
#[inline(always)]
const fn a_law_decode(code: u8) -> i16 {
    let bits = (code ^ 0x55) as i16;
    let segment = bits >> 4 & 7;
    let step = (bits & 0x0F) << 4;
    // The two lowest segments have equal steps: only from the second does the implied one count.
    let lowest = step + 8;
    let higher = shift_by_segment(step + 0x108, if segment == 0 { 0 } else { segment - 1 });
    signed(if segment == 0 { lowest } else { higher }, bits & 0x80 == 0)
}

/// The A-law code of a 16-bit value, by the decision values `x` of G.711 table 1.
#[inline(always)]
const fn a_law_encode(sample: i16) -> u8 {
    let magnitude = magnitude(sample);
    let (segment, step) = segment_and_step(if magnitude < 256 { 256 } else { magnitude });
    let higher = segment << 4 | step;
    let code = if magnitude < 256 { magnitude >> 4 } else { higher } as u8;
    (code | 0x80 ^ sign_bit(sample)) ^ 0x55
}

/// `x`, or for a negative one `-x - 1`: 0 to 32767 both, so nothing overflows.
#[inline(always)]
const fn magnitude(sample: i16) -> u16 {
    (sample ^ sample >> 15) as u16
}

#[inline(always)]
const fn sign_bit(sample: i16) -> u8 {
    (sample >> 8) as u8 & 0x80
}

#[inline(always)]
const fn signed(magnitude: i16, negative: bool) -> i16 {
    if negative { -magnitude } else { magnitude }
}

/// `value << (segment & 7)`, in three selects: SSE2 has no shift with a count for each lane.
#[inline(always)]
const fn shift_by_segment(value: i16, segment: i16) -> i16 {
    let by4 = if segment & 4 != 0 { value << 4 } else { value };
    let by2 = if segment & 2 != 0 { by4 << 2 } else { by4 };
    if segment & 1 != 0 { by2 << 1 } else { by2 }
}

/// Splits a magnitude of 128 to 32767 into its segment, 0 to 7, and its step, 0 to 15: the place
/// of its highest bit (from bit 7) and the four bits below that.
#[inline(always)]
const fn segment_and_step(magnitude: u16) -> (u16, u16) {
    let (mut value, mut segment) = (magnitude, 7);
    if value < 0x0800 {
        value <<= 4;
        segment -= 4;
    }
    if value < 0x2000 {
        value <<= 2;
        segment -= 2;
    }
    if value < 0x4000 {
        value <<= 1;
        segment -= 1;
    }
    (segment, value >> 10 & 0x0F)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One row of the Recommendation's tables for positive values, in 16-bit units: an interval
    /// between two decision values, and the output value in its middle.
    struct Step {
        decision: std::ops::Range<i32>,
        output: i32,
    }

    /// The 128 rows of a law, from the first decision value and the step width of each segment.
    fn rows(segments: [(i32, i32); 8]) -> Vec<Step> {
        let row = |first: i32, width: i32| Step {
            decision: first..first + width,
            output: first + width / 2,
        };
        segments
            .iter()
            .flat_map(|&(first, width)| (0..16).map(move |step| row(first + step * width, width)))
            .collect()
    }

    /// G.711 table 2: segment ends 31, 95, 223, … (14 bits), 16 steps each. Its first step is
    /// half as wide and has 0 as its output value; seen around 0 it is as wide as the others.
    fn mu_law_rows() -> Vec<Step> {
        let ends = [-1, 31, 95, 223, 479, 991, 2015, 4063, 8159];
        rows(std::array::from_fn(|s| (ends[s] * 4, (ends[s + 1] - ends[s]) * 4 / 16)))
    }

    /// G.711 table 1: segment ends 16, 32, 64, … (11 bits and sign), 16 steps each.
    fn a_law_rows() -> Vec<Step> {
        let ends = [0, 16, 32, 64, 128, 256, 512, 1024, 2048].map(|end| end * 16);
        rows(std::array::from_fn(|s| (ends[s], (ends[s + 1] - ends[s]) / 16)))
    }

    #[test]
    fn every_mu_law_code_decodes_to_the_recommendations_value() {
        let table: Vec<i32> = mu_law_rows().iter().map(|row| row.output).collect();
        assert_eq!((table[0], table[1], table[127]), (0, 8, 8031 * 4));
        for code in 0..=u8::MAX {
            // Positive values have codes 0xFF downwards, negative ones 0x7F downwards.
            let value = table[usize::from(!code & 0x7F)];
            let expected = if code & 0x80 != 0 { value } else { -value };
            assert_eq!(i32::from(mu_law_decode(code)), expected, "code {code:#04x}");
        }
    }

    #[test]
    fn every_a_law_code_decodes_to_the_recommendations_value() {
        let table: Vec<i32> = a_law_rows().iter().map(|row| row.output).collect();
        assert_eq!((table[0], table[1], table[127]), (8, 24, 4032 * 8));
        for code in 0..=u8::MAX {
            // Even bits are inverted on the line; a set sign bit is a positive value.
            let value = table[usize::from((code ^ 0x55) & 0x7F)];
            let expected = if code & 0x80 != 0 { value } else { -value };
            assert_eq!(i32::from(a_law_decode(code)), expected, "code {code:#04x}");
        }
    }

    #[test]
    fn a_decoded_code_encodes_to_itself() {
        for code in 0..=u8::MAX {
            assert_eq!(a_law_encode(a_law_decode(code)), code);
            // µ-law has two zeros, and linear PCM has one: the negative becomes the positive.
            let expected = if code == 0x7F { 0xFF } else { code };
            assert_eq!(mu_law_encode(mu_law_decode(code)), expected);
        }
    }

    #[test]
    fn silence_is_the_code_of_zero() {
        assert_eq!((mu_law_encode(0), a_law_encode(0)), (0xFF, 0xD5));
    }

    /// Every sample must fall into the row whose decision values enclose it, or the last one.
    fn assert_decided_by(rows: &[Step], encode: fn(i16) -> u8, row_of: fn(u8) -> u8) {
        for sample in i16::MIN..=i16::MAX {
            let row = usize::from(row_of(encode(sample)));
            // The negative half mirrors the positive one; the interval's closed end is its lower.
            let magnitude = i32::from(if sample < 0 { -1 - sample } else { sample });
            let inside = rows[row].decision.contains(&magnitude);
            let clipped = row == 127 && magnitude >= rows[127].decision.end;
            assert!(inside || clipped, "sample {sample} got row {row}");
            assert_eq!(encode(sample) & 0x80 == 0, sample < 0);
        }
    }

    #[test]
    fn every_sample_encodes_by_the_mu_law_decision_values() {
        assert_decided_by(&mu_law_rows(), mu_law_encode, |code| !code & 0x7F);
    }

    #[test]
    fn every_sample_encodes_by_the_a_law_decision_values() {
        assert_decided_by(&a_law_rows(), a_law_encode, |code| (code ^ 0x55) & 0x7F);
    }
}
