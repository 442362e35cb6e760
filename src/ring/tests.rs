//! The ring against its promises, single-threaded; threads are in `tests/` and in the models.

use super::*;

fn drain(consumer: &mut Consumer<u32>) -> Vec<Pop<u32>> {
    std::iter::from_fn(|| Some(consumer.pop()).filter(|pop| *pop != Pop::Empty))
        .take_while(|pop| *pop != Pop::Closed)
        .collect()
}

#[test]
fn values_come_out_in_order_over_many_laps() {
    let (producer, mut consumer) = ring(4);
    for lap in 0..100 {
        for value in 0..3 {
            producer.push(lap * 3 + value).unwrap();
        }
        let expected: Vec<_> = (0..3).map(|value| Pop::Value(lap * 3 + value)).collect();
        assert_eq!(drain(&mut consumer), expected);
    }
    assert_eq!((producer.pushed(), producer.popped()), (300, 300));
}

#[test]
fn a_full_ring_gives_the_value_back_at_once() {
    let (producer, mut consumer) = ring(2);
    producer.push(1).unwrap();
    producer.push(2).unwrap();
    assert_eq!(producer.push(3), Err(Refused::Full(3)));
    assert_eq!(consumer.pop(), Pop::Value(1));
    producer.push(4).unwrap();
    assert_eq!(drain(&mut consumer), [Pop::Value(2), Pop::Value(4)]);
}

#[test]
fn losses_are_told_where_they_happened() {
    let (producer, mut consumer) = ring(2);
    producer.push(1).unwrap();
    producer.push(2).unwrap();
    producer.lose();
    producer.lose();
    assert_eq!(consumer.pop(), Pop::Value(1));
    producer.push(3).unwrap();
    let rest = [Pop::Value(2), Pop::Lagged(2), Pop::Value(3)];
    assert_eq!(drain(&mut consumer), rest);
}

#[test]
fn a_loss_that_nothing_follows_is_told_at_the_end_of_what_there_is() {
    let (producer, mut consumer) = ring(2);
    producer.push(1).unwrap();
    producer.lose();
    assert!(consumer.has_news());
    assert_eq!(drain(&mut consumer), [Pop::Value(1), Pop::Lagged(1)]);
    assert!(!consumer.has_news());
    producer.lose();
    assert!(consumer.has_news());
    producer.close();
    assert_eq!(drain(&mut consumer), [Pop::Lagged(1)]);
    assert_eq!(consumer.pop(), Pop::Closed);
}

#[test]
fn a_closed_ring_delivers_what_it_has_and_refuses_the_rest() {
    let (producer, mut consumer) = ring(4);
    producer.push(1).unwrap();
    producer.close();
    assert_eq!(producer.push(2), Err(Refused::Closed(2)));
    assert!(consumer.has_news());
    assert_eq!(consumer.pop(), Pop::Value(1));
    assert_eq!(consumer.pop(), Pop::Closed);
    assert_eq!(consumer.pop(), Pop::Closed);
}

#[test]
fn dropping_the_consumer_closes_the_ring_and_drops_what_is_in_it() {
    let value = std::sync::Arc::new(());
    let (producer, consumer) = ring(4);
    producer.push(value.clone()).unwrap();
    drop(consumer);
    assert_eq!(std::sync::Arc::strong_count(&value), 1);
    assert!(matches!(producer.push(value), Err(Refused::Closed(_))));
}

#[test]
fn dropping_the_ring_drops_each_value_once() {
    let value = std::sync::Arc::new(());
    let (producer, mut consumer) = ring(4);
    for _ in 0..4 {
        producer.push(value.clone()).unwrap();
    }
    drop(consumer.pop());
    producer.push(value.clone()).unwrap();
    drop(producer);
    drop(consumer);
    assert_eq!(std::sync::Arc::strong_count(&value), 1);
}

#[test]
fn an_offer_without_tries_is_contended() {
    let (producer, _consumer) = ring(4);
    assert_eq!(producer.offer(1, 0), Err(Refused::Contended(1)));
}

#[test]
fn an_evicting_ring_gives_up_its_oldest_and_tells_the_consumer_where() {
    let (producer, mut consumer) = evicting_ring(2);
    producer.push(1).unwrap();
    assert_eq!(consumer.pop(), Pop::Value(1));
    for value in 2..6 {
        while producer.push(value).is_err() {
            assert!(producer.evict().is_some());
        }
    }
    producer.close();
    let rest = [Pop::Lagged(2), Pop::Value(4), Pop::Value(5)];
    assert_eq!(drain(&mut consumer), rest);
    assert_eq!(consumer.pop(), Pop::Closed);
}

#[test]
fn an_eviction_that_nothing_follows_is_told_at_the_end() {
    let (producer, mut consumer) = evicting_ring(2);
    producer.push(1).unwrap();
    assert_eq!(producer.evict(), Some(1));
    assert_eq!(producer.evict(), None);
    assert!(consumer.has_news());
    assert_eq!(consumer.pop(), Pop::Lagged(1));
    assert_eq!(consumer.pop(), Pop::Empty);
    let (producer, _consumer) = ring(2);
    producer.push(1).unwrap();
    assert_eq!(producer.evict(), None, "not this kind of ring");
}
