//! Two parties of one codec: their packets pass as they are, while nothing needs a mix.

mod common {
    pub mod room;
}

use common::room::{Phone, Room, SILENCE, Tick, Tone, db, peak_of};
use proptest::prelude::*;
use stasis_bus::PullSubscription;
use stasis_media::BridgeId;
use stasis_media::PlaybackId;
use stasis_media::bridge::{Tap, TapDirection};
use stasis_media::codec::Codec;
use stasis_media::dtmf::Absorb;
use stasis_media::engine::Order;
use stasis_media::event::PacketsPass;
use stasis_media::frame::SampleRate;
use stasis_media::gain::Gain;
use stasis_media::leg::{Direction, LegSetting, Role};
use stasis_media::rtp::{Packet, Payloads};
use stasis_media::sound::{Playback, Playlist};
use stasis_media::wav::{Pcm, Repeat};

const NARROW: SampleRate = SampleRate::Hz8000;
const PEAK: f64 = 6_000.0;

struct Call {
    room: Room,
    bridge: BridgeId,
    rate: SampleRate,
    phones: Vec<Phone>,
    tones: Vec<Tone>,
    events: PullSubscription,
    /// Payloads that each phone has sent and was sent, with their numbers.
    sent: Vec<Vec<Vec<u8>>>,
    got: Vec<Vec<(u16, u32, Vec<u8>)>>,
    /// Which packets of the first phone are lost.
    loses: fn(usize) -> bool,
}

impl Call {
    fn new(codecs: [Codec; 2]) -> Self {
        let mut room = Room::new();
        let events = room.topic.subscribe().accept::<PacketsPass>().pull().unwrap();
        let rate = codecs[0].rate().max(codecs[1].rate());
        let bridge = room.add_bridge(0, rate);
        let mut call = Call {
            room,
            bridge,
            rate,
            phones: Vec::new(),
            tones: Vec::new(),
            events,
            sent: Vec::new(),
            got: Vec::new(),
            loses: |_| false,
        };
        codecs.into_iter().for_each(|codec| call.add(codec));
        call
    }

    fn add(&mut self, codec: Codec) {
        let slot = self.phones.len() as u32;
        let payloads = Payloads::of(&[codec]).unwrap();
        let phone = self.room.add_phone_with(slot, payloads);
        self.room.order(common::room::join(phone.id, codec.rate(), self.bridge, self.rate));
        self.phones.push(phone);
        self.tones.push(Tone::new(440.0 + 350.0 * f64::from(slot), PEAK));
        self.sent.push(Vec::new());
        self.got.push(Vec::new());
    }

    fn run(&mut self, ticks: usize) {
        for _ in 0..ticks {
            for (n, (phone, tone)) in self.phones.iter_mut().zip(&mut self.tones).enumerate() {
                let mut pcm = vec![0; phone.rate().hz() as usize / 50];
                tone.fill(&mut pcm, phone.rate());
                let (id, from) = (phone.id, phone.address);
                let (sent, room, loses) = (&mut self.sent[n], &mut self.room, self.loses);
                phone.sender.tick(&pcm, |packet| {
                    let payload = Packet::parse(packet).unwrap().payload.to_vec();
                    sent.push(payload);
                    if n > 0 || !loses(sent.len()) {
                        room.receive(id, packet, from);
                    }
                });
            }
            let before: Vec<_> = self.phones.iter().map(|phone| phone.id).collect();
            let room = &mut self.room;
            room.engine.tick(room.now, &mut room.publisher, &mut room.wire);
            for sent in &self.room.wire.sent {
                let n = before.iter().position(|id| *id == sent.leg).unwrap();
                let Packet { header, payload } = Packet::parse(sent.bytes()).unwrap();
                self.got[n].push((header.seq.0, header.timestamp, payload.to_vec()));
            }
            self.room.give_and_pass(&mut self.phones);
        }
    }

    /// Whether packets pass, as was told last.
    fn passes(&mut self) -> Vec<bool> {
        std::iter::from_fn(|| self.events.try_recv().ok())
            .filter_map(|told| told.downcast_ref::<PacketsPass>().map(|told| told.passing))
            .collect()
    }

    /// How loud the other's tone is in what a phone has heard last, in dB against what was said.
    fn level(&self, phone: usize, of: usize) -> f64 {
        let heard = self.phones[phone].last_second();
        db(peak_of(heard, self.tones[of].hz, self.phones[phone].rate()), PEAK)
    }
}

fn all_codecs() -> Vec<Codec> {
    let codecs = [Codec::PCMU, Codec::PCMA, Codec::G722, Codec::L16.at(NARROW).unwrap()];
    #[cfg(feature = "opus")]
    let codecs = [&codecs[..], &[Codec::OPUS]].concat();
    codecs.to_vec()
}

#[test]
fn packets_of_two_pass_to_the_byte_and_in_step() {
    for codec in all_codecs() {
        let mut call = Call::new([codec, codec]);
        call.run(40);
        // Codecs that remember wait for a quiet moment, of which there is none here.
        let patience = if call.passes().is_empty() { 520 } else { 0 };
        call.run(patience + 200);
        let passing = call.got[0].len() - 150;
        for (n, other) in [(0, 1), (1, 0)] {
            let got: Vec<_> = call.got[n][passing..].iter().map(|(.., payload)| payload).collect();
            let sent: Vec<_> = call.sent[other].iter().collect();
            let at = sent.windows(got.len()).position(|sent| sent == got);
            assert!(at.is_some(), "{codec}: what the other has sent, byte by byte");
            let units = codec.clock_hz() / 50;
            let steps = call.got[n]
                .windows(2)
                .map(|w| (w[1].0.wrapping_sub(w[0].0), w[1].1.wrapping_sub(w[0].1)));
            assert!(
                steps.clone().all(|step| step == (1, units)),
                "{codec}: {:?}",
                steps.collect::<Vec<_>>()
            );
            assert!(call.level(n, other).abs() < 1.5, "{codec}: {:.1} dB", call.level(n, other));
        }
    }
}

#[test]
fn whatever_needs_a_mix_gets_one_at_once_and_packets_pass_again_after_it() {
    let set = |leg: usize, setting: LegSetting| {
        move |call: &mut Call| call.room.set(call.phones[leg].id, setting)
    };
    type Step = Box<dyn Fn(&mut Call)>;
    let pairs: Vec<(&str, Step, Step)> = vec![
        (
            "mute",
            Box::new(set(0, LegSetting::Mute(Direction::In, true))),
            Box::new(set(0, LegSetting::Mute(Direction::In, false))),
        ),
        (
            "gain",
            Box::new(set(1, LegSetting::Gain(Direction::Out, Gain::from_db(6.0)))),
            Box::new(set(1, LegSetting::Gain(Direction::Out, Gain::UNITY))),
        ),
        (
            "hold",
            Box::new(set(1, LegSetting::Hold(true))),
            Box::new(set(1, LegSetting::Hold(false))),
        ),
        (
            "echo",
            Box::new(set(0, LegSetting::Echo(true))),
            Box::new(set(0, LegSetting::Echo(false))),
        ),
        (
            "a role",
            Box::new(set(0, LegSetting::Role(Role::Listener))),
            Box::new(set(0, LegSetting::Role(Role::Participant))),
        ),
        (
            "keys",
            Box::new(set(0, LegSetting::AbsorbDtmf(Absorb::Whole))),
            Box::new(set(0, LegSetting::AbsorbDtmf(Absorb::Off))),
        ),
    ];
    for (what, begin, end) in pairs {
        let mut call = Call::new([Codec::PCMU; 2]);
        call.run(40);
        assert_eq!(call.passes(), [true]);
        begin(&mut call);
        call.run(20);
        assert_eq!(call.passes(), [false], "{what}");
        end(&mut call);
        call.run(40);
        assert_eq!(call.passes(), [true], "{what} no more");
    }
}

#[test]
fn a_third_party_a_sound_or_a_tap_ends_it_and_all_hear_what_they_should() {
    for codec in [Codec::PCMU, Codec::G722] {
        let mut call = Call::new([codec; 2]);
        call.run(560);
        assert_eq!(call.passes(), [true], "{codec}");
        call.add(codec);
        call.run(100);
        assert_eq!(call.passes(), [false], "{codec}");
        for (n, other) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
            assert!(call.level(n, other).abs() < 0.7, "{codec}: {n} hears {other}");
        }
        let third = call.phones[2].id;
        call.room.order(Order::Leave(third));
        call.run(560);
        assert_eq!(call.passes(), [true], "{codec}");
        let list =
            Playlist::new(codec.rate(), vec![Pcm::new(codec.rate(), vec![0; 6_400])], Repeat::Once);
        let playback = Box::new(Playback::new(PlaybackId::new(0, 9), list));
        call.room.order(Order::Play(call.bridge.into(), playback));
        call.run(600);
        assert_eq!(call.passes(), [false, true], "{codec}");
        let (tap, reader) = Tap::new(codec.rate(), 1);
        call.room.order(Order::TapLeg(call.phones[0].id, TapDirection::Out, Box::new(tap)));
        call.run(5);
        assert_eq!(call.passes(), [false], "{codec}");
        drop(reader);
        call.run(600);
        assert_eq!(call.passes(), [true], "{codec}");
        assert!(call.level(0, 1).abs() < 0.7 && call.level(1, 0).abs() < 0.7, "{codec}");
    }
}

#[test]
fn what_is_lost_on_the_way_in_is_missing_on_the_way_out_and_nothing_else() {
    let mut call = Call::new([Codec::PCMU; 2]);
    call.loses = |packet| packet > 60 && packet % 10 == 0;
    call.run(200);
    assert_eq!(call.passes(), [true]);
    let got = &call.got[1];
    let skipped: Vec<_> = got.windows(2).map(|w| w[1].0.wrapping_sub(w[0].0)).collect();
    assert!(skipped.iter().all(|step| [1, 2].contains(step)), "{skipped:?}");
    assert!((12..=14).contains(&skipped.iter().filter(|step| **step == 2).count()));
    let in_step = got
        .windows(2)
        .all(|w| w[1].1.wrapping_sub(w[0].1) == 160 * u32::from(w[1].0.wrapping_sub(w[0].0)));
    assert!(in_step, "the timestamps go on");
}

#[test]
fn parties_of_different_codecs_or_packet_times_are_mixed() {
    let mut call = Call::new([Codec::PCMU, Codec::PCMA]);
    call.run(600);
    assert_eq!(call.passes(), []);
    assert!(call.level(0, 1).abs() < 0.5 && call.level(1, 0).abs() < 0.5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// G.711 comes out of a mix of two as it went in (but for µ-law's second zero): whether packets pass
    /// or not cannot be heard.
    #[test]
    fn with_g711_nobody_can_tell_whether_there_is_a_mix(
        says in prop::collection::vec(prop::collection::vec(any::<i16>(), 160), 30..50),
        law in prop::bool::ANY,
        mixed: bool,
    ) {
        let codec = if law { Codec::PCMU } else { Codec::PCMA };
        let mut room = Room::new();
        let bridge = room.add_bridge(0, NARROW);
        if mixed {
            // Nobody is louder than full scale here, so a limit on talkers changes nothing else.
            room.order(Order::LimitTalkers(bridge, Some(2)));
        }
        let mut phones: Vec<_> = (0..2).map(|slot| room.add_phone(slot, codec)).collect();
        phones.iter().for_each(|phone| room.join(phone.id, bridge, NARROW));
        let (mut said, mut got) = (Vec::new(), Vec::new());
        for tick in &says {
            // Below the limiter's knee.
            let pcm: Vec<i16> = tick.iter().map(|sample| sample / 4).collect();
            let pcm: Tick = pcm.try_into().unwrap();
            let (id, from) = (phones[0].id, phones[0].address);
            phones[0].sender.tick(&pcm, |packet| {
                said.push(Packet::parse(packet).unwrap().payload.to_vec());
                room.receive(id, packet, from);
            });
            phones[1].say(&SILENCE, &mut room);
            room.engine.tick(room.now, &mut room.publisher, &mut room.wire);
            let to = phones[1].id;
            let packets = room.wire.sent.iter().filter(|sent| sent.leg == to);
            got.extend(packets.map(|sent| Packet::parse(sent.bytes()).unwrap().payload.to_vec()));
            room.give_and_pass(&mut phones);
        }
        // The first tick that is heard fades in.
        let decoded = |payloads: &[Vec<u8>]| {
            let mut pcm = vec![0; payloads.len() * 160];
            codec.decoder().decode(&payloads.concat(), &mut pcm);
            pcm
        };
        let (said, settled) = (decoded(&said), decoded(&got[10..]));
        prop_assert!(said.windows(settled.len()).step_by(160).any(|said| said == settled));
    }
}
