//! Does one subscriber that never reads make a publish dearer for the others?
//!
//! Eight subscribers: all of them read (`all read`), or seven do (`one stalled`: the eighth's ring
//! is full from the start, so that it refuses each message, or loses its oldest).
//!
//! ```sh
//! cargo bench --bench one_stalled
//! ```

mod fan_out;

use criterion::{BenchmarkId, Criterion};

use fan_out::{CAPACITY, Contender, Policies, group, time_publishes};

const SUBSCRIBERS: usize = 8;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = group(&mut criterion, "one_stalled");
    for contender in Contender::ALL {
        for (case, readers) in [("all read", SUBSCRIBERS), ("one stalled", SUBSCRIBERS - 1)] {
            group.bench_function(BenchmarkId::new(contender.name(), case), |bencher| {
                let mut fan_out = contender.make(SUBSCRIBERS, Policies::Mixed);
                // Fills the ring of the one that stalls.
                time_publishes(&mut fan_out, 2 * CAPACITY as u64, readers);
                bencher.iter_custom(|count| time_publishes(&mut fan_out, count, readers));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
