//! Tone detection: the signals of networks and fax machines, by frequency, level and rhythm.
//!
//! A [`ToneSpec`] says what a tone is: a [`Cadence`](crate::sound::Cadence), the same that would play
//! it, and how far from it what is heard may be. A [`ToneDetector`] listens for several at once.
//!
//! `bank` measures: every 10 ms, for each frequency that any of the tones has, how much of the last
//! 50 ms it is. `ear` says which sound of a tone that is, if any; `pattern` follows the rhythm of one
//! tone, sound by sound.

mod bank;
mod detector;
mod ear;
mod pattern;
mod spec;

pub use detector::{ToneDetector, ToneEvent};
pub use spec::{MOST_TONES, ToneName, ToneSpec, ToneSpecError};
