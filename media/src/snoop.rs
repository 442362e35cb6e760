//! Snooping: a leg without a party, which overhears another leg and may speak to it.
//!
//! What is overheard is the snoop's voice: put it into a bridge, record it, or let it be heard by nobody.
//! What the snoop is to hear (its bridge, what is played to it) is whispered. Between the two legs are
//! rings, so they may be on different threads; what goes through one is a tick or two behind.

use crate::bridge::{TapEnd, TapReader};
use crate::cushion::{Cushion, RING_TICKS};
use crate::frame::{Ptime, SampleRate};

/// Which ways of a leg.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SnoopDirection {
    /// None.
    #[default]
    None,
    /// What its party says, or what the others hear of it.
    In,
    /// What its party hears.
    Out,
    /// Both.
    Both,
}

impl SnoopDirection {
    pub(crate) fn is_in(self) -> bool {
        matches!(self, SnoopDirection::In | SnoopDirection::Both)
    }

    pub(crate) fn is_out(self) -> bool {
        matches!(self, SnoopDirection::Out | SnoopDirection::Both)
    }
}

/// How a leg is snooped on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SnoopSettings {
    /// What is overheard. In: what the party says, also while it is muted. Out: what it hears.
    pub spy: SnoopDirection,
    /// Who hears what the snoop hears. In: those in the leg's bridge, as if the party said it. Out: the
    /// party.
    pub whisper: SnoopDirection,
}

/// The edge of a snooping leg.
pub struct SnoopEdge {
    rate: SampleRate,
    spy: Option<TapReader>,
    cushion: Cushion,
    whisper: [Option<rtrb::Producer<i16>>; 2],
    ended: bool,
}

impl SnoopEdge {
    /// Overhears what comes by `spy`, at `rate`. Allocates.
    pub fn new(rate: SampleRate, spy: Option<TapReader>) -> Self {
        SnoopEdge { rate, spy, cushion: Cushion::default(), whisper: [None, None], ended: false }
    }

    /// One more way for what it is to hear, of two; the other end of it is for
    /// [`Playback::pipe`](crate::sound::Playback::pipe). Allocates.
    pub fn whisper(&mut self) -> Option<rtrb::Consumer<i16>> {
        let room = self.rate.samples_in(Ptime::TICK) * RING_TICKS;
        let (to, from) = rtrb::RingBuffer::new(room);
        let place = self.whisper.iter_mut().find(|place| place.is_none())?;
        *place = Some(to);
        Some(from)
    }

    pub(crate) fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Writes the tick that is overheard to `out`; `false`: there is nothing.
    pub(crate) fn overhear(&mut self, out: &mut [i16]) -> bool {
        let Some(spy) = &mut self.spy else {
            out.fill(0);
            return false;
        };
        let waiting = spy.waiting() / out.len().max(1);
        let Some(too_old) = self.cushion.next(waiting) else {
            if waiting == 0 {
                spy.read(out); // it may be the end
            }
            out.fill(0);
            return false;
        };
        for _ in 0..too_old {
            spy.read(out);
        }
        let read = spy.read(out);
        out[read..].fill(0);
        true
    }

    /// Passes on what it hears.
    pub(crate) fn hear(&mut self, tick: &[i16]) {
        for ring in self.whisper.iter_mut().flatten().filter(|ring| ring.slots() >= tick.len()) {
            // There is room; who does not read hears nothing.
            let _ = ring.push_entire_slice(tick);
        }
    }

    /// Why nothing more is overheard; told once.
    pub(crate) fn take_end(&mut self) -> Option<TapEnd> {
        let end = self.spy.as_ref()?.end().filter(|_| !self.ended)?;
        self.ended = true;
        Some(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Tap;
    use crate::frame::Frame;

    const RATE: SampleRate = SampleRate::Hz8000;

    /// What is overheard in a tick: its first sample, if there is any.
    fn overheard(edge: &mut SnoopEdge) -> Option<i16> {
        let mut out = [9; 160];
        let heard = edge.overhear(&mut out);
        assert!(heard || out == [0; 160]);
        heard.then_some(out[0])
    }

    #[test]
    fn it_hears_every_tick_whoever_comes_first() {
        let (mut tap, reader) = Tap::new(RATE, 1);
        let mut edge = SnoopEdge::new(RATE, Some(reader));
        let mut heard = Vec::new();
        for tick in 1..50 {
            // Now the one is first, now the other.
            if tick % 3 == 0 {
                heard.push(overheard(&mut edge));
                tap.hear_leg(&Frame::of(tick));
            } else {
                tap.hear_leg(&Frame::of(tick));
                heard.push(overheard(&mut edge));
            }
        }
        let heard: Vec<_> = heard.into_iter().skip_while(Option::is_none).collect();
        let all: Vec<_> = (1..).take(heard.len()).map(Some).collect();
        assert_eq!(heard, all, "nothing is missing, and nothing twice");
        assert!(heard.len() >= 47);
    }

    #[test]
    fn what_has_piled_up_is_cut_back() {
        let (mut tap, reader) = Tap::new(RATE, 1);
        let mut edge = SnoopEdge::new(RATE, Some(reader));
        (1..=20).for_each(|tick| tap.hear_leg(&Frame::of(tick)));
        assert_eq!(overheard(&mut edge), Some(19));
        assert_eq!(overheard(&mut edge), Some(20));
        assert_eq!(overheard(&mut edge), None);
    }

    #[test]
    fn the_end_is_told_once_and_after_all_that_was_said() {
        let (mut tap, reader) = Tap::new(RATE, 1);
        let mut edge = SnoopEdge::new(RATE, Some(reader));
        (1..=2).for_each(|tick| tap.hear_leg(&Frame::of(tick)));
        tap.end(TapEnd::Gone);
        assert_eq!((overheard(&mut edge), edge.take_end()), (Some(1), None));
        assert_eq!((overheard(&mut edge), edge.take_end()), (Some(2), None));
        assert_eq!((overheard(&mut edge), edge.take_end()), (None, Some(TapEnd::Gone)));
        assert_eq!((overheard(&mut edge), edge.take_end()), (None, None));
    }

    #[test]
    fn a_whisper_goes_both_ways_and_who_does_not_listen_holds_up_nobody() {
        let mut edge = SnoopEdge::new(RATE, None);
        let (mut first, second) = (edge.whisper().unwrap(), edge.whisper().unwrap());
        assert!(edge.whisper().is_none(), "there are two ways");
        for tick in 0..40 {
            edge.hear(Frame::of(tick).samples());
            assert_eq!(first.pop_partial_slice(&mut [0; 200]).0[0], tick);
        }
        assert_eq!(second.slots(), RING_TICKS * 160);
        assert_eq!((overheard(&mut edge), edge.take_end()), (None, None), "it does not spy");
    }
}
