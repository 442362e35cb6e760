//! Who speaks in a bridge, as it is told.

mod common {
    pub mod room;
}

use stasis_bus::PullSubscription;
use stasis_media::codec::Codec;
use stasis_media::engine::Order;
use stasis_media::event::{ActiveSpeakerChanged, TalkingStarted, TalkingStopped};
use stasis_media::frame::SampleRate;
use stasis_media::leg::{Direction, LegSetting, Role};
use stasis_media::talk::TalkSettings;
use stasis_media::{BridgeId, LegId};

use common::room::{Phone, Room, SILENCE, Tick};

const RATE: SampleRate = SampleRate::Hz8000;

struct Party {
    room: Room,
    bridge: BridgeId,
    phones: Vec<Phone>,
    told: PullSubscription,
    ticks: usize,
}

impl Party {
    fn of(phones: u32) -> Party {
        let mut room = Room::new();
        let told = room.topic.subscribe().accept::<ActiveSpeakerChanged>().pull().unwrap();
        let bridge = room.add_bridge(0, RATE);
        let phones: Vec<Phone> = (0..phones).map(|n| room.add_phone(n, Codec::PCMU)).collect();
        phones.iter().for_each(|phone| room.join(phone.id, bridge, RATE));
        Party { room, bridge, phones, told, ticks: 0 }
    }

    fn leg(&self, n: usize) -> LegId {
        self.phones[n].id
    }

    /// These talk at these peaks for so many ticks; gives the orders that were told, as numbers of phones.
    fn talk(&mut self, ticks: usize, talkers: &[(usize, f64)]) -> Vec<Vec<usize>> {
        for _ in 0..ticks {
            self.ticks += 1;
            for (n, phone) in self.phones.iter_mut().enumerate() {
                let peak = talkers.iter().find(|(talker, _)| *talker == n).map(|(_, peak)| *peak);
                let said = peak.map_or(SILENCE, |peak| syllable(self.ticks + 5 * n, peak));
                phone.say(&said, &mut self.room);
            }
            self.room.tick(&mut self.phones);
        }
        let mut orders = Vec::new();
        while let Ok(delivery) = self.told.try_recv() {
            if let Some(changed) = delivery.downcast_ref::<ActiveSpeakerChanged>() {
                assert_eq!(changed.bridge, self.bridge);
                let place = |leg| self.phones.iter().position(|phone| phone.id == leg).unwrap();
                orders.push(changed.speakers.iter().map(place).collect());
            }
        }
        orders
    }
}

/// A tick of something like speech: 160 ms of a sound of 300 Hz, and 80 ms of next to nothing.
fn syllable(tick: usize, peak: f64) -> Tick {
    let peak = if tick % 12 < 8 { peak * (1.0 + 0.3 * (tick % 7) as f64 / 7.0) } else { 10.0 };
    std::array::from_fn(|i| {
        let n = (tick * 160 + i) as f64;
        (peak * (n * 300.0 * std::f64::consts::TAU / 8_000.0).sin()) as i16
    })
}

#[test]
fn who_takes_the_floor_comes_first() {
    let mut party = Party::of(3);
    assert_eq!(party.talk(100, &[(0, 3_000.0)]), [[0]]);
    assert!(party.talk(100, &[]).is_empty(), "he keeps it until somebody else speaks");
    assert_eq!(party.talk(100, &[(1, 1_000.0)]), [[1, 0]]);
    assert_eq!(party.talk(100, &[(2, 3_000.0)]).last(), Some(&vec![2, 1, 0]));
    assert_eq!(party.talk(100, &[(0, 300.0)]).last(), Some(&vec![0, 2, 1]));
}

#[test]
fn two_who_are_equally_loud_do_not_take_turns() {
    let mut party = Party::of(3);
    assert_eq!(party.talk(100, &[(0, 3_000.0)]), [[0]]);
    assert_eq!(party.talk(3_000, &[(0, 3_000.0), (1, 3_300.0)]), [[0, 1]]);
    assert_eq!(party.talk(100, &[(0, 3_000.0), (1, 12_000.0)]), [[1, 0]], "clearly louder");
}

#[test]
fn a_cough_takes_the_floor_from_nobody() {
    let mut party = Party::of(3);
    party.talk(100, &[(0, 2_000.0)]);
    for _ in 0..10 {
        assert!(party.talk(10, &[(0, 2_000.0), (1, 15_000.0)]).is_empty());
        assert!(party.talk(90, &[(0, 2_000.0)]).is_empty());
    }
    party.talk(100, &[]);
    assert!(party.talk(10, &[(1, 15_000.0)]).is_empty(), "not in silence either");
    assert!(party.talk(100, &[]).is_empty());
}

#[test]
fn who_leaves_or_may_not_be_heard_is_no_speaker() {
    let mut party = Party::of(4);
    party.talk(100, &[(0, 3_000.0)]);
    assert_eq!(party.talk(100, &[(1, 3_000.0)]).last(), Some(&vec![1, 0]));
    let leg = party.leg(1);
    party.room.set(leg, LegSetting::Mute(Direction::In, true));
    assert_eq!(party.talk(200, &[(1, 3_000.0)]), [[0]], "muted");
    let leg = party.leg(2);
    party.room.set(leg, LegSetting::Role(Role::Listener));
    assert!(party.talk(200, &[(2, 3_000.0)]).is_empty(), "a listener");
    let leg = party.leg(3);
    party.room.set(leg, LegSetting::Hold(true));
    assert!(party.talk(200, &[(3, 3_000.0)]).is_empty(), "on hold");
    let leg = party.leg(0);
    party.room.order(Order::Leave(leg));
    assert_eq!(party.talk(100, &[(0, 3_000.0)]), [Vec::new()], "he has left");
    let leg = party.leg(1);
    party.room.set(leg, LegSetting::Mute(Direction::In, false));
    assert_eq!(party.talk(100, &[(1, 3_000.0)]), [[1]]);
    for n in 1..4 {
        let leg = party.leg(n);
        party.room.order(Order::RemoveLeg(leg));
    }
    assert_eq!(party.talk(5, &[]), [Vec::new()]);
}

#[test]
fn two_whose_packets_pass_as_they_are_are_ranked_too() {
    let mut party = Party::of(2);
    assert_eq!(party.talk(100, &[(0, 3_000.0)]), [[0]]);
    assert_eq!(party.talk(100, &[(1, 3_000.0)]).last(), Some(&vec![1, 0]));
}

#[test]
fn a_leg_can_be_listened_to_in_another_way_or_nobody_told() {
    let mut party = Party::of(2);
    let mut events = party.room.topic.subscribe();
    events = events.accept::<TalkingStarted>().accept::<TalkingStopped>();
    let mut events = events.pull().unwrap();
    let mut told = || {
        let (mut starts, mut stops) = (0, 0);
        while let Ok(delivery) = events.try_recv() {
            starts += u32::from(delivery.downcast_ref::<TalkingStarted>().is_some());
            stops += u32::from(delivery.downcast_ref::<TalkingStopped>().is_some());
        }
        (starts, stops)
    };
    let leg = party.leg(0);
    party.talk(50, &[(0, 3_000.0)]);
    assert_eq!(told(), (1, 0));
    party.room.set(leg, LegSetting::DetectTalk(None));
    assert_eq!(told(), (0, 1), "it ends there");
    party.talk(100, &[(0, 3_000.0)]);
    party.talk(100, &[]);
    assert_eq!(told(), (0, 0));
    // 2,000 is a mean magnitude of some 1,300 at the most.
    let deaf = TalkSettings::of_magnitude(3_000, 2_500);
    party.room.set(leg, LegSetting::DetectTalk(Some(deaf)));
    party.talk(100, &[(0, 2_000.0)]);
    assert_eq!(told(), (0, 0));
    party.room.set(leg, LegSetting::DetectTalk(Some(TalkSettings::of_magnitude(256, 2_500))));
    party.talk(100, &[(0, 2_000.0)]);
    assert_eq!(told(), (1, 0));
    party.talk(120, &[]);
    assert_eq!(told(), (0, 0));
    party.talk(20, &[]);
    assert_eq!(told(), (0, 1));
}
