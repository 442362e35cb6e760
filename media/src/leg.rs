//! A leg: one party's connection to the engine.
//!
//! Its edge brings in audio and takes out audio, at the edge's own rate: an RTP stream, or a sound
//! device, another leg. The leg listens to what comes in (talk, digits: `digits`), makes of it what the others
//! are to hear (`voice`), and brings that to its bridge and back by a lane (`lane`).

mod digits;
mod keys;
mod lane;
mod listener;
mod near;
mod relay;
mod settings;
mod tones;
mod voice;

use std::time::Duration;

use stasis_bus::{RtPublisher, Stamp, Topic};

pub use lane::Rates;
pub(crate) use lane::{Blend, Era, Lane, between, convert};
pub(crate) use near::Near;
pub use settings::{Direction, LegSetting, Role};

use crate::bridge::{Tap, TapDirection, Taps};
use crate::codec::Codec;
use crate::device::DeviceEdge;
use crate::dtmf::Digit;
use crate::engine::{Outside, Retired};
use crate::event::{
    DeviceSlipped, DtmfAbsorbed, DtmfNotSent, DtmfRejected, GainChanged, HoldChanged, Muted,
    RoleChanged, RtpReceived, RtpSent, RtpSources, SnoopEnded, SourceLearned, TalkingStarted,
    TalkingStopped,
};
use crate::frame::{Frame, SampleRate};
use crate::gain::Fader;
use crate::id::{BridgeId, LegId, Target};
use crate::pair::PairEdge;
use crate::rtp::{FrameKind, RtpEvent, RtpReceiver, RtpSender};
use crate::snoop::SnoopEdge;
use crate::sound::{self, Playback, Sounds, Stage};
use crate::talk::{Dbov, TalkChange, TalkDetector, TalkSettings};
use crate::tone::ToneDetector;
use digits::Digits;
use listener::Seat;
use tones::Tones;
use voice::{Level, Voice};

/// Ticks between two reports of a leg's figures: 5 s.
const REPORT_TICKS: u32 = 250;

/// What a leg's loudness falls by in a tick, in dB.
const DECAY: f32 = 0.3;

/// Where a leg's audio comes from and goes to.
pub enum Edge {
    /// An RTP stream each way.
    Rtp(Box<RtpEdge>),
    /// A sound device, or what behaves like one.
    Device(Box<DeviceEdge>),
    /// Another leg, which is snooped on.
    Snoop(Box<SnoopEdge>),
    /// The other leg of a pair.
    Pair(Box<PairEdge>),
}

/// The RTP streams of a leg.
pub struct RtpEdge {
    /// What the party has spoken last.
    answered: Option<Codec>,
    receiver: RtpReceiver,
    sender: RtpSender,
}

impl RtpEdge {
    /// The two halves, as one leg's edge. They are to have the same rate, as they have when they were
    /// made of the same [`Payloads`](crate::rtp::Payloads).
    pub fn new(receiver: RtpReceiver, sender: RtpSender) -> Self {
        RtpEdge { answered: None, receiver, sender }
    }

    /// Sends a tick to the party, if it is known where that is.
    fn send(&mut self, leg: LegId, tick: &[i16], outside: &mut impl Outside) {
        match self.receiver.remote() {
            Some(to) => self.sender.tick(tick, |packet| outside.send(leg, to, packet)),
            None => self.sender.skip_tick(),
        }
    }
}

/// What a leg has to say for being heard by the others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Claim {
    /// Who.
    pub(crate) leg: LegId,
    /// The loudest that it was lately, in dBov: up at once, down by 15 dB a second.
    pub(crate) loudness: f32,
    /// For how long it has talked; 0: it does not.
    pub(crate) talk_ms: u32,
}

/// One party's connection to the engine. What each tick looks at comes first: with thousands of legs,
/// most of what one costs is to bring its memory into the processor's cache.
#[repr(C)]
pub struct Leg {
    id: LegId,
    role: Role,
    has_out: bool,
    /// Whether it was sent what it is to hear in this tick; and then, whether it is to take in the next.
    sent: bool,
    held: bool,
    is_tapped: bool,
    tells_talk: bool,
    /// Whether anything is played to it, or said in its name.
    has_sounds: bool,
    /// Whether it is in the engine's list of those that are not just in one bridge.
    pub(crate) loose: bool,
    loudness: Dbov,
    report_in: u32,
    seat: Seat,
    ears: Level,
    /// What of its own it hears.
    echo: Fader,
    edge: Edge,
    talk: TalkDetector,
    digits: Digits,
    tones: Tones,
    /// Where it is.
    present: Option<Lane>,
    /// What its edge has heard this tick, and what of it goes to the bridge.
    heard: Frame,
    voice: Voice,
    /// Where it still is for a moment.
    past: Option<Lane>,
    /// What it is to hear, at the edge's rate.
    out: Frame,
    topic: Topic,
    /// The bridge that it has left for one of another engine.
    pub(crate) comes_from: Option<BridgeId>,
    taps: Taps,
    /// What is played to it, and what is said in its name.
    sounds: Sounds,
    whispers: Sounds,
    slips: (u64, u64),
}

impl Leg {
    /// A leg with this edge, in no bridge, which publishes to `topic`.
    pub fn new(id: LegId, edge: Edge, topic: Topic) -> Self {
        let rate = edge.rate();
        Leg {
            id,
            topic,
            role: Role::default(),
            comes_from: None,
            present: None,
            past: None,
            heard: Frame::silence(rate),
            voice: Voice::new(rate),
            out: Frame::silence(rate),
            has_out: false,
            sent: true,
            seat: Seat::default(),
            is_tapped: false,
            tells_talk: true,
            taps: Taps::new(),
            loose: false,
            ears: Level::new(),
            has_sounds: false,
            sounds: Sounds::new(),
            whispers: Sounds::new(),
            echo: Fader::CLOSED,
            held: false,
            talk: TalkDetector::new(TalkSettings::default()),
            loudness: Dbov::SILENCE,
            tones: Tones::default(),
            digits: Digits::new(edge.wait(), rate, edge.has_party()),
            edge,
            // Not all legs report in the same tick.
            report_in: 1 + id.serial().wrapping_mul(37) % REPORT_TICKS,
            slips: (0, 0),
        }
    }

    /// Its name.
    pub fn id(&self) -> LegId {
        self.id
    }

    /// The rate of its edge.
    pub fn rate(&self) -> SampleRate {
        self.edge.rate()
    }

    pub(crate) fn bridge(&self) -> Option<BridgeId> {
        self.present.as_ref().map(|lane| lane.bridge)
    }

    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(crate) fn role(&self) -> Role {
        self.role
    }

    /// Whether it is an announcer that can be heard.
    pub(crate) fn announces(&self) -> bool {
        self.role == Role::Announcer && !self.voice.level.is_muted()
    }

    /// What it has to say for being heard; `None`: it may not be heard at all.
    pub(crate) fn claim(&self) -> Option<Claim> {
        let is_shut = self.role == Role::Listener || self.held || self.voice.level.is_muted();
        let (loudness, talk_ms) = (self.loudness.0, self.talk_ms());
        (!is_shut).then_some(Claim { leg: self.id, loudness, talk_ms })
    }

    /// For how long it has talked; 0: it does not.
    pub(crate) fn talk_ms(&self) -> u32 {
        self.talk.talk_ms()
    }

    /// Comes into a bridge.
    pub(crate) fn enter(&mut self, bridge: BridgeId, rates: Box<Rates>) {
        debug_assert!(self.present.is_none(), "it has left before");
        self.present = Some(Lane::new(bridge, rates));
    }

    /// Leaves its bridge; `true`: it has been heard there, and fades out in the next tick.
    pub(crate) fn leave(&mut self, outside: &mut impl Outside) -> bool {
        let Some(present) = self.present.take() else { return false };
        self.seat = Seat::default();
        // Between two rates of its bridge, what is heard is still the one before.
        let mut heard = match self.past.take_if(|past| !past.leaving) {
            Some(past) => {
                retire(present, outside);
                past
            }
            None => present,
        };
        if !heard.used || self.past.is_some() {
            retire(heard, outside);
            return false;
        }
        heard.leaving = true;
        self.past = Some(heard);
        true
    }

    /// The bridge that it is leaving.
    pub(crate) fn leaves(&self) -> Option<BridgeId> {
        let past = if self.loose { self.past.as_ref() } else { None };
        past.filter(|lane| lane.leaving).map(|lane| lane.bridge)
    }

    /// Lets go of the way to the bridge that it is leaving, without a fade, of its taps and of what
    /// listens for tones: it is gone itself.
    pub(crate) fn forget_past(&mut self, outside: &mut impl Outside) {
        self.taps.end(outside);
        self.tones.forget(outside);
        if let Some(lane) = self.past.take() {
            retire(lane, outside);
        }
    }

    /// Has `rates` for the mix that its bridge is going over to; gives back what is not needed for
    /// that.
    pub(crate) fn change_rates(&mut self, rates: Box<Rates>) -> Option<Box<Rates>> {
        let Some(present) = &self.present else { return Some(rates) };
        let next = present.next(rates);
        let before = self.present.replace(next)?;
        // Nothing was heard by it, or what is heard is the one before that.
        if self.past.is_some() {
            return Some(before.rates);
        }
        self.past = Some(before);
        None
    }

    /// Changes a setting, and tells of it, if it is another.
    pub(crate) fn set(&mut self, setting: LegSetting, now: Stamp, publisher: &mut RtPublisher) {
        let (leg, topic) = (self.id, &self.topic);
        match setting {
            LegSetting::Mute(direction, muted) => {
                if self.level(direction).mute(muted) {
                    publisher.publish(&self.topic, now, Muted { leg, direction, muted });
                }
            }
            LegSetting::Gain(direction, gain) => {
                if self.level(direction).gain(gain) {
                    publisher.publish(&self.topic, now, GainChanged { leg, direction, gain });
                }
            }
            LegSetting::Role(role) => {
                if std::mem::replace(&mut self.role, role) != role {
                    publisher.publish(topic, now, RoleChanged { leg, role });
                }
            }
            LegSetting::Hold(held) => {
                if std::mem::replace(&mut self.held, held) != held {
                    publisher.publish(topic, now, HoldChanged { leg, held });
                }
            }
            LegSetting::Echo(echo) => self.echo.set(if echo { 1.0 } else { 0.0 }),
            LegSetting::AbsorbDtmf(absorbed) => {
                if self.digits.absorb(absorbed) {
                    publisher.publish(topic, now, DtmfAbsorbed { leg, absorbed });
                }
            }
            LegSetting::DetectDtmf(settings) => {
                self.digits.detect(settings, leg, topic, now, publisher);
            }
            LegSetting::DetectTalk(settings) => {
                let ended = self.talk.set(settings.unwrap_or_default());
                self.tell_talk(ended, now, publisher);
                self.tells_talk = settings.is_some();
            }
        }
    }

    /// Listens for tones with this detector from here on, or not at all.
    ///
    /// # Errors
    /// The detector, when it is for another rate than the leg's.
    pub(crate) fn detect_tones(
        &mut self,
        detector: Option<Box<ToneDetector>>,
        outside: &mut impl Outside,
    ) -> Result<(), Box<ToneDetector>> {
        self.tones.listen_with(detector, self.edge.rate(), outside)
    }

    /// Sends what it says, or hears, to `tap`, too; gives it back when there is no room for one more.
    pub(crate) fn tap(
        &mut self,
        direction: TapDirection,
        mut tap: Box<Tap>,
    ) -> Result<(), Box<Tap>> {
        tap.turn(direction);
        self.is_tapped = true;
        self.taps.add(tap)
    }

    fn level(&mut self, direction: Direction) -> &mut Level {
        match direction {
            Direction::In => &mut self.voice.level,
            Direction::Out => &mut self.ears,
        }
    }

    /// Sends a digit to the party, as telephone events, or to the other leg of the pair; or says that it
    /// cannot be sent.
    pub(crate) fn press(
        &mut self,
        digit: Digit,
        duration: Duration,
        now: Stamp,
        publisher: &mut RtPublisher,
    ) {
        let pressed = match &mut self.edge {
            Edge::Rtp(rtp) => rtp.sender.press(digit, duration).is_ok(),
            Edge::Pair(pair) => pair.press(digit, duration).is_ok(),
            Edge::Device(_) | Edge::Snoop(_) => false,
        };
        if !pressed {
            publisher.publish(&self.topic, now, DtmfNotSent { leg: self.id, digit });
        }
    }

    /// Where sounds are played to it. Who plays says so: see [`hears_sounds`](Self::hears_sounds).
    pub(crate) fn stage(&mut self) -> Stage<'_> {
        let (target, rate) = (Target::Leg(self.id), self.edge.rate());
        Stage { target, topic: &self.topic, rate, sounds: &mut self.sounds }
    }

    /// Something is played to it from here on.
    pub(crate) fn hears_sounds(&mut self) {
        self.has_sounds = true;
    }

    /// It is gone: so is what was played to it.
    pub(crate) fn forget_sounds(
        &mut self,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        self.stage().stop(now, publisher, outside);
        self.sounds.forget(outside);
        self.whispers.forget(outside);
    }

    /// Has it hear (out), or those in its bridge hear of it (in), what comes by a pipe.
    ///
    /// # Errors
    /// The pipe, when there are too many.
    pub(crate) fn add_pipe(
        &mut self,
        direction: Direction,
        pipe: Box<Playback>,
    ) -> Result<(), Box<Playback>> {
        self.has_sounds = true;
        match direction {
            Direction::In => self.whispers.add_pipe(pipe),
            Direction::Out => self.sounds.add_pipe(pipe),
        }
    }

    /// A tick is left out: time passes for what is sent.
    pub(crate) fn skip_tick(&mut self) {
        if let Edge::Rtp(rtp) = &mut self.edge {
            rtp.receiver.skip_tick();
            rtp.sender.skip_tick();
        }
    }

    /// A datagram has come for it at `arrival`.
    pub(crate) fn receive(
        &mut self,
        datagram: &[u8],
        from: std::net::SocketAddr,
        arrival: Stamp,
        publisher: &mut RtPublisher,
    ) {
        if let Edge::Rtp(rtp) = &mut self.edge {
            let mut on = report_rtp(self.id, &self.topic, arrival, &mut self.digits, publisher);
            rtp.receiver.receive(datagram, from, arrival, &mut on);
        }
    }

    /// Takes in what has come for it and listens to its tick, if it has not yet.
    pub(crate) fn take_tick(
        &mut self,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        if !self.sent {
            return;
        }
        if let Edge::Rtp(_) = self.edge {
            outside.receive(self.id, &mut |datagram, from, arrival| {
                self.receive(datagram, from, arrival, publisher);
            });
        }
        self.listen(now, publisher);
        if self.is_tapped {
            self.taps.drop_unread(outside);
            self.is_tapped = !self.taps.is_empty();
        }
    }

    /// Takes this tick's audio in, and listens to it.
    pub(crate) fn listen(&mut self, now: Stamp, publisher: &mut RtPublisher) {
        let kind = self.take_in(now, publisher);
        let heard = (&self.heard, kind);
        let key = self.digits.listen(heard, self.id, &self.topic, now, publisher);
        self.tones.listen(&self.heard, self.id, &self.topic, now, publisher);
        let talk = match key {
            true => self.talk.pass(self.heard.samples().len(), self.heard.rate()),
            false => self.talk.feed(self.heard.samples(), self.heard.rate()),
        };
        self.tell_talk(talk, now, publisher);
        self.loudness = Dbov(self.talk.level().0.max(self.loudness.0 - DECAY));
        // All that listens has listened: from here on it is what others hear.
        let silent = match self.digits.leave_audio() {
            true => kind == FrameKind::Silence,
            false => self.digits.squelch(&mut self.heard),
        };
        self.voice.take(&self.heard, silent);
        if self.has_sounds {
            let mut tell = sound::tell(Target::Leg(self.id), &self.topic, now, publisher);
            self.sounds.advance(true, &mut tell);
            self.whispers.advance(false, &mut tell);
            self.whispers.for_each(Era::Present, |said| self.voice.add(&self.heard, said));
        }
        if self.is_tapped {
            self.taps.said(&self.heard, self.voice.frame(&self.heard));
        }
        (self.has_out, self.sent) = (false, false);
        self.report_in -= 1;
        if self.report_in == 0 {
            self.report_in = REPORT_TICKS;
            self.report(now, publisher);
        }
    }

    fn tell_talk(&self, change: Option<TalkChange>, now: Stamp, publisher: &mut RtPublisher) {
        let (leg, topic) = (self.id, &self.topic);
        match change.filter(|_| self.tells_talk) {
            Some(TalkChange::Started) => {
                publisher.publish(topic, now, TalkingStarted { leg });
            }
            Some(TalkChange::Stopped { duration_ms }) => {
                publisher.publish(topic, now, TalkingStopped { leg, duration_ms });
            }
            None => {}
        }
    }

    /// Fills `heard`; says what it is made of.
    fn take_in(&mut self, now: Stamp, publisher: &mut RtPublisher) -> FrameKind {
        match &mut self.edge {
            Edge::Rtp(rtp) => {
                let mut on = report_rtp(self.id, &self.topic, now, &mut self.digits, publisher);
                let kind = rtp.receiver.tick(now, self.heard.samples_mut(), &mut on);
                let spoken = rtp.receiver.codec();
                if spoken != rtp.answered
                    && let Some(codec) = spoken
                {
                    rtp.answered = spoken;
                    rtp.sender.set_codec(codec); // answered in what it speaks
                }
                kind
            }
            Edge::Device(device) => {
                device.capture(self.heard.samples_mut());
                FrameKind::Voice
            }
            Edge::Snoop(snoop) => {
                let heard = snoop.overhear(self.heard.samples_mut());
                if snoop.take_end().is_some() {
                    publisher.publish(&self.topic, now, SnoopEnded { leg: self.id });
                }
                if heard { FrameKind::Voice } else { FrameKind::Silence }
            }
            Edge::Pair(pair) => {
                let mut on = report_rtp(self.id, &self.topic, now, &mut self.digits, publisher);
                pair.keys(now, &mut on);
                let heard = pair.receive(self.heard.samples_mut());
                if heard { FrameKind::Voice } else { FrameKind::Silence }
            }
        }
    }

    /// Brings what it says in this tick to a mix of `bridge`; none when that is silence, or it is
    /// not there. `allowed`: whether the others may hear it.
    pub(crate) fn say(&mut self, era: Era, bridge: BridgeId, allowed: bool) -> Option<&Frame> {
        let allowed = allowed && self.role != Role::Listener && !self.held;
        let lane = match era {
            Era::Past => &mut self.past,
            Era::Present => &mut self.present,
        };
        let lane = lane.as_mut().filter(|lane| lane.bridge == bridge)?;
        let voice = self.voice.frame(&self.heard);
        lane.say(voice, self.voice.is_silent(), allowed);
        lane.said(voice)
    }

    /// What it has said in this tick.
    pub(crate) fn said(&self, era: Era, bridge: BridgeId) -> Option<&Frame> {
        let lane = match era {
            Era::Past => &self.past,
            Era::Present => &self.present,
        };
        let lane = lane.as_ref().filter(|lane| lane.bridge == bridge)?;
        lane.said(self.voice.frame(&self.heard))
    }

    /// Takes what it is to hear of a mix of `bridge`; `mix` is used up.
    pub(crate) fn hear(&mut self, era: Era, bridge: BridgeId, mix: &mut Frame, blend: Blend) {
        let lane = match era {
            Era::Past => &mut self.past,
            Era::Present => &mut self.present,
        };
        if let Some(lane) = lane.as_mut().filter(|lane| lane.bridge == bridge) {
            let blend = if lane.leaving { Blend::Falling } else { blend };
            lane.hold(self.held);
            lane.hear(mix, blend, self.has_out, &mut self.out);
            lane.leaving |= blend == Blend::Falling;
            self.has_out = true;
        }
    }

    /// Is sent a mix of its bridge in this tick straight away; `false`: something is to be done to what
    /// it hears before.
    pub(crate) fn send_straight(&mut self, mix: &Frame, outside: &mut impl Outside) -> bool {
        let as_it_comes = self.present.as_ref().is_some_and(|lane| lane.hears_as_it_comes())
            && self.ears.fader.is_open()
            && !(self.has_out || self.hears_more() || self.is_overheard());
        let Edge::Rtp(rtp) = &mut self.edge else { return false };
        if !as_it_comes {
            return false;
        }
        self.sent = true;
        rtp.send(self.id, mix.samples(), outside);
        true
    }

    /// Whether it was sent what it is to hear in this tick.
    pub(crate) fn is_sent(&self) -> bool {
        self.sent
    }

    /// Whether it goes from one mix to another in this tick.
    pub(crate) fn is_between(&self) -> bool {
        self.loose && self.past.is_some()
    }

    /// Whether it is not just in one bridge: in none, or between two mixes.
    pub(crate) fn is_loose(&self) -> bool {
        self.present.is_none() || self.past.is_some()
    }

    /// Whether a tap hears what it hears.
    pub(crate) fn is_overheard(&self) -> bool {
        self.is_tapped && self.taps.hear_out()
    }

    /// Ends the tick of a leg that is in no bridge, or that is between two.
    pub(crate) fn finish(&mut self, outside: &mut impl Outside) {
        self.send(outside);
        if let Some(lane) = self.past.take_if(|lane| lane.leaving) {
            retire(lane, outside);
        }
    }

    /// Whether it hears something that is for itself alone.
    pub(crate) fn hears_more(&self) -> bool {
        self.has_sounds || self.held || !self.echo.is_closed()
    }

    /// Sends out what it is to hear in this tick.
    pub(crate) fn send(&mut self, outside: &mut impl Outside) {
        if std::mem::replace(&mut self.sent, true) {
            return;
        }
        if !self.has_out {
            self.out.samples_mut().fill(0);
        }
        if self.has_sounds {
            let out = &mut self.out;
            self.sounds.for_each(Era::Present, |said| add(out.samples_mut(), said));
            self.sounds.end_tick(outside);
            self.whispers.end_tick(outside);
            let are_over = self.sounds.are_over() && self.whispers.are_over();
            self.has_sounds = !are_over || self.sounds.have_music();
        }
        if !self.echo.is_closed() {
            let mut own = self.voice.frame(&self.heard).clone();
            self.echo.apply(own.samples_mut());
            add(self.out.samples_mut(), own.samples());
        }
        self.ears.fader.apply(self.out.samples_mut());
        if self.is_tapped {
            self.taps.heard(&self.out, &self.heard);
        }
        self.send_out(outside);
    }

    fn send_out(&mut self, outside: &mut impl Outside) {
        match &mut self.edge {
            Edge::Rtp(rtp) => rtp.send(self.id, self.out.samples(), outside),
            Edge::Device(device) => device.play(self.out.samples()),
            Edge::Snoop(snoop) => snoop.hear(self.out.samples()),
            Edge::Pair(pair) => pair.send(self.out.samples()),
        }
    }

    /// Publishes its figures.
    pub(crate) fn report(&mut self, now: Stamp, publisher: &mut RtPublisher) {
        let leg = self.id;
        match &self.edge {
            Edge::Rtp(rtp) => {
                let received = RtpReceived { leg, stats: rtp.receiver.stats().into() };
                publisher.publish(&self.topic, now, received);
                publisher.publish(&self.topic, now, RtpSent { leg, stats: rtp.sender.stats() });
                let sources = RtpSources {
                    leg,
                    sent: rtp.sender.ssrc(),
                    received: rtp.receiver.ssrc(),
                    received_bytes: rtp.receiver.stats().bytes,
                };
                publisher.publish(&self.topic, now, sources);
                if let Some(counts) = self.digits.new_rejections() {
                    publisher.publish(&self.topic, now, DtmfRejected { leg, counts });
                }
            }
            Edge::Snoop(_) | Edge::Pair(_) => {}
            Edge::Device(device) => {
                let slips = device.slips();
                if slips != self.slips {
                    self.slips = slips;
                    let (underruns, overruns) = slips;
                    publisher.publish(&self.topic, now, DeviceSlipped { leg, underruns, overruns });
                }
            }
        }
    }
}

fn add(out: &mut [i16], said: &[i16]) {
    for (out, &said) in out.iter_mut().zip(said) {
        *out = out.saturating_add(said);
    }
}

fn retire(lane: Lane, outside: &mut impl Outside) {
    outside.retire(Retired::Rates(lane.rates));
}

impl Edge {
    /// The rate of the audio at this edge.
    pub fn rate(&self) -> SampleRate {
        match self {
            Edge::Rtp(rtp) => rtp.receiver.rate(),
            Edge::Device(device) => device.rate(),
            Edge::Snoop(snoop) => snoop.rate(),
            Edge::Pair(pair) => pair.rate(),
        }
    }

    /// Whether a party is there: its audio is listened to for keys without being asked.
    fn has_party(&self) -> bool {
        matches!(self, Edge::Rtp(_))
    }

    /// How long what comes waits before it is heard; none where no keys come.
    fn wait(&self) -> Option<Duration> {
        match self {
            Edge::Rtp(rtp) => Some(rtp.receiver.delay()),
            Edge::Pair(_) => Some(Duration::ZERO),
            Edge::Device(_) | Edge::Snoop(_) => None,
        }
    }
}

/// Publishes what an RTP stream reveals, or the other leg of a pair as one would.
fn report_rtp<'a>(
    leg: LegId,
    topic: &'a Topic,
    now: Stamp,
    digits: &'a mut Digits,
    publisher: &'a mut RtPublisher,
) -> impl FnMut(RtpEvent) + 'a {
    move |event| match event {
        RtpEvent::DigitBegin(digit) => {
            digits.event_begins(digit, now, &mut digits::tell(leg, topic, now, publisher));
        }
        RtpEvent::DigitEnd { digit, duration_ms } => {
            let mut tell = digits::tell(leg, topic, now, publisher);
            digits.event_ends(digit, duration_ms, now, &mut tell);
        }
        RtpEvent::SourceLearned(address) => {
            publisher.publish(topic, now, SourceLearned { leg, address });
        }
        _ => {}
    }
}
