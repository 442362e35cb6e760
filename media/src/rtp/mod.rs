//! RTP (RFC 3550, 3551) and telephone events (RFC 4733), without a socket or a clock.

mod conceal;
mod dialer;
mod jitter;
mod latch;
#[cfg(test)]
mod link;
mod margins;
mod packet;
mod receiver;
mod sender;
mod slots;
mod source;
mod telephone_event;

pub use dialer::{DIAL_QUEUE, Full, MAX_KEY, MIN_KEY};
pub use latch::TAKEOVER;
pub use packet::{HEADER_LEN, Header, MAX_PAYLOAD, Packet, PacketError, RtpSeq, write_packet};
pub use receiver::{FrameKind, ReceiveSettings, ReceiveStats, RtpEvent, RtpReceiver};
pub use sender::{RtpSender, SendStats};
pub use telephone_event::{EVENT_TIMEOUT, EventReceiver, KeyEvent};
