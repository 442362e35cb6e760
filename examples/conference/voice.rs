//! What the three say, and when.

use std::io::Cursor;

use stasis_media::dtmf::Digit;
use stasis_media::frame::SampleRate;
use stasis_media::wav::{Pcm, WavError};

use crate::phone::{Act, What};

/// The conversation repeats after this.
const ROUND_MS: u64 = 27_000;
const ALICE_MS: u64 = 2_000;
const BOB_MS: u64 = 9_500;
const YOU_MS: u64 = 17_000;
/// Then alice and bob speak at the same time, for this long.
const TOGETHER_MS: u64 = 23_500;
const TOGETHER_FOR_MS: usize = 3_000;

/// A bundled recording (`examples/assets/`).
pub struct Voice(&'static [u8]);

pub const ALICE: Voice = Voice(include_bytes!("../assets/alice.wav"));
pub const BOB: Voice = Voice(include_bytes!("../assets/bob.wav"));
pub const YOU: Voice = Voice(include_bytes!("../assets/you.wav"));

impl Voice {
    /// The speech, at a rate.
    pub fn load(&self, rate: SampleRate) -> Result<Pcm, WavError> {
        Pcm::read(Cursor::new(self.0), rate)
    }
}

/// alice presses 1 2 3 as telephone events, then speaks.
pub fn alice(speech: &Pcm) -> Vec<Act> {
    let keys = "123".chars().zip([600, 1_000, 1_400]);
    script(keys.map(|(key, at)| (at, What::PressEvent(digit(key)))), speech, ALICE_MS)
}

/// bob presses 4 5 6 as tones, while alice speaks, then speaks himself.
pub fn bob(speech: &Pcm) -> Vec<Act> {
    let keys = "456".chars().zip([2_600, 3_000, 3_400]);
    script(keys.map(|(key, at)| (at, What::PressTones(digit(key)))), speech, BOB_MS)
}

/// One round of what your microphone hears, when it is a virtual one.
pub fn your_microphone(speech: &Pcm) -> Pcm {
    let at = |ms: u64| speech.rate().hz() as usize / 1_000 * ms as usize;
    let mut samples = vec![0; at(ROUND_MS)];
    let begin = at(YOU_MS);
    let end = (begin + speech.samples().len()).min(samples.len());
    samples[begin..end].copy_from_slice(&speech.samples()[..end - begin]);
    Pcm::new(speech.rate(), samples)
}

fn digit(key: char) -> Digit {
    Digit::from_char(key).expect("a key")
}

/// The keys, and a day of speech at `at_ms` of every round.
fn script(keys: impl Iterator<Item = (u64, What)>, speech: &Pcm, at_ms: u64) -> Vec<Act> {
    let beginning = &speech.samples()[..speech.samples().len().min(8 * TOGETHER_FOR_MS)];
    let beginning = Pcm::new(speech.rate(), beginning);
    let rounds = (0..24 * 3_600_000 / ROUND_MS).map(|round| round * ROUND_MS);
    let speech = rounds.flat_map(|round| {
        [
            (round + at_ms, What::Say(speech.clone())),
            (round + TOGETHER_MS, What::Say(beginning.clone())),
        ]
    });
    let mut acts: Vec<_> = keys.chain(speech).map(|(at_ms, what)| Act { at_ms, what }).collect();
    acts.sort_by_key(|act| act.at_ms);
    acts
}
