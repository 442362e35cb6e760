//! The exchange on its thread, with real media threads: calls are answered, heard, and gone again.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::Arc;
use std::time::Duration;

use stasis_bus::{Bus, Delivery, PullSubscription, Topic};
use stasis_control::cause::Cause;
use stasis_control::dialplan::Dialplan;
use stasis_control::id::{AppName, ChannelId};
use stasis_control::io::{Control, Driver, DriverSettings};
use stasis_control::media::{RecordControl, RecordHow};
use stasis_control::message::{ApplicationEvent, ApplicationHappening, RecordingEvent};
use stasis_control::recording::RecordingState;
use stasis_control::tech::PhoneSettings;
use stasis_control::time::Epoch;
use stasis_control::{
    AddOptions, Census, Exchange, ExternalMedia, NewBridge, NewCall, Originate, Settings, Then,
};
use stasis_media::io::{Media, MediaSettings, PromptSettings, Prompts, Recorder};
use stasis_media::wav::Pcm;

/// How long anything may take that is to happen at all.
const PATIENCE: Duration = Duration::from_secs(20);

struct System {
    control: Control,
    media: Arc<Media>,
    events: PullSubscription,
    folder: std::path::PathBuf,
    _bus: Bus,
}

impl System {
    fn start(name: &str) -> Self {
        let folder =
            std::env::temp_dir().join(format!("stasis-thread-{}-{name}", std::process::id()));
        let bus = Bus::new(stasis_bus::Settings::default()).unwrap();
        let media = Arc::new(Media::start(&bus, MediaSettings::default()).unwrap());
        let prompts = Prompts::new(PromptSettings::default()).unwrap();
        let settings = DriverSettings { recordings: folder.clone(), ..Default::default() };
        let recorder = Recorder::start().unwrap();
        let driver = Driver::new(&bus, media.clone(), recorder, prompts, settings).unwrap();
        let says = vec!["tone:440/300,0/100".parse().unwrap()];
        let talker = PhoneSettings { says, repeats: true, ..PhoneSettings::default() };
        let phones = BTreeMap::from([("talker".to_owned(), talker)]);
        let settings = Settings { phones, ..Settings::default() };
        let exchange =
            Exchange::new(&bus, settings, Dialplan::default(), Epoch::default()).unwrap();
        let control = Control::start(&bus, exchange, driver).unwrap();
        let app = AppName::new("app").unwrap();
        let subscribe = |topic: &Topic| topic.subscribe().capacity(1 << 12).pull().unwrap();
        let (_, events) =
            control.handle().call(move |exchange| exchange.register(&app, subscribe)).unwrap();
        System { control, media, events, folder, _bus: bus }
    }

    fn call<R: Send + 'static>(&self, job: impl FnOnce(&mut Exchange) -> R + Send + 'static) -> R {
        self.control.handle().call(job).unwrap()
    }

    /// Calls a simulated phone for the application.
    fn originate(&self, id: &'static str) {
        self.call(move |exchange| {
            let endpoint = "Test/talker".into();
            let call = NewCall { endpoint, id: Some(id.into()), ..NewCall::default() };
            let then = Then::Application("app".into(), Vec::new());
            exchange.originate(Originate { call, caller: None, timeout: None, then }).unwrap()
        });
    }

    /// Waits until this is told.
    fn await_event(&mut self, what: &str, is_it: impl Fn(&Delivery) -> bool) {
        loop {
            let delivery = self.events.recv_timeout(PATIENCE);
            if is_it(&delivery.unwrap_or_else(|_| panic!("in vain: {what}"))) {
                return;
            }
        }
    }

    fn await_start(&mut self, id: &str) {
        self.await_event(id, |delivery| {
            delivery.downcast_ref().is_some_and(|event: &ApplicationEvent| {
                matches!(&event.event, ApplicationHappening::StasisStart { channel, .. } if **channel.id() == *id)
            })
        });
    }

    /// All is gone that was there.
    fn close(self) {
        let mut census = Census::default();
        for _ in 0..500 {
            census = self.call(|exchange| exchange.census());
            census.timers = 0;
            census.applications = 0;
            if census == Census::default() && self.media.reap() == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!((census, self.media.reap()), (Census::default(), 0));
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_call_is_answered_recorded_in_a_bridge_and_gone_again() {
    let mut system = System::start("call");
    system.originate("a");
    system.await_start("a");
    system.call(|exchange| {
        let new = NewBridge { id: Some("room".into()), ..NewBridge::default() };
        exchange.create_bridge(new).unwrap();
        exchange.add_channels("room", &["a"], &AddOptions::default()).unwrap();
        let how = RecordHow { name: "heard".into(), format: "wav".into(), ..Default::default() };
        exchange.record_bridge("room", how).unwrap();
    });
    let in_state = |state| {
        move |delivery: &Delivery| {
            let event = delivery.downcast_ref::<RecordingEvent>();
            event.is_some_and(|event| event.recording.state == state)
        }
    };
    // The application has to ask for the bridge, as by being in it.
    system.await_event("the recording begins", in_state(RecordingState::Recording));
    std::thread::sleep(Duration::from_millis(600));
    system.call(|exchange| exchange.control_recording("heard", RecordControl::Stop).unwrap());
    system.await_event("the recording ends", in_state(RecordingState::Done));
    let file = system.folder.join("heard.wav");
    let heard = Pcm::load(&file, stasis_media::frame::SampleRate::Hz8000).unwrap();
    let loudest = heard.samples().iter().map(|sample| sample.unsigned_abs()).max();
    assert!(
        loudest.is_some_and(|loudest| loudest > 1_000),
        "{loudest:?} of {}",
        heard.samples().len()
    );
    let state = system.control.handle().state().clone();
    let id = ChannelId::new("a").unwrap();
    assert_eq!(state.channel(&id).unwrap().bridge.as_deref(), Some("room"));
    system.call(|exchange| {
        exchange.hangup("a", Cause::NORMAL).unwrap();
        exchange.destroy_bridge("room").unwrap();
    });
    assert!(state.channel(&id).is_none() && state.bridges().is_empty());
    system.close();
}

#[test]
fn an_external_medium_tells_where_it_listens_and_is_sent_packets() {
    let mut system = System::start("external");
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    let host = peer.local_addr().unwrap().to_string();
    system.call(move |exchange| {
        let medium = ExternalMedia {
            id: Some("x".into()),
            app: "app".into(),
            host,
            format: "ulaw".into(),
            ..ExternalMedia::default()
        };
        exchange.external_media(medium).unwrap();
    });
    system.await_start("x");
    let port = system.call(|exchange| exchange.variable("x", "UNICASTRTP_LOCAL_PORT").unwrap());
    let mut packet = [0; 1_500];
    let (length, from) = peer.recv_from(&mut packet).unwrap();
    assert_eq!((from.port().to_string(), length, packet[1] & 0x7f), (port, 12 + 160, 0));
    system.call(|exchange| exchange.hangup("x", Cause::NORMAL).unwrap());
    system.close();
}

#[test]
fn who_asks_when_it_has_ended_is_told_so() {
    let system = System::start("ended");
    let handle = system.control.handle().clone();
    assert_eq!(handle.call(|exchange| exchange.census().channels), Ok(0));
    drop(system);
    assert!(handle.call(|exchange| exchange.census()).is_err());
}
