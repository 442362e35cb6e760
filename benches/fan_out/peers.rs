//! The peers: what one would use instead.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::{Arc, Condvar, Mutex};

use crossbeam_channel::{Receiver, Sender};
use crossbeam_queue::ArrayQueue;
use tokio::sync::broadcast;

use super::{CAPACITY, EVENT, Event, FanOut, Room};

/// Where the messages come from.
struct Messages {
    /// Made beforehand and used in turn; none: each is allocated.
    ready: Vec<Arc<Event>>,
    next: usize,
}

impl Messages {
    fn new(room: Room) -> Self {
        let count = if room == Room::Ready { CAPACITY } else { 0 };
        Messages { ready: (0..count).map(|_| Arc::new(EVENT)).collect(), next: 0 }
    }

    /// Lends the next message to `publish`.
    #[inline]
    fn with<R>(&mut self, publish: impl FnOnce(&Arc<Event>) -> R) -> R {
        if self.ready.is_empty() {
            return publish(&Arc::new(black_box(EVENT)));
        }
        self.next = (self.next + 1) % CAPACITY;
        publish(&self.ready[self.next])
    }
}

/// A queue that one subscriber owns.
pub trait Queue {
    fn new() -> Self;
    /// Puts a message in; `false` when it is full.
    fn offer(&self, message: Arc<Event>) -> bool;
    fn take(&self) -> Option<Arc<Event>>;
}

/// A fan-out made of one queue a subscriber, with a clone of the message for each.
pub struct QueueEach<Q> {
    queues: Vec<Q>,
    messages: Messages,
}

impl<Q: Queue> QueueEach<Q> {
    pub fn new(subscribers: usize, room: Room) -> Self {
        let queues = (0..subscribers).map(|_| Q::new()).collect();
        QueueEach { queues, messages: Messages::new(room) }
    }
}

impl<Q: Queue> FanOut for QueueEach<Q> {
    fn publish(&mut self) {
        let queues = &self.queues;
        let taken = self.messages.with(|message| {
            queues.iter().map(|queue| usize::from(queue.offer(message.clone()))).sum::<usize>()
        });
        black_box(taken);
    }

    fn drain(&mut self, readers: usize) {
        for queue in &self.queues[..readers] {
            while let Some(message) = queue.take() {
                black_box(message.0[0]);
            }
        }
    }
}

impl Queue for ArrayQueue<Arc<Event>> {
    fn new() -> Self {
        ArrayQueue::new(CAPACITY)
    }

    fn offer(&self, message: Arc<Event>) -> bool {
        self.push(message).is_ok()
    }

    fn take(&self) -> Option<Arc<Event>> {
        self.pop()
    }
}

pub type Channel = (Sender<Arc<Event>>, Receiver<Arc<Event>>);

impl Queue for Channel {
    fn new() -> Self {
        crossbeam_channel::bounded(CAPACITY)
    }

    fn offer(&self, message: Arc<Event>) -> bool {
        self.0.try_send(message).is_ok()
    }

    fn take(&self) -> Option<Arc<Event>> {
        self.1.try_recv().ok()
    }
}

/// What one writes without a library. The standard library's `notify_one` is a system call, also
/// when nobody waits.
pub struct Locked {
    messages: Mutex<VecDeque<Arc<Event>>>,
    has_messages: Condvar,
}

impl Queue for Locked {
    fn new() -> Self {
        let messages = Mutex::new(VecDeque::with_capacity(CAPACITY));
        Locked { messages, has_messages: Condvar::new() }
    }

    fn offer(&self, message: Arc<Event>) -> bool {
        let mut messages = self.messages.lock().expect("nobody panics");
        if messages.len() == CAPACITY {
            return false;
        }
        messages.push_back(message);
        drop(messages);
        self.has_messages.notify_one();
        true
    }

    fn take(&self) -> Option<Arc<Event>> {
        self.messages.lock().expect("nobody panics").pop_front()
    }
}

/// `tokio::sync::broadcast`: one ring for all. A slow reader loses the oldest messages.
pub struct Broadcast {
    sender: broadcast::Sender<Arc<Event>>,
    receivers: Vec<broadcast::Receiver<Arc<Event>>>,
    messages: Messages,
}

impl Broadcast {
    pub fn new(subscribers: usize, room: Room) -> Self {
        let (sender, _) = broadcast::channel(CAPACITY);
        Broadcast {
            receivers: (0..subscribers).map(|_| sender.subscribe()).collect(),
            sender,
            messages: Messages::new(room),
        }
    }
}

impl FanOut for Broadcast {
    fn publish(&mut self) {
        let sender = &self.sender;
        black_box(self.messages.with(|message| sender.send(message.clone()).is_ok()));
    }

    fn drain(&mut self, readers: usize) {
        for receiver in &mut self.receivers[..readers] {
            while let Ok(message) = receiver.try_recv() {
                black_box(message.0[0]);
            }
        }
    }
}
