//! The default sound device, through cpal.
//!
//! Microphone and speaker are two streams with threads of their own; their callbacks only convert
//! and move samples to and from the rings of a [`DeviceEdge`]. What is lost is opened again by an
//! [`OpenDevice`] that is watched.

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Device, ErrorKind, FromSample, Sample, SampleFormat, SizedSample, Stream,
    StreamConfig, SupportedStreamConfig,
};

use super::device_watch::{Alarm, OpenDevice, SoundCard};
use crate::device::{CaptureEnd, DeviceEdge, DevicePlug, PlaybackEnd, PlugError, Pulse};
use crate::frame::SampleRate;

const MICROPHONE: &str = "microphone";
const SPEAKER: &str = "speaker";

/// The longest buffer that a callback is prepared for, in frames; a longer one is done in parts.
const PART: usize = 1_024;

/// Why the sound device cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// There is none of this kind.
    #[error("there is no {0}: connect one, or start a sound server")]
    None(&'static str),
    /// The device or its driver refuses.
    #[error(
        "the {device} cannot be used: {source}; close the program that has it, or choose another"
    )]
    Refused {
        /// Which.
        device: &'static str,
        /// What the driver says.
        source: cpal::Error,
    },
    /// Its samples are of a kind that is not known here.
    #[error("the {device} has samples of an unknown format, {format}: choose another")]
    Format {
        /// Which.
        device: &'static str,
        /// The format.
        format: SampleFormat,
    },
    /// Its rate is out of range, or the engine is not ready for it.
    #[error(transparent)]
    Plug(#[from] PlugError),
}

/// Whatever microphone and speaker are the system's default when it is opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultDevice;

/// Running streams; they stop when this is dropped.
pub struct AudioStreams {
    _capture: Stream,
    _playback: Stream,
    /// The devices, for people.
    names: (String, String),
}

/// Opens the default microphone and speaker, for a leg at `rate`, in blocks of 10 ms. The engine's end
/// is for [`add_device_leg`](crate::io::Media::add_device_leg); then
/// [`watch`](OpenDevice::watch) the other, which opens what is lost again.
///
/// # Errors
/// [`DeviceError`] when there is none, or it cannot be used.
pub fn open_default_device(
    rate: SampleRate,
) -> Result<(DeviceEdge, OpenDevice<DefaultDevice>), DeviceError> {
    OpenDevice::open(DefaultDevice, rate)
}

impl SoundCard for DefaultDevice {
    type Streams = AudioStreams;
    type Error = DeviceError;

    fn open(
        &mut self,
        plug: &mut DevicePlug,
        alarm: Alarm,
    ) -> Result<(AudioStreams, Pulse), DeviceError> {
        let _quiet = quiet();
        let host = cpal::default_host();
        let microphone = host.default_input_device().ok_or(DeviceError::None(MICROPHONE))?;
        let speaker = host.default_output_device().ok_or(DeviceError::None(SPEAKER))?;
        let capture_config = microphone.default_input_config().map_err(refused(MICROPHONE))?;
        let playback_config = speaker.default_output_config().map_err(refused(SPEAKER))?;
        let (capture, playback, pulse) =
            plug.plug(capture_config.sample_rate(), playback_config.sample_rate())?;
        let capture = open_capture(&microphone, &capture_config, capture, alarm.clone())?;
        let playback = open_playback(&speaker, &playback_config, playback, alarm)?;
        capture.play().map_err(refused(MICROPHONE))?;
        playback.play().map_err(refused(SPEAKER))?;
        let names = (microphone.to_string(), speaker.to_string());
        Ok((AudioStreams { _capture: capture, _playback: playback, names }, pulse))
    }

    fn name(AudioStreams { names: (microphone, speaker), .. }: &AudioStreams) -> String {
        format!("{microphone} and {speaker}")
    }
}

fn refused(device: &'static str) -> impl Fn(cpal::Error) -> DeviceError {
    move |source| match source.kind() {
        ErrorKind::DeviceNotAvailable | ErrorKind::HostUnavailable => DeviceError::None(device),
        _ => DeviceError::Refused { device, source },
    }
}

/// Tells what a driver says of a running stream. Only some of it is not the end.
fn tell(alarm: &Alarm, device: &str, error: &cpal::Error) {
    let reason = format!("the {device}: {error}");
    match error.kind() {
        ErrorKind::Xrun | ErrorKind::DeviceChanged | ErrorKind::RealtimeDenied => {
            alarm.trouble(reason);
        }
        _ => alarm.lost(reason),
    }
}

/// Has ALSA's library keep what it would print to stderr: the error that it returns says it, too.
/// For this thread, as long as the handle lives.
#[cfg(target_os = "linux")]
pub fn quiet() -> impl Sized {
    alsa::Output::local_error_handler().ok()
}

/// Does nothing: only ALSA's library prints.
#[cfg(not(target_os = "linux"))]
pub fn quiet() -> impl Sized {}

/// The device's own rate and channels, with a fixed buffer: the default one may be a second long.
fn stream_config(supported: &SupportedStreamConfig) -> StreamConfig {
    let buffer_size = BufferSize::Fixed(supported.sample_rate() / 100);
    StreamConfig { buffer_size, ..supported.config() }
}

/// Calls `$open::<T>(…)` with the sample type of the format; `None` when it is not known.
macro_rules! by_format {
    ($format:expr, $open:ident($($argument:expr),*)) => {
        match $format {
            SampleFormat::I8 => Some($open::<i8>($($argument),*)),
            SampleFormat::I16 => Some($open::<i16>($($argument),*)),
            SampleFormat::I32 => Some($open::<i32>($($argument),*)),
            SampleFormat::U8 => Some($open::<u8>($($argument),*)),
            SampleFormat::U16 => Some($open::<u16>($($argument),*)),
            SampleFormat::F32 => Some($open::<f32>($($argument),*)),
            SampleFormat::F64 => Some($open::<f64>($($argument),*)),
            _ => None,
        }
    };
}

fn open_capture(
    device: &Device,
    config: &SupportedStreamConfig,
    end: CaptureEnd,
    alarm: Alarm,
) -> Result<Stream, DeviceError> {
    let format = config.sample_format();
    by_format!(format, capture(device, stream_config(config), end, alarm))
        .ok_or(DeviceError::Format { device: MICROPHONE, format })?
        .map_err(refused(MICROPHONE))
}

fn open_playback(
    device: &Device,
    config: &SupportedStreamConfig,
    end: PlaybackEnd,
    alarm: Alarm,
) -> Result<Stream, DeviceError> {
    let format = config.sample_format();
    by_format!(format, playback(device, stream_config(config), end, alarm))
        .ok_or(DeviceError::Format { device: SPEAKER, format })?
        .map_err(refused(SPEAKER))
}

fn capture<T>(
    device: &Device,
    config: StreamConfig,
    mut end: CaptureEnd,
    alarm: Alarm,
) -> Result<Stream, cpal::Error>
where
    T: SizedSample,
    i16: FromSample<T>,
{
    let channels = usize::from(config.channels.max(1));
    let callback = move |data: &[T], _: &cpal::InputCallbackInfo| {
        for part in data.chunks(PART * channels) {
            let mut mono = [0i16; PART];
            let mut frames = 0;
            for (mono, frame) in mono.iter_mut().zip(part.chunks(channels)) {
                let sum: i32 = frame.iter().map(|&s| i32::from(i16::from_sample(s))).sum();
                *mono = (sum / channels as i32) as i16;
                frames += 1;
            }
            end.push(&mono[..frames]);
        }
    };
    let told = move |error| tell(&alarm, MICROPHONE, &error);
    device.build_input_stream(config, callback, told, None)
}

fn playback<T>(
    device: &Device,
    config: StreamConfig,
    mut end: PlaybackEnd,
    alarm: Alarm,
) -> Result<Stream, cpal::Error>
where
    T: SizedSample + FromSample<i16>,
{
    let channels = usize::from(config.channels.max(1));
    let callback = move |data: &mut [T], _: &cpal::OutputCallbackInfo| {
        for part in data.chunks_mut(PART * channels) {
            let mut mono = [0i16; PART];
            let frames = part.len() / channels;
            end.pull(&mut mono[..frames]);
            for (frame, &sample) in part.chunks_mut(channels).zip(&mono) {
                frame.fill(T::from_sample(sample));
            }
        }
    };
    let told = move |error| tell(&alarm, SPEAKER, &error);
    device.build_output_stream(config, callback, told, None)
}
