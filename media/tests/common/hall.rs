//! A conference on real media threads that something is going to happen to, and three parties that it
//! does not concern: what they hear is judged, and what there is before is there after.
#![allow(dead_code)] // each test uses a part of it

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::sleep;
use std::time::Duration;

use stasis_bus::{Bus, PullSubscription, Settings, Stamp, Topic};
use stasis_media::codec::{Codec, EncodeSettings};
use stasis_media::event::TickMissed;
use stasis_media::io::{BridgeSettings, ControlError, Counters, Media, MediaSettings, RtpLeg};
use stasis_media::rtp::{Payloads, ReceiveSettings};
use stasis_media::{BridgeId, LegId};

use crate::common::phones::{Late, Phones, hz_of, socket, unexplained};

/// How many are not concerned.
pub const OTHERS: usize = 3;
/// How long anything may take that is to happen at all.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Faults happen one after the other: threads and files are counted for the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub struct Hall {
    pub bus: Bus,
    pub topic: Topic,
    pub media: Arc<Media>,
    pub bridge: BridgeId,
    pub phones: Phones,
    missed: PullSubscription,
    late: Vec<Late>,
    /// From here on everything is judged, and what was counted by then.
    from: (Stamp, Counters),
    balance: Balance,
    _alone: MutexGuard<'static, ()>,
}

/// What there is: objects with the media threads, open files, threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Balance {
    objects: usize,
    files: usize,
    threads: usize,
}

/// How long a fault lasts: a moment, or `STASIS_FAULT_SECONDS`.
pub fn fault_time() -> Duration {
    let seconds = std::env::var("STASIS_FAULT_SECONDS").ok().and_then(|s| s.parse().ok());
    Duration::from_secs_f64(seconds.unwrap_or(0.3))
}

/// Waits for what is to happen.
pub fn until(what: &str, mut happens: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if happens() {
            return;
        }
        sleep(PATIENCE / 2_000);
    }
    panic!("in vain: {what}");
}

/// Gives an order until there is room for it.
pub fn insist<T>(mut order: impl FnMut() -> Result<T, ControlError>) -> T {
    for _ in 0..2_000 {
        match order() {
            Err(ControlError::Busy) => sleep(Duration::from_millis(5)),
            outcome => return outcome.expect("only room may be missing"),
        }
    }
    panic!("busy for ever");
}

impl Balance {
    pub fn of(media: &Media) -> Self {
        let entries = |folder| std::fs::read_dir(folder).map_or(0, Iterator::count);
        Balance {
            objects: media.reap(),
            files: entries("/proc/self/fd"),
            threads: entries("/proc/self/task"),
        }
    }
}

impl Hall {
    pub fn open() -> Self {
        Hall::with(MediaSettings::default())
    }

    /// With the others in a bridge, who hear each other.
    pub fn with(settings: MediaSettings) -> Self {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let quick = Duration::from_millis(200);
        let bus = Bus::new(Settings { idle_timeout: quick, ..Default::default() }).unwrap();
        let threads = bus.topic("media");
        let missed = threads.subscribe().capacity(1 << 14).accept::<TickMissed>().pull().unwrap();
        let media = Arc::new(Media::start(&bus, settings).unwrap());
        let topic = bus.topic("hall");
        let bridge = media.add_bridge(BridgeSettings::default(), &topic).unwrap();
        let phones = Phones::start(bus.clock());
        for number in 0..OTHERS {
            let (socket, address) = socket();
            let (leg, to) = leg(&media, &topic, address);
            media.join(leg, bridge).unwrap();
            phones.add(socket, to, hz_of(number));
        }
        let from = (bus.now(), media.counters());
        let balance = Balance::of(&media);
        let late = Vec::new();
        let mut hall =
            Hall { bus, topic, media, bridge, phones, missed, late, from, balance, _alone: alone };
        hall.settle();
        hall
    }

    /// Waits until everybody hears everybody; from there on they are judged.
    fn settle(&mut self) {
        let tones: Vec<f64> = (0..OTHERS).map(hz_of).collect();
        until("all hear all", || {
            let now = self.bus.now();
            let recent = Stamp::from_ms(now.ms().saturating_sub(200));
            let (heard, _) = self.phones.tell();
            heard.len() == OTHERS
                && heard.iter().all(|party| {
                    party.since(recent).count() >= 6 && party.faults(recent, &tones).is_empty()
                })
        });
        self.from = (self.bus.now(), self.media.counters());
        self.balance = Balance::of(&self.media);
    }

    /// A further leg, in no bridge, whose party is at `remote`; gives where it listens.
    pub fn leg(&self, remote: SocketAddr) -> (LegId, SocketAddr) {
        leg(&self.media, &self.topic, remote)
    }

    /// When the fault is to end.
    pub fn end(&self) -> Stamp {
        self.bus.now() + fault_time()
    }

    /// Lets the fault last.
    pub fn last(&self) {
        sleep(fault_time());
    }

    /// What was counted since everybody heard everybody.
    pub fn counted(&self) -> Counters {
        let (before, now) = (self.from.1, self.media.counters());
        Counters {
            ticks: now.ticks - before.ticks,
            missed: now.missed - before.missed,
            skipped: now.skipped - before.skipped,
            worst_lateness_us: now.worst_lateness_us,
            busy_us: now.busy_us - before.busy_us,
            send_errors: now.send_errors - before.send_errors,
        }
    }

    /// When media threads were late, as they tell.
    fn late(&mut self) -> Vec<Late> {
        while let Ok(delivery) = self.missed.try_recv() {
            if let Some(missed) = delivery.downcast_ref::<TickMissed>() {
                let at = delivery.message().expect("it is one").stamp();
                self.late.push(Late { at, by: Duration::from_micros(missed.lateness_us) });
            }
        }
        self.late.clone()
    }

    /// The others have heard each other without a break since the hall was opened.
    pub fn judge(&mut self) {
        // What is on the way is heard, too.
        sleep(Duration::from_millis(150));
        let (heard, mut late) = self.phones.tell();
        late.extend(self.late());
        let from = self.from.0;
        let tones: Vec<f64> = (0..OTHERS).map(hz_of).collect();
        let skipped = self.counted().skipped;
        for party in heard.iter().take(OTHERS) {
            assert_eq!(party.gaps(from), 0, "{} Hz is sent every number", party.hz);
            let left_out = party.skipped(from);
            assert!(left_out <= skipped, "{left_out} ticks left out, {skipped} of them told");
            assert!(party.since(from).count() >= 20, "{} Hz is sent packets", party.hz);
            let faults = party.faults(from, &tones);
            if !faults.is_empty() {
                eprintln!("{} faults, and late: {late:?}", faults.len());
            }
            let faults = unexplained(faults, &late);
            assert!(faults.is_empty(), "{faults:?}\nlate: {late:?}");
        }
    }

    /// The others have heard each other, and all that came is gone again.
    pub fn close(mut self) {
        self.judge();
        self.await_balance();
        self.media.clear();
        assert_eq!(self.media.reap(), 0, "nothing stays over there");
    }

    fn await_balance(&self) {
        let mut now = self.balance;
        for _ in 0..1_000 {
            now = Balance::of(&self.media);
            if now == self.balance {
                return;
            }
            sleep(PATIENCE / 1_000);
        }
        assert_eq!(now, self.balance, "what came is gone again");
    }
}

/// A leg in no bridge, whose party is at `remote`.
pub fn leg(media: &Media, topic: &Topic, remote: SocketAddr) -> (LegId, SocketAddr) {
    let payloads = Payloads::of(&[Codec::PCMU]).unwrap();
    let receive = ReceiveSettings { remote: Some(remote), payloads, ..Default::default() };
    let local = "127.0.0.1:0".parse().unwrap();
    let ssrc = u32::from(remote.port());
    let leg = RtpLeg { local, receive, encoding: EncodeSettings::default(), ssrc };
    insist(|| media.add_rtp_leg(leg.clone(), topic))
}
