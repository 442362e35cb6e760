//! Resampling between the rates of legs and bridges.
