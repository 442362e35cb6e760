//! The inbox of a media thread: orders in the order in which they were given, but for those that are
//! about a leg which is still on its way here.
//!
//! An order for such a leg waits, and so does every later one for it; orders for others pass. So it is
//! with who is to join a bridge before somebody else has left it who is still on its way there. Of a
//! bridge that is on its way all of the inbox waits: its legs are many, and it comes with the next
//! tick. Nor is a bridge sent away while orders wait, which may be for those who are to join it. An
//! order only ever waits for one that was given before it, to whichever thread, so none waits for ever.

use std::collections::VecDeque;

use stasis_bus::ring::{Consumer, Pop};

use super::desk::MOST_PARCELS;
use super::parcel::Parcel;
use crate::engine::Order;
use crate::id::LegId;
use crate::io::udp::RtpSocket;
use crate::leg::Leg;

/// Orders on their way to a thread; and those there that wait for legs.
pub(super) const MOST_WAITING: usize = 4_096;

/// What goes to a thread.
pub(super) enum Command {
    Engine(Order),
    /// A leg with its socket.
    Open(Box<Leg>, Box<RtpSocket>),
    /// Two legs back to back.
    OpenPair([Box<Leg>; 2]),
    /// Sends something to another thread.
    Depart(Box<Parcel>),
    /// What comes after this, for this leg or, without one, for any, is for when the parcel of this
    /// number has come.
    Await {
        number: u64,
        leg: Option<LegId>,
    },
    Stop,
}

impl Command {
    /// The leg that it is about.
    fn leg(&self) -> Option<LegId> {
        match self {
            Command::Engine(order) => order.leg(),
            Command::Depart(parcel) => parcel.leg(),
            Command::Await { leg, .. } => *leg,
            Command::Open(..) | Command::OpenPair(_) | Command::Stop => None,
        }
    }
}

/// What there is to do.
pub(super) enum Next {
    Command(Command),
    /// Nothing now.
    Nothing,
    /// Nothing any more.
    Closed,
}

/// The orders for a thread.
pub(super) struct Inbox {
    orders: Consumer<Command>,
    /// Those that wait for legs, and how many of them were not looked at in this tick.
    waiting: VecDeque<Command>,
    unseen: usize,
    /// Whether orders wait for the leg in a slot.
    blocked: Box<[bool]>,
    /// All others wait for this one.
    held: Option<Command>,
    /// Parcels that have come before they were awaited.
    come: Vec<u64>,
}

impl Inbox {
    /// Of a thread of a system with room for so many legs.
    pub(super) fn new(orders: Consumer<Command>, legs: usize) -> Self {
        Inbox {
            orders,
            waiting: VecDeque::with_capacity(MOST_WAITING),
            unseen: 0,
            blocked: vec![false; legs].into_boxed_slice(),
            held: None,
            come: Vec::with_capacity(MOST_PARCELS),
        }
    }

    /// A parcel has come.
    pub(super) fn has_come(&mut self, number: u64) {
        debug_assert!(self.come.len() < self.come.capacity());
        if self.come.len() < self.come.capacity() {
            self.come.push(number);
        }
    }

    /// Looks at all that waits once more: a tick begins.
    pub(super) fn look_through(&mut self) {
        self.unseen = self.waiting.len();
        for slot in self.waiting.iter().filter_map(Command::leg).map(|leg| leg.0.slot()) {
            self.blocked[slot] = false;
        }
    }

    /// What is to be done next.
    pub(super) fn next(&mut self) -> Next {
        while self.unseen > 0
            && let Some(command) = self.waiting.pop_front()
        {
            self.unseen -= 1;
            if let Some(command) = self.sort(command) {
                return Next::Command(command);
            }
        }
        while self.waiting.len() < self.waiting.capacity() {
            let command = match self.held.take() {
                Some(held) => held,
                None => match self.orders.pop() {
                    Pop::Value(command) => command,
                    Pop::Lagged(_) => continue,
                    Pop::Empty => return Next::Nothing,
                    // Not before the last has been carried out: other threads may wait for it.
                    Pop::Closed if self.waiting.is_empty() => return Next::Closed,
                    Pop::Closed => return Next::Nothing,
                },
            };
            if self.holds_all(&command) {
                self.held = Some(command);
                return Next::Nothing;
            }
            if let Some(command) = self.sort(command) {
                return Next::Command(command);
            }
        }
        Next::Nothing
    }

    /// What was to be done next cannot be yet: once more in the next tick.
    pub(super) fn put_back(&mut self, command: Command) {
        if let Some(leg) = command.leg() {
            self.blocked[leg.0.slot()] = true;
        }
        self.waiting.push_back(command);
    }

    /// Whether everything waits for this.
    fn holds_all(&mut self, command: &Command) -> bool {
        match command {
            Command::Await { number, leg: None } => !self.take(*number),
            Command::Depart(parcel) => parcel.leg().is_none() && !self.waiting.is_empty(),
            _ => false,
        }
    }

    /// Gives it back if it is to be carried out now; if not, it waits.
    fn sort(&mut self, command: Command) -> Option<Command> {
        let Some(slot) = command.leg().map(|leg| leg.0.slot()) else { return Some(command) };
        let blocked = *self.blocked.get(slot)?;
        let waits =
            blocked || matches!(command, Command::Await { number, .. } if !self.take(number));
        if waits {
            self.put_back(command);
            return None;
        }
        Some(command)
    }

    /// Whether this parcel has come; it is not asked for twice then.
    fn take(&mut self, number: u64) -> bool {
        let at = self.come.iter().position(|come| *come == number);
        at.map(|at| self.come.swap_remove(at)).is_some()
    }
}
