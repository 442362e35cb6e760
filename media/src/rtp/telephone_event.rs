//! Telephone events (RFC 4733): keys as packets, in both directions.
//!
//! All packets of one key have one timestamp, that of its start, and tell how long it lasts so far.
//! Only that timestamp says which key a packet belongs to: any other packet of it may be lost, the
//! marked first as well as all three ends. A key longer than 65,535 units goes on as a segment
//! with the timestamp where the one before ended (section 2.5.1.3).

use super::packet::RtpSeq;
use super::source::MAX_MISORDER;
use crate::dtmf::Digit;
use stasis_bus::Stamp;
use std::time::Duration;

/// Bytes of the payload (RFC 4733 section 2.3).
pub const EVENT_LEN: usize = 4;
/// A key of which nothing has come for this long has ended.
pub const EVENT_TIMEOUT: Duration = Duration::from_millis(200);
/// The longest segment, in timestamp units.
pub const MAX_SEGMENT: u16 = u16::MAX;

/// The payload of one telephone-event packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPayload {
    /// The event's code: 0 to 15 are the digits.
    pub event: u8,
    /// The key has been released; `duration` is final.
    pub end: bool,
    /// The tone's level below 0 dBm0, in dB, 0 to 63.
    pub volume: u8,
    /// How long it has lasted, in timestamp units.
    pub duration: u16,
}

impl EventPayload {
    /// Reads a payload; none when it is shorter than [`EVENT_LEN`]. What follows is ignored.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let &[event, flags, high, low] = payload.first_chunk()?;
        let duration = u16::from_be_bytes([high, low]);
        Some(EventPayload { event, end: flags & 0x80 != 0, volume: flags & 0x3F, duration })
    }

    /// The bytes of the payload.
    pub fn bytes(self) -> [u8; EVENT_LEN] {
        let [high, low] = self.duration.to_be_bytes();
        [self.event, u8::from(self.end) << 7 | self.volume & 0x3F, high, low]
    }
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyEvent {
    /// It was pressed.
    Begin(Digit),
    /// It was released, after `duration` timestamp units.
    End {
        /// The key.
        digit: Digit,
        /// How long it was down, in timestamp units.
        duration: u32,
    },
}

#[derive(Clone, Copy)]
struct Key {
    digit: Digit,
    /// Timestamp of the current segment, and what the segments before it lasted.
    timestamp: u32,
    before: u32,
    lasted: u16,
    newest: RtpSeq,
    heard: Stamp,
    /// None while the key is down.
    ended: Option<Ended>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Released,
    GivenUp,
}

/// Tells keys apart in the telephone events of one stream: each begins and ends exactly once.
#[derive(Default)]
pub struct EventReceiver {
    last: Option<Key>,
    ignored: u64,
}

impl EventReceiver {
    /// Before any event.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a key is down.
    pub fn in_progress(&self) -> bool {
        self.last.is_some_and(|key| key.ended.is_none())
    }

    /// Packets that were no digit: too short, or an event above 15.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    /// Takes one packet's payload; `on` hears of keys that begin or end with it.
    pub fn receive(
        &mut self,
        (seq, timestamp): (RtpSeq, u32),
        payload: &[u8],
        arrival: Stamp,
        on: &mut impl FnMut(KeyEvent),
    ) {
        let event = EventPayload::parse(payload);
        let Some((event, digit)) = event.and_then(|e| Some((e, Digit::from_event(e.event).ok()?)))
        else {
            self.ignored += 1;
            return;
        };
        match &mut self.last {
            Some(key) if key.timestamp == timestamp => key.heard_again(seq, arrival),
            Some(key) if key.is_newer_than(seq) => return, // a straggler of an older key
            Some(key) if key.goes_on_at(timestamp, digit) => key.next_segment(seq, arrival),
            _ => {
                self.end(on);
                self.last = Some(Key::new(digit, seq, timestamp, arrival));
                on(KeyEvent::Begin(digit));
            }
        }
        self.lasts(event, on);
    }

    /// Ends a key of which nothing has come for [`EVENT_TIMEOUT`].
    pub fn tick(&mut self, now: Stamp, on: &mut impl FnMut(KeyEvent)) {
        if self.last.is_some_and(|key| now.since(key.heard) >= EVENT_TIMEOUT) {
            self.end_as(Ended::GivenUp, on);
        }
    }

    /// Another stream begins: ends what is open, and forgets the timestamps of the old.
    pub fn new_stream(&mut self, on: &mut impl FnMut(KeyEvent)) {
        self.end(on);
        self.last = None;
    }

    fn lasts(&mut self, event: EventPayload, on: &mut impl FnMut(KeyEvent)) {
        let Some(key) = self.last.as_mut().filter(|key| key.ended.is_none()) else { return };
        key.lasted = key.lasted.max(event.duration);
        if event.end {
            self.end(on);
        }
    }

    fn end(&mut self, on: &mut impl FnMut(KeyEvent)) {
        self.end_as(Ended::Released, on);
    }

    fn end_as(&mut self, ended: Ended, on: &mut impl FnMut(KeyEvent)) {
        let Some(key) = self.last.as_mut().filter(|key| key.ended.is_none()) else { return };
        key.ended = Some(ended);
        let duration = key.before.saturating_add(u32::from(key.lasted));
        on(KeyEvent::End { digit: key.digit, duration });
    }
}

impl Key {
    fn new(digit: Digit, newest: RtpSeq, timestamp: u32, heard: Stamp) -> Self {
        Key { digit, timestamp, before: 0, lasted: 0, newest, heard, ended: None }
    }

    fn heard_again(&mut self, seq: RtpSeq, arrival: Stamp) {
        if self.newest.precedes(seq) {
            self.newest = seq;
        }
        self.heard = self.heard.max(arrival);
    }

    /// Whether `seq` is from just before this key: further back the numbers have wrapped since.
    fn is_newer_than(&self, seq: RtpSeq) -> bool {
        (-(MAX_MISORDER as i16)..0).contains(&seq.distance_from(self.newest))
    }

    /// Whether a packet with `timestamp` is this key's next segment.
    fn goes_on_at(&self, timestamp: u32, digit: Digit) -> bool {
        self.ended != Some(Ended::Released)
            && self.digit == digit
            && timestamp == self.timestamp.wrapping_add(MAX_SEGMENT.into())
    }

    fn next_segment(&mut self, seq: RtpSeq, arrival: Stamp) {
        self.heard_again(seq, arrival);
        self.timestamp = self.timestamp.wrapping_add(MAX_SEGMENT.into());
        self.before = self.before.saturating_add(MAX_SEGMENT.into());
        self.lasted = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A leg that takes packets `(seq, timestamp, event, end, duration)` 20 ms apart.
    #[derive(Default)]
    struct Leg(EventReceiver, u64, Vec<String>);

    impl Leg {
        fn take(&mut self, seq: u16, timestamp: u32, event: u8, end: bool, duration: u16) {
            self.1 += 20;
            let payload = EventPayload { event, end, volume: 10, duration }.bytes();
            let now = Stamp::from_ms(self.1);
            let heard = &mut self.2;
            let mut on = |key| heard.push(told(key));
            self.0.tick(now, &mut on);
            self.0.receive((RtpSeq(seq), timestamp), &payload, now, &mut on);
        }

        fn wait(&mut self, ms: u64) {
            self.1 += ms;
            let heard = &mut self.2;
            self.0.tick(Stamp::from_ms(self.1), &mut |key| heard.push(told(key)));
        }

        fn heard(&self) -> String {
            self.2.join(" ")
        }
    }

    fn told(key: KeyEvent) -> String {
        match key {
            KeyEvent::Begin(digit) => format!("{digit}"),
            KeyEvent::End { digit, duration } => format!("/{digit}:{duration}"),
        }
    }

    #[test]
    fn a_key_with_three_ends_begins_and_ends_once() {
        let mut leg = Leg::default();
        for (n, end) in [false, false, true, true, true].into_iter().enumerate() {
            leg.take(n as u16, 1_000, 5, end, 160 * (n as u16 + 1).min(3));
        }
        assert_eq!(leg.heard(), "5 /5:480");
    }

    #[test]
    fn any_one_packet_of_a_key_is_enough() {
        for (end, duration) in [(false, 160), (true, 800)] {
            let mut leg = Leg::default();
            leg.take(3, 1_000, 11, end, duration);
            leg.wait(300);
            assert_eq!(leg.heard(), format!("# /#:{duration}"));
        }
    }

    #[test]
    fn a_new_timestamp_ends_the_key_whose_ends_were_lost() {
        let mut leg = Leg::default();
        leg.take(1, 1_000, 7, false, 320);
        leg.take(9, 2_600, 7, false, 160);
        leg.take(10, 2_600, 7, true, 320);
        assert_eq!(leg.heard(), "7 /7:320 7 /7:320");
    }

    #[test]
    fn a_key_that_falls_silent_ends_by_time_and_does_not_begin_again() {
        let mut leg = Leg::default();
        leg.take(1, 1_000, 0, false, 160);
        leg.wait(199);
        assert_eq!(leg.heard(), "0");
        leg.wait(1);
        leg.take(20, 1_000, 0, true, 3_200);
        assert_eq!(leg.heard(), "0 /0:160");
    }

    #[test]
    fn a_long_key_in_segments_is_one_key() {
        let mut leg = Leg::default();
        leg.take(1, u32::MAX - 9, 10, false, 65_000);
        leg.take(2, 65_525, 10, false, 400); // the packet with 65,535 was lost; the timestamp wraps
        leg.take(3, 131_060, 10, false, 800);
        leg.take(4, 131_060, 10, true, 1_000);
        assert_eq!(leg.heard(), format!("* /*:{}", 2 * 65_535 + 1_000));
    }

    #[test]
    fn stragglers_of_an_older_key_are_not_keys() {
        let mut leg = Leg::default();
        leg.take(1, 1_000, 1, false, 160);
        leg.take(5, 3_000, 2, false, 160);
        leg.take(3, 1_000, 1, true, 480);
        leg.take(2, 1_000, 1, false, 320);
        leg.take(4, 3_000, 2, false, 80);
        leg.take(6, 3_000, 2, true, 320);
        assert_eq!(leg.heard(), "1 /1:160 2 /2:320");
    }

    #[test]
    fn a_key_is_new_however_long_after_the_last() {
        for later in [100, 32_000, 40_000, 65_000] {
            let mut leg = Leg::default();
            leg.take(1, 1_000, 1, true, 160);
            leg.take(1 + later, 5_000_000, 2, true, 160);
            assert_eq!(leg.heard(), "1 /1:160 2 /2:160");
        }
    }

    #[test]
    fn flashes_and_scraps_are_ignored_and_counted() {
        let mut leg = Leg::default();
        leg.take(1, 1_000, 16, false, 160);
        let scrap = |_| panic!("no key");
        leg.0.receive((RtpSeq(2), 0), &[1, 0, 0], Stamp::ZERO, &mut { scrap });
        assert_eq!((leg.heard().as_str(), leg.0.ignored()), ("", 2));
    }

    #[test]
    fn another_stream_ends_the_key_and_may_use_its_timestamp() {
        let mut leg = Leg::default();
        leg.take(1, 1_000, 3, false, 160);
        let heard = &mut leg.2;
        leg.0.new_stream(&mut |key| heard.push(told(key)));
        leg.take(900, 1_000, 3, true, 480);
        assert_eq!(leg.heard(), "3 /3:160 3 /3:480");
    }

    #[test]
    fn every_payload_survives_the_trip() {
        for event in [0, 15, 255] {
            for (end, volume, duration) in [(false, 0, 0), (true, 63, u16::MAX), (false, 10, 160)] {
                let payload = EventPayload { event, end, volume, duration };
                assert_eq!(EventPayload::parse(&payload.bytes()), Some(payload));
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_begins_and_ends_alternate(
            packets in prop::collection::vec((any::<u16>(), 0u32..6, any::<u8>(), any::<bool>(), any::<u16>()), 0..80),
        ) {
            let mut leg = Leg::default();
            for (seq, timestamp, event, end, duration) in packets {
                leg.take(seq, timestamp.wrapping_mul(65_535), event % 18, end, duration);
            }
            leg.wait(1_000);
            prop_assert_eq!(leg.2.len() % 2, 0);
            for pair in leg.2.chunks(2) {
                prop_assert!(!pair[0].starts_with('/') && pair[1].starts_with('/'));
            }
        }
    }
}
