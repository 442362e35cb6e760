//! RTP (RFC 3550, 3551) and telephone events (RFC 4733), without a socket or a clock.
//!
//! A leg has two edges. [`RtpReceiver`] takes datagrams as they come and gives one frame a tick;
//! [`RtpSender`] takes one frame a tick and gives packets. Both hold all their memory from the
//! start: nothing here allocates, waits or panics once they are made, whatever the network sends.
//!
//! ```
//! use stasis_bus::Stamp;
//! use stasis_media::rtp::{
//!     FrameKind, Payloads, ReceiveSettings, RtpEvent, RtpReceiver, RtpSender, RtpSeq,
//! };
//!
//! let mut sender = RtpSender::new(&Payloads::default(), 0x5EED, RtpSeq(1), 0); // PCMU
//! let mut receiver = RtpReceiver::new(ReceiveSettings::default()); // delays by 60 ms
//! let from = "127.0.0.1:4000".parse()?;
//! let mut learned = None;
//! let mut frame = [0; 160];
//! let mut kinds = Vec::new();
//! for tick in 0..5 {
//!     let now = Stamp::from_ms(tick * 20);
//!     let mut on = |event| if let RtpEvent::SourceLearned(source) = event { learned = Some(source) };
//!     sender.tick(&[1_000; 160], |packet| receiver.receive(packet, from, now, &mut on));
//!     kinds.push(receiver.tick(now, &mut frame, &mut on));
//! }
//! assert_eq!(learned, Some(from));
//! assert_eq!(kinds[2..], [FrameKind::Silence, FrameKind::Voice, FrameKind::Voice]);
//! # Ok::<(), std::net::AddrParseError>(())
//! ```
//!
//! The way in: `packet` (the header) → `latch` (whose is it: symmetric RTP) → `source` (is it new,
//! what is missing) → `playout`: `jitter` (when is it heard; `anchor`, `slots`, `margins`, `pace`),
//! `decoders`, `conceal` (no loss clicks); or `telephone_event` (which key). The way out: `dialer`
//! (keys) or `encoders` → `packet`. What the numbers in packets mean is in `payloads`.

mod anchor;
mod conceal;
mod decoders;
mod dialer;
mod encoders;
mod jitter;
mod latch;
#[cfg(test)]
mod link;
mod margins;
mod pace;
mod packet;
mod payloads;
mod playout;
mod receiver;
mod sender;
mod slots;
mod source;
mod telephone_event;

pub use dialer::{DIAL_QUEUE, Full, MAX_KEY, MIN_KEY, MIN_PAUSE};
pub(crate) use encoders::ShareKey;
pub use latch::TAKEOVER;
pub use packet::{HEADER_LEN, Header, MAX_PAYLOAD, Packet, PacketError, RtpSeq, write_packet};
pub use payloads::{MAX_PAYLOADS, Payload, Payloads, PayloadsError};
pub use playout::FrameKind;
pub(crate) use playout::TickPacket;
pub use receiver::{ReceiveSettings, ReceiveStats, RtpEvent, RtpReceiver};
pub use sender::{PressError, RtpSender, SendStats};
pub use telephone_event::{EVENT_LEN, EVENT_TIMEOUT, EventPayload, EventReceiver, KeyEvent};
