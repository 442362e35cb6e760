//! What is seen while it runs: one line that changes on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal, Write};

/// Between two lines where there is no terminal, in seconds.
const QUIET_SECONDS: u64 = 10;
/// Of the bar.
const WIDTH: usize = 24;

/// What there is to see at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Glance {
    /// Of how many seconds so many have passed.
    pub seconds: f64,
    pub of: u64,
    pub ticks: u64,
    pub lateness_p99_us: u64,
    pub lateness_max_us: u64,
    pub cpu_percent: f64,
    pub events: u64,
    pub gaps: u64,
}

/// Shows it on standard error.
pub struct Progress {
    terminal: bool,
    next: u64,
}

impl Progress {
    /// Nothing shown yet.
    pub fn new() -> Self {
        Progress { terminal: io::stderr().is_terminal(), next: QUIET_SECONDS }
    }

    /// Shows what is to be seen now, if it is time.
    pub fn show(&mut self, glance: &Glance) {
        let line = line(glance);
        if self.terminal {
            eprint!("\r{line}\x1b[K");
            let _ = io::stderr().flush();
        } else if glance.seconds as u64 >= self.next {
            eprintln!("{line}");
            self.next += QUIET_SECONDS;
        }
    }

    /// Leaves the line.
    pub fn end(&self) {
        if self.terminal {
            eprintln!();
        }
    }
}

fn line(glance: &Glance) -> String {
    let Glance { seconds, of, ticks, lateness_p99_us, lateness_max_us, .. } = *glance;
    let eighths = (seconds / of.max(1) as f64 * (8 * WIDTH) as f64) as usize;
    let full = (eighths / 8).min(WIDTH);
    let mut bar = "█".repeat(full);
    if full < WIDTH {
        bar.push([' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'][eighths % 8]);
        bar.push_str(&" ".repeat(WIDTH - full - 1));
    }
    format!(
        "{bar} {seconds:.0}/{of} s  {ticks} ticks  late p99 {} max {}  CPU {:.1} %  {} events  {} gaps",
        time(lateness_p99_us),
        time(lateness_max_us),
        glance.cpu_percent,
        glance.events,
        glance.gaps,
    )
}

/// Microseconds in words.
pub fn time(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    #[test]
    fn the_bar_fills_from_empty_to_full_and_no_further() {
        let bar = |seconds| {
            let shown = line(&Glance { seconds, of: 10, ..Default::default() });
            shown.chars().take(WIDTH).filter(|c| *c == '█').count()
        };
        assert_eq!([0.0, 5.0, 10.0, 12.0].map(bar), [0, 12, 24, 24]);
        let of_none = line(&Glance::default());
        assert!(of_none.starts_with(&" ".repeat(WIDTH)));
    }

    #[test]
    fn times_are_in_the_unit_that_suits_them() {
        assert_eq!(
            [999, 1_000, 20_049, 1_500_000].map(time),
            ["999 µs", "1.0 ms", "20.0 ms", "1.5 s"]
        );
    }
}
