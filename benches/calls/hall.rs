//! A bus, media threads, and an exchange on its thread.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use stasis_bus::{Bus, Overflow, PullSubscription, Topic};
use stasis_control::dialplan::Dialplan;
use stasis_control::id::AppName;
use stasis_control::io::{Control, ControlHandle, Driver, DriverSettings};
use stasis_control::tech::PhoneSettings;
use stasis_control::time::{Epoch, Timestamp};
use stasis_control::{Exchange, Settings};
use stasis_media::io::{Media, MediaSettings, PromptSettings, Prompts, Recorder};

use super::args::Args;

/// A running system. What is dropped first comes first.
pub struct Hall {
    _control: Control,
    pub handle: ControlHandle,
    pub media: Arc<Media>,
    pub bus: Bus,
}

/// The application that has all channels.
pub const APP: &str = "bench";

impl Hall {
    /// With room for so many legs and bridges.
    pub fn open(args: &Args, legs: usize, bridges: usize) -> Result<Hall, Box<dyn Error>> {
        let bus = Bus::new(stasis_bus::Settings::default())?;
        let settings = MediaSettings {
            threads: args.threads,
            legs,
            bridges,
            cells: 1 << 15,
            ..MediaSettings::default()
        };
        let media = Arc::new(Media::start(&bus, settings)?);
        let prompts = Prompts::new(PromptSettings::default())?;
        let settings = DriverSettings::default();
        let driver = Driver::new(&bus, media.clone(), Recorder::start()?, prompts, settings)?;
        let phones = ["caller", "called"].map(|name| (name.to_owned(), PhoneSettings::default()));
        let settings = Settings { phones: BTreeMap::from(phones), ..Settings::default() };
        let exchange = Exchange::new(&bus, settings, Dialplan::default(), epoch(&bus))?;
        let control = Control::start(&bus, exchange, driver)?;
        Ok(Hall { handle: control.handle().clone(), _control: control, media, bus })
    }

    /// Listens to the application.
    pub fn listen(&self) -> Result<PullSubscription, Box<dyn Error>> {
        let subscribe = |topic: &Topic| {
            let all = Overflow::Spill { limit: 1 << 20 };
            topic.subscribe().capacity(1 << 12).overflow(all).pull()
        };
        let name = AppName::new(APP)?;
        let (_, events) = self.handle.call(move |exchange| exchange.register(&name, subscribe))?;
        Ok(events?)
    }
}

/// What time of day it was when the bus's clock showed zero.
#[allow(clippy::disallowed_methods)] // this is a shell
fn epoch(bus: &Bus) -> Epoch {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let zero = now.saturating_sub(bus.now().since(stasis_bus::Stamp::ZERO));
    Epoch::at(Timestamp::from_micros(zero.as_micros() as u64))
}

/// Waits until something is so; `false`: in vain.
pub fn until(seconds: u64, mut is_so: impl FnMut() -> bool) -> bool {
    for _ in 0..seconds * 100 {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}
