//! What does it cost to listen for talk?
//!
//! The figures are for one frame of 20 ms, by adaptive and by fixed thresholds.
//!
//! ```sh
//! cargo bench --bench talk
//! ```

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use stasis_media::frame::SampleRate;
use stasis_media::talk::{Dbov, TalkDetector, TalkSettings};
use stasis_media::wav::Pcm;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let ways = [
        ("adaptive", TalkSettings::default()),
        ("fixed", TalkSettings::fixed(Dbov(-42.0), Dbov(-48.0))),
    ];
    for (name, settings) in ways {
        let mut group = criterion.benchmark_group(format!("talk/{name}"));
        group.throughput(Throughput::Elements(1));
        for rate in [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz48000] {
            let speech = speech(rate);
            let frames: Vec<&[i16]> = speech.chunks_exact(rate.hz() as usize / 50).collect();
            group.bench_function(BenchmarkId::from_parameter(rate.hz()), |bencher| {
                let (mut detector, mut at) = (TalkDetector::new(settings), 0);
                bencher.iter(|| {
                    black_box(detector.feed(frames[at], rate));
                    at = (at + 1) % frames.len();
                });
            });
        }
        group.finish();
    }
    criterion.final_summary();
}

/// Someone who talks.
fn speech(rate: SampleRate) -> Vec<i16> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/assets/alice.wav");
    Pcm::load(path, rate).expect("the voices are in the repository").samples().to_vec()
}
