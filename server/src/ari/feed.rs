//! The feed: the thread `ari` writes each event once and puts it into the outbox of each client that is told.
//!
//! It has one subscription, to all that applications are told (`application:all`). Who listens to an
//! application is told there, too ([`Listening`], published by the exchange while it registers them), so it is
//! in order with everything else: what happens before goes to who has listened before. The call model tells
//! each application of the same thing one after the other; it is written for the first, and for the others only
//! their name is put behind it.
//!
//! When events get numbers, and are kept for clients that come back, it is done here, in
//! `Listener::tell`.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stasis_bus::{
    Bus, BusEnded, Delivery, Message, Overflow, PullSubscription, Topic, TryRecvError,
};
use stasis_control::application::EventFilter;
use stasis_control::bridge::BridgeUpdate;
use stasis_control::channel::ChannelUpdate;
use stasis_control::id::AppName;
use stasis_control::message::{
    ApplicationEvent, ApplicationHappening, ApplicationUpdate, BridgeEvent, BridgeHappening,
    ChannelEvent, Dial, VariableSet,
};
use stasis_control::time::Epoch;

use super::event::{Encoded, Event};
use super::outbox::Outbox;

/// Somebody listens to an application from here on. Published on the application's topic.
#[derive(Clone, Debug)]
pub struct Listening {
    /// To which.
    pub application: AppName,
    /// Where its events go.
    pub outbox: Arc<Outbox>,
    /// What it wants to be told of.
    pub filter: Arc<EventFilter>,
}

/// Messages that may wait for the thread.
const MOST_WAITING: usize = 1 << 20;
/// How long the thread sleeps at most, to see whether it is to end.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// So many messages at once are much.
const MUCH: usize = 16;
/// How long it lets messages come together.
const PAUSE: Duration = Duration::from_micros(500);

/// The thread. Dropping it ends it, when all that was published before is written.
pub struct Feed {
    topic: Topic,
    thread: Option<JoinHandle<()>>,
}

/// Published to end the thread.
struct End;

/// The thread could not be started.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The bus is gone.
    #[error(transparent)]
    Bus(#[from] BusEnded),
    /// The operating system has no thread for it.
    #[error("no thread for events: {0}; raise the process's limits")]
    Thread(#[from] std::io::Error),
}

impl Feed {
    /// Starts the thread. `id` is that of the server, which events tell.
    ///
    /// # Errors
    /// [`FeedError`].
    pub fn start(bus: &Bus, epoch: Epoch, id: &str) -> Result<Self, FeedError> {
        let topic = bus.topic("application:all");
        let overflow = Overflow::Spill { limit: MOST_WAITING };
        let events = topic.subscribe().capacity(4096).overflow(overflow).pull()?;
        let writer = Writer { epoch, id: id.into(), last: None, listeners: HashMap::new() };
        let thread = thread::Builder::new().name("ari".into());
        let thread = thread.spawn(move || writer.run(events))?;
        Ok(Feed { topic, thread: Some(thread) })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.topic.publish(End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Who listens to an application.
struct Listener {
    name: AppName,
    outbox: Arc<Outbox>,
    filter: Arc<EventFilter>,
}

impl Listener {
    fn tell(&self, event: &Encoded) {
        if self.filter.allows(event.name()) {
            match self.outbox.push(event.for_application(&self.name).into()) {
                true => metrics::counter!("stasis_ari_events_total").increment(1),
                false => metrics::counter!("stasis_ari_events_missed_total").increment(1),
            }
        }
    }
}

struct Writer {
    epoch: Epoch,
    id: Box<str>,
    /// What was written last.
    last: Option<(Message, Vec<Encoded>)>,
    listeners: HashMap<AppName, Listener>,
}

impl Writer {
    fn run(mut self, mut events: PullSubscription) {
        loop {
            match events.recv_timeout(LONGEST_SLEEP) {
                Ok(delivery) => {
                    if !self.take_all(delivery, &mut events) {
                        return;
                    }
                }
                Err(TryRecvError::Empty) => {}
                Err(_) => return,
            }
        }
    }

    /// Takes what is there; `false`: it was the end. When that was much, it lets more come together for a
    /// moment: to be woken for each message costs the call model more than the message.
    fn take_all(&mut self, first: Delivery, events: &mut PullSubscription) -> bool {
        let (mut next, mut taken) = (Some(first), 0);
        while let Some(delivery) = next {
            match delivery {
                Delivery::Message(message) if message.is::<End>() => return false,
                Delivery::Message(message) => self.take(&message),
                Delivery::Lagged(lost) => self.lost(lost),
            }
            taken += 1;
            next = events.try_recv().ok();
        }
        if taken >= MUCH {
            thread::sleep(PAUSE);
        }
        true
    }

    fn take(&mut self, message: &Message) {
        if let Some(update) = message.downcast_ref::<ApplicationUpdate>() {
            return self.application(update);
        }
        if let Some(Listening { application, outbox, filter }) = message.downcast_ref() {
            let (name, outbox, filter) = (application.clone(), outbox.clone(), filter.clone());
            self.listeners.insert(name.clone(), Listener { name, outbox, filter });
            return;
        }
        let application = application_of(message.topic().name());
        let Some(listener) = self.listeners.get(application) else { return };
        if listener.outbox.is_closed() {
            self.listeners.remove(application);
            return;
        }
        if is_for_nobody(message) {
            return;
        }
        let is_written = self.last.as_ref().is_some_and(|(last, _)| is_alike(last, message));
        if !is_written {
            let (events, at) = Event::of(message, self.epoch.time(message.stamp()));
            let encode = |event: &Event<'_>| Encoded::new(event, at, &self.id).ok();
            let encoded = events.iter().filter_map(encode).collect();
            self.last = Some((message.clone(), encoded));
        }
        for event in self.last.iter().flat_map(|(_, encoded)| encoded) {
            listener.tell(event);
        }
    }

    /// What an application wants to be told of has changed, or it is gone.
    fn application(&mut self, update: &ApplicationUpdate) {
        if update.is_gone {
            self.listeners.remove(&update.new.name);
        } else if let Some(listener) = self.listeners.get_mut(&update.new.name) {
            listener.filter = update.new.filter.clone();
        }
    }

    /// Events are lost, nobody knows whose: all that listen begin anew.
    fn lost(&mut self, lost: u64) {
        tracing::error!(lost, "events were lost: clients are disconnected");
        metrics::counter!("stasis_ari_feed_lost_total").increment(lost);
        for (_, listener) in self.listeners.drain() {
            listener.outbox.lose(lost);
        }
    }
}

/// Whose topic it is.
fn application_of(topic: &str) -> &str {
    let name = topic.split_once(':').map_or(topic, |(_, name)| name);
    name.trim_end_matches('\0') // of one that is called `all`
}

/// Who connects knows that somebody listens now: only those that are connected to would be told.
fn is_for_nobody(message: &Message) -> bool {
    message.downcast_ref::<ApplicationEvent>().is_some_and(|event| {
        matches!(event.event, ApplicationHappening::Registered | ApplicationHappening::Unregistered)
    })
}

/// Whether two messages are written in the same way: they are the same thing, told to two applications.
fn is_alike(one: &Message, other: &Message) -> bool {
    macro_rules! alike {
        ($($type:ty: $is_alike:expr),* $(,)?) => {
            $(if let (Some(one), Some(other)) =
                (one.downcast_ref::<$type>(), other.downcast_ref::<$type>())
            {
                let is_alike: fn(&$type, &$type) -> bool = $is_alike;
                return is_alike(one, other);
            })*
        };
    }
    alike! {
        ChannelUpdate: |one, other| {
            one.at == other.at && one.is_gone == other.is_gone && Arc::ptr_eq(&one.new, &other.new)
                && one.old.as_ref().map(Arc::as_ptr) == other.old.as_ref().map(Arc::as_ptr)
        },
        ChannelEvent: |one, other| {
            one.at == other.at && Arc::ptr_eq(&one.channel, &other.channel)
                && one.event == other.event
        },
        VariableSet: |one, other| {
            one.at == other.at && one.variable == other.variable && one.value == other.value
                && one.channel.as_ref().map(Arc::as_ptr) == other.channel.as_ref().map(Arc::as_ptr)
        },
        Dial: |one, other| {
            one.at == other.at && one.status == other.status && one.dialstring == other.dialstring
                && Arc::ptr_eq(&one.peer, &other.peer)
                && one.caller.as_ref().map(Arc::as_ptr) == other.caller.as_ref().map(Arc::as_ptr)
        },
        BridgeUpdate: |one, other| {
            one.at == other.at && one.is_gone == other.is_gone && Arc::ptr_eq(&one.new, &other.new)
                && one.old.is_some() == other.old.is_some()
        },
        BridgeEvent: |one, other| {
            one.at == other.at && Arc::ptr_eq(&one.bridge, &other.bridge)
                && is_alike_in_bridge(&one.event, &other.event)
        },
    }
    false
}

fn is_alike_in_bridge(one: &BridgeHappening, other: &BridgeHappening) -> bool {
    use BridgeHappening::{Entered, Left};
    match (one, other) {
        (Entered { channel: one }, Entered { channel: other })
        | (Left { channel: one }, Left { channel: other }) => Arc::ptr_eq(one, other),
        _ => false,
    }
}
