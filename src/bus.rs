//! The bus: what its topics and subscriptions have in common, and its pool of workers.

use std::collections::HashMap;

use crate::clock::Clock;
use crate::current::Current;
use crate::dispatch::{self, Runner};
use crate::mailbox::{Place, SubscriptionId};
use crate::marks::{Mark, PAGE, Page};
use crate::panics::Panics;
use crate::pool::Pool;
use crate::ring::{Consumer, Message, Pop, Reader, Readers};
use crate::routing::Routing;
use crate::rt::RtPublisher;
use crate::settings::{Settings, StartError};
use crate::stamp::Stamp;
use crate::subscription::SubscriptionCore;
use crate::sync::{
    Acquire, Arc, ArcSwap, AtomicBool, AtomicU64, Mutex, MutexGuard, Relaxed, Release, SegQueue,
    Weak,
};
use crate::topic::{EntityId, Topic, TopicId, TopicShared};
use crate::types::Types;

/// An event bus. Cheap to clone; when the last handle is dropped, its subscriptions end, each with
/// its final message, and the workers stop.
#[derive(Clone, Debug)]
pub struct Bus {
    owner: Arc<Owner>,
}

impl Bus {
    /// A bus with these settings; its workers start at once, named `bus-0`, `bus-1`, …;
    /// what watches whether they get on is named `bus-watch`.
    ///
    /// # Errors
    /// [`StartError`] when threads or file descriptors cannot be had.
    pub fn new(settings: Settings) -> Result<Self, StartError> {
        let owner = Owner { core: Arc::new(Core::new(settings)?) };
        owner.core.start_pool()?;
        Ok(Bus { owner: Arc::new(owner) })
    }

    /// The topic of this name; made now if there is none.
    pub fn topic(&self, name: &str) -> Topic {
        let core = &self.owner.core;
        let mut control = core.control();
        if let Some(shared) = control.topics.get(name).and_then(Weak::upgrade) {
            return Topic::new(shared);
        }
        let id = TopicId(control.next_id());
        let routing = Current::new(&control.readers);
        let shared = Arc::new(TopicShared::new(core.clone(), id, name, routing));
        control.topics.insert(name.into(), Arc::downgrade(&shared));
        Topic::new(shared)
    }

    /// A publisher for one real-time thread, with a pool of `cells` messages. Twice the largest
    /// ring that it publishes to is a good size: a message occupies its cell until its last
    /// subscriber is done with it.
    pub fn rt_publisher(&self, cells: u32) -> RtPublisher {
        RtPublisher::new(self.owner.core.clone(), cells)
    }

    /// The bus's clock, for those who pass the time themselves.
    pub fn clock(&self) -> Clock {
        self.owner.core.clock
    }

    /// The time on the bus's clock.
    pub fn now(&self) -> Stamp {
        self.owner.core.clock.now()
    }

    pub(crate) fn core(&self) -> &Core {
        &self.owner.core
    }

    /// How often code of the user's has panicked on the bus's hands: a callback (which ends its
    /// subscription), a conflation key (its message then has none), or the `Drop` of a payload or of
    /// a callback (nothing else comes of it).
    pub fn panics(&self) -> u64 {
        self.owner.core.panics.caught()
    }
}

/// What the bus's handles share; its end is the bus's end.
#[derive(Debug)]
struct Owner {
    core: Arc<Core>,
}

impl Drop for Owner {
    fn drop(&mut self) {
        let members = {
            let mut control = self.core.control();
            control.over = true;
            control.members.iter().flatten().cloned().collect::<Vec<_>>()
        };
        members.iter().for_each(|member| member.core().unsubscribe());
        drop(members);
        // Release: who sees it also sees the marks for all those ends. Pairs with `is_over`.
        self.core.stopping.store(true, Release);
        self.core.wake_workers();
        self.core.pool.sleepers().wake_watcher();
        // The last handle may go inside a callback. Its own subscription ends only after it has
        // returned, so waiting here would be for ever: the threads then end by themselves.
        if !dispatch::is_worker_of(&self.core) && !dispatch::is_inline() {
            self.core.pool.join();
        }
    }
}

/// A subscription as the bus keeps it: what its mark leads to.
#[derive(Clone)]
pub(crate) enum Member {
    Callback(Arc<Runner>),
    Pull(Arc<SubscriptionCore>),
}

impl Member {
    pub(crate) fn core(&self) -> &SubscriptionCore {
        match self {
            Member::Callback(runner) => runner.core(),
            Member::Pull(core) => core,
        }
    }
}

/// What topics, subscriptions and workers share.
pub(crate) struct Core {
    clock: Clock,
    origin: EntityId,
    look_ms: u16,
    types: Types,
    /// Who is who: taken by the control side and by workers, never by a publish.
    control: Mutex<Control>,
    pages: ArcSwap<Vec<Arc<Page>>>,
    /// Callbacks that have something to deliver.
    ready: SegQueue<Arc<Runner>>,
    /// Subscriptions whose mark was taken off and whose gate is to be answered at.
    answers: SegQueue<Member>,
    pool: Pool,
    stopping: AtomicBool,
    /// Replaced routings wait for their last reader.
    has_old: AtomicBool,
    /// Real-time publishers there are: while there are none, nobody needs to look.
    rt_publishers: AtomicU64,
    /// What real-time publishers have taken out of rings; a worker drops it.
    morgues: Mutex<Vec<Consumer<Message>>>,
    morgue_count: AtomicU64,
    panics: Panics,
}

/// The books of the bus: who is who.
#[derive(Default)]
pub(crate) struct Control {
    topics: HashMap<Box<str>, Weak<TopicShared>>,
    members: Vec<Option<Member>>,
    /// Places in `members` that nobody has.
    vacant: Vec<usize>,
    /// Callbacks that have not seen their end.
    callbacks: usize,
    /// Who reads in real time, and what was replaced meanwhile.
    readers: Readers,
    last_id: u64,
    /// No more subscriptions.
    over: bool,
}

impl Control {
    /// A number that was never given out before.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Whether the bus has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Replaces a topic's routing by a changed copy; gives the one before.
    pub(crate) fn replace(
        &mut self,
        routing: &Current<Routing>,
        change: impl FnOnce(&mut Routing),
    ) -> Arc<Routing> {
        let changed = routing.load().changed(change);
        self.set_current(routing, Arc::new(changed))
    }

    /// Replaces what publishers read; gives the one before.
    pub(crate) fn set_current<T: Default + Send + Sync + 'static>(
        &mut self,
        current: &Current<T>,
        value: Arc<T>,
    ) -> Arc<T> {
        current.replace(value, &mut self.readers)
    }
}

impl Core {
    fn new(settings: Settings) -> Result<Self, StartError> {
        let control = Control::default();
        Ok(Core {
            pool: Pool::new(&settings)?,
            clock: Clock::start(),
            origin: settings.origin,
            look_ms: settings.look_ms.max(1),
            types: Types::new(&settings.declined, &control.readers),
            control: Mutex::new(control),
            pages: ArcSwap::default(),
            ready: SegQueue::new(),
            answers: SegQueue::new(),
            stopping: AtomicBool::new(false),
            has_old: AtomicBool::new(false),
            rt_publishers: AtomicU64::new(0),
            morgues: Mutex::default(),
            morgue_count: AtomicU64::new(0),
            panics: Panics::default(),
        })
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().expect("no code that can panic runs while it is held")
    }

    pub(crate) fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn types(&self) -> &Types {
        &self.types
    }

    pub(crate) fn origin(&self) -> EntityId {
        self.origin
    }

    pub(crate) fn forget_topic(&self, name: &str) {
        let mut control = self.control();
        // Another of the same name may have been made since the last handle went.
        if control.topics.get(name).is_some_and(|topic| topic.strong_count() == 0) {
            control.topics.remove(name);
        }
    }

    /// Gives a new subscription its name and its place.
    pub(crate) fn enroll(&self) -> Place {
        let mut control = self.control();
        let id = SubscriptionId(control.next_id());
        let place = control.vacant.pop().unwrap_or(control.members.len());
        if place == control.members.len() {
            control.members.push(None);
        }
        if place / PAGE == self.pages.load().len() {
            let mut pages = Vec::clone(&self.pages.load());
            pages.push(Arc::new(Page::new()));
            self.pages.store(Arc::new(pages));
        }
        let page = self.pages.load()[place / PAGE].clone();
        let panics = self.panics.clone();
        Place { id, place, mark: Mark::new(page, place % PAGE), panics }
    }

    /// Makes a subscription known to the workers.
    pub(crate) fn admit(&self, place: usize, member: Member) {
        let mut control = self.control();
        control.callbacks += usize::from(matches!(member, Member::Callback(_)));
        control.members[place] = Some(member);
    }

    /// Ends what `admit` began. The second time it does nothing.
    pub(crate) fn dismiss(&self, place: usize, id: SubscriptionId) {
        let mut control = self.control();
        let is_it =
            control.members[place].as_ref().is_some_and(|member| member.core().mailbox().id == id);
        if is_it {
            let member = control.members[place].take();
            control.callbacks -= usize::from(matches!(member, Some(Member::Callback(_))));
            control.vacant.push(place);
            drop(control); // before the member, whose end may need the lock
        }
    }

    /// The topic of this name, if there is one.
    pub(crate) fn find_topic(&self, name: &str) -> Option<Topic> {
        self.control().topics.get(name).and_then(Weak::upgrade).map(Topic::new)
    }

    /// All topics and subscriptions.
    pub(crate) fn everybody(&self) -> (Vec<Arc<TopicShared>>, Vec<Member>) {
        let control = self.control();
        let topics = control.topics.values().filter_map(Weak::upgrade).collect();
        (topics, control.members.iter().flatten().cloned().collect())
    }

    pub(crate) fn member(&self, place: usize) -> Option<Member> {
        self.control().members.get(place)?.clone()
    }

    pub(crate) fn pages(&self) -> arc_swap::Guard<Arc<Vec<Arc<Page>>>> {
        self.pages.load()
    }

    /// Changes what publishers read, one thread at a time; then drops what was replaced and nobody
    /// reads any more.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut Control) -> R) -> R {
        let mut control = self.control();
        let result = change(&mut control);
        let unread = control.readers.unread();
        self.has_old.store(control.readers.has_old(), Relaxed);
        drop(control);
        self.panics.bury_all(unread);
        result
    }

    /// Drops what was still read when it was replaced.
    pub(crate) fn sweep(&self) {
        if self.has_old.load(Relaxed) {
            self.change(|_| ());
        }
    }

    /// Queues a callback that has something to deliver.
    pub(crate) fn queue(&self, runner: Arc<Runner>) {
        self.ready.push(runner);
    }

    pub(crate) fn next_runner(&self) -> Option<Arc<Runner>> {
        self.ready.pop()
    }

    /// Queues a subscription whose gate is to be answered at.
    pub(crate) fn queue_answer(&self, member: Member) {
        self.answers.push(member);
    }

    pub(crate) fn next_answer(&self) -> Option<Member> {
        self.answers.pop()
    }

    pub(crate) fn has_queued(&self) -> bool {
        !self.answers.is_empty() || !self.ready.is_empty()
    }

    /// Whether there is something for a worker to do.
    pub(crate) fn has_work(&self) -> bool {
        self.has_queued() || self.pages.load().iter().any(|page| page.is_marked())
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn wake_worker(&self) {
        self.pool.sleepers().wake_one();
    }

    fn wake_workers(&self) {
        self.pool.sleepers().wake_all();
    }

    /// Whether the bus has ended and everybody has been told: every callback has seen its final
    /// message, and no mark is left.
    pub(crate) fn is_over(&self) -> bool {
        // Acquire: pairs with the end of `Owner`.
        self.stopping.load(Acquire) && self.control().callbacks == 0 && !self.has_work()
    }

    /// After how many milliseconds a sleeping worker is to look by itself.
    pub(crate) fn longest_sleep(&self) -> u16 {
        let look = self.rt_publishers.load(Relaxed) > 0 || self.stopping.load(Relaxed);
        if look { self.look_ms } else { 1_000 }
    }

    pub(crate) fn panics(&self) -> &Panics {
        &self.panics
    }

    /// Keeps `dead`, what a real-time publisher lets go of, and looks there from now on; gives it
    /// what it reads routings with.
    pub(crate) fn rt_publisher_came(&self, dead: Consumer<Message>) -> Reader {
        let mut morgues = self.morgues();
        morgues.push(dead);
        self.morgue_count.store(morgues.len() as u64, Relaxed);
        drop(morgues);
        self.rt_publishers.fetch_add(1, Relaxed);
        self.wake_workers(); // they sleep for longer while there is none
        self.control().readers.admit()
    }

    pub(crate) fn rt_publisher_left(&self) {
        self.rt_publishers.fetch_sub(1, Relaxed);
    }

    fn morgues(&self) -> MutexGuard<'_, Vec<Consumer<Message>>> {
        self.morgues.lock().expect("nothing that can panic runs while it is held")
    }

    /// Whether real-time publishers have let go of something.
    pub(crate) fn has_dead(&self) -> bool {
        self.morgue_count.load(Relaxed) > 0 && self.morgues().iter().any(Consumer::has_news)
    }

    /// Drops what real-time publishers have let go of.
    pub(crate) fn bury(&self) {
        if self.morgue_count.load(Relaxed) == 0 {
            return;
        }
        let mut dead = Vec::new();
        let mut morgues = self.morgues();
        morgues.retain_mut(|morgue| {
            loop {
                match morgue.pop() {
                    Pop::Value(message) => dead.push(message),
                    Pop::Lagged(_) => {}
                    Pop::Empty => return true,
                    Pop::Closed => return false,
                }
            }
        });
        self.morgue_count.store(morgues.len() as u64, Relaxed);
        drop(morgues);
        self.panics.bury_all(dead); // without the lock: payloads of the user's may end here
    }
}

impl std::fmt::Debug for Core {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Core").field("origin", &self.origin).finish_non_exhaustive()
    }
}
