//! Whether the packets of one leg follow on each other: SSRC, payload type, sequence number and
//! timestamp (RFC 3550 section 5.1).

use stasis_media::rtp::{Header, RtpSeq};

/// What a leg is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expected {
    pub ssrc: u32,
    pub payload_type: u8,
    /// A tick, by the clock of the payload.
    pub units: u32,
}

/// What one leg was sent.
#[derive(Clone, Copy, Debug)]
pub struct Numbers {
    expected: Expected,
    last: Option<(RtpSeq, u32)>,
    /// When its last packet came, by the ticks of the load.
    pub seen: u64,
}

impl Numbers {
    /// Nothing yet.
    pub fn new(expected: Expected) -> Self {
        Numbers { expected, last: None, seen: 0 }
    }

    /// Takes a packet's header in the so-manieth tick. `false`: it does not follow on the one before.
    /// The engine is not asked to leave silence out, so time never jumps.
    pub fn follows(&mut self, header: &Header, tick: u64) -> bool {
        self.seen = tick;
        let Expected { ssrc, payload_type, units } = self.expected;
        let here = (header.seq, header.timestamp);
        let next = self.last.map(|(seq, timestamp)| (seq.next(), timestamp.wrapping_add(units)));
        self.last = Some(here);
        header.ssrc == ssrc
            && header.payload_type == payload_type
            && next.is_none_or(|next| next == here)
    }
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    const EXPECTED: Expected = Expected { ssrc: 7, payload_type: 9, units: 160 };

    fn header(at: u32) -> Header {
        let seq = RtpSeq(65_530u16.wrapping_add(at as u16));
        let timestamp = (u32::MAX - 1_000).wrapping_add(160 * at);
        Header { payload_type: 9, marker: false, seq, timestamp, ssrc: 7 }
    }

    #[test]
    fn a_stream_without_gaps_follows_across_both_wraps() {
        let mut numbers = Numbers::new(EXPECTED);
        assert!((0..100).all(|at| numbers.follows(&header(at), 0)));
    }

    #[test]
    fn a_loss_a_repeat_and_every_wrong_field_are_noticed_once() {
        let wrong = [
            header(11),
            header(9),
            Header { ssrc: 8, ..header(10) },
            Header { payload_type: 0, ..header(10) },
            Header { timestamp: header(11).timestamp, ..header(10) },
            Header { seq: header(11).seq, ..header(10) },
        ];
        for wrong in wrong {
            let mut numbers = Numbers::new(EXPECTED);
            assert!((0..10).all(|at| numbers.follows(&header(at), 0)));
            assert!(!numbers.follows(&wrong, 0), "{wrong:?}");
            let next = Header {
                seq: wrong.seq.next(),
                timestamp: wrong.timestamp.wrapping_add(160),
                ..header(0)
            };
            assert!(numbers.follows(&next, 0));
        }
    }
}
