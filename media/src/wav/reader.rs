//! Any file of PCM or G.711 as samples at one of the engine's rates.

use std::fs;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hound::{SampleFormat, WavReader, WavSpec};

use super::{File, WavError, g711, header};
use crate::codec::Codec;
use crate::frame::SampleRate;
use crate::resample::{HZ, resample_all};

/// The longest file that is loaded, in seconds: an hour, which is 346 MB at 48 kHz.
pub const MAX_SECONDS: u64 = 3_600;

/// The endings of the files that [`Pcm::load`] reads, those of WAV first.
pub const ENDINGS: [&str; 7] = ["wav", "ulaw", "ul", "pcmu", "alaw", "al", "pcma"];

/// A sound in memory: mono samples at one rate. A clone shares them.
#[derive(Clone)]
pub struct Pcm {
    rate: SampleRate,
    samples: Arc<[i16]>,
}

impl Pcm {
    /// A sound made of `samples`.
    pub fn new(rate: SampleRate, samples: impl Into<Arc<[i16]>>) -> Self {
        Pcm { rate, samples: samples.into() }
    }

    /// Loads a WAV file of 8, 16, 24 or 32-bit PCM, 32-bit float, µ-law or A-law, mono or stereo
    /// (mixed to mono), at 8,000 to 192,000 Hz, and resamples it to `rate`. A file whose name ends
    /// with `.ulaw`, `.ul` or `.pcmu`, `.alaw`, `.al` or `.pcma` is taken for the bytes of G.711
    /// alone, without a header, at 8,000 Hz.
    ///
    /// Blocks and allocates: not for the media thread.
    ///
    /// # Errors
    /// What is wrong with the file, and what to do about it.
    pub fn load(path: impl AsRef<Path>, rate: SampleRate) -> Result<Self, WavError> {
        let path = path.as_ref();
        match fs::File::open(path) {
            Ok(open) => Pcm::read_as(path, BufReader::new(open), rate),
            Err(error) => Err(WavError::reading(File::at(path), error)),
        }
    }

    /// Reads what [`Pcm::load`] would find in a file of this name.
    pub(crate) fn read_as(
        path: &Path,
        reader: impl Read,
        rate: SampleRate,
    ) -> Result<Self, WavError> {
        let file = File::at(path);
        match g711::raw_law(path) {
            Some(law) => g711::read_raw(reader, law, rate, file),
            None => read(reader, rate, file),
        }
    }

    /// Loads a WAV file from any reader, as [`Pcm::load`] does.
    ///
    /// # Errors
    /// What is wrong with the data, and what to do about it.
    pub fn read(reader: impl Read, rate: SampleRate) -> Result<Self, WavError> {
        read(reader, rate, File::unnamed())
    }

    /// The law of a file that has no header, by its ending.
    pub(crate) fn raw_law(path: &Path) -> Option<Codec> {
        g711::raw_law(path)
    }

    /// The rate in hertz that the header of a WAV file has; none when it has none.
    pub(crate) fn hz_of(mut wav: impl Read) -> Option<u32> {
        let layout = header::read_layout(&mut wav, &mut Vec::new());
        layout.ok()?.map(|layout| layout.hz)
    }

    /// A way back to this sound while anybody else has it.
    pub(crate) fn downgrade(&self) -> WeakPcm {
        WeakPcm { rate: self.rate, samples: Arc::downgrade(&self.samples) }
    }

    /// The rate.
    pub fn rate(&self) -> SampleRate {
        self.rate
    }

    /// The samples.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }

    /// How long it lasts.
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.rate.hz()))
    }
}

/// A sound that others may have let go of.
#[derive(Clone, Debug)]
pub(crate) struct WeakPcm {
    rate: SampleRate,
    samples: Weak<[i16]>,
}

impl WeakPcm {
    pub(crate) fn upgrade(&self) -> Option<Pcm> {
        Some(Pcm { rate: self.rate, samples: self.samples.upgrade()? })
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.samples.strong_count() == 0
    }
}

impl std::fmt::Debug for Pcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pcm({}, {:?})", self.rate, self.duration())
    }
}

/// A reader that remembers whether it came to its end, which hound reports like any other error.
struct Watched<R> {
    inner: R,
    ended: bool,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.ended |= n == 0 && !buf.is_empty();
        Ok(n)
    }
}

fn read(mut reader: impl Read, rate: SampleRate, file: File) -> Result<Pcm, WavError> {
    let mut seen = Vec::new();
    let law = match header::read_layout(&mut reader, &mut seen) {
        Ok(layout) => layout.and_then(|layout| {
            let format = layout.format()?;
            Some((layout, format, format.law()?))
        }),
        // Said by hound, which finds the same end.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
        Err(error) => return Err(WavError::reading(file, error)),
    };
    match law {
        Some((layout, format, codec)) => g711::read_wav(reader, &layout, format, codec, rate, file),
        None => read_pcm(io::Cursor::new(seen).chain(reader), rate, file),
    }
}

fn read_pcm(reader: impl Read, rate: SampleRate, file: File) -> Result<Pcm, WavError> {
    let mut watched = Watched { inner: reader, ended: false };
    let mut wav = match WavReader::new(&mut watched) {
        Ok(wav) => wav,
        Err(error) => return Err(header_error(error, watched.ended, file)),
    };
    let (spec, expected) = (wav.spec(), u64::from(wav.len()));
    check(&spec, expected, &file)?;
    let mut mono = Vec::new();
    let failure = match spec.sample_format {
        SampleFormat::Int => {
            let scale = 1.0 / (1u64 << (spec.bits_per_sample - 1)) as f32;
            mix(wav.samples::<i32>().map(|s| s.map(|s| s as f32 * scale)), spec.channels, &mut mono)
        }
        SampleFormat::Float => mix(wav.samples::<f32>(), spec.channels, &mut mono),
    };
    if let Err((error, read)) = failure {
        let missing = expected.saturating_sub(read);
        return Err(match error {
            hound::Error::IoError(_) if watched.ended => {
                WavError::Truncated { file, missing, expected }
            }
            hound::Error::IoError(error) => WavError::reading(file, error),
            _ => unsupported(&spec, file),
        });
    }
    let hz = spec.sample_rate;
    let samples =
        resample_all(&mono, hz, rate).map_err(|_| WavError::RateOutOfRange { file, hz })?;
    Ok(Pcm::new(rate, samples))
}

/// Averages the channels of each sampling instant. On an error, says how many samples came before.
fn mix(
    samples: impl Iterator<Item = hound::Result<f32>>,
    channels: u16,
    mono: &mut Vec<i16>,
) -> Result<(), (hound::Error, u64)> {
    let (mut sum, mut read) = (0.0, 0u64);
    for sample in samples {
        sum += sample.map_err(|error| (error, read))?;
        read += 1;
        if read % u64::from(channels) == 0 {
            // Saturates; what is no number becomes silence.
            mono.push((sum / f32::from(channels) * 32_768.0).round() as i16);
            sum = 0.0;
        }
    }
    Ok(())
}

fn check(spec: &WavSpec, samples: u64, file: &File) -> Result<(), WavError> {
    let width = match spec.sample_format {
        SampleFormat::Int => matches!(spec.bits_per_sample, 8 | 16 | 24 | 32),
        SampleFormat::Float => spec.bits_per_sample == 32,
    };
    if !width || !(1..=2).contains(&spec.channels) {
        return Err(unsupported(spec, file.clone()));
    }
    let hz = spec.sample_rate;
    if !HZ.contains(&hz) {
        return Err(WavError::RateOutOfRange { file: file.clone(), hz });
    }
    let seconds = samples / u64::from(spec.channels) / u64::from(hz);
    if seconds > MAX_SECONDS {
        return Err(WavError::TooLong { file: file.clone(), seconds });
    }
    Ok(())
}

fn header_error(error: hound::Error, ended: bool, file: File) -> WavError {
    match error {
        hound::Error::IoError(_) if ended => {
            WavError::NotWav { file, reason: "it ends before any samples" }
        }
        hound::Error::IoError(error) => WavError::reading(file, error),
        hound::Error::FormatError(reason) => WavError::NotWav { file, reason },
        _ => WavError::Unsupported { file, found: "compressed samples".to_owned() },
    }
}

fn unsupported(spec: &WavSpec, file: File) -> WavError {
    let kind = match spec.sample_format {
        SampleFormat::Int => "integer",
        SampleFormat::Float => "float",
    };
    let (channels, bits) = (spec.channels, spec.bits_per_sample);
    WavError::Unsupported { file, found: format!("{bits}-bit {kind} samples, {channels} channels") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A WAV file in memory; each sampling instant has `values`, scaled to the format.
    fn wav(spec: WavSpec, instants: usize, values: &[f64]) -> Vec<u8> {
        let mut bytes = io::Cursor::new(Vec::new());
        let mut writer = hound::WavWriter::new(&mut bytes, spec).unwrap();
        for _ in 0..instants {
            for value in values {
                match spec.sample_format {
                    SampleFormat::Float => writer.write_sample(*value as f32).unwrap(),
                    SampleFormat::Int => {
                        let full = (1u64 << (spec.bits_per_sample - 1)) as f64;
                        writer.write_sample((value * full) as i32).unwrap();
                    }
                }
            }
        }
        writer.finalize().unwrap();
        bytes.into_inner()
    }

    fn spec(channels: u16, sample_rate: u32, bits_per_sample: u16) -> WavSpec {
        WavSpec { channels, sample_rate, bits_per_sample, sample_format: SampleFormat::Int }
    }

    fn load(bytes: &[u8]) -> Result<Pcm, WavError> {
        Pcm::read(bytes, SampleRate::Hz8000)
    }

    #[test]
    fn every_width_has_the_same_level_and_stereo_is_mixed() {
        let float = WavSpec { sample_format: SampleFormat::Float, ..spec(2, 8_000, 32) };
        for format in [8, 16, 24, 32].map(|bits| spec(2, 8_000, bits)).into_iter().chain([float]) {
            let pcm = load(&wav(format, 100, &[0.5, -0.25])).unwrap();
            assert_eq!(pcm.samples(), [4_096; 100], "{format:?}");
            let mono = WavSpec { channels: 1, ..format };
            assert_eq!(load(&wav(mono, 80, &[-0.5])).unwrap().samples(), [-16_384; 80]);
        }
        let loud = load(&wav(WavSpec { channels: 1, ..float }, 2, &[7.0, f64::NAN])).unwrap();
        assert_eq!(loud.samples(), [i16::MAX, 0, i16::MAX, 0]);
    }

    #[test]
    fn any_rate_is_resampled_to_the_right_length() {
        for hz in [8_000, 11_025, 44_100, 48_000, 192_000] {
            for rate in SampleRate::ALL {
                let bytes = wav(spec(1, hz, 16), hz as usize / 5, &[0.1]);
                let pcm = Pcm::read(&bytes[..], rate).unwrap();
                assert_eq!(pcm.samples().len(), rate.hz() as usize / 5);
                assert_eq!((pcm.rate(), pcm.duration()), (rate, Duration::from_millis(200)));
            }
        }
    }

    #[test]
    fn errors_say_what_is_wrong_and_what_to_do() {
        let message = |bytes: &[u8]| load(bytes).unwrap_err().to_string();
        assert!(message(b"ID3 not a wav").contains("is not a WAV file (no RIFF tag found)"));
        assert!(message(b"").contains("it ends before any samples"));
        let good = wav(spec(1, 8_000, 16), 1_000, &[0.1]);
        let cut = message(&good[..44 + 1_000]);
        assert!(cut.contains("truncated, 500 of its 1000 samples are missing"), "{cut}");
        let rate = message(&wav(spec(1, 4_000, 16), 10, &[0.1]));
        assert!(rate.contains("4000 Hz: convert it to one of 8000 to 192000 Hz"), "{rate}");
        let six = message(&wav(spec(6, 8_000, 16), 10, &[0.1; 6]));
        assert!(six.contains("16-bit integer samples, 6 channels: convert"), "{six}");
        let mut other = good.clone();
        other[20] = 0x11; // IMA ADPCM
        assert!(message(&other).contains("compressed samples: convert it"));
        let mut long = good;
        long[40..44].copy_from_slice(&(8_000u32 * 2 * 4_000).to_le_bytes());
        assert!(message(&long).contains("4000 s long: cut it into parts of at most 3600 s"));
        let missing = Pcm::load("/no/such/file.wav", SampleRate::Hz8000).unwrap_err().to_string();
        assert_eq!(missing, "/no/such/file.wav does not exist: check the path");
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = load(&bytes);
        }

        #[test]
        fn mutated_and_truncated_files_never_panic(
            channels in 1u16..4,
            bits in prop::sample::select(vec![8u16, 16, 24, 32]),
            float: bool,
            changes in prop::collection::vec((0usize..80, any::<u8>()), 0..6),
            length in 0usize..400,
        ) {
            let mut format = spec(channels, 8_000, bits);
            if float {
                format = WavSpec { sample_format: SampleFormat::Float, bits_per_sample: 32, ..format };
            }
            let mut bytes = wav(format, 30, &vec![0.3; channels.into()]);
            for (at, byte) in changes {
                if let Some(to) = bytes.get_mut(at) {
                    *to = byte;
                }
            }
            bytes.truncate(length);
            let _ = load(&bytes);
        }
    }
}
