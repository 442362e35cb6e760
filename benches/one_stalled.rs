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

use fan_out::{CAPACITY, Contender, Room, group, time_publishes};

const SUBSCRIBERS: usize = 8;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for (name, room) in [("stalled heap", Room::Heap), ("stalled ready", Room::Ready)] {
        with_one_stalled(&mut criterion, name, room);
    }
    criterion.final_summary();
}

fn with_one_stalled(criterion: &mut Criterion, name: &str, room: Room) {
    let mut group = group(criterion, name);
    for contender in Contender::ALL {
        for (case, readers) in [("all read", SUBSCRIBERS), ("one stalled", SUBSCRIBERS - 1)] {
            group.bench_function(BenchmarkId::new(contender.name(), case), |bencher| {
                let mut fan_out = contender.make(SUBSCRIBERS, room);
                // Fills the ring of the one that stalls.
                time_publishes(&mut *fan_out, 2 * CAPACITY as u64, readers);
                bencher.iter_custom(|count| time_publishes(&mut *fan_out, count, readers));
            });
        }
    }
    group.finish();
}
