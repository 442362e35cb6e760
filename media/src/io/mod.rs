//! Shells: the thin parts that own threads, sockets, clocks and sound devices, and only move data.

#[cfg(feature = "sound")]
mod device;
mod lateness;
mod media;
mod recorder;
mod timer;
mod udp;
mod virtual_device;

#[cfg(feature = "sound")]
pub use self::device::{AudioStreams, DeviceError, open_default_device, quiet};
pub use self::lateness::{Lateness, LatenessSnapshot};
pub use self::media::{
    BridgeRate, BridgeSettings, ControlError, Counters, Media, MediaSettings, Priority, RtpLeg,
    StartError,
};
pub use self::recorder::{
    RecordError, Recording, RecordingFailed, RecordingFinished, RecordingStarted,
};
pub use self::timer::sleep_until;
pub use self::udp::{Datagram, RtpSocket};
pub use self::virtual_device::{VirtualDevice, VirtualDeviceReport};
