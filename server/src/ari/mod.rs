//! The Asterisk REST Interface (ARI): what its clients are told.
//!
//! [`model`] has the objects (a channel, a bridge, …), [`event`] what is told of them. Both borrow from the
//! snapshots of the call model and are written as JSON without a copy between.

pub mod event;
pub mod model;
