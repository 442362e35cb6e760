//! A sound device made of files, on the real clock: for machines without sound, and for tests.
//!
//! A thread moves 10 ms at a time, as a sound card would: from a looped sound to the microphone's
//! ring, and from the speaker's ring to a WAV file.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stasis_bus::Clock;

use super::media::StartError;
use super::timer::sleep_until;
use crate::device::{CaptureEnd, DeviceEdge, PlaybackEnd, device_edge};
use crate::frame::SampleRate;
use crate::wav::{Pcm, Player, Repeat, WavError, WavFormat, WavWriter};

/// The rate of the device, as of most sound cards.
const RATE: SampleRate = SampleRate::Hz48000;
const BLOCK: usize = RATE.hz() as usize / 100;
const BLOCK_TIME: Duration = Duration::from_millis(10);

/// A running virtual device; it stops when this is dropped.
pub struct VirtualDevice {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<VirtualDeviceReport>>,
}

/// Why a virtual device could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VirtualDeviceError {
    /// The speaker's file cannot be written.
    #[error(transparent)]
    File(#[from] WavError),
    /// There is no thread for it.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// What the speaker of a virtual device has done.
#[derive(Debug)]
pub struct VirtualDeviceReport {
    /// Samples written to the file, or why it ended early.
    pub written: Result<u64, WavError>,
}

impl VirtualDevice {
    /// The rate that its sound must have.
    pub const RATE: SampleRate = RATE;

    /// Starts a device whose microphone hears `sound` over and over and whose speaker is a new WAV
    /// file at `speaker`.
    ///
    /// # Errors
    /// [`VirtualDeviceError`] when the file cannot be made, or there is no thread.
    pub fn start(
        clock: Clock,
        sound: Pcm,
        speaker: &Path,
    ) -> Result<(DeviceEdge, VirtualDevice), VirtualDeviceError> {
        let file = WavWriter::create(speaker, WavFormat::Pcm16, RATE)?;
        let (edge, capture, playback) =
            device_edge(RATE.hz(), RATE.hz(), RATE).expect("the rate is in range");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let player = Player::new(sound, Repeat::Forever);
        let thread = thread::Builder::new()
            .name("virtual-sound".into())
            .spawn(move || run(&clock, &stopped, player, file, capture, playback))
            .map_err(StartError)?;
        Ok((edge, VirtualDevice { stop, thread: Some(thread) }))
    }

    /// Stops it and says what became of the file.
    pub fn stop(mut self) -> VirtualDeviceReport {
        self.end().expect("stopped once")
    }

    fn end(&mut self) -> Option<VirtualDeviceReport> {
        self.stop.store(true, Relaxed);
        self.thread.take().map(|thread| thread.join().expect("the thread does not panic"))
    }
}

impl Drop for VirtualDevice {
    fn drop(&mut self) {
        self.end();
    }
}

fn run<W: std::io::Write + std::io::Seek>(
    clock: &Clock,
    stop: &AtomicBool,
    mut player: Player,
    file: WavWriter<W>,
    mut capture: CaptureEnd,
    mut playback: PlaybackEnd,
) -> VirtualDeviceReport {
    let mut file = Ok(file);
    let mut next = clock.now();
    let mut block = [0; BLOCK];
    while !stop.load(Relaxed) {
        next = next + BLOCK_TIME;
        sleep_until(clock, next);
        let filled = player.fill(&mut block);
        block[filled..].fill(0);
        capture.push(&block);
        playback.pull(&mut block);
        // A full disk ends the file, not the device.
        file = file.and_then(|mut file: WavWriter<W>| file.write(&block).map(|()| file));
    }
    VirtualDeviceReport { written: file.and_then(WavWriter::finish) }
}
