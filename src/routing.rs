//! Routing: who gets what is published to a topic, directly and through forwards.
//!
//! A topic's routing is immutable and replaced as a whole (`current`). A publish needs all routings
//! that it can reach at once: it counts who accepts before it hands out. It collects them by
//! recursion, one stack frame a topic, so that forwards cost no memory but the stack's, on a
//! real-time thread too. `forward` sees to it that they are not too many.

use std::any::TypeId;
use std::collections::HashMap;

use crate::current::Reading;
use crate::filter::{ByTypeId, Filter};
use crate::gate::Gate;
use crate::mailbox::{Mailbox, SubscriptionId};
use crate::means::Means;
use crate::ring::{Message, Producer, Shares};
use crate::sync::Arc;
use crate::topic::TopicShared;

/// Who is subscribed to a topic and which topics it forwards to, at one time.
#[derive(Default)]
pub(crate) struct Routing {
    entries: Vec<Entry>,
    /// What each entry accepts.
    filters: Vec<Filter>,
    pub(crate) forwards: Vec<ForwardEntry>,
    accepting: Accepting,
}

/// Which entries accept which type: asked once a publish, worked out once a change.
#[derive(Default)]
struct Accepting {
    /// For each type that a filter names.
    named: HashMap<TypeId, Vec<u32>, ByTypeId>,
    /// For every other type.
    others: Vec<u32>,
}

/// A subscription in a routing.
#[derive(Clone)]
pub(crate) struct Entry {
    producer: Producer<Message>,
    /// Whether ordinary publishers run its callback themselves.
    is_inline: bool,
    mailbox: Arc<Mailbox>,
}

impl Entry {
    fn new(mailbox: Arc<Mailbox>) -> Self {
        Entry { producer: mailbox.producer.clone(), is_inline: mailbox.is_inline(), mailbox }
    }
}

impl Accepting {
    fn of(filters: &[Filter]) -> Self {
        let mut accepting = Accepting::default();
        for (entry, filter) in filters.iter().enumerate() {
            let (entry, others) = (entry as u32, &mut accepting.others);
            match filter.types() {
                None => {
                    accepting.named.values_mut().for_each(|entries| entries.push(entry));
                    others.push(entry);
                }
                Some(types) => {
                    for &id in types {
                        let entries = accepting.named.entry(id).or_insert_with(|| others.clone());
                        entries.push(entry);
                    }
                }
            }
        }
        accepting
    }

    #[inline]
    fn of_type(&self, id: TypeId) -> &[u32] {
        self.named.get(&id).unwrap_or(&self.others)
    }
}

/// A forward in a routing.
#[derive(Clone)]
pub(crate) struct ForwardEntry {
    pub(crate) id: u64,
    pub(crate) to: Arc<TopicShared>,
}

impl Routing {
    /// A changed copy, for [`add`](Self::add) and its like: who accepts what is worked out after it.
    pub(crate) fn changed(&self, change: impl FnOnce(&mut Routing)) -> Routing {
        let mut changed = Routing {
            entries: self.entries.clone(),
            filters: self.filters.clone(),
            forwards: self.forwards.clone(),
            accepting: Accepting::default(),
        };
        change(&mut changed);
        changed.accepting = Accepting::of(&changed.filters);
        changed
    }

    /// Adds a subscription that accepts what `filter` says.
    pub(crate) fn add(&mut self, mailbox: Arc<Mailbox>, filter: Filter) {
        self.entries.push(Entry::new(mailbox));
        self.filters.push(filter);
    }

    /// Takes the subscription `id` off, if it is there.
    pub(crate) fn remove(&mut self, id: SubscriptionId) {
        if let Some(position) = self.position(id) {
            self.entries.remove(position);
            self.filters.remove(position);
        }
    }

    /// Changes what the subscription `id` accepts, if it is there.
    pub(crate) fn set_filter(&mut self, id: SubscriptionId, filter: impl FnOnce() -> Filter) {
        if let Some(position) = self.position(id) {
            self.filters[position] = filter();
        }
    }

    /// What the subscription `id` accepts, if it is there.
    pub(crate) fn filter(&self, id: SubscriptionId) -> Option<&Filter> {
        self.position(id).map(|position| &self.filters[position])
    }

    fn position(&self, id: SubscriptionId) -> Option<usize> {
        self.entries.iter().position(|entry| entry.mailbox.id == id)
    }

    /// How many subscriptions there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Calls `done` with the route of a message of this type from here: this routing, and those of
    /// all topics that it is forwarded to. One that is reachable by two paths is on the route twice.
    #[inline]
    pub(crate) fn route<R>(
        &self,
        id: TypeId,
        reading: &Reading<'_>,
        done: impl FnOnce(&Route<'_>) -> R,
    ) -> R {
        let route = Route::new(self, id, None, None);
        if self.forwards.is_empty() {
            return done(&route);
        }
        let mut done = Some(done);
        let mut result = None;
        let pending = Pending { rest: &self.forwards, outer: None };
        let on_the_way = OnTheWay { id, reading };
        on_the_way.follow(&pending, &route, &mut |route| {
            result = done.take().map(|done| done(route));
        });
        result.expect("the end of the route is reached once")
    }

    /// Whether `topic` is on the route from here.
    pub(crate) fn reaches(&self, topic: &Arc<TopicShared>) -> bool {
        self.forwards.iter().any(|forward| {
            Arc::ptr_eq(&forward.to, topic) || forward.to.routing.load().reaches(topic)
        })
    }
}

/// The routings on a message's way, last one first.
pub(crate) struct Route<'a> {
    entries: &'a [Entry],
    /// Who of them accepts the message's type.
    accepting: &'a [u32],
    /// Whose routing it is; `None` for the one that it began with.
    topic: Option<&'a TopicShared>,
    before: Option<&'a Route<'a>>,
}

/// Forwards that are still to be followed.
struct Pending<'a> {
    rest: &'a [ForwardEntry],
    outer: Option<&'a Pending<'a>>,
}

impl<'a> Pending<'a> {
    /// The next forward to follow, and what is then left.
    fn next(&self) -> Option<(&'a ForwardEntry, Pending<'a>)> {
        match self.rest.split_first() {
            Some((next, rest)) => Some((next, Pending { rest, outer: self.outer })),
            None => self.outer?.next(),
        }
    }
}

/// What stays the same along a route.
struct OnTheWay<'a> {
    id: TypeId,
    reading: &'a Reading<'a>,
}

impl OnTheWay<'_> {
    /// Reads the routing of the next topic that is pending, and goes on from there; it stays on
    /// the stack until `done` has returned.
    fn follow(&self, pending: &Pending<'_>, before: &Route<'_>, done: &mut dyn FnMut(&Route<'_>)) {
        let Some((next, left)) = pending.next() else { return done(before) };
        next.to.routing.read(self.reading, |routing| {
            let route = Route::new(routing, self.id, Some(&next.to), Some(before));
            let pending = Pending { rest: &routing.forwards, outer: Some(&left) };
            self.follow(&pending, &route, done);
        });
    }
}

impl<'a> Route<'a> {
    #[inline]
    fn new(
        routing: &'a Routing,
        id: TypeId,
        topic: Option<&'a TopicShared>,
        before: Option<&'a Route<'a>>,
    ) -> Self {
        let accepting = routing.accepting.of_type(id);
        Route { entries: &routing.entries, accepting, topic, before }
    }

    /// Calls `visit` for each routing on the route.
    #[inline]
    fn each(&self, mut visit: impl FnMut(&Self)) {
        let mut step = Some(self);
        while let Some(route) = step {
            visit(route);
            step = route.before;
        }
    }

    /// Calls `visit` for each subscription that accepts, as often as it is on the route.
    #[inline]
    fn each_accepting(&self, mut visit: impl FnMut(&Entry)) {
        self.each(|route| route.accepting.iter().for_each(|&entry| visit(route.entry(entry))));
    }

    #[inline]
    fn entry(&self, entry: u32) -> &'a Entry {
        &self.entries[entry as usize]
    }

    /// How many shares the message needs.
    #[inline]
    pub(crate) fn count(&self) -> u64 {
        let mut count = 0;
        self.each(|route| count += route.accepting.len() as u64);
        count
    }

    /// Counts the message at every topic that it is forwarded to.
    #[inline]
    pub(crate) fn count_forwarded(&self) {
        self.each(|route| {
            if let Some(topic) = route.topic {
                topic.count_forwarded();
            }
        });
    }

    /// Offers one share to each mailbox that accepts; says how many took it.
    #[inline]
    pub(crate) fn hand_out(&self, mut shares: Shares, means: &Means<'_>) -> usize {
        let count = shares.left();
        self.each(|route| {
            let mut entries = route.accepting.iter().map(|&entry| route.entry(entry));
            let mut next = entries.next().map(|entry| (entry, entry.producer.glance()));
            while let Some((entry, glance)) = next {
                // Before the exchange on this ring's tail, which every later read has to wait for.
                next = entries.next().map(|entry| (entry, entry.producer.glance()));
                let Some(message) = shares.take() else { return };
                if let Err(message) = entry.mailbox.offer(glance, message, means) {
                    shares.put_back(message);
                }
            }
        });
        (count - shares.left()) as usize
    }

    /// Counts a message that could not be built as lost by each that would have accepted it.
    pub(crate) fn lose(&self) {
        self.each_accepting(|entry| entry.mailbox.lose_to_empty_pool());
    }

    /// As [`wake`](Self::wake), for an ordinary publisher: callbacks that it is to run itself have
    /// been run when this returns.
    #[inline]
    pub(crate) fn wake_or_run(&self, mut wake: impl FnMut(&Mailbox)) {
        Gate::fence();
        self.each_accepting(|entry| {
            if entry.is_inline {
                entry.mailbox.pass();
            } else if entry.mailbox.gate.knock() {
                wake(&entry.mailbox);
            }
        });
    }

    /// Calls `wake` for each accepting mailbox whose reader sleeps.
    #[inline]
    pub(crate) fn wake(&self, mut wake: impl FnMut(&Mailbox)) {
        Gate::fence();
        self.each_accepting(|entry| {
            if entry.mailbox.gate.knock() {
                wake(&entry.mailbox);
            }
        });
    }
}
