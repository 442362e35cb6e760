//! A tap: a listener on its way to a file, or to whoever reads.
//!
//! Samples go by one ring; what there is to know about them goes by another, each note with the
//! place in the stream that it is about: so many samples were lost here, or this was the last one.
//! A note is written before the samples that follow it, so who has seen those sees the note.

use crate::frame::{Frame, SampleRate};
use crate::gain::{fade_in, fade_out};
use crate::id::BridgeId;
use crate::leg::{Blend, Era, convert};
use crate::resample::Resampler;
use crate::sound::Converters;

/// Most taps of one leg, or of one bridge.
pub const MOST_TAPS: usize = 4;

/// Losses that may wait to be read; one note more is for the end.
const NOTES: usize = 31;

/// Which way of a leg a tap hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TapDirection {
    /// What the party says, as it comes: also while it is muted.
    In,
    /// What the others hear of it: muted, softer, and without its keys, as it is set.
    Voice,
    /// What it is sent to hear.
    Out,
    /// [`In`](Self::In) and [`Out`](Self::Out) together.
    Both,
}

/// Why a tap hears nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TapEnd {
    /// What it was on is gone.
    Gone,
    /// It never was on anything: there are [`MOST_TAPS`] already, or nothing of that name.
    Refused,
}

/// A note about the stream, at the sample of this number.
#[derive(Clone, Copy, Debug)]
enum Note {
    Lost { at: u64, samples: u64 },
    End { at: u64, missing: u64, why: TapEnd },
}

impl Note {
    fn at(&self) -> u64 {
        match *self {
            Note::Lost { at, .. } | Note::End { at, .. } => at,
        }
    }
}

/// A listener on its way to a file: the media thread's end of a ring of samples. It is retired when
/// what it is on goes away, and when nobody reads it any more.
pub struct Tap {
    samples: rtrb::Producer<i16>,
    notes: rtrb::Producer<Note>,
    /// Samples that went to the ring, and those that are missing since.
    pushed: u64,
    missing: u64,
    converters: Converters,
    /// This tick, at the tap's rate.
    frame: Frame,
    /// Of a leg, what it hears; of a bridge, whose books it is in.
    direction: TapDirection,
    bridge: Option<BridgeId>,
}

/// The other end of a [`Tap`]. Dropping it takes the tap off.
pub struct TapReader {
    samples: rtrb::Consumer<i16>,
    notes: rtrb::Consumer<Note>,
    read: u64,
    /// Silence that is due in the place of what was lost.
    silence: u64,
    lost: u64,
    end: Option<TapEnd>,
}

impl Tap {
    /// A tap of a bridge that mixes at `rate`, or of a leg at `rate`, and the end to read from; the
    /// ring holds `seconds` of audio.
    pub fn new(rate: SampleRate, seconds: u32) -> (Self, TapReader) {
        Tap::at(rate, seconds, rate)
    }

    /// A tap at `rate` of a bridge or a leg at `source`.
    pub fn at(rate: SampleRate, seconds: u32, source: SampleRate) -> (Self, TapReader) {
        let room = (rate.hz() as usize).saturating_mul(seconds as usize);
        let (samples, consumer) = rtrb::RingBuffer::new(room);
        let (notes, noted) = rtrb::RingBuffer::new(NOTES + 1);
        let tap = Tap {
            samples,
            notes,
            pushed: 0,
            missing: 0,
            converters: Converters::new(source, rate),
            frame: Frame::silence(rate),
            direction: TapDirection::In,
            bridge: None,
        };
        let reader =
            TapReader { samples: consumer, notes: noted, read: 0, silence: 0, lost: 0, end: None };
        (tap, reader)
    }

    /// For a bridge whose books count it.
    pub(crate) fn booked(mut self, bridge: BridgeId) -> Self {
        self.bridge = Some(bridge);
        self
    }

    /// The bridge whose books count it.
    pub(crate) fn bridge(&self) -> Option<BridgeId> {
        self.bridge
    }

    /// The rate of what it was made for.
    pub(crate) fn rate(&self) -> Option<SampleRate> {
        self.converters.present().map(Resampler::from)
    }

    /// Its own rate.
    pub(crate) fn own_rate(&self) -> SampleRate {
        self.frame.rate()
    }

    /// Which way of a leg it is to hear.
    pub(crate) fn turn(&mut self, direction: TapDirection) {
        self.direction = direction;
    }

    pub(crate) fn direction(&self) -> TapDirection {
        self.direction
    }

    /// Whether its reading end is gone: then it is let go.
    pub(crate) fn is_unread(&self) -> bool {
        self.samples.is_abandoned()
    }

    /// Takes what is heard in a mix in this tick.
    pub(super) fn hear(&mut self, era: Era, all: &Frame, blend: Blend) {
        let Some(converter) = self.converters.get(era) else { return };
        let mut part = Frame::silence(self.frame.rate());
        convert(converter, all, &mut part);
        match blend {
            Blend::Whole => {}
            Blend::Rising => fade_in(part.samples_mut()),
            Blend::Falling => fade_out(part.samples_mut()),
            Blend::Unheard => return,
        }
        for (out, &part) in self.frame.samples_mut().iter_mut().zip(part.samples()) {
            *out = out.saturating_add(part);
        }
    }

    /// Takes a tick of a leg, which is all of this tick.
    pub(crate) fn hear_leg(&mut self, heard: &Frame) {
        self.hear(Era::Present, heard, Blend::Whole);
        self.end_tick();
    }

    /// The tick is over: it goes to the reader, whole or not at all.
    pub(super) fn end_tick(&mut self) {
        let fits = self.samples.slots() >= self.frame.samples().len();
        let room = fits && self.note_missing();
        let samples = self.frame.samples();
        if room && self.samples.push_entire_slice(samples).is_ok() {
            self.pushed += samples.len() as u64;
        } else {
            self.missing += samples.len() as u64;
        }
        self.frame.samples_mut().fill(0);
    }

    /// Notes what is missing; `false` when there is no room for that either.
    fn note_missing(&mut self) -> bool {
        if self.missing > 0 {
            // The last place is for the end.
            if self.notes.slots() < 2 {
                return false;
            }
            let note = Note::Lost { at: self.pushed, samples: self.missing };
            if self.notes.push(note).is_err() {
                return false;
            }
            self.missing = 0;
        }
        true
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self, why: TapEnd) {
        // Always room, unless it was ended before.
        let missing = std::mem::take(&mut self.missing);
        let _ = self.notes.push(Note::End { at: self.pushed, missing, why });
    }

    pub(super) fn converters(&mut self) -> &mut Converters {
        &mut self.converters
    }
}

impl TapReader {
    /// Fills `out` with what comes next, silence in the place of what was lost; how many samples
    /// that are. 0: nothing now. Never allocates or waits.
    pub fn read(&mut self, out: &mut [i16]) -> usize {
        let mut filled = 0;
        while filled < out.len() {
            if self.silence > 0 {
                let n =
                    (out.len() - filled).min(usize::try_from(self.silence).unwrap_or(usize::MAX));
                out[filled..][..n].fill(0);
                (filled, self.silence) = (filled + n, self.silence - n as u64);
                continue;
            }
            // Asked before the notes: what comes behind a note that is not seen is not seen either.
            let there = self.samples.slots();
            let next = self.notes.peek().map(Note::at).unwrap_or(u64::MAX);
            let before = usize::try_from(next.saturating_sub(self.read)).unwrap_or(usize::MAX);
            let n = there.min(before).min(out.len() - filled);
            if n > 0 {
                let (read, _) = self.samples.pop_partial_slice(&mut out[filled..][..n]);
                self.read += read.len() as u64;
                filled += read.len();
            } else if before > 0 || !self.take_note() {
                break;
            }
        }
        filled
    }

    /// `false` when there is none.
    fn take_note(&mut self) -> bool {
        match self.notes.pop() {
            Ok(Note::Lost { samples, .. }) => {
                self.silence += samples;
                self.lost += samples;
                true
            }
            Ok(Note::End { missing, why, .. }) => {
                self.silence += missing;
                self.lost += missing;
                self.end = Some(why);
                missing > 0
            }
            Err(_) => false,
        }
    }

    /// Samples that wait to be read.
    pub fn waiting(&self) -> usize {
        self.samples.slots()
    }

    /// Samples that were lost so far, because they were not read in time, of what was read.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Why nothing more will come, when all has been read.
    pub fn end(&self) -> Option<TapEnd> {
        // Dropped without a word: its leg or bridge was never handed to an engine.
        let dropped = self.samples.is_abandoned() && self.samples.is_empty();
        let refused = (dropped && self.notes.is_empty()).then_some(TapEnd::Refused);
        self.end.or(refused).filter(|_| self.silence == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::Hz8000;

    fn read_all(reader: &mut TapReader) -> Vec<i16> {
        let (mut all, mut part) = (Vec::new(), [0; 333]);
        loop {
            match reader.read(&mut part) {
                0 => return all,
                n => all.extend(&part[..n]),
            }
        }
    }

    #[test]
    fn what_finds_no_room_is_silence_in_its_place() {
        let (mut tap, mut reader) = Tap::new(RATE, 1);
        (0..53).for_each(|_| tap.hear_leg(&Frame::of(1))); // three ticks too many
        assert_eq!(reader.lost(), 0, "not read yet");
        assert_eq!(read_all(&mut reader), [1; 8_000]);
        tap.hear_leg(&Frame::of(2));
        assert_eq!(read_all(&mut reader), [[0; 480].as_slice(), &[2; 160]].concat());
        assert_eq!((reader.lost(), reader.end()), (480, None));
        (0..60).for_each(|_| tap.hear_leg(&Frame::of(3)));
        tap.end(TapEnd::Gone);
        drop(tap);
        assert_eq!(reader.end(), None, "there is something to read yet");
        assert_eq!(read_all(&mut reader), [[3; 8_000].as_slice(), &[0; 1_600]].concat());
        assert_eq!((reader.lost(), reader.end()), (2_080, Some(TapEnd::Gone)));
    }

    #[test]
    fn more_losses_than_can_be_noted_are_one_long_loss() {
        let (mut tap, mut reader) = Tap::new(RATE, 1);
        let mut length = 0;
        let mut read = 0;
        (0..50).for_each(|_| tap.hear_leg(&Frame::of(1)));
        length += 8_000;
        for _ in 0..100 {
            tap.hear_leg(&Frame::of(2)); // lost
            // A reader that takes no notes.
            let n = reader.samples.pop_partial_slice(&mut [0; 160]).0.len();
            reader.read += n as u64;
            read += n;
            tap.hear_leg(&Frame::of(3));
            length += 320;
        }
        tap.end(TapEnd::Refused);
        assert_eq!(read + read_all(&mut reader).len(), length);
        assert_eq!(reader.end(), Some(TapEnd::Refused));
    }

    #[test]
    fn a_tap_that_was_dropped_unheard_was_refused() {
        let (tap, mut reader) = Tap::new(RATE, 1);
        drop(tap);
        assert_eq!((reader.read(&mut [0; 9]), reader.end()), (0, Some(TapEnd::Refused)));
    }
}
