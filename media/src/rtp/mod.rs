//! RTP (RFC 3550, 3551) and telephone events (RFC 4733), without a socket or a clock.

mod conceal;
mod packet;
mod source;

pub use packet::{HEADER_LEN, Header, MAX_PAYLOAD, Packet, PacketError, RtpSeq, write_packet};
