//! Files of µ-law and A-law: WAV, or nothing but the bytes.

use std::io::Read;
use std::path::Path;

use super::header::{self, Layout};
use super::{File, MAX_SECONDS, Pcm, WavError, WavFormat};
use crate::codec::Codec;
use crate::frame::SampleRate;
use crate::resample::{HZ, resample_all};

/// The law of a file without a header, by how its name ends.
pub(super) fn raw_law(path: &Path) -> Option<Codec> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    match ending.as_str() {
        "ulaw" | "ul" | "pcmu" => Some(Codec::PCMU),
        "alaw" | "al" | "pcma" => Some(Codec::PCMA),
        _ => None,
    }
}

/// Reads bytes without a header, of one channel at 8 kHz.
pub(super) fn read_raw(
    reader: impl Read,
    codec: Codec,
    rate: SampleRate,
    file: File,
) -> Result<Pcm, WavError> {
    let hz = u64::from(codec.rate().hz());
    let mut bytes = Vec::new();
    let most = hz * MAX_SECONDS;
    if let Err(error) = reader.take(most + 1).read_to_end(&mut bytes) {
        return Err(WavError::reading(file, error));
    }
    if bytes.len() as u64 > most {
        return Err(WavError::TooLong { file, seconds: MAX_SECONDS + 1 });
    }
    pcm(&decode(codec, &bytes), codec.rate().hz(), rate, file)
}

/// Reads on in a WAV file that has said that it is of this law.
pub(super) fn read_wav(
    mut reader: impl Read,
    layout: &Layout,
    format: WavFormat,
    codec: Codec,
    rate: SampleRate,
    file: File,
) -> Result<Pcm, WavError> {
    let Layout { channels, hz, .. } = *layout;
    if !(1..=2).contains(&channels) {
        let found = format!("{format} samples, {channels} channels");
        return Err(WavError::Unsupported { file, found });
    }
    if !HZ.contains(&hz) {
        return Err(WavError::RateOutOfRange { file, hz });
    }
    let len = match header::find_data(&mut reader) {
        Ok(Some(data)) => data.len,
        Ok(None) => {
            return Err(WavError::NotWav { file, reason: "it ends before any samples" });
        }
        Err(error) => return Err(WavError::reading(file, error)),
    };
    let (expected, channels) = (u64::from(len), usize::from(channels));
    let seconds = expected / channels as u64 / u64::from(hz);
    if seconds > MAX_SECONDS {
        return Err(WavError::TooLong { file, seconds });
    }
    let mut bytes = Vec::new();
    if let Err(error) = reader.take(expected).read_to_end(&mut bytes) {
        return Err(WavError::reading(file, error));
    }
    let missing = expected - bytes.len() as u64;
    if missing > 0 {
        return Err(WavError::Truncated { file, missing, expected });
    }
    let samples = decode(codec, &bytes);
    let average = |both: &[i16]| {
        let sum: i32 = both.iter().map(|&sample| i32::from(sample)).sum();
        (sum / channels as i32) as i16
    };
    let mono: Vec<i16> = samples.chunks_exact(channels).map(average).collect();
    pcm(&mono, hz, rate, file)
}

fn decode(codec: Codec, bytes: &[u8]) -> Vec<i16> {
    let mut samples = vec![0; bytes.len()];
    codec.decoder().decode(bytes, &mut samples);
    samples
}

fn pcm(mono: &[i16], hz: u32, rate: SampleRate, file: File) -> Result<Pcm, WavError> {
    let samples =
        resample_all(mono, hz, rate).map_err(|_| WavError::RateOutOfRange { file, hz })?;
    Ok(Pcm::new(rate, samples))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A WAV file of these bytes; the `fact` chunk is left out, as many programs do.
    fn wav(tag: u16, channels: u16, hz: u32, bits: u16, data: &[u8]) -> Vec<u8> {
        let block = u32::from(channels) * u32::from(bits / 8);
        let fmt = [
            &18u32.to_le_bytes()[..],
            &tag.to_le_bytes(),
            &channels.to_le_bytes(),
            &hz.to_le_bytes(),
            &(hz * block).to_le_bytes(),
            &(block as u16).to_le_bytes(),
            &bits.to_le_bytes(),
            &[0, 0],
        ];
        let len = (data.len() as u32).to_le_bytes();
        let odd = b"LIST\x03\0\0\0abc\0";
        let body = [b"WAVE", &odd[..], b"fmt ", &fmt.concat(), odd, b"data", &len, data].concat();
        [b"RIFF", &(body.len() as u32).to_le_bytes()[..], &body].concat()
    }

    fn read(bytes: &[u8]) -> Result<Pcm, WavError> {
        Pcm::read(bytes, SampleRate::Hz8000)
    }

    #[test]
    fn every_code_of_both_laws_is_read_as_the_codec_has_it() {
        let all: Vec<u8> = (0..=255).collect();
        for (tag, law) in [(7, Codec::PCMU), (6, Codec::PCMA)] {
            let samples = decode(law, &all);
            assert_eq!(read(&wav(tag, 1, 8_000, 8, &all)).unwrap().samples(), samples);
            let both: Vec<u8> = all.iter().flat_map(|&code| [code, code]).collect();
            assert_eq!(read(&wav(tag, 2, 8_000, 8, &both)).unwrap().samples(), samples);
        }
        let wide = read(&wav(7, 1, 16_000, 8, &[0xFF; 1_600])).unwrap();
        assert_eq!(wide.samples(), [0; 800]);
    }

    #[test]
    fn errors_are_those_of_other_files() {
        let good = wav(7, 1, 8_000, 8, &[0xFF; 1_000]);
        let message = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        let cut = message(&good[..good.len() - 400]);
        assert!(cut.contains("truncated, 400 of its 1000 samples are missing"), "{cut}");
        for len in 0..good.len() - 1_000 {
            let error = read(&good[..len]).unwrap_err();
            assert!(matches!(error, WavError::NotWav { .. }), "{len} bytes: {error}");
        }
        assert!(message(&wav(6, 3, 8_000, 8, &[0; 9])).contains("A-law samples, 3 channels"));
        assert!(message(&wav(6, 1, 4_000, 8, &[0; 9])).contains("4000 Hz"));
        assert!(read(&wav(6, 1, 8_000, 16, &[0; 8])).is_err(), "not a law of 16 bits");
        let mut long = good;
        let at = long.len() - 1_004;
        long[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(message(&long).contains("536870 s long"));
    }

    #[test]
    fn a_file_without_a_header_is_known_by_its_name() {
        let law = |name: &str| raw_law(Path::new(name)).map(Codec::name);
        for name in ["a.ulaw", "b/c.UL", "x.wav.pcmu"] {
            assert_eq!(law(name), Some("PCMU"));
        }
        for name in ["a.alaw", "b.al", "c.PCMA"] {
            assert_eq!(law(name), Some("PCMA"));
        }
        assert_eq!([law("ulaw"), law("a.wav"), law("a.ulaw.gz")], [None; 3]);
        let rate = SampleRate::Hz8000;
        let raw = |bytes: &[u8]| read_raw(bytes, Codec::PCMA, rate, File::unnamed());
        assert_eq!(raw(&[0xD5, 0x55]).unwrap().samples(), [8, -8]);
        assert!(raw(&[]).unwrap().samples().is_empty());
        let long = read_raw(std::io::repeat(0xD5), Codec::PCMA, rate, File::unnamed());
        assert!(matches!(long, Err(WavError::TooLong { seconds: 3_601, .. })));
    }

    proptest! {
        #[test]
        fn mutated_and_truncated_files_never_panic(
            tag in 6u16..8,
            channels in 0u16..4,
            changes in prop::collection::vec((0usize..90, any::<u8>()), 0..6),
            length in 0usize..200,
        ) {
            let mut bytes = wav(tag, channels, 8_000, 8, &[3; 100]);
            for (at, byte) in changes {
                if let Some(to) = bytes.get_mut(at) {
                    *to = byte;
                }
            }
            bytes.truncate(length);
            let _ = read(&bytes);
        }
    }
}
