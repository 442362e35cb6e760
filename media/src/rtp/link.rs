//! A leg through a simulated network, in virtual time: sender, link, receiver.

mod codecs;

use super::packet::{Header, RtpSeq, write_packet};
use super::payloads::Payloads;
use super::playout::FrameKind;
use super::receiver::{ReceiveSettings, ReceiveStats, RtpEvent, RtpReceiver};
use super::sender::RtpSender;
use crate::codec::{Codec, EncodeSettings};
use crate::dtmf::Digit;
use crate::frame::Ptime;
use proptest::prelude::*;
use stasis_bus::Stamp;
use std::net::SocketAddr;
use std::time::Duration;

const MS: u64 = 1_000_000;
const TICK: u64 = 20 * MS;

/// SplitMix64: small, seeded, good enough for dice.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        x ^ (x >> 31)
    }

    fn percent(&mut self, percent: f64) -> bool {
        (self.throw() % 1_000_000) as f64 / 10_000.0 < percent
    }
}

/// One direction of a call.
struct Call {
    sender: RtpSender,
    receiver: RtpReceiver,
    dice: Dice,
    loss_percent: f64,
    duplicate_percent: f64,
    jitter_ms: u64,
    path_ms: u64,
    /// The sender's clock, in parts per million fast.
    ppm: i64,
    /// Ticks that the sender collects before it sends them at once.
    burst: u64,
    wire: Vec<(u64, Vec<u8>)>,
    sent_ticks: u64,
    heard_ticks: u64,
    phase: u64,
    dropped: u64,
    heard: Vec<i16>,
    kinds: Vec<FrameKind>,
    events: Vec<RtpEvent>,
    depths: Vec<f32>,
}

impl Call {
    /// In PCMU.
    fn new(seed: u64, delay_ms: u64) -> Self {
        Self::with(seed, delay_ms, Payloads::default())
    }

    /// In the first of these.
    fn with(seed: u64, delay_ms: u64, payloads: Payloads) -> Self {
        let mut dice = Dice(seed);
        let delay = Duration::from_millis(delay_ms);
        Call {
            // Number and timestamp wrap within the first two seconds.
            sender: RtpSender::new(&payloads, 7, RtpSeq(65_490), u32::MAX - 9_000),
            receiver: RtpReceiver::new(ReceiveSettings { remote: None, delay, payloads }),
            phase: dice.throw() % TICK,
            dice,
            loss_percent: 0.0,
            duplicate_percent: 0.0,
            jitter_ms: 0,
            path_ms: 30,
            ppm: 0,
            burst: 1,
            wire: Vec::new(),
            sent_ticks: 0,
            heard_ticks: 0,
            dropped: 0,
            heard: Vec::new(),
            kinds: Vec::new(),
            events: Vec::new(),
            depths: Vec::new(),
        }
    }

    /// Runs `ticks` ticks with a tone to be sent in each.
    fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            let pcm = tone(self.sent_ticks as usize * 160, 160);
            self.step(Some(&pcm));
        }
    }

    /// One tick of the receiver, and what the sender sends until then.
    fn step(&mut self, pcm: Option<&[i16]>) {
        let now = self.heard_ticks * TICK + self.phase;
        while self.sender_time(self.sent_ticks) <= now {
            self.send(pcm);
        }
        self.deliver(now);
        let mut out = vec![0; self.receiver.rate().samples_in(Ptime::TICK)];
        let events = &mut self.events;
        let kind = self.receiver.tick(Stamp::from_ns(now), &mut out, &mut |e| events.push(e));
        self.heard.extend(out);
        self.kinds.push(kind);
        self.depths.push(self.receiver.stats().depth_ms);
        self.heard_ticks += 1;
    }

    fn sender_time(&self, tick: u64) -> u64 {
        let nominal = (tick * TICK) as i64;
        (nominal - nominal / 1_000_000 * self.ppm) as u64
    }

    fn send(&mut self, pcm: Option<&[i16]>) {
        let burst_end = (self.sent_ticks / self.burst + 1) * self.burst - 1;
        let leaves = self.sender_time(burst_end) + self.path_ms * MS;
        self.sent_ticks += 1;
        let (dice, wire, dropped) = (&mut self.dice, &mut self.wire, &mut self.dropped);
        let Some(pcm) = pcm else { return self.sender.skip_tick() };
        let (loss, twice, jitter) = (self.loss_percent, self.duplicate_percent, self.jitter_ms);
        self.sender.tick(pcm, |packet| {
            if dice.percent(loss) {
                *dropped += 1;
                return;
            }
            for _ in 0..1 + u32::from(dice.percent(twice)) {
                let late = if jitter > 0 { dice.throw() % (jitter * MS) } else { 0 };
                wire.push((leaves + late, packet.to_vec()));
            }
        });
    }

    fn deliver(&mut self, now: u64) {
        self.wire.sort_by_key(|(arrival, _)| *arrival);
        let due = self.wire.partition_point(|(arrival, _)| *arrival <= now);
        let events = &mut self.events;
        for (arrival, packet) in self.wire.drain(..due) {
            let stamp = Stamp::from_ns(arrival);
            self.receiver.receive(&packet, remote(), stamp, &mut |e| events.push(e));
        }
    }

    fn stats(&self) -> ReceiveStats {
        self.receiver.stats()
    }

    fn count(&self, kind: FrameKind) -> usize {
        self.kinds.iter().filter(|&&k| k == kind).count()
    }

    fn digits_begun(&self) -> String {
        let begun =
            |e: &RtpEvent| if let RtpEvent::DigitBegin(d) = e { Some(d.as_char()) } else { None };
        self.events.iter().filter_map(begun).collect()
    }
}

fn remote() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 4_000))
}

/// A tone of 440 Hz from sample `from` on, as G.711 leaves it.
fn tone(from: usize, samples: usize) -> Vec<i16> {
    let at = |t: usize| ((t % 8_000) as f64 * 440.0 / 8_000.0 * std::f64::consts::TAU).sin();
    let pcm: Vec<i16> = (from..from + samples).map(|t| (at(t) * 8_000.0) as i16).collect();
    let (mut bytes, mut heard) = (vec![0; samples], vec![0; samples]);
    Codec::PCMU.encoder(&EncodeSettings::default()).encode(&pcm, &mut bytes);
    Codec::PCMU.decoder().decode(&bytes, &mut heard);
    heard
}

/// The output after its first sound and the 5 ms in which that fades in.
fn sound(heard: &[i16]) -> &[i16] {
    let start = heard.iter().position(|&s| s != 0).unwrap_or(heard.len());
    &heard[(start / 160 * 160 + 160).min(heard.len())..]
}

/// Asserts that `heard` is the tone without a break.
fn assert_unbroken(heard: &[i16], what: &str) {
    let sound = sound(heard);
    assert!(sound.len() > heard.len() / 2, "{what}: nearly nothing was heard");
    let from = (0..200).find(|&from| tone(from, 480) == sound[..480]);
    let from = from.unwrap_or_else(|| panic!("{what}: the tone is not there"));
    let meant = tone(from, sound.len());
    let broken = sound.iter().zip(&meant).position(|(a, b)| a != b);
    assert_eq!(broken, None, "{what}: broken after so many samples");
}

fn steepest(samples: &[i16]) -> i32 {
    samples.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
}

#[test]
fn a_tone_comes_out_unbroken_under_twenty_milliseconds_of_jitter() {
    for seed in 0..50 {
        let mut call = Call::new(seed, 60);
        call.jitter_ms = 20;
        call.run(1_500);
        assert_unbroken(&call.heard, &format!("seed {seed}"));
        let stats = call.stats();
        assert_eq!((stats.lost, stats.late, stats.concealed), (0, 0, 0), "seed {seed}");
        assert_eq!(stats.packets, call.sender.stats().packets - call.wire.len() as u64);
        assert!((3.0..12.0).contains(&stats.jitter_ms), "seed {seed}: {}", stats.jitter_ms);
    }
}

#[test]
fn the_first_packet_is_heard_its_delay_after_it_came_at_the_next_tick() {
    for seed in 0..20 {
        let mut call = Call::new(seed, 60);
        call.run(20);
        let start =
            call.heard.iter().position(|&s| s != 0).unwrap() as u64 / 160 * TICK + call.phase;
        let waited = start - 30 * MS;
        assert!((60 * MS..80 * MS).contains(&waited), "seed {seed}: {waited} ns");
    }
}

#[test]
fn the_loss_counted_is_the_loss_of_the_link() {
    for seed in 0..50 {
        let mut call = Call::new(seed, 80);
        (call.loss_percent, call.duplicate_percent, call.jitter_ms) = (2.0, 2.0, 50);
        call.run(1_000);
        (call.loss_percent, call.jitter_ms) = (0.0, 0);
        call.run(20);
        let stats = call.stats();
        // Packets dropped before the first two in order are not expected.
        assert!(stats.lost.abs_diff(call.dropped) <= 1, "seed {seed}: {stats:?}, {}", call.dropped);
        assert!(stats.duplicates > 5 && stats.reordered > 50, "seed {seed}: {stats:?}");
        assert!(stats.concealed <= stats.lost + stats.late + 8, "seed {seed}: {stats:?}");
        assert!(stats.late <= 10, "seed {seed}: {stats:?}");
    }
}

#[test]
fn a_lost_packet_makes_no_click() {
    let mut call = Call::new(3, 60);
    (call.loss_percent, call.jitter_ms) = (5.0, 20);
    call.run(3_000);
    assert!(call.stats().concealed > 100);
    let limit = steepest(&tone(0, 8_000)) * 2;
    assert!(steepest(&call.heard) <= limit, "{} over {limit}", steepest(&call.heard));
}

#[test]
fn an_hour_with_a_clock_200_ppm_off_neither_grows_nor_drains_the_delay() {
    for ppm in [-200, 200] {
        let mut call = Call::new(ppm as u64, 60);
        (call.loss_percent, call.jitter_ms, call.ppm) = (2.0, 20, ppm);
        for tick in 0..180_000 {
            call.run(1);
            call.heard.clear();
            let depth = call.depths[tick];
            assert!(tick < 50 || depth < 140.0, "{ppm} ppm, tick {tick}: {depth} ms");
        }
        let stats = call.stats();
        assert_eq!(stats.lost, call.dropped, "{ppm} ppm: {stats:?}");
        assert!(stats.late < 20, "{ppm} ppm: {stats:?}");
        assert!(stats.concealed < stats.lost + 80, "{ppm} ppm: {stats:?}");
        let mean = call.depths.iter().sum::<f32>() / call.depths.len() as f32;
        assert!((40.0..100.0).contains(&mean), "{ppm} ppm: {mean} ms");
    }
}

#[test]
fn every_digit_arrives_once_and_in_order_under_ten_percent_loss() {
    let dialed = "0123456789*#ABCD";
    for seed in 0..100 {
        let mut call = Call::new(seed, 60);
        (call.loss_percent, call.jitter_ms) = (10.0, 20);
        call.run(10);
        for digit in dialed.chars() {
            let digit = Digit::from_char(digit).unwrap();
            call.sender.press(digit, Duration::from_millis(100)).unwrap();
        }
        call.run(200);
        assert_eq!(call.digits_begun(), dialed, "seed {seed}");
        let ends = call.events.iter().filter(|e| matches!(e, RtpEvent::DigitEnd { .. }));
        assert_eq!(ends.count(), dialed.len(), "seed {seed}");
    }
}

#[test]
fn a_key_is_silent_and_tells_its_duration_and_audio_goes_on_behind_it() {
    let mut call = Call::new(1, 60);
    call.run(50);
    call.sender.press(Digit::from_event(5).unwrap(), Duration::from_millis(200)).unwrap();
    call.run(100);
    let five = Digit::from_event(5).unwrap();
    assert_eq!(
        call.events[1..],
        [RtpEvent::DigitBegin(five), RtpEvent::DigitEnd { digit: five, duration_ms: 200 }]
    );
    let stats = call.stats();
    assert_eq!((stats.lost, stats.late, stats.concealed), (0, 0, 0));
    let leading = call.kinds.iter().take_while(|&&k| k == FrameKind::Silence).count();
    assert_eq!(call.count(FrameKind::Silence) - leading, 12, "the key and two repeated ends");
    assert_unbroken(&call.heard[call.heard.len() - 8_000..], "after the key");
}

#[test]
fn audio_that_a_sender_sends_along_with_a_key_is_not_heard() {
    let mut call = Call::new(2, 60);
    let mut plain = RtpSender::new(&Payloads::default(), 7, RtpSeq(0), 0);
    let mut now = 0;
    let mut kinds = Vec::new();
    let mut seq = 0;
    for tick in 0..100u32 {
        let arrival = Stamp::from_ns(now);
        plain.tick(&tone(0, 160), |packet| {
            let mut packet = packet.to_vec();
            packet[2..4].copy_from_slice(&(seq as u16).to_be_bytes());
            call.receiver.receive(&packet, remote(), arrival, &mut |_| {});
            seq += 1;
            if (40..50).contains(&tick) {
                let duration = (tick - 39) as u16 * 160;
                let mut event = packet[..12].to_vec();
                event[1] = 101;
                event[2..4].copy_from_slice(&(seq as u16).to_be_bytes());
                event[4..8].copy_from_slice(&(40u32 * 160).to_be_bytes());
                event.extend([5, if tick == 49 { 0x8A } else { 10 }]);
                event.extend(duration.to_be_bytes());
                call.receiver.receive(&event, remote(), arrival, &mut |_| {});
                seq += 1;
            }
        });
        kinds.push(call.receiver.tick(arrival, &mut [0; 160], &mut |_| {}));
        now += TICK;
    }
    let first = kinds.iter().position(|&k| k == FrameKind::Voice).unwrap();
    let silent: Vec<usize> = (first..100).filter(|&t| kinds[t] == FrameKind::Silence).collect();
    assert_eq!(silent, (first + 40..first + 50).collect::<Vec<_>>());
    assert_eq!(call.stats().lost + call.stats().late + call.stats().concealed, 0);
}

#[test]
fn bursts_every_hundred_milliseconds_are_unbroken_at_120_and_settle_at_60() {
    for seed in 0..20 {
        let mut call = Call::new(seed, 120);
        call.burst = 5;
        call.run(2_000);
        assert_unbroken(&call.heard, &format!("120 ms, seed {seed}"));

        let mut call = Call::new(seed, 60);
        call.burst = 5;
        call.run(500);
        let settled = call.stats();
        assert!(settled.late <= 10 && settled.concealed <= 15, "seed {seed}: {settled:?}");
        call.heard.clear();
        call.run(1_500);
        assert_unbroken(&call.heard, &format!("60 ms, seed {seed}"));
    }
}

#[test]
fn a_path_that_grows_by_150_ms_is_followed_and_one_that_shrinks_is_too() {
    for seed in 0..20 {
        let mut call = Call::new(seed, 60);
        call.jitter_ms = 20;
        call.run(500);
        call.path_ms = 180;
        call.run(250);
        let grown = call.stats();
        assert!((1..15).contains(&grown.late), "seed {seed}: {grown:?}");
        call.heard.clear();
        call.run(250);
        assert_unbroken(&call.heard, &format!("grown, seed {seed}"));
        call.path_ms = 30;
        call.run(250);
        assert!(call.stats().depth_ms < 120.0, "seed {seed}: {:?}", call.stats());
        assert_eq!(call.stats().late, grown.late, "seed {seed}");
        assert_eq!(call.stats().lost, 0, "seed {seed}");
    }
}

#[test]
fn packets_held_up_together_are_late_and_the_delay_stays() {
    let mut call = Call::new(4, 60);
    call.run(200);
    let before = call.stats().depth_ms;
    for ms in (1..=15).rev() {
        call.path_ms = 30 + ms * 20;
        call.run(1);
    }
    call.path_ms = 30;
    call.run(50);
    assert!((call.stats().depth_ms - before).abs() <= 20.0, "{:?}", call.stats());
    assert!(call.stats().late > 8, "{:?}", call.stats());
}

#[test]
fn a_silent_sender_loses_nothing_however_long_it_is_silent() {
    for silent in [1, 5, 49, 50, 51, 500, 10_000] {
        let mut call = Call::new(5, 60);
        call.ppm = 200;
        call.run(100);
        (0..silent).for_each(|_| call.step(None));
        call.run(20);
        call.heard.clear();
        call.run(100);
        assert_unbroken(&call.heard, &format!("{silent} ticks"));
        let stats = call.stats();
        assert_eq!((stats.lost, stats.late), (0, 0), "{silent} ticks");
        assert!(stats.concealed <= 3, "{silent} ticks: {stats:?}");
    }
}

#[test]
fn another_stream_or_a_timestamp_that_jumps_goes_on_without_a_loss() {
    let restarts: [(u32, u16, u32); 5] =
        [(9, 3, 5), (7, 4_000, 77), (9, 65_535, u32::MAX), (8, 64_000, 0x8000_0000), (6, 0, 0)];
    let mut call = Call::new(6, 60);
    call.run(100);
    for (ssrc, seq, timestamp) in restarts {
        call.sender = RtpSender::new(&Payloads::default(), ssrc, RtpSeq(seq), timestamp);
        call.run(100);
        call.heard.clear();
        call.run(50);
        assert_unbroken(&call.heard, &format!("ssrc {ssrc}"));
    }
    let changes = call.events.iter().filter(|e| matches!(e, RtpEvent::SsrcChanged { .. }));
    assert_eq!(changes.count(), 5);
    assert_eq!(call.stats().lost, 0);
    let mut seq = call.sender.stats().packets as u16; // the last stream began at 0
    for timestamp in [1u32, 0x8000_0000, 0x4000_0000, 0x4000_0000 - 1_000_000, u32::MAX - 4_000] {
        call.sender = RtpSender::new(&Payloads::default(), 6, RtpSeq(seq), timestamp);
        seq += 150; // the numbers go on: only the timestamps jump
        call.run(100);
        call.heard.clear();
        call.run(50);
        assert_unbroken(&call.heard, &format!("timestamp {timestamp}"));
    }
    assert_eq!(call.stats().lost, 0);
    assert!(call.stats().late < 10, "{:?}", call.stats());
}

#[test]
fn an_outage_of_any_length_is_lost_once_and_recovered_from() {
    for outage in [1u64, 3, 10, 60, 100, 1_000, 2_900, 4_000, 40_000] {
        let mut call = Call::new(outage, 60);
        call.run(100);
        call.loss_percent = 100.0;
        call.run(outage);
        call.loss_percent = 0.0;
        call.run(100);
        call.heard.clear();
        call.run(100);
        assert_unbroken(&call.heard, &format!("{outage} ticks"));
        let lost = if outage < 2_998 { call.dropped } else { 0 };
        let counted = call.stats().lost;
        assert!(counted.abs_diff(lost) <= 1, "{outage} ticks: {counted} for {lost}");
        assert!(call.stats().depth_ms <= 100.0, "{outage} ticks: {:?}", call.stats());
    }
}

/// Sends `ticks` ticks of a ramp through `leg` in packets of `ptime_ms`, and returns what is heard.
fn ramp_in_packets_of(ptime_ms: u64, ticks: u64) -> (Vec<i16>, ReceiveStats) {
    let mut leg = RtpReceiver::new(ReceiveSettings::default());
    let samples = ptime_ms as usize * 8;
    let (mut sent, mut heard) = (0u64, Vec::new());
    for tick in 0..ticks {
        while sent * ptime_ms <= tick * 20 {
            let payload: Vec<u8> =
                (0..samples).map(|n| ramp(sent as usize * samples + n)).collect();
            let header = Header {
                seq: RtpSeq(sent as u16),
                timestamp: sent as u32 * samples as u32,
                ..Header::default()
            };
            let mut buffer = [0; 600];
            let packet = write_packet(&header, &payload, &mut buffer).unwrap();
            leg.receive(packet, remote(), Stamp::from_ms(sent * ptime_ms), &mut |_| {});
            sent += 1;
        }
        let mut out = [0; 160];
        leg.tick(Stamp::from_ms(tick * 20), &mut out, &mut |_| {});
        heard.extend(out);
    }
    (heard, leg.stats())
}

/// µ-law codes that climb without a step over the turn, and are never the silent 0xFF or 0x7F.
fn ramp(n: usize) -> u8 {
    let turn = n % 200;
    0x80 + if turn < 100 { turn } else { 199 - turn } as u8
}

#[test]
fn packets_of_any_length_are_cut_into_ticks_without_a_seam() {
    for ptime_ms in [10, 20, 30, 40, 50, 60] {
        let (heard, stats) = ramp_in_packets_of(ptime_ms, 500);
        let start = heard.iter().position(|&s| s != 0).unwrap() / 160 * 160;
        let mut meant = vec![0; heard.len() - start];
        let bytes: Vec<u8> = (0..meant.len()).map(ramp).collect();
        Codec::PCMU.decoder().decode(&bytes, &mut meant);
        assert_eq!(heard[start + 40..], meant[40..], "ptime {ptime_ms}");
        assert_eq!(stats.late + stats.lost + stats.concealed + stats.overflow, 0);
    }
}

#[test]
fn longer_packets_from_our_own_sender_are_heard_unbroken() {
    for ptime in [40, 60] {
        let mut call = Call::new(7, 80);
        call.jitter_ms = 20;
        let sender = RtpSender::new(&Payloads::default(), 7, RtpSeq(1), 1);
        call.sender = sender.with_ptime(Ptime::from_ms(ptime).unwrap());
        call.run(1_000);
        assert_unbroken(&call.heard, &format!("{ptime} ms"));
    }
}

#[test]
fn the_codec_may_change_from_packet_to_packet() {
    let mut call = Call::new(8, 60);
    for n in 0..100 {
        call.sender.set_codec(if n % 2 == 0 { Codec::PCMA } else { Codec::PCMU });
        call.run(1);
    }
    let stats = call.stats();
    assert_eq!((stats.unknown_payload, stats.concealed), (0, 0));
    let quietest = sound(&call.heard).chunks(160).map(|c| c.iter().max().copied()).min();
    assert!(quietest.flatten().unwrap() > 7_500, "every frame is heard at its level");
}

#[test]
fn unknown_payloads_rtcp_noise_and_strangers_are_counted_and_not_heard() {
    let mut call = Call::new(9, 60);
    call.run(50);
    let mut buffer = [0; 200];
    let header = Header { payload_type: 18, ssrc: 1, ..Header::default() };
    let stranger = SocketAddr::from(([127, 0, 0, 1], 9));
    let packet = write_packet(&header, &[1; 160], &mut buffer).unwrap();
    let now = Stamp::from_ms(1_000);
    call.receiver.receive(packet, stranger, now, &mut |_| {});
    call.receiver.receive(&[0x80, 200, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0], remote(), now, &mut |_| {});
    call.receiver.receive(b"not RTP", remote(), now, &mut |_| {});
    let mut g729 = RtpSender::new(&Payloads::default(), 7, RtpSeq(0), 0);
    g729.tick(&[0; 160], |packet| {
        let mut packet = packet.to_vec();
        packet[1] = 18;
        let next = RtpSeq(65_490).0.wrapping_add(call.sender.stats().packets as u16);
        packet[2..4].copy_from_slice(&next.to_be_bytes());
        call.receiver.receive(&packet, remote(), now, &mut |_| {});
    });
    let stats = call.stats();
    assert_eq!(
        (stats.wrong_source, stats.rtcp, stats.malformed, stats.unknown_payload),
        (1, 1, 1, 1)
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_datagram_makes_a_leg_panic(
        datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..100),
        rtp: bool,
    ) {
        let mut leg = RtpReceiver::new(ReceiveSettings::default());
        for (n, mut datagram) in datagrams.into_iter().enumerate() {
            if let (true, Some(first)) = (rtp, datagram.first_mut()) {
                *first = *first & 0x3F | 0x80;
            }
            let now = Stamp::from_ms(n as u64 * 20);
            leg.receive(&datagram, remote(), now, &mut |_| {});
            leg.tick(now, &mut [0; 160], &mut |_| {});
        }
    }

    #[test]
    fn mutated_packets_never_panic_and_the_stream_is_heard_again(
        seed: u64,
        mutations in prop::collection::vec((0usize..16, any::<u8>()), 1..60),
        each in 1u64..4,
    ) {
        let mut call = Call::new(seed, 60);
        call.run(50);
        for (n, (at, byte)) in mutations.into_iter().enumerate() {
            call.run(1);
            if (n as u64).is_multiple_of(each) && let Some((_, packet)) = call.wire.last_mut() {
                packet[at] = byte;
            }
        }
        call.run(300);
        call.heard.clear();
        call.run(50);
        let voice = call.kinds[call.kinds.len() - 50..].iter().filter(|&&k| k == FrameKind::Voice);
        prop_assert_eq!(voice.count(), 50, "{:?}", call.stats());
    }

    #[test]
    fn a_stream_is_heard_again_after_any_headers(
        packets in prop::collection::vec(
            (any::<u16>(), any::<u32>(), 0usize..4, 0usize..500, 0u64..50, 0u16..4), 0..200),
    ) {
        let mut call = Call::new(1, 60);
        call.run(20);
        let (mut seq, mut timestamp) = (0u16, 0u32);
        for (step, jump, kind, len, ms, near) in packets {
            seq = seq.wrapping_add(if near == 0 { step } else { near });
            timestamp = timestamp.wrapping_add(if near == 0 { jump } else { 160 });
            let payload_type = [0, 8, 101, 13][kind];
            let marker = jump & 1 == 1;
            let header = Header { payload_type, marker, seq: RtpSeq(seq), timestamp, ssrc: 7 };
            let mut buffer = [0; 600];
            let packet = write_packet(&header, &[3; 500][..len], &mut buffer).unwrap();
            let now = Stamp::from_ns(call.heard_ticks * TICK + call.phase) + Duration::from_millis(ms);
            call.receiver.receive(packet, remote(), now, &mut |_| {});
            call.receiver.tick(now, &mut [0; 160], &mut |_| {});
            call.run(1);
        }
        call.run(400);
        let voice = call.kinds[call.kinds.len() - 50..].iter().filter(|&&k| k == FrameKind::Voice);
        prop_assert_eq!(voice.count(), 50, "{:?}", call.stats());
        prop_assert!(call.stats().depth_ms < 160.0, "{:?}", call.stats());
    }
}
