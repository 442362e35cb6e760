//! A plug: puts one sound device in the place of another while the leg lives on.
//!
//! A device has rates of its own, so it brings rings and converters of its own. They reach the
//! engine's end by a ring, and those of the device before come back by another, to be dropped on the
//! control side. What waited in the old rings is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::{CaptureEnd, Device, DeviceEdge, PlaybackEnd};
use crate::frame::SampleRate;
use crate::resample::ResampleError;

/// Devices that may be on their way to the engine, and back.
const MOST_WAITING: usize = 2;

/// The control side's hold on a [`DeviceEdge`].
pub struct DevicePlug {
    rate: SampleRate,
    new: rtrb::Producer<Box<Device>>,
    old: rtrb::Consumer<Box<Device>>,
}

/// The engine's end of it.
pub(super) struct Socket {
    new: rtrb::Consumer<Box<Device>>,
    old: rtrb::Producer<Box<Device>>,
}

/// How often a device has called so far; one that lives does it all the time.
#[derive(Clone, Debug)]
pub struct Pulse {
    captured: Arc<AtomicU64>,
    played: Arc<AtomicU64>,
}

/// Why a device was not put in the place of another.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlugError {
    /// The engine has not yet taken the devices before this one: try again later.
    #[error("the engine has not yet taken the device before this one; try again later")]
    Busy,
    /// Its rate is out of range: choose another.
    #[error(transparent)]
    Rate(#[from] ResampleError),
}

/// Makes the engine's end for a leg at `rate`, with no device yet (that is silence), and the plug for
/// one device after the other.
pub fn pluggable_edge(rate: SampleRate) -> (DeviceEdge, DevicePlug) {
    let (to_engine, new) = rtrb::RingBuffer::new(MOST_WAITING);
    let (from_engine, old) = rtrb::RingBuffer::new(MOST_WAITING);
    let socket = Some(Socket { new, old: from_engine });
    let edge = DeviceEdge { rate, device: None, socket, slips: (0, 0) };
    (edge, DevicePlug { rate, new: to_engine, old })
}

impl DevicePlug {
    /// Puts a device whose microphone and speaker run at these rates (hertz, 8,000 to 192,000) in the
    /// place of the one before, from the next tick on; gives the device's ends, and what tells
    /// whether they are used.
    ///
    /// # Errors
    /// [`PlugError`].
    pub fn plug(
        &mut self,
        capture_hz: u32,
        playback_hz: u32,
    ) -> Result<(CaptureEnd, PlaybackEnd, Pulse), PlugError> {
        while self.old.pop().is_ok() {}
        let (device, capture, playback) = Device::new(capture_hz, playback_hz, self.rate)?;
        self.new.push(Box::new(device)).map_err(|_| PlugError::Busy)?;
        let pulse = Pulse { captured: capture.blocks.clone(), played: playback.blocks.clone() };
        Ok((capture, playback, pulse))
    }

    /// Whether the leg that this was for is gone.
    pub fn is_abandoned(&self) -> bool {
        self.new.is_abandoned()
    }
}

impl Pulse {
    /// Blocks that the microphone has given, and that the speaker has taken.
    pub fn beats(&self) -> (u64, u64) {
        (self.captured.load(Relaxed), self.played.load(Relaxed))
    }
}

impl Socket {
    /// Puts the device that has come, if one has, in the place of this one; says how often that has
    /// slipped.
    pub(super) fn change(&mut self, device: &mut Option<Box<Device>>) -> Option<(u64, u64)> {
        if self.old.slots() == 0 {
            return None; // the control side is to look first
        }
        let new = self.new.pop().ok()?;
        let before = device.replace(new)?;
        let slips = before.slips();
        if let Err(rtrb::PushError::Full(lost)) = self.old.push(before) {
            // It has room; should that ever be wrong, rather leak it than free it here.
            debug_assert!(false, "the way back is full");
            std::mem::forget(lost);
        }
        Some(slips)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::Hz16000;

    fn heard(edge: &mut DeviceEdge) -> i16 {
        let mut frame = [1; 320];
        edge.capture(&mut frame);
        frame.iter().map(|sample| sample.abs()).max().unwrap_or(0)
    }

    /// Some ticks of a device at `hz` that hears a steady value, and what the leg hears last.
    fn run(edge: &mut DeviceEdge, hz: usize, ends: &mut (CaptureEnd, PlaybackEnd, Pulse)) -> i16 {
        let mut last = 0;
        for _ in 0..10 {
            ends.0.push(&vec![1_000; hz / 50]);
            last = heard(edge);
            edge.play(&[500; 320]);
            ends.1.pull(&mut vec![0; hz / 50]);
        }
        last
    }

    #[test]
    fn devices_of_any_rates_follow_on_each_other_with_silence_between() {
        let (mut edge, mut plug) = pluggable_edge(RATE);
        assert_eq!(heard(&mut edge), 0, "no device yet");
        for hz in [48_000, 44_100, 16_000, 48_000] {
            let mut ends = plug.plug(hz, hz).unwrap();
            assert!(run(&mut edge, hz as usize, &mut ends) > 900, "{hz}");
            assert_eq!(ends.2.beats(), (10, 10));
            drop(ends);
            (0..40).for_each(|_| {
                heard(&mut edge);
                edge.play(&[500; 320]);
            });
            assert_eq!(heard(&mut edge), 0, "it is gone");
        }
        assert_eq!(edge.slips(), (4, 0), "each ran dry once, and nobody played to nobody");
    }

    #[test]
    fn a_plug_waits_for_the_engine_and_knows_when_the_leg_is_gone() {
        let (mut edge, mut plug) = pluggable_edge(RATE);
        assert!(matches!(plug.plug(1, 48_000), Err(PlugError::Rate(_))));
        let ends: Vec<_> = (0..MOST_WAITING).map(|_| plug.plug(48_000, 48_000).unwrap()).collect();
        assert_eq!(plug.plug(48_000, 48_000).map(drop), Err(PlugError::Busy));
        heard(&mut edge);
        let mut newest = plug.plug(16_000, 16_000).unwrap();
        (0..MOST_WAITING).for_each(|_| assert_eq!(heard(&mut edge), 0));
        assert!(run(&mut edge, 16_000, &mut newest) > 900, "the last is heard");
        assert!(!plug.is_abandoned());
        drop((edge, ends));
        assert!(plug.is_abandoned());
    }
}
