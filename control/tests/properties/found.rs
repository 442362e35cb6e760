//! What random commands have found, each told once more.

use std::time::Duration;

use stasis_control::cause::Cause;
use stasis_control::channel::{ChannelState, Position};
use stasis_control::media::MediaEvent;
use stasis_control::playback::PlaybackState;
use stasis_control::tech::Signal;
use stasis_control::{DigitsHow, NewBridge, NewCall, Originate, PlayHow, Refusal, Then};

use crate::world::World;

fn originate(world: &mut World, endpoint: &str, exten: &str) {
    let call = NewCall { endpoint: endpoint.into(), ..NewCall::default() };
    let then = Then::Dialplan(Position::new("plan", exten, 1));
    let originate = Originate { call, caller: None, timeout: None, then };
    world.exchange.originate(originate).unwrap();
    world.look();
}

fn incoming(world: &mut World, exten: &str) {
    let call = NewCall { endpoint: "Test/answers".into(), ..NewCall::default() };
    world.exchange.incoming(call, None, "plan", exten).unwrap();
    world.look();
}

/// A call that the dialplan has put through, and its bridge.
fn talking() -> (World, String) {
    let mut world = World::new();
    incoming(&mut world, "answers");
    world.wait(Duration::ZERO);
    world.look();
    let bridge = world.bridge(0);
    (world, bridge)
}

#[test]
fn a_dialplan_that_goes_round_and_takes_no_time_leaves_others_their_turn() {
    for exten in ["loop", "waits", "silent", "nowhere", "send"] {
        let mut world = World::new();
        incoming(&mut world, exten);
        (0..20).for_each(|_| assert!(world.wait_for_timer(), "{exten}"));
        world.end();
    }
}

#[test]
fn a_call_that_ends_comes_to_no_application_and_calls_nobody_by_a_condition() {
    let mut world = World::new();
    incoming(&mut world, "stasis");
    let id = world.channel(0);
    world.exchange.hangup(&id, Cause::NORMAL).unwrap();
    world.look();
    assert_eq!(world.exchange.census().channels, 0);
    world.end();
}

#[test]
fn a_call_ends_with_its_bridge_when_that_is_destroyed_by_command() {
    let (mut world, bridge) = talking();
    world.exchange.destroy_bridge(&bridge).unwrap();
    world.look();
    assert_eq!(world.exchange.census().channels, 0, "the caller has no step left");
    world.end();
}

#[test]
fn a_phone_whose_sound_has_failed_stops_nothing_when_it_is_hung_up() {
    let mut world = World::new();
    originate(&mut world, "Test/talks", "answer");
    world.wait(Duration::ZERO);
    world.look();
    let failed = world.engine.event(3 * 16 + 10, 0).unwrap();
    assert!(matches!(failed, MediaEvent::Played(_, PlaybackState::Failed)));
    world.exchange.media_event(failed);
    world.end();
}

#[test]
fn an_application_that_nobody_listens_to_stays_until_those_in_it_have_left() {
    let mut world = World::new();
    incoming(&mut world, "stasis");
    let id = world.channel(0);
    let (name, registration) = world.registrations[0].clone();
    world.exchange.deactivate(&name, registration);
    let source = format!("channel:{id}").parse().unwrap();
    world.exchange.unsubscribe(&name, &[source]).unwrap();
    world.look();
    world.exchange.hangup(&id, Cause::NORMAL).unwrap();
    world.look();
    assert!(world.watch.told.stays.is_empty(), "that it has left was told");
    assert_eq!(world.exchange.state().application(&name), None);
    world.end();
}

#[test]
fn who_has_answered_does_not_ring_and_is_not_busy_any_more() {
    let mut world = World::new();
    incoming(&mut world, "wild");
    let (key, called) = (world.keys.lock().unwrap()[0], world.channel(1));
    for signal in [Signal::Answered, Signal::Ringing, Signal::Busy, Signal::Answered] {
        world.exchange.signal(key, signal);
        world.look();
        let called = world.watch.told.last(&called).expect("it is there");
        assert!(called.state == ChannelState::Up && called.bridge.is_some());
    }
    world.end();
}

#[test]
fn who_is_called_and_calls_another_is_still_called_when_the_other_hangs_up() {
    let mut world = World::new();
    let call = NewCall { endpoint: "Wild/x".into(), ..NewCall::default() };
    let id = world.exchange.create(call, "one", Vec::new()).unwrap().id().clone();
    world.exchange.dial_channel(&id, None, None).unwrap();
    let (context, exten) = (Some("plan"), Some("answers"));
    world.exchange.continue_in_dialplan(&id, context, exten, None, None).unwrap();
    world.look();
    world.wait(Duration::ZERO);
    world.look();
    assert_eq!(world.exchange.census().calls, 2);
    world.end();
}

#[test]
fn a_sound_that_has_failed_before_its_turn_does_not_hold_up_the_playback() {
    let mut world = World::new();
    let room = world.exchange.create_bridge(NewBridge::default()).unwrap();
    let media = vec!["sound:hello".into(), "recording:absent".into()];
    let how = PlayHow { id: Some("p0".into()), media, ..PlayHow::default() };
    world.exchange.play_to_bridge(&room.id, how).unwrap();
    world.look();
    let second = world.engine.event(3 * 16 + 10, 1).unwrap();
    world.exchange.media_event(second);
    world.exchange.control_playback("p0", stasis_control::PlaybackOperation::Pause).unwrap();
    world.look();
    let first = world.engine.event(4 * 16 + 10, 0).unwrap();
    world.exchange.media_event(first);
    world.look();
    assert_eq!(world.exchange.census().playbacks, 0);
    world.end();
}

#[test]
fn keys_with_all_the_time_in_the_world_between_them_are_sent() {
    let mut world = World::new();
    world.wait(Duration::ZERO);
    let call = NewCall { endpoint: "Echo".into(), ..NewCall::default() };
    let id = world.exchange.create(call, "one", Vec::new()).unwrap().id().clone();
    world.exchange.answer(&id).unwrap();
    let (before, between) = (Duration::ZERO, Duration::MAX);
    let (duration, after) = (Duration::from_millis(20), Duration::ZERO);
    let how = DigitsHow { digits: "12".into(), duration, between, before, after };
    world.exchange.send_digits(&id, &how).unwrap();
    world.wait(Duration::ZERO);
    world.end();
}

#[test]
fn a_call_that_was_claimed_can_be_claimed_again_when_it_is_offered_again() {
    let mut world = World::new();
    incoming(&mut world, "offer");
    let id = world.channel(0);
    for app in ["one", "two"] {
        world.exchange.claim(&id, app).unwrap();
        assert_eq!(world.exchange.claim(&id, app), Err(Refusal::Claimed));
        world.look();
        let (context, exten) = (Some("plan"), Some("offer"));
        world.exchange.continue_in_dialplan(&id, context, exten, None, None).unwrap();
        world.look();
    }
    world.end();
}
