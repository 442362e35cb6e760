//! What a table comes to, beside what is to be reached with the default settings.

use std::fmt;

use super::Class;
use super::table::Table;

/// One figure.
#[derive(Clone, Debug)]
pub struct Figure {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    pub target: Target,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    AtLeast(f64),
    AtMost(f64),
    /// To be as low as this one likes: it is told, and does not count.
    BetterBelow(f64),
}

/// The group of [`Table::add_silent`] that voices are in that were made to be mistaken for digits.
pub const VOICES: &str = "voices";

impl Figure {
    pub fn is_reached(&self) -> bool {
        match self.target {
            Target::AtLeast(target) => self.value >= target,
            Target::AtMost(target) => self.value <= target,
            Target::BetterBelow(_) => true,
        }
    }
}

impl Table {
    /// The figures of what is in the table.
    pub fn figures(&self) -> Vec<Figure> {
        use Target::{AtLeast, AtMost, BetterBelow};
        let mut all = Vec::new();
        let mut add = |name: &str, value: f64, unit, target| {
            all.push(Figure { name: name.to_owned(), value, unit, target });
        };
        let must = self.class(Class::MustAccept);
        if must.stimuli > 0 {
            let share = |exact: usize| 100.0 * exact as f64 / must.hits.max(1) as f64;
            add("must-accept, accepted", must.percent(), "%", AtLeast(99.9));
            let extra = must.extra as f64 * 8_500.0 / must.stimuli as f64;
            add("must-accept, extra digits", extra, "in 8,500", AtMost(2.0));
            add("onset to report, p50", must.latency(50.0), "ms", AtMost(32.0));
            add("onset to report, p99", must.latency(99.0), "ms", AtMost(45.0));
            add("start within 10 ms", share(must.exact_starts), "%", AtLeast(99.0));
            add("duration within 10 ms", share(must.exact_durations), "%", AtLeast(99.0));
        }
        for (class, target) in [
            (Class::MustReject, AtMost(0.2)),
            (Class::GoalAccept, AtLeast(97.0)),
            (Class::GoalReject, BetterBelow(5.0)),
        ] {
            let score = self.class(class);
            if score.stimuli > 0 {
                add(&format!("{}, accepted", class.name()), score.percent(), "%", target);
            }
        }
        for (group, silent) in self.silent() {
            let what = format!("false in {:.2} h of {group}", silent.hours);
            if group == VOICES {
                let rate = silent.false_digits as f64 / silent.hours.max(1e-9);
                add(&what, rate, "per hour", AtMost(50.0));
            } else {
                add(&what, silent.false_digits as f64, "in all", AtMost(0.0));
            }
        }
        all
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figure { name, value, unit, target } = self;
        let (sign, target) = match target {
            Target::AtLeast(target) => (">=", target),
            Target::AtMost(target) => ("<=", target),
            Target::BetterBelow(target) => ("better <=", target),
        };
        let verdict = match self.target {
            Target::BetterBelow(_) => "",
            _ if self.is_reached() => "reached",
            _ => "MISSED",
        };
        let aim = format!("{sign} {target}");
        write!(f, "{name:<44} {value:>8.2} {unit:<9} {aim:<14} {verdict}")
    }
}
