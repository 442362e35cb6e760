//! What the crate's own detector hears in a recording.

use stasis_media::dtmf::{Detector, DtmfEvent, DtmfSettings};
use stasis_media::frame::SampleRate;
use stasis_media::wav::Pcm;

use super::score::Heard;

/// Samples fed at a time: 1 ms, so that the time of a report is known to that.
const CHUNK: usize = 8;

/// Listens to 8 kHz audio as if it came live.
fn listen(samples: &[i16]) -> Vec<Heard> {
    let ms = |samples: u64| samples as f64 / 8.0;
    let mut heard: Vec<Heard> = Vec::new();
    let mut fed = 0;
    let mut detector = Detector::new(SampleRate::Hz8000, DtmfSettings::DEFAULT);
    let silence = [0; 1_600]; // ends the digit under way
    for chunk in samples.chunks(CHUNK).chain(silence.chunks(CHUNK)) {
        fed += chunk.len() as u64;
        detector.feed(chunk, &mut |event| match event {
            DtmfEvent::Begin { digit, at_sample, .. } => heard.push(Heard {
                digit: digit.as_char(),
                start_ms: ms(at_sample),
                duration_ms: 0.0,
                reported_ms: ms(fed),
            }),
            DtmfEvent::End { samples, .. } => {
                if let Some(last) = heard.last_mut() {
                    last.duration_ms = ms(samples);
                }
            }
        });
    }
    heard
}

/// Listens to audio of any rate.
pub fn hear(samples: &[i16], hz: u32) -> Vec<Heard> {
    if hz == SampleRate::Hz8000.hz() {
        return listen(samples);
    }
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: hz,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut wav = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut wav, spec).expect("memory takes a header");
    samples.iter().for_each(|&sample| writer.write_sample(sample).expect("memory takes samples"));
    writer.finalize().expect("memory takes a header");
    wav.set_position(0);
    listen(Pcm::read(wav, SampleRate::Hz8000).expect("a WAV just written").samples())
}
