//! One run: the load's process is started, the engine beside it, and both are watched.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::mem::ManuallyDrop;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value, json};
use stasis_bus::Stamp;
use stasis_media::io::{Counters, LatenessSnapshot, sleep_until};

use super::args::Args;
use super::engine::Engine;
use super::figures::{Figures, Part};
use super::plan::WARM_UP_TICKS;
use super::progress::{Glance, Progress};
use super::{allocations, floor, machine};

/// Files that are open beside the legs' sockets.
const OTHER_FILES: u64 = 128;
/// Between two looks.
const LOOK: Duration = Duration::from_millis(250);
/// Parts that the run is cut into for the plots, of a second or more.
const MOST_PARTS: u64 = 3_600;
/// What the load's process may take longer than it should.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came of a run.
pub struct Outcome {
    pub figures: Figures,
    pub parts: Vec<Part>,
}

/// The load's process.
struct Generator {
    child: Child,
    orders: ChildStdin,
    lines: Receiver<Value>,
}

impl Generator {
    /// Starts this program anew, as the load.
    fn start(args: &Args) -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(args.for_generator())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().ok_or("the load has no input")?;
        let out = child.stdout.take().ok_or("the load has no output")?;
        let (sender, lines) = mpsc::channel();
        thread::Builder::new().name("load".into()).spawn(move || {
            let lines = BufReader::new(out).lines().map_while(Result::ok);
            for line in lines.filter_map(|line| serde_json::from_str(&line).ok()) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        })?;
        Ok(Generator { child, orders, lines })
    }

    fn tell(&mut self, line: &Value) -> Result<(), Box<dyn Error>> {
        writeln!(self.orders, "{line}")?;
        Ok(self.orders.flush()?)
    }

    /// Waits for the line that has this key.
    fn expect(&mut self, key: &str) -> Result<Value, Box<dyn Error>> {
        loop {
            let Ok(mut line) = self.lines.recv_timeout(PATIENCE) else {
                let end = self.child.try_wait()?;
                let end = end.map_or("it hangs".into(), |status| status.to_string());
                return Err(format!("the load's process ended too early: {end}").into());
            };
            if let Some(value) = line.get_mut(key) {
                return Ok(value.take());
            }
        }
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is counted, at one moment.
struct Moment {
    now: Stamp,
    counters: Counters,
    lateness: LatenessSnapshot,
    media_cpu_ns: u64,
    process_cpu_ns: u64,
    allocations: (u64, u64),
    events: u64,
    dropped: u64,
    processor: (u64, u64),
    rss_kb: u64,
}

impl Moment {
    fn now(engine: &Engine, media_tids: &[i32]) -> Result<Self, Box<dyn Error>> {
        let media_cpu_ns =
            media_tids.iter().map(|tid| machine::thread_cpu_ns(*tid)).sum::<Option<_>>();
        Ok(Moment {
            now: engine.bus.now(),
            counters: engine.media.counters(),
            lateness: engine.media.lateness(),
            media_cpu_ns: media_cpu_ns.ok_or("the kernel has no schedstat for threads")?,
            process_cpu_ns: machine::process_cpu_ns(),
            allocations: allocations::counts(),
            events: engine.events(),
            dropped: engine.dropped(),
            processor: machine::processor_time(),
            rss_kb: machine::rss_kb(),
        })
    }

    /// What was between an earlier moment and this one, which is so far from the `start`.
    fn since(&self, before: &Moment, start: Stamp) -> Part {
        let ns = self.now.since(before.now).as_nanos().max(1) as f64;
        let percent = |now: u64, before: u64| 100.0 * (now - before) as f64 / ns;
        let lateness = self.lateness.since(&before.lateness);
        Part {
            at: self.now.since(start).as_secs_f64(),
            media_cpu_percent: percent(self.media_cpu_ns, before.media_cpu_ns),
            process_cpu_percent: percent(self.process_cpu_ns, before.process_cpu_ns),
            rss_kb: self.rss_kb,
            events_per_second: 1e9 * (self.events - before.events) as f64 / ns,
            lateness_p50_us: lateness.percentile_us(50.0),
            lateness_max_us: lateness.max_us(),
        }
    }
}

/// Runs it.
///
/// # Errors
/// What keeps it from running.
pub fn run(args: &Args) -> Result<Outcome, Box<dyn Error>> {
    if args.legs == 0 && args.idle_rooms == 0 {
        return Err("nothing to do: ask for legs or idle rooms".into());
    }
    let files = OTHER_FILES + u64::from(args.legs) + 4 * u64::from(args.rooms());
    machine::allow_open_files(files + floor::MOST_SOCKETS as u64)?;
    let cpus = machine::cpus();
    // The load goes first: it is not to inherit where we are kept.
    let mut generator = Generator::start(args)?;
    // The last one is the load's.
    let ours = (args.threads as usize).min(cpus.len().saturating_sub(1));
    let pinned = ours > 0 && machine::pin(&cpus[..ours]);
    if !pinned {
        eprintln!("one processor for engine and load: not pinned, and the load is in the figures");
    }
    let ports = generator.expect("ports")?;
    let ports: Vec<u16> =
        ports.as_array().into_iter().flatten().filter_map(|p| Some(p.as_u64()? as u16)).collect();
    if ports.is_empty() {
        return Err("the load has no sockets".into());
    }
    let before_us = kernel_floor_us(args)?;
    // Never dropped, as the process ends anyway: a callback that never returns keeps the bus.
    let mut engine = ManuallyDrop::new(Engine::start(args, &ports)?);
    let outcome = measure(args, &mut engine, &mut generator);
    engine.discard();
    let mut outcome = outcome?;
    let after_us = kernel_floor_us(args)?;
    outcome.figures.kernel_floor_us = before_us.zip(after_us).map(|(a, b)| a.min(b));
    outcome.figures.pinned = pinned;
    Ok(outcome)
}

/// What the kernel takes for a packet in and one out; none without legs.
fn kernel_floor_us(args: &Args) -> Result<Option<f64>, Box<dyn Error>> {
    let measured = (args.legs > 0).then(|| floor::measure_us(args.legs as usize));
    Ok(measured.transpose()?)
}

fn measure(
    args: &Args,
    engine: &mut Engine,
    generator: &mut Generator,
) -> Result<Outcome, Box<dyn Error>> {
    generator.tell(&json!({ "legs": engine.wires }))?;
    generator.expect("ready")?;
    let media_tids = machine::threads_named("media-");
    if media_tids.len() != args.threads as usize {
        return Err("there are not as many media threads as asked for".into());
    }
    allocations::watch(&media_tids);
    generator.tell(&json!({ "go": true }))?;
    if args.legs > 0 {
        engine.measure_joins(args.seconds)?;
    }
    if args.churn > 0 {
        engine.churn(args.churn)?;
    }
    sleep_until(&engine.bus.clock(), engine.bus.now() + Duration::from_millis(20 * WARM_UP_TICKS));

    let watched = watch(args, engine, generator, &media_tids)?;
    let joins = engine.end_joins();
    let load = generator.expect("result")?;
    let recordings_failed = engine.finish(args.seconds);
    let mut figures = watched.figures(args, load.as_object().cloned().unwrap_or_default());
    figures.digits = args.dtmf.then(|| {
        let digits = engine.digits(args.seconds);
        (digits.sent, digits.heard, digits.wrong_legs)
    });
    figures.lost_to_engine = engine.lost();
    figures.recordings_failed = args.record.then_some(recordings_failed);
    figures.slow_subscriber_dropped = engine.slow_dropped();
    figures.churned = engine.churned();
    figures.joins = joins;
    figures.idle_room_bytes = engine.idle_room_bytes;
    Ok(Outcome { figures, parts: watched.parts })
}

/// The measured time.
struct Watched {
    first: Moment,
    last: Moment,
    parts: Vec<Part>,
}

fn watch(
    args: &Args,
    engine: &Engine,
    generator: &Generator,
    media_tids: &[i32],
) -> Result<Watched, Box<dyn Error>> {
    let clock = engine.bus.clock();
    let part = Duration::from_secs(args.seconds.div_ceil(MOST_PARTS));
    // Made before it is measured, so that the memory that is measured is not ours.
    let mut parts = Vec::with_capacity(args.seconds.min(MOST_PARTS) as usize + 1);
    let mut progress = Progress::new();
    let mut gaps = 0;
    let first = Moment::now(engine, media_tids)?;
    let end = first.now + Duration::from_secs(args.seconds);
    let (mut before, mut next) = (Moment::now(engine, media_tids)?, first.now + part);
    loop {
        let look = clock.now() + LOOK;
        sleep_until(&clock, look.min(next).min(end));
        let moment = Moment::now(engine, media_tids)?;
        let here = moment.since(&before, first.now);
        while let Ok(line) = generator.lines.try_recv() {
            gaps = line["second"][0].as_u64().unwrap_or(gaps);
        }
        let lateness = moment.lateness.since(&first.lateness);
        progress.show(&Glance {
            seconds: here.at,
            of: args.seconds,
            ticks: moment.counters.ticks - first.counters.ticks,
            lateness_p99_us: lateness.percentile_us(99.0),
            lateness_max_us: lateness.max_us(),
            cpu_percent: here.media_cpu_percent,
            events: moment.events - first.events,
            gaps,
        });
        let over = moment.now >= end;
        if moment.now >= next || over {
            parts.push(here);
            next = next + part;
            before = moment;
        }
        if over {
            progress.end();
            return Ok(Watched { first, last: before, parts });
        }
    }
}

impl Watched {
    fn figures(&self, args: &Args, load: Map<String, Value>) -> Figures {
        let (first, last) = (&self.first, &self.last);
        let (all, stolen) =
            (last.processor.0 - first.processor.0, last.processor.1 - first.processor.1);
        Figures {
            legs: u64::from(args.legs),
            rooms: u64::from(args.rooms()),
            talkers: u64::from(args.talkers()),
            idle_rooms: u64::from(args.idle_rooms),
            threads: u64::from(args.threads),
            codec: args.codec.name().into(),
            seconds: args.seconds,
            ticks: last.counters.ticks - first.counters.ticks,
            missed_ticks: last.counters.missed - first.counters.missed,
            skipped_ticks: last.counters.skipped - first.counters.skipped,
            send_errors: last.counters.send_errors - first.counters.send_errors,
            lateness: last.lateness.since(&first.lateness),
            media_cpu_ns: last.media_cpu_ns - first.media_cpu_ns,
            process_cpu_ns: last.process_cpu_ns - first.process_cpu_ns,
            elapsed_ns: last.now.since(first.now).as_nanos() as u64,
            media_thread_allocs: last.allocations.0 - first.allocations.0,
            media_thread_frees: last.allocations.1 - first.allocations.1,
            events_published: last.events - first.events,
            events_dropped: last.dropped - first.dropped,
            steal_percent: 100.0 * stolen as f64 / all.max(1) as f64,
            rss_start_kb: first.rss_kb,
            rss_end_kb: last.rss_kb,
            load,
            ..Figures::default()
        }
    }
}
