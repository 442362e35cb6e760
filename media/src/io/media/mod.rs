//! Media threads, as the control side sees them: where legs and bridges are made and told what to do.
//!
//! Each thread runs an engine (`shard`); bridges are spread over them, and a leg is on the thread of
//! its bridge. The books of who is where are on this side (`desk`), orders go by rings (`orders`), and
//! what changes threads goes by parcel (`parcel`). A thread of this side's own, the keeper, does what
//! nobody orders: it drops what has come back, and has threads with much to do give a bridge to one with
//! little (`balance`). By hand there is no thread: a `ticker` has the engines, and whoever has it runs
//! their ticks.

mod balance;
mod counters;
mod desk;
mod error;
mod inbox;
mod keeper;
mod orders;
mod parcel;
mod settings;
mod shard;
mod system;
mod ticker;
mod world;

use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use stasis_bus::ring::ring;
use stasis_bus::{Bus, Clock, Stamp};

pub use counters::Counters;
pub use error::{ControlError, StartError};
pub use settings::{BridgeRate, BridgeSettings, MediaSettings, Priority, RtpLeg};
pub use ticker::Ticker;

use crate::engine::Order;
use crate::io::lateness::LatenessSnapshot;
use crate::schedule::PERIOD;
use desk::Desk;
use inbox::Command;
use keeper::Keeper;
use parcel::Parcel;
use shard::{Shard, Shell, Wiring};

/// Running media threads, as the control side sees them. Orders take effect within one tick. Dropping
/// it stops the threads and waits for them.
///
/// ```
/// use stasis_bus::{Bus, Settings};
/// use stasis_media::io::{BridgeSettings, Media, MediaSettings, RtpLeg};
/// use stasis_media::sound::{Playlist, tone};
/// use stasis_media::frame::SampleRate;
/// use stasis_media::wav::Repeat;
///
/// let bus = Bus::new(Settings::default())?;
/// let media = Media::start(&bus, MediaSettings::default())?;
/// let calls = bus.topic("calls"); // subscribe to it for all that happens
/// let room = media.add_bridge(BridgeSettings::default(), &calls)?;
/// for ssrc in [7, 8] {
///     // It is answered where it sends from; tell the party to send to `port`.
///     let (leg, port) = media.add_rtp_leg(RtpLeg::listening("127.0.0.1:0".parse()?, ssrc), &calls)?;
///     media.join(leg, room)?;
/// }
/// let beep = tone("beep", "us")?.render(SampleRate::Hz8000);
/// media.play(room, Playlist::new(SampleRate::Hz8000, vec![beep], Repeat::Once))?;
/// media.clear();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Media {
    // Dropped first: it has the office, too.
    _keeper: Option<Keeper>,
    office: Arc<Office>,
}

/// What the keeper works with as well.
struct Office {
    clock: Clock,
    settings: MediaSettings,
    shards: Vec<Shard>,
    desk: Mutex<Desk>,
    by_hand: bool,
}

impl Office {
    /// For so many threads, with their own ends, which are to be run.
    fn new(bus: &Bus, settings: MediaSettings, first: Stamp, by_hand: bool) -> (Self, Vec<Shell>) {
        let settings = MediaSettings { threads: settings.threads.max(1), ..settings };
        system::raise_most_files();
        // Each leg has converters, more while the rate of its bridge changes, taps, what is played, and
        // what listens for tones; each bridge has a mixer, seats, taps, music, playbacks and theirs; and
        // orders and parcels are on the way.
        let most_away = 13 * settings.legs + 30 * settings.bridges + 256 + desk::MOST_PARCELS;
        let (outbox, returned) = ring(most_away + 1);
        let wirings = Wiring::new(settings.threads, &outbox);
        let make = |(number, wiring)| Shard::new(bus, number, &settings, wiring, first);
        let (shards, shells) = wirings.into_iter().enumerate().map(make).unzip();
        let desk = Mutex::new(Desk::new(returned, most_away, &settings));
        (Office { clock: bus.clock(), settings, shards, desk, by_hand }, shells)
    }
}

impl Media {
    /// Starts media threads that publish to topics of `bus`; what concerns the threads themselves
    /// goes to its topic `media`. Raises this process's limit on open files as far as it may.
    ///
    /// # Errors
    /// [`StartError`] when the operating system has no thread for it.
    pub fn start(bus: &Bus, settings: MediaSettings) -> Result<Self, StartError> {
        let first = bus.clock().now() + PERIOD;
        let (mut office, shells) = Office::new(bus, settings, first, false);
        let priority = office.settings.priority;
        for (shard, shell) in office.shards.iter_mut().zip(shells) {
            shard.start(shell, priority)?;
        }
        let office = Arc::new(office);
        let keeper = Keeper::start(Media { _keeper: None, office: office.clone() })?;
        Ok(Media { _keeper: Some(keeper), office })
    }

    /// Media without threads and without a clock: all that `settings.threads` threads and the keeper do
    /// is done by the [`Ticker`], tick by tick, when it is told to. So an hour of calls runs in seconds,
    /// and the same orders between the same ticks give the same samples and events. Orders take effect
    /// with the next tick.
    ///
    /// A pulled subscription has all events of a tick when the tick returns; callbacks are run by the bus's
    /// workers, as always, when they get to it.
    ///
    /// [Pairs](Self::pair) stand for phones there. Sockets work, too, but their datagrams are stamped by the
    /// real clock, and come when they come: what a jitter buffer makes of them is not the same each time.
    ///
    /// ```
    /// use stasis_bus::{Bus, Settings};
    /// use stasis_media::frame::SampleRate;
    /// use stasis_media::io::{Media, MediaSettings};
    ///
    /// let bus = Bus::new(Settings::default())?;
    /// let topic = bus.topic("calls");
    /// let (media, mut ticker) = Media::by_hand(&bus, MediaSettings::default());
    /// let [near, _far] = media.pair(SampleRate::Hz8000, [&topic, &topic])?;
    /// let room = media.add_bridge(SampleRate::Hz8000, &topic)?;
    /// media.join(near, room)?;
    /// for _ in 0..50 { // they join, and a second passes
    ///     ticker.tick();
    /// }
    /// assert_eq!(ticker.now().ms(), 1_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn by_hand(bus: &Bus, settings: MediaSettings) -> (Self, Ticker) {
        let first = Stamp::ZERO + PERIOD;
        let (office, shells) = Office::new(bus, settings, first, true);
        let office = Arc::new(office);
        let ticker = Ticker::new(Media { _keeper: None, office: office.clone() }, shells, first);
        (Media { _keeper: None, office }, ticker)
    }

    /// How many threads there are.
    pub fn threads(&self) -> usize {
        self.office.shards.len()
    }

    /// Drops what the threads are done with; says how many objects are still over there. Every order
    /// does this, too, and so does the keeper, ten times a second.
    pub fn reap(&self) -> usize {
        let mut desk = self.desk();
        self.settle(&mut desk);
        desk.away
    }

    /// What the threads have done so far, together.
    pub fn counters(&self) -> Counters {
        let each = self.office.shards.iter().map(|shard| shard.counters.read());
        each.fold(Counters::default(), Counters::and)
    }

    /// What one thread has done so far; none when there is no thread of this number.
    pub fn counters_of(&self, thread: usize) -> Option<Counters> {
        self.office.shards.get(thread).map(|shard| shard.counters.read())
    }

    /// How late the ticks of all threads have begun so far. Allocates.
    pub fn lateness(&self) -> LatenessSnapshot {
        let mut each = self.office.shards.iter().map(|shard| shard.counters.lateness.snapshot());
        let first = each.next().expect("there is a thread");
        each.fold(first, |all, one| all.and(&one))
    }

    /// Ends the conference: everybody leaves, everything comes back and is dropped here. The
    /// threads go on with nothing to do (their own end would free their stacks; leave that to the
    /// process's, or drop this handle where a pause does no harm).
    ///
    /// [By hand](Self::by_hand) that is done in the next tick, and this does not wait for it.
    pub fn clear(&self) {
        // Within a tick the order is carried out; a stalled thread must not keep us for ever.
        let deadline = self.office.clock.now() + Duration::from_secs(5);
        while self.reap() > 0 && self.office.clock.now() < deadline {
            for shard in &self.office.shards {
                let _ = shard.commands.push(Command::Stop);
            }
            if self.office.by_hand {
                return;
            }
            thread::sleep(PERIOD);
        }
    }

    fn full(&self) -> ControlError {
        let settings = &self.office.settings;
        ControlError::Full { legs: settings.legs, bridges: settings.bridges }
    }

    /// The books, after what has come back was entered.
    fn desk(&self) -> MutexGuard<'_, Desk> {
        let mut desk = self.office.desk.lock().expect("nothing panics while it is held");
        desk.enter_returned();
        desk
    }

    /// Sends a command that carries so many objects to a thread.
    fn send(
        &self,
        desk: &mut Desk,
        shard: usize,
        command: Command,
        objects: usize,
    ) -> Result<(), ControlError> {
        if desk.away + objects > desk.most_away {
            return Err(ControlError::Busy);
        }
        let commands = self.office.shards.get(shard).map(|shard| &shard.commands);
        match commands.map(|commands| commands.push(command)) {
            Some(Ok(())) => {
                desk.away += objects;
                Ok(())
            }
            _ => Err(ControlError::Busy),
        }
    }

    /// Sends what the parcel names, which is on thread `from`, to thread `to`.
    fn send_parcel(
        &self,
        desk: &mut Desk,
        from: usize,
        to: usize,
        parcel: Parcel,
    ) -> Result<(), ControlError> {
        // Nobody else sends orders meanwhile.
        let has_room = |shard: usize| !self.office.shards[shard].commands.is_full();
        let number = desk.next_parcel().filter(|_| has_room(from) && has_room(to));
        let number = number.ok_or(ControlError::Busy)?;
        let leg = parcel.leg();
        let parcel = Box::new(parcel.addressed(number, to));
        self.send(desk, from, Command::Depart(parcel), 1)?;
        desk.parcel_sent();
        self.send(desk, to, Command::Await { number, leg }, 0)
    }

    /// Has bridges that are empty give their mixers back.
    fn take_mixers(&self) {
        let mut desk = self.desk();
        while let Some((bridge, shard)) = desk.next_vacated() {
            // Not taken: it stays there, and with the next leg comes another, which goes back.
            let _ = self.send(&mut desk, shard, Command::Engine(Order::Unfurnish(bridge)), 0);
        }
    }

    /// Has legs that did not get in try again, and bridges whose legs have changed go over to the rate
    /// that suits them. What does not fit the ring is tried again with the next order, or by the keeper.
    fn settle(&self, desk: &mut Desk) {
        while let Some((leg, bridge)) = desk.next_refused() {
            if self.seat(desk, leg, bridge).is_err() {
                return desk.still_refused(leg, bridge);
            }
        }
        while let Some((bridge, change)) = desk.rate_change() {
            let Ok(shard) = desk.bridge(bridge).map(|book| book.shard) else { return };
            let (rate, objects) = (change.rate(), 1 + change.converters());
            let order = Order::ChangeRate(bridge, Box::new(change));
            if self.send(desk, shard, Command::Engine(order), objects).is_err() {
                return;
            }
            desk.settled(bridge, rate);
        }
    }
}
