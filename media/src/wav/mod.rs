//! WAV files in and out.
//!
//! [`Pcm::load`] turns a file of PCM or G.711 into samples at a rate of the engine, [`Player`] plays
//! them tick by tick, [`WavWriter`] records; [`WavStream`] reads a file of any length piece by piece. Loading and recording block and allocate: they belong on
//! a thread of their own; only [`Player::fill`] is for the media thread.

mod error;
mod format;
mod g711;
mod header;
mod law;
mod player;
mod reader;
mod stream;
mod writer;

pub use error::{File, Kept, WavError};
pub use format::WavFormat;
pub use player::{Player, Repeat};
pub(crate) use reader::WeakPcm;
pub use reader::{ENDINGS, MAX_SECONDS, Pcm};
pub use stream::WavStream;
pub use writer::WavWriter;
