//! The thread `control`: an exchange with its driver, on the real clock.
//!
//! It waits for one thing, its subscription to what the media engine tells. Whoever wants something done
//! leaves it in a queue and wakes it by a message there; when nothing comes, it wakes for the next timer.
//! What is to be done is done at once and in order; nothing that it does waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crossbeam_queue::SegQueue;
use stasis_bus::{Bus, Clock, PullSubscription, Topic, TryRecvError};

use super::driver::{Driver, Wake};
use crate::exchange::Exchange;
use crate::topics::State;

/// How long it sleeps at most.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);
/// How long it waits for room in the engine.
const ROOM_PAUSE: Duration = Duration::from_millis(5);
/// Messages that are taken in before others have their turn.
const MOST_AT_ONCE: usize = 256;

/// Something to be done with the exchange.
type Job = Box<dyn FnOnce(&mut Exchange) + Send>;

/// The thread could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The bus is gone: start another.
    #[error(transparent)]
    Bus(#[from] stasis_bus::BusEnded),
    /// The operating system has no thread for it: raise the limits.
    #[error("no thread for the call model: {0}; raise the process's limits")]
    Thread(#[from] std::io::Error),
}

/// The thread has ended: nothing is done any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the call model has ended")]
pub struct ControlEnded;

struct Shared {
    jobs: SegQueue<Job>,
    /// Whether it was woken, and has not looked yet.
    is_woken: AtomicBool,
    is_stopping: AtomicBool,
    /// Nothing is done any more.
    is_over: AtomicBool,
    topic: Topic,
    state: State,
}

impl Shared {
    /// What was asked for is not done any more; whoever waits for it is told by this.
    fn drop_jobs(&self) {
        while self.jobs.pop().is_some() {}
    }
}

/// A thread with an exchange. Dropping it ends it.
pub struct Control {
    handle: ControlHandle,
    thread: Option<JoinHandle<()>>,
}

/// Has an exchange on its thread do things. Cheap to clone.
#[derive(Clone)]
pub struct ControlHandle {
    shared: Arc<Shared>,
}

impl Control {
    /// Starts the thread, with an exchange and what carries its orders out.
    ///
    /// # Errors
    /// [`StartError`] when the bus is gone, or there is no thread for it.
    pub fn start(bus: &Bus, exchange: Exchange, driver: Driver) -> Result<Self, StartError> {
        let events = driver.subscribe()?;
        let shared = Arc::new(Shared {
            jobs: SegQueue::new(),
            is_woken: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            topic: driver.topic().clone(),
            state: exchange.state(),
        });
        let worker =
            Worker { clock: bus.clock(), exchange, driver, events, shared: shared.clone() };
        let thread = thread::Builder::new().name("control".into()).spawn(move || worker.run())?;
        Ok(Control { handle: ControlHandle { shared }, thread: Some(thread) })
    }

    /// By which it is told what to do.
    pub fn handle(&self) -> &ControlHandle {
        &self.handle
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        self.handle.shared.is_stopping.store(true, Ordering::Release); // pairs with `Worker::run`
        self.handle.wake();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl ControlHandle {
    /// What there is, for those who only look. Takes no lock, and waits for nobody.
    pub fn state(&self) -> &State {
        &self.shared.state
    }

    /// Has something done, after all that others have asked for before. Does not wait for it.
    pub fn submit(&self, job: impl FnOnce(&mut Exchange) + Send + 'static) {
        self.shared.jobs.push(Box::new(job));
        self.wake();
        // Pairs with the fence at the end of `Worker::run`: either that sees what was pushed, or this sees
        // that it has ended.
        fence(Ordering::SeqCst);
        if self.shared.is_over.load(Ordering::Relaxed) {
            self.shared.drop_jobs();
        }
    }

    /// Has something done, and waits for what comes of it.
    ///
    /// # Errors
    /// [`ControlEnded`].
    pub fn call<R: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Exchange) -> R + Send + 'static,
    ) -> Result<R, ControlEnded> {
        let (reply, outcome) = mpsc::sync_channel(1);
        self.submit(move |exchange| {
            let _ = reply.send(job(exchange)); // who has asked may be gone
        });
        outcome.recv().map_err(|_| ControlEnded)
    }

    fn wake(&self) {
        // AcqRel: pairs with the swap in `Worker::work`: either that sees what was pushed, or this wakes it.
        if !self.shared.is_woken.swap(true, Ordering::AcqRel) {
            self.shared.topic.publish(Wake);
        }
    }
}

struct Worker {
    clock: Clock,
    exchange: Exchange,
    driver: Driver,
    events: PullSubscription,
    shared: Arc<Shared>,
}

impl Worker {
    fn run(mut self) {
        while !self.shared.is_stopping.load(Ordering::Acquire) {
            let now = self.clock.now();
            self.exchange.advance(now);
            self.driver.serve(&mut self.exchange);
            let deadline = self.exchange.next_deadline();
            let longest = if self.driver.is_waiting() { ROOM_PAUSE } else { LONGEST_SLEEP };
            let sleep = deadline.map_or(longest, |at| at.since(now)).min(longest);
            match self.events.recv_timeout(sleep) {
                Ok(delivery) => {
                    self.exchange.advance(self.clock.now());
                    self.driver.hand_over(&delivery, &mut self.exchange);
                    for _ in 0..MOST_AT_ONCE {
                        match self.events.try_recv() {
                            Ok(delivery) => self.driver.hand_over(&delivery, &mut self.exchange),
                            Err(_) => break,
                        }
                    }
                }
                Err(TryRecvError::Empty) => {}
                Err(_) => break,
            }
            self.work();
        }
        self.shared.is_over.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst); // pairs with that in `ControlHandle::submit`
        self.shared.drop_jobs();
    }

    /// Does what others have asked for.
    fn work(&mut self) {
        self.shared.is_woken.swap(false, Ordering::AcqRel); // pairs with `ControlHandle::wake`
        while let Some(job) = self.shared.jobs.pop() {
            self.exchange.advance(self.clock.now());
            job(&mut self.exchange);
            self.driver.serve(&mut self.exchange);
        }
    }
}
