//! Whatever is played, whispered and overheard: the media thread neither allocates nor frees. Orders,
//! and the sounds of lists that are delivered while they play, are made beforehand; what the engine is
//! done with is dropped afterwards.

mod common {
    pub mod alloc;
    pub mod room;
}

use common::alloc::{Counts, NONE, counts_of};
use common::room::{Phone, Room, Tone, join};
use stasis_bus::PullSubscription;
use stasis_media::bridge::{Bridge, BridgeKind, Tap, TapDirection};
use stasis_media::codec::Codec;
use stasis_media::engine::{Order, Retired};
use stasis_media::event::{PlaybackChanged, PlaybackState, SnoopEnded};
use stasis_media::frame::SampleRate;
use stasis_media::leg::{Direction, Edge, Leg, LegSetting};
use stasis_media::snoop::SnoopEdge;
use stasis_media::sound::{Delivery, MOST_PIPES, MOST_QUEUED, Playback, PlaybackControl, Playlist};
use stasis_media::wav::{Pcm, Repeat};
use stasis_media::{BridgeId, LegId, PlaybackId, Target};

const NARROW: SampleRate = SampleRate::Hz8000;
const WIDE: SampleRate = SampleRate::Hz16000;
const ROUND: usize = 200;
const ROUNDS: usize = 6;

/// What was told in a round.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    queued: usize,
    playing: usize,
    paused: usize,
    continuing: usize,
    done: usize,
    stopped: usize,
    failed: usize,
    snoops_ended: usize,
}

impl Told {
    fn take(events: &mut PullSubscription) -> Self {
        let mut told = Told::default();
        while let Ok(event) = events.try_recv() {
            told.snoops_ended += usize::from(event.downcast_ref::<SnoopEnded>().is_some());
            let Some(changed) = event.downcast_ref::<PlaybackChanged>() else { continue };
            match changed.state {
                PlaybackState::Queued => told.queued += 1,
                PlaybackState::Playing => told.playing += 1,
                PlaybackState::Paused => told.paused += 1,
                PlaybackState::Continuing { .. } => told.continuing += 1,
                PlaybackState::Done => told.done += 1,
                PlaybackState::Stopped => told.stopped += 1,
                PlaybackState::Failed => told.failed += 1,
            }
        }
        told
    }
}

/// What is done in a round, and when.
#[derive(Default)]
struct Script {
    orders: Vec<(usize, Order)>,
    /// Who delivers the sounds of a list, and until when.
    deliveries: Vec<(usize, Option<Delivery>)>,
}

impl Script {
    fn at(&mut self, tick: usize, order: Order) {
        self.orders.push((tick, order));
    }

    /// A list of three sounds to `target`, and as many behind it as may wait; everything that can be
    /// done to them; music before and after.
    fn play_all(&mut self, target: Target, to: SampleRate) {
        let control = |id, control| Order::Control(target, PlaybackId::new(0, id), control);
        let (list, delivery) = Playlist::awaiting(NARROW, 3, Repeat::Once);
        self.deliveries.push((40, Some(delivery)));
        self.at(2, Order::Music(target, Some(endless(1, WIDE, to))));
        self.at(5, Order::Play(target, playback(2, list, to)));
        for waiting in 3..MOST_QUEUED as u32 + 4 {
            self.at(6, Order::Play(target, playback(waiting, short(), to))); // one too many
        }
        self.at(12, control(2, PlaybackControl::Pause));
        self.at(14, control(2, PlaybackControl::Resume));
        self.at(16, control(2, PlaybackControl::Restart));
        self.at(20, control(2, PlaybackControl::Forward(40)));
        self.at(22, control(2, PlaybackControl::Reverse(20)));
        self.at(24, control(5, PlaybackControl::Stop)); // it waits
        self.at(24, control(99, PlaybackControl::Stop)); // it is not there
        self.at(45, control(3, PlaybackControl::Reverse(9_000)));
        self.at(47, control(3, PlaybackControl::Forward(9_000))); // it is over by that
        self.at(70, control(6, PlaybackControl::Stop)); // it is heard
        self.at(72, Order::StopPlaying(target));
        self.at(90, Order::Music(target, Some(endless(98, NARROW, to))));
        self.at(100, Order::Play(target, playback(97, short(), to)));
        self.at(140, Order::Music(target, None));
    }

    /// The last first; of one tick, what was made first comes first.
    fn sort(&mut self) {
        self.orders.reverse();
        self.orders.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    }
}

fn playback(id: u32, list: Playlist, to: SampleRate) -> Box<Playback> {
    Box::new(Playback::at(PlaybackId::new(0, id), list, to))
}

fn endless(id: u32, rate: SampleRate, to: SampleRate) -> Box<Playback> {
    let sounds = vec![sound(rate, 1_000), sound(rate, 3_000)];
    playback(id, Playlist::new(rate, sounds, Repeat::Forever), to)
}

/// Two sounds of 200 ms in all, and of another rate than who hears them.
fn short() -> Playlist {
    Playlist::new(WIDE, vec![sound(WIDE, 1_200), sound(WIDE, 2_000)], Repeat::Once)
}

fn sound(rate: SampleRate, samples: usize) -> Pcm {
    Pcm::new(rate, (0..samples).map(|n| (n % 4_000) as i16).collect::<Vec<_>>())
}

struct Studio {
    room: Room,
    mixing: BridgeId,
    holding: BridgeId,
    /// Two in the bridge that mixes, two in the other, one alone.
    phones: Vec<Phone>,
    tone: Tone,
}

impl Studio {
    fn new() -> Self {
        let mut room = Room::new();
        let mixing = room.add_bridge(0, NARROW);
        let holding = |bridge: Bridge| bridge.with_kind(BridgeKind::Holding);
        let holding = room.add_bridge_as(1, WIDE, holding);
        let phones: Vec<_> = (0..5).map(|slot| room.add_phone(slot, Codec::PCMU)).collect();
        Studio { room, mixing, holding, phones, tone: Tone::new(500.0, 8_000.0) }
    }

    /// A leg that snoops on another, and speaks to it and in its name.
    fn snoop(&mut self, script: &mut Script, on: LegId, slot: u32) -> LegId {
        let id = LegId::new(slot, self.room.serial());
        let (tap, reader) = Tap::at(WIDE, 1, NARROW);
        let mut edge = SnoopEdge::new(WIDE, Some(reader));
        for direction in [Direction::In, Direction::Out] {
            let samples = edge.whisper().expect("there are two ways");
            let pipe = Playback::pipe(PlaybackId::new(0, slot), samples, WIDE, NARROW);
            script.at(1, Order::Pipe(on, direction, Box::new(pipe)));
        }
        let edge = Edge::Snoop(Box::new(edge));
        script.at(1, Order::AddLeg(Box::new(Leg::new(id, edge, self.room.topic.clone()))));
        script.at(1, Order::TapLeg(on, TapDirection::Both, Box::new(tap)));
        script.at(4, Order::Play(id.into(), endless(50, NARROW, WIDE)));
        id
    }

    fn script(&mut self) -> Script {
        let mut script = Script::default();
        let ids: Vec<_> = self.phones.iter().map(|phone| phone.id).collect();
        for (phone, bridge, rate) in [
            (0, self.mixing, NARROW),
            (1, self.mixing, NARROW),
            (2, self.holding, WIDE),
            (3, self.holding, WIDE),
        ] {
            script.at(0, join(ids[phone], NARROW, bridge, rate));
            script.at(ROUND - 2, Order::Leave(ids[phone]));
        }
        script.play_all(self.mixing.into(), NARROW);
        script.play_all(self.holding.into(), WIDE);
        script.play_all(ids[0].into(), NARROW);
        script.play_all(ids[4].into(), NARROW);
        for (on, off, phone) in [(18, 50, 0), (30, 95, 1), (60, 120, 4)] {
            script.at(on, Order::Set(ids[phone], LegSetting::Hold(true)));
            script.at(off, Order::Set(ids[phone], LegSetting::Hold(false)));
            script.at(on + 3, Order::Set(ids[phone], LegSetting::Echo(true)));
            script.at(off + 9, Order::Set(ids[phone], LegSetting::Echo(false)));
        }
        // Who snoops goes before whom it snoops on, and the other way round.
        let snoop = self.snoop(&mut script, ids[1], 10);
        script.at(3, join(snoop, WIDE, self.holding, WIDE));
        script.at(150, Order::RemoveLeg(snoop));
        let guest = Phone::new(LegId::new(11, self.room.serial()), Codec::PCMU);
        script.at(0, Order::AddLeg(guest.leg(&self.room.topic)));
        script.at(1, join(guest.id, NARROW, self.mixing, NARROW));
        let snoop = self.snoop(&mut script, guest.id, 12);
        script.at(130, Order::RemoveLeg(guest.id));
        script.at(160, Order::RemoveLeg(snoop));
        for _ in 0..=MOST_PIPES {
            let (_, samples) = rtrb::RingBuffer::new(1_000); // nobody speaks: it is over at once
            let pipe = Playback::pipe(PlaybackId::new(0, 60), samples, NARROW, NARROW);
            script.at(170, Order::Pipe(ids[3], Direction::Out, Box::new(pipe))); // one too many
        }
        script.sort();
        script
    }

    /// A round: what the media thread does in it is counted. Also gives how many orders were refused,
    /// and how many playbacks came back.
    fn run(&mut self, mut script: Script) -> (Counts, usize, usize) {
        let (mut counts, mut refused, mut over) = (NONE, 0, 0);
        for tick in 0..ROUND {
            // The sounds come while the list plays; the third never does.
            for (until, delivery) in &mut script.deliveries {
                if let Some(delivery) = delivery.as_mut().filter(|_| matches!(tick, 15 | 30)) {
                    delivery.push(sound(NARROW, 1_500)).expect("there is room for all");
                }
                delivery.take_if(|_| tick == *until);
            }
            let of_tick = counts_of(|| {
                while let Some((_, order)) = script.orders.pop_if(|(at, _)| *at <= tick) {
                    self.room.order(order);
                }
                let said = self.tone.tick();
                self.phones.iter_mut().for_each(|phone| phone.say(&said, &mut self.room));
                self.room.tick(&mut self.phones);
            });
            counts.allocations += of_tick.allocations;
            counts.frees += of_tick.frees;
            // The control side drops what is done with: who snooped no longer whispers.
            for object in self.room.wire.retired.drain(..) {
                refused += usize::from(matches!(object, Retired::Refused(_)));
                over += usize::from(matches!(object, Retired::Playback(_)));
            }
        }
        (counts, refused, over)
    }
}

#[test]
fn whatever_is_played_whispered_and_overheard_neither_allocates_nor_frees() {
    let mut studio = Studio::new();
    let topic = studio.room.topic.clone();
    let mut events = topic.subscribe().capacity(1 << 13).pull().unwrap();
    for round in 0..ROUNDS {
        let script = studio.script();
        let is_sound = |order: &Order| {
            matches!(order, Order::Play(..) | Order::Pipe(..) | Order::Music(_, Some(_)))
        };
        let made = script.orders.iter().filter(|(_, order)| is_sound(order)).count();
        let (counts, refused, over) = studio.run(script);
        assert_eq!(counts, NONE, "in round {round}");

        // And it has not been idle.
        assert_eq!(refused, 5, "a playback for each target, and a pipe");
        assert_eq!(over + refused, made, "all that was made comes back");
        let told = Told::take(&mut events);
        // Lists whose last never comes, and those for which there was no room.
        assert_eq!((told.queued, told.paused, told.failed), (4 * MOST_QUEUED, 4, 8), "{told:?}");
        assert!(told.playing > 20 && told.continuing > 20, "{told:?}");
        assert!(told.done > 8 && told.stopped > 40, "{told:?}");
        assert_eq!(told.snoops_ended, 1, "{told:?}");
    }
}
