//! Pairs with all that goes through them: the media thread neither allocates nor frees. Legs and orders
//! are made beforehand, and what the engine is done with is dropped afterwards.

mod common {
    pub mod alloc;
    pub mod room;
}

use std::time::Duration;

use common::alloc::{Counts, NONE, counts_of};
use common::room::{Phone, Room, SILENCE, Tone, join};
use stasis_bus::PullSubscription;
use stasis_media::codec::Codec;
use stasis_media::dtmf::{Digit, DtmfSettings};
use stasis_media::engine::Order;
use stasis_media::event::{DtmfBegan, DtmfNotSent, DtmfReceived};
use stasis_media::frame::SampleRate;
use stasis_media::leg::{Edge, Leg, LegSetting};
use stasis_media::pair::PairEdge;
use stasis_media::rtp::DIAL_QUEUE;
use stasis_media::{BridgeId, LegId};

const NARROW: SampleRate = SampleRate::Hz8000;
const WIDE: SampleRate = SampleRate::Hz16000;
const ROUND: usize = 300;
const ROUNDS: usize = 5;

/// What was told in a round.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    began: usize,
    received: usize,
    not_sent: usize,
}

impl Told {
    fn take(events: &mut PullSubscription) -> Self {
        let mut told = Told::default();
        while let Ok(event) = events.try_recv() {
            told.began += usize::from(event.downcast_ref::<DtmfBegan>().is_some());
            told.received += usize::from(event.downcast_ref::<DtmfReceived>().is_some());
            told.not_sent += usize::from(event.downcast_ref::<DtmfNotSent>().is_some());
        }
        told
    }
}

/// A party in one bridge, another in the other, and between them a pair that comes and goes.
struct Call {
    room: Room,
    bridges: [BridgeId; 2],
    phones: Vec<Phone>,
    tone: Tone,
}

impl Call {
    fn new() -> Self {
        let mut room = Room::new();
        let bridges = [0, 1].map(|slot| room.add_bridge(slot, NARROW));
        let phones: Vec<_> = (0..2).map(|slot| room.add_phone(slot, Codec::PCMU)).collect();
        for (phone, bridge) in phones.iter().zip(bridges) {
            room.join(phone.id, bridge, NARROW);
        }
        Call { room, bridges, phones, tone: Tone::new(500.0, 8_000.0) }
    }

    /// A round's orders, the last first.
    fn script(&mut self) -> Vec<(usize, Order)> {
        let ids = [2, 3].map(|slot| LegId::new(slot, self.room.serial()));
        let [one, other] = ids;
        let legs = PairEdge::pair(WIDE).map(|edge| Edge::Pair(Box::new(edge)));
        let mut script: Vec<_> = ids
            .into_iter()
            .zip(legs)
            .map(|(id, edge)| Leg::new(id, edge, self.room.topic.clone()))
            .map(|leg| (0, Order::AddLeg(Box::new(leg))))
            .collect();
        script.push((1, join(one, WIDE, self.bridges[0], NARROW)));
        script.push((2, join(other, WIDE, self.bridges[1], NARROW)));
        let press =
            |leg, n: usize| Order::Press(leg, Digit::ALL[n % 16], Duration::from_millis(40));
        script.extend((0..DIAL_QUEUE + 2).map(|n| (10, press(one, n)))); // two too many
        script.extend((0..3).map(|n| (20, press(other, n))));
        let set = |setting| Order::Set(other, setting);
        script.push((30, set(LegSetting::DetectDtmf(Some(DtmfSettings::DEFAULT)))));
        script.push((40, set(LegSetting::Echo(true))));
        script.push((60, set(LegSetting::Echo(false))));
        script.push((200, Order::Leave(other)));
        script.push((210, Order::RemoveLeg(one)));
        script.push((220, press(other, 1))); // nobody is there
        script.push((230, Order::RemoveLeg(other)));
        script.reverse();
        script
    }

    /// A round: what the media thread does in it is counted. What it is done with is dropped after each
    /// tick, as the control side would.
    fn run(&mut self, mut script: Vec<(usize, Order)>) -> Counts {
        let mut counts = NONE;
        for tick in 0..ROUND {
            let of_tick = counts_of(|| {
                while let Some((_, order)) = script.pop_if(|(at, _)| *at <= tick) {
                    self.room.order(order);
                }
                let said = self.tone.tick();
                self.phones[0].say(&said, &mut self.room);
                self.phones[1].say(&SILENCE, &mut self.room);
                self.room.tick(&mut self.phones);
            });
            counts.allocations += of_tick.allocations;
            counts.frees += of_tick.frees;
            self.room.wire.retired.clear();
        }
        counts
    }
}

#[test]
fn whatever_goes_through_a_pair_neither_allocates_nor_frees() {
    let mut call = Call::new();
    let topic = call.room.topic.clone();
    let mut events = topic.subscribe().capacity(1 << 13).pull().unwrap();
    for round in 0..ROUNDS {
        let script = call.script();
        let heard = call.phones[1].heard.len();
        assert_eq!(call.run(script), NONE, "in round {round}");

        // And it has not been idle.
        let pressed = DIAL_QUEUE + 3;
        let expected = Told { began: pressed, received: pressed, not_sent: 3 };
        assert_eq!(Told::take(&mut events), expected);
        let heard = call.phones[1].heard[heard..].iter().filter(|sample| **sample != 0).count();
        assert!(heard > 150 * 160, "{heard}");
    }
}
