//! Shells: the thin parts that own threads, sockets, clocks and sound devices, and only move data.

#[cfg(feature = "sound")]
mod device;
mod device_watch;
mod lateness;
mod media;
mod prompts;
mod record;
mod timer;
mod udp;
mod virtual_device;

#[cfg(feature = "sound")]
pub use self::device::{AudioStreams, DefaultDevice, DeviceError, open_default_device, quiet};
pub use self::device_watch::{
    Alarm, DeviceLost, DeviceRestored, DeviceTrouble, DeviceWatch, OpenDevice, SoundCard,
};
pub use self::lateness::{Lateness, LatenessSnapshot};
pub use self::media::{
    BridgeRate, BridgeSettings, ControlError, Counters, Media, MediaSettings, Priority, RtpLeg,
    StartError,
};
pub use self::prompts::{
    MusicClass, MusicFailed, MusicOrder, PlayOptions, PlaybackFailed, PromptError, PromptFigures,
    PromptSettings, Prompts,
};
pub use self::record::{
    IfExists, Keys, RecordEnd, RecordError, RecordFigures, RecordSettings, RecordState,
    RecordTarget, Recorder, Recording, RecordingChanged, RecordingLost, RecordingTrack,
};
pub use self::timer::sleep_until;
pub use self::udp::{Datagram, ReceiveBuffer, RtpSocket};
pub use self::virtual_device::{VirtualDevice, VirtualDeviceError, VirtualDeviceReport};
