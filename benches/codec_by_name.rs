//! What does one frame of 20 ms cost to encode and to decode, by codec?
//!
//! One of the demo's voices at the codec's audio rate, over and over. Opus has its default settings:
//! complexity 5, and 32 kbit/s at 48 kHz, 24 at 16 kHz, 12 at 8 kHz. `opus lost` is a frame that it
//! makes up, and `opus fec` one that it takes from the packet behind.
//!
//! It cannot tell what the conversion between the rates of a leg and its bridge costs.
//!
//! ```sh
//! cargo bench --bench codec_by_name
//! ```

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use stasis_media::codec::{Codec, EncodeSettings};
use stasis_media::frame::{Ptime, SampleRate};
use stasis_media::rtp::MAX_PAYLOAD;
use stasis_media::wav::Pcm;

/// Ticks of the voice: as long as all demo voices are.
const TICKS: usize = 300;

fn voice(rate: SampleRate) -> Vec<i16> {
    let path = format!("{}/examples/assets/alice.wav", env!("CARGO_MANIFEST_DIR"));
    let pcm = Pcm::load(path, rate).expect("the voices are in the repository");
    pcm.samples()[..TICKS * rate.samples_in(Ptime::TICK)].to_vec()
}

/// The voice encoded, 20 ms a payload; less for what has no room for that (L16 at 48 kHz).
fn payloads(codec: Codec, settings: &EncodeSettings) -> Vec<Vec<u8>> {
    let mut encoder = codec.encoder(settings);
    let mut payload = [0; 2 * MAX_PAYLOAD];
    let voice = voice(codec.rate());
    let frames = voice.chunks(codec.rate().samples_in(Ptime::TICK));
    frames
        .map(|frame| {
            let len = encoder.encode(frame, &mut payload);
            payload[..len].to_vec()
        })
        .collect()
}

fn label(codec: Codec) -> String {
    format!("{}-{}k", codec.name(), codec.rate().hz() / 1_000)
}

fn encode(c: &mut Criterion) {
    let mut group = c.benchmark_group("encode");
    group.throughput(Throughput::Elements(1));
    for codec in Codec::all() {
        let (voice, tick) = (voice(codec.rate()), codec.rate().samples_in(Ptime::TICK));
        let mut encoder = codec.encoder(&EncodeSettings::default());
        let mut frames = voice.chunks(tick).cycle();
        let mut payload = [0; 2 * MAX_PAYLOAD];
        group.bench_function(BenchmarkId::from_parameter(label(codec)), |b| {
            b.iter(|| encoder.encode(black_box(frames.next().expect("endless")), &mut payload));
        });
    }
    group.finish();
}

fn decode(c: &mut Criterion) {
    let mut group = c.benchmark_group("decode");
    group.throughput(Throughput::Elements(1));
    for codec in Codec::all() {
        let payloads = payloads(codec, &EncodeSettings::default());
        let mut decoder = codec.decoder();
        let mut payloads = payloads.iter().cycle();
        let mut out = [0; 960];
        group.bench_function(BenchmarkId::from_parameter(label(codec)), |b| {
            b.iter(|| decoder.decode(black_box(payloads.next().expect("endless")), &mut out));
        });
    }
    group.finish();
}

fn conceal(c: &mut Criterion) {
    let mut group = c.benchmark_group("conceal");
    let Some(codec) = Codec::from_rtpmap("opus", 48_000) else { return };
    let settings =
        EncodeSettings { fec: true, expected_loss_percent: 10, ..EncodeSettings::default() };
    let payloads = payloads(codec, &settings);
    for (name, fec) in [("opus lost", false), ("opus fec", true)] {
        let mut decoder = codec.decoder();
        // Every second packet is lost, the one behind it is not.
        let mut pairs = payloads.chunks_exact(2).cycle();
        let mut out = [0; 960];
        group.bench_function(name, |b| {
            b.iter_custom(|frames| {
                let mut lose_one = || {
                    let next = &pairs.next().expect("endless")[1];
                    let behind = fec.then_some(&next[..]);
                    let took = time(|| decoder.conceal(black_box(behind), &mut out));
                    decoder.decode(next, &mut out);
                    took
                };
                (0..frames).map(|_| lose_one()).sum()
            });
        });
    }
    group.finish();
}

/// How long `work` takes.
#[allow(clippy::disallowed_methods)] // a bench reads the clock
fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = Instant::now();
    black_box(work());
    start.elapsed()
}

criterion_group!(benches, encode, decode, conceal);
criterion_main!(benches);
