//! What can be set on a leg while it talks.

use crate::dtmf::{Absorb, DtmfSettings};
use crate::gain::Gain;
use crate::talk::TalkSettings;

/// Which way sound goes, as the engine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the party: what the others hear of it.
    In,
    /// To the party: what it hears.
    Out,
}

/// What a leg is in its bridge.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Speaks and hears. In a holding bridge it only hears.
    #[default]
    Participant,
    /// Speaks and hears, also in a holding bridge.
    Announcer,
    /// Only hears.
    Listener,
}

/// One setting of a leg. It stays with the leg wherever it goes; each takes effect along a slope of
/// one tick, without a click.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LegSetting {
    /// In: nobody hears it. Out: it hears silence.
    Mute(Direction, bool),
    /// How much louder the others hear it, or it hears the others.
    Gain(Direction, Gain),
    /// What it is in its bridge.
    Role(Role),
    /// On hold: it neither hears its bridge nor is heard there, but it hears its music, and what is
    /// played to it.
    Hold(bool),
    /// It hears itself.
    Echo(bool),
    /// Digits that it sends as tones are kept from all who hear it: the others, taps and recordings of
    /// it, and itself. They are told of as always. Either what is left of them when they are known, or
    /// the whole of them; then all of what it says is [`SQUELCH_DELAY`](crate::dtmf::SQUELCH_DELAY)
    /// late.
    AbsorbDtmf(Absorb),
    /// What is taken for a digit in its audio, by default [`DtmfSettings::DEFAULT`]; `None`, the default
    /// of a [pair](crate::pair)'s legs: it is not listened to. Then tones are sound like any other: nobody
    /// is told of them and they are not absorbed, and a digit that has begun ends there. Telephone events
    /// (RFC 4733) are told of in any case. No event tells of this setting.
    DetectDtmf(Option<DtmfSettings>),
    /// How it is listened to for talk, by default [`TalkSettings::default`]; `None`: nobody is told
    /// when it talks. A talk that has begun ends there. Who speaks in its bridge
    /// ([`ActiveSpeakerChanged`](crate::event::ActiveSpeakerChanged)) is told in any case. No event
    /// tells of this setting.
    DetectTalk(Option<TalkSettings>),
}
