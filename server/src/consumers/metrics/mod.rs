//! Figures for Prometheus, as the text that `/metrics` answers.
//!
//! Calls and messages are counted by a subscriber, on the thread `metrics`; what there is now (channels, what
//! waits on the bus, what the media threads have done) is looked up when somebody asks. Others count by the
//! macros of the crate `metrics`: the first [`Metrics`] of a process is what these count to.

mod bus;
mod calls;
mod described;
mod media;

use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use ::metrics::{Counter, Gauge, Key, Label, Metadata, Recorder};
use metrics_exporter_prometheus::{
    BuildError, Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder,
};
use serde::{Deserialize, Serialize};
use stasis_bus::{Bus, Clock, Delivery, Stamp};
use stasis_control::State;
use stasis_media::io::Media;

use self::bus::Traffic;
use self::calls::Calls;
use super::feed::{Consumer, FeedError, Work};
use super::kind::{counts, everything};

/// How often figures are put in order though nobody asks for them.
const UPKEEP: Duration = Duration::from_secs(5);
/// Bounds of the lengths of calls, in seconds.
const CALL_SECONDS: [f64; 13] =
    [1.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0];
/// Bounds of whatever else is counted in seconds.
const SECONDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 10.0];

/// What is counted for Prometheus.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsSettings {
    /// Whether anything is counted; if not, `/metrics` has nothing to say.
    pub enabled: bool,
}

impl Default for MetricsSettings {
    fn default() -> Self {
        MetricsSettings { enabled: true }
    }
}

/// Metrics could not be started.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The recorder cannot be built.
    #[error("no metrics: {0}")]
    Recorder(#[from] BuildError),
    /// It cannot be fed.
    #[error("no metrics: {0}")]
    Feed(#[from] FeedError),
}

/// Figures for Prometheus. Dropping it ends the counting. Keeps the bus alive.
pub struct Metrics {
    figures: Option<Arc<Figures>>,
    _consumer: Option<Consumer>,
}

impl Metrics {
    /// Begins to count. The first one in a process is also what the macros of the crate `metrics` count to,
    /// to the end of the process; a later one has only what it counts itself.
    ///
    /// # Errors
    /// [`MetricsError`] when the bus is gone, or there is no thread for it.
    pub fn start(
        bus: &Bus,
        state: &State,
        settings: &MetricsSettings,
    ) -> Result<Self, MetricsError> {
        if !settings.enabled {
            return Ok(Metrics { figures: None, _consumer: None });
        }
        let meter = Meter::new()?;
        let _ = ::metrics::set_global_recorder(meter.recorder.clone()); // another may be there
        described::describe(&*meter.recorder);
        meter.gauge("process_start_time_seconds").set(now_in_seconds());
        let (feed, filter) = everything(bus, Counting::NAME)?;
        let figures = Arc::new(Figures {
            meter: meter.clone(),
            bus: bus.clone(),
            state: state.clone(),
            media: OnceLock::new(),
            traffic: Mutex::default(),
        });
        let counting = Counting {
            calls: Calls::new(&meter),
            clock: bus.clock(),
            figures: figures.clone(),
            due: bus.now() + UPKEEP,
        };
        let consumer = Consumer::start(feed, filter, counting)?;
        Ok(Metrics { figures: Some(figures), _consumer: Some(consumer) })
    }

    /// Has figures of these media threads, too, for as long as they are there. The first ones count.
    pub fn watch_media(&self, media: &Arc<Media>) {
        if let Some(figures) = &self.figures {
            let _ = figures.media.set(Arc::downgrade(media));
        }
    }

    /// All figures as they are now, in the text format of Prometheus; nothing if metrics are switched off.
    pub fn render(&self) -> String {
        self.figures.as_ref().map(|figures| figures.render()).unwrap_or_default()
    }
}

/// Registers what is counted with one recorder.
#[derive(Clone)]
struct Meter {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

impl Meter {
    fn new() -> Result<Self, BuildError> {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full("stasis_call_seconds".into()), &CALL_SECONDS)?
            .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &SECONDS)?
            .build_recorder();
        let handle = recorder.handle();
        Ok(Meter { recorder: Arc::new(recorder), handle })
    }

    fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        self.recorder.register_counter(&key(name, labels), &METADATA)
    }

    fn gauge(&self, name: &'static str) -> Gauge {
        self.gauge_of(name, &[])
    }

    fn gauge_of(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    fn histogram(&self, name: &'static str) -> ::metrics::Histogram {
        self.recorder.register_histogram(&key(name, &[]), &METADATA)
    }
}

const METADATA: Metadata<'static> =
    Metadata::new(module_path!(), ::metrics::Level::INFO, Some(module_path!()));

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<_> =
        labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(name, labels)
}

/// What is looked up when somebody asks.
struct Figures {
    meter: Meter,
    bus: Bus,
    state: State,
    media: OnceLock<Weak<Media>>,
    traffic: Mutex<Traffic>,
}

impl Figures {
    fn render(&self) -> String {
        self.look();
        let set = |name, number: usize| self.meter.gauge(name).set(number as f64);
        set("stasis_channels", self.state.channels().len());
        set("stasis_bridges", self.state.bridges().len());
        set("stasis_applications", self.state.applications().len());
        set("stasis_endpoints", self.state.endpoints().len());
        if let Some(media) = self.media.get().and_then(Weak::upgrade) {
            media::look(&media, &self.meter);
        }
        self.meter.handle.render()
    }

    /// Looks at the bus.
    fn look(&self) {
        let statistics = self.bus.statistics();
        let mut traffic = self.traffic.lock().unwrap_or_else(PoisonError::into_inner);
        traffic.look(&statistics, &self.meter);
    }
}

/// The subscriber.
struct Counting {
    calls: Calls,
    clock: Clock,
    figures: Arc<Figures>,
    due: Stamp,
}

impl Work for Counting {
    const NAME: &'static str = "metrics";

    fn take(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::Message(message) if counts(&message) => self.calls.count(&message),
            Delivery::Message(_) => {}
            Delivery::Lagged(lost) => self.calls.lost(lost),
        }
    }

    fn due(&self) -> Option<Stamp> {
        Some(self.due)
    }

    /// Whether anybody asks or not: histograms are emptied into their buckets, and what subscriptions have
    /// lost is noted before they are gone.
    fn work(&mut self, _now: Stamp) {
        self.figures.meter.handle.run_upkeep();
        self.figures.look();
        self.due = self.clock.now() + UPKEEP;
    }

    fn finish(self) {}
}

#[allow(clippy::disallowed_methods)] // this is a shell
fn now_in_seconds() -> f64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_secs_f64()
}
