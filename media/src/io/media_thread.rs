//! The media thread: an engine on the real clock, with its sockets; and the control side's handle.
//!
//! The thread waits for the next tick, carries out the orders that have come, reads the sockets,
//! runs the tick, and rings the bus's bell once. Orders reach it by a lock-free ring; what it is
//! done with comes back by another, to be dropped on the control side. The way back has more room
//! than there can be objects over there, so it is never full.
//!
//! Its system calls, all of them: `clock_nanosleep` (the tick), `recvmsg` and `sendto` (the
//! sockets), `write` (the bell's eventfd).

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stasis_bus::ring::{Consumer, Pop, Producer, Refused, ring};
use stasis_bus::{Bus, Clock, RtPublisher, Topic};

use super::desk::{BridgeBook, Desk, LegBook, vacant};
use super::timer::sleep_until;
use super::udp::RtpSocket;
use crate::bridge::{Bridge, BridgeKind, Tap, TapDirection, TapReader};
use crate::codec::EncodeSettings;
use crate::device::DeviceEdge;
use crate::dtmf::Digit;
use crate::engine::{Engine, Order, Outside, Retired};
use crate::event::TickMissed;
use crate::frame::SampleRate;
use crate::id::{BridgeId, LegId, PlaybackId};
use crate::leg::{Direction, Edge, Leg, LegSetting, Rates, RtpEdge};
use crate::rtp::{ReceiveSettings, RtpReceiver, RtpSender, RtpSeq};
use crate::schedule::{PERIOD, Schedule};
use crate::wav::{Pcm, Repeat};

/// Datagrams of one leg that are read in one tick; more wait for the next.
const MOST_DATAGRAMS: usize = 32;
/// Orders that are carried out in one tick; more wait for the next.
const MOST_ORDERS: usize = 64;

/// How a media thread is made.
#[derive(Clone, Debug)]
pub struct MediaSettings {
    /// Its number: the thread is named `media-N`.
    pub number: u32,
    /// Legs that it has room for.
    pub legs: usize,
    /// Bridges that it has room for.
    pub bridges: usize,
    /// Events that may be on their way to subscribers at a time.
    pub cells: u32,
}

impl Default for MediaSettings {
    fn default() -> Self {
        MediaSettings { number: 0, legs: 256, bridges: 64, cells: 4_096 }
    }
}

/// The error of starting a thread.
#[derive(Debug, thiserror::Error)]
#[error("cannot start a thread: {0}; raise the limit on threads, or stop another program")]
pub struct StartError(#[from] pub io::Error);

/// Why an order was not given.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// No leg of this name (any more).
    #[error("there is no {0}")]
    NoLeg(LegId),
    /// No bridge of this name (any more).
    #[error("there is no {0}")]
    NoBridge(BridgeId),
    /// The engine has no room for one more leg or bridge.
    #[error(
        "the engine is full: it has room for {legs} legs and {bridges} bridges; raise the limits in its settings"
    )]
    Full {
        /// Legs that there is room for.
        legs: usize,
        /// Bridges that there is room for.
        bridges: usize,
    },
    /// Orders come faster than the engine can take them.
    #[error("too many orders at once: try again after a tick (20 ms)")]
    Busy,
    /// The address cannot be bound.
    #[error(
        "cannot listen on {address}: {source}; choose another address or port, or stop who has it"
    )]
    Bind {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system says.
        source: io::Error,
    },
}

/// What a media thread has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Ticks that were run.
    pub ticks: u64,
    /// Ticks that began 20 ms late or later.
    pub missed: u64,
    /// Ticks that were skipped after a long stall.
    pub skipped: u64,
    /// The worst delay of a tick, in microseconds.
    pub worst_lateness_us: u64,
    /// Datagrams that the operating system did not take.
    pub send_errors: u64,
}

#[derive(Debug, Default)]
struct SharedCounters {
    ticks: AtomicU64,
    missed: AtomicU64,
    skipped: AtomicU64,
    worst_lateness_us: AtomicU64,
    send_errors: AtomicU64,
}

/// How an RTP leg is made.
#[derive(Clone, Debug)]
pub struct RtpLeg {
    /// Where it listens; port 0 takes a free one.
    pub local: SocketAddr,
    /// How it receives, and from whom. Its payload types are those of both directions; the first
    /// codec is sent until the other side has spoken, and then what that speaks.
    pub receive: ReceiveSettings,
    /// How it encodes.
    pub encoding: EncodeSettings,
    /// The stream that it sends.
    pub ssrc: u32,
}

/// The rate that a bridge mixes at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BridgeRate {
    /// Always this.
    Fixed(SampleRate),
    /// The highest that any leg in it has, but not more than `most`; it changes when legs come and
    /// go, without a gap or a click. An empty bridge stays at what it had, at first 8 kHz.
    Automatic {
        /// What a higher rate is brought down to.
        most: SampleRate,
    },
}

/// How a bridge is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgeSettings {
    /// At which rate. Automatic by default, up to 48 kHz.
    pub rate: BridgeRate,
    /// Who is heard. Everybody by default.
    pub kind: BridgeKind,
    /// How many are heard at a time, the loudest; everybody by default, and beyond
    /// [`MOST_TALKERS`](crate::bridge::MOST_TALKERS).
    pub talkers: Option<usize>,
}

impl Default for BridgeSettings {
    fn default() -> Self {
        let rate = BridgeRate::Automatic { most: SampleRate::Hz48000 };
        BridgeSettings { rate, kind: BridgeKind::default(), talkers: None }
    }
}

/// A mixing bridge that always has this rate.
impl From<SampleRate> for BridgeSettings {
    fn from(rate: SampleRate) -> Self {
        BridgeSettings { rate: BridgeRate::Fixed(rate), ..Default::default() }
    }
}

/// What goes to the thread.
enum Command {
    Engine(Order),
    /// A leg with its socket.
    Open(Box<Leg>, Box<RtpSocket>),
    Stop,
}

/// What comes back from it.
pub(super) struct Returned {
    pub(super) object: Retired,
    pub(super) socket: Option<Box<RtpSocket>>,
}

/// A running engine, as the control side sees it. Orders take effect within one tick. Dropping it
/// stops the thread and waits for it.
pub struct MediaThread {
    clock: Clock,
    settings: MediaSettings,
    commands: Producer<Command>,
    desk: Mutex<Desk>,
    counters: Arc<SharedCounters>,
    thread: Option<JoinHandle<()>>,
}

impl MediaThread {
    /// Starts a media thread that publishes to topics of `bus`; what concerns the thread itself
    /// goes to its topic `media`.
    ///
    /// # Errors
    /// [`StartError`] when the operating system has no thread for it.
    pub fn start(bus: &Bus, settings: MediaSettings) -> Result<Self, StartError> {
        // Each leg has converters, more while the rate of its bridge changes, and taps; each bridge
        // has taps, music, a playback and theirs; and orders are on the way.
        let most_away = 9 * settings.legs + 25 * settings.bridges + 256;
        let (commands, inbox) = ring(256);
        let (outbox, returned) = ring(most_away + 1);
        let counters = Arc::<SharedCounters>::default();
        let shell = Shell {
            clock: bus.clock(),
            inbox,
            engine: Engine::new(settings.legs, settings.bridges),
            topic: bus.topic("media"),
            world: World {
                sockets: (0..settings.legs).map(|_| None).collect(),
                outbox,
                counters: counters.clone(),
            },
        };
        let publisher = bus.rt_publisher(settings.cells);
        let thread = thread::Builder::new()
            .name(format!("media-{}", settings.number))
            .spawn(move || shell.run(publisher))?;
        let desk = Desk::new(returned, most_away, &settings);
        Ok(MediaThread {
            clock: bus.clock(),
            settings,
            commands,
            desk: Mutex::new(desk),
            counters,
            thread: Some(thread),
        })
    }

    /// Makes a bridge; it publishes to `topic`. A [`SampleRate`] alone asks for a mixing bridge that
    /// always has this rate.
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
        let slot = vacant(&desk.bridges).ok_or_else(|| self.full())?;
        let id = BridgeId::new(slot as u32, desk.serial());
        let bridge = Bridge::new(id, rate, self.settings.legs, topic.clone())
            .with_kind(settings.kind)
            .with_talkers(settings.talkers);
        self.send(&mut desk, Command::Engine(Order::AddBridge(Box::new(bridge))), 1)?;
        desk.bridges[slot] = Some(BridgeBook::new(id, settings.rate, rate));
        Ok(id)
    }

    /// Makes a leg with an RTP stream each way, in no bridge yet; says where it listens. It
    /// publishes to `topic`.
    ///
    /// # Errors
    /// [`ControlError::Bind`] when its address cannot be had, [`ControlError::Full`] or
    /// [`ControlError::Busy`].
    pub fn add_rtp_leg(
        &self,
        leg: RtpLeg,
        topic: &Topic,
    ) -> Result<(LegId, SocketAddr), ControlError> {
        let bind = |source| ControlError::Bind { address: leg.local, source };
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

    fn add_leg(
        &self,
        edge: Edge,
        topic: &Topic,
        command: impl FnOnce(Box<Leg>) -> Command,
    ) -> Result<LegId, ControlError> {
        let rate = edge.rate();
        let mut desk = self.desk();
        let slot = vacant(&desk.legs).ok_or_else(|| self.full())?;
        let id = LegId::new(slot as u32, desk.serial());
        self.send(&mut desk, command(Box::new(Leg::new(id, edge, topic.clone()))), 1)?;
        desk.legs[slot] = Some(LegBook { id, rate, bridge: None });
        Ok(id)
    }

    /// Puts a leg into a bridge, out of the one that it may be in: from the next tick on it fades
    /// out of the one and into the other.
    ///
    /// # Errors
    /// [`ControlError::NoLeg`], [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn join(&self, leg: LegId, bridge: BridgeId) -> Result<(), ControlError> {
        let mut desk = self.desk();
        let rates = Rates::new(desk.leg_rate(leg)?, desk.bridge_rate(bridge)?);
        let order = Order::Join { leg, bridge, rates: Box::new(rates) };
        self.send(&mut desk, Command::Engine(order), 1)?;
        desk.place(leg, Some(bridge));
        self.settle_rates(&mut desk);
        Ok(())
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

    /// Sends a digit to a leg's party, as telephone events.
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
        self.settle_rates(&mut desk);
        Ok(())
    }

    fn order_leg(&self, leg: LegId, order: Order) -> Result<(), ControlError> {
        let mut desk = self.desk();
        desk.leg_rate(leg)?;
        self.send(&mut desk, Command::Engine(order), 0)
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

    /// Has only so many legs heard in a bridge at a time, the loudest; or everybody.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn limit_talkers(&self, bridge: BridgeId, most: Option<usize>) -> Result<(), ControlError> {
        self.order_bridge(bridge, Order::LimitTalkers(bridge, most))
    }

    /// Plays `sound` to a bridge once, or over and over, in place of what is playing.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn play(
        &self,
        bridge: BridgeId,
        sound: &Pcm,
        repeat: Repeat,
    ) -> Result<PlaybackId, ControlError> {
        let mut desk = self.desk();
        let playback = desk.playback(bridge, sound, repeat)?;
        let id = playback.id();
        self.send(&mut desk, Command::Engine(Order::Play(bridge, playback)), 1)?;
        desk.bridge(bridge)?.playback = Some(sound.rate());
        Ok(id)
    }

    /// Stops what is playing to a bridge.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn stop_playing(&self, bridge: BridgeId) -> Result<(), ControlError> {
        self.order_bridge(bridge, Order::StopPlaying(bridge))
    }

    /// Gives a holding bridge its music, which repeats; or takes it away.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`] or [`ControlError::Busy`].
    pub fn hold_music(&self, bridge: BridgeId, music: Option<&Pcm>) -> Result<(), ControlError> {
        let Some(music) = music else {
            return self.order_bridge(bridge, Order::StopHoldMusic(bridge));
        };
        let mut desk = self.desk();
        let playback = desk.playback(bridge, music, Repeat::Forever)?;
        self.send(&mut desk, Command::Engine(Order::HoldMusic(bridge, playback)), 1)?;
        desk.bridge(bridge)?.music = Some(music.rate());
        Ok(())
    }

    /// Begins to send everything that is heard in a bridge to a ring that holds `seconds` of it, at
    /// `rate`; gives the reading end. A bridge has at most [`MOST_TAPS`](crate::bridge::MOST_TAPS);
    /// one more is told [`TapEnd::Refused`](crate::bridge::TapEnd::Refused). See
    /// [`Recorder`](super::Recorder) for files.
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
        let (tap, samples) = Tap::at(rate, seconds, desk.bridge_rate(bridge)?);
        let order = Order::TapBridge(bridge, Box::new(tap.booked(bridge)));
        self.send(&mut desk, Command::Engine(order), 1)?;
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
        let (tap, samples) = Tap::at(rate, seconds, desk.leg_rate(leg)?);
        let order = Order::TapLeg(leg, direction, Box::new(tap));
        self.send(&mut desk, Command::Engine(order), 1)?;
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
        self.desk().leg_rate(leg)
    }

    /// The legs that were told to be in a bridge.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`].
    pub fn legs_in(&self, bridge: BridgeId) -> Result<Vec<LegId>, ControlError> {
        let mut desk = self.desk();
        desk.bridge(bridge)?;
        let inside = desk.legs.iter().flatten().filter(|leg| leg.bridge == Some(bridge));
        Ok(inside.map(|leg| leg.id).collect())
    }

    /// The rate that a bridge mixes at, or is going over to.
    ///
    /// # Errors
    /// [`ControlError::NoBridge`].
    pub fn bridge_rate(&self, bridge: BridgeId) -> Result<SampleRate, ControlError> {
        self.desk().bridge_rate(bridge)
    }

    /// Has bridges whose legs have changed go over to the rate that suits them. What does not fit
    /// the ring is tried again with the next order.
    fn settle_rates(&self, desk: &mut Desk) {
        while let Some((bridge, change)) = desk.rate_change() {
            let (rate, objects) = (change.rate(), 1 + change.converters());
            let order = Order::ChangeRate(bridge, Box::new(change));
            if self.send(desk, Command::Engine(order), objects).is_err() {
                return;
            }
            desk.settled(bridge, rate);
        }
    }

    fn order_bridge(&self, bridge: BridgeId, order: Order) -> Result<(), ControlError> {
        let mut desk = self.desk();
        desk.bridge_rate(bridge)?;
        self.send(&mut desk, Command::Engine(order), 0)
    }

    /// Drops what the thread is done with; says how many objects are still over there. Every order
    /// does this, too.
    pub fn reap(&self) -> usize {
        let mut desk = self.desk();
        self.settle_rates(&mut desk);
        desk.away
    }

    /// What the thread has done so far.
    pub fn counters(&self) -> Counters {
        let shared = &self.counters;
        Counters {
            ticks: shared.ticks.load(Relaxed),
            missed: shared.missed.load(Relaxed),
            skipped: shared.skipped.load(Relaxed),
            worst_lateness_us: shared.worst_lateness_us.load(Relaxed),
            send_errors: shared.send_errors.load(Relaxed),
        }
    }

    /// Ends the conference: everybody leaves, everything comes back and is dropped here. The
    /// thread goes on with nothing to do (its own end would free its stack; leave that to the
    /// process's, or drop this handle where a pause does no harm).
    pub fn clear(&self) {
        // Within a tick the order is carried out; a stalled thread must not keep us for ever.
        let deadline = self.clock.now() + Duration::from_secs(5);
        while self.reap() > 0 && self.clock.now() < deadline {
            let _ = self.commands.push(Command::Stop);
            thread::sleep(PERIOD);
        }
    }

    fn full(&self) -> ControlError {
        ControlError::Full { legs: self.settings.legs, bridges: self.settings.bridges }
    }

    /// The books, after what has come back was entered.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        let mut desk = self.desk.lock().expect("nothing panics while it is held");
        desk.enter_returned();
        desk
    }

    /// Sends a command that carries so many objects.
    fn send(&self, desk: &mut Desk, command: Command, objects: usize) -> Result<(), ControlError> {
        if desk.away + objects > desk.most_away {
            return Err(ControlError::Busy);
        }
        match self.commands.push(command) {
            Ok(()) => {
                desk.away += objects;
                Ok(())
            }
            Err(Refused::Full(_) | Refused::Contended(_) | Refused::Closed(_)) => {
                Err(ControlError::Busy)
            }
        }
    }
}

impl Drop for MediaThread {
    fn drop(&mut self) {
        // The thread ends when it finds its orders closed.
        self.commands.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        drop(self.desk());
    }
}

/// The thread's own.
struct Shell {
    clock: Clock,
    inbox: Consumer<Command>,
    engine: Engine,
    topic: Topic,
    world: World,
}

/// A leg's socket.
type OpenSocket = (LegId, Box<RtpSocket>);

/// Where the engine's output goes.
struct World {
    /// By the slots of the legs.
    sockets: Box<[Option<OpenSocket>]>,
    outbox: Producer<Returned>,
    counters: Arc<SharedCounters>,
}

impl Shell {
    fn run(mut self, mut publisher: RtPublisher) {
        let mut schedule = Schedule::new(self.clock.now() + PERIOD);
        loop {
            sleep_until(&self.clock, schedule.next());
            let now = self.clock.now();
            let due = schedule.take(now);
            self.world.count(due.lateness, due.is_missed(), due.skipped);
            if due.is_missed() {
                let lateness_us = due.lateness.as_micros() as u64;
                publisher.publish(&self.topic, now, TickMissed { lateness_us });
            }
            for _ in 0..due.skipped {
                self.engine.skip_tick();
            }
            let open = self.carry_out(due.at, &mut publisher);
            self.read_sockets(&mut publisher);
            self.engine.tick(due.at, &mut publisher, &mut self.world);
            if !open {
                self.engine.close(due.at, &mut publisher, &mut self.world);
            }
            publisher.ring_bell();
            if !open {
                return;
            }
        }
    }

    /// Carries out the orders that have come. `false`: there will be no more.
    fn carry_out(&mut self, now: stasis_bus::Stamp, publisher: &mut RtPublisher) -> bool {
        for _ in 0..MOST_ORDERS {
            let order = match self.inbox.pop() {
                Pop::Value(Command::Engine(order)) => order,
                Pop::Value(Command::Open(leg, socket)) => {
                    self.world.open(leg.id(), socket);
                    Order::AddLeg(leg)
                }
                Pop::Value(Command::Stop) => {
                    self.engine.close(now, publisher, &mut self.world);
                    continue;
                }
                Pop::Lagged(_) => continue,
                Pop::Empty => return true,
                Pop::Closed => return false,
            };
            self.engine.apply(order, now, publisher, &mut self.world);
        }
        true
    }

    fn read_sockets(&mut self, publisher: &mut RtPublisher) {
        for (leg, socket) in self.world.sockets.iter_mut().flatten() {
            socket.receive(&self.clock, MOST_DATAGRAMS, |datagram| {
                let (bytes, from, arrival) = (datagram.bytes, datagram.from, datagram.arrival);
                self.engine.receive(*leg, bytes, from, arrival, publisher);
            });
        }
    }
}

impl World {
    fn open(&mut self, leg: LegId, socket: Box<RtpSocket>) {
        if let Some(place) = self.sockets.get_mut(leg.slot()) {
            debug_assert!(place.is_none(), "a slot is vacant before it is given out again");
            *place = Some((leg, socket));
        }
    }

    fn count(&self, lateness: Duration, missed: bool, skipped: u32) {
        let counters = &self.counters;
        counters.ticks.fetch_add(1, Relaxed);
        counters.missed.fetch_add(u64::from(missed), Relaxed);
        counters.skipped.fetch_add(u64::from(skipped), Relaxed);
        counters.worst_lateness_us.fetch_max(lateness.as_micros() as u64, Relaxed);
    }
}

impl Outside for World {
    fn send(&mut self, leg: LegId, to: SocketAddr, datagram: &[u8]) {
        let socket = self.sockets.get(leg.slot()).and_then(Option::as_ref);
        let sent = socket.is_some_and(|(_, socket)| socket.send_to(datagram, to).is_ok());
        if !sent {
            self.counters.send_errors.fetch_add(1, Relaxed);
        }
    }

    fn retire(&mut self, object: Retired) {
        let socket = match &object {
            Retired::Leg(leg) | Retired::Refused(Order::AddLeg(leg)) => {
                let place = self.sockets.get_mut(leg.id().slot());
                let mine = |place: &mut Option<OpenSocket>| {
                    place.take_if(|(id, _)| *id == leg.id()).map(|(_, socket)| socket)
                };
                place.and_then(mine)
            }
            _ => None,
        };
        if let Err(refused) = self.outbox.push(Returned { object, socket }) {
            // There is always room (see `Desk::away`). Should that ever be wrong: rather leak an
            // object than free it here.
            debug_assert!(false, "the way back is full");
            std::mem::forget(refused);
        }
    }
}
