//! The bus inside a sound card's callback: the callback may not wait, and still tells the world.
//!
//!     cargo run --example sound_events
//!
//! The microphone's callback measures each block and publishes what it finds: a `Level` each tenth
//! of a second, and a `Clap` when it suddenly becomes loud. Two readers get it: a meter that is only
//! interested in the latest level, and a listener that counts claps.
//!
//! You will see a meter that follows your voice, and a line for each clap, for ten seconds. Where
//! there is no microphone, it says so, and a simulated one claps once a second.

use std::io::{IsTerminal, Write, stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait, StreamTrait};
use cpal::{FromSample, Sample, SampleFormat, SizedSample, Stream};
use stasis_bus::{Bus, Clock, Delivery, Overflow, RtPublisher, Settings, Stamp, Topic};
use stasis_media::io::quiet;

const SECONDS: u64 = 10;

/// How loud it was, in dB below full scale.
#[derive(Clone, Copy)]
struct Level(f32);

/// It suddenly became louder, by so many dB.
#[derive(Clone, Copy)]
struct Clap(f32);

/// What the callback owns.
struct Ear {
    publisher: RtPublisher,
    topic: Topic,
    clock: Clock,
    last_level: Stamp,
    /// A slow average of the power.
    usual: f32,
    loudest: f32,
    last_clap: Stamp,
}

impl Ear {
    fn new(bus: &Bus, topic: &Topic) -> Self {
        Ear {
            // Allocated here; nothing is in the callback.
            publisher: bus.rt_publisher(256),
            topic: topic.clone(),
            clock: bus.clock(),
            last_level: bus.now(),
            usual: 1e-4,
            loudest: 0.0,
            last_clap: bus.now(),
        }
    }

    /// The body of the callback: never waits, allocates, frees or locks.
    fn hear(&mut self, samples: impl ExactSizeIterator<Item = f32>) {
        let now = self.clock.now();
        let count = samples.len().max(1) as f32;
        let power = samples.map(|sample| sample * sample).sum::<f32>() / count;
        let jump = db(power) - db(self.usual);
        self.usual += 0.05 * (power - self.usual);
        self.loudest = self.loudest.max(power);
        if jump > 12.0 && db(power) > -40.0 && now.since(self.last_clap).as_millis() > 200 {
            self.last_clap = now;
            self.publisher.publish(&self.topic, now, Clap(jump));
        }
        if now.since(self.last_level).as_millis() >= 100 {
            self.last_level = now;
            self.publisher.publish(&self.topic, now, Level(db(self.loudest)));
            self.loudest = 0.0;
        }
        // No bell: it would be a system call. The bus's workers look every few milliseconds.
    }
}

fn db(power: f32) -> f32 {
    10.0 * power.max(1e-10).log10()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let bus = Bus::new(Settings::default())?;
    let topic = bus.topic("sound");

    let claps = Arc::new(AtomicU64::new(0));
    let counts = claps.clone();
    let listener = topic.subscribe().accept::<Clap>().callback(move |delivery| {
        if let Some(Clap(jump)) = delivery.downcast_ref() {
            counts.fetch_add(1, Ordering::Relaxed);
            let over_the_meter = if stdout().is_terminal() { "\r\x1b[K" } else { "" };
            println!("{over_the_meter}clap! {jump:.0} dB louder");
        }
    })?;
    // However slow the terminal is, at most one level waits: the latest.
    let latest = Overflow::conflate(|message| message.is::<Level>().then_some(()));
    let meter = topic.subscribe().accept::<Level>().overflow(latest).callback(draw)?;

    let (trouble, troubles) = mpsc::channel();
    let sound = match microphone(Ear::new(&bus, &topic), trouble.clone()) {
        Ok((name, stream)) => {
            println!("listening to {name}");
            Sound::Microphone(stream)
        }
        Err(why) => {
            println!("no microphone ({why}): a simulated one claps once a second");
            Sound::Simulated(simulate(Ear::new(&bus, &topic))?)
        }
    };
    if let Ok(trouble) = troubles.recv_timeout(Duration::from_secs(SECONDS)) {
        println!("\nthe microphone is gone: {trouble}");
    }
    sound.stop();
    listener.join()?;
    meter.join()?;
    println!("\n{} claps; {} messages published", claps.load(Ordering::Relaxed), topic.published());
    Ok(())
}

fn draw(delivery: Delivery) {
    if let Some(&Level(level)) = delivery.downcast_ref()
        && stdout().is_terminal()
    {
        let bar = "#".repeat(((level + 60.0).clamp(0.0, 60.0)) as usize);
        print!("\r\x1b[K{level:6.1} dB {bar}");
        let _ = stdout().flush(); // a terminal that is gone needs no meter
    }
}

/// What calls the ear.
enum Sound {
    Microphone(Stream),
    Simulated(Simulation),
}

struct Simulation {
    stop: mpsc::Sender<()>,
    thread: thread::JoinHandle<()>,
}

impl Sound {
    fn stop(self) {
        match self {
            Sound::Microphone(stream) => drop(stream),
            Sound::Simulated(Simulation { stop, thread }) => {
                drop(stop);
                let _ = thread.join(); // its panic has been printed
            }
        }
    }
}

/// Opens the default microphone. The error says why that cannot be.
fn microphone(ear: Ear, trouble: mpsc::Sender<String>) -> Result<(String, Stream), String> {
    let _quiet = quiet();
    let device = cpal::default_host().default_input_device().ok_or("there is none")?;
    let config = device.default_input_config().map_err(|error| error.to_string())?;
    let stream = match config.sample_format() {
        SampleFormat::F32 => open::<f32>(&device, &config, ear, trouble),
        SampleFormat::I16 => open::<i16>(&device, &config, ear, trouble),
        SampleFormat::I32 => open::<i32>(&device, &config, ear, trouble),
        format => return Err(format!("its samples are {format}")),
    };
    stream.map(|stream| (device.to_string(), stream)).map_err(|error| error.to_string())
}

fn open<T: SizedSample>(
    device: &cpal::Device,
    config: &cpal::SupportedStreamConfig,
    mut ear: Ear,
    trouble: mpsc::Sender<String>,
) -> Result<Stream, cpal::Error>
where
    f32: FromSample<T>,
{
    let callback = move |samples: &[T], _: &cpal::InputCallbackInfo| {
        ear.hear(samples.iter().map(|&sample| f32::from_sample(sample)));
    };
    let tell = move |error: cpal::Error| drop(trouble.send(error.to_string()));
    let stream = device.build_input_stream(config.config(), callback, tell, None)?;
    stream.play().map(|()| stream)
}

/// Calls the ear as a sound card would, every 10 ms: noise, and a clap each second.
fn simulate(mut ear: Ear) -> std::io::Result<Simulation> {
    let (stop, stopped) = mpsc::channel::<()>();
    let callback = move || {
        let mut random = fastrand::Rng::with_seed(1);
        let mut block = 0;
        while stopped.recv_timeout(Duration::from_millis(10)) == Err(RecvTimeoutError::Timeout) {
            block += 1;
            let volume = if block % 100 < 3 { 0.5 } else { 0.005 };
            let samples: [f32; 480] = std::array::from_fn(|_| volume * (2.0 * random.f32() - 1.0));
            ear.hear(samples.into_iter());
        }
    };
    let thread = thread::Builder::new().name("simulated sound".into()).spawn(callback)?;
    Ok(Simulation { stop, thread })
}
