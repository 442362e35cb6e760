//! The peers: what one would use instead, one bounded queue a subscriber. Messages come from a pool
//! of shared ones, each of which is filled again when all subscribers are done with it.

use std::hint::black_box;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use crossbeam_queue::ArrayQueue;
use tokio::sync::broadcast;

use super::{CAPACITY, Event, FanOut, Publish, Read};

/// What they send.
pub type Message = Arc<Stamped>;

pub struct Stamped {
    stamp: u64,
    event: Event,
}

/// Messages that were made beforehand and are used in turn.
struct Pool {
    messages: Vec<Message>,
    now: u64,
}

impl Pool {
    fn new() -> Self {
        let message = || Arc::new(Stamped { stamp: 0, event: Event::numbered(0) });
        Pool { messages: (0..2 * CAPACITY).map(|_| message()).collect(), now: 0 }
    }

    /// The next message, with the time and an event.
    #[inline]
    fn fill(&mut self) -> &Message {
        self.now += 1;
        let filled = Stamped { stamp: self.now, event: black_box(Event::numbered(self.now)) };
        let next = self.now as usize % self.messages.len();
        let message = &mut self.messages[next];
        match Arc::get_mut(message) {
            Some(place) => *place = filled,
            // Somebody who stalls has it for good.
            None => *message = Arc::new(filled),
        }
        message
    }
}

fn read(message: &Message) {
    black_box((message.stamp, message.event.number()));
}

/// A queue that one subscriber owns: its two ends.
pub trait Queue {
    type Reader: Send + 'static;
    fn make() -> (Self, Self::Reader)
    where
        Self: Sized;
    /// Puts a message in; `false` when it is full.
    fn offer(&self, message: Message) -> bool;
    fn take(reader: &mut Self::Reader) -> Option<Message>;
}

/// A fan-out made of one queue a subscriber, with a clone of the message for each.
pub struct QueueEach<Q> {
    queues: Vec<Q>,
    pool: Pool,
}

impl<Q: Queue + 'static> QueueEach<Q> {
    pub fn fan_out(subscribers: usize) -> FanOut {
        let (queues, readers) = (0..subscribers).map(|_| Q::make()).unzip();
        let publisher = Box::new(QueueEach { queues, pool: Pool::new() });
        FanOut { publisher, readers: Box::new(ReadEach::<Q>(readers)) }
    }
}

impl<Q: Queue> Publish for QueueEach<Q> {
    fn publish(&mut self) -> usize {
        let message = self.pool.fill();
        self.queues.iter().filter(|queue| queue.offer(message.clone())).count()
    }
}

struct ReadEach<Q: Queue>(Vec<Q::Reader>);

impl<Q: Queue> Read for ReadEach<Q> {
    fn drain(&mut self, readers: usize) -> u64 {
        let mut count = 0;
        for reader in &mut self.0[..readers] {
            while let Some(message) = Q::take(reader) {
                read(&message);
                count += 1;
            }
        }
        count
    }
}

impl Queue for Arc<ArrayQueue<Message>> {
    type Reader = Self;

    fn make() -> (Self, Self) {
        let queue = Arc::new(ArrayQueue::new(CAPACITY));
        (queue.clone(), queue)
    }

    fn offer(&self, message: Message) -> bool {
        self.push(message).is_ok()
    }

    fn take(reader: &mut Self) -> Option<Message> {
        reader.pop()
    }
}

pub type Channel = Sender<Message>;

impl Queue for Channel {
    type Reader = Receiver<Message>;

    fn make() -> (Self, Self::Reader) {
        crossbeam_channel::bounded(CAPACITY)
    }

    fn offer(&self, message: Message) -> bool {
        self.try_send(message).is_ok()
    }

    fn take(reader: &mut Self::Reader) -> Option<Message> {
        reader.try_recv().ok()
    }
}

/// `tokio::sync::broadcast`: one ring for all. A slow reader loses the oldest messages.
pub struct Broadcast {
    sender: broadcast::Sender<Message>,
    pool: Pool,
}

impl Broadcast {
    pub fn fan_out(subscribers: usize) -> FanOut {
        // Its ring keeps a message until another takes its place, so it has to be shorter than
        // the pool for a message to be free again.
        let (sender, _) = broadcast::channel(CAPACITY);
        let readers = (0..subscribers).map(|_| sender.subscribe()).collect();
        let publisher = Box::new(Broadcast { sender, pool: Pool::new() });
        FanOut { publisher, readers: Box::new(ReadBroadcast(readers)) }
    }
}

impl Publish for Broadcast {
    fn publish(&mut self) -> usize {
        let message = self.pool.fill();
        self.sender.send(message.clone()).unwrap_or(0)
    }
}

struct ReadBroadcast(Vec<broadcast::Receiver<Message>>);

impl Read for ReadBroadcast {
    fn drain(&mut self, readers: usize) -> u64 {
        let mut count = 0;
        for receiver in &mut self.0[..readers] {
            while let Ok(message) = receiver.try_recv() {
                read(&message);
                count += 1;
            }
        }
        count
    }
}
