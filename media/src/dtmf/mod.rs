//! DTMF: digits, the in-band generator and detector (ITU-T Q.23, Q.24).
//!
//! A digit is a pair of tones, one of a low and one of a high group of frequencies. [`Digit`] is
//! the vocabulary, whatever a digit came by (in-band tones, RFC 4733 events, a REST call);
//! [`ToneGenerator`] sings it, [`Detector`] hears it and [`Squelch`] takes it out. How well they are
//! heard is in `media/docs/dtmf.md`.

mod bank;
mod detector;
mod digit;
mod generator;
mod history;
mod settings;
mod spectrum;
mod squelch;
mod tone;
mod verdict;

pub use detector::{Detector, DtmfEvent};
pub use digit::{Digit, NotADigit};
pub use generator::{Dbm0, ToneGenerator};
pub use settings::{DtmfSettings, Rejection, Rejections, UnknownProfile};
pub use squelch::{Absorb, SQUELCH_DELAY, Squelch};
