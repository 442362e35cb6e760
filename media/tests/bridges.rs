//! What can be changed about a bridge and its legs while they talk: moves, mute, gain, roles, digits,
//! holding, the limit on talkers, and the rate; each within a tick or two, and none with a click.

mod common {
    pub mod room;
}

use common::room::{Phone, Room, SILENCE, Tone, db, join, peak_of, read_all};
use stasis_bus::PullSubscription;
use stasis_media::bridge::{BridgeKind, RateChange, Tap};
use stasis_media::codec::Codec;
use stasis_media::dtmf::{Absorb, Dbm0, Digit, DtmfSettings, Rejection, ToneGenerator};
use stasis_media::engine::{Order, Retired};
use stasis_media::event::{
    BridgeRateChanged, DtmfAbsorbed, DtmfBegan, DtmfReceived, DtmfRejected, GainChanged, Moved,
    Muted, RoleChanged,
};
use stasis_media::frame::{Frame, SampleRate};
use stasis_media::gain::Gain;
use stasis_media::leg::{Direction, LegSetting, Role};
use stasis_media::rtp::Payloads;
use stasis_media::sound::Playback;
use stasis_media::wav::{Pcm, Player, Repeat};
use stasis_media::{BridgeId, PlaybackId};

const NARROW: SampleRate = SampleRate::Hz8000;
const WIDE: SampleRate = SampleRate::Hz48000;
const PEAK: f64 = 6_000.0;
/// Whole turns in a tick.
const HZ: [f64; 3] = [250.0, 400.0, 550.0];

/// Phones of L16, which adds nothing of its own, in this bridge.
fn phones(room: &mut Room, count: usize, bridge: BridgeId, rate: SampleRate) -> Vec<Phone> {
    let payloads = Payloads::of(&[Codec::L16.at(NARROW).unwrap()]).unwrap();
    let phones: Vec<_> =
        (0..count as u32).map(|slot| room.add_phone_with(slot, payloads)).collect();
    phones.iter().for_each(|phone| room.join(phone.id, bridge, rate));
    phones
}

/// The next message of this type.
fn next<T: Copy + 'static>(events: &mut PullSubscription) -> Option<T> {
    loop {
        if let Some(message) = events.try_recv().ok()?.downcast_ref::<T>() {
            return Some(*message);
        }
    }
}

fn tones() -> [Tone; 3] {
    HZ.map(|hz| Tone::new(hz, PEAK))
}

/// Everybody says their tone for so many ticks.
fn talk(room: &mut Room, phones: &mut [Phone], tones: &mut [Tone], ticks: usize) {
    for _ in 0..ticks {
        for (n, phone) in phones.iter_mut().enumerate() {
            let said = tones.get_mut(n).map_or(SILENCE, Tone::tick);
            phone.say(&said, room);
        }
        room.tick(&mut *phones);
    }
}

/// How loud a phone has heard a tone in its last second.
fn level(phone: &Phone, hz: f64) -> f64 {
    db(peak_of(phone.last_second(), hz, phone.rate()), PEAK)
}

/// The sharpest bend in what was heard, and that of so many of these tones.
fn bends(heard: &[i16]) -> f64 {
    let bend = |w: &[i16]| (f64::from(w[0]) - 2.0 * f64::from(w[1]) + f64::from(w[2])).abs();
    heard.windows(3).map(bend).fold(0.0, f64::max)
}

/// The sharpest bend of these tones at `gain`, all together, with a little for rounding and slopes.
fn smooth(hz: &[f64], gain: f64) -> f64 {
    let turn = |hz: f64| std::f64::consts::TAU * hz / 8_000.0;
    hz.iter().map(|&hz| gain * PEAK * turn(hz).powi(2)).sum::<f64>() * 1.1
        + 2.0 * PEAK * hz.len() as f64 / 160.0
        + 4.0
}

#[test]
fn who_moves_is_heard_there_within_a_tick_and_here_no_more_without_a_click() {
    for rates in [[NARROW, NARROW], [NARROW, WIDE], [WIDE, NARROW]] {
        let mut room = Room::new();
        let mut events = room.topic.subscribe().accept::<Moved>().pull().unwrap();
        let bridges = [0, 1].map(|n| room.add_bridge(n as u32, rates[n]));
        let mut phones = phones(&mut room, 3, bridges[0], rates[0]);
        room.join(phones[1].id, bridges[1], rates[1]);
        assert!(next::<Moved>(&mut events).is_some(), "the first move");
        let mut tones = tones();
        for round in 0..6 {
            let to = round % 2;
            room.join(phones[2].id, bridges[to], rates[to]);
            talk(&mut room, &mut phones, &mut tones, 60);
            let [here, there] = [to, 1 - to].map(|n| level(&phones[n], HZ[2]));
            assert!(here.abs() < 0.5 && there < -60.0, "{rates:?} {round}: {here} {there}");
            assert!(level(&phones[2], HZ[to]).abs() < 0.5);
            assert!(level(&phones[2], HZ[1 - to]) < -60.0);
        }
        for phone in &phones {
            let bend = bends(&phone.heard[20 * 160..]);
            assert!(bend < smooth(&HZ[1..], 1.0), "{rates:?}: a click of {bend}");
        }
        let mut moves = 0;
        while let Some(moved) = next::<Moved>(&mut events) {
            assert!(moved.leg == phones[2].id && moved.from != moved.to);
            moves += 1;
        }
        assert_eq!(moves, 5, "{rates:?}");
    }
}

#[test]
fn mute_and_gain_work_both_ways_without_a_click_and_are_told_once() {
    for rate in [NARROW, WIDE] {
        let mut room = Room::new();
        let mut events = room.topic.subscribe().capacity(64).pull().unwrap();
        let bridge = room.add_bridge(0, rate);
        let mut phones = phones(&mut room, 2, bridge, rate);
        let mut tones = tones();
        talk(&mut room, &mut phones, &mut tones, 20);
        let id = phones[0].id;
        let mute = |direction, on| LegSetting::Mute(direction, on);
        let gain = |direction, db| LegSetting::Gain(direction, Gain::from_db(db));
        let (says, hears) = (Direction::In, Direction::Out);
        // What is set, and how loud the other hears it, and it the other.
        let silent = -90.0;
        let steps = [
            (mute(says, true), silent, 0.0),
            (mute(hears, true), silent, silent),
            (mute(says, false), 0.0, silent),
            (mute(hears, false), 0.0, 0.0),
            (gain(says, -12.0), -12.0, 0.0),
            (gain(hears, 6.0), -12.0, 6.0),
            (gain(says, 3.0), 3.0, 6.0),
            (gain(hears, 0.0), 3.0, 0.0),
            (gain(says, 0.0), 0.0, 0.0),
        ];
        for (setting, heard, hears) in steps {
            (0..2).for_each(|_| room.set(id, setting)); // the second changes nothing
            talk(&mut room, &mut phones, &mut tones, 70);
            for (level, wanted) in
                [(level(&phones[1], HZ[0]), heard), (level(&phones[0], HZ[1]), hears)]
            {
                let right =
                    if wanted == silent { level < -60.0 } else { (level - wanted).abs() < 0.3 };
                assert!(right, "{setting:?} at {rate}: {level:.1} dB, not {wanted}");
            }
        }
        for (phone, hz) in phones.iter().zip([HZ[1], HZ[0]]) {
            let bend = bends(&phone.heard[20 * 160..]);
            assert!(bend < smooth(&[hz], 2.0), "a click of {bend}");
        }
        let mut told = (0, 0);
        while let Ok(delivery) = events.try_recv() {
            told.0 += usize::from(delivery.downcast_ref::<Muted>().is_some());
            told.1 += usize::from(delivery.downcast_ref::<GainChanged>().is_some());
        }
        assert_eq!(told, (4, 5));
    }
}

#[test]
fn a_listener_is_not_heard_whatever_it_says() {
    let mut room = Room::new();
    let mut events = room.topic.subscribe().accept::<RoleChanged>().pull().unwrap();
    let bridge = room.add_bridge(0, NARROW);
    let mut phones = phones(&mut room, 3, bridge, NARROW);
    let mut tones = tones();
    for role in [Role::Listener, Role::Announcer, Role::Listener, Role::Participant] {
        room.set(phones[0].id, LegSetting::Role(role));
        talk(&mut room, &mut phones, &mut tones, 70);
        let level = level(&phones[1], HZ[0]);
        assert_eq!(level < -60.0, role == Role::Listener, "{role:?} at {level:.1} dB");
        assert_eq!(next(&mut events), Some(RoleChanged { leg: phones[0].id, role }));
    }
    let bend = bends(&phones[1].heard[20 * 160..]);
    assert!(bend < smooth(&[HZ[0], HZ[2]], 1.0), "a click of {bend}");
}

#[test]
fn absorbed_digits_are_told_of_and_reach_nobody() {
    for absorb in [Absorb::Whole, Absorb::Off] {
        let absorbed = absorb != Absorb::Off;
        let mut room = Room::new();
        let mut events = room.topic.subscribe().capacity(256).pull().unwrap();
        let bridge = room.add_bridge(0, NARROW);
        let mut phones = phones(&mut room, 2, bridge, NARROW);
        room.set(phones[0].id, LegSetting::AbsorbDtmf(absorb));
        let (mut digits, mut loudest) = (String::new(), 0);
        for digit in Digit::ALL {
            let mut singer = ToneGenerator::new(digit, NARROW, 100);
            for _ in 0..20 {
                let mut said = SILENCE;
                singer.fill(&mut said);
                phones[0].say(&said, &mut room);
                phones[1].say(&SILENCE, &mut room);
                room.tick(&mut phones);
                let peak = phones[1].frame.samples().iter().map(|s| s.unsigned_abs()).max();
                loudest = loudest.max(peak.unwrap_or(0));
            }
        }
        while let Ok(delivery) = events.try_recv() {
            if let Some(digit) = delivery.downcast_ref::<DtmfReceived>() {
                digits.push(digit.digit.as_char());
            }
            if let Some(told) = delivery.downcast_ref::<DtmfAbsorbed>() {
                assert!(told.absorbed == absorb && absorbed);
            }
        }
        assert_eq!(digits, Digit::ALL.map(Digit::as_char).iter().collect::<String>());
        if absorbed {
            // Of a peak of some 15,000.
            assert!(loudest < 150, "the other hears {loudest}");
            // What is no digit comes through, and no click when it is over.
            let mut tones = tones();
            talk(&mut room, &mut phones, &mut tones, 80);
            assert!(level(&phones[1], HZ[0]).abs() < 0.5);
            room.set(phones[0].id, LegSetting::AbsorbDtmf(Absorb::Off));
            talk(&mut room, &mut phones, &mut tones, 60);
            let bend = bends(&phones[1].heard[phones[1].heard.len() - 120 * 160..]);
            assert!(bend < smooth(&[HZ[0]], 1.0), "a click of {bend}");
        } else {
            assert!(loudest > 10_000);
        }
    }
}

#[test]
fn a_leg_is_listened_to_by_the_settings_that_it_was_given_last() {
    let mut room = Room::new();
    let mut events = room.topic.subscribe().capacity(256).pull().unwrap();
    let bridge = room.add_bridge(0, NARROW);
    let mut phones = phones(&mut room, 1, bridge, NARROW);
    let by = [DtmfSettings::STRICT, DtmfSettings::RELAXED, DtmfSettings::DEFAULT];
    for (settings, digit) in by.into_iter().zip(Digit::ALL) {
        room.set(phones[0].id, LegSetting::DetectDtmf(Some(settings)));
        // A twist of 12 dB, which only bad telephones have.
        let (low, high) = (Dbm0(-6.0), Dbm0(-18.0));
        let mut singer = ToneGenerator::with_levels(digit, NARROW, 100, low, high);
        for _ in 0..20 {
            let mut said = SILENCE;
            singer.fill(&mut said);
            phones[0].say(&said, &mut room);
            room.tick(&mut phones);
        }
    }
    for _ in 0..500 {
        phones[0].say(&SILENCE, &mut room);
        room.tick(&mut phones); // until its figures are told
    }
    let (mut heard, mut rejected) = (Vec::new(), Vec::new());
    while let Ok(delivery) = events.try_recv() {
        heard.extend(delivery.downcast_ref::<DtmfReceived>().map(|digit| digit.digit));
        rejected.extend(delivery.downcast_ref::<DtmfRejected>().map(|rejected| rejected.counts));
    }
    assert_eq!(heard, [Digit::ALL[1]]);
    let [counts] = rejected[..] else { panic!("told of once: {rejected:?}") };
    assert_eq!((counts.count(Rejection::Twist), counts.total()), (2, 2), "{counts:?}");
}

#[test]
fn a_leg_that_is_not_listened_to_has_no_digits_and_is_heard_as_always() {
    let mut room = Room::new();
    let mut events = room.topic.subscribe().capacity(256).pull().unwrap();
    let bridge = room.add_bridge(0, NARROW);
    let mut phones = phones(&mut room, 2, bridge, NARROW);
    let detect = |wanted: bool| LegSetting::DetectDtmf(wanted.then_some(DtmfSettings::DEFAULT));
    let (mut began, mut digits) = (String::new(), Vec::new());
    // The ticks at which it is changed: before a digit, in the middle of one, and back.
    let changes = [(0, 0, false), (4, 0, true), (8, 8, false), (9, 8, true)];
    for (at, digit) in Digit::ALL.into_iter().enumerate() {
        let (mut singer, mut loudest) = (ToneGenerator::new(digit, NARROW, 200), 0);
        for tick in 0..20 {
            for (_, _, wanted) in changes.iter().filter(|(a, b, _)| (*a, *b) == (at, tick)) {
                room.set(phones[0].id, detect(*wanted));
            }
            let mut said = SILENCE;
            singer.fill(&mut said);
            phones[0].say(&said, &mut room);
            phones[1].say(&SILENCE, &mut room);
            room.tick(&mut phones);
            let peak = phones[1].frame.samples().iter().map(|s| s.unsigned_abs()).max();
            loudest = loudest.max(peak.unwrap_or(0));
        }
        assert!(loudest > 10_000, "{digit:?} is heard at {loudest}");
    }
    while let Ok(delivery) = events.try_recv() {
        if let Some(digit) = delivery.downcast_ref::<DtmfBegan>() {
            began.push(digit.digit.as_char());
        }
        if let Some(digit) = delivery.downcast_ref::<DtmfReceived>() {
            digits.push((digit.digit.as_char(), digit.duration_ms));
        }
    }
    let all: String = Digit::ALL.map(Digit::as_char).iter().collect();
    assert_eq!(began, all[4..], "from the fifth on");
    // The ninth ended when nobody listened any more, the tenth began when somebody did again.
    let told: String = digits.iter().map(|(digit, _)| *digit).collect();
    assert_eq!(told, all[4..]);
    for (at, (digit, duration_ms)) in digits.iter().enumerate() {
        let whole = !matches!(at, 4 | 5);
        assert_eq!((190..=210).contains(duration_ms), whole, "{digit} for {duration_ms} ms");
    }
}

fn sound(serial: u32, hz: f64, rate: SampleRate, bridge: SampleRate) -> Box<Playback> {
    let mut samples = vec![0; rate.hz() as usize];
    Tone::new(hz, PEAK).fill(&mut samples, rate);
    let player = Player::new(Pcm::new(rate, samples), Repeat::Forever);
    Box::new(Playback::at(PlaybackId::new(0, serial), player, bridge))
}

#[test]
fn those_on_hold_hear_music_unless_somebody_announces_and_never_each_other() {
    const MUSIC: f64 = 700.0;
    const PROMPT: f64 = 850.0;
    let mut room = Room::new();
    let bridge = room.add_bridge_as(0, NARROW, |bridge| bridge.with_kind(BridgeKind::Holding));
    let mut phones = phones(&mut room, 3, bridge, NARROW);
    let mut tones = tones();
    room.order(Order::Music(bridge.into(), Some(sound(1, MUSIC, WIDE, NARROW))));
    let announcer = phones[2].id;
    // Who announces, and what is played: heard are music, prompt and announcer.
    let role = |role| Order::Set(announcer, LegSetting::Role(role));
    let mute = |on| Order::Set(announcer, LegSetting::Mute(Direction::In, on));
    let steps: [(Option<Order>, [bool; 3]); 7] = [
        (None, [true, false, false]),
        (Some(role(Role::Announcer)), [false, false, true]),
        (Some(mute(true)), [true, false, false]),
        (Some(Order::Play(bridge.into(), sound(2, PROMPT, NARROW, NARROW))), [false, true, false]),
        (Some(mute(false)), [false, true, true]),
        (Some(Order::StopPlaying(bridge.into())), [false, false, true]),
        (Some(Order::Leave(announcer)), [true, false, false]),
    ];
    for (step, (order, heard)) in steps.into_iter().enumerate() {
        order.into_iter().for_each(|order| room.order(order));
        talk(&mut room, &mut phones, &mut tones, 70);
        for (n, phone) in phones[..2].iter().enumerate() {
            for (hz, heard) in [MUSIC, PROMPT, HZ[2]].into_iter().zip(heard) {
                let level = level(phone, hz);
                let right = if heard { level.abs() < 0.5 } else { level < -60.0 };
                assert!(right, "step {step}: {n} hears {hz} Hz at {level:.1} dB");
            }
            assert!(level(phone, HZ[1 - n]) < -60.0, "step {step}: they hear each other");
        }
    }
    let bend = bends(&phones[0].heard[20 * 160..]);
    assert!(bend < smooth(&[MUSIC, PROMPT], 1.0), "a click of {bend}");
}

#[test]
fn of_many_talkers_the_loudest_are_heard_and_that_does_not_flap() {
    let mut room = Room::new();
    let bridge = room.add_bridge_as(0, NARROW, |bridge| bridge.with_talkers(Some(1)));
    let mut phones = phones(&mut room, 3, bridge, NARROW);
    let mut peaks = [6_000.0, 1_000.0];
    let say = |room: &mut Room, phones: &mut Vec<Phone>, peaks: [f64; 2], ticks: usize| {
        // Their levels wander by 2 dB, each in its own time.
        for tick in 0..ticks {
            for (n, phone) in phones.iter_mut().enumerate() {
                let mut said = SILENCE;
                if n < 2 {
                    let wander = 1.0 + 0.25 * (tick as f64 * (0.3 + n as f64 * 0.2)).sin();
                    Tone::new(HZ[n], peaks[n] * wander).fill(&mut said, NARROW);
                }
                phone.say(&said, room);
            }
            room.tick(&mut *phones);
        }
        [0, 1].map(|n| db(peak_of(phones[2].last_second(), HZ[n], NARROW), peaks[n]) > -3.0)
    };
    assert_eq!(say(&mut room, &mut phones, peaks, 80), [true, false]);
    peaks[1] = 6_500.0; // hardly louder: who is heard stays
    assert_eq!(say(&mut room, &mut phones, peaks, 200), [true, false]);
    peaks[0] = 1_000.0;
    assert_eq!(say(&mut room, &mut phones, peaks, 120), [false, true]);
    room.order(Order::LimitTalkers(bridge, None));
    assert_eq!(say(&mut room, &mut phones, peaks, 80), [true, true]);
}

/// A change of rate for all these phones, and what is played and tapped.
fn change(phones: &[Phone], rate: SampleRate) -> Box<RateChange> {
    let legs = phones.iter().map(|phone| (phone.id, phone.rate()));
    Box::new(
        RateChange::new(rate, legs)
            .with_playback(PlaybackId::new(0, 1), NARROW)
            .with_tap(WIDE)
            .with_tap(NARROW)
            .with_music(NARROW),
    )
}

#[test]
fn a_bridge_goes_over_to_another_rate_without_a_gap_or_a_click() {
    let mut room = Room::new();
    let mut events = room.topic.subscribe().accept::<BridgeRateChanged>().pull().unwrap();
    let bridge = room.add_bridge(0, NARROW);
    let mut phones = phones(&mut room, 3, bridge, NARROW);
    // Two taps at rates of their own.
    let mut taps = [NARROW, WIDE].map(|rate| {
        let (tap, samples) = Tap::at(rate, 20, NARROW);
        room.order(Order::TapBridge(bridge, Box::new(tap)));
        samples
    });
    const PLAYED: f64 = 700.0;
    room.order(Order::Play(bridge.into(), sound(1, PLAYED, NARROW, NARROW)));
    let mut tones = tones();
    talk(&mut room, &mut phones, &mut tones, 60);
    let mut rate = NARROW;
    let rates = [SampleRate::Hz16000, WIDE, SampleRate::Hz24000, NARROW, WIDE, WIDE];
    for (n, to) in rates.into_iter().enumerate() {
        room.order(Order::ChangeRate(bridge, change(&phones, to)));
        if n == 3 {
            // Another one before the first is over; nothing of that has been heard.
            talk(&mut room, &mut phones, &mut tones, 1);
            room.order(Order::ChangeRate(bridge, change(&phones, NARROW)));
        }
        talk(&mut room, &mut phones, &mut tones, 60);
        let told = BridgeRateChanged { bridge, from: rate, to };
        assert_eq!(next(&mut events), Some(told));
        rate = to;
        for (own, phone) in phones.iter().enumerate() {
            for (n, &hz) in HZ.iter().enumerate() {
                let level = level(phone, hz);
                let right = if n == own { level < -50.0 } else { level.abs() < 0.5 };
                assert!(right, "at {to}, {own} hears {n} at {level:.2} dB");
            }
            assert!(level(phone, PLAYED).abs() < 0.5, "at {to}");
        }
    }
    for (own, phone) in phones.iter().enumerate() {
        let others: Vec<_> =
            HZ.into_iter().enumerate().filter(|(n, _)| *n != own).map(|(_, hz)| hz).collect();
        let heard = &phone.heard[20 * 160..];
        let bend = bends(heard);
        let most = smooth(&[&others[..], &[PLAYED]].concat(), 1.0);
        assert!(bend < most, "a click of {bend}, not {most}");
        // No gap either: three tones in no tick add up to nothing.
        let quietest = heard.chunks(160).map(|tick| tick.iter().map(|s| s.unsigned_abs()).max());
        assert!(quietest.min() > Some(Some(3_000)));
    }
    for (tap, tick) in taps.iter_mut().zip([160, 960]) {
        let recorded = read_all(tap);
        let ticks = recorded.chunks(tick).skip(20);
        let loudest = ticks.map(|t| t.iter().map(|s| s.unsigned_abs()).max());
        assert!(loudest.min() > Some(Some(3_000)), "nor in the recordings");
    }
    // Every converter but those in use has come back, and none was refused.
    let refused = |object: &Retired| matches!(object, Retired::Refused(_));
    assert!(!room.wire.retired.iter().any(refused));
    let rates = room.wire.retired.iter().filter(|o| matches!(o, Retired::Rates(_))).count();
    assert_eq!(rates, 3 * 6);
}

#[test]
fn a_wide_leg_and_a_change_of_rate_come_together_and_a_change_that_leaves_one_out_is_refused() {
    let mut room = Room::new();
    let bridge = room.add_bridge(0, NARROW);
    let mut phones = phones(&mut room, 2, bridge, NARROW);
    let wide = Payloads::of(&[Codec::L16.at(WIDE).unwrap()]).unwrap();
    phones.push(room.add_phone_with(2, wide));
    let mut tones = tones();
    let mut talk = |room: &mut Room, phones: &mut [Phone], ticks: usize| {
        for _ in 0..ticks {
            for (phone, tone) in phones.iter_mut().zip(&mut tones) {
                let mut said = Frame::silence(phone.rate());
                tone.fill(said.samples_mut(), phone.rate());
                phone.say(said.samples(), room);
            }
            room.tick(phones.iter_mut());
        }
    };
    talk(&mut room, &mut phones, 50);
    room.order(join(phones[2].id, WIDE, bridge, NARROW));
    room.order(Order::ChangeRate(bridge, change(&phones[..2], WIDE)));
    assert!(matches!(room.wire.retired.pop(), Some(Retired::Refused(Order::ChangeRate(..)))));
    room.order(Order::ChangeRate(bridge, change(&phones, WIDE)));
    room.order(Order::Leave(phones[0].id));
    room.order(join(phones[0].id, NARROW, bridge, WIDE));
    talk(&mut room, &mut phones, 70);
    for (own, phone) in phones.iter().enumerate() {
        for n in (0..3).filter(|n| *n != own) {
            let level = level(phone, HZ[n]);
            assert!(level.abs() < 0.5, "{own} hears {n} at {level:.2} dB");
        }
    }
    room.order(Order::RemoveBridge(bridge));
    talk(&mut room, &mut phones, 2);
    assert!(room.wire.retired.iter().any(|object| matches!(object, Retired::Bridge(_))));
    let bend = bends(&phones[1].heard[20 * 160..]);
    assert!(bend < smooth(&[HZ[0], HZ[2]], 1.0), "a click of {bend}");
}
