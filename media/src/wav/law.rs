//! The body of a µ-law or A-law WAV file, as it is written.
//!
//! Formats other than PCM need a `fmt ` chunk with a length of extra bytes (here 0), and a `fact`
//! chunk with the number of samples (Multimedia Data Standards Update, 1994). So the file is:
//!
//! | from byte | what |
//! | --- | --- |
//! | 0 | `RIFF`, all that follows in bytes, `WAVE` |
//! | 12 | `fmt `, 18, tag, channels, rate, bytes a second, bytes an instant, bits, extra bytes |
//! | 38 | `fact`, 4, samples |
//! | 50 | `data`, bytes, the samples, and a byte more if they are odd |

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::WavFormat;
use super::header::{self, Layout};
use crate::codec::{Codec, Encode, EncodeSettings};

/// Where the samples of our own files begin.
const HEADER: u32 = 58;

/// The header of an empty file.
fn header(format: WavFormat, hz: u32) -> [u8; HEADER as usize] {
    let mut header = [0; HEADER as usize];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        header[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(b"RIFF");
    put(&(HEADER - 8).to_le_bytes());
    put(b"WAVEfmt ");
    put(&18u32.to_le_bytes());
    put(&format.tag().to_le_bytes());
    put(&1u16.to_le_bytes());
    put(&hz.to_le_bytes());
    put(&hz.to_le_bytes());
    put(&1u16.to_le_bytes());
    put(&8u16.to_le_bytes());
    put(&0u16.to_le_bytes());
    put(b"fact");
    put(&4u32.to_le_bytes());
    put(&0u32.to_le_bytes());
    put(b"data");
    put(&0u32.to_le_bytes());
    header
}

/// A file of one byte a sample. It is finished when it is dropped.
pub(super) struct LawBody<W: Write + Seek> {
    writer: W,
    encoder: Box<dyn Encode>,
    bytes: Vec<u8>,
    /// Where the samples begin, and how many there are.
    data: u64,
    len: u32,
    /// Where their number is written, too, if it is.
    fact: Option<u64>,
}

impl<W: Write + Seek> LawBody<W> {
    /// Begins a file; at once there is a header for no samples.
    pub(super) fn new(mut writer: W, format: WavFormat, codec: Codec, hz: u32) -> io::Result<Self> {
        writer.write_all(&header(format, hz))?;
        Ok(LawBody::at(writer, codec, u64::from(HEADER), 0, Some(46)))
    }

    fn at(writer: W, codec: Codec, data: u64, len: u32, fact: Option<u64>) -> Self {
        let encoder = codec.encoder(&EncodeSettings::default());
        LawBody { writer, encoder, bytes: Vec::new(), data, len, fact }
    }

    /// Samples that are in the file.
    pub(super) fn samples(&self) -> u32 {
        self.len
    }

    /// Adds samples; no more than there is room for in 32 bits.
    pub(super) fn append(&mut self, samples: &[i16]) -> io::Result<()> {
        self.bytes.resize(samples.len(), 0);
        let n = self.encoder.encode(samples, &mut self.bytes);
        self.writer.write_all(&self.bytes[..n])?;
        self.len += n as u32;
        Ok(())
    }

    /// Has the header count all samples.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let end = self.data + u64::from(self.len);
        let odd = self.len & 1;
        if odd == 1 {
            self.writer.write_all(&[0])?;
        }
        let size = end + u64::from(odd) - 8;
        self.put(4, u32::try_from(size).unwrap_or(u32::MAX))?;
        if let Some(fact) = self.fact {
            self.put(fact, self.len)?;
        }
        self.put(self.data - 4, self.len)?;
        self.writer.flush()?;
        self.writer.seek(SeekFrom::Start(end)).map(drop)
    }

    fn put(&mut self, at: u64, value: u32) -> io::Result<()> {
        self.writer.seek(SeekFrom::Start(at))?;
        self.writer.write_all(&value.to_le_bytes())
    }
}

impl<W: Read + Write + Seek> LawBody<W> {
    /// Goes on in a file whose header is this one: behind the last sample that it counts.
    pub(super) fn resume(mut writer: W, codec: Codec) -> io::Result<Self> {
        writer.seek(SeekFrom::Start(0))?;
        let mut seen = Vec::new();
        let no_data = || io::Error::from(io::ErrorKind::UnexpectedEof);
        let _: Layout = header::read_layout(&mut writer, &mut seen)?.ok_or_else(no_data)?;
        let begin = seen.len() as u64;
        let found = header::find_data(&mut writer)?.ok_or_else(no_data)?;
        let data = begin + found.at;
        // Ours has it right before the samples; another's is not searched for.
        let fact = (data == u64::from(HEADER)).then_some(46);
        writer.seek(SeekFrom::Start(data + u64::from(found.len)))?;
        Ok(LawBody::at(writer, codec, data, found.len, fact))
    }
}

impl<W: Write + Seek> Drop for LawBody<W> {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}
