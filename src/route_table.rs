//! The route table: which handler a router calls for which type.
//!
//! It is immutable and replaced as a whole (arc-swap), without a lock, so that handlers may change
//! it while it is read. A router reads it once a delivery: that is the moment from which a removed
//! handler is not called any more.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::fmt;

use crate::filter::Filter;
use crate::ring::Message;
use crate::subscription::{Delivery, SubscriptionCore};
use crate::sync::{Arc, ArcSwap, Mutex, OnceLock, Weak};

/// A router's routes, to be changed from anywhere: from other threads, and from inside its own
/// handlers. Cheap to clone, and keeps nothing alive.
///
/// A change counts from the next delivery on, also for messages that wait already. A handler that
/// was removed or replaced is not called any more once the change has returned; if it is running
/// just then, it runs to its end. It is dropped by whoever is last to use it, the pool or the
/// caller.
#[derive(Clone)]
pub struct Routes {
    table: Weak<SharedTable>,
}

/// The table in force, and the subscription whose filter follows it.
#[derive(Default)]
pub(crate) struct SharedTable {
    table: ArcSwap<Table>,
    subscription: OnceLock<Weak<SubscriptionCore>>,
}

impl SharedTable {
    pub(crate) fn load(&self) -> arc_swap::Guard<Arc<Table>> {
        self.table.load()
    }

    /// Replaces the table by a changed copy, and has the filter follow. `change` may run several
    /// times, when others change it, too.
    pub(crate) fn change<R>(&self, change: impl Fn(&mut Table) -> R) -> R {
        let mut result = None;
        let _before = self.table.rcu(|table| {
            let mut changed = Table::clone(table);
            result = Some(change(&mut changed));
            changed
        });
        self.filter_follows();
        result.expect("it was changed once at least")
    }

    /// From here on `subscription` accepts what has a route.
    pub(crate) fn attach(&self, subscription: &Arc<SubscriptionCore>) {
        self.subscription.get_or_init(|| Arc::downgrade(subscription));
        self.filter_follows();
    }

    fn filter_follows(&self) {
        let Some(subscription) = self.subscription.get().and_then(Weak::upgrade) else { return };
        let mut read = None;
        // Filters are set one at a time, and each reads the table at its turn: so the filter never
        // goes back to an older table's, which could refuse what a newer one has a route for.
        subscription.set_filter_by(|| read.insert(self.table.load_full()).filter());
        // Not before that has returned: handlers that were removed may end with the table.
        drop(read);
    }
}

impl Routes {
    pub(crate) fn of(table: &Arc<SharedTable>) -> Self {
        Routes { table: Arc::downgrade(table) }
    }

    /// Has `handler` called for each message of type `T`, in the place of an earlier one for `T`.
    ///
    /// # Errors
    /// [`RouterEnded`], and the handler is dropped.
    pub fn add_route<T: Any>(
        &self,
        handler: impl FnMut(&Message, &T) + Send + 'static,
    ) -> Result<(), RouterEnded> {
        let route = Route::new(handler);
        let table = self.table.upgrade().ok_or(RouterEnded)?;
        table.change(|table| table.insert::<T>(&route));
        Ok(())
    }

    /// Removes the route of `T`, whose messages then take the default route; says whether there was
    /// one.
    pub fn remove_route<T: Any>(&self) -> bool {
        self.table.upgrade().is_some_and(|table| {
            table.change(|table| table.routes.remove(&TypeId::of::<T>())).is_some()
        })
    }

    /// Has `handler` called for what has no route, in the place of an earlier default. The router's
    /// subscription then accepts **everything**.
    ///
    /// # Errors
    /// [`RouterEnded`], and the handler is dropped.
    pub fn set_default(
        &self,
        handler: impl FnMut(&Delivery) + Send + 'static,
    ) -> Result<(), RouterEnded> {
        let handler: Arc<DefaultHandler> = Arc::new(Mutex::new(handler));
        let table = self.table.upgrade().ok_or(RouterEnded)?;
        table.change(|table| table.default = Some(handler.clone()));
        Ok(())
    }

    /// Removes the default route; says whether there was one.
    pub fn clear_default(&self) -> bool {
        self.table
            .upgrade()
            .is_some_and(|table| table.change(|table| table.default.take()).is_some())
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

/// The error of a route for a router that has ended: subscribe a new one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the router has ended: subscribe a new one")]
pub struct RouterEnded;

/// A handler's lock is there for the compiler: only the subscription's callback calls it, and never
/// twice at a time.
type DefaultHandler = Mutex<dyn FnMut(&Delivery) + Send>;

/// What goes where, at one time.
#[derive(Clone, Default)]
pub(crate) struct Table {
    routes: HashMap<TypeId, Arc<Route>>,
    pub(crate) default: Option<Arc<DefaultHandler>>,
}

/// A handler with the name and the filter of its type.
pub(crate) struct Route<F: ?Sized = dyn FnMut(&Message) + Send> {
    type_name: &'static str,
    accept: Accept,
    handler: Mutex<F>,
}

/// Adds a type to a filter.
type Accept = fn(Filter) -> Filter;

const NEVER_POISONED: &str = "a panic in a handler ends the router";

impl Route {
    pub(crate) fn new<T: Any>(mut handler: impl FnMut(&Message, &T) + Send + 'static) -> Arc<Self> {
        let handler = Mutex::new(move |message: &Message| {
            if let Some(payload) = message.downcast_ref::<T>() {
                handler(message, payload);
            }
        });
        Arc::new(Route { type_name: type_name::<T>(), accept: Filter::and::<T>, handler })
    }

    pub(crate) fn call(&self, message: &Message) {
        self.handler.lock().expect(NEVER_POISONED)(message);
    }
}

impl Table {
    pub(crate) fn insert<T: Any>(&mut self, route: &Arc<Route>) {
        self.routes.insert(TypeId::of::<T>(), route.clone());
    }

    /// What a subscription with these routes accepts.
    pub(crate) fn filter(&self) -> Filter {
        match self.default {
            Some(_) => Filter::everything(),
            None => {
                let routes = self.routes.values();
                routes.fold(Filter::nothing(), |filter, route| (route.accept)(filter))
            }
        }
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
            .finish()
    }
}
