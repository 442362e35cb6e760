//! What does it cost to listen for digits?
//!
//! The figures are for one frame of 20 ms at 8 kHz. `single` is one detector, whose state stays near
//! the processor. `of_1000` is one of a thousand, each with a frame in turn, as the legs of a media
//! thread are heard. What is heard matters: two tones that might be a digit are looked at closely.
//!
//! ```sh
//! cargo bench --bench dtmf
//! ```

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use stasis_media::dtmf::{Detector, Digit, DtmfSettings, ToneGenerator};
use stasis_media::frame::SampleRate;
use stasis_media::wav::Pcm;

const RATE: SampleRate = SampleRate::Hz8000;
const FRAME: usize = 160;
const MANY: usize = 1_000;
/// Half a minute: more than a branch predictor learns by heart.
const FRAMES: usize = 1_500;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut single = criterion.benchmark_group("dtmf/single");
    single.throughput(Throughput::Elements(1));
    for (name, audio) in
        [("silence", silence()), ("speech", speech()), ("noise", noise()), ("digits", digits())]
    {
        let frames: Vec<&[i16]> = audio.chunks_exact(FRAME).collect();
        single.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            let mut detector = Detector::new(RATE, DtmfSettings::DEFAULT);
            let mut at = 0;
            bencher.iter(|| {
                detector.feed(frames[at], &mut |event| {
                    black_box(event);
                });
                at = (at + 1) % frames.len();
            });
        });
    }
    single.finish();
    let mut many = criterion.benchmark_group("dtmf/of_1000");
    many.throughput(Throughput::Elements(MANY as u64));
    for (name, audio) in [("silence", silence()), ("speech", speech()), ("digits", digits())] {
        many.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            let mut detectors = vec![Detector::new(RATE, DtmfSettings::DEFAULT); MANY];
            let mut tick = 0;
            bencher.iter(|| {
                for (leg, detector) in detectors.iter_mut().enumerate() {
                    // Each is elsewhere in the audio.
                    let at = (tick + leg * 37) % FRAMES * FRAME;
                    detector.feed(&audio[at..at + FRAME], &mut |event| {
                        black_box(event);
                    });
                }
                tick += 1;
            });
        });
    }
    many.finish();
    criterion.final_summary();
}

fn silence() -> Vec<i16> {
    vec![0; FRAMES * FRAME]
}

/// White noise of −26 dBov.
fn noise() -> Vec<i16> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..FRAMES * FRAME).map(|_| random.i16(-2_840..=2_840)).collect()
}

/// Someone who talks.
fn speech() -> Vec<i16> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/assets/alice.wav");
    let speech = Pcm::load(path, RATE).expect("the voices are in the repository");
    speech.samples().iter().copied().cycle().take(FRAMES * FRAME).collect()
}

/// All digits, 50 ms each, 50 ms apart: as fast as machines dial.
fn digits() -> Vec<i16> {
    let mut all = vec![0; FRAMES * FRAME];
    for (digit, place) in Digit::ALL.iter().cycle().zip(all.chunks_exact_mut(800)) {
        ToneGenerator::new(*digit, RATE, 50).fill(place);
    }
    all
}
