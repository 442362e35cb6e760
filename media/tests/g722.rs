//! G.722 beside an independent implementation: FFmpeg's, whose work is in `assets`.
//!
//! The arithmetic of the Recommendation is exact, so there is no tolerance: both encoders give the
//! same bytes, and both decoders the same samples. As the bytes are the same, FFmpeg's decoding of
//! its own bytes is that of ours, too.

use stasis_media::codec::{Codec, EncodeSettings};

fn asset(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/assets/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("it is in the repository")
}

fn samples(name: &str) -> Vec<i16> {
    let file = asset(name);
    let mut wav = hound::WavReader::new(&file[..]).expect("it is a WAV file");
    wav.samples().map(|sample| sample.expect("it is whole")).collect()
}

#[test]
fn our_encoder_gives_ffmpegs_bytes() {
    let (meant, theirs) = (samples("g722.wav"), asset("g722.bin"));
    let mut encoder = Codec::G722.encoder(&EncodeSettings::default());
    let mut ours = Vec::new();
    for frame in meant.chunks(320) {
        let mut payload = [0; 160];
        let len = encoder.encode(frame, &mut payload);
        ours.extend_from_slice(&payload[..len]);
    }
    assert_eq!(ours.len(), theirs.len());
    assert_eq!(ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs), None);
}

#[test]
fn our_decoder_gives_ffmpegs_samples() {
    let (bytes, theirs) = (asset("g722.bin"), samples("g722.decoded.wav"));
    let mut decoder = Codec::G722.decoder();
    let mut ours = Vec::new();
    for payload in bytes.chunks(160) {
        let mut out = [0; 320];
        let samples = decoder.decode(payload, &mut out);
        ours.extend_from_slice(&out[..samples]);
    }
    assert_eq!(ours.len(), theirs.len());
    assert_eq!(ours.iter().zip(&theirs).position(|(ours, theirs)| ours != theirs), None);
}
