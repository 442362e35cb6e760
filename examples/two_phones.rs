//! A voice application on the call model: it calls two phones, puts them together, and listens.
//!
//!     cargo run --example two_phones
//!
//! The phones are simulated: alice answers at once and presses keys, bob lets it ring for a moment and hangs
//! up. The application does what any does: it is told of events, and asks for what is to happen next.
//!
//! You will see a line for each event, for about three seconds: bob rings, both come into one bridge, bob hears
//! alice's keys, and when bob has gone, alice is hung up, too.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use stasis_bus::{Bus, Delivery, Topic};
use stasis_control::cause::Cause;
use stasis_control::channel::ChannelUpdate;
use stasis_control::dialplan::Dialplan;
use stasis_control::id::AppName;
use stasis_control::io::{Control, Driver, DriverSettings};
use stasis_control::message::{
    ApplicationEvent, ApplicationHappening, BridgeEvent, BridgeHappening, ChannelEvent,
    ChannelHappening, Dial, DialStatus,
};
use stasis_control::tech::{Answers, PhoneSettings};
use stasis_control::time::Epoch;
use stasis_control::{AddOptions, Exchange, NewBridge, NewCall, Originate, Settings, Then};
use stasis_media::dtmf::Digit;
use stasis_media::io::{Media, MediaSettings, PromptSettings, Prompts, Recorder};

/// The phones, and what each does.
fn phones() -> BTreeMap<String, PhoneSettings> {
    let keys = "12".chars().filter_map(|key| Digit::from_char(key).ok()).collect();
    let alice = PhoneSettings {
        presses: vec![(Duration::from_millis(1_200), keys)],
        ..PhoneSettings::default()
    };
    let bob = PhoneSettings {
        answers: Answers::After(Duration::from_millis(800)),
        hangs_up_after: Some(Duration::from_secs(2)),
        ..PhoneSettings::default()
    };
    BTreeMap::from([("alice".into(), alice), ("bob".into(), bob)])
}

/// A media engine, and an exchange on its thread.
fn start(bus: &Bus) -> Result<Control, Box<dyn Error>> {
    let media = Arc::new(Media::start(bus, MediaSettings::default())?);
    let prompts = Prompts::new(PromptSettings::default())?;
    let driver = Driver::new(bus, media, Recorder::start()?, prompts, DriverSettings::default())?;
    let settings = Settings { phones: phones(), ..Settings::default() };
    let exchange = Exchange::new(bus, settings, Dialplan::default(), Epoch::default())?;
    Ok(Control::start(bus, exchange, driver)?)
}

/// Calls a phone, for the application.
fn call(exchange: &mut Exchange, phone: &str) -> Result<(), stasis_control::Refusal> {
    let id = Some(phone.to_owned());
    let call = NewCall { endpoint: format!("Test/{phone}"), id, ..NewCall::default() };
    let then = Then::Application("hello".into(), Vec::new());
    exchange.originate(Originate { call, caller: None, timeout: None, then }).map(drop)
}

/// What there is to say of an event.
fn line(delivery: &Delivery) -> Option<String> {
    if let Some(dial) = delivery.downcast_ref::<Dial>() {
        let status = match dial.status {
            DialStatus::Begun => "is called",
            DialStatus::Answer => "answers",
            _ => "rings",
        };
        return Some(format!("{} {status}", dial.peer.id()));
    }
    if let Some(event) = delivery.downcast_ref::<BridgeEvent>() {
        return match &event.event {
            BridgeHappening::Entered { channel } => Some(format!("{} comes in", channel.id())),
            BridgeHappening::Left { channel } => Some(format!("{} leaves", channel.id())),
            _ => None,
        };
    }
    if let Some(event) = delivery.downcast_ref::<ChannelEvent>() {
        let what = match &event.event {
            ChannelHappening::DtmfEnd { digit, duration_ms } => {
                format!("presses {digit} for {duration_ms} ms")
            }
            ChannelHappening::HangupRequest { soft: true, .. } => "is hung up".into(),
            ChannelHappening::HangupRequest { .. } => "hangs up".into(),
            _ => return None,
        };
        return Some(format!("{} {what}", event.channel.id()));
    }
    let update = delivery.downcast_ref::<ChannelUpdate>().filter(|update| update.is_gone)?;
    Some(format!("{} is gone: {}", update.new.id(), update.new.hangup.cause))
}

fn main() -> Result<(), Box<dyn Error>> {
    let bus = Bus::new(stasis_bus::Settings::default())?;
    let control = start(&bus)?;
    let handle = control.handle().clone();
    let app = AppName::new("hello")?;
    let listen = |topic: &Topic| topic.subscribe().pull();
    let (_, events) = handle.call(move |exchange| exchange.register(&app, listen))?;
    let mut events = events?;

    handle.call(|exchange| {
        let room = NewBridge { id: Some("room".into()), ..NewBridge::default() };
        exchange.create_bridge(room)?;
        call(exchange, "alice")?;
        call(exchange, "bob")
    })??;
    let mut gone = 0;
    while gone < 2 {
        let delivery =
            events.recv_timeout(Duration::from_secs(10)).map_err(|_| "nothing happens")?;
        if let (Some(line), Some(message)) = (line(&delivery), delivery.message()) {
            println!("{:>8}  {line}", message.stamp().to_string());
        }
        gone += usize::from(delivery.downcast_ref::<ChannelUpdate>().is_some_and(|u| u.is_gone));
        let Some(event) = delivery.downcast_ref::<ApplicationEvent>() else { continue };
        match &event.event {
            ApplicationHappening::StasisStart { channel, .. } => {
                let id = channel.id().clone();
                handle.call(move |exchange| {
                    exchange.add_channels("room", &[&id], &AddOptions::default())
                })??;
            }
            // Who is left has nobody to talk to. (alice may be gone already.)
            ApplicationHappening::StasisEnd { channel } if **channel.id() == *"bob" => {
                let _ = handle.call(|exchange| exchange.hangup("alice", Cause::NORMAL))?;
            }
            _ => {}
        }
    }
    Ok(())
}
