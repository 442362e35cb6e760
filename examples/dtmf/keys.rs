//! Digits written to a WAV file.

use std::path::Path;

use stasis_media::dtmf::{Dbm0, Digit, ToneGenerator};
use stasis_media::frame::SampleRate;
use stasis_media::wav::{WavError, WavFormat, WavWriter};

/// How digits are keyed.
pub struct Keying {
    pub rate: SampleRate,
    pub low: Dbm0,
    pub high: Dbm0,
    pub on_ms: u32,
    pub off_ms: u32,
}

/// The digits of a text; blanks between them mean nothing. The error says what is none.
pub fn digits(text: &str) -> Result<Vec<Digit>, String> {
    let keys = text.chars().filter(|c| !c.is_whitespace());
    keys.map(|c| Digit::from_char(c).map_err(|error| error.to_string())).collect()
}

/// Writes `digits`, with a pause before each of them and behind the last.
pub fn write(path: &Path, digits: &[Digit], keying: &Keying) -> Result<(), WavError> {
    let Keying { rate, low, high, on_ms, off_ms } = *keying;
    let mut file = WavWriter::create(path, WavFormat::Pcm16, rate)?;
    // A second at a time, however long they are.
    let mut samples = vec![0; rate.hz() as usize];
    let pause = off_ms as usize * (rate.hz() / 1_000) as usize;
    for &digit in digits {
        silence(&mut file, pause, &mut samples)?;
        let mut tone = ToneGenerator::with_levels(digit, rate, on_ms, low, high);
        while !tone.is_done() {
            let n = tone.fill(&mut samples);
            file.write(samples.get(..n).unwrap_or(&[]))?;
        }
    }
    silence(&mut file, pause, &mut samples)?;
    file.finish().map(drop)
}

fn silence(
    file: &mut WavWriter<std::fs::File>,
    mut samples: usize,
    room: &mut [i16],
) -> Result<(), WavError> {
    room.fill(0);
    while samples > 0 {
        let n = samples.min(room.len());
        file.write(room.get(..n).unwrap_or(&[]))?;
        samples -= n;
    }
    Ok(())
}
