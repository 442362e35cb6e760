//! Talk detection: who speaks, with hysteresis.
