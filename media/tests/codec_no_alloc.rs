//! No codec allocates or frees at work, also not one that is a C library.
#![cfg(all(target_os = "linux", target_env = "gnu"))] // where C's allocator can be watched

mod common {
    pub mod malloc;
}

use common::malloc::calls_of;
use stasis_bus::Stamp;
use stasis_media::codec::{Codec, EncodeSettings};
use stasis_media::frame::{Ptime, SampleRate};
use stasis_media::rtp::{
    FrameKind, MAX_PAYLOAD, Payloads, ReceiveSettings, RtpReceiver, RtpSender, RtpSeq,
};
use stasis_media::wav::Pcm;
use std::hint::black_box;
use std::net::SocketAddr;

fn voice(rate: SampleRate) -> Pcm {
    let path = format!("{}/../examples/assets/you.wav", env!("CARGO_MANIFEST_DIR"));
    Pcm::load(path, rate).expect("the voices are in the repository")
}

fn settings() -> [EncodeSettings; 3] {
    let plain = EncodeSettings::default();
    let robust = EncodeSettings { fec: true, expected_loss_percent: 20, ..plain };
    [plain, robust, EncodeSettings { dtx: true, complexity: 10, ..plain }]
}

#[test]
fn the_counter_counts_rust_and_c() {
    assert_eq!(calls_of(|| drop(black_box(Box::new(1)))), 2);
    let made = calls_of(|| drop(black_box(Codec::all().map(|codec| codec.decoder()).last())));
    let opus = usize::from(Codec::from_rtpmap("opus", 48_000).is_some()) as u64;
    assert!(made >= 4 * opus, "a decoder of libopus and its box come and go: {made}");
}

#[test]
fn encoding_decoding_and_concealing_neither_allocate_nor_free() {
    for codec in Codec::all() {
        let voice = voice(codec.rate());
        for settings in settings() {
            let (mut encoder, mut decoder) = (codec.encoder(&settings), codec.decoder());
            let tick = codec.rate().samples_in(Ptime::TICK).min(codec.longest());
            let (mut payload, mut out) = ([0; MAX_PAYLOAD], vec![0; tick]);
            let silence = vec![0; 60 * tick];
            let calls = calls_of(|| {
                let frames = voice.samples().chunks_exact(tick).chain(silence.chunks(tick));
                for (n, frame) in frames.enumerate() {
                    let len = encoder.encode(frame, &mut payload);
                    match n % 7 {
                        5 => decoder.conceal(None, &mut out),
                        6 => decoder.conceal(Some(&payload[..len]), &mut out),
                        _ => decoder.decode(&payload[..len], &mut out) > 0,
                    };
                    // Noise.
                    decoder.decode(&payload[len / 2..], &mut out);
                }
            });
            assert_eq!(calls, 0, "{codec:?} {settings:?}");
        }
    }
}

#[test]
fn a_leg_of_many_codecs_neither_allocates_nor_frees() {
    let codecs: Vec<Codec> = Codec::all().take(4).chain(Codec::all().last()).collect();
    let payloads = Payloads::of(&codecs).expect("there is room");
    let voice = voice(payloads.rate());
    let from = SocketAddr::from(([127, 0, 0, 1], 4_000));
    for settings in settings() {
        let mut sender =
            RtpSender::new(&payloads, 7, RtpSeq(65_500), u32::MAX - 9).with_encoding(&settings);
        let mut leg = RtpReceiver::new(ReceiveSettings { payloads, ..Default::default() });
        let mut out = vec![0; leg.rate().samples_in(Ptime::TICK)];
        let (mut voiced, mut concealed) = (0, 0);
        let calls = calls_of(|| {
            for (n, frame) in voice.samples().chunks_exact(out.len()).enumerate() {
                let now = Stamp::from_ms(n as u64 * 20);
                sender.set_codec(codecs[n / 20 % codecs.len()]);
                sender.tick(frame, |packet| {
                    if n % 11 != 5 {
                        leg.receive(packet, from, now, &mut |_| {});
                    }
                });
                match leg.tick(now, &mut out, &mut |_| {}) {
                    FrameKind::Voice => voiced += 1,
                    FrameKind::Concealed => concealed += 1,
                    FrameKind::Silence => {}
                }
            }
        });
        assert_eq!(calls, 0, "{settings:?}");
        assert!(voiced > 200 && concealed > 15, "{voiced} {concealed}");
    }
}
