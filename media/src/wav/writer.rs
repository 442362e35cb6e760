//! Recording to a WAV file that can be read at any moment, whatever happens.
//!
//! hound writes a header with a length of zero first and corrects it on `flush`. Two things are
//! added here. The header is corrected after each second of audio, so a crash or a `kill -9`
//! costs at most that second. And once a write has failed the file is not touched any more, not
//! even by hound's destructor, which would otherwise write a header for samples that are not
//! there: the file stays what the last good header says.
//!
//! Samples always reach the file before the header that counts them, and nothing is buffered
//! here, so a header cut off in the middle of a rewrite (the low bytes come first) still counts
//! no more than there is.

use std::fs;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;

use hound::{SampleFormat, WavSpec};

use super::{File, Kept, WavError};
use crate::frame::SampleRate;

/// Most samples written at once.
const CHUNK: usize = 8_192;
/// Most samples in a file: hound counts its bytes, header included, in 32 bits.
const MAX_SAMPLES: u64 = (u32::MAX as u64 - 1_024) / 2;

/// Records mono 16-bit PCM. Blocks: not for the media thread, which feeds it by a ring.
///
/// Dropping it finishes the file as [`WavWriter::finish`] does, but cannot say whether that worked.
pub struct WavWriter<W: Write + Seek> {
    file: File,
    hz: u32,
    hound: hound::WavWriter<Fuse<W>>,
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
    pub fn create(path: impl AsRef<Path>, rate: SampleRate) -> Result<Self, WavError> {
        let file = File::at(path.as_ref());
        match fs::File::create(path) {
            Ok(writer) => Self::begin(writer, rate, file),
            Err(error) => Err(WavError::writing(file, error, Kept { samples: 0, hz: rate.hz() })),
        }
    }
}

impl<W: Write + Seek> WavWriter<W> {
    /// Records to `writer`, which is at its start. A header is written at once. A write is made for
    /// each call: wrap nothing around a file that would hold samples back.
    ///
    /// # Errors
    /// When the header cannot be written: nothing was recorded then.
    pub fn new(writer: W, rate: SampleRate) -> Result<Self, WavError> {
        Self::begin(writer, rate, File::unnamed())
    }

    fn begin(writer: W, rate: SampleRate, file: File) -> Result<Self, WavError> {
        let hz = rate.hz();
        let spec = WavSpec {
            channels: 1,
            sample_rate: hz,
            bits_per_sample: 16,
            sample_format: SampleFormat::Int,
        };
        let fuse = Fuse { inner: writer, blown: false };
        match hound::WavWriter::new(fuse, spec) {
            Ok(hound) => Ok(WavWriter { file, hz, hound, written: 0, kept: 0, given_up: false }),
            Err(error) => Err(WavError::writing(file, io_error(error), Kept { samples: 0, hz })),
        }
    }

    /// Appends `samples`; each second of audio the header is brought up to date.
    ///
    /// # Errors
    /// The first error ends the recording: the file is not touched any more, and every later call
    /// gives [`WavError::GivenUp`].
    pub fn write(&mut self, samples: &[i16]) -> Result<(), WavError> {
        self.check()?;
        if self.written + samples.len() as u64 > MAX_SAMPLES {
            let header = self.hound.flush();
            self.header_written(header)?;
            self.given_up = true;
            return Err(WavError::TooLarge { file: self.file.clone(), kept: self.kept() });
        }
        for chunk in samples.chunks(CHUNK) {
            let mut out = self.hound.get_i16_writer(chunk.len() as u32);
            chunk.iter().for_each(|&sample| out.write_sample(sample));
            let outcome = out.flush();
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
        let header = self.hound.flush();
        self.header_written(header)
    }

    /// Brings the header up to date for the last time, and returns the number of samples recorded.
    ///
    /// # Errors
    /// When that fails, or a write has failed before.
    pub fn finish(mut self) -> Result<u64, WavError> {
        self.flush()?;
        self.given_up = true;
        Ok(self.written)
    }

    /// Samples written so far.
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

    fn header_written(&mut self, outcome: hound::Result<()>) -> Result<(), WavError> {
        self.succeed(outcome)?;
        self.kept = self.written;
        Ok(())
    }

    fn succeed(&mut self, outcome: hound::Result<()>) -> Result<(), WavError> {
        outcome.map_err(|error| {
            self.given_up = true;
            WavError::writing(self.file.clone(), io_error(error), self.kept())
        })
    }
}

impl<W: Write + Seek> std::fmt::Debug for WavWriter<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WavWriter({}, {} samples at {} Hz)", self.file, self.written, self.hz)
    }
}

fn io_error(error: hound::Error) -> io::Error {
    match error {
        hound::Error::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}

/// Passes everything on until something fails, and nothing after that.
struct Fuse<W> {
    inner: W,
    blown: bool,
}

impl<W> Fuse<W> {
    fn guard<T>(&mut self, work: impl FnOnce(&mut W) -> io::Result<T>) -> io::Result<T> {
        if self.blown {
            return Err(io::Error::other("the file was given up after an error"));
        }
        let outcome = work(&mut self.inner);
        // An interrupted call is tried again by the caller.
        self.blown =
            outcome.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        outcome
    }
}

impl<W: Write> Write for Fuse<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.guard(|inner| match inner.write(buf)? {
            0 if !buf.is_empty() => Err(io::ErrorKind::WriteZero.into()),
            n => Ok(n),
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.guard(W::flush)
    }
}

impl<W: Seek> Seek for Fuse<W> {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.guard(|inner| inner.seek(pos))
    }
}

#[cfg(test)]
mod tests;
