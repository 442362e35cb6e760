//! The figures as rows for people: a table of text, or of a page.

use super::figures::Figures;
use super::progress::time;

impl Figures {
    /// The same for people: what, and how much.
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let late = |percent| time(self.lateness.percentile_us(percent));
        let mut rows = vec![
            (
                "legs, rooms, talkers in each",
                format!("{}, {}, {}", self.legs, self.rooms, self.talkers),
            ),
            ("codec", self.codec.clone()),
            ("measured", format!("{} s, {} ticks", self.seconds, self.ticks)),
            ("missed ticks, left out", format!("{}, {}", self.missed_ticks, self.skipped_ticks)),
            (
                "lateness p50, p99, p99.9, max",
                format!(
                    "{}, {}, {}, {}",
                    late(50.0),
                    late(99.0),
                    late(99.9),
                    time(self.lateness.max_us())
                ),
            ),
            (
                "CPU of the media threads, process",
                format!(
                    "{:.1} %, {:.1} % of one processor",
                    self.percent(self.media_cpu_ns),
                    self.percent(self.process_cpu_ns)
                ),
            ),
            (
                "media threads' allocations, frees",
                format!("{}, {}", self.media_thread_allocs, self.media_thread_frees),
            ),
            (
                "events published, dropped",
                format!("{}, {}", self.events_published, self.events_dropped),
            ),
            (
                "packets to the engine, from it",
                format!("{}, {}", self.found("sent"), self.found("received")),
            ),
            ("late or lost on the way to it", self.lost_to_engine.to_string()),
            ("gaps in what it sent", self.found("gaps").to_string()),
            (
                "right mix, by sample",
                format!(
                    "{} of {} legs looked at, {} windows, {} of them wrong",
                    self.found("sampled"),
                    self.legs,
                    self.found("windows"),
                    self.found("failures")
                ),
            ),
            (
                "memory at first, at last",
                format!("{} kB, {} kB", self.rss_start_kb, self.rss_end_kb),
            ),
            ("taken away by the host", format!("{:.2} %", self.steal_percent)),
        ];
        if let Some(cpu) = self.cpu_us_per_leg_tick() {
            rows.push(("CPU a leg and tick", format!("{cpu:.2} µs")));
        }
        if let (Some(floor), Some((over, times))) = (self.kernel_floor_us, self.over_floor()) {
            let floor = format!("{floor:.2} µs, {over:.2} µs, {times:.2} times the kernel's");
            rows.push(("of that the kernel's, the rest", floor));
        }
        if let (Some(median), Some(max)) = (self.joins.median(), self.joins.max()) {
            let joins = self.joins.ticks.len();
            let ticks = format!("{median:.2}, {max:.2} ticks; {joins} joins");
            rows.push(("from join to being heard, median, max", ticks));
        }
        if self.idle_rooms > 0 {
            rows.push(("rooms with nobody in them", self.idle_rooms.to_string()));
        }
        if let (Some(cpu), Some(bytes)) = (self.idle_cpu_percent(), self.idle_room_bytes) {
            let idle = format!("{cpu:.2} % of one processor, {bytes:.0} bytes a room");
            rows.push(("CPU of the media threads, memory", idle));
        }
        if let (Some(level), Some(own)) =
            (self.found_f64("worst_level_db"), self.found_f64("worst_own_db"))
        {
            let heard = format!("others {level:+.2} dB off, its own {:.0} dB below", -own);
            rows.push(("the worst heard", heard));
        }
        if let Some((sent, heard, wrong_legs)) = self.digits {
            let heard = format!("{sent}, {heard}; {wrong_legs} legs with wrong ones");
            rows.push(("digits sent, told of", heard));
        }
        if let Some(failed) = self.recordings_failed {
            rows.push(("recordings, failed", format!("{}, {failed}", self.rooms)));
        }
        if self.churned > 0 {
            rows.push(("legs that left and joined", self.churned.to_string()));
        }
        if let Some(dropped) = self.slow_subscriber_dropped {
            rows.push(("lost by the subscriber that sleeps", dropped.to_string()));
        }
        rows.push(("the load's own lateness, max", time(self.found("late_us"))));
        rows
    }
}

/// Rows as a table of text.
pub fn table(rows: &[(&'static str, String)]) -> String {
    let width = rows.iter().map(|(what, _)| what.chars().count()).max().unwrap_or(0);
    rows.iter().map(|(what, much)| format!("{what:width$}  {much}\n")).collect()
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    #[test]
    fn rows_are_those_that_the_run_has_something_to_say_of() {
        let busy = Figures { legs: 1, kernel_floor_us: Some(1.0), ..Default::default() };
        let idle = Figures { idle_rooms: 7, idle_room_bytes: Some(700.0), ..Default::default() };
        let told = |figures: &Figures, word: &str| {
            figures.rows().iter().any(|(what, _)| what.contains(word))
        };
        assert!(told(&busy, "of that the kernel's") && !told(&busy, "nobody"));
        assert!(told(&idle, "nobody") && told(&idle, "memory") && !told(&idle, "a leg and tick"));
        let text = table(&busy.rows());
        assert_eq!(text.lines().count(), busy.rows().len());
    }
}
