//! The exchange: the one owner of all channels, bridges and applications.
//!
//! It is a value without a thread, a clock or a socket. Somebody calls one of its methods, or says that
//! something has happened on a line or that time has passed; it changes what it owns, publishes what has
//! changed, and leaves orders for the media engine to be [taken](Exchange::take_order). Nothing here waits, so
//! nothing holds up anything: what takes time (a call that rings, a sound that is played) is a state, and
//! what comes of it arrives as an event.
//!
//! What one thing brings about is done one after the other, from a queue ([`settle`](Exchange::settle)): what a
//! technology signals, what the dialplan does next, the end of a channel. So there is no recursion, and what
//! is published of one object is in the order in which it has happened.
//!
//! The parts: `channels` (made, changed, ended), `commands` (what is asked of one), `originate` and `calls`
//! (dialing), `bridges`, `transfers`, `interests` and `stays` (applications), `steps` (the dialplan), `operations`
//! (what is played, recorded and sent), `values` (variables and functions), `devices`.

mod bridges;
mod calls;
mod channels;
mod commands;
mod devices;
mod interests;
mod operations;
mod originate;
mod stays;
mod steps;
mod transfers;
mod values;

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Duration;

use slotmap::SlotMap;
use stasis_bus::{Bus, BusEnded, Stamp, Topic};

pub use bridges::{AddOptions, NewBridge};
pub use interests::Registration;
pub use operations::{DigitsHow, PlayHow, PlaybackOperation};
pub use originate::{Created, ExternalMedia, NewCall, NewSnoop, Originate};
pub use stays::Claim;

use crate::apps::{AppKey, Apps};
use crate::bridge::{Bridge, BridgeKey};
use crate::channel::{Channel, ChannelKey};
use crate::dialing::{Call, CallKey};
use crate::dialplan::Dialplan;
use crate::id::{BridgeId, ChannelId, IdMaker, PlaybackId};
use crate::media::{Line, MediaEvent, MediaOrder, Mix, Play, Record, RtpFigures};
use crate::refusal::Refusal;
use crate::tech::{
    Context, Echo, Instruction, Local, Numbers, Owned, PhoneSettings, Phones, Rtp, Signal, Snoop,
    Technology,
};
use crate::time::{Epoch, Timestamp};
use crate::timers::{Timer, Timers};
use crate::topics::{State, Topics};
use devices::{Devices, Endpoints};
use operations::{PlaybackRecord, RecordingRecord};

/// How an exchange is made.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What ids of channels begin with; none: nothing.
    pub system_name: Option<String>,
    /// Variables that are told of with each channel that has them.
    pub channel_variables: Vec<String>,
    /// The language of channels that have no other.
    pub language: String,
    /// Simulated phones, by name.
    pub phones: BTreeMap<String, PhoneSettings>,
    /// How long somebody rings whom nobody has said how long.
    pub ring_time: Duration,
    /// How long the dialplan waits for sound after it has answered a call.
    pub answer_wait: Duration,
    /// Steps of the dialplan that may follow one upon the other before others have their turn.
    pub most_steps: u32,
    /// Where random ids begin.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            system_name: None,
            channel_variables: Vec::new(),
            language: "en".into(),
            phones: BTreeMap::new(),
            ring_time: Duration::from_secs(30),
            answer_wait: Duration::from_millis(500),
            most_steps: 256,
            seed: 0,
        }
    }
}

/// What is to be done next.
enum Work {
    /// A technology has said this of a channel.
    Signal(ChannelKey, Signal),
    /// The dialplan of a channel goes on, if it still waits for this number.
    Step(ChannelKey, u64),
    /// A channel is at its end.
    End(ChannelKey),
    /// A bridge that was made for a call may be over.
    Dissolve(BridgeKey),
    /// Whether a pair of channels may be left out.
    LeaveOut(ChannelKey),
    /// Whether a channel that has left a bridge still has anybody who sees to it.
    Alone(ChannelKey),
}

/// Whose a line is, or what is played there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// A channel's.
    Channel(ChannelKey),
    /// That of the technology behind a channel.
    Technology(ChannelKey),
}

/// The one owner of all channels, bridges and applications.
pub struct Exchange {
    settings: Settings,
    now: Stamp,
    epoch: Epoch,
    ids: IdMaker,
    topics: Topics,
    channels: SlotMap<ChannelKey, Channel>,
    channel_ids: HashMap<ChannelId, ChannelKey>,
    bridges: SlotMap<BridgeKey, Bridge>,
    bridge_ids: HashMap<BridgeId, BridgeKey>,
    apps: Apps,
    calls: SlotMap<CallKey, Call>,
    endpoints: Endpoints,
    devices: Devices,
    playbacks: HashMap<u64, PlaybackRecord>,
    playback_ids: HashMap<PlaybackId, Vec<u64>>,
    recordings: HashMap<Record, RecordingRecord>,
    recording_names: HashMap<String, Record>,
    /// Whose a line is, and what is played.
    lines: HashMap<Line, Owner>,
    technology_plays: HashMap<Play, ChannelKey>,
    channel_plays: HashMap<Play, u64>,
    figures: HashMap<Line, RtpFigures>,
    technologies: Vec<Option<Box<dyn Technology>>>,
    technology_names: HashMap<&'static str, usize>,
    dialplan: Dialplan,
    globals: BTreeMap<String, String>,
    numbers: Numbers,
    timers: Timers,
    orders: VecDeque<MediaOrder>,
    work: VecDeque<Work>,
}

impl Exchange {
    /// An exchange without calls. `epoch` says what time of day it was when the bus's clock showed zero.
    ///
    /// # Errors
    /// [`BusEnded`] when the bus is gone.
    pub fn new(
        bus: &Bus,
        settings: Settings,
        dialplan: Dialplan,
        epoch: Epoch,
    ) -> Result<Self, BusEnded> {
        let ids = IdMaker::new(settings.seed, settings.system_name.as_deref());
        let phones = Phones::new(settings.phones.clone());
        let own = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let globals = dialplan.globals().map(own).collect();
        let mut exchange = Exchange {
            settings,
            now: Stamp::ZERO,
            epoch,
            ids,
            topics: Topics::new(bus)?,
            channels: SlotMap::with_key(),
            channel_ids: HashMap::new(),
            bridges: SlotMap::with_key(),
            bridge_ids: HashMap::new(),
            apps: Apps::default(),
            calls: SlotMap::with_key(),
            endpoints: Endpoints::default(),
            devices: Devices::default(),
            playbacks: HashMap::new(),
            playback_ids: HashMap::new(),
            recordings: HashMap::new(),
            recording_names: HashMap::new(),
            lines: HashMap::new(),
            technology_plays: HashMap::new(),
            channel_plays: HashMap::new(),
            figures: HashMap::new(),
            technologies: Vec::new(),
            technology_names: HashMap::new(),
            globals,
            dialplan,
            numbers: Numbers::default(),
            timers: Timers::default(),
            orders: VecDeque::new(),
            work: VecDeque::new(),
        };
        let own: [Box<dyn Technology>; 5] = [
            Box::<Local>::default(),
            Box::<Rtp>::default(),
            Box::<Echo>::default(),
            Box::new(phones),
            Box::<Snoop>::default(),
        ];
        own.into_iter().for_each(|technology| exchange.add_technology(technology));
        Ok(exchange)
    }

    /// One more technology that can be dialed. One of a name that is there takes its place for new calls.
    pub fn add_technology(&mut self, technology: Box<dyn Technology>) {
        let number = self.technologies.len();
        for name in technology.names() {
            self.technology_names.insert(name, number);
        }
        let endpoints = technology.endpoints();
        self.technologies.push(Some(technology));
        self.add_endpoints(endpoints);
    }

    /// What there is, for those who only look.
    pub fn state(&self) -> State {
        self.topics.state().clone()
    }

    /// The bus that it publishes to.
    pub fn bus(&self) -> &Bus {
        &self.topics.bus
    }

    /// The dialplan.
    pub fn dialplan(&self) -> &Dialplan {
        &self.dialplan
    }

    /// Another dialplan, for what calls do from here on. What was added for applications is added again.
    pub fn set_dialplan(&mut self, dialplan: Dialplan) {
        self.dialplan = dialplan;
        let keys: Vec<_> = self.apps.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.apps.get_mut(key).into_iter().for_each(|app| app.has_context = false);
            self.add_context_of(key);
        }
    }

    /// It is this time: timers that are due go off. To be called before anything else at a time.
    pub fn advance(&mut self, now: Stamp) {
        self.now = self.now.max(now);
        while let Some(timer) = self.timers.take(self.now) {
            match timer {
                Timer::Step(channel, number) => self.work.push_back(Work::Step(channel, number)),
                Timer::Call(call) => self.nobody_answers(call),
                Timer::Digits(channel, number) => self.send_next_digit(channel, number),
                Timer::Technology(channel, number) => {
                    self.with_technology_of(channel, |technology, context| {
                        technology.timer(channel, number, context);
                    });
                }
            }
            self.settle();
        }
    }

    /// When [`advance`](Self::advance) is to be called next, if nothing happens before.
    pub fn next_deadline(&self) -> Option<Stamp> {
        self.timers.next()
    }

    /// The next order for the media engine.
    pub fn take_order(&mut self) -> Option<MediaOrder> {
        self.orders.pop_front()
    }

    /// Something has happened in the media engine.
    pub fn media_event(&mut self, event: MediaEvent) {
        self.take_media_event(event);
        self.settle();
    }

    /// A technology whose sockets are elsewhere has something to say of a channel.
    pub fn signal(&mut self, channel: ChannelKey, signal: Signal) {
        self.work.push_back(Work::Signal(channel, signal));
        self.settle();
    }

    /// How many channels, bridges, calls, timers, playbacks, recordings and lines there are: all zero when
    /// nothing goes on.
    pub fn census(&self) -> Census {
        Census {
            channels: self.channels.len(),
            bridges: self.bridges.len(),
            applications: self.apps.iter().count(),
            calls: self.calls.len(),
            timers: self.timers.len(),
            playbacks: self.playbacks.len() + self.channel_plays.len(),
            recordings: self.recordings.len(),
            lines: self.lines.len(),
        }
    }

    fn time(&self) -> Timestamp {
        self.epoch.time(self.now)
    }

    /// Does what is to be done, until there is nothing left.
    fn settle(&mut self) {
        while let Some(work) = self.work.pop_front() {
            match work {
                Work::Signal(channel, signal) => self.take_signal(channel, signal),
                Work::Step(channel, number) => self.step(channel, number),
                Work::End(channel) => self.end(channel),
                Work::Dissolve(bridge) => self.dissolve(bridge),
                Work::LeaveOut(channel) => self.leave_out(channel),
                Work::Alone(channel) => self.look_after(channel),
            }
        }
    }

    /// Tells the technology behind a channel what to do.
    fn instruct(&mut self, channel: ChannelKey, what: Instruction<'_>) {
        self.with_technology_of(channel, |technology, context| {
            technology.instruct(channel, what, context);
        });
    }

    fn with_technology_of(
        &mut self,
        channel: ChannelKey,
        work: impl FnOnce(&mut dyn Technology, &mut Context<'_>),
    ) {
        if let Some(number) = self.channels.get(channel).map(|channel| channel.technology) {
            self.with_technology(number, work);
        }
    }

    /// Has a technology work, and queues what it signals.
    fn with_technology<R>(
        &mut self,
        number: usize,
        work: impl FnOnce(&mut dyn Technology, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let mut technology = self.technologies.get_mut(number)?.take()?;
        let ordered = self.orders.len();
        let (mut signals, mut owned) = (VecDeque::new(), VecDeque::new());
        let mut context = Context {
            now: self.now,
            numbers: &mut self.numbers,
            orders: &mut self.orders,
            signals: &mut signals,
            timers: &mut self.timers,
            owned: &mut owned,
        };
        let result = work(technology.as_mut(), &mut context);
        self.technologies[number] = Some(technology);
        for order in self.orders.range(ordered..) {
            if let MediaOrder::CloseLine(line) = order {
                self.lines.remove(line);
                self.figures.remove(line);
            }
        }
        for (what, channel) in owned {
            match what {
                Owned::Line(line) => {
                    self.lines.insert(line, Owner::Technology(channel));
                }
                Owned::Play(play) => {
                    self.technology_plays.insert(play, channel);
                }
            }
        }
        let signals = signals.into_iter().map(|(channel, signal)| Work::Signal(channel, signal));
        self.work.extend(signals);
        Some(result)
    }

    /// An order for the media engine.
    fn order(&mut self, order: MediaOrder) {
        self.orders.push_back(order);
    }

    /// Publishes a message on an object's topic, and on that of each application that has asked for it.
    fn tell<M: Any + Send + Sync + Clone>(
        &self,
        topic: &Topic,
        apps: &BTreeSet<AppKey>,
        message: &M,
    ) {
        // First where snapshots are kept: an application that was told of it asks, and must not be told what
        // was before.
        topic.publish_with(|| message.clone());
        self.tell_apps(apps, message);
    }

    fn tell_apps<M: Any + Send + Sync + Clone>(&self, apps: &BTreeSet<AppKey>, message: &M) {
        for app in apps.iter().filter_map(|key| self.apps.get(*key)) {
            app.topic.publish_with(|| message.clone());
        }
    }

    fn find_channel(&self, id: &str) -> Result<ChannelKey, Refusal> {
        let key = self.channel_ids.get(id).copied();
        key.ok_or_else(|| Refusal::NoChannel(id.into()))
    }

    fn find_bridge(&self, id: &str) -> Result<BridgeKey, Refusal> {
        self.bridge_ids.get(id).copied().ok_or_else(|| Refusal::NoBridge(id.into()))
    }

    fn next_mix(&mut self) -> Mix {
        Mix(self.numbers.next())
    }
}

/// How many of what there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Channels.
    pub channels: usize,
    /// Bridges.
    pub bridges: usize,
    /// Applications.
    pub applications: usize,
    /// Calls that were not answered yet, or whose parties are still together.
    pub calls: usize,
    /// Timers.
    pub timers: usize,
    /// Playbacks.
    pub playbacks: usize,
    /// Recordings.
    pub recordings: usize,
    /// Lines.
    pub lines: usize,
}

/// Shared by the parts: a set of applications in one.
fn union(one: &BTreeSet<AppKey>, others: impl IntoIterator<Item = AppKey>) -> BTreeSet<AppKey> {
    let mut all = one.clone();
    all.extend(others);
    all
}
