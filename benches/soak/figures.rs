//! What was measured, and what is to be thought of it.

use serde_json::{Map, Value, json};
use stasis_media::io::LatenessSnapshot;

use super::join_figures::{self, JoinFigures};

/// Above it the figures say more of the host than of us.
const MOST_STEAL_PERCENT: f64 = 1.0;

/// One part of the run, most often a second.
#[derive(Clone, Copy, Debug, Default)]
pub struct Part {
    /// Its end, in seconds since the measurement began.
    pub at: f64,
    pub media_cpu_percent: f64,
    pub process_cpu_percent: f64,
    pub rss_kb: u64,
    pub events_per_second: f64,
    pub lateness_p50_us: u64,
    pub lateness_max_us: u64,
}

/// The whole of it.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    pub legs: u64,
    pub rooms: u64,
    pub talkers: u64,
    pub codec: String,
    pub seconds: u64,
    pub pinned: bool,
    pub ticks: u64,
    pub missed_ticks: u64,
    pub skipped_ticks: u64,
    pub send_errors: u64,
    pub lateness: LatenessSnapshot,
    pub media_cpu_ns: u64,
    pub process_cpu_ns: u64,
    /// By the wall.
    pub elapsed_ns: u64,
    pub media_thread_allocs: u64,
    pub media_thread_frees: u64,
    pub events_published: u64,
    pub events_dropped: u64,
    pub slow_subscriber_dropped: Option<u64>,
    pub steal_percent: f64,
    pub rss_start_kb: u64,
    pub rss_end_kb: u64,
    /// None: nobody was listened to for them.
    pub digits: Option<(u64, u64, u64)>,
    pub recordings_failed: Option<u64>,
    /// Packets that came to the engine too late or not at all, from the load's beginning on.
    pub lost_to_engine: u64,
    pub churned: u64,
    pub threads: u64,
    /// Rooms in which nobody is, and the memory for each in bytes, if there is nothing else.
    pub idle_rooms: u64,
    pub idle_room_bytes: Option<f64>,
    /// What the kernel alone takes for a leg and tick, in the same run; none without legs.
    pub kernel_floor_us: Option<f64>,
    pub joins: JoinFigures,
    /// What the load's process found.
    pub load: Map<String, Value>,
}

impl Figures {
    /// A number that the load's process found.
    pub fn found(&self, name: &str) -> u64 {
        self.load.get(name).and_then(Value::as_u64).unwrap_or(0)
    }

    /// The same, with what is behind the point.
    pub fn found_f64(&self, name: &str) -> Option<f64> {
        self.load.get(name).and_then(Value::as_f64)
    }

    /// Ticks of all legs, with those by which joins are measured.
    fn leg_ticks(&self) -> f64 {
        let legs = self.legs + u64::from(join_figures::LEGS);
        (self.ticks * legs).max(1) as f64 / self.threads.max(1) as f64
    }

    /// Microseconds of the media threads for one leg and tick; none without legs.
    pub fn cpu_us_per_leg_tick(&self) -> Option<f64> {
        (self.legs > 0).then(|| self.media_cpu_ns as f64 / 1e3 / self.leg_ticks())
    }

    /// How much of that is not the kernel's, and how many times the kernel's the whole is.
    pub fn over_floor(&self) -> Option<(f64, f64)> {
        let (cpu, floor) = self.cpu_us_per_leg_tick().zip(self.kernel_floor_us)?;
        Some((cpu - floor, cpu / floor.max(1e-3)))
    }

    /// Of one processor.
    pub fn percent(&self, cpu_ns: u64) -> f64 {
        100.0 * cpu_ns as f64 / self.elapsed_ns.max(1) as f64
    }

    /// Of one processor, with nobody in any room.
    pub fn idle_cpu_percent(&self) -> Option<f64> {
        (self.legs == 0).then(|| self.percent(self.media_cpu_ns))
    }

    /// Whether the host took so much time away that nothing was learned.
    pub fn is_void(&self) -> bool {
        self.steal_percent > MOST_STEAL_PERCENT
    }

    /// What went wrong, in words; nothing in a good run.
    pub fn troubles(&self) -> Vec<String> {
        let (sent, heard, wrong_legs) = self.digits.unwrap_or_default();
        let troubles = [
            (self.missed_ticks, "ticks began 20 ms late or later"),
            (self.skipped_ticks, "ticks were left out"),
            (self.found("gaps"), "gaps were in what the engine sent"),
            (self.found("failures"), "windows had not the right mix in them"),
            (self.events_dropped, "events were dropped"),
            (self.media_thread_allocs, "times the media thread allocated"),
            (self.media_thread_frees, "times the media thread freed"),
            (self.lost_to_engine, "packets came to the engine too late or not at all"),
            (self.send_errors, "datagrams of the engine were not taken"),
            (self.found("not_sent"), "datagrams of the load were not taken"),
            (wrong_legs, "legs had other digits told of than were sent"),
            (sent.abs_diff(heard), "digits more or less were told of than were sent"),
            (self.recordings_failed.unwrap_or(0), "recordings failed"),
            (self.joins.late(), "times who joined was not heard within two ticks"),
        ];
        let mut told: Vec<String> = troubles
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        if self.legs > 0 && self.found("windows") == 0 {
            told.push("no stream could be looked at".into());
        }
        if self.digits.is_some_and(|(sent, ..)| sent == 0) {
            told.push("nobody was there to send digits: ask for two talkers a room".into());
        }
        told
    }

    /// 0, 1 or 3: see the arguments.
    pub fn exit_code(&self) -> u8 {
        match (self.is_void(), self.troubles().is_empty()) {
            (true, _) => 3,
            (false, false) => 1,
            (false, true) => 0,
        }
    }

    /// One line.
    pub fn json(&self) -> Value {
        let mut line = Map::new();
        let mut put = |name: &str, value: Value| line.insert(name.into(), value);
        let round = |value: f64| json!((value * 1e4).round() / 1e4);
        let rounded = |value: Option<f64>| json!(value.map(round));
        put("legs", json!(self.legs));
        put("ticks", json!(self.ticks));
        put("missed_ticks", json!(self.missed_ticks));
        put("lateness_p50_us", json!(self.lateness.percentile_us(50.0)));
        put("lateness_p99_us", json!(self.lateness.percentile_us(99.0)));
        put("lateness_max_us", json!(self.lateness.max_us()));
        put("cpu_us_per_leg_tick", round(self.cpu_us_per_leg_tick().unwrap_or(0.0)));
        put("media_thread_allocs", json!(self.media_thread_allocs));
        put("events_published", json!(self.events_published));
        put("events_dropped", json!(self.events_dropped));
        put("gaps", json!(self.found("gaps")));
        put("steal_percent", round(self.steal_percent));
        put("rss_start_kb", json!(self.rss_start_kb));
        put("rss_end_kb", json!(self.rss_end_kb));
        put("rooms", json!(self.rooms));
        put("talkers", json!(self.talkers));
        put("codec", json!(self.codec));
        put("seconds", json!(self.seconds));
        put("verified_streams", json!(self.found("sampled")));
        put("verified_windows", json!(self.found("windows")));
        put("verify_failures", json!(self.found("failures")));
        let (sent, heard, wrong_legs) = self.digits.unwrap_or_default();
        put("digits_sent", json!(sent));
        put("digits_heard", json!(heard));
        put("digits_wrong_legs", json!(wrong_legs));
        put("void", json!(self.is_void()));
        put("troubles", json!(self.troubles()));
        put("pinned", json!(self.pinned));
        put("skipped_ticks", json!(self.skipped_ticks));
        put("lateness_p999_us", json!(self.lateness.percentile_us(99.9)));
        put("media_thread_frees", json!(self.media_thread_frees));
        put("media_cpu_percent", round(self.percent(self.media_cpu_ns)));
        put("process_cpu_percent", round(self.percent(self.process_cpu_ns)));
        let process_us = self.process_cpu_ns as f64 / 1e3;
        put("process_us_per_leg_tick", round(process_us / self.leg_ticks()));
        put("lost_to_engine", json!(self.lost_to_engine));
        put("send_errors", json!(self.send_errors));
        put("slow_subscriber_dropped", json!(self.slow_subscriber_dropped));
        put("recordings_failed", json!(self.recordings_failed));
        put("churned", json!(self.churned));
        put("threads", json!(self.threads));
        let over_floor = self.over_floor();
        put("kernel_floor_us", rounded(self.kernel_floor_us));
        put("over_floor_us", rounded(over_floor.map(|(us, _)| us)));
        put("times_floor", rounded(over_floor.map(|(_, times)| times)));
        put("idle_rooms", json!(self.idle_rooms));
        put("idle_cpu_percent", rounded(self.idle_cpu_percent()));
        put("idle_room_bytes", rounded(self.idle_room_bytes));
        put("joins", json!(self.joins.ticks.len()));
        put("join_to_mix_ticks", rounded(self.joins.max()));
        put("join_to_mix_median_ticks", rounded(self.joins.median()));
        put("joins_late", json!(self.joins.late()));
        put("load", Value::Object(self.load.clone()));
        Value::Object(line)
    }

    /// What is to be thought of it.
    pub fn verdict(&self) -> String {
        if self.is_void() {
            return format!(
                "VOID: the host took {:.1} % of the time for others; try again",
                self.steal_percent
            );
        }
        match self.troubles() {
            troubles if troubles.is_empty() => "GOOD: nothing was late, lost or wrong".into(),
            troubles => format!("BAD: {}", troubles.join("; ")),
        }
    }
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    /// A run without fault.
    pub fn good() -> Figures {
        let load = json!({ "windows": 400, "sampled": 8, "gaps": 0, "failures": 0 });
        let load = load.as_object().cloned().unwrap_or_default();
        Figures { legs: 10, ticks: 500, seconds: 10, load, ..Default::default() }
    }

    #[test]
    fn every_fault_alone_makes_a_run_bad_and_is_named() {
        assert_eq!((good().exit_code(), good().troubles()), (0, vec![]));
        let mut lost = good();
        lost.load.insert("gaps".into(), json!(1));
        let mut wrong = good();
        wrong.load.insert("failures".into(), json!(1));
        let mut unseen = good();
        unseen.load.insert("windows".into(), json!(0));
        let bad = [
            lost,
            wrong,
            unseen,
            Figures { missed_ticks: 1, ..good() },
            Figures { skipped_ticks: 1, ..good() },
            Figures { events_dropped: 1, ..good() },
            Figures { lost_to_engine: 1, ..good() },
            Figures { media_thread_allocs: 1, ..good() },
            Figures { digits: Some((4, 4, 1)), ..good() },
            Figures { digits: Some((0, 0, 0)), ..good() },
            Figures { recordings_failed: Some(1), ..good() },
            Figures { joins: JoinFigures { ticks: vec![0.5, 2.5], unheard: 0 }, ..good() },
        ];
        for figures in bad {
            assert_eq!((figures.exit_code(), figures.troubles().len()), (1, 1), "{figures:?}");
            assert!(figures.verdict().starts_with("BAD: "));
            let void = Figures { steal_percent: 1.5, ..figures };
            assert_eq!((void.exit_code(), void.is_void()), (3, true));
        }
    }

    #[test]
    fn what_is_over_the_floor_is_the_rest_and_nobody_has_a_floor_without_legs() {
        let ticks_of_all = 500 * (10 + u64::from(join_figures::LEGS));
        let figures = Figures {
            kernel_floor_us: Some(2.0),
            media_cpu_ns: 5_000 * ticks_of_all,
            threads: 1,
            ..good()
        };
        assert_eq!(figures.over_floor(), Some((3.0, 2.5)));
        assert_eq!(figures.idle_cpu_percent(), None);
        let idle = Figures { legs: 0, elapsed_ns: 500 * ticks_of_all, ..figures };
        assert_eq!((idle.over_floor(), idle.idle_cpu_percent()), (None, Some(1_000.0)));
    }

    #[test]
    fn the_line_begins_with_the_keys_that_scripts_read_in_their_order() {
        let line = good().json().to_string();
        let keys = [
            "legs",
            "ticks",
            "missed_ticks",
            "lateness_p50_us",
            "lateness_p99_us",
            "lateness_max_us",
            "cpu_us_per_leg_tick",
            "media_thread_allocs",
            "events_published",
            "events_dropped",
            "gaps",
            "steal_percent",
            "rss_start_kb",
            "rss_end_kb",
        ];
        let order: Vec<_> = good().json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(order[..keys.len()], keys);
        assert!(!line.contains('\n'));
    }
}
