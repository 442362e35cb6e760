//! Routers: one subscription, whose messages go to a handler each by their type.
//!
//! What goes where is in `route_table`; here is the subscription around it. The subscription's
//! callback owns the table and everybody else borrows it weakly, so handlers end with the
//! subscription, whoever still holds a [`Routes`].

use std::any::Any;
use std::fmt;

use crate::dispatch::JoinError;
use crate::mailbox::{SubscriptionId, SubscriptionStats};
use crate::ring::Message;
use crate::route_table::{Route, RouterEnded, Routes, SharedTable};
use crate::subscription::{BusEnded, Delivery, Subscribe, Subscription, SubscriptionChange};
use crate::sync::{Arc, Mutex};
use crate::topic::Topic;

/// A router in the making: routes, then [`subscribe`](Self::subscribe).
///
/// Its routes become its subscription's type filter by themselves: a type without a route costs
/// nothing, unless there is a [default route](Self::default_route). Handlers are called by the bus's pool as every callback is: in order,
/// never two of one router at a time, and a panic in one ends this router's subscription and
/// nothing else.
///
/// ```
/// use stasis_bus::{Bus, Router, Settings, SubscriptionChange};
///
/// struct Opened(&'static str);
/// struct Closed(&'static str);
///
/// let bus = Bus::new(Settings::default())?;
/// let doors = bus.topic("doors");
/// let router = Router::new()
///     .route::<Opened>(|message, Opened(door)| println!("{}: {door} opened", message.stamp()))
///     .route::<Closed>(|message, Closed(door)| println!("{}: {door} closed", message.stamp()))
///     .on_lagged(|missed| println!("{missed} were lost here"))
///     .on_change(|change| match change {
///         SubscriptionChange::Subscribe(id) => println!("{id} listens"),
///         SubscriptionChange::Unsubscribe(id) => println!("{id} is done"),
///     })
///     .subscribe(&doors)?;
/// doors.publish(Opened("front"));
/// doors.publish("no route: not even queued");
/// doors.publish(Closed("front"));
/// router.join()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a router does nothing until it subscribes"]
pub struct Router {
    table: Arc<SharedTable>,
    on_change: Box<dyn FnMut(SubscriptionChange) + Send>,
    on_lagged: Option<Box<dyn FnMut(u64) + Send>>,
}

impl Router {
    /// A router without routes: it would get its own [`SubscriptionChange`]s only.
    pub fn new() -> Self {
        Router { table: Arc::default(), on_change: Box::new(|_| ()), on_lagged: None }
    }

    /// Has `handler` called for each message of type `T`, in the place of an earlier one for `T`.
    ///
    /// The route of [`SubscriptionChange`] gets those of other subscriptions; its own go to
    /// [`on_change`](Self::on_change).
    pub fn route<T: Any>(self, handler: impl FnMut(&Message, &T) + Send + 'static) -> Self {
        let route = Route::new(handler);
        self.table.change(|table| table.insert::<T>(&route));
        self
    }

    /// Has `handler` called for what has no route, and for losses unless there is an
    /// [`on_lagged`](Self::on_lagged).
    ///
    /// The router's subscription then accepts **everything**: each message of the topic is built
    /// and queued for it, whatever its type.
    pub fn default_route(self, handler: impl FnMut(&Delivery) + Send + 'static) -> Self {
        let handler = Arc::new(Mutex::new(handler));
        self.table.change(|table| table.default = Some(handler.clone()));
        self
    }

    /// Has `handler` called where messages were lost, with their number: see [`Delivery::Lagged`].
    pub fn on_lagged(mut self, handler: impl FnMut(u64) + Send + 'static) -> Self {
        self.on_lagged = Some(Box::new(handler));
        self
    }

    /// Has `handler` called for the router's own two messages: its `Subscribe` before everything
    /// else, and its `Unsubscribe` after everything else.
    pub fn on_change(mut self, handler: impl FnMut(SubscriptionChange) + Send + 'static) -> Self {
        self.on_change = Box::new(handler);
        self
    }

    /// The routes, for handlers that change them: a route that removes itself, say.
    pub fn routes(&self) -> Routes {
        Routes::of(&self.table)
    }

    /// Subscribes to `topic`, with the bus's usual capacity and policy.
    ///
    /// # Errors
    /// [`BusEnded`] when the bus is gone.
    pub fn subscribe(self, topic: &Topic) -> Result<RouterHandle, BusEnded> {
        self.subscribe_with(topic.subscribe())
    }

    /// Subscribes with a capacity and a policy of your choice. What it accepts is the router's to say.
    ///
    /// # Errors
    /// [`BusEnded`] when the bus is gone.
    pub fn subscribe_with(self, subscribe: Subscribe<'_>) -> Result<RouterHandle, BusEnded> {
        let routes = self.routes();
        let Router { table, on_change, on_lagged } = self;
        let subscribe = subscribe.filter(table.load().filter());
        let shared = table.clone();
        let mut dispatch = Dispatch { table, own: None, on_change, on_lagged };
        let subscription = subscribe.callback(move |delivery| dispatch.deliver(&delivery))?;
        // Routes that were changed meanwhile count from here on.
        shared.attach(subscription.core());
        Ok(RouterHandle { subscription, routes })
    }
}

impl Default for Router {
    fn default() -> Self {
        Router::new()
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("table", &**self.table.load()).finish_non_exhaustive()
    }
}

/// A router that runs. Dropping it unsubscribes (without waiting; see [`join`](Self::join)).
#[derive(Debug)]
pub struct RouterHandle {
    subscription: Subscription,
    routes: Routes,
}

impl RouterHandle {
    /// [`Routes::add_route`].
    ///
    /// # Errors
    /// [`RouterEnded`], and the handler is dropped.
    pub fn add_route<T: Any>(
        &self,
        handler: impl FnMut(&Message, &T) + Send + 'static,
    ) -> Result<(), RouterEnded> {
        self.routes.add_route(handler)
    }

    /// [`Routes::remove_route`].
    pub fn remove_route<T: Any>(&self) -> bool {
        self.routes.remove_route::<T>()
    }

    /// [`Routes::set_default`].
    ///
    /// # Errors
    /// [`RouterEnded`], and the handler is dropped.
    pub fn set_default(
        &self,
        handler: impl FnMut(&Delivery) + Send + 'static,
    ) -> Result<(), RouterEnded> {
        self.routes.set_default(handler)
    }

    /// [`Routes::clear_default`].
    pub fn clear_default(&self) -> bool {
        self.routes.clear_default()
    }

    /// The routes, for those who change them: a handler, say.
    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// Ends it: see [`Subscription::unsubscribe`].
    pub fn unsubscribe(&self) {
        self.subscription.unsubscribe();
    }

    /// Unsubscribes and waits until `on_change` has had the final message and all handlers are
    /// dropped: see [`Subscription::join`].
    ///
    /// # Errors
    /// [`JoinError`].
    pub fn join(&self) -> Result<(), JoinError> {
        self.subscription.join()
    }

    /// The name of its subscription.
    pub fn id(&self) -> SubscriptionId {
        self.subscription.id()
    }

    /// What its subscription got and lost so far.
    pub fn stats(&self) -> SubscriptionStats {
        self.subscription.stats()
    }
}

/// The subscription's callback.
struct Dispatch {
    table: Arc<SharedTable>,
    /// The subscription's own name, which its first message tells.
    own: Option<SubscriptionId>,
    on_change: Box<dyn FnMut(SubscriptionChange) + Send>,
    on_lagged: Option<Box<dyn FnMut(u64) + Send>>,
}

impl Dispatch {
    fn deliver(&mut self, delivery: &Delivery) {
        // Keeps the handler alive while it runs, also when it removes its own route.
        let table = self.table.load();
        match (delivery, &mut self.on_lagged) {
            (Delivery::Lagged(missed), Some(on_lagged)) => return on_lagged(*missed),
            (Delivery::Lagged(_), None) => {}
            (Delivery::Message(message), _) => {
                if let Some(change) = own_change(&mut self.own, message) {
                    return (self.on_change)(change);
                }
                if let Some(route) = table.route(message) {
                    return route.call(message);
                }
            }
        }
        table.call_default(delivery);
    }
}

/// The change that `message` tells, if it is the subscription's own; the first one names it.
fn own_change(own: &mut Option<SubscriptionId>, message: &Message) -> Option<SubscriptionChange> {
    let change = *message.downcast_ref()?;
    let (SubscriptionChange::Subscribe(id) | SubscriptionChange::Unsubscribe(id)) = change;
    (*own.get_or_insert(id) == id).then_some(change)
}
