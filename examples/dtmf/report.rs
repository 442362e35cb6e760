//! What was found, for people and for programs.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::{Map, Value, json};

use stasis_media::dtmf::{Rejection, Rejections};

use super::ear::{Heard, tenths};
use super::scan::Found;

/// Prints files as they come, and adds them up.
#[derive(Default)]
pub struct Report {
    json: bool,
    explain: bool,
    digits: String,
    files: usize,
    seconds: f64,
    rejections: Rejections,
}

impl Report {
    /// Nothing so far: JSON lines or a table, with or without why there were no more digits.
    pub fn new(json: bool, explain: bool) -> Self {
        Report { json, explain, ..Report::default() }
    }

    /// Prints a file: its digits in time order.
    pub fn file(&mut self, found: &Found, out: &mut dyn Write) -> io::Result<()> {
        let Some(shape) = found.shape else { return Ok(()) };
        self.files += 1;
        self.seconds += shape.seconds();
        self.digits.extend(found.digits.iter().map(|(_, heard)| heard.digit.as_char()));
        self.rejections += found.rejections;
        if self.json { self.lines(found, out) } else { self.table(found, out) }
    }

    /// Prints what all files were together, read in `took` seconds.
    pub fn sum(&self, took: f64, out: &mut dyn Write) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        let digits = if self.digits.is_empty() { "none" } else { &self.digits };
        let Report { files, seconds, .. } = self;
        let (s, times) = (if *files == 1 { "" } else { "s" }, seconds / took.max(1e-6));
        writeln!(out, "digits: {digits}; {files} file{s}, {:.2} h, {times:.0} × real time", {
            seconds / 3_600.0
        })?;
        self.reasons(&self.rejections, out)
    }

    fn lines(&self, found: &Found, out: &mut dyn Write) -> io::Result<()> {
        let file = found.path.to_string_lossy();
        let is_mono = found.shape.is_some_and(|shape| shape.channels == 1);
        for (channel, heard) in &found.digits {
            let mut line = Map::new();
            line.insert("file".to_owned(), json!(file));
            if !is_mono {
                line.insert("channel".to_owned(), json!(channel));
            }
            for (name, value) in values(heard) {
                line.insert(name.to_owned(), value);
            }
            writeln!(out, "{}", Value::Object(line))?;
        }
        if self.explain {
            let count = |why: Rejection| (key(why), json!(found.rejections.count(why)));
            let counts: Map<String, Value> = Rejection::ALL.map(count).into_iter().collect();
            writeln!(out, "{}", json!({ "file": file, "rejected": counts }))?;
        }
        Ok(())
    }

    fn table(&self, found: &Found, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", heading(found))?;
        if !found.digits.is_empty() {
            writeln!(
                out,
                "  channel  digit     start  duration  reported      low     high   twist"
            )?;
            writeln!(
                out,
                "                        ms        ms        ms     dBm0     dBm0      dB"
            )?;
        }
        for (channel, heard) in &found.digits {
            let Heard { digit, start_ms, duration_ms, reported_ms, low, high } = heard;
            write!(out, "  {channel:>7}  {:>5}", digit.as_char())?;
            write!(out, "{start_ms:>10.1}{duration_ms:>10.1}{reported_ms:>10.1}")?;
            writeln!(out, "{:>9.1}{:>9.1}{:>8.1}", low.0, high.0, low.0 - high.0)?;
        }
        self.reasons(&found.rejections, out)
    }

    /// Why candidates were no digits, if that is wanted.
    fn reasons(&self, rejections: &Rejections, out: &mut dyn Write) -> io::Result<()> {
        if !self.explain {
            return Ok(());
        }
        let seen = Rejection::ALL.into_iter().filter(|&why| rejections.count(why) > 0);
        let counts: Vec<String> =
            seen.map(|why| format!("{why} {}", rejections.count(why))).collect();
        let counts = if counts.is_empty() { "nothing".to_owned() } else { counts.join(", ") };
        writeln!(out, "  rejected: {counts}")
    }
}

/// A reason as a name in JSON.
fn key(why: Rejection) -> String {
    why.to_string().replace(' ', "_")
}

/// The rest of a digit's line.
fn values(heard: &Heard) -> [(&'static str, Value); 7] {
    let level = |value: f32| json!(tenths(f64::from(value)));
    let (low, high) = (heard.low.0, heard.high.0);
    [
        ("digit", json!(heard.digit.to_string())),
        ("start_ms", json!(heard.start_ms)),
        ("duration_ms", json!(heard.duration_ms)),
        ("reported_ms", json!(heard.reported_ms)),
        ("low_dbm0", level(low)),
        ("high_dbm0", level(high)),
        ("twist_db", level(low - high)),
    ]
}

/// The file, what it is, and the digits of each channel.
fn heading(found: &Found) -> String {
    let mut line = found.path.display().to_string();
    let Some(shape) = found.shape else { return line };
    let channels = match shape.channels {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        n => format!("{n} channels"),
    };
    let _ = write!(line, ": {channels}, {} Hz, {:.1} s, ", shape.hz, shape.seconds());
    if found.digits.is_empty() {
        line.push_str("no digits");
        return line;
    }
    let of = |channel: usize| -> String {
        let own = found.digits.iter().filter(|(other, _)| *other == channel);
        own.map(|(_, heard)| heard.digit.as_char()).collect()
    };
    let all: Vec<String> = (0..shape.channels).map(of).collect();
    line.push_str("digits ");
    line.push_str(&all.join(" | "));
    line
}
