//! Real-time media engine: RTP, mixing bridges, DTMF, talk detection, sound devices and WAV files.
//!
//! The core is sans-IO: [`engine::Engine`] takes datagrams, orders and the time, and gives
//! datagrams, objects it is done with, and events on the bus. Nothing in it allocates, frees, locks
//! or waits, so it can run on a thread with a deadline 50 times a second. [`io`] has the thin
//! shells around it: the media thread with its sockets ([`io::Media`]), sound devices, and
//! the thread that writes recordings.
//!
//! One tick of a packet's life: socket, [`rtp::RtpReceiver`] (order, loss, digits), codec, talk and
//! digit detectors ([`leg`]), conversion to the bridge's rate, sum and mix-minus ([`bridge`]),
//! conversion back, codec, [`rtp::RtpSender`], socket.
#![forbid(unsafe_code)]

pub mod bridge;
pub mod codec;
mod cushion;
pub mod device;
pub mod dtmf;
pub mod engine;
pub mod event;
pub mod frame;
pub mod gain;
mod id;
pub mod io;
pub mod leg;
pub mod mix;
pub mod pair;
pub mod resample;
pub mod rtp;
pub mod schedule;
pub mod snoop;
pub mod sound;
pub mod talk;
pub mod tone;
pub mod wav;

pub use id::{BridgeId, LegId, PlaybackId, RecordingId, Target};
