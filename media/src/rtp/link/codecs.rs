//! The same link for every codec: rates, clocks, loss, silence, and changes between them.

use super::*;
use crate::frame::SampleRate;

const PEAK: f64 = 8_000.0;
const HZ: f64 = 450.0;

/// The tick of a tone at `rate`.
fn tick(rate: SampleRate, number: u64) -> Vec<i16> {
    let samples = rate.samples_in(Ptime::TICK);
    let turn = std::f64::consts::TAU * HZ / f64::from(rate.hz());
    let at = |n: usize| (((number as usize * samples + n) as f64 * turn).sin() * PEAK) as i16;
    (0..samples).map(at).collect()
}

/// The level of the tone in `heard`, whole turns of it, in dB to how it was sent.
fn level(heard: &[i16], rate: SampleRate) -> f64 {
    let turn = std::f64::consts::TAU * HZ / f64::from(rate.hz());
    let (re, im) = heard.iter().enumerate().fold((0.0, 0.0), |(re, im), (n, &sample)| {
        let (sin, cos) = (n as f64 * turn).sin_cos();
        (re + f64::from(sample) * cos, im + f64::from(sample) * sin)
    });
    20.0 * (2.0 * f64::hypot(re, im) / heard.len() as f64 / PEAK).max(1e-9).log10()
}

impl Call {
    /// Sends the tone for so many ticks.
    fn sing(&mut self, ticks: u64) {
        for _ in 0..ticks {
            let pcm = tick(self.sender.rate(), self.sent_ticks);
            self.step(Some(&pcm));
        }
    }

    /// From the first tick of voice on.
    fn voiced(&self) -> usize {
        self.kinds.iter().position(|&kind| kind == FrameKind::Voice).unwrap()
    }
}

fn one(codec: Codec) -> Payloads {
    Payloads::of(&[codec]).unwrap()
}

#[test]
fn every_codec_is_heard_as_it_decodes_under_jitter() {
    for codec in Codec::all() {
        let mut call = Call::with(3, 60, one(codec));
        call.jitter_ms = 9; // packets of 10 ms come in order
        call.sing(500);
        let (mut encoder, mut decoder) =
            (codec.encoder(&EncodeSettings::default()), codec.decoder());
        let (mut payload, mut meant) = ([0; 1_500], Vec::new());
        for number in 0..500 {
            for pcm in tick(codec.rate(), number).chunks(codec.longest()) {
                let len = encoder.encode(pcm, &mut payload);
                let mut out = vec![0; pcm.len()];
                decoder.decode(&payload[..len], &mut out);
                meant.extend(out);
            }
        }
        // The first 5 ms fade in.
        let (from, join) = (call.voiced() * codec.rate().samples_in(Ptime::TICK), 240);
        let heard = &call.heard[from..];
        let broken = heard[join..].iter().zip(&meant[join..]).position(|(a, b)| a != b);
        assert_eq!(broken, None, "{codec:?}");
        let stats = call.stats();
        assert_eq!((stats.lost, stats.late, stats.concealed), (0, 0, 0), "{codec:?}: {stats:?}");
        assert!((1.0..12.0).contains(&stats.jitter_ms), "{codec:?}: {stats:?}");
        assert!((20.0..90.0).contains(&stats.depth_ms), "{codec:?}: {stats:?}");
    }
}

#[test]
fn loss_and_reordering_leave_the_tone_of_every_codec_standing() {
    let robust = EncodeSettings { fec: true, expected_loss_percent: 10, ..Default::default() };
    for codec in Codec::all() {
        let mut call = Call::with(11, 100, one(codec));
        call.sender = RtpSender::new(&one(codec), 7, RtpSeq(65_490), 9).with_encoding(&robust);
        (call.loss_percent, call.jitter_ms, call.duplicate_percent) = (5.0, 60, 2.0);
        call.sing(1_000);
        (call.loss_percent, call.jitter_ms) = (0.0, 0);
        call.sing(20);
        let stats = call.stats();
        assert!(stats.lost.abs_diff(call.dropped) <= 1, "{codec:?}: {stats:?}, {}", call.dropped);
        assert!(stats.reordered > 50 && stats.late <= 10, "{codec:?}: {stats:?}");
        assert!(
            (20..=stats.lost + stats.late + 8).contains(&stats.concealed),
            "{codec:?}: {stats:?}"
        );
        let second = codec.rate().hz() as usize;
        for heard in call.heard[second..].chunks_exact(second) {
            let power = heard.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>();
            let level = 10.0 * (power / heard.len() as f64 / (PEAK * PEAK / 2.0)).log10();
            assert!(level.abs() < 2.0, "{codec:?}: {level:.1} dB");
        }
    }
}

#[test]
fn timestamps_move_by_the_clock_and_numbers_by_the_packet() {
    for codec in Codec::all() {
        for ptime in [20, 40, 60] {
            let sender = RtpSender::new(&one(codec), 7, RtpSeq(9), u32::MAX - 1_000);
            let mut sender = sender.with_ptime(Ptime::from_ms(ptime).unwrap());
            let (mut stamps, mut units) = (Vec::new(), 0);
            for number in 0..6 {
                sender.tick(&tick(codec.rate(), number), |packet| {
                    let packet = crate::rtp::Packet::parse(packet).unwrap();
                    let seq = packet.header.seq;
                    assert_eq!(seq, RtpSeq(9 + stamps.len() as u16), "{codec:?} {ptime} ms");
                    stamps.push((packet.header.timestamp, units));
                    let samples = codec.samples_in(packet.payload) as u32;
                    units += samples * (codec.clock_hz() / 1_000) / (codec.rate().hz() / 1_000);
                });
            }
            assert_eq!(units, codec.clock_hz() / 1_000 * 120, "{codec:?} {ptime} ms");
            for (timestamp, units) in stamps {
                assert_eq!(timestamp, (u32::MAX - 1_000).wrapping_add(units));
            }
            let sent = if codec.longest() < sender.rate().samples_in(Ptime::TICK) { 12 } else { 6 };
            assert!(sender.stats().packets <= sent, "{codec:?} {ptime} ms: {:?}", sender.stats());
        }
    }
}

#[test]
fn longer_packets_of_every_codec_are_heard_without_a_gap() {
    let sixty = Ptime::LONGEST;
    for codec in Codec::all() {
        for ptime in [40, 60] {
            let mut call = Call::with(5, 80, one(codec));
            let sender = RtpSender::new(&one(codec), 7, RtpSeq(1), 1);
            call.sender = sender.with_ptime(Ptime::from_ms(ptime).unwrap());
            // Of packets that leave at once the first is to come first.
            call.jitter_ms = if codec.longest() < codec.rate().samples_in(sixty) { 0 } else { 20 };
            call.sing(300);
            let from = call.voiced();
            assert!(call.kinds[from..].iter().all(|&kind| kind == FrameKind::Voice), "{codec:?}");
            let second = codec.rate().hz() as usize;
            let level = level(&call.heard[call.heard.len() - second..], codec.rate());
            assert!(level.abs() < 1.0, "{codec:?}, {ptime} ms: {level:.1} dB");
        }
    }
}

/// Codecs of different rates and clocks, the lowest rate last.
fn many() -> Vec<Codec> {
    let l16 = |rate| Codec::L16.at(rate).unwrap();
    let mut many = vec![l16(SampleRate::Hz48000), Codec::G722, l16(SampleRate::Hz24000)];
    many.extend(Codec::from_rtpmap("opus", 48_000));
    many.extend([Codec::PCMA, l16(SampleRate::Hz32000), Codec::PCMU]);
    many
}

#[test]
fn codecs_rates_and_clocks_may_change_from_packet_to_packet() {
    let codecs = many();
    let payloads = Payloads::of(&codecs).unwrap();
    for (seed, each) in [(1, 1), (2, 3), (3, 25)] {
        let mut call = Call::with(seed, 60, payloads);
        call.jitter_ms = 15;
        for n in 0..600 {
            call.sender.set_codec(codecs[n / each % codecs.len()]);
            call.sing(1);
        }
        let stats = call.stats();
        let counts = (stats.unknown_payload, stats.lost, stats.late, stats.overflow);
        assert_eq!(counts, (0, 0, 0, 0), "each {each}: {stats:?}");
        let from = call.voiced();
        let gaps = call.kinds[from..].iter().filter(|&&kind| kind != FrameKind::Voice).count();
        assert_eq!(gaps, 0, "each {each}");
        assert!(stats.depth_ms < 120.0, "each {each}: {stats:?}");
        // Each codec has its own delay, so the phase jumps; what is long enough has its level.
        if each == 25 {
            let tick = SampleRate::Hz48000.samples_in(Ptime::TICK);
            for spell in call.heard[from * tick..].chunks_exact(25 * tick) {
                let level = level(&spell[4 * tick..24 * tick], SampleRate::Hz48000);
                assert!(level.abs() < 1.0, "{level:.1} dB");
            }
        }
    }
}

#[test]
fn a_codec_that_was_not_agreed_is_neither_spoken_nor_heard() {
    let mut call = Call::with(1, 60, one(Codec::G722));
    call.sender.set_codec(Codec::PCMU);
    assert_eq!(call.sender.codec(), Some(Codec::G722));
    call.sender = RtpSender::new(&Payloads::default(), 7, RtpSeq(1), 1);
    call.sing(50);
    assert_eq!(call.count(FrameKind::Silence), 50);
    assert!(call.stats().unknown_payload > 40);
    let nothing = Payloads::none();
    let mut call = Call::with(1, 60, nothing);
    call.sing(50);
    assert_eq!((call.sender.codec(), call.sender.stats().packets), (None, 0));
    let five = Digit::from_event(5).unwrap();
    assert!(call.sender.press(five, Duration::ZERO).is_err());
}

#[test]
fn keys_last_as_long_at_every_clock() {
    for codec in many() {
        for held_ms in [100, 3_000] {
            let mut call = Call::with(4, 60, one(codec));
            call.sing(50);
            let five = Digit::from_event(5).unwrap();
            call.sender.press(five, Duration::from_millis(held_ms)).unwrap();
            call.sing(50 + held_ms / 20);
            let end = RtpEvent::DigitEnd { digit: five, duration_ms: held_ms as u32 };
            assert_eq!(call.events[1..], [RtpEvent::DigitBegin(five), end], "{codec:?}");
            let stats = call.stats();
            assert_eq!((stats.lost, stats.late, stats.concealed), (0, 0, 0), "{codec:?}");
            let silent = call.kinds[call.voiced()..].iter().filter(|&&k| k == FrameKind::Silence);
            assert_eq!(silent.count() as u64, held_ms / 20 + 2, "{codec:?}");
        }
    }
}

#[test]
fn keys_that_wait_while_the_clock_changes_last_as_long() {
    let Some(opus) = Codec::from_rtpmap("opus", 48_000) else { return };
    let mut call = Call::with(4, 60, Payloads::of(&[Codec::PCMU, opus]).unwrap());
    call.sing(50);
    for digit in "12".chars() {
        let digit = Digit::from_char(digit).unwrap();
        call.sender.press(digit, Duration::from_millis(200)).unwrap();
    }
    call.sing(3);
    call.sender.set_codec(opus);
    call.sing(100);
    let lasted = |event: &RtpEvent| match event {
        RtpEvent::DigitEnd { duration_ms, .. } => Some(*duration_ms),
        _ => None,
    };
    assert_eq!(call.events.iter().filter_map(lasted).collect::<Vec<_>>(), [200, 200]);
}

#[cfg(feature = "opus")]
#[test]
fn the_silence_of_a_sender_with_dtx_is_no_loss() {
    let dtx = EncodeSettings { dtx: true, ..Default::default() };
    for rate in [SampleRate::Hz8000, SampleRate::Hz16000, SampleRate::Hz48000] {
        let payloads = one(Codec::OPUS.at(rate).unwrap());
        let mut call = Call::with(6, 60, payloads);
        call.sender = RtpSender::new(&payloads, 7, RtpSeq(1), 1).with_encoding(&dtx);
        call.jitter_ms = 20;
        let quiet = vec![0; rate.samples_in(Ptime::TICK)];
        for _ in 0..3 {
            call.sing(100);
            let sent = call.sender.stats().packets;
            (0..250).for_each(|_| call.step(Some(&quiet)));
            let sent = call.sender.stats().packets - sent;
            assert!(sent < 60, "{rate}: {sent} packets of silence");
        }
        call.sing(50);
        let stats = call.stats();
        assert_eq!((stats.lost, stats.late, stats.concealed), (0, 0, 0), "{rate}: {stats:?}");
        assert!(call.count(FrameKind::Silence) > 500, "{rate}");
        let level = level(&call.heard[call.heard.len() - rate.hz() as usize / 2..], rate);
        assert!(level.abs() < 1.0, "{rate}: {level:.1} dB after the silence");
    }
}

#[cfg(feature = "opus")]
#[test]
fn opus_takes_a_lost_packet_from_the_next_one() {
    // The same losses, and the same voice, with copies and without.
    let path = format!("{}/../examples/assets/alice.wav", env!("CARGO_MANIFEST_DIR"));
    let voice = crate::wav::Pcm::load(path, SampleRate::Hz48000).unwrap();
    let hear = |fec: bool, loss_percent: f64| {
        let settings = EncodeSettings { fec, expected_loss_percent: 20, ..Default::default() };
        let mut call = Call::with(2, 80, one(Codec::OPUS));
        call.sender = RtpSender::new(&one(Codec::OPUS), 7, RtpSeq(1), 1).with_encoding(&settings);
        for pcm in voice.samples().chunks_exact(960) {
            // The first packets are never lost, so that both begin in the same tick.
            call.loss_percent = if call.sent_ticks < 10 { 0.0 } else { loss_percent };
            call.step(Some(pcm));
        }
        assert!(loss_percent == 0.0 || call.stats().concealed > 20, "{:?}", call.stats());
        call.heard
    };
    let wrong = |fec: bool| {
        let pairs = hear(fec, 0.0).into_iter().zip(hear(fec, 10.0));
        pairs.map(|(a, b)| (f64::from(a) - f64::from(b)).powi(2)).sum::<f64>()
    };
    let gain = 10.0 * (wrong(false) / wrong(true)).log10();
    assert!(gain > 2.0, "copies are better than guesses by {gain:.1} dB only");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn no_payload_of_any_codec_makes_a_leg_panic_and_it_is_heard_again(
        packets in prop::collection::vec(
            (0usize..12, prop::collection::vec(any::<u8>(), 0..200), any::<u16>(), 0u16..3), 1..100),
    ) {
        let codecs = many();
        let payloads = Payloads::of(&codecs).unwrap();
        let mut call = Call::with(1, 60, payloads);
        call.sing(20);
        // No events: they may mute what follows for as long as they say.
        let numbers: Vec<u8> = payloads.codecs().map(|(number, _)| number).collect();
        let (mut seq, mut timestamp) = (0u16, 0u32);
        for (kind, payload, jump, near) in packets {
            seq = seq.wrapping_add(near);
            timestamp = timestamp.wrapping_add(u32::from(jump));
            let payload_type = numbers[kind % numbers.len()];
            let header =
                Header { payload_type, marker: false, seq: RtpSeq(seq), timestamp, ssrc: 7 };
            let mut buffer = [0; 600];
            let packet = write_packet(&header, &payload, &mut buffer).unwrap();
            let now = Stamp::from_ns(call.heard_ticks * TICK + call.phase);
            call.receiver.receive(packet, remote(), now, &mut |_| {});
            call.sing(1);
        }
        // Opus may have said up to 120 ms in each: skipping that takes its time.
        call.sing(1_500);
        let voice = call.kinds[call.kinds.len() - 50..].iter().filter(|&&k| k == FrameKind::Voice);
        prop_assert_eq!(voice.count(), 50, "{:?}", call.stats());
        prop_assert!(call.stats().depth_ms < 160.0, "{:?}", call.stats());
    }
}
