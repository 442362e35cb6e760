//! The jitter buffer: packets wait here until their media time comes.
//!
//! The playhead is a clock of samples that never stops: every tick takes it one tick further.
//! A stream is *anchored* to it: its first packet is given the media time that is heard `delay`
//! after its arrival, and every other timestamp follows from that. So a gap between timestamps is
//! silence, a gap between numbers is loss, and what the playhead has passed is late. Late packets
//! that keep coming, or a timestamp that jumps, anchor the stream anew. A new stream queues up
//! behind the old. How full the buffer stays is watched by [`Margins`].

use super::margins::{Adjust, Margins};
use super::slots::{SLOTS, Slot, Slots};
use stasis_bus::Stamp;
use std::ops::Range;
use std::time::Duration;

/// Nanoseconds of a sample at 8 kHz, the clock of G.711 and of its telephone events.
const SAMPLE_NS: i64 = 125_000;
/// A timestamp that runs ahead of the time since the packet before by a second has jumped.
const AHEAD: i64 = 8_000;
/// So has one that goes back by 100 ms although the packet is newer.
const BEHIND: i64 = 800;
/// A telephone event silences 60 ms more than it has told of, until it tells of its end.
const MUTE_ON: i64 = 480;
/// Ticks that may be missed before playout skips what they should have played.
const MISSED_TICKS: i64 = 10;

/// The first index: far from zero, so that a packet before the first has one too.
const FIRST: u64 = 1 << 32;

/// A packet on its way in.
#[derive(Clone, Copy)]
pub(crate) struct Incoming<'a> {
    /// Its extended sequence number.
    pub(crate) seq: u64,
    pub(crate) timestamp: u32,
    pub(crate) payload_type: u8,
    pub(crate) payload: &'a [u8],
    /// Samples it holds; zero when it only says that the sender is silent.
    pub(crate) samples: i64,
    pub(crate) arrival: Stamp,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queued {
    /// It waits for its time.
    Waits,
    /// Its time had passed.
    Late,
    /// Too many wait already.
    Full,
}

/// What is to be heard from the playhead on, for a number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// These samples of the packet with this index.
    Voice { index: u64, from: usize, samples: usize },
    /// Something is missing.
    Lost(usize),
    /// The sender is silent.
    Silence(usize),
}

/// Where a stream is on the playhead's clock, by its newest packet.
#[derive(Clone, Copy)]
struct Anchor {
    /// Added to an extended sequence number gives the index.
    shift: i64,
    seq: u64,
    timestamp: u32,
    media: i64,
    arrival: Stamp,
}

impl Anchor {
    fn media_at(&self, timestamp: u32) -> i64 {
        self.media + i64::from(timestamp.wrapping_sub(self.timestamp) as i32)
    }

    fn index_of(&self, seq: u64) -> u64 {
        (seq as i64).wrapping_add(self.shift) as u64
    }
}

/// The jitter buffer of one leg.
pub(crate) struct JitterBuffer {
    slots: Slots,
    delay: Duration,
    tick: i64,
    /// Media time of the next sample, and when it is heard.
    playhead: i64,
    due: Option<Stamp>,
    ticked: bool,
    /// Index of the next packet, and one past the newest.
    next: u64,
    end: u64,
    /// Media time at which the newest packet ends.
    end_media: i64,
    anchor: Option<Anchor>,
    /// The last packet said that the sender is silent, so nothing is missing.
    sender_silent: bool,
    muted: Range<i64>,
    margins: Margins,
    late: u64,
}

impl JitterBuffer {
    /// A buffer that delays by `delay`. Allocates all it will ever need.
    pub(crate) fn new(delay: Duration) -> Self {
        JitterBuffer {
            slots: Slots::new(),
            delay,
            tick: 160,
            playhead: 0,
            due: None,
            ticked: false,
            next: FIRST,
            end: FIRST,
            end_media: 0,
            anchor: None,
            sender_silent: true,
            muted: 0..0,
            margins: Margins::default(),
            late: 0,
        }
    }

    /// Packets that came too late to be played.
    pub(crate) fn late(&self) -> u64 {
        self.late
    }

    /// Sound that waits, in samples.
    pub(crate) fn depth(&self) -> i64 {
        if self.next < self.end { (self.end_media - self.playhead).max(0) } else { 0 }
    }

    /// The next packet is of another stream: it queues up behind what waits.
    pub(crate) fn new_stream(&mut self) {
        self.anchor = None;
    }

    /// Takes a packet. Duplicates are the source's to find.
    pub(crate) fn insert(&mut self, packet: &Incoming) -> Queued {
        let anchor = match self.anchor {
            Some(anchor) if !self.has_jumped(&anchor, packet) => anchor,
            _ => self.anchored(packet, self.end as i64 - packet.seq as i64),
        };
        self.anchor = Some(anchor);
        let media = anchor.media_at(packet.timestamp);
        if packet.samples > 0 && media + packet.samples <= self.playhead {
            return self.too_late(packet, anchor);
        }
        if packet.samples > 0 {
            self.margins.on_time(self.margin(media, packet.arrival));
        }
        self.queue(packet, anchor)
    }

    /// A telephone event from `timestamp` on, told of for `duration` samples: mutes that time.
    pub(crate) fn mute(&mut self, timestamp: u32, duration: i64, ended: bool) {
        let Some(anchor) = self.anchor else { return };
        let from = anchor.media_at(timestamp);
        let to = from + duration + if ended { 0 } else { MUTE_ON };
        let goes_on = self.muted.contains(&from) || self.muted.end == from;
        self.muted = if goes_on { self.muted.start..to } else { from..to };
    }

    /// A tick of `samples` begins: the playhead is heard at `now`.
    pub(crate) fn begin_tick(&mut self, now: Stamp, samples: usize) {
        self.tick = (samples as i64).max(1);
        if let Some(due) = self.due {
            let missed = now.since(due).as_nanos() as i64 / (self.tick * SAMPLE_NS);
            if !self.ticked || missed > MISSED_TICKS {
                self.playhead += missed * self.tick;
            }
        }
        self.ticked = true;
        self.due = Some(now);
        self.margins.tick(self.delay_ns(), self.tick * SAMPLE_NS);
    }

    /// The tick is over: the playhead is heard one tick later.
    pub(crate) fn end_tick(&mut self) {
        let tick = Duration::from_nanos((self.tick * SAMPLE_NS) as u64);
        self.due = self.due.map(|due| due + tick);
    }

    /// What is heard next, for at most `wanted` samples; the playhead does not move.
    pub(crate) fn peek(&mut self, wanted: usize) -> Piece {
        let piece = self.piece(wanted as i64);
        match (self.muted.start - self.playhead, self.muted.end - self.playhead) {
            (..=0, left @ 1..) => Piece::Silence(wanted.min(left as usize)),
            (ahead @ 1.., _) if !self.muted.is_empty() => piece.at_most(ahead as usize),
            _ => piece,
        }
    }

    /// What is heard next, for at most `wanted` samples; the playhead passes it.
    pub(crate) fn next(&mut self, wanted: usize) -> Piece {
        let piece = self.peek(wanted);
        self.playhead += piece.samples() as i64;
        piece
    }

    /// The packet of a [`Piece::Voice`].
    pub(crate) fn packet(&self, index: u64) -> Option<&Slot> {
        self.slots.packet(index)
    }

    /// The adjustment that waits, and whether it may not wait longer for a pause in the sound.
    pub(crate) fn pending(&self) -> Option<(Adjust, bool)> {
        self.margins.pending()
    }

    /// Carries one tick of an adjustment out. After a hold the caller fills this tick by itself.
    pub(crate) fn adjust(&mut self, adjust: Adjust) {
        if adjust == Adjust::Skip {
            self.playhead += self.tick;
        }
        self.margins.adjusted();
    }

    /// The delay that a stream is anchored with. An adaptive buffer will answer this by measuring.
    fn delay_ns(&self) -> i64 {
        self.delay.as_nanos().min(SLOTS as u128 * 20_000_000) as i64
    }

    /// From arrival to playout, in nanoseconds.
    fn margin(&self, media: i64, arrival: Stamp) -> i64 {
        let due = self.due.unwrap_or(arrival);
        (due.ns() as i64).wrapping_sub(arrival.ns() as i64) + (media - self.playhead) * SAMPLE_NS
    }

    /// Anchors the stream so that `packet` is heard `delay` after it came, at the next tick then,
    /// but not before what waits already.
    fn anchored(&mut self, packet: &Incoming, shift: i64) -> Anchor {
        let due = *self.due.get_or_insert(packet.arrival);
        let wait = (packet.arrival.ns() as i64).wrapping_sub(due.ns() as i64);
        let tick_ns = self.tick * SAMPLE_NS;
        let wait = wait.saturating_add(self.delay_ns()).max(0);
        let ticks = wait.saturating_add(tick_ns - 1) / tick_ns;
        let media = (self.playhead + ticks * self.tick).max(self.end_media);
        self.margins.reset();
        let (seq, timestamp, arrival) = (packet.seq, packet.timestamp, packet.arrival);
        Anchor { shift, seq, timestamp, media, arrival }
    }

    /// Whether `packet` is newer and yet its timestamp does not follow from the one before.
    fn has_jumped(&self, anchor: &Anchor, packet: &Incoming) -> bool {
        if packet.seq <= anchor.seq || packet.samples == 0 {
            return false;
        }
        let passed = packet.arrival.since(anchor.arrival).as_nanos() as i64 / SAMPLE_NS;
        let media = anchor.media_at(packet.timestamp);
        let step = media - anchor.media;
        let rested = passed > AHEAD && media >= self.playhead;
        rested || step < -BEHIND || step > passed + AHEAD
    }

    fn too_late(&mut self, packet: &Incoming, anchor: Anchor) -> Queued {
        let newest = packet.seq >= anchor.seq;
        if !self.margins.late() || !newest {
            self.late += 1;
            return Queued::Late;
        }
        let anchor = self.anchored(packet, anchor.shift);
        self.anchor = Some(anchor);
        self.queue(packet, anchor)
    }

    fn queue(&mut self, packet: &Incoming, anchor: Anchor) -> Queued {
        let Some(anchor) = self.reach(packet.seq, anchor) else { return Queued::Full };
        let (index, newest) = (anchor.index_of(packet.seq), packet.seq >= anchor.seq);
        let media = self.in_order(anchor.media_at(packet.timestamp), packet.samples, newest);
        if index < self.next {
            self.late += u64::from(packet.samples > 0);
            return Queued::Late;
        }
        let time = (media, packet.samples);
        if !self.slots.put(index, time, packet.payload_type, packet.payload) {
            return Queued::Full;
        }
        self.end = self.end.max(index + 1);
        self.anchor = Some(anchor);
        if newest && packet.samples > 0 {
            self.follow(packet, anchor.shift, media);
        }
        Queued::Waits
    }

    /// The anchor by which a number has an index within the buffer. After a gap longer than the
    /// buffer numbers go on behind one missing.
    fn reach(&self, seq: u64, mut anchor: Anchor) -> Option<Anchor> {
        if anchor.index_of(seq) >= self.next + SLOTS && seq > anchor.seq {
            anchor.shift = (self.end as i64 + 1).wrapping_sub(seq as i64);
        }
        (anchor.index_of(seq) < self.next + SLOTS).then_some(anchor)
    }

    /// Only the newest sound may reach beyond what waits: a stray timestamp stops nothing.
    fn in_order(&self, media: i64, samples: i64, newest: bool) -> i64 {
        if newest && samples > 0 { media } else { media.min(self.end_media - samples) }
    }

    /// The newest packet becomes what the next is measured against; events keep one timestamp.
    fn follow(&mut self, packet: &Incoming, shift: i64, media: i64) {
        let (seq, timestamp, arrival) = (packet.seq, packet.timestamp, packet.arrival);
        self.anchor = Some(Anchor { shift, seq, timestamp, media, arrival });
        self.end_media = self.end_media.max(media + packet.samples);
    }

    fn piece(&mut self, wanted: i64) -> Piece {
        loop {
            let Some(index) = (self.next..self.end).find(|&i| self.slots.packet(i).is_some())
            else {
                self.next = self.end;
                return Piece::gap(self.sender_silent, wanted);
            };
            let Some(slot) = self.slots.packet(index) else { continue };
            let (starts, ends) =
                (slot.media - self.playhead, slot.media + slot.samples - self.playhead);
            if starts > 0 {
                return Piece::gap(index == self.next, wanted.min(starts));
            }
            if ends > 0 {
                self.next = index;
                self.sender_silent = false;
                let (from, samples) = (-starts as usize, wanted.min(ends) as usize);
                return Piece::Voice { index, from, samples };
            }
            self.sender_silent = slot.samples == 0;
            self.slots.free(index);
            self.next = index + 1;
        }
    }
}

impl Piece {
    fn gap(silent: bool, samples: i64) -> Piece {
        if silent { Piece::Silence(samples as usize) } else { Piece::Lost(samples as usize) }
    }

    /// How long it is.
    pub(crate) fn samples(self) -> usize {
        match self {
            Piece::Voice { samples, .. } | Piece::Lost(samples) | Piece::Silence(samples) => {
                samples
            }
        }
    }

    fn at_most(self, limit: usize) -> Piece {
        match self {
            Piece::Voice { index, from, samples } => {
                Piece::Voice { index, from, samples: samples.min(limit) }
            }
            Piece::Lost(samples) => Piece::Lost(samples.min(limit)),
            Piece::Silence(samples) => Piece::Silence(samples.min(limit)),
        }
    }
}
