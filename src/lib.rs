//! A lock-free, high-throughput event bus.
