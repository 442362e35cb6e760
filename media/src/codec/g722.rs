//! G.722 at 64 kbit/s: 16 kHz audio in two bands, each an adaptive differential coder.
//!
//! A pair of mirror filters splits the audio into 0 to 4 kHz and 4 to 8 kHz at 8 kHz each (section
//! 3.1 of ITU-T G.722). In each band a predictor guesses the next sample from six differences and
//! two results before it; what is sent is the difference from the guess, in steps that grow and
//! shrink with the signal: 6 bits for the lower band, 2 for the higher. Both sides move predictor
//! and steps by what was sent alone, so they stay together, and after a loss they find together
//! again: everything that is remembered leaks away.
//!
//! The fixed-point arithmetic is that of the Recommendation's section 6 ("computational details"),
//! so decoders agree to the bit; names in capitals in the comments are its. There are 16-bit words
//! with saturation; products are taken in 32 bits and shifted back, rounding down.

use super::{Codec, Decode, Encode, EncodeSettings, Format};
use crate::frame::SampleRate;
use std::any::Any;

pub(super) const FORMAT: &dyn Format = &G722;

impl Codec {
    /// G.722, 16 kHz, 64 kbit/s. Its RTP clock is 8 kHz, by an error of RFC 1890 that stays (RFC
    /// 3551 section 4.5.2).
    pub const G722: Codec = Codec { format: FORMAT, rate: SampleRate::Hz16000 };
}

struct G722;

impl Format for G722 {
    fn name(&self) -> &'static str {
        "G722"
    }

    fn rates(&self) -> &'static [SampleRate] {
        &[SampleRate::Hz16000]
    }

    fn clock_hz(&self, _: SampleRate) -> u32 {
        8_000
    }

    fn payload_type(&self) -> Option<u8> {
        Some(9)
    }

    fn samples_in(&self, _: SampleRate, payload: &[u8]) -> usize {
        payload.len() * 2
    }

    fn remembers(&self) -> bool {
        true
    }

    fn encoder(&self, _: SampleRate, _: &EncodeSettings) -> Box<dyn Encode> {
        Box::new(Encoder::new())
    }

    fn decoder(&self, _: SampleRate) -> Box<dyn Decode> {
        Box::new(Decoder { join: Mirror::default(), low: Band::LOW, high: Band::HIGH })
    }
}

#[derive(Clone)]
struct Encoder {
    split: Mirror,
    low: Band,
    high: Band,
}

impl Encoder {
    fn new() -> Self {
        Encoder { split: Mirror::default(), low: Band::LOW, high: Band::HIGH }
    }
}

impl Encode for Encoder {
    fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> usize {
        let pairs = pcm.as_chunks().0;
        for (&[first, second], byte) in pairs.iter().zip(payload.iter_mut()) {
            let (a, b) = self.split.filter(first, second);
            let low = LowCode::of(((b + a) >> 14) - self.low.guess, self.low.step);
            self.low.learn(low.coarse(self.low.step), LOW_GROWTH[low.coarse_level()], LOW_RANGE);
            let high = HighCode::of(((b - a) >> 14) - self.high.guess, self.high.step);
            self.high.learn(high.value(self.high.step), high.growth(), HIGH_RANGE);
            *byte = high.0 << 6 | low.0;
        }
        pairs.len().min(payload.len())
    }

    fn follow(&mut self, other: &dyn Encode, _: &[i16]) {
        if let Some(other) = other.memory().and_then(|memory| memory.downcast_ref::<Encoder>()) {
            self.clone_from(other);
        }
    }

    /// Its steps become about as large as those of whom the decoder has heard.
    fn begin(&mut self, before: &[i16]) {
        *self = Encoder::new();
        self.encode(before, &mut [0; 160]);
    }

    fn memory(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

struct Decoder {
    join: Mirror,
    low: Band,
    high: Band,
}

impl Decode for Decoder {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let pairs = out.as_chunks_mut().0;
        for (&byte, [first, second]) in payload.iter().zip(pairs.iter_mut()) {
            let low_sample = self.low.hear_low(byte);
            let high_sample = self.high.hear_high(byte);
            // Of two numbers of 15 bits: their sum and their difference have 16.
            let (sum, difference) = (low_sample + high_sample, low_sample - high_sample);
            let (a, b) = self.join.filter(sum as i16, difference as i16);
            (*first, *second) = (saturate(b >> 11) as i16, saturate(a >> 11) as i16);
        }
        payload.len().min(pairs.len()) * 2
    }
}

/// Every second coefficient of the mirror filters (24 taps), in units of 2^-13; the others are the
/// same in reverse.
const MIRROR: [i16; 12] = [3, -11, 12, 32, -210, 951, 3_876, -805, 362, -156, 53, -11];

/// The delay lines of the mirror filters, the newest value last: the same for splitting (TQMF) and
/// joining (RQMF), only what goes in and comes out differs.
#[derive(Clone, Default)]
struct Mirror {
    first: [i16; 12],
    second: [i16; 12],
}

impl Mirror {
    /// Takes the next value of each line; gives the two filtered.
    fn filter(&mut self, first: i16, second: i16) -> (i32, i32) {
        self.first.copy_within(1.., 0);
        self.second.copy_within(1.., 0);
        (self.first[11], self.second[11]) = (first, second);
        let (mut a, mut b) = (0, 0);
        for n in 0..12 {
            a += i32::from(self.first[n]) * i32::from(MIRROR[n]);
            b += i32::from(self.second[n]) * i32::from(MIRROR[11 - n]);
        }
        (a, b)
    }
}

/// The decision values of the lower band above levels 1, 2, … (Q6), in units of the step × 2^-12.
const LOW_DECISIONS: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1_023,
    1_121, 1_219, 1_339, 1_458, 1_612, 1_765, 1_980, 2_195, 2_557, 2_919,
];
/// What levels 1 to 30 of the lower band stand for, in units of the step × 2^-15
/// (QM6).
const LOW_FINE: [i32; 30] = [
    136, 432, 728, 1_040, 1_360, 1_688, 2_032, 2_400, 2_776, 3_168, 3_576, 4_008, 4_464, 4_944,
    5_456, 6_000, 6_576, 7_192, 7_856, 8_576, 9_360, 10_232, 11_192, 12_280, 13_512, 14_984,
    16_704, 19_008, 21_904, 24_808,
];
/// The same for levels 0 to 7 of a code without its last two bits (QM4), by which both sides learn:
/// so bits may be lost on the way and they stay together.
const LOW_COARSE: [i32; 8] = [0, 1_200, 2_584, 4_240, 6_288, 8_968, 12_896, 20_456];
/// How the logarithm of the step moves by each of those levels (WL).
const LOW_GROWTH: [i32; 8] = [-60, -30, 58, 172, 334, 538, 1_198, 3_042];
/// The largest logarithm of the step, and the shift from it to the step.
const LOW_RANGE: (i32, u32) = (18_432, 8);

/// What the two levels of the higher band stand for (QM2), the decision value between them, how
/// the logarithm of the step moves by them (WH), and its range.
const HIGH_LEVELS: [i32; 2] = [1_616, 7_408];
const HIGH_DECISION: i32 = 564;
const HIGH_GROWTH: [i32; 2] = [-214, 798];
const HIGH_RANGE: (i32, u32) = (22_528, 10);

/// The code of a difference in the lower band, 6 bits: a sign and a level of 1 to 30. The four
/// codes that are left over, 0 to 3, are never sent; heard, they are the least below zero.
#[derive(Clone, Copy)]
struct LowCode(u8);

impl LowCode {
    /// QUANTL.
    fn of(difference: i32, step: i32) -> LowCode {
        let difference = saturate(difference);
        let magnitude = if difference < 0 { !difference } else { difference };
        let level = 1 + LOW_DECISIONS.partition_point(|&value| (value * step) >> 12 <= magnitude);
        LowCode(match (difference < 0, level as u8) {
            (false, level) => 62 - level,
            (true, level @ ..=2) => 64 - level,
            (true, level) => 34 - level,
        })
    }

    /// INVQBL: the difference by all six bits.
    fn fine(self, step: i32) -> i32 {
        let (negative, level) = match self.0 {
            code @ 32..=61 => (false, 62 - code),
            code @ 62..=63 => (true, 64 - code),
            code @ 4..=31 => (true, 34 - code),
            _ => (true, 1),
        };
        scaled(LOW_FINE[usize::from(level - 1) % LOW_FINE.len()], negative, step)
    }

    /// INVQAL: the difference by the first four bits.
    fn coarse(self, step: i32) -> i32 {
        scaled(LOW_COARSE[self.coarse_level()], self.0 & 0x20 == 0, step)
    }

    fn coarse_level(self) -> usize {
        let bits = self.0 >> 2 & 0x0F;
        // Below zero 1 is the largest and 7 the least, above 8 and 14; 0 and 15 are none.
        usize::from((15 - bits + u8::from(bits < 8)) % 8)
    }
}

/// The code of a difference in the higher band, 2 bits: above or below zero, and two levels.
#[derive(Clone, Copy)]
struct HighCode(u8);

impl HighCode {
    /// QUANTH.
    fn of(difference: i32, step: i32) -> HighCode {
        let difference = saturate(difference);
        let magnitude = if difference < 0 { !difference } else { difference };
        let large = magnitude >= (HIGH_DECISION * step) >> 12;
        HighCode(u8::from(difference >= 0) << 1 | u8::from(!large))
    }

    fn level(self) -> usize {
        usize::from(!self.0 & 1)
    }

    /// INVQAH.
    fn value(self, step: i32) -> i32 {
        scaled(HIGH_LEVELS[self.level()], self.0 & 2 == 0, step)
    }

    fn growth(self) -> i32 {
        HIGH_GROWTH[self.level()]
    }
}

/// A level in units of the step, as a difference.
fn scaled(level: i32, negative: bool, step: i32) -> i32 {
    (step * if negative { -level } else { level }) >> 15
}

/// 2048 × 2^(n/32): the inverse logarithm (ILB).
const INVERSE_LOG: [i32; 32] = [
    2_048, 2_093, 2_139, 2_186, 2_233, 2_282, 2_332, 2_383, 2_435, 2_489, 2_543, 2_599, 2_656,
    2_714, 2_774, 2_834, 2_896, 2_960, 3_025, 3_091, 3_158, 3_228, 3_298, 3_371, 3_444, 3_520,
    3_597, 3_676, 3_756, 3_838, 3_922, 4_008,
];

/// What both sides know of one band: the predictor and the step.
#[derive(Clone)]
struct Band {
    /// The guess at the next sample (SL, SH), and the part of it that comes from the differences.
    guess: i32,
    zeros_part: i32,
    /// The step (DETL, DETH) and its logarithm (NBL, NBH).
    step: i32,
    log_step: i32,
    /// The weights of the last two results and of the last six differences; and those, newest
    /// first.
    poles: [i32; 2],
    zeros: [i32; 6],
    results: [i32; 2],
    differences: [i32; 6],
    /// Whether the last two partial results were below zero.
    falling: [bool; 2],
}

impl Band {
    const LOW: Band = Band::new(32);
    const HIGH: Band = Band::new(8);

    const fn new(step: i32) -> Self {
        Band {
            guess: 0,
            zeros_part: 0,
            step,
            log_step: 0,
            poles: [0; 2],
            zeros: [0; 6],
            results: [0; 2],
            differences: [0; 6],
            falling: [false; 2],
        }
    }

    /// What a byte says in the lower band.
    fn hear_low(&mut self, byte: u8) -> i32 {
        let code = LowCode(byte & 0x3F);
        let sample = limit(self.guess + code.fine(self.step));
        self.learn(code.coarse(self.step), LOW_GROWTH[code.coarse_level()], LOW_RANGE);
        sample
    }

    /// What a byte says in the higher band.
    fn hear_high(&mut self, byte: u8) -> i32 {
        let code = HighCode(byte >> 6);
        let difference = code.value(self.step);
        let sample = limit(self.guess + difference);
        self.learn(difference, code.growth(), HIGH_RANGE);
        sample
    }

    /// Moves on by a sample of which the difference to the guess was sent.
    fn learn(&mut self, difference: i32, growth: i32, range: (i32, u32)) {
        self.scale(growth, range);
        let falling = saturate(difference + self.zeros_part) < 0; // PARREC
        self.move_poles(falling);
        self.move_zeros(difference);
        self.results = [saturate(self.guess + difference), self.results[0]]; // RECONS
        self.falling = [falling, self.falling[0]];
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        self.predict();
    }

    /// LOGSCL and SCALEL, or LOGSCH and SCALEH.
    fn scale(&mut self, growth: i32, (largest, shift): (i32, u32)) {
        self.log_step = (((self.log_step * 127) >> 7) + growth).clamp(0, largest);
        let mantissa = INVERSE_LOG[(self.log_step >> 6 & 31) as usize];
        // The exponent is 11 at the most: one more bit to the left, then all that is too many.
        self.step = (mantissa << 1 >> (shift + 1 - (self.log_step >> 11) as u32)) << 2;
    }

    /// UPPOL2 and UPPOL1: by whether this partial result has the sign of those before.
    fn move_poles(&mut self, falling: bool) {
        let [as_last, as_before] = self.falling.map(|before| before == falling);
        let pull = saturate(self.poles[0] << 2);
        let pull = if as_last { saturate(-pull) } else { pull } >> 7;
        let push = if as_before { 128 } else { -128 };
        let second = (pull + push + ((self.poles[1] * 32_512) >> 15)).clamp(-12_288, 12_288);
        let push = if as_last { 192 } else { -192 };
        let most = 15_360 - second;
        let first = (push + ((self.poles[0] * 32_640) >> 15)).clamp(-most, most);
        self.poles = [first, second];
    }

    /// UPZERO: by whether this difference has the sign of each of those before.
    fn move_zeros(&mut self, difference: i32) {
        let push = if difference == 0 { 0 } else { 128 };
        for (weight, before) in self.zeros.iter_mut().zip(self.differences) {
            let push = if (difference < 0) == (before < 0) { push } else { -push };
            *weight = saturate(((*weight * 32_640) >> 15) + push);
        }
    }

    /// FILTEP, FILTEZ and PREDIC.
    fn predict(&mut self) {
        let weighed = |(weight, value): (&i32, &i32)| (weight * saturate(value * 2)) >> 15;
        let poles: i32 = self.poles.iter().zip(&self.results).map(weighed).sum();
        let zeros: i32 = self.zeros.iter().zip(&self.differences).map(weighed).sum();
        self.zeros_part = saturate(zeros);
        self.guess = saturate(saturate(poles) + self.zeros_part);
    }
}

/// To 16 bits.
fn saturate(value: i32) -> i32 {
    value.clamp(i16::MIN.into(), i16::MAX.into())
}

/// LIMIT: to the 15 bits of a band's samples.
fn limit(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lower_code_that_is_sent_stands_for_a_difference_that_gets_it() {
        for code in 4..64 {
            for step in [500, 4_000, 16_384] {
                let difference = LowCode(code).fine(step);
                assert_eq!(LowCode::of(difference, step).0, code, "step {step}");
            }
        }
        for code in 0..4 {
            assert_eq!(LowCode(code).fine(16_384), -68, "never sent, and harmless");
            assert_eq!(LowCode(code).coarse(16_384), 0);
        }
    }

    #[test]
    fn a_coarse_lower_difference_is_that_of_the_middle_of_its_four_codes() {
        for code in (4..64).step_by(4) {
            let fine: i32 = (code..code + 4).map(|code| LowCode(code).fine(16_384)).sum();
            let coarse = LowCode(code).coarse(16_384);
            let near = if code == 60 { coarse == 0 } else { (fine / 4 - coarse).abs() < 300 };
            assert!(near, "{code}: {} and {coarse}", fine / 4);
        }
    }

    #[test]
    fn every_higher_code_stands_for_a_difference_that_gets_it() {
        for code in 0..4 {
            for step in [8, 500, 16_384] {
                assert_eq!(HighCode::of(HighCode(code).value(step), step).0, code, "step {step}");
            }
        }
    }

    #[test]
    fn steps_begin_at_their_least_and_end_at_their_largest() {
        for (mut band, growth, range) in
            [(Band::LOW, 3_042, LOW_RANGE), (Band::HIGH, 798, HIGH_RANGE)]
        {
            let least = band.step;
            band.scale(-1, range);
            assert_eq!(band.step, least);
            (0..200).for_each(|_| band.scale(growth, range));
            assert_eq!(band.step, 16_384);
        }
    }

    #[test]
    fn half_a_pair_is_left_out_and_the_shorter_slice_decides() {
        let mut encoder = FORMAT.encoder(SampleRate::Hz16000, &EncodeSettings::default());
        let mut decoder = FORMAT.decoder(SampleRate::Hz16000);
        let mut payload = [0; 4];
        assert_eq!(encoder.encode(&[9; 7], &mut payload), 3);
        assert_eq!(encoder.encode(&[9; 20], &mut payload), 4);
        assert_eq!(decoder.decode(&payload, &mut [0; 5]), 4);
        assert_eq!(decoder.decode(&payload[..1], &mut [0; 5]), 2);
    }
}
