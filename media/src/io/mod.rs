//! Shells: the thin parts that own threads, sockets, clocks and sound devices, and only move data.

mod desk;
#[cfg(feature = "sound")]
mod device;
mod media_thread;
mod record;
mod timer;
mod udp;
mod virtual_device;

#[cfg(feature = "sound")]
pub use self::device::{AudioStreams, DeviceError, open_default_device, quiet};
pub use self::media_thread::{
    BridgeRate, BridgeSettings, ControlError, Counters, MediaSettings, MediaThread, RtpLeg,
    StartError,
};
pub use self::record::{
    IfExists, Keys, RecordEnd, RecordError, RecordFigures, RecordSettings, RecordState,
    RecordTarget, Recorder, Recording, RecordingChanged, RecordingLost, RecordingTrack,
};
pub use self::timer::sleep_until;
pub use self::udp::{Datagram, RtpSocket};
pub use self::virtual_device::{VirtualDevice, VirtualDeviceError, VirtualDeviceReport};
