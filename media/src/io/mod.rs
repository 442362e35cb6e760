//! Shells: the thin parts that own threads, sockets, clocks and sound devices, and only move data.
//!
//! Those that own threads can also be had *by hand*, without any: [`Media::by_hand`],
//! [`Recorder::by_hand`] and [`Prompts::by_hand`]. Then what their threads do is done when it is asked for,
//! on virtual time: all that is above them, with the real engine, is tested so in microseconds, the same
//! each time.
//!
//! ```
//! use std::sync::Arc;
//! use stasis_bus::{Bus, Settings};
//! use stasis_media::bridge::TapDirection;
//! use stasis_media::frame::SampleRate;
//! use stasis_media::io::{
//!     Media, MediaSettings, PlayOptions, PromptSettings, Prompts, RecordSettings, RecordTarget, Recorder,
//! };
//!
//! let bus = Bus::new(Settings::default())?;
//! let topic = bus.topic("phone");
//! let (media, mut ticker) = Media::by_hand(&bus, MediaSettings::default());
//! let (recorder, mut recording) = Recorder::by_hand();
//! let (media, prompts) = (Arc::new(media), Prompts::by_hand(PromptSettings::default()));
//!
//! // A phone that hears a tone, which its near leg says; that is recorded for two seconds.
//! let [near, far] = media.pair(SampleRate::Hz8000, [&topic, &topic])?;
//! prompts.play(&media, far, vec!["tone:beep".parse()?], PlayOptions::default(), &topic)?;
//! let path = std::env::temp_dir().join("stasis-doc-by-hand.wav");
//! let target = RecordTarget::Leg(near, TapDirection::In);
//! let recorded = recorder.record(&media, target, RecordSettings::to(&path), &topic)?;
//! for _ in 0..20 {
//!     for _ in 0..5 {
//!         ticker.tick();
//!     }
//!     recording.work();
//! }
//! recorded.stop();
//! recording.work();
//! assert_eq!(recorded.wait()?.duration.as_secs(), 2);
//! # std::fs::remove_file(path)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
    StartError, Ticker,
};
pub use self::prompts::{
    BuiltIn, ListedSound, MusicClass, MusicFailed, MusicOrder, MusicSource, PlayOptions,
    PlaybackFailed, PromptError, PromptFigures, PromptSettings, Prompts, SoundFormat,
};
pub use self::record::{
    IfExists, Keys, RecordEnd, RecordError, RecordFigures, RecordSettings, RecordState,
    RecordTarget, Recorder, RecorderTicker, Recording, RecordingChanged, RecordingLost,
    RecordingTrack,
};
pub use self::timer::sleep_until;
pub use self::udp::{Datagram, ReceiveBuffer, RtpSocket};
pub use self::virtual_device::{VirtualDevice, VirtualDeviceError, VirtualDeviceReport};
