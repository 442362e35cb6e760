//! Anchors: where a stream's timestamps lie on the clock that plays them.
//!
//! One packet is laid at a media time; what comes later follows from the difference of timestamps,
//! as long as that agrees with the time that has passed.

use stasis_bus::Stamp;

/// Nanoseconds of a sample at 8 kHz, the clock of G.711 and of its telephone events.
pub(crate) const SAMPLE_NS: i64 = 125_000;
/// A timestamp that runs ahead of the time since the packet before by a second has jumped.
const AHEAD: i64 = 8_000;
/// So has one that goes back by 100 ms although the packet is newer.
const BEHIND: i64 = 800;

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

/// Where a stream is on the playhead's clock, by its newest packet.
#[derive(Clone, Copy)]
pub(crate) struct Anchor {
    /// Added to an extended sequence number gives the index.
    pub(crate) shift: i64,
    pub(crate) seq: u64,
    timestamp: u32,
    media: i64,
    arrival: Stamp,
}

impl Anchor {
    /// Lays `packet` at `media`; `shift` makes its number an index.
    pub(crate) fn on(packet: &Incoming, shift: i64, media: i64) -> Self {
        let (seq, timestamp, arrival) = (packet.seq, packet.timestamp, packet.arrival);
        Anchor { shift, seq, timestamp, media, arrival }
    }

    /// The media time of a timestamp.
    pub(crate) fn media_at(&self, timestamp: u32) -> i64 {
        self.media + i64::from(timestamp.wrapping_sub(self.timestamp) as i32)
    }

    /// The index of an extended sequence number.
    pub(crate) fn index_of(&self, seq: u64) -> u64 {
        (seq as i64).wrapping_add(self.shift) as u64
    }

    /// Whether `packet` is newer and yet its timestamp does not follow from the one before; or it
    /// is the first after a rest and not late, so that nobody hears the delay being set anew.
    pub(crate) fn is_left_by(&self, packet: &Incoming, playhead: i64) -> bool {
        if packet.seq <= self.seq || packet.samples == 0 {
            return false;
        }
        let passed = packet.arrival.since(self.arrival).as_nanos() as i64 / SAMPLE_NS;
        let media = self.media_at(packet.timestamp);
        let step = media - self.media;
        let rested = passed > AHEAD && media >= playhead;
        rested || step < -BEHIND || step > passed + AHEAD
    }

    /// The media time of `packet`, if it is credible: a stray timestamp stops nothing. Only the
    /// newest sound may reach beyond `end`, where what waits ends; sound before it ends before it.
    pub(crate) fn credible(&self, packet: &Incoming, end: i64) -> Option<i64> {
        let media = self.media_at(packet.timestamp);
        match packet.samples {
            0 => Some(media.min(end)),
            _ if packet.seq >= self.seq => Some(media),
            samples => Some(media).filter(|media| media + samples <= self.media),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(seq: u64, timestamp: u32, samples: i64, ms: u64) -> Incoming<'static> {
        let arrival = Stamp::from_ms(ms);
        Incoming { seq, timestamp, payload_type: 0, payload: &[], samples, arrival }
    }

    #[test]
    fn timestamps_are_laid_out_across_the_wrap() {
        let anchor = Anchor::on(&packet(10, u32::MAX, 160, 0), 90, 5_000);
        assert_eq!((anchor.media_at(159), anchor.media_at(u32::MAX - 160)), (5_160, 4_840));
        assert_eq!((anchor.index_of(10), anchor.index_of(12)), (100, 102));
    }

    #[test]
    fn a_timestamp_that_disagrees_with_the_time_leaves_the_anchor() {
        let anchor = Anchor::on(&packet(10, 80_000, 160, 0), 0, 0);
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
}
