//! The models, one function each, so that tests and their broken twins run the same.

use loom::cell::UnsafeCell;
use loom::sync::atomic::AtomicUsize;
use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use loom::sync::{Arc, Mutex};
use loom::thread;
use stasis_bus::model::{
    FreeStack, Gate, Lessor, Mark, Message, Page, Progress, Publisher, Readers, Roster,
};
use stasis_bus::ring::{Consumer, Pop, Refused, evicting_ring, ring};

/// A model by name.
pub const MODELS: &[(&str, fn())] = &[
    ("two_producers_wrap_a_small_ring", two_producers_wrap_a_small_ring),
    ("a_full_ring_tells_its_loss_in_place", a_full_ring_tells_its_loss_in_place),
    ("an_eviction_races_the_consumer", an_eviction_races_the_consumer),
    ("closing_meets_a_late_producer", closing_meets_a_late_producer),
    ("a_loss_at_the_end_is_told_or_not_counted", a_loss_at_the_end_is_told_or_not_counted),
    ("a_sleeping_consumer_is_always_woken", a_sleeping_consumer_is_always_woken),
    (
        "a_consumer_sleeps_while_what_comes_next_is_only_claimed",
        a_consumer_sleeps_while_what_comes_next_is_only_claimed,
    ),
    (
        "a_callback_is_queued_once_and_never_left_with_messages",
        a_callback_is_queued_once_and_never_left_with_messages,
    ),
    ("a_mark_is_never_lost", a_mark_is_never_lost),
    ("a_worker_never_sleeps_through_work", a_worker_never_sleeps_through_work),
    (
        "a_wake_up_never_goes_to_a_worker_that_has_left",
        a_wake_up_never_goes_to_a_worker_that_has_left,
    ),
    ("two_workers_do_not_both_leave_the_last_place", two_workers_do_not_both_leave_the_last_place),
    (
        "either_somebody_sleeps_or_the_watcher_watches",
        either_somebody_sleeps_or_the_watcher_watches,
    ),
    ("cells_come_back_whole_from_two_threads", cells_come_back_whole_from_two_threads),
    ("a_cell_is_used_again_after_its_last_reader", a_cell_is_used_again_after_its_last_reader),
    (
        "a_message_on_the_heap_ends_after_its_last_reader",
        a_message_on_the_heap_ends_after_its_last_reader,
    ),
    (
        "a_follower_has_the_state_and_then_every_change",
        a_follower_has_the_state_and_then_every_change,
    ),
    ("a_follower_is_not_misled_by_a_sweep", a_follower_is_not_misled_by_a_sweep),
    ("the_last_to_return_frees_once", the_last_to_return_frees_once),
    ("a_shown_value_outlives_its_readers", a_shown_value_outlives_its_readers),
    ("a_list_is_replaced_and_its_ring_closed", a_list_is_replaced_and_its_ring_closed),
];

/// Runs the model of this name.
pub fn run(name: &str) {
    let model = MODELS.iter().find(|(known, _)| *known == name);
    let (_, model) = model.unwrap_or_else(|| panic!("no model is named {name}"));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Two producers fight for the second lap of a ring whose last slot the consumer is just emptying:
/// one of them gets the free slot; the other gets the last one or finds the ring full. What was
/// accepted comes out once, whole; what was refused does not.
fn two_producers_wrap_a_small_ring() {
    let (producer, mut consumer) = ring(2);
    producer.push(Box::new(1)).unwrap();
    producer.push(Box::new(2)).unwrap();
    assert_eq!(consumer.pop(), Pop::Value(Box::new(1)));
    let writers = [10, 20].map(|value| {
        let producer = producer.clone();
        thread::spawn(move || match producer.push(Box::new(value)) {
            Ok(()) => value,
            Err(Refused::Full(_)) => 0,
            Err(other) => panic!("{other:?}"),
        })
    });
    assert_eq!(consumer.pop(), Pop::Value(Box::new(2)));
    let mut seen = Vec::new();
    let mut look = |seen: &mut Vec<u32>| {
        while let Pop::Value(value) = consumer.pop() {
            seen.push(*value);
        }
    };
    look(&mut seen); // while they push
    let accepted = writers.map(|writer| writer.join().unwrap());
    look(&mut seen);
    assert!(accepted.iter().any(|value| *value > 0), "one slot was free all the time");
    seen.sort_unstable();
    let accepted: Vec<u32> = accepted.into_iter().filter(|value| *value > 0).collect();
    assert_eq!(seen, accepted);
}

/// A producer meets a ring that may be full: it gets in, or counts a loss; the consumer is told of
/// the loss after what was in before it and before what came after it. What the producer did before
/// it closed the ring is seen by who has seen the end.
fn a_full_ring_tells_its_loss_in_place() {
    let (producer, mut consumer) = ring(2);
    let closing = Arc::new(AtomicUsize::new(0));
    let closes = closing.clone();
    producer.push(1).unwrap();
    producer.push(2).unwrap();
    let writer = thread::spawn(move || {
        let mut refused = 0;
        for value in [3, 4] {
            if producer.push(value).is_err() {
                producer.lose();
                refused += 1;
            }
        }
        closes.store(1, Relaxed);
        producer.close();
        refused
    });
    let mut seen = Vec::new();
    loop {
        match consumer.pop() {
            Pop::Value(value) => seen.push(value),
            Pop::Lagged(missed) => seen.extend((0..missed).map(|_| 0)),
            Pop::Empty => thread::yield_now(),
            Pop::Closed => break,
        }
    }
    assert_eq!(closing.load(Relaxed), 1, "the end was seen before it");
    let refused = writer.join().unwrap();
    // Where the writer lost its values is known by what is missing.
    let expected: &[u32] = match (refused, seen.contains(&3), seen.contains(&4)) {
        (0, true, true) => &[1, 2, 3, 4],
        (1, true, false) => &[1, 2, 3, 0],
        (1, false, true) => &[1, 2, 0, 4],
        (2, false, false) => &[1, 2, 0, 0],
        other => panic!("{other:?}: {seen:?}"),
    };
    assert_eq!(seen, expected);
}

/// A producer evicts the oldest value while the consumer takes it: one of them gets it, whole, and
/// the consumer knows how many it has missed.
fn an_eviction_races_the_consumer() {
    let (producer, mut consumer) = evicting_ring(2);
    producer.push(Box::new(1)).unwrap();
    producer.push(Box::new(2)).unwrap();
    let writer = thread::spawn(move || {
        let evicted = producer.evict().map(|value| *value);
        let pushed = producer.push(Box::new(3)).is_ok();
        producer.close();
        (evicted, pushed)
    });
    let mut seen = Vec::new();
    let mut missed = 0;
    loop {
        match consumer.pop() {
            Pop::Value(value) => seen.push(*value),
            Pop::Lagged(lost) => missed += lost,
            Pop::Empty => thread::yield_now(),
            Pop::Closed => break,
        }
    }
    let (evicted, pushed) = writer.join().unwrap();
    assert_eq!(missed, u64::from(evicted.is_some()));
    seen.extend(evicted);
    seen.sort_unstable();
    assert_eq!(seen, if pushed { vec![1, 2, 3] } else { vec![1, 2] });
}

/// The ring is closed while a producer is about to push: the value is either refused or delivered
/// before the end, and nothing comes after the end.
fn closing_meets_a_late_producer() {
    let (producer, mut consumer) = ring(2);
    let closer = producer.clone();
    let writer = thread::spawn(move || match producer.push(Box::new(1)) {
        Ok(()) => true,
        Err(Refused::Closed(_)) => false,
        Err(other) => panic!("{other:?}"),
    });
    closer.close();
    let mut got = 0;
    loop {
        match consumer.pop() {
            Pop::Value(value) => got += *value,
            Pop::Empty => thread::yield_now(),
            Pop::Closed => break,
            Pop::Lagged(missed) => panic!("{missed} lost"),
        }
    }
    let accepted = writer.join().unwrap();
    assert_eq!(got, u32::from(accepted), "accepted and delivered differ");
    assert_eq!(consumer.pop(), Pop::Closed);
}

/// A producer finds the ring full and counts its loss while the ring is closed and read to its end:
/// the consumer is told of it, or it does not count.
fn a_loss_at_the_end_is_told_or_not_counted() {
    let (producer, mut consumer) = ring(2);
    let closer = producer.clone();
    let writer = thread::spawn(move || producer.lose());
    closer.close();
    let mut told = 0;
    loop {
        match consumer.pop() {
            Pop::Value(()) => unreachable!("nothing was put in"),
            Pop::Lagged(missed) => told += missed,
            Pop::Empty => thread::yield_now(),
            Pop::Closed => break,
        }
    }
    let counted = writer.join().unwrap();
    assert_eq!(told, u64::from(counted));
    assert_eq!(closer.lost(), told);
    assert_eq!(consumer.pop(), Pop::Closed);
}

/// A producer pushes while the consumer goes to sleep: either the consumer finds the value, or the
/// producer's knock says that it must be woken. Never neither.
fn a_sleeping_consumer_is_always_woken() {
    let (producer, mut consumer) = ring(2);
    let gate = Arc::new(Gate::busy());
    let woken = Arc::new(AtomicUsize::new(0));
    let writer = {
        let (gate, woken) = (gate.clone(), woken.clone());
        thread::spawn(move || {
            producer.push(Box::new(1u32)).unwrap();
            Gate::fence();
            if gate.knock() {
                woken.fetch_add(1, Release);
            }
        })
    };
    let asleep = gate.try_sleep(|| consumer.has_news());
    writer.join().unwrap();
    let wakes = woken.load(Acquire);
    if asleep {
        assert_eq!(wakes, 1, "asleep with news, and nobody wakes it");
    } else {
        assert_eq!(wakes, 0, "awake, and woken as well: it would be queued twice");
    }
    assert!(matches!(consumer.pop(), Pop::Value(_)));
}

/// A producer evicts the oldest value and puts a new one in, while the consumer, which has taken what
/// there was, goes to sleep: it sleeps and is woken, or it finds something. Once what it was about to
/// take may be gone, but it does not look again and again while the producer is interrupted.
fn a_consumer_sleeps_while_what_comes_next_is_only_claimed() {
    let (producer, mut consumer) = evicting_ring(2);
    producer.push(1u32).unwrap();
    let gate = Arc::new(Gate::busy());
    let writer = {
        let gate = gate.clone();
        thread::spawn(move || {
            producer.evict();
            producer.push(2).unwrap();
            Gate::fence();
            gate.knock()
        })
    };
    let (mut asleep, mut in_vain) = (false, 0);
    for _ in 0..3 {
        asleep = asleep || gate.try_sleep(|| consumer.has_news());
        in_vain += u32::from(!asleep && consumer.pop() == Pop::Empty);
    }
    assert!(in_vain <= 1, "awake for nothing");
    let woken = writer.join().unwrap();
    if asleep && consumer.has_news() {
        assert!(woken, "asleep with news, and nobody wakes it");
    }
}

/// A publisher publishes twice to a callback that two workers run, one delivery a turn: it is never
/// queued while it is queued or run, and at the end everything was delivered.
fn a_callback_is_queued_once_and_never_left_with_messages() {
    struct Callback {
        gate: Gate,
        /// So often it is in the queue.
        queued: AtomicUsize,
        inbox: Mutex<(Consumer<u32>, u32)>,
    }
    impl Callback {
        fn queue(&self) {
            assert_eq!(self.queued.fetch_add(1, Release), 0, "queued twice");
        }

        /// A worker's turn; `false` if it finds nothing to run.
        fn turn(&self) -> bool {
            if self.queued.swap(0, Acquire) == 0 {
                return false;
            }
            let mut inbox = self.inbox.lock().unwrap();
            let (consumer, delivered) = &mut *inbox;
            let is_asleep = match consumer.pop() {
                Pop::Value(_) => {
                    *delivered += 1;
                    false
                }
                _ => self.gate.try_sleep(|| consumer.has_news()),
            };
            drop(inbox);
            if !is_asleep {
                self.queue();
            }
            true
        }
    }

    let (producer, consumer) = ring(2);
    let callback = Arc::new(Callback {
        gate: Gate::asleep(),
        queued: AtomicUsize::new(0),
        inbox: Mutex::new((consumer, 0)),
    });
    let publisher = {
        let callback = callback.clone();
        thread::spawn(move || {
            for message in 0..2 {
                producer.push(message).unwrap();
                Gate::fence();
                if callback.gate.knock() {
                    callback.queue();
                }
            }
        })
    };
    let worker = {
        let callback = callback.clone();
        thread::spawn(move || while callback.turn() {})
    };
    while callback.turn() {}
    publisher.join().unwrap();
    worker.join().unwrap();
    while callback.turn() {}
    assert_eq!(callback.inbox.lock().unwrap().1, 2, "left with messages");
}

/// Two subscriptions of one word are marked while a worker takes the marks: what was written before a mark is
/// seen by whoever takes it, and no mark stays behind unseen.
fn a_mark_is_never_lost() {
    let page = Arc::new(Page::new());
    let data = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let setter = {
        let (page, data) = (page.clone(), data.clone());
        thread::spawn(move || {
            data[0].store(1, Relaxed);
            Mark::new(page.clone(), 3).set();
            data[1].store(1, Relaxed);
            Mark::new(page, 5).set();
        })
    };
    let mut found = Vec::new();
    let look = |found: &mut Vec<usize>| {
        page.take(|index| {
            assert_eq!(data[usize::from(index == 5)].load(Relaxed), 1, "the mark came first");
            found.push(index);
        });
    };
    look(&mut found);
    setter.join().unwrap();
    if page.is_marked() {
        look(&mut found);
    }
    found.sort_unstable();
    assert_eq!(found, [3, 5]);
}

/// A worker lies down while somebody has work for one: either it finds the work, or it is claimed.
fn a_worker_never_sleeps_through_work() {
    let (roster, work) = (Arc::new(Roster::new()), Arc::new(AtomicUsize::new(0)));
    let publisher = {
        let (roster, work) = (roster.clone(), work.clone());
        thread::spawn(move || {
            work.store(1, Relaxed);
            roster.claim()
        })
    };
    roster.lie_down(0);
    let sees = work.load(Relaxed) == 1;
    let claimed = publisher.join().unwrap();
    assert!(sees || claimed == Some(0), "asleep, and nobody wakes it");
}

/// Two workers sleep, and one is about to leave while somebody wants one woken: whoever is claimed
/// is there, and somebody is.
fn a_wake_up_never_goes_to_a_worker_that_has_left() {
    let roster = Arc::new(Roster::new());
    (0..2).for_each(|worker| roster.lie_down(worker));
    let publisher = {
        let roster = roster.clone();
        thread::spawn(move || roster.claim())
    };
    let left = roster.leave(0, 1);
    match publisher.join().unwrap() {
        Some(0) => assert!(!left, "claimed, and gone"),
        Some(1) => assert_eq!(roster.asleep(), u64::from(!left)),
        claimed => panic!("{claimed:?} claimed of two"),
    }
}

/// Two workers want to leave at once, and one has to stay.
fn two_workers_do_not_both_leave_the_last_place() {
    let roster = Arc::new(Roster::new());
    (0..2).for_each(|worker| roster.lie_down(worker));
    let other = {
        let roster = roster.clone();
        thread::spawn(move || roster.leave(1, 1))
    };
    let left = roster.leave(0, 1);
    assert!(left ^ other.join().unwrap(), "one leaves and one stays");
    assert_eq!(roster.asleep().count_ones(), 1);
}

/// The only sleeping worker is claimed and gets up while the watcher goes off duty: the watcher
/// notices and stays, or it is called, and not both.
fn either_somebody_sleeps_or_the_watcher_watches() {
    let roster = Arc::new(Roster::new());
    roster.lie_down(0);
    let worker = {
        let roster = roster.clone();
        thread::spawn(move || {
            roster.claim();
            roster.get_up(0)
        })
    };
    let off = roster.go_off_duty();
    let called = worker.join().unwrap();
    assert_eq!(off, called, "nobody sleeps, and nobody watches, or twice");
    assert!(roster.is_on_duty());
}

/// Two threads give cells back while the owner takes: each cell is taken once, after its last user
/// is done with it.
fn cells_come_back_whole_from_two_threads() {
    let stack = Arc::new(FreeStack::new(2));
    let cells = Arc::new([UnsafeCell::new(0u32), UnsafeCell::new(0u32)]);
    let users: Vec<_> = (0..2)
        .map(|cell| {
            let (stack, cells) = (stack.clone(), cells.clone());
            thread::spawn(move || {
                // SAFETY: the cell is this thread's until it is put back.
                cells[cell].with_mut(|content| unsafe { *content = 1 });
                stack.put(cell as u32);
            })
        })
        .collect();
    let mut taken = [0, 0];
    let mut look = || {
        let mut next = stack.take_all();
        while let Some(cell) = next {
            taken[cell as usize] += 1;
            // SAFETY: the cell is ours now.
            cells[cell as usize].with_mut(|content| unsafe { *content += 1 });
            next = stack.below(cell);
        }
    };
    look();
    users.into_iter().for_each(|user| user.join().unwrap());
    look();
    assert_eq!(taken, [1, 1]);
}

/// The payload of a message, which is all that there is to read.
fn read(message: &Message) -> u64 {
    *message.downcast_ref().expect("what was published")
}

/// Two subscribers read a message in the pool's only cell, and let it go, while the publisher tries to
/// publish the next one: if it gets the cell, everybody is done with what was in it.
fn a_cell_is_used_again_after_its_last_reader() {
    let mut publisher = Publisher::new(1);
    let shares = publisher.publish(1, 2).expect("the cell is free");
    let readers: Vec<_> = shares
        .into_iter()
        .map(|message| thread::spawn(move || assert_eq!(read(&message), 1)))
        .collect();
    let early = publisher.publish(2, 1);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    let next = early.or_else(|| publisher.publish(2, 1)).expect("the cell has come back");
    assert_eq!(read(&next[0]), 2);
    assert!(publisher.publish(3, 1).is_none(), "every cell is out");
}

/// Two subscribers read a message on the heap while the publisher takes a share back that a third
/// has refused: whoever is last ends the payload, once, after everybody's use.
fn a_message_on_the_heap_ends_after_its_last_reader() {
    let (publisher, ends) = (Publisher::new(1), Arc::new(AtomicUsize::new(0)));
    let payload = Watched { content: UnsafeCell::new(7), ends: ends.clone() };
    let mut readers = Vec::new();
    publisher.publish_on_heap(payload, 2, |shares| {
        readers.extend(shares.into_iter().map(|message| {
            thread::spawn(move || {
                let payload: &Watched = message.downcast_ref().expect("what was published");
                payload.read();
            })
        }));
    });
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    assert_eq!(ends.load(Relaxed), 1);
}

/// A cache changes two entries, and tells it to who is on its list, while a follower gets on the list
/// and reads the state: each change is in the state or told, never neither, never both as news.
fn a_follower_has_the_state_and_then_every_change() {
    let cache = Arc::new((Progress::new(), [AtomicUsize::new(0), AtomicUsize::new(0)]));
    let (updates, mut told) = ring(2);
    let is_listed = Arc::new(AtomicUsize::new(0));
    let writer = {
        let (cache, is_listed) = (cache.clone(), is_listed.clone());
        thread::spawn(move || {
            let (progress, entries) = &*cache;
            for version in [1, 2] {
                entries[version - 1].store(version, Release); // as an arc-swap does
                progress.has_stored(version as u64);
                if is_listed.load(Acquire) == 1 {
                    updates.push(version).unwrap();
                }
            }
        })
    };
    is_listed.store(1, Release);
    let (progress, entries) = &*cache;
    let (stored, known) = progress.read(|| [0, 1].map(|entry: usize| entries[entry].load(Acquire)));
    writer.join().unwrap();
    let mut news = Vec::new();
    while let Pop::Value(version) = told.pop() {
        if version > known[version - 1].max(stored as usize) {
            news.push(version);
        }
    }
    for version in [1, 2] {
        let is_known = known[version - 1] == version;
        assert_eq!(u32::from(is_known) + u32::from(news.contains(&version)), 1, "{version}");
    }
}

/// An entry is cleared and then swept away while a follower reads the state: if it finds no trace of
/// the entry, it does not take the clearing for news, of which it could make nothing.
fn a_follower_is_not_misled_by_a_sweep() {
    const CLEARED: usize = 2;
    const GONE: usize = 0;
    let cache = Arc::new((Progress::new(), AtomicUsize::new(1)));
    cache.0.has_stored(1);
    let writer = {
        let cache = cache.clone();
        thread::spawn(move || {
            let (progress, entry) = &*cache;
            entry.store(CLEARED, Release);
            progress.has_stored(2);
            progress.sweep(|| entry.store(GONE, Release));
        })
    };
    let (progress, entry) = &*cache;
    let (stored, found) = progress.read(|| entry.load(Acquire));
    writer.join().unwrap();
    assert!(found != GONE || stored == 2, "told of the end of what it does not know");
}

/// An object that is read by several, and whose end counts and must come after.
struct Watched {
    content: UnsafeCell<u32>,
    ends: Arc<AtomicUsize>,
}

impl Watched {
    fn read(&self) {
        // SAFETY: a shared read while the object lives, or loom will say so.
        assert_eq!(self.content.with(|content| unsafe { *content }), 7);
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // SAFETY: the end of the object is exclusive, or loom will say so.
        self.content.with_mut(|content| unsafe { *content = 0 });
        self.ends.fetch_add(1, Relaxed);
    }
}

// SAFETY (model): shared reads of `content` only, and the write at its end.
unsafe impl Send for Watched {}
// SAFETY (model): as above.
unsafe impl Sync for Watched {}

/// The owner goes while two leases are out: whoever is last frees, once, after everybody's use.
fn the_last_to_return_frees_once() {
    let ends = Arc::new(AtomicUsize::new(0));
    let lessor = Lessor::new(Watched { content: UnsafeCell::new(7), ends: ends.clone() });
    let readers: Vec<_> = (0..2)
        .map(|_| {
            let lease = lessor.lend();
            thread::spawn(move || lease.read())
        })
        .collect();
    drop(lessor);
    readers.into_iter().for_each(|reader| reader.join().unwrap());
    assert_eq!(ends.load(Relaxed), 1);
}

/// A value is replaced, and its end comes as soon as it is said to be unread, while a reader makes
/// two passes: what a pass reads is whole and not yet at its end, and the second pass, which begins
/// after the first has seen the new value, does not see the old one.
fn a_shown_value_outlives_its_readers() {
    struct Watched(UnsafeCell<u32>);
    impl Drop for Watched {
        fn drop(&mut self) {
            // SAFETY: the end of the value is exclusive, or loom will say so.
            self.0.with_mut(|content| unsafe { *content = 0 });
        }
    }
    // SAFETY (model): shared reads only, and the write at its end.
    unsafe impl Send for Watched {}
    // SAFETY (model): as above.
    unsafe impl Sync for Watched {}

    let mut readers = Readers::new();
    let mut reader = readers.admit();
    let shown = Arc::new(readers.show(Arc::new(Watched(UnsafeCell::new(1)))));
    let reads = shown.clone();
    let passes = thread::spawn(move || {
        let mut look = || {
            let pass = reader.enter();
            let value = reads.read(&pass).expect("its own reader");
            // SAFETY: a shared read in a pass.
            value.0.with(|content| unsafe { *content })
        };
        let seen = [look(), look()];
        assert!(seen == [1, 1] || seen == [1, 2] || seen == [2, 2], "{seen:?}");
    });
    readers.replace(&shown, Arc::new(Watched(UnsafeCell::new(2))));
    drop(readers.unread()); // asks who is inside
    drop(readers.unread()); // looks whether they are done
    passes.join().unwrap();
    drop(readers.unread());
    assert!(!readers.has_old(), "nobody reads it any more");
}

/// A subscription is taken off the list and its ring closed, while a publisher publishes to who is
/// on the list: what the ring has accepted is delivered before its end, and the list that was
/// replaced stays while the publisher walks it.
fn a_list_is_replaced_and_its_ring_closed() {
    let (producer, mut consumer) = ring(2);
    let mut readers = Readers::new();
    let mut reader = readers.admit();
    let list = Arc::new(readers.show(Arc::new(vec![producer.clone()])));
    let published = list.clone();
    let publisher = thread::spawn(move || {
        let mut publish = |value| {
            let pass = reader.enter();
            let list = published.read(&pass).expect("its own reader");
            list.iter().filter(|ring| ring.push(Box::new(value)).is_ok()).count()
        };
        publish(1u32) + publish(2)
    });
    readers.replace(&list, Arc::new(Vec::new()));
    producer.close();
    drop((producer, readers.unread()));
    let mut got = Vec::new();
    loop {
        match consumer.pop() {
            Pop::Value(value) => got.push(*value),
            Pop::Empty => thread::yield_now(),
            Pop::Closed => break,
            Pop::Lagged(missed) => panic!("{missed} lost"),
        }
    }
    let accepted = publisher.join().unwrap();
    assert_eq!(got, [1, 2][..accepted], "accepted and delivered differ");
}
