//! Packets: the RTP header (RFC 3550 section 5.1) read once and written without the heap.
//!
//! rtp-rs reads and writes the bytes; what leaves here is plain `Copy` fields and a slice of the
//! datagram, so that nothing behind this file looks at raw bytes again.

use rtp_rs::{RtpPacketBuilder, RtpReader, RtpReaderError, Seq};

/// Bytes of a header without contributing sources or extension.
pub const HEADER_LEN: usize = RtpReader::MIN_HEADER_LEN;

/// The longest payload taken or sent, in bytes: what an Ethernet frame can carry.
pub const MAX_PAYLOAD: usize = 1_500;

/// A packet's number as it travels: 16 bits that wrap (RFC 3550 section 5.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RtpSeq(pub u16);

impl RtpSeq {
    /// The number after this one; 0 after 65,535.
    pub const fn next(self) -> RtpSeq {
        RtpSeq(self.0.wrapping_add(1))
    }

    /// How far this number is ahead of `other`, the shorter way round: negative when it is behind.
    pub const fn distance_from(self, other: RtpSeq) -> i16 {
        self.0.wrapping_sub(other.0) as i16
    }

    /// Whether this number comes before `other`, the shorter way round.
    pub const fn precedes(self, other: RtpSeq) -> bool {
        self.distance_from(other) < 0
    }
}

/// The fields of an RTP header that this engine uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// What the payload is, 0 to 127 (RFC 3551 section 6, or agreed by SDP).
    pub payload_type: u8,
    /// The first packet of a talkspurt or of a telephone event.
    pub marker: bool,
    /// The packet's number.
    pub seq: RtpSeq,
    /// When the first sample was taken, in units of the payload's clock; wraps.
    pub timestamp: u32,
    /// The stream it belongs to.
    pub ssrc: u32,
}

/// One RTP packet: its header, and its payload without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// The header's fields.
    pub header: Header,
    /// The payload, at most [`MAX_PAYLOAD`] bytes; may be empty.
    pub payload: &'a [u8],
}

/// Why a datagram is no RTP packet for this engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketError {
    /// Shorter than a header; not RTP, or cut off on the way.
    #[error("{0} bytes are too short for an RTP header of 12: drop it")]
    TooShort(usize),
    /// Not RTP version 2: STUN, DTLS or noise.
    #[error("version {0} is not RTP version 2: hand it to another protocol or drop it")]
    Version(u8),
    /// RTCP on the RTP port (RFC 5761 section 4): hand it to the RTCP side.
    #[error("packet type {0} is RTCP, not RTP: hand it to the RTCP side")]
    Rtcp(u8),
    /// The contributing sources or the extension reach beyond the end of the datagram.
    #[error("a header of {header_len} bytes does not fit {datagram_len}: drop it")]
    HeaderTruncated {
        /// What the header says it needs, in bytes.
        header_len: usize,
        /// What there is, in bytes.
        datagram_len: usize,
    },
    /// The padding is longer than the payload, or says it is empty.
    #[error("the last byte's padding length is not between 1 and the payload's length: drop it")]
    Padding,
    /// A payload that no slot can hold.
    #[error("a payload of {0} bytes is longer than 1500: ask the sender for a shorter ptime")]
    PayloadTooLong(usize),
}

impl<'a> Packet<'a> {
    /// Reads `datagram` as an RTP packet; padding, contributing sources and extension are skipped.
    ///
    /// # Errors
    /// When it is not RTP version 2, is RTCP by RFC 5761 (payload types 64 to 95), contradicts its
    /// own length, or carries more than [`MAX_PAYLOAD`] bytes.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, PacketError> {
        // First of all: RTCP's packets may be shorter than any of RTP, and count otherwise (RFC 3550
        // section 6.4).
        if let [0x80..=0xBF, kind, ..] = *datagram
            && matches!(kind & 0x7F, 64..=95)
        {
            return Err(PacketError::Rtcp(kind));
        }
        let rtp = RtpReader::new(datagram).map_err(|error| reader_error(error, datagram.len()))?;
        let header = Header {
            payload_type: rtp.payload_type(),
            marker: rtp.mark(),
            seq: RtpSeq(rtp.sequence_number().into()),
            timestamp: rtp.timestamp(),
            ssrc: rtp.ssrc(),
        };
        let payload = rtp.payload();
        if payload.len() > MAX_PAYLOAD {
            return Err(PacketError::PayloadTooLong(payload.len()));
        }
        Ok(Packet { header, payload })
    }
}

/// Writes a packet into the front of `buffer` and returns it; `None` when `buffer` is shorter than
/// [`HEADER_LEN`] and the payload, or the payload type is over 127. Never allocates.
pub fn write_packet<'b>(header: &Header, payload: &[u8], buffer: &'b mut [u8]) -> Option<&'b [u8]> {
    let built = RtpPacketBuilder::new()
        .payload_type(header.payload_type)
        .marked(header.marker)
        .sequence(Seq::from(header.seq.0))
        .timestamp(header.timestamp)
        .ssrc(header.ssrc)
        .payload(payload)
        .build_into(buffer)
        .ok()?;
    buffer.get(..built)
}

fn reader_error(error: RtpReaderError, datagram_len: usize) -> PacketError {
    match error {
        RtpReaderError::BufferTooShort(len) => PacketError::TooShort(len),
        RtpReaderError::UnsupportedVersion(version) => PacketError::Version(version),
        RtpReaderError::HeadersTruncated { header_len, .. } if header_len > datagram_len => {
            PacketError::HeaderTruncated { header_len, datagram_len }
        }
        RtpReaderError::HeadersTruncated { .. } | RtpReaderError::PaddingLengthInvalid(_) => {
            PacketError::Padding
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: Header = Header {
        payload_type: 8,
        marker: true,
        seq: RtpSeq(0xABCD),
        timestamp: 0xFFFF_FF60,
        ssrc: 0x1234_5678,
    };

    #[test]
    fn what_was_written_is_read_back() {
        let mut buffer = [0; 64];
        let written = write_packet(&HEADER, &[1, 2, 3], &mut buffer).unwrap();
        assert_eq!(written.len(), HEADER_LEN + 3);
        assert_eq!(Packet::parse(written), Ok(Packet { header: HEADER, payload: &[1, 2, 3] }));
    }

    #[test]
    fn a_packet_that_does_not_fit_its_buffer_is_not_written() {
        assert_eq!(write_packet(&HEADER, &[0; 5], &mut [0; 16]), None);
        let wide = Header { payload_type: 128, ..HEADER };
        assert_eq!(write_packet(&wide, &[], &mut [0; 64]), None);
    }

    #[test]
    fn sequence_numbers_compare_across_the_wrap() {
        assert!(RtpSeq(65_535).precedes(RtpSeq(0)));
        assert!(!RtpSeq(0).precedes(RtpSeq(65_535)));
        assert_eq!(RtpSeq(65_535).next(), RtpSeq(0));
        assert_eq!(RtpSeq(2).distance_from(RtpSeq(65_534)), 4);
        assert_eq!(RtpSeq(65_534).distance_from(RtpSeq(2)), -4);
    }

    #[test]
    fn every_flaw_has_its_own_error() {
        let plain = [0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 7, 7, 7, 2];
        let with = |at: usize, byte: u8| {
            let mut bytes = plain;
            bytes[at] = byte;
            bytes
        };
        assert_eq!(Packet::parse(&plain[..11]), Err(PacketError::TooShort(11)));
        assert_eq!(Packet::parse(&with(0, 0x40)), Err(PacketError::Version(1)));
        assert_eq!(Packet::parse(&with(1, 200)), Err(PacketError::Rtcp(200)));
        // An empty receiver report and a goodbye, the shortest of RTCP.
        assert_eq!(Packet::parse(&[0x80, 201, 0, 1, 0, 0, 0, 9]), Err(PacketError::Rtcp(201)));
        assert_eq!(Packet::parse(&[0xA1, 203, 0, 1]), Err(PacketError::Rtcp(203)));
        assert_eq!(Packet::parse(&[0x40, 203, 0, 1]), Err(PacketError::TooShort(4)));
        assert!(matches!(Packet::parse(&with(0, 0x82)), Err(PacketError::HeaderTruncated { .. })));
        assert!(matches!(Packet::parse(&with(0, 0x90)), Err(PacketError::HeaderTruncated { .. })));
        assert_eq!(Packet::parse(&with(0, 0xA0)).unwrap().payload, &[7, 7]);
        let mut padded = with(0, 0xA0);
        for length in [0, 5, 255] {
            padded[15] = length;
            assert_eq!(Packet::parse(&padded), Err(PacketError::Padding));
        }
        padded[15] = 4;
        assert_eq!(Packet::parse(&padded).unwrap().payload, &[0u8; 0]);
        assert_eq!(Packet::parse(&padded[..12]), Err(PacketError::Padding));
        let long = [&plain[..12], &[0; 1_501]].concat();
        assert_eq!(Packet::parse(&long), Err(PacketError::PayloadTooLong(1_501)));
    }

    #[test]
    fn contributing_sources_and_an_extension_are_skipped() {
        let mut bytes = vec![0x92, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9];
        bytes.extend([0; 8]); // two contributing sources
        bytes.extend([0xBE, 0xDE, 0, 1, 1, 2, 3, 4]); // one word of extension
        bytes.extend([5, 6]);
        assert_eq!(Packet::parse(&bytes).unwrap().payload, &[5, 6]);
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Packet::parse(&bytes);
        }

        #[test]
        fn no_bytes_that_look_like_rtp_make_the_parser_panic(
            flags in 0x80u8..0xC0,
            bytes in prop::collection::vec(any::<u8>(), 0..100),
        ) {
            let _ = Packet::parse(&[&[flags], &bytes[..]].concat());
        }

        #[test]
        fn any_header_survives_the_trip(
            payload_type in (0u8..96).prop_map(|pt| if pt < 64 { pt } else { pt + 32 }),
            marker: bool,
            seq: u16,
            timestamp: u32,
            ssrc: u32,
            payload in prop::collection::vec(any::<u8>(), 0..480),
        ) {
            let header = Header { payload_type, marker, seq: RtpSeq(seq), timestamp, ssrc };
            let mut buffer = [0; 512];
            let written = write_packet(&header, &payload, &mut buffer).unwrap();
            prop_assert_eq!(Packet::parse(written), Ok(Packet { header, payload: &payload }));
        }
    }
}
