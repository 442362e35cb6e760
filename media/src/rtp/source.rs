//! Sources: what is known of one stream (one SSRC) from its headers alone.
//!
//! A stream is trusted after two packets in order (probation). From then on its 16-bit numbers are
//! extended to 64 bits; a jump of 3,000 ahead or 100 back is believed only when the next packet
//! follows it, and then the stream starts anew (RFC 3550 appendix A.1). Loss is what was expected
//! less what came (A.3), jitter the smoothed change of transit time (A.8).

use super::packet::{Header, RtpSeq};
use stasis_bus::Stamp;

/// Packets in order before a source is trusted (RFC 3550 A.1 `MIN_SEQUENTIAL`).
pub const MIN_SEQUENTIAL: u8 = 2;
/// The longest gap ahead that is loss and not a restart (RFC 3550 A.1).
pub const MAX_DROPOUT: u16 = 3_000;
/// How far behind a packet may be and still be reordered, not a restart (RFC 3550 A.1).
pub const MAX_MISORDER: u16 = 100;

/// A change of transit time that is a jump of the clock, not jitter, in nanoseconds.
const NOT_JITTER_NS: i64 = 1_000_000_000;

/// What a packet is to its stream. Numbers are extended: they count on where 16 bits wrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Not trusted yet: one more in order is needed.
    Probation,
    /// Trusted with this packet, and so is the one before it.
    Passed(u64),
    /// Newer than all before it.
    Newest(u64),
    /// Older than the newest, and new.
    Reordered(u64),
    /// Came before.
    Duplicate,
    /// Far from all before it; believed when the next packet follows it.
    Jump,
    /// The second after a jump: the stream has started anew with this packet.
    Restarted(u64),
}

/// The state of one stream.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    ssrc: u32,
    probation: u8,
    base: u64,
    newest: u64,
    received: u64,
    lost_before_restart: u64,
    /// Bit `n`: number `newest - n` came.
    window: u128,
    jump_to: Option<RtpSeq>,
    jitter_ns: f64,
    /// Arrival, timestamp and clock of the last packet measured.
    transit: Option<(Stamp, u32, u32)>,
}

impl Source {
    /// A stream of which `header` is the first packet: on probation, that packet counted.
    pub fn new(header: &Header) -> Self {
        let mut source = Source {
            ssrc: header.ssrc,
            probation: MIN_SEQUENTIAL - 1,
            base: 0,
            newest: 0,
            received: 0,
            lost_before_restart: 0,
            window: 0,
            jump_to: None,
            jitter_ns: 0.0,
            transit: None,
        };
        source.start_at(header.seq);
        source
    }

    /// The stream's SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Takes the next packet's number (RFC 3550 A.1).
    pub fn update(&mut self, seq: RtpSeq) -> Arrival {
        if self.probation > 0 {
            return self.update_on_probation(seq);
        }
        let ahead = seq.0.wrapping_sub(self.newest as u16);
        match ahead {
            0 => Arrival::Duplicate,
            1..MAX_DROPOUT => self.advance(ahead),
            _ if ahead.wrapping_neg() < MAX_MISORDER => self.look_back(ahead.wrapping_neg()),
            _ if self.jump_to == Some(seq) => self.restart(seq),
            _ => {
                self.jump_to = Some(seq.next());
                Arrival::Jump
            }
        }
    }

    /// Takes the arrival of a packet with sampled media (RFC 3550 A.8); `rate` is its clock in Hz.
    ///
    /// Leave out packets whose timestamp does not move, as those of one telephone event. Where the
    /// clock changes nothing is measured.
    pub fn measure(&mut self, timestamp: u32, rate: u32, arrival: Stamp) {
        let last = self.transit.replace((arrival, timestamp, rate));
        if let Some((before, sent, _)) = last.filter(|(_, _, before)| *before == rate) {
            let between = arrival.ns().wrapping_sub(before.ns()) as i64;
            let units = i64::from(timestamp.wrapping_sub(sent) as i32);
            let change = between.saturating_sub(units * 1_000_000_000 / i64::from(rate.max(1)));
            if change.saturating_abs() < NOT_JITTER_NS {
                self.jitter_ns += (change.abs() as f64 - self.jitter_ns) / 16.0;
            }
        }
    }

    /// Interarrival jitter in milliseconds (RFC 3550 A.8).
    pub fn jitter_ms(&self) -> f32 {
        (self.jitter_ns / 1e6) as f32
    }

    /// Packets that should have come: the newest number less the first, plus one (A.3).
    pub fn expected(&self) -> u64 {
        if self.probation > 0 { 0 } else { self.newest - self.base + 1 }
    }

    /// Packets expected that did not come, also before a restart.
    ///
    /// Unlike the RTCP field of A.3 a duplicate does not make up for a loss, so this is never
    /// negative. A packet still under way counts as lost until it comes.
    pub fn lost(&self) -> u64 {
        self.lost_before_restart + self.expected().saturating_sub(self.received)
    }

    fn start_at(&mut self, seq: RtpSeq) {
        self.newest = (1 << 16) + u64::from(seq.0);
        self.base = self.newest;
        self.received = 1;
        self.window = 1;
        self.jump_to = None;
    }

    fn update_on_probation(&mut self, seq: RtpSeq) -> Arrival {
        if seq != RtpSeq(self.newest as u16).next() {
            self.probation = MIN_SEQUENTIAL - 1;
            self.start_at(seq);
            return Arrival::Probation;
        }
        self.advance(1);
        self.probation -= 1;
        if self.probation == 0 { Arrival::Passed(self.newest) } else { Arrival::Probation }
    }

    fn advance(&mut self, ahead: u16) -> Arrival {
        self.newest += u64::from(ahead);
        self.window = self.window.checked_shl(u32::from(ahead)).unwrap_or(0) | 1;
        self.received += 1;
        Arrival::Newest(self.newest)
    }

    fn look_back(&mut self, behind: u16) -> Arrival {
        let bit = 1u128 << behind; // behind < MAX_MISORDER < 128
        if self.window & bit != 0 {
            return Arrival::Duplicate;
        }
        self.window |= bit;
        let seq = self.newest - u64::from(behind);
        self.base = self.base.min(seq);
        self.received += 1;
        Arrival::Reordered(seq)
    }

    /// Two packets in order after a jump: counts anew from the first of them.
    fn restart(&mut self, seq: RtpSeq) -> Arrival {
        self.lost_before_restart = self.lost();
        self.start_at(RtpSeq(seq.0.wrapping_sub(1)));
        self.transit = None;
        self.advance(1);
        Arrival::Restarted(self.newest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header(seq: u16) -> Header {
        Header { payload_type: 0, marker: false, seq: RtpSeq(seq), timestamp: 0, ssrc: 7 }
    }

    fn trusted(first: u16) -> Source {
        let mut source = Source::new(&header(first));
        assert!(matches!(source.update(RtpSeq(first).next()), Arrival::Passed(_)));
        source
    }

    #[test]
    fn a_source_is_trusted_after_two_packets_in_order() {
        let mut source = Source::new(&header(10));
        assert_eq!(source.update(RtpSeq(12)), Arrival::Probation);
        assert_eq!(source.update(RtpSeq(12)), Arrival::Probation);
        assert_eq!(source.expected(), 0);
        assert_eq!(source.update(RtpSeq(13)), Arrival::Passed(65_536 + 13));
        assert_eq!((source.expected(), source.lost()), (2, 0));
    }

    #[test]
    fn numbers_count_on_where_sixteen_bits_wrap() {
        let mut source = trusted(65_533);
        assert_eq!(source.update(RtpSeq(65_535)), Arrival::Newest(131_071));
        assert_eq!(source.update(RtpSeq(1)), Arrival::Newest(131_073));
        assert_eq!(source.update(RtpSeq(0)), Arrival::Reordered(131_072));
        assert_eq!(source.lost(), 0);
    }

    #[test]
    fn loss_is_what_was_expected_less_what_came() {
        let mut source = trusted(0);
        for seq in [4, 4, 8, 6, 6, 4] {
            source.update(RtpSeq(seq));
        }
        assert_eq!(source.expected(), 9);
        assert_eq!(source.lost(), 4); // 2, 3, 5, 7
    }

    #[test]
    fn a_packet_that_came_before_is_a_duplicate_also_when_older() {
        let mut source = trusted(5);
        source.update(RtpSeq(9));
        assert_eq!(source.update(RtpSeq(9)), Arrival::Duplicate);
        assert_eq!(source.update(RtpSeq(5)), Arrival::Duplicate);
        assert_eq!(source.update(RtpSeq(7)), Arrival::Reordered(65_543));
        assert_eq!(source.update(RtpSeq(7)), Arrival::Duplicate);
    }

    #[test]
    fn the_limits_of_dropout_and_misorder_are_those_of_the_rfc() {
        assert_eq!(trusted(0).update(RtpSeq(1 + 2_999)), Arrival::Newest(65_536 + 3_000));
        assert_eq!(trusted(0).update(RtpSeq(1 + 3_000)), Arrival::Jump);
        assert_eq!(trusted(1_000).update(RtpSeq(1_001 - 99)), Arrival::Reordered(65_536 + 902));
        assert_eq!(trusted(1_000).update(RtpSeq(1_001 - 100)), Arrival::Jump);
    }

    #[test]
    fn one_stray_packet_is_a_jump_and_two_in_order_restart_the_stream() {
        let mut source = trusted(0);
        source.update(RtpSeq(3));
        assert_eq!(source.update(RtpSeq(30_000)), Arrival::Jump);
        assert_eq!(source.update(RtpSeq(4)), Arrival::Newest(65_540));
        assert_eq!(source.update(RtpSeq(40_000)), Arrival::Jump);
        assert_eq!(source.update(RtpSeq(40_001)), Arrival::Restarted(65_536 + 40_001));
        assert_eq!(source.lost(), 1, "the loss before the restart stays counted");
    }

    #[test]
    fn steady_packets_have_no_jitter_and_a_clock_jump_is_not_jitter() {
        let mut source = trusted(0);
        for n in 0..50u32 {
            let jump = if n < 25 { 0 } else { 1_000_000_000 };
            source.measure((n * 160).wrapping_add(jump), 8_000, Stamp::from_ms(u64::from(n) * 20));
        }
        assert_eq!(source.jitter_ms(), 0.0);
    }

    #[test]
    fn jitter_settles_at_the_mean_change_of_transit_time() {
        let mut source = trusted(0);
        for n in 0..500u32 {
            let late = if n % 2 == 0 { 0 } else { 8 };
            let arrival = Stamp::from_ms(u64::from(n) * 20 + late);
            source.measure(n.wrapping_mul(160).wrapping_sub(40_000), 8_000, arrival);
        }
        assert!((source.jitter_ms() - 8.0).abs() < 0.01, "{}", source.jitter_ms());
    }

    proptest! {
        #[test]
        fn whatever_order_they_come_in_each_packet_is_new_once(
            first: u16,
            delays in prop::collection::vec(0usize..90, 200),
        ) {
            let mut order: Vec<usize> = (0..200).collect();
            order.sort_by_key(|&n| n + delays[n]);
            let mut source = trusted(first);
            for n in order {
                let arrival = source.update(RtpSeq(first.wrapping_add(2 + n as u16)));
                prop_assert!(matches!(arrival, Arrival::Newest(_) | Arrival::Reordered(_)));
            }
            prop_assert_eq!((source.lost(), source.expected()), (0, 202));
        }

        #[test]
        fn no_sequence_of_numbers_panics_or_loses_more_than_expected(
            seqs in prop::collection::vec(any::<u16>(), 0..300),
        ) {
            let mut source = trusted(0);
            for seq in seqs {
                source.update(RtpSeq(seq));
            }
            prop_assert!(source.expected() >= 1);
        }
    }
}
