//! Many runs in one table: a line of text for each.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::figures::Figures;
use super::progress::time;

/// Adds the line of a run to a file, which is made if need be and begins with what the columns are.
///
/// # Errors
/// The operating system's.
pub fn add(file: &Path, name: &str, figures: &Figures) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().create(true).append(true).open(file)?;
    if file.metadata()?.len() == 0 {
        writeln!(file, "{}", head())?;
    }
    writeln!(file, "{}", line(name, figures))
}

const COLUMNS: [(&str, usize); 12] = [
    ("legs", 6),
    ("rooms", 6),
    ("idle", 6),
    ("codec", 5),
    ("s", 5),
    ("CPU %", 6),
    ("us/leg", 7),
    ("kernel", 6),
    ("times", 5),
    ("late p99", 8),
    ("max", 8),
    ("join", 5),
];

fn row(name: &str, cells: impl IntoIterator<Item = String>, end: &str) -> String {
    let cells = cells.into_iter().zip(COLUMNS);
    let cells: String = cells.map(|(cell, (_, width))| format!(" {cell:>width$}")).collect();
    format!("{name:<16}{cells}  {end}")
}

fn head() -> String {
    row("run", COLUMNS.map(|(name, _)| name.into()), "")
}

fn line(name: &str, figures: &Figures) -> String {
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.2}"));
    let cells = [
        figures.legs.to_string(),
        figures.rooms.to_string(),
        figures.idle_rooms.to_string(),
        figures.codec.clone(),
        figures.seconds.to_string(),
        format!("{:.1}", figures.percent(figures.media_cpu_ns)),
        number(figures.cpu_us_per_leg_tick()),
        number(figures.kernel_floor_us),
        number(figures.over_floor().map(|(_, times)| times)),
        time(figures.lateness.percentile_us(99.0)),
        time(figures.lateness.max_us()),
        number(figures.joins.max()),
    ];
    row(name, cells, &figures.verdict())
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    #[test]
    fn the_head_comes_once_and_columns_are_below_it() {
        let file = std::env::temp_dir().join(format!("stasis-summary-{}", std::process::id()));
        for name in ["one", "two"] {
            add(&file, name, &Figures { codec: "pcmu".into(), ..Default::default() }).unwrap();
        }
        let text = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("run ") && lines[2].starts_with("two "));
        let end = |line: &str, word: &str| line.find(word).map(|at| at + word.len());
        assert_eq!(end(lines[0], "codec"), end(lines[1], "pcmu"));
    }
}
