//! Recording to a WAV file that can be read at any moment, whatever happens.
//!
//! hound writes PCM, and `law` G.711: a header with a length of zero first, which is corrected on
//! `flush`. Two things are added here. The header is corrected after each second of audio, so a crash or a `kill -9`
//! costs at most that second. And once a write has failed the file is not touched any more, not
//! even by the destructor of either, which would otherwise write a header for samples that are not
//! there: the file stays what the last good header says.
//!
//! Samples always reach the file before the header that counts them, and nothing is buffered
//! here, so a header cut off in the middle of a rewrite (the low bytes come first) still counts
//! no more than there is.

mod fuse;

use std::fs;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use hound::{SampleFormat, WavSpec};

use super::header::{self, Layout};
use super::law::LawBody;
use super::{File, Kept, WavError, WavFormat};
use crate::frame::SampleRate;
use fuse::Fuse;

/// Most samples written at once.
const CHUNK: usize = 8_192;
/// Most bytes of samples in a file: its bytes, header included, are counted in 32 bits. So long a
/// header there may be.
const MAX_BYTES: u64 = u32::MAX as u64 - (1 << 17);

/// Records mono sound, as 16-bit PCM or G.711. Blocks: not for the media thread, which feeds it by a ring.
///
/// Dropping it finishes the file as [`WavWriter::finish`] does, but cannot say whether that worked.
pub struct WavWriter<W: Write + Seek> {
    file: File,
    format: WavFormat,
    hz: u32,
    body: Body<W>,
    /// Samples written, and those of them that the file's header counts.
    written: u64,
    kept: u64,
    given_up: bool,
}

impl WavWriter<fs::File> {
    /// Creates the file at `path`, or empties it, and writes a header.
    ///
    /// # Errors
    /// When the file cannot be created or not even the header fits: nothing was recorded then.
    pub fn create(
        path: impl AsRef<Path>,
        format: WavFormat,
        rate: SampleRate,
    ) -> Result<Self, WavError> {
        let file = File::at(path.as_ref());
        Self::begin(fs::File::create(path), format, rate, file)
    }

    /// Creates the file at `path`, which is not there yet, and writes a header.
    ///
    /// # Errors
    /// As [`create`](Self::create), and [`WavError::Exists`].
    pub fn create_new(
        path: impl AsRef<Path>,
        format: WavFormat,
        rate: SampleRate,
    ) -> Result<Self, WavError> {
        let file = File::at(path.as_ref());
        Self::begin(fs::File::create_new(path), format, rate, file)
    }

    /// Goes on in the file at `path`, at the rate that it has, behind the last sample that its
    /// header counts. What a crash has left behind that, and any chunks behind the samples, are
    /// written over.
    ///
    /// # Errors
    /// When it cannot be opened or is no WAV file; [`WavError::Different`] when it is of another
    /// format, or at a rate that the engine does not have. It is left as it is then.
    pub fn append(path: impl AsRef<Path>, format: WavFormat) -> Result<Self, WavError> {
        let file = File::at(path.as_ref());
        match fs::OpenOptions::new().read(true).write(true).open(path) {
            Ok(writer) => Self::resume(writer, format, file),
            Err(error) => Err(WavError::reading(file, error)),
        }
    }
}

impl<W: Read + Write + Seek> WavWriter<W> {
    fn resume(mut writer: W, format: WavFormat, file: File) -> Result<Self, WavError> {
        let reading = |error| WavError::reading(file.clone(), error);
        let (layout, data) = header::read(&mut writer, &file)?;
        let rate = SampleRate::from_hz(layout.hz);
        let rate = match rate {
            Ok(rate) if layout.format() == Some(format) && layout.channels == 1 => rate,
            _ => return Err(different(&layout, format, file)),
        };
        let end = writer.seek(SeekFrom::End(0)).map_err(reading)?;
        if end < data.at + u64::from(data.len) {
            let expected = u64::from(data.len / format.bytes());
            let there = end.saturating_sub(data.at) / u64::from(format.bytes());
            return Err(WavError::Truncated { file, missing: expected - there, expected });
        }
        let body = match format.law() {
            Some(codec) => LawBody::resume(Fuse::new(writer), codec).map(Body::Law),
            None => {
                writer.seek(SeekFrom::Start(0)).map_err(reading)?;
                hound::WavWriter::new_append(Fuse::new(writer)).map(Body::Pcm).map_err(io_error)
            }
        };
        let body = body.map_err(|error| WavError::reading(file.clone(), error))?;
        let written = body.samples();
        Ok(WavWriter { file, format, hz: rate.hz(), body, written, kept: written, given_up: false })
    }
}

fn different(layout: &Layout, format: WavFormat, file: File) -> WavError {
    let (hz, channels) = (layout.hz, layout.channels);
    let kind = match layout.format() {
        Some(format) => format.to_string(),
        None => format!("format {} with {} bits", layout.tag, layout.bits),
    };
    let found = format!("{kind} at {hz} Hz, {channels} channels");
    WavError::Different { file, found, wanted: format!("{format} at a rate of the engine, mono") }
}

impl<W: Write + Seek> WavWriter<W> {
    /// Records to `writer`, which is at its start. A header is written at once. A write is made for
    /// each call: wrap nothing around a file that would hold samples back.
    ///
    /// # Errors
    /// When the header cannot be written: nothing was recorded then.
    pub fn new(writer: W, format: WavFormat, rate: SampleRate) -> Result<Self, WavError> {
        Self::begin(Ok(writer), format, rate, File::unnamed())
    }

    fn begin(
        writer: io::Result<W>,
        format: WavFormat,
        rate: SampleRate,
        file: File,
    ) -> Result<Self, WavError> {
        let hz = rate.hz();
        match writer.and_then(|writer| Body::new(Fuse::new(writer), format, hz)) {
            Ok(body) => {
                Ok(WavWriter { file, format, hz, body, written: 0, kept: 0, given_up: false })
            }
            Err(error) => Err(WavError::writing(file, error, Kept { samples: 0, hz })),
        }
    }

    /// Appends `samples`; each second of audio the header is brought up to date.
    ///
    /// # Errors
    /// The first error ends the recording: the file is not touched any more, and every later call
    /// gives [`WavError::GivenUp`].
    pub fn write(&mut self, samples: &[i16]) -> Result<(), WavError> {
        self.check()?;
        let all = self.written.saturating_add(samples.len() as u64);
        if all > MAX_BYTES / u64::from(self.format.bytes()) {
            let header = self.body.flush();
            self.header_written(header)?;
            self.given_up = true;
            return Err(WavError::TooLarge { file: self.file.clone(), kept: self.kept() });
        }
        for chunk in samples.chunks(CHUNK) {
            let outcome = self.body.append(chunk);
            self.succeed(outcome)?;
            self.written += chunk.len() as u64;
            if self.written - self.kept >= u64::from(self.hz) {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Brings the header up to date now.
    ///
    /// # Errors
    /// As [`WavWriter::write`].
    pub fn flush(&mut self) -> Result<(), WavError> {
        self.check()?;
        let header = self.body.flush();
        self.header_written(header)
    }

    /// Brings the header up to date for the last time, and returns the number of samples in the file.
    ///
    /// # Errors
    /// When that fails, or a write has failed before.
    pub fn finish(mut self) -> Result<u64, WavError> {
        self.flush()?;
        self.given_up = true;
        Ok(self.written)
    }

    /// The rate of the file in hertz.
    pub fn hz(&self) -> u32 {
        self.hz
    }

    /// Samples in the file so far.
    pub fn samples(&self) -> u64 {
        self.written
    }

    /// What can be read back, even if the power fails now (as far as the system has stored it).
    pub fn kept(&self) -> Kept {
        Kept { samples: self.kept, hz: self.hz }
    }

    fn check(&self) -> Result<(), WavError> {
        if self.given_up {
            return Err(WavError::GivenUp { file: self.file.clone(), kept: self.kept() });
        }
        Ok(())
    }

    fn header_written(&mut self, outcome: io::Result<()>) -> Result<(), WavError> {
        self.succeed(outcome)?;
        self.kept = self.written;
        Ok(())
    }

    fn succeed(&mut self, outcome: io::Result<()>) -> Result<(), WavError> {
        outcome.map_err(|error| {
            self.given_up = true;
            WavError::writing(self.file.clone(), error, self.kept())
        })
    }
}

impl<W: Write + Seek> std::fmt::Debug for WavWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let WavWriter { file, format, written, hz, .. } = self;
        write!(f, "WavWriter({file}, {written} samples of {format} at {hz} Hz)")
    }
}

/// What writes the samples down.
enum Body<W: Write + Seek> {
    Pcm(hound::WavWriter<Fuse<W>>),
    Law(LawBody<Fuse<W>>),
}

impl<W: Write + Seek> Body<W> {
    fn new(writer: Fuse<W>, format: WavFormat, hz: u32) -> io::Result<Self> {
        if let Some(codec) = format.law() {
            return LawBody::new(writer, format, codec, hz).map(Body::Law);
        }
        let spec = WavSpec {
            channels: 1,
            sample_rate: hz,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        hound::WavWriter::new(writer, spec).map(Body::Pcm).map_err(io_error)
    }

    fn samples(&self) -> u64 {
        match self {
            Body::Pcm(hound) => hound.duration().into(),
            Body::Law(law) => law.samples().into(),
        }
    }

    fn append(&mut self, samples: &[i16]) -> io::Result<()> {
        match self {
            Body::Pcm(hound) => {
                let mut out = hound.get_i16_writer(samples.len() as u32);
                samples.iter().for_each(|&sample| out.write_sample(sample));
                out.flush().map_err(io_error)
            }
            Body::Law(law) => law.append(samples),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Body::Pcm(hound) => hound.flush().map_err(io_error),
            Body::Law(law) => law.flush(),
        }
    }
}

fn io_error(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}

#[cfg(test)]
mod tests;
