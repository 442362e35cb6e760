//! How many calls a second can be set up, put together and hung up, with four consumers attached, and is
//! everything as it was after that? A call is what a voice application makes of it: two channels that are
//! called, a bridge for them when both are there, and the end of all three a while later.

use std::collections::{HashMap, VecDeque};
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use stasis_bus::{Delivery, PullSubscription, Stamp};
use stasis_control::cause::Cause;
use stasis_control::message::{ApplicationEvent, ApplicationHappening};
use stasis_control::{AddOptions, Exchange, NewBridge, NewCall, Originate, Refusal, Then};

use super::args::Args;
use super::consumers::Consumers;
use super::figures::{Figures, percentile};
use super::hall::{APP, Hall, until};
use super::machine::rss_kb;

/// Calls before it is measured: what is made once is made by then.
const WARM_UP: Duration = Duration::from_secs(3);
/// By so much may memory have grown: what the allocator keeps.
const GROWTH: f64 = 5.0;

/// The application.
struct Bench<'a> {
    hall: &'a Hall,
    events: PullSubscription,
    errors: Arc<AtomicU64>,
    /// Calls of which one channel is there.
    half: HashMap<String, Stamp>,
    /// Calls that are to be hung up.
    together: VecDeque<(Stamp, String)>,
    begun: HashMap<String, Stamp>,
    set_up_ms: Vec<f64>,
    talk: Duration,
    next: u64,
}

pub fn run(args: &Args, figures: &mut Figures) -> Result<(), Box<dyn Error>> {
    let at_once = (u64::from(args.calls) * (args.talk_ms + 2_000) / 1_000) as usize + 64;
    let hall = Hall::open(args, 4 * at_once, at_once)?;
    let events = hall.listen()?;
    let app = hall.bus.topic(&format!("application:{APP}"));
    let consumers = Consumers::attach(&hall.bus, &app)?;
    let mut bench = Bench {
        hall: &hall,
        events,
        errors: Arc::default(),
        half: HashMap::new(),
        together: VecDeque::new(),
        begun: HashMap::new(),
        set_up_ms: Vec::new(),
        talk: Duration::from_millis(args.talk_ms),
        next: 0,
    };
    let measured = Duration::from_secs(args.seconds);
    bench.calls(args.calls, WARM_UP.min(measured));
    let is_clear = bench.wind_up(&consumers);
    let before = rss_kb();
    bench.set_up_ms.clear();
    let (from, first) = (hall.bus.now(), bench.next);
    bench.calls(args.calls, measured);
    let took = hall.bus.now().since(from).as_secs_f64();
    let calls = bench.next - first;
    let is_clear = bench.wind_up(&consumers) && is_clear;
    let after = rss_kb();

    let census = hall.handle.call(|exchange: &mut Exchange| exchange.census())?;
    let made = consumers.made.lock().unwrap();
    figures.tell("calls a second", format!("{:.1}", calls as f64 / took));
    bench.set_up_ms.sort_by(f64::total_cmp);
    let (median, p99) = (percentile(&bench.set_up_ms, 0.5), percentile(&bench.set_up_ms, 0.99));
    figures.tell("… set up in: median, p99", format!("{median:.1}, {p99:.1} ms"));
    figures.none("… refused or failed", bench.errors.load(Relaxed));
    figures.none("… events that consumers have lost", consumers.lost());
    figures.none("… not wound up", u64::from(!is_clear));
    let left = census.channels + census.bridges + census.calls + census.lines;
    figures.none("… channels, bridges, calls and lines left", left as u64);
    figures.none("… stays without an end", made.starts.abs_diff(made.ends));
    figures.none("… stays that were not told", made.starts.abs_diff(2 * bench.next));
    figures.none("… calls that records still keep", made.kept as u64);
    figures.none("… calls without two records", made.call_records.abs_diff(2 * bench.next));
    figures.tell("… log entries", made.log_entries.to_string());
    figures.tell("… messages to each consumer", made.counted.to_string());
    figures.tell("… as JSON", format!("{:.1} MB", made.json_bytes as f64 / 1e6));
    let growth = (after as f64 - before as f64) / before as f64 * 100.0;
    figures.at_most("… growth of memory", growth, GROWTH, "%");
    figures.tell("… ticks that were 20 ms late or more", hall.media.counters().missed.to_string());
    Ok(())
}

impl Bench<'_> {
    /// Begins so many calls a second, for this time.
    fn calls(&mut self, a_second: u32, time: Duration) {
        let from = self.hall.bus.now();
        let step = Duration::from_secs(1) / a_second.max(1);
        let mut due = from;
        while self.hall.bus.now().since(from) < time {
            while due <= self.hall.bus.now() {
                self.begin();
                due = due + step;
            }
            self.work(due);
        }
    }

    /// Lets all calls end; `false`: in vain.
    fn wind_up(&mut self, consumers: &Consumers) -> bool {
        for _ in 0..3_000 {
            let soon = self.hall.bus.now() + Duration::from_millis(10);
            self.work(soon);
            if self.half.is_empty() && self.together.is_empty() && self.begun.is_empty() {
                break;
            }
        }
        let state = self.hall.handle.state();
        let is_clear = until(30, || {
            state.channels().is_empty()
                && state.bridges().is_empty()
                && consumers.waiting() == 0
                && self.hall.media.reap() == 0
        });
        std::thread::sleep(Duration::from_millis(500));
        is_clear
    }

    /// Calls two.
    fn begin(&mut self) {
        let call = format!("call-{}", self.next);
        self.next += 1;
        self.begun.insert(call.clone(), self.hall.bus.now());
        for phone in ["caller", "called"] {
            let id = format!("{call}/{phone}");
            let then = Then::Application(APP.into(), vec![call.clone()]);
            self.order(move |exchange| {
                let endpoint = format!("Test/{phone}");
                let call = NewCall { endpoint, id: Some(id), ..NewCall::default() };
                exchange.originate(Originate { call, caller: None, timeout: None, then }).map(drop)
            });
        }
    }

    fn order(&self, job: impl FnOnce(&mut Exchange) -> Result<(), Refusal> + Send + 'static) {
        let errors = self.errors.clone();
        self.hall.handle.submit(move |exchange| {
            if let Err(refusal) = job(exchange) {
                eprintln!("calls: {refusal}");
                errors.fetch_add(1, Relaxed);
            }
        });
    }

    /// Answers what comes until this time, and hangs up whose time is over.
    fn work(&mut self, until: Stamp) {
        loop {
            let now = self.hall.bus.now();
            while self.together.front().is_some_and(|(at, _)| *at <= now) {
                if let Some((_, call)) = self.together.pop_front() {
                    self.hang_up(call);
                }
            }
            if now >= until {
                return;
            }
            let next = self.together.front().map_or(until, |(at, _)| (*at).min(until));
            if let Ok(delivery) = self.events.recv_timeout(next.since(now)) {
                self.answer(&delivery);
            }
        }
    }

    /// A channel has come: the second of a call is put together with the first.
    fn answer(&mut self, delivery: &Delivery) {
        let Some(event) = delivery.downcast_ref::<ApplicationEvent>() else { return };
        let ApplicationHappening::StasisStart { args, .. } = &event.event else { return };
        let Some(call) = args.first().cloned() else { return };
        let now = self.hall.bus.now();
        if self.half.remove(&call).is_none() {
            self.half.insert(call, now);
            return;
        }
        let bridge = call.clone();
        self.order(move |exchange| {
            let new = NewBridge { id: Some(bridge.clone()), ..NewBridge::default() };
            exchange.create_bridge(new)?;
            let [caller, called] = ["caller", "called"].map(|phone| format!("{bridge}/{phone}"));
            exchange.add_channels(&bridge, &[&caller, &called], &AddOptions::default())
        });
        if let Some(begun) = self.begun.remove(&call) {
            self.set_up_ms.push(now.since(begun).as_secs_f64() * 1_000.0);
        }
        self.together.push_back((now + self.talk, call));
    }

    fn hang_up(&self, call: String) {
        self.order(move |exchange| {
            for phone in ["caller", "called"] {
                exchange.hangup(&format!("{call}/{phone}"), Cause::NORMAL)?;
            }
            exchange.destroy_bridge(&call)
        });
    }
}
