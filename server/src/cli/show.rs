//! `stasis show`: what there is in a server that runs, as a table or as JSON.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Failure, Show, What};

/// A column: its heading, and what stands there.
type Column = (&'static str, fn(&Value) -> String);

pub(super) fn show(asked: &Show) -> Result<(), Failure> {
    let (path, columns): (_, &[Column]) = match asked.what {
        What::Channels => ("/ari/channels", &CHANNELS),
        What::Bridges => ("/ari/bridges", &BRIDGES),
        What::Applications => ("/ari/applications", &APPLICATIONS),
        What::Topics => ("/topics", &TOPICS),
    };
    let url = format!("{}{path}", asked.url.trim_end_matches('/'));
    let credentials = format!("Basic {}", STANDARD.encode(&asked.user));
    let answer = ureq::get(&url).header("Authorization", &credentials).call();
    let mut answer = answer.map_err(|problem| match problem {
        ureq::Error::StatusCode(401) => format!("{url}: the user is not known there"),
        other => format!("{url}: {other}"),
    })?;
    let text = answer.body_mut().read_to_string()?;
    if asked.json {
        println!("{text}");
        return Ok(());
    }
    let rows: Vec<Value> = serde_json::from_str(&text)?;
    print!("{}", table(columns, &rows));
    Ok(())
}

fn text(of: &Value, path: &str) -> String {
    match of.pointer(path) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(all)) => {
            all.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
        }
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

const CHANNELS: [Column; 6] = [
    ("ID", |of| text(of, "/id")),
    ("NAME", |of| text(of, "/name")),
    ("STATE", |of| text(of, "/state")),
    ("CALLER", |of| text(of, "/caller/number")),
    ("EXTENSION", |of| {
        format!("{}@{}", text(of, "/dialplan/exten"), text(of, "/dialplan/context"))
    }),
    ("APPLICATION", |of| {
        let (name, data) = (text(of, "/dialplan/app_name"), text(of, "/dialplan/app_data"));
        if name.is_empty() { name } else { format!("{name}({data})") }
    }),
];

const BRIDGES: [Column; 5] = [
    ("ID", |of| text(of, "/id")),
    ("NAME", |of| text(of, "/name")),
    ("TYPE", |of| text(of, "/bridge_type")),
    ("TECHNOLOGY", |of| text(of, "/technology")),
    ("CHANNELS", |of| text(of, "/channels")),
];

const APPLICATIONS: [Column; 5] = [
    ("NAME", |of| text(of, "/name")),
    ("CHANNELS", |of| text(of, "/channel_ids")),
    ("BRIDGES", |of| text(of, "/bridge_ids")),
    ("ENDPOINTS", |of| text(of, "/endpoint_ids")),
    ("DEVICES", |of| text(of, "/device_names")),
];

const TOPICS: [Column; 4] = [
    ("NAME", |of| text(of, "/name")),
    ("PUBLISHED", |of| text(of, "/published")),
    ("SUBSCRIPTIONS", |of| text(of, "/subscriptions")),
    ("FORWARDS", |of| text(of, "/forwards")),
];

/// Rows below headings, each column as wide as its widest text.
fn table(columns: &[Column], rows: &[Value]) -> String {
    let headings = columns.iter().map(|(heading, _)| (*heading).to_owned()).collect();
    let rows = rows.iter().map(|row| columns.iter().map(|(_, of)| of(row)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(headings).chain(rows).collect();
    let width = |column: usize| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut table = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).map(|(text, &width)| format!("{text:width$}"));
        table.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn columns_are_as_wide_as_their_widest_text() {
        let rows = [
            json!({"id": "b1", "name": "", "bridge_type": "mixing", "technology": "softmix", "channels": ["a", "b"]}),
        ];
        let table = table(&BRIDGES, &rows);
        assert_eq!(
            table,
            "ID  NAME  TYPE    TECHNOLOGY  CHANNELS\nb1        mixing  softmix     a,b\n"
        );
    }
}
