//! What the load says, encoded before the start: loops of payloads, one a tick.
//!
//! Speech is that of the demo, cut off above 2 kHz where the pilots are, and so soft that all talkers
//! of a room together stay below the limiter. Each loop is encoded twice in a row and the second time
//! kept, so that its end goes on in its beginning.

use std::f64::consts::{PI, TAU};
use std::io::Cursor;

use stasis_media::codec::{Codec, EncodeSettings};
use stasis_media::dtmf::{Dbm0, Digit, ToneGenerator};
use stasis_media::frame::{Ptime, SampleRate};
use stasis_media::rtp::MAX_PAYLOAD;
use stasis_media::wav::{Pcm, WavError, WavFormat, WavWriter};

use super::pilots::PEAK;
use super::plan::{DIGIT_EVERY_TICKS, DIGIT_TICKS};

/// The demo's.
const VOICES: [&str; 3] = ["alice", "bob", "you"];
/// All talkers of a room together have this root mean square.
const LOUDNESS: f64 = 1_500.0;
/// Above it there is no speech.
const CUT_OFF_HZ: f64 = 2_100.0;
/// Of the filter; 100 samples of 8 kHz to each side.
const HALF_TAPS: usize = 100;
/// Of each of a digit's two tones.
const DIGIT_LEVEL: Dbm0 = Dbm0(-16.0);

/// Payloads, one a tick, over and over.
pub struct Loop(Vec<Box<[u8]>>);

impl Loop {
    /// The payload of the so-manieth tick.
    pub fn payload(&self, tick: u64) -> &[u8] {
        &self.0[(tick % self.0.len() as u64) as usize]
    }

    /// `samples`, an even number of ticks, encoded.
    fn encode(codec: Codec, samples: &[i16]) -> Self {
        let mut encoder = codec.encoder(&EncodeSettings::default());
        let mut payload = [0; MAX_PAYLOAD];
        let mut pass = || -> Vec<Box<[u8]>> {
            let ticks = samples.chunks_exact(codec.rate().samples_in(Ptime::TICK));
            ticks
                .map(|tick| {
                    let len = encoder.encode(tick, &mut payload);
                    payload[..len].into()
                })
                .collect()
        };
        pass();
        Loop(pass())
    }
}

/// The voices, each of them ready to be encoded.
pub struct Voices {
    codec: Codec,
    voices: Vec<Vec<f64>>,
}

impl Voices {
    /// Loads them; `talkers` of them are to be heard at a time.
    ///
    /// # Errors
    /// When the demo's voices are not where they were when this was built.
    pub fn load(codec: Codec, talkers: u32) -> Result<Self, WavError> {
        let load = |name: &str| {
            let path = format!("{}/examples/assets/{name}.wav", env!("CARGO_MANIFEST_DIR"));
            let narrow = Pcm::load(path, SampleRate::Hz8000)?;
            // An even number of ticks, for the pilots; cut before the ends are made to meet.
            let even = narrow.samples().len() / 320 * 320;
            let soft = at_rate(&low_passed(&narrow.samples()[..even]), codec.rate())?;
            let power: f64 = soft.iter().map(|sample| f64::from(*sample).powi(2)).sum();
            let rms = (power / soft.len() as f64).sqrt().max(1.0);
            let two_ticks = 2 * codec.rate().samples_in(Ptime::TICK);
            let whole = soft.len() - soft.len() % two_ticks;
            // Where there are more talkers than places to begin at, some say the same at a time, and
            // are as loud as their sum, not as its root.
            let places = VOICES.len() * (whole / two_ticks).max(1);
            let in_step = (f64::from(talkers) / places as f64).max(1.0);
            let gain = LOUDNESS / rms / (f64::from(talkers.max(1)) * in_step).sqrt();
            Ok(soft[..whole].iter().map(|sample| gain * f64::from(*sample)).collect())
        };
        let voices = VOICES.into_iter().map(load).collect::<Result<_, _>>()?;
        Ok(Voices { codec, voices })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.voices.len()
    }

    /// One of them, with a pilot or without.
    pub fn speech(&self, voice: usize, pilot_hz: Option<u32>) -> Loop {
        let turn = TAU * f64::from(pilot_hz.unwrap_or(0)) / f64::from(self.codec.rate().hz());
        let peak = if pilot_hz.is_some() { PEAK } else { 0.0 };
        let voice = self.voices[voice % self.voices.len()].iter().enumerate();
        let samples: Vec<i16> = voice
            .map(|(at, sample)| (sample + peak * (turn * at as f64).sin()).round() as i16)
            .collect();
        Loop::encode(self.codec, &samples)
    }

    /// All digits in order, with silence between them.
    pub fn digits(&self) -> Loop {
        let rate = self.codec.rate();
        let tick = rate.samples_in(Ptime::TICK);
        let ms = DIGIT_TICKS as u32 * Ptime::TICK.ms();
        let mut samples = vec![0; Digit::ALL.len() * DIGIT_EVERY_TICKS as usize * tick];
        let slots = samples.chunks_exact_mut(DIGIT_EVERY_TICKS as usize * tick);
        for (slot, digit) in slots.zip(Digit::ALL) {
            ToneGenerator::with_levels(digit, rate, ms, DIGIT_LEVEL, DIGIT_LEVEL).fill(slot);
        }
        Loop::encode(self.codec, &samples)
    }
}

/// Audio at 8 kHz without what is above [`CUT_OFF_HZ`]: a sinc under a Blackman window. It goes
/// round: its end is before its beginning.
fn low_passed(samples: &[i16]) -> Vec<i16> {
    let cut = CUT_OFF_HZ / 8_000.0;
    let taps: Vec<f64> = (0..=2 * HALF_TAPS)
        .map(|tap| {
            let at = tap as f64 - HALF_TAPS as f64;
            let sinc = if at == 0.0 { 2.0 * cut } else { (TAU * cut * at).sin() / (PI * at) };
            let phase = PI * tap as f64 / HALF_TAPS as f64;
            sinc * (0.42 - 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
        })
        .collect();
    let around: Vec<f64> = samples
        .iter()
        .cycle()
        .skip(samples.len() - HALF_TAPS)
        .take(samples.len() + 2 * HALF_TAPS)
        .map(|sample| f64::from(*sample))
        .collect();
    let filtered = around.windows(taps.len()).map(|window| {
        window.iter().zip(&taps).map(|(sample, tap)| sample * tap).sum::<f64>().round() as i16
    });
    filtered.collect()
}

/// Audio at 8 kHz brought to another rate, by the way of a WAV file in memory.
fn at_rate(samples: &[i16], rate: SampleRate) -> Result<Vec<i16>, WavError> {
    let mut file = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut file, WavFormat::Pcm16, SampleRate::Hz8000)?;
    writer.write(samples)?;
    writer.finish()?;
    file.set_position(0);
    Ok(Pcm::read(file, rate)?.samples().to_vec())
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    #[test]
    fn speech_leaves_the_pilots_alone_and_a_room_of_talkers_stays_below_the_limiter() {
        for talkers in [1, 3, 50] {
            let voices = Voices::load(Codec::PCMU, talkers).unwrap();
            assert_eq!(voices.count(), 3);
            for voice in &voices.voices {
                assert_eq!(voice.len() % 320, 0);
                let peak = voice.iter().fold(0.0f64, |peak, sample| peak.max(sample.abs()));
                assert!(peak < 12_000.0 / f64::from(talkers).sqrt(), "{peak}");
            }
        }
        let hiss: Vec<i16> = (0..7_998).map(|n| if n % 3 == 0 { 9_000 } else { -4_500 }).collect();
        assert!(low_passed(&hiss).iter().all(|sample| sample.abs() < 30), "2,667 Hz");
    }

    #[test]
    fn loops_are_whole_seconds_of_digits_and_even_ticks_of_speech() {
        let voices = Voices::load(Codec::G722, 2).unwrap();
        assert_eq!(voices.digits().0.len() as u64, 16 * DIGIT_EVERY_TICKS);
        let speech = voices.speech(4, Some(2_625));
        let ticks = speech.0.len() as u64;
        assert!(ticks.is_multiple_of(2) && ticks > 200);
        assert_eq!(speech.payload(0), speech.payload(ticks));
        assert!((0..ticks).all(|tick| speech.payload(tick).len() == 160));
    }
}
