//! Keeps a sound device open: notices that it is gone, says so, and opens it again as soon as it is
//! back.
//!
//! A device is gone when its driver says so, or when it has not called for a while. A thread,
//! `sound-watch`, looks once a second; the leg hears silence meanwhile, and nothing waits for it. What
//! comes back may be another device, at other rates ([`DevicePlug`]).

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use stasis_bus::Topic;

use super::media::StartError;
use crate::device::{DeviceEdge, DevicePlug, Pulse, pluggable_edge};
use crate::frame::SampleRate;
use crate::id::LegId;

/// How often it looks, and tries to open what is gone.
const PAUSE: Duration = Duration::from_secs(1);
/// Looks in a row at which a device has not called that mean that it is gone: some take two seconds to
/// begin.
const SILENT_LOOKS: u32 = 5;

/// A kind of sound device, which can be opened again.
pub trait SoundCard: Send + 'static {
    /// What runs while it is open; it stops when this is dropped.
    type Streams: Send;
    /// Why it cannot be opened.
    type Error: std::fmt::Display;

    /// Opens it: plugs it in at its rates, and has its callbacks move samples to and from the ends.
    /// Whatever goes wrong later it tells `alarm`.
    ///
    /// # Errors
    /// When there is none, or it cannot be used now.
    fn open(
        &mut self,
        plug: &mut DevicePlug,
        alarm: Alarm,
    ) -> Result<(Self::Streams, Pulse), Self::Error>;

    /// What it is called, for people.
    fn name(streams: &Self::Streams) -> String;
}

/// Takes what goes wrong with an open device, on whatever thread.
#[derive(Clone, Debug)]
pub struct Alarm {
    notes: Sender<Note>,
    opening: u64,
}

/// A sound device is gone; its leg hears silence until [`DeviceRestored`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceLost {
    /// Whose.
    pub leg: LegId,
    /// What it was called.
    pub name: String,
    /// What its driver says.
    pub reason: String,
}

/// A sound device is back, or another has taken its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceRestored {
    /// Whose.
    pub leg: LegId,
    /// What it is called.
    pub name: String,
    /// How often it was tried to open it, once a second.
    pub tries: u32,
}

/// Something is wrong with a sound device, which goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceTrouble {
    /// Whose.
    pub leg: LegId,
    /// What its driver says.
    pub reason: String,
}

/// A device that is open but not yet watched; it stops when this is dropped.
pub struct OpenDevice<C: SoundCard> {
    card: C,
    plug: DevicePlug,
    streams: C::Streams,
    pulse: Pulse,
    notes: (Sender<Note>, Receiver<Note>),
}

/// A device that is watched; it stops when this is dropped, or its leg is.
pub struct DeviceWatch {
    notes: Sender<Note>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Note {
    /// Said by the device of that opening.
    Lost(u64, String),
    Trouble(u64, String),
    Stop,
}

impl Alarm {
    /// The device is gone, for this reason: it is to be opened again.
    pub fn lost(&self, reason: impl Into<String>) {
        // Nobody listens any more: nobody wants to know.
        let _ = self.notes.send(Note::Lost(self.opening, reason.into()));
    }

    /// Something is wrong, but the device goes on.
    pub fn trouble(&self, reason: impl Into<String>) {
        let _ = self.notes.send(Note::Trouble(self.opening, reason.into()));
    }
}

impl<C: SoundCard> OpenDevice<C> {
    /// Opens a device for a leg at `rate`; gives the engine's end, too.
    ///
    /// # Errors
    /// The card's, when there is none, or it cannot be used.
    pub fn open(mut card: C, rate: SampleRate) -> Result<(DeviceEdge, Self), C::Error> {
        let (edge, mut plug) = pluggable_edge(rate);
        let notes = mpsc::channel();
        let alarm = Alarm { notes: notes.0.clone(), opening: 0 };
        let (streams, pulse) = card.open(&mut plug, alarm)?;
        Ok((edge, OpenDevice { card, plug, streams, pulse, notes }))
    }

    /// What it is called, for people.
    pub fn name(&self) -> String {
        C::name(&self.streams)
    }

    /// Keeps it open from here on, for the leg that its edge was given to. [`DeviceLost`],
    /// [`DeviceRestored`] and [`DeviceTrouble`] are told to `topic`.
    ///
    /// # Errors
    /// [`StartError`] when the operating system has no thread for it.
    pub fn watch(self, leg: LegId, topic: &Topic) -> Result<DeviceWatch, StartError> {
        let notes = self.notes.0.clone();
        let mut watch = Watch::new(self, leg, topic.clone());
        let run = move || while watch.wait_and_look() {};
        let thread = thread::Builder::new().name("sound-watch".into()).spawn(run)?;
        Ok(DeviceWatch { notes, thread: Some(thread) })
    }
}

impl Drop for DeviceWatch {
    fn drop(&mut self) {
        let _ = self.notes.send(Note::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The thread's own.
struct Watch<C: SoundCard> {
    card: C,
    plug: DevicePlug,
    state: State<C::Streams>,
    notes: (Sender<Note>, Receiver<Note>),
    /// The number of the newest opening.
    opening: u64,
    leg: LegId,
    topic: Topic,
}

enum State<S> {
    Open { streams: S, pulse: Pulse, beats: (u64, u64), silent: u32 },
    Gone { tries: u32 },
}

impl<C: SoundCard> Watch<C> {
    fn new(open: OpenDevice<C>, leg: LegId, topic: Topic) -> Self {
        let OpenDevice { card, plug, streams, pulse, notes } = open;
        let state = State::open(streams, pulse);
        Watch { card, plug, state, notes, opening: 0, leg, topic }
    }

    /// Waits for a note, or until it is time to look. `false`: it is over.
    fn wait_and_look(&mut self) -> bool {
        match self.notes.1.recv_timeout(PAUSE) {
            Ok(Note::Stop) | Err(RecvTimeoutError::Disconnected) => return false,
            Ok(note) => self.take(note),
            Err(RecvTimeoutError::Timeout) => self.look(),
        }
        !self.plug.is_abandoned()
    }

    /// Takes a note; one of a device that was replaced already is too late.
    fn take(&mut self, note: Note) {
        match note {
            Note::Lost(opening, reason) if opening == self.opening => self.lost(reason),
            Note::Trouble(opening, reason) if opening == self.opening => {
                self.topic.publish(DeviceTrouble { leg: self.leg, reason });
            }
            _ => {}
        }
    }

    /// Once a second: is it alive, or back?
    fn look(&mut self) {
        match &mut self.state {
            State::Open { pulse, beats, silent, .. } => {
                let now = pulse.beats();
                let calls = now.0 != beats.0 && now.1 != beats.1;
                (*beats, *silent) = (now, if calls { 0 } else { *silent + 1 });
                if *silent >= SILENT_LOOKS {
                    self.lost(format!("it has not called for {SILENT_LOOKS} seconds"));
                }
            }
            State::Gone { .. } => self.reopen(),
        }
    }

    fn lost(&mut self, reason: String) {
        if let State::Open { streams, .. } = &self.state {
            let name = C::name(streams);
            self.state = State::Gone { tries: 0 };
            self.topic.publish(DeviceLost { leg: self.leg, name, reason });
        }
    }

    fn reopen(&mut self) {
        let State::Gone { tries } = &mut self.state else { return };
        *tries = tries.saturating_add(1);
        let tries = *tries;
        self.opening += 1;
        let alarm = Alarm { notes: self.notes.0.clone(), opening: self.opening };
        match self.card.open(&mut self.plug, alarm) {
            Ok((streams, pulse)) => {
                let name = C::name(&streams);
                self.state = State::open(streams, pulse);
                self.topic.publish(DeviceRestored { leg: self.leg, name, tries });
            }
            Err(error) => tracing::debug!("the sound device is still gone: {error}"),
        }
    }
}

impl<S> State<S> {
    fn open(streams: S, pulse: Pulse) -> Self {
        State::Open { streams, beats: pulse.beats(), pulse, silent: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{CaptureEnd, PlaybackEnd};
    use stasis_bus::{Bus, PullSubscription, Settings};
    use std::sync::{Arc, Mutex};

    /// A card of nothing, which is there or not.
    #[derive(Clone, Default)]
    struct Fake(Arc<Mutex<Fakes>>);

    #[derive(Default)]
    struct Fakes {
        hz: Option<u32>,
        alarms: Vec<Alarm>,
        ends: Option<(CaptureEnd, PlaybackEnd)>,
    }

    impl SoundCard for Fake {
        type Streams = u32;
        type Error = String;

        fn open(
            &mut self,
            plug: &mut DevicePlug,
            alarm: Alarm,
        ) -> Result<(u32, Pulse), Self::Error> {
            let mut fakes = self.0.lock().unwrap();
            fakes.alarms.push(alarm);
            let hz = fakes.hz.ok_or("unplugged")?;
            let (capture, playback, pulse) = plug.plug(hz, hz).map_err(|e| e.to_string())?;
            fakes.ends = Some((capture, playback));
            Ok((hz, pulse))
        }

        fn name(streams: &u32) -> String {
            format!("fake at {streams}")
        }
    }

    impl Fake {
        fn at(hz: u32) -> Self {
            let fake = Fake::default();
            fake.set(Some(hz));
            fake
        }

        fn set(&self, hz: Option<u32>) {
            self.0.lock().unwrap().hz = hz;
        }

        fn call(&self) {
            if let Some((capture, playback)) = &mut self.0.lock().unwrap().ends {
                capture.push(&[0; 480]);
                playback.pull(&mut [0; 480]);
            }
        }

        fn alarm(&self) -> Alarm {
            self.0.lock().unwrap().alarms.last().unwrap().clone()
        }
    }

    const LEG: LegId = LegId::new(1, 2);

    struct Desk {
        fake: Fake,
        edge: DeviceEdge,
        watch: Watch<Fake>,
        events: PullSubscription,
        _bus: Bus,
    }

    impl Desk {
        fn new() -> Self {
            let bus = Bus::new(Settings::default()).unwrap();
            let topic = bus.topic("sound");
            let events = topic.subscribe().pull().unwrap();
            let fake = Fake::at(48_000);
            let (edge, open) = OpenDevice::open(fake.clone(), SampleRate::Hz16000).unwrap();
            assert_eq!(open.name(), "fake at 48000");
            let watch = Watch::new(open, LEG, topic);
            Desk { fake, edge, watch, events, _bus: bus }
        }

        fn tick(&mut self) {
            self.edge.capture(&mut [0; 320]);
            self.edge.play(&[0; 320]);
        }

        fn told<T: Clone + 'static>(&mut self) -> Vec<T> {
            let mut told = Vec::new();
            while let Ok(delivery) = self.events.try_recv() {
                told.extend(delivery.downcast_ref::<T>().cloned());
            }
            told
        }
    }

    #[test]
    fn a_device_that_its_driver_gives_up_is_lost_once_and_restored_when_it_is_back() {
        let mut desk = Desk::new();
        desk.tick();
        desk.fake.set(None);
        let alarm = desk.fake.alarm();
        alarm.lost("unplugged");
        alarm.lost("unplugged, as said");
        (0..2).for_each(|_| assert!(desk.watch.wait_and_look()));
        let lost: Vec<DeviceLost> = desk.told();
        assert_eq!(lost.len(), 1);
        assert_eq!(
            (lost[0].name.as_str(), lost[0].reason.as_str()),
            ("fake at 48000", "unplugged")
        );
        (0..3).for_each(|_| desk.watch.look());
        desk.fake.set(Some(44_100));
        (0..3).for_each(|_| desk.watch.look());
        desk.tick();
        let name = "fake at 44100".to_string();
        assert_eq!(desk.told::<DeviceRestored>(), [DeviceRestored { leg: LEG, name, tries: 4 }]);
        alarm.lost("the one before, at last");
        desk.fake.alarm().trouble("a crackle");
        (0..2).for_each(|_| assert!(desk.watch.wait_and_look()));
        assert!(matches!(desk.watch.state, State::Open { .. }), "it came too late");
        let reason = "a crackle".to_string();
        assert_eq!(desk.told::<DeviceTrouble>(), [DeviceTrouble { leg: LEG, reason }]);
    }

    #[test]
    fn a_device_that_no_longer_calls_is_lost_and_one_that_does_is_not() {
        let mut desk = Desk::new();
        for _ in 0..3 * SILENT_LOOKS {
            desk.fake.call();
            desk.watch.look();
        }
        assert_eq!(desk.told::<DeviceLost>(), []);
        (0..SILENT_LOOKS).for_each(|_| desk.watch.look());
        assert_eq!(desk.told::<DeviceLost>().len(), 1);
        desk.watch.look();
        assert_eq!(desk.told::<DeviceRestored>().len(), 1);
    }

    #[test]
    fn while_the_engine_takes_nothing_nothing_piles_up_and_it_is_tried_again() {
        let mut desk = Desk::new();
        for _ in 0..20 {
            desk.watch.lost("again".into());
            desk.watch.look();
        }
        assert!(matches!(desk.watch.state, State::Gone { tries: 18.. }));
        (0..3).for_each(|_| desk.tick());
        desk.watch.look();
        assert!(matches!(desk.watch.state, State::Open { .. }));
    }

    #[test]
    fn the_watch_ends_with_its_leg() {
        let Desk { fake, edge, watch: mut watched, .. } = Desk::new();
        drop(edge);
        fake.alarm().trouble("whatever");
        assert!(!watched.wait_and_look());
    }
}
