//! Whatever changes about bridges, legs and listeners: the media thread neither allocates nor frees.
//! Orders are made beforehand, and what the engine is done with is dropped afterwards.

mod common {
    pub mod alloc;
    pub mod room;
}

use common::alloc::{NONE, counts_of};
use common::room::{Phone, Room, Tone, join};
use stasis_media::bridge::{Bridge, BridgeKind, RateChange, Tap};
use stasis_media::codec::Codec;
use stasis_media::dtmf::{Absorb, DtmfSettings};
use stasis_media::engine::{Order, Retired};
use stasis_media::frame::{Frame, SampleRate};
use stasis_media::gain::Gain;
use stasis_media::leg::{Direction, LegSetting, Role};
use stasis_media::rtp::Payloads;
use stasis_media::sound::Playback;
use stasis_media::wav::{Pcm, Player, Repeat};
use stasis_media::{BridgeId, LegId, PlaybackId};

const NARROW: SampleRate = SampleRate::Hz8000;
const WIDE: SampleRate = SampleRate::Hz48000;

/// Every codec's listeners, who get up and sit down again, while bridges change their rates, legs their
/// settings, and music comes and goes. The phones only listen for what is sent to them.
struct Hall {
    room: Room,
    holding: BridgeId,
    mixing: BridgeId,
    legs: Vec<(LegId, SampleRate)>,
    tone: Tone,
}

impl Hall {
    fn new() -> Self {
        let mut room = Room::new();
        let holding = BridgeId::new(0, room.serial());
        let bridge = Bridge::new(holding, NARROW, room.topic.clone()).with_seats(32);
        room.order(Order::AddBridge(Box::new(bridge.with_kind(BridgeKind::Holding))));
        let mixing = BridgeId::new(1, room.serial());
        let bridge = Bridge::new(mixing, NARROW, room.topic.clone()).with_seats(32);
        room.order(Order::AddBridge(Box::new(bridge.with_talkers(Some(3)))));
        Hall { room, holding, mixing, legs: Vec::new(), tone: Tone::new(500.0, 8_000.0) }
    }

    fn add(&mut self) -> Vec<Phone> {
        let mut codecs = vec![Codec::PCMU, Codec::G722, Codec::L16];
        codecs.extend(Codec::all().find(|codec| codec.name() == "opus"));
        let codecs = codecs.iter().cycle().take(16).enumerate();
        let add = |(slot, codec): (usize, &Codec)| {
            let payloads = Payloads::of(&[*codec]).expect("there is room for one");
            self.room.add_phone_with(slot as u32, payloads)
        };
        let phones: Vec<_> = codecs.map(add).collect();
        self.legs = phones.iter().map(|phone| (phone.id, phone.rate())).collect();
        phones
    }

    /// A round's orders with their objects, the last first.
    fn script(&self, round: usize) -> Vec<(usize, Order)> {
        let rates = SampleRate::ALL;
        let (before, after) = (rates[round % 5], rates[(round + 1) % 5]);
        let change = |rate| {
            let change = RateChange::new(rate, self.legs.iter().copied());
            Box::new(
                change.with_music(WIDE).with_playback(PlaybackId::new(0, 1), NARROW).with_tap(WIDE),
            )
        };
        let sound = |rate: SampleRate, to| {
            let player = Player::new(Pcm::new(rate, vec![3_000; 48_000]), Repeat::Forever);
            Box::new(Playback::at(PlaybackId::new(0, 1), player, to))
        };
        let all = |at, setting: LegSetting| {
            self.legs.iter().map(move |(leg, _)| (at, Order::Set(*leg, setting)))
        };
        let join_all = |at, bridge, rate| {
            self.legs.iter().map(move |(leg, from)| (at, join(*leg, *from, bridge, rate)))
        };
        let leader = self.legs[0].0;
        let muted = |muted| LegSetting::Mute(Direction::In, muted);
        let mut script: Vec<_> = join_all(0, self.mixing, before).collect();
        script.extend(all(2, muted(true)));
        script.extend(self.legs[..4].iter().map(|(leg, _)| (60, Order::Set(*leg, muted(false)))));
        script.extend([
            (62, Order::ChangeRate(self.mixing, change(after))),
            (63, Order::ChangeRate(self.mixing, change(before))),
            (64, Order::Set(self.legs[5].0, muted(false))),
            (70, Order::TapBridge(self.mixing, Box::new(Tap::at(WIDE, 1, before).0))),
            (71, Order::ChangeRate(self.mixing, change(after))),
            (71, Order::Leave(leader)),
            (72, join(leader, NARROW, self.mixing, after)),
            (80, Order::LimitTalkers(self.mixing, Some(1))),
            (85, Order::LimitTalkers(self.mixing, Some(3))),
            (90, Order::Set(leader, LegSetting::AbsorbDtmf(Absorb::Whole))),
            (95, Order::Set(leader, LegSetting::Gain(Direction::In, Gain::from_db(3.0)))),
            (96, Order::Set(leader, LegSetting::Gain(Direction::Out, Gain::from_db(-3.0)))),
            (97, Order::Set(leader, LegSetting::Gain(Direction::Out, Gain::UNITY))),
            (99, Order::Set(leader, LegSetting::AbsorbDtmf(Absorb::Off))),
            (
                99,
                Order::Set(
                    leader,
                    LegSetting::DetectDtmf((round % 2 == 1).then_some(DtmfSettings::STRICT)),
                ),
            ),
            (100, Order::Music(self.holding.into(), Some(sound(WIDE, NARROW)))),
            (125, Order::Set(leader, LegSetting::Role(Role::Announcer))),
            (130, Order::Play(self.holding.into(), sound(NARROW, NARROW))),
            (131, Order::ChangeRate(self.holding, change(WIDE))),
            (135, Order::StopPlaying(self.holding.into())),
            (136, Order::Set(leader, LegSetting::Role(Role::Participant))),
            (140, Order::ChangeRate(self.holding, change(NARROW))),
            (145, Order::Music(self.holding.into(), None)),
        ]);
        script.extend(all(98, muted(false)));
        script.extend(join_all(110, self.holding, NARROW));
        script.sort_by_key(|(at, _)| *at);
        script.reverse();
        script
    }

    fn run(&mut self, phones: &mut [Phone], script: &mut Vec<(usize, Order)>) {
        for tick in 0..150 {
            while script.last().is_some_and(|(at, _)| *at <= tick) {
                if let Some((_, order)) = script.pop() {
                    self.room.order(order);
                }
            }
            for phone in &mut *phones {
                let mut said = Frame::silence(phone.rate());
                if tick % 50 < 40 {
                    self.tone.fill(said.samples_mut(), phone.rate());
                }
                phone.say(said.samples(), &mut self.room);
            }
            self.room.tick(&mut *phones);
        }
    }
}

#[test]
fn listeners_changes_of_rate_and_settings_neither_allocate_nor_free() {
    let mut hall = Hall::new();
    let mut phones = hall.add();
    let mut counts = NONE;
    for round in 0..5 {
        let mut script = hall.script(round);
        let of_round = counts_of(|| hall.run(&mut phones, &mut script));
        counts.allocations += of_round.allocations;
        counts.frees += of_round.frees;
        let refused = hall.room.wire.retired.iter().any(|o| matches!(o, Retired::Refused(_)));
        assert!(!refused, "an order was refused in round {round}");
        hall.room.wire.retired.clear();
    }
    assert_eq!(counts, NONE);
}
