//! The orders: what legs and bridges can be told. Each takes effect within one tick.

use std::net::SocketAddr;
use std::time::Duration;

use stasis_bus::Topic;

use super::Media;
use super::desk::{BridgeBook, Desk};
use super::error::ControlError;
use super::inbox::Command;
use super::parcel::Parcel;
use super::settings::{BridgeRate, BridgeSettings, RtpLeg};
use crate::bridge::{Bridge, Room, Tap, TapDirection, TapReader};
use crate::device::DeviceEdge;
use crate::dtmf::Digit;
use crate::engine::Order;
use crate::frame::SampleRate;
use crate::id::{BridgeId, LegId, PlaybackId, Target};
use crate::io::udp::RtpSocket;
use crate::leg::{Direction, Edge, Leg, LegSetting, Rates, RtpEdge};
use crate::pair::PairEdge;
use crate::rtp::{RtpReceiver, RtpSender, RtpSeq};
use crate::snoop::{SnoopDirection, SnoopEdge, SnoopSettings};
use crate::sound::{Playback, PlaybackControl, Playlist};
use crate::tone::{ToneDetector, ToneSpec};

/// Bridges.
impl Media {
    /// Makes a bridge, on the thread that has the least to do; it publishes to `topic`. A
    /// [`SampleRate`] alone asks for a mixing bridge that always has this rate.
    ///
    /// # Errors
    /// [`ControlError::Full`] or [`ControlError::Busy`].
    pub fn add_bridge(
        &self,
        settings: impl Into<BridgeSettings>,
        topic: &Topic,
    ) -> Result<BridgeId, ControlError> {
        let settings = settings.into();
        let rate = match settings.rate {
            BridgeRate::Fixed(rate) => rate,
            BridgeRate::Automatic { .. } => SampleRate::Hz8000,
        };
        let mut desk = self.desk();
        let shard = desk.thread_for_next();
        let id = desk.next_bridge().ok_or_else(|| self.full())?;
        let bridge = Bridge::new(id, rate, topic.clone())
            .with_kind(settings.kind)
            .with_talkers(settings.talkers);
        self.send(&mut desk, shard, Command::Engine(Order::AddBridge(Box::new(bridge))), 1)?;
        desk.open_bridge(id, BridgeBook::new(settings.rate, rate, shard));
        Ok(id)
    }

    /// Lets a bridge go; everybody leaves it first.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn remove_bridge(&self, bridge: BridgeId) -> Result<(), ControlError> {
        self.order_bridge(bridge, Order::RemoveBridge(bridge))?;
        self.desk().close(bridge);
        Ok(())
    }

    /// Has another thread mix a bridge, from the next tick but one on; nobody hears that. Threads
    /// share the work by themselves: this is for who knows better.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`], [`ControlError::NoThread`] or [`ControlError::Busy`].
    pub fn move_bridge(&self, bridge: BridgeId, thread: usize) -> Result<(), ControlError> {
        let mut desk = self.desk();
        let book = desk.bridge(bridge)?;
        let (from, members) = (book.shard, book.members.len());
        if thread >= self.threads() {
            return Err(ControlError::NoThread(thread));
        }
        if from == thread {
            return Ok(());
        }
        self.send_parcel(&mut desk, from, thread, Parcel::of_bridge(bridge, members))?;
        desk.move_bridge(bridge, thread);
        Ok(())
    }

    /// The thread that mixes a bridge, or that it is on the way to.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`].
    pub fn thread_of(&self, bridge: BridgeId) -> Result<usize, ControlError> {
        Ok(self.desk().bridge(bridge)?.shard)
    }

    /// Has only so many legs heard in a bridge at a time, the loudest; or everybody.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn limit_talkers(&self, bridge: BridgeId, most: Option<usize>) -> Result<(), ControlError> {
        self.order_bridge(bridge, Order::LimitTalkers(bridge, most))
    }

    /// The rate that a bridge mixes at, or is going over to.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`].
    pub fn bridge_rate(&self, bridge: BridgeId) -> Result<SampleRate, ControlError> {
        Ok(self.desk().bridge(bridge)?.rate)
    }

    fn order_bridge(&self, bridge: BridgeId, order: Order) -> Result<(), ControlError> {
        let mut desk = self.desk();
        let shard = desk.bridge(bridge)?.shard;
        self.send(&mut desk, shard, Command::Engine(order), 0)
    }
}

/// Legs.
impl Media {
    /// Makes a leg with an RTP stream each way, in no bridge yet; says where it listens. It
    /// publishes to `topic`.
    ///
    /// # Errors
    /// [`ControlError::Bind`] when its address cannot be had, [`ControlError::NoPorts`],
    /// [`ControlError::NoFiles`], [`ControlError::Full`] or [`ControlError::Busy`].
    pub fn add_rtp_leg(
        &self,
        leg: RtpLeg,
        topic: &Topic,
    ) -> Result<(LegId, SocketAddr), ControlError> {
        let bind = |source| ControlError::binding(leg.local, source);
        let socket = RtpSocket::bind(leg.local).map_err(bind)?;
        let local = socket.local_addr().map_err(bind)?;
        // Where a stream begins only has to differ from others (RFC 3550, 5.1).
        let sequence = RtpSeq(leg.ssrc.rotate_left(9) as u16);
        let timestamp = leg.ssrc.rotate_left(17);
        let sender = RtpSender::new(&leg.receive.payloads, leg.ssrc, sequence, timestamp)
            .with_encoding(&leg.encoding);
        let edge = RtpEdge::new(RtpReceiver::new(leg.receive), sender);
        let socket = Box::new(socket);
        let id =
            self.add_leg(Edge::Rtp(Box::new(edge)), topic, |leg| Command::Open(leg, socket))?;
        Ok((id, local))
    }

    /// Makes a leg with a sound device, in no bridge yet. It publishes to `topic`.
    ///
    /// # Errors
    /// [`ControlError::Full`] or [`ControlError::Busy`].
    pub fn add_device_leg(&self, edge: DeviceEdge, topic: &Topic) -> Result<LegId, ControlError> {
        self.add_leg(Edge::Device(Box::new(edge)), topic, |leg| Command::Engine(Order::AddLeg(leg)))
    }

    /// Makes a leg that overhears another, and may whisper to it; in no bridge yet. It publishes to
    /// `topic`: [`SnoopEnded`](crate::event::SnoopEnded) when the other leg is gone. See
    /// [`snoop`](crate::snoop).
    ///
    /// # Errors
    /// [`ControlError::NoLeg`], [`ControlError::Full`] or [`ControlError::Busy`].
    pub fn snoop(
        &self,
        leg: LegId,
        settings: SnoopSettings,
        topic: &Topic,
    ) -> Result<LegId, ControlError> {
        let rate = self.leg_rate(leg)?;
        let spy = match settings.spy {
            SnoopDirection::None => None,
            SnoopDirection::In => Some(TapDirection::In),
            SnoopDirection::Out => Some(TapDirection::Out),
            SnoopDirection::Both => Some(TapDirection::Both),
        };
        let spy = spy.map(|spy| self.tap_leg(leg, spy, rate, 1)).transpose()?;
        let mut edge = SnoopEdge::new(rate, spy);
        let ways = [
            (Direction::In, settings.whisper.is_in()),
            (Direction::Out, settings.whisper.is_out()),
        ];
        for (direction, _) in ways.into_iter().filter(|(_, whispers)| *whispers) {
            if let Some(samples) = edge.whisper() {
                self.whisper(leg, direction, samples, rate)?;
            }
        }
        let edge = Edge::Snoop(Box::new(edge));
        self.add_leg(edge, topic, |leg| Command::Engine(Order::AddLeg(leg)))
    }

    /// Makes two legs at `rate`, back to back: what the one is sent to hear, and the keys that are
    /// [pressed](Self::press) on it, the other says, and the other way round; both in no bridge yet. Each
    /// publishes to its own topic. When one is removed, the other hears silence. See
    /// [`pair`](crate::pair).
    ///
    /// # Errors
    /// [`ControlError::Full`] or [`ControlError::Busy`]: then there is neither.
    pub fn pair(&self, rate: SampleRate, topics: [&Topic; 2]) -> Result<[LegId; 2], ControlError> {
        let [one, other] = PairEdge::pair(rate).map(|edge| Edge::Pair(Box::new(edge)));
        let mut desk = self.desk();
        let shard = desk.thread_for_next();
        let ids = desk.next_two_legs().ok_or_else(|| self.full())?;
        let leg = |id, edge, topic: &Topic| Box::new(Leg::new(id, edge, topic.clone()));
        let legs = [leg(ids[0], one, topics[0]), leg(ids[1], other, topics[1])];
        self.send(&mut desk, shard, Command::OpenPair(legs), 2)?;
        ids.into_iter().for_each(|id| desk.open_leg(id, rate, shard));
        Ok(ids)
    }

    /// Has a leg hear, or those in its bridge hear of it, what is written into a ring at `rate`.
    fn whisper(
        &self,
        leg: LegId,
        direction: Direction,
        samples: rtrb::Consumer<i16>,
        rate: SampleRate,
    ) -> Result<(), ControlError> {
        let mut desk = self.desk();
        let (shard, to) = desk.target(leg.into())?;
        let pipe = Box::new(Playback::pipe(desk.next_playback(), samples, rate, to));
        self.send(&mut desk, shard, Command::Engine(Order::Pipe(leg, direction, pipe)), 1)
    }

    fn add_leg(
        &self,
        edge: Edge,
        topic: &Topic,
        command: impl FnOnce(Box<Leg>) -> Command,
    ) -> Result<LegId, ControlError> {
        let rate = edge.rate();
        let mut desk = self.desk();
        let shard = desk.thread_for_next();
        let id = desk.next_leg().ok_or_else(|| self.full())?;
        self.send(&mut desk, shard, command(Box::new(Leg::new(id, edge, topic.clone()))), 1)?;
        desk.open_leg(id, rate, shard);
        Ok(id)
    }

    /// Puts a leg into a bridge, out of the one that it may be in: from the next tick on it fades
    /// out of the one and into the other; a tick later when another thread mixes the other.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`], [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn join(&self, leg: LegId, bridge: BridgeId) -> Result<(), ControlError> {
        let mut desk = self.desk();
        self.seat(&mut desk, leg, bridge)?;
        desk.place(leg, Some(bridge));
        self.settle(&mut desk);
        Ok(())
    }

    /// Orders a leg into a bridge.
    pub(super) fn seat(
        &self,
        desk: &mut Desk,
        leg: LegId,
        bridge: BridgeId,
    ) -> Result<(), ControlError> {
        let (leg_rate, from) = desk.leg(leg).map(|book| (book.rate, book.shard))?;
        let book = desk.bridge(bridge)?;
        let to = book.shard;
        let rates = Box::new(Rates::new(leg_rate, book.rate));
        if let Some(room) = book.room_for_one_more() {
            self.furnish(desk, bridge, room)?;
        }
        if from != to {
            self.send_parcel(desk, from, to, Parcel::of_leg(leg))?;
            desk.move_leg(leg, to);
        }
        self.send(desk, to, Command::Engine(Order::Join { leg, bridge, rates }), 1)
    }

    /// Gives a bridge room: for that and so many in all.
    fn furnish(
        &self,
        desk: &mut Desk,
        bridge: BridgeId,
        (room, seats): (Room, usize),
    ) -> Result<(), ControlError> {
        let shard = desk.bridge(bridge)?.shard;
        self.send(desk, shard, Command::Engine(Order::Furnish(bridge, room)), 1)?;
        desk.furnished(bridge, seats);
        Ok(())
    }

    /// Gives a bridge a mixer if it has none: also what is played to nobody may be recorded.
    fn furnish_for_sound(&self, desk: &mut Desk, target: Target) -> Result<(), ControlError> {
        let Target::Bridge(bridge) = target else { return Ok(()) };
        match desk.bridge(bridge)?.first_room() {
            Some(room) => self.furnish(desk, bridge, room),
            None => Ok(()),
        }
    }

    /// Takes a leg out of its bridge.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`] or [`ControlError::Busy`].
    pub fn leave(&self, leg: LegId) -> Result<(), ControlError> {
        self.part_leg(leg, Order::Leave(leg))
    }

    /// Mutes a leg, or lets it through again. In: nobody hears it. Out: it hears silence.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`] or [`ControlError::Busy`].
    pub fn mute(&self, leg: LegId, direction: Direction, muted: bool) -> Result<(), ControlError> {
        self.set(leg, LegSetting::Mute(direction, muted))
    }

    /// Changes a setting of a leg: mute, gain, role, or whether its digits are absorbed.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`] or [`ControlError::Busy`].
    pub fn set(&self, leg: LegId, setting: LegSetting) -> Result<(), ControlError> {
        self.order_leg(leg, Order::Set(leg, setting))
    }

    /// Has a leg be listened to for these tones in place of those before; for none, no longer. Each that is
    /// heard is told of by [`ToneDetected`](crate::event::ToneDetected) and, when it is over,
    /// [`ToneEnded`](crate::event::ToneEnded); one that is heard when others are asked for has no end.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`], [`ControlError::Busy`], or [`ControlError::Tones`] when there are too many, or
    /// one that cannot be listened for.
    pub fn detect_tones(&self, leg: LegId, tones: &[ToneSpec]) -> Result<(), ControlError> {
        let mut desk = self.desk();
        let (rate, shard) = desk.leg(leg).map(|book| (book.rate, book.shard))?;
        let detector = match tones {
            [] => None,
            tones => Some(Box::new(ToneDetector::new(rate, tones)?)),
        };
        let objects = usize::from(detector.is_some());
        let order = Order::DetectTones(leg, detector);
        self.send(&mut desk, shard, Command::Engine(order), objects)
    }

    /// Sends a digit to a leg's party, as telephone events, or to the other leg of its pair: it is held for
    /// `duration` (40 ms to 60 s, brought into that range). When it cannot be sent,
    /// [`DtmfNotSent`](crate::event::DtmfNotSent) tells of it.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`] or [`ControlError::Busy`].
    pub fn press(&self, leg: LegId, digit: Digit, duration: Duration) -> Result<(), ControlError> {
        self.order_leg(leg, Order::Press(leg, digit, duration))
    }

    /// Lets a leg go, and its socket.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`] or [`ControlError::Busy`].
    pub fn remove_leg(&self, leg: LegId) -> Result<(), ControlError> {
        self.part_leg(leg, Order::RemoveLeg(leg))
    }

    /// An order by which a leg leaves its bridge.
    fn part_leg(&self, leg: LegId, order: Order) -> Result<(), ControlError> {
        self.order_leg(leg, order)?;
        let mut desk = self.desk();
        desk.place(leg, None);
        self.settle(&mut desk);
        Ok(())
    }

    fn order_leg(&self, leg: LegId, order: Order) -> Result<(), ControlError> {
        let mut desk = self.desk();
        let shard = desk.leg(leg)?.shard;
        self.send(&mut desk, shard, Command::Engine(order), 0)
    }
}

/// Sounds.
impl Media {
    /// Plays to a leg or a bridge, when what was to be played to it before is over. A playlist is to have
    /// any rate; that of who hears it is best.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`], [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn play(
        &self,
        target: impl Into<Target>,
        list: impl Into<Playlist>,
    ) -> Result<PlaybackId, ControlError> {
        let (target, list) = (target.into(), list.into());
        let mut desk = self.desk();
        self.furnish_for_sound(&mut desk, target)?;
        let (shard, rate) = desk.target(target)?;
        let (id, sound) = (desk.next_playback(), list.rate());
        let playback = Box::new(Playback::at(id, list, rate));
        self.send(&mut desk, shard, Command::Engine(Order::Play(target, playback)), 1)?;
        desk.played(id, target, sound);
        Ok(id)
    }

    /// Pauses a playback, jumps in it, stops it, …
    ///
    /// # Errors
    /// [`ControlError::NoPlayback`] or [`ControlError::Busy`].
    pub fn control(
        &self,
        playback: PlaybackId,
        control: PlaybackControl,
    ) -> Result<(), ControlError> {
        let mut desk = self.desk();
        let target = desk.target_of(playback)?;
        let shard = desk.target(target).map_err(|_| ControlError::NoPlayback(playback))?.0;
        let order = Order::Control(target, playback, control);
        self.send(&mut desk, shard, Command::Engine(order), 0)
    }

    /// Whether a playback has not come back from the engine yet: it is heard, or is to be.
    pub(crate) fn has_playback(&self, playback: PlaybackId) -> bool {
        self.desk().target_of(playback).is_ok()
    }

    /// Stops all that is played to a leg or a bridge, and what waits to be.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`], [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn stop_playing(&self, target: impl Into<Target>) -> Result<(), ControlError> {
        let target = target.into();
        let mut desk = self.desk();
        let shard = desk.target(target)?.0;
        self.send(&mut desk, shard, Command::Engine(Order::StopPlaying(target)), 0)
    }

    /// Gives a leg, or a holding bridge, music; or takes it away. It is heard while nothing is played,
    /// and, in a bridge, nobody announces anything. See [`LegSetting::Hold`] for a leg in a bridge.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`], [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn music(
        &self,
        target: impl Into<Target>,
        music: Option<Playlist>,
    ) -> Result<(), ControlError> {
        let target = target.into();
        let mut desk = self.desk();
        let (shard, rate) = desk.target(target)?;
        let sound = music.as_ref().map(Playlist::rate);
        let id = desk.next_playback();
        let playback = music.map(|music| Box::new(Playback::at(id, music, rate)));
        let objects = usize::from(playback.is_some());
        self.send(&mut desk, shard, Command::Engine(Order::Music(target, playback)), objects)?;
        if let Target::Bridge(bridge) = target {
            desk.bridge(bridge)?.music = sound;
        }
        Ok(())
    }

    /// Begins to send everything that is heard in a bridge to a ring that holds `seconds` of it, at
    /// `rate`; gives the reading end. A bridge has at most [`MOST_TAPS`](crate::bridge::MOST_TAPS);
    /// one more is told [`TapEnd::Refused`](crate::bridge::TapEnd::Refused). See
    /// [`Recorder`](crate::io::Recorder) for files.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn tap(
        &self,
        bridge: BridgeId,
        rate: SampleRate,
        seconds: u32,
    ) -> Result<TapReader, ControlError> {
        let mut desk = self.desk();
        self.furnish_for_sound(&mut desk, bridge.into())?;
        let book = desk.bridge(bridge)?;
        let (tap, samples) = Tap::at(rate, seconds, book.rate);
        let shard = book.shard;
        let order = Order::TapBridge(bridge, Box::new(tap.booked(bridge)));
        self.send(&mut desk, shard, Command::Engine(order), 1)?;
        desk.bridge(bridge)?.taps.push(rate);
        Ok(samples)
    }

    /// Begins to send what a leg says, or hears, or both, to a ring, as [`tap`](Self::tap) does.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`] or [`ControlError::Busy`].
    pub fn tap_leg(
        &self,
        leg: LegId,
        direction: TapDirection,
        rate: SampleRate,
        seconds: u32,
    ) -> Result<TapReader, ControlError> {
        let mut desk = self.desk();
        let book = desk.leg(leg)?;
        let (tap, samples) = Tap::at(rate, seconds, book.rate);
        let shard = book.shard;
        let order = Order::TapLeg(leg, direction, Box::new(tap));
        self.send(&mut desk, shard, Command::Engine(order), 1)?;
        Ok(samples)
    }

    /// The highest rate that a bridge has or can have.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`].
    pub fn most_bridge_rate(&self, bridge: BridgeId) -> Result<SampleRate, ControlError> {
        Ok(self.desk().bridge(bridge)?.most_rate())
    }

    /// The rate of a leg.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`].
    pub fn leg_rate(&self, leg: LegId) -> Result<SampleRate, ControlError> {
        Ok(self.desk().leg(leg)?.rate)
    }

    /// The legs that were told to be in a bridge.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`].
    pub fn legs_in(&self, bridge: BridgeId) -> Result<Vec<LegId>, ControlError> {
        Ok(self.desk().bridge(bridge)?.members.iter().copied().collect())
    }
}
