//! The header of a WAV file, chunk by chunk, as far as the first sample.
//!
//! A RIFF file is a list of chunks: a name of four letters, a length, so many bytes, and one more
//! where that is odd. `fmt ` says what the samples are, `data` holds them, all others can be passed
//! over (Multimedia Programming Interface and Data Specifications 1.0, chapters 2 and 3).

use std::io::{self, Read};

use super::{File, WavError, WavFormat};

/// So far into a file its format is looked for: it comes first in nearly every one.
const FAR: usize = 1 << 16;
/// The tag of formats that say in a longer chunk what they are (`WAVE_FORMAT_EXTENSIBLE`).
const EXTENSIBLE: u16 = 0xFFFE;

/// What the samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) tag: u16,
    pub(super) channels: u16,
    pub(super) hz: u32,
    pub(super) bits: u16,
}

impl Layout {
    /// The format, if it is one that we write.
    pub(super) fn format(&self) -> Option<WavFormat> {
        WavFormat::of(self.tag, self.bits)
    }
}

/// Where the samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Data {
    /// The place of the first, in bytes from where the search began.
    pub(super) at: u64,
    /// Their length in bytes.
    pub(super) len: u32,
}

/// Reads up to the first sample: what the samples are, and where, from where the reader was.
///
/// # Errors
/// When it cannot be read, or is no WAV file.
pub(super) fn read(reader: &mut impl Read, file: &File) -> Result<(Layout, Data), WavError> {
    let no_wav = |reason| WavError::NotWav { file: file.clone(), reason };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => no_wav("it ends before any samples"),
        _ => WavError::reading(file.clone(), error),
    };
    let mut seen = Vec::new();
    let layout = read_layout(reader, &mut seen).map_err(failed)?;
    let layout = layout.ok_or_else(|| no_wav("no header that we know"))?;
    let data = find_data(reader).map_err(failed)?;
    let data = data.ok_or_else(|| no_wav("it ends before any samples"))?;
    Ok((layout, Data { at: seen.len() as u64 + data.at, ..data }))
}

/// Reads until it knows what the samples are, and adds all that it has read to `seen`. None when
/// it is no WAV file, or says too late what it is.
pub(super) fn read_layout(
    reader: &mut impl Read,
    seen: &mut Vec<u8>,
) -> io::Result<Option<Layout>> {
    let start = seen.len();
    take(reader, 12, seen)?;
    if seen.get(start..start + 4) != Some(b"RIFF") || seen.get(start + 8..) != Some(b"WAVE") {
        return Ok(None);
    }
    loop {
        let at = seen.len();
        take(reader, 8, seen)?;
        let Some((name, len)) = seen.get(at..).and_then(chunk) else { return Ok(None) };
        let padded = len as usize + (len & 1) as usize;
        if at - start + padded > FAR {
            return Ok(None);
        }
        take(reader, padded, seen)?;
        if &name == b"fmt " {
            return Ok(seen.get(at + 8..).and_then(layout));
        }
    }
}

/// Reads on to the first sample; none when the file ends before.
pub(super) fn find_data(reader: &mut impl Read) -> io::Result<Option<Data>> {
    let mut at = 0;
    loop {
        let mut head = Vec::with_capacity(8);
        match take(reader, 8, &mut head) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            outcome => outcome?,
        }
        let Some((name, len)) = chunk(&head) else { return Ok(None) };
        at += 8;
        if &name == b"data" {
            return Ok(Some(Data { at, len }));
        }
        let padded = u64::from(len) + u64::from(len & 1);
        if io::copy(&mut reader.take(padded), &mut io::sink())? < padded {
            return Ok(None);
        }
        at += padded;
    }
}

/// Exactly so many bytes more.
fn take(reader: &mut impl Read, bytes: usize, to: &mut Vec<u8>) -> io::Result<()> {
    if reader.take(bytes as u64).read_to_end(to)? < bytes {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// The name and the length of a chunk.
fn chunk(bytes: &[u8]) -> Option<([u8; 4], u32)> {
    let (name, rest) = bytes.split_first_chunk()?;
    Some((*name, u32::from_le_bytes(*rest.first_chunk()?)))
}

fn layout(bytes: &[u8]) -> Option<Layout> {
    let word = |at: usize| Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    // The subformat is a GUID that begins with the tag.
    let tag = word(0).filter(|tag| *tag != EXTENSIBLE).or_else(|| word(24))?;
    let hz = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?);
    Some(Layout { tag, channels: word(2)?, hz, bits: word(14)? })
}
