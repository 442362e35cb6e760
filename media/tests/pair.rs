//! Pairs: two legs back to back, each in a bridge of its own. All of it by hand, on virtual time, but for
//! one test with threads.

use std::thread::sleep;
use std::time::Duration;

use stasis_bus::{Bus, PullSubscription, Settings, Topic};
use stasis_media::bridge::{TapDirection, TapReader};
use stasis_media::dtmf::{Digit, DtmfSettings, ToneGenerator};
use stasis_media::event::{DtmfBegan, DtmfNotSent, DtmfReceived, DtmfSource};
use stasis_media::frame::SampleRate;
use stasis_media::io::{ControlError, Media, MediaSettings, Ticker};
use stasis_media::leg::LegSetting;
use stasis_media::rtp::DIAL_QUEUE;
use stasis_media::wav::{Pcm, Player, Repeat};
use stasis_media::{BridgeId, LegId};

const RATE: SampleRate = SampleRate::Hz8000;
const TICK: usize = 160;

/// A pair, each half in a bridge of its own.
struct Call {
    media: Media,
    ticker: Ticker,
    legs: [LegId; 2],
    bridges: [BridgeId; 2],
    taps: [TapReader; 2],
    events: [PullSubscription; 2],
    topic: Topic,
    _bus: Bus,
}

impl Call {
    fn new() -> Self {
        Call::with(MediaSettings::default())
    }

    fn with(settings: MediaSettings) -> Self {
        let bus = Bus::new(Settings::default()).unwrap();
        let (media, ticker) = Media::by_hand(&bus, settings);
        let topics = [bus.topic("one"), bus.topic("other")];
        let events = [0, 1].map(|n| topics[n].subscribe().capacity(1 << 12).pull().unwrap());
        let legs = media.pair(RATE, [&topics[0], &topics[1]]).unwrap();
        let bridges = [0, 1].map(|_| media.add_bridge(RATE, &bus.topic("room")).unwrap());
        let taps = bridges.map(|bridge| media.tap(bridge, RATE, 8).unwrap());
        (0..2).for_each(|n| media.join(legs[n], bridges[n]).unwrap());
        let topic = bus.topic("else");
        let mut call = Call { media, ticker, legs, bridges, taps, events, topic, _bus: bus };
        call.ticks(10);
        call
    }

    fn ticks(&mut self, ticks: usize) {
        for _ in 0..ticks {
            self.ticker.tick();
        }
    }

    /// What was heard in the bridges since this was asked last.
    fn heard(&mut self) -> [Vec<i16>; 2] {
        self.taps.each_mut().map(read_all)
    }

    fn play(&self, bridge: usize, pcm: Vec<i16>) {
        let player = Player::new(Pcm::new(RATE, pcm), Repeat::Once);
        self.media.play(self.bridges[bridge], player).unwrap();
    }

    fn press(&self, leg: usize, digits: &str, ms: u64) {
        for digit in digits.chars() {
            let digit = Digit::from_char(digit).unwrap();
            self.media.press(self.legs[leg], digit, Duration::from_millis(ms)).unwrap();
        }
    }

    /// What is told of keys of a leg in so many ticks: after how many milliseconds, and what.
    fn keys(&mut self, leg: usize, ticks: usize) -> Vec<(u64, String)> {
        let begin = self.ticker.now();
        let mut keys = Vec::new();
        for _ in 0..ticks {
            let at = self.ticker.tick().since(begin).as_millis() as u64;
            while let Ok(event) = self.events[leg].try_recv() {
                let of = self.legs[leg];
                if let Some(DtmfBegan { leg, digit, source }) = event.downcast_ref() {
                    assert_eq!((*leg, *source), (of, DtmfSource::TelephoneEvent));
                    keys.push((at, format!("{digit}")));
                } else if let Some(received) = event.downcast_ref::<DtmfReceived>() {
                    let DtmfReceived { leg, digit, source, duration_ms } = *received;
                    assert_eq!((leg, source), (of, DtmfSource::TelephoneEvent));
                    keys.push((at, format!("/{digit} {duration_ms}")));
                } else if let Some(DtmfNotSent { leg, digit }) = event.downcast_ref() {
                    assert_eq!(*leg, of);
                    keys.push((at, format!("!{digit}")));
                }
            }
        }
        keys
    }

    fn told(&mut self, leg: usize, ticks: usize) -> Vec<String> {
        self.keys(leg, ticks).into_iter().map(|(_, told)| told).collect()
    }
}

fn read_all(tap: &mut TapReader) -> Vec<i16> {
    let (mut all, mut part) = (Vec::new(), [0; 960]);
    loop {
        match tap.read(&mut part) {
            0 => return all,
            n => all.extend(&part[..n]),
        }
    }
}

/// Noise that is never silent, at a quarter of the full scale.
fn noise(ticks: usize, seed: u64) -> Vec<i16> {
    let mut state = seed;
    let next = |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) % 16_000) as i16 - 8_000
    };
    (0..ticks * TICK).map(next).collect()
}

/// By how many ticks `late` is behind `sound`, sample by sample.
fn delay(sound: &[i16], late: &[i16]) -> Option<usize> {
    let is_sound = |samples: &[i16]| samples.iter().any(|sample| *sample != 0);
    (0..8).find(|ticks| {
        let (before, behind) = late.split_at(ticks * TICK);
        !is_sound(before) && is_sound(behind) && behind == &sound[..behind.len()]
    })
}

#[test]
fn what_is_heard_in_the_bridge_of_the_one_is_said_in_that_of_the_other_a_tick_or_two_later() {
    for (from, to, ticks) in [(0, 1, 1), (1, 0, 2)] {
        let mut call = Call::new();
        call.heard();
        call.play(from, noise(40, 7));
        call.ticks(60);
        let heard = call.heard();
        assert_eq!(delay(&heard[from], &heard[to]), Some(ticks), "from {from}");
        assert!(heard[from].len() == 60 * TICK && heard[from][..40 * TICK] == noise(40, 7));
    }
}

#[test]
fn both_are_heard_at_once_and_nobody_hears_himself() {
    let mut call = Call::new();
    let ears = [0, 1].map(|n| {
        call.media.tap_leg(call.legs[n], TapDirection::In, RATE, 8).unwrap() // what it says
    });
    call.play(0, noise(40, 1));
    call.play(1, noise(40, 2));
    call.ticks(60);
    let [said_by_one, said_by_other] = ears.map(|mut tap| read_all(&mut tap));
    let padded = |seed| [noise(40, seed), vec![0; 20 * TICK]].concat();
    assert_eq!(delay(&padded(2), &said_by_one), Some(2));
    assert_eq!(delay(&padded(1), &said_by_other), Some(1));
}

#[test]
fn they_hear_each_other_exactly_on_two_threads_also_while_one_goes_to_the_other() {
    let mut call = Call::with(MediaSettings { threads: 2, ..Default::default() });
    let go_to = |call: &Call, threads: [usize; 2]| {
        (0..2).for_each(|n| call.media.move_bridge(call.bridges[n], threads[n]).unwrap());
    };
    go_to(&call, [0, 1]);
    call.ticks(10);
    call.heard();
    call.play(0, noise(150, 3));
    for moves in [[0, 0], [1, 0], [1, 1], [0, 1]] {
        call.ticks(30);
        go_to(&call, moves);
    }
    call.ticks(60);
    let heard = call.heard();
    assert!(matches!(delay(&heard[0], &heard[1]), Some(1 | 2)), "not a sample is missing");
    call.press(0, "5", 100);
    assert_eq!(call.told(1, 20), ["5", "/5 100"]);
}

#[test]
fn a_key_that_is_pressed_on_the_one_is_a_telephone_event_of_the_other_for_as_long() {
    let mut call = Call::new();
    call.press(0, "1", 100);
    call.press(0, "#", 250);
    call.press(0, "1", 5); // 40 ms at least
    let expected = [
        (20, "1"),
        (120, "/1 100"),
        (160, "#"),
        (420, "/# 250"), // with the tick that is due then
        (460, "1"),
        (500, "/1 40"),
    ];
    let expected = expected.map(|(at, told)| (at, told.to_string()));
    assert_eq!(call.keys(1, 60), expected);
    assert_eq!(call.told(0, 1), [""; 0], "nothing of that is told of who pressed");
    assert!(call.heard().concat().iter().all(|sample| *sample == 0), "there are no tones for it");
}

#[test]
fn keys_go_both_ways_at_once() {
    let mut call = Call::new();
    call.press(0, "12", 80);
    call.press(1, "34", 60);
    let mut other = call.told(1, 30);
    other.retain(|told| told.starts_with('/'));
    assert_eq!(other, ["/1 80", "/2 80"]);
    // All of it has come meanwhile.
    assert_eq!(call.told(0, 1), ["3", "/3 60", "4", "/4 60"]);
}

#[test]
fn keys_that_find_no_room_are_told_of_and_the_others_come_in_order() {
    let mut call = Call::new();
    let digits: String = Digit::ALL.iter().cycle().take(DIAL_QUEUE).map(|d| d.as_char()).collect();
    call.press(1, &digits, 40);
    call.press(1, "78", 40);
    assert_eq!(call.told(1, 1), ["!7", "!8"]);
    let told = call.told(0, 5 * DIAL_QUEUE);
    let ended = told.iter().filter_map(|told| told.strip_prefix('/')?.chars().next());
    assert_eq!(ended.collect::<String>(), digits);
    call.press(1, "9", 40);
    assert_eq!(call.told(1, 5), [""; 0], "there is room again");
    assert_eq!(call.told(0, 1), ["9", "/9 40"]);
}

#[test]
fn when_one_is_removed_the_other_hears_silence_and_its_keys_go_nowhere() {
    let mut call = Call::new();
    call.play(0, noise(100, 5));
    call.ticks(20);
    call.media.remove_leg(call.legs[0]).unwrap();
    call.ticks(2);
    call.heard();
    call.ticks(20);
    assert!(call.heard()[1].iter().all(|sample| *sample == 0));
    call.press(1, "5", 100);
    assert_eq!(call.told(1, 10), ["!5"]);
    call.media.remove_leg(call.legs[1]).unwrap();
    call.ticks(110);
    call.media.clear();
    call.ticks(1);
    assert_eq!(call.media.reap(), 0, "nothing stays behind");
}

#[test]
fn one_that_echoes_says_back_what_it_is_told() {
    let mut call = Call::new();
    call.media.leave(call.legs[1]).unwrap();
    call.media.set(call.legs[1], LegSetting::Echo(true)).unwrap();
    call.ticks(5);
    let mut told = call.media.tap_leg(call.legs[0], TapDirection::In, RATE, 8).unwrap();
    call.play(0, noise(40, 9));
    call.ticks(60);
    let padded = [noise(40, 9), vec![0; 20 * TICK]].concat();
    assert_eq!(delay(&padded, &read_all(&mut told)), Some(3), "there and back");
}

#[test]
fn tones_in_the_sound_between_them_are_digits_only_when_that_is_asked_for() {
    let mut call = Call::new();
    let mut tones = vec![0; 8 * TICK];
    let mut five = ToneGenerator::new(Digit::from_char('5').unwrap(), RATE, 100);
    five.fill(&mut tones[..5 * TICK]);
    let in_band = |call: &mut Call| {
        call.play(0, tones.clone());
        call.ticks(20);
        let events = std::iter::from_fn(|| call.events[1].try_recv().ok());
        let digits = events.filter_map(|event| event.downcast_ref::<DtmfReceived>().copied());
        digits.map(|told| (told.digit.as_char(), told.source)).collect::<Vec<_>>()
    };
    assert_eq!(in_band(&mut call), []);
    let detect = |settings| call.media.set(call.legs[1], LegSetting::DetectDtmf(settings)).unwrap();
    detect(Some(DtmfSettings::DEFAULT));
    assert_eq!(in_band(&mut call), [('5', DtmfSource::InBand)]);
}

#[test]
fn there_are_two_or_none() {
    let mut call = Call::with(MediaSettings { legs: 3, ..Default::default() });
    let pair = |call: &Call| call.media.pair(RATE, [&call.topic, &call.topic]);
    let full = ControlError::Full { legs: 3, bridges: 64 }.to_string();
    assert_eq!(pair(&call).unwrap_err().to_string(), full);
    call.media.remove_leg(call.legs[0]).unwrap();
    call.ticks(2);
    let [one, other] = pair(&call).expect("the room of the third was not taken");
    assert_ne!(one, other);
    assert_eq!(call.media.leg_rate(one).unwrap(), RATE);
    call.ticks(1);
    assert!(pair(&call).is_err());
}

#[test]
fn on_threads_of_their_own_sound_and_keys_come_through() {
    let bus = Bus::new(Settings::default()).unwrap();
    let topic = bus.topic("call");
    let mut events = topic.subscribe().accept::<DtmfReceived>().pull().unwrap();
    let settings = MediaSettings { threads: 2, ..Default::default() };
    let media = Media::start(&bus, settings).unwrap();
    let legs = media.pair(RATE, [&topic, &topic]).unwrap();
    let bridges = [0, 1].map(|_| media.add_bridge(RATE, &topic).unwrap());
    for n in 0..2 {
        media.move_bridge(bridges[n], n).unwrap();
        media.join(legs[n], bridges[n]).unwrap();
    }
    let mut tap = media.tap(bridges[1], RATE, 8).unwrap();
    let player = Player::new(Pcm::new(RATE, vec![1_234; TICK]), Repeat::Forever);
    media.play(bridges[0], player).unwrap();
    media.press(legs[1], Digit::from_char('7').unwrap(), Duration::from_millis(60)).unwrap();
    let digit = loop {
        let delivery = events.recv_timeout(Duration::from_secs(20)).expect("it comes");
        if let Some(digit) = delivery.downcast_ref::<DtmfReceived>() {
            break *digit;
        }
    };
    assert_eq!((digit.leg, digit.digit.as_char(), digit.duration_ms), (legs[0], '7', 60));
    let comes = (0..2_000).any(|_| {
        sleep(Duration::from_millis(10));
        read_all(&mut tap).contains(&1_234)
    });
    assert!(comes);
    media.clear();
}
