//! What the crate's own detector hears in a recording.

use stasis_media::dtmf::{Detector, DtmfEvent, DtmfSettings};
use stasis_media::frame::{Ptime, SampleRate};
use stasis_media::wav::Pcm;

use super::score::Heard;

/// Listens to audio of one of the engine's rates, in frames of 20 ms.
fn listen(samples: &[i16], rate: SampleRate, settings: DtmfSettings) -> Vec<Heard> {
    let ms = |samples: u64| samples as f64 * 1_000.0 / f64::from(rate.hz());
    let mut heard: Vec<Heard> = Vec::new();
    let mut detector = Detector::new(rate, settings);
    let mut on = |event| match event {
        DtmfEvent::Begin { digit, at_sample, reported_at } => heard.push(Heard {
            digit: digit.as_char(),
            start_ms: ms(at_sample),
            duration_ms: 0.0,
            reported_ms: ms(reported_at),
        }),
        DtmfEvent::End { samples, .. } => {
            if let Some(last) = heard.last_mut() {
                last.duration_ms = ms(samples);
            }
        }
    };
    samples.chunks(rate.samples_in(Ptime::TICK)).for_each(|frame| detector.feed(frame, &mut on));
    detector.finish(&mut on);
    heard
}

/// Listens to audio of any rate.
pub fn hear(samples: &[i16], hz: u32, settings: DtmfSettings) -> Vec<Heard> {
    if let Ok(rate) = SampleRate::from_hz(hz) {
        return listen(samples, rate, settings);
    }
    let rate = SampleRate::Hz16000;
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
    listen(Pcm::read(wav, rate).expect("a WAV just written").samples(), rate, settings)
}
