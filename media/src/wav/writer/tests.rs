//! What is on disk after a failure at any byte.

use std::cell::RefCell;
use std::rc::Rc;

use super::*;
use crate::wav::Pcm;

const HEADER: usize = 44;
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

fn sample(i: usize) -> i16 {
    (i as i16).wrapping_mul(31).wrapping_add(7)
}

/// Records 3.1 s in frames of 20 ms to a disk that fails, and looks at what is left.
fn record(limit: Limit) {
    let disk = Disk::new(limit);
    let first = match WavWriter::new(disk.clone(), RATE) {
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
    if n < HEADER {
        let (error, _) = first.expect("a header does not fit");
        assert!(error.contains("nothing was recorded"), "{limit:?}: {error}");
        return;
    }
    let read: Vec<i16> = hound::WavReader::new(&bytes[..])
        .unwrap_or_else(|error| panic!("{limit:?}: {error}"))
        .into_samples()
        .collect::<Result<_, _>>()
        .unwrap_or_else(|error| panic!("{limit:?}: {error}"));
    assert!(read.iter().enumerate().all(|(i, &s)| s == sample(i)), "{limit:?}: a prefix");
    Pcm::read(&bytes[..], RATE).unwrap();
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
    let second = 8_000 * 2;
    let around = |byte: usize| byte.saturating_sub(12)..byte + 24;
    let points = (0..120)
        .chain(around(HEADER + second))
        .chain(around(HEADER + 2 * second + 8))
        .chain(around(HEADER + 3 * second + 16))
        .chain(around(HEADER + 155 * 320))
        .chain(around(HEADER + 155 * 320 + 24))
        .chain((200..52_000).step_by(977));
    for n in points {
        record(Limit::Total(n));
        record(Limit::Growth(n));
        record(Limit::Zero(n));
    }
}

#[test]
fn what_is_written_is_read_back_at_every_rate() {
    for rate in SampleRate::ALL {
        let disk = Disk::new(Limit::Growth(usize::MAX));
        let mut writer = WavWriter::new(disk.clone(), rate).unwrap();
        let samples: Vec<i16> = (0..100_000).map(sample).collect();
        writer.write(&samples[..7]).unwrap();
        writer.write(&[]).unwrap();
        writer.write(&samples[7..]).unwrap();
        assert_eq!(writer.samples(), 100_000);
        assert_eq!(writer.finish().unwrap(), 100_000);
        assert_eq!(Pcm::read(&disk.bytes.borrow()[..], rate).unwrap().samples(), samples);
    }
}

#[test]
fn a_process_killed_at_any_moment_loses_less_than_a_second() {
    let disk = Disk::new(Limit::Growth(usize::MAX));
    let mut writer = WavWriter::new(disk.clone(), RATE).unwrap();
    for frame in 0..500 {
        writer.write(&[sample(frame); 160]).unwrap();
        let on_disk = hound::WavReader::new(&disk.bytes.borrow()[..]).unwrap().len();
        let written = (frame + 1) * 160;
        assert!(written - (on_disk as usize) < 8_000, "{on_disk} of {written}");
        assert_eq!(writer.kept().samples, u64::from(on_disk));
    }
}

#[test]
fn a_dropped_writer_finishes_its_file() {
    let disk = Disk::new(Limit::Growth(usize::MAX));
    WavWriter::new(disk.clone(), RATE).unwrap().write(&[5; 1_000]).unwrap();
    assert_eq!(Pcm::read(&disk.bytes.borrow()[..], RATE).unwrap().samples(), [5; 1_000]);
}

#[test]
fn a_file_at_the_limit_of_the_format_is_closed_whole() {
    let disk = Disk::new(Limit::Growth(usize::MAX));
    let mut writer = WavWriter::new(disk.clone(), RATE).unwrap();
    writer.write(&[1; 100]).unwrap();
    writer.written += MAX_SAMPLES - 200; // as if
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
    let error = WavWriter::create(&path, RATE).unwrap_err().to_string();
    assert_eq!(error, format!("{} does not exist: check the path", path.display()));
    fs::create_dir_all(&folder).unwrap();
    let mut writer = WavWriter::create(&path, RATE).unwrap();
    writer.write(&[3; 8_001]).unwrap();
    assert_eq!(writer.finish().unwrap(), 8_001);
    assert_eq!(Pcm::load(&path, RATE).unwrap().samples(), [3; 8_001]);
    fs::remove_dir_all(&folder).unwrap();
}
