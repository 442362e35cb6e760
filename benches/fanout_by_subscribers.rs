//! What does one publish cost, by the number of subscriptions?
//!
//! Twice, ours and its peers side by side: with a message that is allocated at each publish
//! (`heap`), and with one that has its place already (`ready`). The figures are per publish, not per
//! subscription. README.md in this folder says what they do not tell.
//!
//! ```sh
//! cargo bench --bench fanout_by_subscribers
//! ```

mod fan_out;

use criterion::{BenchmarkId, Criterion};

use fan_out::{Contender, Room, group, time_publishes};

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, room) in [("heap", Room::Heap), ("ready", Room::Ready)] {
        by_subscribers(&mut criterion, name, room);
    }
    criterion.final_summary();
}

fn by_subscribers(criterion: &mut Criterion, name: &str, room: Room) {
    let mut group = group(criterion, name);
    for subscribers in [0, 1, 8, 64] {
        for contender in Contender::ALL {
            if subscribers == 0 && contender != Contender::Stasis {
                continue; // nothing that they would do
            }
            group.bench_function(BenchmarkId::new(contender.name(), subscribers), |bencher| {
                let mut fan_out = contender.make(subscribers, room);
                bencher.iter_custom(|count| time_publishes(&mut *fan_out, count, subscribers));
            });
        }
    }
    group.finish();
}
