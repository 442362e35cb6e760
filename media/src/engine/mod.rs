//! The engine: legs and bridges, and one tick of work over all of them.
//!
//! It is sans-IO: datagrams, orders and the time come in as arguments; datagrams and objects that
//! are done with go out through [`Outside`]; events go to the bus. It owns no socket, clock or
//! thread, so a conference of an hour runs in seconds in a test. Nothing here allocates, frees,
//! locks, logs or waits: objects arrive made and leave whole.

mod moves;

use std::net::SocketAddr;
use std::time::Duration;

use stasis_bus::{RtPublisher, Stamp};

use crate::bridge::{Bridge, RateChange, Room, Tap, TapDirection, TapEnd};
use crate::dtmf::Digit;
use crate::event::{Joined, Left, Moved};
use crate::frame::SampleRate;
use crate::id::{Arena, BridgeId, LegId, PlaybackId, Target};
use crate::leg::{Direction, Leg, LegSetting, Rates};
use crate::resample::Resampler;
use crate::sound::{Playback, PlaybackControl, Stage};
use crate::tone::ToneDetector;

/// What the engine is told to do.
pub enum Order {
    /// Takes a leg in.
    AddLeg(Box<Leg>),
    /// Lets a leg go; it leaves its bridge first.
    RemoveLeg(LegId),
    /// Takes a bridge in.
    AddBridge(Box<Bridge>),
    /// Lets a bridge go; everybody leaves it first.
    RemoveBridge(BridgeId),
    /// Puts a leg into a bridge, out of the one that it may be in. It fades in within a tick; and
    /// out of where it was, in the same tick.
    Join {
        /// Who.
        leg: LegId,
        /// Where.
        bridge: BridgeId,
        /// From the leg's rate to the bridge's and back.
        rates: Box<Rates>,
    },
    /// Gives a bridge what it needs for who is to join it: a mixer for the first, seats for more.
    Furnish(BridgeId, Room),
    /// Takes a bridge's mixer back if nobody is in it.
    Unfurnish(BridgeId),
    /// Takes a leg out of its bridge.
    Leave(LegId),
    /// Changes a setting of a leg.
    Set(LegId, LegSetting),
    /// Has a leg be listened to for tones, by a detector at its rate, in place of the one before; or no
    /// longer.
    DetectTones(LegId, Option<Box<ToneDetector>>),
    /// Sends a digit to a leg's party, for so long.
    Press(LegId, Digit, Duration),
    /// Plays to a leg or a bridge, when what was to be played before is over.
    Play(Target, Box<Playback>),
    /// Does something to a playback.
    Control(Target, PlaybackId, PlaybackControl),
    /// Stops all that is played to a leg or a bridge, and what waits to be.
    StopPlaying(Target),
    /// The music of a leg, or of a holding bridge, in place of what it has; or none. It is heard while
    /// nothing is played. Nobody is told when it begins and ends.
    Music(Target, Option<Box<Playback>>),
    /// Has a leg hear (out), or those in its bridge hear of it (in), what comes by a pipe.
    Pipe(LegId, Direction, Box<Playback>),
    /// Sends the whole room to a tap, too; it is taken off when its reader is dropped.
    TapBridge(BridgeId, Box<Tap>),
    /// Sends what a leg says, or hears, or both, to a tap, too.
    TapLeg(LegId, TapDirection, Box<Tap>),
    /// Only so many are heard in a bridge, the loudest; or everybody.
    LimitTalkers(BridgeId, Option<usize>),
    /// A bridge goes over to another rate, without a gap or a click: within 60 ms.
    ChangeRate(BridgeId, Box<RateChange>),
}

impl Order {
    /// The leg that it is about.
    pub(crate) fn leg(&self) -> Option<LegId> {
        match self {
            Order::AddLeg(leg) => Some(leg.id()),
            Order::RemoveLeg(leg)
            | Order::Join { leg, .. }
            | Order::Leave(leg)
            | Order::Set(leg, _)
            | Order::DetectTones(leg, _)
            | Order::Press(leg, ..)
            | Order::Pipe(leg, ..)
            | Order::TapLeg(leg, ..)
            | Order::Play(Target::Leg(leg), _)
            | Order::Control(Target::Leg(leg), ..)
            | Order::StopPlaying(Target::Leg(leg))
            | Order::Music(Target::Leg(leg), _) => Some(*leg),
            _ => None,
        }
    }
}

/// What the engine is done with: to be dropped where dropping is allowed.
pub enum Retired {
    /// A leg that was removed.
    Leg(Box<Leg>),
    /// A bridge that was removed.
    Bridge(Box<Bridge>),
    /// What an empty bridge does not need.
    Room(Room),
    /// Converters that a leg no longer needs.
    Rates(Box<Rates>),
    /// A converter of a sound or a tap, at a rate that its bridge no longer has.
    Converter(Box<Resampler>),
    /// What a change of rate was not made for; else it is empty.
    RateChange(Box<RateChange>),
    /// A playback that has finished, or music.
    Playback(Box<Playback>),
    /// A tap that was taken off.
    Tap(Box<Tap>),
    /// What has listened for tones.
    ToneDetector(Box<ToneDetector>),
    /// An order that could not be carried out, because what it names is not there, or because
    /// there is no room.
    Refused(Order),
}

/// Where the engine's output goes.
pub trait Outside {
    /// Hands over the datagrams that have come for a leg: their bytes, their sender, and when they came
    /// by the kernel's clock. Asked for each leg just before it is looked at. By default there are
    /// none: see [`Engine::receive`].
    fn receive(&mut self, leg: LegId, take: &mut dyn FnMut(&[u8], SocketAddr, Stamp)) {
        let _ = (leg, take);
    }

    /// Sends a datagram of a leg.
    fn send(&mut self, leg: LegId, to: SocketAddr, datagram: &[u8]);

    /// Takes what the engine is done with. It must not drop it if that is not allowed here.
    fn retire(&mut self, object: Retired);
}

/// Legs, bridges, and one tick of work over all of them.
pub struct Engine {
    legs: Arena<Leg>,
    bridges: Arena<Bridge>,
    /// The legs that are not just in one bridge: in none, or between two mixes.
    loose: Vec<LegId>,
    /// The bridges that have something to do in a tick.
    awake: Vec<BridgeId>,
}

impl Engine {
    /// An engine with room for so many legs and bridges.
    pub fn new(legs: usize, bridges: usize) -> Self {
        let (loose, awake) = (Vec::with_capacity(legs), Vec::with_capacity(bridges));
        Engine { legs: Arena::new(legs), bridges: Arena::new(bridges), loose, awake }
    }

    /// Carries out an order.
    pub fn apply(
        &mut self,
        order: Order,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        match order {
            Order::AddLeg(leg) => {
                if let Err(leg) = self.put_leg(leg) {
                    outside.retire(Retired::Refused(Order::AddLeg(leg)));
                }
            }
            Order::AddBridge(bridge) => {
                if let Err(bridge) = self.bridges.insert(bridge.id().0, bridge) {
                    outside.retire(Retired::Refused(Order::AddBridge(bridge)));
                }
            }
            Order::RemoveLeg(id) => self.remove_leg(id, now, publisher, outside),
            Order::RemoveBridge(id) => self.remove_bridge(id, now, publisher, outside),
            Order::Join { leg, bridge, rates } => {
                self.join(leg, bridge, rates, now, publisher, outside);
                self.wake(bridge);
            }
            Order::Furnish(id, room) => match self.bridges.get_mut(id.0) {
                Some(bridge) => bridge.furnish(room, outside),
                None => outside.retire(Retired::Room(room)),
            },
            Order::Unfurnish(bridge) => {
                if let Some(bridge) = self.bridges.get_mut(bridge.0) {
                    bridge.unfurnish(outside);
                }
            }
            Order::Leave(leg) => self.leave(leg, now, publisher, outside),
            Order::Set(leg, setting) => {
                if let Some(leg) = self.legs.get_mut(leg.0) {
                    leg.set(setting, now, publisher);
                }
            }
            Order::DetectTones(id, detector) => {
                let outcome = match self.legs.get_mut(id.0) {
                    Some(leg) => leg.detect_tones(detector, outside),
                    None => detector.map_or(Ok(()), Err),
                };
                if let Err(detector) = outcome {
                    let refused = Order::DetectTones(id, Some(detector));
                    outside.retire(Retired::Refused(refused));
                }
            }
            Order::Press(leg, digit, duration) => {
                if let Some(leg) = self.legs.get_mut(leg.0) {
                    leg.press(digit, duration, now, publisher);
                }
            }
            Order::Play(target, playback) => {
                let outcome = match self.stage(target) {
                    Some(stage) => stage.play(playback, now, publisher),
                    None => Err(playback),
                };
                match outcome {
                    Ok(()) => self.sounds_begin(target),
                    Err(playback) => {
                        outside.retire(Retired::Refused(Order::Play(target, playback)));
                    }
                }
            }
            Order::Control(target, playback, control) => {
                if let Some(stage) = self.stage(target) {
                    stage.control(playback, control, now, publisher, outside);
                }
            }
            Order::StopPlaying(target) => {
                if let Some(stage) = self.stage(target) {
                    stage.stop(now, publisher, outside);
                }
            }
            Order::Music(target, music) => {
                let outcome = match self.stage(target) {
                    Some(stage) => stage.set_music(music, outside),
                    None => music.map_or(Ok(()), Err),
                };
                match outcome {
                    Ok(()) => self.sounds_begin(target),
                    Err(music) => {
                        outside.retire(Retired::Refused(Order::Music(target, Some(music))));
                    }
                }
            }
            Order::Pipe(id, direction, pipe) => {
                let refused = match self.leg_at(id, pipe.rate()) {
                    Some(leg) => leg.add_pipe(direction, pipe).err(),
                    None => Some(pipe),
                };
                if let Some(pipe) = refused {
                    outside.retire(Retired::Refused(Order::Pipe(id, direction, pipe)));
                }
            }
            Order::TapBridge(id, tap) => {
                let refused = match self.bridge_at(id, tap.rate()) {
                    Some(bridge) => bridge.tap(tap).err(),
                    None => Some(tap),
                };
                if let Some(mut tap) = refused {
                    tap.end(TapEnd::Refused);
                    outside.retire(Retired::Refused(Order::TapBridge(id, tap)));
                } else {
                    self.wake(id);
                }
            }
            Order::TapLeg(id, direction, tap) => {
                let rate = tap.rate();
                let refused = match self.leg_at(id, rate) {
                    Some(leg) => leg.tap(direction, tap).err(),
                    None => Some(tap),
                };
                if let Some(mut tap) = refused {
                    tap.end(TapEnd::Refused);
                    outside.retire(Retired::Refused(Order::TapLeg(id, direction, tap)));
                }
            }
            Order::LimitTalkers(bridge, most) => {
                if let Some(bridge) = self.bridges.get_mut(bridge.0) {
                    bridge.limit_talkers(most);
                }
            }
            Order::ChangeRate(id, mut change) => {
                let bridge = self.bridges.get_mut(id.0);
                if bridge.is_some_and(|b| b.change_rate(&mut change, &mut self.legs, outside)) {
                    change.legs.iter().for_each(|(leg, _)| self.loosen(*leg));
                    outside.retire(Retired::RateChange(change));
                } else {
                    outside.retire(Retired::Refused(Order::ChangeRate(id, change)));
                }
            }
        }
    }

    /// Whether an order has to wait: to join a bridge that has a mixer, but no seat until somebody
    /// leaves.
    pub(crate) fn must_wait(&self, order: &Order) -> bool {
        let Order::Join { leg, bridge, .. } = order else { return false };
        let is_in = self.legs.get(leg.0).is_some_and(|leg| leg.bridge() == Some(*bridge));
        !is_in && self.bridges.get(bridge.0).is_some_and(Bridge::is_full)
    }

    /// Where something is played to a leg or a bridge.
    fn stage(&mut self, target: Target) -> Option<Stage<'_>> {
        match target {
            Target::Leg(leg) => self.legs.get_mut(leg.0).map(Leg::stage),
            Target::Bridge(bridge) => self.bridges.get_mut(bridge.0).map(Bridge::stage),
        }
    }

    /// Something is played to a leg or a bridge from here on.
    fn sounds_begin(&mut self, target: Target) {
        match target {
            Target::Leg(leg) => {
                if let Some(leg) = self.legs.get_mut(leg.0) {
                    leg.hears_sounds();
                }
            }
            Target::Bridge(bridge) => self.wake(bridge),
        }
    }

    /// The leg, if it is there and this is its rate.
    fn leg_at(&mut self, id: LegId, rate: Option<SampleRate>) -> Option<&mut Leg> {
        self.legs.get_mut(id.0).filter(|leg| rate == Some(leg.rate()))
    }

    /// The bridge, if it is there and this is its rate now.
    fn bridge_at(&mut self, id: BridgeId, rate: Option<SampleRate>) -> Option<&mut Bridge> {
        self.bridges.get_mut(id.0).filter(|bridge| rate == Some(bridge.rate()))
    }

    /// A datagram has come for a leg, at `arrival` by the kernel's clock.
    pub fn receive(
        &mut self,
        leg: LegId,
        datagram: &[u8],
        from: SocketAddr,
        arrival: Stamp,
        publisher: &mut RtPublisher,
    ) {
        if let Some(leg) = self.legs.get_mut(leg.0) {
            leg.receive(datagram, from, arrival, publisher);
        }
    }

    /// One tick of work: takes in what every leg says, mixes, and sends out what each is to hear.
    /// `now` is the tick's place on a regular grid of 20 ms, not the moment it got to run at.
    pub fn tick(&mut self, now: Stamp, publisher: &mut RtPublisher, outside: &mut impl Outside) {
        for id in &self.loose {
            if let Some(leg) = self.legs.get_mut(id.0) {
                leg.take_tick(now, publisher, outside);
            }
        }
        self.tick_bridges(now, publisher, outside);
        let legs = &mut self.legs;
        self.loose.retain(|id| {
            let Some(leg) = legs.get_mut(id.0) else { return false };
            leg.finish(outside);
            leg.loose = leg.is_loose();
            leg.loose
        });
    }

    /// Notes that a leg is not just in one bridge.
    fn loosen(&mut self, id: LegId) {
        let Some(leg) = self.legs.get_mut(id.0).filter(|leg| !leg.loose) else { return };
        leg.loose = true;
        if self.loose.len() == self.loose.capacity() {
            // Some of them are gone: there are no more legs than there is room for.
            self.loose.retain(|id| self.legs.get(id.0).is_some());
        }
        self.loose.push(id);
    }

    /// The tick of all bridges that have something to do; of the others it changes nothing.
    fn tick_bridges(
        &mut self,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        let mut at = 0;
        while let Some(id) = self.awake.get(at) {
            let Some(bridge) = self.bridges.get_mut(id.0) else {
                self.awake.swap_remove(at);
                continue;
            };
            bridge.tick(&mut self.legs, now, publisher, outside);
            if bridge.is_closed() {
                self.let_go(*id, outside);
            } else if bridge.is_idle() {
                bridge.awake = false;
                self.awake.swap_remove(at);
            } else {
                at += 1;
            }
        }
    }

    /// Has the ticks of a bridge counted on.
    fn wake(&mut self, id: BridgeId) {
        let Some(bridge) = self.bridges.get_mut(id.0).filter(|bridge| !bridge.awake) else {
            return;
        };
        bridge.awake = true;
        if self.awake.len() == self.awake.capacity() {
            // Some of them are gone: there are no more bridges than there is room for.
            self.awake.retain(|id| self.bridges.get(id.0).is_some());
        }
        self.awake.push(id);
    }

    /// Hands out a bridge that has closed.
    fn let_go(&mut self, id: BridgeId, outside: &mut impl Outside) {
        if let Some(mut bridge) = self.bridges.remove(id.0) {
            bridge.forget_sounds(outside);
            bridge.forget_mixer(outside);
            outside.retire(Retired::Bridge(bridge));
        }
    }

    /// A tick that is left out: time passes for what is sent.
    pub fn skip_tick(&mut self) {
        self.legs.iter_mut().for_each(Leg::skip_tick);
    }

    /// Lets everything go: every leg leaves and is retired, every bridge after them.
    pub fn close(&mut self, now: Stamp, publisher: &mut RtPublisher, outside: &mut impl Outside) {
        while let Some(mut leg) = self.legs.pop() {
            self.part(&mut leg, now, publisher, outside);
            leg.forget_past(outside);
            leg.forget_sounds(now, publisher, outside);
            leg.report(now, publisher);
            outside.retire(Retired::Leg(leg));
        }
        while let Some(mut bridge) = self.bridges.pop() {
            bridge.silence(now, publisher, outside);
            bridge.forget_sounds(outside);
            bridge.forget_mixer(outside);
            outside.retire(Retired::Bridge(bridge));
        }
        self.awake.clear();
        self.loose.clear();
    }

    fn join(
        &mut self,
        id: LegId,
        bridge_id: BridgeId,
        rates: Box<Rates>,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        // Who is in it already makes room for itself.
        let is_in = |leg: &mut Leg| leg.bridge() == Some(bridge_id);
        let fits = match (self.legs.get_mut(id.0).map(is_in), self.bridges.get_mut(bridge_id.0)) {
            (Some(is_in), Some(bridge)) => {
                (is_in || bridge.has_room()) && bridge.rate() == rates.bridge()
            }
            _ => false,
        };
        if !fits {
            let order = Order::Join { leg: id, bridge: bridge_id, rates };
            return outside.retire(Retired::Refused(order));
        }
        let from = self.legs.get_mut(id.0).and_then(|leg| leg.comes_from.take().or(leg.bridge()));
        self.leave(id, now, publisher, outside);
        let bridge = self.bridges.get_mut(bridge_id.0);
        if let (Some(leg), Some(bridge)) = (self.legs.get_mut(id.0), bridge) {
            leg.enter(bridge_id, rates);
            bridge.add(id);
            debug_assert!(leg.loose || !leg.is_loose(), "who has left somewhere is loose");
            publisher.publish(bridge.topic(), now, Joined { leg: id, bridge: bridge_id });
            if let Some(from) = from.filter(|from| *from != bridge_id) {
                publisher.publish(leg.topic(), now, Moved { leg: id, from, to: bridge_id });
            }
        }
    }

    fn leave(
        &mut self,
        id: LegId,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        // Taken out for the moment, so that leg and bridges can be changed together.
        if let Some(mut leg) = self.legs.remove(id.0) {
            self.part(&mut leg, now, publisher, outside);
            let back = self.legs.insert(id.0, leg);
            self.loosen(id);
            debug_assert!(back.is_ok(), "its slot has just been emptied");
            if let Err(leg) = back {
                outside.retire(Retired::Leg(leg));
            }
        }
    }

    /// Parts a leg from the bridge that it is in.
    fn part(
        &mut self,
        leg: &mut Leg,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        let Some(id) = leg.bridge() else { return };
        if let Some(bridge) = self.bridges.get_mut(id.0) {
            bridge.remove(leg, &mut self.legs, outside);
            publisher.publish(bridge.topic(), now, Left { leg: leg.id(), bridge: id });
        }
    }

    fn remove_leg(
        &mut self,
        id: LegId,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        let Some(mut leg) = self.legs.remove(id.0) else { return };
        leg.loose = true;
        self.part(&mut leg, now, publisher, outside);
        if let Some(bridge) = leg.leaves().and_then(|bridge| self.bridges.get_mut(bridge.0)) {
            // The others hear it fade out, as if it were there for one tick more.
            leg.listen(now, publisher);
            bridge.keep_tail(&mut leg);
        }
        leg.forget_past(outside);
        leg.forget_sounds(now, publisher, outside);
        leg.report(now, publisher);
        outside.retire(Retired::Leg(leg));
    }

    fn remove_bridge(
        &mut self,
        id: BridgeId,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        let last = |bridge: &Bridge| bridge.members().last().copied();
        while let Some(leg) = self.bridges.get(id.0).and_then(last) {
            self.leave(leg, now, publisher, outside);
            if let Some(bridge) = self.bridges.get_mut(id.0)
                && last(bridge) == Some(leg)
            {
                debug_assert!(false, "a member that is not here");
                bridge.forget(leg);
            }
        }
        let Some(bridge) = self.bridges.get_mut(id.0) else { return };
        bridge.silence(now, publisher, outside);
        if bridge.is_closing() {
            return;
        }
        bridge.close();
        // Those who leave have a last tick in it.
        if bridge.is_closed() {
            self.let_go(id, outside);
        }
    }
}
