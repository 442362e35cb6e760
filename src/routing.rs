//! Routing: who gets what is published to a topic, directly and through forwards.
//!
//! A topic's routing is immutable and replaced as a whole (arc-swap). A publish needs all routings
//! that it can reach at once: it counts who accepts before it hands out. It collects them by
//! recursion, one stack frame a topic, so that any number of forwards in any depth costs no memory
//! but the stack's, on a real-time thread too.

use std::iter::successors;

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
    pub(crate) mailbox: Arc<Mailbox>,
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

impl<'a> Route<'a> {
    fn steps(&self) -> impl Iterator<Item = &Route<'a>> {
        successors(Some(self), |route| route.before)
    }

    /// The mailboxes that accept this type, each as often as it is on the route.
    #[inline]
    fn accepting(&self, key: TypeKey) -> impl Iterator<Item = &Mailbox> {
        self.steps()
            .flat_map(|route| &route.routing.subscriptions)
            .filter(move |entry| entry.filter.accepts(key))
            .map(|entry| &*entry.mailbox)
    }

    /// How many shares a message of this type needs.
    #[inline]
    pub(crate) fn count(&self, key: TypeKey) -> u64 {
        self.accepting(key).count() as u64
    }

    /// Counts the message at every topic that it is forwarded to.
    #[inline]
    pub(crate) fn count_forwarded(&self) {
        self.steps().filter_map(|route| route.topic).for_each(TopicShared::count_forwarded);
    }

    /// Offers one share to each mailbox that accepts; says how many took it.
    #[inline]
    pub(crate) fn hand_out(&self, key: TypeKey, mut shares: Shares, means: Means<'_>) -> usize {
        let mut taken = 0;
        for mailbox in self.accepting(key) {
            let Some(message) = shares.take() else { break };
            match mailbox.offer(message, means) {
                Ok(()) => taken += 1,
                Err(message) => shares.put_back(message),
            }
        }
        taken
    }

    /// Counts a message that could not be built as lost by each that would have accepted it.
    pub(crate) fn lose(&self, key: TypeKey) {
        self.accepting(key).for_each(Mailbox::lose_to_empty_pool);
    }

    /// As [`wake`](Self::wake), for an ordinary publisher: callbacks that it is to run itself have
    /// been run when this returns.
    #[inline]
    pub(crate) fn wake_or_run(&self, key: TypeKey, mut wake: impl FnMut(&Mailbox)) {
        Gate::fence();
        for mailbox in self.accepting(key) {
            if mailbox.is_inline() {
                mailbox.pass();
            } else if mailbox.gate.knock() {
                wake(mailbox);
            }
        }
    }

    /// Calls `wake` for each accepting mailbox whose reader sleeps.
    #[inline]
    pub(crate) fn wake(&self, key: TypeKey, mut wake: impl FnMut(&Mailbox)) {
        Gate::fence();
        self.accepting(key).filter(|mailbox| mailbox.gate.knock()).for_each(&mut wake);
    }
}
