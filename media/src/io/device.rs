//! The default sound device, through cpal.
//!
//! Microphone and speaker are two streams with threads of their own; their callbacks only convert
//! and move samples to and from the rings of a [`DeviceEdge`].

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{
    BufferSize, Device, FromSample, Sample, SampleFormat, SizedSample, Stream, StreamConfig,
    SupportedStreamConfig,
};

use crate::device::{CaptureEnd, DeviceEdge, PlaybackEnd, device_edge};
use crate::frame::SampleRate;
use crate::resample::ResampleError;

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
    /// Its rate is out of range.
    #[error(transparent)]
    Rate(#[from] ResampleError),
}

/// Running streams; they stop when this is dropped.
pub struct AudioStreams {
    _capture: Stream,
    _playback: Stream,
    /// The devices, for people.
    pub names: (String, String),
}

/// Opens the default microphone and speaker, for a leg at `rate`, in blocks of 10 ms. `trouble` is
/// told what goes wrong later, on a thread of the device's.
///
/// # Errors
/// [`DeviceError`] when there is none, or it cannot be used.
pub fn open_default_device(
    rate: SampleRate,
    trouble: impl FnMut(String) + Clone + Send + 'static,
) -> Result<(DeviceEdge, AudioStreams), DeviceError> {
    const MICROPHONE: &str = "microphone";
    const SPEAKER: &str = "speaker";
    let _quiet = quiet();
    let host = cpal::default_host();
    let microphone = host.default_input_device().ok_or(DeviceError::None(MICROPHONE))?;
    let speaker = host.default_output_device().ok_or(DeviceError::None(SPEAKER))?;
    let refused = |device| {
        move |source: cpal::Error| match source.kind() {
            cpal::ErrorKind::DeviceNotAvailable => DeviceError::None(device),
            _ => DeviceError::Refused { device, source },
        }
    };
    let capture_config = microphone.default_input_config().map_err(refused(MICROPHONE))?;
    let playback_config = speaker.default_output_config().map_err(refused(SPEAKER))?;
    let (edge, capture, playback) =
        device_edge(capture_config.sample_rate(), playback_config.sample_rate(), rate)?;
    let capture = open_capture(&microphone, &capture_config, capture, trouble.clone())
        .ok_or(DeviceError::Format { device: MICROPHONE, format: capture_config.sample_format() })?
        .map_err(refused(MICROPHONE))?;
    let playback = open_playback(&speaker, &playback_config, playback, trouble)
        .ok_or(DeviceError::Format { device: SPEAKER, format: playback_config.sample_format() })?
        .map_err(refused(SPEAKER))?;
    capture.play().map_err(refused(MICROPHONE))?;
    playback.play().map_err(refused(SPEAKER))?;
    let names = (microphone.to_string(), speaker.to_string());
    Ok((edge, AudioStreams { _capture: capture, _playback: playback, names }))
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
    trouble: impl FnMut(String) + Send + 'static,
) -> Option<Result<Stream, cpal::Error>> {
    by_format!(config.sample_format(), capture(device, stream_config(config), end, trouble))
}

fn open_playback(
    device: &Device,
    config: &SupportedStreamConfig,
    end: PlaybackEnd,
    trouble: impl FnMut(String) + Send + 'static,
) -> Option<Result<Stream, cpal::Error>> {
    by_format!(config.sample_format(), playback(device, stream_config(config), end, trouble))
}

fn capture<T>(
    device: &Device,
    config: StreamConfig,
    mut end: CaptureEnd,
    mut trouble: impl FnMut(String) + Send + 'static,
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
    device.build_input_stream(config, callback, move |error| trouble(error.to_string()), None)
}

fn playback<T>(
    device: &Device,
    config: StreamConfig,
    mut end: PlaybackEnd,
    mut trouble: impl FnMut(String) + Send + 'static,
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
    device.build_output_stream(config, callback, move |error| trouble(error.to_string()), None)
}
