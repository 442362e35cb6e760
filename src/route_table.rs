//! The route table: which handler a router calls for which type.
//!
//! It is immutable and replaced as a whole (arc-swap), without a lock, so that handlers may change
//! it while it is read. A router reads it once a delivery: that is the moment from which a removed
//! handler is not called any more.

use std::any::{Any, TypeId, type_name};
use std::collections::{HashMap, HashSet};
use std::fmt;

use arc_swap::ArcSwap;

use crate::ring::Message;
use crate::subscription::{Delivery, Subscribe};
use crate::sync::{Arc, Mutex, Weak};

/// A router's routes, to be changed from anywhere: from other threads, and from inside its own
/// handlers. Cheap to clone, and keeps nothing alive.
///
/// A change counts from the next delivery on, also for messages that wait already. A handler that
/// was removed or replaced is not called any more once the change has returned; if it is running
/// just then, it runs to its end. It is dropped by whoever is last to use it, the pool or the
/// caller.
#[derive(Clone)]
pub struct Routes {
    table: Weak<ArcSwap<Table>>,
}

impl Routes {
    pub(crate) fn of(table: &Arc<ArcSwap<Table>>) -> Self {
        Routes { table: Arc::downgrade(table) }
    }

    /// Has `handler` called for each message of type `T`, in the place of an earlier one for `T`.
    ///
    /// # Errors
    /// [`RouteError::NotAccepted`] when the router runs and its subscription does not accept `T`:
    /// it is not [dynamic](crate::Router::dynamic), had no default route when it subscribed, and none for
    /// `T`. [`RouteError::Ended`] when it has ended.
    pub fn add_route<T: Any>(
        &self,
        handler: impl FnMut(&Message, &T) + Send + 'static,
    ) -> Result<(), RouteError> {
        let route = Route::new(handler);
        let table = self.table.upgrade().ok_or(RouteError::Ended)?;
        change(&table, |table| match &table.accepted {
            Some(types) if !types.contains(&TypeId::of::<T>()) => {
                Err(RouteError::NotAccepted(type_name::<T>()))
            }
            _ => {
                table.insert::<T>(&route);
                Ok(())
            }
        })
    }

    /// Removes the route of `T`, whose messages then take the default route; says whether there was
    /// one. A router that is neither dynamic nor has a default route goes on accepting `T`, so that
    /// it can be routed again.
    pub fn remove_route<T: Any>(&self) -> bool {
        self.table.upgrade().is_some_and(|table| {
            change(&table, |table| table.routes.remove(&TypeId::of::<T>())).is_some()
        })
    }

    /// Has `handler` called for what has no route, in the place of an earlier default.
    ///
    /// # Errors
    /// [`RouteError::NotAccepted`] when the router runs and its subscription does not accept
    /// everything: it is not [dynamic](crate::Router::dynamic), and had no default route when it
    /// subscribed. [`RouteError::Ended`] when it has ended.
    pub fn set_default(
        &self,
        handler: impl FnMut(&Delivery) + Send + 'static,
    ) -> Result<(), RouteError> {
        let handler: Arc<DefaultHandler> = Arc::new(Mutex::new(handler));
        let table = self.table.upgrade().ok_or(RouteError::Ended)?;
        change(&table, |table| match &table.accepted {
            Some(_) => Err(RouteError::NotAccepted("every type")),
            None => {
                table.default = Some(handler.clone());
                Ok(())
            }
        })
    }

    /// Removes the default route; says whether there was one. What the subscription accepts stays
    /// as it is.
    pub fn clear_default(&self) -> bool {
        self.table
            .upgrade()
            .is_some_and(|table| change(&table, |table| table.default.take()).is_some())
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.table.upgrade() {
            Some(table) => f.debug_tuple("Routes").field(&**table.load()).finish(),
            None => f.write_str("Routes(ended)"),
        }
    }
}

/// The error of a route that could never be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// The running router's subscription does not accept this type. Route it before subscribing,
    /// or make the router [dynamic](crate::Router::dynamic).
    #[error(
        "the router's subscription does not accept {0}: route it before subscribing, or make the router dynamic"
    )]
    NotAccepted(&'static str),
    /// The router has ended. Subscribe a new one.
    #[error("the router has ended: subscribe a new one")]
    Ended,
}

/// A handler's lock is there for the compiler: only the subscription's callback calls it, and never
/// twice at a time.
type DefaultHandler = Mutex<dyn FnMut(&Delivery) + Send>;

/// What goes where, at one time.
#[derive(Clone, Default)]
pub(crate) struct Table {
    routes: HashMap<TypeId, Arc<Route>>,
    pub(crate) default: Option<Arc<DefaultHandler>>,
    /// What the running subscription accepts; `None`: everything, or not running yet.
    accepted: Option<Arc<HashSet<TypeId>>>,
}

/// A handler with the name and the filter of its type.
pub(crate) struct Route<F: ?Sized = dyn FnMut(&Message) + Send> {
    type_name: &'static str,
    accept: Accept,
    handler: Mutex<F>,
}

/// Adds a type to a filter.
pub(crate) type Accept = for<'a> fn(Subscribe<'a>) -> Subscribe<'a>;

fn accept<T: Any>(subscribe: Subscribe<'_>) -> Subscribe<'_> {
    subscribe.accept::<T>()
}

const NEVER_POISONED: &str = "a panic in a handler ends the router";

/// Nobody publishes this. A filter of it alone accepts nothing; one without types, everything.
enum Nothing {}

impl Route {
    pub(crate) fn new<T: Any>(mut handler: impl FnMut(&Message, &T) + Send + 'static) -> Arc<Self> {
        let handler = Mutex::new(move |message: &Message| {
            if let Some(payload) = message.downcast_ref::<T>() {
                handler(message, payload);
            }
        });
        Arc::new(Route { type_name: type_name::<T>(), accept: accept::<T>, handler })
    }

    pub(crate) fn call(&self, message: &Message) {
        self.handler.lock().expect(NEVER_POISONED)(message);
    }
}

impl Table {
    pub(crate) fn insert<T: Any>(&mut self, route: &Arc<Route>) {
        self.routes.insert(TypeId::of::<T>(), route.clone());
    }

    /// The routes become the filter. Gives what to accept; nothing for everything.
    pub(crate) fn close(&mut self, dynamic: bool) -> Vec<Accept> {
        if dynamic || self.default.is_some() {
            return Vec::new();
        }
        self.accepted = Some(Arc::new(self.routes.keys().copied().collect()));
        let routes = self.routes.values().map(|route| route.accept);
        routes.chain([accept::<Nothing> as Accept]).collect()
    }

    /// Where a message of this type goes, unless to the default.
    pub(crate) fn route(&self, message: &Message) -> Option<&Route> {
        self.routes.get(&message.type_id()).map(|route| &**route)
    }

    /// Calls the default handler, if there is one.
    pub(crate) fn call_default(&self, delivery: &Delivery) {
        if let Some(default) = &self.default {
            default.lock().expect(NEVER_POISONED)(delivery);
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types: Vec<_> = self.routes.values().map(|route| route.type_name).collect();
        f.debug_struct("Table")
            .field("routes", &types)
            .field("default", &self.default.is_some())
            .field("accepts_everything", &self.accepted.is_none())
            .finish()
    }
}

/// Replaces the table by a changed copy. `change` may run several times, when others change it, too.
pub(crate) fn change<R>(shared: &ArcSwap<Table>, change: impl Fn(&mut Table) -> R) -> R {
    let mut result = None;
    let _before = shared.rcu(|table| {
        let mut changed = Table::clone(table);
        result = Some(change(&mut changed));
        changed
    });
    result.expect("it was changed once at least")
}
