//! The scores of many recordings, as tables.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Class;
use super::score::Score;

/// Scores by class and category; and by group, what was heard where nothing was to be heard.
#[derive(Default)]
pub struct Table {
    categories: BTreeMap<(Class, String), Score>,
    /// By class and how the samples are kept: `48000 Hz float`.
    formats: BTreeMap<(Class, String), Score>,
    silent: BTreeMap<String, Silent>,
}

/// Recordings without any digit.
#[derive(Clone, Copy, Default)]
pub struct Silent {
    pub hours: f64,
    pub false_digits: usize,
}

impl Table {
    pub fn add(&mut self, class: Class, category: &str, format: &str, score: &Score) {
        self.categories.entry((class, category.to_owned())).or_default().add(score);
        self.formats.entry((class, format.to_owned())).or_default().add(score);
    }

    pub fn add_silent(&mut self, group: &str, hours: f64, false_digits: usize) {
        let silent = self.silent.entry(group.to_owned()).or_default();
        silent.hours += hours;
        silent.false_digits += false_digits;
    }

    /// All of a class together.
    pub fn class(&self, class: Class) -> Score {
        let mut sum = Score::default();
        self.categories
            .iter()
            .filter(|((of, _), _)| *of == class)
            .for_each(|(_, score)| sum.add(score));
        sum
    }

    /// The recordings of a group without any digit.
    pub fn silent(&self) -> &BTreeMap<String, Silent> {
        &self.silent
    }

    /// One category, where it is in the table.
    pub fn category(&self, class: Class, category: &str) -> Option<&Score> {
        self.categories.get(&(class, category.to_owned()))
    }

    /// One line for each class and format, then the figures with their targets.
    pub fn summary(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{:<44} {:>6} {:>8} {:>8} {:>6}",
            "class", "all", "accepted", "%", "extra"
        );
        let all = Class::ALL.into_iter();
        for class in all.filter(|class| self.class(*class).stimuli > 0) {
            row(&mut out, class.name(), &self.class(class));
            for ((_, format), score) in self.formats.iter().filter(|((of, _), _)| *of == class) {
                row(&mut out, &format!("  {format}"), score);
            }
        }
        let _ = writeln!(out);
        for figure in self.figures() {
            let _ = writeln!(out, "{figure}");
        }
        out
    }

    /// One line for each category.
    pub fn by_category(&self) -> String {
        self.rows(self.categories.iter())
    }

    /// The categories with the largest share of faults.
    pub fn worst(&self, count: usize) -> String {
        let mut all: Vec<_> = self.categories.iter().collect();
        all.sort_by(|a, b| faults(b.0.0, b.1).total_cmp(&faults(a.0.0, a.1)));
        all.retain(|((class, _), score)| faults(*class, score) > 0.0);
        self.rows(all.into_iter().take(count))
    }

    fn rows<'a>(&self, rows: impl Iterator<Item = (&'a (Class, String), &'a Score)>) -> String {
        rows.fold(String::new(), |mut out, ((_, category), score)| {
            row(&mut out, category, score);
            out
        })
    }
}

fn row(out: &mut String, name: &str, score: &Score) {
    let Score { stimuli, hits, extra, .. } = score;
    let _ = writeln!(out, "{name:<44} {stimuli:>6} {hits:>8} {:>8.2} {extra:>6}", score.percent());
}

/// Faults for each stimulus.
fn faults(class: Class, score: &Score) -> f64 {
    let wrong = if class.accepts() { score.stimuli - score.hits } else { score.hits };
    (wrong + score.extra) as f64 / score.stimuli.max(1) as f64
}
