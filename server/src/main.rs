//! The `stasis` binary.
fn main() {}
