//! A file of any length, piece by piece, channel by channel, at its own rate.

use std::fs;
use std::io::{BufReader, Read};
use std::path::Path;

use super::header::{self, Layout};
use super::{File, WavError, WavFormat, g711};
use crate::codec::Decode;
use crate::resample::HZ;

/// The most channels that are read.
const MAX_CHANNELS: u16 = 64;
/// A length from here on is what programs write that cannot go back to correct it (2 GiB less a
/// few KiB, or all ones): the samples go on until the file ends.
const ENDLESS: u32 = 0x7FFF_F000;

/// Reads a WAV file of 8, 16, 24 or 32-bit PCM, 32 or 64-bit float, µ-law or A-law, with 1 to 64
/// channels, at 8,000 to 192,000 Hz. It holds no more of it than is asked for at a time.
///
/// Blocks and allocates: not for the media thread.
pub struct WavStream<R> {
    reader: R,
    file: File,
    samples: Samples,
    channels: u16,
    hz: u32,
    /// Bytes of samples that are to come, and those that the header promised; none when nobody
    /// knows.
    left: Option<u64>,
    promised: u64,
    bytes: Vec<u8>,
}

/// How a sample is written down.
enum Samples {
    /// 8 bits around 128, or 16, 24 or 32 with a sign: so many bytes.
    Int(usize),
    /// 4 or 8 bytes.
    Float(usize),
    Law(Box<dyn Decode>),
}

impl WavStream<BufReader<fs::File>> {
    /// Opens the file at `path`, by name also one of G.711 without a header, as
    /// [`Pcm::load`](super::Pcm::load) does.
    ///
    /// # Errors
    /// What is wrong with the file, and what to do about it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, WavError> {
        let file = File::at(path.as_ref());
        let reader = match fs::File::open(path.as_ref()) {
            Ok(open) => BufReader::new(open),
            Err(error) => return Err(WavError::reading(file, error)),
        };
        match g711::raw_law(path.as_ref()) {
            None => Self::begin(reader, file),
            Some(law) => Ok(WavStream {
                reader,
                file,
                samples: Samples::Law(law.decoder()),
                channels: 1,
                hz: law.rate().hz(),
                left: None,
                promised: 0,
                bytes: Vec::new(),
            }),
        }
    }
}

impl<R: Read> WavStream<R> {
    /// Reads the header of a WAV file; the reader is at its start, and better buffered.
    ///
    /// # Errors
    /// What is wrong with the data, and what to do about it.
    pub fn new(reader: R) -> Result<Self, WavError> {
        Self::begin(reader, File::unnamed())
    }

    fn begin(mut reader: R, file: File) -> Result<Self, WavError> {
        let (layout, data) = header::read(&mut reader, &file)?;
        let Layout { channels, hz, .. } = layout;
        let Some(samples) = Samples::of(&layout).filter(|_| (1..=MAX_CHANNELS).contains(&channels))
        else {
            return Err(unsupported(&layout, file));
        };
        if !HZ.contains(&hz) {
            return Err(WavError::RateOutOfRange { file, hz });
        }
        let promised = u64::from(data.len);
        let left = (data.len < ENDLESS).then_some(promised);
        Ok(WavStream { reader, file, samples, channels, hz, left, promised, bytes: Vec::new() })
    }

    /// How many channels it has.
    pub fn channels(&self) -> usize {
        self.channels.into()
    }

    /// Its rate in hertz.
    pub fn hz(&self) -> u32 {
        self.hz
    }

    /// Reads the next `most` samples of each channel, fewer at the end, none behind it. They take
    /// the place of what is in `out`, which then has a piece for each channel.
    ///
    /// Samples of more than 16 bits are rounded; floats beyond ±1 are clipped, and what is no number
    /// is silence.
    ///
    /// # Errors
    /// When the file cannot be read any further, or has ended before its header says: what was
    /// there has been given before.
    pub fn read(&mut self, most: usize, out: &mut Vec<Vec<i16>>) -> Result<usize, WavError> {
        out.resize_with(self.channels(), Vec::new);
        out.iter_mut().for_each(Vec::clear);
        let instant = self.samples.bytes() * self.channels();
        let wanted = (most as u64).saturating_mul(instant as u64);
        let wanted = self.left.map_or(wanted, |left| wanted.min(left));
        self.bytes.clear();
        let got = (&mut self.reader).take(wanted).read_to_end(&mut self.bytes);
        let got = got.map_err(|error| WavError::reading(self.file.clone(), error))? as u64;
        // A last instant that is not whole is nothing.
        let instants = self.bytes.len() / instant;
        if let Some(left) = &mut self.left {
            *left -= (instants * instant) as u64;
            if instants == 0 && got < wanted {
                return Err(self.truncated());
            }
        }
        self.samples.spread(self.bytes.get(..instants * instant).unwrap_or(&[]), out);
        Ok(instants)
    }

    fn truncated(&self) -> WavError {
        let width = self.samples.bytes() as u64;
        let missing = self.left.unwrap_or(0) / width;
        let (file, expected) = (self.file.clone(), self.promised / width);
        WavError::Truncated { file, missing, expected }
    }
}

impl<R> std::fmt::Debug for WavStream<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WavStream({}, {} channels at {} Hz)", self.file, self.channels, self.hz)
    }
}

impl Samples {
    fn of(layout: &Layout) -> Option<Self> {
        match (layout.tag, layout.bits) {
            (1, bits @ (8 | 16 | 24 | 32)) => Some(Samples::Int(usize::from(bits / 8))),
            (3, bits @ (32 | 64)) => Some(Samples::Float(usize::from(bits / 8))),
            _ => layout.format().and_then(WavFormat::law).map(|law| Samples::Law(law.decoder())),
        }
    }

    /// Bytes of one.
    fn bytes(&self) -> usize {
        match self {
            Samples::Int(bytes) | Samples::Float(bytes) => *bytes,
            Samples::Law(_) => 1,
        }
    }

    /// Deals the samples in `bytes` out to the channels.
    fn spread(&mut self, bytes: &[u8], out: &mut [Vec<i16>]) {
        let channels = out.len();
        for (channel, out) in out.iter_mut().enumerate() {
            let width = self.bytes();
            let own = bytes.chunks_exact(width).skip(channel).step_by(channels);
            match self {
                Samples::Int(1) => {
                    out.extend(own.filter_map(|b| Some((i16::from(*b.first()?) - 128) << 8)));
                }
                // By far the most files are of this kind, and mono.
                Samples::Int(2) if channels == 1 => {
                    out.extend(bytes.as_chunks().0.iter().map(|bytes| i16::from_le_bytes(*bytes)));
                }
                Samples::Int(2) => {
                    let frames = bytes.as_chunks::<2>().0.chunks_exact(channels);
                    out.extend(frames.map(|frame| i16::from_le_bytes(frame[channel])));
                }
                Samples::Int(_) => out.extend(own.map(int)),
                Samples::Float(_) => out.extend(own.map(float)),
                Samples::Law(decoder) => {
                    let codes: Vec<u8> = own.flatten().copied().collect();
                    out.resize(codes.len(), 0);
                    decoder.decode(&codes, out);
                }
            }
        }
    }
}

/// An integer of two to four bytes, the lowest first, rounded to 16 bits.
fn int(bytes: &[u8]) -> i16 {
    let value = bytes.iter().rev().fold(0, |value, byte| value << 8 | i64::from(*byte));
    let bits = bytes.len() * 8;
    let signed = value << (64 - bits) >> (64 - bits);
    let below = bits - 16;
    let half = if below == 0 { 0 } else { 1 << (below - 1) };
    ((signed + half) >> below).min(i16::MAX.into()) as i16
}

fn float(bytes: &[u8]) -> i16 {
    let value = match (bytes.first_chunk(), bytes.first_chunk()) {
        (_, Some(double)) => f64::from_le_bytes(*double),
        (Some(single), None) => f32::from_le_bytes(*single).into(),
        (None, None) => 0.0,
    };
    (value * 32_768.0).round() as i16 // saturates; what is no number becomes silence
}

fn unsupported(layout: &Layout, file: File) -> WavError {
    let Layout { tag, channels, bits, .. } = layout;
    let kind = match tag {
        1 => "integer samples",
        3 => "float samples",
        _ => "samples that are compressed or not known",
    };
    WavError::Unsupported { file, found: format!("{bits}-bit {kind}, {channels} channels") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Codec;
    use proptest::prelude::*;

    fn wav(tag: u16, channels: u16, bits: u16, data: &[u8], promised: u32) -> Vec<u8> {
        let hz = 8_000u32;
        let block = channels * (bits / 8);
        let fmt: [&[u8]; 6] = [
            &tag.to_le_bytes(),
            &channels.to_le_bytes(),
            &hz.to_le_bytes(),
            &(hz * u32::from(block)).to_le_bytes(),
            &block.to_le_bytes(),
            &bits.to_le_bytes(),
        ];
        let head = [b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0", &fmt.concat()[..], b"data"].concat();
        [&head[..], &promised.to_le_bytes(), data].concat()
    }

    /// All of a file, `most` samples of each channel at a time, and the error at its end.
    fn read(bytes: &[u8], most: usize) -> Result<(Vec<Vec<i16>>, Option<WavError>), WavError> {
        let mut stream = WavStream::new(bytes)?;
        let (mut all, mut piece) = (vec![Vec::new(); stream.channels()], Vec::new());
        loop {
            match stream.read(most, &mut piece) {
                Ok(0) => return Ok((all, None)),
                Ok(n) => assert!(n <= most && piece.iter().all(|samples| samples.len() == n)),
                Err(error) => return Ok((all, Some(error))),
            }
            all.iter_mut().zip(&piece).for_each(|(all, piece)| all.extend(piece));
        }
    }

    #[test]
    fn every_format_has_the_same_level_and_channels_stay_apart() {
        let (l, r) = (0.5, -0.25);
        let int = |bits: u32| {
            let one = |v: f64| ((v * (1i64 << (bits - 1)) as f64) as i64).to_le_bytes();
            [&one(l)[..bits as usize / 8], &one(r)[..bits as usize / 8]].concat()
        };
        let both = |one: &[u8], other: &[u8]| [one, other].concat();
        let formats = [
            (1, 8, vec![128 + 64, 128 - 32]),
            (1, 16, int(16)),
            (1, 24, int(24)),
            (1, 32, int(32)),
            (3, 32, both(&(l as f32).to_le_bytes(), &(r as f32).to_le_bytes())),
            (3, 64, both(&l.to_le_bytes(), &r.to_le_bytes())),
        ];
        for (tag, bits, instant) in formats {
            let data = instant.repeat(100);
            let file = wav(tag, 2, bits, &data, data.len() as u32);
            for most in [1, 7, 100, 1_000] {
                let (all, error) = read(&file, most).unwrap();
                assert!(error.is_none() && all == [[16_384; 100], [-8_192; 100]], "{bits} {tag}");
            }
        }
    }

    #[test]
    fn every_code_of_both_laws_is_read_as_the_codec_has_it() {
        let codes: Vec<u8> = (0..=255).collect();
        for (tag, law) in [(7, Codec::PCMU), (6, Codec::PCMA)] {
            let mut samples = vec![0; 256];
            law.decoder().decode(&codes, &mut samples);
            let (all, error) = read(&wav(tag, 1, 8, &codes, 256), 100).unwrap();
            assert!(error.is_none() && all == [samples]);
        }
    }

    #[test]
    fn extremes_are_clipped_and_no_number_is_silence() {
        let floats = [7.0f32, -7.0, f32::NAN, f32::INFINITY].map(f32::to_le_bytes).concat();
        let (all, _) = read(&wav(3, 1, 32, &floats, 16), 9).unwrap();
        assert_eq!(all, [[i16::MAX, i16::MIN, 0, i16::MAX]]);
        let (all, _) = read(&wav(1, 1, 24, b"\xFF\xFF\x7F\0\0\x80", 6), 9).unwrap();
        assert_eq!(all, [[i16::MAX, i16::MIN]]);
    }

    #[test]
    fn a_truncated_file_gives_what_is_there_and_then_says_so() {
        let (all, error) = read(&wav(1, 2, 16, &[1; 403], 800), 60).unwrap();
        assert_eq!(all, [[257; 100], [257; 100]]);
        let message = error.unwrap().to_string();
        assert!(message.contains("truncated, 200 of its 400 samples are missing"), "{message}");
    }

    #[test]
    fn a_length_that_nobody_has_corrected_is_the_rest_of_the_file() {
        for length in [u32::MAX, 0x7FFF_F000] {
            let (all, error) = read(&wav(1, 1, 16, &[1; 500], length), 60).unwrap();
            assert!(error.is_none() && all == [[257; 250]]);
        }
    }

    #[test]
    fn errors_say_what_is_wrong() {
        let message = |bytes: &[u8]| WavStream::new(bytes).unwrap_err().to_string();
        assert!(message(b"").contains("it ends before any samples"));
        assert!(message(b"ID3 is not a WAV").contains("is not a WAV file"));
        assert!(message(&wav(0x11, 1, 4, &[], 0)).contains("4-bit samples that are compressed"));
        assert!(message(&wav(1, 0, 16, &[], 0)).contains("0 channels"));
        let missing = WavStream::open("/no/such/file.wav").unwrap_err().to_string();
        assert_eq!(missing, "/no/such/file.wav does not exist: check the path");
    }

    proptest! {
        #[test]
        fn mutated_and_truncated_files_never_panic(
            format in prop::sample::select(vec![(1, 8), (1, 16), (1, 24), (3, 32), (3, 64), (7, 8)]),
            channels in 0u16..70,
            changes in prop::collection::vec((0usize..60, any::<u8>()), 0..6),
            length in 0usize..300,
        ) {
            let mut bytes = wav(format.0, channels, format.1, &[3; 256], 256);
            for (at, byte) in changes {
                bytes[at] = byte;
            }
            bytes.truncate(length);
            let _ = read(&bytes, 7);
        }
    }
}
