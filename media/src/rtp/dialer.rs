//! The dialer: keys to be sent as telephone events (RFC 4733), one packet a tick.
//!
//! A key's packets all carry the timestamp of its start: the first is marked, one more follows each
//! tick with the time so far, and the last is sent three times. The two repeats take 40 ms, which
//! is the pause before the next key too.

use super::telephone_event::{EventPayload, MAX_SEGMENT};
use crate::dtmf::Digit;
use crate::schedule::PERIOD;
use std::time::Duration;

/// Keys that can wait to be sent.
pub const DIAL_QUEUE: usize = 32;
/// The shortest key sent: a receiver need not hear less (ITU-T Q.24).
pub const MIN_KEY: Duration = Duration::from_millis(40);
/// The longest key sent.
pub const MAX_KEY: Duration = Duration::from_secs(60);

/// The shortest time from the end of a key to the next.
pub const MIN_PAUSE: Duration = PERIOD.saturating_mul(ENDS as u32 - 1);

/// Times that the end of a key is sent (RFC 4733 section 2.5.1.4).
const ENDS: u8 = 3;
/// The level sent with a key, in dB below 0 dBm0.
const VOLUME: u8 = 10;

/// The queue of keys is full: press again when some have been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{DIAL_QUEUE} digits wait to be sent already: press again later")]
pub struct Full;

/// One telephone-event packet to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventPacket {
    pub(crate) payload: EventPayload,
    /// The start of the key or of its segment, on the media's clock.
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
}

#[derive(Clone, Copy)]
struct Key {
    digit: Digit,
    /// Samples it lasts, and has lasted in its segment and before that.
    total: u32,
    lasted: u32,
    before: u32,
    timestamp: u32,
    ends_sent: u8,
}

/// Keys in a fixed queue, and the one that is being sent.
pub(crate) struct Dialer {
    waiting: [Option<(Digit, u32)>; DIAL_QUEUE],
    first: usize,
    count: usize,
    key: Option<Key>,
}

impl Dialer {
    /// Nothing to dial.
    pub(crate) fn new() -> Self {
        Dialer { waiting: [None; DIAL_QUEUE], first: 0, count: 0, key: None }
    }

    /// Whether a key is being sent or waits.
    pub(crate) fn is_busy(&self) -> bool {
        self.key.is_some() || self.count > 0
    }

    /// Whether a key has begun and not ended.
    pub(crate) fn is_sending(&self) -> bool {
        self.key.is_some()
    }

    /// The keys that wait are to be counted by a clock of `to` Hz, and were by one of `from`.
    pub(crate) fn change_clock(&mut self, from: u32, to: u32) {
        for (_, samples) in self.waiting.iter_mut().flatten() {
            *samples = (u64::from(*samples) * u64::from(to) / u64::from(from.max(1))) as u32;
        }
    }

    /// Queues a key to be held for `samples`.
    pub(crate) fn press(&mut self, digit: Digit, samples: u32) -> Result<(), Full> {
        if self.count == DIAL_QUEUE {
            return Err(Full);
        }
        self.waiting[(self.first + self.count) % DIAL_QUEUE] = Some((digit, samples));
        self.count += 1;
        Ok(())
    }

    /// The packet of the tick of `samples` that begins at `timestamp`; none when audio is due.
    pub(crate) fn tick(&mut self, timestamp: u32, samples: u32) -> Option<EventPacket> {
        let fresh = self.key.is_none();
        let mut key = self.key.take().or_else(|| self.next_key(timestamp))?;
        let packet = key.tick(samples, fresh);
        self.key = (key.ends_sent < ENDS).then_some(key);
        Some(packet)
    }

    /// A tick passes in which nothing may be sent: the key is held on.
    pub(crate) fn skip_tick(&mut self, samples: u32) {
        if let Some(key) = &mut self.key
            && key.ends_sent == 0
        {
            key.lasted = key.lasted.saturating_add(samples);
        }
    }

    fn next_key(&mut self, timestamp: u32) -> Option<Key> {
        let (digit, total) = self.waiting[self.first].take()?;
        self.first = (self.first + 1) % DIAL_QUEUE;
        self.count -= 1;
        Some(Key { digit, total, lasted: 0, before: 0, timestamp, ends_sent: 0 })
    }
}

impl Key {
    fn tick(&mut self, samples: u32, fresh: bool) -> EventPacket {
        if self.ends_sent == 0 {
            self.last(samples);
        }
        let left = self.total - self.before;
        let duration = self.lasted.min(left);
        let end = self.lasted >= left && left <= MAX_SEGMENT.into();
        self.ends_sent += u8::from(end);
        let duration = duration.min(MAX_SEGMENT.into()) as u16;
        let payload = EventPayload { event: self.digit.event(), end, volume: VOLUME, duration };
        EventPacket { payload, timestamp: self.timestamp, marker: fresh }
    }

    /// Lasts `samples` longer. A segment that was full in the tick before gives way to the next
    /// one (RFC 4733 section 2.5.1.3).
    fn last(&mut self, samples: u32) {
        let full = u32::from(MAX_SEGMENT);
        if self.lasted >= full && self.total - self.before > full {
            self.timestamp = self.timestamp.wrapping_add(full);
            (self.before, self.lasted) = (self.before + full, self.lasted - full);
        }
        self.lasted = self.lasted.saturating_add(samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: u8 = 5;

    fn dialing(total: u32) -> Dialer {
        let mut dialer = Dialer::new();
        dialer.press(Digit::from_event(FIVE).unwrap(), total).unwrap();
        dialer
    }

    /// All packets from `dialer`, 160 samples a tick from timestamp 1000 on.
    fn sent(dialer: &mut Dialer) -> Vec<EventPacket> {
        (0u32..).map_while(|tick| dialer.tick(1_000 + tick * 160, 160)).collect()
    }

    #[test]
    fn a_key_is_marked_once_updated_each_tick_and_ended_three_times() {
        let packets = sent(&mut dialing(500));
        let told: Vec<_> = packets.iter().map(|p| (p.payload.duration, p.payload.end)).collect();
        let end = (500, true);
        assert_eq!(told, [(160, false), (320, false), (480, false), end, end, end]);
        assert!(packets.iter().all(|p| p.timestamp == 1_000 && p.payload.event == FIVE));
        assert_eq!(packets.iter().map(|p| p.marker).filter(|&m| m).count(), 1);
        assert!(packets[0].marker);
    }

    #[test]
    fn keys_are_forty_milliseconds_apart() {
        for total in 320..=900 {
            let mut dialer = dialing(total);
            dialer.press(Digit::from_event(FIVE).unwrap(), total).unwrap();
            let starts: Vec<u32> =
                sent(&mut dialer).iter().filter(|p| p.marker).map(|p| p.timestamp).collect();
            assert!(starts[1] - starts[0] - total >= 320, "{total}: {starts:?}");
        }
    }

    #[test]
    fn a_long_key_goes_on_in_segments_that_join() {
        for total in [65_535, 65_536, 65_600, 131_070, 131_071, 200_000] {
            let packets = sent(&mut dialing(total));
            let last = packets.last().unwrap();
            let lasted = last.timestamp - 1_000 + u32::from(last.payload.duration);
            assert_eq!(lasted, total);
            assert_eq!(packets.iter().filter(|p| p.payload.end).count(), 3);
            for pair in packets.windows(2).filter(|p| p[0].timestamp != p[1].timestamp) {
                assert_eq!(pair[1].timestamp - pair[0].timestamp, 65_535);
                assert_eq!((pair[0].payload.duration, pair[0].payload.end), (65_535, false));
                assert!(!pair[1].marker);
            }
        }
    }

    #[test]
    fn a_full_queue_refuses_and_takes_again_when_one_was_sent() {
        let mut dialer = Dialer::new();
        let one = Digit::from_event(1).unwrap();
        (0..DIAL_QUEUE).for_each(|_| dialer.press(one, 320).unwrap());
        assert_eq!(dialer.press(one, 320), Err(Full));
        dialer.tick(0, 160);
        assert_eq!(dialer.press(one, 320), Ok(()));
    }

    #[test]
    fn keys_that_wait_last_as_long_by_another_clock() {
        let mut dialer = dialing(800);
        dialer.change_clock(8_000, 48_000);
        let packets: Vec<_> = (0u32..).map_while(|n| dialer.tick(n * 960, 960)).collect();
        assert_eq!(packets.last().unwrap().payload.duration, 4_800);
    }

    #[test]
    fn time_that_passes_unsent_belongs_to_the_key() {
        let mut dialer = dialing(480);
        dialer.tick(0, 160);
        dialer.skip_tick(160);
        let packet = dialer.tick(320, 160).unwrap();
        assert_eq!((packet.payload.duration, packet.payload.end), (480, true));
    }
}
