//! Anchors: where a stream's timestamps lie on the clock that plays them.
//!
//! One packet is laid at a media time; what comes later follows from the difference of timestamps,
//! as long as that agrees with the time that has passed. Media time counts samples as the leg plays
//! them; timestamps count by their codec's clock, which may be another.

use super::pace::Pace;
use stasis_bus::Stamp;

/// A timestamp that runs ahead of the time since the packet before by a second has jumped.
const AHEAD_MS: i64 = 1_000;
/// So has one that goes back by 100 ms although the packet is newer.
const BEHIND_MS: i64 = 100;

/// A packet on its way in.
#[derive(Clone, Copy)]
pub(crate) struct Incoming<'a> {
    /// Its extended sequence number.
    pub(crate) seq: u64,
    pub(crate) timestamp: u32,
    /// The clock of its timestamp in Hz.
    pub(crate) clock_hz: u32,
    pub(crate) payload_type: u8,
    pub(crate) payload: &'a [u8],
    /// Samples it holds, as played; zero when it only says that the sender is silent.
    pub(crate) samples: i64,
    pub(crate) arrival: Stamp,
}

/// Where a stream is on the playhead's clock, by its newest packet.
#[derive(Clone, Copy)]
pub(crate) struct Anchor {
    /// Added to an extended sequence number gives the index.
    pub(crate) shift: i64,
    pub(crate) seq: u64,
    pace: Pace,
    clock_hz: u32,
    timestamp: u32,
    media: i64,
    arrival: Stamp,
}

impl Anchor {
    /// Lays `packet` at `media`; `shift` makes its number an index.
    pub(crate) fn on(packet: &Incoming, shift: i64, media: i64, pace: Pace) -> Self {
        let Incoming { seq, timestamp, clock_hz, arrival, .. } = *packet;
        Anchor { shift, seq, pace, clock_hz, timestamp, media, arrival }
    }

    /// The media time of a timestamp.
    pub(crate) fn media_at(&self, timestamp: u32) -> i64 {
        let units = i64::from(timestamp.wrapping_sub(self.timestamp) as i32);
        self.media + self.pace.samples_of(units, self.clock_hz)
    }

    /// The index of an extended sequence number.
    pub(crate) fn index_of(&self, seq: u64) -> u64 {
        (seq as i64).wrapping_add(self.shift) as u64
    }

    /// Whether `packet` counts by another clock, so that its timestamp says nothing here.
    pub(crate) fn is_off(&self, packet: &Incoming) -> bool {
        packet.clock_hz != self.clock_hz
    }

    /// Whether `packet` is newer and yet its timestamp does not follow from the one before; or it
    /// is the first after a rest and not late, so that nobody hears the delay being set anew.
    pub(crate) fn is_left_by(&self, packet: &Incoming, playhead: i64) -> bool {
        if packet.seq <= self.seq || packet.samples == 0 {
            return false;
        }
        let passed_ns = packet.arrival.since(self.arrival).as_nanos().min(i64::MAX as u128);
        let passed = self.pace.samples_in(passed_ns as i64);
        let media = self.media_at(packet.timestamp);
        let step = media - self.media;
        let ahead = self.pace.ms(AHEAD_MS);
        let rested = passed > ahead && media >= playhead;
        rested || step < -self.pace.ms(BEHIND_MS) || step > passed + ahead
    }

    /// The media time of `packet`, if it is credible: a stray timestamp stops nothing. Only the
    /// newest sound may reach beyond `end`, where what waits ends; sound before it ends before it.
    pub(crate) fn credible(&self, packet: &Incoming, end: i64) -> Option<i64> {
        let media = self.media_at(packet.timestamp);
        match packet.samples {
            0 => Some(media.min(end)),
            _ if self.is_off(packet) => None,
            _ if packet.seq >= self.seq => Some(media),
            samples => Some(media).filter(|media| media + samples <= self.media),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::SampleRate;

    const NARROW: Pace = Pace::new(SampleRate::Hz8000);

    fn packet(seq: u64, timestamp: u32, samples: i64, ms: u64) -> Incoming<'static> {
        let arrival = Stamp::from_ms(ms);
        Incoming {
            seq,
            timestamp,
            clock_hz: 8_000,
            payload_type: 0,
            payload: &[],
            samples,
            arrival,
        }
    }

    #[test]
    fn timestamps_are_laid_out_across_the_wrap() {
        let anchor = Anchor::on(&packet(10, u32::MAX, 160, 0), 90, 5_000, NARROW);
        assert_eq!((anchor.media_at(159), anchor.media_at(u32::MAX - 160)), (5_160, 4_840));
        assert_eq!((anchor.index_of(10), anchor.index_of(12)), (100, 102));
    }

    #[test]
    fn a_timestamp_that_disagrees_with_the_time_leaves_the_anchor() {
        let anchor = Anchor::on(&packet(10, 80_000, 160, 0), 0, 0, NARROW);
        let leaves = |seq, timestamp, samples, ms| {
            anchor.is_left_by(&packet(seq, timestamp, samples, ms), 0)
        };
        assert!(!leaves(11, 80_160, 160, 20), "the next");
        assert!(!leaves(11, 88_000, 160, 1_000), "after a second of silence");
        assert!(!leaves(9, 0, 160, 20), "an older one proves nothing");
        assert!(!leaves(11, 0, 0, 20), "nor does an event");
        assert!(leaves(11, 88_161, 160, 20), "ahead by more than a second");
        assert!(leaves(11, 79_199, 160, 20), "back by more than 100 ms");
        assert!(leaves(11, 80_160, 160, 1_001), "after a rest");
    }

    #[test]
    fn timestamps_count_by_their_codecs_clock_and_media_time_by_the_legs() {
        for (rate, clock_hz, units, samples) in [
            (SampleRate::Hz16000, 8_000, 160, 320),
            (SampleRate::Hz8000, 48_000, 960, 160),
            (SampleRate::Hz48000, 8_000, 160, 960),
            (SampleRate::Hz32000, 48_000, 960, 640),
        ] {
            let first = Incoming { clock_hz, ..packet(1, u32::MAX - 5, samples, 0) };
            let anchor = Anchor::on(&first, 0, 7_000, Pace::new(rate));
            assert_eq!(anchor.media_at((u32::MAX - 5).wrapping_add(units)), 7_000 + samples);
            let next = Incoming { clock_hz, ..packet(2, units.wrapping_sub(6), samples, 20) };
            assert!(!anchor.is_left_by(&next, 0) && !anchor.is_off(&next));
            assert!(anchor.is_off(&Incoming { clock_hz: 16_000, ..next }));
        }
    }
}
