//! The jitter buffer: packets wait here until their media time comes.
//!
//! The playhead is a clock of samples that never stops: every tick takes it one tick further.
//! A stream is *anchored* to it: its first packet is given the media time that is heard `delay`
//! after its arrival, and every other timestamp follows from that. So a gap between timestamps is
//! silence, a gap between numbers is loss, and what the playhead has passed is late. Late packets
//! that keep coming, or a timestamp that jumps, anchor the stream anew. A new stream queues up
//! behind the old, and so does one whose codec has another clock. How full the buffer stays is
//! watched by [`Margins`].
//!
//! Media time counts samples at the leg's rate, whatever codecs and clocks come.

use super::anchor::{Anchor, Incoming};
use super::margins::{Adjust, Margins};
use super::pace::Pace;
use super::slots::{SLOTS, Slots};
use crate::frame::SampleRate;
use stasis_bus::Stamp;
use std::ops::Range;
use std::time::Duration;

/// A telephone event silences 60 ms more than it has told of, until it tells of its end.
const MUTE_ON_MS: i64 = 60;
/// Ticks that may be missed before playout skips what they should have played.
const MISSED_TICKS: i64 = 10;

/// What may be missing where the clock changes and the numbers are still believed.
const MOST_MISSING_MS: i64 = 200;

/// The first index: far from zero, so that a packet before the first has one too.
const FIRST: u64 = 1 << 32;

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queued {
    /// It waits for its time.
    Waits,
    /// Its time had passed.
    Late,
    /// Too many wait already, or its timestamp has no place among them.
    Full,
}

/// What is to be heard from the playhead on, for a number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// These samples of the packet with this index.
    Voice { index: u64, from: usize, samples: usize },
    /// Something is missing. `next`: the packet that begins where this ends, if it is here.
    Lost { samples: usize, next: Option<u64> },
    /// The sender is silent.
    Silence(usize),
}

/// The jitter buffer of one leg.
pub(crate) struct JitterBuffer {
    slots: Slots,
    pace: Pace,
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
    /// A buffer that delays by `delay`, for a leg that plays at `rate` and whose packets have about
    /// `usual` bytes. Allocates all it will ever need.
    pub(crate) fn new(delay: Duration, rate: SampleRate, usual: usize) -> Self {
        let pace = Pace::new(rate);
        JitterBuffer {
            slots: Slots::new(usual),
            pace,
            delay,
            tick: pace.ms(20),
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
            Some(anchor) if anchor.is_off(packet) => self.off(packet, anchor),
            Some(anchor) if !anchor.is_left_by(packet, self.playhead) => anchor,
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

    /// A telephone event from `timestamp` on, told of for `duration` samples: mutes that time. The
    /// timestamp counts by the clock of the sound around it.
    pub(crate) fn mute(&mut self, timestamp: u32, duration: i64, ended: bool) {
        let Some(anchor) = self.anchor else { return };
        let from = anchor.media_at(timestamp);
        let to = from + duration + if ended { 0 } else { self.pace.ms(MUTE_ON_MS) };
        let goes_on = self.muted.contains(&from) || self.muted.end == from;
        self.muted = if goes_on { self.muted.start..to } else { from..to };
    }

    /// A tick of `samples` begins: the playhead is heard at `now`.
    pub(crate) fn begin_tick(&mut self, now: Stamp, samples: usize) {
        self.tick = (samples as i64).max(1);
        if let Some(due) = self.due {
            let missed = now.since(due).as_nanos() as i64 / self.tick_ns();
            if !self.ticked || missed > MISSED_TICKS {
                self.playhead += missed * self.tick;
            }
        }
        self.ticked = true;
        self.due = Some(now);
        self.margins.tick(self.delay_ns(), self.tick_ns());
    }

    /// A tick is left out: nobody hears what it should have played.
    pub(crate) fn skip_tick(&mut self) {
        if let Some(due) = self.due {
            self.due = Some(due + Duration::from_nanos(self.tick_ns() as u64));
            self.playhead += self.tick;
        }
    }

    /// The tick is over: the playhead is heard one tick later.
    pub(crate) fn end_tick(&mut self) {
        let tick = Duration::from_nanos(self.tick_ns() as u64);
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

    /// The packet of a [`Piece::Voice`]: its payload type, its samples and its payload.
    pub(crate) fn packet(&self, index: u64) -> Option<(u8, i64, &[u8])> {
        let slot = self.slots.packet(index)?;
        Some((slot.payload_type, slot.samples(), self.slots.payload(slot)))
    }

    /// Brings near what a packet and a tick will touch.
    pub(crate) fn prefetch(&self) {
        // The packet that was played last is still in its slot.
        self.slots.prefetch(self.end, self.next + 1);
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

    fn tick_ns(&self) -> i64 {
        self.pace.ns(self.tick).max(1)
    }

    /// From arrival to playout, in nanoseconds.
    fn margin(&self, media: i64, arrival: Stamp) -> i64 {
        let due = self.due.unwrap_or(arrival);
        (due.ns() as i64).wrapping_sub(arrival.ns() as i64) + self.pace.ns(media - self.playhead)
    }

    /// Anchors the stream so that `packet` is heard `delay` after it came, at the next tick then,
    /// but not before what waits already.
    fn anchored(&mut self, packet: &Incoming, shift: i64) -> Anchor {
        let due = *self.due.get_or_insert(packet.arrival);
        let wait = (packet.arrival.ns() as i64).wrapping_sub(due.ns() as i64);
        let tick_ns = self.tick_ns();
        let wait = wait.saturating_add(self.delay_ns()).max(0);
        let ticks = wait.saturating_add(tick_ns - 1) / tick_ns;
        let media = (self.playhead + ticks * self.tick).max(self.end_media);
        self.margins.reset();
        Anchor::on(packet, shift, media, self.pace)
    }

    /// The anchor of a packet whose timestamp counts by another clock than the stream's before. The
    /// newest sound is laid behind what waits, as far as packets are missing between; of others only
    /// the number counts.
    fn off(&mut self, packet: &Incoming, anchor: Anchor) -> Anchor {
        if packet.samples == 0 || packet.seq <= anchor.seq {
            return anchor;
        }
        let missing = (packet.seq - anchor.seq - 1).min(SLOTS) as i64 * packet.samples;
        let media = self.end_media + missing;
        if media < self.playhead || missing > self.pace.ms(MOST_MISSING_MS) {
            return self.anchored(packet, anchor.shift);
        }
        Anchor::on(packet, anchor.shift, media, self.pace)
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
        let Some(media) = anchor.credible(packet, self.end_media) else { return Queued::Full };
        let index = anchor.index_of(packet.seq);
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
        if packet.samples > 0 && packet.seq >= anchor.seq {
            self.anchor = Some(Anchor::on(packet, anchor.shift, media, self.pace));
            self.end_media = self.end_media.max(media + packet.samples);
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

    fn piece(&mut self, wanted: i64) -> Piece {
        loop {
            let Some(index) = (self.next..self.end).find(|&i| self.slots.packet(i).is_some())
            else {
                self.next = self.end;
                return Piece::gap(self.sender_silent, wanted, None);
            };
            let Some(slot) = self.slots.packet(index) else { continue };
            let (starts, ends) =
                (slot.media - self.playhead, slot.media + slot.samples() - self.playhead);
            if starts > 0 {
                let next = (wanted >= starts).then_some(index);
                return Piece::gap(index == self.next, wanted.min(starts), next);
            }
            if ends > 0 {
                self.next = index;
                self.sender_silent = false;
                let (from, samples) = (-starts as usize, wanted.min(ends) as usize);
                return Piece::Voice { index, from, samples };
            }
            self.sender_silent = slot.samples() == 0;
            self.slots.free(index);
            self.next = index + 1;
        }
    }
}

impl Piece {
    fn gap(silent: bool, samples: i64, next: Option<u64>) -> Piece {
        let samples = samples as usize;
        if silent { Piece::Silence(samples) } else { Piece::Lost { samples, next } }
    }

    /// How long it is.
    pub(crate) fn samples(self) -> usize {
        match self {
            Piece::Voice { samples, .. }
            | Piece::Lost { samples, .. }
            | Piece::Silence(samples) => samples,
        }
    }

    fn at_most(self, limit: usize) -> Piece {
        match self {
            Piece::Voice { index, from, samples } => {
                Piece::Voice { index, from, samples: samples.min(limit) }
            }
            Piece::Lost { samples, next } => {
                Piece::Lost { samples: samples.min(limit), next: next.filter(|_| samples <= limit) }
            }
            Piece::Silence(samples) => Piece::Silence(samples.min(limit)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer of 40 ms, and packets of 20 ms by number `n` that come at `20 n` ms.
    struct Leg(JitterBuffer, u64);

    impl Leg {
        fn new() -> Self {
            Leg(JitterBuffer::new(Duration::from_millis(40), SampleRate::Hz8000, 160), 0)
        }

        fn take(&mut self, seq: u64, timestamp: u32, samples: i64, ms: u64) -> Queued {
            let arrival = Stamp::from_ms(ms);
            let (payload_type, payload) = (0, &[0; 160][..samples as usize]);
            let clock_hz = 8_000;
            let packet =
                Incoming { seq, timestamp, clock_hz, payload_type, payload, samples, arrival };
            self.0.insert(&packet)
        }

        fn packet(&mut self, n: u64) -> Queued {
            self.take(1_000 + n, n as u32 * 160, 160, n * 20)
        }

        /// One tick told by a letter for each piece: the packet's number, `-` lost, `.` silence.
        fn tick(&mut self) -> String {
            self.0.begin_tick(Stamp::from_ms(self.1 * 20), 160);
            self.1 += 1;
            let (mut left, mut heard) = (160, String::new());
            while left > 0 {
                let piece = self.0.next(left);
                left -= piece.samples();
                heard += &match piece {
                    Piece::Voice { index, .. } => format!("{}", index - FIRST),
                    Piece::Lost { .. } => "-".into(),
                    Piece::Silence(_) => ".".into(),
                };
            }
            self.0.end_tick();
            heard
        }

        fn ticks(&mut self, n: usize) -> String {
            (0..n).map(|_| self.tick()).collect()
        }
    }

    #[test]
    fn packets_are_heard_in_order_of_their_numbers_after_the_delay() {
        let mut leg = Leg::new();
        leg.packet(0);
        for n in [2, 1, 3] {
            assert_eq!(leg.packet(n), Queued::Waits);
        }
        assert_eq!(leg.ticks(6), "..0123");
    }

    #[test]
    fn a_missing_number_is_lost_and_a_gap_of_timestamps_alone_is_silence() {
        let mut leg = Leg::new();
        leg.packet(0);
        leg.packet(2);
        leg.take(1_003, 6 * 160, 160, 60);
        assert_eq!(leg.ticks(9), "..0-2...3");
    }

    #[test]
    fn nothing_more_is_lost_after_sound_and_silent_after_an_event() {
        let mut leg = Leg::new();
        leg.packet(0);
        assert_eq!(leg.ticks(5), "..0--");
        let mut leg = Leg::new();
        leg.packet(0);
        leg.take(1_001, 160, 0, 20);
        assert_eq!(leg.ticks(5), "..0..");
    }

    #[test]
    fn what_the_playhead_has_passed_is_late() {
        let mut leg = Leg::new();
        leg.packet(0);
        leg.packet(2);
        leg.ticks(5);
        assert_eq!(leg.packet(1), Queued::Late);
        assert_eq!(leg.0.late(), 1);
        assert_eq!(leg.tick(), "-");
    }

    #[test]
    fn lateness_in_three_ticks_anchors_the_stream_anew() {
        let mut leg = Leg::new();
        leg.packet(0);
        assert_eq!(leg.ticks(10), "..0-------");
        for (n, queued) in [(1, Queued::Late), (2, Queued::Late), (3, Queued::Waits)] {
            let ms = (9 + n) * 20;
            assert_eq!(leg.take(1_000 + n, n as u32 * 160, 160, ms), queued);
            assert_eq!(leg.tick(), "-");
        }
        assert_eq!(leg.0.late(), 2);
        assert_eq!(leg.ticks(2), "-3", "40 ms after it came at 240 ms");
    }

    #[test]
    fn a_stray_timestamp_of_an_event_or_of_an_older_packet_stops_nothing() {
        let mut leg = Leg::new();
        leg.packet(0);
        leg.take(1_001, 0x7000_0000, 0, 20);
        leg.take(1_003, 3 * 160, 160, 60);
        leg.take(1_002, 0x7000_0000, 160, 61);
        assert_eq!(leg.ticks(6), "..0--3");
    }

    #[test]
    fn a_gap_longer_than_the_buffer_is_one_loss() {
        let mut leg = Leg::new();
        leg.packet(0);
        leg.ticks(30);
        assert_eq!(leg.take(1_100, 30 * 160, 160, 600), Queued::Waits);
        assert_eq!(leg.ticks(3), "--2");
    }

    #[test]
    fn a_full_buffer_refuses_and_goes_on_when_it_has_room() {
        let mut leg = Leg::new();
        for n in 0..SLOTS {
            assert_eq!(leg.take(1_000 + n, n as u32 * 160, 160, 0), Queued::Waits);
        }
        assert_eq!(leg.take(1_064, 64 * 160, 160, 0), Queued::Full);
        assert_eq!(leg.ticks(5), "..012");
        assert_eq!(leg.take(1_065, 65 * 160, 160, 60), Queued::Waits);
    }

    #[test]
    fn a_new_stream_queues_up_behind_the_old() {
        let mut leg = Leg::new();
        (0..4).for_each(|n| assert_eq!(leg.packet(n), Queued::Waits));
        leg.0.new_stream();
        leg.take(77, 0xFFFF_FFFF, 160, 1);
        leg.take(78, 159, 160, 20);
        assert_eq!(leg.ticks(8), "..012345");
    }

    #[test]
    fn ticks_that_are_left_out_are_not_heard_late_and_what_came_meanwhile_changes_nothing() {
        for left_out in [1, 5, 20, 121u64] {
            let mut leg = Leg::new();
            (0..4).for_each(|n| assert_eq!(leg.packet(n), Queued::Waits));
            assert_eq!(leg.ticks(3), "..0");
            (0..left_out).for_each(|_| leg.0.skip_tick());
            leg.1 += left_out;
            let late = (4..3 + left_out).filter(|n| leg.packet(*n) == Queued::Late).count() as u64;
            assert_eq!((late, leg.0.late()), (left_out.saturating_sub(3), late));
            assert_eq!(leg.packet(3 + left_out), Queued::Waits);
            let _ = leg.tick();
            assert_eq!(leg.0.pending(), None);
        }
    }

    #[test]
    fn ticks_that_were_missed_for_long_are_left_out() {
        let mut leg = Leg::new();
        (0..30).for_each(|n| assert_eq!(leg.packet(n), Queued::Waits));
        assert_eq!(leg.ticks(3), "..0");
        leg.1 += 20;
        assert_eq!(leg.tick(), "21");
    }
}
