//! How many deliveries a second, when nothing may be lost?
//!
//! One publisher on one thread, and another thread that reads all subscriptions in turn, as fast as
//! it can. The publisher never runs further ahead than the rings hold: after each batch it waits
//! until there is room for another one. The figure is the time of one publish, to all of its
//! subscriptions; criterion's throughput is in deliveries.
//!
//! ```sh
//! cargo bench --bench throughput
//! ```

mod fan_out;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};

use fan_out::{CAPACITY, Contender, FanOut, Policies, group};

/// Publishes between two looks at how far the reader is.
const BATCH: u64 = 128;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = group(&mut criterion, "throughput");
    for subscribers in [1, 8, 64] {
        group.throughput(Throughput::Elements(subscribers as u64));
        for contender in Contender::ALL {
            group.bench_function(BenchmarkId::new(contender.name(), subscribers), |bencher| {
                let mut fan_out = contender.make(subscribers, Policies::Lossless);
                bencher.iter_custom(|count| time_deliveries(&mut fan_out, count, subscribers));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}

/// How long it takes until all subscribers have read `count` publishes.
#[allow(clippy::disallowed_methods)] // a bench reads the clock
fn time_deliveries(fan_out: &mut FanOut, count: u64, subscribers: usize) -> Duration {
    let FanOut { publisher, readers } = fan_out;
    // Of each subscription: the reader takes them in turn, up to a batch of each.
    let read = AtomicU64::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        let reader = thread::Builder::new().name("reader".into()).spawn_scoped(scope, || {
            let mut left = count * subscribers as u64;
            while left > 0 {
                let got = readers.drain(subscribers);
                left -= got;
                match got {
                    0 => thread::yield_now(),
                    _ => read.store(count - left.div_ceil(subscribers as u64), Ordering::Release),
                }
            }
        });
        let reader = reader.expect("there is room for a thread");
        let mut published = 0;
        while published < count {
            let batch = BATCH.min(count - published);
            let limit = (published + batch).saturating_sub(CAPACITY as u64 / 2);
            while read.load(Ordering::Acquire) < limit {
                assert!(!reader.is_finished(), "the reader has failed");
                thread::yield_now();
            }
            assert_eq!(publisher.publish_times(batch), batch * subscribers as u64, "lost");
            published += batch;
        }
    });
    start.elapsed()
}
