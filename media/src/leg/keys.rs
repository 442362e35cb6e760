//! One digit for one key, whichever way it comes.
//!
//! A party may send a key as a telephone event, as tones, or as both: many gateways let tones through
//! until they know them, and then send events. The event is read when it comes, the tones are heard
//! when they have been through the jitter buffer and the detector has known them, so either may be
//! first. Whichever is first is told of at once. The other one is the same key if it is of the same
//! digit and their times meet: the tones' reckoned back to when they came, and with as much room
//! between the two as the jitter buffer is made for. Each takes one partner only: so a key that is pressed
//! again, however soon, has one of each again, and is a second digit.

use std::time::Duration;

use stasis_bus::Stamp;

use crate::dtmf::Digit;

/// Keys that are remembered: more are not pressed in the time that a jitter buffer holds.
const MOST: usize = 8;
/// What times may differ by beside the jitter that the buffer is made for: a packet and a tick are not
/// looked into, and a gateway takes its time from tones to events.
const SLACK: Duration = Duration::from_millis(60);

/// The keys that were pressed last.
#[derive(Debug)]
pub(super) struct Keys {
    /// How long sound waits before it is heard, in nanoseconds.
    wait: u64,
    /// The oldest first.
    recent: [Option<Key>; MOST],
}

#[derive(Clone, Copy, Debug)]
struct Key {
    digit: Digit,
    /// When the tones, and the event, were last known to be there; none that are still there end.
    tones: Option<End>,
    event: Option<End>,
    /// It was told that it was released.
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    At(u64),
}

impl Keys {
    /// Of a party whose sound waits for so long before it is heard.
    pub(super) fn new(wait: Duration) -> Self {
        Keys { wait: wait.as_nanos().min(1 << 40) as u64, recent: [None; MOST] }
    }

    /// Tones are known that were heard from `heard` on. Whether that is a key of its own.
    pub(super) fn tones_begin(&mut self, digit: Digit, heard: Stamp) -> bool {
        let (came, window) = (heard.ns().saturating_sub(self.wait), self.window());
        let by_event = |key: &Key, window| {
            key.digit == digit && key.event.is_some_and(|event| event.reaches(came, window))
        };
        let meets = |key: &Key| key.tones.is_none() && by_event(key, window);
        // Tones in pieces while the event lasts are that key, too.
        let found = self.find(meets).or_else(|| self.find(|key| by_event(key, 0)));
        if let Some(key) = found.and_then(|place| self.recent[place].as_mut()) {
            key.tones = Some(End::Open);
            return false;
        }
        self.add(Key { digit, tones: Some(End::Open), event: None, over: false });
        true
    }

    /// The tones are over, and were heard until `heard`. Whether to tell that the key was released.
    pub(super) fn tones_end(&mut self, heard: Stamp) -> bool {
        let came = heard.ns().saturating_sub(self.wait);
        let Some(key) = self.keys().rfind(|key| key.tones == Some(End::Open)) else { return false };
        key.tones = Some(End::At(came));
        key.event.is_none() && !std::mem::replace(&mut key.over, true)
    }

    /// An event has begun. Whether that is a key of its own.
    pub(super) fn event_begins(&mut self, digit: Digit, now: Stamp) -> bool {
        let window = self.window();
        let meets = |key: &Key| {
            let tones = key.tones.filter(|_| key.digit == digit && key.event.is_none());
            tones.is_some_and(|tones| tones.reaches(now.ns(), window))
        };
        if let Some(key) = self.find(meets).and_then(|place| self.recent[place].as_mut()) {
            key.event = Some(End::Open);
            return false;
        }
        self.add(Key { digit, tones: None, event: Some(End::Open), over: false });
        true
    }

    /// The event is over. Whether to tell that the key was released.
    pub(super) fn event_ends(&mut self, now: Stamp) -> bool {
        let Some(key) = self.keys().rfind(|key| key.event == Some(End::Open)) else { return false };
        key.event = Some(End::At(now.ns()));
        !std::mem::replace(&mut key.over, true)
    }

    /// How far the times of one key may be apart.
    fn window(&self) -> u64 {
        self.wait + SLACK.as_nanos() as u64
    }

    /// The oldest key of this kind.
    fn find(&self, kind: impl Fn(&Key) -> bool) -> Option<usize> {
        self.recent.iter().position(|key| key.as_ref().is_some_and(&kind))
    }

    fn keys(&mut self) -> impl DoubleEndedIterator<Item = &mut Key> {
        self.recent.iter_mut().flatten()
    }

    fn add(&mut self, key: Key) {
        self.recent.rotate_left(1);
        self.recent[MOST - 1] = Some(key);
    }
}

impl End {
    /// Whether it is not over before `time`, or only by `window`.
    fn reaches(self, time: u64, window: u64) -> bool {
        match self {
            End::Open => true,
            End::At(end) => time <= end.saturating_add(window),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What happens, by when: in the party's time, in milliseconds.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    enum What {
        TonesEnd { to: u64 },
        EventEnds,
        EventBegins(u8),
        TonesBegin { digit: u8, from: u64 },
    }

    const WAIT: Duration = Duration::from_millis(60);

    /// What is told of such things, as "5" and "/5" by tones, "e5" and "/e5" by events.
    fn told(wait: Duration, mut things: Vec<(u64, What)>) -> Vec<String> {
        things.sort();
        let (mut keys, mut told) = (Keys::new(wait), Vec::new());
        let digit = |n| Digit::from_event(n).unwrap();
        let (mut sung, mut event) = (0, 0);
        for (ms, what) in things {
            let now = Stamp::from_ms(1_000 + ms);
            let heard = |ms| Stamp::from_ms(1_000 + ms) + wait;
            let (tells, text) = match what {
                What::TonesBegin { digit: n, from } => {
                    sung = n;
                    (keys.tones_begin(digit(n), heard(from)), format!("{n}"))
                }
                What::TonesEnd { to } => (keys.tones_end(heard(to)), format!("/{sung}")),
                What::EventBegins(n) => {
                    event = n;
                    (keys.event_begins(digit(n), now), format!("e{n}"))
                }
                What::EventEnds => (keys.event_ends(now), format!("/e{event}")),
            };
            told.extend(tells.then_some(text));
        }
        told
    }

    /// Tones from one time to another, known 30 ms after they were heard, and over 16 ms after.
    fn tones(wait: Duration, digit: u8, from: u64, to: u64) -> [(u64, What); 2] {
        let wait = wait.as_millis() as u64;
        [
            (from + wait + 30, What::TonesBegin { digit, from }),
            (to + wait + 16, What::TonesEnd { to }),
        ]
    }

    fn event(digit: u8, from: u64, to: u64) -> [(u64, What); 2] {
        [(from, What::EventBegins(digit)), (to, What::EventEnds)]
    }

    fn all(things: &[[(u64, What); 2]]) -> String {
        told(WAIT, things.concat()).join(" ")
    }

    #[test]
    fn tones_that_leak_before_the_event_are_its_key_and_the_event_tells_its_duration() {
        // The event comes first, in the middle of the tones, and when they are over.
        assert_eq!(all(&[tones(WAIT, 5, 0, 60), event(5, 60, 200)]), "e5 /e5");
        assert_eq!(all(&[tones(WAIT, 5, 0, 160), event(5, 120, 300)]), "5 /e5");
        assert_eq!(all(&[tones(WAIT, 5, 0, 60), event(5, 140, 300)]), "5 /5");
        assert_eq!(all(&[tones(WAIT, 5, 0, 300), event(5, 0, 300)]), "e5 /e5");
    }

    #[test]
    fn other_digits_and_the_same_one_later_are_keys_of_their_own() {
        assert_eq!(all(&[tones(WAIT, 5, 0, 60), event(6, 60, 200)]), "e6 5 /5 /e6");
        assert_eq!(all(&[event(5, 0, 100), tones(WAIT, 5, 300, 400)]), "e5 /e5 5 /5");
        assert_eq!(all(&[tones(WAIT, 5, 0, 100), event(5, 300, 400)]), "5 /5 e5 /e5");
        assert_eq!(all(&[event(5, 0, 100), event(5, 150, 250)]), "e5 /e5 e5 /e5");
        assert_eq!(all(&[tones(WAIT, 5, 0, 100), tones(WAIT, 5, 150, 250)]), "5 /5 5 /5");
    }

    #[test]
    fn tones_in_pieces_while_the_event_lasts_are_one_key_with_it() {
        let pieces = [tones(WAIT, 5, 0, 50), tones(WAIT, 5, 100, 150), tones(WAIT, 5, 200, 290)];
        assert_eq!(all(&[&pieces[..], &[event(5, 10, 300)]].concat()), "e5 /e5");
    }

    #[test]
    fn an_end_that_nothing_began_is_nothing() {
        assert_eq!(told(WAIT, vec![(0, What::EventEnds), (1, What::TonesEnd { to: 0 })]).len(), 0);
    }

    /// How one key is sent.
    #[derive(Clone, Debug)]
    struct Press {
        digit: u8,
        pause: u64,
        lasts: u64,
        /// Both ways: how long the tones leak before the event, and whether they last to the end.
        leak: u64,
        whole: bool,
        /// How late the event is.
        late: u64,
    }

    fn press() -> impl Strategy<Value = Press> {
        (0u8..3, 45u64..400, 50u64..500, 0u64..120, any::<bool>(), 0u64..60).prop_map(
            |(digit, pause, lasts, leak, whole, late)| Press {
                digit,
                pause,
                lasts,
                leak: leak.min(lasts),
                whole,
                late,
            },
        )
    }

    proptest! {
        /// Of a party that sends events, and lets tones through now and then: short leaks are not known,
        /// events come late by up to what the jitter buffer is made for.
        #[test]
        fn keys_of_one_party_are_each_told_of_once(
            presses in prop::collection::vec(press(), 1..20),
            wait in 0u64..200,
        ) {
            let wait = Duration::from_millis(wait);
            let (mut at, mut things, mut digits) = (500, Vec::new(), Vec::new());
            for press in &presses {
                let end = at + press.lasts;
                let heard = if press.whole { press.lasts } else { press.leak };
                // A key is not so late that the next one of the same party overtakes it.
                let late = press.late.min(wait.as_millis() as u64).min(press.pause - 5);
                if heard > 30 {
                    things.extend(tones(wait, press.digit, at, at + heard));
                }
                things.extend(event(press.digit, at + press.leak + late, end + late + 1));
                digits.push(press.digit.to_string());
                at = end + press.pause;
            }
            let told = told(wait, things);
            for prefix in ["", "/"] {
                let keys = told.iter().filter(|t| t.starts_with('/') != prefix.is_empty());
                let mut keys: Vec<_> =
                    keys.map(|t| t.trim_start_matches(['/', 'e']).to_string()).collect();
                let mut wanted = digits.clone();
                // Ends of two keys may cross.
                if !prefix.is_empty() {
                    keys.sort();
                    wanted.sort();
                }
                prop_assert_eq!(keys, wanted, "{:?}", told);
            }
        }

        /// Of a party that sends each key one way or the other, or both.
        #[test]
        fn keys_by_tones_alone_are_told_of_between_those_by_events(
            presses in prop::collection::vec((press(), 0u8..3), 1..20),
        ) {
            let (mut at, mut things, mut digits) = (500, Vec::new(), Vec::new());
            for (press, way) in &presses {
                let end = at + press.lasts;
                let heard = if *way == 0 || press.whole { press.lasts } else { press.leak };
                if *way != 1 && heard > 30 {
                    things.extend(tones(WAIT, press.digit, at, at + heard));
                }
                if *way != 0 {
                    things.extend(event(press.digit, at + press.leak, end + 1));
                }
                digits.push(press.digit.to_string());
                at = end + press.pause + 120; // beyond the window
            }
            let told = told(WAIT, things);
            let mut began: Vec<_> = told.iter().filter(|t| !t.starts_with('/')).collect();
            let mut ended: Vec<_> = told.iter().filter_map(|t| t.strip_prefix('/')).collect();
            prop_assert_eq!(began.len(), digits.len(), "{:?}", told);
            let mut wanted: Vec<_> = digits.iter().map(String::as_str).collect();
            wanted.sort();
            ended.sort_by_key(|t| t.trim_start_matches('e'));
            began.sort_by_key(|t| t.trim_start_matches('e'));
            prop_assert!(ended.iter().zip(&wanted).all(|(t, w)| t.trim_start_matches('e') == *w));
            prop_assert!(began.iter().zip(&wanted).all(|(t, w)| t.trim_start_matches('e') == *w));
        }
    }
}
