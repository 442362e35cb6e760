//! What is on disk after a failure at any byte.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::wav::Pcm;

const FORMATS: [WavFormat; 3] = [WavFormat::Pcm16, WavFormat::Ulaw, WavFormat::Alaw];
const RATE: SampleRate = SampleRate::Hz8000;

/// When a [`Disk`] fails.
#[derive(Clone, Copy, Debug)]
enum Limit {
    /// After this many bytes were written, to wherever.
    Total(usize),
    /// When the file would grow beyond this: what is there can be written over.
    Growth(usize),
    /// When the file would grow beyond this: by writing nothing, and saying so.
    Zero(usize),
}

/// A file in memory that survives its writer, and fails: the last write before that is partial.
#[derive(Clone)]
struct Disk {
    bytes: Rc<RefCell<Vec<u8>>>,
    at: usize,
    written: usize,
    limit: Limit,
    /// Writes and seeks after the failure.
    touched: Rc<RefCell<Option<usize>>>,
}

impl Disk {
    fn new(limit: Limit) -> Self {
        let (bytes, touched) = (Rc::default(), Rc::default());
        Disk { bytes, at: 0, written: 0, limit, touched }
    }

    fn touch(&self) {
        if let Some(touched) = self.touched.borrow_mut().as_mut() {
            *touched += 1;
        }
    }
}

impl Write for Disk {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.touch();
        let room = match self.limit {
            Limit::Total(limit) => limit - self.written,
            Limit::Growth(limit) | Limit::Zero(limit) => limit.saturating_sub(self.at),
        };
        let n = room.min(buf.len());
        if n == 0 {
            *self.touched.borrow_mut() = Some(0);
            let full = io::ErrorKind::StorageFull;
            return if let Limit::Zero(_) = self.limit { Ok(0) } else { Err(full.into()) };
        }
        let mut bytes = self.bytes.borrow_mut();
        let end = bytes.len().max(self.at + n);
        bytes.resize(end, 0);
        bytes[self.at..][..n].copy_from_slice(&buf[..n]);
        self.at += n;
        self.written += n;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Disk {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.touch();
        self.at = match pos {
            SeekFrom::Start(at) => at as usize,
            SeekFrom::Current(by) => self.at.checked_add_signed(by as isize).unwrap(),
            SeekFrom::End(by) => self.bytes.borrow().len().checked_add_signed(by as isize).unwrap(),
        };
        Ok(self.at as u64)
    }
}

impl Read for Disk {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let bytes = self.bytes.borrow();
        let n = buf.len().min(bytes.len().saturating_sub(self.at));
        buf[..n].copy_from_slice(&bytes[self.at..][..n]);
        self.at += n;
        Ok(n)
    }
}

fn header_of(format: WavFormat) -> usize {
    if format == WavFormat::Pcm16 { 44 } else { 58 }
}

/// What is read back of samples.
fn as_read(samples: &[i16], format: WavFormat) -> Vec<i16> {
    let Some(law) = format.law() else { return samples.to_vec() };
    let (mut bytes, mut back) = (vec![0; samples.len()], vec![0; samples.len()]);
    law.encoder(&Default::default()).encode(samples, &mut bytes);
    law.decoder().decode(&bytes, &mut back);
    back
}

fn sample(i: usize) -> i16 {
    (i as i16).wrapping_mul(31).wrapping_add(7)
}

/// Records 3.1 s in frames of 20 ms to a disk that fails, and looks at what is left.
fn record(limit: Limit, format: WavFormat) {
    let disk = Disk::new(limit);
    let first = match WavWriter::new(disk.clone(), format, RATE) {
        Err(error) => Some((error.to_string(), 0)),
        Ok(mut writer) => {
            let mut first = None;
            for frame in 0..155 {
                let samples: Vec<i16> = (frame * 160..frame * 160 + 160).map(sample).collect();
                match writer.write(&samples) {
                    Ok(()) => assert!(first.is_none(), "{limit:?}: nothing works after an error"),
                    Err(error) if first.is_none() => {
                        first = Some((error.to_string(), writer.kept().samples));
                    }
                    Err(error) => assert!(matches!(error, WavError::GivenUp { .. }), "{error}"),
                }
            }
            match (first, frame_end(writer)) {
                (None, Err((error, kept))) => Some((error, kept)),
                (first, _) => first,
            }
        }
    };
    let touched = *disk.touched.borrow();
    assert_eq!(touched.unwrap_or(0), 0, "{limit:?}: the file is left alone after the error");
    let bytes = disk.bytes.borrow();
    let (Limit::Total(n) | Limit::Growth(n) | Limit::Zero(n)) = limit;
    if n < header_of(format) {
        let (error, _) = first.expect("a header does not fit");
        assert!(error.contains("nothing was recorded"), "{limit:?}: {error}");
        return;
    }
    let read =
        Pcm::read(&bytes[..], RATE).unwrap_or_else(|error| panic!("{limit:?} {format}: {error}"));
    let read = read.samples();
    let whole: Vec<i16> = (0..read.len()).map(sample).collect();
    assert_eq!(read, as_read(&whole, format), "{limit:?} {format}: a prefix");
    match first {
        None => assert_eq!(read.len(), 155 * 160),
        Some((error, kept)) => {
            assert!(!matches!(limit, Limit::Total(_)) || error.contains("is full"), "{error}");
            // Only a header cut off in the middle of its four bytes can count fewer.
            if !matches!(limit, Limit::Total(_)) {
                assert_eq!(read.len() as u64, kept, "{limit:?}");
                assert!(error.contains(&Kept { samples: kept, hz: 8_000 }.to_string()), "{error}");
            }
        }
    }
}

/// Finishes; an error comes with what was kept.
fn frame_end(writer: WavWriter<Disk>) -> Result<u64, (String, u64)> {
    let kept = writer.kept().samples;
    writer.finish().map_err(|error| (error.to_string(), kept))
}

#[test]
fn a_disk_that_fails_at_any_byte_leaves_a_readable_prefix() {
    for format in FORMATS {
        let (header, wide) = (header_of(format), format.bytes() as usize);
        let second = 8_000 * wide;
        let around = |byte: usize| byte.saturating_sub(12)..byte + 30;
        let points = (0..120)
            .chain(around(header + second))
            .chain(around(header + 2 * second + 8))
            .chain(around(header + 3 * second + 16))
            .chain(around(header + 155 * 160 * wide))
            .chain(around(header + 155 * 160 * wide + 24))
            .chain((200..26_000 * wide).step_by(977));
        for n in points {
            record(Limit::Total(n), format);
            record(Limit::Growth(n), format);
            record(Limit::Zero(n), format);
        }
    }
}

#[test]
fn what_is_written_is_read_back_at_every_rate() {
    for (rate, format) in SampleRate::ALL.into_iter().flat_map(|r| FORMATS.map(|f| (r, f))) {
        let disk = Disk::new(Limit::Growth(usize::MAX));
        let mut writer = WavWriter::new(disk.clone(), format, rate).unwrap();
        let samples: Vec<i16> = (0..100_000).map(sample).collect();
        writer.write(&samples[..7]).unwrap();
        writer.write(&[]).unwrap();
        writer.write(&samples[7..]).unwrap();
        assert_eq!(writer.samples(), 100_000);
        assert_eq!(writer.finish().unwrap(), 100_000);
        let read = Pcm::read(&disk.bytes.borrow()[..], rate).unwrap();
        assert_eq!(read.samples(), as_read(&samples, format));
    }
}

#[test]
fn a_process_killed_at_any_moment_loses_less_than_a_second() {
    for format in FORMATS {
        let disk = Disk::new(Limit::Growth(usize::MAX));
        let mut writer = WavWriter::new(disk.clone(), format, RATE).unwrap();
        for frame in 0..500 {
            writer.write(&[sample(frame); 160]).unwrap();
            let on_disk = Pcm::read(&disk.bytes.borrow()[..], RATE).unwrap().samples().len();
            let written = (frame + 1) * 160;
            assert!(written - on_disk < 8_000, "{on_disk} of {written}");
            assert_eq!(writer.kept().samples, on_disk as u64);
        }
    }
}

#[test]
fn a_dropped_writer_finishes_its_file() {
    let disk = Disk::new(Limit::Growth(usize::MAX));
    WavWriter::new(disk.clone(), WavFormat::Pcm16, RATE).unwrap().write(&[5; 1_000]).unwrap();
    assert_eq!(Pcm::read(&disk.bytes.borrow()[..], RATE).unwrap().samples(), [5; 1_000]);
}

#[test]
fn a_file_at_the_limit_of_the_format_is_closed_whole() {
    let disk = Disk::new(Limit::Growth(usize::MAX));
    let mut writer = WavWriter::new(disk.clone(), WavFormat::Pcm16, RATE).unwrap();
    writer.write(&[1; 100]).unwrap();
    writer.written += MAX_BYTES / 2 - 200; // as if
    writer.write(&[1; 100]).unwrap();
    let error = writer.write(&[1]).unwrap_err();
    assert!(matches!(error, WavError::TooLarge { .. }), "{error}");
    assert!(matches!(writer.write(&[1]), Err(WavError::GivenUp { .. })));
    drop(writer);
    assert_eq!(Pcm::read(&disk.bytes.borrow()[..], RATE).unwrap().samples(), [1; 200]);
}

#[test]
fn files_on_disk_say_their_path_in_errors() {
    let folder = std::env::temp_dir().join(format!("stasis-wav-{}", std::process::id()));
    let path = folder.join("a.wav");
    let error = WavWriter::create(&path, WavFormat::Pcm16, RATE).unwrap_err().to_string();
    assert_eq!(error, format!("{} does not exist: check the path", path.display()));
    fs::create_dir_all(&folder).unwrap();
    let mut writer = WavWriter::create(&path, WavFormat::Pcm16, RATE).unwrap();
    writer.write(&[3; 8_001]).unwrap();
    assert_eq!(writer.finish().unwrap(), 8_001);
    assert_eq!(Pcm::load(&path, RATE).unwrap().samples(), [3; 8_001]);
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_law_file_is_what_the_standard_says_byte_by_byte() {
    let disk = Disk::new(Limit::Growth(usize::MAX));
    let mut writer = WavWriter::new(disk.clone(), WavFormat::Ulaw, RATE).unwrap();
    writer.write(&[0, 32_767, -32_768]).unwrap(); // an odd number: a byte more behind them
    assert_eq!(writer.finish().unwrap(), 3);
    let expected = [
        &b"RIFF"[..],
        &[54, 0, 0, 0],
        b"WAVEfmt ",
        &[18, 0, 0, 0, 7, 0, 1, 0, 0x40, 0x1F, 0, 0, 0x40, 0x1F, 0, 0, 1, 0, 8, 0, 0, 0],
        b"fact",
        &[4, 0, 0, 0, 3, 0, 0, 0],
        b"data",
        &[3, 0, 0, 0, 0xFF, 0x80, 0x00, 0],
    ];
    assert_eq!(*disk.bytes.borrow(), expected.concat());
    let disk = Disk::new(Limit::Growth(usize::MAX));
    WavWriter::new(disk.clone(), WavFormat::Alaw, RATE).unwrap().write(&[0, 0]).unwrap();
    let bytes = disk.bytes.borrow();
    assert_eq!((bytes[20], bytes[46], &bytes[54..]), (6, 2, &[2, 0, 0, 0, 0xD5, 0xD5][..]));
}

#[test]
fn a_file_goes_on_behind_what_its_header_counts() {
    for format in FORMATS {
        let disk = Disk::new(Limit::Growth(usize::MAX));
        let mut writer = WavWriter::new(disk.clone(), format, SampleRate::Hz16000).unwrap();
        writer.write(&[1_000; 333]).unwrap();
        drop(writer);
        disk.bytes.borrow_mut().extend([9; 100]); // left by a crash
        let again = |format| WavWriter::resume(disk.clone(), format, File::unnamed());
        let mut writer = again(format).unwrap();
        assert_eq!((writer.samples(), writer.kept().samples, writer.hz()), (333, 333, 16_000));
        writer.write(&[-3_000; 200]).unwrap();
        assert_eq!(writer.finish().unwrap(), 533);
        let read = Pcm::read(&disk.bytes.borrow()[..], SampleRate::Hz16000).unwrap();
        let expected = [[1_000; 333].as_slice(), &[-3_000; 200]].concat();
        assert_eq!(read.samples(), as_read(&expected, format));
        for other in FORMATS.into_iter().filter(|other| *other != format) {
            let before = disk.bytes.borrow().clone();
            let error = again(other).unwrap_err();
            assert!(matches!(error, WavError::Different { .. }), "{error}");
            assert!(error.to_string().contains(&format!("holds {format} at 16000 Hz")), "{error}");
            assert_eq!(*disk.bytes.borrow(), before, "left as it is");
        }
        disk.bytes.borrow_mut().truncate(300);
        assert!(matches!(again(format), Err(WavError::Truncated { .. })));
        for len in 0..60 {
            disk.bytes.borrow_mut().truncate(60 - len);
            assert!(again(format).is_err());
        }
    }
}
