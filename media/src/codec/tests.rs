//! All codecs alike: names, numbers, lengths, any bytes, and how much of a sound comes through.

use super::*;
use crate::frame::SampleRate;
use crate::wav::Pcm;
use proptest::prelude::*;

/// One voice of the demo.
fn voice(name: &str, rate: SampleRate) -> Vec<i16> {
    let path = format!("{}/../examples/assets/{name}.wav", env!("CARGO_MANIFEST_DIR"));
    Pcm::load(path, rate).expect("the voices are in the repository").samples().to_vec()
}

fn tone(hz: f64, rate: SampleRate) -> Vec<i16> {
    let turn = std::f64::consts::TAU * hz / f64::from(rate.hz());
    (0..2 * rate.hz()).map(|n| ((f64::from(n) * turn).sin() * 10_000.0) as i16).collect()
}

/// `pcm` encoded and decoded, in frames of what fits of 20 ms.
fn through(codec: Codec, settings: &EncodeSettings, pcm: &[i16]) -> Vec<i16> {
    let (mut encoder, mut decoder) = (codec.encoder(settings), codec.decoder());
    let frame = codec.rate().samples_in(Ptime::TICK).min(codec.longest());
    let (mut payload, mut out) = ([0; 1_500], vec![0; frame]);
    let mut heard = Vec::new();
    for pcm in pcm.chunks_exact(frame) {
        let len = encoder.encode(pcm, &mut payload);
        assert_eq!(codec.samples_in(&payload[..len]), frame, "{codec:?}");
        assert_eq!(decoder.decode(&payload[..len], &mut out), frame, "{codec:?}");
        heard.extend_from_slice(&out);
    }
    heard
}

/// How much louder the sound is than what came out wrong, in dB, at the best delay of up to 10 ms
/// and the best gain; the first 100 ms, in which codecs adapt, left out.
fn snr(meant: &[i16], heard: &[i16], rate: SampleRate) -> f64 {
    let (skip, most) = (rate.hz() as usize / 10, rate.hz() as usize / 100);
    let at = |delay: usize| {
        let meant = &meant[skip..heard.len() - most];
        let heard = &heard[skip + delay..][..meant.len()];
        let (mut power, mut common, mut energy) = (0.0, 0.0, 0.0);
        for (&meant, &heard) in meant.iter().zip(heard) {
            let (meant, heard) = (f64::from(meant), f64::from(heard));
            power += meant * meant;
            common += meant * heard;
            energy += heard * heard;
        }
        let explained = common * common / energy.max(1.0);
        10.0 * (explained / (power - explained).max(1e-9)).log10()
    };
    (0..most).map(at).fold(f64::MIN, f64::max)
}

#[test]
fn names_clocks_and_numbers_are_those_of_the_rfcs() {
    let told: Vec<_> = Codec::all()
        .filter(|codec| codec.name() != "opus")
        .map(|codec| (codec.to_string(), codec.rate().hz(), codec.payload_type()))
        .collect();
    let l16 = |hz: u32| (format!("L16/{hz}"), hz, None);
    let expected = [
        ("PCMU/8000".into(), 8_000, Some(0)),
        ("PCMA/8000".into(), 8_000, Some(8)),
        ("G722/8000".into(), 16_000, Some(9)),
        l16(8_000),
        l16(16_000),
        l16(24_000),
        l16(32_000),
        l16(48_000),
    ];
    assert_eq!(told, expected);
    for number in 0..=u8::MAX {
        let codec = Codec::from_payload_type(number);
        assert_eq!(codec.is_some(), [0, 8, 9].contains(&number), "{number}");
    }
}

#[test]
fn a_codec_is_found_by_its_rtpmap_in_any_case_and_by_its_rate() {
    for codec in Codec::all() {
        let found = Codec::from_rtpmap(&codec.name().to_lowercase(), codec.clock_hz()).unwrap();
        assert_eq!(found.at(codec.rate()), Some(codec));
        assert_eq!(found == codec, codec.name() != "opus" || codec.rate() == SampleRate::Hz48000);
    }
    assert_eq!(Codec::from_rtpmap("G722", 16_000), None);
    assert_eq!(Codec::from_rtpmap("G729", 8_000), None);
    assert_eq!(Codec::PCMU.at(SampleRate::Hz16000), None);
}

#[test]
fn a_frame_of_every_length_that_fits_is_as_long_again_after_both_ways() {
    for codec in Codec::all() {
        let (mut encoder, mut decoder) =
            (codec.encoder(&EncodeSettings::default()), codec.decoder());
        for ms in [10, 20, 40, 60] {
            let samples = codec.rate().samples_in(Ptime::from_ms(ms).unwrap());
            if samples > codec.longest() {
                continue;
            }
            let (mut payload, mut out) = ([0; 1_500], vec![0; samples]);
            let len = encoder.encode(&vec![1_000; samples], &mut payload);
            assert_eq!(codec.samples_in(&payload[..len]), samples, "{codec:?} {ms} ms");
            assert_eq!(decoder.decode(&payload[..len], &mut out), samples, "{codec:?} {ms} ms");
        }
    }
}

#[test]
fn linear_audio_comes_through_unchanged() {
    for codec in Codec::all().filter(|codec| codec.name() == "L16") {
        let meant = voice("alice", codec.rate());
        let heard = through(codec, &EncodeSettings::default(), &meant);
        assert_eq!(heard, meant[..heard.len()]);
    }
}

/// The least SNR in dB of tones and of the demo's voices. That of G.711 is that of its steps, that of
/// G.722 that of 6 and 2 bits. Opus does not keep the form of a wave; its figures only tell sound
/// from noise.
fn least_snr(codec: Codec) -> (f64, f64) {
    match (codec.name(), codec.rate()) {
        ("PCMU" | "PCMA", _) => (36.0, 37.0),
        ("G722", _) => (27.0, 33.0),
        ("L16", _) => (200.0, 200.0),
        ("opus", SampleRate::Hz8000) => (15.0, 9.0),
        ("opus", _) => (18.0, 11.0),
        (other, _) => panic!("say how good {other} has to be"),
    }
}

#[test]
fn tones_and_voices_come_through_every_codec() {
    for codec in Codec::all() {
        let (tones, voices) = least_snr(codec);
        let top = if codec == Codec::G722 { 6_000.0 } else { 3_000.0 };
        for hz in [200.0, 440.0, 1_000.0, 3_000.0, 6_000.0].into_iter().filter(|hz| *hz <= top) {
            let meant = tone(hz, codec.rate());
            let heard = through(codec, &EncodeSettings::default(), &meant);
            let snr = snr(&meant, &heard, codec.rate());
            assert!(snr > tones, "{codec:?}: {hz} Hz, {snr:.1} dB");
        }
        for name in ["alice", "bob", "you"] {
            let meant = voice(name, codec.rate());
            let heard = through(codec, &EncodeSettings::default(), &meant);
            let snr = snr(&meant, &heard, codec.rate());
            assert!(snr > voices, "{codec:?}: {name}, {snr:.1} dB");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_decoder_panic_or_write_more_than_it_says(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..8),
        room in 0usize..6_000,
    ) {
        for codec in Codec::all() {
            let mut decoder = codec.decoder();
            let mut out = vec![0; room];
            for (n, payload) in payloads.iter().enumerate() {
                let samples = codec.samples_in(payload);
                prop_assert!(samples <= codec.rate().hz() as usize * 3 / 16, "{:?}", codec);
                let written = decoder.decode(payload, &mut out);
                prop_assert!(written <= room);
                if samples > 0 && samples <= room {
                    prop_assert_eq!(written, samples, "{:?}", codec);
                }
                if n % 2 == 1 {
                    decoder.conceal(payloads.get(n + 1).map(|next| &next[..]), &mut out);
                }
            }
        }
    }

    #[test]
    fn no_lengths_make_an_encoder_panic(
        lengths in prop::collection::vec((0usize..4_000, 0usize..1_600), 1..5),
        sample: i16,
        settings in (any::<Option<u32>>(), any::<u8>(), any::<bool>(), any::<u8>(), any::<bool>()),
    ) {
        let (bitrate, complexity, fec, expected_loss_percent, dtx) = settings;
        let settings = EncodeSettings { bitrate, complexity, fec, expected_loss_percent, dtx };
        for codec in Codec::all() {
            let mut encoder = codec.encoder(&settings);
            for &(samples, bytes) in &lengths {
                let mut payload = vec![0; bytes];
                prop_assert!(encoder.encode(&vec![sample; samples], &mut payload) <= bytes);
            }
        }
    }
}
