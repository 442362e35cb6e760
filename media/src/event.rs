//! What the engine publishes: one message type an event, each `Copy`, so that the media thread can
//! publish it from its pool.

use std::net::SocketAddr;

use crate::dtmf::{Absorb, Dbm0, Digit, Rejections};
use crate::frame::SampleRate;
use crate::gain::Gain;
use crate::id::{BridgeId, LegId, PlaybackId, Target};
use crate::leg::{Direction, Role};
use crate::rtp::{ReceiveStats, SendStats};
use crate::tone::ToneName;

/// A leg has joined a bridge; told on the bridge's topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Joined {
    /// Who.
    pub leg: LegId,
    /// Where.
    pub bridge: BridgeId,
}

/// A leg has left a bridge: asked to, removed, or because the bridge is gone. Told on the bridge's
/// topic, as [`Joined`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// Who.
    pub leg: LegId,
    /// From where.
    pub bridge: BridgeId,
}

/// A leg has gone from one bridge straight to another; told on the leg's topic, beside [`Left`] and
/// [`Joined`] on the bridges'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Who.
    pub leg: LegId,
    /// From where.
    pub from: BridgeId,
    /// To where.
    pub to: BridgeId,
}

/// A leg was muted in one direction, or is no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Muted {
    /// Who.
    pub leg: LegId,
    /// In: what it says. Out: what it hears.
    pub direction: Direction,
    /// Whether it is muted now.
    pub muted: bool,
}

/// A leg is louder or softer in one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GainChanged {
    /// Who.
    pub leg: LegId,
    /// In: what it says. Out: what it hears.
    pub direction: Direction,
    /// By how much it is louder than it comes.
    pub gain: Gain,
}

/// A leg was put on hold, or is no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldChanged {
    /// Who.
    pub leg: LegId,
    /// Whether it is on hold now.
    pub held: bool,
}

/// A leg has another role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleChanged {
    /// Who.
    pub leg: LegId,
    /// Which.
    pub role: Role,
}

/// A leg's digits are kept from the others from here on, or no longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfAbsorbed {
    /// Who.
    pub leg: LegId,
    /// Whether they are, and how much of them.
    pub absorbed: Absorb,
}

/// A bridge mixes at another rate; told on the bridge's topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgeRateChanged {
    /// Which.
    pub bridge: BridgeId,
    /// Before.
    pub from: SampleRate,
    /// From here on.
    pub to: SampleRate,
}

/// The packets of the two parties in a bridge pass from one to the other as they are from here on, or no
/// longer; told on the bridge's topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PacketsPass {
    /// Where.
    pub bridge: BridgeId,
    /// Whether they do.
    pub passing: bool,
}

/// A leg has begun to talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TalkingStarted {
    /// Who.
    pub leg: LegId,
}

/// A leg has stopped talking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TalkingStopped {
    /// Who.
    pub leg: LegId,
    /// For how long it has talked, in milliseconds.
    pub duration_ms: u32,
}

/// The most legs that [`Speakers`] names.
pub const MOST_SPEAKERS: usize = 7;

/// Others speak in a bridge, or in another order; told on the bridge's topic.
///
/// The active speaker is the one who has the floor: who talks alone, or was first, or has been clearly
/// louder than the others for more than half a second. He keeps it in silence until somebody else
/// speaks. A cough takes it from nobody, and two who are equally loud do not take turns. Who is muted,
/// on hold, only listens, or leaves, is not among the speakers from the next tick on. (A
/// [`Cache`](stasis_bus::Cache) of these messages by bridge answers who speaks now.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ActiveSpeakerChanged {
    /// Where.
    pub bridge: BridgeId,
    /// From here on: the active speaker first.
    pub speakers: Speakers,
}

/// Who speaks in a bridge, and who has spoken: the active speaker, then those who had the floor before,
/// the latest first. Who speaks without having had it comes in as the second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Speakers {
    legs: [Option<LegId>; MOST_SPEAKERS],
}

impl Speakers {
    /// The active speaker; none when nobody there has spoken yet.
    pub fn first(&self) -> Option<LegId> {
        self.iter().next()
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = LegId> + '_ {
        self.legs.iter().flatten().copied()
    }

    /// Whether this is one of them.
    pub fn contains(&self, leg: LegId) -> bool {
        self.legs.contains(&Some(leg))
    }

    /// Who would have to go for one more.
    pub(crate) fn last(&self) -> Option<LegId> {
        self.legs.last().copied().flatten()
    }

    /// Puts one in at this place, or behind the last. Who has no room any more is gone.
    pub(crate) fn insert(&mut self, at: usize, leg: LegId) {
        let at = at.min(self.iter().count());
        if let Some(behind) = self.legs.get_mut(at..) {
            behind.rotate_right(1);
            behind.iter_mut().take(1).for_each(|place| *place = Some(leg));
        }
    }

    /// Lets those go that are not to be kept.
    pub(crate) fn retain(&mut self, keep: impl Fn(LegId) -> bool) {
        let mut kept = Speakers::default();
        let all = self.iter().filter(|leg| keep(*leg));
        kept.legs.iter_mut().zip(all).for_each(|(place, leg)| *place = Some(leg));
        *self = kept;
    }
}

/// How a digit came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtmfSource {
    /// As tones in the audio (ITU-T Q.23).
    InBand,
    /// As telephone events (RFC 4733).
    TelephoneEvent,
}

/// A key was pressed; its end comes as [`DtmfReceived`]. A key that comes both as tones and as a
/// telephone event is told of once, by whichever is first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfBegan {
    /// Whose.
    pub leg: LegId,
    /// Which.
    pub digit: Digit,
    /// How.
    pub source: DtmfSource,
}

/// A key was pressed and released: the digit, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfReceived {
    /// Whose.
    pub leg: LegId,
    /// Which.
    pub digit: Digit,
    /// How: of a key that came in both ways the event, if it came before the tones were over.
    pub source: DtmfSource,
    /// For how long it was held, in milliseconds.
    pub duration_ms: u32,
}

/// A tone of those that a leg is listened to for has been heard; its end comes as [`ToneEnded`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ToneDetected {
    /// Whose.
    pub leg: LegId,
    /// Which.
    pub tone: ToneName,
    /// How loud it is, all its frequencies together.
    pub level: Dbm0,
}

/// A tone that was heard is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToneEnded {
    /// Whose.
    pub leg: LegId,
    /// Which.
    pub tone: ToneName,
    /// From the beginning of its first sound to the end of its last, in milliseconds.
    pub duration_ms: u32,
}

/// How often two tones in a leg's audio were taken for no digit, by reason, since its beginning. Comes
/// with the next [`RtpReceived`] when there were more. Speech has some now and then; a caller whose
/// keys are not heard has one for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfRejected {
    /// Whose.
    pub leg: LegId,
    /// By reason.
    pub counts: Rejections,
}

/// A digit could not be sent: too many wait already (press it again later), or nobody is there who could
/// take it: the leg is a sound device, a snoop, or one of a pair whose other is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DtmfNotSent {
    /// To whom.
    pub leg: LegId,
    /// Which.
    pub digit: Digit,
}

/// The address that a leg's media comes from is known from here on; it is answered there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceLearned {
    /// Whose.
    pub leg: LegId,
    /// From where.
    pub address: SocketAddr,
}

/// What a leg has received so far; every few seconds, and when it is removed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RtpReceived {
    /// Whose.
    pub leg: LegId,
    /// Since its beginning.
    pub stats: ReceiveSummary,
}

/// What a leg was sent so far; beside each [`RtpReceived`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RtpSent {
    /// Whose.
    pub leg: LegId,
    /// Since its beginning.
    pub stats: SendStats,
}

/// What a leg's streams are known by; beside each [`RtpReceived`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpSources {
    /// Whose.
    pub leg: LegId,
    /// The synchronisation source (SSRC, RFC 3550) of what it is sent.
    pub sent: u32,
    /// That of what it has received; none: nothing yet.
    pub received: Option<u32>,
    /// Bytes of payload that it has received.
    pub received_bytes: u64,
}

/// The figures of [`ReceiveStats`] that fit a message.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ReceiveSummary {
    /// Packets that were accepted.
    pub packets: u64,
    /// Packets that never came (RFC 3550 A.3).
    pub lost: u64,
    /// Packets that came too late to be played.
    pub late: u64,
    /// Packets that came twice.
    pub duplicates: u64,
    /// Packets refused: malformed, of an unknown payload type, or from a stranger.
    pub refused: u64,
    /// Ticks whose audio had to be made up.
    pub concealed: u64,
    /// Interarrival jitter (RFC 3550 A.8), in milliseconds.
    pub jitter_ms: f32,
    /// What the jitter buffer holds, in milliseconds.
    pub depth_ms: f32,
}

impl From<ReceiveStats> for ReceiveSummary {
    fn from(stats: ReceiveStats) -> Self {
        ReceiveSummary {
            packets: stats.packets,
            lost: stats.lost,
            late: stats.late,
            duplicates: stats.duplicates,
            refused: stats.malformed + stats.unknown_payload + stats.wrong_source,
            concealed: stats.concealed,
            jitter_ms: stats.jitter_ms,
            depth_ms: stats.depth_ms,
        }
    }
}

/// The sound device of a leg ran dry or ran over; counted since the leg began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceSlipped {
    /// Whose.
    pub leg: LegId,
    /// Ticks for which the microphone had too little.
    pub underruns: u64,
    /// Times that audio had to be thrown away because a ring was too full.
    pub overruns: u64,
}

/// What a snooping leg overheard is gone; it overhears nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SnoopEnded {
    /// The leg that snooped.
    pub leg: LegId,
}

/// A playback has come to another state; told on the topic of who it is played to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaybackChanged {
    /// Which.
    pub playback: PlaybackId,
    /// To whom.
    pub target: Target,
    /// Which state.
    pub state: PlaybackState,
}

/// The state of a playback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaybackState {
    /// It waits until what is played before it is over.
    Queued,
    /// It is heard: from the beginning, or again after a pause.
    Playing,
    /// It stands still.
    Paused,
    /// Of a list, the next is heard: the item of this number, counted from 0.
    Continuing {
        /// Which.
        item: u32,
    },
    /// It was heard to its end.
    Done,
    /// It was stopped.
    Stopped,
    /// What was to be heard next could not be had.
    Failed,
}

impl PlaybackState {
    /// Whether it is over.
    pub fn is_final(self) -> bool {
        matches!(self, PlaybackState::Done | PlaybackState::Stopped | PlaybackState::Failed)
    }
}

/// A tick began later than it should have by a tick or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TickMissed {
    /// Of which thread: that named `media-N`.
    pub thread: u32,
    /// How late it was, in microseconds.
    pub lateness_us: u64,
}
