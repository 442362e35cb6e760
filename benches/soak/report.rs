//! The page: one file with everything in it, to be looked at or shown; and its plots as files, for other
//! pages.

use std::fmt::Write;
use std::path::Path;
use std::{fs, io};

use super::figures::{Figures, Part};
use super::plots::{Line, histogram, over_time};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --paper: #ffffff; --rule: #d8dee4;
  --a: #0969da; --b: #bf5700; --good: #1a7f37; --bad: #cf222e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --paper: #0d1117;
  --rule: #30363d; --a: #58a6ff; --b: #f0883e; --good: #3fb950; --bad: #f85149; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 60rem; margin: 2.5rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.9rem; margin: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 .4rem; }
code, pre { font: 14px/1.5 ui-monospace, monospace; } pre { white-space: pre-wrap; color: var(--soft); }
.verdict { font-size: 1.2rem; font-weight: 600; } .good { color: var(--good); } .bad { color: var(--bad); }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
td:first-child { color: var(--soft); white-space: nowrap; }
svg { width: 100%; height: auto; display: block; } svg text { font: 12px system-ui, sans-serif;
  fill: var(--soft); } .y, .end { text-anchor: end; } .x:not(.end) { text-anchor: middle; }
.grid { stroke: var(--rule); } .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.line.s0 { stroke: var(--a); } .line.s1 { stroke: var(--b); } .bar { fill: var(--a); }
line.limit { stroke: var(--b); stroke-dasharray: 4 3; } svg text.limit { fill: var(--b); }
.legend { margin: .2rem 0 0; font-size: .85rem; color: var(--soft); } .key { margin-right: 1.2rem; }
.key::before { content: ''; display: inline-block; width: 1.1em; height: .2em; margin: 0 .4em .25em 0;
  background: var(--a); } .key.s1::before { background: var(--b); }
";

/// Writes `index.html`, and each plot as `*.svg`, to `folder`, which is made if need be.
///
/// # Errors
/// The operating system's.
pub fn write(
    folder: &Path,
    command: &str,
    machine: &str,
    figures: &Figures,
    parts: &[Part],
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (title, plot) in plots(figures, parts) {
        let name = title.to_lowercase().replace(' ', "-");
        fs::write(folder.join(name).with_extension("svg"), picture(&plot))?;
    }
    fs::write(folder.join("index.html"), page(command, machine, figures, parts))
}

/// A plot that stands by itself: without what is around it in the page.
fn picture(plot: &str) -> String {
    let end = plot.find("</svg>").map_or(plot.len(), |at| at + "</svg>".len());
    let start = plot.find("<svg").unwrap_or(0);
    let style = STYLE.replace(":root", "svg");
    // The style goes behind the opening tag.
    let (tag, rest) = plot[start..end].split_once('>').unwrap_or(("<svg", "</svg>"));
    let tag = tag.replacen("<svg", "<svg xmlns=\"http://www.w3.org/2000/svg\"", 1);
    format!("{tag}><style>{style}</style>{rest}\n")
}

fn page(command: &str, machine: &str, figures: &Figures, parts: &[Part]) -> String {
    let class = if figures.exit_code() == 0 { "good" } else { "bad" };
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Soak: {legs} legs</title>\
         <style>{STYLE}</style><h1>{legs} legs, {seconds} s</h1>\
         <p class=\"verdict {class}\">{verdict}</p><pre>$ {command}\n{machine}</pre><table>",
        legs = figures.legs,
        seconds = figures.seconds,
        verdict = escaped(&figures.verdict()),
        command = escaped(command),
        machine = escaped(machine),
    );
    for (what, much) in figures.rows() {
        let _ = write!(page, "<tr><td>{}</td><td>{}</td></tr>", escaped(what), escaped(&much));
    }
    page.push_str("</table>");
    for (title, plot) in plots(figures, parts) {
        let _ = write!(page, "<h2>{title}</h2>{plot}");
    }
    page.push_str("</html>\n");
    page
}

/// The plots with their titles.
fn plots(figures: &Figures, parts: &[Part]) -> [(&'static str, String); 5] {
    let bars: Vec<_> = figures.lateness.buckets().collect();
    let marks = [
        ("p50", figures.lateness.percentile_us(50.0)),
        ("p99", figures.lateness.percentile_us(99.0)),
    ];
    let line = |name, value: fn(&Part) -> f64| Line {
        name,
        points: parts.iter().map(|part| (part.at, value(part))).collect(),
    };
    let late = [
        line("the latest", |part| part.lateness_max_us as f64 / 1e3),
        line("half were not later", |part| part.lateness_p50_us as f64 / 1e3),
    ];
    let cpu = [
        line("media thread", |part| part.media_cpu_percent),
        line("whole process", |part| part.process_cpu_percent),
    ];
    let memory = [line("in RAM", |part| part.rss_kb as f64 / 1024.0)];
    let events = [line("published", |part| part.events_per_second)];
    [
        ("How late ticks began", histogram(&bars, "microseconds", marks)),
        ("Lateness over time", over_time(&late, "ms")),
        ("Processor", over_time(&cpu, "% of one")),
        ("Memory", over_time(&memory, "MiB")),
        ("Events", over_time(&events, "a second")),
    ]
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    #[test]
    fn the_page_stands_alone_and_shows_what_it_is_given_as_text() {
        let parts = vec![Part { at: 1.0, rss_kb: 2_048, ..Default::default() }; 3];
        let figures = Figures { legs: 50, seconds: 3, ..Default::default() };
        let page = page("soak <&>", "a \"machine\"", &figures, &parts);
        assert!(page.contains("$ soak &lt;&amp;&gt;") && page.contains("a &quot;machine&quot;"));
        assert_eq!(page.matches("<svg").count(), 5);
        assert!(!page.contains("http") && !page.contains("<script") && !page.contains("NaN"));
        assert!(page.contains("prefers-color-scheme: dark"));
        for (_, plot) in plots(&figures, &parts) {
            let picture = picture(&plot);
            assert!(picture.starts_with("<svg xmlns=") && picture.trim_end().ends_with("</svg>"));
        }
    }
}
