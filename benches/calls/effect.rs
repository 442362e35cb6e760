//! How long is it from a command to its effect on what is heard? So many channels are up, all in bridges;
//! now and then one is told something, and it is looked when the media engine has done it.

use std::error::Error;
use std::time::Duration;

use stasis_bus::{Delivery, PullSubscription};
use stasis_control::media::Way;
use stasis_control::message::{ApplicationEvent, ApplicationHappening};
use stasis_control::{AddOptions, NewBridge, NewCall, Originate, Then};
use stasis_media::event::{Joined, Muted};

use super::args::Args;
use super::figures::{Figures, percentile};
use super::hall::{APP, Hall};

/// Channels of a bridge.
const TOGETHER: usize = 10;
/// How long an effect may take that comes at all.
const PATIENCE: Duration = Duration::from_secs(5);

pub fn run(args: &Args, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let channels = args.channels.max(2 * TOGETHER);
    let hall = Hall::open(args, 2 * channels + 64, channels / TOGETHER + 16)?;
    let mut events = hall.listen()?;
    bring_up(&hall, channels, &mut events)?;
    let mut random = fastrand::Rng::with_seed(3);
    let topic = hall.bus.topic("control:media");
    let mut effects =
        topic.subscribe().accept::<Joined>().accept::<Muted>().capacity(1 << 14).pull()?;
    let mut muted = vec![false; channels];
    for (what, is_join) in [("addChannel", true), ("mute", false)] {
        let mut times = Vec::new();
        for _ in 0..args.commands {
            // At any time of a tick.
            std::thread::sleep(Duration::from_micros(random.u64(1_000..25_000)));
            while effects.try_recv().is_ok() {}
            let number = random.usize(..channels);
            let channel = format!("c-{number}");
            muted[number] ^= !is_join;
            let is_muted = muted[number];
            let bridge = format!("b-{}", random.usize(..channels / TOGETHER));
            let from = hall.bus.now();
            hall.handle.submit(move |exchange| {
                let outcome = match is_join {
                    true => exchange.add_channels(&bridge, &[&channel], &AddOptions::default()),
                    false => exchange.mute(&channel, Way::In, is_muted),
                };
                outcome.expect("it is there");
            });
            wait(&mut effects, is_join)?;
            times.push(hall.bus.now().since(from).as_secs_f64() * 1_000.0);
        }
        times.sort_by(f64::total_cmp);
        let name = format!("{what} to effect, {channels} channels up");
        figures.tell(&format!("{name}: median"), format!("{:.1} ms", percentile(&times, 0.5)));
        figures.at_most(&format!("{name}: p99"), percentile(&times, 0.99), 25.0, "ms");
        figures.at_most(&format!("{name}: max"), percentile(&times, 1.0), 45.0, "ms");
    }
    let counters = hall.media.counters();
    figures.tell("… ticks that were 20 ms late or more", counters.missed.to_string());
    Ok(())
}

/// Waits for the effect.
fn wait(effects: &mut PullSubscription, is_join: bool) -> Result<(), Box<dyn Error>> {
    loop {
        match effects.recv_timeout(PATIENCE) {
            Ok(Delivery::Message(message)) => {
                let joined = message.downcast_ref::<Joined>().is_some();
                if joined == is_join && (joined || message.downcast_ref::<Muted>().is_some()) {
                    return Ok(());
                }
            }
            Ok(_) => {}
            Err(error) => return Err(format!("no effect: {error:?}").into()),
        }
    }
}

/// Makes channels and bridges, and puts the ones into the others.
fn bring_up(
    hall: &Hall,
    channels: usize,
    events: &mut PullSubscription,
) -> Result<(), Box<dyn Error>> {
    for n in 0..channels {
        hall.handle.call(move |exchange| {
            let call = NewCall {
                endpoint: "Echo/bench".into(),
                id: Some(format!("c-{n}")),
                ..NewCall::default()
            };
            let then = Then::Application(APP.into(), Vec::new());
            exchange.originate(Originate { call, caller: None, timeout: None, then })
        })??;
    }
    let mut come = 0;
    while come < channels {
        let delivery = events.recv_timeout(PATIENCE).map_err(|e| format!("{come} came: {e:?}"))?;
        come += usize::from(is_start(&delivery));
    }
    for bridge in 0..channels / TOGETHER {
        hall.handle.call(move |exchange| {
            let id = format!("b-{bridge}");
            exchange.create_bridge(NewBridge { id: Some(id.clone()), ..NewBridge::default() })?;
            let members: Vec<_> =
                (0..TOGETHER).map(|n| format!("c-{}", bridge * TOGETHER + n)).collect();
            let members: Vec<&str> = members.iter().map(String::as_str).collect();
            exchange.add_channels(&id, &members, &AddOptions::default())
        })??;
    }
    std::thread::sleep(Duration::from_millis(500));
    Ok(())
}

fn is_start(delivery: &Delivery) -> bool {
    delivery
        .downcast_ref::<ApplicationEvent>()
        .is_some_and(|event| matches!(event.event, ApplicationHappening::StasisStart { .. }))
}
