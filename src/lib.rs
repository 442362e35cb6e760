//! A lock-free, high-throughput event bus.

mod stamp;

pub use stamp::Stamp;
