//! The state of a channel.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a channel is doing, as far as its line is concerned. Outside it is told by its
/// [name](Self::name) or its [number](Self::number).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChannelState {
    /// Nothing has begun.
    #[default]
    Down,
    /// Reserved.
    Reserved,
    /// The phone is off the hook.
    OffHook,
    /// Digits were dialed.
    Dialing,
    /// The line rings for us: the call comes in.
    Ring,
    /// The other end rings: the call goes out.
    Ringing,
    /// It is answered.
    Up,
    /// The line is busy.
    Busy,
    /// Digits were dialed while off the hook.
    DialingOffhook,
    /// The call has come in, and does not ring yet.
    PreRing,
}

impl ChannelState {
    /// As clients know it.
    pub fn name(self) -> &'static str {
        match self {
            ChannelState::Down => "Down",
            ChannelState::Reserved => "Rsrvd",
            ChannelState::OffHook => "OffHook",
            ChannelState::Dialing => "Dialing",
            ChannelState::Ring => "Ring",
            ChannelState::Ringing => "Ringing",
            ChannelState::Up => "Up",
            ChannelState::Busy => "Busy",
            ChannelState::DialingOffhook => "Dialing Offhook",
            ChannelState::PreRing => "Pre-ring",
        }
    }

    /// As a number, as the manager interface tells it.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for ChannelState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Serialize for ChannelState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
