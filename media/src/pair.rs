//! Pairs: two legs back to back, without a party.
//!
//! What the one is sent to hear is what the other says, and the other way round. So a call has two halves
//! that are in bridges of their own; or a phone is simulated: what is played to the far leg is said by the
//! near one. Between the two are rings, so they may be on different threads; what goes through one is a
//! tick or two behind.
//!
//! A key that is pressed on the one comes to the other beside the sound, as a telephone event would (RFC
//! 4733): it is told of when it begins and when it is over, and there are no tones for it.

use std::time::Duration;

use stasis_bus::Stamp;

use crate::cushion::{Cushion, RING_TICKS};
use crate::dtmf::Digit;
use crate::frame::{Ptime, SampleRate};
use crate::rtp::{DIAL_QUEUE, Full, MAX_KEY, MIN_KEY, MIN_PAUSE, RtpEvent};

/// The edge of one leg of a pair.
pub struct PairEdge {
    rate: SampleRate,
    /// What the other is sent to hear, and what this one is.
    from: rtrb::Consumer<i16>,
    to: rtrb::Producer<i16>,
    cushion: Cushion,
    /// Keys that were pressed on the other, and on this one.
    pressed: rtrb::Consumer<Key>,
    presses: rtrb::Producer<Key>,
    /// The key that is held down.
    held: Option<Held>,
    /// No key begins before that.
    free_from: Stamp,
}

#[derive(Clone, Copy)]
struct Key {
    digit: Digit,
    duration: Duration,
}

struct Held {
    key: Key,
    until: Stamp,
}

impl PairEdge {
    /// The edges of two legs at `rate`. Allocates.
    pub fn pair(rate: SampleRate) -> [Self; 2] {
        let room = rate.samples_in(Ptime::TICK) * RING_TICKS;
        let [(to_one, one_from), (to_other, other_from)] =
            [(); 2].map(|()| rtrb::RingBuffer::new(room));
        let [(on_one, other_pressed), (on_other, one_pressed)] =
            [(); 2].map(|()| rtrb::RingBuffer::new(DIAL_QUEUE));
        let edge = |from, to, pressed, presses| PairEdge {
            rate,
            from,
            to,
            cushion: Cushion::default(),
            pressed,
            presses,
            held: None,
            free_from: Stamp::ZERO,
        };
        [
            edge(one_from, to_other, one_pressed, on_one),
            edge(other_from, to_one, other_pressed, on_other),
        ]
    }

    pub(crate) fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Writes a tick of what the other was sent to `out`; `false`: it is silence.
    pub(crate) fn receive(&mut self, out: &mut [i16]) -> bool {
        let waiting = self.from.slots() / out.len().max(1);
        let Some(too_old) = self.cushion.next(waiting) else {
            out.fill(0);
            return false;
        };
        for _ in 0..=too_old {
            // So many ticks wait; if not, the one before is as good as silence.
            let _ = self.from.pop_entire_slice(out);
        }
        out.iter().any(|&sample| sample != 0)
    }

    /// Passes on what this one is sent to hear. When the other has not read for long, or is gone, that
    /// is heard by nobody.
    pub(crate) fn send(&mut self, tick: &[i16]) {
        let _ = self.to.push_entire_slice(tick);
    }

    /// Presses a key for the other, for `duration` (40 ms to 60 s, brought into that range).
    ///
    /// # Errors
    /// When [`DIAL_QUEUE`] keys wait already, or the other is gone.
    pub(crate) fn press(&mut self, digit: Digit, duration: Duration) -> Result<(), Full> {
        if self.presses.is_abandoned() {
            return Err(Full);
        }
        let key = Key { digit, duration: duration.clamp(MIN_KEY, MAX_KEY) };
        self.presses.push(key).map_err(|_| Full)
    }

    /// What becomes of the keys that were pressed on the other, in the tick of `now`. Between two of
    /// them is a pause of 40 ms, as an RTP sender makes it.
    pub(crate) fn keys(&mut self, now: Stamp, on: &mut impl FnMut(RtpEvent)) {
        if let Some(Held { key, .. }) = self.held.take_if(|held| held.until <= now) {
            self.free_from = now + MIN_PAUSE;
            let duration_ms = key.duration.as_millis() as u32; // a minute at the most
            on(RtpEvent::DigitEnd { digit: key.digit, duration_ms });
        }
        if self.held.is_none()
            && self.free_from <= now
            && let Ok(key) = self.pressed.pop()
        {
            self.held = Some(Held { key, until: now + key.duration });
            on(RtpEvent::DigitBegin(key.digit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::Frame;
    use crate::schedule::PERIOD;

    const RATE: SampleRate = SampleRate::Hz8000;

    /// What is said in a tick: its first sample; 0 when it is silence.
    fn said(edge: &mut PairEdge) -> i16 {
        let mut out = [9; 160];
        let heard = edge.receive(&mut out);
        assert_eq!(heard, out != [0; 160]);
        out[0]
    }

    #[test]
    fn every_tick_comes_whoever_is_first_in_it() {
        let [mut one, mut other] = PairEdge::pair(RATE);
        let mut heard = Vec::new();
        for tick in 1..50 {
            if tick % 3 == 0 {
                heard.push(said(&mut other));
                one.send(Frame::of(tick).samples());
            } else {
                one.send(Frame::of(tick).samples());
                heard.push(said(&mut other));
            }
            assert_eq!(said(&mut one), 0, "nothing comes back");
        }
        let heard: Vec<_> = heard.into_iter().skip_while(|sample| *sample == 0).collect();
        assert!(heard.len() >= 47 && heard.iter().copied().eq((1..).take(heard.len())));
    }

    #[test]
    fn what_was_sent_by_one_that_is_gone_is_said_and_then_silence() {
        let [mut one, mut other] = PairEdge::pair(RATE);
        (1..=2).for_each(|tick| one.send(Frame::of(tick).samples()));
        one.press(Digit::ALL[1], MIN_KEY).unwrap();
        drop(one);
        assert_eq!([(); 4].map(|()| said(&mut other)), [1, 2, 0, 0]);
        let mut keys = 0;
        (0..5).for_each(|n| other.keys(Stamp::ZERO + PERIOD * n, &mut |_| keys += 1));
        assert_eq!((keys, other.press(Digit::ALL[1], MIN_KEY)), (2, Err(Full)));
    }

    #[test]
    fn who_does_not_read_holds_up_nobody_and_is_not_told_all_of_it_later() {
        let [mut one, mut other] = PairEdge::pair(RATE);
        let room = RING_TICKS as i16;
        (1..=100).for_each(|tick| one.send(Frame::of(tick).samples()));
        assert_eq!([(); 3].map(|()| said(&mut other)), [room - 1, room, 0]);
    }

    #[test]
    fn time_that_was_skipped_belongs_to_the_key() {
        let [mut one, mut other] = PairEdge::pair(RATE);
        one.press(Digit::ALL[5], Duration::from_secs(99)).unwrap();
        let mut told = Vec::new();
        for at in [0, 20, 59_980, 80_000] {
            other.keys(Stamp::from_ms(at), &mut |key| told.push((at, key)));
        }
        let digit = Digit::ALL[5];
        let end = RtpEvent::DigitEnd { digit, duration_ms: 60_000 }; // the longest
        assert_eq!(told, [(0, RtpEvent::DigitBegin(digit)), (80_000, end)]);
    }
}
