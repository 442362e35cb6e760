//! What came out, beside what is to be reached.

use std::fmt::Write;

/// What came out.
#[derive(Default)]
pub struct Figures {
    rows: Vec<Row>,
    is_any_missed: bool,
}

struct Row {
    what: String,
    value: String,
    goal: String,
    is_reached: Option<bool>,
}

impl Figures {
    /// A figure that is to be at most this.
    pub fn at_most(&mut self, what: &str, value: f64, goal: f64, unit: &str) {
        let is_reached = Some(value <= goal);
        self.add(what, format!("{value:.1} {unit}"), format!("≤ {goal} {unit}"), is_reached);
    }

    /// A figure that is to be at least this.
    #[allow(dead_code)] // not every bench has one
    pub fn at_least(&mut self, what: &str, value: f64, goal: f64, unit: &str) {
        let is_reached = Some(value >= goal);
        self.add(what, format!("{value:.1} {unit}"), format!("≥ {goal} {unit}"), is_reached);
    }

    /// A count that is to be zero.
    pub fn none(&mut self, what: &str, count: u64) {
        self.add(what, count.to_string(), "0".into(), Some(count == 0));
    }

    /// Something that is only told.
    pub fn tell(&mut self, what: &str, value: String) {
        self.add(what, value, String::new(), None);
    }

    fn add(&mut self, what: &str, value: String, goal: String, is_reached: Option<bool>) {
        self.is_any_missed |= is_reached == Some(false);
        self.rows.push(Row { what: what.into(), value, goal, is_reached });
    }

    /// Whether any was not reached.
    pub fn is_any_missed(&self) -> bool {
        self.is_any_missed
    }

    /// Those since the last time, as a table.
    pub fn take_table(&mut self) -> String {
        let mut table = String::new();
        for Row { what, value, goal, is_reached } in self.rows.drain(..) {
            let mark = match is_reached {
                Some(true) => "reached",
                Some(false) => "MISSED",
                None => "",
            };
            // Writing to a string cannot fail.
            let _ = writeln!(table, "{what:<58} {value:>18}  {goal:<12} {mark}");
        }
        table
    }
}

/// The value below which this share of all is.
pub fn percentile(sorted: &[f64], share: f64) -> f64 {
    let at = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1)) - 1;
    sorted.get(at).copied().unwrap_or_default()
}
