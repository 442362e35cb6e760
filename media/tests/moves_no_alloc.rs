//! Packets that pass as they are, bridges and legs that go from one engine to another, mixers and seats
//! that come and go, sound devices that are lost and come back: the media thread neither allocates nor
//! frees. Objects are made beforehand, and what the engines are done with is dropped afterwards.

mod common {
    pub mod alloc;
    pub mod room;
}

use common::alloc::{Counts, NONE, counts_of};
use common::room::{Phone, Room, Tone, join};
use stasis_bus::PullSubscription;
use stasis_media::bridge::{self, Bridge, Mixer, Seats, Tap, TapDirection};
use stasis_media::codec::Codec;
use stasis_media::device::{CaptureEnd, DevicePlug, PlaybackEnd, pluggable_edge};
use stasis_media::engine::{Engine, Order, Retired};
use stasis_media::event::{DeviceSlipped, Joined, Left, Moved, PacketsPass};
use stasis_media::frame::SampleRate;
use stasis_media::leg::{Direction, Edge, Leg, LegSetting};
use stasis_media::sound::Playback;
use stasis_media::wav::{Pcm, Player, Repeat};
use stasis_media::{BridgeId, LegId, PlaybackId};

const NARROW: SampleRate = SampleRate::Hz8000;
const WIDE: SampleRate = SampleRate::Hz48000;
const ROUND: usize = 300;
const ROUNDS: usize = 5;

/// What was told in a round.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    joined: usize,
    left: usize,
    moved: usize,
    passing: usize,
    not_passing: usize,
    slipped: usize,
}

impl Told {
    fn take(events: &mut PullSubscription) -> Self {
        let mut told = Told::default();
        while let Ok(event) = events.try_recv() {
            told.joined += usize::from(event.downcast_ref::<Joined>().is_some());
            told.left += usize::from(event.downcast_ref::<Left>().is_some());
            told.moved += usize::from(event.downcast_ref::<Moved>().is_some());
            told.slipped += usize::from(event.downcast_ref::<DeviceSlipped>().is_some());
            match event.downcast_ref::<PacketsPass>() {
                Some(PacketsPass { passing: true, .. }) => told.passing += 1,
                Some(PacketsPass { passing: false, .. }) => told.not_passing += 1,
                None => {}
            }
        }
        told
    }
}

/// Two engines: the room's, and another. A call of two is passed on between them; a third party goes
/// from a bridge of the one to a bridge of the other.
struct Exchange {
    room: Room,
    other: Engine,
    /// A call of two, which is passed on; and a bridge of each engine, which stay.
    call: BridgeId,
    stays: [BridgeId; 2],
    /// The two, and the third.
    phones: Vec<Phone>,
    tones: Vec<Tone>,
    /// Who is passed on with the call.
    travellers: Vec<Box<Leg>>,
    device: LegId,
    plug: DevicePlug,
    ends: Option<(CaptureEnd, PlaybackEnd)>,
}

impl Exchange {
    fn new() -> Self {
        let mut room = Room::new();
        let mut other = Engine::new(64, 8);
        let call = room.add_bridge(0, NARROW);
        let stays = [1, 2].map(|slot| room.add_bridge(slot, NARROW));
        let taken = room.engine.take_bridge(stays[1], &mut Vec::new()).expect("it is there");
        assert!(other.put_bridge(taken).is_ok());
        let phones: Vec<_> = (0..3).map(|slot| room.add_phone(slot, Codec::PCMU)).collect();
        let device = LegId::new(3, room.serial());
        let (edge, plug) = pluggable_edge(WIDE);
        let leg = Leg::new(device, Edge::Device(Box::new(edge)), room.topic.clone());
        room.order(Order::AddLeg(Box::new(leg)));
        Exchange {
            room,
            other,
            call,
            stays,
            phones,
            tones: [440.0, 700.0, 1_000.0].map(|hz| Tone::new(hz, 5_000.0)).to_vec(),
            travellers: Vec::with_capacity(8),
            device,
            plug,
            ends: None,
        }
    }

    /// A round's orders, the last first.
    fn script(&mut self) -> Vec<(usize, Order)> {
        let (call, topic) = (self.call, self.room.topic.clone());
        let [one, two, third] = [0, 1, 2].map(|n| self.phones[n].id);
        let player = Player::new(Pcm::new(NARROW, vec![3_000; 4_000]), Repeat::Once);
        let playback = Playback::new(PlaybackId::new(0, 1), player);
        let tap = |source| Box::new(Tap::at(NARROW, 1, source).0); // nobody reads it
        let set = |leg, setting| Order::Set(leg, setting);
        let mut script = vec![
            (0, join(one, NARROW, call, NARROW)),
            (0, join(two, NARROW, call, NARROW)),
            (30, join(third, NARROW, call, NARROW)), // their packets pass no more
            (40, Order::Leave(third)),
            (70, Order::Play(call.into(), Box::new(playback))),
            (120, set(one, LegSetting::Mute(Direction::In, true))),
            (125, set(one, LegSetting::Mute(Direction::In, false))),
            (150, Order::TapBridge(call, tap(NARROW))),
            (180, Order::TapLeg(two, TapDirection::Both, tap(NARROW))),
            (220, set(two, LegSetting::Hold(true))),
            (225, set(two, LegSetting::Hold(false))),
            (255, Order::Leave(one)),
            (256, Order::Leave(two)),
        ];
        // A bridge that is given what it needs for who comes, and gives it back.
        let bare = BridgeId::new(4, self.room.serial());
        let mixer = |rate, seats| bridge::Room::Mixer(Box::new(Mixer::new(rate, seats)));
        let seats = |seats| bridge::Room::Seats(Box::new(Seats::new(seats)));
        let furnish = |room| Order::Furnish(bare, room);
        let nowhere = BridgeId::new(5, self.room.serial());
        let guests: Vec<_> = (0..4)
            .map(|n| Phone::new(LegId::new(20 + n, self.room.serial()), Codec::PCMA))
            .collect();
        script.extend(guests.iter().map(|guest| (1, Order::AddLeg(guest.leg(&topic)))));
        let enter = |guest: usize| join(guests[guest].id, NARROW, bare, NARROW);
        script.extend([
            (1, Order::AddBridge(Box::new(Bridge::new(bare, NARROW, topic.clone())))),
            (2, furnish(seats(4))), // there is no mixer
            (2, furnish(mixer(WIDE, 2))),
            (2, Order::Furnish(nowhere, seats(2))),
            (3, furnish(mixer(NARROW, 2))),
            (3, furnish(mixer(NARROW, 2))), // it has one
            (4, enter(0)),
            (4, enter(1)),
            (5, furnish(seats(4))),
            (5, furnish(seats(1))), // too few
            (6, enter(2)),
            (6, join(self.device, WIDE, bare, NARROW)),
            (20, Order::Unfurnish(bare)), // somebody is in it
            (25, Order::Leave(self.device)),
            (200, Order::RemoveLeg(guests[0].id)),
            (201, Order::Leave(guests[1].id)),
            (202, Order::Leave(guests[2].id)),
            (210, furnish(mixer(NARROW, 2))),
            (211, enter(3)),
            (230, Order::RemoveBridge(bare)), // with its mixer
            (240, Order::RemoveLeg(guests[1].id)),
            (240, Order::RemoveLeg(guests[2].id)),
            (240, Order::RemoveLeg(guests[3].id)),
        ]);
        script.sort_by_key(|(at, _)| *at);
        script.reverse();
        script
    }

    /// A round: what the media threads do in it is counted.
    fn run(&mut self, mut script: Vec<(usize, Order)>) -> Counts {
        let mut counts = NONE;
        let third = self.phones[2].id;
        let [one, other] = self.stays;
        let mut ways = [one, other, one].map(|bridge| Some(join(third, NARROW, bridge, NARROW)));
        for tick in 0..ROUND {
            self.change_device(tick);
            let of_tick = counts_of(|| {
                while let Some((_, order)) = script.pop_if(|(at, _)| *at <= tick) {
                    self.room.order(order);
                }
                self.speak(tick);
                self.tick();
                match tick {
                    50 => ways[0].take().into_iter().for_each(|way| self.room.order(way)),
                    55 => self.move_out(Place::Here, third),
                    56 => self.move_in(Place::There, third, ways[1].take()),
                    62 => self.move_out(Place::There, third),
                    63 => self.move_in(Place::Here, third, ways[2].take()),
                    68 => self.room.order(Order::Leave(third)),
                    85 | 155 | 185 => self.pass_on(Place::There, tick == 155),
                    112 | 175 | 215 => self.pass_on(Place::Here, tick == 175),
                    _ => {}
                }
                self.room.give_and_pass(&mut self.phones);
            });
            counts.allocations += of_tick.allocations;
            counts.frees += of_tick.frees;
        }
        counts
    }

    /// What the control side does: one device after the other, with none at all in between.
    fn change_device(&mut self, tick: usize) {
        let (capture_hz, playback_hz) = match tick {
            5 | 230 => (48_000, 48_000),
            90 => (44_100, 48_000),
            150 => (16_000, 16_000), // before that one was lost
            60 | 200 => return self.ends = None,
            _ => return,
        };
        let ends =
            self.plug.plug(capture_hz, playback_hz).expect("the engine has taken the others");
        self.ends = Some((ends.0, ends.1));
    }

    /// The parties speak to both engines: where they are not, nobody listens.
    fn speak(&mut self, tick: usize) {
        let (room, other) = (&mut self.room, &mut self.other);
        for (n, (phone, tone)) in self.phones.iter_mut().zip(&mut self.tones).enumerate() {
            let (id, from) = (phone.id, phone.address);
            phone.sender.tick(&tone.tick(), |packet| {
                if n == 0 && tick.is_multiple_of(23) {
                    return; // it is lost
                }
                room.receive(id, packet, from);
                other.receive(id, packet, from, room.now, &mut room.publisher);
            });
        }
        if let Some((microphone, speaker)) = &mut self.ends {
            let mut sound = [0; 960];
            microphone.push(&sound);
            speaker.pull(&mut sound);
        }
    }

    fn tick(&mut self) {
        let Room { engine, publisher, wire, now, .. } = &mut self.room;
        engine.tick(*now, publisher, wire);
        self.other.tick(*now, publisher, wire);
    }

    /// A leg leaves its bridge for one of the other engine.
    fn move_out(&mut self, from: Place, leg: LegId) {
        let Room { engine, publisher, wire, now, .. } = &mut self.room;
        let engine = if from == Place::Here { engine } else { &mut self.other };
        engine.move_out(leg, *now, publisher, wire);
    }

    /// It has faded out, and joins a bridge over there.
    fn move_in(&mut self, to: Place, leg: LegId, order: Option<Order>) {
        let Room { engine, publisher, wire, now, .. } = &mut self.room;
        let (from, to) = to.of(engine, &mut self.other);
        let taken = from.take_leg(leg).expect("it is in no bridge");
        assert!(to.put_leg(taken).is_ok());
        to.catch_up_leg(leg, *now, publisher, wire);
        order.into_iter().for_each(|order| to.apply(order, *now, publisher, wire));
    }

    /// The call goes to the other engine, with all who are in it; and comes too late there.
    fn pass_on(&mut self, to: Place, is_late: bool) {
        let Room { engine, publisher, wire, now, .. } = &mut self.room;
        let (from, to) = to.of(engine, &mut self.other);
        let taken = from.take_bridge(self.call, &mut self.travellers).expect("it is there");
        assert_eq!(self.travellers.len(), 2);
        self.travellers.drain(..).for_each(|leg| assert!(to.put_leg(leg).is_ok()));
        assert!(to.put_bridge(taken).is_ok());
        if is_late {
            to.catch_up(self.call, *now, publisher, wire);
        }
    }
}

/// One of the two engines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Here,
    There,
}

impl Place {
    /// From which engine one comes here, and to which.
    fn of<'a>(
        self,
        here: &'a mut Engine,
        there: &'a mut Engine,
    ) -> (&'a mut Engine, &'a mut Engine) {
        match self {
            Place::Here => (there, here),
            Place::There => (here, there),
        }
    }
}

#[test]
fn calls_that_pass_move_and_lose_their_devices_neither_allocate_nor_free() {
    let mut exchange = Exchange::new();
    let topic = exchange.room.topic.clone();
    let mut events = topic.subscribe().capacity(1 << 13).pull().unwrap();
    for round in 0..ROUNDS {
        let script = exchange.script();
        assert_eq!(exchange.run(script), NONE, "in round {round}");

        // And it has not been idle.
        let told = Told::take(&mut events);
        assert!(told.passing >= 5 && told.passing == told.not_passing, "{told:?}");
        assert_eq!((told.joined, told.left, told.moved), (11, 11, 2), "{told:?}");
        assert!(told.slipped > 0, "{told:?}");
        let retired = &exchange.room.wire.retired;
        assert!(!retired.iter().any(|object| matches!(object, Retired::Refused(_))));
        let rooms = retired.iter().filter(|object| matches!(object, Retired::Room(_)));
        assert_eq!(rooms.count(), 8, "mixers and seats that nobody needs come back");
        exchange.room.wire.retired.clear();
    }
}
