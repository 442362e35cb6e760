//! Does a slow consumer keep up with device states? It needs a millisecond for each, and there are twenty
//! times as many changes: of each device it has to know the last.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use stasis_bus::Overflow;
use stasis_control::device::DeviceState;
use stasis_control::message::DeviceUpdate;

use super::args::Args;
use super::figures::Figures;
use super::hall::{Hall, until};

/// How long the consumer needs for one.
const SLOW: Duration = Duration::from_millis(1);
/// Changes that are ordered at a time.
const BATCH: u64 = 200;

pub fn run(args: &Args, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let hall = Hall::open(args, 16, 4)?;
    let known: Arc<Mutex<HashMap<Arc<str>, DeviceState>>> = Arc::default();
    let knows = known.clone();
    let latest = |message: &stasis_bus::Message| {
        message.downcast_ref().map(|update: &DeviceUpdate| update.name.clone())
    };
    let all = hall.bus.topic("deviceState:all");
    let consumer =
        all.subscribe().accept::<DeviceUpdate>().overflow(Overflow::conflate(latest)).callback(
            move |delivery| {
                if let Some(update) = delivery.downcast_ref::<DeviceUpdate>() {
                    std::thread::sleep(SLOW);
                    knows.lock().unwrap().insert(update.name.clone(), update.state);
                }
            },
        )?;
    let seconds = (args.seconds / 10).max(1);
    let mut random = fastrand::Rng::with_seed(7);
    let (begin, batches) = (hall.bus.now(), seconds * args.changes / BATCH);
    let devices = args.devices;
    for batch in 0..batches {
        let seed = random.u64(..);
        hall.handle.submit(move |exchange| {
            let mut random = fastrand::Rng::with_seed(seed);
            for _ in 0..BATCH {
                let device = format!("Stasis:device-{}", random.usize(..devices));
                let state = DeviceState::ALL[random.usize(1..DeviceState::ALL.len())];
                exchange.set_device_state(&device, state).expect("it is ours");
            }
        });
        let due =
            begin + Duration::from_secs(1) * (batch as u32 * BATCH as u32) / args.changes as u32;
        std::thread::sleep(due.since(hall.bus.now()));
    }
    hall.handle.call(|_| ())?;
    let took = hall.bus.now().since(begin).as_secs_f64();
    let is_idle = || consumer.stats().pending() == 0;
    let from = hall.bus.now();
    let caught_up = until(60, || is_idle() && wrong(&hall, &known.lock().unwrap()) == 0);
    let behind = hall.bus.now().since(from);
    let stats = consumer.stats();
    figures
        .tell("device states: changes a second", format!("{:.0}", (batches * BATCH) as f64 / took));
    figures.none("… devices whose last state is not known", wrong(&hall, &known.lock().unwrap()));
    figures.none("… lost", stats.dropped.total());
    figures.none("… not caught up", u64::from(!caught_up));
    figures.tell("… changes that were one with a later one", stats.conflated.to_string());
    figures.tell("… caught up after", format!("{behind:.1?}"));
    Ok(())
}

/// Devices whose state is another than the consumer knows.
fn wrong(hall: &Hall, known: &HashMap<Arc<str>, DeviceState>) -> u64 {
    let devices = hall.handle.state().devices();
    devices.iter().filter(|device| known.get(&device.name) != Some(&device.state)).count() as u64
}
