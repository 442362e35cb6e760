//! Real-time media engine: RTP, mixing bridges, DTMF, talk detection, sound devices and WAV files.
#![forbid(unsafe_code)]

pub mod codec;
pub mod dtmf;
pub mod frame;
pub mod resample;
pub mod rtp;
pub mod talk;
pub mod wav;
