//! Call detail records and the event log, of calls as a switch would tell them.

mod kit;
mod random;
mod traces;
