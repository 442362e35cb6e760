//! A file that is left alone after the first error.

use std::io::{self, Read, Seek, SeekFrom, Write};

/// Passes everything on until something fails, and nothing after that.
pub(super) struct Fuse<W> {
    inner: W,
    blown: bool,
}

impl<W> Fuse<W> {
    pub(super) fn new(inner: W) -> Self {
        Fuse { inner, blown: false }
    }

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

impl<W: Read> Read for Fuse<W> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.guard(|inner| inner.read(buf))
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
