//! A media thread: an engine on the real clock, with its sockets; and the control side's end of it.
//!
//! The thread waits for the next tick, takes in what has come from other threads, carries out the
//! orders that have come, runs the tick, which reads the socket of each leg and sends what it is to
//! hear, sends off what is to go to other threads, and rings the bus's bell once. Orders reach it by a
//! lock-free ring; what it is done with comes back by another, to be dropped on the control side. The
//! way back has more room than there can be objects over there, so it is never full.
//!
//! All but the waiting is in `Shell::tick`, which a `Ticker` calls in the place of a thread.
//!
//! Its system calls, all of them: `clock_nanosleep` (the tick), `recvmsg` and `sendto` (the
//! sockets), `write` (the bell's eventfd).

use std::sync::Arc;
use std::thread::{self, JoinHandle};

use stasis_bus::ring::{Consumer, Pop, Producer, ring};
use stasis_bus::{Bus, Clock, RtPublisher, Stamp, Topic};

use super::counters::SharedCounters;
use super::desk::MOST_PARCELS;
use super::error::StartError;
use super::inbox::{self, Command, Inbox, Next};
use super::parcel::Parcel;
use super::settings::{MediaSettings, Priority};
use super::system;
use super::world::{Returned, World};
use crate::engine::{Engine, Order};
use crate::event::TickMissed;
use crate::io::timer::sleep_until;
use crate::schedule::Schedule;

/// Orders that are carried out in one tick; more wait for the next.
const MOST_ORDERS: usize = 256;

/// A media thread, as the control side sees it.
pub(super) struct Shard {
    pub(super) commands: Producer<Command>,
    pub(super) counters: Arc<SharedCounters>,
    thread: Option<JoinHandle<()>>,
}

/// A thread that is to be started: its ends of the rings.
pub(super) struct Wiring {
    arrivals: Consumer<Box<Parcel>>,
    /// To all threads, by their numbers.
    pub(super) others: Vec<Producer<Box<Parcel>>>,
    pub(super) outbox: Producer<Returned>,
}

impl Wiring {
    /// For so many threads.
    pub(super) fn new(threads: usize, outbox: &Producer<Returned>) -> Vec<Wiring> {
        let (others, arrivals): (Vec<_>, Vec<_>) = (0..threads).map(|_| ring(MOST_PARCELS)).unzip();
        let wire = |arrivals| Wiring { arrivals, others: others.clone(), outbox: outbox.clone() };
        arrivals.into_iter().map(wire).collect()
    }
}

impl Shard {
    /// The two ends of the thread of this number, which does not run yet; its first tick is at `first`.
    pub(super) fn new(
        bus: &Bus,
        number: usize,
        settings: &MediaSettings,
        wiring: Wiring,
        first: Stamp,
    ) -> (Self, Shell) {
        let (commands, inbox) = ring(inbox::MOST_WAITING);
        let counters = Arc::<SharedCounters>::default();
        let shell = Shell {
            number: number as u32,
            clock: bus.clock(),
            schedule: Schedule::new(first),
            inbox: Inbox::new(inbox, settings.legs),
            arrivals: wiring.arrivals,
            others: wiring.others,
            early: Vec::with_capacity(MOST_PARCELS),
            departing: Vec::with_capacity(MOST_PARCELS),
            engine: Engine::new(settings.legs, settings.bridges),
            topic: bus.topic("media"),
            world: World::new(bus.clock(), settings.legs, wiring.outbox, counters.clone()),
            counters: counters.clone(),
            publisher: bus.rt_publisher(settings.cells),
        };
        (Shard { commands, counters, thread: None }, shell)
    }

    /// Starts the thread.
    pub(super) fn start(&mut self, shell: Shell, priority: Priority) -> Result<(), StartError> {
        let name = format!("media-{}", shell.number);
        let thread = thread::Builder::new().name(name).spawn(move || shell.run())?;
        if priority == Priority::RealTime {
            system::make_real_time(&thread);
        }
        self.thread = Some(thread);
        Ok(())
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        // The thread ends when it finds its orders closed.
        self.commands.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's own.
#[allow(clippy::vec_box)] // a parcel's box is not this thread's to free
pub(super) struct Shell {
    number: u32,
    clock: Clock,
    schedule: Schedule,
    inbox: Inbox,
    arrivals: Consumer<Box<Parcel>>,
    others: Vec<Producer<Box<Parcel>>>,
    /// Parcels whose last tick elsewhere is not yet over here.
    early: Vec<Box<Parcel>>,
    /// Parcels that are sent off at the end of the tick.
    departing: Vec<Box<Parcel>>,
    engine: Engine,
    topic: Topic,
    publisher: RtPublisher,
    world: World,
    counters: Arc<SharedCounters>,
}

impl Shell {
    /// The thread.
    fn run(mut self) {
        loop {
            sleep_until(&self.clock, self.schedule.next());
            let now = self.clock.now();
            let open = self.tick(now);
            self.counters.end(self.clock.now().since(now));
            if !open {
                return;
            }
        }
    }

    /// The tick that is due, at the time `now`, which is not before it. `false`: it was the last.
    pub(super) fn tick(&mut self, now: Stamp) -> bool {
        let due = self.schedule.take(now);
        self.counters.begin(due.lateness, due.is_missed(), due.skipped);
        if due.is_missed() {
            let lateness_us = due.lateness.as_micros() as u64;
            let missed = TickMissed { thread: self.number, lateness_us };
            self.publisher.publish(&self.topic, now, missed);
        }
        for _ in 0..due.skipped {
            self.engine.skip_tick();
        }
        self.world.read_for(1 + due.skipped);
        self.take_parcels(due.at);
        let open = self.carry_out(due.at);
        self.engine.tick(due.at, &mut self.publisher, &mut self.world);
        self.send_parcels(due.at);
        if !open {
            self.engine.close(due.at, &mut self.publisher, &mut self.world);
        }
        self.publisher.ring_bell();
        open
    }

    /// Takes in what has come from other threads, for the tick of `now`.
    fn take_parcels(&mut self, now: Stamp) {
        while self.early.len() < self.early.capacity()
            && let Pop::Value(parcel) = self.arrivals.pop()
        {
            self.early.push(parcel);
        }
        while let Some(at) = self.early.iter().position(|parcel| parcel.is_due(now)) {
            let mut parcel = self.early.swap_remove(at);
            parcel.unpack(&mut self.engine, now, &mut self.publisher, &mut self.world);
            self.inbox.has_come(parcel.number());
            self.world.give_back(Returned::Parcel(parcel));
        }
    }

    /// Carries out the orders that have come. `false`: there will be no more.
    fn carry_out(&mut self, now: Stamp) -> bool {
        let publisher = &mut self.publisher;
        self.inbox.look_through();
        for _ in 0..MOST_ORDERS {
            let order = match self.inbox.next() {
                Next::Command(Command::Engine(order)) if self.engine.must_wait(&order) => {
                    self.inbox.put_back(Command::Engine(order));
                    continue;
                }
                Next::Command(Command::Engine(order)) => order,
                Next::Command(Command::Open(leg, socket)) => {
                    self.world.open(leg.id(), socket);
                    Order::AddLeg(leg)
                }
                Next::Command(Command::OpenPair(legs)) => {
                    for order in legs.map(Order::AddLeg) {
                        self.engine.apply(order, now, publisher, &mut self.world);
                    }
                    continue;
                }
                Next::Command(Command::Depart(parcel)) => {
                    parcel.prepare(&mut self.engine, now, publisher, &mut self.world);
                    debug_assert!(self.departing.len() < self.departing.capacity());
                    self.departing.push(parcel);
                    continue;
                }
                Next::Command(Command::Stop) => {
                    self.engine.close(now, publisher, &mut self.world);
                    continue;
                }
                Next::Command(Command::Await { .. }) => continue,
                Next::Nothing => return true,
                Next::Closed => return false,
            };
            self.engine.apply(order, now, publisher, &mut self.world);
        }
        true
    }

    /// Sends off what goes to other threads, after the tick of `now`.
    fn send_parcels(&mut self, now: Stamp) {
        while let Some(mut parcel) = self.departing.pop() {
            parcel.pack(&mut self.engine, now, &mut self.world);
            let Some(other) = self.others.get(parcel.to()) else { continue };
            let mut sent = other.push(parcel);
            while let Err(stasis_bus::ring::Refused::Contended(again)) = sent {
                sent = other.push(again);
            }
            if let Err(refused) = sent {
                // There is room for all that are under way at a time.
                debug_assert!(false, "no room for a parcel");
                std::mem::forget(refused);
            }
        }
    }
}
