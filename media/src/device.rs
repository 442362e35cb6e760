//! A sound device as the engine sees it: two rings of samples, and a clock that is not ours.
//!
//! The device's callback pushes what the microphone heard into one ring and pulls what the speaker
//! plays from the other. The two clocks drift apart, so each way is resampled by what the ring's
//! level tells ([`DriftControl`]): no sample is lost or doubled as long as the device runs.
//!
//! A device that goes away is silence until another takes its place ([`DevicePlug`]).

mod plug;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

pub use plug::{DevicePlug, PlugError, Pulse, pluggable_edge};

use crate::frame::{Ptime, SampleRate};
use crate::resample::{DriftControl, DriftResampler, ResampleError, Side};
use plug::Socket;

/// What a ring is to hold, in ticks: one that is just being moved, and one for the unpunctual.
const TARGET_TICKS: usize = 2;
/// What a ring can hold, in ticks.
const RING_TICKS: usize = 16;
/// Beyond this many ticks a ring is cut back to its target.
const TOO_FULL_TICKS: usize = 8;

/// The engine's end of a sound device.
pub struct DeviceEdge {
    rate: SampleRate,
    device: Option<Box<Device>>,
    /// Where other devices come from, if they may.
    socket: Option<Socket>,
    /// The slips of devices before this one.
    slips: (u64, u64),
}

/// The device's end of the microphone's ring.
pub struct CaptureEnd {
    samples: rtrb::Producer<i16>,
    blocks: Arc<AtomicU64>,
}

/// The device's end of the speaker's ring.
pub struct PlaybackEnd {
    samples: rtrb::Consumer<i16>,
    blocks: Arc<AtomicU64>,
}

/// Makes the two rings of a sound device whose microphone and speaker run at these rates (hertz,
/// 8,000 to 192,000), for a leg at `rate`.
///
/// # Errors
/// [`ResampleError::RateOutOfRange`].
pub fn device_edge(
    capture_hz: u32,
    playback_hz: u32,
    rate: SampleRate,
) -> Result<(DeviceEdge, CaptureEnd, PlaybackEnd), ResampleError> {
    let (device, capture, playback) = Device::new(capture_hz, playback_hz, rate)?;
    let device = Some(Box::new(device));
    Ok((DeviceEdge { rate, device, socket: None, slips: (0, 0) }, capture, playback))
}

/// Samples in a tick at a device's rate.
fn tick(hz: u32) -> usize {
    (hz / 1_000 * Ptime::TICK.ms()) as usize
}

impl DeviceEdge {
    /// The rate of its frames.
    pub fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Takes one tick of the microphone.
    pub(crate) fn capture(&mut self, out: &mut [i16]) {
        self.change();
        match &mut self.device {
            Some(device) => device.capture.take(out),
            None => out.fill(0),
        }
    }

    /// Gives one tick to the speaker.
    pub(crate) fn play(&mut self, frame: &[i16]) {
        if let Some(device) = &mut self.device {
            device.playback.give(frame);
        }
    }

    /// Ticks without a microphone, and cuts of rings that were too full.
    pub(crate) fn slips(&self) -> (u64, u64) {
        let (underruns, overruns) = self.device.as_ref().map_or((0, 0), |device| device.slips());
        (self.slips.0 + underruns, self.slips.1 + overruns)
    }

    /// Takes the device that has come, if one has.
    fn change(&mut self) {
        if let Some(socket) = &mut self.socket
            && let Some((underruns, overruns)) = socket.change(&mut self.device)
        {
            self.slips = (self.slips.0 + underruns, self.slips.1 + overruns);
        }
    }
}

/// What belongs to one device: its rings and converters.
struct Device {
    capture: Capture,
    playback: Playback,
}

impl Device {
    fn new(
        capture_hz: u32,
        playback_hz: u32,
        rate: SampleRate,
    ) -> Result<(Self, CaptureEnd, PlaybackEnd), ResampleError> {
        let capture_resampler = DriftResampler::capture(capture_hz, rate)?;
        let playback_resampler = DriftResampler::playback(rate, playback_hz)?;
        let (to_engine, from_microphone) = rtrb::RingBuffer::new(tick(capture_hz) * RING_TICKS);
        let (to_speaker, from_engine) = rtrb::RingBuffer::new(tick(playback_hz) * RING_TICKS);
        let control = |side, hz| DriftControl::new(side, hz, tick(hz) * TARGET_TICKS);
        let device = Device {
            capture: Capture {
                samples: from_microphone,
                input: vec![0; capture_resampler.max_input()].into(),
                resampler: capture_resampler,
                control: control(Side::Capture, capture_hz),
                tick: tick(capture_hz),
                flows: false,
                underruns: 0,
                overruns: 0,
            },
            playback: Playback {
                samples: to_speaker,
                output: vec![0; playback_resampler.max_output()].into(),
                resampler: playback_resampler,
                control: control(Side::Playback, playback_hz),
                tick: tick(playback_hz),
                overruns: 0,
            },
        };
        let capture = CaptureEnd { samples: to_engine, blocks: Arc::default() };
        Ok((device, capture, PlaybackEnd { samples: from_engine, blocks: Arc::default() }))
    }

    fn slips(&self) -> (u64, u64) {
        (self.capture.underruns, self.capture.overruns + self.playback.overruns)
    }
}

impl CaptureEnd {
    /// Pushes what the microphone heard; what finds no room is lost. For the device's callback:
    /// never allocates, locks or waits.
    pub fn push(&mut self, samples: &[i16]) {
        let _lost = self.samples.push_partial_slice(samples);
        self.blocks.fetch_add(1, Relaxed);
    }
}

impl PlaybackEnd {
    /// Fills `out` with what the speaker is to play; silence where there is nothing. For the
    /// device's callback: never allocates, locks or waits.
    pub fn pull(&mut self, out: &mut [i16]) {
        let (_, missing) = self.samples.pop_partial_slice(out);
        missing.fill(0);
        self.blocks.fetch_add(1, Relaxed);
    }
}

struct Capture {
    samples: rtrb::Consumer<i16>,
    input: Box<[i16]>,
    resampler: DriftResampler,
    control: DriftControl,
    tick: usize,
    /// Whether the ring had reached its target since it last ran dry.
    flows: bool,
    underruns: u64,
    overruns: u64,
}

impl Capture {
    fn take(&mut self, out: &mut [i16]) {
        let mut fill = self.samples.slots();
        if fill > self.tick * TOO_FULL_TICKS {
            fill -= self.discard(fill - self.tick * TARGET_TICKS);
            self.overruns += 1;
            self.control.restart();
        }
        if !self.flows {
            if fill < self.tick * TARGET_TICKS {
                return out.fill(0);
            }
            self.flows = true;
            self.control.restart();
        }
        self.resampler.set_drift(self.control.update(fill));
        let needed = self.resampler.input_needed();
        let input = &mut self.input[..needed];
        if self.samples.pop_entire_slice(input).is_err() {
            self.flows = false;
            self.underruns += 1;
            return out.fill(0);
        }
        if self.resampler.process(input, out).is_err() {
            out.fill(0);
        }
    }

    fn discard(&mut self, count: usize) -> usize {
        match self.samples.read_chunk(count) {
            Ok(chunk) => {
                chunk.commit_all();
                count
            }
            Err(_) => 0,
        }
    }
}

struct Playback {
    samples: rtrb::Producer<i16>,
    output: Box<[i16]>,
    resampler: DriftResampler,
    control: DriftControl,
    tick: usize,
    overruns: u64,
}

impl Playback {
    fn give(&mut self, frame: &[i16]) {
        if self.samples.is_abandoned() {
            return; // the device is gone, which is told elsewhere
        }
        let mut fill = self.samples.buffer().capacity() - self.samples.slots();
        if fill == 0 {
            // At the beginning, or run dry: some silence first, to be in time from here on.
            self.output.fill(0);
            let mut wanted = self.tick * TARGET_TICKS;
            while wanted > 0 {
                let part = wanted.min(self.output.len());
                let _ = self.samples.push_partial_slice(&self.output[..part]); // it is empty
                wanted -= part;
            }
            fill = self.tick * TARGET_TICKS;
            self.control.restart();
        }
        if fill > self.tick * TOO_FULL_TICKS {
            // The device has stopped pulling, or pulls too little.
            self.overruns += 1;
            return;
        }
        self.resampler.set_drift(self.control.update(fill));
        if let Ok(given) = self.resampler.process(frame, &mut self.output) {
            let _ = self.samples.push_partial_slice(&self.output[..given]); // there is room
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(position: usize, hz: u32) -> i16 {
        let phase = position as f64 * 1_000.0 / f64::from(hz) * std::f64::consts::TAU;
        (phase.sin() * 8_000.0) as i16
    }

    /// The level of the 1 kHz tone in the samples, against all that is in them: 1 is pure.
    fn purity(samples: &[i16], hz: f64) -> f64 {
        let (mut re, mut im, mut all) = (0.0, 0.0, 0.0);
        for (n, &sample) in samples.iter().enumerate() {
            let (sin, cos) = (n as f64 * 1_000.0 / hz * std::f64::consts::TAU).sin_cos();
            re += f64::from(sample) * cos;
            im += f64::from(sample) * sin;
            all += f64::from(sample).powi(2);
        }
        2.0 * (re * re + im * im) / (samples.len() as f64 * all)
    }

    #[test]
    fn a_tone_passes_both_ways_whole_while_the_device_clock_is_off() {
        for (hz, ppm) in [(48_000u32, 0.0), (48_000, 300.0), (44_100, -300.0), (16_000, 200.0)] {
            let (mut edge, mut microphone, mut speaker) =
                device_edge(hz, hz, SampleRate::Hz48000).unwrap();
            let (mut heard, mut played) = (Vec::new(), Vec::new());
            let (mut device_time, mut position, mut engine_position) = (0.0, 0, 0);
            let block = hz as usize / 100;
            for _ in 0..30 * 50 {
                device_time += 2.0 * (1.0 + ppm * 1e-6); // in blocks of 10 ms
                while device_time >= 1.0 {
                    device_time -= 1.0;
                    let captured: Vec<i16> = (0..block).map(|n| tone(position + n, hz)).collect();
                    position += block;
                    microphone.push(&captured);
                    let mut out = vec![0; block];
                    speaker.pull(&mut out);
                    played.extend(out);
                }
                let mut frame = [0; 960];
                edge.capture(&mut frame);
                heard.extend(frame);
                let frame: Vec<i16> = (0..960).map(|n| tone(engine_position + n, 48_000)).collect();
                engine_position += 960;
                edge.play(&frame);
            }
            assert_eq!(edge.slips(), (0, 0), "{hz} Hz {ppm} ppm");
            // A tenth of a second at the end: the correction has not settled to the last ppm.
            let heard = purity(&heard[heard.len() - 4_800..], 48_000.0);
            let played = purity(&played[played.len() - hz as usize / 10..], f64::from(hz));
            assert!(heard > 0.999 && played > 0.999, "{hz} Hz {ppm} ppm: {heard} {played}");
        }
    }

    #[test]
    fn a_device_that_stops_is_silence_and_one_that_bursts_is_cut_back() {
        let (mut edge, mut microphone, _speaker) =
            device_edge(48_000, 48_000, SampleRate::Hz48000).unwrap();
        let mut frame = [1; 960];
        edge.capture(&mut frame);
        assert_eq!(frame, [0; 960], "not yet flowing: no underrun");
        assert_eq!(edge.slips(), (0, 0));
        microphone.push(&[500; 960 * 3]);
        (0..5).for_each(|_| edge.capture(&mut frame));
        assert_eq!(edge.slips(), (1, 0));
        microphone.push(&[500; 960 * 12]);
        edge.capture(&mut frame);
        assert_eq!(edge.slips(), (1, 1));
        // A speaker that never pulls.
        (0..20).for_each(|_| edge.play(&frame));
        assert!(edge.slips().1 > 1);
    }
}
