//! Routing: who gets what is published to a topic, directly and through forwards.
//!
//! A topic's routing is immutable and replaced as a whole (arc-swap). A publish needs all routings
//! that it can reach at once: it counts who accepts before it hands out. It collects them by
//! recursion, one stack frame a topic, so that any number of forwards in any depth costs no memory
//! but the stack's, on a real-time thread too.

use crate::filter::{Filter, TypeKey};
use crate::gate::Gate;
use crate::mailbox::Mailbox;
use crate::means::Means;
use crate::ring::Shares;
use crate::sync::Arc;
use crate::topic::TopicShared;

/// Who is subscribed to a topic and which topics it forwards to, at one time.
#[derive(Clone, Default)]
pub(crate) struct Routing {
    pub(crate) subscriptions: Vec<Entry>,
    pub(crate) forwards: Vec<ForwardEntry>,
}

/// A subscription in a routing, with what it accepts.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) filter: Filter,
    /// Whether ordinary publishers run its callback themselves.
    is_inline: bool,
    pub(crate) mailbox: Arc<Mailbox>,
}

impl Entry {
    pub(crate) fn new(filter: Filter, mailbox: Arc<Mailbox>) -> Self {
        Entry { filter, is_inline: mailbox.is_inline(), mailbox }
    }
}

/// A forward in a routing.
#[derive(Clone)]
pub(crate) struct ForwardEntry {
    pub(crate) id: u64,
    pub(crate) to: Arc<TopicShared>,
}

impl Routing {
    /// Calls `done` with the route of a message from here: this routing, and those of all topics
    /// that it is forwarded to. One that is reachable by two paths is on the route twice.
    #[inline]
    pub(crate) fn route<R>(&self, done: impl FnOnce(&Route<'_>) -> R) -> R {
        let route = Route { routing: self, topic: None, before: None };
        if self.forwards.is_empty() {
            return done(&route);
        }
        let mut done = Some(done);
        let mut result = None;
        let pending = Pending { rest: &self.forwards, outer: None };
        follow(&pending, &route, &mut |route| {
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
    routing: &'a Routing,
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

/// Loads the routing of the next topic that is pending, and goes on from there; its guard stays on
/// the stack until `done` has returned.
fn follow(pending: &Pending<'_>, before: &Route<'_>, done: &mut dyn FnMut(&Route<'_>)) {
    let Some((next, left)) = pending.next() else { return done(before) };
    // Dropping this guard never frees: see `retired`.
    let routing = next.to.routing.load();
    let route = Route { routing: &routing, topic: Some(&next.to), before: Some(before) };
    follow(&Pending { rest: &routing.forwards, outer: Some(&left) }, &route, done);
}

impl Route<'_> {
    /// Calls `visit` for each routing on the route.
    #[inline]
    fn each(&self, mut visit: impl FnMut(&Self)) {
        let mut step = Some(self);
        while let Some(route) = step {
            visit(route);
            step = route.before;
        }
    }

    /// Calls `visit` for each subscription that accepts this type, as often as it is on the route.
    #[inline]
    fn each_accepting(&self, key: TypeKey, mut visit: impl FnMut(&Entry)) {
        self.each(|route| {
            for entry in &route.routing.subscriptions {
                if entry.filter.accepts(key) {
                    visit(entry);
                }
            }
        });
    }

    /// How many shares a message of this type needs.
    #[inline]
    pub(crate) fn count(&self, key: TypeKey) -> u64 {
        let mut count = 0;
        self.each_accepting(key, |_| count += 1);
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
    pub(crate) fn hand_out(&self, key: TypeKey, mut shares: Shares, means: Means<'_>) -> usize {
        let mut taken = 0;
        self.each_accepting(key, |entry| {
            let Some(message) = shares.take() else { return };
            match entry.mailbox.offer(message, means) {
                Ok(()) => taken += 1,
                Err(message) => shares.put_back(message),
            }
        });
        taken
    }

    /// Counts a message that could not be built as lost by each that would have accepted it.
    pub(crate) fn lose(&self, key: TypeKey) {
        self.each_accepting(key, |entry| entry.mailbox.lose_to_empty_pool());
    }

    /// As [`wake`](Self::wake), for an ordinary publisher: callbacks that it is to run itself have
    /// been run when this returns.
    #[inline]
    pub(crate) fn wake_or_run(&self, key: TypeKey, mut wake: impl FnMut(&Mailbox)) {
        Gate::fence();
        self.each_accepting(key, |entry| {
            if entry.is_inline {
                entry.mailbox.pass();
            } else if entry.mailbox.gate.knock() {
                wake(&entry.mailbox);
            }
        });
    }

    /// Calls `wake` for each accepting mailbox whose reader sleeps.
    #[inline]
    pub(crate) fn wake(&self, key: TypeKey, mut wake: impl FnMut(&Mailbox)) {
        Gate::fence();
        self.each_accepting(key, |entry| {
            if entry.mailbox.gate.knock() {
                wake(&entry.mailbox);
            }
        });
    }
}
