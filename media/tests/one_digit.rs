//! One digit for one key, over RTP: a party that sends its keys as tones, as telephone events, or as
//! events after tones that it has let through, while packets are late or lost.

mod common {
    pub mod room;
}

use std::net::SocketAddr;
use std::time::Duration;

use common::room::{Dice, Phone, Room, SILENCE};
use stasis_media::codec::Codec;
use stasis_media::dtmf::{Digit, ToneGenerator};
use stasis_media::event::{DtmfBegan, DtmfReceived, DtmfSource};
use stasis_media::frame::SampleRate;

const NARROW: SampleRate = SampleRate::Hz8000;

/// A party, and the network between it and the engine.
struct Call {
    room: Room,
    phone: Phone,
    dice: Dice,
    /// How many ticks packets are late at most, and one of how many is lost.
    late: u64,
    loses: u64,
    /// Packets on their way, with the tick at which they come.
    way: Vec<(u64, Vec<u8>)>,
    tick: u64,
}

impl Call {
    fn new(seed: u64, late: u64, loses: u64) -> Self {
        let mut room = Room::new();
        let phone = room.add_phone(0, Codec::PCMU);
        let bridge = room.add_bridge(0, NARROW);
        room.join(phone.id, bridge, NARROW);
        Call { room, phone, dice: Dice(seed), late, loses, way: Vec::new(), tick: 0 }
    }

    fn say(&mut self, said: &[i16; 160]) {
        let Call { phone, dice, way, .. } = self;
        let (late, loses, now) = (self.late, self.loses, self.tick);
        phone.sender.tick(said, |packet| {
            let by = dice.throw(late + 1);
            // The first ones are what the stream is known by.
            if now < 10 || loses == 0 || dice.throw(loses) > 0 {
                way.push((if now < 10 { now } else { now + by }, packet.to_vec()));
            }
        });
        let from: SocketAddr = self.phone.address;
        let (here, later) = self.way.drain(..).partition(|(at, _)| *at <= now);
        self.way = later;
        let here: Vec<(u64, Vec<u8>)> = here;
        for (_, packet) in here {
            self.room.receive(self.phone.id, &packet, from);
        }
        self.room.tick([&mut self.phone]);
        self.tick += 1;
    }

    fn wait(&mut self, ticks: u64) {
        (0..ticks).for_each(|_| self.say(&SILENCE));
    }

    fn sing(&mut self, digit: Digit, ticks: u64) {
        let mut singer = ToneGenerator::new(digit, NARROW, ticks as u32 * 20);
        for _ in 0..ticks {
            let mut said = SILENCE;
            singer.fill(&mut said);
            self.say(&said);
        }
    }

    fn press(&mut self, digit: Digit, ticks: u64) {
        self.phone.sender.press(digit, Duration::from_millis(20 * ticks)).unwrap();
        self.wait(ticks + 3);
    }
}

/// How a party sends its keys.
#[derive(Clone, Copy, Debug)]
enum Party {
    Tones,
    /// With tones that leak for up to so many ticks.
    Events(u64),
    /// Each key one way or the other.
    Either(u64),
}

#[test]
fn no_key_is_told_of_twice_and_none_is_lost() {
    let parties = [
        Party::Tones,
        Party::Events(0),
        Party::Events(4),
        Party::Events(8),
        Party::Either(0),
        Party::Either(5),
    ];
    for party in parties {
        for (late, loses) in [(0, 0), (2, 0), (2, 40)] {
            for seed in 0..8 {
                let mut call = Call::new(seed, late, loses);
                let events = call.room.topic.subscribe().capacity(1 << 10).pull();
                let mut events = events.unwrap();
                call.wait(25);
                let mut pressed = String::new();
                for _ in 0..12 {
                    // Few digits, so that many are pressed again.
                    let digit = Digit::ALL[call.dice.throw(3) as usize];
                    let lasts = 4 + call.dice.throw(12);
                    let (leaks, pause) = match party {
                        Party::Tones => (None, 4),
                        Party::Events(most) => (Some(call.dice.throw(most + 1)), 4),
                        // Two ways in turn are told apart when they are not too close.
                        Party::Either(most) => match call.dice.throw(2) {
                            0 => (None, 20),
                            _ => (Some(call.dice.throw(most + 1)), 20),
                        },
                    };
                    match leaks {
                        None => call.sing(digit, lasts + 2),
                        Some(leak) => {
                            call.sing(digit, leak);
                            call.press(digit, lasts);
                        }
                    }
                    let more = call.dice.throw(10);
                    call.wait(pause + more);
                    pressed.push(digit.as_char());
                }
                call.wait(40);
                let (mut began, mut received) = (String::new(), String::new());
                while let Ok(delivery) = events.try_recv() {
                    if let Some(told) = delivery.downcast_ref::<DtmfBegan>() {
                        began.push(told.digit.as_char());
                    }
                    if let Some(told) = delivery.downcast_ref::<DtmfReceived>() {
                        received.push(told.digit.as_char());
                    }
                }
                let what = format!("{party:?}, late by {late}, 1 of {loses} lost, seed {seed}");
                assert_eq!((began, received), (pressed.clone(), pressed), "{what}");
            }
        }
    }
}

#[test]
fn a_key_that_leaks_before_its_event_lasts_as_long_as_the_event_says() {
    let mut call = Call::new(1, 0, 0);
    let mut events = call.room.topic.subscribe().accept::<DtmfReceived>().pull().unwrap();
    let digit = Digit::from_char('4').unwrap();
    call.wait(20);
    // So long that the tones are told of before the event comes.
    call.sing(digit, 8);
    call.press(digit, 15);
    call.wait(30);
    let mut all = Vec::new();
    while let Ok(delivery) = events.try_recv() {
        all.extend(delivery.downcast_ref::<DtmfReceived>().copied());
    }
    let [told] = all[..] else { panic!("one digit, not {all:?}") };
    assert_eq!((told.digit, told.source), (digit, DtmfSource::TelephoneEvent));
    assert_eq!(told.duration_ms, 300);
}
