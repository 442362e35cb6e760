//! A bridge: a room in which everybody hears everybody but themselves.
//!
//! Each tick it adds up what its members say, in 32 bits, at its own rate, and gives each the sum
//! less what it said itself. A playback is one more voice that everybody hears; a tap is one more
//! listener, which is on the way to a file.

use stasis_bus::{RtPublisher, Stamp, Topic};

use crate::engine::{Outside, Retired};
use crate::event::{PlaybackFinished, PlaybackStarted};
use crate::frame::{Frame, MAX_FRAME, Ptime, SampleRate};
use crate::id::{Arena, BridgeId, LegId, PlaybackId};
use crate::leg::Leg;
use crate::mix;
use crate::wav::Player;

/// A room.
pub struct Bridge {
    id: BridgeId,
    topic: Topic,
    rate: SampleRate,
    members: Vec<LegId>,
    total: [i32; MAX_FRAME],
    frame: Frame,
    playback: Option<Box<Playback>>,
    tap: Option<Box<Tap>>,
}

impl Bridge {
    /// An empty room that mixes at `rate`, has room for `capacity` legs, and publishes to `topic`.
    pub fn new(id: BridgeId, rate: SampleRate, capacity: usize, topic: Topic) -> Self {
        Bridge {
            id,
            topic,
            rate,
            members: Vec::with_capacity(capacity),
            total: [0; MAX_FRAME],
            frame: Frame::silence(rate),
            playback: None,
            tap: None,
        }
    }

    /// Its name.
    pub fn id(&self) -> BridgeId {
        self.id
    }

    /// The rate that it mixes at.
    pub fn rate(&self) -> SampleRate {
        self.rate
    }

    pub(crate) fn topic(&self) -> &Topic {
        &self.topic
    }

    pub(crate) fn pop_member(&mut self) -> Option<LegId> {
        self.members.pop()
    }

    /// Whether one more leg fits.
    pub(crate) fn has_room(&self) -> bool {
        self.members.len() < self.members.capacity()
    }

    pub(crate) fn add(&mut self, leg: LegId) {
        debug_assert!(self.has_room(), "asked before");
        self.members.push(leg);
    }

    pub(crate) fn remove(&mut self, leg: LegId) {
        self.members.retain(|member| *member != leg);
    }

    /// Begins to play, in place of what was playing.
    pub(crate) fn play(
        &mut self,
        playback: Box<Playback>,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        self.stop_playing(false, now, publisher, outside);
        let started = PlaybackStarted { playback: playback.id, bridge: self.id };
        publisher.publish(&self.topic, now, started);
        self.playback = Some(playback);
    }

    pub(crate) fn stop_playing(
        &mut self,
        complete: bool,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        if let Some(playback) = self.playback.take() {
            let finished = PlaybackFinished { playback: playback.id, bridge: self.id, complete };
            publisher.publish(&self.topic, now, finished);
            outside.retire(Retired::Playback(playback));
        }
    }

    /// Sends the whole room to `tap`; gives back the one that it replaces.
    pub(crate) fn set_tap(&mut self, tap: Option<Box<Tap>>) -> Option<Box<Tap>> {
        std::mem::replace(&mut self.tap, tap)
    }

    /// One tick: everybody's audio of this tick is in `legs`.
    pub(crate) fn tick(
        &mut self,
        legs: &mut Arena<Leg>,
        now: Stamp,
        publisher: &mut RtPublisher,
        outside: &mut impl Outside,
    ) {
        let samples = self.rate.samples_in(Ptime::TICK);
        let total = &mut self.total[..samples];
        total.fill(0);
        for member in &self.members {
            if let Some(leg) = legs.get_mut(member.0) {
                mix::add(total, leg.said().samples());
            }
        }
        if let Some(playback) = &mut self.playback {
            let out = self.frame.samples_mut();
            let filled = playback.player.fill(out);
            mix::add(total, &out[..filled]);
            if filled < samples {
                self.stop_playing(true, now, publisher, outside);
            }
        }
        let total = &self.total[..samples];
        if let Some(tap) = self.tap.take_if(|tap| tap.is_unread()) {
            outside.retire(Retired::Tap(tap));
        }
        if let Some(tap) = &mut self.tap {
            mix::mix_all(total, self.frame.samples_mut());
            tap.push(self.frame.samples());
        }
        for member in &self.members {
            if let Some(leg) = legs.get_mut(member.0) {
                mix::mix_minus(total, leg.said().samples(), self.frame.samples_mut());
                leg.hear(&self.frame, outside);
            }
        }
    }
}

/// Something to be played to a bridge.
pub struct Playback {
    id: PlaybackId,
    player: Player,
}

impl Playback {
    /// Plays what `player` holds; it must be at the bridge's rate.
    pub fn new(id: PlaybackId, player: Player) -> Self {
        Playback { id, player }
    }

    /// Its name.
    pub fn id(&self) -> PlaybackId {
        self.id
    }

    pub(crate) fn rate(&self) -> SampleRate {
        self.player.pcm().rate()
    }
}

/// A listener on its way to a file: the media thread's end of a ring of samples. It is retired when
/// it is taken off, and when nobody reads it any more.
pub struct Tap {
    samples: rtrb::Producer<i16>,
    lost: u64,
}

impl Tap {
    /// A tap and the end to read from; the ring holds `seconds` of audio at `rate`.
    pub fn new(rate: SampleRate, seconds: u32) -> (Self, rtrb::Consumer<i16>) {
        let (samples, consumer) = rtrb::RingBuffer::new(rate.hz() as usize * seconds as usize);
        (Tap { samples, lost: 0 }, consumer)
    }

    /// How many samples found no room, because the reader was late.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether its reading end is gone: then the bridge lets it go.
    fn is_unread(&self) -> bool {
        self.samples.is_abandoned()
    }

    fn push(&mut self, samples: &[i16]) {
        let (_, rest) = self.samples.push_partial_slice(samples);
        self.lost += rest.len() as u64;
    }
}
