//! Opus (RFC 6716, RFC 7587), through libopus: speech and music, mono, 8 to 48 kHz.
//!
//! The clock of its timestamps is 48 kHz whatever its audio rate is, and neither that nor the
//! channels are on the wire: a decoder gives the rate that it is asked for, an encoder takes it.
//! SDP therefore always says `opus/48000/2`.
//!
//! What is lost it makes up by itself, and when the next packet has come and was encoded with
//! `fec`, it takes the copy of what was lost from that. With `dtx` the encoder falls silent where
//! there is nothing to be heard: its first packet without sound is sent, so that the other side
//! knows that nothing is missing, and the others are not. libopus works on the stack: it allocates
//! only when an encoder or a decoder is made.

use super::{Codec, Decode, Encode, EncodeSettings, Format};
use crate::frame::SampleRate;
use crate::rtp::MAX_PAYLOAD;
use opus::{Application, Bitrate, Channels};

pub(super) const FORMAT: &dyn Format = &Opus;

/// A payload of no more bytes than this has no sound in it: its sender has fallen silent.
const SILENT: usize = 2;
/// Samples of 2.5 ms at 48 kHz, the shortest that libopus makes up.
const SHORTEST: usize = 120;
/// The rates in bits a second that speech sounds well at, 6 to 510 kbit/s (RFC 6716 section 2.1.1).
const BITRATES: std::ops::RangeInclusive<u32> = 6_000..=510_000;

impl Codec {
    /// Opus at 48 kHz; [`Codec::at`] has it at 8, 16 and 24 kHz, too, which costs less and speaks
    /// with the same other sides.
    pub const OPUS: Codec = Codec { format: FORMAT, rate: SampleRate::Hz48000 };
}

struct Opus;

impl Format for Opus {
    fn name(&self) -> &'static str {
        "opus"
    }

    fn rates(&self) -> &'static [SampleRate] {
        &[SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz24000, SampleRate::Hz48000]
    }

    fn clock_hz(&self, _: SampleRate) -> u32 {
        48_000
    }

    fn remembers(&self) -> bool {
        true
    }

    fn rtpmap_suffix(&self) -> &'static str {
        "/2"
    }

    fn samples_in(&self, rate: SampleRate, payload: &[u8]) -> usize {
        if payload.len() <= SILENT {
            return 0;
        }
        opus::packet::get_nb_samples(payload, rate.hz()).unwrap_or(0)
    }

    fn encoder(&self, rate: SampleRate, settings: &EncodeSettings) -> Box<dyn Encode> {
        let made = encoder(rate, settings);
        let encoder = made.expect("libopus has these rates, and settings were brought into range");
        Box::new(Encoder { encoder, dtx: settings.dtx, silent: false, anew: false })
    }

    fn decoder(&self, rate: SampleRate) -> Box<dyn Decode> {
        let made = opus::Decoder::new(rate.hz(), Channels::Mono);
        let decoder = made.expect("libopus has these rates");
        Box::new(Decoder { decoder, step: rate.hz() as usize / 400 })
    }
}

fn encoder(rate: SampleRate, settings: &EncodeSettings) -> opus::Result<opus::Encoder> {
    let bitrate = settings.bitrate.unwrap_or(match rate {
        SampleRate::Hz8000 => 12_000,
        SampleRate::Hz16000 => 24_000,
        _ => 32_000,
    });
    let bitrate = bitrate.clamp(*BITRATES.start(), *BITRATES.end());
    let mut encoder = opus::Encoder::new(rate.hz(), Channels::Mono, Application::Voip)?;
    encoder.set_bitrate(Bitrate::Bits(bitrate as i32))?;
    encoder.set_complexity(settings.complexity.min(10).into())?;
    encoder.set_inband_fec(settings.fec)?;
    encoder.set_packet_loss_perc(settings.expected_loss_percent.min(100).into())?;
    encoder.set_dtx(settings.dtx)?;
    Ok(encoder)
}

struct Encoder {
    encoder: opus::Encoder,
    dtx: bool,
    /// The last packet had no sound in it.
    silent: bool,
    /// The next packet must not build upon those before: its decoder has heard others.
    anew: bool,
}

impl Encode for Encoder {
    fn encode(&mut self, pcm: &[i16], payload: &mut [u8]) -> usize {
        if std::mem::take(&mut self.anew) {
            let _ = self.encoder.set_prediction_disabled(true);
            let len = self.encode(pcm, payload);
            let _ = self.encoder.set_prediction_disabled(false);
            return len;
        }
        let Ok(len) = self.encoder.encode(pcm, payload) else { return 0 };
        let told = std::mem::replace(&mut self.silent, self.dtx && len <= SILENT);
        if told && self.silent { 0 } else { len }
    }

    /// libopus has no way to copy its state.
    fn follow(&mut self, _: &dyn Encode, before: &[i16]) {
        self.begin(before);
    }

    /// With the tick before, of which the overlap with the next one comes, and then with one packet
    /// that stands by itself.
    fn begin(&mut self, before: &[i16]) {
        let mut unsent = [0; MAX_PAYLOAD];
        let _ = self.encoder.reset_state();
        self.encode(before, &mut unsent);
        (self.silent, self.anew) = (false, true);
    }
}

struct Decoder {
    decoder: opus::Decoder,
    /// Samples of 2.5 ms.
    step: usize,
}

impl Decode for Decoder {
    fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        let samples = self.decoder.get_nb_samples(payload).unwrap_or(0);
        let Some(out) = out.get_mut(..samples) else { return 0 };
        if samples == 0 {
            return 0;
        }
        // What contradicts itself behind its first bytes is as good as lost.
        if self.decoder.decode(payload, out, false).is_err() {
            self.make_up(out);
        }
        samples
    }

    fn conceal(&mut self, next: Option<&[u8]>, out: &mut [i16]) -> bool {
        // The copy in a packet covers as much time as the packet.
        let copy = next.filter(|next| self.decoder.get_nb_samples(next).ok() == Some(out.len()));
        let taken = copy.is_some_and(|next| self.decoder.decode(next, out, true).is_ok());
        if !taken {
            self.make_up(out);
        }
        true
    }
}

impl Decoder {
    /// Makes up sound that follows on what was decoded; whole steps of 2.5 ms, the last one cut.
    fn make_up(&mut self, out: &mut [i16]) {
        let (whole, rest) = out.split_at_mut(out.len() / self.step * self.step);
        if !whole.is_empty() && self.decoder.decode(&[], whole, false).is_err() {
            whole.fill(0);
        }
        if !rest.is_empty() {
            let mut last = [0; SHORTEST];
            let made = self.decoder.decode(&[], &mut last[..self.step], false);
            let made = made.map_or(0, |samples| samples.min(rest.len()));
            rest[..made].copy_from_slice(&last[..made]);
            rest[made..].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Ptime;

    const TONE: [i16; 960] = {
        let mut tone = [0; 960];
        let mut n = 0;
        while n < 960 {
            tone[n] = if n % 96 < 48 { 4_000 } else { -4_000 };
            n += 1;
        }
        tone
    };

    fn encoder(settings: &EncodeSettings) -> Box<dyn Encode> {
        Codec::OPUS.encoder(settings)
    }

    #[test]
    fn a_silent_sender_says_so_once_and_then_nothing() {
        let mut talker = encoder(&EncodeSettings { dtx: true, ..Default::default() });
        let mut payload = [0; 1_500];
        let path = format!("{}/../examples/assets/bob.wav", env!("CARGO_MANIFEST_DIR"));
        let voice = crate::wav::Pcm::load(path, SampleRate::Hz48000).unwrap();
        // Without the pauses between the words.
        let loud = |word: &&[i16]| word.iter().any(|sample| sample.abs() > 6_000);
        let mut words = voice.samples().chunks_exact(960).filter(loud);
        for word in words.by_ref().take(50) {
            assert!(talker.encode(word, &mut payload) > SILENT);
        }
        let lengths: Vec<usize> =
            (0..200).map(|_| talker.encode(&[0; 960], &mut payload)).collect();
        let told = lengths.iter().position(|&len| len <= SILENT).unwrap();
        assert!((1..=SILENT).contains(&lengths[told]), "it says so");
        assert_eq!(lengths[told + 1], 0);
        assert!(lengths.iter().filter(|&&len| len == 0).count() > 130, "{lengths:?}");
        let word = words.next().unwrap();
        assert!(talker.encode(word, &mut payload) > SILENT, "and speaks at once");
        let mut other = encoder(&EncodeSettings::default());
        assert!((0..200).all(|_| other.encode(&[0; 960], &mut payload) > SILENT));
    }

    #[test]
    fn any_length_is_made_up_and_nothing_beyond() {
        for rate in FORMAT.rates() {
            let codec = Codec::OPUS.at(*rate).unwrap();
            let mut decoder = codec.decoder();
            let mut payload = [0; 1_500];
            let tick = rate.samples_in(Ptime::TICK);
            let len = codec.encoder(&EncodeSettings::default()).encode(&TONE[..tick], &mut payload);
            for lost in 0..3 * tick {
                let mut out = vec![0; tick];
                assert_eq!(decoder.decode(&payload[..len], &mut out), tick);
                let mut out = vec![1; lost + 1];
                assert!(decoder.conceal(None, &mut out[..lost]));
                assert_eq!(out[lost], 1);
            }
        }
    }

    #[test]
    fn settings_out_of_range_are_brought_into_it() {
        for bitrate in [Some(0), Some(u32::MAX), None] {
            let settings = EncodeSettings {
                bitrate,
                complexity: 255,
                fec: true,
                expected_loss_percent: 255,
                dtx: true,
            };
            let mut payload = [0; 1_500];
            assert!(encoder(&settings).encode(&TONE, &mut payload) > SILENT);
        }
    }

    #[test]
    fn a_bitrate_is_kept() {
        for bitrate in [12_000, 32_000, 64_000] {
            let mut talker =
                encoder(&EncodeSettings { bitrate: Some(bitrate), ..Default::default() });
            let mut payload = [0; 1_500];
            let bytes: usize = (0..500).map(|_| talker.encode(&TONE, &mut payload)).sum();
            let told = bytes as f64 * 8.0 / 10.0;
            assert!(told < f64::from(bitrate) * 1.15, "{bitrate}: {told}");
        }
    }
}
