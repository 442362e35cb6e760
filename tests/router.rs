//! What a router calls for which message, while its routes stay and while they change.

mod common {
    pub mod stopping;
}

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Barrier};
use std::thread;

use common::stopping::Stopping;
use stasis_bus::{
    Bus, BusEnded, Delivery, JoinError, Overflow, Router, RouterEnded, RouterHandle, Settings,
    SubscriptionChange, Topic,
};

fn topic() -> (Bus, Topic) {
    let bus = Bus::new(Settings::default()).unwrap();
    let topic = bus.topic("t");
    (bus, topic)
}

/// Where handlers write down what they were called for.
fn notes() -> (Sender<String>, Receiver<String>) {
    mpsc::channel()
}

/// Everything written, once every handler is dropped.
fn all(notes: Receiver<String>) -> Vec<String> {
    notes.iter().collect()
}

/// A default handler that notes the types it gets.
fn note_type(to: &Sender<String>) -> impl FnMut(&Delivery) + Send + 'static {
    let to = to.clone();
    move |delivery| {
        let what = match delivery {
            Delivery::Message(message) => message.type_name().into(),
            Delivery::Lagged(missed) => format!("lagged {missed}"),
        };
        to.send(format!("default {what}")).unwrap();
    }
}

/// A handler that notes numbers, with a word before them.
fn note_number(
    to: &Sender<String>,
    word: &'static str,
) -> impl FnMut(&stasis_bus::Message, &u32) + Send + 'static {
    let to = to.clone();
    move |_, number| to.send(format!("{word} {number}")).unwrap()
}

/// A router in the making that notes its own two messages.
fn noting_changes(to: &Sender<String>) -> Router {
    let to = to.clone();
    Router::new().on_change(move |change| {
        let word = match change {
            SubscriptionChange::Subscribe(_) => "first",
            SubscriptionChange::Unsubscribe(_) => "final",
        };
        to.send(word.into()).unwrap();
    })
}

/// What was queued for a router that has ended, without its own two messages.
fn accepted(router: &RouterHandle) -> u64 {
    router.stats().enqueued - 2
}

/// Publishes a `Fence` and waits until the router has handled it, so all that was before it.
struct Fence(Sender<()>);

fn fenced(router: Router) -> Router {
    router.route::<Fence>(|_, Fence(passed)| passed.send(()).unwrap())
}

fn pass(topic: &Topic) {
    let (send, passed) = mpsc::channel();
    topic.publish(Fence(send));
    passed.recv().unwrap();
}

#[test]
fn each_message_reaches_the_handler_of_its_type_in_order_between_first_and_final() {
    let (_bus, topic) = topic();
    let (to, notes) = notes();
    let text_to = to.clone();
    let router = noting_changes(&to)
        .route::<u32>(note_number(&to, "number"))
        .route::<&str>(move |message, text| {
            assert_eq!(message.topic().name(), "t");
            text_to.send(format!("text {text}")).unwrap();
        })
        .subscribe(&topic)
        .unwrap();
    topic.publish(1u32);
    topic.publish("a");
    topic.publish(2u32);
    topic.publish("b");
    router.join().unwrap();
    assert_eq!(topic.publish(3u32), 0, "nothing comes after the end");
    drop(to);
    assert_eq!(all(notes), ["first", "number 1", "text a", "number 2", "text b", "final"]);
}

#[test]
fn types_without_a_route_are_not_even_queued() {
    let (_bus, topic) = topic();
    let router = Router::new().route::<u32>(|_, _| ()).subscribe(&topic).unwrap();
    for _ in 0..100 {
        assert_eq!(topic.publish("no route"), 0);
    }
    let other = topic.subscribe().pull().unwrap(); // its coming and going has no route either
    drop(other);
    assert_eq!(topic.publish(1u32), 1);
    router.join().unwrap();
    assert_eq!(accepted(&router), 1);
    assert_eq!(router.stats().dropped.total(), 0);
}

#[test]
fn a_router_without_routes_accepts_nothing_but_its_own_two_messages() {
    let (_bus, topic) = topic();
    let (to, notes) = notes();
    let router = noting_changes(&to).subscribe(&topic).unwrap();
    assert_eq!(topic.publish(1u32), 0);
    router.join().unwrap();
    drop(to);
    assert_eq!(accepted(&router), 0);
    assert_eq!(all(notes), ["first", "final"]);
}

#[test]
fn the_default_route_takes_what_has_no_route_and_makes_the_router_accept_everything() {
    let (_bus, topic) = topic();
    let (to, notes) = notes();
    let router = noting_changes(&to)
        .route::<u32>(note_number(&to, "number"))
        .default_route(note_type(&to))
        .subscribe(&topic)
        .unwrap();
    assert_eq!(topic.publish(1u32), 1);
    assert_eq!(topic.publish(1u8), 1);
    let mut other = topic.subscribe().accept::<u16>().pull().unwrap();
    router.join().unwrap();
    drop(to);
    assert_eq!(accepted(&router), 3);
    other.unsubscribe();
    let change = format!("default {}", std::any::type_name::<SubscriptionChange>());
    assert_eq!(all(notes), ["first", "number 1", "default u8", &change, "final"]);
    assert_eq!(other.iter().count(), 2);
}

#[test]
fn a_route_of_subscription_changes_gets_those_of_others_only() {
    let (_bus, topic) = topic();
    let (to, notes) = notes();
    let changes_to = to.clone();
    let router = noting_changes(&to)
        .route::<SubscriptionChange>(move |_, change| {
            changes_to.send(format!("{change:?}")).unwrap();
        })
        .subscribe(&topic)
        .unwrap();
    let other = topic.subscribe().pull().unwrap();
    let id = other.id();
    drop(other);
    router.join().unwrap();
    drop(to);
    let came = format!("{:?}", SubscriptionChange::Subscribe(id));
    let left = format!("{:?}", SubscriptionChange::Unsubscribe(id));
    assert_eq!(all(notes), ["first", &came, &left, "final"]);
}

#[test]
fn losses_go_to_on_lagged_or_else_to_the_default_route() {
    for own_handler in [true, false] {
        let (_bus, topic) = topic();
        let (to, notes) = notes();
        let (holding, held) = mpsc::channel();
        let (go, let_go) = mpsc::channel::<()>();
        let mut router = Router::new()
            .route::<bool>(move |_, _| {
                holding.send(()).unwrap();
                let_go.recv().unwrap();
            })
            .route::<u32>(note_number(&to, "number"))
            .default_route(note_type(&to));
        if own_handler {
            let to = to.clone();
            router = router.on_lagged(move |missed| to.send(format!("missed {missed}")).unwrap());
        }
        let subscribe = topic.subscribe().capacity(2).overflow(Overflow::DropNewest);
        let router = router.subscribe_with(subscribe).unwrap();
        topic.publish(true);
        held.recv().unwrap();
        let taken: usize = (0..5u32).map(|number| topic.publish(number)).sum();
        assert_eq!(taken, 2);
        go.send(()).unwrap();
        router.join().unwrap();
        drop(to);
        let told = if own_handler { "missed 3" } else { "default lagged 3" };
        assert_eq!(all(notes), ["number 0", "number 1", told]);
    }
}

#[test]
fn routes_come_and_go_while_it_runs() {
    let (_bus, topic) = topic();
    let (to, notes) = notes();
    let router = fenced(Router::new()).subscribe(&topic).unwrap();
    let publish = |number: u32| {
        topic.publish(number);
        pass(&topic);
    };
    publish(0);
    router.add_route::<u32>(note_number(&to, "one")).unwrap();
    publish(1);
    router.add_route::<u32>(note_number(&to, "two")).unwrap();
    publish(2);
    router.set_default(note_type(&to)).unwrap();
    assert!(router.remove_route::<u32>());
    assert!(!router.remove_route::<u32>(), "it is gone already");
    publish(3);
    assert!(router.clear_default());
    assert!(!router.clear_default());
    publish(4);
    router.join().unwrap();
    drop(to);
    assert_eq!(all(notes), ["one 1", "two 2", "default u32"]);
}

#[test]
fn a_change_counts_for_messages_that_wait_already() {
    let (_bus, topic) = topic();
    let (to, notes) = notes();
    let (holding, held) = mpsc::channel();
    let (go, let_go) = mpsc::channel::<()>();
    let router = Router::new()
        .route::<bool>(move |_, _| {
            holding.send(()).unwrap();
            let_go.recv().unwrap();
        })
        .route::<u32>(note_number(&to, "old"))
        .subscribe(&topic)
        .unwrap();
    topic.publish(true);
    held.recv().unwrap();
    topic.publish(1u32);
    assert!(router.remove_route::<bool>(), "running: it runs to its end");
    assert!(router.remove_route::<u32>());
    assert_eq!(topic.publish(2u32), 0, "not accepted any more");
    router.add_route::<u32>(note_number(&to, "new")).unwrap();
    topic.publish(3u32);
    go.send(()).unwrap();
    router.join().unwrap();
    drop(to);
    assert_eq!(all(notes), ["new 1", "new 3"]);
}

#[test]
fn the_subscriptions_filter_follows_the_routes() {
    let (_bus, topic) = topic();
    let router = Router::new().route::<u32>(|_, _| ()).subscribe(&topic).unwrap();
    assert_eq!((topic.publish(1u32), topic.publish(1u8)), (1, 0));
    router.add_route::<u8>(|_, _| ()).unwrap();
    assert_eq!((topic.publish(1u32), topic.publish(1u8)), (1, 1));
    assert!(router.remove_route::<u32>());
    assert_eq!((topic.publish(1u32), topic.publish(1u8)), (0, 1));
    router.set_default(|_| ()).unwrap();
    assert_eq!((topic.publish(1u32), topic.publish("text")), (1, 1));
    assert!(router.clear_default());
    assert_eq!((topic.publish(1u32), topic.publish("text"), topic.publish(1u8)), (0, 0, 1));
}

#[test]
fn handlers_add_and_remove_routes_also_their_own() {
    let (_bus, topic) = topic();
    let (to, notes) = notes();
    let router = fenced(noting_changes(&to));
    let routes = router.routes();
    let once_to = to.clone();
    let router = router
        // Takes its own place, which another then has.
        .route::<u32>(move |_, number| {
            assert!(routes.remove_route::<u32>());
            routes.add_route::<u32>(note_number(&once_to, "after")).unwrap();
            let (routes, default_to) = (routes.clone(), once_to.clone());
            let set = routes.clone().set_default(move |delivery| {
                assert!(routes.clear_default(), "itself");
                default_to.send(format!("once {:?}", delivery.downcast_ref::<u8>())).unwrap();
            });
            set.unwrap();
            once_to.send(format!("once {number}")).unwrap(); // what it captured is still there
        })
        .subscribe(&topic)
        .unwrap();
    topic.publish(1u32);
    pass(&topic); // what it has set counts from here on
    topic.publish(2u32);
    topic.publish(3u8);
    topic.publish(4u8);
    router.join().unwrap();
    drop(to);
    assert_eq!(all(notes), ["first", "once 1", "after 2", "once Some(3)", "final"]);
}

#[test]
fn the_end_drops_the_handlers_even_those_that_hold_the_routes() {
    let (_bus, topic) = topic();
    let (to, notes) = notes();
    let router = Router::new();
    let routes = router.routes();
    let kept = routes.clone();
    let held_to = to.clone();
    let router = router
        .route::<u32>(move |_, _| {
            held_to.send(format!("{routes:?}")).unwrap();
        })
        .subscribe(&topic)
        .unwrap();
    router.join().unwrap();
    drop(to);
    assert_eq!(all(notes), [""; 0], "the only other sender went with its handler");
    assert_eq!(kept.add_route::<u32>(|_, _| ()), Err(RouterEnded));
    assert_eq!(router.set_default(|_| ()), Err(RouterEnded));
    assert!(!kept.remove_route::<u32>());
    assert!(!kept.clear_default());
}

#[test]
fn a_router_that_never_subscribes_drops_its_handlers() {
    let (to, notes) = notes();
    let router = Router::new();
    let routes = router.routes();
    drop(router.route::<u32>(move |_, _| to.send(format!("{routes:?}")).unwrap()));
    assert_eq!(all(notes), [""; 0]);

    let (bus, topic) = topic();
    drop(bus);
    assert_eq!(Router::new().subscribe(&topic).err(), Some(BusEnded));
}

#[test]
fn a_removed_handler_is_never_called_for_what_is_published_later() {
    const ROUNDS: u64 = 2_000;
    let (bus, topic) = topic();
    let room = topic.subscribe().capacity(2 * ROUNDS as usize);
    let router = Router::new().subscribe_with(room).unwrap();
    let routes = router.routes();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let stopping = Stopping(&stop);
        // A neighbour keeps the table changing, so that changes meet.
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                routes.add_route::<u8>(|_, _| ()).unwrap();
                routes.remove_route::<u8>();
            }
        });
        for round in 0..ROUNDS {
            let met = Arc::new(AtomicBool::new(false));
            let meets = met.clone();
            let handler = move |_: &_, &(of, later): &(u64, bool)| {
                // Those of earlier rounds may wait still; they count as any other.
                assert!(of < round || !later, "called for what came after its removal");
                meets.fetch_or(of == round, Ordering::Relaxed);
            };
            router.add_route::<(u64, bool)>(handler).unwrap();
            assert_eq!(topic.publish((round, false)), 1, "the filter has forgotten the route");
            // Every other removal comes after the call, the rest race with it.
            while round % 2 == 0 && !met.load(Ordering::Relaxed) && bus.panics() == 0 {
                thread::yield_now();
            }
            assert!(router.remove_route::<(u64, bool)>());
            topic.publish((round, true));
        }
        drop(stopping);
    });
    assert_eq!(router.join(), Ok(()));
    assert_eq!(router.stats().dropped.total(), 0);
}

#[test]
fn what_is_published_after_a_route_was_added_is_taken_whoever_else_changes_routes() {
    const NEIGHBOURS: usize = 3;
    let (_bus, topic) = topic();
    let router = Router::new().subscribe_with(topic.subscribe().capacity(1 << 15)).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let stopping = Stopping(&stop);
        for _ in 0..NEIGHBOURS {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    router.add_route::<u8>(|_, _| ()).unwrap();
                    router.remove_route::<u8>();
                }
            });
        }
        for round in 0..5_000u64 {
            router.add_route(|_, _: &u64| ()).unwrap();
            assert_eq!(topic.publish(round), 1, "the filter has forgotten the route");
            router.remove_route::<u64>();
        }
        drop(stopping);
    });
}

#[test]
fn routers_of_one_topic_each_get_their_own_types_in_the_order_of_each_publisher() {
    const ROUTERS: usize = 4;
    const PUBLISHERS: usize = 3;
    const EACH: u64 = 5_000;
    let (_bus, topic) = topic();
    let seen = Arc::new(AtomicU64::new(0));
    let routers: Vec<RouterHandle> = (0..ROUTERS)
        .map(|_| {
            let mut next = [0u64; PUBLISHERS];
            let (inside, seen) = (Arc::new(AtomicBool::new(false)), seen.clone());
            let also_inside = inside.clone();
            Router::new()
                .route::<(usize, u64)>(move |_, &(publisher, number)| {
                    assert!(!inside.swap(true, Ordering::SeqCst), "two handlers at a time");
                    assert_eq!(next[publisher], number, "out of order");
                    next[publisher] += 1;
                    seen.fetch_add(1, Ordering::Relaxed);
                    inside.store(false, Ordering::SeqCst);
                })
                .route::<&str>(move |_, _| {
                    assert!(!also_inside.swap(true, Ordering::SeqCst), "two handlers at a time");
                    also_inside.store(false, Ordering::SeqCst);
                })
                .subscribe_with(topic.subscribe().capacity(PUBLISHERS * EACH as usize * 2))
                .unwrap()
        })
        .collect();
    let text_only = Router::new()
        .route::<&str>(|_, _| ())
        .subscribe_with(topic.subscribe().capacity(PUBLISHERS * EACH as usize))
        .unwrap();
    let start = Barrier::new(PUBLISHERS);
    thread::scope(|scope| {
        for publisher in 0..PUBLISHERS {
            let (topic, start) = (&topic, &start);
            scope.spawn(move || {
                start.wait();
                for number in 0..EACH {
                    assert_eq!(topic.publish((publisher, number)), ROUTERS);
                    assert_eq!(topic.publish("text"), ROUTERS + 1);
                }
            });
        }
    });
    for router in &routers {
        router.join().unwrap();
    }
    text_only.join().unwrap();
    let all = PUBLISHERS as u64 * EACH;
    assert_eq!(seen.load(Ordering::Relaxed), ROUTERS as u64 * all);
    assert_eq!(accepted(&text_only), all);
}

#[test]
fn a_panic_in_a_handler_ends_its_router_and_nothing_else() {
    let (bus, topic) = topic();
    let (to, notes) = notes();
    let bad = Router::new()
        .route::<u32>(|_, _| panic!("on purpose"))
        .default_route(|_| ())
        .subscribe(&topic)
        .unwrap();
    let good =
        noting_changes(&to).route::<u32>(note_number(&to, "good")).subscribe(&topic).unwrap();
    topic.publish(1u32);
    assert_eq!(bad.join(), Err(JoinError::Panicked));
    assert_eq!(bus.panics(), 1);
    assert_eq!(bad.add_route::<u8>(|_, _| ()), Err(RouterEnded));
    assert_eq!(topic.publish(2u32), 1);
    good.join().unwrap();
    drop(to);
    assert_eq!(all(notes), ["first", "good 1", "good 2", "final"]);
}

#[test]
fn the_end_of_the_bus_and_the_drop_of_the_handle_give_the_final_message() {
    let (bus, topic) = topic();
    let (to, notes) = notes();
    let by_bus = noting_changes(&to).route::<u32>(note_number(&to, "n")).subscribe(&topic).unwrap();
    topic.publish(1u32);
    drop(bus);
    by_bus.join().unwrap();
    drop(to);
    assert_eq!(all(notes), ["first", "n 1", "final"]);

    let (_bus, topic) = self::topic();
    let (to, notes) = self::notes();
    let router = noting_changes(&to).route::<u32>(note_number(&to, "n")).subscribe(&topic).unwrap();
    topic.publish(1u32);
    drop((router, to));
    assert_eq!(all(notes), ["first", "n 1", "final"]);
}
