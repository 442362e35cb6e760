//! What does one publish cost, by the number of subscriptions?
//!
//! Ours and its peers side by side, one publish of the same message an iteration; the figures are
//! per publish, not per subscription. README.md in this folder says what they do not tell.
//!
//! ```sh
//! cargo bench --bench fanout
//! ```

mod fan_out;

use criterion::{BenchmarkId, Criterion};

use fan_out::{Contender, Policies, group, time_publishes};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut group = group(&mut criterion, "fanout");
    for subscribers in [1, 8, 64] {
        for contender in Contender::ALL {
            group.bench_function(BenchmarkId::new(contender.name(), subscribers), |bencher| {
                let mut fan_out = contender.make(subscribers, Policies::Mixed);
                bencher.iter_custom(|count| time_publishes(&mut fan_out, count, subscribers));
            });
        }
    }
    group.finish();
    criterion.final_summary();
}
