//! What is played to legs, holds, echoes and snoops: who hears what, and never with a click.

mod common {
    pub mod room;
}

use common::room::{Phone, Room, SILENCE, Tone, db, join, peak_of};
use stasis_bus::PullSubscription;
use stasis_media::bridge::{BridgeKind, Tap, TapDirection};
use stasis_media::codec::Codec;
use stasis_media::engine::Order;
use stasis_media::event::{PlaybackChanged, PlaybackState, SnoopEnded};
use stasis_media::frame::SampleRate;
use stasis_media::leg::{Direction, Edge, Leg, LegSetting};
use stasis_media::snoop::SnoopEdge;
use stasis_media::sound::{Playback, PlaybackControl, Playlist};
use stasis_media::wav::{Pcm, Repeat};
use stasis_media::{BridgeId, LegId, PlaybackId, Target};

const NARROW: SampleRate = SampleRate::Hz8000;
const PEAK: f64 = 4_000.0;
/// What the two parties say, what is played, music, and what the snoop says.
const HZ: [f64; 2] = [500.0, 850.0];
const PLAYED: f64 = 1_200.0;
const MUSIC: f64 = 1_550.0;
const WHISPER: f64 = 1_900.0;

fn sound(hz: f64, ms: usize) -> Pcm {
    let mut samples = vec![0; ms * 8];
    Tone::new(hz, PEAK).fill(&mut samples, NARROW);
    Pcm::new(NARROW, samples)
}

fn playback(serial: u32, items: Vec<Pcm>, repeat: Repeat) -> Box<Playback> {
    Box::new(Playback::new(PlaybackId::new(0, serial), Playlist::new(NARROW, items, repeat)))
}

struct Call {
    room: Room,
    bridge: BridgeId,
    phones: Vec<Phone>,
    tones: [Tone; 2],
    events: PullSubscription,
    told: Vec<(u32, PlaybackState)>,
}

impl Call {
    /// Two parties in a bridge, who talk all the time.
    fn new() -> Self {
        let mut room = Room::new();
        let events = room.topic.subscribe().capacity(1 << 10).pull().unwrap();
        let bridge = room.add_bridge(0, NARROW);
        let phones: Vec<_> = (0..2).map(|slot| room.add_phone(slot, Codec::PCMU)).collect();
        phones.iter().for_each(|phone| room.join(phone.id, bridge, NARROW));
        let mut call = Call {
            room,
            bridge,
            phones,
            tones: HZ.map(|hz| Tone::new(hz, PEAK)),
            events,
            told: Vec::new(),
        };
        call.run(70);
        call
    }

    fn run(&mut self, ticks: usize) {
        for _ in 0..ticks {
            for (phone, tone) in self.phones.iter_mut().zip(&mut self.tones) {
                phone.say(&tone.tick(), &mut self.room);
            }
            self.room.tick(&mut self.phones);
        }
    }

    /// Whether a party hears each of these in its last second: at their level, or not at all (the steps
    /// of µ-law make a little of everything).
    fn hears(&self, party: usize, heard: [(f64, bool); 4]) {
        for (hz, heard) in heard {
            let level = db(peak_of(self.phones[party].last_second(), hz, NARROW), PEAK);
            let right = if heard { level.abs() < 0.5 } else { level < -45.0 };
            assert!(right, "party {party} hears {hz} Hz at {level:.1} dB");
        }
    }

    /// The greatest bend in what a party has heard: a click is far above a tone's.
    fn bend(&self, party: usize) -> i32 {
        let heard = &self.phones[party].heard[20 * 160..];
        let bend = |w: &[i16]| (i32::from(w[0]) - 2 * i32::from(w[1]) + i32::from(w[2])).abs();
        heard.windows(3).map(bend).max().unwrap()
    }

    /// The states of a playback, as told so far.
    fn states(&mut self, playback: u32) -> Vec<PlaybackState> {
        while let Ok(delivery) = self.events.try_recv() {
            let changed = delivery.downcast_ref::<PlaybackChanged>();
            self.told.extend(changed.map(|changed| (changed.playback.serial(), changed.state)));
        }
        let states = self.told.iter().filter(|(told, _)| *told == playback);
        states.map(|(_, state)| *state).collect()
    }
}

/// The bend of tones at full level, all at their worst at once.
fn worst_bend(tones: &[f64]) -> i32 {
    let bend = |hz: &f64| PEAK * (2.0 - 2.0 * (std::f64::consts::TAU * hz / 8_000.0).cos());
    // µ-law's steps at this level come on top.
    tones.iter().map(bend).sum::<f64>() as i32 + 4 * 512
}

#[test]
fn a_leg_alone_hears_what_is_played_to_it_beside_its_bridge() {
    let mut call = Call::new();
    let leg = call.phones[0].id;
    call.room.order(Order::Play(leg.into(), playback(9, vec![sound(PLAYED, 3_000)], Repeat::Once)));
    call.run(100);
    call.hears(0, [(HZ[1], true), (PLAYED, true), (HZ[0], false), (MUSIC, false)]);
    call.hears(1, [(HZ[0], true), (PLAYED, false), (HZ[1], false), (MUSIC, false)]);
    call.run(120);
    call.hears(0, [(HZ[1], true), (PLAYED, false), (HZ[0], false), (MUSIC, false)]);
    assert_eq!(call.states(9), [PlaybackState::Playing, PlaybackState::Done]);
}

#[test]
fn what_is_played_can_be_paused_moved_in_and_stopped_without_a_click() {
    let mut call = Call::new();
    let leg = call.phones[0].id;
    let list = vec![sound(PLAYED, 2_000), sound(MUSIC, 2_000)];
    call.room.order(Order::Play(leg.into(), playback(9, list, Repeat::Once)));
    let last = playback(10, vec![sound(PLAYED, 60_000)], Repeat::Once);
    call.room.order(Order::Play(leg.into(), last));
    let control = |call: &mut Call, control| {
        call.room.order(Order::Control(leg.into(), PlaybackId::new(0, 9), control));
    };
    call.run(25);
    control(&mut call, PlaybackControl::Pause);
    control(&mut call, PlaybackControl::Pause);
    call.run(60);
    call.hears(0, [(HZ[1], true), (PLAYED, false), (HZ[0], false), (MUSIC, false)]);
    control(&mut call, PlaybackControl::Resume);
    call.run(70); // 1.9 s are over
    control(&mut call, PlaybackControl::Reverse(1_500));
    call.run(60);
    call.hears(0, [(HZ[1], true), (PLAYED, true), (HZ[0], false), (MUSIC, false)]);
    control(&mut call, PlaybackControl::Forward(60_000));
    call.run(60);
    call.hears(0, [(HZ[1], true), (PLAYED, false), (HZ[0], false), (MUSIC, true)]);
    control(&mut call, PlaybackControl::Restart);
    call.run(60);
    call.hears(0, [(HZ[1], true), (PLAYED, false), (HZ[0], false), (MUSIC, true)]);
    control(&mut call, PlaybackControl::Stop);
    call.run(60);
    call.hears(0, [(HZ[1], true), (PLAYED, true), (HZ[0], false), (MUSIC, false)]);
    let states = [
        PlaybackState::Playing,
        PlaybackState::Paused,
        PlaybackState::Playing,
        PlaybackState::Continuing { item: 1 },
        PlaybackState::Stopped,
    ];
    assert_eq!(call.states(9), states);
    let bend = call.bend(0);
    assert!(bend < worst_bend(&[HZ[1], PLAYED, MUSIC]), "a click of {bend}");
}

#[test]
fn a_playback_waits_for_its_turn_and_one_too_many_is_handed_back() {
    let mut call = Call::new();
    let bridge = Target::Bridge(call.bridge);
    for serial in 1..=18 {
        call.room
            .order(Order::Play(bridge, playback(serial, vec![sound(PLAYED, 40)], Repeat::Once)));
    }
    let refused = call.room.wire.retired.iter().filter(|retired| {
        matches!(retired, stasis_media::engine::Retired::Refused(Order::Play(..)))
    });
    assert_eq!(refused.count(), 1, "17 have room");
    assert_eq!(call.states(18), [PlaybackState::Failed], "nobody waits for it for ever");
    call.room.order(Order::Control(bridge, PlaybackId::new(0, 3), PlaybackControl::Stop));
    call.run(17 * 4);
    assert_eq!(call.states(3), [PlaybackState::Queued, PlaybackState::Stopped]);
    let mut call = Call::new();
    for serial in 1..=4 {
        let list = playback(serial, vec![sound(PLAYED, 40)], Repeat::Once);
        call.room.order(Order::Play(call.bridge.into(), list));
    }
    call.run(30);
    use PlaybackState::{Done, Playing, Queued};
    assert_eq!(call.states(4), [Queued, Playing, Done]);
}

#[test]
fn a_leg_on_hold_hears_its_music_and_neither_side_hears_the_other() {
    let mut call = Call::new();
    let leg = call.phones[0].id;
    let music = playback(9, vec![sound(MUSIC, 1_000)], Repeat::Forever);
    call.room.order(Order::Music(leg.into(), Some(music)));
    call.room.set(leg, LegSetting::Hold(true));
    call.run(70);
    call.hears(0, [(HZ[1], false), (MUSIC, true), (HZ[0], false), (PLAYED, false)]);
    call.hears(1, [(HZ[0], false), (MUSIC, false), (HZ[1], false), (PLAYED, false)]);
    // What is played takes the music's place for so long.
    call.room
        .order(Order::Play(leg.into(), playback(10, vec![sound(PLAYED, 2_000)], Repeat::Once)));
    call.run(70);
    call.hears(0, [(HZ[1], false), (MUSIC, false), (HZ[0], false), (PLAYED, true)]);
    call.run(100);
    call.hears(0, [(HZ[1], false), (MUSIC, true), (HZ[0], false), (PLAYED, false)]);
    call.room.set(leg, LegSetting::Hold(false));
    call.room.order(Order::Music(leg.into(), None));
    call.run(70);
    call.hears(0, [(HZ[1], true), (MUSIC, false), (HZ[0], false), (PLAYED, false)]);
    call.hears(1, [(HZ[0], true), (MUSIC, false), (HZ[1], false), (PLAYED, false)]);
    let bend = call.bend(0);
    assert!(bend < worst_bend(&[HZ[1], MUSIC, PLAYED]), "a click of {bend}");
}

#[test]
fn an_echo_is_heard_by_who_speaks_with_and_without_a_bridge() {
    let mut call = Call::new();
    let leg = call.phones[0].id;
    call.room.set(leg, LegSetting::Echo(true));
    call.run(70);
    call.hears(0, [(HZ[1], true), (HZ[0], true), (MUSIC, false), (PLAYED, false)]);
    call.hears(1, [(HZ[0], true), (HZ[1], false), (MUSIC, false), (PLAYED, false)]);
    call.room.order(Order::Leave(leg));
    call.run(70);
    call.hears(0, [(HZ[1], false), (HZ[0], true), (MUSIC, false), (PLAYED, false)]);
    call.room.set(leg, LegSetting::Echo(false));
    call.run(70);
    call.hears(0, [(HZ[1], false), (HZ[0], false), (MUSIC, false), (PLAYED, false)]);
}

/// A leg that snoops on the first party, in a bridge of its own, beside a third party who hears it.
struct Snoop {
    leg: LegId,
    listener: usize,
}

fn snoop(call: &mut Call, spy: TapDirection, whisper: &[Direction]) -> Snoop {
    let target = call.phones[0].id;
    let (tap, reader) = Tap::new(NARROW, 1);
    call.room.order(Order::TapLeg(target, spy, Box::new(tap)));
    let mut edge = SnoopEdge::new(NARROW, Some(reader));
    for direction in whisper {
        let samples = edge.whisper().expect("there are two ways");
        let pipe = Playback::pipe(PlaybackId::new(0, 77), samples, NARROW, NARROW);
        call.room.order(Order::Pipe(target, *direction, Box::new(pipe)));
    }
    let id = LegId::new(40, call.room.serial());
    let leg = Leg::new(id, Edge::Snoop(Box::new(edge)), call.room.topic.clone());
    call.room.order(Order::AddLeg(Box::new(leg)));
    let booth = call.room.add_bridge_as(3, NARROW, |bridge| bridge.with_kind(BridgeKind::Mixing));
    let phone = call.room.add_phone(5, Codec::PCMU);
    call.room.order(join(id, NARROW, booth, NARROW));
    call.room.join(phone.id, booth, NARROW);
    call.phones.push(phone);
    Snoop { leg: id, listener: call.phones.len() - 1 }
}

/// Runs; the snoop's listener says something.
fn run(call: &mut Call, ticks: usize, whisper: &mut Tone) {
    for _ in 0..ticks {
        for (n, phone) in call.phones.iter_mut().enumerate() {
            let pcm = match n {
                0 | 1 => call.tones[n].tick(),
                _ => whisper.tick(),
            };
            phone.say(if n < 3 { &pcm } else { &SILENCE }, &mut call.room);
        }
        call.room.tick(&mut call.phones);
    }
}

#[test]
fn a_snoop_overhears_either_way_or_both_and_nobody_notices() {
    let expected = [
        (TapDirection::In, [true, false]),
        (TapDirection::Out, [false, true]),
        (TapDirection::Both, [true, true]),
    ];
    for (spy, [own, other]) in expected {
        let mut call = Call::new();
        let snoop = snoop(&mut call, spy, &[]);
        run(&mut call, 80, &mut Tone::new(WHISPER, PEAK));
        call.hears(
            snoop.listener,
            [(HZ[0], own), (HZ[1], other), (WHISPER, false), (MUSIC, false)],
        );
        call.hears(0, [(HZ[1], true), (HZ[0], false), (WHISPER, false), (MUSIC, false)]);
        call.hears(1, [(HZ[0], true), (HZ[1], false), (WHISPER, false), (MUSIC, false)]);
        // It is gone with whom it listens to.
        let (target, snooping) = (call.phones[0].id, snoop.leg);
        call.room.order(Order::RemoveLeg(target));
        run(&mut call, 80, &mut Tone::new(WHISPER, PEAK));
        call.hears(
            snoop.listener,
            [(HZ[0], false), (HZ[1], false), (WHISPER, false), (MUSIC, false)],
        );
        let told = std::iter::from_fn(|| call.events.try_recv().ok());
        let ended: Vec<_> =
            told.filter_map(|told| told.downcast_ref::<SnoopEnded>().map(|e| e.leg)).collect();
        assert_eq!(ended, [snooping], "told once");
    }
}

#[test]
fn a_whisper_is_heard_by_the_party_by_the_others_or_by_both() {
    use Direction::{In, Out};
    let expected: [(&[Direction], [bool; 2]); 3] =
        [(&[Out], [true, false]), (&[In], [false, true]), (&[In, Out], [true, true])];
    for (whisper, [party, others]) in expected {
        let mut call = Call::new();
        let snoop = snoop(&mut call, TapDirection::In, whisper);
        let mut voice = Tone::new(WHISPER, PEAK);
        run(&mut call, 100, &mut voice);
        call.hears(0, [(HZ[1], true), (WHISPER, party), (HZ[0], false), (MUSIC, false)]);
        call.hears(1, [(HZ[0], true), (WHISPER, others), (HZ[1], false), (MUSIC, false)]);
        // The snoop hangs up: the pipes close.
        call.room.order(Order::RemoveLeg(snoop.leg));
        call.room.wire.retired.clear();
        run(&mut call, 100, &mut voice);
        call.hears(0, [(HZ[1], true), (WHISPER, false), (HZ[0], false), (MUSIC, false)]);
        call.hears(1, [(HZ[0], true), (WHISPER, false), (HZ[1], false), (MUSIC, false)]);
    }
}
