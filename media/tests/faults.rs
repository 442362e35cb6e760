//! What goes wrong around a conference: subscribers, sockets, files, sound devices, floods and storms.
//! Each test does one thing to a running system; three parties that it does not concern hear each
//! other throughout without a break, what is lost is told or counted, and what came is gone afterwards.
//!
//! Nothing here asserts a time. Where the machine itself was late, that is told (`TickMissed`) and
//! explains what it explains. `STASIS_FAULT_SECONDS` has each fault last longer (`make faults`).
#![cfg(target_os = "linux")] // threads and files are counted in /proc

mod common {
    pub mod hall;
    pub mod phones;
    pub mod room;
}

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::sleep;
use std::time::Duration;

use common::hall::{Hall, insist, leg, until};
use common::phones::{hz_of, socket};
use common::room::Dice;
use stasis_bus::{Bus, Delivery, PullSubscription, Settings};
use stasis_media::LegId;
use stasis_media::device::{CaptureEnd, DevicePlug, PlaybackEnd, Pulse};
use stasis_media::event::{Joined, Left, Muted, RtpReceived};
use stasis_media::frame::SampleRate;
use stasis_media::io::{
    Alarm, BridgeSettings, DeviceLost, DeviceRestored, MediaSettings, OpenDevice, ReceiveBuffer,
    RecordSettings, RecordState, Recorder, RecordingChanged, RtpSocket, SoundCard,
};
use stasis_media::leg::Direction;

/// Has a leg tell something, over and over: that it is muted, or no longer. Says how often.
fn make_events(hall: &Hall, leg: LegId, mut meanwhile: impl FnMut()) -> u64 {
    let (end, mut made) = (hall.end(), 0);
    while hall.bus.now() < end {
        for muted in [true, false] {
            insist(|| hall.media.mute(leg, Direction::In, muted));
            made += 1;
        }
        meanwhile();
        sleep(Duration::from_millis(4));
    }
    made
}

/// Reads what has come; says how many of a type that were.
fn count<T: 'static>(events: &mut PullSubscription) -> u64 {
    let mut count = 0;
    while let Ok(delivery) = events.try_recv() {
        count += u64::from(delivery.downcast_ref::<T>().is_some());
    }
    count
}

/// A leg whose party neither speaks nor reads.
fn quiet_leg(hall: &Hall) -> LegId {
    let (_, address) = socket();
    hall.leg(address).0
}

/// Makes events of a leg and reads them all: how many were made, and read.
fn make_and_read(hall: &Hall, leg: LegId, reader: &mut PullSubscription) -> (u64, u64) {
    let mut read = 0;
    let made = make_events(hall, leg, || read += count::<Muted>(reader));
    until("all is read", || {
        read += count::<Muted>(reader);
        read >= made
    });
    (made, read)
}

#[test]
fn a_subscriber_that_sleeps_for_ever_loses_only_its_own_events_and_they_are_counted() {
    let mut hall = Hall::open();
    let asleep = Arc::new((Mutex::new(true), Condvar::new()));
    let bed = asleep.clone();
    let sleeper = hall.topic.subscribe().capacity(8).accept::<Muted>().callback(move |_| {
        let sleeping = bed.0.lock().unwrap();
        drop(bed.1.wait_while(sleeping, |asleep| *asleep).unwrap());
    });
    let sleeper = sleeper.unwrap();
    let mut reader = hall.topic.subscribe().capacity(1 << 16).accept::<Muted>().pull().unwrap();
    let leg = quiet_leg(&hall);
    let (made, read) = make_and_read(&hall, leg, &mut reader);
    assert_eq!((read, reader.stats().dropped.total()), (made, 0), "the other reader has all");
    let stats = sleeper.stats();
    assert!(stats.dropped.full > 0 && stats.delivered < 3, "{stats:?}");
    // Its own first message aside.
    assert_eq!(stats.enqueued - 1 + stats.dropped.total(), made, "{stats:?}");
    hall.judge();
    *asleep.0.lock().unwrap() = false;
    asleep.1.notify_all();
    sleeper.unsubscribe();
    sleeper.join().unwrap();
    drop((sleeper, reader));
    insist(|| hall.media.remove_leg(leg));
    hall.close();
}

#[test]
fn a_callback_that_panics_ends_its_subscription_and_is_counted() {
    let mut hall = Hall::open();
    let calls = Arc::new(AtomicU32::new(0));
    let called = calls.clone();
    let panicking = hall.topic.subscribe().accept::<Muted>().callback(move |delivery| {
        if delivery.downcast_ref::<Muted>().is_some() && called.fetch_add(1, Relaxed) == 2 {
            panic!("as a callback may");
        }
    });
    let panicking = panicking.unwrap();
    let mut reader = hall.topic.subscribe().capacity(1 << 16).accept::<Muted>().pull().unwrap();
    let leg = quiet_leg(&hall);
    let (made, read) = make_and_read(&hall, leg, &mut reader);
    assert_eq!((read, hall.bus.panics(), calls.load(Relaxed)), (made, 1, 3));
    hall.judge();
    drop((panicking, reader));
    insist(|| hall.media.remove_leg(leg));
    hall.close();
}

#[test]
fn a_full_pool_of_events_drops_and_counts_them_and_the_audio_goes_on() {
    let mut hall = Hall::with(MediaSettings { cells: 4, ..Default::default() });
    // Nobody reads, and has room for all: the cells stay there.
    let mut lazy = hall.topic.subscribe().capacity(1 << 16).accept::<Muted>().pull().unwrap();
    assert!(lazy.recv().is_some(), "its own first message, which needs no cell");
    let leg = quiet_leg(&hall);
    let made = make_events(&hall, leg, || {});
    until("all is told or lost", || {
        let stats = lazy.stats();
        stats.enqueued - 1 + stats.dropped.total() >= made
    });
    let stats = lazy.stats();
    assert_eq!((stats.enqueued - 1, stats.dropped.exhausted), (4, made - 4), "{stats:?}");
    hall.judge();
    // Read at last, and there is room again; the gap is told in its place.
    let (mut told, mut lost) = (0, 0);
    while let Ok(delivery) = lazy.try_recv() {
        match delivery {
            Delivery::Lagged(count) => lost += count,
            delivery => told += u64::from(delivery.downcast_ref::<Muted>().is_some()),
        }
    }
    insist(|| hall.media.mute(leg, Direction::In, true));
    until("there is room again", || {
        while let Ok(delivery) = lazy.try_recv() {
            match delivery {
                Delivery::Lagged(count) => lost += count,
                delivery => told += u64::from(delivery.downcast_ref::<Muted>().is_some()),
            }
        }
        told == 5
    });
    assert_eq!((told, lost), (5, made - 4));
    drop(lazy);
    insist(|| hall.media.remove_leg(leg));
    hall.close();
}

#[test]
fn a_send_that_fails_is_counted_and_the_others_are_sent_everything() {
    let hall = Hall::open();
    // Broadcast that was not asked for, a port that is none, and an address of another family.
    let nowhere = ["255.255.255.255:9", "127.0.0.1:0", "[::1]:9"];
    let legs = nowhere.map(|remote| hall.leg(remote.parse().unwrap()).0);
    legs.iter().for_each(|leg| insist(|| hall.media.join(*leg, hall.bridge)));
    let (before, ticks) = (hall.media.counters().send_errors, hall.media.counters().ticks);
    hall.last();
    let errors = hall.media.counters().send_errors - before;
    let ticks = hall.media.counters().ticks - ticks;
    // The tick at either end may be half counted.
    assert!(errors.abs_diff(3 * ticks) <= 6, "{errors} errors in {ticks} ticks of three legs");
    legs.iter().for_each(|leg| insist(|| hall.media.remove_leg(*leg)));
    hall.close();
}

#[test]
fn a_party_whose_port_is_closed_disturbs_nobody_and_may_come_back() {
    let hall = Hall::open();
    let (party, remote) = socket();
    let (leg, _) = hall.leg(remote);
    insist(|| hall.media.join(leg, hall.bridge));
    drop(party); // each datagram meets a closed port (ICMP) from here on
    hall.last();
    let clock = hall.bus.clock();
    let party = RtpSocket::bind(remote).expect("its port is its own");
    let mut came = 0;
    until("it is sent again", || {
        party.receive(&mut ReceiveBuffer::new(), &clock, 100, |_| came += 1);
        came > 10
    });
    insist(|| hall.media.remove_leg(leg));
    drop(party);
    hall.close();
}

#[test]
fn a_full_disk_ends_only_that_recording_and_says_so() {
    let mut hall = Hall::open();
    let mut events =
        hall.topic.subscribe().capacity(1 << 14).accept::<RecordingChanged>().pull().unwrap();
    let recorder = Recorder::start().unwrap();
    let whole = std::env::temp_dir().join(format!("stasis-fault-{}.wav", std::process::id()));
    let settings = RecordSettings::to(&whole);
    let good = recorder.record(&hall.media, hall.bridge, settings, &hall.topic).unwrap();
    // The header finds no room at once, or the sound when it is written.
    let settings = RecordSettings::to("/dev/full");
    match recorder.record(&hall.media, hall.bridge, settings, &hall.topic) {
        Err(error) => assert!(error.to_string().contains("full"), "{error}"),
        Ok(bad) => {
            until("it is told", || {
                events.try_recv().is_ok_and(|delivery| {
                    delivery.downcast_ref::<RecordingChanged>().is_some_and(|changed| {
                        matches!(&changed.state, RecordState::Failed(why) if why.contains("full"))
                    })
                })
            });
            bad.wait().unwrap_err();
        }
    }
    hall.last();
    let figures = good.finish().unwrap();
    let _ = std::fs::remove_file(&whole);
    assert!(figures.samples >= 4_000, "{figures:?}");
    hall.judge();
    drop((recorder, events));
    hall.close();
}

#[test]
fn a_flooded_leg_counts_what_it_refuses_and_costs_nobody_else_a_sound() {
    let hall = Hall::open();
    let mut figures =
        hall.topic.subscribe().capacity(1 << 12).accept::<RtpReceived>().pull().unwrap();
    let (party, remote) = socket();
    let (leg, to) = hall.leg(remote);
    insist(|| hall.media.join(leg, hall.bridge));
    hall.media.mute(leg, Direction::In, true).unwrap(); // what it says is not judged
    let strangers = [socket(), socket()];
    let end = hall.end();
    let (mut dice, mut sent, mut seq) = (Dice(5), 0u64, 0u16);
    // Ten a millisecond: of its own source, of strangers, and of neither sense nor length.
    while hall.bus.now() < end {
        for n in 0..10 {
            let socket = if n < 5 { &party } else { &strangers[n % 2].0 };
            let mut packet = [0xD5; 172];
            packet[0] = 0x80;
            packet[1] = 0;
            packet[2..4].copy_from_slice(&seq.to_be_bytes());
            packet[4..12].copy_from_slice(&[n as u8; 8]);
            if n % 2 == 0 {
                packet.iter_mut().for_each(|byte| *byte = dice.throw(256) as u8);
            }
            let len = if n % 5 == 0 { dice.throw(173) as usize } else { packet.len() };
            let _ = socket.send_to(&packet[..len], to);
            (sent, seq) = (sent + 1, seq.wrapping_add(1));
        }
        sleep(Duration::from_millis(1));
    }
    assert!(sent > 1_000, "{sent}");
    insist(|| hall.media.remove_leg(leg));
    let mut last = None;
    until("the last figures are told", || {
        while let Ok(delivery) = figures.try_recv() {
            let told = delivery.downcast_ref::<RtpReceived>();
            last = told.filter(|told| told.leg == leg).copied().or(last);
        }
        last.is_some()
    });
    let stats = last.unwrap().stats;
    assert!(stats.refused > 50, "{stats:?}");
    drop((figures, party, strangers));
    hall.close();
}

/// A card that may be unplugged, and a thread that calls as its driver would.
#[derive(Clone, Default)]
struct Card(Arc<CardState>);

#[derive(Default)]
struct CardState {
    /// Its rate; 0: it is unplugged.
    hz: AtomicU32,
    /// Calls so far of the speaker in which it was not silent.
    loud: AtomicU64,
    alarm: Mutex<Option<Alarm>>,
}

/// Its driver's thread.
struct Driver {
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl SoundCard for Card {
    type Streams = Driver;
    type Error = String;

    fn open(&mut self, plug: &mut DevicePlug, alarm: Alarm) -> Result<(Driver, Pulse), String> {
        let hz = self.0.hz.load(Relaxed);
        if hz == 0 {
            return Err("unplugged".into());
        }
        let (capture, playback, pulse) = plug.plug(hz, hz).map_err(|error| error.to_string())?;
        *self.0.alarm.lock().unwrap() = Some(alarm);
        let stop = Arc::<AtomicBool>::default();
        let (stopped, card) = (stop.clone(), self.0.clone());
        let run = move || card.run(&stopped, hz, capture, playback);
        let thread = Some(std::thread::spawn(run));
        Ok((Driver { stop, thread }, pulse))
    }

    fn name(_: &Driver) -> String {
        "a card".into()
    }
}

impl CardState {
    fn run(&self, stop: &AtomicBool, hz: u32, mut capture: CaptureEnd, mut playback: PlaybackEnd) {
        let mut block = vec![0; hz as usize / 100];
        while !stop.load(Relaxed) {
            sleep(Duration::from_millis(10));
            block.fill(0);
            capture.push(&block);
            playback.pull(&mut block);
            self.loud.fetch_add(u64::from(block.iter().any(|sample| *sample > 2_000)), Relaxed);
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn a_sound_device_that_goes_away_and_comes_back_at_another_rate_is_told_and_goes_on() {
    let mut hall = Hall::open();
    let mut lost = hall.topic.subscribe().accept::<DeviceLost>().pull().unwrap();
    let mut restored = hall.topic.subscribe().accept::<DeviceRestored>().pull().unwrap();
    let card = Card::default();
    card.0.hz.store(48_000, Relaxed);
    let (edge, device) = OpenDevice::open(card.clone(), SampleRate::Hz8000).unwrap();
    let leg = hall.media.add_device_leg(edge, &hall.topic).unwrap();
    insist(|| hall.media.join(leg, hall.bridge));
    let watch = device.watch(leg, &hall.topic).unwrap();
    let hears = |card: &Card| {
        let before = card.0.loud.load(Relaxed);
        until("the speaker plays", || card.0.loud.load(Relaxed) > before + 5);
    };
    hears(&card);
    for hz in [44_100, 16_000] {
        card.0.hz.store(0, Relaxed);
        card.0.alarm.lock().unwrap().take().unwrap().lost("unplugged");
        until("it is told", || {
            lost.try_recv().is_ok_and(|delivery| delivery.downcast_ref::<DeviceLost>().is_some())
        });
        hall.last();
        card.0.hz.store(hz, Relaxed);
        until("it is told", || {
            let told = restored.try_recv();
            told.is_ok_and(|delivery| delivery.downcast_ref::<DeviceRestored>().is_some())
        });
        hears(&card);
    }
    hall.judge();
    insist(|| hall.media.remove_leg(leg));
    drop((watch, lost, restored));
    hall.close();
}

#[test]
fn a_storm_of_joins_and_leaves_loses_no_event_and_nobody_hears_it() {
    storm(1);
}

#[test]
fn a_storm_of_joins_and_leaves_between_two_threads_loses_no_event_and_nobody_hears_it() {
    storm(2);
}

/// A thousand joins and leaves a second, of legs that say nothing, in the bridge of the others and in
/// one that another thread may mix.
fn storm(threads: usize) {
    let hall = Hall::with(MediaSettings { threads, cells: 1 << 14, ..Default::default() });
    let elsewhere = hall.media.add_bridge(BridgeSettings::default(), &hall.topic).unwrap();
    let bridges = [hall.bridge, elsewhere];
    let mut joined_events =
        hall.topic.subscribe().capacity(1 << 16).accept::<Joined>().pull().unwrap();
    let mut left_events = hall.topic.subscribe().capacity(1 << 16).accept::<Left>().pull().unwrap();
    let legs: Vec<_> = (0..10).map(|_| quiet_leg(&hall)).collect();
    let mut places = vec![None; legs.len()];
    let (end, mut dice, mut joins, mut leaves) = (hall.end(), Dice(3), 0u64, 0u64);
    let (mut joined, mut left) = (0, 0);
    while hall.bus.now() < end {
        for (leg, place) in legs.iter().zip(&mut places) {
            let bridge = bridges[dice.throw(2) as usize];
            match *place {
                Some(before) if before == bridge => {
                    insist(|| hall.media.leave(*leg));
                    (*place, leaves) = (None, leaves + 1);
                }
                before => {
                    insist(|| hall.media.join(*leg, bridge));
                    (*place, joins) = (Some(bridge), joins + 1);
                    leaves += u64::from(before.is_some());
                }
            }
        }
        joined += count::<Joined>(&mut joined_events);
        left += count::<Left>(&mut left_events);
        sleep(Duration::from_millis(10));
    }
    legs.iter().for_each(|leg| insist(|| hall.media.remove_leg(*leg)));
    leaves += places.iter().flatten().count() as u64;
    until("all joins and leaves are told", || {
        joined += count::<Joined>(&mut joined_events);
        left += count::<Left>(&mut left_events);
        (joined, left) == (joins, leaves)
    });
    let dropped = [&joined_events, &left_events].map(|events| events.stats().dropped.total());
    assert_eq!(dropped, [0, 0]);
    drop((joined_events, left_events));
    insist(|| hall.media.remove_bridge(elsewhere));
    hall.close();
}

#[test]
fn legs_and_sockets_that_come_and_go_leave_nothing_behind() {
    let hall = Hall::open();
    let (end, before) = (hall.end(), hall.media.reap());
    while hall.bus.now() < end {
        // A slot is vacant again when what was in it has come back.
        until("most have come back", || hall.media.reap() < before + 100);
        let legs: Vec<_> = (0..20).map(|n| (n, quiet_leg(&hall))).collect();
        legs.iter().filter(|(n, _)| n % 2 == 0).for_each(|(_, leg)| {
            insist(|| hall.media.join(*leg, hall.bridge));
        });
        legs.iter().for_each(|(_, leg)| insist(|| hall.media.remove_leg(*leg)));
    }
    hall.close();
}

#[test]
fn a_whole_system_that_comes_and_goes_leaves_no_thread_and_no_file() {
    let hall = Hall::open();
    for _ in 0..3 {
        let bus = Bus::new(Settings::default()).unwrap();
        let media = stasis_media::io::Media::start(&bus, MediaSettings::default()).unwrap();
        let topic = bus.topic("other");
        let bridge = media.add_bridge(BridgeSettings::default(), &topic).unwrap();
        let (_party, address) = socket();
        let (leg, _) = leg(&media, &topic, address);
        insist(|| media.join(leg, bridge));
        let ticks = media.counters().ticks;
        until("it ticks", || media.counters().ticks > ticks + 3);
    }
    hall.close();
}

/// Of no test, but of what they judge by: whoever is missing, doubled or broken is noticed.
#[test]
fn a_party_that_is_missing_would_be_noticed() {
    let mut hall = Hall::open();
    let from = hall.bus.now();
    let (_party, address) = socket();
    let (leg, to) = hall.leg(address);
    insist(|| hall.media.join(leg, hall.bridge));
    let (stranger, there) = socket();
    let (loud, to_loud) = hall.leg(there);
    insist(|| hall.media.join(loud, hall.bridge));
    hall.phones.add(stranger, to_loud, hz_of(0)); // as the first of the others
    let _ = (leg, to);
    hall.last();
    let tones: Vec<f64> = (0..3).map(hz_of).collect();
    let (heard, _) = hall.phones.tell();
    assert!(heard[1].faults(from, &tones).len() > 10, "somebody is doubled");
    assert!(heard[1].faults(from, &[hz_of(4)]).len() > 10, "somebody is missing");
    let _ = &mut hall;
}
