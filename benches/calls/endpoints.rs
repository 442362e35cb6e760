//! What does an endpoint cost that nobody calls? No thread, and so much memory.

use std::error::Error;

use super::args::Args;
use super::figures::Figures;
use super::hall::Hall;
use super::machine::rss_kb;

pub fn run(args: &Args, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let hall = Hall::open(args, 16, 4)?;
    let threads_before = threads();
    // What is made once, whoever comes, is not an endpoint's.
    add(&hall, 0, 64)?;
    let before = rss_kb();
    let from = hall.bus.now();
    add(&hall, 64, args.endpoints)?;
    let took = hall.bus.now().since(from);
    let bytes = rss_kb().saturating_sub(before) * 1_024;
    let each = bytes as f64 / args.endpoints.max(1) as f64;
    let there = hall.handle.state().endpoints().len();
    let what = format!("{} idle endpoints: memory of one", args.endpoints);
    figures.at_most(&what, each, 2_048.0, "bytes");
    figures.none("… threads more", threads().saturating_sub(threads_before) as u64);
    let missing = (args.endpoints + 66).saturating_sub(there);
    figures.none("… missing", missing as u64);
    figures.tell("… made in", format!("{took:.1?}"));
    Ok(())
}

fn add(hall: &Hall, from: usize, count: usize) -> Result<(), Box<dyn Error>> {
    let names: Vec<String> = (from..from + count).map(|n| format!("Test/phone-{n}")).collect();
    Ok(hall.handle.call(move |exchange| exchange.add_endpoints(names))?)
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}
