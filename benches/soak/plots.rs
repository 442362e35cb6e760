//! Plots as inline SVG. Colours come from the page's style, so that they suit light and dark.

use std::fmt::Write;

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 36.0;
/// Points of a line; of more, the highest of each stretch is drawn.
const MOST_POINTS: usize = 440;

/// One line of a plot: its name, and its values over time.
pub struct Line<'a> {
    pub name: &'a str,
    pub points: Vec<(f64, f64)>,
}

/// Values over time, from 0 up, in `unit`.
pub fn over_time(lines: &[Line<'_>], unit: &str) -> String {
    let all = || lines.iter().flat_map(|line| &line.points);
    let end = all().fold(1.0f64, |end, (at, _)| end.max(*at));
    let (step, most) = grid(all().fold(0.0f64, |most, (_, value)| most.max(*value)));
    let x = |at: f64| LEFT + (WIDTH - LEFT - RIGHT) * at / end;
    let y = |value: f64| HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / most;
    let mut svg = open();
    let mut value = 0.0;
    while value <= most + step / 2.0 {
        rule(&mut svg, y(value), &number(value));
        value += step;
    }
    let (step, _) = grid(end);
    let mut at = 0.0;
    while at <= end + 1e-9 {
        mark(&mut svg, x(at), &number(at));
        at += step;
    }
    for (number, line) in lines.iter().enumerate() {
        let path: Vec<String> = thinned(&line.points)
            .into_iter()
            .map(|(at, value)| format!("{:.1},{:.1}", x(at), y(value)))
            .collect();
        let _ = write!(svg, "<polyline class=\"line s{number}\" points=\"{}\"/>", path.join(" "));
    }
    close(svg, "seconds", unit, lines.iter().map(|line| line.name))
}

/// How often what happened: bars from so much to so much, on logarithmic axes both ways, with two
/// values marked.
pub fn histogram(bars: &[(u64, u64, u64)], unit: &str, marks: [(&str, u64); 2]) -> String {
    let first = bars.first().map_or(1.0, |bar| bar.0.max(1) as f64).log10().floor();
    let last = bars.last().map_or(10.0, |bar| bar.1.max(2) as f64).log10().ceil();
    let last = last.max(first + 1.0);
    let most = bars.iter().map(|bar| bar.2).max().unwrap_or(1) as f64;
    let decades = most.log10().floor() + 1.0;
    let x = |us: f64| {
        let at = (us.max(1.0).log10() - first) / (last - first);
        LEFT + (WIDTH - LEFT - RIGHT) * at.clamp(0.0, 1.0)
    };
    // A single one is to be seen, too.
    let y = |count: f64| {
        let high = if count < 1.0 { 0.0 } else { (count.log10() + 0.3) / (decades + 0.3) };
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * high
    };
    let mut svg = open();
    for decade in 0..=decades as i32 {
        rule(&mut svg, y(10f64.powi(decade)), &number(10f64.powi(decade)));
    }
    for decade in first as i32..=last as i32 {
        mark(&mut svg, x(10f64.powi(decade)), &number(10f64.powi(decade)));
    }
    for (from, to, count) in bars {
        let (left, top) = (x(*from as f64), y(*count as f64));
        let (width, height) = ((x(*to as f64) - left).max(1.5) - 0.5, HEIGHT - BOTTOM - top);
        let _ = write!(
            svg,
            "<rect class=\"bar\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\"><title>{from} to {to} µs: {count}</title></rect>"
        );
    }
    // Their names to both sides, away from each other.
    for ((name, us), (side, away)) in marks.iter().zip([("y", -4.0), ("", 4.0)]) {
        let at = x(*us as f64);
        let _ = write!(
            svg,
            "<line class=\"limit\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"{}\" y2=\"{}\"/>\
             <text class=\"limit {side}\" x=\"{:.1}\" y=\"{}\">{name}</text>",
            TOP - 16.0,
            HEIGHT - BOTTOM,
            at + away,
            TOP - 6.0,
        );
    }
    close(svg, unit, "ticks", std::iter::empty())
}

fn open() -> String {
    format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">")
}

fn rule(svg: &mut String, y: f64, label: &str) {
    let _ = write!(
        svg,
        "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
         <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
        WIDTH - RIGHT,
        LEFT - 8.0,
        y + 4.0,
    );
}

fn mark(svg: &mut String, x: f64, label: &str) {
    let y = HEIGHT - BOTTOM;
    let _ = write!(svg, "<text class=\"x\" x=\"{x:.1}\" y=\"{:.1}\">{label}</text>", y + 18.0);
}

/// The names of the axes and of the lines.
fn close<'a>(
    mut svg: String,
    across: &str,
    up: &str,
    names: impl Iterator<Item = &'a str>,
) -> String {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - 4.0);
    let _ = write!(
        svg,
        "<text class=\"x end\" x=\"{right}\" y=\"{bottom}\">{across}</text>\
         <text x=\"4\" y=\"12\">{up}</text></svg>"
    );
    let mut legend = String::new();
    for (number, name) in names.enumerate() {
        let _ = write!(legend, "<span class=\"key s{number}\">{name}</span>");
    }
    if legend.is_empty() { svg } else { format!("{svg}<p class=\"legend\">{legend}</p>") }
}

/// A step of 1, 2 or 5 of some decade, and the multiple of it that is above `most`: about five steps.
fn grid(most: f64) -> (f64, f64) {
    let most = if most > 0.0 { most } else { 1.0 };
    let decade = 10f64.powf((most / 5.0).log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    let step = steps.into_iter().find(|step| most / step <= 5.0 + 1e-9).unwrap_or(most);
    (step, (most / step).ceil() * step)
}

/// A number on an axis.
fn number(value: f64) -> String {
    match value {
        0.0 => "0".into(),
        1e6.. => format!("{} M", (value / 1e4).round() / 1e2),
        1e4.. => format!("{} k", (value / 1e1).round() / 1e2),
        _ => format!("{}", (value * 1e4).round() / 1e4),
    }
}

/// At most so many points.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let stretch = points.len().div_ceil(MOST_POINTS).max(1);
    let highest = |points: &[(f64, f64)]| {
        points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default()
    };
    points.chunks(stretch).map(highest).collect()
}

#[cfg(test)]
#[allow(unused)] // a bench has no harness, and so no tests
mod tests {
    use super::*;

    #[test]
    fn a_grid_has_few_round_steps_that_reach_the_highest_value() {
        for most in [0.0, 0.003, 0.7, 1.0, 4.9, 20.0, 99.0, 101.0, 123_456.0, 7e9] {
            let (step, top) = grid(most);
            assert!(top >= most && top / step <= 6.0, "{most}: {step}, {top}");
        }
        assert_eq!(
            [0.0, 0.5, 200.0, 20_000.0, 2.5e6].map(number),
            ["0", "0.5", "200", "20 k", "2.5 M"]
        );
    }

    #[test]
    fn long_lines_are_thinned_to_their_highest_points() {
        let points: Vec<_> = (0..10_000).map(|n| (f64::from(n), f64::from(n % 100))).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= MOST_POINTS);
        assert_eq!(thin.iter().filter(|(_, value)| *value == 99.0).count(), 100);
        assert!(thinned(&[]).is_empty());
    }

    #[test]
    fn nothing_measured_and_extreme_values_make_plots_without_not_a_number() {
        let lines =
            |points: &[(f64, f64)]| over_time(&[Line { name: "a", points: points.to_vec() }], "%");
        let plots = [
            lines(&[]),
            lines(&[(0.0, 0.0)]),
            lines(&[(1e9, 1e12)]),
            histogram(&[], "µs", [("a", 0); 2]),
            histogram(&[(0, 1, 1)], "µs", [("a", 0); 2]),
            histogram(
                &[(3, 4, 9), (60_000_000, 61_000_000, 1_000_000)],
                "µs",
                [("a", u64::MAX); 2],
            ),
        ];
        for plot in plots {
            assert!(plot.starts_with("<svg") && plot.contains("</svg>"));
            assert!(!plot.contains("NaN") && !plot.contains("inf"), "{plot}");
        }
    }
}
